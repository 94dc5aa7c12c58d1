/* Tests of runtime/start/launch.c and runtime/start/child.c: a first process from a specification to its end. */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/mount.h"
#include "base/socket.h"
#include "tests/runtime/support_runtime.h"

TEST(launch, runs_a_program_in_a_root_directory)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_script(&box, "echo pid $$; id -u; cat /proc/1/comm; exit 7");
	EXPECT_RUN(&box, 7, "pid 1\n0\nsh\n");
}

TEST(launch, runs_a_program_in_a_user_namespace)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_use_own_ids(&box);
	sandbox_script(&box, "cat /proc/self/uid_map; id -u; echo > /etc/x; stat -c %u:%g /etc/x");
	EXPECT_RUN(&box, 0, "0     700000      65536\n0\n0:0\n");
}

TEST(launch, leaves_the_host_mount_table_alone)
{
	AUTO(sandbox_drop) struct sandbox box;
	int before = host_mounts();

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_script(&box, "true");
	EXPECT_RUN(&box, 0, "");
	cr_assert(host_mounts() == before, "%d mounts before, %d after", before, host_mounts());
}

TEST(launch, sets_names_parameters_and_loopback)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	box.spec.hostname = "inside";
	pairs_set(&box.arena, &box.spec.sysctls, "net.ipv4.ip_unprivileged_port_start", "80");
	sandbox_script(
		&box, "hostname; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; cat /sys/class/net/lo/flags");
	EXPECT_RUN(&box, 0, "inside\n80\n0x9\n");
}

TEST(launch, gives_the_process_user_directory_and_privileges)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	box.spec.process.uid = 33;
	box.spec.process.gid = 34;
	box.spec.process.cwd = "/srv/made";
	sandbox_script(&box, "id -u; id -g; pwd; grep -E 'NoNewPrivs|CapEff|CapInh|CapAmb' /proc/self/status");
	EXPECT_RUN(&box, 0,
		"33\n34\n/srv/made\nCapInh:\t0000000000000000\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n"
		"NoNewPrivs:\t1\n");
}

TEST(launch, does_not_pass_on_what_the_caller_ignores_or_blocks)
{
	AUTO(sandbox_drop) struct sandbox box;
	sigset_t blocked;

	NEEDS_ROOT();
	sandbox_make(&box);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	strings_add(&box.arena, &box.spec.process.args, "/bin/grep");
	strings_add(&box.arena, &box.spec.process.args, "-E");
	strings_add(&box.arena, &box.spec.process.args, "SigBlk|SigIgn");
	strings_add(&box.arena, &box.spec.process.args, "/proc/self/status");
	EXPECT_RUN(&box, 0, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

/* Trap: a pipe of the host's root is closed to an open() of /dev/stderr by another user. */
TEST(launch, lets_a_user_open_its_output_anew)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_use_own_ids(&box);
	sandbox_script(&box, "echo again > /dev/stderr");
	EXPECT_RUN(&box, 0, "again");
	box.spec.process.uid = 33;
	EXPECT_RUN(&box, 0, "again");
}

/* --- failing ------------------------------------------------------------------------------------------------------ */

static void expect_exec_failure(struct sandbox *box, const char *program, int errnum, const char *text)
{
	struct launch launch = launch_of(&box->spec);
	struct launched launched;
	struct error err;
	bool exec_failed = false;

	box->spec.process.args = (struct strings){0};
	strings_add(&box->arena, &box->spec.process.args, program);
	ASSERT_FAILS(launch_start(&launch, &launched, &exec_failed, &err), ERROR_SYSTEM, text);
	cr_assert(strcmp(err.text, text) == 0, "%s", err.text);
	cr_assert(err.errnum == errnum && exec_failed, "%d", err.errnum);
}

TEST(launch, says_why_a_program_cannot_be_executed)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_write(&box, "/etc/plain", "x");
	sandbox_write(&box, "/etc/garbage", "\x01\x02 garbage");
	char path[128];
	snprintf(path, sizeof(path), "%s/etc/plain", box.root);
	cr_assert(chmod(path, 0644) == 0);
	expect_exec_failure(&box, "/bin/nonesuch", ENOENT, "execute /bin/nonesuch: no such file or directory");
	expect_exec_failure(&box, "nonesuch", ENOENT, "execute nonesuch: no such file or directory");
	expect_exec_failure(&box, "/etc/plain", EACCES, "execute /etc/plain: permission denied");
	expect_exec_failure(&box, "/etc/garbage", ENOEXEC, "execute /etc/garbage: Exec format error");
}

TEST(launch, reports_an_exec_failure_through_a_filter_that_forbids_every_message)
{
	AUTO(sandbox_drop) struct sandbox box;
	AUTO(seccomp_program_drop) struct seccomp_program *program = NULL;
	const char *names[] = {"write", "sendto", "sendmsg", NULL};
	struct seccomp_rule rule = {.names = {.items = names, .count = 3}, .action = SCMP_ACT_ERRNO(EPERM)};
	struct spec_seccomp filter = {.default_action = SCMP_ACT_ALLOW, .rules = {.items = &rule, .count = 1}};
	struct launch launch;
	struct launched launched;
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	ASSERT_OK(seccomp_program_get(&filter, -1, &program, &err));
	strings_add(&box.arena, &box.spec.process.args, "/bin/nonesuch");
	launch = launch_of(&box.spec);
	launch.seccomp = program;
	ASSERT_FAILS(launch_start(&launch, &launched, NULL, &err), ERROR_SYSTEM,
		"execute /bin/nonesuch: no such file or directory");
}

