/* Adding up what a tree holds. */
#include "images/pull/content.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/pull/checksum.h"

#define PIECE (64 << 10)
#define BLOCK 4096

/* FNV-1a, 64 bits, over text and then over numbers; scattered at the end, because sums of similar values would cancel
 * out what they have in common. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3U;
	return hash;
}

static uint64_t scatter(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9U;
	value = (value ^ value >> 27) * 0x94d049bb133111ebU;
	return value ^ value >> 31;
}

void content_add(struct layer_content *content, const char *name, const struct stat *status, uint32_t checksum)
{
	bool regular = S_ISREG(status->st_mode);
	uint64_t numbers[] = {
		status->st_mode, status->st_uid, status->st_gid, regular ? (uint64_t)status->st_size : 0, checksum};
	uint64_t hash = hash_bytes(0xcbf29ce484222325U, name, strlen(name));

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		hash = scatter(hash ^ numbers[i]) + i;
	content->sum += hash;
	content->files++;
	content->bytes += numbers[3];
	content->disk_bytes += (numbers[3] + BLOCK - 1) / BLOCK * BLOCK;
}

void content_add_directory(struct layer_content *content)
{
	content->directories++;
	content->disk_bytes += BLOCK;
}

/* Not inlined: the walk calls itself for each level, and shall not carry the buffer along. */
__attribute__((noinline)) static int file_checksum(int dir, const char *name, uint32_t *checksum, struct error *err)
{
	auto_fd fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC);
	uint8_t piece[PIECE];
	ssize_t got;

	if (fd < 0)
		return fail_errno(err, "open %s", name);
	while ((got = read_retried(fd, piece, PIECE)) > 0)
		*checksum = checksum_add(*checksum, piece, (size_t)got);
	return got < 0 ? fail_errno(err, "read %s", name) : 0;
}

__attribute__((noinline)) static int link_checksum(int dir, const char *name, uint32_t *checksum, struct error *err)
{
	char target[4096];
	ssize_t length = readlinkat(dir, name, target, sizeof(target));

	if (length < 0)
		return fail_errno(err, "read link %s", name);
	*checksum = checksum_add(0, target, (size_t)length);
	return 0;
}

static int add_with_status(
	struct layer_content *content, int dir, const char *name, const struct stat *status, struct error *err)
{
	uint32_t checksum = 0;

	if (S_ISREG(status->st_mode) && status->st_size && file_checksum(dir, name, &checksum, err) < 0)
		return -1;
	if (S_ISLNK(status->st_mode) && link_checksum(dir, name, &checksum, err) < 0)
		return -1;
	content_add(content, name, status, checksum);
	return 0;
}

int content_add_existing(struct layer_content *content, int dir, const char *name, struct error *err)
{
	struct stat status;

	if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "look at %s", name);
	return add_with_status(content, dir, name, &status, err);
}

/* ---- a tree ---- */

struct walk {
	struct layer_content *content;
	dev_t device;
	unsigned depth;
};

static void stream_drop(DIR **stream)
{
	int saved = errno;

	if (*stream)
		closedir(*stream);
	errno = saved;
}

static int adopted_measure(struct walk *walk, int directory, struct error *err);

static int subdirectory_measure(struct walk *walk, int dir, const char *name, struct error *err)
{
	int sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int result;

	if (walk->depth == CONTENT_DEPTH_MAX) {
		fd_drop(&sub);
		return fail(err, ERROR_USAGE, "more than %d directories inside one another", CONTENT_DEPTH_MAX);
	}
	content_add_directory(walk->content);
	walk->depth++;
	result = adopted_measure(walk, sub, err);
	walk->depth--;
	return result;
}

static int entry_measure(struct walk *walk, int dir, const char *name, struct error *err)
{
	struct stat status;

	if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "look at %s", name);
	if (status.st_dev != walk->device)
		return fail(err, ERROR_SYSTEM, "%s: another file system is mounted there", name);
	if (S_ISDIR(status.st_mode))
		return subdirectory_measure(walk, dir, name, err) < 0 ? blame(err, "%s", name) : 0;
	return add_with_status(walk->content, dir, name, &status, err);
}

/* One descriptor for each level: the directory is closed with its stream. */
static int adopted_measure(struct walk *walk, int directory, struct error *err)
{
	AUTO(stream_drop) DIR *stream = directory < 0 ? NULL : fdopendir(directory);
	struct dirent *entry;

	if (!stream) {
		fd_drop(&directory);
		return fail_errno(err, "open a directory");
	}
	while (errno = 0, (entry = readdir(stream))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (entry_measure(walk, dirfd(stream), entry->d_name, err) < 0)
			return -1;
	}
	return errno ? fail_errno(err, "list a directory") : 0;
}

int content_measure(int directory, struct layer_content *out, struct error *err)
{
	struct walk walk = {.content = out};
	struct stat status;

	*out = (struct layer_content){0};
	if (fstat(directory, &status) < 0)
		return fail_errno(err, "look at a layer");
	walk.device = status.st_dev;
	return adopted_measure(&walk, openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err);
}
