/* Making a cgroup with its limits, and changing them.
 *
 * v1: one directory in each hierarchy that is needed. v2: one directory; controllers that are needed and not yet there
 * are enabled in cgroup.subtree_control from the base downwards. Whether they are there is asked of the new directory
 * (one file), so of a thousand instances below one parent only the first writes anything into it.
 *
 * A failure removes what this call has made, and nothing else. Controllers it enabled in parents stay enabled: somebody
 * else may rely on them by now. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cgroups/knobs.h"
#include "cgroups/layout.h"
#include "cgroups/limits.h"
#include "cgroups/tree.h"

#define ENABLE_TRIES 8

/* One cgroup_create() or cgroup_set() under way. */
struct making {
	struct cgroup *cgroup;
	bool may_exist, must_be_empty, existed;
	bool parents_missing;		      /* in the hierarchy before: then mostly in the next, too */
	struct made made[CGROUP_CONTROLLERS]; /* v2: the first */
};

static void making_undo(struct making *making)
{
	const struct cgroup *cgroup = making->cgroup;
	const struct cgroup_host *host = cgroup->host;

	if (host_is_v2(host))
		dirs_unmake(host->unified, cgroup->path, &making->made[0]);
	for (int c = CGROUP_CONTROLLERS - 1; c >= 0; c--)
		if (host->hierarchy[c] >= 0)
			dirs_unmake(host->hierarchy[c], cgroup->path, &making->made[c]);
}

/* The directory in one hierarchy; notes what is new. */
static int make_directory(struct making *making, int root, struct made *made, struct error *err)
{
	const char *path = making->cgroup->path;

	if (dirs_make(root, path, making->parents_missing, made, err) < 0)
		return -1;
	making->parents_missing = made->parents > 0;
	making->existed |= !made->leaf;
	if (!made->leaf && !making->may_exist)
		return fail(err, ERROR_BUSY, "it exists already");
	return 0;
}

static int make_v1(struct making *making, enum cgroup_controller controller, struct error *err)
{
	struct cgroup *cgroup = making->cgroup;
	const struct cgroup_host *host = cgroup->host;
	int root = host->hierarchy[controller];

	if (cgroup->hierarchy[controller] >= 0)
		return 0;
	if (make_directory(making, root, &making->made[controller], err) < 0)
		return blame(err, "%s hierarchy", controller_v1_name(controller));
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (c == CGROUP_CPUSET && host->hierarchy[c] >= 0 && host->number[c] == host->number[controller] &&
			cpuset_fill(root, cgroup->path, err) < 0)
			return -1;
	if (handle_open_v1(cgroup, controller) < 0)
		return fail_errno(err, "open the directory in the %s hierarchy", controller_v1_name(controller));
	return 0;
}

static int make_all_v1(struct making *making, unsigned controllers, struct error *err)
{
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (controllers & 1U << c && make_v1(making, (enum cgroup_controller)c, err) < 0)
			return -1;
	return 0;
}

/* What others have made in hierarchies that we do not need: what is there is killed, thawed and removed with ours. */
static void find_others_v1(struct making *making)
{
	struct cgroup *cgroup = making->cgroup;

	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (cgroup->host->hierarchy[c] >= 0 && cgroup->hierarchy[c] < 0 &&
			handle_open_v1(cgroup, (enum cgroup_controller)c) == 0)
			making->existed = true;
}

/* --- v2: controllers ---------------------------------------------------------------------------------------------- */

static void controllers_format(unsigned controllers, char *text, size_t size)
{
	size_t length = 0;

	text[0] = '\0';
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (controllers & 1U << c)
			length += (size_t)snprintf(text + length, size - length, "%s+%s", length ? " " : "",
				cgroup_controller_name((enum cgroup_controller)c));
}

/* Hands controllers to the children of a directory. Below a cgroup with processes the kernel refuses memory and io
 * (EBUSY); cpu, cpuset and pids it hands down all the same, but makes the children "domain invalid", which nobody can
 * enter (seen on 6.1). So that is looked for here; the base, which may be where we were started, is left by us. */
static int controllers_hand_down(int dir, const char *name, unsigned controllers, struct error *err)
{
	static const char file[] = "cgroup.subtree_control";
	unsigned missing = controllers & ~controllers_read(dir, file);
	bool is_base = strcmp(name, ".") == 0;
	char wanted[128];

	if (!missing)
		return 0;
	controllers_format(missing, wanted, sizeof(wanted));
	if (directory_is_inhabited(dir)) {
		if (!is_base)
			return fail(err, ERROR_BUSY,
				"write \"%s\" to %s/%s: a cgroup with processes of its own cannot hand controllers "
				"to children; move them into a child first",
				wanted, name, file);
		if (base_vacate(dir, err) < 0)
			return blame(err, "write \"%s\" to %s", wanted, file);
	}
	return knob_write(dir, file, wanted) < 0 ? fail_errno(err, "write \"%s\" to %s/%s", wanted, name, file) : 0;
}

