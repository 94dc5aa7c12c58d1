/* The manual page and the completion of warren-oci say what the program's own tables say, no more and no less. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/end_to_end/support_run.h"
#include "tests/test.h"

#define NAME_MAX_LENGTH 64

/* The page, from where this file was compiled. */
static const char *page_read(struct arena *arena)
{
	static const char own[] = "tests/end_to_end/test_oci_manual.c";
	const char *end = strstr(__FILE__, own), *text;
	struct error err;

	cr_assert(end);
	ASSERT_OK(file_read(arena, AT_FDCWD,
		arena_format(arena, "%.*sdocs/man/warren-oci.8", (int)(end - __FILE__), __FILE__), 1 << 20, &text, NULL,
		&err));
	return text;
}

/* What stands between the heading and the next one. */
static const char *section(struct arena *arena, const char *page, const char *heading)
{
	const char *begin = strstr(page, heading), *end;

	cr_assert(begin, "the page has no \"%s\"", heading);
	begin += strlen(heading);
	for (end = begin; *end && strncmp(end, "\n.S", 3) != 0;)
		end++;
	return arena_bytes(arena, begin, (size_t)(end - begin));
}

/* "  -b, --bundle DIR  …": the words before the two blanks behind them, as the page has them. False: no option. */
static bool option_line(const char *line, char *out, size_t size)
{
	char letter[24] = "", name[NAME_MAX_LENGTH] = "", argument[NAME_MAX_LENGTH] = "";
	const char *at = strstr(line, "--");
	size_t used = 0;

	if (strncmp(line, "  ", 2) != 0 || !at || at - line != 6 || strncmp(at, "--help", 6) == 0)
		return false;
	if (line[2] == '-')
		snprintf(letter, sizeof(letter), "\\fB\\-%c\\fR, ", line[3]);
	for (at += 2; *at && *at != ' ' && used < sizeof(name) - 3; at++) {
		if (*at == '-')
			name[used++] = '\\';
		name[used++] = *at;
	}
	if (*at == ' ' && at[1] != ' ')
		snprintf(argument, sizeof(argument), " \\fI%.*s\\fR", (int)strcspn(at + 1, " \n"), at + 1);
	snprintf(out, size, ".TP\n%s\\fB\\-\\-%s\\fR%s\n", letter, name, argument);
	return true;
}

static size_t count_of(const char *text, const char *what)
{
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		count++;
	return count;
}

/* All options of the help are in the section, and as many. */
static void options_expect(struct arena *arena, const char *help, const char *part, const char *name)
{
	struct strings lines = strings_split(arena, help, '\n');
	size_t found = 0;
	char expected[256];

	for (size_t i = 0; i < lines.count; i++) {
		if (!option_line(lines.items[i], expected, sizeof(expected)))
			continue;
		found++;
		cr_assert(strstr(part, expected), "docs/man/warren-oci.8: %s: %s is missing", name, expected);
	}
	cr_assert(count_of(part, "\n.TP\n") == found, "docs/man/warren-oci.8: %s: %zu options, the program has %zu",
		name, count_of(part, "\n.TP\n"), found);
}

/* The first words of the lines behind "Commands:". */
static struct strings commands_read(struct arena *arena, const char *help)
{
	struct strings lines = strings_split(arena, strstr(help, "Commands:\n"), '\n'), commands = {0};

	for (size_t i = 1; i < lines.count && *lines.items[i]; i++) {
		const char *word = lines.items[i] + 2;

		if (isalpha((unsigned char)*word))
			strings_add(arena, &commands, arena_bytes(arena, word, strcspn(word, " ")));
	}
	return commands;
}

TEST(oci_manual, has_every_command_and_option_and_no_others)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *page = page_read(&arena);
	auto_run top = RUN(WARREN_OCI_PROGRAM, "--help");
	struct strings commands = commands_read(&arena, top.out);

	options_expect(&arena, strstr(top.out, "Options:\n"), section(&arena, page, ".SH GLOBAL OPTIONS"), "(global)");
	cr_assert(commands.count >= 15 && count_of(page, "\n.SS ") == commands.count, "%zu commands, %zu in the page",
		commands.count, count_of(page, "\n.SS "));
	for (size_t i = 0; i < commands.count; i++) {
		const char *name = commands.items[i];
		auto_run help = RUN(WARREN_OCI_PROGRAM, name, "--help");

		options_expect(&arena, help.out, section(&arena, page, arena_format(&arena, ".SS %s\n", name)), name);
	}
}

TEST(oci_manual, has_a_completion_with_every_command)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_run top = RUN(WARREN_OCI_PROGRAM, "--help");
	auto_run script = RUN(WARREN_OCI_PROGRAM, "completion", "bash");
	struct strings commands = commands_read(&arena, top.out);
	auto_free char *whole = text_format("%s\nCOMP_WORDS=(warren-oci exec --no); COMP_CWORD=2; _warren_oci; "
					    "echo \"${COMPREPLY[@]}\"; COMP_WORDS=(warren-oci che); COMP_CWORD=1; "
					    "_warren_oci; echo \"${COMPREPLY[@]}\"",
		script.out);
	auto_run completed = RUN("bash", "-c", whole);

	for (size_t i = 0; i < commands.count; i++)
		cr_assert(strstr(script.out, commands.items[i]), "%s", commands.items[i]);
	cr_assert(
		completed.status == 0 && strstr(completed.out, "--no-new-privs") && strstr(completed.out, "checkpoint"),
		"%s%s", completed.out, completed.err);
}
