/* What an instance may do in a cgroup that was handed to it, and what it may not. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "cgroups/layout.h"
#include "tests/cgroups/support.h"

#define OWNER 123456 /* an instance's root, as the host counts */

/* Steps in order; the child's status is the first that did not do as expected, from 1 on. */
struct step {
	enum { MAKE, WRITE } what;
	const char *path, *text;
	int expected; /* errno; 0 success */
};

struct walk {
	int dir;
	uid_t uid;
	const struct step *steps;
	size_t count;
};

static int step_do(int dir, const struct step *step)
{
	int result = step->what == MAKE ? mkdirat(dir, step->path, 0755) : knob_write(dir, step->path, step->text);

	return result < 0 ? errno : 0;
}

static int body_walk(void *argument)
{
	const struct walk *walk = argument;

	if (walk->uid && (setresgid(walk->uid, walk->uid, walk->uid) < 0 || setresuid(walk->uid, walk->uid, walk->uid)))
		return 100;
	for (size_t i = 0; i < walk->count; i++) {
		int got = step_do(walk->dir, &walk->steps[i]);

		if (got == walk->steps[i].expected)
			continue;
		fprintf(stderr, "%s %s: %s\n", walk->steps[i].path, walk->steps[i].text ? walk->steps[i].text : "",
			strerror(got));
		return (int)i + 1;
	}
	return 0;
}

#define WALK(box, uid_, ...)                                                                                           \
	child_run(&(box).cgroup, body_walk,                                                                            \
		&(struct walk){(box).cgroup.unified, uid_, (const struct step[]){__VA_ARGS__},                         \
			sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step)})

TEST(delegate, lets_the_owner_make_groups_and_hand_controllers_down_but_change_no_limit)
{
	BOX(box);
	struct error err;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(50)}, CGROUP_ALL_CONTROLLERS);
	ASSERT_OK(cgroup_delegate(&box.cgroup, OWNER, OWNER, &err));
	int status = WALK(box, OWNER, {MAKE, "leaf", NULL, 0}, {WRITE, "leaf/cgroup.procs", "0", 0},
		{WRITE, "cgroup.subtree_control", "+pids +memory +io +cpu +cpuset", 0}, {MAKE, "other", NULL, 0},
		{WRITE, "other/pids.max", "5", 0}, {WRITE, "other/cgroup.procs", "0", 0},
		{WRITE, "pids.max", "max", EACCES}, {WRITE, "memory.max", "max", EACCES},
		{WRITE, "memory.oom.group", "0", EACCES}, {WRITE, "memory.reclaim", "4096", EACCES},
		{WRITE, "cgroup.max.descendants", "max", EACCES}, {WRITE, "cgroup.freeze", "1", EACCES},
		{WRITE, "cgroup.kill", "1", EACCES}, {WRITE, "cgroup.type", "threaded", EACCES},
		{WRITE, "../cgroup.procs", "0", EACCES}, {MAKE, "../beside", NULL, EACCES});
	cr_assert(status == 0, "step %d", WEXITSTATUS(status));
	ASSERT_KNOB(&box.cgroup, CGROUP_PIDS, "pids.max", "50");
}

TEST(delegate, refuses_a_stranger)
{
	BOX(box);
	struct error err;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &(struct cgroup_limits){0}, 0);
	ASSERT_OK(cgroup_delegate(&box.cgroup, OWNER, OWNER, &err));
	int status = WALK(box, OWNER + 1, {MAKE, "leaf", NULL, EACCES}, {WRITE, "cgroup.procs", "0", EACCES});
	cr_assert(status == 0, "step %d", WEXITSTATUS(status));
}

/* Makes "d", "d/d", …: how deep it comes. */
static int depth_reached(int top)
{
	char path[512] = "d";
	int depth = 0;

	while (depth < 100 && mkdirat(top, path, 0755) == 0) {
		depth++;
		strcat(path, "/d");
	}
	cr_assert(errno == EAGAIN, "%s", strerror(errno));
	return depth;
}

