/* Limits → writes: pure, for both versions on any host. */
#include "cgroups/limits.h"
#include "tests/cgroups/support.h"

static struct cgroup_host host_of(enum cgroup_mode mode)
{
	struct cgroup_host host = {.mode = mode, .unified = -1, .swap = true};

	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		host.hierarchy[c] = -1;
		host.available[c] = true;
	}
	return host;
}

/* "file=text" of every write, in order, separated by spaces. */
static const char *compiled(
	struct arena *arena, enum cgroup_mode mode, const struct cgroup_limits *limits, const struct limits_now *now)
{
	struct cgroup_host host = host_of(mode);
	struct knobs knobs;
	struct error err;
	const char *all = "";

	ASSERT_OK(limits_compile(&host, limits, now, arena, &knobs, &err));
	for (size_t i = 0; i < knobs.count; i++)
		all = arena_format(arena, "%s%s%s=%s", all, i ? ", " : "", knobs.items[i].file, knobs.items[i].text);
	return all;
}

struct conversion {
	struct cgroup_limits limits;
	const char *v2, *v1; /* NULL: refused before */
};

static void assert_conversions(const struct conversion *table, size_t count, const struct limits_now *now)
{
	for (size_t i = 0; i < count; i++) {
		AUTO(arena_drop) struct arena arena = {0};
		const char *v2 = table[i].v2 ? compiled(&arena, CGROUP_V2, &table[i].limits, now) : NULL;
		const char *v1 = table[i].v1 ? compiled(&arena, CGROUP_V1, &table[i].limits, now) : NULL;

		cr_assert(!v2 || strcmp(v2, table[i].v2) == 0, "row %zu, v2: %s", i, v2);
		cr_assert(!v1 || strcmp(v1, table[i].v1) == 0, "row %zu, v1: %s", i, v1);
	}
}

#define IS(number)                                                                                                     \
	{                                                                                                              \
		.set = true, .value = (number)                                                                         \
	}

