/* Starts a command and stops it at one chosen system call: there it is killed, or the call fails with an error of the
 * test's choice. By ptrace, so that every call of every task is a place, in order.
 *
 * Calls that change nothing but the calling process itself (memory, reading, looking, closing, its own identity) are
 * not counted: to be killed at one of them is to be killed at the next one that counts. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_STEPPER_H
#define WARREN_TESTS_END_TO_END_SUPPORT_STEPPER_H

#include "tests/end_to_end/support_run.h"

/* Whose calls are counted, and who is killed. Tasks are followed up to where they execute a program. */
enum step_where {
	STEP_COMMAND,  /* the command itself; what it started lives on */
	STEP_CHILDREN, /* those it forked or cloned: the one that makes the call is killed */
	STEP_ALL,      /* all: all are killed, as by a power cut */
};

#define STEP_EVERY_CALL (-1)

struct step {
	const char *const *argv; /* argv[0] is a path */
	const char *directory;	 /* working directory; NULL: ours */
	enum step_where where;
	int at; /* the how manieth call, from 1; 0: none, it runs through */
	/* 0: kill; else the at-th `call` fails with this errno, instead of being made. Those of the loader, before the
	 * program itself sets its umask or asks who it is (geteuid), do not count. */
	int error;
	long call;	     /* or STEP_EVERY_CALL: any that can fail */
	const long *missing; /* these calls fail with ENOSYS in all processes; ends with -1; NULL: none */
};

struct step_result {
	bool reached; /* false: the command ended before */
	bool timed_out;
	long call;  /* at which it was reached */
	int tracee; /* how manieth task it was: 0 the command itself */
	int status; /* of the command: exit status, or 128 + signal */
	char *out, *err;
};

/* Waits for the command's end; what it left running runs on, untraced. */
struct step_result step_run(const struct step *step);
void step_result_drop(struct step_result *result);
#define auto_step AUTO(step_result_drop) struct step_result

/* From one point to the next: `usual`, or what the environment's WARREN_KILL_STEP says (1: all). */
int step_width(int usual);

#endif
