#include <errno.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include <fcntl.h>

#include "tests/test.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* All in a child: the test itself needs its descriptors. Gives the child's exit status. */
static int in_child(int (*body)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(body());
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int close_all_but_three(void)
{
	const int keep[] = {20, 5, 12};

	for (int fd = 3; fd < 40; fd++)
		dup2(0, fd);
	if (fds_close_all_but(keep, 3) < 0)
		return 101;
	for (int fd = 0; fd < 60; fd++)
		if (is_open(fd) != (fd < 3 || fd == 5 || fd == 12 || fd == 20))
			return fd + 1;
	if (fds_close_all_but(NULL, 0) < 0)
		return 102;
	return is_open(5) || is_open(12) || is_open(20) || !is_open(2) ? 100 : 0;
}

TEST(descriptors, all_but_the_kept_ones_are_closed)
{
	cr_assert_eq(in_child(close_all_but_three), 0);
}

static int drop_some(void)
{
	int listed[] = {30, 31, -1, 32, 10, 35, 36};

	for (int fd = 3; fd < 40; fd++)
		dup2(0, fd);
	errno = ENOTTY;
	fds_drop(listed, ARRAY_SIZE(listed));
	if (errno != ENOTTY)
		return 101;
	for (size_t i = 0; i < ARRAY_SIZE(listed); i++)
		if (listed[i] != -1)
			return 102;
	for (int fd = 0; fd < 40; fd++)
		if (is_open(fd) == ((fd >= 30 && fd <= 32) || fd == 10 || fd == 35 || fd == 36))
			return fd + 1;
	fds_drop(listed, ARRAY_SIZE(listed));
	return is_open(0) && is_open(39) ? 0 : 103;
}

TEST(descriptors, those_of_a_list_are_closed_and_no_others)
{
	cr_assert_eq(in_child(drop_some), 0);
}

static int close_on_exec_from_ten(void)
{
	for (int fd = 3; fd < 20; fd++)
		dup2(0, fd);
	if (fds_close_on_exec_from(10) < 0)
		return 1;
	for (int fd = 3; fd < 20; fd++)
		if (!(fcntl(fd, F_GETFD) & FD_CLOEXEC) != (fd < 10))
			return fd;
	return 0;
}

TEST(descriptors, from_a_number_on_do_not_survive_exec)
{
	cr_assert_eq(in_child(close_on_exec_from_ten), 0);
}

static int open_the_standard_ones(void)
{
	close(0);
	close(2);
	fds_open_standard();
	if (!is_open(0) || !is_open(1) || !is_open(2))
		return 1;
	return write(2, "x", 1) == 1 ? 0 : 2; /* /dev/null takes it */
}

TEST(descriptors, standard_ones_are_opened_when_closed)
{
	cr_assert_eq(in_child(open_the_standard_ones), 0);
}
