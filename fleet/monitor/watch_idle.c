/* Sleep and waking in the monitor; see docs/idle.md.
 *
 * While it is awake one timer looks whether anything has come: at a packet socket with a filter, which nobody polls,
 * or, where much comes, at the counters of the link alone, so that busy instances are not slowed down. Two looks in a
 * row that saw nothing, half the time apart, are the sleep. While it is asleep that socket is polled and nothing else:
 * there is no wake-up before somebody calls. His connection is in the instance's own queues meanwhile, as its network
 * is not frozen; so nothing is lost or sent twice.
 *
 * The socket is open before the freezer is asked, so that nothing comes unseen in between. Falling asleep and waking
 * only try the instance's lock: a command that has it may rely on the instance staying as it is. */
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/events/events.h"
#include "fleet/monitor/monitor.h"
#include "fleet/start/idle.h"

#define LOOKS_QUIET 2
#define FREEZE_TIMEOUT_MS 1000
#define LATER_MS 250	 /* until a second try to sleep */
#define LOCK_RETRY_MS 20 /* until a second try to wake */
#define PACKETS_FEW 256	 /* between two looks: then the packet socket may count again */
#define RECLAIM_STEP_BYTES (INT64_C(16) << 20)

static bool sleeps_ever(const struct monitor *monitor)
{
	return monitor->idle.after_ms > 0;
}

static void look_later(struct idle_watch *idle, int64_t ms)
{
	idle->due_ms = clock_ms() + ms;
}

static void watch_again(struct idle_watch *idle)
{
	idle->quiet_looks = 0;
	look_later(idle, idle->after_ms / LOOKS_QUIET);
}

static int own_cgroup_open(struct monitor *monitor, struct cgroup *out, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct host *host = monitor->instance.host;

	return cgroup_open(&host->cgroups, instance_cgroup_path(&arena, host, monitor->instance.name), out, err);
}

