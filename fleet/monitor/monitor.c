/* The life of a monitor after the start: watch, end, perhaps again.
 *
 * It holds monitor.lock as its sign of life, and with it the right to write run.json and exit.json. For a restart it
 * needs the instance's lock too, and only tries: a command that has it may be waiting for this monitor to finish. */
#include "fleet/monitor/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/events/events.h"
#include "fleet/figures/usage.h"
#include "fleet/monitor/finish.h"
#include "fleet/network/listeners.h"
#include "fleet/network/published.h"
#include "fleet/start/hooks.h"
#include "fleet/start/idle.h"

#define LOCK_RETRY_MS 200

/* What few instances have, on pages of its own, of which only what is not zero is written: who has no ports and no
 * health check costs his monitor no memory for them. What all have is small and lies where the heap begins. */
struct rarities {
	struct health health;
	struct listeners listeners;
	struct port ports[INSTANCE_PORTS_MAX];
};

struct monitor *monitor_new(const struct instance *instance, struct error *err)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));
	struct rarities *rarities =
		mmap(NULL, sizeof(*rarities), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!monitor)
		memory_exhausted();
	if (rarities == MAP_FAILED) {
		fail_errno(err, "memory for a monitor");
		free(monitor);
		return NULL;
	}
	monitor->health = &rarities->health;
	monitor->listeners = &rarities->listeners;
	monitor->ports = rarities->ports;
	monitor->instance = *instance;
	monitor->lock = -1;
	monitor->log = (struct log_writer)LOG_CLOSED;
	for (int i = 0; i < LOG_STREAMS; i++)
		monitor->output[i] = -1;
	monitor->console_peer = -1;
	monitor->input = -1;
	monitor->launched = (struct launched){.pidfd = -1, .userns = -1, .netns = -1, .console = -1};
	monitor->probe = (struct probe)PROBE_IDLE;
	monitor->idle = (struct idle_watch)IDLE_NEVER;
	monitor->run.ports = monitor->ports;
	return monitor;
}

/* The instance's own descriptors are the instance's holder's. */
void monitor_drop(struct monitor **dropped)
{
	struct monitor *monitor = *dropped;

	*dropped = NULL;
	if (!monitor)
		return;
	probe_drop(&monitor->probe);
	fd_drop(&monitor->idle.arrivals);
	log_close(&monitor->log);
	for (int i = 0; i < LOG_STREAMS; i++)
		fd_drop(&monitor->output[i]);
	fd_drop(&monitor->console_peer);
	fd_drop(&monitor->input);
	listeners_close(monitor->listeners);
	launched_drop(&monitor->launched);
	fd_drop(&monitor->lock);
	munmap(monitor->health, sizeof(struct rarities));
	free(monitor);
}

/* --- the end of a run --------------------------------------------------------------------------------------------- */

static int64_t oom_kills_now(const struct monitor *monitor)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct host *host = monitor->instance.host;
	struct cgroup cgroup;
	struct error ignored;
	int64_t kills;

	if (cgroup_open(&host->cgroups, instance_cgroup_path(&arena, host, monitor->instance.name), &cgroup, &ignored) <
		0)
		return 0;
	kills = cgroup_oom_kills(&cgroup);
	cgroup_drop(&cgroup);
	return kills;
}

static struct exit_record run_judge(struct monitor *monitor)
{
	struct end end = {
		.wait_status = -1,
		.oom_kills = oom_kills_now(monitor) - monitor->oom_kills,
		.desired = desired_read(monitor->instance.dir),
		.killed_by = killed_read(monitor->instance.live),
		.halted = halted_read(monitor->instance.live),
		.boot = monitor->boot,
		.unwell = monitor->unwell,
	};
	struct exit_record exit;
	struct error ignored;

	if (monitor->adopted)
		end.wait_status = pidfd_exit_status(monitor->launched.pidfd);
	else if (process_reap(monitor->launched.pidfd, &end.wait_status, &ignored) < 0)
		end.wait_status = -1;
	fd_drop(&monitor->launched.pidfd);
	exit = end_judge(&end);
	if (exit.reason == END_UNHEALTHY)
		exit.detail = health_last_words(monitor->health);
	/* Switched off from inside: nobody shall start it again but who says so. */
	if (exit.reason == END_STOPPED && end.desired != DESIRED_STOPPED &&
		desired_write(monitor->instance.dir, DESIRED_STOPPED, &ignored) < 0)
		log_warn("%s: %s", monitor->instance.name, ignored.text);
	return exit;
}

