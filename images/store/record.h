/* The JSON files of the store. Private to this folder. */
#ifndef WARREN_IMAGES_RECORD_H
#define WARREN_IMAGES_RECORD_H

#include "base/decode.h"
#include "images/store/store.h"

/* A file of ours by its table: replaced whole; read leniently, so that a newer program's file serves an older one. */
MUST_CHECK int record_file_write(
	int dir, const char *path, const struct field *fields, const void *from, struct error *err);
MUST_CHECK int record_file_read(
	struct arena *arena, int dir, const char *path, const struct field *fields, void *into, struct error *err);

/* A key is also a file name: lower-case letters, digits and '-', shorter than LAYER_KEY_MAX. */
MUST_CHECK int layer_key_check(const char *key, struct error *err);

/* The record of an image, checked, wherever it lies. */
MUST_CHECK int image_record_read(
	struct arena *arena, int dir, const char *path, struct image_record *out, struct error *err);
MUST_CHECK int image_record_write(int dir, const char *path, const struct image_record *record, struct error *err);

/* Where the records of a name lie: below names/, the directory and the file in it. */
struct name_place {
	char directory[REFERENCE_NAME_MAX + 1];
	char file[160]; /* a tag, or "@sha256:…" */
};
MUST_CHECK int name_place_find(const struct reference *name, struct name_place *out, struct error *err);
/* Takes a record away, and the directory of its name when it was the last there. The store's lock is held exclusively.
 */
MUST_CHECK int name_remove(const struct store *store, const struct name_place *place, struct error *err);

/* All names, sorted: what to call for each, with its place. A record that cannot be read is told to the log and passed
 * over, but then *damaged is true: nothing may be thought unused. */
struct name_visitor {
	int (*visit)(
		void *context, const struct name_place *place, const struct image_record *record, struct error *err);
	void *context;
};
MUST_CHECK int names_visit(const struct store *store, struct arena *arena, const struct name_visitor *visitor,
	bool *damaged, struct error *err);

#endif
