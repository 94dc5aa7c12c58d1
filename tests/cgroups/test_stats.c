/* Figures, and the limits that show in them: each bites for real here. */
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#include "tests/cgroups/support.h"

#define MIB (1024 * 1024)

static struct cgroup_stats stats_of(const struct cgroup *cgroup)
{
	struct cgroup_stats stats;
	struct error err;

	ASSERT_OK(cgroup_stats_read(cgroup, &stats, &err));
	return stats;
}

/* Touches as many MiB as asked for; straight mmap, so that it is the same under sanitizers. */
static char *touch_memory(size_t mib)
{
	char *memory = mmap(NULL, mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; memory != MAP_FAILED && i < mib * MIB; i += 4096)
		((volatile char *)memory)[i] = 1;
	return memory;
}

static int body_hog(void *argument)
{
	touch_memory(*(const size_t *)argument);
	return 0;
}

TEST(stats, memory_max_kills_a_hog_and_counts_it)
{
	BOX(box);
	struct cgroup_limits limits = {.memory_max = LIMIT_OF(32 * MIB), .swap_max = LIMIT_OF(0)};
	size_t little = 4, much = 200;
	struct cgroup_stats stats;
	int status;

	box_create(&box, &limits, 0);
	status = child_run(&box.cgroup, body_hog, &little);
	cr_assert(WIFEXITED(status) && cgroup_oom_kills(&box.cgroup) == 0, "status %x", status);
	status = child_run(&box.cgroup, body_hog, &much);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", status);
	cr_assert(cgroup_oom_kills(&box.cgroup) == 1, "%ld", (long)cgroup_oom_kills(&box.cgroup));
	stats = stats_of(&box.cgroup);
	cr_assert(stats.oom_kills.value == 1 && stats.memory_limit_bytes.value == 32 * MIB);
	cr_assert(stats.memory_peak_bytes.value > 16 * MIB && stats.memory_peak_bytes.value <= 32 * MIB);
}

struct held {
	int ready[2], go[2];
};

static int body_hold(void *argument)
{
	struct held *held = argument;
	char byte = 'r';

	touch_memory(24);
	if (write(held->ready[1], &byte, 1) != 1)
		return 1;
	return read(held->go[0], &byte, 1) != 1;
}

TEST(stats, memory_used_is_what_processes_hold)
{
	BOX(box);
	struct held held;
	struct child child;
	struct cgroup_stats stats;
	char byte;

	cr_assert(pipe2(held.ready, O_CLOEXEC) == 0 && pipe2(held.go, O_CLOEXEC) == 0);
	box_create(&box, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING);
	child = child_start(&box.cgroup, body_hold, &held);
	cr_assert(read(held.ready[0], &byte, 1) == 1);
	stats = stats_of(&box.cgroup);
	cr_assert(stats.memory_used_bytes.value >= 24 * MIB && stats.memory_used_bytes.value < 64 * MIB, "%ld",
		(long)stats.memory_used_bytes.value);
	cr_assert(stats.memory_bytes.value >= 24 * MIB && stats.pids.value == 1);
	cr_assert(write(held.go[1], "g", 1) == 1);
	cr_assert(child_end(&child) == 0);
	for (int i = 0; i < 2; i++) {
		close(held.ready[i]);
		close(held.go[i]);
	}
}

/* Exit status: how many children could be made. */
static int body_fork(void *unused)
{
	int made = 0;

	(void)unused;
	for (; made < 50; made++) {
		pid_t pid = fork();

		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			body_wait(NULL);
		}
		if (pid < 0)
			break;
	}
	return errno == EAGAIN ? made : 98;
}

TEST(stats, pids_max_refuses_forks_and_counts_them)
{
	BOX(box);
	struct cgroup_stats stats;
	struct error err;
	int status;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, 0);
	status = child_run(&box.cgroup, body_fork, NULL);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 4, "status %x", status);
	stats = stats_of(&box.cgroup);
	cr_assert(stats.pids_limit.value == 5 && stats.pids_refused.value == 1);
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
}