static int descendants_reached(int top)
{
	char name[16];
	int count = 0;

	for (; count < 2000; count++) {
		snprintf(name, sizeof(name), "d%d", count);
		if (mkdirat(top, name, 0755) < 0)
			break;
	}
	cr_assert(errno == EAGAIN, "%s", strerror(errno));
	return count;
}

TEST(delegate, bounds_how_many_groups_and_how_deep)
{
	BOX(box);
	struct error err;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &(struct cgroup_limits){0}, 0);
	ASSERT_OK(cgroup_delegate(&box.cgroup, OWNER, OWNER, &err));
	cr_assert_eq(depth_reached(box.cgroup.unified), 32);
	cr_assert_eq(descendants_reached(box.cgroup.unified), 1024 - 32);
}

TEST(delegate, keeps_bounds_that_were_set_before)
{
	BOX(box);
	struct pair unified[] = {{"cgroup.max.depth", "2"}, {"cgroup.max.descendants", "5"}};
	struct cgroup_limits limits = {.unified = {.items = unified, .count = ARRAY_SIZE(unified)}};
	struct error err;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &limits, 0);
	ASSERT_OK(cgroup_delegate(&box.cgroup, OWNER, OWNER, &err));
	cr_assert_eq(depth_reached(box.cgroup.unified), 2);
	cr_assert_eq(descendants_reached(box.cgroup.unified), 5 - 2);
}

TEST(delegate, is_refused_on_v1)
{
	BOX(box);
	struct error err;

	SKIP_UNLESS(!box_is_v2(&box), "needs cgroup v1");
	box_create(&box, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING | CGROUP_ALL_CONTROLLERS);
	ASSERT_FAILS(cgroup_delegate(&box.cgroup, OWNER, OWNER, &err), ERROR_SYSTEM, "needs a host with cgroup v2");
}

/* --- from inside a cgroup namespace ------------------------------------------------------------------------------- */

static bool is_nsdelegate(void)
{
	static char text[1 << 16];

	return knob_read(AT_FDCWD, "/proc/self/mountinfo", text, sizeof(text)) > 0 && strstr(text, "nsdelegate");
}

/* Root, as an instance without an id range of its own has it, with a writable mount of its hierarchy. */
static int body_inside(void *argument)
{
	const struct walk *walk = argument;
	struct walk inside = *walk;
	int context;

	if (unshare(CLONE_NEWCGROUP | CLONE_NEWNS) < 0)
		return 101;
	context = fsopen("cgroup2", FSOPEN_CLOEXEC);
	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return 102;
	inside.dir = fsmount(context, FSMOUNT_CLOEXEC, 0);
	return inside.dir < 0 ? 103 : body_walk(&inside);
}

TEST(delegate, root_in_a_cgroup_namespace_cannot_change_the_limits_of_its_root)
{
	BOX(box);
	static const struct step steps[] = {{WRITE, "pids.max", "max", EPERM}, {WRITE, "memory.max", "max", EPERM},
		{WRITE, "cgroup.max.depth", "max", EPERM}, {WRITE, "cgroup.freeze", "1", EPERM},
		{MAKE, "leaf", NULL, 0}, {WRITE, "leaf/cgroup.procs", "0", 0},
		{WRITE, "cgroup.subtree_control", "+pids", 0}, {WRITE, "leaf/pids.max", "5", 0}};
	struct walk walk = {.steps = steps, .count = ARRAY_SIZE(steps)};
	int status;

	SKIP_UNLESS(box_is_v2(&box) && is_nsdelegate(), "needs cgroup v2, mounted with nsdelegate");
	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(50)}, CGROUP_ALL_CONTROLLERS);
	status = child_run(&box.cgroup, body_inside, &walk);
	cr_assert(status == 0, "step %d", WEXITSTATUS(status));
	ASSERT_KNOB(&box.cgroup, CGROUP_PIDS, "pids.max", "50");
}
