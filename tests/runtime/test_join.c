/* Tests of runtime/start/join.c: a second process in a running container. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/process.h"
#include "runtime/start/guard.h"
#include "tests/runtime/support_runtime.h"

struct running {
	struct sandbox box;
	struct launched launched;
	struct process_id id;
};

static void running_make(struct running *running, bool own_ids)
{
	struct error err;

	sandbox_make(&running->box);
	if (own_ids)
		sandbox_use_own_ids(&running->box);
	running->box.spec.hostname = "box";
	sandbox_script(&running->box, "sleep 1000; true");
	cr_assert(sandbox_start(&running->box, &running->launched, &err) == 0, "%s", err.text);
	cr_assert(process_identify(running->launched.pid, &running->id, &err) == 0);
}

static void running_drop(struct running *running)
{
	launched_end(&running->launched);
	sandbox_drop(&running->box);
}

/* Joins with the script and gives its exit status, -1 when it could not be started. */
static int join_run(struct running *running, const char *script, char *output, size_t size, struct error *err)
{
	struct spec_process process = running->box.spec.process;
	AUTO(launched_drop) struct launched launched = {.pidfd = -1, .userns = -1, .netns = -1, .console = -1};
	struct join join = {.target = &running->id, .process = &process, .stdio = {-1, -1, -1}};
	int ends[2], status;
	size_t used = 0;
	ssize_t got;

	process.args = (struct strings){0};
	strings_add(&running->box.arena, &process.args, "/bin/sh");
	strings_add(&running->box.arena, &process.args, "-c");
	strings_add(&running->box.arena, &process.args, script);
	cr_assert(pipe2(ends, O_CLOEXEC) == 0);
	join.stdio[1] = join.stdio[2] = ends[1];
	int result = join_start(&join, &launched, NULL, err);
	close(ends[1]);
	while (used < size - 1 && (got = read(ends[0], output + used, size - 1 - used)) > 0)
		used += (size_t)got;
	output[used] = '\0';
	close(ends[0]);
	if (result < 0)
		return -1;
	cr_assert(process_reap(launched.pidfd, &status, err) == 0);
	return WEXITSTATUS(status);
}

static void expect_same_world(bool own_ids)
{
	AUTO(running_drop) struct running running;
	struct error err = {0};
	char output[4096];

	running_make(&running, own_ids);
	int status = join_run(&running,
		"hostname; for n in mnt pid net uts ipc user cgroup; do "
		"test $(readlink /proc/1/ns/$n) = $(readlink /proc/self/ns/$n) && echo $n; done; "
		"ls /proc/self/fd; exit 6",
		output, sizeof(output), &err);
	cr_assert(status == 6, "%d %s %s", status, err.text, output);
	cr_assert(strcmp(output, "box\nmnt\npid\nnet\nuts\nipc\nuser\ncgroup\n0\n1\n2\n3\n") == 0, "%s", output);
}

TEST(join, enters_every_namespace_of_the_first_process)
{
	NEEDS_ROOT();
	expect_same_world(false);
	expect_same_world(true);
}

TEST(join, leaves_the_callers_own_children_where_they_were)
{
	AUTO(running_drop) struct running running;
	struct error err;
	char output[256];
	int status;

	NEEDS_ROOT();
	running_make(&running, true);
	cr_assert(join_run(&running, "exit 0", output, sizeof(output), &err) == 0, "%s", err.text);
	pid_t pid = fork();
	if (pid == 0)
		_exit(getppid() == 0); /* 0: our parent is in another pid namespace */
	waitpid(pid, &status, 0);
	cr_assert(WEXITSTATUS(status) == 0, "children are still born in the container");
	cr_assert(prctl(PR_GET_DUMPABLE) == 1);
}

TEST(join, says_why_a_program_cannot_be_executed)
{
	AUTO(running_drop) struct running running;
	struct launched launched;
	struct error err;
	bool exec_failed = false;

	NEEDS_ROOT();
	running_make(&running, true);
	struct spec_process process = running.box.spec.process;
	struct join join = {.target = &running.id, .process = &process, .stdio = {-1, -1, -1}};
	process.args = (struct strings){0};
	strings_add(&running.box.arena, &process.args, "nonesuch");
	ASSERT_FAILS(join_start(&join, &launched, &exec_failed, &err), ERROR_SYSTEM,
		"execute nonesuch: no such file or directory");
	cr_assert(exec_failed && err.errnum == ENOENT);
}

