/* One verb for many. */
#include <sys/wait.h>

#include "base/cleanup.h"
#include "support_host.h"

enum { MANY = WARREN_TEST_SLOW == 1 ? 12 : 6 };

struct seen {
	int well, failed;
	char last[128];
};

static void done(void *context, const char *name, const struct error *result)
{
	struct seen *seen = context;

	(void)name;
	if (result->kind == ERROR_NONE) {
		seen->well++;
	} else {
		seen->failed++;
		snprintf(seen->last, sizeof(seen->last), "%s", result->text);
	}
}

static struct strings many_create(struct test_host *test, const char *script)
{
	struct strings names = {0};
	struct error err;

	for (int i = 1; i <= MANY; i++) {
		struct instance_spec spec = test_spec(test, arena_format(&test->arena, "site-%d", i), script);

		ASSERT_OK(instance_create(&test->host, &spec, &err));
		strings_add(&test->arena, &names, spec.name);
	}
	return names;
}

static int verb_do(struct test_host *test, const struct strings *names, enum instance_verb verb, struct seen *seen,
	struct error *err)
{
	struct bulk bulk = {.verb = verb, .done = done, .context = seen};

	*seen = (struct seen){0};
	*err = (struct error){0};
	return instances_do(&test->host, names, &bulk, err);
}

static int running(struct test_host *test)
{
	struct instance_list list;
	struct error err;
	int count = 0;

	ASSERT_OK(instance_list_read(&test->arena, &test->host, &list, &err));
	for (size_t i = 0; i < list.count; i++)
		count += list.items[i].state == INSTANCE_RUNNING;
	return count;
}

TEST(bulk, starts_restarts_stops_and_removes_all)
{
	struct test_host test;
	struct seen seen;
	struct error err;

	test_host_open(&test);
	struct strings names = many_create(&test, "exec sleep 1000");

	cr_assert(verb_do(&test, &names, VERB_START, &seen, &err) == 0, "%s", err.text);
	cr_assert(seen.well == MANY && running(&test) == MANY);
	pid_t before = test_status(&test, "site-3").init.pid;

	cr_assert(verb_do(&test, &names, VERB_RESTART, &seen, &err) == 0, "%s", err.text);
	cr_assert(seen.well == MANY && running(&test) == MANY && test_status(&test, "site-3").init.pid != before);
	cr_assert(verb_do(&test, &names, VERB_STOP, &seen, &err) == 0, "%s", err.text);
	cr_assert(seen.well == MANY && running(&test) == 0);
	cr_assert(verb_do(&test, &names, VERB_REMOVE, &seen, &err) == 0, "%s", err.text);
	cr_assert(seen.well == MANY);
	test_host_close(&test);
}

TEST(bulk, goes_on_after_a_failure_and_says_which)
{
	NEEDS_A_FAST_PROCESSOR();
	struct test_host test;
	struct seen seen;
	struct error err;

	test_host_open(&test);
	struct strings names = many_create(&test, "exec sleep 1000");

	ASSERT_OK(instance_start(&test.host, "site-4", &(struct start_options){0}, &err));
	strings_add(&test.arena, &names, "nobody");
	cr_assert(verb_do(&test, &names, VERB_START, &seen, &err) == 2);
	cr_assert(seen.well == MANY - 1 && seen.failed == 2);
	cr_assert_str_eq(err.text, "start site-4: site-4 is running already");
	cr_assert_str_eq(seen.last, "no instance \"nobody\"");
	cr_assert(verb_do(&test, &names, VERB_REMOVE, &seen, &err) == MANY + 1, "they are running");
	cr_assert(verb_do(&test, &names, VERB_REMOVE_FORCE, &seen, &err) == 1 && seen.well == MANY);
	test_host_close(&test);
}

#define GRACE_MS SLOWLY(700)

/* All are asked at once: the time is that of one grace period, not of their sum. */
TEST(bulk, waits_for_all_graces_together)
{
	struct test_host test;
	struct seen seen;
	struct error err;
	struct bulk bulk = {
		.verb = VERB_STOP, .timeout_ms = {.set = true, .value = GRACE_MS}, .done = done, .context = &seen};

	test_host_open(&test);
	struct strings names =
		many_create(&test, "trap '' TERM; trap 'echo no' TERM; echo up; while :; do sleep 0.1; done");

	cr_assert(verb_do(&test, &names, VERB_START, &seen, &err) == 0, "%s", err.text);
	for (size_t i = 0; i < names.count; i++)
		test_await_log(&test, names.items[i], "up\n");
	int64_t began = clock_ms();

	seen = (struct seen){0};
	cr_assert(instances_do(&test.host, &names, &bulk, &err) == 0, "%s", err.text);
	cr_assert(clock_ms() - began < GRACE_MS * MANY / 2, "%lld ms", (long long)(clock_ms() - began));
	cr_assert(seen.well == MANY);
	test_host_close(&test);
}

TEST(bulk, leaves_protected_ones_alone)
{
	struct test_host test;
	struct seen seen;
	struct error err;
	struct strings names = {0};

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "db", "exec sleep 1000");

	spec.protect = true;
	test_run(&test, &spec);
	strings_add(&test.arena, &names, "db");
	cr_assert(verb_do(&test, &names, VERB_REMOVE_FORCE, &seen, &err) == 1);
	cr_assert_str_eq(err.text, "db is protected (\"protect\": true); it is not removed");
	cr_assert(test_status(&test, "db").state == INSTANCE_RUNNING);
	spec.protect = false;
	ASSERT_OK(instance_update(&test.host, &spec, &err));
	test_host_close(&test);
}

static _Noreturn void stopper_main(struct test_host *test, const struct strings *names, bool backwards, int rounds)
{
	struct strings order = {0};
	struct host host;
	struct error err;
	int failed = 0;

	for (size_t i = 0; i < names->count; i++)
		strings_add(&test->arena, &order, names->items[backwards ? names->count - 1 - i : i]);
	test_host_again(test, &host);
	for (int i = 0; i < rounds && !failed; i++) {
		err = (struct error){0};
		failed = instances_do(&host, &order, &(struct bulk){.verb = VERB_STOP}, &err);
	}
	if (failed)
		fprintf(stderr, "%s\n", err.text);
	host_close(&host);
	_exit(failed != 0);
}

/* Priorities, dependencies and people order them in other ways. */
TEST(bulk, stops_of_the_same_in_other_orders_do_not_wait_for_one_another, .timeout = SLOWLY(60))
{
	NEEDS_A_FAST_PROCESSOR();
	struct test_host test;
	pid_t pids[2];
	int status;

	test_host_open(&test);
	struct strings names = many_create(&test, "exec sleep 1000");

	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			stopper_main(&test, &names, i == 1, 20);
	}
	for (int i = 0; i < 2; i++)
		cr_assert(waitpid(pids[i], &status, 0) == pids[i] && status == 0, "one was refused");
	test_host_close(&test);
}
