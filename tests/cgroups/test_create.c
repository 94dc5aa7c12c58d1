/* Making cgroups with limits, changing them, reading them back, getting in. */
#include <linux/sched.h>
#include <sched.h>
#include <sys/stat.h>

#include "cgroups/layout.h"
#include "tests/cgroups/support.h"

#define MIB (1024 * 1024)

static bool exists_in(const struct box *box, enum cgroup_controller controller)
{
	return box->host.hierarchy[controller] >= 0 &&
	       faccessat(box->host.hierarchy[controller], box->path, F_OK, 0) == 0;
}

TEST(create, on_v1_makes_directories_only_where_a_limit_is)
{
	BOX(box);
	SKIP_UNLESS(!box_is_v2(&box), "needs cgroup v1");
	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(7), .memory_max = LIMIT_OF(64 * MIB)}, 0);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		bool wanted = c == CGROUP_PIDS || c == CGROUP_MEMORY;

		cr_assert(exists_in(&box, (enum cgroup_controller)c) == wanted, "%s",
			cgroup_controller_name((enum cgroup_controller)c));
		cr_assert((box.cgroup.hierarchy[c] >= 0) == wanted);
	}
	ASSERT_KNOB(&box.cgroup, CGROUP_PIDS, "pids.max", "7");
}

TEST(create, for_accounting_makes_what_figures_need)
{
	BOX(box);
	struct cgroup_stats stats;
	struct error err;

	box_create(&box, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING);
	ASSERT_OK(cgroup_stats_read(&box.cgroup, &stats, &err));
	cr_assert(stats.memory_bytes.set && stats.memory_used_bytes.set && stats.pids.set && stats.cpu_us.set);
	cr_assert(!stats.memory_limit_bytes.set && !stats.pids_limit.set && stats.pids.value == 0);
	cr_assert(box_is_v2(&box) || (!exists_in(&box, CGROUP_CPU) && !exists_in(&box, CGROUP_CPUSET)));
}

TEST(create, writes_every_limit_and_reads_it_back)
{
	BOX(box);
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_limits limits = {.memory_max = LIMIT_OF(64 * MIB),
		.memory_low = LIMIT_OF(8 * MIB),
		.pids_max = LIMIT_OF(33),
		.cpu_quota_us = LIMIT_OF(20000),
		.cpu_period_us = LIMIT_OF(50000),
		.cpu_weight = LIMIT_OF(50),
		.cpuset_cpus = "0"};
	struct cgroup_limits now;
	struct error err;

	if (box.host.swap)
		limits.swap_max = LIMIT_OF(16 * MIB);
	box_create(&box, &limits, 0);
	ASSERT_OK(cgroup_get(&box.cgroup, &arena, &now, &err));
	cr_assert(now.memory_max.value == 64 * MIB && now.memory_low.value == 8 * MIB);
	cr_assert(!box.host.swap || (now.swap_max.set && now.swap_max.value == 16 * MIB));
	cr_assert(now.pids_max.value == 33);
	cr_assert(now.cpu_quota_us.value == 20000 && now.cpu_period_us.value == 50000 && now.cpu_weight.value == 50);
	cr_assert_str_eq(now.cpuset_cpus, "0");
	cr_assert(now.devices.count == 0 && now.io_max.count == 0);
}

static int body_processor(void *unused)
{
	(void)unused;
	return sched_getcpu();
}

TEST(create, gives_a_new_cpuset_its_parents_memory_nodes)
{
	BOX(box);
	int status;

	SKIP_UNLESS(!box_is_v2(&box), "needs cgroup v1");
	box_create(&box, &(struct cgroup_limits){.cpuset_cpus = "0"}, 0);
	status = child_run(&box.cgroup, body_processor, NULL);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "entering and running on 0: status %x", status);
}

TEST(create, refuses_a_path_that_exists_unless_it_may)
{
	BOX(box);
	struct cgroup_limits limits = {.pids_max = LIMIT_OF(5)};
	struct cgroup again;
	struct error err;

	box_create(&box, &limits, 0);
	ASSERT_FAILS(cgroup_create(&box.host, box.path, &limits, 0, &again, &err), ERROR_BUSY, "it exists already");
	limits.pids_max.value = 9;
	ASSERT_OK(cgroup_create(&box.host, box.path, &limits, CGROUP_MAY_EXIST, &again, &err));
	ASSERT_KNOB(&again, CGROUP_PIDS, "pids.max", "9");
	cgroup_drop(&again);
}

