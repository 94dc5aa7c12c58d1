/* What an instance shall be: the model behind an entry of the fleet file, the flags of `warren run`, and
 * instances/<name>/spec.json (which is written in the fleet file's own language, with everything merged and
 * substituted).
 *
 * Lies in an arena; read-only once decoded and checked. */
#ifndef WARREN_FLEET_SPEC_H
#define WARREN_FLEET_SPEC_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/decode.h"
#include "base/encode.h"
#include "base/text.h"
#include "images/images.h"
#include "netns/netns.h"
#include "runtime/spec.h"

enum desired_state { DESIRED_RUNNING, DESIRED_STOPPED, DESIRED_PAUSED };
extern const char *const desired_state_names[];

enum restart_policy { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_UNLESS_STOPPED };
extern const char *const restart_policy_names[]; /* "no", "on-failure", "always", "unless-stopped" */

struct restart_spec {
	enum restart_policy policy;
	int64_t delay_ms, max_delay_ms; /* 100 ms doubling to 1 min */
	struct optional max_retries;	/* unset: unlimited */
};

#define LOG_DRIVER_FILE "file"
#define LOG_DRIVER_JOURNALD "journald"
#define LOG_DRIVER_NONE "none"
struct logging_spec {
	const char *driver;	/* "file", "journald" or "none" */
	int64_t max_size_bytes; /* of one file; 10M */
	int64_t max_files;	/* 3 */
};

/* What follows when an instance has become unhealthy. Unsaid: restart in a fleet, nothing otherwise. */
enum health_action { HEALTH_RESTART, HEALTH_STOP, HEALTH_LEAVE, HEALTH_UNSAID };
extern const char *const health_action_names[]; /* "restart", "stop", "none" */

/* How one finds out whether it does its work. At most one of http, tcp and test; none of them: what its image says,
 * with the times that are said here. */
struct health_spec {
	bool disable;	     /* not even what the image says */
	const char *http;    /* "http://[name][:port][/path]" */
	int64_t tcp;	     /* port; 0: none */
	struct strings test; /* "CMD" and words, "CMD-SHELL" and a line for its shell, or "NONE" */
	/* Unset: the image's, else 30 s, 5 s, 10 s, 1 s and 3. */
	struct optional interval_ms, timeout_ms, start_period_ms, start_interval_ms, retries;
	enum health_action on_failure;
};

struct resources_spec {
	/* pids -1: no limit; swap_bytes unset: as much as memory */
	struct optional cpus_milli, cpu_weight, memory_bytes, memory_high_bytes, memory_low_bytes, swap_bytes, pids,
		io_weight, disk_bytes, egress_bits, ingress_bits;
	const char *cpuset;
	LIST_OF(struct cgroup_io_max) io_max;
};

/* A file given to the instance read-only, owned by its user. What `source` holds is read at every start and stored
 * nowhere. */
struct config_spec {
	const char *source;  /* path on the host; relative to the fleet file's directory, made absolute when decoded */
	const char *content; /* or the text itself; never for secrets */
	const char *target;
	struct optional mode; /* 0400 */
	bool secret;
};

/* A device of the host that it may use. */
struct device_spec {
	const char *path;	 /* on the host: the node, or a link to it; looked up at every start */
	const char *target;	 /* inside, below /dev; = path */
	const char *permissions; /* some of "rwm"; "rw" */
};

struct dependency {
	const char *name, *condition; /* "started" or "healthy" */
};

/* So many instances, or such a part of them. */
struct portion {
	int64_t value;
	bool percent;
};

/* When nobody calls an instance it is frozen until somebody does. */
enum idle_action { IDLE_FREEZE_RECLAIM, IDLE_FREEZE, IDLE_STOP };
enum idle_wake { IDLE_WAKE_CONNECT };
extern const char *const idle_action_names[]; /* "freeze+reclaim", "freeze", "stop" */
extern const char *const idle_wake_names[];   /* "connect" */

struct idle_spec {
	int64_t after_ms; /* 0: it never sleeps */
	enum idle_action action;
	enum idle_wake wake;
};

