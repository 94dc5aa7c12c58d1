/* The JSON files of the store: written and read by one table each. */
#include "images/store/record.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"

int record_file_write(int dir, const char *path, const struct field *fields, const void *from, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	auto_free char *text = NULL;
	size_t length;

	encode_object(encoder, NULL, fields, from);
	text = encoder_take(encoder, &length);
	return file_replace(dir, path, 0600, FILE_ORDERED, text, length, err);
}

int record_file_read(
	struct arena *arena, int dir, const char *path, const struct field *fields, void *into, struct error *err)
{
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};

	if (json_read(arena, dir, path, JSON_PLAIN, &doc, err) < 0)
		return -1;
	return decode_object(&decoder, doc.root, fields, into, err);
}

int layer_key_check(const char *key, struct error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t length = strlen(key);

	if (!length || length >= LAYER_KEY_MAX || strspn(key, letters) != length)
		return fail(err, ERROR_USAGE, "\"%.100s\" is no key of a layer", key);
	return 0;
}
