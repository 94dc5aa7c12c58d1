/* What was used is counted once, whatever happens to the run, the name or the month. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/figures/usage.h"
#include "support_host.h"

#define NOVEMBER_END 1796083200000LL /* 2026-12-01T00:00:00Z */
#define BOOT "01234567-0123-0123-0123-0123456789ab"

static struct usage_sample sample_at(const char *run, int64_t began_ms, int64_t at_ms, int64_t cpu_us)
{
	return (struct usage_sample){.run = run, .began_ms = began_ms, .at_ms = at_ms, .cpu_us = cpu_us};
}

TEST(usage_add, months_begin_and_end_at_midnight_utc)
{
	char month[8];

	cr_assert(usage_month_end(NOVEMBER_END - 1, month) == NOVEMBER_END);
	cr_assert_str_eq(month, "2026-11");
	usage_month_end(NOVEMBER_END, month);
	cr_assert_str_eq(month, "2026-12");
}

TEST(usage_add, counters_are_added_once_however_often_somebody_looks)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct usage_ledger ledger = {0};
	struct usage_sample sample = sample_at(BOOT ":1", 1000, 2000, 500);

	cr_assert(usage_add(&arena, &ledger, &sample));
	cr_assert(usage_add(&arena, &ledger, &sample));
	sample.at_ms = 3000;
	sample.cpu_us = 800;
	sample.over = true;
	cr_assert(usage_add(&arena, &ledger, &sample));
	cr_assert(!usage_add(&arena, &ledger, &sample), "a run that was closed is not counted again");
	cr_assert(ledger.months.count == 1 && ledger.months.items[0].cpu_us == 800);
	cr_assert(ledger.months.items[0].run_ms == 2000);
	sample = sample_at(BOOT ":2", 5000, 6000, 100);
	cr_assert(usage_add(&arena, &ledger, &sample));
	cr_assert(ledger.months.items[0].cpu_us == 900 && ledger.months.items[0].run_ms == 3000);
}

TEST(usage_add, a_link_that_outlives_the_cgroup_goes_on_and_one_of_another_boot_does_not)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct usage_ledger ledger = {0};
	struct usage_sample sample = sample_at(BOOT ":1", 1000, 2000, 500);

	sample.has_link = true;
	sample.traffic[LINK_IN_BYTES] = 100;
	sample.traffic[LINK_OUT_BYTES] = 10;
	usage_add(&arena, &ledger, &sample);
	sample.run = BOOT ":2";
	sample.cpu_us = 50;
	sample.traffic[LINK_IN_BYTES] = 150;
	sample.at_ms = 2500;
	usage_add(&arena, &ledger, &sample);
	cr_assert(ledger.months.items[0].cpu_us == 550 && ledger.months.items[0].traffic[LINK_IN_BYTES] == 150);
	sample.run = "ffffffff-0123-0123-0123-0123456789ab:2";
	usage_add(&arena, &ledger, &sample);
	cr_assert(ledger.months.items[0].traffic[LINK_IN_BYTES] == 300 &&
		  ledger.months.items[0].traffic[LINK_OUT_BYTES] == 20);
}

TEST(usage_add, what_came_from_outside_is_added_each_time_as_it_is_taken)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct usage_ledger ledger = {0};
	struct usage_sample sample = sample_at(BOOT ":1", 1000, 2000, 500);

	sample.traffic[OUTSIDE_IN_BYTES] = 70;
	sample.traffic[OUTSIDE_IN_PACKETS] = 3;
	usage_add(&arena, &ledger, &sample);
	sample.at_ms = 3000;
	usage_add(&arena, &ledger, &sample);
	sample.run = BOOT ":2";
	sample.traffic[OUTSIDE_IN_BYTES] = 5;
	usage_add(&arena, &ledger, &sample);
	cr_assert(ledger.months.items[0].traffic[OUTSIDE_IN_BYTES] == 145);
	cr_assert(ledger.months.items[0].traffic[OUTSIDE_IN_PACKETS] == 9);
	cr_assert(ledger.months.items[0].traffic[LINK_IN_PACKETS] == 0);
}

