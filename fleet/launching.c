/* One start of an instance, from its files to its running program.
 *
 * Everything that can fail without a process is done first. Then launch_start() makes the process; its callbacks build
 * the root and attach the network while the child waits. Ports are published last, when the program runs.
 *
 * run.json is written as soon as there is a process, before it runs anything of the instance's: whoever is killed from
 * there on leaves a record of what to end. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mount.h"
#include "fleet/attachment.h"
#include "fleet/events.h"
#include "fleet/front.h"
#include "fleet/hooks.h"
#include "fleet/identity.h"
#include "fleet/listening.h"
#include "fleet/monitor.h"
#include "fleet/published.h"
#include "fleet/source.h"
#include "fleet/stand_in.h"
#include "images/images.h"

#define LISTENING_MS 3000 /* for which clients of a shared port are kept from one that does not listen yet */

/* What one start needs; all of it ends with the start. */
struct start {
	struct monitor *monitor;
	struct host *host;
	struct arena arena;
	struct image_session session;
	int instance; /* the instance's directory, opened inside the session */
	struct record record;
	struct attachment attachment;
	struct network network; /* with attachment.network */
	struct instance_spec wanted;
	struct image_config image;
	struct image_user user;
	struct spec spec;
	struct container_facts facts; /* for hooks */
	struct config_file_list configs;
	struct endpoint endpoint;
	struct net_session *net; /* NULL: no network of its own */
	struct seccomp_program *seccomp;
	struct cgroup cgroup;
	struct cgroup_entrance entrance;
	struct root_parts parts;
	int stdio[3];
	bool again; /* in kept namespaces */
};

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

/* --- before there is a process ------------------------------------------------------------------------------------ */

