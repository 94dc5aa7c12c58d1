/* dpkg's database, read without dpkg: /var/lib/dpkg/status for the configuration files and their checksums
 * (deb-conffiles(5), dpkg(1)), /var/lib/dpkg/info/PACKAGE.list for the paths of each package.
 *
 * Every bound here is far beyond a full Debian; what exceeds one is an error or is left out, never a crash. */
#include "images/host/dpkg.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "images/files/checksum.h"

#define INFO "/var/lib/dpkg/info"
#define STATUS_MAX (64 << 20)
#define LIST_MAX (16 << 20)
#define LISTS_MAX 60000
#define CONFFILES_MAX 65536
#define PATHS_MAX 200000

/* --- lines -------------------------------------------------------------------------------------------------------- */

struct line {
	const char *text;
	size_t length;
};

/* The next line of *rest without its end; false at the end of the text. */
static bool line_next(const char **rest, struct line *out)
{
	const char *end;

	if (!**rest)
		return false;
	end = strchrnul(*rest, '\n');
	*out = (struct line){*rest, (size_t)(end - *rest)};
	*rest = *end ? end + 1 : end;
	return true;
}

static bool line_is(struct line line, const char *text)
{
	return line.length == strlen(text) && memcmp(line.text, text, line.length) == 0;
}

static bool line_starts_with(struct line line, const char *text)
{
	return line.length >= strlen(text) && memcmp(line.text, text, strlen(text)) == 0;
}

/* Splits off the first word. */
static struct line word_next(struct line *line)
{
	struct line word;

	while (line->length && *line->text == ' ') {
		line->text++;
		line->length--;
	}
	word = (struct line){line->text, 0};
	while (word.length < line->length && word.text[word.length] != ' ')
		word.length++;
	line->text += word.length;
	line->length -= word.length;
	return word;
}

/* --- conffiles ---------------------------------------------------------------------------------------------------- */

/* "newconffile" and the like stand in place of a checksum while a package is half configured. */
static bool is_md5(struct line word)
{
	return word.length == MD5_TEXT_SIZE - 1 && strspn(word.text, "0123456789abcdef") >= word.length;
}

/* " PATH MD5[ obsolete| remove-on-upgrade]" */
static void conffile_add(struct arena *arena, struct line line, struct conffiles *out)
{
	struct error ignored;
	struct line path = word_next(&line), md5 = word_next(&line);
	struct conffile *item = &out->items[out->count];

	if (!is_md5(md5) || line.length || out->count == CONFFILES_MAX)
		return;
	item->path = arena_bytes(arena, path.text, path.length);
	item->md5 = arena_bytes(arena, md5.text, md5.length);
	if (path_check_absolute("conffile", item->path, &ignored) == 0)
		out->count++;
}

/* Paragraphs of "Field: value" lines; the field Conffiles goes on in lines that begin with a blank. Status precedes it
 * in each paragraph. */
void dpkg_conffiles_parse(struct arena *arena, const char *text, struct conffiles *out)
{
	struct line line;
	bool installed = false, in_conffiles = false;

	out->items = arena_new_array(arena, CONFFILES_MAX + 1, struct conffile);
	out->count = 0;
	while (line_next(&text, &line)) {
		if (line.length && *line.text == ' ') {
			if (in_conffiles && installed)
				conffile_add(arena, line, out);
			continue;
		}
		in_conffiles = line_is(line, "Conffiles:");
		if (line.length == 0)
			installed = false;
		if (line_starts_with(line, "Status:"))
			installed = line.length > 10 && memcmp(line.text + line.length - 10, " installed", 10) == 0;
	}
}

int dpkg_conffiles(struct arena *arena, int host, struct conffiles *out, struct error *err)
{
	const char *text;
	auto_fd fd = path_try_open(host, DPKG_STATUS, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);

	*out = (struct conffiles){0};
	if (fd < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "open %s", DPKG_STATUS);
	if (fd_read_all(arena, fd, STATUS_MAX, &text, NULL, err) < 0)
		return blame(err, "read %s", DPKG_STATUS);
	dpkg_conffiles_parse(arena, text, out);
	return 0;
}

/* --- paths -------------------------------------------------------------------------------------------------------- */

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_and_unite(struct strings *list)
{
	size_t kept = 0;

	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), compare_strings);
	for (size_t i = 0; i < list->count; i++)
		if (kept == 0 || strcmp(list->items[kept - 1], list->items[i]) != 0)
			list->items[kept++] = list->items[i];
	list->count = kept;
}

static void list_parse(struct arena *arena, const char *text, struct strings *out)
{
	struct error ignored;
	struct line line;

	while (line_next(&text, &line)) {
		const char *path;

		if (!line_starts_with(line, "/etc/") && !line_starts_with(line, "/var/"))
			continue;
		path = arena_bytes(arena, line.text, line.length);
		if (out->count < PATHS_MAX && path_check_absolute("path", path, &ignored) == 0)
			strings_add(arena, out, path);
	}
}

/* Each list in an arena of its own, for only a small part of each is kept. */
static int list_read(struct arena *arena, int info, const char *name, struct strings *out, struct error *err)
{
	AUTO(arena_drop) struct arena scratch = {0};
	const char *text;

	if (file_read(&scratch, info, name, LIST_MAX, &text, NULL, err) < 0)
		return err->kind == ERROR_MISSING ? 0 : blame(err, "read %s/%s", INFO, name);
	list_parse(arena, text, out);
	return 0;
}

int dpkg_paths(struct arena *arena, int host, struct strings *out, struct error *err)
{
	struct strings names = {0};
	auto_fd info = path_try_open(host, INFO, O_RDONLY | O_DIRECTORY, 0);

	*out = (struct strings){0};
	if (info < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "open %s", INFO);
	if (dir_list(arena, info, LISTS_MAX, &names, err) < 0)
		return blame(err, "list %s", INFO);
	for (size_t i = 0; i < names.count; i++)
		if (text_ends_with(names.items[i], ".list") && list_read(arena, info, names.items[i], out, err) < 0)
			return -1;
	sort_and_unite(out);
	return 0;
}
