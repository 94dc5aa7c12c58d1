/* Listings. Widths are counted in characters of UTF-8, so that a name of any language keeps the columns straight. */
#include "cli/table.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "cli/lines.h"
#include "cli/table_fit.h"
#include "cli/table_format.h"

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

	encode_array_begin(encoder, NULL);
	for (size_t r = 0; r < table->row_count; r++) {
		encode_object_begin(encoder, NULL);
		for (size_t c = 0; c < table->column_count; c++) {
			const struct column *column = &table->columns[c];
			const struct cell *cell = &table->cells[r * table->column_count + c];
			const char *value = cell->value ? cell->value : cell->text;

			if (text_is_empty(value) || column->format_only)
				continue;
			if (column->kind == COLUMN_NUMBER)
				encode_number(encoder, column->key, value);
			else
				encode_string(encoder, column->key, value);
		}
		encode_object_end(encoder);
	}
	encode_array_end(encoder);
	encoder_print(encoder, out);
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
	if (options->format)
		return table_format(table, options->format, !options->no_header, out, err);
	for (size_t r = 0; r < table->row_count; r++)
		fprintf(out, "%s\n", table_cell(table, r, 0));
	return 0;
}