TEST(join, misses_a_process_that_has_ended_or_whose_number_was_taken)
{
	AUTO(running_drop) struct running running;
	struct error err;
	char output[256];

	NEEDS_ROOT();
	running_make(&running, true);
	running.id.start_time++;
	cr_assert(join_run(&running, "true", output, sizeof(output), &err) < 0 && err.kind == ERROR_MISSING, "%s",
		err.text);
}

TEST(join, refuses_a_process_that_is_in_no_container)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process = {.cwd = "/"};
	struct process_id self;
	struct launched launched;
	struct error err;

	NEEDS_ROOT();
	strings_add(&arena, &process.args, "/bin/true");
	ASSERT_OK(process_identify(getpid(), &self, &err));
	struct join join = {.target = &self, .process = &process, .stdio = {-1, -1, -1}};
	ASSERT_FAILS(join_start(&join, &launched, NULL, &err), ERROR_SYSTEM, "is in our own mount namespace");
}

TEST(join, refuses_to_enter_unprotected_where_protection_is_asked_for)
{
	AUTO(running_drop) struct running running;
	struct launched launched;
	struct error err;

	NEEDS_ROOT();
	SKIP_UNLESS(guard_is_in_place(&err) == 0, "this test program lies on a read-only file system");
	running_make(&running, false);
	struct join join = {.target = &running.id,
		.process = &running.box.spec.process,
		.stdio = {-1, -1, -1},
		.guard_own_binary = true};
	ASSERT_FAILS(join_start(&join, &launched, NULL, &err), ERROR_SYSTEM, "our own program file would be open");
}

TEST(join, gives_a_terminal_of_the_containers_own)
{
	AUTO(running_drop) struct running running;
	AUTO(launched_drop) struct launched launched = {.pidfd = -1, .userns = -1, .netns = -1, .console = -1};
	struct error err;
	char output[256] = "";
	size_t used = 0;
	ssize_t got;
	int status;

	NEEDS_ROOT();
	running_make(&running, true);
	struct spec_process process = running.box.spec.process;
	process.terminal = true;
	process.console_height = 33;
	process.console_width = 77;
	process.args.items[2] = "tty; stty size";
	struct join join = {.target = &running.id, .process = &process, .stdio = {-1, -1, -1}};
	ASSERT_OK(join_start(&join, &launched, NULL, &err));
	cr_assert(launched.console >= 0);
	while (used < sizeof(output) - 1 &&
		(got = read(launched.console, output + used, sizeof(output) - 1 - used)) > 0)
		used += (size_t)got;
	cr_assert(strcmp(output, "/dev/pts/0\r\n33 77\r\n") == 0, "%s", output);
	ASSERT_OK(process_reap(launched.pidfd, &status, &err));
}

/* Whoever is inside looks at every new process: none may be open to it before it has executed its program. */
TEST(join, shows_nothing_of_ours_to_those_inside)
{
	AUTO(running_drop) struct running running;
	struct error err;
	char output[64];

	NEEDS_ROOT();
	sandbox_make(&running.box);
	sandbox_use_own_ids(&running.box);
	sandbox_script(&running.box, "while :; do for p in /proc/[0-9]*; do case $(readlink $p/exe) in */test-runtime) "
				     "echo seen > /seen;; esac; "
				     "done; done");
	cr_assert(sandbox_start(&running.box, &running.launched, &err) == 0, "%s", err.text);
	cr_assert(process_identify(running.launched.pid, &running.id, &err) == 0);
	for (int i = 0; i < 40; i++)
		cr_assert(join_run(&running, "true", output, sizeof(output), &err) == 0, "%s", err.text);
	char path[128];
	snprintf(path, sizeof(path), "%s/seen", running.box.root);
	cr_assert(access(path, F_OK) < 0, "a process of ours was open to the container");
}

