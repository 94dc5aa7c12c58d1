/* The health check in the monitor: when its next question is due, what an answer leads to, and the end of a run that is
 * not well. Everything is a step between two waits: the monitor copies output meanwhile. */
#include <errno.h>
#include <malloc.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/events/events.h"
#include "fleet/monitor/monitor.h"
#include "fleet/monitor/stopping.h"
#include "fleet/network/published.h"

static const char *name_of(const struct monitor *monitor)
{
	return monitor->instance.name;
}

static void record(struct monitor *monitor)
{
	struct error ignored;

	if (health_write(monitor->instance.live, monitor->health, &ignored) < 0)
		log_debug("%s: %s", name_of(monitor), ignored.text);
	/* Encoding has used the heap; between two questions nothing of it is needed. */
	malloc_trim(0);
}

/* --- the end of one that is not well ------------------------------------------------------------------------------ */

static void killed_all(struct monitor *monitor)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct host *host = monitor->instance.host;
	AUTO(cgroup_drop) struct cgroup cgroup; /* empty when it cannot be opened */
	struct error err;

	monitor->ending_ms = INT64_MAX;
	if (cgroup_open(&host->cgroups, instance_cgroup_path(&arena, host, name_of(monitor)), &cgroup, &err) < 0 ||
		cgroup_kill(&cgroup, &err) < 0)
		log_warn("%s: %s", name_of(monitor), err.text);
}

/* As a stop does it, but for what it wishes afterwards. */
static void run_break_off(struct monitor *monitor)
{
	struct stopping stopping = {.instance = monitor->instance, .pidfd = monitor->launched.pidfd};
	struct error err;

	monitor->unwell = true;
	if (monitor->health->check.on_failure == HEALTH_STOP &&
		desired_write(monitor->instance.dir, DESIRED_STOPPED, &err) < 0)
		log_warn("%s: %s", name_of(monitor), err.text);
	if (stopping_ask(&stopping, &monitor->run, &err) < 0)
		log_warn("%s: %s", name_of(monitor), err.text);
	monitor->ending_ms = stopping.deadline_ms;
}

/* --- questions and answers ---------------------------------------------------------------------------------------- */

static void state_announce(struct monitor *monitor)
{
	const struct health *health = monitor->health;
	struct error err;

	instance_event(&monitor->instance, EVENT_HEALTH, health_state_names[health->state], health_last_words(health));
	if (instance_traffic(&monitor->instance, &monitor->run, health->state == HEALTH_HEALTHY, &err) < 0)
		log_warn("%s: %s", name_of(monitor), err.text);
}

/* One that is paused cannot answer, and one that is being stopped need not. */
static bool shall_answer(const struct monitor *monitor)
{
	return instance_desired(&monitor->instance) == DESIRED_RUNNING;
}

static void answered(struct monitor *monitor, const struct health_answer *answer)
{
	struct health *health = monitor->health;
	bool changed;

	/* In the middle of the question. */
	if (!answer->well && !shall_answer(monitor)) {
		health_put_off(health, clock_ms());
		return;
	}
	changed = health_take(health, answer, clock_ms(), clock_real_ms());
	record(monitor);
	if (!changed)
		return;
	state_announce(monitor);
	if (health->state == HEALTH_UNHEALTHY && health->check.on_failure != HEALTH_LEAVE)
		run_break_off(monitor);
}

/* In a process that asks: it must not be spared when memory is short, and holds no sign of its monitor's life. */
static void asker_prepare(void *context)
{
	struct monitor *monitor = context;

	monitor_unprotect(monitor);
	fd_drop(&monitor->lock);
}

static void ask(struct monitor *monitor)
{
	const struct health_check *check = &monitor->health->check;
	struct instance *instance = &monitor->instance;
	struct health_answer answer = {.status = -1};
	struct error err;

	if (!shall_answer(monitor)) {
		health_put_off(monitor->health, clock_ms());
		return;
	}
	if (!probe_is_inside(check)) {
		if (probe_connect(check, &monitor->probe, &answer))
			answered(monitor, &answer);
		return;
	}
	if (probe_fork(instance->host, instance->name, check, &monitor->probe, asker_prepare, monitor, &err) == 0)
		return;
	log_warn("%s: %s", instance->name, err.text);
	health_put_off(monitor->health, clock_ms());
}

/* --- public ------------------------------------------------------------------------------------------------------- */

void monitor_health_begin(struct monitor *monitor, const struct health_check *check)
{
	bool asks_already = monitor->health->state != HEALTH_NONE;

	monitor->unwell = false;
	monitor->ending_ms = 0;
	if (check->kind == HEALTH_KIND_NONE && !asks_already) {
		if (monitor->health->check.kind !=
			HEALTH_KIND_NONE) /* written only if it must be: see struct monitor */
			monitor->health->check = *check;
		return;
	}
	health_begin(monitor->health, check, clock_ms(), clock_real_ms());
	if (monitor->health->state == HEALTH_NONE)
		health_forget(monitor->instance.live);
	else
		record(monitor);
}

void monitor_health_adopt(struct monitor *monitor)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct health_status before;
	struct health_check check;
	struct error err;

	if (health_check_load(&monitor->instance, &check, &err) < 0 ||
		health_read(&arena, monitor->instance.live, &before, &err) < 0) {
		log_warn("%s: %s", name_of(monitor), err.text);
		return;
	}
	if (check.kind == HEALTH_KIND_NONE)
		return;
	health_begin(monitor->health, &check, clock_ms(), clock_real_ms());
	monitor->health->began_ms = monitor->began_ms;
	health_resume(monitor->health, &before);
	record(monitor);
}

void monitor_health_end(struct monitor *monitor)
{
	probe_drop(&monitor->probe);
	if (monitor->health->state == HEALTH_NONE)
		return;
	health_forget(monitor->instance.live);
	monitor->health->state = HEALTH_NONE;
}

int64_t monitor_health_wait_ms(const struct monitor *monitor)
{
	int64_t due_ms = INT64_MAX, left_ms;

	if (monitor->ending_ms)
		due_ms = monitor->ending_ms;
	else if (monitor->probe.fd >= 0)
		due_ms = monitor->probe.deadline_ms;
	else if (monitor->health->state != HEALTH_NONE)
		due_ms = monitor->health->due_ms;
	if (due_ms == INT64_MAX)
		return -1;
	left_ms = due_ms - clock_ms();
	return left_ms > 0 ? left_ms : 0;
}

void monitor_health_turn(struct monitor *monitor, bool ready)
{
	struct health_answer answer;
	int64_t now_ms = clock_ms();

	if (monitor->ending_ms) {
		if (now_ms >= monitor->ending_ms)
			killed_all(monitor);
		return;
	}
	if (monitor->probe.fd < 0) {
		if (monitor->health->state != HEALTH_NONE && now_ms >= monitor->health->due_ms)
			ask(monitor);
		return;
	}
	if (ready) {
		if (probe_turn(&monitor->health->check, &monitor->probe, &answer))
			answered(monitor, &answer);
	} else if (now_ms >= monitor->probe.deadline_ms) {
		probe_expire(&monitor->health->check, &monitor->probe, &answer);
		answered(monitor, &answer);
	}
}

bool monitor_was_well(const struct monitor *monitor, int64_t lived_ms)
{
	return monitor->health->check.kind == HEALTH_KIND_NONE ? lived_ms >= RESTART_RESET_MS
							       : monitor->health->was_well;
}
