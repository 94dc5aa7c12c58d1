/* When a run that has ended begins again. */
#include "fleet/monitor/restart.h"
#include "tests/test.h"

static const struct restart_spec always = {.policy = RESTART_ALWAYS, .delay_ms = 100, .max_delay_ms = 1000};

static bool decide(const struct restart_spec *spec, struct backoff *backoff, int status, bool well, int64_t *delay)
{
	struct exit_record exit = {.reason = END_EXITED, .status = status};

	return restart_decide(spec, backoff, &exit, DESIRED_RUNNING, well, delay);
}

TEST(restart, doubles_the_delay_up_to_its_bound)
{
	static const int64_t expected[] = {100, 200, 400, 800, 1000, 1000};
	struct backoff backoff = {0};
	int64_t delay;

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		cr_assert(decide(&always, &backoff, 1, false, &delay));
		cr_assert(delay == expected[i], "try %zu: %lld ms", i, (long long)delay);
	}
}

TEST(restart, begins_anew_after_a_success)
{
	struct backoff backoff = {.delay_ms = 800, .retries = 4};
	int64_t delay;

	cr_assert(decide(&always, &backoff, 1, false, &delay));
	cr_assert(delay == 1000 && backoff.retries == 5);
	cr_assert(decide(&always, &backoff, 1, true, &delay));
	cr_assert(delay == 100 && backoff.retries == 1, "%lld ms, try %lld", (long long)delay,
		(long long)backoff.retries);
}

TEST(restart, gives_up_after_max_retries_in_a_row)
{
	struct restart_spec spec = always;
	struct backoff backoff = {0};
	int64_t delay;

	spec.max_retries = (struct optional){.set = true, .value = 2};
	cr_assert(decide(&spec, &backoff, 1, false, &delay));
	cr_assert(decide(&spec, &backoff, 1, false, &delay));
	cr_assert_not(decide(&spec, &backoff, 1, false, &delay));
}

TEST(restart, follows_a_reboot_from_inside_whatever_the_policy)
{
	struct restart_spec spec = {.policy = RESTART_NO, .delay_ms = 100, .max_delay_ms = 1000};
	struct exit_record exit = {.reason = END_REBOOT};
	struct backoff backoff = {0};
	int64_t delay;

	cr_assert(restart_decide(&spec, &backoff, &exit, DESIRED_RUNNING, true, &delay));
	cr_assert(delay == 100);
	cr_assert(restart_decide(&spec, &backoff, &exit, DESIRED_RUNNING, false, &delay));
	cr_assert(delay == 200, "a machine that reboots in a circle is slowed down: %lld ms", (long long)delay);
	cr_assert_not(restart_decide(&spec, &backoff, &exit, DESIRED_STOPPED, true, &delay));
	exit.reason = END_STOPPED;
	cr_assert_not(restart_decide(&always, &backoff, &exit, DESIRED_STOPPED, true, &delay));
}

TEST(restart, on_failure_leaves_a_success_alone)
{
	struct restart_spec spec = always;
	struct backoff backoff = {0};
	int64_t delay;

	spec.policy = RESTART_ON_FAILURE;
	cr_assert_not(decide(&spec, &backoff, 0, false, &delay));
	cr_assert(decide(&spec, &backoff, 3, false, &delay));
	spec.policy = RESTART_NO;
	cr_assert_not(decide(&spec, &backoff, 3, false, &delay));
}

TEST(restart, does_not_undo_a_stop)
{
	struct backoff backoff = {0};
	struct exit_record exit = {.reason = END_STOPPED, .status = 143};
	int64_t delay;

	cr_assert_not(restart_decide(&always, &backoff, &exit, DESIRED_STOPPED, false, &delay));
}