/* From the base to the parent of the last component. */
static int controllers_pass(const struct cgroup *cgroup, unsigned controllers, struct error *err)
{
	const char *path = cgroup->path;
	char prefix[CGROUP_PATH_MAX + 1];

	if (controllers_hand_down(cgroup->host->unified, ".", controllers, err) < 0)
		return -1;
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		auto_fd dir = -1;

		path_prefix(path, (size_t)(slash - path), prefix);
		dir = cgroup_dir_open(cgroup->host->unified, prefix);
		if (dir < 0)
			return fail_errno(err, "open %s", prefix);
		if (controllers_hand_down(dir, prefix, controllers, err) < 0)
			return -1;
	}
	return 0;
}

/* systemd takes controllers back that it knows no use for, which the kernel refuses once a child hands them on: it may
 * come between our two writes, then the second finds the controller gone (ENOENT). */
static int controllers_enable(const struct cgroup *cgroup, unsigned controllers, struct error *err)
{
	unsigned missing = controllers & ~controllers_read(cgroup->unified, "cgroup.controllers");
	int result = 0;

	for (int tries = 0; missing && tries < ENABLE_TRIES; tries++) {
		result = controllers_pass(cgroup, missing, err);
		if (result == 0 || err->errnum != ENOENT)
			break;
	}
	return result;
}

static int make_v2(struct making *making, unsigned controllers, struct error *err)
{
	struct cgroup *cgroup = making->cgroup;

	if (make_directory(making, cgroup->host->unified, &making->made[0], err) < 0)
		return -1;
	cgroup->unified = cgroup_dir_open(cgroup->host->unified, cgroup->path);
	if (cgroup->unified < 0)
		return fail_errno(err, "open the directory");
	return controllers_enable(cgroup, controllers, err);
}

/* --- create and set ----------------------------------------------------------------------------------------------- */

/* Where figures come from. On v1 a directory each; on v2 controllers without a limit cost next to nothing. */
static unsigned accounting_controllers(const struct cgroup_host *host)
{
	unsigned wanted = 1U << CGROUP_MEMORY | 1U << CGROUP_PIDS;
	unsigned found = 0;

	wanted |= host_is_v2(host) ? 1U << CGROUP_IO : 1U << CGROUP_CPUACCT;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (wanted & 1U << c && host->available[c])
			found |= 1U << c;
	return found;
}

static unsigned all_controllers(const struct cgroup_host *host)
{
	unsigned found = 0;

	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (c != CGROUP_DEVICES && c != CGROUP_FREEZER && host->available[c])
			found |= 1U << c;
	return found;
}

/* journal: of a cgroup that may have limits already; NULL: it is new. */
static int limits_put(
	struct cgroup *cgroup, const struct cgroup_limits *limits, struct cgroup_journal *journal, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct limits_now now = journal ? limits_now_read(cgroup, limits) : limits_fresh;
	struct knobs knobs;

	if (limits_compile(cgroup->host, limits, &now, &arena, &knobs, err) < 0)
		return -1;
	return limits_write(cgroup, limits, &knobs, journal, err);
}

static int making_write(struct making *making, const struct cgroup_limits *limits, struct error *err)
{
	AUTO(cgroup_journal_drop) struct cgroup_journal journal = {0};

	if (limits_put(making->cgroup, limits, making->existed ? &journal : NULL, err) == 0)
		return 0;
	cgroup_journal_undo(&journal);
	return -1;
}

static int needed_controllers(
	const struct cgroup_host *host, const struct cgroup_limits *limits, unsigned *out, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct knobs knobs;

	if (cgroup_limits_check(host, limits, err) < 0 ||
		limits_compile(host, limits, &limits_fresh, &arena, &knobs, err) < 0)
		return -1;
	*out = limits_controllers(host, limits, &knobs);
	return 0;
}

