/* Any bytes as JSON: an error of one line with a position inside the text, or a tree whose positions are right and
 * which reads back the same after it was written. The first byte chooses whether comments are allowed. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/json.h"

static void check_node(const struct json_doc *doc, const struct json *node)
{
	static const char first[] = {[JSON_NULL] = 'n', [JSON_STRING] = '"', [JSON_ARRAY] = '[', [JSON_OBJECT] = '{'};
	uint32_t count = 0;

	FUZZ_ASSERT(node->offset < doc->length);
	if (node->kind == JSON_NUMBER)
		FUZZ_ASSERT(!strncmp(doc->text + node->offset, node->text, strlen(node->text)));
	else if (node->kind == JSON_BOOL)
		FUZZ_ASSERT(doc->text[node->offset] == (node->boolean ? 't' : 'f'));
	else
		FUZZ_ASSERT(doc->text[node->offset] == first[node->kind]);
	if (node->key)
		FUZZ_ASSERT(doc->text[node->key_offset] == '"' && node->key_offset < node->offset);
	for (const struct json *member = node->first; member; member = member->next, count++)
		check_node(doc, member);
	FUZZ_ASSERT(count == node->count);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void check_same(const struct json *a, const struct json *b)
{
	FUZZ_ASSERT(a->kind == b->kind && a->count == b->count && a->boolean == b->boolean);
	FUZZ_ASSERT(same_text(a->key, b->key) && same_text(a->text, b->text));
	for (a = a->first, b = b->first; a; a = a->next, b = b->next)
		check_same(a, b);
}

static void check_writes_back(struct arena *arena, const struct json_doc *doc, enum encode_style style)
{
	struct encoder *encoder AUTO(encoder_drop) = encoder_new(style);
	auto_free char *text = NULL;
	struct json_doc again;
	struct error err;
	size_t length;

	encode_json(encoder, NULL, doc->root);
	text = encoder_take(encoder, &length);
	if (length > (8 << 20)) /* escapes and blanks may make it longer than what is read */
		return;
	FUZZ_ASSERT(json_parse(arena, "again", text, length, JSON_PLAIN, &again, &err) == 0);
	check_same(doc->root, again.root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct json_doc doc;
	struct error err;

	if (!size)
		return 0;
	if (json_parse(&arena, "fuzz", (const char *)data + 1, size - 1, data[0] & 1 ? JSON_COMMENTS : JSON_PLAIN, &doc,
		    &err) < 0) {
		FUZZ_ASSERT(err.kind == ERROR_USAGE && !strncmp(err.text, "fuzz:", 5) && !strchr(err.text, '\n'));
		return 0;
	}
	check_node(&doc, doc.root);
	check_writes_back(&arena, &doc, data[0] & 2 ? ENCODE_PRETTY : ENCODE_COMPACT);
	return 0;
}
