/* The three ways into an instance: as its first process, by exec and by shell. What holds for one must hold for all. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_WAYS_H
#define WARREN_TESTS_END_TO_END_SUPPORT_WAYS_H

#include "tests/end_to_end/support_instance.h"

enum way { BY_RUN, BY_EXEC, BY_SHELL };
extern const char *const way_names[];
#define FOR_EACH_WAY(way) for (enum way way = BY_RUN; way <= BY_SHELL; way++)

/* An instance that sleeps and has the probe. */
void instance_start(struct playground *playground, const char *name);

/* Runs the probe ("NAME ARGUMENT…", see support_probe.h) that way: in a new instance "first", or in the running one. */
struct run_result probe_in(struct playground *playground, enum way way, const char *name, const char *probe,
	const struct run_options *options);
/* The same with the running instance "inside". */
struct run_result probe_by(struct playground *playground, enum way way, const char *probe);

/* Of lines "KEY VALUE": the value of the first with that key, "" when there is none; how many begin with the text. */
const char *value_of(struct playground *playground, const char *lines, const char *key);
int count_of(const char *lines, const char *beginning);

#endif
