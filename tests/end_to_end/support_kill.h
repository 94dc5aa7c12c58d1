/* Sweeps of `warren` on a host of their own: words of its commands, and fleets that differ in one thing. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_KILL_H
#define WARREN_TESTS_END_TO_END_SUPPORT_KILL_H

#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_sweep.h"
#include "tests/test.h"

#define RUN_SLEEP                                                                                                      \
	{                                                                                                              \
		"run", "-d", "--name", "a", "-p", "8090:80", "-v", "VOLUME", "host", "sleep", "1000"                   \
	}
#define APPLY                                                                                                          \
	{                                                                                                              \
		"apply", "-q", "-j", "3", "FLEET"                                                                      \
	}
#define REMOVE                                                                                                         \
	{                                                                                                              \
		"rm", "-f", "a"                                                                                        \
	}
#define DOWN                                                                                                           \
	{                                                                                                              \
		"down", "-q", "shop"                                                                                   \
	}

#define CREATE                                                                                                         \
	{                                                                                                              \
		"create", "--name", "a", "host", "sleep", "1000"                                                       \
	}
#define RESTART                                                                                                        \
	{                                                                                                              \
		"restart", "-t", "0s", "a"                                                                             \
	}
#define REMOVE_ALL                                                                                                     \
	{                                                                                                              \
		"rm", "-f", "--all"                                                                                    \
	}

/* While its monitor writes down that it has ended, nobody can know yet whether it starts it again. */
#define ENDING "running starting restarting stopped"

/* Fills in what all of them have in common and runs it. In commands VOLUME is a directory and where it is seen inside,
 * and the name of a fleet (support_kill.c has them) is its file. */
void sweep_warren(struct sweep sweep);

#define KILL_TEST(name, ...)                                                                                           \
	TEST(kill, name, .fini = playground_rescue, .timeout = SLOWLY(7200))                                           \
	{                                                                                                              \
		const struct sweep sweep = {__VA_ARGS__};                                                              \
		if (!sweep.also_slow)                                                                                  \
			NEEDS_A_FAST_PROCESSOR();                                                                      \
		if (sweep.rare)                                                                                        \
			NEEDS_ALL_THE_TIME();                                                                          \
		sweep_warren(sweep);                                                                                   \
	}

#endif
