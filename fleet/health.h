/* Whether instances are well: what their health checks say, asking now, and waiting for it. */
#ifndef WARREN_FLEET_HEALTH_H
#define WARREN_FLEET_HEALTH_H

#include "base/arena.h"
#include "base/error.h"
#include "fleet/host.h"

/* What the health check of a running instance says; HEALTH_NONE: nothing is asked, or it does not run. */
enum health_state { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };
extern const char *const health_state_names[]; /* "none", "starting", "healthy", "unhealthy" */

#define HEALTH_RESULTS_MAX 5
struct health_result {
	int64_t at_ms, took_ms; /* at: CLOCK_REALTIME */
	bool well;
	int status;	    /* of HTTP, or the test's exit status; -1: none */
	const char *output; /* at most 511 bytes of what it said */
};
struct health_status {
	enum health_state state;
	int64_t since_ms; /* CLOCK_REALTIME */
	int64_t failing_streak;
	LIST_OF(struct health_result) results; /* the last ones, oldest first; at most HEALTH_RESULTS_MAX */
};

/* Of one that does not run: HEALTH_NONE. */
MUST_CHECK int instance_health_read(
	struct arena *arena, struct host *host, const char *name, struct health_status *out, struct error *err);
/* Asks a running one now; nothing follows from the answer. ERROR_USAGE: it has no check. */
MUST_CHECK int instance_health_ask(
	struct arena *arena, struct host *host, const char *name, struct health_result *out, struct error *err);
/* Whether it has a check: its own, or its image's. Without an image (NULL): its own. */
bool instance_has_check(const struct instance_spec *spec, const struct image_config *image);
/* The same of one that was created: 1 or 0, -1 when its files cannot be read. */
MUST_CHECK int instance_check_exists(struct host *host, const char *name, struct error *err);
/* Waits until it is healthy, or, without a check, until its program runs. ERROR_BUSY with the reason when the time is
 * out (timeout_ms -1: never), when it has become unhealthy, or has ended and nobody starts it again. */
MUST_CHECK int instance_wait_healthy(struct host *host, const char *name, int64_t timeout_ms, struct error *err);
/* The same for many at once; done() (may be NULL) is called for each as it is known, as for instances_do(). Gives the
 * number of failures, *err the first. */
MUST_CHECK int instances_wait_healthy(struct host *host, const struct strings *names, int64_t timeout_ms,
	void (*done)(void *context, const char *name, const struct error *result), void *context, struct error *err);

#endif
