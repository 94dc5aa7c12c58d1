/* Somebody's kill -9 of a process of a playground: a monitor, a first process, or any other in its control groups. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_VICTIMS_H
#define WARREN_TESTS_END_TO_END_SUPPORT_VICTIMS_H

#include <stdbool.h>

/* Kills one of the processes that are in a control group below `parent`; which one, `dice` (any number) says. It is
 * gone on return. False when there is none. By a descriptor that was held while it was looked at: its number cannot
 * have become another's. */
bool victim_kill(const char *parent, unsigned dice);
/* How many processes are below `parent` whose program's name (of 15 bytes) begins so. */
int victims_count(const char *parent, const char *name);

#endif
