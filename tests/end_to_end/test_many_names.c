/* Many commands at once: each its own name, or all the same one. */
#include <stdlib.h>

#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

static struct run_result at_once(struct playground *here, int count, const char *name, const char *after)
{
	auto_free char *script = text_format("for i in $(seq %d); do (%s --root %s --cgroup-parent %s run -d --name %s "
					     "host -- sleep 1000 </dev/null %s) & done; wait",
		count, WARREN_PROGRAM, here->root, here->parent, name, after);

	return run_program(
		(const char *[]){"sh", "-c", script, NULL}, &(struct run_options){.timeout_ms = SLOWLY(240) * 1000});
}

static size_t lines_of(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

TEST(many_names, at_once_all_run_and_each_has_an_address_of_its_own, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	const int count = getenv("WARREN_TEST_ALL_POINTS") ? 200 : 12;
	auto_playground here = playground_new();
	auto_run all = at_once(&here, count, "n$i", ">/dev/null");
	auto_run addresses = WARREN(&here, "list", "-r", "--format", "{{.address}}");
	auto_run sorted =
		run_program((const char *[]){"sort", "-u", NULL}, &(struct run_options){.input = addresses.out});

	cr_assert_str_eq(all.err, "");
	cr_assert(lines_of(addresses.out) == (size_t)count, "%zu run", lines_of(addresses.out));
	cr_assert(lines_of(sorted.out) == (size_t)count, "two have one address: %s", addresses.out);
	WARREN_OK(&here, "check");
	WARREN_OK(&here, "rm", "-f", "--all");
	WARREN_OK(&here, "check");
}

TEST(many_names, of_twenty_that_want_one_name_one_gets_it, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground here = playground_new();

	for (int round = 0; round < (getenv("WARREN_TEST_ALL_POINTS") ? 15 : 1); round++) {
		auto_run race = at_once(&here, 20, "one", ">/dev/null && echo won");
		cr_assert_str_eq(race.out, "won\n", "%s", race.err);
		cr_assert(lines_of(race.err) == 19, "%s", race.err);
		for (const char *line = race.err; *line; line = strchr(line, '\n') + 1)
			cr_assert(strstr(line, "the name one is taken by another instance\n"), "%s", line);
		cr_assert_str_eq(instance_fact(&here, "one", "state"), "running");
		WARREN_OK(&here, "rm", "-f", "one");
		WARREN_OK(&here, "check");
	}
}
