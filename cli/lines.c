/* See lines.h. */
#include "cli/lines.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define ESCAPE '\033'
#define WIDTH_MIN 20 /* narrower is no terminal to read on */
#define WIDTH_MAX 10000

/* The terminal's own word goes before COLUMNS, which a shell sets once and a resized window leaves behind. */
size_t terminal_width(FILE *out)
{
	struct winsize size = {0};
	const char *columns = getenv("COLUMNS");
	struct error ignored;
	int64_t width;

	if (!isatty(fileno(out)))
		return SIZE_MAX;
	if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col;
	if (columns && number_parse(columns, WIDTH_MIN, WIDTH_MAX, &width, &ignored) == 0)
		return (size_t)width;
	return SIZE_MAX;
}

/* How many bytes an escape sequence "ESC [ … m" at the beginning takes; 0: there is none. */
static size_t escape_length(const char *text, size_t length)
{
	const char *end = length && *text == ESCAPE ? memchr(text, 'm', length) : NULL;

	return end ? (size_t)(end - text) + 1 : 0;
}

static size_t bytes_width(const char *text, size_t length)
{
	size_t width = 0;

	for (size_t i = 0; i < length;) {
		size_t escape = escape_length(text + i, length - i);

		width += !escape && ((unsigned char)text[i] & 0xC0) != 0x80;
		i += escape ? escape : 1;
	}
	return width;
}

size_t text_width(const char *text)
{
	return bytes_width(text, strlen(text));
}

/* The first byte behind so many characters. */
static const char *character_at(const char *text, size_t count)
{
	for (; *text; text++)
		if (((unsigned char)*text & 0xC0) != 0x80 && count-- == 0)
			break;
	return text;
}

const char *text_cut(struct arena *arena, const char *text, size_t width, bool keep_end)
{
	size_t have = text_width(text);

	if (have <= width || !width)
		return text;
	if (keep_end)
		return arena_format(arena, "…%s", character_at(text, have - width + 1));
	return arena_format(arena, "%.*s…", (int)(character_at(text, width - 1) - text), text);
}

static void line_print(FILE *out, size_t width, size_t hanging, const char *line, size_t length)
{
	size_t own = strspn(line, " "), column = own < length ? own : length, indent = column + hanging;
	bool first = true; /* of this line: it takes its place whether it fits or not */

	fwrite(line, 1, column, out);
	for (size_t at = column; at < length;) {
		size_t blanks = strspn(line + at, " ");
		size_t word = strcspn(line + at + blanks, " \n"), wide = bytes_width(line + at + blanks, word);

		if (!first && column + blanks + wide > width) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
			blanks = 0;
		}
		at += strspn(line + at, " ");
		fprintf(out, "%*s%.*s", (int)blanks, "", (int)word, line + at);
		column += blanks + wide;
		at += word;
		first = false;
	}
	fputc('\n', out);
}

void lines_print(FILE *out, size_t width, size_t hanging, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		/* So narrow that nothing would stand beside the indentation. */
		line_print(out, width, width < WIDTH_MIN + hanging ? 0 : hanging, text, length);
		text += length + (text[length] == '\n');
	}
}

void complaint_print(const char *text)
{
	auto_free char *line = text_format("%s: %s", program_invocation_short_name, text);

	lines_print(stderr, terminal_width(stderr), 2, line);
}
