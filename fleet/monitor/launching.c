/* One start of an instance, from its files to its running program.
 *
 * Everything that can fail without a process is done first (launch_prepare.c). Then launch_start() makes the process;
 * its callbacks build the root (launch_root.c) and attach the network while the child waits. Ports are published last,
 * when the program runs.
 *
 * run.json is written as soon as there is a process, before it runs anything of the instance's: whoever is killed from
 * there on leaves a record of what to end. */
#include "fleet/monitor/launching.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "fleet/events/events.h"
#include "fleet/monitor/monitor.h"
#include "fleet/network/attachment.h"
#include "fleet/network/listeners.h"
#include "fleet/network/listening.h"
#include "fleet/network/published.h"
#include "fleet/start/hooks.h"
#include "fleet/state/identity.h"
#include "images/images.h"

#define LISTENING_MS 3000 /* for which clients of a shared port are kept from one that does not listen yet */

static void start_init(struct start *start, struct monitor *monitor)
{
	*start = (struct start){
		.monitor = monitor,
		.host = monitor->instance.host,
		.session = {.scratch = -1, .outside = -1, .store = -1},
		.instance = -1,
		.attachment = ATTACHMENT_EMPTY,
		.stdio = {-1, -1, -1},
		.again = monitor->launched.userns >= 0,
		.cgroup = {.unified = -1},
		.entrance = {.into = -1},
	};
	for (int i = 0; i < CGROUP_CONTROLLERS; i++)
		start->cgroup.hierarchy[i] = -1;
}

static void start_drop(struct start *start)
{
	root_parts_drop(&start->parts);
	stdio_close(start->stdio);
	cgroup_entrance_drop(&start->entrance);
	cgroup_drop(&start->cgroup);
	seccomp_program_drop(&start->seccomp);
	net_session_drop(&start->net);
	attachment_drop(&start->attachment);
	fd_drop(&start->instance);
	image_session_drop(&start->session);
	arena_drop(&start->arena);
}

/* --- while the child waits ---------------------------------------------------------------------------------------- */

static int network_attach(struct start *start, int netns, struct error *err)
{
	if (start->again)
		return 0;
	if (attachment_make(start->net, &start->attachment, netns, err) < 0)
		return -1;
	if (!start->record.network)
		return 0;
	return endpoint_police(
		&start->host->net, start->net, start->endpoint.slot, resources_policed(&start->wanted), err);
}

/* Without it the first packets of the instance may be lost, which is no reason not to start it. */
static void network_await(const struct start *start, int netns)
{
	struct error err;

	if (!start->again && attachment_await(&start->attachment, netns, &err) < 0)
		log_warn("%s: %s", start->monitor->instance.name, err.text);
}

static int run_announce(struct start *start, pid_t pid, struct error *err)
{
	struct run *run = &start->monitor->run;

	run->started = false;
	run->port_count = 0;
	run->started_ms = clock_real_ms();
	if (process_identify(pid, &run->init, err) < 0 || process_identify(getpid(), &run->monitor, err) < 0)
		return -1;
	return run_write(start->monitor->instance.live, run, err);
}

static int prepare(void *context, const struct launch_child *child, struct launch_part *parts, size_t room,
	size_t *count, struct error *err)
{
	struct start *start = context;

	if (run_announce(start, child->pid, err) < 0 || network_attach(start, child->netns, err) < 0 ||
		start_parts_make(start, child->userns, err) < 0)
		return -1;
	network_await(start, child->netns);
	if (container_hooks_run(&start->spec.hooks, &start->facts, HOOK_CREATE_RUNTIME, child->pid, err) < 0)
		return -1;
	if (start->parts.count > room)
		return fail(err, ERROR_USAGE, "%zu mounts are more than the %zu there is room for", start->parts.count,
			room);
	for (size_t i = 0; i < start->parts.count; i++)
		parts[i] = (struct launch_part){
			.target = start->parts.items[i].target,
			.mount = start->parts.items[i].mount,
			.is_file = start->parts.items[i].is_file,
		};
	*count = start->parts.count;
	return 0;
}

