/* list: what there is, a line each. */
#include <arpa/inet.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "cli/template.h"

struct list_options {
	struct table_options table;
	struct strings labels, filters;
	bool running, all;
};

static const struct option list_table[] = {
	OPTION_FLAG("running", 'r', "only those that run", struct list_options, running),
	OPTION_FLAG("all", 'a', "those of every state (the default)", struct list_options, all),
	OPTION_TEXTS("label", 'l', "KEY[=VALUE]", "those that carry this label", struct list_options, labels),
	OPTION_TEXTS("filter", 'f', "KEY=PATTERN",
		"those whose name, state, image, network, fleet, health, label … is like this", struct list_options,
		filters),
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
	REASON,
	STATUS,
	COMMAND,
	CREATED_AT,
	RUNNING_FOR,
	ALL_LABELS
};

static const struct column list_columns[] = {
	[NAME] = {.title = "NAME", .key = "name"},
	[STATE] = {.title = "STATE", .key = "state", .colour = state_colour},
	[IMAGE] = {.title = "IMAGE", .key = "image", .drop = 2, .cut = 12, .keep_end = true},
	[ADDRESS] = {.title = "ADDRESS", .key = "address", .drop = 5},
	[ADDRESS6] = {.title = "ADDRESS6", .key = "address6", .json_only = true},
	[PORTS] = {.title = "PORTS", .key = "ports", .drop = 6, .cut = 22},
	[UPTIME] = {.title = "UPTIME", .key = "uptime_ms", .kind = COLUMN_NUMBER, .drop = 4},
	[RESTARTS] = {.title = "RESTARTS", .key = "restarts", .kind = COLUMN_NUMBER, .drop = 1},
	[HEALTH] = {.title = "HEALTH", .key = "health", .colour = state_colour, .drop = 3},
	[NOTE] = {.title = "NOTE", .key = "note", .drop = 7, .cut = 24, .below = true},
	[NETWORK] = {.title = "NETWORK", .key = "network", .json_only = true},
	[FLEET] = {.title = "FLEET", .key = "fleet", .json_only = true},
	[PID] = {.title = "PID", .key = "pid", .kind = COLUMN_NUMBER, .json_only = true},
	[MONITOR] = {.title = "MONITOR", .key = "monitor", .kind = COLUMN_NUMBER, .json_only = true},
	[MONITORED] = {.title = "MONITORED", .key = "monitored", .json_only = true},
	[EXIT_STATUS] = {.title = "EXIT", .key = "exit_status", .kind = COLUMN_NUMBER, .json_only = true},
	[REASON] = {.title = "REASON", .key = "reason", .json_only = true},
	[STATUS] = {.title = "STATUS", .key = "Status", .format_only = true},
	[COMMAND] = {.title = "COMMAND", .key = "Command", .format_only = true},
	[CREATED_AT] = {.title = "CREATED AT", .key = "CreatedAt", .format_only = true},
	[RUNNING_FOR] = {.title = "CREATED", .key = "RunningFor", .format_only = true},
	[ALL_LABELS] = {.title = "LABELS", .key = "Labels", .format_only = true},
};

/* docker's and podman's words. */
static const struct template_alias list_aliases[] = {
	{"ID", "name"}, {"Names", "name"}, {"Networks", "network"}, {NULL, NULL}};

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

static const char *ago(struct arena *arena, int64_t since_ms)
{
	int64_t ms = clock_real_ms() - since_ms;
	char buffer[24];

	return arena_string(arena, duration_format(ms > 0 ? ms : 0, buffer));
}

/* As docker says it: scripts look for "Up" and "Exited (0)". */
static const char *status_text(struct arena *arena, const struct instance_status *status)
{
	const char *health = status->health.state == HEALTH_NONE ? NULL : health_state_names[status->health.state];

	if (status->state == INSTANCE_DAMAGED)
		return "Dead";
	if (is_up(status))
		return arena_format(arena, "Up %s%s%s%s%s", ago(arena, status->started_ms), health ? " (" : "",
			health ? health : "", health ? ")" : "", status->state == INSTANCE_PAUSED ? " (Paused)" : "");
	if (status->last.reason == END_NONE)
		return "Created";
	return arena_format(arena, "%s (%d) %s ago", status->state == INSTANCE_RESTARTING ? "Restarting" : "Exited",
		status->last.status, ago(arena, status->last.at_ms));
}

static const char *words_text(struct arena *arena, const struct strings *words)
{
	const char *text = "";

	for (size_t i = 0; i < words->count; i++)
		text = arena_format(arena, "%s%s%s", text, i ? " " : "", words->items[i]);
	return text;
}

