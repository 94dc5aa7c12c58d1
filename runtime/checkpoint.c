/* checkpoint: a container's processes → files. CRIU does it; we tell it what is not the container's own and must be
 * given anew at the restore: its root and the mounts of the host, namespaces that others own, its standard streams. */
#include "runtime/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "runtime/container.h"
#include "runtime/state.h"

#define LOG_LEVEL 4 /* of CRIU: everything, in a file that is looked at only when it fails */

/* --- directories -------------------------------------------------------------------------------------------------- */

void checkpoint_place_drop(struct checkpoint_place *place)
{
	fd_drop(&place->images);
	fd_drop(&place->work);
}

static int directory_open(const char *path, bool create, struct error *err)
{
	int fd;

	if (create && mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail_errno(err, "make directory %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail_errno(err, "open directory %s", path) : fd;
}

static int parent_check(const struct container_criu_options *options, int images, struct error *err)
{
	const char *path = options->parent_path;
	auto_fd parent = -1;

	if (text_is_empty(path))
		return 0;
	if (*path == '/')
		return fail(err, ERROR_USAGE, "--parent-path %s: must be relative to the image path", path);
	parent = openat(images, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return parent < 0 ? fail_errno(err, "--parent-path %s", path) : 0;
}

int checkpoint_place_open(
	const struct container_criu_options *options, bool create, struct checkpoint_place *out, struct error *err)
{
	const char *work = text_is_empty(options->work_path) ? options->image_path : options->work_path;

	*out = (struct checkpoint_place){-1, -1};
	out->images = directory_open(options->image_path, create, err);
	if (out->images < 0)
		return blame(err, "--image-path");
	out->work = directory_open(work, true, err);
	if (out->work < 0 || parent_check(options, out->images, err) < 0) {
		checkpoint_place_drop(out);
		return -1;
	}
	return 0;
}

/* --- the request -------------------------------------------------------------------------------------------------- */

static int page_server_parse(
	struct arena *arena, const struct container_criu_options *options, struct criu_request *out, struct error *err)
{
	const char *text = options->page_server, *colon = text ? strrchr(text, ':') : NULL;

	if (!text)
		return 0;
	if (!colon || colon == text || number_parse(colon + 1, 1, 65535, &out->page_server.port, err) < 0)
		return fail(err, ERROR_USAGE, "--page-server %s: must be ADDRESS:PORT", text);
	out->page_server.address = arena_bytes(arena, text, (size_t)(colon - text));
	return 0;
}

static const uint64_t criu_locks[] = {
	[NETWORK_LOCK_IPTABLES] = 0,
	[NETWORK_LOCK_NFTABLES] = CRIU_LOCK_NFTABLES,
	[NETWORK_LOCK_NOTHING] = CRIU_LOCK_NOTHING,
};

int checkpoint_request(
	struct arena *arena, const struct container_criu_options *options, struct criu_request *out, struct error *err)
{
	*out = (struct criu_request){
		.leave_running = options->leave_running,
		.external_unix_sockets = options->external_unix_sockets,
		.tcp_established = options->tcp_established,
		.tcp_close = options->tcp_close,
		.tcp_skip_in_flight = options->tcp_skip_in_flight,
		.shell_job = options->shell_job,
		.file_locks = options->file_locks,
		.lazy_pages = options->lazy_pages,
		.auto_dedup = options->auto_dedup,
		.link_remap = options->link_remap,
		.network_lock = criu_locks[options->network_lock],
		.orphan_master = true,
		.notify = true,
		.log_level = LOG_LEVEL,
		.cgroups = options->cgroups,
		.status = options->status_fd >= 0,
		.lsm_profile = options->lsm_profile,
		.lsm_mount_context = options->lsm_mount_context,
		.empty_namespaces = options->empty_network ? CRIU_EMPTY_NETWORK : 0,
		.config_file = access(CHECKPOINT_CONFIG, F_OK) == 0 ? CHECKPOINT_CONFIG : NULL,
	};
	return page_server_parse(arena, options, out, err);
}

/* --- a dump ------------------------------------------------------------------------------------------------------- */

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
