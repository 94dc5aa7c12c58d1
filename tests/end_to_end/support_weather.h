/* What goes wrong with a playground's host from time to time, and comes right again. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_WEATHER_H
#define WARREN_TESTS_END_TO_END_SUPPORT_WEATHER_H

#include "tests/end_to_end/support_instance.h"

struct weather {
	bool has_small_disk;	/* the state directory's: a file takes all the room that is left */
	bool has_little_memory; /* all instances and their monitors together */
};

/* To be called every now and then with the next number; with 0 all is well. */
void weather_change(const struct playground *here, const struct weather *weather, unsigned tick);

#endif