TEST(usage_add, what_spans_months_is_shared_by_time_and_nothing_is_lost)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct usage_ledger ledger = {0};
	struct usage_sample sample = sample_at(BOOT ":1", NOVEMBER_END - 1000, NOVEMBER_END + 2000, 3001);

	sample.limit_kib = 1024;
	usage_add(&arena, &ledger, &sample);
	cr_assert(ledger.months.count == 2);
	cr_assert_str_eq(ledger.months.items[0].month, "2026-11");
	cr_assert(ledger.months.items[0].cpu_us == 1000 && ledger.months.items[1].cpu_us == 2001);
	cr_assert(ledger.months.items[0].run_ms == 1000 && ledger.months.items[1].run_ms == 2000);
	cr_assert(ledger.months.items[0].reserved_kib_ms == 1024000);
	cr_assert(ledger.months.items[1].reserved_kib_ms == 2048000);
}

TEST(usage_add, memory_of_a_month_of_the_largest_machine_fits)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct usage_ledger ledger = {0};
	int64_t began_ms = NOVEMBER_END - 30LL * 24 * 3600 * 1000, tib64 = 64LL << 30;
	struct usage_sample sample = sample_at(BOOT ":1", began_ms, NOVEMBER_END, INT64_MAX / 2);

	sample.limit_kib = tib64 / 64;
	usage_add(&arena, &ledger, &sample);
	cr_assert(ledger.months.items[0].reserved_kib_ms == (NOVEMBER_END - began_ms) * (tib64 / 64));
	cr_assert(ledger.months.items[0].cpu_us == INT64_MAX / 2);
}

TEST(usage_add, memory_in_use_is_the_middle_of_two_looks_and_the_peak_when_nobody_looked)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct usage_ledger ledger = {0};
	struct usage_sample sample = sample_at(BOOT ":1", 0, 1000, 0);

	sample.used_kib = 100;
	usage_add(&arena, &ledger, &sample);
	sample.at_ms = 2000;
	sample.used_kib = 300;
	usage_add(&arena, &ledger, &sample);
	cr_assert(ledger.months.items[0].used_kib_ms == 100 * 1000 + 200 * 1000);
	sample = (struct usage_sample){
		.run = BOOT ":2", .began_ms = 5000, .at_ms = 6000, .peak_kib = 77, .used_kib = 1, .over = true};
	ledger = (struct usage_ledger){0};
	usage_add(&arena, &ledger, &sample);
	cr_assert(ledger.months.items[0].used_kib_ms == 77 * 1000);
}

/* --- against the kernel ------------------------------------------------------------------------------------------- */

static const struct usage_row *usage_of(struct test_host *test, const char *name)
{
	struct strings patterns = {0};
	struct usage_list list;
	struct error err;

	strings_add(&test->arena, &patterns, name);
	ASSERT_OK(usage_read(&test->arena, &test->host, &patterns, NULL, &list, &err));
	/* Two on the first night of a month. */
	return list.count ? &list.items[list.count - 1] : NULL;
}

#define BURN "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; "

TEST(usage, survives_restarts_a_new_name_and_removal)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", BURN "exit 0");

	test_run(&test, &spec);
	test_await_state(&test, "web", INSTANCE_STOPPED);
	int64_t once = usage_of(&test, "web")->usage.cpu_us;

	cr_assert(once > 1000, "%lld", (long long)once);
	cr_assert(usage_of(&test, "web")->usage.cpu_us == once, "looking costs nothing");
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	test_await_state(&test, "web", INSTANCE_STOPPED);
	int64_t twice = usage_of(&test, "web")->usage.cpu_us;

	cr_assert(twice > once && twice < 10 * once, "%lld after %lld", (long long)twice, (long long)once);
	ASSERT_OK(instance_rename(&test.host, "web", "shop", &err));
	cr_assert(!usage_of(&test, "web"));
	cr_assert(usage_of(&test, "shop")->usage.cpu_us == twice);
	ASSERT_OK(instance_remove(&test.host, "shop", false, &err));
	cr_assert(usage_of(&test, "shop")->usage.cpu_us == twice && !usage_of(&test, "shop")->exists);
	size_t count;

	ASSERT_OK(usage_prune(&test.host, &(struct strings){0}, &count, &err));
	cr_assert(count == 1 && !usage_of(&test, "shop"));
	test_host_close(&test);
}

