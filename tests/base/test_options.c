#include "base/options.h"

#include "base/cleanup.h"
#include "tests/base/support_commands.h"
#include "tests/test.h"

#define WORDS_MAX 32

/* A parsed command line; the words are given separated by blanks ("_" stands for an empty word). */
struct line {
	struct arena arena;
	struct sample_options options;
	char **operands;
	size_t count;
	bool help;
};

static void line_drop(struct line *line)
{
	arena_drop(&line->arena);
}

#define LINE(name) AUTO(line_drop) struct line name = {0}

static int parse(struct line *line, const char *command, const char *words, struct error *err)
{
	struct strings parts = {0};
	char *argv[WORDS_MAX];
	int argc = 0;

	if (*words)
		parts = strings_split(&line->arena, words, ' ');
	for (size_t i = 0; i < parts.count; i++)
		argv[argc++] = strcmp(parts.items[i], "_") ? (char *)parts.items[i] : (char *)"";
	return options_parse(&line->arena, sample_command(command), argc, argv, &line->options, &line->operands,
		&line->count, &line->help, err);
}

TEST(options, every_way_of_writing_them)
{
	LINE(line);
	struct error err;

	ASSERT_OK(parse(&line, "run",
		"--name=web -e A=1 -eB=2 --env C=3 -it -m64M --pids-limit 5 --stop-timeout=1m30s"
		" --level high --env-file _ host nginx -d",
		&err));
	cr_assert_str_eq(line.options.name, "web");
	cr_assert_eq(line.options.environment.count, 3);
	cr_assert_str_eq(line.options.environment.items[1], "B=2");
	cr_assert(line.options.interactive && line.options.tty);
	cr_assert(line.options.memory.set && line.options.memory.value == 64 << 20);
	cr_assert_eq(line.options.pids.value, 5);
	cr_assert_eq(line.options.timeout.value, 90000);
	cr_assert_eq(line.options.level, 2);
	cr_assert_str_eq(line.options.file, "");
	cr_assert_not(line.options.detach, "options end at the first operand");
	cr_assert_eq(line.count, 3);
	cr_assert_str_eq(line.operands[2], "-d");
	cr_assert_null(line.operands[3]);
}

TEST(options, may_follow_operands_where_the_command_allows)
{
	LINE(line);
	struct error err;

	ASSERT_OK(parse(&line, "list", "-q --all", &err));
	cr_assert(line.options.quiet && line.options.all);
	ASSERT_OK(parse(&line, "stop", "a --help", &err));
	cr_assert(line.help);
	ASSERT_OK(parse(&line, "stop", "a -- --help", &err));
	cr_assert_not(line.help);
	cr_assert_str_eq(line.operands[1], "--help");
}

TEST(options, two_dashes_end_them_and_one_dash_is_an_operand)
{
	LINE(line);
	struct error err;

	ASSERT_OK(parse(&line, "run", "-d -- -d --name", &err));
	cr_assert_eq(line.count, 2);
	cr_assert_str_eq(line.operands[0], "-d");
	ASSERT_OK(parse(&line, "run", "host -- sh", &err));
	cr_assert_eq(line.count, 3, "behind the first operand all words are kept");
	ASSERT_OK(parse(&line, "apply", "-", &err));
	cr_assert_str_eq(line.operands[0], "-");
}

TEST(options, the_last_text_wins_and_flags_can_be_switched_off)
{
	LINE(line);
	struct error err;

	ASSERT_OK(parse(&line, "run", "--name a --name b -d --detach=false --tty=true host", &err));
	cr_assert_str_eq(line.options.name, "b");
	cr_assert_not(line.options.detach);
	cr_assert(line.options.tty);
}

TEST(options, ignored_and_hidden_ones_are_accepted)
{
	LINE(line);
	struct error err;

	ASSERT_OK(parse(&line, "run", "--no-new-keyring --console-size 10x20 --console-size=1x1 --hidden host", &err));
	cr_assert_eq(line.count, 1);
	cr_assert(line.options.all);
}

TEST(options, help_is_understood_without_operands)
{
	LINE(line);
	struct error err;

	ASSERT_OK(parse(&line, "run", "--help", &err));
	cr_assert(line.help);
	ASSERT_OK(parse(&line, "run", "-h", &err));
	cr_assert(line.help);
	ASSERT_OK(parse(&line, "run", "host", &err));
	cr_assert_not(line.help);
}

