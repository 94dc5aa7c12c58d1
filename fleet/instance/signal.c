/* Signals, freezing, and waiting for the end: what acts on a running instance without ending it for good. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/events/events.h"
#include "fleet/instance/repair.h"
#include "fleet/instance/stop.h"
#include "fleet/monitor/finish.h"
#include "fleet/monitor/monitor.h"
#include "fleet/start/idle.h"
#include "fleet/state/image.h"

#define FREEZE_TIMEOUT_MS 10000

/* --- kill --------------------------------------------------------------------------------------------------------- */

static bool means_stop(const struct instance *instance, int signal)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec spec;
	struct error ignored;
	if (instance_spec_load(&arena, instance->dir, instance->name, &spec, &ignored) < 0)
		return signal == SIGTERM;
	return signal == instance_stop_signal(&spec, instance->dir);
}

/* Says afterwards who sent it, no more: a full disk keeps no signal from being sent. */
static int killed_note(const struct instance *instance, int signal, struct error *err)
{
	if (killed_write(instance->live, signal, err) == 0)
		return 0;
	return err->errnum == ENOSPC ? forgive(err) : -1;
}

/* SIGKILL ends it for good: the whole cgroup, frozen or not, and its record is complete when we return. */
static int instance_kill_hard(struct host *host, const char *name, struct error *err)
{
	AUTO(stopping_drop) struct stopping stopping = STOPPING_EMPTY;
	AUTO(arena_drop) struct arena arena = {0};
	struct running running;

	if (instance_take(host, name, &stopping.instance, err) < 0 ||
		instance_running_read(&arena, &stopping.instance, &running, err) < 0 ||
		killed_note(&stopping.instance, SIGKILL, err) < 0)
		return -1;
	instance_event(&stopping.instance, EVENT_KILL, NULL, "KILL");
	return instance_stop_held(&stopping.instance, (struct optional){.set = true, .value = 0}, STOP_FOR_GOOD, err);
}

int instance_kill(struct host *host, const char *name, int signal, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct running running;
	char word[16];

	if (signal == SIGKILL)
		return instance_kill_hard(host, name, err);
	/* Not locked: a signal must also reach one that somebody is waiting for. */
	if (instance_find(host, name, &instance, err) < 0 ||
		instance_running_read(&arena, &instance, &running, err) < 0)
		return -1;
	auto_fd pidfd = process_open(&running.run.init, err);
	if (pidfd < 0 || killed_note(&instance, signal, err) < 0)
		return blame(err, "signal %s", name);
	/* As with `stop`, an end that was asked for is no failure to restart after. */
	if (means_stop(&instance, signal) && desired_write(instance.dir, DESIRED_STOPPED, err) < 0)
		return blame(err, "signal %s", name);
	/* One that sleeps would hear of it with the next connection. */
	if (process_signal(pidfd, signal, err) < 0 || instance_wake(&instance, &running.run, err) < 0)
		return blame(err, "signal %s", name);
	instance_event(&instance, EVENT_KILL, NULL, signal_name(signal, word));
	return 0;
}

/* --- pause -------------------------------------------------------------------------------------------------------- */

/* Its control group was removed between our look and the kernel's: it has ended. */
static bool is_gone(const struct error *err)
{
	return err->errnum == ENOENT || err->errnum == ENODEV;
}