TEST(launch, notices_a_silent_death_and_names_the_step)
{
	AUTO(sandbox_drop) struct sandbox box;
	AUTO(seccomp_program_drop) struct seccomp_program *program = NULL;
	const char *names[] = {"close_range", NULL};
	struct seccomp_rule rule = {.names = {.items = names, .count = 1}, .action = SCMP_ACT_KILL_PROCESS};
	struct spec_seccomp filter = {.default_action = SCMP_ACT_ALLOW, .rules = {.items = &rule, .count = 1}};
	struct launch launch;
	struct launched launched;
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	ASSERT_OK(seccomp_program_get(&filter, -1, &program, &err));
	sandbox_script(&box, "true");
	launch = launch_of(&box.spec);
	launch.seccomp = program;
	ASSERT_FAILS(launch_start(&launch, &launched, NULL, &err), ERROR_SYSTEM,
		"the first process died at the step \"execute\": killed by signal SYS");
}

TEST(launch, names_the_step_that_failed)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launched launched;
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_script(&box, "true");
	box.spec.hostname = "a-name-that-is-much-longer-than-the-sixty-four-bytes-that-the-kernel-takes-for-it";
	ASSERT_FAILS(sandbox_start(&box, &launched, &err), ERROR_SYSTEM, "set the names: host name a-name-that");
}

TEST(launch, leaves_no_child_after_a_failure)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launched launched;
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	strings_add(&box.arena, &box.spec.process.args, "/bin/nonesuch");
	ASSERT_FAILS(sandbox_start(&box, &launched, &err), ERROR_SYSTEM, "execute");
	cr_assert(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

TEST(launch, passes_no_descriptor_but_those_asked_for)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launch launch;
	struct error err;
	char output[4096], script[128], shown[64];

	NEEDS_ROOT();
	sandbox_make(&box);
	/* As an unclean caller leaves them: without close-on-exec. */
	int leaked = open("/", O_RDONLY | O_DIRECTORY);
	for (int fd = 3; fd < leaked; fd++)
		fcntl(fd, F_SETFD, 0);
	int high = fcntl(leaked, F_DUPFD, 200);
	sandbox_script(&box, "ls /proc/self/fd");
	cr_assert(sandbox_run(&box, NULL, output, sizeof(output), &err) == 0);
	cr_assert(strcmp(output, "0\n1\n2\n3\n") == 0, "%s", output); /* 3 is ls's own */
	launch = launch_of(&box.spec);
	launch.preserve_fds = leaked - 2;
	snprintf(script, sizeof(script), "ls -l /proc/self/fd/%d /proc/self/fd/200; true", leaked);
	snprintf(shown, sizeof(shown), "/proc/self/fd/%d -> /\n", leaked);
	sandbox_script(&box, script);
	cr_assert(sandbox_run(&box, &launch, output, sizeof(output), &err) == 0, "%s", err.text);
	cr_assert(strstr(output, shown) && strstr(output, "/200: No such"), "%s", output);
	close(leaked);
	close(high);
}

TEST(launch, does_not_preserve_descriptors_of_our_own)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launch launch;
	struct launched launched;
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	auto_fd ours = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sandbox_script(&box, "true");
	launch = launch_of(&box.spec);
	launch.preserve_fds = ours - 2;
	ASSERT_FAILS(launch_start(&launch, &launched, NULL, &err), ERROR_USAGE, "was not given to us");
}

TEST(launch, refuses_to_go_without_a_mount_namespace)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launched launched;
	struct error err;
	int before = host_mounts();

	NEEDS_ROOT();
	sandbox_make(&box);
	memset(box.spec.namespaces.create, 0, sizeof(box.spec.namespaces.create));
	sandbox_script(&box, "true");
	ASSERT_FAILS(sandbox_start(&box, &launched, &err), ERROR_USAGE, "needs a new mount namespace");
	cr_assert(host_mounts() == before);
}

/* Given so that each lies where another has to go, and the channel of the start among them. */
TEST(launch, gives_sockets_from_descriptor_3_on_in_their_order_and_nothing_else)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launch launch;
	char name[] = "a", output[8192];
	int fds[4];
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_use_own_ids(&box);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++, name[0]++) {
		fds[ARRAY_SIZE(fds) - 1 - i] = memfd_create("socket", MFD_CLOEXEC);
		cr_assert(pwrite(fds[ARRAY_SIZE(fds) - 1 - i], name, 1, 0) == 1);
	}
	sandbox_script(&box, "cat <&3; cat <&4; cat <&5; cat <&6; ls /proc/self/fd | tr '\\n' ' '");
	launch = launch_of(&box.spec);
	launch.sockets = fds;
	launch.socket_count = ARRAY_SIZE(fds);
	int status = sandbox_run(&box, &launch, output, sizeof(output), &err);
	cr_assert(status == 0, "%d %s|%s", status, err.text, output);
	/* The seventh is the directory itself. */
	cr_assert_str_eq(output, "dcba0 1 2 3 4 5 6 7 ");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}