/* How a changed entry of a fleet file replaces what runs of it; see apply/replace.c. */
enum update_order { UPDATE_START_FIRST, UPDATE_STOP_FIRST };
enum failure_action { FAILURE_ROLLBACK, FAILURE_PAUSE, FAILURE_CONTINUE };
extern const char *const update_order_names[];	 /* "start-first", "stop-first" */
extern const char *const failure_action_names[]; /* "rollback", "pause", "continue" */

struct update_spec {
	enum update_order order;
	struct portion parallel, canary;
	int64_t monitor_ms, drain_ms;
	enum failure_action failure_action;
};

struct ulimit_spec {
	const char *name;
	struct rlimit limit; /* RLIM_INFINITY: "unlimited" */
};

struct instance_spec {
	const char *name;
	const char *fleet;     /* the fleet it belongs to; NULL: made by hand */
	const char *base_name; /* before replicas: "site" of "site-3"; = name */
	int64_t index;	       /* 1 … replicas; 0: not a replica */
	/* Serves in the place of that instance of its fleet while it is replaced; NULL: it is nobody's stand-in. */
	const char *stands_in_for;

	const char *image, *rootfs; /* exactly one */
	struct strings etc_from_host;
	enum desired_state state;
	bool autostart;
	int64_t priority;
	LIST_OF(struct dependency) depends_on;

	struct strings command, entrypoint;
	struct pairs environment;
	struct strings env_file;
	const char *user, *working_dir, *hostname;
	/* The first process is an init such as systemd: see profile.c for what it gets and why. */
	bool boot;

	struct resources_spec resources;
	LIST_OF(struct ulimit_spec) ulimits;

	const char *network;	  /* a name, "host", "none", "shared:NAME" …: network_mode.h */
	struct in_addr address;	  /* 0.0.0.0: allocated */
	struct in6_addr address6; /* ::: allocated, if the network has IPv6 */
	unsigned address_prefix;
	struct in_addr gateway; /* this and the prefix: in the host's own network only (macvlan, bridge) */
	struct strings aliases; /* further names for others in its network */
	LIST_OF(struct port) ports;
	int64_t weight; /* among those who share a port with it; 1 */

	/* Binds, named ones and tmpfs. Every instance also has a tmpfs on /tmp and on /run unless one of these has that
	 * target; those two are not in this list. */
	LIST_OF(struct volume) volumes;
	bool read_only;
	bool ephemeral; /* what it writes into its root goes when it ends */
	LIST_OF(struct config_spec) configs;
	LIST_OF(struct device_spec) devices;

	struct strings hosts;	    /* names of the site for the fleet's front servers; "*.x" covers what is below x */
	bool front;		    /* it is a front server: gets the map of all `hosts` */
	struct optional front_port; /* where the front finds the site; unset: the first port's target, else 80 */

	struct update_spec update;
	struct health_spec health;
	struct restart_spec restart;
	struct idle_spec idle;
	const char *stop_signal; /* NULL: the image's, else TERM */
	int64_t stop_grace_ms;
	struct logging_spec logging;

	int64_t id_count; /* so many ids from 0 on are known inside; SLOT_ID_COUNT at most */
	struct strings cap_add, cap_drop;
	bool no_new_privileges;
	const char *seccomp;		/* "default" or "unconfined" */
	const char *apparmor, *selinux; /* a loaded profile, a context; NULL: none */
	struct pairs sysctls, labels;
	struct spec_hooks hooks;
	const struct json *oci; /* keys of a config.json, merged over what all the others come to; NULL: none */
	const char *description;
	bool protect;
	bool terminal, interactive, remove; /* run -t -i --rm */
};

/* Defaults of product: what an entry of a fleet file has when it says nothing (restart always) or `run` (restart no).
 */
void instance_spec_init(struct arena *arena, struct instance_spec *spec, bool in_fleet);

/* Checks that span keys (exactly one of image and rootfs, host network with ports, addresses with a network, targets
 * twice …). ERROR_USAGE, one line. */
MUST_CHECK int instance_spec_check(const struct instance_spec *spec, struct error *err);

/* A profile that the program brings along, as a layer of the fleet file's language; NULL: no such. Its positions are
 * those of `named`, so that errors in what it says point at the word that asked for it. */