static int making_do(struct making *making, const struct cgroup_limits *limits, unsigned controllers, struct error *err)
{
	const struct cgroup_host *host = making->cgroup->host;

	if (host_is_v2(host) && make_v2(making, controllers, err) < 0)
		return -1;
	if (!host_is_v2(host) && make_all_v1(making, controllers, err) < 0)
		return -1;
	if (!host_is_v2(host) && making->must_be_empty)
		find_others_v1(making);
	/* Whoever enters it would stand still with it. */
	if (making->existed && cgroup_is_frozen(making->cgroup))
		return fail(err, ERROR_BUSY, "it exists already and is frozen");
	if (making->existed && making->must_be_empty && cgroup_is_populated(making->cgroup))
		return fail(err, ERROR_BUSY, "it exists already and has processes of others");
	return making_write(making, limits, err);
}

int cgroup_create(const struct cgroup_host *host, const char *path, const struct cgroup_limits *limits, unsigned flags,
	struct cgroup *out, struct error *err)
{
	struct making making = {
		.cgroup = out, .may_exist = flags & CGROUP_MAY_EXIST, .must_be_empty = flags & CGROUP_MUST_BE_EMPTY};
	unsigned controllers;

	if (cgroup_path_check(path, err) < 0 || needed_controllers(host, limits, &controllers, err) < 0)
		return -1;
	if (flags & CGROUP_ACCOUNTING)
		controllers |= accounting_controllers(host);
	if (flags & CGROUP_ALL_CONTROLLERS && host_is_v2(host))
		controllers |= all_controllers(host);
	handle_start(out, host, path);
	if (making_do(&making, limits, controllers, err) == 0) {
		out->fresh = !making.existed;
		return 0;
	}
	blame(err, "cgroup %s", path);
	making_undo(&making);
	cgroup_drop(out);
	return -1;
}

int cgroup_extend(struct cgroup *cgroup, enum cgroup_controller controller, struct error *err)
{
	struct making making = {.cgroup = cgroup, .may_exist = true};

	if (make_v1(&making, controller, err) == 0)
		return 0;
	making_undo(&making);
	return -1;
}

int cgroup_extend_and_move(struct cgroup *cgroup, enum cgroup_controller controller, struct error *err)
{
	if (cgroup_extend(cgroup, controller, err) < 0)
		return -1;
	return processes_move(cgroup, cgroup->hierarchy[controller], err);
}

static void hierarchies_leave(struct making *making, unsigned added)
{
	making_undo(making);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (added & 1U << c)
			fd_drop(&making->cgroup->hierarchy[c]);
}

/* Those that are opened now and were not before, each with all that are mounted together with it. */
static unsigned hierarchies_open(const struct cgroup *cgroup)
{
	unsigned open = 0;

	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		open |= cgroup->hierarchy[c] >= 0 ? 1U << c : 0;
	return open;
}

/* The new hierarchies get their limits first and their processes then: nothing runs there unlimited. */
static int change_v1(struct cgroup *cgroup, const struct cgroup_limits *limits, unsigned controllers,
	struct cgroup_journal *journal, struct error *err)
{
	struct making making = {.cgroup = cgroup, .may_exist = true};
	unsigned before = hierarchies_open(cgroup), added;

	if (make_all_v1(&making, controllers, err) < 0 || limits_put(cgroup, limits, journal, err) < 0) {
		cgroup_journal_undo(journal);
		hierarchies_leave(&making, hierarchies_open(cgroup) & ~before);
		return -1;
	}
	added = hierarchies_open(cgroup) & ~before;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (added & 1U << c && hierarchy_is_first(cgroup->host, (enum cgroup_controller)c) &&
			processes_move(cgroup, cgroup->hierarchy[c], err) < 0)
			return -1;
	return 0;
}

static int change_v2(struct cgroup *cgroup, const struct cgroup_limits *limits, unsigned controllers,
	struct cgroup_journal *journal, struct error *err)
{
	if (controllers_enable(cgroup, controllers, err) < 0)
		return -1;
	if (limits_put(cgroup, limits, journal, err) == 0)
		return 0;
	cgroup_journal_undo(journal);
	return -1;
}

int cgroup_change(
	struct cgroup *cgroup, const struct cgroup_limits *limits, struct cgroup_journal *journal, struct error *err)
{
	bool v2 = host_is_v2(cgroup->host);
	unsigned controllers;

	if (needed_controllers(cgroup->host, limits, &controllers, err) < 0)
		return blame(err, "cgroup %s", cgroup->path);
	if ((v2 ? change_v2 : change_v1)(cgroup, limits, controllers, journal, err) < 0)
		return blame(err, "cgroup %s", cgroup->path);
	return 0;
}

int cgroup_set(struct cgroup *cgroup, const struct cgroup_limits *limits, struct error *err)
{
	AUTO(cgroup_journal_drop) struct cgroup_journal journal = {0};

	return cgroup_change(cgroup, limits, &journal, err);
}
