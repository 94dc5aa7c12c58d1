/* Between a starter and the first process: the death of the one, a start that is refused, stuck or held. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/process.h"
#include "base/socket.h"
#include "tests/runtime/support_runtime.h"

/* --- the parent's death ------------------------------------------------------------------------------------------- */

/* A starter in a process of its own; its container's pid comes back on the pipe. With a gate, prepare() stops there. */
static int stop_in_prepare(void *context, const struct launch_child *child, struct launch_part *parts, size_t room,
	size_t *count, struct error *err)
{
	int *pipe_end = context;

	(void)parts, (void)room, (void)count, (void)err;
	cr_assert(write(*pipe_end, &child->pid, sizeof(child->pid)) == sizeof(child->pid));
	for (;;)
		pause();
}

static pid_t starter_fork(struct sandbox *box, bool stop_early, pid_t *container)
{
	int ends[2];
	pid_t starter;

	cr_assert(pipe2(ends, O_CLOEXEC) == 0);
	starter = fork();
	if (starter == 0) {
		struct launch launch = launch_of(&box->spec);
		struct launched launched;
		struct error err;

		if (stop_early)
			launch.callbacks = (struct launch_callbacks){.context = &ends[1], .prepare = stop_in_prepare};
		if (launch_start(&launch, &launched, NULL, &err) < 0)
			_exit(1);
		if (write(ends[1], &launched.pid, sizeof(launched.pid)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	cr_assert(read(ends[0], container, sizeof(*container)) == sizeof(*container));
	close(ends[0]);
	return starter;
}

/* Trap: setresuid clears the parent-death signal, so it must be set after it. */
TEST(launch_starter, ends_with_its_starter_while_it_is_set_up)
{
	AUTO(sandbox_drop) struct sandbox box;
	pid_t container, starter;
	struct process_id id;
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_use_own_ids(&box);
	sandbox_script(&box, "sleep 100");
	starter = starter_fork(&box, true, &container);
	ASSERT_OK(process_identify(container, &id, &err));
	auto_fd pidfd = process_open(&id, &err);
	cr_assert(pidfd >= 0);
	kill(starter, SIGKILL);
	waitpid(starter, NULL, 0);
	cr_assert(process_wait_end(pidfd, 5000) == 1, "the half-made container lives on");
}

/* Trap: the parent-death signal survives execve, so it must be cleared before. */
TEST(launch_starter, outlives_its_starter_once_it_runs)
{
	AUTO(sandbox_drop) struct sandbox box;
	pid_t container, starter;
	struct process_id id;
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_use_own_ids(&box);
	sandbox_script(&box, "sleep 100; true");
	cr_assert(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	starter = starter_fork(&box, false, &container);
	ASSERT_OK(process_identify(container, &id, &err));
	kill(starter, SIGKILL);
	waitpid(starter, NULL, 0);
	cr_assert(process_is_alive(&id), "it died with its starter");
	kill(container, SIGKILL);
	waitpid(container, NULL, 0);
}

static int refuse(void *context, const struct launch_child *child, struct launch_part *parts, size_t room,
	size_t *count, struct error *err)
{
	(void)context, (void)child, (void)parts, (void)room, (void)count;
	return fail(err, ERROR_BUSY, "not today");
}

static int stop_child(void *context, const struct launch_child *child, struct launch_part *parts, size_t room,
	size_t *count, struct error *err)
{
	(void)context, (void)parts, (void)room;
	*count = 0;
	return kill(child->pid, SIGSTOP) < 0 ? fail_errno(err, "stop the child") : 0;
}

TEST(launch_starter, does_not_wait_for_ever_for_a_child_that_is_stuck)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launched launched;
	struct launch launch;
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_script(&box, "true");
	launch = launch_of(&box.spec);
	launch.callbacks.prepare = stop_child;
	launch.step_limit_s = 1;
	ASSERT_FAILS(launch_start(&launch, &launched, NULL, &err), ERROR_SYSTEM,
		"the first process is stuck at the step \"");
	cr_assert(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "the child is still there");
}

TEST(launch_starter, passes_on_what_prepare_says_and_ends_the_child)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launch launch;
	struct launched launched;
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_script(&box, "true");
	launch = launch_of(&box.spec);
	launch.callbacks.prepare = refuse;
	ASSERT_FAILS(launch_start(&launch, &launched, NULL, &err), ERROR_BUSY, "not today");
	cr_assert(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

/* --- waiting for "start" ------------------------------------------------------------------------------------------ */

TEST(launch_starter, holds_until_it_is_told_to_start)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launch launch;
	struct launched launched;
	struct error err, answer;
	char text[8];

	NEEDS_ROOT();
	sandbox_make(&box);
	auto_fd dir = open(box.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd listener = socket_listen(dir, "s", &err);
	int ends[2];
	cr_assert(pipe2(ends, O_CLOEXEC) == 0);
	sandbox_script(&box, "echo started");
	launch = launch_of(&box.spec);
	launch.hold = listener;
	launch.stdio[1] = ends[1];
	ASSERT_OK(launch_start(&launch, &launched, NULL, &err));
	close(ends[1]);
	fd_drop(&listener);
	auto_fd connection = socket_connect(dir, "s", &err);
	cr_assert(connection >= 0);
	cr_assert(
		recv(connection, &answer, sizeof(answer), MSG_WAITALL) == sizeof(answer) && answer.kind == ERROR_NONE);
	cr_assert(recv(connection, &answer, sizeof(answer), 0) == 0, "%s", answer.text);
	cr_assert(read(ends[0], text, 8) == 8 && strncmp(text, "started\n", 8) == 0);
	close(ends[0]);
	int second = socket_connect(dir, "s", &err);
	cr_assert(second < 0 && err.errnum == ECONNREFUSED, "%s", err.text);
	launched_end(&launched);
}

TEST(launch_starter, tells_the_starter_when_a_held_program_cannot_be_executed)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launch launch;
	struct launched launched;
	struct error err, answer;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_write(&box, "/etc/garbage", "\x01\x02 garbage");
	auto_fd dir = open(box.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd listener = socket_listen(dir, "s", &err);
	strings_add(&box.arena, &box.spec.process.args, "/etc/garbage");
	launch = launch_of(&box.spec);
	launch.hold = listener;
	ASSERT_OK(launch_start(&launch, &launched, NULL, &err));
	fd_drop(&listener);
	auto_fd connection = socket_connect(dir, "s", &err);
	cr_assert(
		recv(connection, &answer, sizeof(answer), MSG_WAITALL) == sizeof(answer) && answer.kind == ERROR_NONE);
	cr_assert(recv(connection, &answer, sizeof(answer), MSG_WAITALL) == sizeof(answer));
	cr_assert(strcmp(answer.text, "execute /etc/garbage: Exec format error") == 0, "%s", answer.text);
	launched_end(&launched);
}

TEST(launch_starter, misses_an_absent_program_before_it_holds)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launch launch;
	struct launched launched;
	struct error err;
	bool exec_failed;

	NEEDS_ROOT();
	sandbox_make(&box);
	auto_fd dir = open(box.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd listener = socket_listen(dir, "s", &err);
	strings_add(&box.arena, &box.spec.process.args, "nonesuch");
	launch = launch_of(&box.spec);
	launch.hold = listener;
	ASSERT_FAILS(launch_start(&launch, &launched, &exec_failed, &err), ERROR_SYSTEM,
		"execute nonesuch: no such file or directory");
	cr_assert(exec_failed);
}