TEST(limits, of_a_new_cgroup_become_the_right_files_on_both_versions)
{
	static struct cgroup_io_max io[] = {{.major = 8, .minor = 16, .rbps = IS(1048576), .wiops = IS(-1)}};
	static struct cgroup_io_device_weight weights[] = {{8, 16, 1000}, {9, 1, 100}};
	const struct conversion table[] = {
		{{.memory_max = IS(67108864)}, "memory.max=67108864", "memory.limit_in_bytes=67108864"},
		{{.memory_max = IS(-1)}, "memory.max=max", "memory.limit_in_bytes=-1"},
		{{.memory_low = IS(4096)}, "memory.low=4096", "memory.soft_limit_in_bytes=4096"},
		{{.memory_low = IS(0)}, "memory.low=0", "memory.soft_limit_in_bytes=-1"},
		{{.memory_low = IS(-1)}, "memory.low=0", "memory.soft_limit_in_bytes=-1"},
		{{.memory_min = IS(8192), .memory_high = IS(4096)}, "memory.min=8192, memory.high=4096", NULL},
		{{.memory_min = IS(0), .memory_high = IS(-1), .oom_group = IS(0)},
			"memory.min=0, memory.high=max, memory.oom.group=0", ""},
		{{.memory_max = IS(1000), .swap_max = IS(500)}, "memory.max=1000, memory.swap.max=500",
			"memory.limit_in_bytes=1000, memory.memsw.limit_in_bytes=1500"},
		{{.memory_max = IS(1000), .swap_max = IS(-1)}, "memory.max=1000, memory.swap.max=max",
			"memory.memsw.limit_in_bytes=-1, memory.limit_in_bytes=1000"},
		{{.memory_max = IS(INT64_MAX - 5), .swap_max = IS(10)},
			"memory.max=9223372036854775802, memory.swap.max=10",
			"memory.memsw.limit_in_bytes=-1, memory.limit_in_bytes=9223372036854775802"},
		{{.pids_max = IS(512)}, "pids.max=512", "pids.max=512"},
		{{.pids_max = IS(-1)}, "pids.max=max", "pids.max=max"},
		{{.cpu_quota_us = IS(50000)}, "cpu.max=50000", "cpu.cfs_quota_us=50000"},
		{{.cpu_quota_us = IS(-1)}, "cpu.max=max", "cpu.cfs_quota_us=-1"},
		{{.cpu_period_us = IS(50000)}, "cpu.max=max 50000", "cpu.cfs_period_us=50000"},
		{{.cpu_quota_us = IS(2000), .cpu_period_us = IS(10000), .cpu_burst_us = IS(1000)},
			"cpu.max=2000 10000, cpu.max.burst=1000",
			"cpu.cfs_quota_us=2000, cpu.cfs_period_us=10000, cpu.cfs_burst_us=1000"},
		{{.cpu_weight = IS(100)}, "cpu.weight=100", "cpu.shares=1024"},
		{{.cpu_shares = IS(512)}, "cpu.weight=50", "cpu.shares=512"},
		{{.cpu_weight = IS(10), .cpu_shares = IS(512)}, "cpu.weight=10", "cpu.shares=102"},
		{{.cpu_idle = IS(1), .cpu_weight = IS(50)}, "cpu.idle=1", "cpu.idle=1"},
		{{.cpu_idle = IS(0)}, "", ""},
		{{.cpuset_cpus = "0-1", .cpuset_mems = "0"}, "cpuset.cpus=0-1, cpuset.mems=0",
			"cpuset.cpus=0-1, cpuset.mems=0"},
		{{.io_weight = IS(5000)}, "io.weight=5000", "blkio.bfq.weight=1000"},
		{{.block_weight = IS(10)}, "io.weight=1", "blkio.bfq.weight=10"},
		{{.block_weight = IS(500)}, "io.weight=4950", "blkio.bfq.weight=500"},
		{{.block_weight = IS(1000), .io_weight = IS(7)}, "io.weight=7", "blkio.bfq.weight=7"},
		{{.device_weights = {weights, 2}}, "io.weight=8:16 10000, io.weight=9:1 910",
			"blkio.bfq.weight_device=8:16 1000, blkio.bfq.weight_device=9:1 100"},
		{{.io_max = {io, 1}}, "io.max=8:16 rbps=1048576 wiops=max",
			"blkio.throttle.read_bps_device=8:16 1048576, blkio.throttle.write_iops_device=8:16 0"},
	};

	assert_conversions(table, ARRAY_SIZE(table), &limits_fresh);
}

/* The disk decides which of the files of v2 counts, so BFQ's gets its own number beside. */
TEST(limits, of_disks_are_said_to_both_schedulers)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct cgroup_host v2 = {.mode = CGROUP_V2};
	const struct cgroup_limits limits = {.block_weight = IS(500)};
	struct knobs knobs;
	struct error err;

	ASSERT_OK(limits_compile(&v2, &limits, &limits_fresh, &arena, &knobs, &err));
	cr_assert(knobs.count == 1 && knobs.items[0].both);
	cr_assert_str_eq(knobs.items[0].or_file, "io.bfq.weight");
	cr_assert_str_eq(knobs.items[0].or_text, "500");
}

