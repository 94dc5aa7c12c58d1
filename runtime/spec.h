/* The runtime's own model of a container: what oci.c makes of a config.json, and what the manager fills in memory.
 *
 * All of it lies in one arena and is read-only after spec_check(). Names follow the OCI runtime specification. */
#ifndef WARREN_RUNTIME_SPEC_H
#define WARREN_RUNTIME_SPEC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/decode.h"
#include "base/text.h"
#include "cgroups/cgroups.h"

/* --- process ------------------------------------------------------------------------------------------------------ */

enum capability_set { CAPS_BOUNDING, CAPS_EFFECTIVE, CAPS_INHERITABLE, CAPS_PERMITTED, CAPS_AMBIENT, CAPS_SETS };

struct spec_rlimit {
	int resource; /* RLIMIT_… */
	struct rlimit limit;
};

/* sched_setattr(2). */
struct spec_scheduler {
	const char *name; /* "SCHED_FIFO", for errors */
	unsigned policy;
	int nice;
	unsigned priority;
	uint64_t flags;
	uint64_t runtime_ns, deadline_ns, period_ns; /* of SCHED_DEADLINE */
};

/* set_mempolicy(2). */
struct spec_memory_policy {
	const char *name;  /* "MPOL_BIND", for errors */
	int mode;	   /* with its flags */
	const char *nodes; /* list of numbers; "": none */
};

struct spec_process {
	bool terminal;
	unsigned console_height, console_width; /* 0: leave */
	uid_t uid;
	gid_t gid;
	struct optional umask;
	struct {
		gid_t *items;
		size_t count;
	} groups;
	struct strings args;		  /* at least one */
	struct strings env;		  /* "NAME=value" */
	const char *cwd;		  /* absolute */
	uint64_t capabilities[CAPS_SETS]; /* bit n: capability number n */
	LIST_OF(struct spec_rlimit) rlimits;
	bool no_new_privileges;
	bool keep_groups; /* the caller's supplementary groups, whatever stands in groups */
	struct optional oom_score_adj;
	const struct spec_scheduler *scheduler; /* NULL, as below: not spoken of */
	struct optional io_priority;		/* class << 13 | priority, as ioprio_set(2) takes it */
	const char *exec_cpus_initial;		/* of an exec: the processors until it is in its cgroup, and then */
	const char *exec_cpus_final;
	const char *apparmor_profile, *selinux_label;
	const struct spec_memory_policy *memory_policy;
	struct optional personality; /* PER_LINUX, PER_LINUX32 */
	struct optional listen_fds;  /* that many descriptors from 3 on are sockets for it: sd_listen_fds(3) */
	const char *listen_names;    /* LISTEN_FDNAMES; NULL: none */
};

/* --- namespaces --------------------------------------------------------------------------------------------------- */

enum spec_namespace { NS_USER, NS_MOUNT, NS_PID, NS_UTS, NS_IPC, NS_NET, NS_CGROUP, NS_TIME, NS_COUNT };
extern const char *const namespace_names[];	 /* OCI's: "user", "mount", "pid", … */
uint64_t namespace_flag(enum spec_namespace ns); /* CLONE_NEW… */

struct spec_namespaces {
	bool create[NS_COUNT];
	const char *path[NS_COUNT]; /* join this one instead; NULL: no */
	int fd[NS_COUNT]; /* join this descriptor instead (borrowed); -1: no. Set all to -1 with spec_init() */
	bool shares_user; /* our own user namespace, which is not the first one: no rights over the host */
};

struct id_map {
	uint32_t inside, host, count;
};

/* --- file systems ------------------------------------------------------------------------------------------------- */

struct spec_mount {
	const char *destination; /* absolute, inside */
	const char *type;	 /* "proc", "tmpfs", "bind", "cgroup" … */
	const char *source;
	bool bind, recursive;
	uint64_t attr_set, attr_clear;			   /* MOUNT_ATTR_… of the mount itself */
	uint64_t attr_set_recursive, attr_clear_recursive; /* rro, rnosuid … */
	uint64_t propagation;				   /* MS_SHARED, MS_PRIVATE …; 0: leave */
	bool propagation_recursive;
	struct pairs data; /* file system options: name, value ("" = flag) */
	bool idmap, idmap_recursive, copy_up;
	bool late_read_only; /* MOUNT_ATTR_RDONLY holds when all mounts are made; of a tmpfs always */
	LIST_OF(struct id_map) uid_maps, gid_maps; /* for idmap; empty: those of the container's user namespace */
};

struct spec_device {
	const char *path; /* absolute, below /dev or elsewhere inside */
	char type;	  /* 'c', 'b', 'p' */
	unsigned major, minor;
	unsigned mode;
	uid_t uid;
	gid_t gid;
};

/* --- seccomp ------------------------------------------------------------------------------------------------------ */

