/* The scripts are given to the shells themselves, with a command line to complete. */
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/options.h"
#include "base/process.h"
#include "tests/base/scratch.h"
#include "tests/base/support_commands.h"
#include "tests/test.h"

/* The scratch directory holds the script, a "sample" that lists two instances, a file and a directory. */
static void prepare(const struct scratch *scratch, const char *shell)
{
	static const char program[] = "#!/bin/sh\ncase $* in 'list -q') printf 'web-1\\nweb-2\\n' ;; 'image list -q') "
				      "printf 'debian:12\\nhost\\n' ;; esac\n";
	auto_free char *text = NULL;
	struct error err;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	ASSERT_OK(program_completion(out, shell, "sample", sample_commands, sample_global_options, &err));
	fclose(out);
	ASSERT_OK(file_replace(scratch->fd, "script", 0644, FILE_VOLATILE, text, length, &err));
	ASSERT_OK(file_replace(scratch->fd, "sample", 0755, FILE_VOLATILE, program, sizeof(program) - 1, &err));
	ASSERT_OK(file_replace(scratch->fd, "web.json", 0644, FILE_VOLATILE, "", 0, &err));
	cr_assert_eq(mkdirat(scratch->fd, "webdir", 0755), 0);
}

/* Runs shell code in the scratch directory; gives its output, line breaks as blanks. */
static void run(
	const struct scratch *scratch, const char *shell, const char *option, const char *code, struct text *output)
{
	auto_free char *script = text_format("cd %s; %s", scratch->path, code);
	auto_free char *home = text_format("HOME=%s", scratch->path);
	auto_free char *path = text_format("PATH=%s:/usr/bin:/bin", scratch->path);
	const char *const argv[] = {shell, option, "-c", script, NULL};
	const char *const env[] = {home, path, "TERM=dumb", "LANG=C.UTF-8", NULL};
	const struct helper helper = {.argv = argv, .env = env, .timeout_ms = 60000};
	struct error err;
	int status;

	ASSERT_OK(process_run(&helper, output, &status, &err));
	cr_assert(WIFEXITED(status), "status %x", status);
	for (size_t i = 0; i < output->length; i++)
		if (output->data[i] == '\n')
			output->data[i] = ' ';
}

/* Words so far, the last one being completed ("" = a new word) → what is offered, in the shells' common order. */
struct expected {
	const char *words, *offers;
};

static const struct expected cases[] = {
	{"''", "run list stop apply image "},
	{"ima", "image "},
	{"image ''", "list tag "},
	{"--root image image t", "tag "},
	{"image ls --form", "--format "},
	{"image list --format ''", "table json "},
	{"image tag ho", "host "},
	{"run -d ho", "host "},
	{"st", "stop "},
	{"--", "--root --debug --help "},
	{"--root wx stop web-", "web-1 web-2 "},
	{"-D stop ''", "web-1 web-2 "},
	{"stop --", "--help "},
	{"ps --form", "--format "},
	{"list --format ''", "table json "},
	{"list --format j", "json "},
	{"run --level hi", "high "},
	{"run --hid", ""},
	{"run --n", "--name "},
	{"run --name ''", ""},
	{"run --env-file web", "web.json webdir "},
	{"apply web", "web.json webdir "},
	{"--root web", "webdir "},
};

static int word_compare(const void *one, const void *other)
{
	return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* bash shows what it was given in the order of the alphabet; files come in that of their directory. */
static const char *words_sort(struct arena *arena, const char *text)
{
	struct strings words = strings_split(arena, text, ' ');
	const char *sorted = "";

	qsort(words.items, words.count, sizeof(*words.items), word_compare);
	for (size_t i = 0; i < words.count; i++)
		sorted = arena_format(arena, "%s%s ", sorted, words.items[i]);
	return sorted;
}

TEST(completion, bash_offers_what_fits)
{
	NEEDS_A_FAST_PROCESSOR();
	AUTO(arena_drop) struct arena arena = {0};
	SCRATCH(scratch);

	prepare(&scratch, "bash");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct text output AUTO(text_drop) = {0};
		auto_free char *code =
			text_format("source ./script; COMP_WORDS=(sample %s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1));"
				    " _sample 2>/dev/null; [ ${#COMPREPLY[@]} = 0 ] ||"
				    " printf '%%s\\n' \"${COMPREPLY[@]}\"",
				cases[i].words);

		run(&scratch, "/bin/bash", "--norc", code, &output);
		cr_expect_str_eq(words_sort(&arena, text_string(&output)), words_sort(&arena, cases[i].offers),
			"%s: \"%s\"", cases[i].words, text_string(&output));
	}
}

