/* What checkpoint and restore share: the directories of images and logs, and what is asked of CRIU either way. */
#include "runtime/criu/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

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
