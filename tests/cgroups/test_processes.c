/* Listing, freezing, killing the processes of a cgroup. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/cgroups/support.h"
#include "tests/refuse.h"

TEST(processes, are_listed_with_those_of_children)
{
	BOX(box);
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(cgroup_drop) struct cgroup inner = {.unified = -1};
	struct child first, second;
	struct cgroup_pids pids;
	char path[96];
	struct error err;

	snprintf(path, sizeof(path), "%s/deep", box.path);
	ASSERT_OK(cgroup_create(&box.host, path, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING, &inner, &err));
	ASSERT_OK(cgroup_open(&box.host, box.path, &box.cgroup, &err));
	cr_assert(!cgroup_is_populated(&box.cgroup));
	first = child_start(&inner, body_wait, NULL);
	second = child_start(&inner, body_wait, NULL);
	do
		ASSERT_OK(cgroup_processes(&box.cgroup, &arena, &pids, &err));
	while (pids.count < 2);
	cr_assert(pids.count == 2);
	cr_assert((pids.items[0] == first.pid && pids.items[1] == second.pid) ||
		  (pids.items[1] == first.pid && pids.items[0] == second.pid));
	cr_assert(cgroup_is_populated(&box.cgroup));
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
	cr_assert(WTERMSIG(child_end(&first)) == SIGKILL && WTERMSIG(child_end(&second)) == SIGKILL);
	cr_assert(!cgroup_is_populated(&box.cgroup));
}

/* --- freezing ----------------------------------------------------------------------------------------------------- */

/* A process that increments a counter we can see. */
static int body_count(void *argument)
{
	for (;;)
		__atomic_fetch_add((volatile long *)argument, 1, __ATOMIC_RELAXED);
	return 0;
}

static long counter_now(volatile long *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void wait_counting(volatile long *counter)
{
	long before = counter_now(counter);
	int64_t deadline = clock_ms() + GENEROUS_MS;

	while (counter_now(counter) == before && clock_ms() < deadline)
		poll(NULL, 0, 1);
	cr_assert(counter_now(counter) != before, "it stands still");
}

TEST(freeze, stops_processes_and_lets_them_go_on)
{
	BOX(box);
	volatile long *counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct child child;
	long frozen_at;
	struct error err;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, 0);
	child = child_start(&box.cgroup, body_count, (void *)counter);
	wait_counting(counter);
	cr_assert(!cgroup_is_frozen(&box.cgroup));
	ASSERT_OK(cgroup_freeze(&box.cgroup, true, GENEROUS_MS, &err));
	cr_assert(cgroup_is_frozen(&box.cgroup));
	frozen_at = counter_now(counter);
	poll(NULL, 0, 30);
	cr_assert(counter_now(counter) == frozen_at, "it ran on while frozen");
	ASSERT_OK(cgroup_freeze(&box.cgroup, true, GENEROUS_MS, &err));
	ASSERT_OK(cgroup_freeze(&box.cgroup, false, GENEROUS_MS, &err));
	cr_assert(!cgroup_is_frozen(&box.cgroup));
	wait_counting(counter);
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
	child_end(&child);
	munmap((void *)counter, 4096);
}

TEST(freeze, is_seen_through_a_handle_opened_before)
{
	BOX(box);
	AUTO(cgroup_drop) struct cgroup other = {.unified = -1};
	struct error err;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, 0);
	ASSERT_OK(cgroup_open(&box.host, box.path, &other, &err));
	ASSERT_OK(cgroup_freeze(&box.cgroup, true, GENEROUS_MS, &err));
	cr_assert(cgroup_is_frozen(&other));
	ASSERT_OK(cgroup_freeze(&other, false, GENEROUS_MS, &err));
	cr_assert(!cgroup_is_frozen(&box.cgroup) && !cgroup_is_frozen(&other));
}

/* --- killing ------------------------------------------------------------------------------------------------------ */

TEST(kill, ends_frozen_processes_too)
{
	BOX(box);
	struct child child;
	struct error err;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, 0);
	child = child_start(&box.cgroup, body_wait, NULL);
	wait_populated(&box.cgroup);
	ASSERT_OK(cgroup_freeze(&box.cgroup, true, GENEROUS_MS, &err));
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
	cr_assert(WTERMSIG(child_end(&child)) == SIGKILL);
}

