/* One container: from a specification to a running process and back.
 *
 * Two ways in. launch_start() is the engine: it starts a process in its namespaces and returns; the caller keeps
 * whatever it wants to remember (the manager's monitor uses it). container_…() is the OCI life cycle on top, with a
 * state directory of its own (warren-oci). See docs/start.md for the sequence and its reasons.
 *
 * What a function gives through `out` lies in the arena that it is given, where there is one. Descriptors in a struct
 * that it is given stay the caller's; those in one that it fills are the caller's to close. */
#ifndef WARREN_RUNTIME_RUNTIME_H
#define WARREN_RUNTIME_RUNTIME_H

#include "base/arena.h"
#include "base/error.h"
#include "base/process.h"
#include "cgroups/cgroups.h"
#include "runtime/spec.h"

/* --- the engine --------------------------------------------------------------------------------------------------- */

/* A detached mount for the child to attach inside its root. The one with target "/" is the root itself and comes first.
 */
struct launch_part {
	const char *target;
	int mount; /* borrowed; the launcher closes its copies after the child has them */
	bool is_file;
};

/* What the parent's callback may look at: the child exists in its new namespaces, its id maps are written, it waits. */
struct launch_child {
	pid_t pid;
	int pidfd;
	int userns, netns; /* descriptors of its namespaces (of the joined ones when joined); -1 when it shares the
			      host's */
};

struct launch_callbacks {
	void *context;
	/* Parent side, after the maps: makes the root and other mounts, attaches the network. parts[] has room for
	 * `room`; *count is set. May be NULL. */
	int (*prepare)(void *context, const struct launch_child *child, struct launch_part *parts, size_t room,
		size_t *count, struct error *err);
	/* Parent side, when the child has its parts or on failure: close what prepare() made. May be NULL. */
	void (*release)(void *context);
	/* Child side, with all capabilities in its namespaces, new root attached: brings up the inside of a new network
	 * namespace. NULL: loopback only. No allocation, no locks. Not called when the network namespace is joined or
	 * the host's. */
	int (*configure_network)(void *context, struct error *err);
};

struct container_facts;
/* What launch_start() needs to run the two kinds of hooks that belong inside the container. */
struct launch_hooks {
	const struct container_facts *facts; /* of which the state is made */
};
struct listener;

#define LAUNCH_SOCKETS_MAX 64

struct launch {
	const struct spec *spec;
	const struct cgroup_entrance *entrance; /* NULL: stay in the caller's cgroup */
	const struct seccomp_program *seccomp;	/* NULL: no filter; from seccomp_program_get() */
	struct launch_callbacks callbacks;
	int stdio[3];	  /* the process's 0, 1, 2; -1: /dev/null. Not used with a terminal */
	int preserve_fds; /* descriptors 3 … 2+n of ours go through to the process */
	/* These become 3, 4 … of the process, in this order; borrowed. At most LAUNCH_SOCKETS_MAX, and not together
	 * with preserve_fds. */
	const int *sockets;
	size_t socket_count;
	int hold;      /* listening socket on which the child waits for "start" just before exec; -1: exec at once */
	int hold_lock; /* descriptor whose OFD lock the child keeps until exec; -1: none */
	const char *program;	   /* argv[0] for errors; NULL: spec->process.args */
	bool no_namespace_fds;	   /* launched.userns and .netns are not wanted */
	bool keep_keyring;	   /* do not give it a session keyring of its own */
	struct listener *listener; /* of a filter with SCMP_ACT_NOTIFY (runtime/process/listener.h); NULL: refused */
	const struct launch_hooks *hooks; /* for hooks that run inside the container; NULL: none run */
	bool many_mounts;		  /* the host has: a copy of its mount table is worth avoiding */

	/* No step of the child may take longer, but for hooks; 0: 45 s. */
	unsigned step_limit_s;
};

struct launched {
	pid_t pid;
	int pidfd;
	/* Kept for a later start in the same namespaces: put them into spec.namespaces.fd; -1: the host's. */
	int userns, netns;
	int console; /* master of the pseudo-terminal; -1: none */
};
void launched_drop(struct launched *launched); /* closes descriptors; the process lives on */

/* Starts the process and waits until it has executed its program (or, with hold, until it waits for "start"). Any
 * failure, up to and including exec, comes back as one line that names step, file and errno, e.g. `mount: /srv/a on
 * /srv: No such file or directory`, `execute /bin/nonesuch: no such file or directory`; the child is then dead and
 * reaped. exec failure: errnum is ENOENT, EACCES … and *exec_failed (may be NULL) true, for exit status 127 / 126. */
MUST_CHECK int launch_start(const struct launch *launch, struct launched *out, bool *exec_failed, struct error *err);

