/* Whose word is taken: a fleet file says what runs as root here.
 *
 * Each file is opened once; what is looked at and what is read are the same inode, whatever becomes of its name. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/file/file_reader.h"
#include "fleet/file/source.h"

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int file_note(struct reader *reader, const char *path, const struct stat *st)
{
	struct read_file *items;

	for (size_t i = 0; i < reader->files.count; i++)
		if (reader->files.items[i].device == st->st_dev && reader->files.items[i].inode == st->st_ino)
			return fail(reader->err, ERROR_USAGE, "%s: is read already (as %s)", path,
				reader->files.items[i].path);
	if (reader->files.count == FILES_MAX)
		return fail(reader->err, ERROR_USAGE, "%s: more than %d files", path, FILES_MAX);
	if (!reader->files.items)
		reader->files.items = arena_new_array(reader->arena, FILES_MAX, struct read_file);
	items = reader->files.items;
	items[reader->files.count++] = (struct read_file){.path = arena_string(reader->arena, path),
		.device = st->st_dev,
		.inode = st->st_ino,
		.owner = st->st_uid,
		.mode = st->st_mode};
	return 0;
}

int file_text_read(struct reader *reader, const char *path, const char **text, size_t *length)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct error *err = reader->err;
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return fail(err, ERROR_MISSING, "%s: no such file", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno(err, "%s", path);
	if (!S_ISREG(st.st_mode))
		return fail(err, ERROR_USAGE, "%s: not a regular file", path);
	if (st.st_mode & S_IWOTH)
		return fail(err, ERROR_USAGE, "%s: everybody may write it (mode %04o); run: chmod o-w %s", path,
			st.st_mode & 07777, path);
	if (file_note(reader, path, &st) < 0)
		return -1;
	return fd_read_all(reader->arena, fd, FILE_MAX_BYTES, text, length, err) < 0 ? blame(err, "%s", path) : 0;
}

/* --- who may say more --------------------------------------------------------------------------------------------- */

static int fail_untrusted(const struct reader *reader, const struct json *node, const char *key, const char *why)
{
	return json_fail(&reader->doc, node, reader->err,
		"\"%s\" is taken only from files that nobody but root can write: %s", key, why);
}

/* An owner who may speak for root: root, and who became root by sudo(8) to run us. */
static bool may_speak(uid_t owner)
{
	const char *text = getenv("SUDO_UID");
	struct error ignored;
	int64_t uid;

	return owner == 0 || (text && number_parse(text, 0, UINT32_MAX, &uid, &ignored) == 0 && owner == (uid_t)uid);
}

static int files_trust(const struct reader *reader, const struct json *node, const char *key)
{
	for (size_t i = 0; i < reader->files.count; i++) {
		const struct read_file *file = &reader->files.items[i];

		if (!may_speak(file->owner))
			return fail_untrusted(reader, node, key,
				arena_format(reader->arena, "%s belongs to user %u", file->path, file->owner));
		if (file->mode & S_IWGRP)
			return fail_untrusted(reader, node, key,
				arena_format(reader->arena, "a group may write %s (mode %04o); run: chmod g-w %s",
					file->path, file->mode & 07777, file->path));
	}
	return 0;
}

/* A program that others can change is their program. */
static int hook_trust(const struct reader *reader, const struct json *node, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return json_fail(&reader->doc, node, reader->err, "\"hooks\": %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return json_fail(&reader->doc, node, reader->err, "\"hooks\": %s is no program", path);
	if (!may_speak(st.st_uid))
		return fail_untrusted(
			reader, node, "hooks", arena_format(reader->arena, "%s belongs to user %u", path, st.st_uid));
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return fail_untrusted(reader, node, "hooks",
			arena_format(reader->arena, "others may write %s (mode %04o)", path, st.st_mode & 07777));
	return 0;
}

static int hooks_trust(const struct reader *reader, size_t instance)
{
	const struct spec_hooks *hooks = &reader->file->instances.items[instance].hooks;
	const struct json *node = json_get(reader->places[instance].merged, "hooks");

	for (size_t i = 0; node && reader->check_sources && i < HOOK_KINDS; i++)
		for (size_t k = 0; k < hooks->of[i].count; k++)
			/* Those that run inside are the instance's own files. */
			if (i != HOOK_START_CONTAINER && hook_trust(reader, node, hooks->of[i].items[k].path) < 0)
				return -1;
	return 0;
}

int check_trust(const struct reader *reader)
{
	static const char *const keys[] = {"hooks", "oci"};

	for (size_t i = 0; i < reader->file->instances.count; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			const struct json *node = json_get(reader->places[i].merged, keys[k]);

			/* What a decoded text without a file says is its caller's business. */
			if (node && files_trust(reader, node, keys[k]) < 0)
				return -1;
		}
		if (hooks_trust(reader, i) < 0)
			return -1;
	}
	return 0;
}
