/* The files that an image on disk consists of: in a directory, or in an uncompressed archive. */
#ifndef WARREN_IMAGES_PULL_FILES_H
#define WARREN_IMAGES_PULL_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "images/pull/archive_index.h"
#include "images/pull/source.h"

struct files {
	int fd; /* the directory or the archive */
	bool archive;
	struct archive_index index;
	struct arena arena; /* of the index */
};
#define NO_FILES ((struct files){.fd = -1})

/* path is the user's own, links are followed. Below a directory none leads out of it. */
MUST_CHECK int files_open(const char *path, struct files *out, struct error *err);
void files_drop(struct files *files);

bool files_have(const struct files *files, const char *name);
MUST_CHECK int files_read(const struct files *files, struct arena *arena, const char *name, size_t max,
	const char **bytes, size_t *length, struct error *err);
/* The size, and the first bytes (as many as there are). */
MUST_CHECK int files_peek(
	const struct files *files, const char *name, uint64_t *size, uint8_t *first, size_t *count, struct error *err);
/* Any thread. */
MUST_CHECK int files_send(const struct files *files, const char *name, struct sink *sink, struct error *err);

/* From a descriptor to a sink, `size` bytes from `offset` on (offset -1: what read(2) gives, to the end). */
MUST_CHECK int fd_send(int fd, int64_t offset, uint64_t size, struct sink *sink, struct error *err);

#endif
