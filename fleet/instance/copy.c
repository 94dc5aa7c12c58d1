/* `warren cp`: the two ends. A stopped instance is held, and its root put together without an id map and attached
 * nowhere, so that ids are those inside; of a running one it is the root of its first process, with its volumes, as the
 * host sees its ids. No program runs inside. */
#include <fcntl.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "fleet/instance/repair.h"
#include "fleet/state/image.h"
#include "fleet/state/instance.h"
#include "images/images.h"
#include "images/transfer.h"

struct copying {
	const struct copy_request *request;
	struct arena arena;
	struct instance instance;
	struct image_session session;
	struct root_parts parts;
	struct transfer_side inside, outside;
	int root; /* of a running one */
	struct transfer_place from, to;
};

static void copying_drop(struct copying *copying)
{
	transfer_place_drop(&copying->from);
	transfer_place_drop(&copying->to);
	root_parts_drop(&copying->parts);
	image_session_drop(&copying->session);
	fd_drop(&copying->root);
	instance_drop(&copying->instance);
	arena_drop(&copying->arena);
}

/* The process is asked again after its root is open: then this was its root, not that of one with the same number. */
static int running_open(struct copying *copying, const struct running *running, struct error *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", running->run.init.pid);
	copying->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (copying->root < 0)
		return fail_errno(err, "open %s", path);
	if (!run_is_alive(&running->run))
		return fail(err, ERROR_BUSY, "it has just ended");
	copying->inside.root = copying->root;
	fd_drop(&copying->instance.lock); /* whoever wants to stop it need not wait */
	return 0;
}

/* Nothing of the host's is opened after the session is: it may have a mount namespace of its own. */
static int stopped_open(struct copying *copying, struct error *err)
{
	struct host *host = copying->instance.host;
	const char *path = arena_format(&copying->arena, "instances/%s", copying->instance.name);
	struct instance_spec spec;
	struct image_config image;
	auto_fd dir = -1;

	if (instance_spec_load(&copying->arena, copying->instance.dir, copying->instance.name, &spec, err) < 0 ||
		image_session_open(host->run, host->lib_path, &copying->session, err) < 0)
		return -1;
	dir = openat(copying->session.store, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return fail_errno(err, "open %s", path);
	if (instance_image_read(copying->session.store, dir, &spec, &copying->arena, &image, err) < 0)
		return -1;
	const struct root_request request = {
		.image = spec.image,
		.layers = &image.layers,
		.rootfs = spec.rootfs,
		.etc_from_host = &spec.etc_from_host,
		.instance = dir,
		.userns = -1,
		.read_only = spec.read_only,
	};
	if (root_mount(&copying->session, &request, &copying->parts, err) < 0)
		return -1;
	copying->inside.root = copying->parts.items[0].mount;
	return 0;
}

static int inside_open(struct copying *copying, struct error *err)
{
	struct instance_spec spec;
	struct running running;
	struct record record;

	if (instance_spec_load(&copying->arena, copying->instance.dir, copying->instance.name, &spec, err) < 0)
		return -1;
	copying->inside.id_count = (uint32_t)spec.id_count;
	if (instance_running_read(&copying->arena, &copying->instance, &running, err) < 0) {
		if (err->kind != ERROR_BUSY || instance_is_monitored(&copying->instance))
			return -1;
		*err = (struct error){0};
		return stopped_open(copying, err);
	}
	if (record_read(&copying->arena, copying->instance.dir, &record, err) < 0)
		return -1;
	copying->inside.id_base = record_id_base(&record);
	return running_open(copying, &running, err);
}

static int outside_open(struct copying *copying, struct error *err)
{
	const struct copy_request *request = copying->request;

	if (request->into)
		return transfer_source_open(
			&copying->outside, request->host_path, request->follow, &copying->arena, &copying->from, err);
	return transfer_target_open(&copying->outside, request->host_path, &copying->arena, &copying->to, err);
}

static int inner_open(struct copying *copying, struct error *err)
{
	const struct copy_request *request = copying->request;

	if (request->into)
		return transfer_target_open(&copying->inside, request->inner_path, &copying->arena, &copying->to, err);
	return transfer_source_open(
		&copying->inside, request->inner_path, request->follow, &copying->arena, &copying->from, err);
}

static int copying_run(struct copying *copying, struct error *err)
{
	const struct copy_request *request = copying->request;

	if (outside_open(copying, err) < 0 || inside_open(copying, err) < 0 || inner_open(copying, err) < 0)
		return -1;
	if (request->to_directory && copying->to.name)
		return fail(err, ERROR_MISSING, "%s: there is no such directory",
			request->into ? request->inner_path : request->host_path);
	return transfer_run(&copying->from, &copying->to, request->archive, err);
}

int instance_copy(struct host *host, const struct copy_request *request, struct error *err)
{
	AUTO(copying_drop)
	struct copying copying = {
		.request = request,
		.instance = INSTANCE_EMPTY,
		.session = {.scratch = -1, .outside = -1, .store = -1},
		.inside = {.root = -1},
		.outside = {.root = -1},
		.root = -1,
		.from = {.dir = -1},
		.to = {.dir = -1},
	};

	if (instance_take(host, request->instance, &copying.instance, err) < 0)
		return -1;
	return copying_run(&copying, err) < 0 ? blame(err, "cp") : 0;
}
