/* Any bytes as the name of an image: what is taken is harmless in a path and a URL, and means the same when it is
 * written out and read again. The first byte chooses the default registry. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "images/store/reference.h"

static void check_same(const struct reference *a, const struct reference *b)
{
	FUZZ_ASSERT(text_equal(a->registry, b->registry) && text_equal(a->repository, b->repository));
	FUZZ_ASSERT(text_equal(a->tag, b->tag) && text_equal(a->digest, b->digest));
}

static void check_reads_back(
	struct arena *arena, const struct reference *reference, const char *text, const char *default_registry)
{
	struct reference again;
	struct error err;

	FUZZ_ASSERT(reference_parse(arena, text, default_registry, &again, &err) == 0);
	check_same(reference, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *home = size && data[0] & 1 ? "host.local:5000" : NULL;
	auto_free char *text = size ? strndup((const char *)data + 1, size - 1) : strdup("");
	struct reference reference;
	struct error err;

	if (reference_parse(&arena, text, home, &reference, &err) < 0) {
		FUZZ_ASSERT(err.kind == ERROR_USAGE && *err.text && !strchr(err.text, '\n'));
		return 0;
	}
	FUZZ_ASSERT(!strstr(reference.repository, "..") && !strstr(reference.repository, "//"));
	FUZZ_ASSERT(!strpbrk(reference.repository, ":@?#%\\ ") && *reference.repository != '/');
	FUZZ_ASSERT(!strpbrk(reference.registry, "/@?#%\\ "));
	FUZZ_ASSERT(reference.tag || reference.digest);
	check_reads_back(&arena, &reference, reference_full(&arena, &reference), "other.local");
	check_reads_back(&arena, &reference, reference_familiar(&arena, &reference, home), home);
	return 0;
}
