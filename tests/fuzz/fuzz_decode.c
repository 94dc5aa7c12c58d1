/* Any JSON into a struct with a row of every kind: an error of one line, or a struct that decodes to the same text
 * again after it was written by its table. The first byte chooses the mode. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/decode.h"
#include "base/encode.h"

enum colour { RED, GREEN, BLUE };
static const char *const colour_names[] = {"red", "green", "blue", NULL};

struct leaf {
	const char *name;
	uint16_t port;
	struct optional id;
};

struct tree {
	const char *string;
	bool flag;
	int8_t small;
	uint32_t medium;
	int64_t large;
	struct optional optional;
	uint64_t whole;
	struct strings strings;
	struct pairs pairs;
	enum colour colour;
	struct leaf object;
	struct leaf *pointer;
	LIST_OF(struct leaf) list;
	LIST_OF(struct leaf) map;
	int64_t bytes;
};

static const struct field leaf_fields[] = {
	STRING("name", struct leaf, name, 0),
	INTEGER("port", struct leaf, port, 0, 65535, 0),
	OPTIONAL("id", struct leaf, id, INT64_MIN, INT64_MAX, 0),
	END_OF_FIELDS,
};

/* A map's key is its item's first member, so that is no key inside. */
static const struct field map_fields[] = {
	INTEGER("port", struct leaf, port, 0, 65535, 0),
	OPTIONAL("id", struct leaf, id, 0, 9, NULL_REFUSED),
	END_OF_FIELDS,
};

static int bytes_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *text;

	if (decode_string(decoder, node, &text, err) < 0)
		return -1;
	return size_parse(text, member, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static const struct field tree_fields[] = {
	STRING("string", struct tree, string, REQUIRED),
	BOOL("flag", struct tree, flag, 0),
	INTEGER("small", struct tree, small, -100, 100, 0),
	INTEGER("medium", struct tree, medium, 0, UINT32_MAX, 0),
	INTEGER("large", struct tree, large, INT64_MIN, INT64_MAX, 0),
	OPTIONAL("optional", struct tree, optional, 1, 100, 0),
	UINT64("whole", struct tree, whole, 0),
	STRINGS("strings", struct tree, strings, 0),
	PAIRS("pairs", struct tree, pairs, 0),
	ENUM("colour", struct tree, colour, colour_names, 0),
	OBJECT("object", struct tree, object, leaf_fields, 0),
	POINTER("pointer", struct tree, pointer, leaf_fields, 0),
	LIST("list", struct tree, list, leaf_fields, 0),
	MAP("map", struct tree, map, map_fields, 0),
	CUSTOM("bytes", struct tree, bytes, bytes_decode, 0),
	REFUSED("refused", "is refused"),
	END_OF_FIELDS,
};

static int decode(struct arena *arena, const char *text, size_t length, enum decode_mode mode, struct tree *tree,
	struct error *err)
{
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = mode};

	if (json_parse(arena, "fuzz", text, length, JSON_COMMENTS, &doc, err) < 0)
		return -1;
	return decode_object(&decoder, doc.root, tree_fields, tree, err);
}

static char *encode(const struct tree *tree, size_t *length)
{
	struct encoder *encoder AUTO(encoder_drop) = encoder_new(ENCODE_COMPACT);

	encode_object(encoder, NULL, tree_fields, tree);
	return encoder_take(encoder, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct tree tree = {0}, again = {0};
	struct error err;
	size_t length, again_length;

	if (!size)
		return 0;
	if (decode(&arena, (const char *)data + 1, size - 1, data[0] & 1 ? DECODE_LENIENT : DECODE_STRICT, &tree,
		    &err) < 0) {
		FUZZ_ASSERT(err.kind == ERROR_USAGE && !strncmp(err.text, "fuzz:", 5) && !strchr(err.text, '\n'));
		return 0;
	}
	auto_free char *text = encode(&tree, &length);
	FUZZ_ASSERT(decode(&arena, text, length, DECODE_STRICT, &again, &err) == 0);
	auto_free char *same = encode(&again, &again_length);
	FUZZ_ASSERT(length == again_length && !memcmp(text, same, length));
	return 0;
}
