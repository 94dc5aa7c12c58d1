/* What those used that are gone: one file of lines, and its lock is the file's own.
 *
 * An instance's ledger is first appended and then unlinked, both under the lock. Killed between the two, the instance's
 * directory is still there for the next sweep (repair.c), which finds by the ledger's id that its lines are in the file
 * already. Therefore the youngest lines keep their ids when the file is shortened: a sweep begins every command that
 * removes, so what was left half done is never older than a few removals. */
#include "fleet/figures/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/state/select.h"

#define LOCK_TIMEOUT_MS 10000
#define FILE_MAX (16 << 20)
/* When it is that long it is shortened, to LINES_KEPT of at most some 400 bytes: a thousand names for a year and more.
 */
#define FULL_BYTES (8 << 20)
#define LINES_KEPT 16384
#define LINES_APART 1024
/* No line of USAGE_REMOVED is made of less: each month of it is one line. */
#define MONTHS_SPARE 120

/* --- lists of lines ----------------------------------------------------------------------------------------------- */

void usage_lines_add(struct arena *arena, struct usage_lines *lines, const struct usage_line *line)
{
	lines->all.items =
		arena_grow(arena, lines->all.items, lines->all.count, &lines->room, sizeof(*lines->all.items));
	lines->all.items[lines->all.count++] = *line;
}

static int by_name(const void *a, const void *b)
{
	const struct usage_line *one = a, *other = b;
	int order = instance_name_compare(one->name, other->name);

	return order ? order : strcmp(one->usage.month, other->usage.month);
}

static int by_name_and_id(const void *a, const void *b)
{
	const struct usage_line *one = a, *other = b;
	int order = by_name(a, b);

	return order ? order : strcmp(one->id ? one->id : "", other->id ? other->id : "");
}

static int by_month(const void *a, const void *b)
{
	const struct usage_line *one = a, *other = b;
	int order = strcmp(one->usage.month, other->usage.month);

	return order ? order : instance_name_compare(one->name, other->name);
}

void usage_lines_sum(struct usage_lines *lines)
{
	struct usage_line *items = lines->all.items;
	const char *last_id = NULL;
	size_t kept = 0;

	if (lines->all.count)
		qsort(items, lines->all.count, sizeof(*items), by_name_and_id);
	for (size_t i = 0; i < lines->all.count; i++) {
		const struct usage_line line = items[i];

		if (!kept || by_name(&items[kept - 1], &line)) {
			items[kept++] = line;
		} else if (!line.id || !text_equal(line.id, last_id)) {
			usage_month_add(&items[kept - 1].usage, &line.usage);
			items[kept - 1].id = NULL;
		}
		last_id = line.id;
	}
	lines->all.count = kept;
}

/* Sorted by month. */
static void oldest_become_one(struct usage_lines *lines, size_t count)
{
	for (size_t i = 0; i < count && i < lines->all.count; i++)
		lines->all.items[i].name = USAGE_REMOVED;
	usage_lines_sum(lines);
}

void usage_lines_shorten(struct arena *arena, struct usage_lines *lines, size_t max, size_t apart)
{
	size_t count = lines->all.count, young = count < apart ? count : apart;
	struct usage_line *youngest = arena_new_array(arena, young, struct usage_line);

	if (young)
		memcpy(youngest, lines->all.items + (count - young), young * sizeof(*youngest));
	lines->all.count = count - young;
	usage_lines_sum(lines);
	if (lines->all.count > max) {
		qsort(lines->all.items, lines->all.count, sizeof(*lines->all.items), by_month);
		oldest_become_one(lines, lines->all.count - max + MONTHS_SPARE);
	}
	for (size_t i = 0; i < young; i++)
		usage_lines_add(arena, lines, &youngest[i]);
}

/* --- as text ------------------------------------------------------------------------------------------------------ */

static const struct field line_fields[] = {
	STRING("name", struct usage_line, name, REQUIRED),
	STRING("id", struct usage_line, id, 0),
	OBJECT("used", struct usage_line, usage, usage_month_fields, REQUIRED),
	END_OF_FIELDS,
};

static void line_append(struct text *text, const struct usage_line *line)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	size_t length;

	encode_object(encoder, NULL, line_fields, line);
	auto_free char *bytes = encoder_take(encoder, &length);

	text_append_bytes(text, bytes, length);
	text_append(text, "\n");
}

static bool line_parse(struct arena *arena, const char *text, size_t length, struct usage_line *out)
{
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};
	struct error ignored;

	*out = (struct usage_line){0};
	return json_parse(arena, USAGE_REMOVED_FILE, text, length, JSON_PLAIN, &doc, &ignored) == 0 &&
	       decode_object(&decoder, doc.root, line_fields, out, &ignored) == 0;
}

