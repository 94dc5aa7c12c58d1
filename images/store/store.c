/* The store's directories, its flock, and what concerns its file system as a whole. */
#include "images/store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/file.h"

#define LOCK "store.lock"
#define LOCK_WAIT_MS (60 * 1000)
#define RESERVE_PERCENT 5

void store_drop(struct store *store)
{
	int *const fds[] = {&store->layers, &store->meta, &store->blobs, &store->partial, &store->names,
		&store->staging, &store->dir};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_drop(fds[i]);
}

static int directories_open(struct store *store, struct error *err)
{
	const struct {
		const char *path;
		int *fd; /* NULL: only made */
		mode_t mode;
	} rows[] = {
		/* Others may pass here, inside: it is cloned as a whole, and an instance's root is not its owner's
		   group. */
		{"layers", &store->layers, 0755},
		{"meta", &store->meta, 0700},
		{"blobs", NULL, 0700},
		{"blobs/sha256", &store->blobs, 0700},
		{"partial", &store->partial, 0700},
		{"names", &store->names, 0700},
		{"tmp", &store->staging, 0700},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_fd fd = dir_create(store->dir, rows[i].path, rows[i].mode, err);

		if (fd < 0)
			return blame(err, "the store");
		if (rows[i].fd)
			*rows[i].fd = take_fd(&fd);
	}
	return 0;
}

/* Layers hold set-user-id files of uid 0: nobody else may reach them. */
static int store_protect(int dir, struct error *err)
{
	struct stat about;

	if (fstat(dir, &about) < 0)
		return fail_errno(err, "stat the store");
	if (about.st_uid != geteuid())
		return fail(err, ERROR_SYSTEM, "the store belongs to uid %u, not to us", about.st_uid);
	if ((about.st_mode & 0077) && fchmod(dir, 0700) < 0)
		return fail_errno(err, "chmod 0700 the store");
	return 0;
}

int store_open_at(int dir, struct store *out, struct error *err)
{
	AUTO(store_drop) struct store store = NO_STORE;

	store.dir = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store.dir < 0)
		return fail_errno(err, "open the store");
	if (store_protect(store.dir, err) < 0 || directories_open(&store, err) < 0)
		return -1;
	*out = store;
	store = NO_STORE;
	return 0;
}

int store_open(const char *path, struct store *out, struct error *err)
{
	auto_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 && errno == ENOENT)
		dir = dir_create_all(path, 0700, err);
	else if (dir < 0)
		return fail_errno(err, "open the store %s", path);
	if (dir < 0 || store_open_at(dir, out, err) < 0)
		return blame(err, "%s", path);
	return 0;
}

int store_lock(const struct store *store, enum store_lock how, struct error *err)
{
	auto_fd fd = openat(store->dir, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail_errno(err, "open the store's lock");
	if ((how == STORE_SHARED ? lock_shared(fd, LOCK_WAIT_MS, err) : lock_exclusive(fd, LOCK_WAIT_MS, err)) < 0)
		return blame(err, "the store of images");
	return take_fd(&fd);
}

int store_sync(const struct store *store, struct error *err)
{
	return syncfs(store->dir) < 0 ? fail_errno(err, "sync the store's file system") : 0;
}

int store_space_check(const struct store *store, uint64_t bytes, struct error *err)
{
	struct statvfs about;
	uint64_t unused, reserve;

	if (fstatvfs(store->dir, &about) < 0)
		return fail_errno(err, "ask how much space the store has");
	unused = (uint64_t)about.f_bavail * about.f_frsize;
	reserve = (uint64_t)about.f_blocks * about.f_frsize / 100 * RESERVE_PERCENT;
	if (unused >= reserve && unused - reserve >= bytes)
		return 0;
	(void)fail(err, ERROR_SYSTEM,
		"no space: the store's file system has %ju MiB free, of which %ju MiB are kept in reserve, and %ju MiB "
		"are needed",
		(uintmax_t)(unused >> 20), (uintmax_t)(reserve >> 20), (uintmax_t)((bytes + (1 << 20) - 1) >> 20));
	err->errnum = ENOSPC;
	return -1;
}
