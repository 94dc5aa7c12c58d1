/* Limits seen from inside: what a process meets, not what a file says. */
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "cgroups/layout.h"
#include "tests/cgroups/support.h"

#define MIB (1024L * 1024)

static struct cgroup_stats stats_of(const struct cgroup *cgroup)
{
	struct cgroup_stats stats;
	struct error err;

	ASSERT_OK(cgroup_stats_read(cgroup, &stats, &err));
	return stats;
}

static bool swap_is_on(void)
{
	char text[512];
	const char *line = knob_read(AT_FDCWD, "/proc/swaps", text, sizeof(text)) > 0 ? strchr(text, '\n') : NULL;

	return line && line[1];
}

/* Two cgroups beside each other below the box. */
struct pair_of_groups {
	struct cgroup items[2];
};

static void groups_make(const struct box *box, const struct cgroup_limits limits[2], struct pair_of_groups *out)
{
	struct error err;

	for (int i = 0; i < 2; i++) {
		auto_free char *path = text_format("%s/%d", box->path, i);

		ASSERT_OK(cgroup_create(&box->host, path, &limits[i], CGROUP_ACCOUNTING, &out->items[i], &err));
	}
}

static void groups_drop(struct pair_of_groups *groups)
{
	struct error err;

	for (int i = 0; i < 2; i++) {
		ASSERT_OK(cgroup_kill(&groups->items[i], &err));
		cgroup_drop(&groups->items[i]);
	}
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* Fills so much memory, says so and holds it until it is killed. */
struct holder {
	size_t bytes;
	int ready[2];
};

static int body_hold(void *argument)
{
	const struct holder *holder = argument;
	char *memory = mmap(NULL, holder->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* Page by page: memory.high slows a process down when it returns from the kernel, not in the middle of a call.
	 */
	for (size_t i = 0; memory != MAP_FAILED && i < holder->bytes; i += 4096)
		((volatile char *)memory)[i] = 1;
	if (memory == MAP_FAILED || write(holder->ready[1], "r", 1) != 1)
		return 1;
	return body_wait(NULL);
}

/* False: it ended before it had the memory. */
static bool holder_start(const struct cgroup *cgroup, size_t bytes, struct child *child)
{
	struct holder holder = {.bytes = bytes};
	char byte;
	bool ready;

	cr_assert(pipe2(holder.ready, O_CLOEXEC) == 0);
	*child = child_start(cgroup, body_hold, &holder);
	close(holder.ready[1]);
	ready = read(holder.ready[0], &byte, 1) == 1;
	close(holder.ready[0]);
	return ready;
}

static void holder_end(const struct cgroup *cgroup, struct child *child)
{
	struct error err;

	(void)cgroup;
	ASSERT_OK(process_signal(child->pidfd, SIGKILL, &err));
	child_end(child);
}

TEST(effects, memory_high_holds_what_is_used_down)
{
	BOX(box);
	struct cgroup_stats stats;
	struct child child;

	SKIP_UNLESS(box_is_v2(&box) && swap_is_on(), "needs cgroup v2 and swap");
	box_create(&box, &(struct cgroup_limits){.memory_high = LIMIT_OF(24 * MIB)}, CGROUP_ACCOUNTING);
	cr_assert(holder_start(&box.cgroup, 64 * MIB, &child));
	stats = stats_of(&box.cgroup);
	cr_assert(stats.memory_bytes.value < 30 * MIB, "%ld", (long)stats.memory_bytes.value);
	cr_assert(stats.swap_bytes.value > 32 * MIB, "%ld", (long)stats.swap_bytes.value);
	cr_assert(stats.oom_kills.value == 0 && stats.memory_peak_bytes.value < 64 * MIB);
	holder_end(&box.cgroup, &child);
}

/* One group is protected, the other is not; their parent's memory is reclaimed (memory.reclaim: 5.19). */
static void assert_protects(struct box *box, struct cgroup_limits parent, struct cgroup_limits protected)
{
	const struct cgroup_limits limits[2] = {protected, {.memory_low = {0}}};
	AUTO(groups_drop) struct pair_of_groups groups;
	struct child children[2];
	int64_t kept[2];

	box_create(box, &parent, CGROUP_ACCOUNTING);
	groups_make(box, limits, &groups);
	for (int i = 0; i < 2; i++)
		cr_assert(holder_start(&groups.items[i], 24 * MIB, &children[i]));
	cr_assert(knob_write(box->cgroup.unified, "memory.reclaim", "16M") == 0, "%s", strerror(errno));
	for (int i = 0; i < 2; i++) {
		kept[i] = stats_of(&groups.items[i]).memory_bytes.value;
		holder_end(&groups.items[i], &children[i]);
	}
	cr_assert(kept[0] >= 24 * MIB && kept[1] <= 12 * MIB, "%ld %ld", (long)kept[0], (long)kept[1]);
}

TEST(effects, memory_low_is_spared_by_reclaim)
{
	BOX(box);

	SKIP_UNLESS(box_is_v2(&box) && swap_is_on(), "needs cgroup v2 and swap");
	assert_protects(&box, (struct cgroup_limits){.memory_low = LIMIT_OF(64 * MIB)},
		(struct cgroup_limits){.memory_low = LIMIT_OF(32 * MIB)});
}

TEST(effects, memory_min_is_spared_by_reclaim)
{
	BOX(box);

	SKIP_UNLESS(box_is_v2(&box) && swap_is_on(), "needs cgroup v2 and swap");
	assert_protects(&box, (struct cgroup_limits){.memory_min = LIMIT_OF(64 * MIB)},
		(struct cgroup_limits){.memory_min = LIMIT_OF(32 * MIB)});
}

TEST(effects, swap_max_bounds_what_comes_on_top_of_memory)
{
	BOX(box);
	struct cgroup_limits limits = {.memory_max = LIMIT_OF(24 * MIB), .swap_max = LIMIT_OF(8 * MIB)};
	struct child child;
	struct error err;

	SKIP_UNLESS(box.host.swap && swap_is_on(), "needs swap, and a kernel that accounts it");
	box_create(&box, &limits, 0);
	cr_assert(!holder_start(&box.cgroup, 64 * MIB, &child));
	cr_assert(WTERMSIG(child_end(&child)) == SIGKILL && cgroup_oom_kills(&box.cgroup) == 1);
	limits.swap_max.value = 64 * MIB;
	ASSERT_OK(cgroup_set(&box.cgroup, &limits, &err));
	cr_assert(holder_start(&box.cgroup, 64 * MIB, &child));
	cr_assert(stats_of(&box.cgroup).swap_bytes.value >= 32 * MIB);
	holder_end(&box.cgroup, &child);
}

TEST(effects, oom_group_ends_the_innocent_with_the_hog)
{
	BOX(box);
	struct cgroup_limits limits = {.memory_max = LIMIT_OF(24 * MIB), .swap_max = LIMIT_OF(0)};
	struct child innocent, hog;
	struct error err;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &limits, 0);
	innocent = child_start(&box.cgroup, body_wait, NULL);
	cr_assert(!holder_start(&box.cgroup, 64 * MIB, &hog));
	cr_assert(WTERMSIG(child_end(&hog)) == SIGKILL && !process_wait_end(innocent.pidfd, 0));
	limits.oom_group = LIMIT_OF(1);
	ASSERT_OK(cgroup_set(&box.cgroup, &limits, &err));
	cr_assert(!holder_start(&box.cgroup, 64 * MIB, &hog));
	cr_assert(WTERMSIG(child_end(&hog)) == SIGKILL && WTERMSIG(child_end(&innocent)) == SIGKILL);
}

TEST(effects, memory_peak_remembers_what_is_gone)
{
	BOX(box);
	struct child child;
	struct cgroup_stats stats;

	box_create(&box, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING);
	cr_assert(holder_start(&box.cgroup, 24 * MIB, &child));
	holder_end(&box.cgroup, &child);
	stats = stats_of(&box.cgroup);
	BOX_SKIP_UNLESS(box, stats.memory_peak_bytes.set, "needs memory.peak (5.19)");
	cr_assert(stats.memory_peak_bytes.value >= 24 * MIB && stats.memory_used_bytes.value < 12 * MIB, "%ld %ld",
		(long)stats.memory_peak_bytes.value, (long)stats.memory_used_bytes.value);
}

/* --- processors --------------------------------------------------------------------------------------------------- */

static int64_t thread_cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Alone with its rival on processor 0, for ever. */
static int body_compete(void *unused)
{
	cpu_set_t first;

	(void)unused;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	for (;;)
		(void)thread_cpu_ms();
	return 0;
}

static int64_t cpu_us_of(const struct cgroup *cgroup)
{
	return stats_of(cgroup).cpu_us.value;
}

/* How many times as much as the second the first one got. */
static double advantage(const struct cgroup_limits limits[2], int64_t enough_us)
{
	BOX(box);
	AUTO(groups_drop) struct pair_of_groups groups;
	struct child children[2];
	int64_t begin[2], got[2], deadline = clock_ms() + GENEROUS_MS;

	box_create(&box, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING);
	groups_make(&box, limits, &groups);
	for (int i = 0; i < 2; i++)
		children[i] = child_start(&groups.items[i], body_compete, NULL);
	for (int i = 0; i < 2; i++) {
		wait_populated(&groups.items[i]);
		begin[i] = cpu_us_of(&groups.items[i]);
	}
	do {
		poll(NULL, 0, 50);
		for (int i = 0; i < 2; i++)
			got[i] = cpu_us_of(&groups.items[i]) - begin[i];
	} while (got[0] < enough_us && clock_ms() < deadline);
	for (int i = 0; i < 2; i++)
		holder_end(&groups.items[i], &children[i]);
	return (double)got[0] / (double)(got[1] + 1);
}

TEST(effects, cpu_weight_divides_a_busy_processor)
{
	const struct cgroup_limits limits[2] = {{.cpu_weight = LIMIT_OF(400)}, {.cpu_weight = LIMIT_OF(100)}};
	double times = advantage(limits, 800000);

	cr_assert(times > 2 && times < 8, "%f", times);
}

TEST(effects, cpu_idle_leaves_the_processor_to_others)
{
	const struct cgroup_limits limits[2] = {{.cpu_weight = LIMIT_OF(100)}, {.cpu_idle = LIMIT_OF(1)}};
	double times = advantage(limits, 800000);

	cr_assert(times > 8, "%f", times);
}

static int body_processors(void *unused)
{
	cpu_set_t all, second;
	char text[4096];

	(void)unused;
	CPU_ZERO(&second);
	CPU_SET(1, &second);
	if (sched_getaffinity(0, sizeof(all), &all) < 0 || CPU_COUNT(&all) != 1 || !CPU_ISSET(0, &all))
		return 1;
	if (sched_setaffinity(0, sizeof(second), &second) == 0)
		return 2;
	if (knob_read(AT_FDCWD, "/proc/self/status", text, sizeof(text)) < 0 ||
		!strstr(text, "\nMems_allowed_list:\t0\n"))
		return 3;
	return 0;
}

TEST(effects, cpuset_keeps_processes_off_other_processors)
{
	BOX(box);
	int status;

	SKIP_UNLESS(sysconf(_SC_NPROCESSORS_ONLN) > 1, "needs two processors");
	box_create(&box, &(struct cgroup_limits){.cpuset_cpus = "0", .cpuset_mems = "0"}, 0);
	status = child_run(&box.cgroup, body_processors, NULL);
	cr_assert(status == 0, "status %x", status);
}

/* Rests, then takes at once what it was given in the meantime. */
static int body_burst(void *unused)
{
	(void)unused;
	for (;;) {
		poll(NULL, 0, 400);
		for (int64_t until = thread_cpu_ms() + 35; thread_cpu_ms() < until;)
			;
	}
	return 0;
}

TEST(effects, cpu_burst_gives_back_what_was_saved)
{
	BOX(box);
	struct cgroup_limits limits = {
		.cpu_quota_us = LIMIT_OF(20000), .cpu_period_us = LIMIT_OF(100000), .cpu_burst_us = LIMIT_OF(20000)};
	int64_t bursts = 0, deadline = clock_ms() + GENEROUS_MS;
	struct child child;
	char text[1024];

	box_create(&box, &limits, 0);
	child = child_start(&box.cgroup, body_burst, NULL);
	while (bursts == 0 && clock_ms() < deadline) {
		poll(NULL, 0, 50);
		cr_assert(knob_read(cgroup_directory(&box.cgroup, CGROUP_CPU), "cpu.stat", text, sizeof(text)) > 0);
		cr_assert(keyed_number(text, "nr_bursts", &bursts), "%s", text);
	}
	cr_assert(bursts > 0);
	holder_end(&box.cgroup, &child);
}

TEST(effects, pressure_rises_where_a_process_waits_for_the_processor)
{
	BOX(box);
	struct cgroup_limits limits = {.cpu_quota_us = LIMIT_OF(5000), .cpu_period_us = LIMIT_OF(100000)};
	int64_t deadline = clock_ms() + GENEROUS_MS;
	struct cgroup_stats stats;
	struct child child;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &limits, CGROUP_ACCOUNTING);
	stats = stats_of(&box.cgroup);
	BOX_SKIP_UNLESS(box, stats.cpu_pressure_10s.set, "needs pressure figures (psi=1)");
	cr_assert(stats.cpu_pressure_10s.value == 0);
	child = child_start(&box.cgroup, body_compete, NULL);
	do {
		poll(NULL, 0, 100);
		stats = stats_of(&box.cgroup);
	} while (stats.cpu_pressure_10s.value < 1000 && clock_ms() < deadline);
	cr_assert(stats.cpu_pressure_10s.value >= 1000, "%ld", (long)stats.cpu_pressure_10s.value);
	cr_assert(stats.io_pressure_10s.value == 0);
	holder_end(&box.cgroup, &child);
}

