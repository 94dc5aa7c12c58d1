/* set: what an instance is, changed while it runs. Options are short forms of keys of the fleet file. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/plan_text.h"
#include "cli/run_options.h"

struct set_options {
	struct selection selection;
	const char *memory, *memory_high, *memory_low, *swap, *memory_swap, *cpus, *cpu_weight, *cpuset, *pids,
		*io_weight, *disk, *egress, *ingress, *restart, *stop_signal, *stop_timeout, *description,
		*health_interval, *health_timeout, *health_retries, *health_start_period;
	struct strings keys, publish, unpublish, labels, labels_gone;
	bool allow_restart, quiet;
};

#define SET_TEXT(name_, letter_, argument_, help_, member_)                                                            \
	OPTION_TEXT(name_, letter_, argument_, help_, struct set_options, member_)

static const struct option set_table[] = {
	SET_TEXT("memory", 'm', "SIZE", "memory limit, as in 64M (here and below, \"none\" removes a limit)", memory),
	SET_TEXT("memory-high", 0, "SIZE", "slow down and reclaim above this", memory_high),
	SET_TEXT("memory-low", 0, "SIZE", "keep this much from being reclaimed", memory_low),
	SET_TEXT("swap", 0, "SIZE", "swap on top of memory", swap),
	SET_TEXT("memory-swap", 0, "SIZE", "memory and swap together, as docker counts; with --memory", memory_swap),
	SET_TEXT("cpus", 0, "NUMBER", "processors, as in 0.5", cpus),
	SET_TEXT("cpu-weight", 0, "WEIGHT", "share of busy processors, 1 to 10000", cpu_weight),
	SET_TEXT("cpuset-cpus", 0, "LIST", "only on these processors, as in 0-3,7", cpuset),
	SET_TEXT("pids-limit", 0, "NUMBER", "processes and threads", pids),
	SET_TEXT("io-weight", 0, "WEIGHT", "share of busy disks, 1 to 10000", io_weight),
	SET_TEXT("disk", 0, "SIZE", "what it may write into its root, as in 2G", disk),
	SET_TEXT("egress", 0, "RATE", "how fast it may send, as in 100M bits a second", egress),
	SET_TEXT("ingress", 0, "RATE", "how fast it may receive", ingress),
	OPTION_TEXTS("publish", 'p', "[IP:]PORT:PORT[/PROTOCOL]", "publish another port", struct set_options, publish),
	OPTION_TEXTS("publish-rm", 0, "PORT[/udp]", "publish this port no more", struct set_options, unpublish),
	OPTION_TEXTS("label-add", 0, "KEY=VALUE", "add a label, or change it", struct set_options, labels),
	OPTION_TEXTS("label-rm", 0, "KEY", "remove a label", struct set_options, labels_gone),
	SET_TEXT("restart", 0, "POLICY", "no, on-failure[:N], always or unless-stopped", restart),
	SET_TEXT("stop-signal", 0, "SIGNAL", "first signal of stop", stop_signal),
	SET_TEXT("stop-timeout", 0, "TIME", "grace period of stop", stop_timeout),
	SET_TEXT("health-interval", 0, "TIME", "time from one health check to the next", health_interval),
	SET_TEXT("health-timeout", 0, "TIME", "how long a health check may take", health_timeout),
	SET_TEXT("health-retries", 0, "NUMBER", "failures in a row until it is unhealthy", health_retries),
	SET_TEXT("health-start-period", 0, "TIME", "time after its start in which failures do not count",
		health_start_period),
	SET_TEXT("description", 0, "TEXT", "a line about it, for people", description),
	OPTION_TEXTS("key", 'k', "KEY=VALUE",
		"any other key of a fleet file, as in environment.SITE=blog; KEY=null takes it away; \"-k\" may be "
		"left out",
		struct set_options, keys),
	OPTION_FLAG("allow-restart", 0, "restart it when a key counts from the next start only", struct set_options,
		allow_restart),
	OPTION_FLAG("quiet", 'q', "print failures only", struct set_options, quiet),
	SELECTION_OPTIONS(struct set_options, selection),
	END_OF_OPTIONS,
};

/* --- options → layers --------------------------------------------------------------------------------------------- */

enum value_kind {
	VALUE_TEXT,   /* a string */
	VALUE_NUMBER, /* digits are a number */
	VALUE_LIMIT,  /* a string; "none" removes it */
	VALUE_COUNT,  /* a number; "none" removes it */
	VALUE_PIDS,   /* without a limit of its own one would have the default */
};