/* What is wrong → what is said. */
static const struct {
	const char *command, *words, *error;
} wrong[] = {
	{"run", "--memry 64M host", "unknown option --memry; did you mean --memory?"},
	{"run", "--memry=64M host", "unknown option --memry; did you mean --memory?"},
	{"run", "--hlep", "unknown option --hlep; did you mean --help?"},
	{"run", "--zzz", "unknown option --zzz"},
	{"run", "---name", "unknown option ---name; did you mean --name?"},
	{"run", "--=x", "unknown option --"},
	{"run", "-z", "unknown option -z"},
	{"run", "-zd", "unknown option -zd"},
	{"run", "-dz", "unknown option -z in -dz"},
	{"run", "--name", "--name needs a value (NAME)"},
	{"run", "-n", "-n needs a value (NAME)"},
	{"run", "--detach=yes host", "--detach takes no value"},
	{"run", "--detach= host", "--detach takes no value"},
	{"run", "--no-new-keyring=1 host", "--no-new-keyring takes no value"},
	{"run", "--help=yes", "--help takes no value"},
	{"run", "--pids-limit 0 host", "--pids-limit: 0 is not between 1 and 4194304"},
	{"run", "--pids-limit=1e3 host", "--pids-limit: \"1e3\" is not a whole number"},
	{"run", "-m 64Q host", "-m: \"64Q\" is not a size such as 64M or 1.5G"},
	{"run", "--memory= host", "--memory: \"\" is not a size such as 64M or 1.5G"},
	{"run", "--stop-timeout 5x host", "--stop-timeout: \"5x\" is not a duration such as 10s, 1m30s or 250ms"},
	{"run", "--level medium host", "--level: \"medium\" is neither low nor high"},
};

TEST(options, errors_say_what_would_be_right)
{
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		LINE(line);

		cr_assert_eq(parse(&line, wrong[i].command, wrong[i].words, &err), -1, "%s", wrong[i].words);
		cr_expect_str_eq(err.text, wrong[i].error);
		cr_assert_eq(err.kind, ERROR_USAGE);
	}
}

TEST(options, a_wrong_number_of_operands_shows_the_usage)
{
	LINE(line);
	auto_free char *few =
		text_format("too few operands; usage: %s stop [options] NAME…", program_invocation_short_name);
	auto_free char *many = text_format("too many operands; usage: %s secret", program_invocation_short_name);
	struct error err;

	cr_assert_lt(parse(&line, "stop", "", &err), 0);
	cr_assert_str_eq(err.text, few);
	cr_assert_lt(parse(&line, "secret", "x", &err), 0);
	cr_assert_str_eq(err.text, many);
	cr_assert_lt(parse(&line, "stop", "a b c", &err), 0);
	ASSERT_OK(parse(&line, "stop", "a b", &err));
}

TEST(options, global_ones_stop_at_the_command)
{
	char *argv[] = {(char *)"--root", (char *)"/x", (char *)"-D", (char *)"run", (char *)"-d"};
	char *unknown[] = {(char *)"--rooot=/x"};
	AUTO(arena_drop) struct arena arena = {0};
	struct sample_global global = {0};
	struct error err;
	bool help;
	int used;

	ASSERT_OK(options_parse_global(&arena, sample_global_options, 5, argv, &global, &used, &help, &err));
	cr_assert_eq(used, 3);
	cr_assert_str_eq(global.root, "/x");
	cr_assert(global.debug && !help);
	ASSERT_OK(options_parse_global(&arena, sample_global_options, 0, argv, &global, &used, &help, &err));
	cr_assert_eq(used, 0);
	ASSERT_FAILS(options_parse_global(&arena, sample_global_options, 1, unknown, &global, &used, &help, &err),
		ERROR_USAGE, "unknown option --rooot; did you mean --root?");
	ASSERT_FAILS(options_parse_global(&arena, sample_global_options, 1, argv, &global, &used, &help, &err),
		ERROR_USAGE, "--root needs a value (DIR)");
}

TEST(command, is_found_by_name_and_alias_or_guessed)
{
	struct error err;

	cr_assert_str_eq(command_find(sample_commands, "sample", "stop", &err)->name, "stop");
	cr_assert_str_eq(command_find(sample_commands, "sample", "ps", &err)->name, "list");
	cr_assert_null(command_find(sample_commands, "sample", "lsit", &err));
	cr_assert_str_eq(err.text, "unknown command lsit; did you mean sample list?");
	cr_assert_eq(err.kind, ERROR_USAGE);
	cr_assert_null(command_find(sample_commands, "sample", "xyzzy", &err));
	cr_assert_str_eq(err.text, "unknown command xyzzy; see sample --help");
}
