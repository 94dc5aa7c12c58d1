/* Instances that serve and have to be started anew for what changed: all replicas of one entry of the file. */
#include "fleet/apply.h"

void steps_replace(struct steps *steps, const struct batch *replicas)
{
	batch_carry_out(steps, replicas);
}