struct seccomp_arg {
	unsigned index;
	int op; /* enum scmp_compare */
	uint64_t value, value_two;
};
struct seccomp_rule {
	struct strings names;
	uint32_t action; /* SCMP_ACT_… with its errno */
	LIST_OF(struct seccomp_arg) args;
};
struct spec_seccomp {
	uint32_t default_action;
	struct strings architectures; /* OCI names; empty: native only */
	unsigned flags;		      /* SECCOMP_FILTER_FLAG_… */
	LIST_OF(struct seccomp_rule) rules;
	const char *listener_path, *listener_metadata;
	bool refuse_foreign_abi; /* native 64-bit only: i386 and x32 calls are refused (the manager's default) */
};

enum seccomp_profile_flags {
	SECCOMP_SETID_GUARD =
		1, /* chmod, open and mknod may not set set-user-id and set-group-id bits (writable bind volumes) */
	SECCOMP_SYSTEM = 2, /* what an instance that boots its own init needs (mount family and so on) */
};
/* The default allow-list: everything a web server, a language runtime, a shell or a package manager needs, and none of
 * namespaces, mount, bpf, perf, keyctl, io_uring, userfaultfd, kexec, modules, AF_ALG, AF_VSOCK, TIOCSTI. Unknown newer
 * calls get ENOSYS, refused ones EPERM. */
const struct spec_seccomp *seccomp_default_profile(struct arena *arena, unsigned flags);

/* --- hooks -------------------------------------------------------------------------------------------------------- */

enum hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_KINDS
};
struct spec_hook {
	const char *path;
	struct strings args, env;
	struct optional timeout_s;
};
struct spec_hooks {
	LIST_OF(struct spec_hook) of[HOOK_KINDS];
};

/* A network device of the host that moves into the container's network namespace. */
struct spec_net_device {
	const char *name;   /* on the host */
	const char *inside; /* in the container */
};

/* A group of resctrl. */
struct spec_rdt {
	const char *class; /* closID; NULL: a group of the container's own, "/": the one that all are in */
	const char *cache_schema, *bandwidth_schema;
	struct strings schemata;
	bool monitoring;
};

/* --- all of it ---------------------------------------------------------------------------------------------------- */

struct spec {
	const char *oci_version, *bundle; /* of a config.json, else NULL */
	const char *hostname, *domainname;
	struct spec_process process;
	const char *root; /* directory to use as the root (bundle form); NULL: the root comes as a prepared mount */
	bool root_read_only;
	uint64_t root_propagation; /* MS_…; 0: private */
	LIST_OF(struct spec_mount) mounts;
	LIST_OF(struct spec_device) devices; /* beyond the six standard nodes */
	struct spec_namespaces namespaces;
	LIST_OF(struct id_map) uid_maps, gid_maps;
	const char *time_offsets; /* of a new time namespace, as /proc/PID/timens_offsets takes them; NULL: none */
	struct strings masked_paths, read_only_paths;
	struct pairs sysctls, annotations;
	const struct spec_seccomp *seccomp; /* NULL: no filter */
	const char *cgroup_path;	    /* NULL: none */
	struct cgroup_limits limits;
	struct spec_hooks hooks;
	LIST_OF(struct spec_net_device) net_devices;
	const struct spec_rdt *rdt; /* NULL: not spoken of */
	const char *mount_label;    /* SELinux's, of new file systems; NULL: none */
};

/* All empty; namespace descriptors -1. */
void spec_init(struct spec *spec);

/* The manager's default: all namespaces new but time; /proc /dev /dev/pts /dev/shm /dev/mqueue /sys /sys/fs/cgroup;
 * masked and read-only paths; the web capability set (CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP
 * NET_BIND_SERVICE SYS_CHROOT in bounding, effective and permitted; inheritable and ambient empty); no_new_privs;
 * default profile with profile_flags; umask 022. args, env, maps, limits are the caller's. With SECCOMP_SYSTEM also the
 * capabilities that an init needs (SYS_ADMIN SYS_BOOT SETFCAP), and a /sys/fs/cgroup that may be written. */
void spec_set_defaults(struct arena *arena, struct spec *spec, unsigned profile_flags);

/* What spans members: a mount namespace is not optional; maps need a user namespace; masks need one; sysctls need the
 * namespace they belong to; host sysctls are refused … (ERROR_USAGE). */
MUST_CHECK int spec_check(const struct spec *spec, struct error *err);
/* The same for a process alone, which joins a container that is there. */
MUST_CHECK int spec_process_check(const struct spec_process *process, struct error *err);

/* "NET_ADMIN", "CAP_NET_ADMIN", "net_admin" → number; "ALL" is the caller's. ERROR_USAGE with a guess. */
MUST_CHECK int capability_parse(const char *name, unsigned *out, struct error *err);
const char *capability_name(unsigned capability, char buffer[32]); /* "CAP_NET_ADMIN" */
uint64_t capabilities_all(void);				   /* every one this kernel knows */
/* "nofile", "RLIMIT_NOFILE" → RLIMIT_NOFILE. */
MUST_CHECK int rlimit_parse(const char *name, int *out, struct error *err);
const char *rlimit_name(int resource, char buffer[24]); /* "RLIMIT_NOFILE" */

#endif
