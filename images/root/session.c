/* What a process needs before it builds roots: the store, and on older kernels a mount namespace with a scratch.
 *
 * Whether overlayfs takes detached mounts by descriptor (base/kernel.h) is asked once per boot and remembered as an
 * empty file in the run directory (a tmpfs), since it takes some ten system calls and most commands start one instance.
 *
 * The order matters on older kernels: open_tree(2) clones only mounts of the caller's namespace, and a directory
 * descriptor belongs to the namespace it was opened in. So the namespace comes first, then the store is opened. */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/kernel.h"
#include "base/mount.h"
#include "images/images.h"

#define ANSWER_DETACHED "overlay-takes-detached-layers"
#define ANSWER_ATTACHED "overlay-needs-attached-layers"
#define SCRATCH "scratch"
#define SCRATCH_PLACES "abcd" /* three clones at a time, and an overlay (overlay.c) */

/* --- the question to the kernel ----------------------------------------------------------------------------------- */

/* An answer that cannot be given for sure now, or cannot be written, is asked for again next time. */
static bool detached_layers_ask(int run)
{
	enum kernel_answer answer;
	int file;

	if (faccessat(run, ANSWER_DETACHED, F_OK, 0) == 0)
		return true;
	if (faccessat(run, ANSWER_ATTACHED, F_OK, 0) == 0)
		return false;
	answer = kernel_ask(KERNEL_OVERLAY_DETACHED);
	if (answer == KERNEL_UNKNOWN)
		return false;
	file = openat(
		run, answer == KERNEL_YES ? ANSWER_DETACHED : ANSWER_ATTACHED, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fd_drop(&file);
	return answer == KERNEL_YES;
}

/* --- the scratch of older kernels --------------------------------------------------------------------------------- */

/* A namespace of our own whose mounts follow the host's: what is unmounted there must not be kept busy here. */
static int namespace_leave(struct image_session *session, struct error *err)
{
	session->outside = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (session->outside < 0)
		return fail_errno(err, "open /proc/self/ns/mnt");
	if (unshare(CLONE_NEWNS) < 0)
		return fail_errno(err, "unshare the mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return fail_errno(err, "make the mounts of the new namespace slaves");
	return 0;
}

/* The run directory by its path: its descriptor belongs to the namespace left behind. */
static int scratch_directory_open(int run, struct error *err)
{
	char link[40], path[PATH_MAX];
	ssize_t length;

	if (mkdirat(run, SCRATCH, 0700) < 0 && errno != EEXIST)
		return fail_errno(err, "make the scratch directory");
	snprintf(link, sizeof(link), "/proc/self/fd/%d", run);
	length = readlink(link, path, sizeof(path) - sizeof("/" SCRATCH));
	if (length < 0)
		return fail_errno(err, "readlink %s", link);
	strcpy(path + length, "/" SCRATCH);
	auto_fd place = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (place < 0)
		return fail_errno(err, "open %s", path);
	return take_fd(&place);
}

static int scratch_make(int run, struct image_session *session, struct error *err)
{
	auto_fd place = scratch_directory_open(run, err);
	auto_fd tmpfs = -1;

	if (place < 0)
		return -1;
	tmpfs = filesystem_mount("tmpfs", "scratch", NULL, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
	if (tmpfs < 0)
		return -1;
	for (const char *name = SCRATCH_PLACES; *name; name++)
		if (mkdirat(tmpfs, (char[]){*name, '\0'}, 0700) < 0)
			return fail_errno(err, "make the places of the scratch directory");
	if (mount_attach(tmpfs, place, "", err) < 0)
		return -1;
	session->scratch = take_fd(&tmpfs);
	return 0;
}

/* --- the store ---------------------------------------------------------------------------------------------------- */

/* Layers hold set-user-id files of uid 0: nobody else may reach them, whatever umask once made the directory. */
static int store_protect(int store, const char *path, struct error *err)
{
	struct stat about;

	if (fstat(store, &about) < 0)
		return fail_errno(err, "stat %s", path);
	if (about.st_uid != geteuid())
		return fail(err, ERROR_SYSTEM, "%s: belongs to uid %u, not to us", path, about.st_uid);
	if ((about.st_mode & 0077) && fchmod(store, 0700) < 0)
		return fail_errno(err, "chmod 0700 %s", path);
	return 0;
}

static int store_open(const char *path, struct error *err)
{
	auto_fd store = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (store < 0 && errno == ENOENT)
		store = dir_create_all(path, 0700, err);
	else if (store < 0)
		return fail_errno(err, "open the store %s", path);
	if (store < 0 || store_protect(store, path, err) < 0)
		return -1;
	return take_fd(&store);
}

int image_session_open(int run, const char *store_path, struct image_session *out, struct error *err)
{
	AUTO(image_session_drop) struct image_session session = {.scratch = -1, .store = -1};

	session.detached_layers = detached_layers_ask(run);
	if (!session.detached_layers) {
		if (namespace_leave(&session, err) < 0)
			return -1;
		if (scratch_make(run, &session, err) < 0)
			return -1;
	}
	session.store = store_open(store_path, err);
	if (session.store < 0)
		return -1;
	*out = session;
	session = (struct image_session){.scratch = -1, .store = -1};
	return 0;
}

/* Back to where the session came from: a monitor lives long, and a namespace of its own would keep every file system of
 * the host busy. Entering a namespace moves the working directory to its root, where a monitor's is anyhow. */
void image_session_drop(struct image_session *session)
{
	int saved = errno;

	fd_drop(&session->store);
	fd_drop(&session->scratch);
	if (session->outside > 0) {
		setns(session->outside, CLONE_NEWNS);
		fd_drop(&session->outside);
	}
	errno = saved;
}
