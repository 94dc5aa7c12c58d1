/* The walk of `warren cp`: see transfer.h.
 *
 * Whatever is made gets a name of chance first and its own by rename(2). So nothing that is there is opened for
 * writing: neither a file that a link of the instance's leads to, nor one of /proc. */
#include "images/transfer.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "images/files/copy.h"
#include "images/files/credentials.h"

#define DEPTH_MAX 200 /* two descriptors for each level */
#define ENTRIES_MAX 1048576
#define ATTRIBUTE_MAX (64 << 10)
#define DRAFT_TRIES 16
#define DRAFT_SIZE 40
#define NOBODY 65534

struct transfer {
	const struct transfer_side *from, *to;
	bool archive;
	unsigned depth;
	size_t left_out;
	char left_out_first[128];
};

/* ---- what is never copied ---- */

/* File systems that are the kernel's own interfaces: writing there acts, reading may never end. */
static bool is_of_the_kernel(int fd)
{
	static const long magics[] = {PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
		BPF_FS_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC, SECURITYFS_MAGIC, DEVPTS_SUPER_MAGIC, EFIVARFS_MAGIC};
	struct statfs about;

	if (fstatfs(fd, &about) < 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (about.f_type == magics[i])
			return true;
	return false;
}

static int leave_out(struct transfer *transfer, const char *name)
{
	if (!transfer->left_out++)
		snprintf(transfer->left_out_first, sizeof(transfer->left_out_first), "%s", name);
	return 0;
}

/* ---- owner, mode, times ---- */

static uid_t id_move(const struct transfer *transfer, uid_t id)
{
	const struct transfer_side *from = transfer->from, *to = transfer->to;

	if (from->id_count)
		id = id >= from->id_base && id - from->id_base < from->id_count ? id - from->id_base : NOBODY;
	if (to->id_count)
		id = to->id_base + (id < to->id_count ? id : NOBODY);
	return id;
}

struct owner {
	uid_t uid;
	gid_t gid;
};

static struct owner owner_choose(const struct transfer *transfer, const struct stat *about)
{
	if (transfer->archive)
		return (struct owner){id_move(transfer, about->st_uid), id_move(transfer, about->st_gid)};
	if (transfer->to->id_count)
		return (struct owner){transfer->to->id_base, transfer->to->id_base};
	return (struct owner){(uid_t)-1, (gid_t)-1};
}

static mode_t mode_choose(const struct transfer *transfer, const struct stat *about)
{
	bool keeps_set_id = transfer->archive && transfer->to->id_count;

	return about->st_mode & (keeps_set_id ? 07777 : 01777);
}

static int attribute_copy(int from, int to, const char *name, char *value, struct error *err)
{
	ssize_t length;

	if (!text_starts_with(name, "user.") || text_starts_with(name, "user.overlay."))
		return 0;
	length = fgetxattr(from, name, value, ATTRIBUTE_MAX);
	if (length < 0)
		return errno == ENODATA ? 0 : fail_errno(err, "read the attribute %s", name);
	if (fsetxattr(to, name, value, (size_t)length, 0) < 0 && errno != ENOTSUP)
		return fail_errno(err, "set the attribute %s", name);
	return 0;
}

static int attributes_copy(int from, int to, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	char *names = arena_alloc(&arena, ATTRIBUTE_MAX), *value = arena_alloc(&arena, ATTRIBUTE_MAX);
	ssize_t length = flistxattr(from, names, ATTRIBUTE_MAX);

	if (length < 0)
		return errno == ENOTSUP ? 0 : fail_errno(err, "list the attributes");
	for (const char *name = names; name < names + length; name += strlen(name) + 1)
		if (attribute_copy(from, to, name, value, err) < 0)
			return -1;
	return 0;
}

/* The owner first: chown(2) takes set-id bits away. */
static int facts_set(const struct transfer *transfer, int from, int to, const struct stat *about, struct error *err)
{
	const struct timespec times[] = {about->st_atim, about->st_mtim};
	struct owner owner = owner_choose(transfer, about);

	if (fchown(to, owner.uid, owner.gid) < 0 || fchmod(to, mode_choose(transfer, about)) < 0)
		return fail_errno(err, "set owner and mode");
	if (transfer->archive && attributes_copy(from, to, err) < 0)
		return -1;
	return futimens(to, times) < 0 ? fail_errno(err, "set the times") : 0;
}

/* ---- files and links ---- */

static int draft_name(char name[DRAFT_SIZE], struct error *err)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return fail_errno(err, "getrandom");
	snprintf(name, DRAFT_SIZE, ".warren-cp-%016jx", (uintmax_t)number);
	return 0;
}

