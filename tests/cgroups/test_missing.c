/* The reasons why a controller is not there, from texts as kernels write them. */
#include <sys/stat.h>

#include "cgroups/layout.h"
#include "tests/cgroups/support.h"

#define ALL_ENABLED                                                                                                    \
	"#subsys_name\thierarchy\tnum_"                                                                                \
	"cgroups\tenabled\ncpuset\t0\t1\t1\nmemory\t0\t1\t1\npids\t0\t1\t1\nblkio\t0\t1\t1\n"
#define MOUNTED_V2 "37 22 0:34 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"
#define MOUNTED_V1 "38 22 0:35 / /mnt/memory rw - cgroup cgroup rw,memory\n"

/* A made-up tree: what each directory has, and hands down. */
struct tree {
	const char *path;
	unsigned has, hands_down;
};

static unsigned tree_look(void *context, const char *path, const char *file)
{
	for (const struct tree *row = context; row->path; row++)
		if (strcmp(row->path, path) == 0)
			return strcmp(file, "cgroup.controllers") == 0 ? row->has : row->hands_down;
	return 0;
}

#define MEMORY (1U << CGROUP_MEMORY)
#define PIDS (1U << CGROUP_PIDS)

#define FACTS(cgroups_, mountinfo_, point_, base_)                                                                     \
	(&(struct missing_facts){.cgroups = cgroups_, .mountinfo = mountinfo_, .point = point_, .base = base_})

static void expect(const struct missing_facts *given, const struct tree *tree, enum cgroup_mode mode, const char *text)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct missing_facts facts = *given;
	const char *got;

	facts.controllers = tree_look;
	facts.context = (void *)tree;
	got = missing_explain(&arena, &facts, CGROUP_MEMORY, mode);
	cr_assert(strcmp(got, text) == 0, "\"%s\", not \"%s\"", got, text);
}

static const struct tree nothing[] = {{"/", PIDS, PIDS}, {NULL, 0, 0}};

TEST(missing, on_the_kernels_command_line)
{
	static const char cgroups[] = "cpuset\t0\t1\t1\nmemory\t0\t1\t0\n";

	expect(FACTS(cgroups, MOUNTED_V2, "/sys/fs/cgroup", "/"), nothing, CGROUP_V2,
		"not in /sys/fs/cgroup/cgroup.controllers (switched off on the kernel's command line: "
		"cgroup_disable=memory)");
	expect(FACTS(cgroups, "", NULL, "/"), nothing, CGROUP_V1,
		"no hierarchy with \"memory\" in /proc/self/mountinfo (switched off on the kernel's command line: "
		"cgroup_disable=memory)");
}

TEST(missing, in_the_kernel)
{
	expect(FACTS("cpuset\t0\t1\t1\n", MOUNTED_V2, "/sys/fs/cgroup", "/"), nothing, CGROUP_V2,
		"not in /sys/fs/cgroup/cgroup.controllers (/proc/cgroups does not list it: this kernel was built "
		"without)");
}

TEST(missing, for_the_other_version_has_it)
{
	static const char bound[] = "memory\t4\t1\t1\n";
	static const struct tree all[] = {{"/", MEMORY | PIDS, 0}, {NULL, 0, 0}};

	expect(FACTS(bound, MOUNTED_V2 MOUNTED_V1, "/sys/fs/cgroup", "/"), nothing, CGROUP_V2,
		"not in /sys/fs/cgroup/cgroup.controllers (it is bound to the cgroup v1 hierarchy mounted on "
		"/mnt/memory)");
	expect(FACTS(bound, MOUNTED_V2, "/sys/fs/cgroup", "/"), nothing, CGROUP_V2,
		"not in /sys/fs/cgroup/cgroup.controllers (it is bound to cgroup v1 hierarchy 4, mounted out of our "
		"sight)");
	expect(FACTS(ALL_ENABLED, MOUNTED_V2, "/sys/fs/cgroup", "/"), all, CGROUP_HYBRID,
		"no hierarchy with \"memory\" in /proc/self/mountinfo (it belongs to the cgroup2 mounted on "
		"/sys/fs/cgroup, beside other controllers on v1)");
	expect(FACTS(ALL_ENABLED, "", NULL, "/"), nothing, CGROUP_V1,
		"no hierarchy with \"memory\" in /proc/self/mountinfo (mount it: mount -t cgroup -o memory cgroup "
		"/sys/fs/cgroup/memory)");
}

TEST(missing, where_a_parent_does_not_hand_it_down)
{
	static const struct tree at_root[] = {{"/", MEMORY | PIDS, PIDS}, {"/a", PIDS, PIDS}, {NULL, 0, 0}};
	static const struct tree below[] = {
		{"/", MEMORY | PIDS, MEMORY | PIDS}, {"/a", MEMORY | PIDS, PIDS}, {"/a/b", PIDS, 0}, {NULL, 0, 0}};

	expect(FACTS(ALL_ENABLED, MOUNTED_V2, "/sys/fs/cgroup", "/a/b"), at_root, CGROUP_V2,
		"not in /sys/fs/cgroup/a/b/cgroup.controllers (/sys/fs/cgroup/cgroup.subtree_control does not hand it "
		"down)");
	expect(FACTS(ALL_ENABLED, MOUNTED_V2, "/sys/fs/cgroup", "/a/b"), below, CGROUP_V2,
		"not in /sys/fs/cgroup/a/b/cgroup.controllers (/sys/fs/cgroup/a/cgroup.subtree_control does not hand "
		"it down)");
	expect(FACTS(ALL_ENABLED, MOUNTED_V2, "/sys/fs/cgroup", "/"), nothing, CGROUP_V2,
		"not in /sys/fs/cgroup/cgroup.controllers (whoever made the root of this hierarchy for us did not "
		"delegate it)");
}

/* Of this host itself: a directory that was given nothing. */
TEST(missing, below_a_cgroup_that_hands_nothing_down)
{
	BOX(box);
	AUTO(cgroup_host_drop) struct cgroup_host below = {.unified = -1};
	auto_free char *base = text_format("/%s/empty", box.path);
	auto_free char *parent = text_format("%s/cgroup.subtree_control does not hand it down", box.path);
	struct cgroup_limits limits = {.pids_max = LIMIT_OF(5)};
	struct error err;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &(struct cgroup_limits){0}, CGROUP_ALL_CONTROLLERS);
	cr_assert(mkdirat(box.cgroup.unified, "empty", 0755) == 0);
	ASSERT_OK(cgroup_host_open_at(&below, base, &err));
	ASSERT_FAILS(
		cgroup_limits_check(&below, &limits, &err), ERROR_SYSTEM, "pids_max: no controller \"pids\": not in ");
	cr_assert(strstr(err.text, base) && strstr(err.text, parent), "%s", err.text);
}
