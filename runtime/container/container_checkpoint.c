/* checkpoint: a container's processes → files. CRIU does it; we tell it what is not the container's own and must be
 * given anew at the restore: its root and the mounts of the host, namespaces that others own, its standard streams. */
#include "runtime/criu/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "runtime/container/container.h"
#include "runtime/state/state.h"

struct dump {
	const struct container_criu_options *options;
	struct held held;
	struct spec spec;
	struct checkpoint_place place;
	struct container_cgroup cgroup;
	int proc; /* /proc/PID of the first process */
	int netns;
	struct criu_request request;
	struct criu criu;
};

static void dump_drop(struct dump *d)
{
	criu_drop(&d->criu);
	fd_drop(&d->netns);
	fd_drop(&d->proc);
	container_cgroup_drop(&d->cgroup);
	checkpoint_place_drop(&d->place);
	held_drop(&d->held);
}

static int check_running(struct dump *d, struct error *err)
{
	const struct container *container = &d->held.container;

	if (container->status != CONTAINER_RUNNING)
		return fail(err, ERROR_BUSY, "cannot checkpoint container \"%s\": it is %s, not running",
			container->facts.id, container_status_names[container->status]);
	if (d->options->lazy_pages && !d->options->page_server)
		return fail(
			err, ERROR_USAGE, "--lazy-pages needs --page-server ADDRESS:PORT, where the pages are left");
	return 0;
}

/* /proc/PID of exactly the process that the record names. */
static int proc_open(const struct process_id *init, struct error *err)
{
	char path[32];
	auto_fd proc = -1;

	snprintf(path, sizeof(path), "/proc/%d", init->pid);
	proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0 || !process_is_alive(init))
		return fail(err, ERROR_MISSING, "the container's first process has ended");
	return take_fd(&proc);
}

/* Frozen by somebody, it is thawed by CRIU for its own work, and frozen again after it. */
static int freezer_note(struct dump *d, struct error *err)
{
	const char *path = d->held.container.facts.cgroup_path;
	char directory[4200], link[32];
	ssize_t length;

	if (container_cgroup_open(path, &d->cgroup, err) < 0)
		return -1;
	if (!d->cgroup.has_cgroup || !cgroup_is_frozen(&d->cgroup.cgroup))
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d",
		d->cgroup.cgroup.unified >= 0 ? d->cgroup.cgroup.unified : d->cgroup.cgroup.hierarchy[CGROUP_FREEZER]);
	length = readlink(link, directory, sizeof(directory) - 1);
	if (length < 0)
		return fail_errno(err, "find the frozen cgroup");
	d->request.freezer = arena_bytes(&d->held.arena, directory, (size_t)length);
	return 0;
}

/* Not the container's own, so not in its images. */
static int namespace_exclude(
	struct dump *d, enum spec_namespace ns, const char *file, const char *name, struct error *err)
{
	struct arena *arena = &d->held.arena;
	struct stat status;

	if (!d->spec.namespaces.path[ns])
		return 0;
	if (fstatat(d->proc, arena_format(arena, "ns/%s", file), &status, 0) < 0)
		return fail_errno(err, "look at the %s namespace", namespace_names[ns]);
	strings_add(arena, &d->request.external,
		arena_format(arena, "%s[%llu]:%s", file, (unsigned long long)status.st_ino, name));
	return 0;
}

static int streams_exclude(struct dump *d, struct error *err)
{
	struct arena *arena = &d->held.arena;
	struct checkpoint_stdio stdio;

	if (checkpoint_stdio_read(arena, d->proc, d->spec.process.terminal, &stdio, err) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		if (*stdio.keys[i] && !text_starts_with(stdio.keys[i], "pipe:") &&
			!strings_contain(&d->request.external, stdio.keys[i]))
			strings_add(arena, &d->request.external, stdio.keys[i]);
	return checkpoint_stdio_write(d->place.images, &stdio, err);
}

static int request_fill(struct dump *d, struct error *err)
{
	const struct container_criu_options *options = d->options;
	struct arena *arena = &d->held.arena;

	if (checkpoint_request(arena, options, &d->request, err) < 0)
		return -1;
	d->request.verb = options->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP;
	d->request.pid = d->held.container.facts.init.pid;
	d->request.log_file = "dump.log";
	d->request.root = d->spec.root;
	d->request.parent = text_is_empty(options->parent_path) ? NULL : options->parent_path;
	d->request.track_memory = options->pre_dump || d->request.parent;
	if (freezer_note(d, err) < 0)
		return -1;
	if (namespace_exclude(d, NS_NET, "net", CHECKPOINT_NETWORK, err) < 0 ||
		namespace_exclude(d, NS_PID, "pid", CHECKPOINT_PIDS, err) < 0)
		return -1;
	if (checkpoint_mounts_add(arena, d->proc, &d->spec, &d->request.external, err) < 0)
		return -1;
	return streams_exclude(d, err);
}

/* CRIU's lock stays only where the connections are to be restored and the namespace stays. */
static bool lock_stays(const struct dump *d)
{
	const struct container_criu_options *options = d->options;

	return d->netns >= 0 && options->tcp_established && !options->leave_running && !options->pre_dump;
}

static int dump_prepare(
	struct dump *d, int root, const char *id, const struct container_criu_options *options, struct error *err)
{
	if (container_hold(root, id, &d->held, err) < 0)
		return -1;
	if (check_running(d, err) < 0 || container_spec(&d->held.arena, &d->held.container, &d->spec, err) < 0)
		return -1;
	if (checkpoint_place_open(options, true, &d->place, err) < 0)
		return -1;
	d->proc = proc_open(&d->held.container.facts.init, err);
	if (d->proc < 0)
		return -1;
	if (d->spec.namespaces.path[NS_NET])
		d->netns = openat(d->proc, "ns/net", O_RDONLY | O_CLOEXEC);
	if (lock_stays(d) && checkpoint_lock_check(options->network_lock, err) < 0)
		return -1;
	return request_fill(d, err);
}

static int dump_run(struct dump *d, struct error *err)
{
	const struct criu_start start = {
		.program = d->options->program,
		.images = d->place.images,
		.work = d->place.work,
		.status_fd = d->options->status_fd,
		.own_cgroups = d->spec.namespaces.create[NS_CGROUP],
	};

	if (criu_start(&start, &d->criu, err) < 0)
		return -1;
	return criu_ask(&d->criu, &d->request, NULL, NULL, err);
}

int container_checkpoint(int root, const char *id, const struct container_criu_options *options, struct error *err)
{
	AUTO(dump_drop)
	struct dump d = {.options = options,
		.held = {.container = {.dir = -1}},
		.place = {-1, -1},
		.proc = -1,
		.netns = -1,
		.criu = CRIU_NONE};

	if (dump_prepare(&d, root, id, options, err) < 0 || dump_run(&d, err) < 0)
		return blame(err, "checkpoint of container \"%s\"", id);
	if (options->leave_running || options->pre_dump)
		return 0;
	/* The images are good: what follows is said, and no failure. */
	if (lock_stays(&d) && checkpoint_lock_take_over(d.netns, options->network_lock, err) < 0)
		log_warn("%s", err->text);
	dump_drop(&d);
	return container_delete(root, id, true, err);
}
