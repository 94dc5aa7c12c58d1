/* Instances that serve and have to be started anew for what changed. */
#include "fleet/apply.h"

void steps_replace(struct steps *steps, const struct batch *batch)
{
	batch_carry_out(steps, batch);
}