static int64_t milliseconds_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Exit status: percent of a processor got while spinning for a while, and until it had enough to use up some quotas. */
static int body_spin(void *unused)
{
	int64_t start = milliseconds_of(CLOCK_MONOTONIC), begin = milliseconds_of(CLOCK_PROCESS_CPUTIME_ID), cpu, wall;

	(void)unused;
	do {
		wall = milliseconds_of(CLOCK_MONOTONIC) - start;
		cpu = milliseconds_of(CLOCK_PROCESS_CPUTIME_ID) - begin;
	} while (wall < GENEROUS_MS && (wall < 600 || cpu < 60));
	return (int)(cpu * 100 / wall);
}

TEST(stats, cpu_quota_holds_a_spinning_process_and_shows_it)
{
	BOX(box);
	struct cgroup_limits limits = {.cpu_quota_us = LIMIT_OF(10000), .cpu_period_us = LIMIT_OF(50000)};
	struct cgroup_stats stats = {0};
	int status;

	box_create(&box, &limits, CGROUP_ACCOUNTING);
	/* A busy machine may give it less than its quota, in every period of a while. */
	for (int tries = 0; tries < 20 && stats.cpu_throttled_periods.value < 1; tries++) {
		status = child_run(&box.cgroup, body_spin, NULL);
		/* 20 percent, and slices of 5 ms more. */
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) <= 35, "%d percent", WEXITSTATUS(status));
		stats = stats_of(&box.cgroup);
	}
	cr_assert(
		stats.cpu_throttled_periods.value >= 1 && stats.cpu_periods.value >= stats.cpu_throttled_periods.value);
	cr_assert(stats.cpu_throttled_us.value > 0);
	cr_assert(stats.cpu_us.value > 1000 && stats.cpu_us.value < 20000000, "%ld", (long)stats.cpu_us.value);
	cr_assert(stats.cpu_user_us.set && stats.cpu_system_us.set);
}

TEST(stats, of_a_removed_cgroup_are_an_error)
{
	BOX(box);
	struct cgroup_stats stats;
	struct error err;

	box_create(&box, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING);
	ASSERT_OK(cgroup_remove(&box.host, box.path, 0, false, &err));
	ASSERT_FAILS(cgroup_stats_read(&box.cgroup, &stats, &err), ERROR_MISSING, "is gone");
	cr_assert(cgroup_oom_kills(&box.cgroup) == 0);
	cr_assert(!cgroup_is_populated(&box.cgroup));
}

TEST(stats, pressure_is_in_hundredths_of_a_percent)
{
	BOX(box);
	struct cgroup_stats stats;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING);
	BOX_SKIP_UNLESS(box, faccessat(box.cgroup.unified, "cpu.pressure", F_OK, 0) == 0, "pressure is switched off");
	stats = stats_of(&box.cgroup);
	cr_assert(stats.cpu_pressure_10s.set && stats.cpu_pressure_10s.value >= 0 &&
		  stats.cpu_pressure_10s.value <= 10000);
	cr_assert(stats.memory_pressure_10s.set && stats.io_pressure_10s.set);
}

/* The account's figures are those of all the others, and nothing else was read for them. */
TEST(stats, a_bill_has_what_is_reckoned_with_and_no_more)
{
	BOX(box);
	struct cgroup_limits limits = {.memory_max = LIMIT_OF(32 * MIB), .pids_max = LIMIT_OF(8)};
	struct cgroup_stats bill, all;
	struct error err;
	size_t little = 4;

	box_create(&box, &limits, 0);
	child_run(&box.cgroup, body_hog, &little);
	ASSERT_OK(cgroup_bill_read(&box.cgroup, &bill, &err));
	all = stats_of(&box.cgroup);
	cr_assert(bill.cpu_us.set == all.cpu_us.set && bill.cpu_us.value <= all.cpu_us.value);
	cr_assert(bill.memory_bytes.set && bill.memory_used_bytes.set == all.memory_used_bytes.set);
	cr_assert(bill.memory_limit_bytes.value == 32 * MIB);
	cr_assert(bill.memory_peak_bytes.set == all.memory_peak_bytes.set &&
		  bill.memory_peak_bytes.value == all.memory_peak_bytes.value);
	cr_assert(!bill.pids.set && !bill.pids_limit.set && !bill.io_read_bytes.set && !bill.cpu_limit_milli.set);
}