/* A second process in a running container: joins every namespace the first one does not share with us, its cgroup, the
 * same filter and capability rules. The new process is a child of the caller, who must reap it at once when it ends (an
 * unreaped one blocks the container's own end). Fails as launch_start() does; ERROR_MISSING: the first one has ended.
 */
struct join {
	const struct process_id *target;
	const struct spec_process *process;
	const struct cgroup_entrance *entrance;
	const struct seccomp_program *seccomp;
	struct listener *listener; /* as in struct launch */
	bool guard_own_binary;	   /* the container has no id range of its own: protect /proc/self/exe */
	int stdio[3];
	int preserve_fds;
};
MUST_CHECK int join_start(const struct join *join, struct launched *out, bool *exec_failed, struct error *err);

/* --- seccomp programs --------------------------------------------------------------------------------------------- */

struct seccomp_program; /* compiled BPF, mapped from the cache or in memory */
/* Compiles with libseccomp (binary tree) or takes it from the cache: cache_dir/<digest of rules, version,
 * architecture>, written by temp + rename. cache_dir -1: no cache. NULL spec gives NULL program and success. */
MUST_CHECK int seccomp_program_get(
	const struct spec_seccomp *spec, int cache_dir, struct seccomp_program **out, struct error *err);
void seccomp_program_drop(struct seccomp_program **program);

/* --- what this kernel and build can do ---------------------------------------------------------------------------- */

struct encoder;
void features_encode(struct encoder *encoder); /* OCI features.json, truthfully */
const char *runtime_version(void);	       /* "0.1.0" */

/* --- OCI: config.json --------------------------------------------------------------------------------------------- */

/* Reads bundle/config.json (or `config`) into spec: lenient decode, then spec_check(). What we know but cannot honour
 * is refused by name. */
MUST_CHECK int oci_spec_read(
	struct arena *arena, const char *bundle, const char *config, struct spec *spec, struct error *err);
/* Reads a file that holds an object as config.json's process: for exec --process. */
MUST_CHECK int oci_process_read(struct arena *arena, const char *path, struct spec_process *process, struct error *err);
/* Decodes an object of a config.json's keys over a specification that is there, strictly: objects member by member,
 * lists in place of what was there, but mounts, which are added. What the caller makes himself (root, namespaces, id
 * maps, control group) is refused by its name. The checks are the caller's: spec_check(). */
MUST_CHECK int oci_spec_merge(
	struct arena *arena, const struct json_doc *doc, const struct json *node, struct spec *spec, struct error *err);
/* Leaves out, with a warning, capabilities that the process could not get: what is not permitted, and without a user
 * namespace of its own also what we lack ourselves. oci_spec_read() has done it already. */
void oci_process_fit(struct spec_process *process, bool own_user_namespace);
/* A profile of AppArmor and a label of SELinux from a command line, as process.apparmorProfile and selinuxLabel say
 * them; NULL and "" leave what is there. ERROR_USAGE: this kernel has no such module. */
MUST_CHECK int oci_process_label(
	struct spec_process *process, const char *apparmor, const char *selinux, struct error *err);
/* Whether this kernel has a security module that labels programs: AppArmor or SELinux. */
bool kernel_labels_programs(void);
/* The config.json that `warren-oci spec` writes. */
void oci_default_config(struct encoder *encoder, bool rootless);

/* Puts rules of devices between "nothing" and what a container may use in any case: without that a list that begins
 * with "nothing" (all do) would leave it no /dev/null. */
void device_rules_complete(struct arena *arena, struct cgroup_limits *limits);

/* Hooks of one kind, one after the other, with the container's state on their standard input; the first failure ends
 * it. pid: of the first process. */
MUST_CHECK int container_hooks_run(const struct spec_hooks *hooks, const struct container_facts *facts,
	enum hook_kind kind, pid_t pid, struct error *err);
/* Those after the end. What fails is warned of and keeps nothing from going on. */
void container_poststop_run(const struct spec_hooks *hooks, const struct container_facts *facts);

/* --- OCI: life cycle ---------------------------------------------------------------------------------------------- */

enum container_status { CONTAINER_CREATING, CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_PAUSED, CONTAINER_STOPPED };
extern const char *const container_status_names[];

/* state.json's facts; status is derived from the kernel each time, never stored. */
struct container_facts {
	const char *id, *bundle, *root, *owner, *oci_version;
	const char *cgroup_path; /* as container_cgroup_open() takes it; NULL: none */
	const char *scope;	 /* the unit of systemd whose cgroup that is; NULL: the cgroup is our own making */
	bool scope_of_user;	 /* the unit is the user's manager's */
	struct process_id init;
	int64_t created_ms; /* CLOCK_REALTIME */
	struct pairs annotations;
	bool own_id_range, terminal;
	bool own_resctrl; /* an update made a group of resctrl with its name */
	const char *boot;
};