TEST(signal, reaches_all_below_and_nobody_else)
{
	BOX(box);
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(cgroup_drop) struct cgroup inner = {.unified = -1};
	struct child first, second;
	struct cgroup_pids pids;
	struct error err;
	char path[96];
	pid_t other;

	snprintf(path, sizeof(path), "%s/deep", box.path);
	ASSERT_OK(cgroup_create(&box.host, path, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING, &inner, &err));
	ASSERT_OK(cgroup_open(&box.host, box.path, &box.cgroup, &err));
	first = child_start(&inner, body_wait, NULL);
	second = child_start(&inner, body_wait, NULL);
	other = fork();
	if (other == 0)
		_exit(body_wait(NULL));
	do
		ASSERT_OK(cgroup_processes(&box.cgroup, &arena, &pids, &err));
	while (pids.count < 2);
	ASSERT_OK(cgroup_signal(&box.cgroup, SIGUSR1, &err));
	cr_assert(WTERMSIG(child_end(&first)) == SIGUSR1 && WTERMSIG(child_end(&second)) == SIGUSR1);
	cr_assert(waitpid(other, NULL, WNOHANG) == 0, "it got a signal, too");
	ASSERT_OK(cgroup_signal(&box.cgroup, SIGUSR1, &err));
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}

/* On v2 the kernel kills them itself. */
TEST(kill, says_so_when_it_cannot_reach_a_process)
{
	BOX(box);
	struct child child;
	struct error err;
	int status;

	SKIP_UNLESS(!box_is_v2(&box), "needs cgroup v1");
	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, 0);
	child = child_start(&box.cgroup, body_wait, NULL);
	wait_populated(&box.cgroup);
	pid_t killer = fork();
	if (killer == 0) {
		if (syscall_refuse(SYS_pidfd_open, EMFILE) < 0 || cgroup_kill(&box.cgroup, &err) == 0)
			_exit(1);
		_exit(strstr(err.text, "open process") && strstr(err.text, "Too many open files") ? 0 : 2);
	}
	cr_assert(waitpid(killer, &status, 0) == killer && status == 0, "status 0x%x", status);
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
	cr_assert(WTERMSIG(child_end(&child)) == SIGKILL);
}

static int body_fork_bomb(void *unused)
{
	(void)unused;
	signal(SIGCHLD, SIG_IGN);
	for (;;)
		if (fork() < 0)
			poll(NULL, 0, 1);
	return 0;
}

static int64_t pids_refused(const struct cgroup *cgroup)
{
	struct cgroup_stats stats;
	struct error err;

	ASSERT_OK(cgroup_stats_read(cgroup, &stats, &err));
	return stats.pids_refused.value;
}

TEST(kill, outruns_a_fork_bomb_that_pids_max_holds)
{
	BOX(box);
	int64_t deadline = clock_ms() + GENEROUS_MS;
	struct child child;
	struct error err;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(30)}, 0);
	child = child_start(&box.cgroup, body_fork_bomb, NULL);
	while (pids_refused(&box.cgroup) == 0 && clock_ms() < deadline)
		poll(NULL, 0, 1);
	cr_assert(pids_refused(&box.cgroup) > 0, "no fork was refused");
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
	child_end(&child);
	while (cgroup_is_populated(&box.cgroup) && clock_ms() < deadline)
		poll(NULL, 0, 1);
	cr_assert(!cgroup_is_populated(&box.cgroup), "somebody survived");
}

TEST(kill, of_an_empty_cgroup_is_fine)
{
	BOX(box);
	struct error err;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, 0);
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
}

/* --- events ------------------------------------------------------------------------------------------------------- */

TEST(events, wake_a_waiter_when_the_last_process_ends)
{
	BOX(box);
	auto_fd events = -1;
	struct pollfd pollfd;
	char text[256];
	struct child child;
	struct error err;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, 0);
	if (!box_is_v2(&box)) {
		ASSERT_FAILS(cgroup_events_open(&box.cgroup, &err), ERROR_MISSING, "cgroup v1 reports no events");
		return;
	}
	child = child_start(&box.cgroup, body_wait, NULL);
	events = cgroup_events_open(&box.cgroup, &err);
	cr_assert(events >= 0, "%s", err.text);
	cr_assert(read(events, text, sizeof(text)) > 0);
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
	pollfd = (struct pollfd){.fd = events, .events = POLLPRI};
	cr_assert(poll(&pollfd, 1, GENEROUS_MS) == 1 && pollfd.revents & POLLPRI);
	child_end(&child);
}

/* --- what an instance makes below its cgroup ---------------------------------------------------------------------- */

/* In the instance: a group with a hidden name that is threaded and holds one of two threads, and a plain one below
 * another with a process. Says so by a byte. */
struct maker {
	int dir, ready;
};

static int thread_wait(void *unused)
{
	return body_wait(unused);
}

