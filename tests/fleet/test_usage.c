/* What was used is counted once, whatever happens to the run, the name or the month. */
#include <signal.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "fleet/usage.h"
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
	sample.in_bytes = 100;
	sample.out_bytes = 10;
	usage_add(&arena, &ledger, &sample);
	sample.run = BOOT ":2";
	sample.cpu_us = 50;
	sample.in_bytes = 150;
	sample.at_ms = 2500;
	usage_add(&arena, &ledger, &sample);
	cr_assert(ledger.months.items[0].cpu_us == 550 && ledger.months.items[0].in_bytes == 150);
	sample.run = "ffffffff-0123-0123-0123-0123456789ab:2";
	usage_add(&arena, &ledger, &sample);
	cr_assert(ledger.months.items[0].in_bytes == 300 && ledger.months.items[0].out_bytes == 20);
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

TEST(usage, months_are_checked)
{
	struct error err;

	ASSERT_OK(usage_month_check("2026-11", &err));
	ASSERT_FAILS(usage_month_check("2026-13", &err), ERROR_USAGE, "2026-11");
	ASSERT_FAILS(usage_month_check("2026-1", &err), ERROR_USAGE, "must be a month");
	ASSERT_FAILS(usage_month_check("november", &err), ERROR_USAGE, "must be a month");
}
