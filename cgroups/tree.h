/* The directories of a cgroup; private to this folder. */
#ifndef WARREN_CGROUPS_TREE_H
#define WARREN_CGROUPS_TREE_H

#include "cgroups/cgroups.h"

#define CGROUP_PATH_MAX 1024

/* Relative, clean, without control characters: what may follow a hierarchy's base. */
MUST_CHECK int cgroup_path_check(const char *path, struct error *err);

/* Copies the first length bytes of path. */
const char *path_prefix(const char *path, size_t length, char buffer[CGROUP_PATH_MAX + 1]);
/* A directory below one of ours, never through a link; -1 with errno. */
int cgroup_dir_open(int dir, const char *path);

/* What one call has made in one hierarchy. */
struct made {
	bool leaf;
	unsigned parents; /* the lowest so many */
};
/* mkdir -p; existing ones are fine and not noted. parents_first: they are likely to be missing. */
MUST_CHECK int dirs_make(int root, const char *path, bool parents_first, struct made *made, struct error *err);
void dirs_unmake(int root, const char *path, const struct made *made);
/* v1 cpuset: a new one has neither processors nor memory nodes, and nobody gets into it so: takes them from the parent
 * wherever they are empty. */
MUST_CHECK int cpuset_fill(int root, const char *path, struct error *err);

/* An empty handle; and a v1 directory opened into it for every controller that is mounted together with this one. */
void handle_start(struct cgroup *out, const struct cgroup_host *host, const char *path);
MUST_CHECK int handle_open_v1(struct cgroup *cgroup, enum cgroup_controller controller);

/* v1: makes the directory in that controller's hierarchy if it is missing, opens it into the handle (for all
 * controllers mounted there). */
MUST_CHECK int cgroup_extend(struct cgroup *cgroup, enum cgroup_controller controller, struct error *err);

/* v1: as cgroup_extend(), and brings all processes of the cgroup there. */
MUST_CHECK int cgroup_extend_and_move(struct cgroup *cgroup, enum cgroup_controller controller, struct error *err);

/* A directory of the cgroup, whichever; -1: it has none. */
int cgroup_any_directory(const struct cgroup *cgroup);

/* Moves every process of the cgroup (children included) into the v1 directory. */
MUST_CHECK int processes_move(const struct cgroup *cgroup, int to, struct error *err);

/* v2: true for a cgroup with processes of its own; the real root (without cgroup.type) may have them. */
bool directory_is_inhabited(int dir);
/* v2: moves our own processes out of the base directory into a leaf below it, so that it may hand controllers down.
 * Anybody else's stay: then ERROR_BUSY names the first of them. */
MUST_CHECK int base_vacate(int base, struct error *err);

/* A wait that grows from 1 to 50 ms and ends at a deadline (clock_ms()). False: the time was out before. */
struct patience {
	int64_t deadline_ms, step_ms;
};
struct patience patience_start(int64_t timeout_ms);
bool patience_wait(struct patience *patience);
/* Waits until fd has POLLPRI, at most as long as patience allows; false: the time was out before. */
bool patience_poll(struct patience *patience, int fd);

#endif
