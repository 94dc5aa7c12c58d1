/* A change of limits that is taken back leaves every file as it was, on either version of cgroups. */
#include "cgroups/journal.h"

#include "tests/cgroups/support.h"

#define NOTHING_CAN_HAVE "0-9999" /* processors: a list that the kernel alone refuses, and which comes late */

/* All that a cgroup says of its limits: the files that can be written, one after the other. */
static const char *everything(struct arena *arena, const struct cgroup *cgroup)
{
	static const struct {
		enum cgroup_controller controller;
		const char *file;
	} files[] = {
		{CGROUP_MEMORY, "memory.max"},
		{CGROUP_MEMORY, "memory.low"},
		{CGROUP_MEMORY, "memory.limit_in_bytes"},
		{CGROUP_MEMORY, "memory.memsw.limit_in_bytes"},
		{CGROUP_MEMORY, "memory.soft_limit_in_bytes"},
		{CGROUP_MEMORY, "memory.swappiness"},
		{CGROUP_MEMORY, "memory.kmem.tcp.limit_in_bytes"},
		{CGROUP_MEMORY, "memory.oom.group"},
		{CGROUP_PIDS, "pids.max"},
		{CGROUP_CPU, "cpu.idle"},
		{CGROUP_CPU, "cpu.weight"},
		{CGROUP_CPU, "cpu.shares"},
		{CGROUP_CPU, "cpu.max"},
		{CGROUP_CPU, "cpu.max.burst"},
		{CGROUP_CPU, "cpu.cfs_quota_us"},
		{CGROUP_CPU, "cpu.cfs_period_us"},
		{CGROUP_CPU, "cpu.cfs_burst_us"},
		{CGROUP_CPUSET, "cpuset.cpus"},
		{CGROUP_CPUSET, "cpuset.mems"},
		{CGROUP_IO, "io.weight"},
		{CGROUP_IO, "io.max"},
		{CGROUP_IO, "blkio.bfq.weight"},
		{CGROUP_IO, "blkio.throttle.read_bps_device"},
	};
	const char *all = "";
	char text[4096];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (knob_read(cgroup_directory(cgroup, files[i].controller), files[i].file, text, sizeof(text)) >= 0)
			all = arena_format(arena, "%s%s: %s", all, files[i].file, text);
	return all;
}

static const struct cgroup_limits small = {
	.memory_max = {true, 64 << 20},
	.memory_low = {true, 8 << 20},
	.pids_max = {true, 40},
	.cpu_quota_us = {true, 30000},
	.cpu_period_us = {true, 60000},
	.cpu_burst_us = {true, 1000},
	.cpu_shares = {true, 512},
	.cpuset_cpus = "0",
};

/* What runs on the way is refused at the end: nothing of it stays. */
static void assert_taken_back(struct box *box, struct cgroup_limits limits)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *before = everything(&arena, &box->cgroup);
	struct error err;

	limits.cpuset_cpus = NOTHING_CAN_HAVE;
	ASSERT_FAILS(cgroup_set(&box->cgroup, &limits, &err), ERROR_SYSTEM, "write \"0-9999\" to cpuset.cpus");
	cr_assert_str_eq(everything(&arena, &box->cgroup), before);
}

#define BOX_WITH_CPUSET(name)                                                                                          \
	BOX(name);                                                                                                     \
	SKIP_UNLESS(name.host.available[CGROUP_CPUSET], "needs the cpuset controller")

TEST(journal, takes_a_change_back_that_is_refused_in_the_middle)
{
	BOX_WITH_CPUSET(box);
	box_create(&box, &small, 0);
	assert_taken_back(&box, (struct cgroup_limits){.memory_max = LIMIT_OF(128 << 20),
					.memory_low = LIMIT_OF(16 << 20),
					.pids_max = LIMIT_OF(-1),
					.cpu_quota_us = LIMIT_OF(-1),
					.cpu_period_us = LIMIT_OF(100000),
					.cpu_shares = LIMIT_OF(2048)});
	assert_taken_back(&box, (struct cgroup_limits){.memory_max = LIMIT_OF(32 << 20), .cpu_burst_us = LIMIT_OF(0)});
}

/* cpu.idle takes the weight away, and refuses one while it is 1. */
TEST(journal, gives_the_weight_back_that_idleness_took)
{
	BOX_WITH_CPUSET(box);
	struct error err;

	box_create(&box, &small, 0);
	assert_taken_back(&box, (struct cgroup_limits){.cpu_idle = LIMIT_OF(1)});
	ASSERT_OK(cgroup_set(&box.cgroup, &(struct cgroup_limits){.cpu_idle = LIMIT_OF(1)}, &err));
	assert_taken_back(&box, (struct cgroup_limits){.cpu_idle = LIMIT_OF(0), .cpu_shares = LIMIT_OF(700)});
}

