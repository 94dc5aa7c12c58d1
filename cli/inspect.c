/* inspect and port: all that is known of instances, and single facts of it for scripts. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/template.h"

/* --- inspect ------------------------------------------------------------------------------------------------------ */

struct inspect_options {
	struct selection which;
	const char *format;
};

static const struct option inspect_table[] = {
	SELECTION_OPTIONS(struct inspect_options, which),
	OPTION_TEXT("format", 'f', "TEMPLATE", "print only this of each, as in '{{.pid}} {{json .spec.labels}}'",
		struct inspect_options, format),
	END_OF_OPTIONS,
};

/* Those that not every document has. */
static const char *const optional_names[] = {"damage", "pid", "monitor_pid", "slot", "id_base", "address", "address6",
	"cgroup", "created", "started", "health", "last_exit", "ends", "limits_in_kernel", "spec", NULL};

/* Where docker's document has it, and where ours. */
static const struct template_alias aliases[] = {
	{"Config.Cmd", "spec.command"},
	{"Config.Entrypoint", "spec.entrypoint"},
	{"Config.Env", "spec.environment"},
	{"Config.Hostname", "spec.hostname"},
	{"Config.Image", "spec.image"},
	{"Config.Labels", "spec.labels"},
	{"Config.User", "spec.user"},
	{"Config.WorkingDir", "spec.working_dir"},
	{"HostConfig.Memory", "limits_in_kernel.memory_max_bytes"},
	{"HostConfig.NetworkMode", "spec.network"},
	{"HostConfig.PidsLimit", "limits_in_kernel.pids_max"},
	{"HostConfig.RestartPolicy", "spec.restart"},
	{"Id", "name"},
	{"Mounts", "spec.volumes"},
	{"NetworkSettings.GlobalIPv6Address", "address6"},
	{"NetworkSettings.IPAddress", "address"},
	{"NetworkSettings.Networks", "#networks"},
	{"NetworkSettings.Ports", "ports"},
	{"RestartCount", "restarts"},
	{"State.ExitCode", "last_exit.status"},
	{"State.FinishedAt", "last_exit.at"},
	{"State.Health.Status", "health.state"},
	{"State.OOMKilled", "#oom_killed"},
	{"State.Paused", "#paused"},
	{"State.Pid", "pid"},
	{"State.Restarting", "#restarting"},
	{"State.Running", "#running"},
	{"State.StartedAt", "started"},
	{"State.Status", "state"},
	{NULL, NULL},
};

static int inspect_encode(struct cli *cli, const char *name, struct encoder *encoder, struct error *err)
{
	struct instance_status status;
	struct cgroup_limits limits = {0};
	struct end_list ends;
	struct error ignored = {0};

	if (instance_status_read(&cli->arena, &cli->host, name, &status, err) < 0)
		return -1;
	if (instance_ends_read(&cli->arena, &cli->host, name, &ends, &ignored) == 0)
		status.ends = &ends;
	bool is_up = status.state == INSTANCE_RUNNING || status.state == INSTANCE_PAUSED;
	bool have = is_up && instance_limits_read(&cli->arena, &cli->host, &status, &limits, &ignored) == 0;
	instance_status_encode(encoder, &status, have ? &limits : NULL);
	return 0;
}

static const char *text_at(const struct json *object, const char *key)
{
	const struct json *member = object && object->kind == JSON_OBJECT ? json_get(object, key) : NULL;

	return member && member->kind == JSON_STRING ? member->text : "";
}

static void docker_networks_encode(struct encoder *encoder, const struct json *document)
{
	const char *network = text_at(json_get(document, "spec"), "network");

	encode_object_begin(encoder, "networks");
	if (*network) {
		encode_object_begin(encoder, network);
		encode_string(encoder, "IPAddress", text_at(document, "address"));
		encode_string(encoder, "GlobalIPv6Address", text_at(document, "address6"));
		encode_object_end(encoder);
	}
	encode_object_end(encoder);
}

/* What docker's document has and ours says in another way. */
static int extra_make(struct arena *arena, const struct json *document, const struct json **out, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	const char *state = text_at(document, "state");

	encode_object_begin(encoder, NULL);
	encode_bool(encoder, "running", !strcmp(state, "running") || !strcmp(state, "paused"));
	encode_bool(encoder, "paused", !strcmp(state, "paused"));
	encode_bool(encoder, "restarting", !strcmp(state, "restarting"));
	encode_bool(
		encoder, "oom_killed", !strcmp(text_at(json_get(document, "last_exit"), "reason"), "out of memory"));
	docker_networks_encode(encoder, document);
	encode_object_end(encoder);
	*out = encoder_tree(encoder, arena, err);
	return *out ? 0 : -1;
}

