/* Groups of resctrl. A group is a directory: `schemata` says what it may use, `tasks` takes a pid, mon_groups/ holds
 * groups that only measure. Processes that a member makes are born into its group. */
#include "runtime/namespaces/resctrl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mountinfo.h"

#define SCHEMATA_MAX ((size_t)1 << 16)

/* --- where it is mounted ------------------------------------------------------------------------------------------ */

struct finding {
	int dir;    /* -1: not found, or not opened */
	int errnum; /* why not opened */
	char *point;
};

static bool mount_find(void *context, const struct mountinfo *mount)
{
	struct finding *finding = context;

	if (!text_equal(mount->type, "resctrl"))
		return true;
	finding->dir = open(mount->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	finding->errnum = errno;
	finding->point = text_format("%s", mount->point);
	return false;
}

int resctrl_open(struct error *err)
{
	struct finding finding = {.dir = -1};
	auto_free char *point = NULL;

	if (mountinfo_each(AT_FDCWD, mount_find, &finding, err) < 0)
		return -1;
	point = finding.point;
	if (!point)
		return fail(err, ERROR_MISSING, "linux.intelRdt: no resctrl file system is mounted on this host");
	errno = finding.errnum;
	return finding.dir < 0 ? fail_errno(err, "open %s", point) : finding.dir;
}

/* --- schemata ----------------------------------------------------------------------------------------------------- */

static void lines_add(struct arena *arena, const char *text, const char *without, struct strings *out)
{
	struct strings lines = strings_split(arena, text ? text : "", '\n');

	for (size_t i = 0; i < lines.count; i++)
		if (*lines.items[i] && !(without && text_starts_with(lines.items[i], without)))
			strings_add(arena, out, lines.items[i]);
}

/* In the order of the specification: what stands in `schemata` last. */
static struct strings lines_wanted(struct arena *arena, const struct spec_rdt *rdt)
{
	struct strings lines = {0};

	lines_add(arena, rdt->cache_schema, text_is_empty(rdt->bandwidth_schema) ? NULL : "MB:", &lines);
	lines_add(arena, rdt->bandwidth_schema, NULL, &lines);
	for (size_t i = 0; i < rdt->schemata.count; i++)
		lines_add(arena, rdt->schemata.items[i], NULL, &lines);
	return lines;
}

/* "0=07f": the kernel pads with zeros and blanks. */
static bool same_share(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	if (strncmp(a, b, length) != 0 || a[length] != '=' || b[length] != '=')
		return false;
	a += length + 1;
	b += length + 1;
	a += strspn(a, " 0");
	b += strspn(b, " 0");
	return strcasecmp(a, b) == 0;
}

/* Every share of the line is in the group's line for the same resource. */
static bool line_holds(struct arena *arena, const char *line, const char *schemata)
{
	struct strings there = strings_split(arena, schemata, '\n');
	size_t name = strcspn(line, ":") + 1;

	for (size_t i = 0; i < there.count; i++) {
		const char *found = there.items[i] + strspn(there.items[i], " ");
		struct strings wanted = strings_split(arena, line + (line[name - 1] ? name : name - 1), ';');
		struct strings shares;
		size_t same = 0;

		if (strncmp(found, line, name) != 0)
			continue;
		shares = strings_split(arena, found + name, ';');
		for (size_t w = 0; w < wanted.count; w++)
			for (size_t s = 0; s < shares.count; s++)
				same += same_share(wanted.items[w], shares.items[s]);
		return same == wanted.count;
	}
	return false;
}

static int schemata_compare(
	struct arena *arena, int group, const char *name, const struct strings *lines, struct error *err)
{
	const char *schemata;

	if (file_read(arena, group, "schemata", SCHEMATA_MAX, &schemata, NULL, err) < 0)
		return -1;
	for (size_t i = 0; i < lines->count; i++)
		if (!line_holds(arena, lines->items[i], schemata))
			return fail(err, ERROR_BUSY, "group %s is there and has another schema than \"%s\"", name,
				lines->items[i]);
	return 0;
}

static int schemata_write(int group, const struct strings *lines, struct error *err)
{
	for (size_t i = 0; i < lines->count; i++)
		if (file_writef(group, "schemata", err, "%s\n", lines->items[i]) < 0)
			return blame(err, "schema \"%s\"", lines->items[i]);
	return 0;
}

/* --- groups ------------------------------------------------------------------------------------------------------- */

static bool is_root_group(const struct spec_rdt *rdt)
{
	return rdt->class && strcmp(rdt->class, "/") == 0;
}

/* The group's directory; *made: it was not there. */
static int group_open(
	int dir, const struct spec_rdt *rdt, const char *name, bool may_make, bool *made, struct error *err)
{
	if (is_root_group(rdt))
		name = ".";
	else if (may_make)
		*made = mkdirat(dir, name, 0755) == 0;
	if (may_make && !*made && errno != EEXIST && !is_root_group(rdt))
		return fail_errno(err, "make group %s", name);
	auto_fd fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail_errno(err, "group %s", name) : take_fd(&fd);
}

static int monitor_enter(int group, const char *id, pid_t pid, struct error *err)
{
	auto_fd groups = openat(group, "mon_groups", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd own = -1;

	if (groups < 0 || (mkdirat(groups, id, 0755) < 0 && errno != EEXIST))
		return fail_errno(err, "make a monitoring group");
	own = openat(groups, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (own < 0)
		return fail_errno(err, "open the monitoring group");
	return file_writef(own, "tasks", err, "%d", pid);
}

static int group_enter(struct arena *arena, int group, const char *name, const struct spec_rdt *rdt, bool made,
	const struct strings *lines, struct error *err)
{
	/* One of the container's own name is left over from nobody but an earlier one of that name. */
	if (lines->count && !made && rdt->class)
		return schemata_compare(arena, group, name, lines, err);
	return schemata_write(group, lines, err);
}

int resctrl_enter(int dir, const struct spec_rdt *rdt, const char *id, pid_t pid, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings lines = lines_wanted(&arena, rdt);
	const char *name = rdt->class ? rdt->class : id;
	bool made = false;
	auto_fd group = group_open(dir, rdt, name, !rdt->class || lines.count, &made, err);

	if (group >= 0 && group_enter(&arena, group, name, rdt, made, &lines, err) == 0 &&
		file_writef(group, "tasks", err, "%d", pid) == 0 &&
		(!rdt->monitoring || monitor_enter(group, id, pid, err) == 0))
		return 0;
	resctrl_leave(dir, rdt, id);
	if (made && unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		log_warn("linux.intelRdt: remove group %s: %s", name, strerror(errno));
	return blame(err, "linux.intelRdt");
}

static void group_remove(int dir, const char *name)
{
	if (dir >= 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		log_warn("linux.intelRdt: remove group %s: %s", name, strerror(errno));
}

void resctrl_leave(int dir, const struct spec_rdt *rdt, const char *id)
{
	struct error ignored;
	bool made = false;
	auto_fd group = rdt->monitoring && rdt->class ? group_open(dir, rdt, rdt->class, false, &made, &ignored) : -1;
	auto_fd groups = group < 0 ? -1 : openat(group, "mon_groups", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	group_remove(groups, id);
	/* Its monitoring groups go with it. */
	if (!rdt->class)
		group_remove(dir, id);
}

/* --- a change ----------------------------------------------------------------------------------------------------- */

static int change_group_open(struct resctrl_change *change, const struct spec_rdt *rdt, struct error *err)
{
	static const struct spec_rdt own;

	return group_open(change->dir, rdt ? rdt : &own, change->group, !rdt, &change->made, err);
}

/* One that ended meanwhile is in no group. */
static int tasks_enter(int group, const struct cgroup_pids *pids, struct error *err)
{
	for (size_t i = 0; i < pids->count; i++)
		if (file_writef(group, "tasks", err, "%d", pids->items[i]) < 0 && err->errnum != ESRCH)
			return -1;
	return 0;
}

static int change_do(struct arena *arena, struct resctrl_change *change, const struct spec_rdt *rdt,
	const struct strings *lines, const struct cgroup_pids *pids, struct error *err)
{
	auto_fd group = change_group_open(change, rdt, err);

	if (group < 0 || file_read(arena, group, "schemata", SCHEMATA_MAX, &change->before, NULL, err) < 0 ||
		schemata_write(group, lines, err) < 0)
		return -1;
	return rdt ? 0 : tasks_enter(group, pids, err);
}

int resctrl_change(struct arena *arena, struct resctrl_change *change, const struct spec_rdt *rdt, const char *id,
	const struct spec_rdt *wanted, const struct cgroup_pids *pids, struct error *err)
{
	struct strings lines = lines_wanted(arena, wanted);

	change->group = arena_string(arena, rdt && rdt->class ? rdt->class : id);
	if (change_do(arena, change, rdt, &lines, pids, err) == 0)
		return 0;
	resctrl_change_undo(change);
	return blame(err, "linux.intelRdt");
}

void resctrl_change_undo(struct resctrl_change *change)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *name = change->group && strcmp(change->group, "/") != 0 ? change->group : ".";
	struct strings lines = {0};
	struct error err;
	auto_fd group = -1;

	if (change->made)
		group_remove(change->dir, name);
	if (change->made || !change->before)
		return;
	group = openat(change->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	lines_add(&arena, change->before, NULL, &lines);
	if (group < 0 || schemata_write(group, &lines, &err) < 0)
		log_warn("linux.intelRdt: the schemata of group %s could not be put back", name);
}

int rdt_enter(const struct spec_rdt *rdt, const char *id, pid_t pid, struct error *err)
{
	auto_fd dir = -1;

	if (!rdt)
		return 0;
	dir = resctrl_open(err);
	return dir < 0 ? -1 : resctrl_enter(dir, rdt, id, pid, err);
}

void rdt_leave(const struct spec_rdt *rdt, const char *id)
{
	struct error ignored;
	auto_fd dir = rdt ? resctrl_open(&ignored) : -1;

	if (dir >= 0)
		resctrl_leave(dir, rdt, id);
}
