/* When a table is wider than the terminal, in this order: long remarks go below their rows, columns without any value
 * go, then one after the other those that matter least (struct column's `drop`), for as long as the rest does not fit
 * even when cut; then what may be cut is, the widest first. A table whose columns say nothing of this has its widest
 * texts cut, and its last columns left out. */
#include "cli/table_fit.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "cli/lines.h"

#define CUT_MIN 8 /* of a text nobody has said of how far it may be cut */

struct fitting {
	const struct table *table;
	struct fitted *columns;
	bool header;
	size_t count, width;
};

const char *table_cell(const struct table *table, size_t row, size_t column)
{
	const char *text = table->cells[row * table->column_count + column].text;

	return text_is_empty(text) ? "-" : text;
}

static bool column_is_empty(const struct table *table, size_t column)
{
	for (size_t r = 0; r < table->row_count; r++)
		if (!text_is_empty(table->cells[r * table->column_count + column].text))
			return false;
	return true;
}

/* The widest cell of at most `most` characters; `most` is for those that go below otherwise. */
static size_t column_width(const struct fitting *fitting, size_t column, size_t most)
{
	const struct table *table = fitting->table;
	size_t width = 0, title = fitting->header ? text_width(table->columns[column].title) : 0;
	bool any = most == SIZE_MAX;

	for (size_t r = 0; r < table->row_count; r++) {
		size_t wide = text_width(table_cell(table, r, column));

		if (wide > most)
			continue;
		any |= !text_is_empty(table->cells[r * table->column_count + column].text);
		width = wide > width ? wide : width;
	}
	return !any ? 0 : width > title ? width : title;
}

static size_t total(const struct fitting *fitting)
{
	size_t sum = 0;

	for (size_t c = 0; c < fitting->count; c++)
		if (!fitting->columns[c].hidden)
			sum += fitting->columns[c].width + (sum ? TABLE_GAP : 0);
	return sum;
}

/* How narrow it may become; `any`: also a text that says nothing of it, but for the one in front. */
static size_t width_min(const struct fitting *fitting, size_t c, bool any)
{
	const struct column *column = &fitting->table->columns[c];
	size_t width = fitting->columns[c].width, least = width;

	if (fitting->columns[c].below)
		return width;
	if (column->cut)
		least = column->cut;
	else if (any && c && column->kind == COLUMN_TEXT)
		least = CUT_MIN;
	size_t title = fitting->header ? text_width(column->title) : 0;

	least = least > title ? least : title;
	return least < width ? least : width;
}

static size_t total_min(const struct fitting *fitting, bool any)
{
	size_t sum = total(fitting);

	for (size_t c = 0; c < fitting->count; c++)
		if (!fitting->columns[c].hidden)
			sum -= fitting->columns[c].width - width_min(fitting, c, any);
	return sum;
}

static void remarks_go_below(struct fitting *fitting)
{
	for (size_t c = 0; c < fitting->count; c++) {
		const struct column *column = &fitting->table->columns[c];
		struct fitted *fitted = &fitting->columns[c];

		if (!column->below || fitted->hidden || fitted->width <= column->cut)
			continue;
		fitted->below = true;
		fitted->width = column_width(fitting, c, column->cut);
		fitted->hidden = !fitted->width;
	}
}

static void empty_ones_go(struct fitting *fitting)
{
	for (size_t c = 0; c < fitting->count; c++)
		if (fitting->table->columns[c].drop && column_is_empty(fitting->table, c))
			fitting->columns[c].hidden = true;
}

/* The next one to leave out; SIZE_MAX: there is none. */
static size_t least_wanted(const struct fitting *fitting, bool any)
{
	size_t found = SIZE_MAX;
	unsigned lowest = UINT32_MAX;

	for (size_t c = 0; c < fitting->count; c++) {
		unsigned drop = fitting->table->columns[c].drop;

		if (!fitting->columns[c].hidden && drop && drop < lowest) {
			lowest = drop;
			found = c;
		}
	}
	for (size_t c = fitting->count; any && found == SIZE_MAX && c-- > 1;)
		if (!fitting->columns[c].hidden)
			found = c;
	return found;
}

static void columns_go(struct fitting *fitting, bool any)
{
	size_t next;

	while (total_min(fitting, any) > fitting->width && (next = least_wanted(fitting, any)) != SIZE_MAX) {
		/* What has no column any more stands below, where it may. */
		fitting->columns[next].hidden = true;
		fitting->columns[next].width = 0;
	}
}

static void columns_cut(struct fitting *fitting, bool any)
{
	for (size_t over = total(fitting); over > fitting->width; over--) {
		struct fitted *widest = NULL;

		for (size_t c = 0; c < fitting->count; c++) {
			struct fitted *fitted = &fitting->columns[c];

			if (!fitted->hidden && fitted->width > width_min(fitting, c, any) &&
				(!widest || fitted->width > widest->width))
				widest = fitted;
		}
		if (!widest)
			return;
		widest->width--;
	}
}

struct fitted *table_fit(const struct table *table, bool header, size_t width)
{
	struct fitting fitting = {
		.table = table,
		.columns = arena_new_array(table->arena, table->column_count, struct fitted),
		.header = header,
		.count = table->column_count,
		.width = width,
	};

	for (size_t c = 0; c < table->column_count; c++)
		fitting.columns[c] = (struct fitted){.width = column_width(&fitting, c, SIZE_MAX),
			.hidden = table->columns[c].json_only || table->columns[c].format_only};
	if (total(&fitting) <= width)
		return fitting.columns;
	remarks_go_below(&fitting);
	empty_ones_go(&fitting);
	columns_go(&fitting, false);
	columns_cut(&fitting, false);
	/* Whatever has not said enough of itself. */
	columns_go(&fitting, true);
	columns_cut(&fitting, true);
	return fitting.columns;
}
