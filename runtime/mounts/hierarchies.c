/* The hierarchies of cgroup v1 inside a container: the ones that its cgroup lies in, each showing that cgroup. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "runtime/mounts/mounts.h"

/* "4:memory:/warren/web-1" → "memory", when the path ends in our cgroup's. */
static bool hierarchy_parse(char *line, const char *cgroup_path, struct hierarchy *out)
{
	char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
	size_t wanted = strlen(cgroup_path), length;

	if (!path || path == controllers + 1) /* "0::/…" is the v2 hierarchy */
		return false;
	*path++ = '\0';
	length = strlen(path);
	if (length < wanted || strcmp(path + length - wanted, cgroup_path) != 0)
		return false;
	return (size_t)snprintf(out->controllers, sizeof(out->controllers), "%s", controllers + 1) <
	       sizeof(out->controllers);
}

int mounts_note_hierarchies(struct mounts *mounts, const char *cgroup_path, struct error *err)
{
	auto_fd fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	char content[4096], *rest = content, *line;
	ssize_t length;

	if (fd < 0)
		return fail_errno(err, "open /proc/self/cgroup");
	length = read_retried(fd, content, sizeof(content) - 1);
	if (length < 0)
		return fail_errno(err, "read /proc/self/cgroup");
	content[length] = '\0';
	while ((line = strsep(&rest, "\n")) && mounts->hierarchy_count < HIERARCHIES_MAX)
		if (hierarchy_parse(line, cgroup_path, &mounts->hierarchies[mounts->hierarchy_count]))
			mounts->hierarchy_count++;
	return 0;
}

/* By mount(2), which does at once what takes five calls by descriptor. The name is as safe: the directory that we are
 * in is new and empty. Read-only they become with it, at the end: MS_RDONLY would be asked of the hierarchy itself. */
static int hierarchy_attach(const struct hierarchy *hierarchy, uint64_t attr, struct error *err)
{
	static_assert(MOUNT_ATTR_NOSUID == MS_NOSUID && MOUNT_ATTR_NODEV == MS_NODEV && MOUNT_ATTR_NOEXEC == MS_NOEXEC,
		"both interfaces have the same flags");
	const char *name = hierarchy->controllers;
	bool is_named = text_starts_with(name, "name="); /* a hierarchy without controllers */
	char options[sizeof(hierarchy->controllers) + sizeof("none,")];

	snprintf(options, sizeof(options), "%s%s", is_named ? "none," : "", name);
	name += is_named ? strlen("name=") : 0;
	if (mkdir(name, 0755) < 0)
		return fail_errno(err, "make directory %s", name);
	if (mount("cgroup", name, "cgroup", attr & (MS_NOSUID | MS_NODEV | MS_NOEXEC), options) < 0)
		return fail_errno(err, "mount cgroup: option %s", options);
	return 0;
}

int mounts_attach_hierarchies(const struct mounts *mounts, const struct mount_item *item, int root, struct error *err)
{
	if (!mounts->hierarchy_count)
		return 0;
	if (fchdir(item->mount) < 0)
		return fail_errno(err, "enter it");
	for (size_t i = 0; i < mounts->hierarchy_count; i++)
		if (hierarchy_attach(&mounts->hierarchies[i], item->attr, err) < 0)
			return blame(err, "cgroup hierarchy %s", mounts->hierarchies[i].controllers);
	return fchdir(root) < 0 ? fail_errno(err, "return to the root") : 0;
}