TEST(create, refuses_a_frozen_one_that_exists)
{
	BOX(box);
	struct cgroup_limits limits = {.pids_max = LIMIT_OF(5)};
	struct cgroup again;
	struct error err;

	box_create(&box, &limits, 0);
	ASSERT_OK(cgroup_freeze(&box.cgroup, true, GENEROUS_MS, &err));
	ASSERT_FAILS(cgroup_create(&box.host, box.path, &limits, CGROUP_MAY_EXIST, &again, &err), ERROR_BUSY,
		"it exists already and is frozen");
	ASSERT_OK(cgroup_freeze(&box.cgroup, false, GENEROUS_MS, &err));
	ASSERT_OK(cgroup_create(&box.host, box.path, &limits, CGROUP_MAY_EXIST, &again, &err));
	cgroup_drop(&again);
}

TEST(create, removes_what_it_made_when_a_limit_is_refused)
{
	BOX(box);
	struct cgroup_limits limits = {.pids_max = LIMIT_OF(5),
		.memory_max = LIMIT_OF(64 * MIB),
		.cpu_quota_us = LIMIT_OF(5000),
		.cpu_burst_us = LIMIT_OF(6000)};
	char path[96];
	struct error err;

	snprintf(path, sizeof(path), "%s/inner", box.path);
	ASSERT_FAILS(cgroup_create(&box.host, path, &limits, CGROUP_ACCOUNTING, &box.cgroup, &err), ERROR_SYSTEM,
		box_is_v2(&box) ? "/inner: cpu_burst_us: write \"6000\" to cpu.max.burst: Invalid argument"
				: "/inner: cpu_burst_us: write \"6000\" to cpu.cfs_burst_us: Invalid argument");
	ASSERT_FAILS(cgroup_open(&box.host, path, &box.cgroup, &err), ERROR_MISSING, "there is no cgroup warren/test-");
	ASSERT_FAILS(cgroup_open(&box.host, box.path, &box.cgroup, &err), ERROR_MISSING, "there is no cgroup");
	/* It holds no limits, and a failure of another must not take it away. */
	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, 0);
	ASSERT_FAILS(
		cgroup_create(&box.host, path, &limits, 0, &(struct cgroup){0}, &err), ERROR_SYSTEM, "cpu_burst_us");
	cr_assert(faccessat(cgroup_directory(&box.cgroup, CGROUP_PIDS), "pids.max", F_OK, 0) == 0);
}

TEST(create, refuses_paths_that_could_leave_the_tree)
{
	static const char *const paths[] = {"", "/warren", "warren/", "warren//x", "warren/../x", "..", "./x", "a\nb"};
	struct cgroup_host host;
	struct cgroup cgroup;
	struct error err;

	ASSERT_OK(cgroup_host_open(&host, &err));
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		ASSERT_FAILS(cgroup_create(&host, paths[i], &(struct cgroup_limits){0}, 0, &cgroup, &err), ERROR_USAGE,
			"cgroup");
		ASSERT_FAILS(cgroup_open(&host, paths[i], &cgroup, &err), ERROR_USAGE, "cgroup");
		ASSERT_FAILS(cgroup_remove(&host, paths[i], 0, false, &err), ERROR_USAGE, "cgroup");
	}
	cgroup_host_drop(&host);
}

