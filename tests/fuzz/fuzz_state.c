/* Any bytes as the record of a container: refused with one line, or facts that the next command can use. Before the
 * first two NULs stand the texts of its two links, the rest is facts.json. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "runtime/state/state.h"

/* The bytes up to the next NUL, which are used up; NULL: none, as of a link that is not there. */
static const char *link_take(struct arena *arena, const char **bytes, size_t *size)
{
	const char *end = memchr(*bytes, '\0', *size), *text;

	if (!end)
		return NULL;
	text = end > *bytes ? arena_bytes(arena, *bytes, (size_t)(end - *bytes)) : NULL;
	*size -= (size_t)(end - *bytes) + 1;
	*bytes = end + 1;
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *bytes = (const char *)data;
	struct state_texts texts = {0};
	struct container_facts facts;
	struct error err;
	size_t length;

	texts.cgroup = link_take(&arena, &bytes, &size);
	texts.process = link_take(&arena, &bytes, &size);
	texts.facts = arena_bytes(&arena, bytes, size);
	texts.facts_length = size;
	if (state_parse(&arena, &texts, "web", &facts, &err) < 0) {
		FUZZ_ASSERT(err.kind == ERROR_USAGE && !strchr(err.text, '\n') && strstr(err.text, "\"web\""));
		return 0;
	}
	FUZZ_ASSERT(!strcmp(facts.id, "web") && facts.bundle && facts.root && facts.boot && facts.init.pid >= 0);
	auto_free char *json = state_hook_json(&facts, "running", 7, &length);
	FUZZ_ASSERT(json && strlen(json) == length);
	return 0;
}
