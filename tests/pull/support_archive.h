/* Archives made by the tests themselves, byte by byte, so that they can say what no tool would write. */
#ifndef WARREN_TESTS_PULL_SUPPORT_ARCHIVE_H
#define WARREN_TESTS_PULL_SUPPORT_ARCHIVE_H

#include <stdint.h>

#include "base/text.h"

/* One entry. Zero means: a regular file of root, mode 0644 (0755 a directory), 2023-11-14. */
struct made {
	const char *name;
	char type; /* as in the header: '0' file, '1' hard link, '2' symbolic link, '3', '4' devices, '5' directory, '6'
		      FIFO */
	const char *link;
	const char *content;
	size_t length; /* of content; 0: strlen() */
	unsigned mode;
	int64_t uid, gid; /* negative: base-256, as it is */
	int64_t mtime;
	const char *size_text; /* in place of the size's digits */
	const char *pax;       /* "key=value\n…" records for the entry, lengths are put in front */
};

/* Appends the entry: pax header if there is one, header, content, padding. A long name gets a GNU header of its own. */
void archive_add(struct text *archive, const struct made *entry);
#define ADD(archive, ...) archive_add(archive, &(struct made){__VA_ARGS__})
/* The two blocks of zeros at the end. */
void archive_end(struct text *archive);

/* What became of it packed; appended to *packed. */
void archive_gzip(const struct text *archive, struct text *packed);
void archive_zstd(const struct text *archive, struct text *packed);

#endif
