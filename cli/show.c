/* list and inspect: what there is. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/table.h"

struct list_options {
	struct table_options table;
	struct strings labels;
	bool running, all;
};

static const struct option list_table[] = {
	OPTION_FLAG("running", 'r', "only those that run", struct list_options, running),
	OPTION_FLAG("all", 'a', "those of every state (the default)", struct list_options, all),
	OPTION_TEXTS("label", 'l', "KEY[=VALUE]", "those that carry this label", struct list_options, labels),
	TABLE_OPTIONS(struct list_options, table),
	END_OF_OPTIONS,
};

static const char *state_colour(const char *state)
{
	static const struct {
		const char *state, *escape;
	} colours[] = {{"running", "\033[32m"}, {"paused", "\033[33m"}, {"restarting", "\033[33m"},
		{"damaged", "\033[31m"}, {"healthy", "\033[32m"}, {"starting", "\033[33m"}, {"unhealthy", "\033[31m"}};

	for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
		if (!strcmp(state, colours[i].state))
			return colours[i].escape;
	return NULL;
}

enum {
	NAME,
	STATE,
	IMAGE,
	ADDRESS,
	ADDRESS6,
	PORTS,
	UPTIME,
	RESTARTS,
	HEALTH,
	NOTE,
	NETWORK,
	FLEET,
	PID,
	MONITOR,
	MONITORED,
	EXIT_STATUS,
	REASON
};

static const struct column list_columns[] = {
	[NAME] = {.title = "NAME", .key = "name"},
	[STATE] = {.title = "STATE", .key = "state", .colour = state_colour},
	[IMAGE] = {.title = "IMAGE", .key = "image"},
	[ADDRESS] = {.title = "ADDRESS", .key = "address"},
	[ADDRESS6] = {.title = "ADDRESS6", .key = "address6", .json_only = true},
	[PORTS] = {.title = "PORTS", .key = "ports"},
	[UPTIME] = {.title = "UPTIME", .key = "uptime_ms", .kind = COLUMN_NUMBER},
	[RESTARTS] = {.title = "RESTARTS", .key = "restarts", .kind = COLUMN_NUMBER},
	[HEALTH] = {.title = "HEALTH", .key = "health", .colour = state_colour},
	[NOTE] = {.title = "NOTE", .key = "note"},
	[NETWORK] = {.title = "NETWORK", .key = "network", .json_only = true},
	[FLEET] = {.title = "FLEET", .key = "fleet", .json_only = true},
	[PID] = {.title = "PID", .key = "pid", .kind = COLUMN_NUMBER, .json_only = true},
	[MONITOR] = {.title = "MONITOR", .key = "monitor", .kind = COLUMN_NUMBER, .json_only = true},
	[MONITORED] = {.title = "MONITORED", .key = "monitored", .json_only = true},
	[EXIT_STATUS] = {.title = "EXIT", .key = "exit_status", .kind = COLUMN_NUMBER, .json_only = true},
	[REASON] = {.title = "REASON", .key = "reason", .json_only = true},
};

static bool is_up(const struct instance_status *status)
{
	return status->state == INSTANCE_RUNNING || status->state == INSTANCE_PAUSED;
}

static const char *ports_text(struct arena *arena, const struct instance_status *status)
{
	const char *text = "";
	char buffer[PORT_TEXT_SIZE];

	for (size_t i = 0; i < status->port_count; i++)
		text = arena_format(arena, "%s%s%s", text, i ? ", " : "", port_format(&status->ports[i], buffer));
	return text;
}

/* Why it is as it is, in a few words. */
static const char *note_text(struct arena *arena, const struct instance_status *status)
{
	const char *reason = end_reason_names[status->last.reason];

	if (status->state == INSTANCE_DAMAGED)
		return status->damage;
	if (is_up(status))
		return status->monitored ? "" : "unmonitored";
	switch (status->last.reason) {
	case END_NONE:
		return "";
	case END_EXITED:
	case END_SIGNAL:
		return arena_format(arena, "exit %d", status->last.status);
	case END_START_FAILED:
		return status->last.detail ? status->last.detail : reason;
	default:
		return arena_format(arena, "%s, exit %d", reason, status->last.status);
	}
}

