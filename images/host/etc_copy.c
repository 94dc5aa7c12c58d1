/* etc_from_host: what of the host's /etc the user wants in an instance, file by file as named, or whole directories.
 *
 * The user asked for it, so protected files come along with their mode; but never what makes the host itself (accounts,
 * keys, identity). Links are copied as links and never followed; devices, sockets and FIFOs are left out. Owners are
 * kept where ids are the same on every Debian (below 100), all else becomes root's: an id above means something else
 * inside. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "images/host/host_image.h"
#include "images/host/skeleton.h"
#include "images/overlay/upper.h"

#define ETC "/etc"
#define DEPTH_MAX 16
#define ENTRIES_MAX 8192
#define BYTES_MAX (32 << 20)
#define STATIC_IDS 100

struct copy {
	int upper;
	size_t entries, bytes; /* done so far */
	struct arena arena;
};

static void copy_drop(struct copy *copy)
{
	arena_drop(&copy->arena);
}

static uint32_t id_inside(uint32_t id)
{
	return id < STATIC_IDS ? id : 0;
}

static int file_copy(struct copy *copy, int source, const char *path, const struct stat *about, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *content, *name;
	size_t length;
	auto_fd parent = upper_parent_open(copy->upper, path, &name, err);

	if (parent < 0 || fd_read_all(&arena, source, BYTES_MAX - copy->bytes, &content, &length, err) < 0)
		return -1;
	copy->bytes += length;
	if (file_replace(parent, name, 0600, FILE_VOLATILE, content, length, err) < 0)
		return -1;
	if (fchownat(parent, name, id_inside(about->st_uid), id_inside(about->st_gid), AT_SYMLINK_NOFOLLOW) < 0 ||
		fchmodat(parent, name, about->st_mode & 0777, 0) < 0)
		return fail_errno(err, "set owner and mode");
	return 0;
}

static int directory_make(struct copy *copy, const char *path, const struct stat *about, struct error *err)
{
	const char *name;
	auto_fd parent = upper_parent_open(copy->upper, path, &name, err);
	auto_fd dir = parent < 0 ? -1 : dir_create(parent, name, 0755, err);

	if (dir < 0)
		return -1;
	if (fchown(dir, id_inside(about->st_uid), id_inside(about->st_gid)) < 0 ||
		fchmod(dir, about->st_mode & 0777) < 0)
		return fail_errno(err, "set owner and mode");
	return 0;
}

static int link_copy(struct copy *copy, int source, const char *path, struct error *err)
{
	char target[PATH_MAX];
	const char *name;
	ssize_t length = readlinkat(source, "", target, sizeof(target) - 1);
	auto_fd parent = upper_parent_open(copy->upper, path, &name, err);

	if (parent < 0)
		return -1;
	if (length < 0)
		return fail_errno(err, "readlink");
	target[length] = '\0';
	if (symlinkat(target, parent, name) < 0 && errno != EEXIST)
		return fail_errno(err, "link");
	return 0;
}

static int entry_copy(
	struct copy *copy, int dir, const char *name, const char *path, unsigned depth, struct error *err);

static int directory_copy(struct copy *copy, int source, const char *path, unsigned depth, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};

	if (depth == DEPTH_MAX)
		return fail(err, ERROR_USAGE, "more than %d directories deep", DEPTH_MAX);
	if (dir_list(&arena, source, ENTRIES_MAX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const char *below = arena_format(&arena, "%s/%s", path, names.items[i]);

		if (entry_copy(copy, source, names.items[i], below, depth + 1, err) < 0)
			return -1;
	}
	return 0;
}

/* Opens again for reading what O_PATH showed to be a plain file or directory: nothing else is ever opened. */
static int entry_reopen(int entry, bool is_directory, struct error *err)
{
	auto_free char *link = text_format("/proc/self/fd/%d", entry);
	int fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (is_directory ? O_DIRECTORY : 0));

	if (fd < 0)
		return fail_errno(err, "open");
	return fd;
}

static int content_copy(
	struct copy *copy, int entry, const char *path, const struct stat *about, unsigned depth, struct error *err)
{
	bool is_directory = S_ISDIR(about->st_mode);
	auto_fd source = -1;

	if (S_ISLNK(about->st_mode))
		return link_copy(copy, entry, path, err);
	if (!S_ISREG(about->st_mode) && !is_directory) {
		log_warn("%s is neither a file nor a directory; left out", path);
		return 0;
	}
	source = entry_reopen(entry, is_directory, err);
	if (source < 0)
		return -1;
	if (!is_directory)
		return file_copy(copy, source, path, about, err);
	return directory_make(copy, path, about, err) < 0 ? -1 : directory_copy(copy, source, path, depth, err);
}

static int entry_copy(struct copy *copy, int dir, const char *name, const char *path, unsigned depth, struct error *err)
{
	struct stat about;
	auto_fd entry = -1;

	if (etc_is_private(path)) {
		log_warn("%s is never copied into an instance; left out", path);
		return 0;
	}
	if (copy->entries++ == ENTRIES_MAX)
		return fail(err, ERROR_USAGE, "more than %d files", ENTRIES_MAX);
	entry = path_open(dir, name, O_PATH | O_NOFOLLOW, 0, err);
	if (entry < 0)
		return -1;
	if (fstat(entry, &about) < 0)
		return fail_errno(err, "stat %s", path);
	return content_copy(copy, entry, path, &about, depth, err) < 0 ? blame(err, "copy %s", path) : 0;
}

static int path_copy(struct copy *copy, int etc, const char *path, struct error *err)
{
	if (path_check_absolute("etc_from_host", path, err) < 0)
		return -1;
	if (!path_is_under(path, ETC) || text_equal(path, ETC))
		return fail(err, ERROR_USAGE, "etc_from_host: \"%s\" is not a path below %s", path, ETC);
	if (etc_is_private(path))
		return fail(err, ERROR_USAGE,
			"etc_from_host: \"%s\" is refused: accounts, keys and identity of the host stay there", path);
	if (entry_copy(copy, etc, path + strlen(ETC "/"), path, 0, err) < 0)
		return blame(err, "etc_from_host");
	return 0;
}

int etc_copy(int upper, const struct strings *paths, struct error *err)
{
	AUTO(copy_drop) struct copy copy = {.upper = upper};
	auto_fd etc = open(ETC, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (etc < 0)
		return fail_errno(err, "open %s", ETC);
	for (size_t i = 0; i < paths->count; i++)
		if (path_copy(&copy, etc, paths->items[i], err) < 0)
			return -1;
	return 0;
}
