/* A directory tree as a tar stream: ustar headers, and pax headers for what does not fit them. Sorted by name, with
 * only what belongs to the content, so that the same tree gives the same bytes. Hard links stay hard links. */
#ifndef WARREN_IMAGES_PULL_TAR_WRITE_H
#define WARREN_IMAGES_PULL_TAR_WRITE_H

#include <stdbool.h>

#include "base/error.h"
#include "images/pull/source.h"

struct tar_write {
	struct sink *sink;
	bool without_top; /* no entry "./" for the tree itself: only for what is in it */
	bool layer; /* overlayfs' marks are written as ".wh." names, as a layer has them; else they are left out */
	const char *const *left_out; /* paths from the top ("etc/hosts") that are passed over with all below; ends with
					NULL; NULL: nothing is */
};

/* The whole tree, ended as an archive is: of one directory, or of several upon one another, the topmost first, as an
 * overlay file system would merge them (then not as a layer). They are borrowed. Links are not followed; other file
 * systems that are mounted in it, and sockets, are left out. */
MUST_CHECK int tar_write_tree(const struct tar_write *how, const int *directories, size_t count, struct error *err);

/* Single files into an archive of images: header, content, padding; then the end. */
MUST_CHECK int tar_write_file(struct sink *sink, const char *name, const void *bytes, size_t length, struct error *err);
/* The header of a file whose content and padding (tar_write_padding) the caller writes. */
MUST_CHECK int tar_write_header(struct sink *sink, const char *name, uint64_t length, struct error *err);
MUST_CHECK int tar_write_padding(struct sink *sink, uint64_t length, struct error *err);
MUST_CHECK int tar_write_end(struct sink *sink, struct error *err);

#endif