/* Makes and removes a child, and the parent that all share, again and again. */
static int body_churn(const struct box *box, int index)
{
	char parent[96], path[128];

	snprintf(parent, sizeof(parent), "%s/shared", box->path);
	snprintf(path, sizeof(path), "%s/%d", parent, index);
	for (int i = 0; i < 40; i++) {
		struct cgroup_limits limits = {.pids_max = LIMIT_OF(5), .cpuset_cpus = index % 2 ? "0" : NULL};
		struct cgroup cgroup;
		struct error err;

		if (cgroup_create(&box->host, path, &limits, CGROUP_ACCOUNTING, &cgroup, &err) < 0 ||
			cgroup_remove(&box->host, path, 0, false, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		cgroup_drop(&cgroup);
		if (box->host.unified >= 0)
			unlinkat(box->host.unified, parent, AT_REMOVEDIR);
		for (int c = 0; c < CGROUP_CONTROLLERS; c++)
			if (box->host.hierarchy[c] >= 0)
				unlinkat(box->host.hierarchy[c], parent, AT_REMOVEDIR);
	}
	return 0;
}

TEST(create, holds_out_against_others_that_remove_the_parent)
{
	BOX(box);
	pid_t pids[6];

	for (int i = 0; i < (int)ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(body_churn(&box, i));
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		int status;

		cr_assert(waitpid(pids[i], &status, 0) == pids[i] && status == 0, "status %x", status);
	}
}

static int body_race(const struct box *box)
{
	struct cgroup_limits limits = {.pids_max = LIMIT_OF(5)};
	struct cgroup cgroup;
	struct error err;

	if (cgroup_create(&box->host, box->path, &limits, CGROUP_ACCOUNTING, &cgroup, &err) == 0)
		return 1;
	return err.kind == ERROR_BUSY ? 0 : 2;
}

TEST(create, has_one_winner_of_twenty)
{
	BOX(box);
	pid_t pids[20];
	int winners = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(body_race(&box));
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		int status;

		cr_assert(waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status) && WEXITSTATUS(status) < 2);
		winners += WEXITSTATUS(status);
	}
	cr_assert(winners == 1, "%d winners", winners);
	cr_assert(box_is_v2(&box) || (exists_in(&box, CGROUP_PIDS) && exists_in(&box, CGROUP_MEMORY)));
}

/* --- changing ----------------------------------------------------------------------------------------------------- */

static bool is_in(const struct cgroup *cgroup, enum cgroup_controller controller, pid_t pid)
{
	char text[KNOB_SIZE], line[32];

	snprintf(line, sizeof(line), "%d\n", pid);
	return knob_read(cgroup_directory(cgroup, controller), "cgroup.procs", text, sizeof(text)) > 0 &&
	       strstr(text, line);
}

TEST(set, changes_limits_live_and_makes_what_becomes_necessary)
{
	BOX(box);
	struct child child;
	struct error err;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, 0);
	child = child_start(&box.cgroup, body_wait, NULL);
	wait_populated(&box.cgroup);
	ASSERT_OK(cgroup_set(&box.cgroup,
		&(struct cgroup_limits){
			.pids_max = LIMIT_OF(6), .cpu_weight = LIMIT_OF(50), .memory_max = LIMIT_OF(64 * MIB)},
		&err));
	ASSERT_KNOB(&box.cgroup, CGROUP_PIDS, "pids.max", "6");
	cr_assert(is_in(&box.cgroup, CGROUP_CPU, child.pid) && is_in(&box.cgroup, CGROUP_MEMORY, child.pid));
	ASSERT_OK(cgroup_set(&box.cgroup, &(struct cgroup_limits){.memory_max = LIMIT_OF(32 * MIB)}, &err));
	ASSERT_OK(cgroup_set(&box.cgroup, &(struct cgroup_limits){.memory_max = LIMIT_OF(-1)}, &err));
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
	child_end(&child);
}

TEST(set, moves_memory_and_swap_in_both_directions)
{
	static const int steps[][2] = {{64, 16}, {32, 8}, {128, 0}, {16, 200}, {256, 1}};
	BOX(box);
	struct error err;

	SKIP_UNLESS(box.host.swap, "this kernel does not account swap");
	box_create(&box, &(struct cgroup_limits){.memory_max = LIMIT_OF(100 * MIB), .swap_max = LIMIT_OF(0)}, 0);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct cgroup_limits limits = {
			.memory_max = LIMIT_OF(steps[i][0] * MIB), .swap_max = LIMIT_OF(steps[i][1] * MIB)};
		struct cgroup_limits now;

		ASSERT_OK(cgroup_set(&box.cgroup, &limits, &err));
		ASSERT_OK(cgroup_get(&box.cgroup, &arena, &now, &err));
		cr_assert(now.memory_max.value == limits.memory_max.value, "step %zu", i);
		cr_assert(now.swap_max.set && now.swap_max.value == limits.swap_max.value, "step %zu", i);
	}
	ASSERT_OK(cgroup_set(&box.cgroup, &(struct cgroup_limits){.memory_max = LIMIT_OF(20 * MIB)}, &err));
	if (!box_is_v2(&box))
		ASSERT_KNOB(&box.cgroup, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", "22020096");
	ASSERT_OK(cgroup_set(&box.cgroup, &(struct cgroup_limits){.memory_max = LIMIT_OF(-1)}, &err));
}