TEST(journal, takes_back_what_only_one_version_has)
{
	BOX_WITH_CPUSET(box);
	struct pair v1[] = {{"memory.swappiness", "13"}, {"memory.kmem.tcp.limit_in_bytes", "1048576"}};
	struct pair v2[] = {{"memory.oom.group", "1"}, {"pids.max", "7"}, {"cpu.max", "max 50000"}};
	/* A file of v1 is written after the lists of processors, so the refusal has to come from another. */
	struct pair wrong[] = {{"memory.swappiness", "13"}, {"memory.oom_control", "2"}};
	struct error err;

	box_create(&box, &small, 0);
	if (box_is_v2(&box)) {
		struct pair late[] = {v2[0], v2[1], v2[2], {"memory.high", "nonsense"}};
		AUTO(arena_drop) struct arena arena = {0};
		const char *before = everything(&arena, &box.cgroup);

		ASSERT_FAILS(cgroup_set(&box.cgroup, &(struct cgroup_limits){.unified = {late, 4}}, &err), ERROR_SYSTEM,
			"memory.high");
		cr_assert_str_eq(everything(&arena, &box.cgroup), before);
		return;
	}
	for (int i = 0; i < 2; i++) {
		AUTO(arena_drop) struct arena arena = {0};
		const char *before = everything(&arena, &box.cgroup);
		struct pair last[] = {v1[i], wrong[1]};

		ASSERT_FAILS(cgroup_set(&box.cgroup, &(struct cgroup_limits){.v1_files = {last, 2}}, &err),
			ERROR_SYSTEM, "memory.oom_control");
		cr_assert_str_eq(everything(&arena, &box.cgroup), before);
	}
}

/* A hierarchy that the cgroup was not in is left again, with the directory that was made for it. */
TEST(journal, leaves_a_hierarchy_that_was_joined_for_it)
{
	BOX_WITH_CPUSET(box);
	SKIP_UNLESS(!box_is_v2(&box), "needs cgroup v1");
	const struct cgroup_limits more = {.pids_max = LIMIT_OF(5), .cpuset_cpus = NOTHING_CAN_HAVE};
	struct error err;

	box_create(&box, &(struct cgroup_limits){.memory_max = LIMIT_OF(64 << 20)}, 0);
	cr_assert(box.cgroup.hierarchy[CGROUP_PIDS] < 0);
	ASSERT_FAILS(cgroup_set(&box.cgroup, &more, &err), ERROR_SYSTEM, "cpuset.cpus");
	cr_assert(box.cgroup.hierarchy[CGROUP_PIDS] < 0 && box.cgroup.hierarchy[CGROUP_CPUSET] < 0);
	cr_assert(faccessat(box.host.hierarchy[CGROUP_PIDS], box.path, F_OK, 0) < 0 && errno == ENOENT);
	ASSERT_OK(cgroup_set(&box.cgroup, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, &err));
	ASSERT_KNOB(&box.cgroup, CGROUP_PIDS, "pids.max", "5");
}

/* Lines of files that have one for each device: against a directory that plays a cgroup, as disks differ. */
TEST(journal, puts_single_lines_back_and_removes_those_that_were_not_there)
{
	static const struct {
		const char *file, *before, *line, *back;
	} cases[] = {
		{"io.max", "8:0 rbps=1 wbps=max\n9:1 rbps=2 wbps=max\n", "9:1 rbps=5", "9:1 rbps=2 wbps=max"},
		{"io.max", "8:0 rbps=1 wbps=max\n", "9:1 rbps=5", "9:1 rbps=max wbps=max riops=max wiops=max"},
		{"io.weight", "default 100\n8:0 50\n", "700", "default 100"},
		{"io.weight", "default 100\n8:0 50\n", "8:0 60", "8:0 50"},
		{"io.weight", "default 100\n", "8:0 60", "8:0 default"},
		{"io.bfq.weight", "default 100\n", "300", "default 100"},
		{"blkio.bfq.weight_device", "", "8:0 60", "8:0 0"},
		{"blkio.throttle.read_bps_device", "8:0 77\n", "8:0 60", "8:0 77"},
		{"blkio.throttle.read_bps_device", "8:16 77\n", "8:1 60", "8:1 0"},
		{"net_prio.ifpriomap", "lo 0\neth0 5\n", "eth0 9", "eth0 5"},
		{"memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n", "1", "0"},
		{"pids.max", "max\n", "7", "max\n"},
	};
	char path[] = "/tmp/warren-journal-XXXXXX";

	cr_assert(mkdtemp(path));
	auto_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(cgroup_journal_drop) struct cgroup_journal journal = {0};
		auto_fd file = openat(dir, cases[i].file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		char text[128] = "";

		cr_assert(write(file, cases[i].before, strlen(cases[i].before)) >= 0);
		journal_note(&journal, dir, cases[i].file, cases[i].line);
		cr_assert(ftruncate(file, 0) == 0);
		cgroup_journal_undo(&journal);
		cr_assert(pread(file, text, sizeof(text) - 1, 0) >= 0);
		cr_assert_str_eq(text, cases[i].back, "%s: \"%s\", not \"%s\"", cases[i].file, text, cases[i].back);
		cr_assert(unlinkat(dir, cases[i].file, 0) == 0);
	}
	cr_assert(rmdir(path) == 0);
}
