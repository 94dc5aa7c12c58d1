/* Stopping. The desired state is written before the signal is sent, so that the monitor (which is told of the end by
 * the kernel, not by us) knows an end that was asked for from a failure.
 *
 * Everything is bounded: grace, then SIGKILL to the whole cgroup, then a fixed time for the kernel. What can hold an
 * instance's end beyond that is a process of `exec` whose parent outside does not reap it; it is named. */
#include "fleet/instance/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/events/events.h"
#include "fleet/instance/create.h"
#include "fleet/instance/repair.h"
#include "fleet/instance/sharing_follow.h"
#include "fleet/instance/start.h"
#include "fleet/monitor/monitor.h"
#include "fleet/network/listeners.h"
#include "fleet/network/published.h"
#include "fleet/network/sharing.h"

#define KILL_WAIT_MS 5000
#define PROCESSES_MAX 4194304

/* --- telling it --------------------------------------------------------------------------------------------------- */

static void unpublish(struct instance *instance, const struct run *run)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct record record;
	struct error err;

	if (!run->port_count || record_read(&arena, instance->dir, &record, &err) < 0)
		return;
	if (listeners_wanted(run->ports, run->port_count))
		monitor_kick(run);
	if (!record.network)
		return;
	struct endpoint endpoint = record_endpoint(&record);
	AUTO(net_session_drop) struct net_session *own = NULL;
	struct net_session *session = host_network(instance->host, &own, &err);
	/* Its end does it again; refusing to stop for this would help nobody. */
	const struct published published = {.host = instance->host,
		.session = session,
		.endpoint = &endpoint,
		.ports = run->ports,
		.count = run->port_count};

	if (!session || published_close(&published, &err) < 0)
		log_warn("%s: %s", instance->name, err.text);
}

/* Whoever reads it must not start the instance again. */
static int wish_write(const struct stopping *stopping, struct error *err)
{
	const struct instance *instance = &stopping->instance;

	if (stopping->aim == STOP_FOR_GOOD || stopping->aim == STOP_TO_REMOVE)
		return desired_write(instance->dir, DESIRED_STOPPED, err);
	if (instance->live < 0)
		return 0;
	return halted_write(instance->live, stopping->aim == STOP_WITH_HOST ? HALT_WITH_HOST : HALT_TO_START, err);
}

/* Nothing (any more) says which process is its first: all that are in its control group go, and its monitor, if it has
 * one, does the rest. */
