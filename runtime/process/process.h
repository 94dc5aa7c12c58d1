/* The last steps of a process before its program: what it runs as, and the program itself.
 *
 * process_plan_prepare() runs in the parent, allocates in an arena and decides everything that can be decided without
 * the child. All other functions run in the child between clone3 and execve: no allocation, no locks, nothing but
 * system calls. They may also be called for an exec, after setns. Only runtime/ includes this header. */
#ifndef WARREN_RUNTIME_PROCESS_H
#define WARREN_RUNTIME_PROCESS_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "runtime/spec.h"

struct seccomp_program;

/* What execve needs, ready made. Everything lies in the arena or in the spec. */
struct process_plan {
	const struct spec_process *process;
	const char *name;	       /* what errors call the program: args[0], or launch.program */
	const char *const *argv;       /* ends with NULL */
	const char *const *envp;       /* ends with NULL */
	char *listen_pid;	       /* of envp, behind "LISTEN_PID="; NULL: there is none */
	char *home;		       /* of envp, behind "HOME=": room for what the root says; NULL: it is known */
	const char *const *candidates; /* paths to try in order, as seen from inside; ends with NULL, at least one */
	int label;		       /* what process_note_host() opened; -1 */
	struct listener *listener;     /* of a filter that hands calls over; may be NULL */
};

/* argv as it is. envp: every NAME once (the last value wins, at the first one's place), then what is missing of
 * PATH (PROCESS_DEFAULT_PATH), HOME (/root for uid 0, else / until process_find_home()) and, with a
 * terminal, TERM (xterm). candidates: args[0] itself when it has a slash, else one per directory of the PATH that is in
 * envp (an empty directory means the working directory). program (may be NULL) replaces args[0] in errors only.
 * ERROR_USAGE: no args, an empty args[0], an environment entry without '='. */
#define PROCESS_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MUST_CHECK int process_plan_prepare(struct arena *arena, const struct spec_process *process, const char *program,
	struct process_plan *out, struct error *err);

/* --- parent side, about the child --------------------------------------------------------------------------------- */

/* Only for a child in a user namespace of its own, which cannot raise a hard limit itself: raises those of pid that are
 * lower than the specification wants. Lowers none (a low one would hinder the child's own start). No call when there
 * are no rlimits. */
MUST_CHECK int process_raise_rlimits(pid_t pid, const struct spec_process *process, struct error *err);

/* --- child side --------------------------------------------------------------------------------------------------- */

/* While /proc is still the host's: opens what takes the program's security label, if it is to have one, and notes its
 * own pid for the listener, if there is one. */
MUST_CHECK int process_note_host(struct process_plan *plan, struct error *err);

/* Inside the root: makes it when it is missing. Errors show in process_enter_directory(). */
void process_make_directory(const char *cwd);
/* Goes to process->cwd, made with its parents when it is missing (inside the root, after pivot_root), and checks by
 * getcwd(2) that the place can be reached from the root: a working directory through a leaked descriptor is refused.
 * Call it with all capabilities in the child's user namespace, before process_become(), which tries again when it was
 * EACCES here. */
MUST_CHECK int process_enter_directory(const struct process_plan *plan, struct error *err);

/* Inside the root: HOME as its /etc/passwd has it, for a user other than 0 whose HOME nobody gave
 * (runtime/process/home.h). */
void process_find_home(const struct process_plan *plan);

/* Everything between "root is in place" and "execute", in the only order that works:
 *
 *   memory policy, personality, security label, limits, umask, bounding set, no_new_privs;
 *   without no_new_privs the filter (seccomp(2) then needs CAP_SYS_ADMIN);
 *   supplementary groups, gid, uid, working directory once more if it had to wait for the uid;
 *   permitted, effective, inheritable and ambient sets;
 *   PR_SET_PDEATHSIG 0 (setresuid clears it, capset does not; kept, the parent's death would end the program);
 *   with no_new_privs the filter.
 *
 * Under the filter only write, sendmsg or sendto on the report socket, close_range, fcntl, execve and exit follow.
 * Needs to be uid 0 with all capabilities in the child's user namespace. Errors name the step and the value. */
MUST_CHECK int process_become(
	const struct process_plan *plan, const struct seccomp_program *seccomp, struct error *err);

/* The steps of process_become(), for callers that need one alone. */
MUST_CHECK int process_set_rlimits(const struct spec_process *process, struct error *err);
MUST_CHECK int process_set_ids(const struct spec_process *process, struct error *err);
MUST_CHECK int process_limit_bounding_set(const struct spec_process *process, struct error *err);
MUST_CHECK int process_set_capabilities(const struct spec_process *process, struct error *err);

/* Those descriptors become 3, 4 …, whatever lay there before, but for *keep, which moves when it does; -1: nothing is
 * to be kept. At most LAUNCH_SOCKETS_MAX. */
MUST_CHECK int process_place(const int *fds, size_t count, int *keep, struct error *err);
/* Nothing from descriptor 3 on survives execve but 3 … 2+preserve, which do. They must be open:
 * process_check_preserved() in the parent, before it opens anything. */
MUST_CHECK int process_close_others(int preserve, struct error *err);
MUST_CHECK int process_check_preserved(int preserve, struct error *err);

/* Executes the first candidate that can be; returns only on failure, -1 with "execute NAME: …" and errnum: ENOENT when
 * none exists, EACCES when one exists and may not be executed, else the first other errno. */
int process_execute(const struct process_plan *plan, struct error *err);
/* Gives -1 with "execute NAME: …" for the errno of an attempt to execute it. */
int process_fail_execute(const char *name, struct error *err);

#endif