TEST(limits, change_in_an_order_that_the_kernel_takes)
{
	const struct limits_now now = {.memory = 1000, .memory_swap = 1500, .quota_us = 50000, .period_us = 100000};
	const struct conversion table[] = {
		/* v1: memsw out of the way first, keeping the allowance of swap */
		{{.memory_max = IS(2000)}, "memory.max=2000",
			"memory.memsw.limit_in_bytes=2500, memory.limit_in_bytes=2000"},
		{{.memory_max = IS(500)}, "memory.max=500",
			"memory.limit_in_bytes=500, memory.memsw.limit_in_bytes=1000"},
		{{.memory_max = IS(-1)}, "memory.max=max", "memory.memsw.limit_in_bytes=-1, memory.limit_in_bytes=-1"},
		{{.swap_max = IS(0)}, "memory.swap.max=0", "memory.memsw.limit_in_bytes=1000"},
		{{.swap_max = IS(-1)}, "memory.swap.max=max", "memory.memsw.limit_in_bytes=-1"},
		{{.memory_max = IS(1200), .swap_max = IS(0)}, "memory.max=1200, memory.swap.max=0",
			"memory.limit_in_bytes=1200, memory.memsw.limit_in_bytes=1200"},
		/* v1: a longer period before its quota, a shorter one after it */
		{{.cpu_period_us = IS(200000), .cpu_quota_us = IS(100000)}, "cpu.max=100000 200000",
			"cpu.cfs_period_us=200000, cpu.cfs_quota_us=100000"},
		{{.cpu_period_us = IS(50000), .cpu_quota_us = IS(25000)}, "cpu.max=25000 50000",
			"cpu.cfs_quota_us=25000, cpu.cfs_period_us=50000"},
		/* v2: the quota of now goes with a period alone */
		{{.cpu_period_us = IS(200000)}, "cpu.max=50000 200000", "cpu.cfs_period_us=200000"},
		/* an old burst must not be in the way of a smaller quota */
		{{.cpu_quota_us = IS(5000), .cpu_burst_us = IS(5000)},
			"cpu.max.burst=0, cpu.max=5000, cpu.max.burst=5000",
			"cpu.cfs_burst_us=0, cpu.cfs_quota_us=5000, cpu.cfs_burst_us=5000"},
		{{.cpu_idle = IS(0), .cpu_weight = IS(100)}, "cpu.idle=0, cpu.weight=100",
			"cpu.idle=0, cpu.shares=1024"},
	};

	assert_conversions(table, ARRAY_SIZE(table), &now);
}

TEST(limits, keep_the_default_and_the_ratios_between_weights_and_shares)
{
	static const int64_t pairs[][2] = {{1, 10}, {50, 512}, {100, 1024}, {200, 2048}, {10000, 102400}};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		cr_assert(weight_to_shares(pairs[i][0]) == pairs[i][1], "%ld", (long)pairs[i][0]);
		cr_assert(shares_to_weight(pairs[i][1]) == pairs[i][0], "%ld", (long)pairs[i][1]);
	}
	cr_assert(shares_to_weight(2) == 1);
	cr_assert(shares_to_weight(262144) == 10000);
}

TEST(limits, say_which_controllers_they_need)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_host host = host_of(CGROUP_V1);
	struct cgroup_device_rule rule = {.allow = true, .type = 'a', .major = -1, .minor = -1, .access = 7};
	struct cgroup_limits limits = {.memory_max = IS(4096), .cpuset_cpus = "0", .devices = {&rule, 1}};
	struct knobs knobs;
	struct error err;

	ASSERT_OK(limits_compile(&host, &limits, &limits_fresh, &arena, &knobs, &err));
	cr_assert(limits_controllers(&host, &limits, &knobs) ==
		  (1U << CGROUP_MEMORY | 1U << CGROUP_CPUSET | 1U << CGROUP_DEVICES));
	host.mode = CGROUP_V2;
	cr_assert(limits_controllers(&host, &limits, &knobs) == (1U << CGROUP_MEMORY | 1U << CGROUP_CPUSET));
}

TEST(limits, know_huge_pages_and_rdma_on_both_versions)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct pair files[] = {
		{"hugetlb.2MB.max", "4194304"}, {"hugetlb.1GB.max", "max"}, {"rdma.max", "mlx0 hca_handle=3"}};
	struct pair only[] = {{"memory.swappiness", "10"}};
	const struct cgroup_limits limits = {.unified = {files, 3}, .v1_files = {only, 1}};
	struct cgroup_host host = host_of(CGROUP_V1);
	struct error err;

	ASSERT_OK(cgroup_limits_check(&host, &limits, &err));
	cr_assert_str_eq(compiled(&arena, CGROUP_V1, &limits, &limits_fresh),
		"hugetlb.2MB.limit_in_bytes=4194304, hugetlb.1GB.limit_in_bytes=-1, rdma.max=mlx0 hca_handle=3, "
		"memory.swappiness=10");
	host.mode = CGROUP_V2;
	ASSERT_FAILS(cgroup_limits_check(&host, &limits, &err), ERROR_SYSTEM,
		"memory.swappiness: cgroup v2 has no such limit; it needs a host with cgroup v1");
	only[0].value = "0";
	ASSERT_OK(cgroup_limits_check(&host, &limits, &err));
	cr_assert_str_eq(compiled(&arena, CGROUP_V2, &limits, &limits_fresh),
		"hugetlb.2MB.max=4194304, hugetlb.1GB.max=max, rdma.max=mlx0 hca_handle=3");
}

