/* See run_volumes.h. Both long forms are tables of words: each has a function that applies its value. */
#include "cli/run_volumes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/suggest.h"
#include "base/text.h"

/* There only where the kernel's SELinux is on. */
#define SELINUX_MOUNT "/sys/fs/selinux/enforce"

static void relabel_note(const char *text)
{
	if (access(SELINUX_MOUNT, F_OK) == 0)
		log_warn("\"%s\": files are not relabelled; chcon -R their type on the host if SELinux keeps them away",
			text);
}

static int anchor(struct arena *arena, struct volume *volume, struct error *err)
{
	auto_free char *directory = getcwd(NULL, 0);

	if (!directory)
		return fail_errno(err, "working directory");
	return volume_anchor(arena, directory, volume, err);
}

/* --- -v ----------------------------------------------------------------------------------------------------------- */

/* What holds anyway, or is said to other machines than this one. */
static bool changes_nothing(const char *word)
{
	static const char *const words[] = {
		"z", "Z", "U", "nosuid", "nodev", "private", "rprivate", "consistent", "cached", "delegated"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

/* The options that are ours; NULL: none is left. */
static const char *options_keep(struct arena *arena, const char *text, const char *options)
{
	struct strings words = strings_split(arena, options, ',');
	const char *kept = NULL;

	for (size_t i = 0; i < words.count; i++) {
		const char *word = words.items[i];

		if (!strcasecmp(word, "z"))
			relabel_note(text);
		if (!changes_nothing(word))
			kept = kept ? arena_format(arena, "%s,%s", kept, word) : word;
	}
	return kept;
}

int volume_word_parse(struct arena *arena, const char *text, struct volume *out, struct error *err)
{
	struct strings parts = strings_split(arena, text, ':');
	const char *ours = text;

	if (parts.count == 3) {
		const char *kept = options_keep(arena, text, parts.items[2]);

		ours = arena_format(
			arena, "%s:%s%s%s", parts.items[0], parts.items[1], kept ? ":" : "", kept ? kept : "");
	}
	if (volume_parse(arena, ours, out, err) < 0)
		return -1;
	return anchor(arena, out, err) < 0 ? blame(err, "-v") : 0;
}

/* --- --mount ------------------------------------------------------------------------------------------------------ */

static int bool_parse(const char *value, bool *out, struct error *err)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"", true}, {"true", true}, {"1", true}, {"false", false}, {"0", false}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(value, words[i].word)) {
			*out = words[i].value;
			return 0;
		}
	return fail(err, ERROR_USAGE, "\"%s\" is not true or false", value);
}

static int type_apply(struct volume *volume, const char *value, struct error *err)
{
	static const char *const names[] = {
		[VOLUME_BIND] = "bind", [VOLUME_NAMED] = "volume", [VOLUME_TMPFS] = "tmpfs"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(value, names[i])) {
			volume->type = (enum volume_type)i;
			return 0;
		}
	return fail(err, ERROR_USAGE, "\"%s\": must be bind, volume or tmpfs", value);
}

static int source_apply(struct volume *volume, const char *value, struct error *err)
{
	(void)err;
	volume->source = value;
	return 0;
}

static int target_apply(struct volume *volume, const char *value, struct error *err)
{
	(void)err;
	volume->target = value;
	return 0;
}

static int read_only_apply(struct volume *volume, const char *value, struct error *err)
{
	return bool_parse(value, &volume->read_only, err);
}

static int idmap_apply(struct volume *volume, const char *value, struct error *err)
{
	return bool_parse(value, &volume->idmap, err);
}

static int size_apply(struct volume *volume, const char *value, struct error *err)
{
	return size_parse(value, &volume->size_bytes, err);
}

static int mode_apply(struct volume *volume, const char *value, struct error *err)
{
	return octal_parse(value, 07777, &volume->mode, err);
}

static int propagation_apply(struct volume *volume, const char *value, struct error *err)
{
	(void)volume;
	if (!strcmp(value, "private") || !strcmp(value, "rprivate"))
		return 0;
	return fail(err, ERROR_USAGE, "\"%s\": mounts of the host and of instances do not pass over; it is rprivate",
		value);
}

static int relabel_apply(struct volume *volume, const char *value, struct error *err)
{
	(void)volume, (void)err;
	relabel_note(value);
	return 0;
}

static int nothing_apply(struct volume *volume, const char *value, struct error *err)
{
	(void)volume, (void)value, (void)err;
	return 0;
}

