/* run and create: an instance is made of what the flags say, and run starts it. */
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "cli/cli.h"
#include "cli/run_options.h"
#include "images/collection.h"

static int create_named(struct cli *cli, struct instance_spec *spec, const char *name, struct error *err)
{
	spec->name = spec->base_name = name;
	if (!spec->hostname)
		spec->hostname = name;
	if (instance_spec_check(spec, err) < 0 || cli_open(cli, err) < 0)
		return -1;
	return instance_create(&cli->host, spec, err);
}

/* "nginx" of "registry:5000/library/nginx:1.24"; "instance" of what makes no name. */
static const char *image_stem(struct arena *arena, const char *image)
{
	const char *last = image ? path_base(image) : "instance";
	const char *stem = arena_bytes(arena, last, strcspn(last, ":@"));
	struct error ignored;

	return name_check("image", stem, &ignored) == 0 ? stem : "instance";
}

/* Without --name: the image's name and six random digits, tried again when somebody has it. */
static int create_unnamed(struct cli *cli, struct instance_spec *spec, struct error *err)
{
	const char *stem = image_stem(&cli->arena, spec->image);
	bool named_host = spec->hostname;

	for (int tries = 0; tries < 16; tries++) {
		unsigned number;

		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return fail_errno(err, "getrandom");
		if (!named_host)
			spec->hostname = NULL;
		*err = (struct error){0};
		if (create_named(cli, spec, arena_format(&cli->arena, "%s-%06x", stem, number & 0xffffff), err) == 0)
			return 0;
		if (err->kind != ERROR_BUSY)
			return -1;
	}
	return -1;
}

static bool port_is_there(const struct instance_spec *spec, const struct port *port)
{
	for (size_t i = 0; i < spec->ports.count; i++)
		if (spec->ports.items[i].target == port->target && spec->ports.items[i].protocol == port->protocol)
			return true;
	return false;
}

/* What the image exposes and nobody has published by name: "80/tcp" is read as `-p 80/tcp` is. */
static int exposed_publish(struct cli *cli, struct instance_spec *spec, struct error *err)
{
	struct image_about about;
	struct port *ports;

	if (!spec->image || !strcmp(spec->image, IMAGE_HOST))
		return fail(err, ERROR_USAGE,
			"--publish-all: only an image says which ports it exposes; name them: -p 8080:80");
	if (cli_open(cli, err) < 0 || image_look(cli->host.lib, spec->image, &cli->arena, &about, err) < 0)
		return -1;
	ports = arena_new_array(&cli->arena, spec->ports.count + about.config.exposed_ports.count, struct port);
	if (spec->ports.count)
		memcpy(ports, spec->ports.items, spec->ports.count * sizeof(*ports));
	spec->ports.items = ports;
	for (size_t i = 0; i < about.config.exposed_ports.count; i++) {
		struct port *port = &ports[spec->ports.count];

		if (port_parse(about.config.exposed_ports.items[i], port, err) < 0)
			return blame(err, "the image's exposed port");
		if (!port_is_there(spec, port))
			spec->ports.count++;
	}
	return 0;
}

static int create(struct cli *cli, const struct run_options *options, size_t count, char **operands,
	struct instance_spec *spec, struct error *err)
{
	struct strings images = {0};
	enum pull_policy policy;

	if (run_spec_fill(&cli->arena, options, count, operands, spec, err) < 0 ||
		pull_policy_parse(options->pull, &policy, err) < 0)
		return -1;
	if (spec->image)
		strings_add(&cli->arena, &images, spec->image);
	if (images_fetch(cli, &images, policy, err) < 0 ||
		(options->publish_all && exposed_publish(cli, spec, err) < 0))
		return -1;
	return options->name ? create_named(cli, spec, options->name, err) : create_unnamed(cli, spec, err);
}

static int create_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	struct instance_spec spec;

	if (create(cli, options, count, operands, &spec, err) < 0)
		return -1;
	printf("%s\n", spec.name);
	return 0;
}

