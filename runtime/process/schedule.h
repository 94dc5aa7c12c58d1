/* How the kernel treats a process among others: processor time, I/O, processors, memory nodes, personality.
 *
 * Each costs a system call or two, and none when the specification does not speak of it. Only runtime/ includes this
 * header. */
#ifndef WARREN_RUNTIME_SCHEDULE_H
#define WARREN_RUNTIME_SCHEDULE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "runtime/spec.h"

/* Scheduling policy and I/O priority of a process (0: the caller). Real-time ones need CAP_SYS_NICE over the host: a
 * process that is to live in a user namespace gets them from outside. No allocation. */
MUST_CHECK int schedule_apply(pid_t pid, const struct spec_process *process, struct error *err);

/* What the caller's chances are when memory runs out, while /proc is the host's: without it a later process of a
 * container keeps those of whoever started it, as of an engine that is never to be killed. No allocation. */
MUST_CHECK int schedule_set_oom_score(const struct spec_process *process, struct error *err);

/* The caller's processors: a list such as "0-3,7"; NULL or "" leaves them. No allocation. */
MUST_CHECK int schedule_set_processors(const char *list, struct error *err);

/* Memory policy and personality of the caller, both kept by execve. No allocation. */
MUST_CHECK int schedule_set_surroundings(const struct spec_process *process, struct error *err);

/* Security labels for the program that the caller executes next. The file is the kernel's own below /proc, opened
 * while that is still the host's; *fd stays -1 when there is nothing to say. */
MUST_CHECK int label_open(const struct spec_process *process, int *fd, struct error *err);
MUST_CHECK int label_write(const struct spec_process *process, int fd, struct error *err);
/* Whether this kernel has that security module, switched on. */
bool label_has_apparmor(void);
bool label_has_selinux(void);

#endif
