/* Listings, printed into memory. */
#include "cli/table.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/template.h"
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
	{.title = "STATUS", .key = "Status", .format_only = true},
};

static const struct template_alias aliases[] = {{"ID", "name"}, {NULL, NULL}};

static void table_fill(struct table *table, struct arena *arena)
{
	struct cell *row;

	table_init(table, arena, columns, ARRAY_SIZE(columns));
	table->aliases = aliases;
	row = table_row(table);
	row[0].text = "a";
	row[1] = (struct cell){.text = "1K", .value = "1024"};
	row[3].text = "7";
	row[4].text = "Up 3m";
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

TEST(table, fills_a_template_with_what_people_see_and_with_the_words_of_others)
{
	assert_printed((struct table_options){.format = "{{.ID}} {{.Size}} {{.Status}}{{json .note}}"},
		"a 1K Up 3mnull\nböse 12M \"say \\\"hi\\\"\"\n");
	assert_printed((struct table_options){.format = "{{json .}}"},
		"{\"name\":\"a\",\"size_bytes\":1024,\"pid\":7}\n"
		"{\"name\":\"böse\",\"size_bytes\":12582912,\"note\":\"say \\\"hi\\\"\"}\n");
}

TEST(table, aligns_a_template_that_is_a_table)
{
	assert_printed((struct table_options){.format = "table {{.ID}}\\t{{.Size}} of\t{{.size_bytes}}"},
		"NAME  SIZE of  SIZE\na     1K of    1024\nböse  12M of   12582912\n");
	assert_printed((struct table_options){.format = "table {{.Name}}\\t{{.Status}}", .no_header = true},
		"a     Up 3m\nböse  -\n");
}

TEST(table, refuses_templates_that_cannot_be_filled)
{
	struct error err = {0};
	struct table_options unknown = {.format = "{{.Nmae}}"}, open = {.format = "{{.Name"},
			     both = {.json = true, .quiet = true};

	free(printed(&unknown, &err));
	cr_assert_str_eq(err.text,
		"--format: no field \".Nmae\"; did you mean \".name\"?; there are name, size_bytes, size, note, pid, "
		"Status, ID");
	free(printed(&open, &err));
	cr_assert_str_eq(err.text, "--format: \"{{.Name\" has no closing }}");
	free(printed(&both, &err));
	cr_assert(!strcmp(err.text, "only one of --json, --quiet and --format can be given"), "%s", err.text);
}

/* --- narrow ------------------------------------------------------------------------------------------------------- */

static const struct column wide_columns[] = {
	{.title = "NAME", .key = "name"},
	{.title = "IMAGE", .key = "image", .drop = 2, .cut = 8, .keep_end = true},
	{.title = "EMPTY", .key = "empty", .drop = 9},
	{.title = "COUNT", .key = "count", .kind = COLUMN_NUMBER, .drop = 1},
	{.title = "NOTE", .key = "note", .cut = 6, .below = true},
};

static void assert_wide(size_t width, bool no_trunc, const char *expected)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *text = NULL;
	struct table table;
	struct error err = {0};
	size_t length;
	FILE *out = open_memstream(&text, &length);

	table_init(&table, &arena, wide_columns, ARRAY_SIZE(wide_columns));
	struct cell *row = table_row(&table);
	row[0].text = "one", row[1].text = "registry/site:7", row[3].text = "12", row[4].text = "exit 1";
	row = table_row(&table);
	row[0].text = "another", row[1].text = "host", row[3].text = "3",
	row[4].text = "nobody knows why it has ended so soon";
	table.width = width;
	ASSERT_OK(table_print(&table, &(struct table_options){.no_trunc = no_trunc}, out, &err));
	fclose(out);
	cr_assert_str_eq(text, expected, "at %zu:\n%s", width, text);
}

#define ALL                                                                                                            \
	"NAME     IMAGE            EMPTY  COUNT  NOTE\n"                                                               \
	"one      registry/site:7  -         12  exit 1\n"                                                             \
	"another  host             -          3  nobody knows why it has ended so soon\n"

TEST(table, on_a_wide_terminal_is_whole)
{
	assert_wide(78, false, ALL);
	assert_wide(77, true, ALL);
}

TEST(table, on_a_narrow_terminal_has_long_remarks_below_and_no_empty_columns)
{
	assert_wide(76, false,
		"NAME     IMAGE            COUNT  NOTE\n"
		"one      registry/site:7     12  exit 1\n"
		"another  host                 3  \n"
		"    nobody knows why it has ended so soon\n");
}

TEST(table, that_is_still_too_wide_is_cut_before_columns_are_left_out)
{
	assert_wide(34, false,
		"NAME     IMAGE       COUNT  NOTE\n"
		"one      …ry/site:7     12  exit 1\n"
		"another  host            3  \n"
		"    nobody knows why it has ended\n"
		"    so soon\n");
	assert_wide(25, false,
		"NAME     IMAGE     NOTE\n"
		"one      …/site:7  exit 1\n"
		"another  host      \n"
		"    nobody knows why it\n"
		"    has ended so soon\n");
	assert_wide(20, false,
		"NAME     NOTE\n"
		"one      exit 1\n"
		"another  \n"
		"    nobody knows why\n"
		"    it has ended so\n"
		"    soon\n");
}

TEST(table, whose_columns_say_nothing_has_its_texts_cut_and_its_last_columns_left_out)
{
	static const struct column plain[] = {
		{.title = "NAME", .key = "name"},
		{.title = "SUBNET", .key = "subnet"},
		{.title = "FLEET", .key = "fleet"},
	};
	static const struct {
		size_t width;
		const char *expected;
	} rows[] = {
		{30, "NAME       SUBNET       FLEET\na-network  10.10.0.0/1  shop\n"},
		{26, "NAME       SUBNET    FLEET\na-network  10.10.0…  shop\n"},
		{24, "NAME       SUBNET\na-network  10.10.0.0/1\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		auto_free char *text = NULL;
		struct table table;
		struct error err = {0};
		size_t length;
		FILE *out = open_memstream(&text, &length);

		table_init(&table, &arena, plain, ARRAY_SIZE(plain));
		struct cell *row = table_row(&table);
		row[0].text = "a-network", row[1].text = "10.10.0.0/1", row[2].text = "shop";
		table.width = rows[i].width;
		ASSERT_OK(table_print(&table, &(struct table_options){0}, out, &err));
		fclose(out);
		cr_assert_str_eq(text, rows[i].expected, "at %zu:\n%s", rows[i].width, text);
	}
}
