/* Listings, printed into memory. */
#include "cli/table.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "tests/test.h"

static const char *no_colour(const char *cell)
{
	(void)cell;
	return "\033[31m";
}

static const struct column columns[] = {
	{.title = "NAME", .key = "name", .colour = no_colour},
	{.title = "SIZE", .key = "size_bytes", .kind = COLUMN_NUMBER},
	{.title = "NOTE", .key = "note"},
	{.title = "PID", .key = "pid", .kind = COLUMN_NUMBER, .json_only = true},
};

static void table_fill(struct table *table, struct arena *arena)
{
	struct cell *row;

	table_init(table, arena, columns, ARRAY_SIZE(columns));
	row = table_row(table);
	row[0].text = "a";
	row[1] = (struct cell){.text = "1K", .value = "1024"};
	row[3].text = "7";
	row = table_row(table);
	row[0].text = "böse";
	row[1] = (struct cell){.text = "12M", .value = "12582912"};
	row[2].text = "say \"hi\"";
}

/* What table_print() writes; empty on failure. The caller frees it. */
static char *printed(const struct table_options *options, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct table table;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	table_fill(&table, &arena);
	if (table_print(&table, options, out, err) < 0)
		rewind(out);
	fclose(out);
	return text;
}

static void assert_printed(struct table_options options, const char *expected)
{
	struct error err = {0};
	auto_free char *text = printed(&options, &err);

	cr_assert(!strcmp(text, expected), "got:\n%s%s", text, err.text);
}

TEST(table, aligns_text_left_and_numbers_right_and_counts_characters_not_bytes)
{
	assert_printed((struct table_options){0}, "NAME  SIZE  NOTE\n"
						  "a       1K  -\n"
						  "böse   12M  say \"hi\"\n");
}

TEST(table, prints_names_only_when_quiet)
{
	assert_printed((struct table_options){.quiet = true}, "a\nböse\n");
}

TEST(table, leaves_the_header_out_when_told)
{
	assert_printed((struct table_options){.no_header = true}, "a      1K  -\nböse  12M  say \"hi\"\n");
}

TEST(table, json_has_exact_values_and_the_columns_for_scripts_and_no_empty_ones)
{
	struct error err = {0};
	struct table_options options = {.json = true};
	auto_free char *text = printed(&options, &err);

	cr_assert(strstr(text, "\"size_bytes\": 1024"), "%s", text);
	cr_assert(strstr(text, "\"pid\": 7"), "%s", text);
	cr_assert(strstr(text, "\"note\": \"say \\\"hi\\\"\""), "%s", text);
	cr_assert(!strstr(text, "null"), "%s", text);
	cr_assert(!strstr(text, "\033"), "%s", text);
}

TEST(table, fills_a_template_with_exact_values)
{
	assert_printed(
		(struct table_options){.format = "{{.Name}}\\t{{ .size_bytes }}!"}, "a\t1024!\nböse\t12582912!\n");
}

TEST(table, refuses_templates_that_cannot_be_filled)
{
	struct error err = {0};
	struct table_options unknown = {.format = "{{.Nmae}}"}, open = {.format = "{{.Name"},
			     both = {.json = true, .quiet = true};

	free(printed(&unknown, &err));
	cr_assert(!strcmp(err.text, "--format: no field \"Nmae\"; did you mean \"name\"?"), "%s", err.text);
	free(printed(&open, &err));
	cr_assert(!strcmp(err.text, "--format: \"{{.Name\" has no closing }}"), "%s", err.text);
	free(printed(&both, &err));
	cr_assert(!strcmp(err.text, "only one of --json, --quiet and --format can be given"), "%s", err.text);
}
