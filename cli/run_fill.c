/* Flags → specification: one function for each kind of value. */
#include "cli/run_options.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "cli/run_volumes.h"

/* "NAME=VALUE" → name and value; without '=' value is `missing`, or wrong use when that is NULL. */
static int pair_split(struct arena *arena, const char *option, const char *text, const char *missing, struct pairs *out,
	struct error *err)
{
	const char *equals = strchr(text, '=');

	if (equals == text || (!equals && !missing))
		return fail(err, ERROR_USAGE, "%s \"%s\": expected NAME=VALUE", option, text);
	if (!equals)
		pairs_set(arena, out, text, missing);
	else
		pairs_set(arena, out, arena_bytes(arena, text, (size_t)(equals - text)), equals + 1);
	return 0;
}

static int environment_fill(struct arena *arena, const struct strings *from, struct pairs *out, struct error *err)
{
	for (size_t i = 0; i < from->count; i++) {
		const char *value = strchr(from->items[i], '=') ? NULL : getenv(from->items[i]);

		if (!strchr(from->items[i], '=') && !value)
			continue; /* as docker: a name that the caller does not have is passed over */
		if (pair_split(arena, "--env", from->items[i], value, out, err) < 0)
			return -1;
	}
	return 0;
}

static int restart_fill(struct arena *arena, const char *text, struct restart_spec *out, struct error *err)
{
	const char *colon;

	if (!text)
		return 0;
	colon = strchr(text, ':');
	const char *policy = colon ? arena_bytes(arena, text, (size_t)(colon - text)) : text;
	for (int i = 0; restart_policy_names[i]; i++) {
		int64_t retries;

		if (strcmp(policy, restart_policy_names[i]))
			continue;
		out->policy = (enum restart_policy)i;
		if (!colon)
			return 0;
		if (out->policy != RESTART_ON_FAILURE)
			return fail(
				err, ERROR_USAGE, "--restart \"%s\": only on-failure takes a number of retries", text);
		if (number_parse(colon + 1, 1, 1000000, &retries, err) < 0)
			return blame(err, "--restart \"%s\"", text);
		out->max_retries = (struct optional){true, retries};
		return 0;
	}
	return fail(err, ERROR_USAGE, "--restart \"%s\": expected no, on-failure, always or unless-stopped", text);
}

static int logging_fill(const struct run_options *options, struct logging_spec *out, struct error *err)
{
	if (options->log_driver)
		out->driver = options->log_driver;
	for (size_t i = 0; i < options->log_options.count; i++) {
		const char *text = options->log_options.items[i];

		if (text_starts_with(text, "max-size=")) {
			if (size_parse(text + strlen("max-size="), &out->max_size_bytes, err) < 0)
				return blame(err, "--log-opt %s", text);
		} else if (text_starts_with(text, "max-file=")) {
			if (number_parse(text + strlen("max-file="), 1, 100, &out->max_files, err) < 0)
				return blame(err, "--log-opt %s", text);
		} else {
			return fail(
				err, ERROR_USAGE, "--log-opt \"%s\": expected max-size=SIZE or max-file=NUMBER", text);
		}
	}
	return 0;
}

static const struct {
	const char *text;
	const char *seccomp;	  /* NULL: not said */
	int8_t no_new_privileges; /* -1: not said */
} security_words[] = {
	{"seccomp=default", "default", -1},
	{"seccomp=unconfined", "unconfined", -1},
	{"no-new-privileges", NULL, 1},
	{"no-new-privileges=true", NULL, 1},
	{"no-new-privileges:true", NULL, 1},
	{"no-new-privileges=false", NULL, 0},
	{"no-new-privileges:false", NULL, 0},
};

static bool security_word(const char *text, struct instance_spec *spec)
{
	for (size_t i = 0; i < ARRAY_SIZE(security_words); i++) {
		if (!text_equal(text, security_words[i].text))
			continue;
		if (security_words[i].seccomp)
			spec->seccomp = security_words[i].seccomp;
		if (security_words[i].no_new_privileges >= 0)
			spec->no_new_privileges = security_words[i].no_new_privileges;
		return true;
	}
	return false;
}

