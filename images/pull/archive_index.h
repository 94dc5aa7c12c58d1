/* Where the files of a tar archive lie in it, so that they can be read one by one: for archives that hold images (not
 * for their layers). A small strict reader of our own, because it runs in the process that holds the rights: headers of
 * ustar and GNU, regular files and symbolic links; what a pax header changes is passed over, and every loop is bounded.
 * Archives made by docker, podman, skopeo and buildkit need no more. */
#ifndef WARREN_IMAGES_PULL_ARCHIVE_INDEX_H
#define WARREN_IMAGES_PULL_ARCHIVE_INDEX_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

#define ARCHIVE_ENTRIES_MAX 65536

struct archive_file {
	const char *name; /* cleaned of "./" in front */
	const char *link; /* of a symbolic link, else NULL */
	uint64_t offset, size;
};

struct archive_index {
	struct archive_file *files;
	size_t count, room;
};

/* fd: a seekable, uncompressed tar. Names lie in the arena. */
MUST_CHECK int archive_index_read(int fd, struct arena *arena, struct archive_index *out, struct error *err);
void archive_index_drop(struct archive_index *index);
/* The last file of that name, links followed. ERROR_MISSING. */
const struct archive_file *archive_index_find(const struct archive_index *index, const char *name, struct error *err);

#endif