int instance_pause(struct host *host, const char *name, bool paused, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct running running;

	if (instance_take(host, name, &instance, err) < 0 ||
		instance_running_read(&arena, &instance, &running, err) < 0)
		return -1;
	AUTO(cgroup_drop) struct cgroup cgroup; /* empty when it cannot be opened */
	if (cgroup_open(&host->cgroups, instance_cgroup_path(&arena, host, name), &cgroup, err) < 0 ||
		cgroup_freeze(&cgroup, paused, FREEZE_TIMEOUT_MS, err) < 0)
		return is_gone(err) ? fail(err, ERROR_BUSY, "%s is not running", name)
				    : blame(err, "%s %s", paused ? "pause" : "resume", name);
	if (desired_write(instance.dir, paused ? DESIRED_PAUSED : DESIRED_RUNNING, err) < 0) {
		struct error later;

		/* What nobody wrote down must not be so either. */
		if (cgroup_freeze(&cgroup, !paused, FREEZE_TIMEOUT_MS, &later) < 0 && !is_gone(&later))
			log_warn("%s: %s", name, later.text);
		return blame(err, "%s %s", paused ? "pause" : "resume", name);
	}
	/* It is neither asleep any more: paused until it is resumed, or awake. */
	if (asleep_read(instance.live)) {
		asleep_forget(instance.live);
		monitor_kick(&running.run);
	}
	instance_event(&instance, paused ? EVENT_PAUSE : EVENT_RESUME, NULL, NULL);
	return 0;
}

/* --- wait --------------------------------------------------------------------------------------------------------- */

static int directory_watch(int dir, struct error *err)
{
	auto_fd watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[64];

	if (watch < 0)
		return fail_errno(err, "inotify_init1");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	if (inotify_add_watch(watch, path, IN_MOVED_TO | IN_DELETE_SELF) < 0)
		return fail_errno(err, "inotify_add_watch");
	return take_fd(&watch);
}

static bool end_of(struct instance *instance, const struct run *run, int *status)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct exit_record exit;
	bool over;

	exit_read(&arena, instance->dir, &exit, &over);
	/* Perhaps it runs again already; then its record was put aside. */
	if (exit.reason == END_NONE || exit.at_ms < run->started_ms)
		return false;
	*status = exit.status;
	return true;
}

/* Its first process has ended. The monitor writes how; without one the kernel may know, and then we write. */
static int end_await(
	struct instance *instance, const struct run *run, int pidfd, int changes, int *status, struct error *err)
{
	int64_t deadline_ms = clock_ms() + INSTANCE_END_TIMEOUT_MS;
	int wait_status;

	while (!end_of(instance, run, status) && instance_is_monitored(instance) && clock_ms() < deadline_ms) {
		struct pollfd change = {.fd = changes, .events = POLLIN};
		char events[4096];

		/* A monitor that is killed now wakes nobody: look again every second. */
		if (poll(&change, 1, 1000) == 1 && read(changes, events, sizeof(events)) < 0 && errno != EAGAIN)
			return fail_errno(err, "wait for %s", instance->name);
	}
	if (end_of(instance, run, status))
		return 0;
	wait_status = pidfd < 0 ? -1 : pidfd_exit_status(pidfd);
	if (wait_status < 0)
		return fail(err, ERROR_SYSTEM, "%s has ended, but its monitor was gone and its status is unknown",
			instance->name);
	*status = end_judge(&(struct end){.wait_status = wait_status}).status;
	return 0;
}

static int last_status(struct instance *instance, int *status, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct exit_record exit;
	bool over;

	exit_read(&arena, instance->dir, &exit, &over);
	if (exit.reason == END_NONE)
		return fail(err, ERROR_BUSY, "%s has never run", instance->name);
	*status = exit.status;
	return 0;
}

int instance_wait(struct host *host, const char *name, int *status, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct running running;
	struct error not_running;

	if (instance_find(host, name, &instance, err) < 0)
		return -1;
	auto_fd changes = directory_watch(instance.dir, err);
	if (changes < 0)
		return blame(err, "wait for %s", name);
	if (instance_running_read(&arena, &instance, &running, &not_running) < 0) {
		/* Ended a moment ago: its monitor is about to write how. */
		if (running.run.init.pid > 0 && running.monitored)
			return end_await(&instance, &running.run, -1, changes, status, err);
		return last_status(&instance, status, err);
	}
	auto_fd pidfd = process_open(&running.run.init, err);
	if (pidfd < 0 && (err->kind != ERROR_MISSING || forgive(err) < 0))
		return -1;
	if (pidfd >= 0)
		process_wait_end(pidfd, -1);
	return end_await(&instance, &running.run, pidfd, changes, status, err);
}