static int security_fill(const struct strings *from, struct instance_spec *spec, struct error *err)
{
	for (size_t i = 0; i < from->count; i++) {
		const char *text = from->items[i];

		if (text_starts_with(text, "apparmor="))
			spec->apparmor = text + strlen("apparmor=");
		else if (text_starts_with(text, "selinux="))
			spec->selinux = text + strlen("selinux=");
		else if (!security_word(text, spec))
			return fail(err, ERROR_USAGE,
				"--security-opt \"%s\": expected apparmor=PROFILE, selinux=CONTEXT, seccomp=unconfined "
				"or "
				"no-new-privileges=false",
				text);
	}
	return 0;
}

/* "NAME=SOFT[:HARD]"; "unlimited" is a limit. */
static int ulimit_parse(struct arena *arena, const char *text, struct ulimit_spec *out, struct error *err)
{
	const char *equals = strchr(text, '=');
	int resource;

	if (!equals)
		return fail(err, ERROR_USAGE, "--ulimit \"%s\": expected NAME=SOFT[:HARD]", text);
	out->name = arena_bytes(arena, text, (size_t)(equals - text));
	struct strings parts = strings_split(arena, equals + 1, ':');
	if (parts.count > 2)
		return fail(err, ERROR_USAGE, "--ulimit \"%s\": expected NAME=SOFT[:HARD]", text);
	if (rlimit_parse(out->name, &resource, err) < 0)
		return blame(err, "--ulimit");
	rlim_t *limits[] = {&out->limit.rlim_cur, &out->limit.rlim_max};
	for (size_t i = 0; i < 2; i++) {
		const char *part = parts.items[i < parts.count ? i : 0];
		uint64_t value = RLIM_INFINITY;

		if (strcmp(part, "unlimited") && number_parse_u64(part, RLIM_INFINITY - 1, &value, err) < 0)
			return blame(err, "--ulimit \"%s\"", text);
		*limits[i] = value;
	}
	return 0;
}

/* Parses each word of a list option and appends it to the spec's list. */
#define FILL_LIST(words, list, parse_one)                                                                              \
	do {                                                                                                           \
		size_t old = (list).count;                                                                             \
		__typeof__((list).items) items = arena_array(arena, old + (words).count, sizeof(*items));              \
		if (old)                                                                                               \
			memcpy(items, (list).items, old * sizeof(*items));                                             \
		(list).items = items;                                                                                  \
		for (size_t i = 0; i < (words).count; i++)                                                             \
			if (parse_one < 0)                                                                             \
				return -1;                                                                             \
			else                                                                                           \
				(list).count++;                                                                        \
	} while (0)

static int lists_fill(
	struct arena *arena, const struct run_options *options, struct instance_spec *spec, struct error *err)
{
	FILL_LIST(options->publish, spec->ports, port_parse(options->publish.items[i], &items[old + i], err));
	FILL_LIST(options->volumes, spec->volumes,
		volume_word_parse(arena, options->volumes.items[i], &items[old + i], err));
	FILL_LIST(options->mounts, spec->volumes, mount_parse(arena, options->mounts.items[i], &items[old + i], err));
	FILL_LIST(options->tmpfs, spec->volumes, tmpfs_parse(arena, options->tmpfs.items[i], &items[old + i], err));
	FILL_LIST(
		options->ulimits, spec->ulimits, ulimit_parse(arena, options->ulimits.items[i], &items[old + i], err));
	for (size_t i = 0; i < options->labels.count; i++)
		if (pair_split(arena, "--label", options->labels.items[i], "", &spec->labels, err) < 0)
			return -1;
	for (size_t i = 0; i < options->sysctls.count; i++)
		if (pair_split(arena, "--sysctl", options->sysctls.items[i], NULL, &spec->sysctls, err) < 0)
			return -1;
	return environment_fill(arena, &options->environment, &spec->environment, err);
}

