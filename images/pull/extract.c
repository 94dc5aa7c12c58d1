/* One entry of an archive after the other. Later entries of the same name replace earlier ones, whatever they were. */
#include "images/pull/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/pull/checksum.h"
#include "images/pull/content.h"

#define LIMIT_BYTES (256ULL << 30)
#define LIMIT_ENTRIES 1000000ULL
#define ID_MAX 4294967294LL

#define RESERVE_PERCENT 5
#define RESERVE_MAX (512ULL << 20)
#define RESERVE_EVERY (64ULL << 20)

void extract_begin(struct extract *extract, int root, bool base, const struct layer_limits *limits)
{
	*extract = (struct extract){.root = root, .base = base, .limits = *limits, .parent = -1};
	if (!limits->bytes)
		extract->limits.bytes = LIMIT_BYTES;
	if (!limits->entries)
		extract->limits.entries = LIMIT_ENTRIES;
}

void extract_drop(struct extract *extract)
{
	extract_parent_forget(extract);
	arena_drop(&extract->arena);
	free(extract->directories);
	extract->directories = NULL;
}

void extract_leave_out(struct extract *extract, const char *format, ...)
{
	va_list args;

	if (extract->left_out++)
		return;
	va_start(args, format);
	vsnprintf(extract->left_out_first, sizeof(extract->left_out_first), format, args);
	va_end(args);
}

int extract_count(struct extract *extract, const char *path, struct error *err)
{
	if (++extract->entries > extract->limits.entries)
		return fail(err, ERROR_USAGE, "%.200s: more than %llu entries", path,
			(unsigned long long)extract->limits.entries);
	return 0;
}

/* What is left of the file system must not be eaten up by an image: the smaller of 5 % and 512 MiB stays free. */
static int reserve_check(struct extract *extract, struct error *err)
{
	struct statfs status;
	uint64_t reserve, left;

	if (fstatfs(extract->root, &status) < 0)
		return fail_errno(err, "look at the store's file system");
	reserve = status.f_blocks * (uint64_t)status.f_bsize / 100 * RESERVE_PERCENT;
	left = status.f_bavail * (uint64_t)status.f_bsize;
	if (left >= (reserve < RESERVE_MAX ? reserve : RESERVE_MAX))
		return 0;
	errno = ENOSPC;
	return fail_errno(err, "only %llu MiB are left in the store's file system", (unsigned long long)(left >> 20));
}

static int bytes_count(struct extract *extract, const char *path, int64_t size, struct error *err)
{
	if (size < 0 || (uint64_t)size > extract->limits.bytes - extract->bytes)
		return fail(err, ERROR_USAGE, "%.200s: the files are larger than %llu bytes together", path,
			(unsigned long long)extract->limits.bytes);
	extract->bytes += (uint64_t)size;
	if (extract->bytes - extract->checked_bytes < RESERVE_EVERY && extract->checked_bytes)
		return 0;
	extract->checked_bytes = extract->bytes | 1;
	return reserve_check(extract, err);
}

bool extract_is_whiteout(const struct stat *status)
{
	return S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
}

int extract_replace(struct extract *extract, int dir, const char *name, struct error *err)
{
	extract->recount = true;
	return unlinkat(dir, name, 0) == 0 ? 0 : tree_remove(dir, name, err);
}

/* ---- owner, mode, time, attributes ---- */

