/* The options of run and create, in the groups in which --help shows them. */
#include "cli/run_options.h"

#include "cli/cli.h"

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
		OPTION_TEXTS("publish", 'p', "[IP:]PORT:PORT[/PROTOCOL]", "publish a port (on 127.0.0.1 unless told)", \
			struct run_options, publish),                                                                  \
		OPTION_FLAG("publish-all", 'P',                                                                        \
			"publish each port that the image exposes, on a free one of 127.0.0.1", struct run_options,    \
			publish_all),                                                                                  \
		OPTION_TEXTS("volume", 'v', "SOURCE:TARGET[:ro]", "show a host directory or a named volume inside",    \
			struct run_options, volumes),                                                                  \
		OPTION_TEXTS("mount", 0, "KEY=VALUE,…",                                                                \
			"the same as -v and --tmpfs, as in type=bind,src=/srv/a,dst=/a,ro (type: bind, volume or "     \
			"tmpfs)",                                                                                      \
			struct run_options, mounts),                                                                   \
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
		OPTION_TEXT("memory-swap", 0, "SIZE", "memory and swap together, as docker counts",                    \
			struct run_options, memory_swap),                                                              \
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
		OPTION_TEXTS("device", 0, "PATH[:TARGET][:rwm]", "let it use a device of the host",                    \
			struct run_options, devices),                                                                  \
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
		OPTION_DURATION("idle", 0, "TIME",                                                                     \
			"freeze it, and take its memory back, when nobody has called it for so long",                  \
			struct run_options, idle),                                                                     \
		OPTION_TEXT("stop-signal", 0, "SIGNAL", "first signal of stop (default: TERM)", struct run_options,    \
			stop_signal),                                                                                  \
		OPTION_DURATION("stop-timeout", 0, "TIME", "grace period of stop (default: 10s)", struct run_options,  \
			stop_timeout),                                                                                 \
		OPTION_TEXT("log-driver", 0, "DRIVER", "file, journald or none (default: file)", struct run_options,   \
			log_driver),                                                                                   \
		OPTION_TEXTS("log-opt", 0, "NAME=VALUE", "max-size=10M, max-file=3", struct run_options, log_options), \
		OPTION_TEXTS("label", 'l', "KEY[=VALUE]", "label to select it by", struct run_options, labels),        \
		OPTION_TEXT("description", 0, "TEXT", "a line about it, for people", struct run_options, description)

const struct option run_options_table[] = {
	OPTION_FLAG("detach", 'd', "run in the background and print the name", struct run_options, detach),
	LIFE_OPTIONS,
	PLACE_OPTIONS,
	LIMIT_OPTIONS,
	SECURITY_OPTIONS,
	END_OF_OPTIONS,
};

const struct option create_options_table[] = {
	LIFE_OPTIONS,
	PLACE_OPTIONS,
	LIMIT_OPTIONS,
	SECURITY_OPTIONS,
	END_OF_OPTIONS,
};