static int body_make_groups(void *argument)
{
	static char stack[65536];
	const struct maker *maker = argument;
	char tid[16];
	pid_t thread = clone(thread_wait, stack + sizeof(stack),
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, NULL);
	pid_t below = thread < 0 ? -1 : fork();

	if (below < 0)
		return 1;
	if (below == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return body_wait(NULL);
	}
	snprintf(tid, sizeof(tid), "%d", thread);
	if (mkdirat(maker->dir, ".hidden", 0755) < 0 || knob_write(maker->dir, ".hidden/cgroup.type", "threaded") < 0 ||
		knob_write(maker->dir, ".hidden/cgroup.threads", tid) < 0)
		return 2;
	snprintf(tid, sizeof(tid), "%d", below);
	if (mkdirat(maker->dir, "plain", 0755) < 0 || knob_write(maker->dir, "plain/cgroup.type", "threaded") < 0 ||
		mkdirat(maker->dir, "plain/deep", 0755) < 0 ||
		knob_write(maker->dir, "plain/deep/cgroup.type", "threaded") < 0 ||
		knob_write(maker->dir, "plain/deep/cgroup.threads", tid) < 0)
		return 3;
	return write(maker->ready, "r", 1) == 1 ? body_wait(NULL) : 4;
}

TEST(processes, in_threaded_and_hidden_groups_are_listed_frozen_counted_and_killed)
{
	BOX(box);
	AUTO(arena_drop) struct arena arena = {0};
	int ready[2];
	struct maker maker;
	struct child child;
	struct cgroup_pids pids;
	struct cgroup_stats stats;
	struct error err;
	char byte;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING);
	cr_assert(pipe2(ready, O_CLOEXEC) == 0);
	maker = (struct maker){box.cgroup.unified, ready[1]};
	child = child_start(&box.cgroup, body_make_groups, &maker);
	close(ready[1]);
	cr_assert(read(ready[0], &byte, 1) == 1, "status %x", child_end(&child));
	close(ready[0]);
	ASSERT_OK(cgroup_processes(&box.cgroup, &arena, &pids, &err));
	cr_assert_eq(pids.count, 2);
	ASSERT_OK(cgroup_stats_read(&box.cgroup, &stats, &err));
	cr_assert_eq(stats.pids.value, 3);
	ASSERT_OK(cgroup_freeze(&box.cgroup, true, GENEROUS_MS, &err));
	ASSERT_OK(cgroup_freeze(&box.cgroup, false, GENEROUS_MS, &err));
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
	cr_assert(WTERMSIG(child_end(&child)) == SIGKILL);
	ASSERT_OK(cgroup_remove(&box.host, box.path, GENEROUS_MS, false, &err));
	cr_assert(faccessat(box.host.unified, box.path, F_OK, 0) < 0);
}

static int body_hide(void *argument)
{
	const struct maker *maker = argument;

	if (mkdirat(maker->dir, ".hidden", 0755) < 0 || knob_write(maker->dir, ".hidden/cgroup.procs", "0") < 0)
		return 1;
	return write(maker->ready, "r", 1) == 1 ? body_wait(NULL) : 2;
}

/* On v1 they are found by walking through the tree. */
TEST(processes, in_a_group_with_a_hidden_name_do_not_escape)
{
	BOX(box);
	AUTO(arena_drop) struct arena arena = {0};
	int ready[2];
	struct maker maker;
	struct child child;
	struct cgroup_pids pids;
	struct error err;
	char byte;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(20)}, 0);
	cr_assert(pipe2(ready, O_CLOEXEC) == 0);
	maker = (struct maker){cgroup_directory(&box.cgroup, CGROUP_PIDS), ready[1]};
	child = child_start(&box.cgroup, body_hide, &maker);
	close(ready[1]);
	cr_assert(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	ASSERT_OK(cgroup_processes(&box.cgroup, &arena, &pids, &err));
	cr_assert(pids.count == 1 && pids.items[0] == child.pid);
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
	cr_assert(WTERMSIG(child_end(&child)) == SIGKILL);
}

/* --- joining one that hands controllers down ---------------------------------------------------------------------- */

static int body_in_leaf(void *unused)
{
	char text[512];

	(void)unused;
	return knob_read(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) < 0 || !strstr(text, "/warren.exec\n");
}

/* As systemd does it as an instance's first process. */
TEST(entrance, of_one_that_hands_controllers_down_is_a_leaf)
{
	BOX(box);
	AUTO(cgroup_drop) struct cgroup again = {.unified = -1};
	struct error err;
	int status;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, CGROUP_ALL_CONTROLLERS);
	cr_assert(mkdirat(box.cgroup.unified, "init.scope", 0755) == 0);
	cr_assert(knob_write(box.cgroup.unified, "cgroup.subtree_control", "+pids +memory") == 0);
	ASSERT_OK(cgroup_open(&box.host, box.path, &again, &err));
	for (int i = 0; i < 2; i++) {
		status = child_run(&again, body_in_leaf, NULL);
		cr_assert(status == 0, "status %x", status);
	}
	ASSERT_KNOB(&box.cgroup, CGROUP_PIDS, "pids.max", "5");
}