/* --- disks -------------------------------------------------------------------------------------------------------- */

/* A directory on a real block device, and that device (limits know whole disks only). */
struct disk {
	const char *directory;
	unsigned major, minor;
};

static bool disk_find(struct disk *out)
{
	static const char *const directories[] = {"/mnt/disk", "/var/tmp", "/var/lib", "/"};

	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		struct stat st;
		char text[64];
		auto_free char *part = NULL, *file = NULL;

		if (stat(directories[i], &st) < 0)
			continue;
		part = text_format("/sys/dev/block/%u:%u/partition", major(st.st_dev), minor(st.st_dev));
		file = text_format("/sys/dev/block/%u:%u/%s", major(st.st_dev), minor(st.st_dev),
			access(part, F_OK) == 0 ? "../dev" : "dev");
		if (knob_read(AT_FDCWD, file, text, sizeof(text)) > 0 &&
			sscanf(text, "%u:%u", &out->major, &out->minor) == 2) {
			out->directory = directories[i];
			return true;
		}
	}
	return false;
}

#define BLOCK (64 * 1024)
#define BLOCKS 24

/* Direct writes, so that nothing waits in the page cache. */
static int body_write(void *argument)
{
	const struct disk *disk = argument;
	auto_fd fd = open(disk->directory, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	void *block = NULL;

	if (fd < 0 || posix_memalign(&block, 4096, BLOCK) != 0)
		return 1;
	for (int i = 0; i < BLOCKS; i++)
		if (pwrite(fd, block, BLOCK, (off_t)i * BLOCK) != BLOCK)
			return 2;
	free(block);
	return 0;
}

static int64_t write_ms(const struct cgroup *cgroup, struct disk *disk)
{
	int64_t begin = clock_ms();
	int status = child_run(cgroup, body_write, disk);

	cr_assert(status == 0, "status %x", status);
	return clock_ms() - begin;
}

/* 1.5 MiB of which half a second's worth may pass at first. */
TEST(effects, io_max_slows_writes_down)
{
	BOX(box);
	struct disk disk;
	struct cgroup_io_max rates[] = {{.wbps = LIMIT_OF(512 * 1024)}};
	struct cgroup_limits limits = {.io_max = {rates, 1}};
	struct error err;
	int64_t slow, few, fast;

	SKIP_UNLESS(disk_find(&disk), "needs a file system on a block device");
	rates[0].major = disk.major;
	rates[0].minor = disk.minor;
	box_create(&box, &limits, 0);
	slow = write_ms(&box.cgroup, &disk);
	rates[0].wbps.value = -1;
	rates[0].wiops = LIMIT_OF(8);
	ASSERT_OK(cgroup_set(&box.cgroup, &limits, &err));
	few = write_ms(&box.cgroup, &disk);
	rates[0].wiops.value = -1;
	ASSERT_OK(cgroup_set(&box.cgroup, &limits, &err));
	fast = write_ms(&box.cgroup, &disk);
	cr_assert(slow >= 2000 && few >= 2000, "%ld ms by bytes, %ld ms by number, %ld ms without limit", (long)slow,
		(long)few, (long)fast);
	cr_assert(fast < slow && fast < few, "%ld, %ld and %ld ms", (long)slow, (long)few, (long)fast);
}

TEST(effects, io_is_counted)
{
	BOX(box);
	struct disk disk;
	struct cgroup_stats stats;

	SKIP_UNLESS(disk_find(&disk), "needs a file system on a block device");
	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2 (v1 counts only where a rate is limited)");
	box_create(&box, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING);
	write_ms(&box.cgroup, &disk);
	stats = stats_of(&box.cgroup);
	cr_assert(stats.io_write_bytes.value >= BLOCK * BLOCKS, "%ld", (long)stats.io_write_bytes.value);
}