static int draft_create(int into, char name[DRAFT_SIZE], struct error *err)
{
	for (int tries = 0; tries < DRAFT_TRIES; tries++) {
		int fd;

		if (draft_name(name, err) < 0)
			return -1;
		fd = openat(into, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd < 0 ? fail_errno(err, "make it") : fd;
	}
	return fail_errno(err, "make it");
}

static int draft_place(int into, const char *draft, const char *name, struct error *err)
{
	if (renameat(into, draft, into, name) == 0)
		return 0;
	(void)fail_errno(err, errno == EISDIR ? "a directory is in its place" : "put it into place");
	unlinkat(into, draft, 0);
	return -1;
}

static int file_open(int dir, const char *name, struct stat *about, struct error *err)
{
	auto_fd fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, about) < 0)
		return fail_errno(err, "open it");
	if (!S_ISREG(about->st_mode))
		return fail(err, ERROR_BUSY, "it was exchanged meanwhile");
	return take_fd(&fd);
}

static int file_transfer(
	struct transfer *transfer, int dir, const char *name, int into, const char *as, struct error *err)
{
	struct stat about;
	auto_fd from = file_open(dir, name, &about, err);
	char draft[DRAFT_SIZE];
	auto_fd to = -1;

	if (from < 0)
		return -1;
	if (is_of_the_kernel(from))
		return leave_out(transfer, name);
	to = draft_create(into, draft, err);
	if (to < 0)
		return -1;
	if (content_copy(from, to, about.st_size, err) < 0 || facts_set(transfer, from, to, &about, err) < 0) {
		unlinkat(into, draft, 0);
		return -1;
	}
	return draft_place(into, draft, as, err);
}

static int link_transfer(const struct transfer *transfer, int dir, const char *name, int into, const char *as,
	const struct stat *about, struct error *err)
{
	const struct timespec times[] = {about->st_atim, about->st_mtim};
	struct owner owner = owner_choose(transfer, about);
	char target[PATH_MAX], draft[DRAFT_SIZE];
	ssize_t length = readlinkat(dir, name, target, sizeof(target) - 1);

	if (length < 0)
		return fail_errno(err, "read the link");
	target[length] = '\0';
	if (draft_name(draft, err) < 0)
		return -1;
	if (symlinkat(target, into, draft) < 0)
		return fail_errno(err, "make the link");
	if (fchownat(into, draft, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) < 0 ||
		utimensat(into, draft, times, AT_SYMLINK_NOFOLLOW) < 0) {
		(void)fail_errno(err, "set the link's owner and times");
		unlinkat(into, draft, 0);
		return -1;
	}
	return draft_place(into, draft, as, err);
}

/* ---- directories ---- */

static int entry_transfer(
	struct transfer *transfer, int dir, const char *name, int into, const char *as, struct error *err);

static int level_transfer(struct transfer *transfer, int from, int to, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names;

	if (transfer->depth == DEPTH_MAX)
		return fail(err, ERROR_USAGE, "more than %d directories inside one another", DEPTH_MAX);
	if (dir_list(&arena, from, ENTRIES_MAX, &names, err) < 0)
		return -1;
	transfer->depth++;
	for (size_t i = 0; i < names.count; i++)
		if (entry_transfer(transfer, from, names.items[i], to, names.items[i], err) < 0)
			return -1;
	transfer->depth--;
	return 0;
}