static const struct {
	const char *key;
	bool is_flag; /* may stand without a value */
	int (*apply)(struct volume *volume, const char *value, struct error *err);
} mount_keys[] = {
	{"type", false, type_apply},
	{"source", false, source_apply},
	{"src", false, source_apply},
	{"target", false, target_apply},
	{"destination", false, target_apply},
	{"dst", false, target_apply},
	{"readonly", true, read_only_apply},
	{"ro", true, read_only_apply},
	{"idmap", false, idmap_apply},
	{"tmpfs-size", false, size_apply},
	{"tmpfs-mode", false, mode_apply},
	{"bind-propagation", false, propagation_apply},
	{"relabel", false, relabel_apply},
	{"consistency", false, nothing_apply},
};

static const char *mount_key_next(const void *context, size_t i)
{
	(void)context;
	return i < ARRAY_SIZE(mount_keys) ? mount_keys[i].key : NULL;
}

static int mount_word_apply(struct arena *arena, struct volume *volume, const char *word, struct error *err)
{
	const char *equals = strchr(word, '='), *guess;
	const char *key = equals ? arena_bytes(arena, word, (size_t)(equals - word)) : word;

	for (size_t i = 0; i < ARRAY_SIZE(mount_keys); i++) {
		if (strcmp(key, mount_keys[i].key) != 0)
			continue;
		if (!equals && !mount_keys[i].is_flag)
			return fail(err, ERROR_USAGE, "\"%s\" needs a value: %s=…", key, key);
		return mount_keys[i].apply(volume, equals ? equals + 1 : "", err) < 0 ? blame(err, "%s", key) : 0;
	}
	guess = suggest(key, mount_key_next, NULL);
	return fail(err, ERROR_USAGE,
		"unknown key \"%s\"%s%s%s; there are type, src, dst, ro, idmap, tmpfs-size and tmpfs-mode", key,
		guess ? "; did you mean \"" : "", guess ? guess : "", guess ? "\"?" : "");
}

/* What the words mean together; the rest is checked with the whole specification. */
static int mount_check(const struct volume *volume, struct error *err)
{
	if (!volume->target)
		return fail(err, ERROR_USAGE, "dst=PATH is missing: where it is to be inside");
	if (!volume->source && volume->type != VOLUME_TMPFS)
		return fail(err, ERROR_USAGE, "src=… is missing: %s",
			volume->type == VOLUME_BIND ? "a path of the host" : "the volume's name");
	if (volume->type == VOLUME_NAMED && strchr(volume->source, '/'))
		return fail(err, ERROR_USAGE, "src \"%s\" is a path: say type=bind", volume->source);
	return 0;
}

int mount_parse(struct arena *arena, const char *text, struct volume *out, struct error *err)
{
	struct strings words = strings_split(arena, text, ',');

	*out = (struct volume){.type = VOLUME_NAMED, .idmap = true};
	for (size_t i = 0; i < words.count; i++)
		if (mount_word_apply(arena, out, words.items[i], err) < 0)
			return blame(err, "--mount \"%s\"", text);
	if (mount_check(out, err) < 0 || anchor(arena, out, err) < 0)
		return blame(err, "--mount \"%s\"", text);
	return 0;
}

/* --- --tmpfs ------------------------------------------------------------------------------------------------------ */

static const struct {
	const char *word; /* with a "=": a value follows */
	int (*apply)(struct volume *volume, const char *value, struct error *err);
} tmpfs_words[] = {
	{"size=", size_apply},
	{"mode=", mode_apply},
	/* It is all that anyway. */
	{"rw", nothing_apply},
	{"exec", nothing_apply},
	{"nosuid", nothing_apply},
	{"nodev", nothing_apply},
};

static int tmpfs_word_apply(struct volume *volume, const char *word, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(tmpfs_words); i++) {
		const char *known = tmpfs_words[i].word;

		if (text_ends_with(known, "=") ? text_starts_with(word, known) : !strcmp(word, known))
			return tmpfs_words[i].apply(volume, word + strlen(known), err);
	}
	return fail(err, ERROR_USAGE, "expected PATH[:size=SIZE][,mode=MODE]");
}

int tmpfs_parse(struct arena *arena, const char *text, struct volume *out, struct error *err)
{
	const char *colon = strchr(text, ':');

	*out = (struct volume){.type = VOLUME_TMPFS, .target = text};
	if (!colon)
		return 0;
	out->target = arena_bytes(arena, text, (size_t)(colon - text));
	struct strings words = strings_split(arena, colon + 1, ',');
	for (size_t i = 0; i < words.count; i++)
		if (tmpfs_word_apply(out, words.items[i], err) < 0)
			return blame(err, "--tmpfs \"%s\"", text);
	return 0;
}