static void release(void *context)
{
	struct start *start = context;

	root_parts_drop(&start->parts);
}

static int configure_network(void *context, struct error *err)
{
	const struct start *start = context;

	return attachment_configure_inside(&start->attachment, err);
}

/* --- the process -------------------------------------------------------------------------------------------------- */

static int process_start(struct start *start, bool *exec_failed, struct error *err)
{
	struct launched *kept = &start->monitor->launched;
	const struct launch_hooks inside = {&start->facts};
	struct launched made;
	struct launch launch = {
		.hooks = hooks_are_inside(&start->spec.hooks) ? &inside : NULL,
		.spec = &start->spec,
		.entrance = &start->entrance,
		.seccomp = start->seccomp,
		.callbacks =
			{
				.context = start,
				.prepare = prepare,
				.release = release,
				.configure_network =
					attachment_has_inside(&start->attachment) ? configure_network : NULL,
			},
		.stdio = {start->stdio[0], start->stdio[1], start->stdio[2]},
		.sockets = start->monitor->listeners->fds,
		.socket_count = start->monitor->listeners->count,
		.hold = -1,
		.hold_lock = -1,
	};

	if (launch_start(&launch, &made, exec_failed, err) < 0)
		return -1;
	fd_drop(&kept->pidfd);
	fd_drop(&kept->console);
	kept->pid = made.pid;
	kept->pidfd = made.pidfd;
	kept->console = made.console;
	/* On a restart they are the same ones again. */
	fd_drop(start->again ? &made.userns : &kept->userns);
	if (!start->again)
		kept->userns = made.userns;
	/* But for another's network, which may have been made anew meanwhile. */
	fd_drop(&kept->netns);
	kept->netns = made.netns;
	return 0;
}

/* Others have been published meanwhile. */
static void ports_take_changed(struct monitor *monitor)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct run changed;

	if (!run_ports_read(&arena, monitor->instance.live, &changed) || changed.port_count > INSTANCE_PORTS_MAX)
		return;
	if (changed.port_count)
		memcpy(monitor->ports, changed.ports, changed.port_count * sizeof(monitor->ports[0]));
	monitor->run.port_count = changed.port_count;
}