static int directory_open(int dir, const char *name, struct error *err)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return fail_errno(err, "something that is no directory is in its place");
	return fd < 0 ? fail_errno(err, "open it") : fd;
}

/* One that is there keeps its owner and mode. */
static int directory_into(
	struct transfer *transfer, int from, const struct stat *about, int into, const char *as, struct error *err)
{
	bool made = mkdirat(into, as, 0700) == 0;
	auto_fd to = -1;

	if (!made && errno != EEXIST)
		return fail_errno(err, "make the directory");
	to = directory_open(into, as, err);
	if (to < 0)
		return -1;
	if (is_of_the_kernel(to))
		return leave_out(transfer, as);
	if (level_transfer(transfer, from, to, err) < 0)
		return -1;
	return made ? facts_set(transfer, from, to, about, err) : 0;
}

static int directory_transfer(
	struct transfer *transfer, int dir, const char *name, int into, const char *as, struct error *err)
{
	auto_fd from = directory_open(dir, name, err);
	struct stat about;

	if (from < 0 || fstat(from, &about) < 0)
		return from < 0 ? -1 : fail_errno(err, "stat it");
	if (is_of_the_kernel(from))
		return leave_out(transfer, name);
	return directory_into(transfer, from, &about, into, as, err);
}

static int entry_transfer(
	struct transfer *transfer, int dir, const char *name, int into, const char *as, struct error *err)
{
	struct stat about;
	int result;

	if (fstatat(dir, name, &about, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "%s: stat", name);
	switch (about.st_mode & S_IFMT) {
	case S_IFREG:
		result = file_transfer(transfer, dir, name, into, as, err);
		break;
	case S_IFDIR:
		result = directory_transfer(transfer, dir, name, into, as, err);
		break;
	case S_IFLNK:
		result = link_transfer(transfer, dir, name, into, as, &about, err);
		break;
	default:
		return leave_out(transfer, name);
	}
	return result < 0 ? blame(err, "%s", name) : 0;
}

/* ---- the four cases ---- */

static int content_into(struct transfer *transfer, const struct transfer_place *from, const struct transfer_place *to,
	struct error *err)
{
	struct stat about;

	const char *as = to->name ? to->name : from->as;

	if (!as)
		return level_transfer(transfer, from->dir, to->dir, err);
	if (fstat(from->dir, &about) < 0)
		return fail_errno(err, "stat the directory");
	return directory_into(transfer, from->dir, &about, to->dir, as, err);
}

static int named_into(struct transfer *transfer, const struct transfer_place *from, const struct transfer_place *to,
	struct error *err)
{
	const char *as = to->name ? to->name : from->as;
	struct stat about;

	if (fstatat(from->dir, from->name, &about, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "%s: stat", from->name);
	if (!S_ISDIR(about.st_mode) && from->wants_directory)
		return fail(err, ERROR_USAGE, "%s/: it is no directory", from->name);
	if (!S_ISDIR(about.st_mode) && to->name && to->wants_directory)
		return fail(err, ERROR_MISSING, "%s/: there is no such directory", to->name);
	return entry_transfer(transfer, from->dir, from->name, to->dir, as, err);
}

int transfer_run(const struct transfer_place *from, const struct transfer_place *to, bool archive, struct error *err)
{
	struct transfer transfer = {.from = from->side, .to = to->side, .archive = archive};
	uid_t maker = to->side->id_base;
	int result;

	if (is_of_the_kernel(from->dir) || is_of_the_kernel(to->dir))
		return fail(err, ERROR_USAGE, "on a file system of the kernel's own nothing is copied");
	if (filesystem_ids_take(maker, err) < 0)
		return -1;
	result = from->name ? named_into(&transfer, from, to, err) : content_into(&transfer, from, to, err);
	filesystem_ids_restore(maker);
	if (transfer.left_out)
		log_warn("left out: %s and %zu more, being devices, sockets, FIFOs or the kernel's own files",
			transfer.left_out_first, transfer.left_out - 1);
	return result;
}
