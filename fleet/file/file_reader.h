/* A fleet file while it is read: what file.c decodes, file_check.c and file_networks.c look at. Only these
 * include this header. */
#ifndef WARREN_FLEET_FILE_FILE_READER_H
#define WARREN_FLEET_FILE_FILE_READER_H

#include <sys/types.h>

#include "base/decode.h"
#include "fleet/spec.h"
#include "fleet/spec/spec_fields.h"

/* The layers stay trees until they are merged. */
struct file_top {
	int64_t version;
	const char *name;
	const struct json *defaults, *profiles, *instances, *networks_node;
	LIST_OF(struct network_spec) networks;
	struct strings volumes, include;
};

/* A file that was read: who may have written it. */
struct read_file {
	const char *path;
	dev_t device;
	ino_t inode;
	uid_t owner;
	mode_t mode;
};

/* Where an instance stands in the file, beside fleet_file.instances until they are sorted. */
struct place {
	const struct json *entry;  /* its member of "instances" */
	const struct json *merged; /* what it came to */
};

struct reader {
	struct arena *arena;
	struct json_doc doc;
	const char *directory; /* of the file: where relative sources begin */
	bool check_sources;
	LIST_OF(struct read_file) files; /* the fleet file first, then what it includes */
	struct file_top top;
	struct fleet_file *file;
	struct place *places;
	size_t room;
	size_t expanded_bytes;
	struct error *err;
};

/* The node that a fault is about and the key to name; NULL: the file does not say anything there. */
const struct json *fault_node(const struct json *merged, const struct spec_fault *fault, const char **key);
/* The keys at the top of the file, and those of a network. */
extern const struct field file_fields[], network_fields[];

/* The error in reader->err, at the key of a node; -1. */
int fail_at_key(const struct reader *reader, const struct json *node);
/* "what "x" …; did you mean "y"?", y being a member of among (NULL: none); -1. */
int fail_unknown(const struct reader *reader, const struct json *node, const char *what, const char *name,
	const struct json *among, const char *why);

/* The object as it is, its keys checked; for what is merged before it is decoded. */
MUST_CHECK int decode_tree(const struct decoder *decoder, const struct json *node, void *member, struct error *err);

/* The directory of the file that a node was written in: where its relative paths begin. */
const char *node_directory(const struct reader *reader, const struct json *node);

/* --- file_trust.c ------------------------------------------------------------------------------------------------- */

#define FILE_MAX_BYTES ((size_t)1 << 20)
#define FILES_MAX 1024

/* Opens, checks and reads a file through one descriptor, and notes whose it is. What is in it runs as root here, so one
 * that everybody may write is refused. A file that was read before: ERROR_USAGE. */
MUST_CHECK int file_text_read(struct reader *reader, const char *path, const char **text, size_t *length);
/* What runs programs on the host, or goes past the checks of the other keys, is taken only from files that nobody but
 * root, or the user behind sudo, can have written. */
MUST_CHECK int check_trust(const struct reader *reader);

/* --- file_include.c ----------------------------------------------------------------------------------------------- */

/* Puts what the file includes into its tree: reader->doc.root. */
MUST_CHECK int includes_merge(struct reader *reader);

/* --- file_networks.c ---------------------------------------------------------------------------------------------- */

/* "networks" of the top, into struct file_top. */
MUST_CHECK int decode_networks(const struct decoder *decoder, const struct json *node, void *into, struct error *err);
/* The networks that the file names, before any instance is looked at. */
MUST_CHECK int check_networks(const struct reader *reader);
bool subnets_overlap(const struct subnet *a, const struct subnet *b);

/* --- file_check.c ------------------------------------------------------------------------------------------------- */

/* What one instance cannot know alone: names, networks, volumes and dependencies it refers to, addresses and ports that
 * two want. */
MUST_CHECK int check_across(const struct reader *reader);
/* The value of a key of an instance, or an item of it; its entry when the file does not say anything there. */
const struct json *item_at(const struct reader *reader, size_t instance, const char *key, size_t index);
/* A network that the file names; NULL: none of that name. */
const struct network_spec *network_find(const struct reader *reader, const char *name);
/* What is allowed and hardly meant, into file->warnings. */
void warnings_collect(struct reader *reader);

/* --- file_sites.c ------------------------------------------------------------------------------------------------- */

/* Host names, front servers that reach them, and health that is waited for. */
MUST_CHECK int check_sites(const struct reader *reader);

#endif