TEST(completion, bash_knows_a_value_behind_an_equals_sign)
{
	static const struct expected split[] = {
		{"list --format '=' j", "json "}, {"list --format '='", "table json "}, {"--root '=' /x st", "stop "}};
	SCRATCH(scratch);

	prepare(&scratch, "bash");
	for (size_t i = 0; i < ARRAY_SIZE(split); i++) {
		struct text output AUTO(text_drop) = {0};
		auto_free char *code =
			text_format("source ./script; COMP_WORDS=(sample %s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1));"
				    " _sample; printf '%%s\\n' \"${COMPREPLY[@]}\"",
				split[i].words);

		run(&scratch, "/bin/bash", "--norc", code, &output);
		cr_expect_str_eq(text_string(&output), split[i].offers, "%s", split[i].words);
	}
}

/* zsh's own matching is not at hand without a terminal: its builtins are replaced by ones that print all candidates
 * which begin with the word. */
TEST(completion, zsh_offers_what_fits)
{
	NEEDS_A_FAST_PROCESSOR();
	SCRATCH(scratch);

	SKIP_UNLESS(access("/usr/bin/zsh", X_OK) == 0, "needs zsh");
	prepare(&scratch, "zsh");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct text output AUTO(text_drop) = {0};
		auto_free char *code =
			text_format("compdef() { : }; compadd() { shift; for w; do [[ $w == ${words[CURRENT]}* ]] && "
				    "print -r -- $w; done };"
				    "_files() { if [[ $1 == -/ ]]; then print -rl -- ${words[CURRENT]}*(/N);"
				    " else print -rl -- ${words[CURRENT]}*(N); fi };"
				    "source ./script; words=(sample %s); CURRENT=$#words; _sample",
				cases[i].words);

		run(&scratch, "/usr/bin/zsh", "-f", code, &output);
		cr_expect_str_eq(
			text_string(&output), cases[i].offers, "%s: \"%s\"", cases[i].words, text_string(&output));
	}
}

TEST(completion, fish_offers_what_fits)
{
	NEEDS_A_FAST_PROCESSOR();
	SCRATCH(scratch);

	SKIP_UNLESS(access("/usr/bin/fish", X_OK) == 0, "needs fish");
	prepare(&scratch, "fish");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct text output AUTO(text_drop) = {0}, offered AUTO(text_drop) = {0};
		auto_free char *line = text_format("sample %s", cases[i].words);
		auto_free char *code = NULL;

		if (text_ends_with(line, "''"))
			line[strlen(line) - 2] = '\0';
		code = text_format(
			"source ./script; complete -C '%s' | string replace -r '\\t.*' '' | string trim -r -c / | sort",
			line);
		run(&scratch, "/usr/bin/fish", "--no-config", code, &output);
		/* Each offered word must be there; fish's order and its own additions do not matter. */
		text_appendf(&offered, " %s", text_string(&output));
		AUTO(arena_drop) struct arena arena = {0};
		struct strings words = strings_split(&arena, cases[i].offers, ' ');

		for (size_t j = 0; j + 1 < words.count; j++)
			cr_expect(strstr(offered.data, arena_format(&arena, " %s ", words.items[j])),
				"%s: no %s in \"%s\"", cases[i].words, words.items[j], offered.data);
		cr_expect(words.count > 1 || output.length == 0, "%s: \"%s\"", cases[i].words, text_string(&output));
	}
}

TEST(completion, for_an_unknown_shell_is_an_error)
{
	struct error err;

	ASSERT_FAILS(program_completion(stderr, "ksh", "sample", sample_commands, sample_global_options, &err),
		ERROR_USAGE, "no completion for shell \"ksh\"; there is one for bash, zsh and fish");
}
