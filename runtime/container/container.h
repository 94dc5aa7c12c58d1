/* What the files of the OCI life cycle share. */
#ifndef WARREN_RUNTIME_CONTAINER_H
#define WARREN_RUNTIME_CONTAINER_H

#include "base/arena.h"
#include "base/error.h"
#include "runtime/runtime.h"

/* Where a container's cgroup is when its config.json names none. */
#define CONTAINER_CGROUP_PARENT "warren-oci"

/* Compiled filters, in the state directory. */
#define CONTAINER_SECCOMP_CACHE ".seccomp"

/* An open container and its record's lock. */
struct held {
	struct arena arena;
	struct container container;
};
void held_drop(struct held *held);
MUST_CHECK int container_hold(int root, const char *id, struct held *out, struct error *err);

/* container_open() without asking the cgroup whether it is frozen: running may mean paused. */
MUST_CHECK int container_open_record(
	struct arena *arena, int root, const char *id, struct container *out, struct error *err);

/* The host's hierarchies and one cgroup in them; all zero: empty. */
struct container_cgroup {
	bool has_host, has_cgroup;
	struct cgroup_host host;
	struct cgroup cgroup;
};
void container_cgroup_drop(struct container_cgroup *cgroup);
/* has_cgroup tells whether it exists. path: relative to where our part of the hierarchies begins, or, of a scope,
 * absolute: from the root of cgroup v2. NULL: the host alone. */
MUST_CHECK int container_cgroup_open(const char *path, struct container_cgroup *out, struct error *err);

/* The way into cgroups below a container's, which is at path; words as in struct container_exec_options. */
MUST_CHECK int container_entrance_below(struct arena *arena, const struct container_cgroup *cgroup, const char *path,
	const struct strings *words, struct cgroup_entrance *out, struct error *err);

/* The specification that the container was made from. */
MUST_CHECK int container_spec(
	struct arena *arena, const struct container *container, struct spec *out, struct error *err);

/* For a container without a cgroup, where nothing is limited: refuses what is to be, by its name. Device rules are the
 * exception, as there always are some; they are asked for in vain then, as with every other runtime. */
MUST_CHECK int container_limits_refuse(const struct cgroup_limits *limits, struct error *err);
/* Changes limits, all or none; those of a scope also in systemd's own books, as it writes to the cgroup by them. */
MUST_CHECK int container_limits_set(const struct container_facts *facts, struct container_cgroup *cgroup,
	const struct cgroup_limits *limits, struct error *err);

/* Ends whatever there is of it and removes all that was made for it but the record. cgroup: opened by
 * container_cgroup_open(), or by making it. */
MUST_CHECK int container_undo(const struct container_facts *facts, struct container_cgroup *cgroup, struct error *err);

/* Kills all of its processes and waits for the end of the first one. */
MUST_CHECK int container_end_processes(const struct container_facts *facts, struct error *err);

MUST_CHECK int pid_file_write(const char *path, pid_t pid, struct error *err);

/* Between container_create() and container_run(): what is known before anything is made. */
MUST_CHECK int guard_if_needed(char *const *arguments, bool own_id_range, struct error *err);

/* Waits for a process in the foreground, its terminal on ours; reaps it. */
MUST_CHECK int process_attend(struct launched *launched, int *status, struct error *err);

#endif