TEST(usage, of_one_that_runs_grows_and_its_end_adds_only_the_rest)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", BURN "echo done; exec sleep 1000");

	spec.resources.memory_bytes = (struct optional){true, 64 << 20};
	test_run(&test, &spec);
	test_await_log(&test, "web", "done");
	const struct usage_month now = usage_of(&test, "web")->usage;

	cr_assert(now.cpu_us > 1000 && now.run_ms > 0);
	if (test.host.cgroups.available[CGROUP_MEMORY])
		cr_assert(now.reserved_kib_ms == now.run_ms * 65536, "%lld in %lld ms", (long long)now.reserved_kib_ms,
			(long long)now.run_ms);
	ASSERT_OK(instance_stop(&test.host, "web", (struct optional){true, 0}, &err));
	const struct usage_month end = usage_of(&test, "web")->usage;

	cr_assert(end.cpu_us >= now.cpu_us && end.cpu_us < 2 * now.cpu_us, "%lld then %lld", (long long)now.cpu_us,
		(long long)end.cpu_us);
	cr_assert(end.run_ms >= now.run_ms);
	test_host_close(&test);
}

TEST(usage, counts_when_the_monitor_was_killed_and_once)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", BURN "echo done; exec sleep 1000");

	test_run(&test, &spec);
	test_await_log(&test, "web", "done");
	test_kill_monitor(&test, "web");
	ASSERT_OK(instance_stop(&test.host, "web", (struct optional){true, 0}, &err));
	int64_t once = usage_of(&test, "web")->usage.cpu_us;

	cr_assert(once > 1000, "%lld", (long long)once);
	cr_assert(usage_of(&test, "web")->usage.cpu_us == once);
	test_host_close(&test);
}

TEST(usage, of_those_made_to_be_removed_is_kept_together)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	for (int i = 0; i < 2; i++) {
		struct instance_spec spec = test_spec(&test, i ? "job-1" : "job-2", BURN "exec sleep 1000");

		spec.remove = true;
		test_run(&test, &spec);
		ASSERT_OK(instance_stop(&test.host, spec.name, (struct optional){true, 0}, &err));
	}
	cr_assert(!usage_of(&test, "job-1") && !usage_of(&test, "job-2"));
	cr_assert(usage_of(&test, USAGE_REMOVED)->usage.cpu_us > 0);
	test_host_close(&test);
}

TEST(usage, of_one_that_is_gone_is_all_that_stays_of_it_and_goes_on_under_its_name)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", BURN "exit 0");
	int64_t before = 0;

	for (int i = 0; i < 2; i++) {
		test_run(&test, &spec);
		test_await_state(&test, "web", INSTANCE_STOPPED);
		int64_t now = usage_of(&test, "web")->usage.cpu_us;

		cr_assert(now > before + 1000, "%lld after %lld", (long long)now, (long long)before);
		before = now;
		ASSERT_OK(instance_remove(&test.host, "web", false, &err));
		cr_assert(usage_of(&test, "web")->usage.cpu_us == now);
		cr_assert(faccessat(test.host.lib, USAGE_REMOVED_FILE, F_OK, 0) == 0);
		cr_assert(faccessat(test.host.lib, "usage", F_OK, 0) < 0 && errno == ENOENT);
	}
	size_t count;

	ASSERT_OK(usage_prune(&test.host, &(struct strings){0}, &count, &err));
	cr_assert(count == 1);
	cr_assert(faccessat(test.host.lib, USAGE_REMOVED_FILE, F_OK, 0) < 0, "it goes with its last line");
	test_host_close(&test);
}

static const char *removed_text(struct test_host *test)
{
	const char *text;
	struct error err;

	ASSERT_OK(file_read(&test->arena, test->host.lib, USAGE_REMOVED_FILE, 1 << 20, &text, NULL, &err));
	return text;
}

/* Its directory was given up already, and what it used was appended (or not), when somebody was killed. */
static void half_remove(struct test_host *test, const char *name, bool appended)
{
	const char *entry = arena_format(&test->arena, ".%s.0123456789abcdef", name), *ledger;
	size_t length;
	struct error err;

	ASSERT_OK(tree_remove(test->host.live, name, &err));
	ASSERT_OK(tree_remove(test->host.log, name, &err));
	cr_assert(renameat(test->host.instances, name, test->host.instances, entry) == 0);
	auto_fd dir = dir_open(test->host.instances, entry, &err);
	auto_fd usage = usage_open(dir, false, &err);

	ASSERT_OK(file_read(&test->arena, usage, USAGE_LEDGER, 1 << 20, &ledger, &length, &err));
	fd_drop(&usage);
	if (!appended)
		return;
	usage_retire(&test->host, name, dir, false);
	ASSERT_OK(file_replace(dir, USAGE_DIRECTORY "/" USAGE_LEDGER, 0600, FILE_VOLATILE, ledger, length, &err));
}