struct container {
	int dir; /* <root>/<id> */
	struct container_facts facts;
	enum container_status status;
};

/* Who makes a container's cgroup. Its record keeps that, so only creation has to be told. */
enum container_cgroups {
	CONTAINER_CGROUPFS,  /* we, below the root of each hierarchy */
	CONTAINER_SYSTEMD,   /* systemd, as a transient scope: cgroups/systemd.h, docs/systemd.md. Needs cgroup v2 */
	CONTAINER_NO_CGROUP, /* nobody: the container stays in ours, and limits are refused */
};

/* What it means when we are not the host's root (docs/rootless.md). */
enum container_rootless {
	CONTAINER_ROOTLESS_AUTO,  /* a cgroup that may not be made is done without, when we are not the host's root */
	CONTAINER_ROOTLESS_TRUE,  /* it always is */
	CONTAINER_ROOTLESS_FALSE, /* it never is */
};

/* True in a user namespace that is not the first one. One system call. */
bool rootless_is_inside(void);

struct container_create_options {
	const char *bundle, *config; /* config NULL: bundle/config.json */
	enum container_cgroups cgroups;
	enum container_rootless rootless;
	const char *console_socket, *pid_file;
	int preserve_fds;
	bool no_new_keyring, keep;
	/* What the caller's service manager has for the container: sd_listen_fds(3), whose descriptors are the first of
	 * those to preserve, and sd_notify(3), NULL for none. */
	struct optional listen_fds;
	const char *listen_names, *notify_socket;
	/* Our own command line, when we may execute ourselves anew (once, before anything is made) to keep our program
	 * file out of the reach of a container without an id range of its own. NULL: such a container is refused unless
	 * that protection is in place already. */
	char *const *guard_arguments;
	/* The process is made anew from images of an earlier one instead of executing a program; NULL: it is not.
	 * Only for container_run(). */
	const struct container_criu_options *restore;
};

/* How much of the cgroups below the container's own is dumped and made anew: criu_cg_mode of CRIU. */
enum criu_cgroups {
	CRIU_CGROUPS_IGNORE,
	CRIU_CGROUPS_NONE,
	CRIU_CGROUPS_PROPS,
	CRIU_CGROUPS_SOFT,
	CRIU_CGROUPS_FULL,
	CRIU_CGROUPS_STRICT,
};

/* What is put before connections between a dump and the restore, so that nobody answers for them. */
enum network_lock {
	NETWORK_LOCK_IPTABLES,
	NETWORK_LOCK_NFTABLES,
	NETWORK_LOCK_NOTHING,
};

/* How a container is written to files and made anew from them, by the program criu. Those without a remark are CRIU's
 * own options. See docs/checkpoint.md. */
struct container_criu_options {
	const char *program;	 /* an absolute path; NULL: the system's */
	const char *image_path;	 /* directory of the images; made when missing, but for restore */
	const char *work_path;	 /* directory of logs; NULL: image_path */
	const char *parent_path; /* images of an earlier pre-dump, relative to image_path; NULL: none */
	bool leave_running, pre_dump, tcp_established, tcp_close, tcp_skip_in_flight, external_unix_sockets, shell_job,
		file_locks, lazy_pages, auto_dedup, link_remap;
	enum network_lock network_lock;
	int cgroups;		 /* enum criu_cgroups */
	bool empty_network;	 /* --empty-ns network */
	const char *page_server; /* "address:port" that serves pages of a lazy dump; NULL: none */
	int status_fd;		 /* gets a NUL byte when that server is ready; -1: none */
	const char *lsm_profile, *lsm_mount_context;
};

/* For main(), before anything is opened: executes this program anew, once, protected from containers without an id
 * range of their own (see guard.h), unless that is so already or the config.json at config_path (NULL: none) speaks of
 * a user namespace; then container_create() decides when it has read it. 0: go on. */
MUST_CHECK int runtime_guard_enter(char *const *arguments, const char *config_path, struct error *err);

/* root is the state root's descriptor (/run/warren-oci by default). Each takes the container's lock for as long as it
 * changes something. Of an id that is none: ERROR_MISSING `container "x" does not exist`; of one in the wrong state:
 * ERROR_BUSY with the state. */

/* Makes it, up to where its program waits for container_start(). On failure nothing of it is left. */
MUST_CHECK int container_create(
	int root, const char *id, const struct container_create_options *options, struct error *err);
/* Lets the program of a created one begin; returns when it has been executed. */
MUST_CHECK int container_start(int root, const char *id, struct error *err);
/* The same with sd_notify(3), when the container was created with it: passes on that it is ready, for which it waits.
 */
MUST_CHECK int container_start_notified(int root, const char *id, const char *notify_socket, struct error *err);
/* create + start in one go; waits for the end unless detach. *status as waitpid. Deletes the container at its end
 * unless keep. */