static int nameless_kill(const struct instance *instance, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(cgroup_drop) struct cgroup cgroup; /* empty when it cannot be opened */
	const char *path = instance_cgroup_path(&arena, instance->host, instance->name);

	if (cgroup_open(&instance->host->cgroups, path, &cgroup, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	return cgroup_kill(&cgroup, err);
}

int stopping_begin(struct stopping *stopping, struct optional timeout_ms, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance *instance = &stopping->instance;
	struct running running;
	struct error unknown = {0};
	/* Frozen it answers nobody, however long it has. */
	bool paused = desired_read(instance->dir) == DESIRED_PAUSED;

	stopping_manner(stopping, timeout_ms);
	if (wish_write(stopping, err) < 0)
		return blame(err, "stop %s", instance->name);
	if (instance_running_read(&arena, instance, &running, &unknown) < 0) {
		if ((unknown.kind != ERROR_BUSY || instance_is_monitored(instance)) && nameless_kill(instance, err) < 0)
			return blame(err, "stop %s", instance->name);
		monitor_kick(&running.run);
		return 0;
	}
	instance_event(instance, EVENT_STOP, NULL, NULL);
	stopping->draining = !paused && stopping->drain_ms > 0 && stopping_shares(stopping, &running.run);
	unpublish(instance, &running.run);
	stopping->pidfd = process_open(&running.run.init, err);
	if (stopping->pidfd < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : blame(err, "stop %s", instance->name);
	stopping->init = running.run.init.pid;
	return stopping->draining ? 0 : stopping_tell(stopping, err);
}

/* --- when it does not --------------------------------------------------------------------------------------------- */

/* The number after a label of /proc/PID/status, -1 when it is not there. */
static int64_t status_number(const char *status, const char *label)
{
	const char *line = strstr(status, label);

	return line ? strtoll(line + strlen(label), NULL, 10) : -1;
}

/* A process is the instance's when its uid lies in the instance's range, which nobody else has. */
static void stuck_describe_one(const char *pid, uint32_t id_base, struct text *out)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *path = arena_format(&arena, "/proc/%s/status", pid), *status;
	struct error ignored;

	if (file_read(&arena, AT_FDCWD, path, 65536, &status, NULL, &ignored) < 0)
		return;
	int64_t uid = status_number(status, "\nUid:");

	if (uid < id_base || uid >= (int64_t)id_base + SLOT_ID_COUNT)
		return;
	if (strstr(status, "\nState:\tZ"))
		text_appendf(out, "; process %s waits to be reaped by process %lld", pid,
			(long long)status_number(status, "\nPPid:"));
	else
		text_appendf(out, "; process %s has not ended", pid);
}

/* Who holds up the end: a dead process is in no cgroup any more, so /proc is searched. */
static void stuck_describe(const struct instance *instance, struct text *out)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strings names = {0};
	struct record record;
	struct error ignored;

	if (proc < 0 || record_read(&arena, instance->dir, &record, &ignored) < 0 ||
		dir_list(&arena, proc, PROCESSES_MAX, &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.count && out->length < 200; i++)
		if (*names.items[i] >= '1' && *names.items[i] <= '9')
			stuck_describe_one(names.items[i], record_id_base(&record), out);
}

/* The deadline has passed: kills the whole cgroup the first time, and the second time gives up (-1). */
static int stopping_expire(struct stopping *stopping, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text stuck = {0};
	struct instance *instance = &stopping->instance;
	const char *path = instance_cgroup_path(&arena, instance->host, instance->name);
	AUTO(cgroup_drop) struct cgroup cgroup; /* empty when it cannot be opened */

	if (cgroup_open(&instance->host->cgroups, path, &cgroup, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : blame(err, "stop %s", instance->name);
	if (!stopping->killed) {
		stopping->killed = true;
		stopping->deadline_ms = clock_ms() + KILL_WAIT_MS;
		return cgroup_kill(&cgroup, err) < 0 ? blame(err, "kill %s", instance->name) : 0;
	}
	stuck_describe(instance, &stuck);
	return fail(err, ERROR_SYSTEM, "stop %s: killed, but the kernel has not ended it within %d s%s", instance->name,
		KILL_WAIT_MS / 1000, text_string(&stuck));
}

/* --- when it has ended -------------------------------------------------------------------------------------------- */

static int monitor_await(struct instance *instance, struct error *err)
{
	if (instance->live < 0)
		return 0;
	auto_fd lock = lock_file(instance->live, "monitor.lock", INSTANCE_END_TIMEOUT_MS, err);
	if (lock >= 0)
		return 0;
	if (err->kind == ERROR_BUSY)
		return fail(err, ERROR_BUSY, "stop %s: it has ended, but its monitor does not finish within %d s",
			instance->name, INSTANCE_END_TIMEOUT_MS / 1000);
	return blame(err, "stop %s", instance->name);
}

int stopping_end(struct stopping *stopping, struct error *err)
{
	struct instance *instance = &stopping->instance;

	if (monitor_await(instance, err) < 0 || instance_repair(instance, err) < 0)
		return -1;
	return stopping->remove ? instance_discard(instance, err) : 0;
}

void stopping_drop(struct stopping *stopping)
{
	net_session_drop(&stopping->session);
	fd_drop(&stopping->pidfd);
	instance_drop(&stopping->instance);
}

int stopping_settle(struct stopping *stopping, struct error *err)
{
	if (!stopping->draining)
		return 0;
	if (!stopping_is_replaced(stopping))
		return stopping_tell(stopping, err);
	stopping->deadline_ms = clock_ms() + stopping->drain_ms;
	return 0;
}

int64_t stopping_wait_ms(const struct stopping *stopping)
{
	int64_t due_ms = stopping->deadline_ms, left_ms;

	if (stopping->draining && stopping->look_ms < due_ms)
		due_ms = stopping->look_ms;
	left_ms = due_ms - clock_ms();
	return left_ms > 0 ? left_ms : 0;
}

int stopping_turn(struct stopping *stopping, struct error *err)
{
	if (stopping_wait_ms(stopping) > 0)
		return 0;
	if (!stopping->draining)
		return stopping_expire(stopping, err);
	return stopping_is_drained(stopping) ? stopping_tell(stopping, err) : 0;
}

static int stopping_await(struct stopping *stopping, struct error *err)
{
	if (stopping_settle(stopping, err) < 0)
		return -1;
	while (stopping->pidfd >= 0) {
		if (process_wait_end(stopping->pidfd, stopping_wait_ms(stopping)))
			return 0;
		if (stopping_turn(stopping, err) < 0)
			return -1;
	}
	return 0;
}

int instance_stop_held(struct instance *instance, struct optional timeout_ms, enum stop_aim aim, struct error *err)
{
	struct stopping stopping = {.instance = *instance, .aim = aim, .pidfd = -1};
	int result = -1;

	if (stopping_begin(&stopping, timeout_ms, err) == 0 && stopping_await(&stopping, err) == 0) {
		stopping.remove = false;
		result = stopping_end(&stopping, err);
	}
	fd_drop(&stopping.pidfd);
	net_session_drop(&stopping.session);
	return result;
}

int instance_stop_for(
	struct host *host, const char *name, struct optional timeout_ms, enum stop_aim aim, struct error *err)
{
	AUTO(stopping_drop) struct stopping stopping = STOPPING_EMPTY;

	stopping.aim = aim;
	if (instance_take(host, name, &stopping.instance, err) < 0 || stopping_begin(&stopping, timeout_ms, err) < 0 ||
		stopping_await(&stopping, err) < 0)
		return -1;
	return stopping_end(&stopping, err);
}

int instance_stop(struct host *host, const char *name, struct optional timeout_ms, struct error *err)
{
	return instance_stop_for(host, name, timeout_ms, STOP_FOR_GOOD, err);
}

int instance_restart(struct host *host, const char *name, struct optional timeout_ms, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct start_options options = {0};

	if (instance_take(host, name, &instance, err) < 0 ||
		instance_stop_held(&instance, timeout_ms, STOP_TO_START, err) < 0)
		return -1;
	if (instance_start_held(&instance, &options, err) < 0)
		return -1;
	instance_drop(&instance);
	sharing_follow(host, name);
	return 0;
}
