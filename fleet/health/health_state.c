/* From single answers to a state, and when to ask next.
 *
 * A run is `starting` until the first good answer. What fails in the start period does not count, so that a slow start
 * is no illness; after the first good answer it does. While it starts the questions follow one another quickly at
 * first (a server is mostly up within some ten milliseconds, and whole fleets wait for this answer), then every start
 * interval. Once it is healthy, `retries` failures in a row make it unhealthy and one good answer makes it well. */
#include "fleet/health/health.h"

#define FIRST_DELAY_MS 50

const char *const health_state_names[] = {"none", "starting", "healthy", "unhealthy", NULL};

static void state_set(struct health *health, enum health_state state, int64_t real_ms)
{
	health->state = state;
	health->since_ms = real_ms;
}

static bool in_start_period(const struct health *health, int64_t now_ms)
{
	return health->state == HEALTH_STARTING && now_ms - health->began_ms < health->check.start_period_ms;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* 50 ms, 100, 200 … up to the start interval; never more than the usual one. */
static int64_t next_delay(struct health *health, int64_t now_ms)
{
	const struct health_check *check = &health->check;

	if (!in_start_period(health, now_ms))
		return check->interval_ms;
	health->delay_ms = health->delay_ms ? health->delay_ms * 2 : FIRST_DELAY_MS;
	health->delay_ms = least(health->delay_ms, least(check->start_interval_ms, check->interval_ms));
	return health->delay_ms;
}

/* Without a start period the first failure counts already: a little patience. */
static int64_t first_delay(struct health *health, int64_t now_ms)
{
	const struct health_check *check = &health->check;

	if (in_start_period(health, now_ms))
		return next_delay(health, now_ms);
	return least(check->start_interval_ms, check->interval_ms);
}

void health_begin(struct health *health, const struct health_check *check, int64_t now_ms, int64_t real_ms)
{
	bool goes_on = health->state != HEALTH_NONE && check->kind != HEALTH_KIND_NONE;

	health->check = *check;
	if (check->kind == HEALTH_KIND_NONE) {
		state_set(health, HEALTH_NONE, real_ms);
		return;
	}
	if (!goes_on) {
		*health = (struct health){.check = *check, .began_ms = now_ms};
		state_set(health, HEALTH_STARTING, real_ms);
	}
	health->delay_ms = 0;
	health->due_ms = now_ms + (goes_on ? next_delay(health, now_ms) : first_delay(health, now_ms));
}

void health_put_off(struct health *health, int64_t now_ms)
{
	health->due_ms = now_ms + health->check.interval_ms;
}

const char *health_last_words(const struct health *health)
{
	if (!health->note_count)
		return NULL;
	return health->notes[(health->note_count - 1) % HEALTH_RESULTS_MAX].answer.output;
}

static void note_add(struct health *health, const struct health_answer *answer, int64_t real_ms)
{
	struct health_note *note = &health->notes[health->note_count++ % HEALTH_RESULTS_MAX];

	note->at_ms = real_ms;
	note->answer = *answer;
}

bool health_take(struct health *health, const struct health_answer *answer, int64_t now_ms, int64_t real_ms)
{
	enum health_state before = health->state;

	note_add(health, answer, real_ms);
	if (answer->well) {
		health->failing_streak = 0;
		health->was_well = true;
		if (before != HEALTH_HEALTHY)
			state_set(health, HEALTH_HEALTHY, real_ms);
	} else if (!in_start_period(health, now_ms)) {
		health->failing_streak++;
		if (health->failing_streak >= health->check.retries && before != HEALTH_UNHEALTHY)
			state_set(health, HEALTH_UNHEALTHY, real_ms);
	}
	health->due_ms = now_ms + next_delay(health, now_ms);
	return health->state != before;
}
