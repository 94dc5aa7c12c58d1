/* Kills a command at one system call after the other, and each time has the next commands say what is there, clear it
 * away without a trace, and make it again. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_SWEEP_H
#define WARREN_TESTS_END_TO_END_SUPPORT_SWEEP_H

#include "tests/end_to_end/support_stepper.h"

#define SWEEP_WORDS 40
#define SWEEP_TIDY_MAX 3
#define SWEEP_ONCE_MAX 4

struct sweep {
	/* What all commands begin with: program and global options; and where they run. */
	const char *program[8];
	const char *directory;		/* NULL: ours */
	const char *state, *cgroup;	/* of their own: what remains is looked for there */
	const char *list[6];		/* says what is there, as a JSON array of objects */
	const char *state_key;		/* of such an object: a word of `states` */
	int missing_status;		/* of `clear` when nothing is there */
	const char *words[SWEEP_WORDS]; /* pairs: a word of the commands below, and what to put in its place */

	const char *once[SWEEP_ONCE_MAX][SWEEP_WORDS]; /* makes what is there all the time; empty: nothing */
	const char *before[SWEEP_WORDS];	       /* makes what the command works on; empty: nothing */
	const char *then[SWEEP_WORDS];		       /* after that; empty: nothing */
	const char *settled; /* and waits until all that are listed are in this state; NULL: does not */
	/* 0, or a port of 127.0.0.1: visitors connect to it then, and stay until the next command is done. */
	uint16_t visited;
	const char *command[SWEEP_WORDS]; /* is killed */
	/* What somebody does next, which must succeed; then the list is `after` ("a=running b=stopped"; NULL:
	 * anything), and `proof` succeeds. Empty: nothing. */
	const char *next[SWEEP_WORDS], *after, *proof[SWEEP_WORDS];
	const char *again[SWEEP_WORDS]; /* must succeed after all was cleared away; without `next`, after each kill */
	const char *clear[SWEEP_WORDS];
	const char *tidy[SWEEP_TIDY_MAX][SWEEP_WORDS]; /* what it takes besides; there may be nothing for it to do */
	const char *states;			       /* those that may be listed after the kill */
	enum step_where where;
	int width;	/* from one point to the next; 0: 11 */
	int least;	/* and at least, where each point takes seconds, whatever the environment says; 0: 1 */
	bool rare;	/* left to ./test.sh --full on every kernel */
	bool also_slow; /* one of the few that ./test.sh has time for on an emulated processor */
};

/* Every `width`th point, or as the environment says (step_width). Fails the test at its end when anything was wrong;
 * each fault is a line on stderr, and so is the number of points. */
void sweep_run(const struct sweep *sweep);

#endif