/* The name for scripts on stdout, the addresses for people on stderr. */
static void announce(const struct instance_spec *spec, const struct port *ports, size_t count)
{
	char buffer[PORT_TEXT_SIZE];

	printf("%s\n", spec->name);
	fflush(stdout);
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "published %s\n", port_format(&ports[i], buffer));
}

static int run_detached(struct cli *cli, const struct instance_spec *spec, struct error *err)
{
	struct port *ports = arena_new_array(&cli->arena, INSTANCE_PORTS_MAX, struct port);
	size_t port_count = INSTANCE_PORTS_MAX;
	struct start_options start = {.ports = ports, .port_count = &port_count};

	if (instance_start(&cli->host, spec->name, &start, err) < 0)
		return -1;
	announce(spec, ports, port_count);
	return 0;
}

/* 137 alone says nothing: killed by whom? */
static void explain_end(const struct instance_spec *spec, enum end_reason reason)
{
	const struct optional *memory = &spec->resources.memory_bytes;
	char limit[24];

	if (reason != END_OUT_OF_MEMORY)
		return;
	if (memory->set)
		log_error("%s: out of memory; its limit is %s", spec->name, size_format(memory->value, limit));
	else
		log_error("%s: out of memory", spec->name);
}

/* As docker: the command's own status; 127 not found, 126 not executable, 125 our own failure. */
static int run_attached(struct cli *cli, const struct instance_spec *spec, bool *started, struct error *err)
{
	bool exec_failed = false;
	int status = 0;
	enum end_reason reason = END_NONE;
	struct start_options start = {
		.foreground = true, .status = &status, .reason = &reason, .exec_failed = &exec_failed};

	*started = instance_start(&cli->host, spec->name, &start, err) == 0;
	if (*started) {
		explain_end(spec, reason);
		return status;
	}
	cli_explain(cli, err);
	log_error("%s", err->text);
	return !exec_failed ? 125 : err->errnum == ENOENT ? 127 : 126;
}

static int run_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct run_options *chosen = options;
	/* Not on the stack, which the monitor inherits. */
	struct instance_spec *spec = arena_new(&cli->arena, struct instance_spec);
	struct error ignored = {0};
	bool started;
	int status;

	if (chosen->terminal && !chosen->detach && !isatty(STDIN_FILENO))
		return fail(err, ERROR_USAGE, "--tty: standard input is not a terminal");
	if (create(cli, chosen, count, operands, spec, err) < 0)
		return -1;
	if (chosen->detach) {
		status = run_detached(cli, spec, err);
		started = status == 0;
	} else {
		status = run_attached(cli, spec, &started, err);
	}
	/* What could not start is not left behind: the same command can be given again. */
	if ((!started || (spec->remove && !chosen->detach)) &&
		instance_remove(&cli->host, spec->name, true, &ignored) < 0 && ignored.kind != ERROR_MISSING)
		log_warn("%s", ignored.text);
	return status;
}

const struct command run_command = {
	.name = "run",
	.operands = "[options] IMAGE [COMMAND…]",
	.summary = "create an instance and start it",
	.example = "warren run -d --name blog -p 8090:80 --memory 64M host -- nginx -g 'daemon off;'\nwarren run --rm "
		   "-it host -- bash",
	.options = run_options_table,
	.options_size = sizeof(struct run_options),
	.stop_at_operand = true,
	.operands_max = SIZE_MAX,
	.run = run_run,
};

const struct command create_command = {
	.name = "create",
	.operands = "[options] IMAGE [COMMAND…]",
	.summary = "create an instance and leave it stopped",
	.example = "warren create --name blog -p 8090:80 host -- nginx -g 'daemon off;'",
	.options = create_options_table,
	.options_size = sizeof(struct run_options),
	.stop_at_operand = true,
	.operands_max = SIZE_MAX,
	.run = create_run,
};