static void run_end(struct monitor *monitor, const struct exit_record *exit)
{
	struct error err;

	/* Before anybody can know that it has ended, so that its ports are free when he does. */
	listeners_close(monitor->listeners);
	if (run_finish(&monitor->instance, &monitor->run, exit, &err) < 0)
		log_warn("%s: %s", monitor->instance.name, err.text);
}

/* --- again -------------------------------------------------------------------------------------------------------- */

/* False: it shall not run any more. With the instance's lock held on true. */
static bool turn_await(struct monitor *monitor, int64_t delay_ms)
{
	int64_t due_ms = clock_ms() + delay_ms;
	struct instance *instance = &monitor->instance;
	struct error ignored;

	for (;;) {
		int64_t left_ms = due_ms - clock_ms();

		if (instance_desired(instance) == DESIRED_STOPPED)
			return false;
		if (left_ms > 0) {
			monitor_sleep(left_ms);
			continue;
		}
		instance->lock = openat(instance->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (instance->lock < 0)
			return false;
		if (lock_exclusive(instance->lock, 0, &ignored) == 0)
			return instance_desired(instance) != DESIRED_STOPPED;
		fd_drop(&instance->lock);
		due_ms = clock_ms() + LOCK_RETRY_MS;
	}
}

static bool run_again(struct monitor *monitor, struct exit_record *exit, char *detail, size_t size)
{
	struct error err = {0};
	bool exec_failed;
	int result;

	if (!monitor->foreground)
		monitor_unprotect(monitor);
	instance_poststop_run(&monitor->instance);
	monitor->run.restarts++;
	monitor->adopted = false;
	result = monitor_launch(monitor, &exec_failed, &err);
	if (!monitor->foreground) {
		monitor_protect(monitor);
		monitor_shrink(NULL);
	}
	if (result == 0)
		return true;
	snprintf(detail, size, "%s", err.text);
	*exit = (struct exit_record){
		.reason = END_START_FAILED, .status = 125, .at_ms = clock_real_ms(), .detail = detail};
	return false;
}

/* The ports it shares lead to the others until it runs again. */
static void traffic_stop(struct monitor *monitor)
{
	struct error err;

	if (instance_traffic(&monitor->instance, &monitor->run, false, &err) < 0)
		log_warn("%s: %s", monitor->instance.name, err.text);
}

/* One that could not be started counts as one that ended at once. True: it runs. */
static bool restart_try(struct monitor *monitor, struct exit_record *exit, char *detail, size_t size)
{
	int64_t delay_ms;
	bool well = monitor_was_well(monitor, clock_ms() - monitor->began_ms);
	struct error ignored;
	bool runs = false;

	for (;;) {
		enum desired_state desired = instance_desired(&monitor->instance);

		if (!restart_decide(&monitor->restart, &monitor->backoff, exit, desired, well, &delay_ms))
			return false;
		traffic_stop(monitor);
		exit->restarts = monitor->run.restarts;
		usage_note(&monitor->instance, &monitor->run, false);
		if (exit_write(monitor->instance.dir, exit, &ignored) < 0)
			log_debug("%s", ignored.text);
		ends_note(&monitor->instance, &monitor->run, exit);
		instance_event_end(&monitor->instance, exit);
		runs = turn_await(monitor, delay_ms);
		if (runs)
			runs = run_again(monitor, exit, detail, size);
		else
			delay_ms = -1;
		fd_drop(&monitor->instance.lock);
		if (runs || delay_ms < 0)
			return runs;
		well = false;
	}
}

/* --- what can change while it runs -------------------------------------------------------------------------------- */

/* A command has written another specification and woken us. */
static void monitor_reload(struct monitor *monitor)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance *instance = &monitor->instance;
	struct health_check check;
	struct instance_spec spec;
	struct record record;
	struct error err;

	if (health_spec_load(&arena, instance, &spec, &err) < 0 ||
		record_read(&arena, instance->dir, &record, &err) < 0) {
		log_warn("%s: %s", instance->name, err.text);
		return;
	}
	monitor->restart = spec.restart;
	monitor_log_change(monitor, &spec);
	monitor_idle_change(monitor, &spec.idle, record.network ? record.slot : 0);
	health_check_make(&spec, &record, &check);
	if (!health_checks_equal(&check, &monitor->health->check) && !monitor->unwell)
		monitor_health_begin(monitor, &check);
	if (monitor->health->state == HEALTH_NONE && !monitor->unwell &&
		instance_traffic(instance, &monitor->run, true, &err) < 0)
		log_warn("%s: %s", instance->name, err.text);
	arena_drop(&arena);
	monitor_shrink(NULL);
}

