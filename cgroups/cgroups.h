/* Control groups: v2, v1 and hybrid hosts behind one interface.
 *
 * A cgroup is named by a path relative to each hierarchy's root ("warren/web-1"). On v2 it is one directory; on v1 one
 * per hierarchy that is needed, and no more: each costs the start of an instance (cpuset 70 µs, memory 50 µs …).
 * A process gets in by being born there (v2: clone3 CLONE_INTO_CGROUP) or by writing "0" into an inherited `tasks`
 * descriptor (v1): a pid written to cgroup.procs waits 10-13 ms for an RCU grace period after an idle gap. */
#ifndef WARREN_CGROUPS_CGROUPS_H
#define WARREN_CGROUPS_CGROUPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/decode.h"
#include "base/error.h"
#include "base/text.h"

enum cgroup_mode {
	CGROUP_NONE, /* no usable hierarchy: instances without limits only */
	CGROUP_V1,
	CGROUP_V2,
	CGROUP_HYBRID, /* v1 controllers beside a cgroup2 that carries few or none: treated as v1 */
};

enum cgroup_controller {
	CGROUP_CPU,
	CGROUP_CPUACCT, /* v1 only */
	CGROUP_CPUSET,
	CGROUP_MEMORY,
	CGROUP_PIDS,
	CGROUP_IO,	/* v1: blkio */
	CGROUP_DEVICES, /* v1 hierarchy; v2: a BPF program */
	CGROUP_FREEZER, /* v1 hierarchy; v2: cgroup.freeze */
	CGROUP_HUGETLB,
	CGROUP_RDMA,
	CGROUP_NET_CLS,	 /* v1 only */
	CGROUP_NET_PRIO, /* v1 only */
	CGROUP_CONTROLLERS
};
const char *cgroup_controller_name(enum cgroup_controller controller);

/* What this host has: read once per process from /proc/self/mountinfo, /proc/self/cgroup and cgroup.controllers, never
 * from guesses about paths. Directory descriptors of the base that paths are relative to: the hierarchies' roots as
 * seen by us, where we may write (inside a delegated subtree or a cgroup namespace: its root). */
struct cgroup_host {
	enum cgroup_mode mode;
	int unified;			     /* v2 root directory (pure v2 only), else -1 */
	int hierarchy[CGROUP_CONTROLLERS];   /* v1: root directory of the controller's hierarchy, -1 none; controllers
						mounted together share a number but have descriptors of their own */
	unsigned number[CGROUP_CONTROLLERS]; /* v1: the hierarchy's number in /proc/self/cgroup */
	bool available[CGROUP_CONTROLLERS];
	bool swap; /* the kernel accounts swap */
	/* Seen by the way: the caller's mount table is longer than the page that the hierarchies were found in. */
	bool many_mounts;
};
MUST_CHECK int cgroup_host_open(struct cgroup_host *host, struct error *err);
/* v2 with another base: the cgroup at this absolute path below the mount's root ("/" is the root itself), which must
 * exist: nothing above it is ever written. ERROR_MISSING: no such cgroup. v1: ERROR_SYSTEM. */
MUST_CHECK int cgroup_host_open_at(struct cgroup_host *host, const char *base, struct error *err);
void cgroup_host_drop(struct cgroup_host *host);

/* v2: the cgroup that was delegated to us, as cgroup_host_open_at() takes it: the nearest one above us that carries
 * systemd's mark (the attribute user.delegate or trusted.delegate), else our own. ERROR_SYSTEM on v1 and in the real
 * root. */
MUST_CHECK int cgroup_delegated_find(struct arena *arena, const char **base, struct error *err);

/* Moves the calling process to where commands are: the base, or on v2, when that hands controllers to children, a leaf
 * "warren.self" below it. */
MUST_CHECK int cgroup_go_home(const struct cgroup_host *host, struct error *err);

