/* Asking an instance how it is, now: for whoever wants to know and not to wait for its monitor's next question. */
#include <poll.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "fleet/health/probe.h"
#include "fleet/start/idle.h"
#include "fleet/state/instance.h"

/* By a process of its own: asking inside may mean entering a network namespace. */
static int ask_inside(struct host *host, const char *name, const struct health_check *check,
	struct health_answer *answer, struct error *err)
{
	AUTO(probe_drop) struct probe probe = PROBE_IDLE;

	if (probe_fork(host, name, check, &probe, NULL, NULL, err) < 0)
		return -1;
	for (;;) {
		struct pollfd ready = {.fd = probe.fd, .events = probe.events};

		if (poll(&ready, 1, clock_poll_ms(probe.deadline_ms)) == 1 && probe_turn(check, &probe, answer))
			return 0;
		if (clock_ms() >= probe.deadline_ms) {
			probe_expire(check, &probe, answer);
			return 0;
		}
	}
}

int instance_health_ask(
	struct arena *arena, struct host *host, const char *name, struct health_result *out, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct health_answer answer = {.status = -1};
	struct health_check check;
	struct instance_spec spec;
	struct running running;
	auto_fd busy = -1;

	if (instance_find(host, name, &instance, err) < 0 ||
		instance_running_read(arena, &instance, &running, err) < 0 ||
		health_check_load(&instance, &check, err) < 0)
		return -1;
	if (check.kind == HEALTH_KIND_NONE)
		return fail(err, ERROR_USAGE, "%s has no health check, and neither has its image", name);
	if (instance_spec_load(arena, instance.dir, name, &spec, err) < 0 ||
		instance_keep_awake(&instance, &spec, &running.run, &busy, err) < 0)
		return -1;
	if (!probe_is_inside(&check))
		probe_ask(&check, &answer);
	else if (ask_inside(host, name, &check, &answer, err) < 0)
		return blame(err, "ask %s", name);
	*out = (struct health_result){
		.at_ms = clock_real_ms(),
		.took_ms = answer.took_ms,
		.well = answer.well,
		.status = answer.status,
		.output = arena_string(arena, answer.output),
	};
	return 0;
}
