/* The images that are here: listing, naming, removing, and giving back what nobody uses. A second header of this
 * folder, which only commands about images need. */
#ifndef WARREN_IMAGES_COLLECTION_H
#define WARREN_IMAGES_COLLECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "images/images.h"

/* One name. Sizes are what the layers take on disk; a layer is shared when another image, under any other manifest, or
 * an instance's snapshot has it too. */
struct image_info {
	const char *name, *familiar; /* "docker.io/library/debian:12", "debian:12" */
	const char *manifest_digest, *config_digest, *index_digest;
	const char *platform, *source;
	int64_t pulled_ms;
	size_t layers, instances; /* how many instances were made of this manifest */
	uint64_t bytes, own_bytes, shared_bytes, compressed_bytes;
};
struct image_list {
	struct image_info *items; /* by name */
	size_t count;
};
/* All of them; strings lie in the arena. A damaged record is told to the log and left out. */
MUST_CHECK int images_list(int store, struct arena *arena, struct image_list *out, struct error *err);

/* One, with what its config says. `name` as the user wrote it; also a digest of at least 12 digits. */
struct image_about {
	struct image_info info;
	struct image_config config;
	struct strings layers; /* keys, the lowest first */
	const char *created, *author;
};
MUST_CHECK int image_look(int store, const char *name, struct arena *arena, struct image_about *out, struct error *err);

/* Gives a second name to an image; a name that is taken means the new one from then on. */
MUST_CHECK int image_tag(int store, const char *name, const char *new_name, struct error *err);
/* Takes a name away. Instances of it go on: they keep their layers. Nothing is deleted before images_prune(). */
MUST_CHECK int image_untag(int store, const char *name, struct error *err);

/* True when the store has a layer that was made here by a snapshot or clone, needed or not. */
bool snapshot_layers_exist(int store);
/* True when a command that was killed has left in the store what it was making or deleting. */
bool store_leftovers_exist(int store);

struct prune_options {
	bool unused;   /* also names that no instance was made of */
	bool partials; /* also what is kept to continue a download */
};
struct prune_result {
	size_t names, layers, blobs, partials, staged;
	uint64_t bytes; /* of the layers, on disk */
};
/* Deletes what neither a name, an instance nor a running pull needs, and what killed commands left. When something
 * cannot be read that may need layers, nothing is deleted and that is the error. */
MUST_CHECK int images_prune(
	int store, const struct prune_options *options, struct prune_result *out, struct error *err);

/* --- volumes ------------------------------------------------------------------------------------------------------ */

struct volume_info {
	const char *name;
	bool anonymous;		  /* only an image asked for it */
	struct strings instances; /* that have it; "" stands for a snapshot */
	struct pairs labels;	  /* that it was made with */
};
struct volume_list {
	struct arena *arena;
	struct volume_info *items; /* by name */
	size_t count;
};
/* All named volumes, and the instances that have them because their image asked for them; whoever knows of others adds
 * these. */
MUST_CHECK int volumes_list(int store, struct arena *arena, struct volume_list *out, struct error *err);
void volume_use_add(struct volume_list *list, const char *volume, const char *instance);

#endif