TEST(limits, are_refused_by_name)
{
	static struct cgroup_io_max io[] = {{.major = 8, .rbps = IS(0)}};
	static struct pair procs[] = {{"cgroup.procs", "1"}}, odd[] = {{"../memory.max", "1"}},
			   high[] = {{"memory.high", "1"}};
	static struct cgroup_device_rule bad[] = {{.type = 'x', .major = 1, .minor = 1, .access = 7}};
	const struct {
		enum cgroup_mode mode;
		struct cgroup_limits limits;
		enum error_kind kind;
		const char *text;
	} table[] = {
		{CGROUP_V1, {.memory_high = IS(4096)}, ERROR_SYSTEM,
			"memory_high: cgroup v1 has no such limit; it needs a host with cgroup v2"},
		{CGROUP_HYBRID, {.memory_min = IS(4096)}, ERROR_SYSTEM, "memory_min: cgroup v1 has no such limit"},
		{CGROUP_V1, {.oom_group = IS(1)}, ERROR_SYSTEM, "oom_group: cgroup v1 has no such limit"},
		{CGROUP_V1, {.memory_max = IS(-1), .swap_max = IS(0)}, ERROR_SYSTEM,
			"swap_max: cgroup v1 limits swap only together with memory_max"},
		{CGROUP_V1, {.unified = {high, 1}}, ERROR_SYSTEM,
			"unified: \"memory.high\" needs a host with cgroup v2"},
		{CGROUP_V2, {.unified = {procs, 1}}, ERROR_USAGE,
			"unified: \"cgroup.procs\" is not a file of a controller"},
		{CGROUP_V2, {.unified = {odd, 1}}, ERROR_USAGE,
			"unified: \"../memory.max\" is not a file of a controller"},
		{CGROUP_V2, {.cpu_weight = IS(0)}, ERROR_USAGE, "cpu_weight: 0 is not within 1 and 10000"},
		{CGROUP_V2, {.cpu_quota_us = IS(999)}, ERROR_USAGE, "cpu_quota_us: 999 is not within 1000 and"},
		{CGROUP_V2, {.memory_max = IS(-2)}, ERROR_USAGE,
			"memory_max: -2 is not within 0 and 9223372036854775807 (or -1: no limit)"},
		{CGROUP_V2, {.cpuset_cpus = "0,x"}, ERROR_USAGE, "cpuset_cpus: "},
		{CGROUP_V2, {.io_max = {io, 1}}, ERROR_USAGE, "io_max[0]: rbps: 0 is not positive (or -1: no limit)"},
		{CGROUP_V2, {.devices = {bad, 1}}, ERROR_USAGE, "devices[0]: a rule has type a, b or c"},
		{CGROUP_NONE, {.pids_max = IS(5)}, ERROR_SYSTEM,
			"pids_max: no controller \"pids\": no cgroup hierarchy in /proc/self/mountinfo"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct cgroup_host host = host_of(table[i].mode);
		struct error err;

		ASSERT_FAILS(cgroup_limits_check(&host, &table[i].limits, &err), table[i].kind, table[i].text);
	}
}

TEST(limits, of_a_controller_that_is_missing_are_refused_by_name)
{
	struct cgroup_host host = host_of(CGROUP_V1);
	struct cgroup_limits limits = {.pids_max = IS(5)};
	struct error err;

	ASSERT_OK(cgroup_limits_check(&host, &limits, &err));
	host.available[CGROUP_PIDS] = false;
	ASSERT_FAILS(cgroup_limits_check(&host, &limits, &err), ERROR_SYSTEM,
		"pids_max: no controller \"pids\": no hierarchy with \"pids\" in /proc/self/mountinfo");
	host.mode = CGROUP_V2;
	ASSERT_FAILS(cgroup_limits_check(&host, &limits, &err), ERROR_SYSTEM, "/cgroup.controllers (");
	host.mode = CGROUP_NONE;
	ASSERT_FAILS(cgroup_limits_check(&host, &limits, &err), ERROR_SYSTEM,
		"pids_max: no controller \"pids\": no cgroup hierarchy in /proc/self/mountinfo");
}
