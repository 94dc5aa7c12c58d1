/* Listings. Widths are counted in characters of UTF-8, so that a name of any language keeps the columns straight. */
#include "cli/table.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/suggest.h"
#include "base/text.h"
#include "cli/lines.h"
#include "cli/table_fit.h"

#define COLOUR_END "\033[0m"

void table_init(struct table *table, struct arena *arena, const struct column *columns, size_t count)
{
	*table = (struct table){.columns = columns, .column_count = count, .arena = arena};
}

struct cell *table_row(struct table *table)
{
	if (table->row_count == table->row_room) {
		size_t room = table->row_room ? 2 * table->row_room : 32;
		struct cell *cells = arena_new_array(table->arena, room * table->column_count, struct cell);

		if (table->row_count)
			memcpy(cells, table->cells, table->row_count * table->column_count * sizeof(*cells));
		table->cells = cells;
		table->row_room = room;
	}
	return table->cells + table->row_count++ * table->column_count;
}

void table_row_drop(struct table *table)
{
	table->row_count--;
	memset(table->cells + table->row_count * table->column_count, 0, table->column_count * sizeof(*table->cells));
}

bool table_uses_colour(FILE *out)
{
	return isatty(fileno(out)) && text_is_empty(getenv("NO_COLOR"));
}

static void print_cell(const struct column *column, const char *text, size_t width, bool last, bool colour, FILE *out)
{
	int padding = (int)(width - text_width(text));
	const char *start = colour && column->colour ? column->colour(text) : NULL;

	if (column->kind == COLUMN_NUMBER)
		fprintf(out, "%*s", padding, "");
	fprintf(out, "%s%s%s", start ? start : "", text, start ? COLOUR_END : "");
	if (!last)
		fprintf(out, "%*s", (column->kind == COLUMN_NUMBER ? 0 : padding) + TABLE_GAP, "");
}

/* Remarks that had no place in the row. */
static void print_below(const struct table *table, const struct fitted *fitted, size_t row, size_t width, FILE *out)
{
	for (size_t c = 0; c < table->column_count; c++) {
		const char *text = table_cell(table, row, c);

		if (fitted[c].below && strcmp(text, "-") != 0 && text_width(text) > fitted[c].width)
			lines_print(out, width, 0, arena_format(table->arena, "    %s", text));
	}
}

static size_t last_shown(const struct table *table, const struct fitted *fitted)
{
	size_t last = 0;

	for (size_t c = 0; c < table->column_count; c++)
		if (!fitted[c].hidden)
			last = c;
	return last;
}

/* row 0 is the header. */
static const char *text_at(const struct table *table, const struct fitted *fitted, size_t row, size_t c)
{
	const struct column *column = &table->columns[c];
	const char *text = row ? table_cell(table, row - 1, c) : column->title;

	if (!row || text_width(text) <= fitted[c].width)
		return text;
	return fitted[c].below ? "" : text_cut(table->arena, text, fitted[c].width, column->keep_end);
}

static void print_aligned(const struct table *table, bool header, size_t width, FILE *out)
{
	const struct fitted *fitted = table_fit(table, header, width);
	bool colour = table_uses_colour(out);
	size_t last = last_shown(table, fitted);

	for (size_t r = header ? 0 : 1; r <= table->row_count; r++) {
		for (size_t c = 0; c < table->column_count; c++)
			if (!fitted[c].hidden)
				print_cell(&table->columns[c], text_at(table, fitted, r, c), fitted[c].width, c == last,
					colour && r, out);
		fputc('\n', out);
		if (r)
			print_below(table, fitted, r - 1, width, out);
	}
}

static void print_json(const struct table *table, FILE *out)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	size_t length;

	encode_array_begin(encoder, NULL);
	for (size_t r = 0; r < table->row_count; r++) {
		encode_object_begin(encoder, NULL);
		for (size_t c = 0; c < table->column_count; c++) {
			const struct column *column = &table->columns[c];
			const struct cell *cell = &table->cells[r * table->column_count + c];
			const char *value = cell->value ? cell->value : cell->text;

			if (text_is_empty(value))
				continue;
			if (column->kind == COLUMN_NUMBER)
				encode_number(encoder, column->key, value);
			else
				encode_string(encoder, column->key, value);
		}
		encode_object_end(encoder);
	}
	encode_array_end(encoder);
	auto_free char *text = encoder_take(encoder, &length);
	fwrite(text, 1, length, out);
}

struct key_list {
	const struct table *table;
};

static const char *key_next(const void *context, size_t i)
{
	const struct key_list *list = context;

	return i < list->table->column_count ? list->table->columns[i].key : NULL;
}

static int column_find(const struct table *table, const char *name, size_t length, size_t *out, struct error *err)
{
	struct key_list list = {table};
	const char *wanted = arena_bytes(table->arena, name, length);

	for (size_t c = 0; c < table->column_count; c++)
		if (!strcasecmp(wanted, table->columns[c].key)) {
			*out = c;
			return 0;
		}
	char *lower = (char *)arena_bytes(table->arena, name, length);
	for (char *at = lower; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	const char *guess = suggest(lower, key_next, &list);
	return fail(err, ERROR_USAGE, "--format: no field \"%s\"%s%s%s", wanted, guess ? "; did you mean \"" : "",
		guess ? guess : "", guess ? "\"?" : "");
}

/* One row through the template: "{{.Field}}" is replaced, "\t" and "\n" as in docker's, the rest is copied. */
static int print_template_row(const struct table *table, size_t row, const char *template, FILE *out, struct error *err)
{
	for (const char *at = template; *at;) {
		size_t column;

		if (at[0] == '\\' && (at[1] == 't' || at[1] == 'n')) {
			fputc(at[1] == 't' ? '\t' : '\n', out);
			at += 2;
			continue;
		}
		if (strncmp(at, "{{", 2)) {
			fputc(*at++, out);
			continue;
		}
		const char *end = strstr(at, "}}");
		if (!end)
			return fail(err, ERROR_USAGE, "--format: \"%s\" has no closing }}", at);
		const char *name = at + 2 + strspn(at + 2, " .");
		size_t length = strcspn(name, " }");
		if (column_find(table, name, length, &column, err) < 0)
			return -1;
		const struct cell *cell = &table->cells[row * table->column_count + column];
		fputs(cell->value ? cell->value : cell->text ? cell->text : "", out);
		at = end + 2;
	}
	fputc('\n', out);
	return 0;
}

int table_print(const struct table *table, const struct table_options *options, FILE *out, struct error *err)
{
	if (options->json + options->quiet + !!options->format > 1)
		return fail(err, ERROR_USAGE, "only one of --json, --quiet and --format can be given");
	if (options->json || text_equal(options->format, "json")) {
		print_json(table, out);
		return 0;
	}
	if (!options->quiet && !options->format) {
		size_t width = table->width ? table->width : terminal_width(out);

		print_aligned(table, !options->no_header, options->no_trunc ? SIZE_MAX : width, out);
		return 0;
	}
	for (size_t r = 0; r < table->row_count; r++) {
		if (options->quiet)
			fprintf(out, "%s\n", table_cell(table, r, 0));
		else if (print_template_row(table, r, options->format, out, err) < 0)
			return -1;
	}
	return 0;
}
