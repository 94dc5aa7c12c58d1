/* Waiting until instances are healthy: woken by the records' changes (inotify) and by the end of a monitor (pidfd),
 * never by a clock but the caller's deadline. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "fleet/health/health.h"
#include "fleet/state/instance.h"

enum outlook { OUTLOOK_OPEN, OUTLOOK_WELL, OUTLOOK_NEVER };

struct patient {
	struct instance instance;
	int watch;   /* of its live directory */
	int monitor; /* pidfd; -1: none */
	bool settled;
};

struct waiting {
	struct host *host;
	int changes; /* inotify */
	struct patient *patients;
	struct pollfd *polls; /* the changes, then the monitor of each */
	size_t count, open;
	int failures;
	struct error *first;
	void (*done)(void *context, const char *name, const struct error *result);
	void *context;
};

static void waiting_drop(struct waiting *waiting)
{
	for (size_t i = 0; i < waiting->count; i++) {
		fd_drop(&waiting->patients[i].monitor);
		instance_drop(&waiting->patients[i].instance);
	}
	fd_drop(&waiting->changes);
}

static void settle(struct waiting *waiting, struct patient *patient, const struct error *result)
{
	patient->settled = true;
	fd_drop(&patient->monitor);
	waiting->open--;
	if (result->kind != ERROR_NONE && waiting->failures++ == 0)
		*waiting->first = *result;
	if (waiting->done)
		waiting->done(waiting->context, patient->instance.name, result);
}

/* --- one of them -------------------------------------------------------------------------------------------------- */

static const char *last_words(const struct health_status *health)
{
	return health->results.count ? health->results.items[health->results.count - 1].output : "no answer yet";
}

static enum outlook judge_ended(struct arena *arena, const struct instance *instance, struct error *err)
{
	struct exit_record exit;
	bool over;

	exit_read(arena, instance->dir, &exit, &over);
	if (!over)
		fail(err, ERROR_BUSY, "%s is not running", instance->name);
	else
		fail(err, ERROR_BUSY, "%s has ended: %s, exit %d", instance->name, end_reason_names[exit.reason],
			exit.status);
	return OUTLOOK_NEVER;
}

static enum outlook judge_running(
	struct arena *arena, const struct instance *instance, const struct running *running, struct error *err)
{
	struct health_status health;

	if (health_read(arena, instance->live, &health, err) < 0)
		return OUTLOOK_NEVER;
	if (health.state == HEALTH_HEALTHY)
		return OUTLOOK_WELL;
	if (health.state == HEALTH_UNHEALTHY) {
		fail(err, ERROR_BUSY, "%s is unhealthy: %s", instance->name, last_words(&health));
		return OUTLOOK_NEVER;
	}
	/* The first state is written before the run is marked as started. */
	if (health.state == HEALTH_NONE)
		return running->run.started ? OUTLOOK_WELL : OUTLOOK_OPEN;
	if (running->monitored)
		return OUTLOOK_OPEN;
	fail(err, ERROR_BUSY,
		"%s: nobody asks how it is, for its monitor is gone; `warren start %s` gives it a new one",
		instance->name, instance->name);
	return OUTLOOK_NEVER;
}

static enum outlook judge(const struct patient *patient, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct instance *instance = &patient->instance;
	/* Asked first: one that ends in between has an exit record by then. */
	bool monitored = instance_is_monitored(instance);
	struct running running;

	if (desired_read(instance->dir) == DESIRED_STOPPED)
		return judge_ended(&arena, instance, err);
	if (instance_running_read(&arena, instance, &running, err) == 0)
		return judge_running(&arena, instance, &running, err);
	if (err->kind != ERROR_BUSY)
		return OUTLOOK_NEVER;
	return monitored ? OUTLOOK_OPEN : judge_ended(&arena, instance, err);
}

/* The monitor's end wakes us where no record changes; -1 when there is none, or not yet. */
static void monitor_follow(struct patient *patient)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error ignored;
	struct run run;

	fd_drop(&patient->monitor);
	if (run_read(&arena, patient->instance.live, &run, &ignored) == 0 && run.monitor.pid > 0 && !run.other_boot)
		patient->monitor = process_open(&run.monitor, &ignored);
}

