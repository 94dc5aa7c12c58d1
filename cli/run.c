/* run and create: flags → the same model that a fleet file's entry becomes. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/kernel.h"
#include "base/log.h"
#include "base/path.h"
#include "cli/cli.h"
#include "cli/health.h"
#include "images/collection.h"

struct run_options {
	bool detach, interactive, terminal, remove, read_only, ephemeral, publish_all;
	const char *name, *hostname, *user, *working_dir, *network, *address, *gateway, *address6, *entrypoint, *rootfs,
		*restart, *stop_signal, *pull, *log_driver, *cpus, *cpuset, *description;
	struct strings aliases, publish, volumes, tmpfs, environment, env_files, labels, cap_add, cap_drop, ulimits,
		sysctls, log_options, security, etc_from_host;
	struct strings profiles;
	struct health_options health;
	struct optional memory, memory_high, memory_low, swap, pids, cpu_weight, io_weight, disk, stop_timeout, egress,
		ingress;
};

static int rate_option(struct arena *arena, const char *value, void *member, struct error *err)
{
	struct optional *rate = member;

	(void)arena;
	rate->set = true;
	return bitrate_parse(value, &rate->value, err);
}

#define PLACE_OPTIONS                                                                                                  \
	OPTION_TEXT("name", 0, "NAME", "name of the instance (default: made up)", struct run_options, name),           \
		OPTION_TEXT(                                                                                           \
			"rootfs", 0, "DIR", "a directory as the root, in place of IMAGE", struct run_options, rootfs), \
		OPTION_TEXTS("profile", 0, "NAME",                                                                     \
			"built-in profile: \"system\" boots the init of the root (systemd)", struct run_options,       \
			profiles),                                                                                     \
		OPTION_TEXTS("publish", 'p', "[IP:]PORT:PORT[/PROTOCOL]", "publish a port (on 127.0.0.1 unless told)",      \
			struct run_options, publish),                                                                  \
		OPTION_FLAG("publish-all", 'P',                                                                        \
			"publish each port that the image exposes, on a free one of 127.0.0.1", struct run_options,    \
			publish_all),                                                                                  \
		OPTION_TEXTS("volume", 'v', "SOURCE:TARGET[:ro]", "show a host directory or a named volume inside",    \
			struct run_options, volumes),                                                                  \
		OPTION_TEXTS(                                                                                          \
			"tmpfs", 0, "PATH[:size=64M]", "an empty file system in memory", struct run_options, tmpfs),   \
		OPTION_TEXTS("env", 'e', "NAME[=VALUE]", "environment variable; without a value, the caller's",        \
			struct run_options, environment),                                                              \
		OPTION_TEXTS("env-file", 0, "FILE", "environment variables, one NAME=VALUE a line",                    \
			struct run_options, env_files),                                                                \
		OPTION_TEXT("entrypoint", 0, "COMMAND", "program to run in place of the image's", struct run_options,  \
			entrypoint),                                                                                   \
		OPTION_TEXT("user", 'u', "USER[:GROUP]", "run as this user of the image", struct run_options, user),   \
		OPTION_TEXT("workdir", 'w', "DIR", "working directory inside", struct run_options, working_dir),       \
		OPTION_TEXT("hostname", 'h', "NAME", "host name inside (default: the instance's name)",                \
			struct run_options, hostname),                                                                 \
		OPTION_TEXT("network", 0, "NAME",                                                                      \
			"network to join, host, none, shared:INSTANCE, macvlan:LINK, bridge:NAME or ns:/PATH "         \
			"(default: default)",                                                                          \
			struct run_options, network),                                                                  \
		OPTION_TEXTS("network-alias", 0, "NAME", "a further name by which others in the network find it",      \
			struct run_options, aliases),                                                                  \
		OPTION_TEXT(                                                                                           \
			"gateway", 0, "ADDRESS", "the router, with macvlan and bridge", struct run_options, gateway),  \
		OPTION_TEXT("ip", 0, "ADDRESS", "this address of the network", struct run_options, address),           \
		OPTION_TEXT("ip6", 0, "ADDRESS", "this IPv6 address of the network", struct run_options, address6),    \
		OPTION_TEXTS("etc-from-host", 0, "PATH", "also copy this part of the host's /etc (image host)",        \
			struct run_options, etc_from_host),                                                            \
		PULL_OPTION(struct run_options, pull)

#define LIMIT_OPTIONS                                                                                                  \
	OPTION_SIZE("memory", 'm', "SIZE", "memory limit, as in 64M", struct run_options, memory),                     \
		OPTION_SIZE("memory-high", 0, "SIZE", "slow down and reclaim above this", struct run_options,          \
			memory_high),                                                                                  \
		OPTION_SIZE("memory-low", 0, "SIZE", "keep this much from being reclaimed", struct run_options,        \
			memory_low),                                                                                   \
		OPTION_SIZE("swap", 0, "SIZE", "swap on top of memory (default: as much as --memory)",                 \
			struct run_options, swap),                                                                     \
		OPTION_TEXT("cpus", 0, "NUMBER", "processors, as in 0.5", struct run_options, cpus),                   \
		OPTION_INTEGER("cpu-weight", 0, "WEIGHT", "share of busy processors, 1 to 10000 (default: 100)",       \
			struct run_options, cpu_weight, 1, 10000),                                                     \
		OPTION_TEXT("cpuset-cpus", 0, "LIST", "only on these processors, as in 0-3,7", struct run_options,     \
			cpuset),                                                                                       \
		OPTION_INTEGER("pids-limit", 0, "NUMBER", "processes and threads (default: 512)", struct run_options,  \
			pids, 1, 4194304),                                                                             \
		OPTION_INTEGER("io-weight", 0, "WEIGHT", "share of busy disks, 1 to 10000 (default: 100)",             \
			struct run_options, io_weight, 1, 10000),                                                      \
		OPTION_CUSTOM("egress", 0, "RATE", "what it may send, as in 100M (bits per second)",                   \
			struct run_options, egress, rate_option),                                                      \
		OPTION_CUSTOM("ingress", 0, "RATE", "what it may receive, as in 1G (bits per second)",                 \
			struct run_options, ingress, rate_option),                                                     \
		OPTION_SIZE("disk", 0, "SIZE", "what it may write into its root, as in 2G", struct run_options, disk), \
		OPTION_TEXTS(                                                                                          \
			"ulimit", 0, "NAME=SOFT[:HARD]", "resource limit of processes", struct run_options, ulimits)

#define SECURITY_OPTIONS                                                                                               \
	OPTION_FLAG("read-only", 0, "the root cannot be written", struct run_options, read_only),                      \
		OPTION_FLAG("ephemeral", 0, "what it writes into its root goes when it ends", struct run_options,      \
			ephemeral),                                                                                    \
		OPTION_TEXTS("cap-add", 0, "NAME", "add a capability", struct run_options, cap_add),                   \
		OPTION_TEXTS("cap-drop", 0, "NAME", "drop a capability, or ALL", struct run_options, cap_drop),        \
		OPTION_TEXTS("security-opt", 0, "NAME=VALUE",                                                          \
			"apparmor=PROFILE, selinux=CONTEXT, seccomp=unconfined, or no-new-privileges=false",           \
			struct run_options, security),                                                                 \
		OPTION_TEXTS("sysctl", 0, "NAME=VALUE", "kernel setting of the instance's own namespaces",             \
			struct run_options, sysctls)

#define LIFE_OPTIONS                                                                                                   \
	OPTION_FLAG("interactive", 'i', "keep standard input open", struct run_options, interactive),                  \
		OPTION_FLAG("tty", 't', "give it a terminal", struct run_options, terminal),                           \
		OPTION_FLAG("rm", 0, "remove it when it ends", struct run_options, remove),                            \
		OPTION_TEXT("restart", 0, "POLICY", "no, on-failure[:N], always or unless-stopped (default: no)",      \
			struct run_options, restart),                                                                  \
		HEALTH_OPTIONS(struct run_options, health),                                                            \
		OPTION_TEXT("stop-signal", 0, "SIGNAL", "first signal of stop (default: TERM)", struct run_options,    \
			stop_signal),                                                                                  \
		OPTION_DURATION("stop-timeout", 0, "TIME", "grace period of stop (default: 10s)", struct run_options,  \
			stop_timeout),                                                                                 \
		OPTION_TEXT("log-driver", 0, "DRIVER", "file, journald or none (default: file)", struct run_options,   \
			log_driver),                                                                                   \
		OPTION_TEXTS("log-opt", 0, "NAME=VALUE", "max-size=10M, max-file=3", struct run_options, log_options), \
		OPTION_TEXTS("label", 'l', "KEY[=VALUE]", "label to select it by", struct run_options, labels),        \
		OPTION_TEXT("description", 0, "TEXT", "a line about it, for people", struct run_options, description)

static const struct option run_options[] = {
	OPTION_FLAG("detach", 'd', "run in the background and print the name", struct run_options, detach),
	LIFE_OPTIONS,
	PLACE_OPTIONS,
	LIMIT_OPTIONS,
	SECURITY_OPTIONS,
	END_OF_OPTIONS,
};

static const struct option create_options[] = {
	LIFE_OPTIONS,
	PLACE_OPTIONS,
	LIMIT_OPTIONS,
	SECURITY_OPTIONS,
	END_OF_OPTIONS,
};

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

/* "PATH[:size=64M][,mode=0755]" */
static int tmpfs_parse(struct arena *arena, const char *text, struct volume *out, struct error *err)
{
	const char *colon = strchr(text, ':');

	*out = (struct volume){.type = VOLUME_TMPFS, .target = text};
	if (!colon)
		return 0;
	out->target = arena_bytes(arena, text, (size_t)(colon - text));
	struct strings words = strings_split(arena, colon + 1, ',');
	for (size_t i = 0; i < words.count; i++) {
		const char *word = words.items[i];

		if (text_starts_with(word, "size=")) {
			if (size_parse(word + 5, &out->size_bytes, err) < 0)
				return blame(err, "--tmpfs \"%s\"", text);
		} else if (text_starts_with(word, "mode=")) {
			if (octal_parse(word + 5, 07777, &out->mode, err) < 0)
				return blame(err, "--tmpfs \"%s\"", text);
		} else {
			return fail(err, ERROR_USAGE, "--tmpfs \"%s\": expected PATH[:size=SIZE][,mode=MODE]", text);
		}
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
	FILL_LIST(
		options->volumes, spec->volumes, volume_parse(arena, options->volumes.items[i], &items[old + i], err));
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

static int volumes_anchor(struct arena *arena, struct instance_spec *spec, struct error *err)
{
	auto_free char *directory = getcwd(NULL, 0);

	if (!directory)
		return fail_errno(err, "-v: working directory");
	for (size_t i = 0; i < spec->volumes.count; i++)
		if (volume_anchor(arena, directory, &spec->volumes.items[i], err) < 0)
			return blame(err, "-v");
	return 0;
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

		if (!whole)
			return fail_path(err, "--env-file", files->items[i]);
		strings_add(arena, out, arena_string(arena, whole));
	}
	return 0;
}

static void set_if(const char **member, const char *value)
{
	if (value)
		*member = value;
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

static int spec_fill(struct arena *arena, const struct run_options *options, size_t count, char **operands,
	struct instance_spec *spec, struct error *err)
{
	instance_spec_init(arena, spec, false);
	for (size_t i = 0; i < options->profiles.count; i++)
		if (profile_apply(arena, options->profiles.items[i], spec, err) < 0)
			return blame(err, "--profile");
	if (operands_fill(arena, options, count, operands, spec, err) < 0 ||
		simple_fill(arena, options, spec, err) < 0 || resources_fill(options, &spec->resources, err) < 0 ||
		lists_fill(arena, options, spec, err) < 0 || volumes_anchor(arena, spec, err) < 0 ||
		env_files_fill(arena, &options->env_files, &spec->env_file, err) < 0 ||
		restart_fill(arena, options->restart, &spec->restart, err) < 0 ||
		health_fill(arena, &options->health, &spec->health, err) < 0 ||
		logging_fill(options, &spec->logging, err) < 0 || security_fill(&options->security, spec, err) < 0)
		return -1;
	if (spec->remove && spec->restart.policy != RESTART_NO)
		return fail(err, ERROR_USAGE, "--rm and --restart %s exclude each other", options->restart);
	return 0;
}

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

	if (spec_fill(&cli->arena, options, count, operands, spec, err) < 0 ||
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
	struct port ports[64];
	size_t port_count = ARRAY_SIZE(ports);
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
	kernel_explain(err);
	log_error("%s", err->text);
	return !exec_failed ? 125 : err->errnum == ENOENT ? 127 : 126;
}

static int run_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct run_options *chosen = options;
	struct instance_spec spec;
	struct error ignored = {0};
	bool started;
	int status;

	if (chosen->terminal && !chosen->detach && !isatty(STDIN_FILENO))
		return fail(err, ERROR_USAGE, "--tty: standard input is not a terminal");
	if (create(cli, chosen, count, operands, &spec, err) < 0)
		return -1;
	if (chosen->detach) {
		status = run_detached(cli, &spec, err);
		started = status == 0;
	} else {
		status = run_attached(cli, &spec, &started, err);
	}
	/* What could not start is not left behind: the same command can be given again. */
	if ((!started || (spec.remove && !chosen->detach)) &&
		instance_remove(&cli->host, spec.name, true, &ignored) < 0 && ignored.kind != ERROR_MISSING)
		log_warn("remove %s: %s", spec.name, ignored.text);
	return status;
}

const struct command run_command = {
	.name = "run",
	.operands = "[options] IMAGE [COMMAND…]",
	.summary = "create an instance and start it",
	.example = "warren run -d --name blog -p 8090:80 --memory 64M host -- nginx -g 'daemon off;'\nwarren run --rm "
		   "-it host -- bash",
	.options = run_options,
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
	.options = create_options,
	.options_size = sizeof(struct run_options),
	.stop_at_operand = true,
	.operands_max = SIZE_MAX,
	.run = create_run,
};
