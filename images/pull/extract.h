/* Entries of an archive → files below one directory. Our own extractor: a library's would follow its own rules.
 *
 * Nothing outside the directory is ever reached: names are cleaned (".." is refused), the directory of each is opened
 * with openat2(RESOLVE_IN_ROOT), and what is made there is made by its last name alone, never through a link. So an
 * archive's links lead where they would lead inside the image, or nowhere. What archives may say and what becomes of it
 * is in docs/images-unpacking.md.
 *
 * The caller has umask 0, and runs in a process that may do nothing else (sandbox.h); the tests and the fuzz target
 * call this directly. */
#ifndef WARREN_IMAGES_PULL_EXTRACT_H
#define WARREN_IMAGES_PULL_EXTRACT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "images/pull/layer.h"

#define EXTRACT_PATH_MAX 4095
#define EXTRACT_LEFT_OUT_MAX 160

/* The content of a regular file in pieces of rising offset: 1 a piece, 0 the end, -1 failed. */
struct extract_data {
	int (*next)(struct extract_data *data, const void **bytes, size_t *length, int64_t *offset, struct error *err);
};

struct extract_attribute {
	const char *name;
	const void *value;
	size_t length;
};

struct extract_entry {
	const char *path;      /* as it stands in the archive */
	const char *hard_link; /* the path of another entry, or NULL */
	const char *symlink;   /* the text of a symbolic link */
	mode_t mode;	       /* kind and permissions */
	int64_t uid, gid;
	int64_t size;
	struct timespec mtime;
	const struct extract_attribute *attributes;
	size_t attribute_count;
	struct extract_data *data;
};

struct extract_directory {
	const char *path;
	struct timespec mtime;
};

struct extract {
	int root;
	bool base;
	struct layer_limits limits;
	struct layer_content content;
	bool recount; /* something was replaced: content is counted anew at the end */
	uint64_t entries;
	uint64_t bytes; /* of all files, as they are said to be long */
	uint64_t checked_bytes;
	uint64_t left_out;
	char left_out_first[EXTRACT_LEFT_OUT_MAX];
	struct strings opaque, implied; /* paths */
	bool overlay_marks;

	struct arena arena;
	struct extract_directory *directories; /* that entries named, in their order */
	size_t directory_count, directory_room;
	char parent_path[EXTRACT_PATH_MAX + 1]; /* of the descriptor below */
	int parent;				/* the directory of the last entry, O_PATH; -1 none */
};

/* root is borrowed. Limits that are 0 become the defaults. */
void extract_begin(struct extract *extract, int root, bool base, const struct layer_limits *limits);
MUST_CHECK int extract_entry(struct extract *extract, const struct extract_entry *entry, struct error *err);
/* After the last entry: times of directories, what is implied, what there is. */
MUST_CHECK int extract_finish(struct extract *extract, struct error *err);
void extract_drop(struct extract *extract);

/* --- inside the extractor --- */

/* Without "." and empty components, slashes in front and at the end; "" is the root. Refused: ".." anywhere, too long,
 * too deep. what is "path" or "hard link". */
MUST_CHECK int extract_path_clean(
	const char *what, const char *path, char out[EXTRACT_PATH_MAX + 1], struct error *err);
/* The directory that holds the cleaned path, made when missing; borrowed until the next call. *name: the last
 * component. Links on the way are followed inside the root. */
MUST_CHECK int extract_parent(struct extract *extract, const char *path, const char **name, struct error *err);
/* The same without making anything, and the descriptor is the caller's: -1 with errno. */
int extract_parent_existing(struct extract *extract, const char *path, const char **name);
void extract_parent_forget(struct extract *extract);

/* Removes what stands at dir/name, directories with all that is in them. */
MUST_CHECK int extract_replace(struct extract *extract, int dir, const char *name, struct error *err);
bool extract_is_whiteout(const struct stat *status);
/* Makes a directory where a whiteout stands: an opaque one. */
MUST_CHECK int extract_reopen(struct extract *extract, int dir, const char *name, const char *path, struct error *err);

/* ".wh.…" of AUFS, as layers have it: 1 the entry was one (and is done or of no use), 0 it is an ordinary entry. */
MUST_CHECK int extract_whiteout(struct extract *extract, const char *path, struct error *err);

MUST_CHECK int extract_count(struct extract *extract, const char *path, struct error *err); /* one more entry */
PRINTF(2, 3) void extract_leave_out(struct extract *extract, const char *format, ...);
MUST_CHECK int extract_attributes(
	struct extract *extract, int fd, const struct extract_entry *entry, struct error *err);

#endif
