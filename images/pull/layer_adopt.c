/* Directories that a layer's archive does not name ("a/b" without "a"): they exist in a layer below, and with its mode
 * and owner they must show. A layer that has such directories is right only above the same layers, which is what its
 * chain id says. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "images/pull/layer.h"
#include "images/store/store.h"

static int directory_open(int root, const char *path, uint64_t resolve)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};

	return path_openat2(root, path, &how);
}

/* The name of an open directory below another, when a link of the layer led there; "" when it cannot be said. */
static void path_of(int root, int directory, char out[PATH_MAX])
{
	char link[64], top[PATH_MAX], here[PATH_MAX];
	ssize_t top_length, here_length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", root);
	top_length = readlink(link, top, sizeof(top) - 1);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", directory);
	here_length = readlink(link, here, sizeof(here) - 1);
	out[0] = '\0';
	if (top_length <= 0 || here_length <= top_length + 1 || memcmp(top, here, (size_t)top_length))
		return;
	here[here_length] = '\0';
	memcpy(out, here + top_length + 1, (size_t)(here_length - top_length));
}

/* The topmost of the lower layers that has it. Something else in its place, a whiteout too, hides what is further down,
 * as does a layer that is opaque at its top: -1 with errno. */
static int lower_open(const int *lower, size_t count, const char *path)
{
	errno = ENOENT;
	while (count-- && errno == ENOENT) {
		int fd = directory_open(lower[count], path, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

		if (fd >= 0 || layer_directory_is_opaque(lower[count]))
			return fd;
	}
	return -1;
}

static int look_copy(int from, int to)
{
	struct stat status;
	struct timespec times[2];

	if (fstat(from, &status) < 0 || fchown(to, status.st_uid, status.st_gid) < 0 ||
		fchmod(to, status.st_mode & 07777) < 0)
		return -1;
	times[0] = status.st_atim;
	times[1] = status.st_mtim;
	return futimens(to, times);
}

static int directory_adopt(int directory, const char *path, const int *lower, size_t count, struct error *err)
{
	auto_fd to = directory_open(directory, path, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS), from = -1;
	char real[PATH_MAX];

	if (to < 0) {
		to = directory_open(directory, path, RESOLVE_IN_ROOT);
		if (to < 0)
			return errno == ENOENT || errno == ENOTDIR ? 0 : fail_errno(err, "open %.200s", path);
		path_of(directory, to, real);
		path = real;
	}
	from = *path ? lower_open(lower, count, path) : -1;
	if (from >= 0 && look_copy(from, to) < 0)
		return fail_errno(err, "give %.200s the look of the layer below", path);
	return 0;
}

int layer_adopt(int directory, const struct strings *implied, const int *lower, size_t count, struct error *err)
{
	if (layer_directory_is_opaque(directory))
		count = 0;
	for (size_t i = 0; i < implied->count; i++)
		if (directory_adopt(directory, implied->items[i], lower, count, err) < 0)
			return -1;
	return 0;
}
