/* restore: images → a container's first process, and with it all the others.
 *
 * CRIU is born in the container's cgroup and makes the processes there, so that they are limited from the beginning and
 * whoever has to undo a restore that was killed half-way finds them. The first process is a child of ours. */
#include "runtime/criu/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "runtime/criu/checkpoint.h"
#include "runtime/criu/restore_stage.h"

#define FIRST_FD 64 /* CRIU has low numbers of its own */
#define INHERITED_MAX 8

struct restoring {
	const struct restore *restore;
	struct checkpoint_place place;
	struct namespaces namespaces;
	struct restore_stage stage;
	struct criu_request request;
	struct criu_inherited inherited[INHERITED_MAX];
	struct criu_join joins[NS_COUNT];
	int keep[INHERITED_MAX];
	struct criu criu;
	int console;
};

static void restoring_drop(struct restoring *r)
{
	criu_drop(&r->criu);
	restore_stage_drop(&r->stage);
	namespaces_drop(&r->namespaces);
	checkpoint_place_drop(&r->place);
	for (size_t i = 0; i < r->request.inherited.count; i++)
		fd_drop(&r->keep[i]);
	fd_drop(&r->console);
}

/* --- what takes the place of what was left out -------------------------------------------------------------------- */

static int inherit(struct restoring *r, const char *key, int fd, struct error *err)
{
	size_t count = r->request.inherited.count;
	int high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);

	if (high < 0)
		return fail_errno(err, "duplicate a descriptor");
	r->keep[count] = high;
	r->inherited[count] = (struct criu_inherited){.key = key, .fd = high};
	r->request.inherited.count = count + 1;
	return 0;
}

static bool is_inherited(const struct restoring *r, const char *key)
{
	for (size_t i = 0; i < r->request.inherited.count; i++)
		if (text_equal(r->inherited[i].key, key))
			return true;
	return false;
}

/* CRIU puts nothing in a file's place that is of another kind or has other rights. Who had nothing there, as engines
 * have it (/dev/null), gets nothing again, whatever we have ourselves. */
static int file_inherit(struct restoring *r, const char *key, int stream, unsigned mode, struct error *err)
{
	auto_fd null = -1;
	struct stat status;

	if (fstat(stream, &status) < 0)
		return fail_errno(err, "look at descriptor %d", stream);
	if (!mode || status.st_mode == mode)
		return inherit(r, key, stream, err);
	if (S_ISCHR(mode) && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fstat(null, &status) == 0 &&
		status.st_mode == mode)
		return inherit(r, key, null, err);
	return fail(err, ERROR_USAGE,
		"descriptor %d was a %s of mode %04o when the container was written, and must be one now", stream,
		S_ISREG(mode)	 ? "file"
		: S_ISFIFO(mode) ? "pipe with a name"
				 : "device",
		mode & 07777);
}

/* Streams that were one thing come back as one: what is written to counts, as a stream that was read only would refuse
 * it. */