MUST_CHECK int container_run(int root, const char *id, const struct container_create_options *options, bool detach,
	int *status, struct error *err);
/* A signal (signal(7)) to the first process; all: to every process of its cgroup, also when the first has ended. */
MUST_CHECK int container_kill(int root, const char *id, int signal, bool all, struct error *err);
/* Removes a stopped one with its cgroup and record; force: kills first, and takes damaged ones and none as well. */
MUST_CHECK int container_delete(int root, const char *id, bool force, struct error *err);
/* Freezes all its processes, or lets them go on. ERROR_SYSTEM: it has no cgroup. */
MUST_CHECK int container_pause(int root, const char *id, bool paused, struct error *err);

/* Single limits in the units of OCI's linux.resources: unset and 0 leave what is there, -1 removes the limit.
 * memory_swap counts memory and swap together. */
struct resource_numbers {
	struct optional memory, memory_reservation, memory_swap;
	struct optional cpu_shares, cpu_quota_us, cpu_period_us, cpu_burst_us, cpu_idle; /* of cpu_idle 0 is a value */
	struct optional pids, block_weight;
	struct optional kernel_tcp, realtime_period_us, realtime_runtime_us; /* of cgroup v1 alone */
	const char *cpuset_cpus, *cpuset_mems;
};
struct container_update_options {
	const char *resources; /* a file that holds an object linux.resources, "-": standard input; NULL: numbers */
	struct resource_numbers numbers;
	/* Lines for the container's group of resctrl, which is made when it has none; NULL: as they are. */
	const char *cache_schema, *bandwidth_schema;
};
/* Changes limits of a created, running or paused container. What this host cannot do is refused by name before anything
 * is changed; when the kernel refuses a value later, what had been changed is put back. */
MUST_CHECK int container_update(
	int root, const char *id, const struct container_update_options *options, struct error *err);
/* Its record and, asked of the kernel, its status, without its lock. Close it. A damaged record: ERROR_USAGE. */
MUST_CHECK int container_open(struct arena *arena, int root, const char *id, struct container *out, struct error *err);
void container_close(struct container *container);
/* The processes in its cgroup; none when that is gone. ERROR_SYSTEM: it never had one. */
struct cgroup_pids;
MUST_CHECK int container_pids(
	struct arena *arena, const struct container *container, struct cgroup_pids *out, struct error *err);
/* OCI state object. */
void container_encode_state(struct encoder *encoder, const struct container *container);
struct container_list {
	struct container *items; /* closed: without their directories; damaged ones are warned about and left out */
	size_t count;
};
MUST_CHECK int container_list(struct arena *arena, int root, struct container_list *out, struct error *err);

/* Writes the container's processes to files. They are killed then and the container deleted, unless they are to stay
 * (leave_running, pre_dump). */
MUST_CHECK int container_checkpoint(
	int root, const char *id, const struct container_criu_options *options, struct error *err);

struct container_exec_options {
	const struct spec_process *process; /* complete: args, env, cwd, user, capabilities (merged from config.json by
					       container_exec_defaults) */
	const char *console_socket, *pid_file;
	int preserve_fds;
	bool detach;
	bool ignore_paused; /* in a paused container: the process waits for somebody to resume it, and so do we */
	/* Cgroups below the container's, to run in instead of that; they must exist. Either one PATH for all
	 * hierarchies, or CONTROLLER[,CONTROLLER…]:PATH for single ones of cgroup v1. */
	struct strings cgroups;
	char *const *guard_arguments; /* as in struct container_create_options */
};
/* The container's own process section, as the base of an exec. */
MUST_CHECK int container_exec_defaults(
	struct arena *arena, int root, const char *id, struct spec_process *out, struct error *err);
/* A second process in a running one. *status as waitpid(2), when it has ended; 0 with detach, as soon as it runs. */
MUST_CHECK int container_exec(
	int root, const char *id, const struct container_exec_options *options, int *status, struct error *err);

/* --- terminals ---------------------------------------------------------------------------------------------------- */

/* Copies between our own terminal or pipes and a process until it has ended and its output is drained. With a console:
 * our terminal goes raw and is restored, window size follows SIGWINCH. Without: forwards the signals HUP INT TERM QUIT
 * USR1 USR2 to the process. `tee` (may be NULL) sees the output too. */
struct stdio_relay {
	int console;	   /* master; or -1 and the pipes: */
	int input;	   /* we write our stdin here; -1 none */
	int output, error; /* we read these; -1 none */
	int pidfd;
	void (*tee)(void *context, int stream, const char *bytes, size_t length); /* stream 1 or 2 */
	void *context;
};
/* Returns when the process has ended (it is not reaped). Takes care of descriptors' blocking mode and restores it. */
MUST_CHECK int stdio_relay_run(const struct stdio_relay *relay, struct error *err);

#endif
