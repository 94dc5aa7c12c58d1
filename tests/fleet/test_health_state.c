/* From answers to states. */
#include "fleet/health/health.h"
#include "tests/test.h"

static const struct health_check every_ten = {
	.kind = HEALTH_KIND_TCP,
	.interval_ms = 10000,
	.start_period_ms = 5000,
	.start_interval_ms = 1000,
	.retries = 3,
};
static const struct health_answer well = {.well = true, .status = 200}, ill = {.status = -1, .output = "no"};

TEST(health_state, is_healthy_with_the_first_good_answer)
{
	struct health health = {0};

	health_begin(&health, &every_ten, 1000, 50);
	cr_assert(health.state == HEALTH_STARTING && health.since_ms == 50 && health.due_ms == 1050);
	cr_assert(health_take(&health, &well, 1060, 60));
	cr_assert(health.state == HEALTH_HEALTHY && health.since_ms == 60 && health.due_ms == 11060);
	cr_assert_not(health_take(&health, &well, 12000, 70));
	cr_assert(health.since_ms == 60);
}

TEST(health_state, asks_quickly_while_it_starts_and_then_at_its_interval)
{
	static const int64_t delays[] = {100, 200, 400, 800, 1000, 1000};
	struct health health = {0};
	int64_t now = 0;

	health_begin(&health, &every_ten, now, 1);
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		now = health.due_ms;
		cr_assert_not(health_take(&health, &ill, now, 1));
		cr_assert(health.due_ms == now + delays[i], "%zu: %lld", i, (long long)(health.due_ms - now));
	}
	cr_assert_not(health_take(&health, &ill, 5000, 1));
	cr_assert(health.due_ms == 15000);
}

TEST(health_state, without_a_start_period_the_first_question_waits_a_start_interval)
{
	struct health_check check = every_ten;
	struct health health = {0};

	check.start_period_ms = 0;
	health_begin(&health, &check, 100, 1);
	cr_assert(health.due_ms == 1100);
	health_take(&health, &ill, 1100, 1);
	cr_assert(health.failing_streak == 1 && health.due_ms == 11100);
}

TEST(health_state, failures_while_it_starts_do_not_count)
{
	struct health health = {0};

	health_begin(&health, &every_ten, 0, 1);
	for (int64_t now = 1000; now < 5000; now += 500)
		health_take(&health, &ill, now, 1);
	cr_assert(health.state == HEALTH_STARTING && health.failing_streak == 0);
	cr_assert_not(health_take(&health, &ill, 5000, 1));
	cr_assert_not(health_take(&health, &ill, 15000, 1));
	cr_assert(health_take(&health, &ill, 25000, 9));
	cr_assert(health.state == HEALTH_UNHEALTHY && health.failing_streak == 3 && health.since_ms == 9);
}

TEST(health_state, after_a_good_answer_they_do_even_in_the_start_period)
{
	struct health health = {0};

	health_begin(&health, &every_ten, 0, 1);
	health_take(&health, &well, 100, 1);
	for (int i = 0; i < 3; i++)
		health_take(&health, &ill, 200 + i, 1);
	cr_assert(health.state == HEALTH_UNHEALTHY && health.was_well);
}

TEST(health_state, one_good_answer_ends_a_streak_and_an_illness)
{
	struct health health = {0};

	health_begin(&health, &every_ten, 0, 1);
	health_take(&health, &well, 100, 1);
	health_take(&health, &ill, 200, 1);
	health_take(&health, &ill, 300, 1);
	health_take(&health, &well, 400, 1);
	cr_assert(health.state == HEALTH_HEALTHY && health.failing_streak == 0);
	for (int i = 0; i < 3; i++)
		health_take(&health, &ill, 500 + i, 1);
	cr_assert(health.state == HEALTH_UNHEALTHY);
	cr_assert(health_take(&health, &well, 600, 1) && health.state == HEALTH_HEALTHY);
}

TEST(health_state, another_check_keeps_what_is_known)
{
	struct health health = {0};
	struct health_check other = every_ten, none = {0};

	health_begin(&health, &every_ten, 0, 1);
	health_take(&health, &well, 100, 1);
	other.interval_ms = 2000;
	health_begin(&health, &other, 500, 2);
	cr_assert(health.state == HEALTH_HEALTHY && health.since_ms == 1 && health.due_ms == 2500);
	health_begin(&health, &none, 600, 3);
	cr_assert(health.state == HEALTH_NONE);
	health_begin(&health, &other, 700, 4);
	cr_assert(health.state == HEALTH_STARTING && !health.was_well && health.note_count == 0);
}
