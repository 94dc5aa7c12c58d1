/* Files that we write into an instance's upper layer.
 *
 * What lies there was written by the instance the last time it ran: any component may be a link that hopes we follow
 * it. So the way down is taken one directory at a time, by descriptor and without following; the file itself is made
 * beside its name and renamed over it. Ids on disk are the ids inside, whatever range the instance gets. */
#include "images/overlay/upper.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "images/overlay/quota.h"

#define LINK_TRIES 16

int upper_open(int instance, struct error *err)
{
	int upper = openat(instance, UPPER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (upper < 0)
		return fail_errno(err, "open the instance's upper layer");
	return upper;
}

/* Both, or the overlay could not rename from one into the other. */
void upper_project_make(int upper, int work)
{
	uint32_t project = project_make(upper);

	project_give(work, project);
	project_give(upper, project);
}

uint32_t upper_project(int instance)
{
	auto_fd upper = openat(instance, UPPER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return upper < 0 ? 0 : project_of(upper);
}

void upper_project_copy(int instance, int other)
{
	project_give(other, upper_project(instance));
}

static int directory_enter(int dir, const char *name, struct error *err)
{
	bool made = mkdirat(dir, name, 0755) == 0;
	auto_fd next = -1;

	if (!made && errno != EEXIST)
		return fail_errno(err, "make the directory %s", name);
	next = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0)
		return fail_errno(err, "open the directory %s", name);
	if (made && fchmod(next, 0755) < 0) /* whatever the umask */
		return fail_errno(err, "chmod the directory %s", name);
	return take_fd(&next);
}

int upper_parent_open(int upper, const char *path, const char **name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings parts;
	auto_fd dir = -1;

	if (path_check_absolute("path", path, err) < 0)
		return -1;
	parts = strings_split(&arena, path + 1, '/');
	dir = openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail_errno(err, "open the instance's upper layer");
	for (size_t i = 0; i + 1 < parts.count; i++) {
		int next = directory_enter(dir, parts.items[i], err);

		fd_drop(&dir);
		if (next < 0)
			return blame(err, "%s", path);
		dir = next;
	}
	*name = path_base(path);
	return take_fd(&dir);
}

static int file_write_in(int dir, const char *name, mode_t mode, uid_t uid, gid_t gid, const char *content,
	size_t length, struct error *err)
{
	if (file_replace(dir, name, mode & 0777, FILE_VOLATILE, content, length, err) < 0)
		return -1;
	if ((uid || gid) && fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "give the file to %u:%u", uid, gid);
	return 0;
}

int root_file_write(int instance, const char *path, mode_t mode, uid_t uid, gid_t gid, const char *content,
	size_t length, struct error *err)
{
	const char *name;
	auto_fd upper = upper_open(instance, err);
	auto_fd dir = upper < 0 ? -1 : upper_parent_open(upper, path, &name, err);

	if (dir < 0)
		return blame(err, "write %s for the instance", path);
	if (file_write_in(dir, name, mode, uid, gid, content, length, err) < 0)
		return blame(err, "write %s for the instance", path);
	return 0;
}

/* symlinkat(2) does not replace; rename does. */
static int link_replace(int dir, const char *name, const char *target, struct error *err)
{
	auto_free char *temporary = NULL;

	for (unsigned i = 0; i < LINK_TRIES; i++) {
		memory_drop(&temporary);
		temporary = text_format(".%s.%u~", name, i);
		if (symlinkat(target, dir, temporary) == 0)
			break;
		if (errno != EEXIST || i + 1 == LINK_TRIES)
			return fail_errno(err, "symlink");
		unlinkat(dir, temporary, 0);
	}
	if (renameat(dir, temporary, dir, name) == 0)
		return 0;
	fail_errno(err, "rename");
	unlinkat(dir, temporary, 0);
	return -1;
}

int root_link_write(int instance, const char *path, const char *target, struct error *err)
{
	const char *name;
	auto_fd upper = upper_open(instance, err);
	auto_fd dir = upper < 0 ? -1 : upper_parent_open(upper, path, &name, err);

	if (dir < 0 || link_replace(dir, name, target, err) < 0)
		return blame(err, "link %s to %s for the instance", path, target);
	return 0;
}
