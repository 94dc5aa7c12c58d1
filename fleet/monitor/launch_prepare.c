/* A start before there is a process: everything that can fail without one. */
#include "fleet/monitor/launching.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/file/source.h"
#include "fleet/monitor/finish.h"
#include "fleet/monitor/monitor.h"
#include "fleet/network/attachment.h"
#include "fleet/network/listeners.h"
#include "fleet/network/wire.h"
#include "fleet/start/hooks.h"
#include "fleet/state/image.h"
#include "images/images.h"

static int session_open(struct start *start, struct error *err)
{
	char path[80];

	if (image_session_open(start->host->run, start->host->lib_path, &start->session, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "instances/%s", start->monitor->instance.name);
	start->instance = openat(start->session.store, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return start->instance < 0 ? fail_errno(err, "open %s", path) : 0;
}

static int facts_read(struct start *start, struct error *err)
{
	if (record_read(&start->arena, start->instance, &start->record, err) < 0 ||
		instance_spec_load(&start->arena, start->instance, start->monitor->instance.name, &start->wanted, err) <
			0)
		return -1;
	if (attachment_prepare(&start->arena, start->host, &start->wanted, &start->record, start->again,
		    &start->attachment, err) < 0)
		return -1;
	if (start->attachment.network &&
		network_load(&start->arena, &start->host->net, start->attachment.network, &start->network, err) < 0)
		return -1;
	start->endpoint = instance_endpoint(&start->wanted, &start->record, &start->network);
	if (start->record.network)
		start->attachment.endpoint = start->endpoint;
	if (instance_image_read(
		    start->session.store, start->instance, &start->wanted, &start->arena, &start->image, err) < 0)
		return -1;
	instance_image_volumes(&start->arena, &start->image, &start->wanted);
	instance_image_health(&start->image, &start->wanted);
	return 0;
}

struct root_request start_root_request(const struct start *start, int userns, uid_t id_base)
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
	struct root_request request = start_root_request(start, -1, 0);
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
	if (devices_look_up(&start->arena, &start->wanted, &start->devices, err) < 0)
		return -1;
	devices_allow(&start->arena, &start->wanted, &start->devices, &start->spec.limits);
	instance_hook_facts(&start->arena, &start->monitor->instance, &start->wanted, &start->facts);
	start->monitor->run.sources = sources_digest(&start->wanted);
	listeners_announce(&start->arena, start->monitor->listeners, &start->spec.process);
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

/* A device that was plugged in again may have other numbers than in the last run. */
static int devices_renew(struct start *start, struct error *err)
{
	struct cgroup_limits rules = {.devices.items = start->spec.limits.devices.items,
		.devices.count = start->devices.count ? start->spec.limits.devices.count : 0};

	return rules.devices.count ? cgroup_set(&start->cgroup, &rules, err) : 0;
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
	if (!missing && devices_renew(start, err) < 0)
		return -1;
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

	if (count > INSTANCE_PORTS_MAX)
		return fail(err, ERROR_USAGE, "%zu ports; at most %d can be published", count, INSTANCE_PORTS_MAX);
	return listeners_open(monitor->listeners, start->host, start->wanted.ports.items, count, err);
}

int start_prepare(struct start *start, struct error *err)
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