static void list_row(struct table *table, const struct instance_status *status)
{
	struct arena *arena = table->arena;
	struct cell *row = table_row(table);
	char address[INET6_ADDRSTRLEN], duration[24];
	int64_t up_ms = clock_real_ms() - status->started_ms;

	row[NAME].text = status->name;
	row[STATE].text = instance_state_word(status);
	row[PORTS].text = ports_text(arena, status);
	row[RESTARTS].text = arena_format(arena, "%lld", (long long)status->restarts);
	row[NOTE].text = note_text(arena, status);
	if (status->health.state != HEALTH_NONE)
		row[HEALTH].text = health_state_names[status->health.state];
	row[MONITORED].text = status->monitored ? "yes" : "no";
	if (status->spec) {
		row[IMAGE].text = status->spec->image ? status->spec->image : status->spec->rootfs;
		row[FLEET].text = status->spec->fleet;
		row[NETWORK].text = status->spec->network;
	}
	if (status->address.s_addr)
		row[ADDRESS].text = arena_string(arena, inet_ntop(AF_INET, &status->address, address, sizeof(address)));
	if (!IN6_IS_ADDR_UNSPECIFIED(&status->address6))
		row[ADDRESS6].text =
			arena_string(arena, inet_ntop(AF_INET6, &status->address6, address, sizeof(address)));
	if (is_up(status)) {
		row[UPTIME].text = arena_string(arena, duration_format(up_ms > 0 ? up_ms : 0, duration));
		row[UPTIME].value = arena_format(arena, "%lld", (long long)(up_ms > 0 ? up_ms : 0));
		row[PID].text = arena_format(arena, "%d", status->init.pid);
		if (status->monitor)
			row[MONITOR].text = arena_format(arena, "%d", status->monitor);
	} else if (status->last.reason != END_NONE) {
		row[EXIT_STATUS].text = arena_format(arena, "%d", status->last.status);
		row[REASON].text = end_reason_names[status->last.reason];
	}
}

static int list_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct list_options *chosen = options;
	struct selection selection = {.labels = chosen->labels, .all = !count};
	struct strings names = {0};
	struct instance_list list = {0};
	struct table table;

	if (cli_open(cli, err) < 0 || instance_list_read(&cli->arena, &cli->host, &list, err) < 0)
		return -1;
	bool everything = !count && !chosen->labels.count;
	if (!everything && cli_select(cli, &selection, count, operands, &names, err) < 0)
		return -1;
	table_init(&table, &cli->arena, list_columns, ARRAY_SIZE(list_columns));
	for (size_t i = 0; i < list.count; i++)
		if ((everything || strings_contain(&names, list.items[i].name)) &&
			(!chosen->running || is_up(&list.items[i])))
			list_row(&table, &list.items[i]);
	return table_print(&table, &chosen->table, stdout, err);
}

struct inspect_options {
	struct selection which;
};
static const struct option inspect_table[] = {SELECTION_OPTIONS(struct inspect_options, which), END_OF_OPTIONS};

static int inspect_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct inspect_options *chosen = options;
	struct strings names = {0};
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	size_t length;

	if (cli_select(cli, &chosen->which, count, operands, &names, err) < 0)
		return -1;
	encode_array_begin(encoder, NULL);
	for (size_t i = 0; i < names.count; i++) {
		struct instance_status status;
		struct cgroup_limits limits = {0};
		struct error ignored = {0};

		if (instance_status_read(&cli->arena, &cli->host, names.items[i], &status, err) < 0)
			return -1;
		struct end_list ends;

		if (instance_ends_read(&cli->arena, &cli->host, names.items[i], &ends, &ignored) == 0)
			status.ends = &ends;
		bool have = is_up(&status) &&
			    instance_limits_read(&cli->arena, &cli->host, &status, &limits, &ignored) == 0;
		instance_status_encode(encoder, &status, have ? &limits : NULL);
	}
	encode_array_end(encoder);
	auto_free char *text = encoder_take(encoder, &length);
	fwrite(text, 1, length, stdout);
	return 0;
}

const struct command list_command = {
	.name = "list",
	.alias = "ps",
	.operands = "[options] [NAME…]",
	.summary = "list instances",
	.example = "warren list -r\nwarren list --format '{{.Name}} {{.Address}}'",
	.options = list_table,
	.options_size = sizeof(struct list_options),
	.operands_max = SIZE_MAX,
	.run = list_run,
};

const struct command inspect_command = {
	.name = "inspect",
	.operands = "[options] NAME…",
	.summary = "print all that is known of instances, as JSON",
	.example = "warren inspect blog",
	.options = inspect_table,
	.options_size = sizeof(struct inspect_options),
	.operands_max = SIZE_MAX,
	.run = inspect_run,
};
