/* What parent and child share of one start: everything the child needs, prepared before it is born.
 *
 * The child sees its own copy (fork). Between clone3 and execve it runs only child.c and what that calls. */
#ifndef WARREN_RUNTIME_CHILD_H
#define WARREN_RUNTIME_CHILD_H

#include "base/arena.h"
#include "runtime/mounts/devices.h"
#include "runtime/mounts/mounts.h"
#include "runtime/namespaces/namespaces.h"
#include "runtime/process/process.h"
#include "runtime/runtime.h"
#include "runtime/start/report.h"

#define LAUNCH_PARTS 64

struct child {
	const struct launch *launch;
	const struct spec *spec;
	struct arena *arena; /* the parent's; the child only reads what lies in it */
	struct namespaces namespaces;
	struct mounts mounts;
	struct devices devices;
	struct process_plan process;
	struct report *report;
	int channel; /* the child's end; the parent's in launch.c */
	int stdio[3];
	int seed; /* the mount namespace to copy (runtime/start/seed.h); -1: the one that the child is born with is its
		     own */
	int host_cgroup_namespace; /* to return to, when the specification wants the host's; -1 */

	/* From here on filled in by the child. */
	bool cut_off; /* none of the host's mounts is in its namespace */
	int root;     /* the root mount */
	struct launch_part parts[LAUNCH_PARTS];
	size_t part_count;
	bool part_attached[LAUNCH_PARTS];
	char part_names[16384];
	int answer; /* a connection of `start`, which gets the error when execve fails; -1 */
};

/* What goes over the channel, by its first byte. */
enum channel_message {
	CHANNEL_MAPS = 'm',  /* to the child: its id maps are written */
	CHANNEL_PARTS = 'p', /* to the child: struct channel_parts with descriptors; the last one says so */
	CHANNEL_PROC =
		'f', /* from the child: make a proc for my pid namespace; to the child: here it is, or the reason */
	CHANNEL_CONSOLE = 'c', /* from the child: master of the terminal */
	CHANNEL_HELD = 'h',    /* from the child: all is ready, waiting for "start" */
};

#define CHANNEL_PARTS_MAX 32 /* descriptors in one message */
struct channel_parts {
	char kind;
	bool last;
	unsigned char count;
	bool is_file[CHANNEL_PARTS_MAX];
	char targets[8192]; /* each ends in NUL */
};

struct channel_proc {
	char kind;
	struct error error; /* of the answer, when it carries no descriptor */
};

/* The child's whole life: never returns. */
_Noreturn void child_run(struct child *child);

/* child_mounts.c, three moments: new file systems are made; proc is asked of the parent where the child may not make
 * it; with the root there, all are attached in the order of the list. */
MUST_CHECK int child_make_mounts(struct child *child, struct error *err);
MUST_CHECK int child_ask_for_proc(struct child *child, struct error *err);
MUST_CHECK int child_attach_mounts(struct child *child, struct error *err);

/* child_common.c: signals as a program expects them; 0, 1, 2 from stdio[] and a session of its own. */
void child_reset_signals(void);
/* child_common.c: a new, anonymous session keyring. */
MUST_CHECK int child_leave_keyring(struct error *err);
MUST_CHECK int child_connect_stdio(int stdio[3], bool terminal, struct error *err);

/* The names of the steps in their order, for the test that compares them with docs/start.md; NULL at the end. */
const char *child_step_name(size_t index);

#endif