static int session_open(struct start *start, struct error *err)
{
	char path[80];

	if (image_session_open(start->host->run, start->host->lib_path, &start->session, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "instances/%s", start->monitor->instance.name);
	start->instance = openat(start->session.store, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return start->instance < 0 ? fail_errno(err, "open %s", path) : 0;
}

/* Switched off by the administrator since the address was given, or by the instance's own settings. */
static bool ipv6_is_off(const struct instance_spec *spec)
{
	static const char *const names[] = {"net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.default.disable_ipv6"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (text_equal(pairs_get(&spec->sysctls, names[i]), "1"))
			return true;
	return !net_has_ipv6();
}

/* What of its end of the wire the record does not say. */
static void endpoint_complete(struct start *start)
{
	start->endpoint.mtu = start->network.mtu;
	start->endpoint.rates = resources_rates(&start->wanted.resources);
	if (record_has_ipv6(&start->record) && ipv6_is_off(&start->wanted))
		start->endpoint.address6 = in6addr_any;
}

static int facts_read(struct start *start, struct error *err)
{
	if (record_read(&start->arena, start->instance, &start->record, err) < 0 ||
		instance_spec_load(&start->arena, start->instance, start->monitor->instance.name, &start->wanted, err) <
			0)
		return -1;
	start->endpoint = record_endpoint(&start->record);
	if (attachment_prepare(&start->arena, start->host, &start->wanted, &start->record, start->again,
		    &start->attachment, err) < 0)
		return -1;
	if (start->attachment.network &&
		network_load(&start->arena, &start->host->net, start->attachment.network, &start->network, err) < 0)
		return -1;
	endpoint_complete(start);
	if (start->record.network)
		start->attachment.endpoint = start->endpoint;
	if (instance_image_read(
		    start->session.store, start->instance, &start->wanted, &start->arena, &start->image, err) < 0)
		return -1;
	instance_image_volumes(&start->arena, &start->image, &start->wanted);
	instance_image_health(&start->image, &start->wanted);
	return 0;
}

static struct root_request root_request(const struct start *start, int userns, uid_t id_base)
{
	return (struct root_request){
		.image = start->wanted.image,
		.layers = &start->image.layers,
		.rootfs = start->wanted.rootfs,
		.etc_from_host = &start->wanted.etc_from_host,
		.instance = start->instance,
		.userns = userns,
		.id_base = id_base,
		.read_only = start->wanted.read_only,
		.ephemeral = start->wanted.ephemeral,
	};
}

/* A user's name means what it means inside: its root is put together once for the look, read-only, attached nowhere. */
static int user_find(struct start *start, struct error *err)
{
	const char *user = start->wanted.user ? start->wanted.user : start->image.user;
	struct root_request request = root_request(start, -1, 0);
	AUTO(root_parts_drop) struct root_parts parts = {0};

	request.read_only = true;
	start->user.home = "/root";
	if (text_is_empty(user))
		return 0;
	if (root_mount(&start->session, &request, &parts, err) < 0)
		return -1;
	return image_user_find(&start->arena, parts.items[0].mount, user, &start->user, err);
}

static int spec_make(struct start *start, struct error *err)
{
	const char *name = start->monitor->instance.name;
	struct compile_facts facts = {
		.id_base = record_id_base(&start->record),
		.cgroup_path = instance_cgroup_path(&start->arena, start->host, name),
		.hostname = start->wanted.hostname ? start->wanted.hostname : name,
		.image = &start->image,
		.user = &start->user,
	};
	struct launched *kept = &start->monitor->launched;

	if (instance_compile(&start->arena, &start->wanted, &facts, &start->spec, err) < 0)
		return -1;
	instance_hook_facts(&start->arena, &start->monitor->instance, &start->wanted, &start->facts);
	start->monitor->run.sources = sources_digest(&start->wanted);
	listeners_announce(&start->arena, &start->monitor->listeners, &start->spec.process);
	if (start->again) {
		start->spec.namespaces.create[NS_USER] = false;
		start->spec.namespaces.fd[NS_USER] = kept->userns;
		start->spec.namespaces.fd[NS_NET] = kept->netns;
		if (kept->netns >= 0)
			start->spec.namespaces.create[NS_NET] = false;
	}
	if (start->attachment.joined >= 0)
		start->spec.namespaces.fd[NS_NET] = start->attachment.joined;
	return instance_configs_read(&start->arena, &start->wanted, &start->user, &start->configs, err);
}

/* The directory is ours alone; programs are found there by their content. */
static int filter_get(struct start *start, struct error *err)
{
	auto_fd cache = dir_create(start->host->run, "seccomp", 0700, err);

	if (cache < 0)
		return -1;
	return seccomp_program_get(start->spec.seccomp, cache, &start->seccomp, err);
}

static int cgroup_make(struct start *start, const char *path, struct error *err)
{
	unsigned flags = CGROUP_ACCOUNTING | (start->wanted.boot ? CGROUP_ALL_CONTROLLERS : 0);

	return cgroup_create(&start->host->cgroups, path, &start->spec.limits, flags, &start->cgroup, err);
}

/* An init divides its cgroup among its services. The limits stay the host's. */
static int cgroup_give(struct start *start, struct error *err)
{
	uid_t root = record_id_base(&start->record);

	if (!start->wanted.boot)
		return 0;
	return cgroup_delegate(&start->cgroup, root, root, err);
}

/* What an init made in the cgroup would be in the way of the next one, which is born at its top. */
static int cgroup_reuse(struct start *start, const char *path, struct error *err)
{
	const struct cgroup_host *host = &start->host->cgroups;

	if (start->wanted.boot)
		return cgroup_remove(host, path, INSTANCE_END_TIMEOUT_MS, false, err) < 0 ? -1 : 1;
	return cgroup_open(host, path, &start->cgroup, err) < 0 ? forgive(err) + 1 : 0;
}

static int cgroup_prepare(struct start *start, struct error *err)
{
	const char *path = instance_cgroup_path(&start->arena, start->host, start->monitor->instance.name);
	int missing = start->again ? cgroup_reuse(start, path, err) : 1;

	if (missing < 0)
		return -1;
	if (missing && cgroup_make(start, path, err) < 0) {
		/* Left by a monitor that was killed: nothing of ours runs, so what is in it has no owner. */
		if (err->kind != ERROR_BUSY)
			return -1;
		forgive(err);
		if (run_release(&start->monitor->instance, &start->monitor->run, err) < 0 ||
			cgroup_make(start, path, err) < 0)
			return -1;
	}
	return cgroup_give(start, err) < 0 ? -1 : cgroup_entrance_open(&start->cgroup, &start->entrance, err);
}

/* Ends of a pipe for the process's stdin, when somebody in the foreground types into it. */
static int input_make(struct start *start, struct error *err)
{
	int ends[2];

	if (!start->monitor->foreground || !start->wanted.interactive || start->spec.process.terminal)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno(err, "make a pipe");
	start->stdio[0] = ends[0];
	fd_drop(&start->monitor->input);
	start->monitor->input = ends[1];
	return fchown(ends[0], record_id_base(&start->record) + start->user.uid, (gid_t)-1) < 0
		       ? fail_errno(err, "chown a pipe")
		       : 0;
}

static int stdio_prepare(struct start *start, struct error *err)
{
	struct monitor *monitor = start->monitor;
	uid_t owner = record_id_base(&start->record) + start->user.uid;

	monitor->terminal = start->spec.process.terminal;
	monitor->boot = start->wanted.boot;
	if (monitor_log_open(monitor, &start->wanted, err) < 0)
		return -1;
	/* Without a reader at all the output goes to /dev/null. */
	if (monitor->terminal || (!log_is_open(&monitor->log) && !monitor->foreground))
		return 0;
	/* In the foreground the end of the last writer is what ends the copying. */
	if (stdio_open(monitor, owner, start->stdio, err) < 0 || stdio_attach(monitor, !monitor->foreground, err) < 0)
		return -1;
	return input_make(start, err);
}

static int network_prepare(struct start *start, struct error *err)
{
	if (!attachment_has_inside(&start->attachment))
		return 0;
	start->net = net_session_open(err);
	return start->net ? 0 : -1;
}

/* They are there before anything runs, so that a port that is taken ends the start at once; a restart has them still.
 */
static int listeners_prepare(struct start *start, struct error *err)
{
	struct monitor *monitor = start->monitor;
	size_t count = start->wanted.ports.count;

	if (count > MONITOR_PORTS_MAX)
		return fail(err, ERROR_USAGE, "%zu ports; at most %d can be published", count, MONITOR_PORTS_MAX);
	return listeners_open(&monitor->listeners, start->host, start->wanted.ports.items, count, err);
}

/* --- while the child waits ---------------------------------------------------------------------------------------- */

/* The names of an isolated network are nobody's business in it: each instance has a file with its own alone. */
static bool shares_hosts(const struct start *start)
{
	return start->attachment.network && !start->network.isolated;
}

static void hosts_line(struct text *text, int family, const void *address, const struct strings *names)
{
	char buffer[INET6_ADDRSTRLEN];

	text_append(text, inet_ntop(family, address, buffer, sizeof(buffer)));
	for (size_t i = 0; i < names->count; i++)
		text_appendf(text, " %s", names->items[i]);
	text_append(text, "\n");
}

/* Written at each start, because names and addresses may have changed since the last. */
static int own_hosts_write(struct start *start, struct error *err)
{
	AUTO(text_drop) struct text text = {0};
	const struct strings names = instance_host_names(&start->arena, &start->wanted, start->monitor->instance.name);
	const struct endpoint *endpoint = &start->attachment.endpoint;
	struct in_addr address = start->attachment.network ? endpoint->address : start->wanted.address;

	if ((!start->attachment.network && !network_is_lan(start->wanted.network)) || shares_hosts(start) ||
		start->again)
		return 0;
	text_append(&text, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
	if (address.s_addr != INADDR_ANY)
		hosts_line(&text, AF_INET, &address, &names);
	if (!IN6_IS_ADDR_UNSPECIFIED(&endpoint->address6))
		hosts_line(&text, AF_INET6, &endpoint->address6, &names);
	return root_file_write(
		start->instance, IMAGE_HOSTS_DIRECTORY "/hosts", 0644, 0, 0, text_string(&text), text.length, err);
}

/* A directory of ours, read-only, in which files are replaced while it runs. */
static int directory_show(struct start *start, int directory, const char *target, struct error *err)
{
	auto_fd mount = mount_clone(directory, "", false, err);

	if (mount < 0 ||
		mount_change(mount, false, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
			0, -1, err) < 0)
		return -1;
	start->parts.items[start->parts.count++] =
		(struct root_part){.target = target, .mount = take_fd(&mount), .is_file = false};
	return 0;
}

/* The directory with the network's hosts file, read-only; /etc/hosts inside is a link into it. */
static int hosts_mount(struct start *start, struct error *err)
{
	struct root_parts *parts = &start->parts;

	if (!shares_hosts(start) || parts->count == ROOT_PARTS_MAX)
		return 0;
	/* Opened again inside the session, whose mount namespace may be another (images.h). */
	auto_free char *path = text_format("%s/net", start->host->run_path);
	auto_fd run = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct net_state state = {.run = run, .records = start->host->net.records};
	if (run < 0)
		return fail_errno(err, "open %s", path);
	auto_fd directory = hosts_directory(&state, start->attachment.network, err);
	if (directory < 0)
		return -1;
	return directory_show(start, directory, IMAGE_HOSTS_DIRECTORY, err);
}

/* Which name leads to which site, for a front server. */
static int front_mount(struct start *start, struct error *err)
{
	if (!start->wanted.front || start->parts.count == ROOT_PARTS_MAX)
		return 0;
	auto_fd directory = front_directory_open(start->host, &start->wanted, start->session.store, err);

	return directory < 0 ? -1 : directory_show(start, directory, FRONT_TARGET, err);
}

static bool keeps_admin(const struct spec *spec)
{
	unsigned admin;
	struct error ignored;

	return capability_parse("SYS_ADMIN", &admin, &ignored) < 0 ||
	       (spec->process.capabilities[CAPS_BOUNDING] >> admin & 1);
}

/* Not while it goes on in the namespaces it had: what changes a file at a crash is no fault of the host's network. */
static int resolver_refresh(struct start *start, struct error *err)
{
	if (start->again)
		return 0;
	return root_resolver_refresh(start->instance, start->attachment.mode.kind != NETWORK_HOST, err);
}

/* A root that is read-only shows only the mount points that are made before it is put together. */
static int mount_points_make(struct start *start, const struct root_request *request, struct error *err)
{
	if (!start->wanted.read_only)
		return 0;
	if (start->wanted.front && root_mount_point_make(&start->session, request, FRONT_TARGET, false, err) < 0)
		return -1;
	for (size_t i = 0; i < start->wanted.volumes.count; i++)
		if (root_mount_point_make(&start->session, request, start->wanted.volumes.items[i].target, false, err) <
			0)
			return -1;
	for (size_t i = 0; i < start->configs.count; i++)
		if (root_mount_point_make(&start->session, request, start->configs.items[i].target, true, err) < 0)
			return -1;
	return 0;
}

static int parts_make(struct start *start, int userns, struct error *err)
{
	uid_t id_base = record_id_base(&start->record);
	struct root_request request = root_request(start, userns, id_base);

	if (own_hosts_write(start, err) < 0 || resolver_refresh(start, err) < 0 ||
		mount_points_make(start, &request, err) < 0 ||
		root_mount(&start->session, &request, &start->parts, err) < 0 || hosts_mount(start, err) < 0 ||
		front_mount(start, err) < 0)
		return -1;
	for (size_t i = 0; i < start->wanted.volumes.count; i++) {
		const struct volume *volume = &start->wanted.volumes.items[i];

		/* tmpfs are mounts of the compiled specification, made by the child. */
		if (volume->type != VOLUME_TMPFS && volume_mount(&start->session, volume, userns, id_base,
							    keeps_admin(&start->spec), &start->parts, err) < 0)
			return -1;
	}
	if (start->wanted.boot && identity_boot_add(&start->arena, &start->configs, err) < 0)
		return -1;
	if (!start->configs.count)
		return 0;
	return configs_mount(
		&start->session, start->configs.items, start->configs.count, userns, id_base, &start->parts, err);
}

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

	if (run_announce(start, child->pid, err) < 0 || parts_make(start, child->userns, err) < 0 ||
		network_attach(start, child->netns, err) < 0 ||
		container_hooks_run(&start->spec.hooks, &start->facts, HOOK_CREATE_RUNTIME, child->pid, err) < 0)
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
		.sockets = start->monitor->listeners.fds,
		.socket_count = start->monitor->listeners.count,
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

	if (!run_ports_read(&arena, monitor->instance.live, &changed) || changed.port_count > MONITOR_PORTS_MAX)
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
	listeners_tell(&monitor->listeners, ports, count);
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
	if (start->again || !start->record.network || !shares_hosts(start))
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

static int start_prepare(struct start *start, struct error *err)
{
	if (session_open(start, err) < 0 || facts_read(start, err) < 0 || user_find(start, err) < 0 ||
		listeners_prepare(start, err) < 0 || spec_make(start, err) < 0 || filter_get(start, err) < 0 ||
		network_prepare(start, err) < 0 || stdio_prepare(start, err) < 0 || cgroup_prepare(start, err) < 0)
		return -1;
	start->monitor->oom_kills = cgroup_oom_kills(&start->cgroup);
	exit_put_aside(start->instance);
	killed_forget(start->monitor->instance.live);
	halted_forget(start->monitor->instance.live);
	return 0;
}

int monitor_launch(struct monitor *monitor, bool *exec_failed, struct error *err)
{
	AUTO(start_drop) struct start start;

	*exec_failed = false;
	start_init(&start, monitor);
	if (start_prepare(&start, err) < 0 || process_start(&start, exec_failed, err) < 0)
		return -1;
	if (run_record(&start, err) == 0 &&
		container_hooks_run(&start.spec.hooks, &start.facts, HOOK_POSTSTART, monitor->launched.pid, err) == 0)
		return 0;
	process_undo(monitor);
	return -1;
}
