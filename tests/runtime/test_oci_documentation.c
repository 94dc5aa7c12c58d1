/* docs/oci.md says of every key of config.json whether it is honoured and which test shows it. It is compared with the
 * tables that the decoder works by, and with the tests that there are. */
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/oci/oci.h"
#include "tests/test.h"

#define TEXT_MAX ((size_t)4 << 20)

/* The top of the source tree, from where this file was compiled. */
static const char *in_source(struct arena *arena, const char *path)
{
	static const char own[] = "tests/runtime/test_oci_documentation.c";
	const char *end = strstr(__FILE__, own);

	cr_assert(end);
	return arena_format(arena, "%.*s%s", (int)(end - __FILE__), __FILE__, path);
}

static const char *source_read(struct arena *arena, const char *path)
{
	const char *text;
	struct error err;

	ASSERT_OK(file_read(arena, AT_FDCWD, in_source(arena, path), TEXT_MAX, &text, NULL, &err));
	return text;
}

/* | `key.path` | supported … or refused … | suite.test, … | */
struct row {
	const char *path, *state, *tests;
	bool known;
};
struct rows {
	struct row *items;
	size_t count;
};

static const char *cell(struct arena *arena, const char *text)
{
	size_t length;

	text += strspn(text, " `");
	length = strlen(text);
	while (length && strchr(" `", text[length - 1]))
		length--;
	return arena_bytes(arena, text, length);
}

static struct rows rows_read(struct arena *arena)
{
	struct strings lines = strings_split(arena, source_read(arena, "docs/oci.md"), '\n');
	struct rows rows = {.items = arena_new_array(arena, lines.count, struct row)};

	for (size_t i = 0; i < lines.count; i++) {
		struct strings cells = strings_split(arena, lines.items[i], '|');

		if (cells.count != 5 || !text_starts_with(lines.items[i], "| `"))
			continue;
		rows.items[rows.count++] = (struct row){.path = cell(arena, cells.items[1]),
			.state = cell(arena, cells.items[2]),
			.tests = cell(arena, cells.items[3])};
	}
	return rows;
}

static struct row *row_find(const struct rows *rows, const char *path)
{
	for (size_t i = 0; i < rows->count; i++) {
		if (strcmp(rows->items[i].path, path) == 0)
			return &rows->items[i];
	}
	return NULL;
}

struct walk {
	struct arena *arena;
	struct rows rows;
	int wrong;
};

static void key_check(struct walk *walk, const char *path, const struct field *field)
{
	struct row *row = row_find(&walk->rows, path);
	const char *state = field->decode == oci_decode_refused ? "refused" : "supported";

	if (!row || !text_starts_with(row->state, state)) {
		fprintf(stderr, "docs/oci.md: `%s` should be %s\n", path, state);
		walk->wrong++;
	}
	if (row)
		row->known = true;
}

static void table_walk(struct walk *walk, const char *above, const struct field *fields)
{
	for (; fields->kind != FIELD_END; fields++) {
		const char *path = *above ? arena_format(walk->arena, "%s.%s", above, fields->key) : fields->key;

		if (fields->fields)
			table_walk(walk, path, fields->fields);
		else
			key_check(walk, path, fields);
	}
}

TEST(oci_documentation, says_of_every_key_whether_it_is_honoured)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct walk walk = {.arena = &arena, .rows = rows_read(&arena)};

	for (size_t i = 0; oci_config_tables[i]; i++)
		table_walk(&walk, "", oci_config_tables[i]);
	for (size_t i = 0; i < walk.rows.count; i++) {
		if (walk.rows.items[i].known)
			continue;
		fprintf(stderr, "docs/oci.md: `%s` is no key that is decoded\n", walk.rows.items[i].path);
		walk.wrong++;
	}
	cr_assert(walk.wrong == 0 && walk.rows.count > 150, "%d of %zu rows are wrong", walk.wrong, walk.rows.count);
}

/* All the test sources in one text. */
static const char *tests_read(struct arena *arena)
{
	static const char *const folders[] = {"tests/runtime", "tests/end_to_end", "tests/cgroups"};
	AUTO(text_drop) struct text all = {0};
	struct strings names;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		auto_fd dir = dir_open(AT_FDCWD, in_source(arena, folders[i]), &err);

		cr_assert(dir >= 0, "%s", err.text);
		ASSERT_OK(dir_list(arena, dir, 1000, &names, &err));
		for (size_t k = 0; k < names.count; k++)
			if (text_starts_with(names.items[k], "test_"))
				text_append(&all,
					source_read(arena, arena_format(arena, "%s/%s", folders[i], names.items[k])));
	}
	return arena_string(arena, text_string(&all));
}

TEST(oci_documentation, names_tests_that_exist)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *sources = tests_read(&arena);
	struct rows rows = rows_read(&arena);
	int wrong = 0;

	for (size_t i = 0; i < rows.count; i++) {
		struct strings tests = strings_split(&arena, rows.items[i].tests, ',');

		for (size_t k = 0; k < tests.count; k++) {
			struct strings parts = strings_split(&arena, cell(&arena, tests.items[k]), '.');
			const char *head = parts.count == 2
						   ? arena_format(&arena, "TEST(%s, %s", parts.items[0], parts.items[1])
						   : "(none)";

			if (strstr(sources, head))
				continue;
			fprintf(stderr, "docs/oci.md: `%s`: there is no test %s\n", rows.items[i].path, tests.items[k]);
			wrong++;
		}
	}
	cr_assert(wrong == 0, "%d", wrong);
}