/* While another instance serves in its place the ports are there, and come back when this one is well. */
static bool ports_are_held(struct start *start, size_t count, struct run *held)
{
	struct instance *instance = &start->monitor->instance;
	const char *by = stand_in_name(&start->arena, instance->name);

	return held_read(&start->arena, instance->live, held) && held->port_count == count &&
	       faccessat(start->host->instances, by, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int ports_publish_first(struct start *start, size_t count, struct error *err)
{
	struct monitor *monitor = start->monitor;
	struct port *ports = monitor->ports;
	struct run held;
	bool are_held = ports_are_held(start, count, &held);

	memcpy(ports, are_held ? held.ports : start->wanted.ports.items, count * sizeof(*ports));
	listeners_tell(monitor->listeners, ports, count);
	if (are_held || !start->record.network)
		return 0;
	const struct published published = {.host = start->host,
		.session = start->net,
		.endpoint = &start->endpoint,
		.ports = ports,
		.count = count,
		.weight = (unsigned)start->wanted.weight};

	return published_open(&published, BALANCE_OUT, err);
}

/* Ports that it shares lead here as soon as it takes connections; one whose health is asked for has to be well first:
 * watch_health.c. */
static int traffic_begin(struct start *start, struct error *err)
{
	struct monitor *monitor = start->monitor;

	if (instance_has_check(&start->wanted, NULL))
		return 0;
	listening_await(
		monitor->launched.pid, monitor->launched.pidfd, monitor->ports, monitor->run.port_count, LISTENING_MS);
	return instance_traffic(&monitor->instance, &monitor->run, true, err);
}

static int ports_open(struct start *start, struct error *err)
{
	struct monitor *monitor = start->monitor;
	size_t count = start->wanted.ports.count;

	/* A restart keeps the numbers that were chosen the first time; they are published still. */
	if (!start->again && count && ports_publish_first(start, count, err) < 0)
		return -1;
	monitor->run.port_count = count;
	if (start->again)
		ports_take_changed(monitor);
	if (count && traffic_begin(start, err) < 0)
		return -1;
	if (start->again || !start->record.network || !start_shares_hosts(start))
		return 0;
	const struct strings names = instance_host_names(&start->arena, &start->wanted, monitor->instance.name);

	return hosts_set(&start->host->net, start->record.network, &start->endpoint, &names, err);
}

/* An init opens its console for each line and closes it again. With nobody at that side the kernel reports a hang-up,
 * which ends the reading for good: so we are there too (ioctl_tty(2): TIOCGPTPEER, by descriptor, since 4.13). */
static void console_keep_open(struct monitor *monitor)
{
	fd_drop(&monitor->console_peer);
	if (!monitor->boot)
		return;
	monitor->console_peer = ioctl(monitor->launched.console, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (monitor->console_peer < 0)
		log_debug("%s: the console is read until its first hang-up", monitor->instance.name);
}

static void console_to_output(struct monitor *monitor)
{
	console_keep_open(monitor);
	if (!monitor->terminal || monitor->foreground)
		return;
	fd_drop(&monitor->output[LOG_STDOUT]);
	fd_drop(&monitor->output[LOG_STDERR]);
	monitor->output[LOG_STDOUT] = take_fd(&monitor->launched.console);
	fcntl(monitor->output[LOG_STDOUT], F_SETFL, O_RDWR | O_NONBLOCK);
}

static void start_tell(const struct start *start)
{
	int64_t restarts = start->monitor->run.restarts;
	struct event event = {.kind = start->again ? EVENT_RESTART : EVENT_START,
		.name = start->monitor->instance.name,
		.fleet = start->wanted.fleet,
		.restarts = {restarts > 0, restarts}};

	event_write(start->host, &event);
}

/* In the foreground nobody waits for anything but the output. */
static void check_begin(struct start *start)
{
	struct health_check check;

	if (start->monitor->foreground)
		return;
	monitor_idle_begin(start->monitor, &start->wanted.idle, start->record.network ? start->record.slot : 0);
	health_check_make(&start->wanted, &start->record, &check);
	monitor_health_begin(start->monitor, &check);
}

static int run_record(struct start *start, struct error *err)
{
	struct monitor *monitor = start->monitor;

	if (ports_open(start, err) < 0)
		return -1;
	check_begin(start);
	monitor->run.started = true;
	monitor->began_ms = clock_ms();
	if (run_write(monitor->instance.live, &monitor->run, err) < 0)
		return -1;
	monitor->restart = start->wanted.restart;
	monitor->remove = start->wanted.remove;
	console_to_output(monitor);
	start_tell(start);
	return 0;
}

/* It works as well without; the program runs, and may have ended by now. */
static void network_settle(const struct start *start)
{
	struct error err;

	if (!start->again && start->attachment.mode.kind == NETWORK_ROUTED &&
		endpoint_settle(start->net, &start->endpoint, &err) < 0)
		log_debug("%s: %s", start->monitor->instance.name, err.text);
}

/* The program runs, but what comes after failed: it must not stay. */
static void process_undo(struct monitor *monitor)
{
	struct error ignored;
	int status;

	if (process_signal(monitor->launched.pidfd, SIGKILL, &ignored) == 0 &&
		process_wait_end(monitor->launched.pidfd, INSTANCE_END_TIMEOUT_MS) &&
		process_reap(monitor->launched.pidfd, &status, &ignored) < 0)
		log_debug("%s", ignored.text);
}

int monitor_launch(struct monitor *monitor, bool *exec_failed, struct error *err)
{
	AUTO(start_drop) struct start start;

	*exec_failed = false;
	start_init(&start, monitor);
	if (start_prepare(&start, err) < 0 || process_start(&start, exec_failed, err) < 0)
		return -1;
	if (run_record(&start, err) == 0 &&
		container_hooks_run(&start.spec.hooks, &start.facts, HOOK_POSTSTART, monitor->launched.pid, err) == 0) {
		network_settle(&start);
		return 0;
	}
	process_undo(monitor);
	return -1;
}
