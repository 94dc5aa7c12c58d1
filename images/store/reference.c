/* The grammar of image names; see reference.h. Every rule is a function that looks at one part, from the end of the
 * text to its front: digest, tag, registry, repository. */
#include "images/store/reference.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define TAG_MAX 128
#define DIGEST_PREFIX "sha256:"
#define DIGEST_DIGITS 64
#define TEXT_MAX (REFERENCE_NAME_MAX + TAG_MAX + REFERENCE_DIGEST_SIZE)
#define LIBRARY "library/"
#define LABEL_MAX 63 /* RFC 1035 */

static const char lower_digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char hexadecimal[] = "0123456789abcdef";
static const char word_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
static const char tag_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
static const char host_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

/* --- digests ------------------------------------------------------------------------------------------------------ */

int digest_check(const char *what, const char *digest, struct error *err)
{
	size_t prefix = strlen(DIGEST_PREFIX), length = strlen(digest);

	if (strncmp(digest, DIGEST_PREFIX, prefix) == 0 && length == prefix + DIGEST_DIGITS &&
		strspn(digest + prefix, hexadecimal) == DIGEST_DIGITS)
		return 0;
	return fail(err, ERROR_USAGE, "%s \"%.100s\": must be \"sha256:\" and 64 lower-case hexadecimal digits", what,
		digest);
}

const char *digest_hex(const char *digest)
{
	return digest + strlen(DIGEST_PREFIX);
}

/* --- registries --------------------------------------------------------------------------------------------------- */

/* Labels of letters, digits and '-', which is neither first nor last (RFC 1123). */
static bool host_is_valid(const char *host, size_t length)
{
	size_t used = 0;

	while (used < length) {
		size_t label = strspn(host + used, host_letters);

		if (label > length - used)
			label = length - used;
		if (!label || label > LABEL_MAX || host[used] == '-' || host[used + label - 1] == '-')
			return false;
		used += label;
		if (used == length)
			return true;
		if (host[used++] != '.')
			return false;
	}
	return false;
}

static bool address_is_valid(const char *text, size_t length)
{
	return length > 2 && text[length - 1] == ']' && strspn(text + 1, "0123456789abcdefABCDEF:.") == length - 2;
}

/* The colon before the port, or the end. One inside the brackets of an address is none. */
static size_t host_length(const char *name)
{
	const char *from = *name == '[' ? strchr(name, ']') : name;
	const char *colon = from ? strchr(from, ':') : NULL;

	return colon ? (size_t)(colon - name) : strlen(name);
}

int registry_name_check(const char *what, const char *name, struct error *err)
{
	size_t length = host_length(name);
	struct error ignored;
	int64_t port;

	if (strlen(name) > REFERENCE_NAME_MAX)
		return fail(
			err, ERROR_USAGE, "%s \"%.60s…\": longer than %d characters", what, name, REFERENCE_NAME_MAX);
	if (*name == '[' ? !address_is_valid(name, length) : !host_is_valid(name, length))
		return fail(err, ERROR_USAGE, "%s \"%s\": must be a host name or address, as in registry.local:5000",
			what, name);
	if (name[length] == ':' && number_parse(name + length + 1, 1, 65535, &port, &ignored) < 0)
		return fail(err, ERROR_USAGE, "%s \"%s\": \"%s\" is not a port between 1 and 65535", what, name,
			name + length + 1);
	return 0;
}

/* The old name of the same registry, which lives on in configuration files. */
static const char *registry_normal(const char *registry)
{
	return text_equal(registry, "index.docker.io") ? REFERENCE_DOCKER : registry;
}

/* What is before the first slash, when it is a registry. Capital letters are in no repository, so they are in a host.
 */
static bool is_registry(const char *word)
{
	if (strpbrk(word, ".:[") || strcmp(word, "localhost") == 0)
		return true;
	for (; *word; word++)
		if (isupper((unsigned char)*word))
			return true;
	return false;
}

/* --- repositories and tags ---------------------------------------------------------------------------------------- */

/* How much of the text separates two words: one '.', one or two '_', any number of '-'; 0 for all else. */
static size_t separator_length(const char *text)
{
	if (*text == '.')
		return 1;
	if (*text == '_')
		return text[1] == '_' ? 2 : 1;
	return strspn(text, "-");
}

static bool component_is_valid(const char *text, size_t length)
{
	const char *end = text + length;

	for (;;) {
		size_t word = strspn(text, lower_digits), separator;

		if (!word)
			return false;
		text += word;
		if (text >= end)
			return text == end;
		separator = separator_length(text);
		if (!separator)
			return false;
		text += separator;
	}
}

static int repository_check(const char *repository, struct error *err)
{
	for (const char *component = repository;; component++) {
		size_t length = strcspn(component, "/");

		if (!length)
			return fail(err, ERROR_USAGE, "a component of \"%s\" is empty", repository);
		if (!component_is_valid(component, length))
			return fail(err, ERROR_USAGE,
				"\"%.*s\" must be lower-case letters and digits, with single '.', '_', \"__\" or any "
				"'-' "
				"between them",
				(int)length, component);
		component += length;
		if (!*component)
			return 0;
	}
}

