/* One entry of a tar stream, described and then written. Shared by tar_write.c and tar_tree.c. */
#ifndef WARREN_IMAGES_PULL_DESCRIBED_H
#define WARREN_IMAGES_PULL_DESCRIBED_H

#include <sys/stat.h>

#include "base/text.h"
#include "images/pull/source.h"

struct described {
	const char *path, *link;
	struct stat status;
	char type;	 /* as in the header: '0' file, '1' hard link, '2' symbolic link … */
	struct text pax; /* "length key=value\n" records */
};

void described_add(struct text *pax, const char *key, const void *value, size_t length);
/* The header, a pax header before it when it needs one. */
MUST_CHECK int described_write(struct sink *sink, struct described *entry, struct error *err);
void described_drop(struct described *entry);

#endif
