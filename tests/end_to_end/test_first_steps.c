/* What a new user does first: the file that `init` writes, and the tutorial, command by command. */
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

TEST(first_steps, init_writes_a_file_that_is_valid_and_overwrites_none)
{
	auto_directory directory = run_directory_new();
	const struct run_options there = {.directory = directory.path};
	static const struct {
		const char *operand, *file, *fleet;
	} rows[] = {{NULL, "warren.json", "web"}, {"shop.json", "shop.json", "shop"}, {"a-1", "a-1", "a-1"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *const words[] = {WARREN_PROGRAM, "init", rows[i].operand, NULL};
		auto_run made = run_program(words, &there);
		auto_run valid = run_program((const char *[]){WARREN_PROGRAM, "validate", rows[i].file, NULL}, &there);
		auto_run again = run_program(words, &there);
		auto_free char *expected =
			text_format("%s: fleet \"%s\", 1 instance, 0 networks: valid\n", rows[i].file, rows[i].fleet);
		auto_free char *refused =
			text_format("warren: %s: is there already; give another name, or remove it\n", rows[i].file);

		cr_assert(made.status == 0 && *made.out && !*made.err, "%s", made.err);
		cr_assert_str_eq(valid.out, expected, "%s%s", valid.out, valid.err);
		cr_assert_str_eq(again.err, refused);
		cr_assert(again.status == 4);
	}
	auto_run wrong = run_program((const char *[]){WARREN_PROGRAM, "init", "My Shop.json", NULL}, &there);
	cr_assert(wrong.status == 2 && strstr(wrong.err, "fleet name \"My Shop\""), "%d %s", wrong.status, wrong.err);
	auto_run left = run_program((const char *[]){"ls", NULL}, &there);
	cr_assert_str_eq(left.out, "a-1\nshop.json\nwarren.json\n");
}

/* --- the tutorial ------------------------------------------------------------------------------------------------- */

#define EXPECTS "#=>"

static const char *page_read(struct arena *arena, const char *name)
{
	static const char own[] = "tests/end_to_end/test_first_steps.c";
	const char *end = strstr(__FILE__, own), *text;
	struct error err;

	ASSERT_OK(file_read(arena, AT_FDCWD, arena_format(arena, "%.*s%s", (int)(end - __FILE__), __FILE__, name),
		1 << 20, &text, NULL, &err));
	return text;
}

/* The commands of all ```sh blocks as one script. What a line expects is checked where it stands: its output is kept
 * in a file and searched. A server that has just been started is asked until it answers. */
static const char *script_make(struct arena *arena, const char *page, size_t *expectations)
{
	struct text AUTO(text_drop) script = {0};
	struct strings lines = strings_split(arena, page, '\n');
	bool inside = false;

	text_append(&script, "set -eu\n"
			     "curl() { command curl --retry 20 --retry-connrefused --retry-delay 1 -m 20 \"$@\"; }\n");
	*expectations = 0;
	for (size_t i = 0; i < lines.count; i++) {
		const char *line = lines.items[i], *expected = strstr(line, EXPECTS);

		if (inside && !strcmp(line, "```")) {
			inside = false;
		} else if (!strcmp(line, "```sh")) {
			inside = true;
		} else if (inside && expected) {
			const char *wanted = expected + strlen(EXPECTS);

			wanted += *wanted == ' ';
			++*expectations;
			text_appendf(&script,
				"{ %.*s; } >../said 2>&1 || { cat ../said; echo 'line %zu failed'; exit 1; }\n"
				"%s || { cat ../said; echo 'line %zu: another answer'; exit 1; }\n",
				(int)(expected - line), line, i + 1,
				*wanted ? arena_format(arena, "grep -qF '%s' ../said", wanted) : "! [ -s ../said ]",
				i + 1);
		} else if (inside) {
			text_appendf(&script, "%s\n", line);
		}
	}
	return arena_string(arena, text_string(&script));
}

/* A program `warren` in front of PATH that keeps to the playground. */
static const char *path_prepare(struct playground *playground, const char *directory)
{
	run_write_file(directory, "bin/warren", 0755,
		arena_format(&playground->arena, "#!/bin/sh\nexec %s --root %s --cgroup-parent %s \"$@\"\n",
			WARREN_PROGRAM, playground->root, playground->parent));
	return arena_format(&playground->arena, "PATH=%s/bin:%s", directory, getenv("PATH"));
}

TEST(first_steps, of_the_tutorial_do_what_it_says, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = playground_new();
	auto_directory directory = run_directory_new();
	const char *page = page_read(&playground.arena, "docs/tutorial.md");
	size_t expectations;
	const char *script = script_make(&playground.arena, page, &expectations);
	const char *const env[] = {path_prepare(&playground, directory.path), "LC_ALL=C", NULL};

	cr_assert(expectations >= 15, "%zu expectations", expectations);
	auto_run done = run_program((const char *[]){"sh", "-c", script, NULL},
		&(struct run_options){.directory = directory.path, .env = env, .timeout_ms = SLOWLY(240) * 1000});
	cr_assert(done.status == 0, "%s%s", done.out, done.err);
}
