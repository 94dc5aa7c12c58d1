/* How a child tells its parent how far it has come, up to and including a failed execve.
 *
 * One page that both share: the child notes the step it is at and, when one fails, the whole error; no system call, so
 * it works under any filter. The socket between them (launch.c) carries descriptors and, by its end, the moment: it is
 * close-on-exec, so an end with REPORT_EXECUTING noted means that the program runs. Four outcomes: it runs; it waits
 * for "start"; it failed with a text; it died without a word, and the page still says at which step. */
#ifndef WARREN_RUNTIME_REPORT_H
#define WARREN_RUNTIME_REPORT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

enum report_stage { REPORT_SETTING_UP, REPORT_EXECUTING, REPORT_FAILED };

struct report {
	_Atomic int stage;
	const char *_Atomic step;   /* of the table in child.c or join.c: the same address on both sides of a fork */
	_Atomic bool has_own_limit; /* the step ends by itself: it runs hooks, each with its own time */
	bool exec_failed;
	struct error error;
};

struct report *report_new(struct error *err);
void report_drop(struct report **report);

/* Child side. */
void report_step(struct report *report, const char *name);
void report_executing(struct report *report);
void report_failure(struct report *report, const struct error *error, bool exec_failed);

/* Parent side, before it listens to the child: from then on receiving fails with EAGAIN when nothing comes for
 * `limit_s` seconds (0: the usual time). Then the child is asked how it gets on: -1 with an error when it is still at
 * the step that was *seen* last time. */
MUST_CHECK int report_set_limit(int channel, unsigned limit_s, struct error *err);
MUST_CHECK int report_check_progress(
	const struct report *report, const char **seen, const char *what, struct error *err);
/* Kills and reaps a child that is of no use; one that the kernel does not let go within some seconds is left to it. */
void report_give_up(int pidfd);

/* Parent side, after the end of the socket: 0 when the program runs. Otherwise the child is dead or dying: reaps it and
 * gives -1 with its error, or with how it died. what names the process in the latter case. */
MUST_CHECK int report_conclude(
	const struct report *report, int pidfd, const char *what, bool *exec_failed, struct error *err);

#endif
