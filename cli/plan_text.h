/* A plan as people and programs read it. */
#ifndef WARREN_CLI_PLAN_TEXT_H
#define WARREN_CLI_PLAN_TEXT_H

#include <stdio.h>

#include "base/arena.h"
#include "fleet/fleet.h"

struct plan_text {
	bool json, expand;   /* expand: every key of every instance, defaults included */
	const char *nothing; /* what is said when there is nothing to do */
};

void plan_print(struct arena *arena, const struct fleet_plan *plan, const struct plan_text *how, FILE *out);
/* One instance after `set`: a line for each change, or one that says there was none. */
void changes_print(struct arena *arena, const char *name, const struct plan_changes *changes, FILE *out);

#endif