static int fail_path(struct error *err, const char *option, const char *path)
{
	enum error_kind kind = errno == ENOENT ? ERROR_MISSING : ERROR_SYSTEM;

	return fail(err, kind, "%s %s: %s", option, path, strerror(errno));
}

static int env_files_fill(struct arena *arena, const struct strings *files, struct strings *out, struct error *err)
{
	for (size_t i = 0; i < files->count; i++) {
		auto_free char *whole = realpath(files->items[i], NULL);
		struct pairs ignored = {0};

		if (!whole)
			return fail_path(err, "--env-file", files->items[i]);
		/* It is read at each start; what is wrong with it is better told now. */
		if (env_file_read(arena, whole, &ignored, err) < 0)
			return blame(err, "--env-file");
		strings_add(arena, out, arena_string(arena, whole));
	}
	return 0;
}

static void set_if(const char **member, const char *value)
{
	if (value)
		*member = value;
}

int memory_swap_parse(const char *text, const struct optional *memory, const struct optional *swap,
	struct optional *out, struct error *err)
{
	int64_t both;

	if (swap->set)
		return fail(err, ERROR_USAGE, "--swap and --memory-swap exclude each other");
	if (!strcmp(text, "-1"))
		return fail(err, ERROR_USAGE,
			"--memory-swap -1: swap has a limit here; \"--swap SIZE\" is what it may have beside --memory");
	if (size_parse(text, &both, err) < 0)
		return blame(err, "--memory-swap");
	if (!both)
		return 0; /* with docker the same as not given */
	if (!memory->set || both < memory->value)
		return fail(err, ERROR_USAGE, "--memory-swap %s: is memory and swap together, and %s", text,
			memory->set ? "less than --memory" : "needs --memory");
	*out = (struct optional){true, both - memory->value};
	return 0;
}

static int resources_fill(const struct run_options *options, struct resources_spec *out, struct error *err)
{
	const struct {
		const struct optional *from;
		struct optional *to;
	} rows[] = {
		{&options->memory, &out->memory_bytes},
		{&options->memory_high, &out->memory_high_bytes},
		{&options->memory_low, &out->memory_low_bytes},
		{&options->swap, &out->swap_bytes},
		{&options->pids, &out->pids},
		{&options->cpu_weight, &out->cpu_weight},
		{&options->io_weight, &out->io_weight},
		{&options->disk, &out->disk_bytes},
		{&options->egress, &out->egress_bits},
		{&options->ingress, &out->ingress_bits},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].from->set)
			*rows[i].to = *rows[i].from;
	if (options->memory_swap &&
		memory_swap_parse(options->memory_swap, &options->memory, &options->swap, &out->swap_bytes, err) < 0)
		return -1;
	if (options->cpus) {
		out->cpus_milli.set = true;
		if (cpus_parse(options->cpus, &out->cpus_milli.value, err) < 0)
			return blame(err, "--cpus");
	}
	set_if(&out->cpuset, options->cpuset);
	if (options->cpuset && cpulist_check(options->cpuset, err) < 0)
		return blame(err, "--cpuset-cpus");
	return 0;
}

static int address6_fill(const char *text, struct in6_addr *out, struct error *err)
{
	struct ip_address address;

	if (!text)
		return 0;
	if (ip_parse(text, &address, err) < 0)
		return blame(err, "--ip6");
	if (address.family != AF_INET6 || ip_is_any(&address))
		return fail(err, ERROR_USAGE, "--ip6 \"%s\": expected an IPv6 address", text);
	*out = address.v6;
	return 0;
}

static int devices_fill(struct arena *arena, const struct strings *from, struct instance_spec *spec, struct error *err)
{
	spec->devices.items = arena_new_array(arena, from->count, struct device_spec);
	spec->devices.count = from->count;
	for (size_t i = 0; i < from->count; i++)
		if (device_parse(arena, from->items[i], &spec->devices.items[i], err) < 0)
			return blame(err, "--device");
	return 0;
}