/* A power cut can leave a piece of a line, which ends where the next one was begun. */
static void lines_parse(struct arena *arena, const char *text, size_t length, struct usage_lines *out)
{
	const char *end = text + length, *next;
	struct usage_line line;

	for (; text < end; text = next + 1) {
		next = memchr(text, '\n', (size_t)(end - text));
		next = next ? next : end;
		if (next == text)
			continue;
		if (line_parse(arena, text, (size_t)(next - text), &line))
			usage_lines_add(arena, out, &line);
		else
			log_warn("%s: a damaged line is passed over", USAGE_REMOVED_FILE);
	}
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

/* False when it was replaced or removed while we waited for its lock. */
static bool is_still_named(const struct host *host, int file)
{
	struct stat held, named;

	return fstat(file, &held) == 0 && fstatat(host->lib, USAGE_REMOVED_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

/* Locked. -1 with ERROR_MISSING when it is not there and not to be made. */
static int removed_open(const struct host *host, bool make, struct error *err)
{
	int flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (make ? O_CREAT : 0);

	for (int tries = 0; tries < 100; tries++) {
		auto_fd file = openat(host->lib, USAGE_REMOVED_FILE, flags, 0600);

		if (file < 0 && errno == ENOENT)
			return fail(err, ERROR_MISSING, "nobody is gone");
		if (file < 0)
			return fail_errno(err, "open " USAGE_REMOVED_FILE);
		if (lock_exclusive(file, LOCK_TIMEOUT_MS, err) < 0)
			return blame(err, "the lock of " USAGE_REMOVED_FILE);
		if (is_still_named(host, file))
			return take_fd(&file);
	}
	return fail(err, ERROR_BUSY, USAGE_REMOVED_FILE " keeps being replaced");
}

static int lines_read(struct arena *arena, int file, struct usage_lines *out, struct error *err)
{
	const char *text;
	size_t length;

	if (lseek(file, 0, SEEK_SET) < 0)
		return fail_errno(err, "read " USAGE_REMOVED_FILE);
	if (fd_read_all(arena, file, FILE_MAX, &text, &length, err) < 0)
		return blame(err, USAGE_REMOVED_FILE);
	lines_parse(arena, text, length, out);
	return 0;
}

/* What was cut off by a power cut is ended first. */
static int lines_append(int file, const struct text *lines, struct error *err)
{
	off_t end = lseek(file, 0, SEEK_END);
	AUTO(text_drop) struct text text = {0};
	char last = '\n';

	if (end < 0 || (end > 0 && pread(file, &last, 1, end - 1) < 0))
		return fail_errno(err, "read " USAGE_REMOVED_FILE);
	text_append(&text, last == '\n' ? "" : "\n");
	text_append_bytes(&text, lines->data, lines->length);
	if (write_all(file, text.data, text.length) < 0)
		return fail_errno(err, "write " USAGE_REMOVED_FILE);
	/* On its way to the disk before the directory that held it goes, as what is replaced in order (file.h). */
	sync_file_range(file, end, 0, SYNC_FILE_RANGE_WRITE);
	return 0;
}

static int lines_replace(const struct host *host, const struct usage_lines *lines, struct error *err)
{
	AUTO(text_drop) struct text text = {0};

	for (size_t i = 0; i < lines->all.count; i++)
		line_append(&text, &lines->all.items[i]);
	if (text.length)
		return file_replace(host->lib, USAGE_REMOVED_FILE, 0600, FILE_ORDERED, text.data, text.length, err);
	return unlinkat(host->lib, USAGE_REMOVED_FILE, 0) < 0 ? fail_errno(err, "remove " USAGE_REMOVED_FILE) : 0;
}

static int shorten_if_full(const struct host *host, int file, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct usage_lines lines = {0};

	if (lseek(file, 0, SEEK_END) < FULL_BYTES)
		return 0;
	if (lines_read(&arena, file, &lines, err) < 0)
		return -1;
	usage_lines_shorten(&arena, &lines, LINES_KEPT, LINES_APART);
	return lines_replace(host, &lines, err);
}

/* --- removing ----------------------------------------------------------------------------------------------------- */

static bool is_noted(struct arena *arena, int file, const char *id)
{
	struct usage_lines lines = {0};
	struct error err;

	if (lines_read(arena, file, &lines, &err) < 0)
		log_warn("%s", err.text);
	for (size_t i = 0; i < lines.all.count; i++)
		if (text_equal(lines.all.items[i].id, id))
			return true;
	return false;
}

static int ledger_retire(
	struct host *host, const char *name, const struct usage_ledger *ledger, bool again, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text text = {0};
	auto_fd file = removed_open(host, true, err);

	if (file < 0 || (again && is_noted(&arena, file, ledger->id)))
		return file < 0 ? -1 : 0;
	for (size_t i = 0; i < ledger->months.count; i++)
		line_append(
			&text, &(struct usage_line){.name = name, .id = ledger->id, .usage = ledger->months.items[i]});
	return lines_append(file, &text, err) < 0 ? -1 : shorten_if_full(host, file, err);
}

void usage_retire(struct host *host, const char *name, int instance, bool again)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct usage_ledger ledger;
	struct error err = {0};
	auto_fd dir = usage_open(instance, false, &err);

	if (dir < 0) {
		if (err.kind != ERROR_MISSING)
			log_warn("usage of %s: %s", name, err.text);
		return;
	}
	usage_load(&arena, dir, &ledger);
	if (ledger.months.count && ledger_retire(host, name, &ledger, again, &err) < 0)
		log_warn("what %s used is lost: %s", name, err.text);
	unlinkat(dir, USAGE_LEDGER, 0);
}

/* --- reading and forgetting --------------------------------------------------------------------------------------- */

int usage_removed_read(struct arena *arena, const struct host *host, struct usage_lines *out, struct error *err)
{
	auto_fd file = removed_open(host, false, err);

	if (file < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	return lines_read(arena, file, out, err);
}

int usage_removed_forget(const struct host *host, bool (*is_forgotten)(void *, const char *name), void *context,
	size_t *count, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct usage_lines lines = {0}, kept = {0};
	struct strings names = {0};
	auto_fd file = removed_open(host, false, err);

	*count = 0;
	if (file < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	if (lines_read(&arena, file, &lines, err) < 0)
		return -1;
	for (size_t i = 0; i < lines.all.count; i++) {
		const struct usage_line *line = &lines.all.items[i];

		if (!is_forgotten(context, line->name))
			usage_lines_add(&arena, &kept, line);
		else if (!strings_contain(&names, line->name))
			strings_add(&arena, &names, line->name);
	}
	*count = names.count;
	return names.count ? lines_replace(host, &kept, err) : 0;
}