static int streams_inherit(struct restoring *r, struct error *err)
{
	static const int order[] = {1, 2, 0};
	struct checkpoint_stdio stdio;

	if (checkpoint_stdio_load(r->restore->arena, r->place.images, &stdio, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const char *key = stdio.keys[order[i]];

		if (*key && !is_inherited(r, key) && file_inherit(r, key, order[i], stdio.modes[order[i]], err) < 0)
			return -1;
	}
	return 0;
}

/* Of the network and of processes CRIU takes a descriptor, of the others a path. */
static int namespaces_inherit(struct restoring *r, struct error *err)
{
	static const enum spec_namespace joined[] = {NS_IPC, NS_UTS, NS_TIME};
	const int *join = r->namespaces.join;

	if (join[NS_NET] >= 0 && inherit(r, CHECKPOINT_NETWORK, join[NS_NET], err) < 0)
		return -1;
	if (join[NS_PID] >= 0 && inherit(r, CHECKPOINT_PIDS, join[NS_PID], err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(joined); i++)
		if (join[joined[i]] >= 0)
			r->joins[r->request.joins.count++] = (struct criu_join){.namespace = namespace_names[joined[i]],
				.file = arena_format(r->restore->arena, "/proc/%d/fd/%d", getpid(), join[joined[i]])};
	if (join[NS_USER] >= 0 || join[NS_CGROUP] >= 0)
		return fail(
			err, ERROR_USAGE, "a container in a user or cgroup namespace of others' cannot be restored");
	return 0;
}

/* The cgroups that CRIU has been born in take the place of those in the images. */
static int cgroups_name(struct restoring *r, struct error *err)
{
	struct arena *arena = r->restore->arena;
	struct strings lines;
	const char *text;

	if (!r->restore->entrance || r->request.cgroups == CRIU_CGROUPS_IGNORE)
		return 0;
	if (file_read(arena, AT_FDCWD, arena_format(arena, "/proc/%d/cgroup", r->criu.pid), 65536, &text, NULL, err) <
		0)
		return -1;
	lines = strings_split(arena, text, '\n');
	r->request.cgroup_roots.items = arena_new_array(arena, lines.count, struct criu_cgroup_root);
	for (size_t i = 0; i < lines.count; i++) {
		struct strings parts = strings_split(arena, lines.items[i], ':');

		if (parts.count == 3)
			r->request.cgroup_roots.items[r->request.cgroup_roots.count++] =
				(struct criu_cgroup_root){.controllers = parts.items[1], .path = parts.items[2]};
	}
	return 0;
}

/* --- the conversation --------------------------------------------------------------------------------------------- */

static int on_event(void *context, const char *event, pid_t pid, int *fd, struct error *err)
{
	struct restoring *r = context;

	if (strcmp(event, "setup-namespaces") == 0)
		return r->restore->on_process(r->restore->context, pid, err);
	if (strcmp(event, "orphan-pts-master") == 0 && *fd >= 0) {
		fd_drop(&r->console);
		r->console = take_fd(fd);
	}
	return 0;
}

static bool gid_of_root(const struct spec *spec, gid_t *out)
{
	for (size_t i = 0; i < spec->gid_maps.count; i++) {
		*out = spec->gid_maps.items[i].host;
		if (spec->gid_maps.items[i].inside == 0)
			return true;
	}
	return false;
}

/* Processes of a user namespace read the images by themselves, with the ids they have there: the group of their root
 * may look names up in the directory, and nobody else. */
static int images_admit(const struct restoring *r, struct error *err)
{
	struct stat status;
	gid_t gid;

	if (!r->restore->spec->namespaces.create[NS_USER] || !gid_of_root(r->restore->spec, &gid))
		return 0;
	if (fstat(r->place.images, &status) < 0)
		return fail_errno(err, "look at the directory of images");
	if ((status.st_mode & S_IXOTH) || (status.st_gid == gid && (status.st_mode & S_IXGRP)))
		return 0;
	if (fchown(r->place.images, (uid_t)-1, gid) < 0 ||
		fchmod(r->place.images, (status.st_mode & 0700) | S_IXGRP) < 0)
		return fail_errno(err, "admit the container's group to the directory of images");
	return 0;
}

static int prepare(struct restoring *r, struct error *err)
{
	const struct restore *restore = r->restore;

	if (checkpoint_place_open(restore->options, false, &r->place, err) < 0 || images_admit(r, err) < 0)
		return -1;
	if (namespaces_prepare(restore->spec, restore->entrance && restore->entrance->into >= 0, &r->namespaces, err) <
		0)
		return blame(err, "namespaces");
	if (restore_stage_open(restore->arena, restore->spec, &r->namespaces, &r->stage, err) < 0)
		return -1;
	if (checkpoint_request(restore->arena, restore->options, &r->request, err) < 0)
		return -1;
	r->request.verb = CRIU_RESTORE;
	r->request.log_file = "restore.log";
	r->request.root = STAGE_ROOT;
	r->request.sibling = true;
	r->request.evasive_devices = true;
	r->request.inherited.items = r->inherited;
	r->request.joins.items = r->joins;
	return streams_inherit(r, err) < 0 ? -1 : namespaces_inherit(r, err);
}

static int start(struct restoring *r, struct error *err)
{
	const struct criu_start how = {
		.program = r->restore->options->program,
		.entrance = r->restore->entrance,
		.images = r->place.images,
		.work = r->place.work,
		.status_fd = -1,
		.no_new_privileges = r->restore->spec->process.no_new_privileges,
		.own_cgroups = r->restore->spec->namespaces.create[NS_CGROUP],
		.keep = r->keep,
		.keep_count = r->request.inherited.count,
		.stage = restore_stage_attach,
		.context = &r->stage,
	};

	if (criu_start(&how, &r->criu, err) < 0)
		return -1;
	if (restore_stage_name(&r->stage, &r->request.external, err) < 0)
		return -1;
	return cgroups_name(r, err);
}

/* CRIU's own lock goes with the end of the restore, ours is then the last. */
static void lock_lift(const struct restoring *r)
{
	struct error err;

	if (r->namespaces.join[NS_NET] >= 0 && r->restore->options->tcp_established &&
		checkpoint_lock_lift(r->namespaces.join[NS_NET], &err) < 0)
		log_warn("%s", err.text);
}

int restore_start(const struct restore *restore, struct launched *out, struct error *err)
{
	AUTO(restoring_drop)
	struct restoring r = {
		.restore = restore, .place = {-1, -1}, .stage = RESTORE_STAGE_NONE, .criu = CRIU_NONE, .console = -1};
	const struct criu_events events = {.notify = on_event, .context = &r};
	pid_t pid = 0;

	memset(r.namespaces.join, -1, sizeof(r.namespaces.join));
	if (prepare(&r, err) < 0 || start(&r, err) < 0 || criu_ask(&r.criu, &r.request, &events, &pid, err) < 0)
		return -1;
	out->pidfd = pidfd_open(pid, 0);
	if (out->pidfd < 0)
		return fail_errno(err, "open the restored process");
	out->pid = pid;
	out->console = take_fd(&r.console);
	lock_lift(&r);
	return 0;
}