static const struct {
	size_t offset;
	const char *path;
	enum value_kind kind;
} keys[] = {
	{offsetof(struct set_options, memory), "resources.memory", VALUE_LIMIT},
	{offsetof(struct set_options, memory_high), "resources.memory_high", VALUE_LIMIT},
	{offsetof(struct set_options, memory_low), "resources.memory_low", VALUE_LIMIT},
	{offsetof(struct set_options, swap), "resources.swap", VALUE_LIMIT},
	{offsetof(struct set_options, cpus), "resources.cpus", VALUE_LIMIT},
	{offsetof(struct set_options, cpu_weight), "resources.cpu_weight", VALUE_COUNT},
	{offsetof(struct set_options, cpuset), "resources.cpuset", VALUE_LIMIT},
	{offsetof(struct set_options, pids), "resources.pids", VALUE_PIDS},
	{offsetof(struct set_options, io_weight), "resources.io_weight", VALUE_COUNT},
	{offsetof(struct set_options, disk), "resources.disk", VALUE_LIMIT},
	{offsetof(struct set_options, egress), "resources.egress", VALUE_LIMIT},
	{offsetof(struct set_options, ingress), "resources.ingress", VALUE_LIMIT},
	{offsetof(struct set_options, stop_signal), "stop_signal", VALUE_TEXT},
	{offsetof(struct set_options, stop_timeout), "stop_grace_period", VALUE_TEXT},
	{offsetof(struct set_options, health_interval), "healthcheck.interval", VALUE_TEXT},
	{offsetof(struct set_options, health_timeout), "healthcheck.timeout", VALUE_TEXT},
	{offsetof(struct set_options, health_retries), "healthcheck.retries", VALUE_NUMBER},
	{offsetof(struct set_options, health_start_period), "healthcheck.start_period", VALUE_TEXT},
	{offsetof(struct set_options, description), "description", VALUE_TEXT},
};

static bool is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

static void value_encode(struct encoder *encoder, const char *key, enum value_kind kind, const char *value)
{
	bool none = !strcmp(value, "none");

	if (kind == VALUE_PIDS && none)
		encode_string(encoder, key, "unlimited");
	else if (kind >= VALUE_LIMIT && none)
		encode_null(encoder, key);
	else if ((kind == VALUE_NUMBER || kind == VALUE_COUNT || kind == VALUE_PIDS) && is_number(value))
		encode_number(encoder, key, value);
	else
		encode_string(encoder, key, value);
}

/* Objects whose members' names are the user's: dots belong to them. */
static bool has_free_names(const char *key)
{
	static const char *const objects[] = {"labels", "environment", "sysctls", "depends_on"};

	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		if (!strcmp(objects[i], key))
			return true;
	return false;
}

/* {"resources": {"memory": … — gives the last key, and how many objects are open around it. */
static const char *path_begin(struct arena *arena, struct encoder *encoder, const char *path, size_t *depth)
{
	const char *dot;

	*depth = 1;
	encode_object_begin(encoder, NULL);
	while ((dot = strchr(path, '.'))) {
		const char *key = arena_bytes(arena, path, (size_t)(dot - path));

		encode_object_begin(encoder, key);
		++*depth;
		path = dot + 1;
		if (has_free_names(key))
			break;
	}
	return path;
}

static void path_end(struct encoder *encoder, size_t depth)
{
	while (depth--)
		encode_object_end(encoder);
}

static void layer_add(
	struct arena *arena, struct encoder *encoder, const char *path, enum value_kind kind, const char *value)
{
	size_t depth;
	const char *key = path_begin(arena, encoder, path, &depth);

	value_encode(encoder, key, kind, value);
	path_end(encoder, depth);
}

/* What is JSON is taken as such, anything else is a string. */
static void json_or_text(struct arena *arena, struct encoder *encoder, const char *key, const char *value)
{
	struct error ignored;
	struct json_doc doc;

	if (json_parse(arena, "value", value, strlen(value), JSON_PLAIN, &doc, &ignored) < 0)
		encode_string(encoder, key, value);
	else if (doc.root->kind == JSON_NULL)
		encode_null(encoder, key);
	else
		encode_json(encoder, key, doc.root);
}

static int key_add(struct arena *arena, struct encoder *encoder, const char *text, struct error *err)
{
	const char *equals = strchr(text, '='), *key;
	size_t depth;

	if (!equals || equals == text)
		return fail(err, ERROR_USAGE, "--key \"%s\": expected KEY=VALUE, as in environment.SITE=blog", text);
	key = path_begin(arena, encoder, arena_bytes(arena, text, (size_t)(equals - text)), &depth);
	json_or_text(arena, encoder, key, equals + 1);
	path_end(encoder, depth);
	return 0;
}

static int label_add(struct arena *arena, struct encoder *encoder, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return fail(err, ERROR_USAGE, "--label-add \"%s\": expected KEY=VALUE", text);
	layer_add(
		arena, encoder, arena_format(arena, "labels.%.*s", (int)(equals - text), text), VALUE_TEXT, equals + 1);
	return 0;
}

