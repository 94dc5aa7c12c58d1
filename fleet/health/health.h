/* The health of a running instance: what is asked, what the answers mean, and where that is written down. Only fleet/
 * includes this header; fleet.h has what others need. See docs/health.md. */
#ifndef WARREN_FLEET_HEALTH_HEALTH_H
#define WARREN_FLEET_HEALTH_HEALTH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "fleet/fleet.h"
#include "fleet/spec/health_url.h"
#include "fleet/state/instance.h"

/* --- health_check.c: what is asked -------------------------------------------------------------------------------- */

enum health_kind { HEALTH_KIND_NONE, HEALTH_KIND_HTTP, HEALTH_KIND_TCP, HEALTH_KIND_TEST };

/* A check with every default filled in, for a process that keeps nothing else: no pointer in it. */
struct health_check {
	enum health_kind kind;
	bool inside;		   /* http and tcp: asked on the loopback of its own network namespace */
	struct ip_address address; /* else there, from the host */
	uint16_t port;
	int64_t interval_ms, timeout_ms, start_period_ms, start_interval_ms, retries;
	enum health_action on_failure; /* never HEALTH_UNSAID */
	char request[HEALTH_URL_MAX + HEALTH_HOST_MAX + 96];
};
/* spec has its image's check already, if it wants that: instance_image_health(). */
void health_check_make(const struct instance_spec *spec, const struct record *record, struct health_check *out);
bool health_checks_equal(const struct health_check *a, const struct health_check *b);
/* An instance's specification with its image's check, if it takes that; and the check of its files. */
MUST_CHECK int health_spec_load(
	struct arena *arena, const struct instance *instance, struct instance_spec *spec, struct error *err);
MUST_CHECK int health_check_load(const struct instance *instance, struct health_check *out, struct error *err);

/* --- health_state.c: what the answers mean. Pure: no clock, no files ---------------------------------------------- */

#define HEALTH_OUTPUT_MAX 512

/* One answer. */
struct health_answer {
	bool well;
	int status; /* of HTTP, or the test's exit status; -1: none */
	int64_t took_ms;
	char output[HEALTH_OUTPUT_MAX];
};

struct health_note {
	int64_t at_ms; /* CLOCK_REALTIME */
	struct health_answer answer;
};

struct health {
	struct health_check check;
	enum health_state state; /* HEALTH_NONE: nothing is asked */
	int64_t since_ms;	 /* CLOCK_REALTIME */
	int64_t began_ms;	 /* of the run, CLOCK_BOOTTIME */
	int64_t due_ms;		 /* of the next question, CLOCK_BOOTTIME */
	int64_t delay_ms;	 /* between the last two while it starts */
	int64_t failing_streak;
	bool was_well; /* in this run */
	struct health_note notes[HEALTH_RESULTS_MAX];
	size_t note_count; /* all that there were; the last one is notes[(note_count - 1) % HEALTH_RESULTS_MAX] */
};
/* A run begins, or goes on with another check: then with the state it has. */
void health_begin(struct health *health, const struct health_check *check, int64_t now_ms, int64_t real_ms);
/* True when the state has changed. now_ms and real_ms: when the answer was there. */
bool health_take(struct health *health, const struct health_answer *answer, int64_t now_ms, int64_t real_ms);
/* What the last answer said; NULL: nothing yet. Valid until the next is taken. */
const char *health_last_words(const struct health *health);
/* No answer counts for now (it is paused): asks again after the interval. */
void health_put_off(struct health *health, int64_t now_ms);

/* --- health_record.c: live/<name>/health.json --------------------------------------------------------------------- */

MUST_CHECK int health_write(int live, const struct health *health, struct error *err);
/* Absent: HEALTH_NONE, and 0. */
MUST_CHECK int health_read(struct arena *arena, int live, struct health_status *out, struct error *err);
/* Goes on where a monitor that was killed had come to. */
void health_resume(struct health *health, const struct health_status *status);
void health_forget(int live);

#endif
