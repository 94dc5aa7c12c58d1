/* The standard streams of a container are its engine's: pipes, files, a terminal of the host. They are not written to
 * the images but named there, and at the restore the streams that the restoring command has take their places.
 *
 * descriptors.json is a list of three names: "pipe:[12]", "file[1f:2a]" (mount and inode in hexadecimal), "tty[…]", or
 * "" for one that needs nothing, as it lies in the container. runc writes such a file too; we add the three modes of
 * files, as CRIU puts nothing in a file's place that has another: "020666". */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/decode.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mountinfo.h"
#include "runtime/criu/checkpoint.h"

#define FILE_NAME "descriptors.json"
#define PTY_MAJOR_FIRST 136
#define PTY_MAJOR_LAST 143

/* runc also writes names of files in the container, which are opened there. */
static bool key_is_known(const char *key)
{
	static const char *const kinds[] = {"pipe:[", "file[", "tty["};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (text_starts_with(key, kinds[i]) && text_ends_with(key, "]"))
			return true;
	return false;
}

/* The mount that a descriptor was opened on; -1 unknown. */
static int mount_id(struct arena *arena, int proc, int number)
{
	const char *text, *line;
	struct error ignored;
	int id;

	if (file_read(arena, proc, arena_format(arena, "fdinfo/%d", number), 4096, &text, NULL, &ignored) < 0)
		return -1;
	line = strstr(text, "mnt_id:");
	return line && sscanf(line, "mnt_id:%d", &id) == 1 ? id : -1;
}

struct looking {
	uint64_t id;
	bool found;
};

static bool id_look(void *context, const struct mountinfo *mount)
{
	struct looking *looking = context;

	looking->found = mount->id == looking->id;
	return !looking->found;
}

/* True when the container's mount table has it. */
static bool is_inside(int proc, int id)
{
	struct looking looking = {.id = (uint64_t)id};
	struct error ignored;

	return mountinfo_each(proc, id_look, &looking, &ignored) == 0 && looking.found;
}

static bool is_terminal(const struct stat *status)
{
	unsigned kind = major(status->st_rdev);

	return S_ISCHR(status->st_mode) && ((kind >= PTY_MAJOR_FIRST && kind <= PTY_MAJOR_LAST) || kind == 4);
}

/* Sockets have no such name: CRIU dumps them, or says why it cannot (--ext-unix-sk). */
static const char *key_of(struct arena *arena, int proc, int number, const struct stat *status)
{
	int id;

	if (S_ISFIFO(status->st_mode)) {
		char link[64];
		ssize_t length = readlinkat(proc, arena_format(arena, "fd/%d", number), link, sizeof(link));

		if (length > 0 && length < (ssize_t)sizeof(link) && link[0] == 'p')
			return arena_bytes(arena, link, (size_t)length);
	}
	if (S_ISSOCK(status->st_mode))
		return "";
	id = mount_id(arena, proc, number);
	if (id < 0 || is_inside(proc, id))
		return "";
	if (is_terminal(status))
		return arena_format(arena, "tty[%x:%x]", (unsigned)status->st_rdev, (unsigned)status->st_dev);
	return arena_format(arena, "file[%x:%llx]", (unsigned)id, (unsigned long long)status->st_ino);
}

int checkpoint_stdio_read(struct arena *arena, int proc, bool terminal, struct checkpoint_stdio *out, struct error *err)
{
	*out = (struct checkpoint_stdio){.keys = {"", "", ""}};
	for (int i = 0; i < 3 && !terminal; i++) {
		struct stat status;

		if (fstatat(proc, arena_format(arena, "fd/%d", i), &status, 0) == 0) {
			out->keys[i] = key_of(arena, proc, i, &status);
			out->modes[i] = text_starts_with(out->keys[i], "file[") ? status.st_mode : 0;
		} else if (errno != ENOENT) {
			return fail_errno(err, "look at descriptor %d of the first process", i);
		}
	}
	return 0;
}

int checkpoint_stdio_write(int images, const struct checkpoint_stdio *stdio, struct error *err)
{
	AUTO(text_drop) struct text text = {0};

	/* None of the names has a character that JSON would need to have escaped. */
	text_appendf(&text, "[\"%s\",\"%s\",\"%s\",\"%06o\",\"%06o\",\"%06o\"]", stdio->keys[0], stdio->keys[1],
		stdio->keys[2], stdio->modes[0], stdio->modes[1], stdio->modes[2]);
	return file_replace(images, FILE_NAME, 0600, FILE_VOLATILE, text_string(&text), text.length, err);
}

static int names_decode(
	struct arena *arena, const struct json_doc *doc, struct checkpoint_stdio *out, struct error *err)
{
	struct decoder decoder = {.arena = arena, .doc = doc, .mode = DECODE_STRICT};
	struct strings names = {0};

	if (decode_strings(&decoder, doc->root, &names, err) < 0)
		return -1;
	if (names.count > 6)
		return fail(err, ERROR_USAGE, FILE_NAME ": %zu members, at most 6", names.count);
	for (size_t i = 0; i < names.count && i < 3; i++)
		if (key_is_known(names.items[i]))
			out->keys[i] = names.items[i];
	for (size_t i = 3; i < names.count; i++)
		if (octal_parse(names.items[i], 0177777, &out->modes[i - 3], err) < 0)
			return blame(err, FILE_NAME);
	return 0;
}

int checkpoint_stdio_load(struct arena *arena, int images, struct checkpoint_stdio *out, struct error *err)
{
	struct json_doc doc;

	*out = (struct checkpoint_stdio){.keys = {"", "", ""}};
	if (json_read(arena, images, FILE_NAME, JSON_PLAIN, &doc, err) == 0)
		return names_decode(arena, &doc, out, err);
	return err->kind == ERROR_MISSING ? 0 : -1;
}
