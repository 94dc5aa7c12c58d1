/* Media types and platforms: the words by which documents say what they are and what they run on. */
#include "images/store/manifest.h"

#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

#include "base/cleanup.h"

#define PLATFORM_WORD_MAX 32

/* --- media types -------------------------------------------------------------------------------------------------- */

#define OCI "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."

const char media_accept[] = OCI "index.v1+json, " OCI "manifest.v1+json, " DOCKER
				"distribution.manifest.list.v2+json, " DOCKER "distribution.manifest.v2+json";

/* Layers that may not be distributed ("foreign") are asked for at the registry as all others, never at the URLs which a
 * manifest gives for them: these would be requests of the image's author, sent from here (CVE-2020-15157). */
static const struct {
	const char *name;
	enum media_kind kind;
} media_types[] = {
	{OCI "index.v1+json", MEDIA_INDEX},
	{DOCKER "distribution.manifest.list.v2+json", MEDIA_INDEX},
	{OCI "manifest.v1+json", MEDIA_MANIFEST},
	{DOCKER "distribution.manifest.v2+json", MEDIA_MANIFEST},
	{DOCKER "distribution.manifest.v1+json", MEDIA_SCHEMA_1},
	{DOCKER "distribution.manifest.v1+prettyjws", MEDIA_SCHEMA_1},
	{OCI "config.v1+json", MEDIA_CONFIG},
	{DOCKER "container.image.v1+json", MEDIA_CONFIG},
};

/* A layer may be compressed in any way after the '+' or '.'. */
static const char *const layer_prefixes[] = {
	OCI "layer.v1.tar",
	OCI "layer.nondistributable.v1.tar",
	DOCKER "image.rootfs.diff.tar",
	DOCKER "image.rootfs.foreign.diff.tar",
};
static const char *const layer_suffixes[] = {"", "+gzip", "+zstd", ".gzip", ".zstd", "+xz", ".xz"};

static bool same_word(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

static enum media_kind suffix_kind(const char *suffix, size_t length)
{
	static const char encrypted[] = "+encrypted";
	size_t tail = strlen(encrypted);

	for (size_t i = 0; i < ARRAY_SIZE(layer_suffixes); i++)
		if (same_word(suffix, length, layer_suffixes[i]))
			return MEDIA_LAYER;
	if (length >= tail && strncasecmp(suffix + length - tail, encrypted, tail) == 0)
		return MEDIA_ENCRYPTED;
	return MEDIA_UNKNOWN;
}

enum media_kind media_kind(const char *media_type)
{
	size_t length;

	if (!media_type)
		return MEDIA_UNKNOWN;
	length = strcspn(media_type, "; \t");
	for (size_t i = 0; i < ARRAY_SIZE(media_types); i++)
		if (same_word(media_type, length, media_types[i].name))
			return media_types[i].kind;
	for (size_t i = 0; i < ARRAY_SIZE(layer_prefixes); i++) {
		size_t prefix = strlen(layer_prefixes[i]);

		if (length >= prefix && strncasecmp(media_type, layer_prefixes[i], prefix) == 0)
			return suffix_kind(media_type + prefix, length - prefix);
	}
	return MEDIA_UNKNOWN;
}

/* --- platforms ---------------------------------------------------------------------------------------------------- */

/* uname(2) → Go's names, which the specifications use. */
static const struct {
	const char *machine, *architecture, *variant;
} machines[] = {
	{"x86_64", "amd64", NULL},
	{"aarch64", "arm64", "v8"},
	{"armv8l", "arm", "v7"},
	{"armv7l", "arm", "v7"},
	{"armv6l", "arm", "v6"},
	{"i686", "386", NULL},
	{"i586", "386", NULL},
	{"riscv64", "riscv64", NULL},
	{"ppc64le", "ppc64le", NULL},
	{"s390x", "s390x", NULL},
	{"loongarch64", "loong64", NULL},
};

struct platform platform_of_host(void)
{
	struct utsname name;

	for (size_t i = 0; uname(&name) == 0 && i < ARRAY_SIZE(machines); i++)
		if (strcmp(machines[i].machine, name.machine) == 0)
			return (struct platform){"linux", machines[i].architecture, machines[i].variant};
	return (struct platform){"linux", "unknown", NULL};
}

static int word_check(const char *word, struct error *err)
{
	size_t length = strlen(word);

	if (length && length <= PLATFORM_WORD_MAX && *word != '.' &&
		strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == length)
		return 0;
	return fail(err, ERROR_USAGE, "must be OS/ARCHITECTURE[/VARIANT], as in linux/arm64");
}

int platform_parse(struct arena *arena, const char *text, struct platform *out, struct error *err)
{
	struct strings words = strings_split(arena, text, '/');

	for (size_t i = 0; i < words.count; i++)
		if (word_check(words.items[i], err) < 0)
			return blame(err, "platform \"%.100s\"", text);
	if (!words.count || words.count > 3)
		return fail(err, ERROR_USAGE, "platform \"%.100s\": must be OS/ARCHITECTURE[/VARIANT]", text);
	if (words.count == 1)
		*out = (struct platform){"linux", words.items[0], NULL};
	else
		*out = (struct platform){words.items[0], words.items[1], words.count == 3 ? words.items[2] : NULL};
	if (strcmp(out->os, "linux") != 0)
		return fail(err, ERROR_USAGE, "platform \"%s\": only linux runs here", text);
	return 0;
}

const char *platform_format(struct arena *arena, const struct platform *platform)
{
	return arena_format(arena, "%s/%s%s%s", platform->os, platform->architecture,
		text_is_empty(platform->variant) ? "" : "/", text_is_empty(platform->variant) ? "" : platform->variant);
}