/* A restart in kept namespaces: the user and the network namespace are those of before. */
TEST(join, is_a_first_process_in_kept_namespaces_when_they_are_given)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launched first;
	struct error err;
	struct stat before;
	char output[4096], path[64];

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_use_own_ids(&box);
	sandbox_script(&box, "sleep 1000; true");
	ASSERT_OK(sandbox_start(&box, &first, &err));
	cr_assert(fstat(first.netns, &before) == 0);
	auto_fd userns = fcntl(first.userns, F_DUPFD_CLOEXEC, 3);
	auto_fd netns = fcntl(first.netns, F_DUPFD_CLOEXEC, 3);
	launched_end(&first);
	box.spec.namespaces.create[NS_USER] = box.spec.namespaces.create[NS_NET] = false;
	box.spec.namespaces.fd[NS_USER] = userns;
	box.spec.namespaces.fd[NS_NET] = netns;
	sandbox_script(
		&box, "id -u; echo pid $$; readlink /proc/self/ns/net; cat /proc/self/uid_map; ls /sys/class/net");
	int status = sandbox_run(&box, NULL, output, sizeof(output), &err);
	cr_assert(status == 0, "%d %s %s", status, err.text, output);
	snprintf(path, sizeof(path), "0\npid 1\nnet:[%lu]\n", (unsigned long)before.st_ino);
	cr_assert(strncmp(output, path, strlen(path)) == 0, "%s", output);
	cr_assert(strstr(output, "0     700000      65536\nlo\n"), "%s", output);
}

static pid_t namespaces_holder(int flags, int *ready)
{
	int ends[2];
	pid_t pid;
	char byte;

	cr_assert(pipe2(ends, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		if (unshare(flags) < 0 || write(ends[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	cr_assert(read(ends[0], &byte, 1) == 1);
	*ready = ends[0];
	return pid;
}

TEST(join, takes_namespaces_by_path)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct error err;
	char output[4096], net[64], ipc[64];
	struct stat status_net;
	struct launched launched;
	int ready;

	NEEDS_ROOT();
	sandbox_make(&box);
	pid_t holder = namespaces_holder(CLONE_NEWNET | CLONE_NEWIPC, &ready);
	snprintf(net, sizeof(net), "/proc/%d/ns/net", holder);
	snprintf(ipc, sizeof(ipc), "/proc/%d/ns/ipc", holder);
	cr_assert(stat(net, &status_net) == 0);
	for (int own_ids = 0; own_ids < 2; own_ids++) {
		if (own_ids) {
			sandbox_use_own_ids(&box);
			sandbox_remove_mount(&box, "/sys");
			sandbox_remove_mount(&box, "/dev/mqueue");
		}
		box.spec.namespaces.create[NS_NET] = box.spec.namespaces.create[NS_IPC] = false;
		box.spec.namespaces.path[NS_NET] = net;
		box.spec.namespaces.path[NS_IPC] = ipc;
		sandbox_script(&box, "readlink /proc/self/ns/net");
		int status = sandbox_run(&box, NULL, output, sizeof(output), &err);
		cr_assert(status == 0, "%d %s", status, err.text);
		cr_assert(strtoul(output + 5, NULL, 10) == status_net.st_ino, "%s", output);
	}
	box.spec.namespaces.path[NS_NET] = ipc;
	ASSERT_FAILS(sandbox_start(&box, &launched, &err), ERROR_USAGE, "it is no network namespace");
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	close(ready);
}

TEST(join, is_a_first_process_in_the_pid_namespace_of_another)
{
	AUTO(running_drop) struct running running;
	AUTO(sandbox_drop) struct sandbox box;
	struct error err;
	char output[4096], path[64];

	NEEDS_ROOT();
	running_make(&running, false);
	sandbox_make(&box);
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", running.launched.pid);
	box.spec.namespaces.create[NS_PID] = false;
	box.spec.namespaces.path[NS_PID] = path;
	sandbox_script(&box, "cat /proc/1/comm; test $$ -gt 1 && echo second");
	int status = sandbox_run(&box, NULL, output, sizeof(output), &err);
	cr_assert(status == 0, "%d %s", status, err.text);
	cr_assert(strstr(output, "second"), "%s", output);
}
