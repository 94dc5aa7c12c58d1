/* Copies between the host and an instance's root (`warren cp`).
 *
 * An instance, which may be running, owns one of the two sides: any name in it may become a link to anything at any
 * moment. Its paths are resolved inside its root only, every directory further down is opened without following, what
 * is opened is asked again what it is, and existing files are never written to, but replaced. */
#ifndef WARREN_IMAGES_TRANSFER_H
#define WARREN_IMAGES_TRANSFER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"

struct transfer_side {
	int root;	   /* of the instance; -1: the host's side, where paths are the user's own */
	uid_t id_base;	   /* host id of the instance's root, as seen through `root` */
	unsigned id_count; /* how many ids it has; 0: the host's side */
};

/* Where something is or shall be: opened, so that nobody can move it away from under us. */
struct transfer_place {
	const struct transfer_side *side; /* borrowed */
	int dir;
	const char *name;     /* in it; NULL: the directory itself, its content */
	const char *as;	      /* of a source: what it is called where it comes into a directory; NULL: it has no name */
	bool wants_directory; /* the path ended in a slash */
};
void transfer_place_drop(struct transfer_place *place);

/* What is to be copied. "DIR/." means the content of DIR, as does "/". follow: of a link what it leads to, under the
 * link's name. Strings lie in the arena. ERROR_MISSING. */
MUST_CHECK int transfer_source_open(const struct transfer_side *side, const char *path, bool follow,
	struct arena *arena, struct transfer_place *out, struct error *err);
/* Where it is to be: an existing directory (also through links), or a name in one that exists. ERROR_MISSING. */
MUST_CHECK int transfer_target_open(const struct transfer_side *side, const char *path, struct arena *arena,
	struct transfer_place *out, struct error *err);

/* Copies, into the directory when `to` is one, with all below. Modes and times come along. Owners: on the host whoever
 * runs us, in an instance its root; with `archive` the ids inside, which are plain numbers on the host, and the user's
 * attributes too. Set-id bits only come along into an instance, with `archive`. Files and links are replaced,
 * directories are merged. Devices, sockets and what is on a file system of the kernel's own (proc, sysfs, cgroup) is
 * left out with a warning. Hard links become files of their own. */
MUST_CHECK int transfer_run(
	const struct transfer_place *from, const struct transfer_place *to, bool archive, struct error *err);

/* --- archives ----------------------------------------------------------------------------------------------------- */

/* A directory of the store's staging area, for what comes out of an archive or goes into one: warren-pull, which knows
 * archives, has to do with nothing but that. Whoever is killed leaves it to the next collection. */
struct transfer_scratch;
struct transfer_scratch *transfer_scratch_make(const char *store_path, struct error *err);
void transfer_scratch_drop(struct transfer_scratch **scratch); /* with all that is in it */
/* Its directory, ours until it is dropped, and what transfer_scratch_open() knows it by. */
int transfer_scratch_tree(const struct transfer_scratch *scratch);
const char *transfer_scratch_name(const struct transfer_scratch *scratch);
/* The same directory, by another process: its own descriptor, opened for reading. */
struct store;
MUST_CHECK int transfer_scratch_open(const struct store *store, const char *name, struct error *err);

#endif