#define PROFILE_SYSTEM "system"
const struct json *profile_built_in(struct arena *arena, const char *name, const struct json *named);
/* The same for the flags of `run`: on top of what spec says. ERROR_USAGE with a guess: no such profile. */
MUST_CHECK int profile_apply(struct arena *arena, const char *name, struct instance_spec *spec, struct error *err);

/* spec.json and back. */
void instance_spec_encode(struct encoder *encoder, const char *key, const struct instance_spec *spec);
/* What that writes, as a tree. */
const struct json *instance_spec_tree(struct arena *arena, const struct instance_spec *spec, struct error *err);
MUST_CHECK int instance_spec_decode(struct arena *arena, const struct json_doc *doc, const struct json *node,
	struct instance_spec *out, struct error *err);

/* "/dev/fuse", "/dev/fuse:/dev/x", "/dev/fuse:/dev/x:rw" or "/dev/fuse:rw". ERROR_USAGE. */
MUST_CHECK int device_parse(struct arena *arena, const char *text, struct device_spec *out, struct error *err);

/* "192.168.1.50/24", or without a prefix length, which is 0 then. */
MUST_CHECK int address_prefix_parse(const char *text, struct in_addr *address, unsigned *prefix, struct error *err);

/* Network as the file says it. */
struct network_spec {
	const char *name;
	const char *subnet6;	/* NULL: one of this host's own; "none": no IPv6 */
	const char *subnet;	/* the first of subnets; NULL: 10.<89 + n>.0.0/16, the first that is free */
	struct strings subnets; /* all, in the order in which they are used */
	bool isolated, egress, metadata, accounting;
	bool external; /* made by `network create`: not the fleet's */
	struct strings allow, links, services;
	unsigned mtu; /* 0: as usual */
	struct pairs labels;
};

static inline bool network_spec_has_subnet6(const struct network_spec *network)
{
	return network->subnet6 && !text_equal(network->subnet6, "none");
}

/* A whole fleet file: defaults < profiles < instance merged, replicas expanded, ${name} and ${index} substituted. */
struct fleet_file {
	const char *path, *name;
	LIST_OF(struct instance_spec) instances; /* sorted by dependency and priority: start order */
	LIST_OF(struct network_spec) networks;
	struct strings volumes;
	struct strings warnings; /* one line each, with position */
	const char *text;	 /* as read, for the record of what was applied */
	size_t length;
};

/* Reads and checks everything that can be checked without changing anything. Errors carry file:line:column. The file
 * must not be writable by everybody. */
MUST_CHECK int fleet_file_read(struct arena *arena, const char *path, struct fleet_file *out, struct error *err);
/* The same from text, for tests and the fuzzer. */
MUST_CHECK int fleet_file_decode(struct arena *arena, const char *name, const char *text, size_t length,
	struct fleet_file *out, struct error *err);

/* The fleet file's JSON schema (draft 2020-12), for editors: from the tables that decode it. What spans keys it does
 * not know. */
void fleet_schema_encode(struct encoder *encoder);

/* Instance spec + image's own configuration → the runtime's spec, in memory. `facts` are what the record holds. Nothing
 * is touched but the environment files and config sources it reads. */
struct compile_facts {
	uint32_t id_base; /* 0 with userns off */
	const char *cgroup_path;
	const char *hostname;
	const struct image_config *image;
	const struct image_user *user;
};
MUST_CHECK int instance_compile(struct arena *arena, const struct instance_spec *spec,
	const struct compile_facts *facts, struct spec *out, struct error *err);
/* What the instance's configs and secrets hold now, for configs_mount(): sources are read (regular files, at most 1 MiB
 * each), contents lie in the arena. */
struct config_file_list {
	struct config_file *items;
	size_t count;
};
MUST_CHECK int instance_configs_read(struct arena *arena, const struct instance_spec *spec,
	const struct image_user *user, struct config_file_list *out, struct error *err);
/* resources → cgroup limits. */
void resources_limits(const struct resources_spec *resources, struct cgroup_limits *out);

/* A file of NAME=value lines, as Compose and docker read them: blank lines and lines that begin with '#' are passed
 * over, the value is everything after the first '=' (no quotes, no escapes), a line without "=" is refused. A regular
 * file of at most 1 MiB. Errors say "path:line: …". */
MUST_CHECK int env_file_read(struct arena *arena, const char *path, struct pairs *out, struct error *err);

#endif
