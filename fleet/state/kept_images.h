/* Which images a generation was made of. Only fleet/ includes this header.
 *
 * A name can mean another image tomorrow. So fleets/<name>/generations/<n>.images has the digest of each, and
 * fleets/<name>/images/ what it takes to have them again (images.h: image_hold()): kept by `image prune` for as long as
 * the generation is. */
#ifndef WARREN_FLEET_STATE_KEPT_IMAGES_H
#define WARREN_FLEET_STATE_KEPT_IMAGES_H

#include "fleet/state/generation.h"

/* Before anything is changed: what the file's images mean now is held. Never fails: what cannot be held is not to be
 * had again by a rollback, which says so. */
void kept_images_hold(struct host *host, int dir, const struct fleet_file *file);
/* When all is done: notes what the instances were really made of, and lets go of what no kept generation needs. */
void kept_images_note(struct host *host, int dir, int64_t number, const struct fleet_file *file);
/* The same images as then for what a generation says: where a name means another one now it is followed by the digest.
 * have: such an image gets its name again; what is not here any more is said. */
MUST_CHECK int kept_images_pin(struct arena *arena, struct host *host, int dir, int64_t number, bool have,
	struct fleet_file *file, struct error *err);
/* With the generation's text. */
void kept_images_forget(int texts, int64_t number);

#endif