/* chown(2) takes set-id bits away, so they come after it; a mode of plain permissions was right from the beginning. */
static int owner_set(int dir, const char *name, const struct extract_entry *entry, struct error *err)
{
	bool owned = entry->uid || entry->gid, link = S_ISLNK(entry->mode);

	if (owned && fchownat(dir, name, (uid_t)entry->uid, (gid_t)entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "set the owner");
	if (!link && (entry->mode & 07000) && fchmodat(dir, name, entry->mode & 07777, 0) < 0)
		return fail_errno(err, "set the mode");
	return 0;
}

static int file_owner_set(int fd, const struct extract_entry *entry, struct error *err)
{
	if ((entry->uid || entry->gid) && fchown(fd, (uid_t)entry->uid, (gid_t)entry->gid) < 0)
		return fail_errno(err, "set the owner");
	if ((entry->mode & 07000) && fchmod(fd, entry->mode & 07777) < 0)
		return fail_errno(err, "set the mode");
	return 0;
}

/* A time that the file system cannot keep is cut by the kernel; that no layer fails for its clock is meant so. */
static void time_set(int dir, const char *name, const struct timespec *mtime)
{
	struct timespec times[2] = {*mtime, *mtime};

	if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return;
}

static void file_time_set(int fd, const struct timespec *mtime)
{
	struct timespec times[2] = {*mtime, *mtime};

	if (futimens(fd, times) < 0)
		return;
}

static struct stat status_of(const struct extract_entry *entry)
{
	return (struct stat){
		.st_mode = entry->mode & (S_IFMT | 07777),
		.st_uid = (uid_t)entry->uid,
		.st_gid = (gid_t)entry->gid,
		.st_size = entry->size,
	};
}

/* ---- regular files ---- */

static int piece_write(int fd, const void *bytes, size_t length, int64_t offset, struct error *err)
{
	const uint8_t *next = bytes;

	while (length) {
		ssize_t put = pwrite(fd, next, length, offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return fail_errno(err, "write");
		next += put;
		length -= (size_t)put;
		offset += put;
	}
	return 0;
}

struct written {
	int64_t end;
	uint32_t checksum;
	bool holes;
};

static int data_write(int fd, const struct extract_entry *entry, struct written *written, struct error *err)
{
	const void *bytes;
	int64_t offset;
	size_t length;
	int more;

	while ((more = entry->data->next(entry->data, &bytes, &length, &offset, err)) > 0) {
		if (offset < written->end || offset > entry->size || length > (uint64_t)(entry->size - offset))
			return fail(err, ERROR_USAGE, "its content does not fit its size");
		if (piece_write(fd, bytes, length, offset, err) < 0)
			return -1;
		written->holes |= offset != written->end;
		written->checksum = checksum_add(written->checksum, bytes, length);
		written->end = offset + (int64_t)length;
	}
	return more;
}

static int content_write(int fd, const struct extract_entry *entry, struct written *written, struct error *err)
{
	if (entry->size && data_write(fd, entry, written, err) < 0)
		return -1;
	if (written->end == entry->size)
		return 0;
	written->holes = true;
	return ftruncate(fd, entry->size) < 0 ? fail_errno(err, "make %lld bytes long", (long long)entry->size) : 0;
}

/* A name that is there already is replaced, and then the call is made again. Made once more only: nobody else is here.
 */
#define AGAIN_WHEN_THERE(call, extract, dir, name, err)                                                                \
	({                                                                                                             \
		int made_ = (call);                                                                                    \
		if (made_ < 0 && errno == EEXIST)                                                                      \
			made_ = extract_replace(extract, dir, name, err) < 0 ? -2 : (call);                            \
		made_;                                                                                                 \
	})

static int file_make(
	struct extract *extract, int dir, const char *name, const struct extract_entry *entry, struct error *err)
{
	struct written written = {0};
	struct stat status = status_of(entry);
	auto_fd fd = -1;

	if (bytes_count(extract, entry->path, entry->size, err) < 0)
		return -1;
	fd = AGAIN_WHEN_THERE(
		openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, entry->mode & 0777), extract,
		dir, name, err);
	if (fd < 0)
		return fd == -2 ? -1 : fail_errno(err, "make");
	if (content_write(fd, entry, &written, err) < 0 || file_owner_set(fd, entry, err) < 0 ||
		extract_attributes(extract, fd, entry, err) < 0)
		return -1;
	file_time_set(fd, &entry->mtime);
	if (written.holes)
		return content_add_existing(&extract->content, dir, name, err);
	content_add(&extract->content, name, &status, written.checksum);
	return 0;
}

/* ---- the other kinds ---- */

static int symlink_make(
	struct extract *extract, int dir, const char *name, const struct extract_entry *entry, struct error *err)
{
	struct stat status = status_of(entry);
	int made;

	if (!entry->symlink || !*entry->symlink || strlen(entry->symlink) > EXTRACT_PATH_MAX)
		return fail(err, ERROR_USAGE, "a symbolic link needs a target of 1 to %d bytes", EXTRACT_PATH_MAX);
	made = AGAIN_WHEN_THERE(symlinkat(entry->symlink, dir, name), extract, dir, name, err);
	if (made < 0)
		return made == -2 ? -1 : fail_errno(err, "make the link");
	if (owner_set(dir, name, entry, err) < 0)
		return -1;
	time_set(dir, name, &entry->mtime);
	status.st_mode = S_IFLNK | 0777; /* whatever the archive says */
	content_add(&extract->content, name, &status, checksum_add(0, entry->symlink, strlen(entry->symlink)));
	return 0;
}

static int fifo_make(
	struct extract *extract, int dir, const char *name, const struct extract_entry *entry, struct error *err)
{
	struct stat status = status_of(entry);
	int made = AGAIN_WHEN_THERE(mknodat(dir, name, S_IFIFO | (entry->mode & 0777), 0), extract, dir, name, err);

	if (made < 0)
		return made == -2 ? -1 : fail_errno(err, "make the FIFO");
	if (owner_set(dir, name, entry, err) < 0)
		return -1;
	time_set(dir, name, &entry->mtime);
	content_add(&extract->content, name, &status, 0);
	return 0;
}

/* An instance has a /dev of its own, and its root is mounted nodev. The marks of overlay file systems (0:0) are devices
 * too, and never taken from an archive. */
static int device_pass(
	struct extract *extract, int dir, const char *name, const struct extract_entry *entry, struct error *err)
{
	(void)dir, (void)name, (void)err;
	extract_leave_out(extract, "%.120s: %s", entry->path, S_ISSOCK(entry->mode) ? "a socket" : "a device");
	return 0;
}

static int hard_link_make(
	struct extract *extract, int dir, const char *name, const struct extract_entry *entry, struct error *err)
{
	char target[EXTRACT_PATH_MAX + 1];
	const char *target_name;
	struct stat from, there;
	auto_fd target_dir = -1;
	int made;

	if (extract_path_clean("hard link", entry->hard_link, target, err) < 0)
		return -1;
	target_dir = extract_parent_existing(extract, target, &target_name);
	if (target_dir < 0 || !*target_name || fstatat(target_dir, target_name, &from, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(
			err, ERROR_USAGE, "a hard link to \"%.200s\", which is not in the archive before it", target);
	if (S_ISDIR(from.st_mode) || extract_is_whiteout(&from))
		return fail(err, ERROR_USAGE, "a hard link to \"%.200s\", which is no file", target);
	if (fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_ino == from.st_ino)
		return 0; /* itself: replacing it would lose it */
	made = AGAIN_WHEN_THERE(linkat(target_dir, target_name, dir, name, 0), extract, dir, name, err);
	if (made < 0)
		return made == -2 ? -1 : fail_errno(err, "link to %.200s", target);
	return content_add_existing(&extract->content, dir, name, err);
}

/* ---- directories ---- */

static void directory_note(struct extract *extract, const char *path, const struct timespec *mtime)
{
	if (extract->directory_count == extract->directory_room) {
		size_t room = extract->directory_room ? extract->directory_room * 2 : 256;
		void *grown = reallocarray(extract->directories, room, sizeof(*extract->directories));

		if (!grown)
			memory_exhausted();
		extract->directories = grown;
		extract->directory_room = room;
	}
	extract->directories[extract->directory_count++] =
		(struct extract_directory){.path = arena_string(&extract->arena, path), .mtime = *mtime};
}

int extract_reopen(struct extract *extract, int dir, const char *name, const char *path, struct error *err)
{
	if (extract_replace(extract, dir, name, err) < 0)
		return -1;
	if (mkdirat(dir, name, 0755) < 0)
		return fail_errno(err, "make directory %.200s", path);
	strings_add(&extract->arena, &extract->opaque, arena_string(&extract->arena, path));
	extract->overlay_marks = true;
	return 0;
}

/* A directory upon a directory is the same one, with another mode and owner. 1: it was made now. */
static int directory_place(
	struct extract *extract, int dir, const char *name, const char *path, mode_t mode, struct error *err)
{
	struct stat status;

	if (mkdirat(dir, name, mode) == 0)
		return 1;
	if (errno != EEXIST || fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "make the directory");
	if (S_ISDIR(status.st_mode))
		return 0;
	if (extract_is_whiteout(&status))
		return extract_reopen(extract, dir, name, path, err) < 0 ? -1 : 1;
	if (extract_replace(extract, dir, name, err) < 0)
		return -1;
	return mkdirat(dir, name, mode) < 0 ? fail_errno(err, "make the directory") : 1;
}

static int directory_dress(
	struct extract *extract, int dir, const char *name, const struct extract_entry *entry, struct error *err)
{
	auto_fd fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(err, "open the directory");
	if (fchown(fd, (uid_t)entry->uid, (gid_t)entry->gid) < 0)
		return fail_errno(err, "set the owner");
	if (fchmod(fd, entry->mode & 07777) < 0)
		return fail_errno(err, "set the mode");
	return extract_attributes(extract, fd, entry, err);
}

static int directory_make(struct extract *extract, int dir, const char *name, const struct extract_entry *entry,
	const char *path, struct error *err)
{
	int made = *name ? directory_place(extract, dir, name, path, entry->mode & 0777, err) : 0;

	if (made < 0)
		return -1;
	if (made)
		content_add_directory(&extract->content);
	directory_note(extract, path, &entry->mtime);
	if (made && !entry->uid && !entry->gid && !(entry->mode & 07000) && !entry->attribute_count)
		return 0;
	return directory_dress(extract, dir, *name ? name : ".", entry, err);
}

/* ---- the table of kinds ---- */

static const struct maker {
	mode_t kind;
	int (*make)(struct extract *extract, int dir, const char *name, const struct extract_entry *entry,
		struct error *err);
} makers[] = {
	{S_IFREG, file_make},
	{S_IFLNK, symlink_make},
	{S_IFIFO, fifo_make},
	{S_IFCHR, device_pass},
	{S_IFBLK, device_pass},
	{S_IFSOCK, device_pass},
};

static int entry_make(struct extract *extract, const struct extract_entry *entry, const char *path, struct error *err)
{
	const char *name;
	int dir = extract_parent(extract, path, &name, err);

	if (dir < 0)
		return -1;
	if (S_ISDIR(entry->mode) && !entry->hard_link)
		return directory_make(extract, dir, name, entry, path, err);
	if (!*name)
		return fail(err, ERROR_USAGE, "the root of an image can only be a directory");
	if (entry->hard_link)
		return hard_link_make(extract, dir, name, entry, err);
	for (size_t i = 0; i < ARRAY_SIZE(makers); i++)
		if (makers[i].kind == (entry->mode & S_IFMT))
			return makers[i].make(extract, dir, name, entry, err);
	return fail(err, ERROR_USAGE, "its kind (mode 0%o) is unknown", entry->mode);
}

static int owner_check(const char *what, int64_t id, struct error *err)
{
	if (id < 0 || id > ID_MAX)
		return fail(err, ERROR_USAGE, "%s %lld is no user or group number", what, (long long)id);
	return 0;
}

int extract_entry(struct extract *extract, const struct extract_entry *entry, struct error *err)
{
	char path[EXTRACT_PATH_MAX + 1];
	int mark;

	if (extract_count(extract, entry->path, err) < 0 || extract_path_clean("path", entry->path, path, err) < 0)
		return -1;
	if (owner_check("uid", entry->uid, err) < 0 || owner_check("gid", entry->gid, err) < 0)
		return blame(err, "%.200s", entry->path);
	mark = extract_whiteout(extract, path, err);
	if (mark)
		return mark < 0 ? blame(err, "%.200s", entry->path) : 0;
	return entry_make(extract, entry, path, err) < 0 ? blame(err, "%.200s", path) : 0;
}