/* docker's and podman's word for it is taken too. */
static const char *network_word(struct arena *arena, const char *network)
{
	if (!network || !text_starts_with(network, "container:"))
		return network;
	return arena_format(arena, "shared:%s", network + strlen("container:"));
}

static int simple_fill(
	struct arena *arena, const struct run_options *options, struct instance_spec *spec, struct error *err)
{
	set_if(&spec->hostname, options->hostname);
	set_if(&spec->user, options->user);
	set_if(&spec->working_dir, options->working_dir);
	set_if(&spec->network, network_word(arena, options->network));
	spec->aliases = options->aliases;
	set_if(&spec->stop_signal, options->stop_signal);
	set_if(&spec->description, options->description);
	spec->cap_add = options->cap_add;
	spec->cap_drop = options->cap_drop;
	spec->etc_from_host = options->etc_from_host;
	spec->read_only = options->read_only;
	spec->ephemeral = options->ephemeral;
	spec->terminal = options->terminal;
	spec->interactive = options->interactive;
	spec->remove = options->remove;
	if (options->entrypoint)
		strings_add(arena, &spec->entrypoint, options->entrypoint);
	if (devices_fill(arena, &options->devices, spec, err) < 0)
		return -1;
	if (options->idle.set)
		spec->idle.after_ms = options->idle.value;
	if (options->stop_timeout.set)
		spec->stop_grace_ms = options->stop_timeout.value;
	if (options->address && address_prefix_parse(options->address, &spec->address, &spec->address_prefix, err) < 0)
		return blame(err, "--ip");
	if (options->gateway && inet_pton(AF_INET, options->gateway, &spec->gateway) != 1)
		return fail(err, ERROR_USAGE, "--gateway \"%s\": expected an IPv4 address", options->gateway);
	return address6_fill(options->address6, &spec->address6, err);
}

/* The image or --rootfs, and the command after it. */
static int operands_fill(struct arena *arena, const struct run_options *options, size_t count, char **operands,
	struct instance_spec *spec, struct error *err)
{
	size_t used = 0;

	if (options->rootfs) {
		auto_free char *whole = realpath(options->rootfs, NULL);
		if (!whole)
			return fail_path(err, "--rootfs", options->rootfs);
		spec->rootfs = arena_string(arena, whole);
		spec->image = NULL;
	} else {
		if (!count)
			return fail(
				err, ERROR_USAGE, "name an image (\"host\" is the built-in one), or give --rootfs DIR");
		spec->image = operands[used++];
	}
	if (used < count && !strcmp(operands[used], "--"))
		used++;
	if (used < count)
		spec->command = (struct strings){0}; /* in place of a profile's */
	for (; used < count; used++)
		strings_add(arena, &spec->command, operands[used]);
	return 0;
}

int run_spec_fill(struct arena *arena, const struct run_options *options, size_t count, char **operands,
	struct instance_spec *spec, struct error *err)
{
	instance_spec_init(arena, spec, false);
	for (size_t i = 0; i < options->profiles.count; i++)
		if (profile_apply(arena, options->profiles.items[i], spec, err) < 0)
			return blame(err, "--profile");
	if (operands_fill(arena, options, count, operands, spec, err) < 0 ||
		simple_fill(arena, options, spec, err) < 0 || resources_fill(options, &spec->resources, err) < 0 ||
		lists_fill(arena, options, spec, err) < 0 ||
		env_files_fill(arena, &options->env_files, &spec->env_file, err) < 0 ||
		restart_fill(arena, options->restart, &spec->restart, err) < 0 ||
		health_fill(arena, &options->health, &spec->health, err) < 0 ||
		logging_fill(options, &spec->logging, err) < 0 || security_fill(&options->security, spec, err) < 0)
		return -1;
	if (spec->remove && spec->restart.policy != RESTART_NO)
		return fail(err, ERROR_USAGE, "--rm and --restart %s exclude each other", options->restart);
	return 0;
}