TEST(set, moves_quota_period_and_burst_in_both_directions)
{
	static const int steps[][3] = {
		{50000, 100000, 0}, {100000, 200000, 20000}, {2000, 4000, 1000}, {3000, 50000, 3000}};
	BOX(box);
	struct error err;

	/* A parent with the same ratio, which v1 lets no child exceed. */
	box_create(&box, &(struct cgroup_limits){.cpu_quota_us = LIMIT_OF(50000)}, 0);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct cgroup_limits limits = {.cpu_quota_us = LIMIT_OF(steps[i][0]),
			.cpu_period_us = LIMIT_OF(steps[i][1]),
			.cpu_burst_us = LIMIT_OF(steps[i][2])};
		AUTO(cgroup_drop) struct cgroup inner = {.unified = -1};
		AUTO(arena_drop) struct arena arena = {0};
		struct cgroup_limits now;
		char path[96];

		for (int c = 0; c < CGROUP_CONTROLLERS; c++)
			inner.hierarchy[c] = -1;
		snprintf(path, sizeof(path), "%s/inner", box.path);
		ASSERT_OK(cgroup_create(&box.host, path, &limits, CGROUP_MAY_EXIST, &inner, &err));
		ASSERT_OK(cgroup_get(&inner, &arena, &now, &err));
		cr_assert(now.cpu_quota_us.value == steps[i][0] && now.cpu_period_us.value == steps[i][1] &&
				  now.cpu_burst_us.value == steps[i][2],
			"step %zu", i);
	}
}

TEST(set, works_on_a_paused_one)
{
	BOX(box);
	struct child child;
	struct error err;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, 0);
	child = child_start(&box.cgroup, body_wait, NULL);
	wait_populated(&box.cgroup);
	ASSERT_OK(cgroup_freeze(&box.cgroup, true, GENEROUS_MS, &err));
	ASSERT_OK(cgroup_set(&box.cgroup, &(struct cgroup_limits){.pids_max = LIMIT_OF(6)}, &err));
	ASSERT_KNOB(&box.cgroup, CGROUP_PIDS, "pids.max", "6");
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
	child_end(&child);
}

TEST(set, names_limit_value_and_file_of_what_the_kernel_refuses)
{
	BOX(box);
	struct error err;

	box_create(&box, &(struct cgroup_limits){.cpu_quota_us = LIMIT_OF(50000)}, 0);
	ASSERT_FAILS(cgroup_set(&box.cgroup, &(struct cgroup_limits){.cpu_burst_us = LIMIT_OF(60000)}, &err),
		ERROR_SYSTEM,
		box_is_v2(&box) ? "cpu_burst_us: write \"60000\" to cpu.max.burst: Invalid argument"
				: "cpu_burst_us: write \"60000\" to cpu.cfs_burst_us: Invalid argument");
}

TEST(set, on_v2_writes_unified_files_as_they_are)
{
	static struct pair pairs[] = {{"memory.high", "33554432"}, {"cgroup.max.depth", "3"}};
	BOX(box);

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box,
		&(struct cgroup_limits){.unified = {pairs, 2},
			.memory_min = LIMIT_OF(1 * MIB),
			.memory_high = LIMIT_OF(16 * MIB),
			.oom_group = LIMIT_OF(1)},
		0);
	ASSERT_KNOB(&box.cgroup, CGROUP_MEMORY, "memory.high", "33554432");
	ASSERT_KNOB(&box.cgroup, CGROUP_MEMORY, "memory.min", "1048576");
	ASSERT_KNOB(&box.cgroup, CGROUP_MEMORY, "memory.oom.group", "1");
	ASSERT_KNOB(&box.cgroup, CGROUP_MEMORY, "cgroup.max.depth", "3");
}