static int inspect_format(struct cli *cli, const struct strings *names, const char *format, struct error *err)
{
	struct template_names known = {.optional = optional_names, .aliases = aliases};

	for (size_t i = 0; i < names->count; i++) {
		AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
		const struct json *document;

		if (inspect_encode(cli, names->items[i], encoder, err) < 0)
			return -1;
		document = encoder_tree(encoder, &cli->arena, err);
		if (!document || extra_make(&cli->arena, document, &known.extra, err) < 0 ||
			template_print(&cli->arena, format, document, &known, stdout, err) < 0)
			return -1;
	}
	return 0;
}

static int inspect_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct inspect_options *chosen = options;
	struct strings names = {0};
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);

	if (cli_select(cli, &chosen->which, count, operands, &names, err) < 0)
		return -1;
	if (chosen->format && strcmp(chosen->format, "json") != 0)
		return inspect_format(cli, &names, chosen->format, err);
	encode_array_begin(encoder, NULL);
	for (size_t i = 0; i < names.count; i++)
		if (inspect_encode(cli, names.items[i], encoder, err) < 0)
			return -1;
	encode_array_end(encoder);
	encoder_print(encoder, stdout);
	return 0;
}

const struct command inspect_command = {
	.name = "inspect",
	.operands = "[options] NAME…",
	.summary = "print all that is known of instances, as JSON",
	.example = "warren inspect blog\nwarren inspect -f '{{.address}}{{range .ports}} {{.published}}{{end}}' blog",
	.options = inspect_table,
	.options_size = sizeof(struct inspect_options),
	.operands_max = SIZE_MAX,
	.run = inspect_run,
};

/* --- port --------------------------------------------------------------------------------------------------------- */

/* "80" or "80/udp"; without a protocol every one of them is meant. */
struct wanted_port {
	int64_t number; /* 0: all */
	const char *protocol;
};

static int wanted_parse(struct arena *arena, const char *text, struct wanted_port *out, struct error *err)
{
	const char *slash = strchrnul(text, '/');

	out->protocol = *slash ? slash + 1 : NULL;
	if (number_parse(arena_bytes(arena, text, (size_t)(slash - text)), 1, UINT16_MAX, &out->number, err) < 0)
		return blame(err, "port \"%s\"", text);
	for (size_t i = 0; out->protocol && port_protocol_names[i]; i++)
		if (!strcmp(out->protocol, port_protocol_names[i]))
			return 0;
	return out->protocol ? fail(err, ERROR_USAGE, "port \"%s\": the protocol is tcp, udp or sctp", text) : 0;
}

/* One number of a range, or one port. */
static void port_line(const struct port *port, unsigned offset, bool with_target)
{
	bool is_six = port->host_ip.family == AF_INET6;
	char address[INET6_ADDRSTRLEN];

	if (with_target)
		printf("%u/%s -> ", port->target + offset, port_protocol_names[port->protocol]);
	printf("%s%s%s:%u\n", is_six ? "[" : "", ip_format(&port->host_ip, address), is_six ? "]" : "",
		port->published + offset);
}

static size_t port_print(const struct port *port, const struct wanted_port *wanted)
{
	size_t printed = 0;

	if (wanted->protocol && strcmp(wanted->protocol, port_protocol_names[port->protocol]) != 0)
		return 0;
	for (unsigned offset = 0; offset <= port->following; offset++)
		if (!wanted->number || port->target + offset == (unsigned)wanted->number) {
			port_line(port, offset, !wanted->number);
			printed++;
		}
	return printed;
}

static int port_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	struct wanted_port wanted = {0};
	struct instance_status status;
	size_t printed = 0;

	(void)options;
	if ((count > 1 && wanted_parse(&cli->arena, operands[1], &wanted, err) < 0) || cli_open(cli, err) < 0 ||
		instance_status_read(&cli->arena, &cli->host, operands[0], &status, err) < 0)
		return -1;
	for (size_t i = 0; i < status.port_count; i++)
		printed += port_print(&status.ports[i], &wanted);
	if (count > 1 && !printed)
		return fail(err, ERROR_MISSING, "%s: port %s is not published", operands[0], operands[1]);
	return 0;
}

const struct command port_command = {
	.name = "port",
	.operands = "NAME [PORT[/PROTOCOL]]",
	.summary = "print where the ports of an instance are published",
	.example = "warren port blog\ncurl http://$(warren port blog 80)/",
	.options = options_none,
	.operands_min = 1,
	.operands_max = 2,
	.run = port_run,
};