/* Why that controller is not available here and where it was looked for, as the rest of a sentence: "not in
 * /sys/fs/cgroup/cgroup.controllers (switched off on the kernel's command line: cgroup_disable=memory)". */
const char *cgroup_controller_explain(
	struct arena *arena, const struct cgroup_host *host, enum cgroup_controller controller);

/* Limits, in the units of cgroup v2; unset members are left as they are (on creation: no limit). value -1 means "max":
 * the limit is removed (of memory_low and memory_min: no protection). Conversions to v1 are explained in limits.c. */
struct cgroup_io_max {
	uint32_t major, minor;
	struct optional rbps, wbps, riops, wiops;
};
struct cgroup_io_device_weight {
	uint32_t major, minor;
	int64_t weight; /* 10 … 1,000, as block_weight */
};
enum cgroup_device_access { CGROUP_DEVICE_READ = 1, CGROUP_DEVICE_WRITE = 2, CGROUP_DEVICE_MKNOD = 4 };
struct cgroup_device_rule {
	bool allow;
	char type;	      /* 'a' all, 'b' block, 'c' character */
	int64_t major, minor; /* -1: any */
	unsigned access;      /* enum cgroup_device_access */
};
struct cgroup_limits {
	struct optional memory_max, memory_high, memory_low, memory_min; /* bytes */
	struct optional swap_max;  /* bytes of swap alone (v1 memsw = memory + this) */
	struct optional oom_group; /* 1: the whole group dies on out of memory (v2) */
	struct optional pids_max;
	struct optional cpu_quota_us, cpu_period_us; /* period 1,000 … 1,000,000, default 100,000 */
	struct optional cpu_weight;		     /* 1 … 10,000 */
	struct optional cpu_shares; /* 2 … 262,144: v1's unit, exact there; on v2 a weight of shares × 100 / 1024.
				       Ignored beside cpu_weight */
	struct optional cpu_burst_us;
	struct optional cpu_idle;
	const char *cpuset_cpus, *cpuset_mems; /* NULL: not set */
	struct optional io_weight;	       /* 1 … 10,000 */
	/* 10 … 1,000: OCI's and BFQ's unit, exact where the scheduler BFQ counts; the kernel's own cost model of v2
	 * gets it spread over 1 … 10,000, ends onto ends. Ignored beside io_weight. */
	struct optional block_weight;
	LIST_OF(struct cgroup_io_device_weight) device_weights;
	LIST_OF(struct cgroup_io_max) io_max;
	/* In order, the last rule that matches decides; without a match: refused. count 0: no device control at all. */
	LIST_OF(struct cgroup_device_rule) devices;
	struct pairs unified; /* v2 files written as they are (OCI linux.resources.unified); refused by name on v1, but
				 for hugetlb.SIZE.max and rdma.max, which are there as well */
	/* v1 files that v2 has nothing alike for (memory.swappiness …), written as they are; refused by name on v2,
	 * where a value of 0 says nothing. */
	struct pairs v1_files;
};

/* Refuses what this host cannot do, by the limit's name, before anything is made. */
MUST_CHECK int cgroup_limits_check(
	const struct cgroup_host *host, const struct cgroup_limits *limits, struct error *err);

/* A cgroup in use: one directory descriptor per hierarchy it exists in. Closing the handle leaves the directories. */
struct cgroup {
	const struct cgroup_host *host; /* borrowed */
	char *path;
	int unified;
	int hierarchy[CGROUP_CONTROLLERS];
	bool fresh; /* made through this handle: nobody has made groups below it yet */
};

enum cgroup_create_flags {
	CGROUP_ACCOUNTING = 1,	    /* v1: also pids, cpuacct and memory when they carry no limit, for figures */
	CGROUP_MAY_EXIST = 2,	    /* without it a path that exists is ERROR_BUSY */
	CGROUP_ALL_CONTROLLERS = 4, /* v2: every controller there is, for a cgroup that will be delegated */
	CGROUP_MUST_BE_EMPTY = 8,   /* one that exists and has processes, in it or below, is ERROR_BUSY */
};