/* Woken. What is to stop takes no new connections; the program's own copies are its own to close. */
static void desire_heed(struct monitor *monitor)
{
	if (monitor->listeners->count && instance_desired(&monitor->instance) == DESIRED_STOPPED)
		listeners_close(monitor->listeners);
}

/* --- its life ----------------------------------------------------------------------------------------------------- */

struct exit_record monitor_stay(struct monitor *monitor, int (*watch)(struct monitor *monitor))
{
	static char detail[ERROR_TEXT_SIZE];
	struct exit_record exit;

	do {
		while (watch(monitor) == 0) {
			desire_heed(monitor);
			monitor_reload(monitor);
		}
		exit = run_judge(monitor);
		monitor_health_end(monitor);
		monitor_idle_end(monitor);
	} while (restart_try(monitor, &exit, detail, sizeof(detail)));
	run_end(monitor, &exit);
	return exit;
}

/* --- taking over -------------------------------------------------------------------------------------------------- */

/* Namespaces for restarts; that of the host (network: host) is not kept. */
static int namespaces_adopt(struct monitor *monitor, const struct instance_spec *spec, struct error *err)
{
	const struct process_id *init = &monitor->run.init;
	struct launched *launched = &monitor->launched;

	launched->userns = process_namespace_open(init, "user", err);
	if (launched->userns < 0 || text_equal(spec->network, "host"))
		return launched->userns < 0 ? -1 : 0;
	launched->netns = process_namespace_open(init, "net", err);
	return launched->netns < 0 ? -1 : 0;
}

/* One that slept when its monitor was killed is woken: nobody has watched who called since. */
static int idle_adopt(struct monitor *monitor, const struct instance_spec *spec, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct record record;

	if (record_read(&arena, monitor->instance.dir, &record, err) < 0 ||
		instance_wake(&monitor->instance, &monitor->run, err) < 0)
		return -1;
	monitor_idle_begin(monitor, &spec->idle, record.network ? record.slot : 0);
	return 0;
}

int monitor_adopt(struct monitor *monitor, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance *instance = &monitor->instance;
	struct instance_spec spec;
	struct run run;

	if (run_read(&arena, instance->live, &run, err) < 0 ||
		instance_spec_load(&arena, instance->dir, instance->name, &spec, err) < 0)
		return -1;
	monitor->run = run;
	monitor->run.ports = monitor->ports;
	monitor->run.port_count = run.port_count < INSTANCE_PORTS_MAX ? run.port_count : INSTANCE_PORTS_MAX;
	if (run.port_count)
		memcpy(monitor->ports, run.ports, monitor->run.port_count * sizeof(run.ports[0]));
	monitor->restart = spec.restart;
	monitor->remove = spec.remove;
	monitor->terminal = spec.terminal || spec.boot;
	monitor->boot = spec.boot;
	monitor->adopted = true;
	monitor->began_ms = clock_ms() - (clock_real_ms() - run.started_ms);
	monitor->oom_kills = 0;
	monitor->launched.pid = run.init.pid;
	monitor->launched.pidfd = process_open(&run.init, err);
	if (monitor->launched.pidfd < 0 || namespaces_adopt(monitor, &spec, err) < 0 ||
		monitor_log_open(monitor, &spec, err) < 0)
		return -1;
	/* A console died with its monitor; what the instance writes there is lost. */
	if (!monitor->terminal && stdio_exists(monitor) && stdio_attach(monitor, true, err) < 0)
		return -1;
	listeners_adopt(monitor->listeners, monitor->launched.pidfd, monitor->ports, monitor->run.port_count);
	if (process_identify(getpid(), &monitor->run.monitor, err) < 0)
		return -1;
	monitor_health_adopt(monitor);
	if (idle_adopt(monitor, &spec, err) < 0)
		return -1;
	return run_write(instance->live, &monitor->run, err);
}