TEST(create, on_v2_refuses_controllers_below_a_cgroup_with_processes)
{
	BOX(box);
	struct child child;
	struct cgroup inner;
	char path[96];
	struct error err;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, 0);
	child = child_start(&box.cgroup, body_wait, NULL);
	snprintf(path, sizeof(path), "%s/inner", box.path);
	ASSERT_FAILS(cgroup_create(&box.host, path, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, 0, &inner, &err),
		ERROR_BUSY,
		"/cgroup.subtree_control: a cgroup with processes of its own cannot hand controllers to children");
	cr_assert(faccessat(box.host.unified, path, F_OK, 0) < 0, "undone");
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
	child_end(&child);
}

/* --- io ----------------------------------------------------------------------------------------------------------- */

static bool find_disk(uint32_t *major, uint32_t *minor)
{
	DIR *dir = opendir("/sys/block");
	bool found = false;

	for (struct dirent *entry = dir ? readdir(dir) : NULL; entry && !found; entry = readdir(dir)) {
		char file[300], text[32];

		snprintf(file, sizeof(file), "/sys/block/%s/dev", entry->d_name);
		found = knob_read(AT_FDCWD, file, text, sizeof(text)) > 0 && sscanf(text, "%u:%u", major, minor) == 2;
	}
	if (dir)
		closedir(dir);
	return found;
}

TEST(set, limits_the_rates_of_a_device)
{
	BOX(box);
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_io_max io = {.rbps = LIMIT_OF(4 * MIB), .wiops = LIMIT_OF(100)};
	struct cgroup_limits limits = {.io_max = {&io, 1}}, now;
	struct error err;

	SKIP_UNLESS(box.host.available[CGROUP_IO], "no io controller");
	SKIP_UNLESS(find_disk(&io.major, &io.minor), "no block device here");
	box_create(&box, &limits, 0);
	ASSERT_OK(cgroup_get(&box.cgroup, &arena, &now, &err));
	cr_assert(now.io_max.count == 1 && now.io_max.items[0].major == io.major);
	cr_assert(now.io_max.items[0].rbps.value == 4 * MIB && now.io_max.items[0].wiops.value == 100);
	cr_assert(!now.io_max.items[0].wbps.set);
	io = (struct cgroup_io_max){.major = io.major, .minor = io.minor, .rbps = LIMIT_OF(-1), .wiops = LIMIT_OF(-1)};
	ASSERT_OK(cgroup_set(&box.cgroup, &limits, &err));
	ASSERT_OK(cgroup_get(&box.cgroup, &arena, &now, &err));
	cr_assert(now.io_max.count == 0, "%zu left", now.io_max.count);
}

/* --- getting in --------------------------------------------------------------------------------------------------- */

TEST(entrance, gives_one_descriptor_per_hierarchy)
{
	BOX(box);
	AUTO(cgroup_entrance_drop) struct cgroup_entrance entrance = {.into = -1};
	struct error err;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, CGROUP_ACCOUNTING);
	ASSERT_OK(cgroup_entrance_open(&box.cgroup, &entrance, &err));
	if (box_is_v2(&box))
		cr_assert(entrance.into >= 0 && entrance.count == 0);
	else
		cr_assert(entrance.into == -1 && entrance.count == 3, "%zu", entrance.count);
	for (size_t i = 0; i < entrance.count; i++)
		cr_assert(fcntl(entrance.tasks[i], F_GETFD) == FD_CLOEXEC);
}

static int body_enter_from_user_namespace(void *argument)
{
	struct error err = {0};

	/* Unmapped: we are the overflow user and may open nothing of the cgroup ourselves. */
	return unshare(CLONE_NEWUSER) < 0 ? 97 : cgroup_enter(argument, &err) < 0 ? 96 : 0;
}

TEST(entrance, works_for_a_child_without_any_rights)
{
	BOX(box);
	AUTO(cgroup_entrance_drop) struct cgroup_entrance entrance = {.into = -1};
	struct error err;
	pid_t pid;
	int status;

	SKIP_UNLESS(!box_is_v2(&box), "needs cgroup v1");
	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, CGROUP_ACCOUNTING);
	ASSERT_OK(cgroup_entrance_open(&box.cgroup, &entrance, &err));
	pid = fork();
	if (pid == 0)
		_exit(body_enter_from_user_namespace(&entrance));
	cr_assert(waitpid(pid, &status, 0) == pid && status == 0, "status %x", status);
}
