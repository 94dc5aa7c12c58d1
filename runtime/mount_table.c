/* Reading mountinfo (proc_pid_mountinfo(5)). */
#include "runtime/mount_table.h"

#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#define TABLE_MAX (64 << 20)
#define MOUNTS_MAX 100000

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Space, tab, line feed and backslash are written as \ooo. In place. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && is_octal(text[1]) && is_octal(text[2]) && is_octal(text[3])) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* 36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/sda rw */
static bool line_parse(char *line, struct table_mount *out)
{
	char *words[5], *separator = strstr(line, " - ");
	struct error ignored;
	uint64_t id;

	if (!separator)
		return false;
	*separator = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!(words[i] = strsep(&line, " ")))
			return false;
	if (number_parse_u64(words[0], UINT64_MAX, &id, &ignored) < 0)
		return false;
	unescape(words[3]);
	unescape(words[4]);
	*out = (struct table_mount){.id = id, .device = words[2], .root = words[3], .point = words[4]};
	separator += 3;
	out->type = strsep(&separator, " ");
	return true;
}

static size_t lines_count(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

int mount_table_read(struct arena *arena, int proc, struct mount_table *out, struct error *err)
{
	const char *content;
	char *text, *line;
	size_t lines, length;

	*out = (struct mount_table){0};
	if (file_read(arena, proc, "mountinfo", TABLE_MAX, &content, &length, err) < 0)
		return -1;
	lines = lines_count(content);
	if (lines > MOUNTS_MAX)
		return fail(err, ERROR_SYSTEM, "mountinfo: %zu mounts, at most %d", lines, MOUNTS_MAX);
	out->items = arena_new_array(arena, lines, struct table_mount);
	text = arena_alloc(arena, length + 1);
	memcpy(text, content, length);
	while ((line = strsep(&text, "\n")) && out->count < lines)
		out->count += line_parse(line, &out->items[out->count]);
	return 0;
}
