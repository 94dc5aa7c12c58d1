/* Directories, files and links of an image that is being made. */
#include "images/overlay/tree.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "images/overlay/upper.h"

/* The parent directory; -1 with *left_out when there can be none. */
static int parent_open(int root, const char *path, const char **name, bool *left_out, struct error *err)
{
	int parent = upper_parent_open(root, path, name, err);

	*left_out = parent < 0 && (err->errnum == ENOTDIR || err->errnum == ELOOP);
	if (*left_out)
		log_debug("left out of the image: %s", err->text);
	return parent;
}

int tree_directory(int root, const char *path, mode_t mode, uid_t uid, gid_t gid, struct error *err)
{
	const char *name;
	bool left_out;
	auto_fd parent = parent_open(root, path, &name, &left_out, err);
	auto_fd dir = -1;

	if (parent < 0)
		return left_out ? 0 : -1;
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return fail_errno(err, "make %s", path);
	dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOTDIR || errno == ELOOP ? 0 : fail_errno(err, "open %s", path);
	if (fchown(dir, uid, gid) < 0 || fchmod(dir, mode) < 0)
		return fail_errno(err, "set owner and mode of %s", path);
	return 0;
}

int tree_file(int root, const char *path, mode_t mode, const char *content, size_t length, struct error *err)
{
	const char *name;
	bool left_out;
	auto_fd parent = parent_open(root, path, &name, &left_out, err);
	auto_fd fd = -1;

	if (parent < 0)
		return left_out ? 0 : -1;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? 0 : fail_errno(err, "make %s", path);
	if (write_all(fd, content, length) < 0 || fchmod(fd, mode) < 0)
		return fail_errno(err, "write %s", path);
	return 0;
}

int tree_link(int root, const char *path, const char *target, struct error *err)
{
	const char *name;
	bool left_out;
	auto_fd parent = parent_open(root, path, &name, &left_out, err);

	if (parent < 0)
		return left_out ? 0 : -1;
	if (symlinkat(target, parent, name) < 0 && errno != EEXIST)
		return fail_errno(err, "link %s", path);
	return 0;
}