static bool lock_try(struct monitor *monitor)
{
	struct instance *instance = &monitor->instance;
	struct error ignored;

	instance->lock = openat(instance->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (instance->lock >= 0 && lock_exclusive(instance->lock, 0, &ignored) == 0)
		return true;
	fd_drop(&instance->lock);
	return false;
}

static void lock_drop(struct monitor *monitor)
{
	fd_drop(&monitor->instance.lock);
}

/* --- has anything come? ------------------------------------------------------------------------------------------- */

static uint64_t packets_now(const struct monitor *monitor)
{
	struct error ignored;
	struct link_counters counters = {0};
	AUTO(net_session_drop) struct net_session *session = net_session_open(&ignored);

	if (!session || link_counters_read(session, monitor->idle.slot, &counters, &ignored) < 0)
		return 0;
	return counters.rx_packets;
}

static void arrivals_watch(struct monitor *monitor)
{
	struct idle_watch *idle = &monitor->idle;
	struct error err;

	idle->arrivals = arrivals_open(idle->slot, &err);
	if (idle->arrivals >= 0)
		return;
	log_warn("%s: it will not sleep: %s", monitor->instance.name, err.text);
	idle->after_ms = 0;
}

static bool anything_came(struct monitor *monitor)
{
	struct idle_watch *idle = &monitor->idle;
	uint64_t packets;
	size_t seen;

	if (idle->arrivals >= 0) {
		seen = arrivals_take(idle->arrivals);
		if (seen == ARRIVALS_MAX) {
			fd_drop(&idle->arrivals);
			idle->packets = packets_now(monitor);
		}
		return seen > 0;
	}
	packets = packets_now(monitor);
	if (packets - idle->packets <= PACKETS_FEW)
		arrivals_watch(monitor);
	idle->packets = packets;
	return true;
}

/* --- falling asleep ----------------------------------------------------------------------------------------------- */

static bool may_sleep(const struct monitor *monitor)
{
	enum health_state health = monitor->health->state;

	return instance_desired(&monitor->instance) == DESIRED_RUNNING && !monitor->unwell &&
	       (health == HEALTH_NONE || health == HEALTH_HEALTHY);
}

static int freeze(struct monitor *monitor, struct error *err)
{
	AUTO(cgroup_drop) struct cgroup cgroup; /* empty when it cannot be opened */
	struct instance *instance = &monitor->instance;

	if (own_cgroup_open(monitor, &cgroup, err) < 0 || cgroup_is_frozen(&cgroup) ||
		asleep_write(instance->live, err) < 0)
		return -1;
	if (cgroup_freeze(&cgroup, true, FREEZE_TIMEOUT_MS, err) == 0)
		return 0;
	asleep_forget(instance->live);
	return -1;
}

static bool fall_asleep(struct monitor *monitor)
{
	struct idle_watch *idle = &monitor->idle;
	auto_fd busy = busy_try(monitor->instance.live);
	struct error err = {0};

	if (busy < 0)
		return false;
	if (freeze(monitor, &err) < 0) {
		log_debug("%s: does not sleep: %s", monitor->instance.name, err.text);
		return false;
	}
	idle->asleep = true;
	idle->asleep_ms = clock_ms();
	idle->reclaims = idle->action == IDLE_FREEZE_RECLAIM;
	instance_event(&monitor->instance, EVENT_SLEEP, NULL, NULL);
	malloc_trim(0);
	return true;
}

static void look(struct monitor *monitor)
{
	struct idle_watch *idle = &monitor->idle;

	if (anything_came(monitor) || !may_sleep(monitor)) {
		if (sleeps_ever(monitor))
			watch_again(idle);
		return;
	}
	if (++idle->quiet_looks < LOOKS_QUIET) {
		look_later(idle, idle->after_ms / LOOKS_QUIET);
		return;
	}
	/* A question about its health is under way, or a command is at work. */
	if (monitor->probe.fd >= 0 || !lock_try(monitor)) {
		look_later(idle, LATER_MS);
		return;
	}
	if (!fall_asleep(monitor))
		watch_again(idle);
	lock_drop(monitor);
}

/* --- asleep ------------------------------------------------------------------------------------------------------- */

/* A little at a time, so that who calls meanwhile does not wait for the rest. */
static void reclaim_some(struct monitor *monitor)
{
	AUTO(cgroup_drop) struct cgroup cgroup; /* empty when it cannot be opened */
	struct error err;

	if (own_cgroup_open(monitor, &cgroup, &err) == 0 && cgroup_reclaim(&cgroup, RECLAIM_STEP_BYTES) > 0)
		return;
	monitor->idle.reclaims = false;
	malloc_trim(0);
}

static void awake(struct monitor *monitor)
{
	struct idle_watch *idle = &monitor->idle;

	idle->asleep = idle->called = idle->reclaims = false;
	if (idle->arrivals >= 0)
		arrivals_take(idle->arrivals);
	if (sleeps_ever(monitor))
		watch_again(idle);
	if (monitor->health->state != HEALTH_NONE)
		health_put_off(monitor->health, clock_ms());
}

static int thaw(struct monitor *monitor, struct error *err)
{
	AUTO(cgroup_drop) struct cgroup cgroup; /* empty when it cannot be opened */

	if (own_cgroup_open(monitor, &cgroup, err) < 0)
		return -1;
	return cgroup_freeze(&cgroup, false, FREEZE_TIMEOUT_MS, err);
}

static void wake_try(struct monitor *monitor, const char *why)
{
	struct idle_watch *idle = &monitor->idle;
	char duration[24];
	struct error err;

	idle->called = true;
	if (!lock_try(monitor)) {
		look_later(idle, LOCK_RETRY_MS);
		return;
	}
	/* Somebody was quicker; perhaps to pause it. */
	if (!asleep_read(monitor->instance.live)) {
		awake(monitor);
	} else if (thaw(monitor, &err) < 0) {
		log_warn("%s: wake it: %s", monitor->instance.name, err.text);
		look_later(idle, LATER_MS);
	} else {
		asleep_forget(monitor->instance.live);
		instance_event(
			&monitor->instance, EVENT_WAKE, why, duration_format(clock_ms() - idle->asleep_ms, duration));
		awake(monitor);
	}
	lock_drop(monitor);
	malloc_trim(0);
}

/* --- public ------------------------------------------------------------------------------------------------------- */

void monitor_idle_begin(struct monitor *monitor, const struct idle_spec *wanted, unsigned slot)
{
	struct idle_watch *idle = &monitor->idle;

	monitor_idle_end(monitor);
	if (!wanted->after_ms || monitor->foreground || !slot)
		return;
	*idle = (struct idle_watch){
		.after_ms = wanted->after_ms, .action = wanted->action, .slot = slot, .arrivals = -1};
	arrivals_watch(monitor);
	watch_again(idle);
}

void monitor_idle_end(struct monitor *monitor)
{
	if (monitor->idle.arrivals >= 0)
		fd_drop(&monitor->idle.arrivals);
	asleep_forget(monitor->instance.live);
	monitor->idle = (struct idle_watch)IDLE_NEVER;
}

void monitor_idle_change(struct monitor *monitor, const struct idle_spec *wanted, unsigned slot)
{
	struct idle_watch *idle = &monitor->idle;

	if (idle->asleep && !asleep_read(monitor->instance.live))
		awake(monitor);
	if (idle->after_ms == wanted->after_ms && idle->action == wanted->action)
		return;
	if (idle->asleep && wanted->after_ms) {
		idle->after_ms = wanted->after_ms;
		idle->action = wanted->action;
	} else if (idle->asleep) {
		idle->after_ms = 0;
		wake_try(monitor, "command");
	} else {
		monitor_idle_begin(monitor, wanted, slot);
	}
}

int monitor_idle_fd(const struct monitor *monitor)
{
	return monitor->idle.asleep && !monitor->idle.called ? monitor->idle.arrivals : -1;
}

int64_t monitor_idle_wait_ms(const struct monitor *monitor)
{
	const struct idle_watch *idle = &monitor->idle;
	int64_t left_ms;

	if (idle->asleep && idle->reclaims)
		return 0;
	if (idle->asleep ? !idle->called : !sleeps_ever(monitor))
		return -1;
	left_ms = idle->due_ms - clock_ms();
	return left_ms > 0 ? left_ms : 0;
}

void monitor_idle_turn(struct monitor *monitor, bool ready)
{
	struct idle_watch *idle = &monitor->idle;
	bool due = clock_ms() >= idle->due_ms;

	if (!idle->asleep) {
		if (sleeps_ever(monitor) && due)
			look(monitor);
	} else if (ready || (idle->called && due)) {
		wake_try(monitor, "connection");
	} else if (idle->reclaims) {
		reclaim_some(monitor);
	}
}
