/* A row is made a document of its keys, for the template, and another one of what is only asked for by name: texts for
 * people under the columns' titles, and what only docker's words lead to. */
#include "cli/table_format.h"

#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "cli/template.h"

#define ALIGNED "table "
#define COLUMNS_MAX 32 /* of "table TEMPLATE" */

struct formatting {
	const struct table *table;
	struct template_names names;
};

/* --- what a template may name ------------------------------------------------------------------------------------- */

static bool is_word(const char *title)
{
	for (; *title; title++)
		if (!isalnum((unsigned char)*title))
			return false;
	return true;
}

/* A title that is no column's key: its text can be asked for beside the value. */
static bool has_own_title(const struct table *table, const struct column *column)
{
	if (column->json_only || column->format_only || !*column->title || !is_word(column->title))
		return false;
	for (size_t c = 0; c < table->column_count; c++)
		if (!strcasecmp(table->columns[c].key, column->title))
			return false;
	return true;
}

static const char *lower(struct arena *arena, const char *text)
{
	char *copy = (char *)arena_string(arena, text);

	for (char *at = copy; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return copy;
}

static const char *upper(struct arena *arena, const char *text)
{
	char *copy = (char *)arena_string(arena, text);

	for (char *at = copy; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	return copy;
}

static size_t aliases_count(const struct template_alias *aliases)
{
	size_t count = 0;

	while (aliases && aliases[count].theirs)
		count++;
	return count;
}

/* What the second document calls the column's text; NULL: it has none there. */
static const char *second_name(const struct table *table, const struct column *column)
{
	if (column->format_only)
		return column->key;
	return has_own_title(table, column) ? lower(table->arena, column->title) : NULL;
}

/* Aliases: the table's own, and one for each member of the second document. */
static void names_make(struct formatting *formatting)
{
	const struct table *table = formatting->table;
	struct arena *arena = table->arena;
	size_t count = aliases_count(table->aliases);
	struct template_alias *aliases = arena_new_array(arena, count + table->column_count + 1, struct template_alias);
	struct strings names = {0};

	if (count)
		memcpy(aliases, table->aliases, count * sizeof(*aliases));
	for (size_t c = 0; c < table->column_count; c++) {
		const char *second = second_name(table, &table->columns[c]);

		if (!table->columns[c].format_only)
			strings_add(arena, &names, table->columns[c].key);
		if (!second)
			continue;
		strings_add(arena, &names, second);
		aliases[count++] = (struct template_alias){second, arena_format(arena, "#%s", second)};
	}
	for (size_t i = 0; i < aliases_count(table->aliases); i++)
		strings_add(arena, &names, table->aliases[i].theirs);
	formatting->names = (struct template_names){.optional = names.items, .aliases = aliases, .lists = true};
}

/* --- documents ---------------------------------------------------------------------------------------------------- */

static const struct json *document_make(struct arena *arena, struct encoder *encoder)
{
	struct error ignored;

	encode_object_end(encoder);
	/* What we have encoded can be read; should it not, there is nothing to show. */
	return encoder_tree(encoder, arena, &ignored);
}

/* cells NULL: the titles, for the header. */
static void document_encode(
	struct encoder *encoder, const struct table *table, const struct cell *cells, bool is_second)
{
	encode_object_begin(encoder, NULL);
	for (size_t c = 0; c < table->column_count; c++) {
		const struct column *column = &table->columns[c];
		const char *key = is_second ? second_name(table, column) : column->format_only ? NULL : column->key;
		const char *text = !cells			  ? column->title
				   : is_second || !cells[c].value ? cells[c].text
								  : cells[c].value;

		if (!key || (text_is_empty(text) && cells))
			continue;
		if (cells && !is_second && column->kind == COLUMN_NUMBER)
			encode_number(encoder, key, text);
		else
			encode_string(encoder, key, text_is_empty(text) ? upper(table->arena, key) : text);
	}
}

static int line_print(
	struct formatting *formatting, const char *template, const struct cell *cells, FILE *out, struct error *err)
{
	AUTO(encoder_drop) struct encoder *first = encoder_new(ENCODE_COMPACT), *second = encoder_new(ENCODE_COMPACT);
	struct arena *arena = formatting->table->arena;

	document_encode(first, formatting->table, cells, false);
	document_encode(second, formatting->table, cells, true);
	formatting->names.extra = document_make(arena, second);
	return template_print(arena, template, document_make(arena, first), &formatting->names, out, err);
}

/* The header first, also where it is not shown: what is wrong with a template is told when there is no row, too. */
static int lines_print_all(
	struct formatting *formatting, const char *template, bool header, FILE *out, struct error *err)
{
	const struct table *table = formatting->table;
	auto_free char *text = NULL;
	size_t length;
	FILE *memory = open_memstream(&text, &length);

	if (!memory)
		memory_exhausted();
	int result = line_print(formatting, template, NULL, memory, err);
	fclose(memory);
	if (result == 0 && header)
		fputs(text, out);
	for (size_t r = 0; r < table->row_count && result == 0; r++)
		result = line_print(formatting, template, table->cells + r * table->column_count, out, err);
	return result;
}

/* --- aligned ------------------------------------------------------------------------------------------------------ */

/* Lines of cells between tabs → a table of as many columns as the widest line has. */
static int aligned_print(struct arena *arena, char *text, FILE *out, struct error *err)
{
	static const struct column plain = {.title = "", .key = "", .cut = 8};
	struct column columns[COLUMNS_MAX];
	struct table table;

	for (size_t c = 0; c < COLUMNS_MAX; c++)
		columns[c] = plain;
	struct strings lines = strings_split(arena, text, '\n');
	size_t widest = 1;
	for (size_t i = 0; i + 1 < lines.count; i++) {
		size_t cells = strings_split(arena, lines.items[i], '\t').count;

		widest = cells > widest ? cells : widest;
	}
	if (widest > COLUMNS_MAX)
		return fail(err, ERROR_USAGE, "--format: more than %d columns", COLUMNS_MAX);
	table_init(&table, arena, columns, widest);
	for (size_t i = 0; i + 1 < lines.count; i++) {
		struct strings cells = strings_split(arena, lines.items[i], '\t');
		struct cell *row = table_row(&table);

		for (size_t c = 0; c < cells.count; c++)
			row[c].text = cells.items[c];
	}
	return table_print(&table, &(struct table_options){.no_header = true}, out, err);
}

int table_format(const struct table *table, const char *format, bool header, FILE *out, struct error *err)
{
	struct formatting formatting = {.table = table};
	bool is_aligned = text_starts_with(format, ALIGNED);
	auto_free char *text = NULL;
	size_t length;

	names_make(&formatting);
	if (!is_aligned)
		return lines_print_all(&formatting, format, false, out, err);
	FILE *memory = open_memstream(&text, &length);
	if (!memory)
		memory_exhausted();
	int result = lines_print_all(&formatting, format + strlen(ALIGNED), header, memory, err);
	fclose(memory);
	return result < 0 ? -1 : aligned_print(table->arena, text, out, err);
}
