/* Records that a dying disk, a full one or somebody's editor has damaged: it is one instance's matter. Each command
 * says so in one line, those about others work as ever, and `rm -f` clears the damaged one away with all that it had.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_remains.h"
#include "tests/test.h"

/* In the order of importance: every day only the first are tried. */
static const char *const files[] = {"run/instances/bad/run.json", "lib/instances/bad/record.json",
	"lib/instances/bad/spec.json", "lib/instances/bad/desired", "lib/instances/bad/resolver",
	"run/instances/bad/monitor.lock"};
static const char *const contents[] = {"\x9b\xff{", "", NULL}; /* NULL: it is not there */

static void damage(const struct playground *here, const char *file, const char *content)
{
	auto_free char *path = text_format("%s/%s", here->root, file);

	cr_assert(unlink(path) == 0, "%s", path);
	if (content)
		run_write_file(here->root, file, 0600, content);
}

/* Whatever it says, it says in one line, and with a status that means something. */
static void expect_one_line(struct playground *here, const char *place, const char *const *words)
{
	auto_run run = playground_warren(here, words, &(struct run_options){.reaps = true});
	const char *line = strchr(run.err, '\n');

	cr_assert(run.status <= 4 || run.status == 125, "%s: %s: status %d: %s", place, words[0], run.status, run.err);
	cr_assert(!line || !line[1], "%s: %s: not one line: %s", place, words[0], run.err);
	cr_assert(run.status == 0 || *run.err || !strcmp(words[0], "check"), "%s: %s says nothing", place, words[0]);
}

static void expect_works(struct playground *here, const char *place, const char *const *words)
{
	auto_run run = playground_warren(here, words, &(struct run_options){.reaps = true});

	cr_assert(run.status == 0, "%s: %s: status %d: %s%s", place, words[0], run.status, run.out, run.err);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void bad_run(struct playground *here)
{
	expect_works(here, "undamaged",
		WORDS("run", "-d", "--name", "bad", "-p", "8090:80", "--restart", "always", "host", "sleep", "1000"));
}

static void damage_try(struct playground *here, const char *file, const char *content, const char *before)
{
	const char *place =
		arena_format(&here->arena, "%s %s", file, content ? (*content ? "with other bytes" : "empty") : "gone");

	bad_run(here);
	damage(here, file, content);
	expect_works(here, place, WORDS("list"));
	expect_works(here, place, WORDS("stats", "--no-stream"));
	expect_works(here, place, WORDS("exec", "good", "true"));
	expect_works(here, place, WORDS("set", "-q", "--pids-limit", "50", "good"));
	expect_one_line(here, place, WORDS("inspect", "bad"));
	expect_one_line(here, place, WORDS("exec", "bad", "true"));
	expect_one_line(here, place, WORDS("set", "--pids-limit", "50", "bad"));
	expect_one_line(here, place, WORDS("start", "bad"));
	expect_one_line(here, place, WORDS("check"));
	expect_one_line(here, place, WORDS("stop", "-t", "0s", "bad"));
	expect_works(here, place, WORDS("restart", "-t", "0s", "good"));
	expect_works(here, place, WORDS("rm", "-f", "bad"));
	expect_works(here, place, WORDS("check"));
	auto_free char *difference = remains_await(here->root, here->parent, before);
	cr_assert(!difference, "%s: %s", place, difference);
}

/* Straight away, too: nobody has looked at it before. */
static void damage_and_remove(struct playground *here, const char *file, const char *before)
{
	bad_run(here);
	damage(here, file, contents[0]);
	expect_works(here, file, WORDS("rm", "-f", "bad"));
	expect_works(here, file, WORDS("check"));
	auto_free char *difference = remains_await(here->root, here->parent, before);
	cr_assert(!difference, "%s: %s", file, difference);
}

TEST(damage, of_one_instance_is_its_own_matter_and_goes_with_it, .fini = playground_rescue, .timeout = SLOWLY(900))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground here = playground_new();
	bool all = getenv("WARREN_TEST_ALL_POINTS") != NULL;

	expect_works(
		&here, "undamaged", WORDS("run", "-d", "--name", "good", "--network", "none", "host", "sleep", "1000"));
	expect_works(&here, "undamaged", WORDS("restart", "-t", "0s", "good"));
	bad_run(&here);
	expect_works(&here, "undamaged", WORDS("rm", "-f", "bad"));
	/* "good" stays: its processes are no remains. */
	auto_free char *before = remains_describe(here.root, here.parent);
	for (size_t i = 0; i < (all ? ARRAY_SIZE(files) : 2); i++) {
		for (size_t j = 0; j < (all ? ARRAY_SIZE(contents) : 1); j++)
			damage_try(&here, files[i], contents[j], before);
		damage_and_remove(&here, files[i], before);
	}
}
