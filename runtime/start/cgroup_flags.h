/* What the hierarchy of version 2 was mounted with (nsdelegate, memory_recursiveprot …) belongs to the host, and
 * whoever mounts it once more from the first cgroup namespace sets it anew for all (kernel/cgroup/cgroup.c,
 * cgroup_get_tree). CRIU does, for each dump and restore, without these words. */
#ifndef WARREN_RUNTIME_CGROUP_FLAGS_H
#define WARREN_RUNTIME_CGROUP_FLAGS_H

struct cgroup_flags {
	char point[256], words[256]; /* empty: there is no such mount */
};
#define NO_CGROUP_FLAGS ((struct cgroup_flags){0})

/* As they are now. */
void cgroup_flags_note(struct cgroup_flags *out);
/* By the process that becomes whoever mounts it, before: where only version 2 is mounted, in a cgroup namespace that
 * shows the whole hierarchy as the first one does, and is not the first one, the kernel takes no such words. Then they
 * stay whoever is killed. What cannot be had is left to cgroup_flags_restore(). */
void cgroup_flags_shield(const struct cgroup_flags *flags);
/* As they were, where they have changed; what cannot be put back is warned of. */
void cgroup_flags_restore(const struct cgroup_flags *flags);

#endif
