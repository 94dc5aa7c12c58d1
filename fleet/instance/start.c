/* Starting: the command forks, the fork becomes the monitor and does the work, the command waits for its report.
 *
 * The fork shares the instance's lock with the command until the start is over, so that killing the command in the
 * middle neither stops the start nor lets another command see half of it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "base/socket.h"
#include "fleet/instance/create.h"
#include "fleet/instance/repair.h"
#include "fleet/instance/start.h"
#include "fleet/instance/stop.h"
#include "fleet/monitor/finish.h"
#include "fleet/monitor/monitor.h"
#include "fleet/network/listeners.h"
#include "fleet/network/republish.h"

/* A `list` that asks whether the lock is held has it for a moment itself. */
#define MONITOR_LOCK_TIMEOUT_MS 2000
#define REPORT_TRIES 100
#define REPORT_PAUSE_MS 20

/* One message from the monitor to the command. */
struct report {
	struct error err; /* kind ERROR_NONE: it runs */
	bool exec_failed;
	unsigned listeners_lost;
	size_t port_count;
	struct port ports[INSTANCE_PORTS_MAX];
};

/* What is large and soon over: as a part of the functions above a monitor it would be in its stack for its life. */
#define FRAME_OF_ITS_OWN __attribute__((noinline))

/* --- the monitor's side ------------------------------------------------------------------------------------------- */

static size_t descriptors_kept(const struct host *host, const struct instance *instance, int report, int *out)
{
	const int kept[] = {host->run, host->lib, host->log, host->instances, host->live, host->fleets, host->net.run,
		host->net.records, host->cgroups.unified, instance->dir, instance->live, instance->lock, report};
	size_t count = ARRAY_SIZE(kept);

	memcpy(out, kept, sizeof(kept));
	for (int i = 0; i < CGROUP_CONTROLLERS; i++)
		out[count++] = host->cgroups.hierarchy[i];
	return count;
}

/* Out of the caller's terminal, session, directory and descriptors. Of the last not one may stay: with the lock of a
 * fleet a monitor would keep everybody from it for as long as its instance runs. */
static FRAME_OF_ITS_OWN int leave_caller(
	const struct host *host, const struct instance *instance, int report, struct error *err)
{
	int kept[13 + CGROUP_CONTROLLERS];
	size_t count = descriptors_kept(host, instance, report, kept);
	int null;

	setsid();
	if (chdir("/") < 0)
		log_debug("chdir: %s", strerror(errno));
	if (fds_close_all_but(kept, count) < 0)
		return fail_errno(err, "close the caller's descriptors");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	fd_drop(&null);
	return 0;
}

static int monitor_lock_take(struct monitor *monitor, struct error *err)
{
	monitor->lock = lock_file(monitor->instance.live, "monitor.lock", MONITOR_LOCK_TIMEOUT_MS, err);
	return monitor->lock < 0 ? blame(err, "take the monitor's lock") : 0;
}

/* The first start failed: everything is undone and the reason kept. */
static void launch_undo(struct monitor *monitor, const struct error *err)
{
	struct exit_record exit = {
		.reason = END_START_FAILED, .status = 125, .at_ms = clock_real_ms(), .detail = err->text};
	struct error later;

	if (run_finish(&monitor->instance, &monitor->run, &exit, &later) < 0)
		log_warn("%s", later.text);
}

int monitor_begin(struct monitor *monitor, bool adopt, bool *exec_failed, struct error *err)
{
	*exec_failed = false;
	if (monitor_lock_take(monitor, err) < 0)
		return -1;
	if (adopt)
		return monitor_adopt(monitor, err);
	if (monitor_launch(monitor, exec_failed, err) == 0)
		return 0;
	launch_undo(monitor, err);
	return -1;
}

/* Back to where the host's other processes are, so that the monitors' cgroup can go with its last one. */
static void monitors_leave(const struct host *host)
{
	struct error ignored;

	if (cgroup_go_home(&host->cgroups, &ignored) < 0)
		log_debug("%s", ignored.text);
}

void monitor_remove_instance(struct monitor *monitor)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct error err;

	fd_drop(&monitor->lock);
	if (!monitor->foreground)
		monitors_leave(monitor->instance.host);
	if (instance_take(monitor->instance.host, monitor->instance.name, &instance, &err) < 0)
		return;
	if (instance_is_up(&instance))
		return;
	if (instance_discard(&instance, &err) < 0)
		log_debug("%s", err.text);
}