/* Makes the directories (parents too; on v2 enables the needed controllers in each parent's cgroup.subtree_control and
 * keeps processes out of inner nodes; v1: a new cpuset gets its parent's cpus and mems), writes the limits. On failure
 * what was made is removed again. A frozen cgroup that exists is refused. */
MUST_CHECK int cgroup_create(const struct cgroup_host *host, const char *path, const struct cgroup_limits *limits,
	unsigned flags, struct cgroup *out, struct error *err);
/* An existing one; hierarchies it does not exist in stay -1. In none: ERROR_MISSING. */
MUST_CHECK int cgroup_open(const struct cgroup_host *host, const char *path, struct cgroup *out, struct error *err);
void cgroup_drop(struct cgroup *cgroup);

/* v2: lets uid (the instance's root, as the host counts) make cgroups below this one: changes the owner of the
 * directory, cgroup.procs, cgroup.subtree_control and cgroup.threads (cgroups(7)), never of a limit; at most 1,024
 * descendants, 32 deep, unless these bounds were set before. v1: ERROR_SYSTEM. Create it with CGROUP_ALL_CONTROLLERS,
 * else only those that its limits need are there to hand on. */
MUST_CHECK int cgroup_delegate(const struct cgroup *cgroup, uid_t uid, gid_t gid, struct error *err);

/* Changes limits live; hierarchies that become necessary on v1 are made and all processes moved. What the kernel
 * refuses is named with limit, value and file, and what had been written before it is put back. */
MUST_CHECK int cgroup_set(struct cgroup *cgroup, const struct cgroup_limits *limits, struct error *err);
/* What a change has overwritten. All zero: nothing. */
struct cgroup_overwritten;
struct cgroup_journal {
	struct arena arena;
	struct cgroup_overwritten *last;
};
/* As cgroup_set(), which can be taken back as long as the handle lives; but for the device rules, which are last. */
MUST_CHECK int cgroup_change(
	struct cgroup *cgroup, const struct cgroup_limits *limits, struct cgroup_journal *journal, struct error *err);
/* Writes everything back; what the kernel refuses is warned about. */
void cgroup_journal_undo(struct cgroup_journal *journal);
void cgroup_journal_drop(struct cgroup_journal *journal);
/* What the kernel has now (set members only where the file exists; "max" reads as unset). */
MUST_CHECK int cgroup_get(struct cgroup *cgroup, struct arena *arena, struct cgroup_limits *out, struct error *err);

/* How a process gets in. The parent opens it before the clone; the child (any credentials) enters through it. v2: a
 * cgroup whose instance hands controllers down can hold no process: the way in is then a leaf "warren.exec" below. */
struct cgroup_entrance {
	int into;		       /* v2: give this to process_clone(); else -1 */
	int tasks[CGROUP_CONTROLLERS]; /* v1: inherited by the child, which writes "0" to each */
	size_t count;
};
MUST_CHECK int cgroup_entrance_open(const struct cgroup *cgroup, struct cgroup_entrance *out, struct error *err);
void cgroup_entrance_drop(struct cgroup_entrance *entrance);
/* Child side, single-threaded: enters the v1 hierarchies. Async-signal-safe. On v2 there is nothing to do. */
MUST_CHECK int cgroup_enter(const struct cgroup_entrance *entrance, struct error *err);

/* Freezes or thaws and waits until the kernel says it is so. ERROR_BUSY when it is not within timeout_ms. v1: makes the
 * freezer directory when it is missing and moves the processes there. */
MUST_CHECK int cgroup_freeze(struct cgroup *cgroup, bool frozen, int64_t timeout_ms, struct error *err);
bool cgroup_is_frozen(const struct cgroup *cgroup);