TEST(usage, of_one_that_was_half_removed_is_counted_once_by_whoever_comes_next)
{
	struct test_host test;

	test_host_open(&test);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "early" : "late";
		struct instance_spec spec = test_spec(&test, name, BURN "exit 0");

		test_run(&test, &spec);
		test_await_state(&test, name, INSTANCE_STOPPED);
		int64_t used = usage_of(&test, name)->usage.cpu_us;

		cr_assert(used > 1000);
		half_remove(&test, name, !i);
		test.host.swept = false;
		host_clean(&test.host);
		cr_assert(usage_of(&test, name)->usage.cpu_us == used, "%s: %s", name, removed_text(&test));
		cr_assert(!usage_of(&test, name)->exists);
	}
	test_host_close(&test);
}

TEST(usage, a_line_that_a_power_cut_tore_costs_no_other)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	ASSERT_OK(file_replace(test.host.lib, USAGE_REMOVED_FILE, 0600, FILE_VOLATILE,
		"{\"name\":\"old\",\"used\":{\"month\":\"2026-10\",\"cpu_us\":7}}\n{\"name\":\"to", 63, &err));
	struct instance_spec spec = test_spec(&test, "web", BURN "exit 0");

	test_run(&test, &spec);
	test_await_state(&test, "web", INSTANCE_STOPPED);
	ASSERT_OK(instance_remove(&test.host, "web", false, &err));
	cr_assert(usage_of(&test, "old")->usage.cpu_us == 7);
	cr_assert(usage_of(&test, "web")->usage.cpu_us > 1000);
	test_host_close(&test);
}

static struct usage_line line_of(struct arena *arena, int name, int month, int64_t cpu_us)
{
	return (struct usage_line){.name = arena_format(arena, "n-%d", name),
		.id = arena_format(arena, "%d-%d-%lld", name, month, (long long)cpu_us),
		.usage = {.month = arena_format(arena, "2026-%02d", month), .cpu_us = cpu_us}};
}

static int64_t lines_total(const struct usage_lines *lines)
{
	int64_t total = 0;

	for (size_t i = 0; i < lines->all.count; i++)
		total += lines->all.items[i].usage.cpu_us;
	return total;
}

TEST(usage_lines, of_one_name_and_month_become_one_and_what_is_there_twice_counts_once)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct usage_lines lines = {0};
	const struct usage_line rows[] = {line_of(&arena, 2, 1, 5), line_of(&arena, 10, 1, 3), line_of(&arena, 2, 2, 4),
		line_of(&arena, 2, 1, 6), line_of(&arena, 2, 1, 5)};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		usage_lines_add(&arena, &lines, &rows[i]);
	usage_lines_sum(&lines);
	cr_assert(lines.all.count == 3);
	cr_assert(lines.all.items[0].usage.cpu_us == 11 && lines.all.items[1].usage.cpu_us == 4);
	cr_assert_str_eq(lines.all.items[2].name, "n-10");
}

TEST(usage_lines, shortened_lose_names_of_the_oldest_and_no_figure_and_keep_the_youngest_as_they_are)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct usage_lines lines = {0};
	const struct usage_line *last;

	for (int month = 1; month <= 12; month++)
		for (int i = 0; i < 600; i++) {
			struct usage_line line = line_of(&arena, i % 300, month, i + 1);

			usage_lines_add(&arena, &lines, &line);
		}
	int64_t total = lines_total(&lines);

	usage_lines_shorten(&arena, &lines, 1000, 50);
	cr_assert(lines.all.count <= 1050, "%zu", lines.all.count);
	cr_assert(lines_total(&lines) == total);
	last = &lines.all.items[lines.all.count - 1];
	cr_assert_str_eq(last->name, "n-299");
	cr_assert_str_eq(last->id, "299-12-600");
	usage_lines_sum(&lines);
	cr_assert_str_eq(lines.all.items[0].name, USAGE_REMOVED);
	cr_assert_str_eq(lines.all.items[0].usage.month, "2026-01");
	cr_assert(lines.all.items[0].usage.cpu_us == 600 * 601 / 2);
}

TEST(usage, months_are_checked)
{
	struct error err;

	ASSERT_OK(usage_month_check("2026-11", &err));
	ASSERT_FAILS(usage_month_check("2026-13", &err), ERROR_USAGE, "2026-11");
	ASSERT_FAILS(usage_month_check("2026-1", &err), ERROR_USAGE, "must be a month");
	ASSERT_FAILS(usage_month_check("november", &err), ERROR_USAGE, "must be a month");
}