/* Nobody there: the command was killed; the start counts all the same. What else keeps it from being sent passes (no
 * memory for a message), and who waits has no other way to know. */
static void report_send(const struct report *report, int fd)
{
	const struct timespec pause = {.tv_nsec = REPORT_PAUSE_MS * 1000000L};
	int tries = 0;

	while (socket_send(fd, report, sizeof(*report), NULL, 0) < 0) {
		if (errno == EPIPE || ++tries == REPORT_TRIES) {
			log_debug("tell of the start: %s", strerror(errno));
			return;
		}
		nanosleep(&pause, NULL);
	}
}

/* Its start has failed, or could not be tried: everything is let go of before anybody knows. */
static FRAME_OF_ITS_OWN _Noreturn void monitor_fail(
	struct monitor *monitor, int fd, bool exec_failed, const struct error *err)
{
	struct report report = {.err = *err, .exec_failed = exec_failed};

	monitor_drop(&monitor);
	report_send(&report, fd);
	_exit(1);
}

static FRAME_OF_ITS_OWN void monitor_tell(const struct monitor *monitor, int fd)
{
	struct report report = {.listeners_lost = monitor->listeners->lost, .port_count = monitor->run.port_count};

	memcpy(report.ports, monitor->ports, sizeof(report.ports));
	report_send(&report, fd);
}

/* As a process of its own, up to monitor_begin(); the end if that fails. */
static FRAME_OF_ITS_OWN struct monitor *monitor_born(struct instance *instance, bool adopt, int report)
{
	struct error err = {0};
	bool exec_failed = false;
	struct monitor *monitor = NULL;

	if (leave_caller(instance->host, instance, report, &err) < 0)
		monitor_fail(NULL, report, false, &err);
	monitor_signals_setup();
	monitor = monitor_new(instance, &err);
	if (!monitor || monitor_begin(monitor, adopt, &exec_failed, &err) < 0)
		monitor_fail(monitor, report, exec_failed, &err);
	return monitor;
}

static _Noreturn void monitor_main(struct instance *instance, bool adopt, int report)
{
	struct host *host = instance->host;
	struct monitor *monitor;

	monitor = monitor_born(instance, adopt, report);
	/* The lock first: whoever acts on the report finds it free. */
	fd_drop(&monitor->instance.lock);
	monitor_tell(monitor, report);
	fd_drop(&report);
	monitor_protect(monitor);
	monitor_shrink(host->caller_arena);
	host->caller_arena = NULL;
	monitor_stay(monitor, monitor_watch);
	if (monitor->remove)
		monitor_remove_instance(monitor);
	_exit(0);
}

/* --- the command's side ------------------------------------------------------------------------------------------- */

/* Monitors are in a cgroup of their own, so that the end of a login session or unit does not end them. */
static FRAME_OF_ITS_OWN int monitors_entrance(struct host *host, struct cgroup_entrance *out, struct error *err)
{
	struct cgroup_limits none = {0};
	struct cgroup cgroup;
	auto_free char *path = text_format("%s/" MONITORS_CGROUP, host->cgroup_parent);
	int result;

	*out = (struct cgroup_entrance){.into = -1};
	if (host->cgroups.mode == CGROUP_NONE)
		return 0;
	if (cgroup_create(&host->cgroups, path, &none, CGROUP_MAY_EXIST | CGROUP_ACCOUNTING, &cgroup, err) < 0)
		return -1;
	result = cgroup_entrance_open(&cgroup, out, err);
	cgroup_drop(&cgroup);
	return result;
}

static pid_t monitor_fork(struct instance *instance, bool adopt, const struct cgroup_entrance *entrance, int report)
{
	pid_t pid = process_clone(0, entrance->into, NULL);
	struct error ignored;

	if (pid == 0) {
		if (cgroup_enter(entrance, &ignored) < 0)
			log_debug("%s", ignored.text);
		monitor_main(instance, adopt, report);
	}
	return pid;
}

/* What a start command may find: 0 start, 1 give it a monitor, -1 refuse. */
static int start_kind(struct instance *instance, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct running running;
	struct error not_running;

	if (instance_running_read(&arena, instance, &running, &not_running) == 0) {
		if (running.monitored)
			return fail(err, ERROR_BUSY, "%s is running already", instance->name);
		return 1;
	}
	if (instance_is_monitored(instance))
		return fail(
			err, ERROR_BUSY, "%s has ended and is about to be restarted by its monitor", instance->name);
	return 0;
}

