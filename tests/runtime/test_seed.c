/* Tests of runtime/start/seed.c, each in a mount namespace of its own, with which what it mounts goes away. */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/start/seed.h"
#include "tests/test.h"

/* Mounting the file of a namespace in one that is newer is refused (EINVAL), and newer is who has the higher number.
 * Since Linux 6.18 each processor hands them out from a supply of its own: on one processor they rise. A host's first
 * namespace is older than all; elsewhere a seed that cannot be pinned is done without. */
static void stay_on_this_processor(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	cr_assert(sched_setaffinity(0, sizeof(one), &one) == 0, "%m");
}

/* A place in a file system of the test's own. */
static const char *place_new(unsigned long propagation)
{
	static const char place[] = "/tmp/warren-test-seed";

	stay_on_this_processor();
	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "%m");
	cr_assert(mount("none", "/tmp", "tmpfs", 0, NULL) == 0 && mount(NULL, "/tmp", NULL, propagation, NULL) == 0,
		"%m");
	return place;
}

static ino_t number_of(int fd)
{
	struct stat status;

	cr_assert(fd >= 0 && fstat(fd, &status) == 0, "%d: %m", fd);
	return status.st_ino;
}

/* What whoever copies it gets: an empty directory, with nothing else mounted. */
static int look_inside(int seed)
{
	struct dirent *entry;
	int found = 0;
	DIR *root;

	if (setns(seed, CLONE_NEWNS) < 0 || unshare(CLONE_NEWNS) < 0 || !(root = opendir("/")))
		return 1;
	while ((entry = readdir(root)))
		found += entry->d_name[0] != '.';
	if (found || mkdir("/x", 0755) == 0)
		return 2;
	/* And a place where a root can be attached and changed to, as in any other. */
	return mount("none", "/", "tmpfs", 0, NULL) < 0 || chdir("/..") < 0 || mkdir("old", 0755) < 0 ? 3 : 0;
}

TEST(seed, is_a_namespace_of_an_empty_root_and_the_same_for_all)
{
	NEEDS_ROOT();
	const char *place = place_new(MS_PRIVATE);
	auto_fd first = seed_open(place), second = seed_open(place);
	int status;
	pid_t pid;

	cr_assert_eq(number_of(first), number_of(second));
	pid = fork();
	if (pid == 0)
		_exit(look_inside(first));
	cr_assert(waitpid(pid, &status, 0) == pid && status == 0, "%#x", status);
}

TEST(seed, can_be_pinned_where_mounts_are_shared)
{
	NEEDS_ROOT();
	const char *place = place_new(MS_SHARED);
	auto_fd first = seed_open(place), second = seed_open(place);

	cr_assert_eq(number_of(first), number_of(second));
}

/* Killed after each of its steps, or taken away by somebody. */
TEST(seed, is_made_from_whatever_is_there)
{
	NEEDS_ROOT();
	const char *place = place_new(MS_SHARED);
	const char *pin = "/tmp/warren-test-seed/mnt";

	cr_assert(mkdir(place, 0700) == 0);
	fd_drop(&(int){seed_open(place)});
	cr_assert(umount2(pin, MNT_DETACH) == 0, "%m");
	auto_fd again = seed_open(place);
	number_of(again);
	cr_assert(umount2(pin, MNT_DETACH) == 0 && umount2(place, MNT_DETACH) == 0, "%m");
	cr_assert(mount(place, place, NULL, MS_BIND, NULL) == 0); /* shared still */
	auto_fd once_more = seed_open(place);
	cr_assert_neq(number_of(once_more), number_of(again));
}

TEST(seed, is_done_without_while_another_makes_it_or_where_others_may_write)
{
	NEEDS_ROOT();
	const char *place = place_new(MS_PRIVATE);

	cr_assert(mkdir(place, 0700) == 0);
	auto_fd other = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(flock(other, LOCK_EX) == 0);
	cr_assert_eq(seed_open(place), -1);
	cr_assert(flock(other, LOCK_UN) == 0 && chmod(place, 0770) == 0);
	cr_assert_eq(seed_open(place), -1);
	cr_assert(chmod(place, 0700) == 0);
	auto_fd seed = seed_open(place);
	number_of(seed);
}