static const char *date_text(struct arena *arena, int64_t real_ms)
{
	time_t seconds = real_ms / 1000;
	struct tm local;
	char text[64];

	if (!localtime_r(&seconds, &local) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", &local))
		return "";
	return arena_string(arena, text);
}

/* What only a template asks for. */
static void docker_cells(struct arena *arena, struct cell *row, const struct instance_status *status)
{
	row[STATUS].text = status_text(arena, status);
	row[CREATED_AT].text = date_text(arena, status->created_ms);
	row[RUNNING_FOR].text = arena_format(arena, "%s ago", ago(arena, status->created_ms));
	if (!status->spec)
		return;
	row[COMMAND].text = words_text(arena, &status->spec->command);
	row[ALL_LABELS].text = labels_text(arena, &status->spec->labels);
}

static struct cell *list_row(struct table *table, const struct instance_status *status)
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
	return row;
}

/* --- filters ------------------------------------------------------------------------------------------------------ */

/* docker's word for it, or ours. */
static const struct {
	const char *key;
	int column;
} filter_keys[] = {{"name", NAME}, {"state", STATE}, {"status", STATE}, {"image", IMAGE}, {"ancestor", IMAGE},
	{"network", NETWORK}, {"fleet", FLEET}, {"health", HEALTH}, {"exited", EXIT_STATUS}, {"reason", REASON},
	{"address", ADDRESS}, {"publish", PORTS}};

struct filter {
	int column;
	const char *key, *pattern;
};

struct filters {
	struct filter *items;
	size_t count;
};

static int filter_parse(struct arena *arena, const char *text, struct filter *out, struct error *err)
{
	size_t length = strcspn(text, "=");

	if (!text[length])
		return fail(err, ERROR_USAGE, "--filter %s: as in state=running", text);
	out->pattern = text + length + 1;
	for (size_t i = 0; i < ARRAY_SIZE(filter_keys); i++)
		if (strlen(filter_keys[i].key) == length && !strncmp(text, filter_keys[i].key, length)) {
			out->column = filter_keys[i].column;
			out->key = filter_keys[i].key;
			if (out->column == STATE && !strcmp(out->pattern, "exited"))
				out->pattern = instance_state_names[INSTANCE_STOPPED];
			else if (out->column == PORTS)
				out->pattern = arena_format(arena, "*:%s->*", out->pattern);
			return 0;
		}
	return fail(err, ERROR_USAGE,
		"--filter %s: the key is name, state, image, network, fleet, health, label, exited, reason, address or "
		"publish",
		text);
}

/* Labels are what instances are selected by anyway; the rest is looked for in the rows. */
static int filters_parse(struct arena *arena, const struct strings *texts, struct strings *labels, struct filters *out,
	struct error *err)
{
	*out = (struct filters){.items = arena_new_array(arena, texts->count, struct filter)};
	for (size_t i = 0; i < texts->count; i++) {
		if (text_starts_with(texts->items[i], "label="))
			strings_add(arena, labels, texts->items[i] + strlen("label="));
		else if (filter_parse(arena, texts->items[i], &out->items[out->count++], err) < 0)
			return -1;
	}
	return 0;
}

/* Several patterns for one column: any of them. */
static bool column_passes(const struct filters *filters, const struct cell *row, int column)
{
	bool asked = false;

	for (size_t i = 0; i < filters->count; i++) {
		if (filters->items[i].column != column)
			continue;
		asked = true;
		if (fnmatch(filters->items[i].pattern, row[column].text ? row[column].text : "", 0) == 0)
			return true;
	}
	return !asked;
}

static bool row_passes(const struct filters *filters, const struct cell *row)
{
	for (size_t i = 0; i < filters->count; i++)
		if (!column_passes(filters, row, filters->items[i].column))
			return false;
	return true;
}

static int list_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct list_options *chosen = options;
	struct selection selection = {.labels = chosen->labels, .all = !count};
	struct filters filters;
	struct strings names = {0};
	struct instance_list list = {0};
	struct table table;

	if (filters_parse(&cli->arena, &chosen->filters, &selection.labels, &filters, err) < 0 ||
		cli_open(cli, err) < 0 || instance_list_read(&cli->arena, &cli->host, &list, err) < 0)
		return -1;
	bool everything = !count && !selection.labels.count;
	if (!everything && cli_select(cli, &selection, count, operands, &names, err) < 0)
		return -1;
	table_init(&table, &cli->arena, list_columns, ARRAY_SIZE(list_columns));
	table.aliases = list_aliases;
	for (size_t i = 0; i < list.count; i++)
		if ((everything || strings_contain(&names, list.items[i].name)) &&
			(!chosen->running || is_up(&list.items[i]))) {
			struct cell *row = list_row(&table, &list.items[i]);

			if (!row_passes(&filters, row))
				table_row_drop(&table);
			else if (chosen->table.format)
				docker_cells(&cli->arena, row, &list.items[i]);
		}
	return table_print(&table, &chosen->table, stdout, err);
}

const struct command list_command = {
	.name = "list",
	.alias = "ps",
	.operands = "[options] [NAME…]",
	.summary = "list instances",
	.example = "warren list -r\nwarren list --filter state=running --filter 'image=*/shop:*'\nwarren list --format "
		   "'table {{.Names}}\\t{{.Status}}\\t{{.Ports}}'",
	.options = list_table,
	.options_size = sizeof(struct list_options),
	.operands_max = SIZE_MAX,
	.run = list_run,
};