static void look(struct waiting *waiting, struct patient *patient)
{
	struct error err = {0};

	if (patient->settled)
		return;
	/* Before the judgement, so that a death in between is not missed. */
	if (patient->monitor < 0)
		monitor_follow(patient);
	switch (judge(patient, &err)) {
	case OUTLOOK_OPEN:
		return;
	case OUTLOOK_WELL:
		settle(waiting, patient, &(struct error){0});
		return;
	case OUTLOOK_NEVER:
		settle(waiting, patient, &err);
	}
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static int patient_add(struct waiting *waiting, const char *name, struct error *err)
{
	struct patient *patient = &waiting->patients[waiting->count];
	char path[64];

	*patient = (struct patient){.instance = INSTANCE_EMPTY, .monitor = -1};
	if (instance_find(waiting->host, name, &patient->instance, err) < 0)
		return -1;
	waiting->count++;
	waiting->open++;
	if (patient->instance.live < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", patient->instance.live);
	patient->watch = inotify_add_watch(waiting->changes, path, IN_MOVED_TO | IN_DELETE);
	return patient->watch < 0 ? fail_errno(err, "watch %s", name) : 0;
}

static struct patient *patient_of(struct waiting *waiting, int watch)
{
	for (size_t i = 0; i < waiting->count; i++)
		if (waiting->patients[i].watch == watch)
			return &waiting->patients[i];
	return NULL;
}

/* Each is looked at once for many changes in a row. */
static void changes_take(struct waiting *waiting)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct patient *last = NULL;
	ssize_t length;

	while ((length = read(waiting->changes, events, sizeof(events))) > 0)
		for (ssize_t at = 0; at < length;) {
			const struct inotify_event *event = (const struct inotify_event *)(events + at);
			struct patient *patient = patient_of(waiting, event->wd);

			if (patient && patient != last && last)
				look(waiting, last);
			last = patient ? patient : last;
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	if (last)
		look(waiting, last);
}

static void wait_once(struct waiting *waiting, int64_t deadline_ms)
{
	waiting->polls[0] = (struct pollfd){.fd = waiting->changes, .events = POLLIN};
	for (size_t i = 0; i < waiting->count; i++)
		waiting->polls[1 + i] = (struct pollfd){.fd = waiting->patients[i].monitor, .events = POLLIN};
	if (poll(waiting->polls, 1 + waiting->count, clock_poll_ms(deadline_ms)) <= 0)
		return;
	for (size_t i = 0; i < waiting->count; i++)
		if (waiting->polls[1 + i].revents) {
			fd_drop(&waiting->patients[i].monitor);
			look(waiting, &waiting->patients[i]);
		}
	if (waiting->polls[0].revents)
		changes_take(waiting);
}

static void settle_late(struct waiting *waiting, struct patient *patient, int64_t timeout_ms)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct health_status health;
	struct error err = {0}, ignored;
	char duration[24];

	if (health_read(&arena, patient->instance.live, &health, &ignored) < 0)
		health = (struct health_status){0};
	fail(&err, ERROR_BUSY, "%s is not healthy after %s: %s", patient->instance.name,
		duration_format(timeout_ms, duration), last_words(&health));
	settle(waiting, patient, &err);
}

static int waiting_run(struct waiting *waiting, const struct strings *names, int64_t timeout_ms, struct error *err)
{
	int64_t deadline_ms = clock_deadline_ms(timeout_ms);

	for (size_t i = 0; i < names->count; i++)
		if (patient_add(waiting, names->items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < waiting->count; i++)
		look(waiting, &waiting->patients[i]);
	while (waiting->open && clock_ms() < deadline_ms)
		wait_once(waiting, deadline_ms);
	for (size_t i = 0; i < waiting->count; i++)
		if (!waiting->patients[i].settled)
			settle_late(waiting, &waiting->patients[i], timeout_ms);
	return waiting->failures;
}

int instances_wait_healthy(struct host *host, const struct strings *names, int64_t timeout_ms,
	void (*done)(void *context, const char *name, const struct error *result), void *context, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct waiting waiting = {
		.host = host,
		.changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK),
		.patients = arena_new_array(&arena, names->count, struct patient),
		.polls = arena_new_array(&arena, names->count + 1, struct pollfd),
		.first = err,
		.done = done,
		.context = context,
	};
	int result =
		waiting.changes < 0 ? fail_errno(err, "inotify_init1") : waiting_run(&waiting, names, timeout_ms, err);

	waiting_drop(&waiting);
	return result;
}

int instance_wait_healthy(struct host *host, const char *name, int64_t timeout_ms, struct error *err)
{
	const char *items[] = {name, NULL};
	struct strings names = {.items = items, .count = 1};

	return instances_wait_healthy(host, &names, timeout_ms, NULL, NULL, err) ? -1 : 0;
}
