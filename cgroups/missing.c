/* Why a controller is not there, in words that say where it was looked for and who took it away.
 *
 * A controller can be absent from the kernel, switched off on its command line, bound to a hierarchy of the other
 * version (the kernel gives each to one hierarchy only), or not handed down to the cgroup where we begin. /proc/cgroups
 * tells the first three apart: name, hierarchy (0: cgroup2 or none), count, enabled. Newer kernels leave out of it what
 * v1 cannot have, so absence there is the weakest evidence and comes last. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cgroups/knobs.h"
#include "cgroups/layout.h"
#include "cgroups/tree.h"

#define TEXT_MAX ((size_t)1 << 20)

/* One line of /proc/cgroups. */
struct subsystem {
	bool listed, enabled;
	int64_t hierarchy;
};

static struct subsystem subsystem_find(const char *cgroups, const char *name)
{
	struct subsystem found = {0};
	size_t length = strlen(name);

	for (const char *line = cgroups; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		long long hierarchy;
		int enabled;

		if (strncmp(line, name, length) != 0 ||
			sscanf(line + length, "\t%lld\t%*d\t%d", &hierarchy, &enabled) != 2)
			continue;
		found = (struct subsystem){.listed = true, .enabled = enabled == 1, .hierarchy = hierarchy};
	}
	return found;
}

/* Where a v1 hierarchy with this controller is mounted; NULL: nowhere that we see. */
static const char *v1_mount_find(struct arena *arena, const char *mountinfo, enum cgroup_controller controller)
{
	struct strings lines = strings_split(arena, mountinfo, '\n');

	for (size_t i = 0; i < lines.count; i++) {
		struct cgroup_mount mount;

		if (strstr(lines.items[i], " - cgroup") &&
			cgroup_mount_parse((char *)arena_string(arena, lines.items[i]), &mount) && !mount.v2 &&
			controllers_parse(mount.options, true) & 1U << controller)
			return mount.point;
	}
	return NULL;
}

static const char *directory(struct arena *arena, const char *point, const char *path)
{
	return path[1] ? arena_format(arena, "%s%s", point, path) : point;
}

/* The first on the way down that has the controller and does not hand it on; NULL when already the root lacks it. */
static const char *stops_at(struct arena *arena, const struct missing_facts *facts, enum cgroup_controller controller)
{
	const char *path = "/", *end = facts->base;

	if (!(facts->controllers(facts->context, "/", "cgroup.controllers") & 1U << controller))
		return NULL;
	for (;;) {
		if (!(facts->controllers(facts->context, path, "cgroup.subtree_control") & 1U << controller))
			return directory(arena, facts->point, path);
		if (!*end || !end[1])
			return NULL;
		end += 1 + strcspn(end + 1, "/");
		path = arena_format(arena, "%.*s", (int)(end - facts->base), facts->base);
	}
}

static const char *reason(struct arena *arena, const struct missing_facts *facts, enum cgroup_controller controller,
	enum cgroup_mode mode)
{
	const char *name = controller_v1_name(controller);
	struct subsystem subsystem = subsystem_find(facts->cgroups, name);
	const char *mount = v1_mount_find(arena, facts->mountinfo, controller);
	const char *stop = mode == CGROUP_V2 && facts->point ? stops_at(arena, facts, controller) : NULL;

	if (stop)
		return arena_format(arena, "%s/cgroup.subtree_control does not hand it down", stop);
	if (subsystem.listed && !subsystem.enabled)
		return arena_format(arena, "switched off on the kernel's command line: cgroup_disable=%s", name);
	if (mode == CGROUP_V2 && mount)
		return arena_format(arena, "it is bound to the cgroup v1 hierarchy mounted on %s", mount);
	if (mode == CGROUP_V2 && subsystem.hierarchy)
		return arena_format(arena, "it is bound to cgroup v1 hierarchy %lld, mounted out of our sight",
			(long long)subsystem.hierarchy);
	if (mode != CGROUP_V2 && facts->point &&
		facts->controllers(facts->context, "/", "cgroup.controllers") & 1U << controller)
		return arena_format(
			arena, "it belongs to the cgroup2 mounted on %s, beside other controllers on v1", facts->point);
	if (mode != CGROUP_V2 && subsystem.hierarchy)
		return "its hierarchy exists, mounted out of our sight";
	if (mode != CGROUP_V2 && subsystem.listed)
		return arena_format(arena, "mount it: mount -t cgroup -o %s cgroup /sys/fs/cgroup/%s", name, name);
	if (subsystem.listed)
		return "whoever made the root of this hierarchy for us did not delegate it";
	return "/proc/cgroups does not list it: this kernel was built without";
}

const char *missing_explain(struct arena *arena, const struct missing_facts *facts, enum cgroup_controller controller,
	enum cgroup_mode mode)
{
	const char *why = reason(arena, facts, controller, mode);

	if (mode != CGROUP_V2)
		return arena_format(arena, "no hierarchy with \"%s\" in /proc/self/mountinfo (%s)",
			controller_v1_name(controller), why);
	return arena_format(arena, "not in %s/cgroup.controllers (%s)",
		directory(arena, facts->point ? facts->point : "", facts->base), why);
}

/* --- this host ---------------------------------------------------------------------------------------------------- */

struct looker {
	int root; /* of the mount */
};

static unsigned look(void *context, const char *path, const char *file)
{
	const struct looker *looker = context;
	auto_fd dir = cgroup_dir_open(looker->root, path[1] ? path + 1 : ".");

	return dir < 0 ? 0 : controllers_read(dir, file);
}

static const char *text_of(struct arena *arena, const char *path)
{
	struct error ignored;
	const char *text;

	return file_read(arena, AT_FDCWD, path, TEXT_MAX, &text, NULL, &ignored) < 0 ? "" : text;
}

/* The base's path below the mount point, from its descriptor. */
static const char *base_path(struct arena *arena, const struct cgroup_host *host, const char *point)
{
	char link[48], path[4096];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", host->unified);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0 || strncmp(path, point, strlen(point)) != 0)
		return "/";
	path[length] = '\0';
	return path[strlen(point)] ? arena_string(arena, path + strlen(point)) : "/";
}

static const char *cgroup2_point(struct arena *arena, const char *mountinfo)
{
	struct strings lines = strings_split(arena, mountinfo, '\n');

	for (size_t i = 0; i < lines.count; i++) {
		struct cgroup_mount mount;

		if (strstr(lines.items[i], " - cgroup2") &&
			cgroup_mount_parse((char *)arena_string(arena, lines.items[i]), &mount) && mount.v2)
			return mount.point;
	}
	return NULL;
}

const char *cgroup_controller_explain(
	struct arena *arena, const struct cgroup_host *host, enum cgroup_controller controller)
{
	struct looker looker = {.root = -1};
	struct missing_facts facts = {
		.cgroups = text_of(arena, "/proc/cgroups"),
		.mountinfo = text_of(arena, "/proc/self/mountinfo"),
		.base = "/",
		.controllers = look,
		.context = &looker,
	};
	const char *result;

	if (host->mode == CGROUP_NONE)
		return "no cgroup hierarchy in /proc/self/mountinfo (mount -t cgroup2 cgroup2 /sys/fs/cgroup)";
	facts.point = cgroup2_point(arena, facts.mountinfo);
	if (facts.point) {
		looker.root = open(facts.point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		facts.base = base_path(arena, host, facts.point);
	}
	result = missing_explain(arena, &facts, controller, host->mode);
	fd_drop(&looker.root);
	return result;
}
