/* Any bytes as a WWW-Authenticate header: what is made of it holds no control character, so that none of it can begin
 * another header or a line on a terminal; a Bearer challenge has a realm. The same bytes as base64: what decodes is
 * what encodes to them. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "images/pull/base64.h"
#include "images/pull/challenge.h"

static void check_text(const char *text)
{
	for (; text && *text; text++)
		FUZZ_ASSERT((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_challenge(struct arena *arena, const char *header)
{
	struct challenge challenge = challenge_parse(arena, header);

	check_text(challenge.realm);
	check_text(challenge.service);
	check_text(challenge.scope);
	check_text(challenge.error);
	FUZZ_ASSERT(challenge.scheme != CHALLENGE_BEARER || challenge.realm);
}

static void check_base64(struct arena *arena, const char *text)
{
	const char *decoded = base64_decode(arena, text);

	FUZZ_ASSERT(!decoded || strcmp(base64_encode(arena, decoded), text) == 0);
	FUZZ_ASSERT(text_equal(base64_decode(arena, base64_encode(arena, text)), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *text = strndup((const char *)data, size);

	check_challenge(&arena, text);
	check_base64(&arena, text);
	return 0;
}
