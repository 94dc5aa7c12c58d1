/* Removing cgroups, with what is below them, and finding them. */
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>

#include "tests/cgroups/support.h"

static bool is_gone(const struct box *box)
{
	struct cgroup cgroup;
	struct error err;

	if (cgroup_open(&box->host, box->path, &cgroup, &err) < 0)
		return err.kind == ERROR_MISSING;
	cgroup_drop(&cgroup);
	return false;
}

TEST(remove, takes_it_away_and_finds_nothing_to_do_after)
{
	BOX(box);
	struct error err;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, CGROUP_ACCOUNTING);
	ASSERT_OK(cgroup_remove(&box.host, box.path, 0, true, &err));
	cr_assert(is_gone(&box));
	ASSERT_OK(cgroup_remove(&box.host, box.path, 0, true, &err));
}

TEST(remove, of_an_empty_one_leaves_what_has_something_below)
{
	BOX(box);
	struct error err;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, CGROUP_ACCOUNTING);
	cr_assert(mkdirat(cgroup_directory(&box.cgroup, CGROUP_PIDS), "below", 0755) == 0);
	cgroup_remove_empty(&box.host, box.path);
	cr_assert(!is_gone(&box));
	ASSERT_OK(cgroup_remove(&box.host, box.path, 1000, false, &err));
	cgroup_drop(&box.cgroup);

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, CGROUP_ACCOUNTING);
	cgroup_remove_empty(&box.host, box.path);
	cr_assert(is_gone(&box));
}

/* What an instance with a subtree of its own may leave: wide, and deeper than a path can be. */
static void make_wild_tree(int top)
{
	auto_fd at = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[201];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 20; i++) {
		snprintf(name, 8, "wide%d", i);
		cr_assert(mkdirat(top, name, 0755) == 0);
	}
	memset(name, 'n', 8);
	for (int i = 0; i < 30; i++) {
		int next;

		cr_assert(mkdirat(at, name, 0755) == 0, "%d: %s", i, strerror(errno));
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cr_assert(next >= 0);
		close(at);
		at = next;
	}
}

TEST(remove, takes_away_what_the_instance_made_below)
{
	BOX(box);
	struct error err;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, CGROUP_ACCOUNTING);
	make_wild_tree(cgroup_directory(&box.cgroup, CGROUP_PIDS));
	ASSERT_OK(cgroup_remove(&box.host, box.path, 1000, false, &err));
	cr_assert(is_gone(&box));
}

TEST(remove, of_a_cgroup_in_use_says_by_whom_when_the_time_is_out)
{
	BOX(box);
	struct child child;
	char expected[96];
	struct error err;

	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, 0);
	child = child_start(&box.cgroup, body_wait, NULL);
	wait_populated(&box.cgroup);
	snprintf(expected, sizeof(expected), "remove cgroup %s: it still has 1 process (the first is %d)", box.path,
		child.pid);
	ASSERT_FAILS(cgroup_remove(&box.host, box.path, 20, false, &err), ERROR_BUSY, expected);
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
	child_end(&child);
}

/* Ends when our descriptor of the pipe is closed. */
static int body_read(void *argument)
{
	int *pipe = argument;
	char byte;

	close(pipe[1]);
	return read(pipe[0], &byte, 1) < 0;
}

static void *close_after_a_while(void *argument)
{
	int *pipe = argument;

	poll(NULL, 0, 50);
	close(pipe[1]);
	return NULL;
}

TEST(remove, waits_for_processes_that_are_ending)
{
	BOX(box);
	int pipe[2];
	struct child child;
	pthread_t closer;
	struct error err;

	cr_assert(pipe2(pipe, O_CLOEXEC) == 0);
	box_create(&box, &(struct cgroup_limits){.pids_max = LIMIT_OF(5)}, CGROUP_ACCOUNTING);
	child = child_start(&box.cgroup, body_read, pipe);
	wait_populated(&box.cgroup);
	cr_assert(pthread_create(&closer, NULL, close_after_a_while, pipe) == 0);
	/* The child becomes a zombie, which keeps no cgroup. */
	ASSERT_OK(cgroup_remove(&box.host, box.path, GENEROUS_MS, false, &err));
	pthread_join(closer, NULL);
	cr_assert(is_gone(&box));
	child_end(&child);
	close(pipe[0]);
}

TEST(children, are_named_once_whatever_hierarchies_they_are_in)
{
	BOX(box);
	static const char *const names[] = {"b", "a", "c"};
	AUTO(arena_drop) struct arena arena = {0};
	struct strings found;
	struct error err;

	ASSERT_OK(cgroup_children(&box.host, box.path, &arena, &found, &err));
	cr_assert(found.count == 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct cgroup_limits limits = {0};
		struct cgroup cgroup;
		char path[96];

		if (i == 0)
			limits.pids_max = LIMIT_OF(5);
		snprintf(path, sizeof(path), "%s/%s", box.path, names[i]);
		ASSERT_OK(cgroup_create(&box.host, path, &limits, i ? CGROUP_ACCOUNTING : 0, &cgroup, &err));
		cgroup_drop(&cgroup);
	}
	ASSERT_OK(cgroup_children(&box.host, box.path, &arena, &found, &err));
	cr_assert(found.count == 3, "%zu", found.count);
	cr_assert_str_eq(found.items[0], "a");
	cr_assert_str_eq(found.items[1], "b");
	cr_assert_str_eq(found.items[2], "c");
}

TEST(remove, of_a_parent_takes_its_children_in_every_hierarchy)
{
	BOX(box);
	struct cgroup cgroup;
	char path[96];
	struct error err;

	snprintf(path, sizeof(path), "%s/a/b/c", box.path);
	ASSERT_OK(cgroup_create(&box.host, path, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING, &cgroup, &err));
	cgroup_drop(&cgroup);
	ASSERT_OK(cgroup_remove(&box.host, box.path, 0, false, &err));
	cr_assert(is_gone(&box));
}
