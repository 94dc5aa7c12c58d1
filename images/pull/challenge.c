/* Reading WWW-Authenticate; see challenge.h. A small scanner over the grammar of RFC 7235, section 4.1:
 *
 *   challenges = challenge *( "," challenge );  challenge = scheme [ token68 / parameter *( "," parameter ) ]
 *
 * A comma separates both, so what follows one is a parameter when it is a word and '=', else the next scheme. */
#include "images/pull/challenge.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"

#define HEADER_MAX 8192

static const char token_letters[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char token68_letters[] = "-._~+/0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

static const struct {
	const char *name;
	size_t offset;
} parameters[] = {
	{"realm", offsetof(struct challenge, realm)},
	{"service", offsetof(struct challenge, service)},
	{"scope", offsetof(struct challenge, scope)},
	{"error", offsetof(struct challenge, error)},
};

static void blanks_skip(const char **p)
{
	*p += strspn(*p, " \t");
}

static const char *word_take(struct arena *arena, const char **p)
{
	size_t length = strspn(*p, token_letters);
	const char *word = length ? arena_bytes(arena, *p, length) : NULL;

	*p += length;
	return word;
}

/* NULL when the closing quote is missing or a control character is inside. */
static const char *quoted_take(struct arena *arena, const char **p)
{
	struct text value AUTO(text_drop) = {0};

	for (++*p; **p && **p != '"'; ++*p) {
		if (**p == '\\' && (*p)[1])
			++*p;
		if ((unsigned char)**p < 0x20 || **p == 0x7f)
			return NULL;
		text_append_bytes(&value, *p, 1);
	}
	if (**p != '"')
		return NULL;
	++*p;
	return arena_string(arena, text_string(&value));
}

/* Where the value begins, when a word and '=' are next. "x==" is no parameter but credentials in base64. */
static bool parameter_is_next(const char *p)
{
	size_t word = strspn(p, token_letters);

	if (!word)
		return false;
	p += word;
	p += strspn(p, " \t");
	if (*p != '=')
		return false;
	p++;
	p += strspn(p, " \t");
	return *p && *p != ',' && *p != '=';
}

static void parameter_keep(struct challenge *challenge, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
		const char **member = (const char **)((char *)challenge + parameters[i].offset);

		if (strcasecmp(name, parameters[i].name) == 0 && !*member)
			*member = value;
	}
}

static bool parameter_take(struct arena *arena, const char **p, struct challenge *challenge)
{
	const char *name = word_take(arena, p), *value;

	blanks_skip(p);
	++*p; /* '=', as parameter_is_next() saw */
	blanks_skip(p);
	value = **p == '"' ? quoted_take(arena, p) : word_take(arena, p);
	if (!value)
		return false;
	parameter_keep(challenge, name, value);
	return true;
}

static enum challenge_scheme scheme_find(const char *name)
{
	if (strcasecmp(name, "Bearer") == 0)
		return CHALLENGE_BEARER;
	return strcasecmp(name, "Basic") == 0 ? CHALLENGE_BASIC : CHALLENGE_NONE;
}

/* False: the rest of the header is nonsense. */
static bool challenge_take(struct arena *arena, const char **p, struct challenge *out)
{
	const char *scheme = word_take(arena, p);

	*out = (struct challenge){0};
	if (!scheme)
		return false;
	out->scheme = scheme_find(scheme);
	blanks_skip(p);
	if (**p && **p != ',' && !parameter_is_next(*p)) {
		*p += strspn(*p, token68_letters);
		*p += strspn(*p, "=");
		blanks_skip(p);
		return true;
	}
	while (parameter_is_next(*p)) {
		if (!parameter_take(arena, p, out))
			return false;
		blanks_skip(p);
		if (**p != ',')
			return true;
		*p += strspn(*p, ", \t");
	}
	return true;
}

/* A Bearer challenge without a realm cannot be answered. */
static bool is_better(const struct challenge *challenge, const struct challenge *best)
{
	if (challenge->scheme == CHALLENGE_BEARER && !challenge->realm)
		return false;
	return challenge->scheme > best->scheme;
}

struct challenge challenge_parse(struct arena *arena, const char *header)
{
	struct challenge best = {0}, next;
	const char *p = header;

	if (strlen(header) > HEADER_MAX)
		return best;
	for (;;) {
		p += strspn(p, ", \t");
		if (!*p || !challenge_take(arena, &p, &next))
			return best;
		if (is_better(&next, &best))
			best = next;
		if (*p && !strspn(p, ", \t") && !strchr(token_letters, *p))
			return best;
	}
}