/* With its lock held nobody is stopping it, so whoever began to was killed: that is finished first. */
static int broken_stop_finish(struct instance *instance, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct running running;
	struct error not_running;

	if (instance_desired(instance) != DESIRED_STOPPED ||
		instance_running_read(&arena, instance, &running, &not_running) < 0)
		return 0;
	return instance_stop_held(instance, (struct optional){0}, STOP_TO_START, err);
}

FRAME_OF_ITS_OWN int start_admit(struct instance *instance, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct record record;
	int adopt = broken_stop_finish(instance, err) < 0 ? -1 : start_kind(instance, err);

	if (adopt < 0 || instance_live_make(instance, err) < 0 || record_read(&arena, instance->dir, &record, err) < 0)
		return -1;
	if (record.network && host_network_up(instance->host, err) < 0)
		return -1;
	if (desired_write(instance->dir, DESIRED_RUNNING, err) < 0)
		return -1;
	return adopt;
}

int starting_begin(struct instance *instance, struct starting *out, struct error *err)
{
	AUTO(cgroup_entrance_drop) struct cgroup_entrance entrance = {.into = -1};
	int ends[2], adopt;

	*out = (struct starting)STARTING_EMPTY;
	snprintf(out->name, sizeof(out->name), "%s", instance->name);
	adopt = start_admit(instance, err);
	if (adopt < 0 || monitors_entrance(instance->host, &entrance, err) < 0 || socket_pair(ends, err) < 0)
		return blame(err, "start %s", instance->name);
	out->monitor = monitor_fork(instance, adopt, &entrance, ends[1]);
	close(ends[1]);
	out->report = ends[0];
	if (out->monitor > 0)
		return 0;
	fail_errno(err, "start %s: make its monitor", instance->name);
	starting_drop(out);
	return -1;
}

void starting_drop(struct starting *starting)
{
	fd_drop(&starting->report);
}

static void ports_copy(const struct report *report, const struct start_options *options)
{
	if (!options->ports || !options->port_count)
		return;
	memcpy(options->ports, report->ports, report->port_count * sizeof(report->ports[0]));
	*options->port_count = report->port_count;
}

/* It ends after reporting a failure; then it is reaped, should we live on. */
static void monitor_await_end(pid_t monitor)
{
	auto_fd pidfd = pidfd_open(monitor, 0);

	if (pidfd >= 0 && process_wait_end(pidfd, INSTANCE_END_TIMEOUT_MS))
		waitpid(monitor, NULL, WNOHANG);
}

int starting_end(struct starting *starting, const struct start_options *options, struct error *err)
{
	struct report report;
	size_t no_fds = 0;
	ssize_t length;

	if (process_wait_end(starting->report, START_TIMEOUT_MS) == 0)
		return fail(err, ERROR_SYSTEM, "start %s: not up after %d s; its monitor (process %d) goes on",
			starting->name, START_TIMEOUT_MS / 1000, starting->monitor);
	length = socket_receive(starting->report, &report, sizeof(report), NULL, &no_fds);
	if (length != sizeof(report) || report.port_count > INSTANCE_PORTS_MAX)
		return fail(err, ERROR_SYSTEM, "start %s: its monitor (process %d) died while starting it",
			starting->name, starting->monitor);
	if (options->exec_failed)
		*options->exec_failed = report.exec_failed;
	ports_copy(&report, options);
	if (report.listeners_lost)
		log_warn("%s: its program has closed the sockets of %u ports: when it is started again they refuse "
			 "connections until it listens",
			starting->name, report.listeners_lost);
	if (report.err.kind == ERROR_NONE)
		return 0;
	monitor_await_end(starting->monitor);
	*err = report.err;
	return blame(err, "start %s", starting->name);
}

int instance_start_held(struct instance *instance, const struct start_options *options, struct error *err)
{
	AUTO(starting_drop) struct starting starting = STARTING_EMPTY;

	if (options->foreground)
		return foreground_start(instance, options, err);
	if (starting_begin(instance, &starting, err) < 0)
		return -1;
	return starting_end(&starting, options, err);
}

int instance_start(struct host *host, const char *name, const struct start_options *options, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;

	if (instance_take(host, name, &instance, err) < 0)
		return -1;
	return instance_start_held(&instance, options, err);
}