static int tag_check(const char *tag, struct error *err)
{
	if (!*tag)
		return fail(err, ERROR_USAGE, "the tag is empty");
	if (strlen(tag) > TAG_MAX)
		return fail(err, ERROR_USAGE, "the tag is longer than %d characters", TAG_MAX);
	if (!strchr(word_letters, *tag) || tag[strspn(tag, tag_letters)])
		return fail(err, ERROR_USAGE,
			"the tag \"%s\" must be letters, digits, '_', '.' and '-', and begin with none of the last two",
			tag);
	return 0;
}

/* A bare digest without its algorithm looks like a name and never is one: nobody shall pull it from a registry. */
static int ambiguity_check(const char *text, struct error *err)
{
	if (strlen(text) == DIGEST_DIGITS && strspn(text, hexadecimal) == DIGEST_DIGITS)
		return fail(err, ERROR_USAGE,
			"64 hexadecimal digits are an id, not a name; a digest is written NAME@sha256:…");
	return 0;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

/* Cuts digest and tag off the text. */
static int ending_take(char *text, struct reference *out, struct error *err)
{
	char *at = strchr(text, '@'), *slash, *colon;

	if (at) {
		*at = '\0';
		out->digest = at + 1;
		if (digest_check("digest", out->digest, err) < 0)
			return -1;
	}
	slash = strrchr(text, '/');
	colon = strchr(slash ? slash : text, ':');
	if (colon) {
		*colon = '\0';
		out->tag = colon + 1;
		return tag_check(out->tag, err);
	}
	if (!at)
		out->tag = "latest";
	return 0;
}

static int name_take(
	struct arena *arena, char *text, const char *default_registry, struct reference *out, struct error *err)
{
	char *slash = strchr(text, '/');

	if (slash)
		*slash = '\0';
	if (slash && is_registry(text)) {
		out->registry = text;
		out->repository = slash + 1;
	} else {
		if (slash)
			*slash = '/';
		out->registry = default_registry;
		out->repository = text;
	}
	if (registry_name_check("registry", out->registry, err) < 0 || repository_check(out->repository, err) < 0)
		return -1;
	out->registry = registry_normal(out->registry);
	if (strcmp(out->registry, REFERENCE_DOCKER) == 0 && !strchr(out->repository, '/'))
		out->repository = arena_format(arena, LIBRARY "%s", out->repository);
	if (strlen(out->registry) + 1 + strlen(out->repository) > REFERENCE_NAME_MAX)
		return fail(err, ERROR_USAGE, "longer than %d characters", REFERENCE_NAME_MAX);
	return 0;
}

int reference_parse(
	struct arena *arena, const char *text, const char *default_registry, struct reference *out, struct error *err)
{
	const char *registry = default_registry ? default_registry : REFERENCE_DOCKER;
	char *copy;

	*out = (struct reference){0};
	if (line_check("image name", text, err) < 0)
		return -1;
	if (strlen(text) > TEXT_MAX)
		return fail(err, ERROR_USAGE, "image name \"%.60s…\": longer than %d characters", text, TEXT_MAX);
	if (registry_name_check("default registry", registry, err) < 0)
		return -1;
	copy = arena_alloc(arena, strlen(text) + 1);
	strcpy(copy, text);
	if (ambiguity_check(copy, err) < 0 || ending_take(copy, out, err) < 0 ||
		name_take(arena, copy, arena_string(arena, registry), out, err) < 0)
		return blame(err, "image name \"%s\"", text);
	return 0;
}

static const char *with_ending(struct arena *arena, const struct reference *reference, const char *name)
{
	return arena_format(arena, "%s%s%s%s%s", name, reference->tag ? ":" : "", reference->tag ? reference->tag : "",
		reference->digest ? "@" : "", reference->digest ? reference->digest : "");
}

const char *reference_full(struct arena *arena, const struct reference *reference)
{
	return with_ending(arena, reference, arena_format(arena, "%s/%s", reference->registry, reference->repository));
}

/* "docker.io/localhost/x" without its registry would be a name at localhost. */
static bool needs_registry(const char *repository)
{
	size_t length = strcspn(repository, "/");

	return repository[length] && (memchr(repository, '.', length) || strncmp(repository, "localhost/", 10) == 0);
}

const char *reference_familiar(struct arena *arena, const struct reference *reference, const char *default_registry)
{
	const char *home = registry_normal(default_registry ? default_registry : REFERENCE_DOCKER);
	const char *name = reference->repository;
	size_t library = strlen(LIBRARY);

	if (strcmp(reference->registry, home) != 0 || needs_registry(name))
		return reference_full(arena, reference);
	if (strcmp(home, REFERENCE_DOCKER) == 0 && text_starts_with(name, LIBRARY) && !strchr(name + library, '/'))
		name += library;
	return with_ending(arena, reference, name);
}