/* "on-failure:3" */
static void restart_add(struct arena *arena, struct encoder *encoder, const char *text)
{
	const char *colon = strchr(text, ':');

	if (!text_starts_with(text, "on-failure:")) {
		layer_add(arena, encoder, "restart.policy", VALUE_TEXT, text);
		layer_add(arena, encoder, "restart.max_retries", VALUE_COUNT, "none");
		return;
	}
	layer_add(arena, encoder, "restart.policy", VALUE_TEXT, "on-failure");
	layer_add(arena, encoder, "restart.max_retries", VALUE_NUMBER, colon + 1);
}

static void ports_add(struct encoder *encoder, const struct strings *ports)
{
	if (!ports->count)
		return;
	encode_object_begin(encoder, NULL);
	encode_strings(encoder, "+ports", ports);
	encode_object_end(encoder);
}

/* Beside the memory that is given with it: that of each instance could be another. */
static int memory_swap_add(
	struct arena *arena, struct encoder *encoder, const struct set_options *options, struct error *err)
{
	struct optional memory = {0}, given = {options->swap, 0}, swap = {0};

	if (!options->memory_swap)
		return 0;
	if (options->memory && strcmp(options->memory, "none") != 0) {
		memory.set = true;
		if (size_parse(options->memory, &memory.value, err) < 0)
			return blame(err, "--memory");
	}
	if (memory_swap_parse(options->memory_swap, &memory, &given, &swap, err) < 0)
		return -1;
	if (swap.set)
		layer_add(arena, encoder, "resources.swap", VALUE_LIMIT,
			arena_format(arena, "%lld", (long long)swap.value));
	return 0;
}

static int layers_encode(
	struct arena *arena, struct encoder *encoder, const struct set_options *options, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *value = *(const char *const *)((const char *)options + keys[i].offset);

		if (value)
			layer_add(arena, encoder, keys[i].path, keys[i].kind, value);
	}
	if (memory_swap_add(arena, encoder, options, err) < 0)
		return -1;
	if (options->restart)
		restart_add(arena, encoder, options->restart);
	ports_add(encoder, &options->publish);
	for (size_t i = 0; i < options->labels.count; i++)
		if (label_add(arena, encoder, options->labels.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < options->labels_gone.count; i++)
		layer_add(arena, encoder, arena_format(arena, "labels.%s", options->labels_gone.items[i]), VALUE_LIMIT,
			"none");
	for (size_t i = 0; i < options->keys.count; i++)
		if (key_add(arena, encoder, options->keys.items[i], err) < 0)
			return -1;
	return 0;
}

static int request_make(
	struct arena *arena, const struct set_options *options, struct set_request *out, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	size_t length;
	int result;

	encode_array_begin(encoder, NULL);
	result = layers_encode(arena, encoder, options, err);
	encode_array_end(encoder);
	auto_free char *text = encoder_take(encoder, &length);
	if (result < 0 || set_request_make(arena, text, out, err) < 0)
		return -1;
	if (!out->layers->root->count && !options->unpublish.count)
		return fail(
			err, ERROR_USAGE, "nothing to set: give an option such as --memory 64M, or --key KEY=VALUE");
	out->unpublish = options->unpublish;
	out->may_restart = options->allow_restart;
	return 0;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

/* No name and no pattern holds a '=': such operands are keys. Gives the number of the others. */
static size_t keys_take(struct arena *arena, struct set_options *options, size_t count, char **operands)
{
	size_t names = 0;

	for (size_t i = 0; i < count; i++)
		if (strchr(operands[i], '='))
			strings_add(arena, &options->keys, operands[i]);
		else
			operands[names++] = operands[i];
	return names;
}

static int set_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct set_options *chosen = options;
	struct cli *cli = context;
	struct set_request request;
	struct strings names;
	size_t failures = 0;

	count = keys_take(&cli->arena, chosen, count, operands);
	if (request_make(&cli->arena, chosen, &request, err) < 0 ||
		cli_select(cli, &chosen->selection, count, operands, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		struct plan_changes changes;
		struct error failure;

		if (instance_set(&cli->arena, &cli->host, names.items[i], &request, &changes, &failure) < 0) {
			if (failures++)
				log_error("%s", err->text);
			*err = failure;
		} else if (!chosen->quiet) {
			changes_print(&cli->arena, names.items[i], &changes, stdout);
		}
	}
	return failures ? -1 : 0;
}

const struct command set_command = {
	.name = "set",
	.operands = "[options] NAME… [KEY=VALUE…]",
	.summary = "change limits, ports, labels and more of instances that run; all or nothing for each",
	.example = "warren set --memory 128M --cpus 1.5 blog\nwarren set -p 8081:81 --publish-rm 8080 blog\n"
		   "warren set --label tier=web --memory none",
	.options = set_table,
	.options_size = sizeof(struct set_options),
	.operands_min = 0,
	.operands_max = SIZE_MAX,
	.run = set_run,
};