/* Asks the kernel to take back about so much of its memory: caches of files, and what can be swapped out. v2:
 * memory.reclaim (Linux 5.19); v1: all of it at once. True when there may be more. Frozen processes notice nothing. */
bool cgroup_reclaim(const struct cgroup *cgroup, int64_t bytes);

/* SIGKILL to every process in it and below (v2 cgroup.kill; v1 rounds of signals until none is left), frozen ones too.
 * Does not wait for their end. */
MUST_CHECK int cgroup_kill(struct cgroup *cgroup, struct error *err);
/* Another signal (signal(7)) to every process that is in it or below now: to nobody else, whatever becomes of a pid
 * meanwhile. Who is born while it is sent is not reached. */
MUST_CHECK int cgroup_signal(const struct cgroup *cgroup, int signal, struct error *err);
/* Pids in it and below, at most 65,536. */
struct cgroup_pids {
	pid_t *items;
	size_t count;
};
MUST_CHECK int cgroup_processes(
	const struct cgroup *cgroup, struct arena *arena, struct cgroup_pids *out, struct error *err);
/* False when no process is in it or below (v2: cgroup.events). */
bool cgroup_is_populated(const struct cgroup *cgroup);

/* Removes it and everything below in every hierarchy, bottom up; waits at most timeout_ms for dying processes. Absent
 * is fine. v1: gives the memory back first (force_empty) only when `thorough`. */
MUST_CHECK int cgroup_remove(
	const struct cgroup_host *host, const char *path, int64_t timeout_ms, bool thorough, struct error *err);
/* Removes it in every hierarchy where no process is in it and nothing below it, in one rmdir(2) each; anything else
 * stays. For parents that were made along with their children. */
void cgroup_remove_empty(const struct cgroup_host *host, const char *path);
/* Names of the cgroups directly below path in any hierarchy: for sweeping up. Absent: empty. */
MUST_CHECK int cgroup_children(const struct cgroup_host *host, const char *path, struct arena *arena,
	struct strings *names, struct error *err);

/* Figures; what the host cannot say is unset. */
struct cgroup_stats {
	struct optional memory_bytes;	   /* charged now */
	struct optional memory_used_bytes; /* without page cache: anonymous + kernel */
	struct optional memory_peak_bytes;
	struct optional memory_limit_bytes;
	struct optional swap_bytes;
	struct optional pids, pids_limit, pids_refused;
	struct optional cpu_us, cpu_user_us, cpu_system_us, cpu_periods, cpu_throttled_periods, cpu_throttled_us;
	struct optional cpu_limit_milli; /* thousandths of a processor */
	struct optional io_read_bytes, io_write_bytes;
	struct optional oom_kills; /* since creation */
	struct optional memory_pressure_10s, cpu_pressure_10s,
		io_pressure_10s; /* v2: "some" share in hundredths of a percent */
};
MUST_CHECK int cgroup_stats_read(const struct cgroup *cgroup, struct cgroup_stats *out, struct error *err);
/* Only what an account of use is made of, from a third of the files: processor time; memory in use, charged, its peak
 * and its limit. */
MUST_CHECK int cgroup_bill_read(const struct cgroup *cgroup, struct cgroup_stats *out, struct error *err);
/* Of the one of that name directly below this one, which is cheaper than opening it: for thousands. Without details:
 * processor time and limit, memory in use, its limit and cache, processes, transfers, pressure. ERROR_MISSING. */
MUST_CHECK int cgroup_stats_read_below(
	const struct cgroup *cgroup, const char *name, bool details, struct cgroup_stats *out, struct error *err);
/* Kills by out of memory since creation; cheap, one file. 0 where the kernel does not say. */
int64_t cgroup_oom_kills(const struct cgroup *cgroup);

/* Descriptors that poll(2) (POLLPRI) or epoll reports on change: v2 cgroup.events. -1 ERROR_MISSING on v1. */
MUST_CHECK int cgroup_events_open(const struct cgroup *cgroup, struct error *err);

#endif
