/* One word after the other, and inside a word one piece after the other: plain, '…' or "…". */
#include "fleet/spec/words.h"

#include <string.h>

#include "base/cleanup.h"

#define BLANKS " \t\r\n"

/* Each takes its piece off the front of *at. */
static int single_quoted_take(const char **at, struct text *word, struct error *err)
{
	const char *end = strchr(*at + 1, '\'');

	if (!end)
		return fail(err, ERROR_USAGE, "a single quote is not closed");
	text_append_bytes(word, *at + 1, (size_t)(end - *at) - 1);
	*at = end + 1;
	return 0;
}

static int double_quoted_take(const char **at, struct text *word, struct error *err)
{
	const char *p;

	for (p = *at + 1; *p && *p != '"'; p++) {
		if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
			p++;
		text_append_bytes(word, p, 1);
	}
	if (!*p)
		return fail(err, ERROR_USAGE, "a double quote is not closed");
	*at = p + 1;
	return 0;
}

static int plain_take(const char **at, struct text *word, struct error *err)
{
	if (**at == '\\' && !*++*at)
		return fail(err, ERROR_USAGE, "a backslash at the end");
	text_append_bytes(word, (*at)++, 1);
	return 0;
}

static int word_take(const char **at, struct text *word, struct error *err)
{
	while (**at && !strchr(BLANKS, **at)) {
		int taken = **at == '\''  ? single_quoted_take(at, word, err)
			    : **at == '"' ? double_quoted_take(at, word, err)
					  : plain_take(at, word, err);

		if (taken < 0)
			return -1;
	}
	return 0;
}

int words_split(struct arena *arena, const char *text, struct strings *out, struct error *err)
{
	AUTO(text_drop) struct text word = {0};

	for (text += strspn(text, BLANKS); *text; text += strspn(text, BLANKS)) {
		text_clear(&word);
		if (word_take(&text, &word, err) < 0)
			return -1;
		strings_add(arena, out, arena_string(arena, text_string(&word)));
	}
	return 0;
}
