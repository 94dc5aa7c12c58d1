/* Tests of runtime/start/launch.c and runtime/start/child.c: a first process from a specification to its end. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/mount.h"
#include "base/process.h"
#include "base/socket.h"
#include "tests/runtime/support_runtime.h"

/* Runs the script in the sandbox and expects status and, somewhere, the text. */
#define EXPECT_RUN(box, expected_status, expected_text)                                                                \
	do {                                                                                                           \
		struct error run_err = {0};                                                                            \
		char run_output[8192];                                                                                 \
		int run_status = sandbox_run(box, NULL, run_output, sizeof(run_output), &run_err);                     \
		cr_assert(run_status == (expected_status), "%d %s|%s", run_status, run_err.text, run_output);          \
		cr_assert(strstr(run_output, (expected_text)), "%s", run_output);                                      \
	} while (0)

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

TEST(launch, gives_the_standard_devices)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_script(
		&box, "cd /dev; stat -c '%n %t:%T %a' null zero full random urandom tty; readlink fd; readlink ptmx");
	EXPECT_RUN(&box, 0,
		"null 1:3 666\nzero 1:5 666\nfull 1:7 666\nrandom 1:8 666\nurandom 1:9 666\ntty 5:0 666\n"
		"/proc/self/fd\npts/ptmx\n");
	sandbox_use_own_ids(&box);
	EXPECT_RUN(&box, 0,
		"null 1:3 666\nzero 1:5 666\nfull 1:7 666\nrandom 1:8 666\nurandom 1:9 666\ntty 5:0 666\n"
		"/proc/self/fd\npts/ptmx\n");
}

TEST(launch, makes_devices_of_the_specification)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct spec_device devices[] = {
		{.path = "/dev/sub/kmsg", .type = 'c', .major = 1, .minor = 11, .mode = 0640, .uid = 3, .gid = 4},
		{.path = "/srv/pipe", .type = 'p', .mode = 0600},
	};

	NEEDS_ROOT();
	sandbox_make(&box);
	box.spec.devices.items = devices;
	box.spec.devices.count = 2;
	sandbox_script(&box, "stat -c '%n %t:%T %a %u:%g' /dev/sub/kmsg; test -p /srv/pipe && echo pipe");
	EXPECT_RUN(&box, 0, "/dev/sub/kmsg 1:b 640 3:4\npipe\n");
}

TEST(launch, finds_the_hosts_node_by_its_numbers_in_a_user_namespace)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct spec_device devices[] = {
		{.path = "/dev/sub/log", .type = 'c', .major = 1, .minor = 11, .mode = 0640},
		{.path = "/srv/pipe", .type = 'p', .mode = 0600},
		{.path = "/dev/zero",
			.type = 'c',
			.major = 1,
			.minor = 3,
			.mode = 0666}, /* the host has another there */
	};

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_use_own_ids(&box);
	box.spec.devices.items = devices;
	box.spec.devices.count = 3;
	sandbox_script(&box, "stat -c '%n %t:%T' /dev/sub/log /dev/zero; test -p /srv/pipe && echo pipe");
	EXPECT_RUN(&box, 0, "/dev/sub/log 1:b\n/dev/zero 1:3\npipe\n");
}

TEST(launch, names_the_device_that_the_host_has_not)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct spec_device device = {.path = "/dev/nonesuch", .type = 'c', .major = 4000, .minor = 77, .mode = 0666};
	struct launched launched;
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_use_own_ids(&box);
	box.spec.devices.items = &device;
	box.spec.devices.count = 1;
	sandbox_script(&box, "true");
	ASSERT_FAILS(sandbox_start(&box, &launched, &err), ERROR_SYSTEM,
		"device /dev/nonesuch: the host has no node c 4000:77");
}

TEST(launch, refuses_a_device_where_something_else_is)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct spec_device device = {.path = "/etc/passwd", .type = 'c', .major = 1, .minor = 3, .mode = 0666};
	struct launched launched;
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_write(&box, "/etc/passwd", "x");
	box.spec.devices.items = &device;
	box.spec.devices.count = 1;
	sandbox_script(&box, "true");
	ASSERT_FAILS(sandbox_start(&box, &launched, &err), ERROR_USAGE,
		"make devices: device /etc/passwd: something else is there");
}

TEST(launch, masks_paths)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_write(&box, "/etc/secret", "secret\n");
	strings_add(&box.arena, &box.spec.masked_paths, "/etc/secret");
	strings_add(&box.arena, &box.spec.masked_paths, "/bin/absent");
	strings_add(&box.arena, &box.spec.masked_paths, "/srv");
	sandbox_script(&box,
		"cat /etc/secret; ls /sys/firmware; ls /srv; cat /proc/timer_list /proc/kallsyms; touch /srv/x; "
		"stat -c %t:%T /etc/secret /proc/kallsyms");
	EXPECT_RUN(&box, 0, "touch: /srv/x: Read-only file system\n1:3\n1:3\n");
}

TEST(launch, protects_paths_from_writing)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_script(&box, "echo x > /proc/sys/kernel/hostname");
	EXPECT_RUN(&box, 1, "can't create /proc/sys/kernel/hostname: Read-only file system");
}

TEST(launch, makes_the_root_read_only_after_its_mount_points)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	box.spec.root_read_only = true;
	sandbox_add_mount(&box, (struct spec_mount){.destination = "/var/lib/new", .type = "tmpfs"});
	sandbox_script(&box, "touch /var/lib/new/x && touch /x");
	EXPECT_RUN(&box, 1, "touch: /x: Read-only file system");
}

TEST(launch, binds_files_and_directories_of_the_host)
{
	AUTO(sandbox_drop) struct sandbox box;
	char directory[128], file[128];

	NEEDS_ROOT();
	sandbox_make(&box);
	snprintf(directory, sizeof(directory), "%s/data", box.directory);
	snprintf(file, sizeof(file), "%s/data/file", box.directory);
	cr_assert(mkdir(directory, 0755) == 0);
	close(open(file, O_CREAT | O_WRONLY, 0644));
	sandbox_add_mount(&box, (struct spec_mount){.destination = "/srv/deep/dir", .source = directory, .bind = true});
	sandbox_add_mount(&box,
		(struct spec_mount){
			.destination = "/srv/one/file", .source = file, .bind = true, .attr_set = MOUNT_ATTR_RDONLY});
	sandbox_script(&box, "echo 1 > /srv/deep/dir/new && echo 2 > /srv/one/file");
	EXPECT_RUN(&box, 1, "can't create /srv/one/file: Read-only file system");
	snprintf(file, sizeof(file), "%s/data/new", box.directory);
	cr_assert(access(file, F_OK) == 0);
}

TEST(launch, says_which_bind_source_is_missing)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launched launched;
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_add_mount(&box, (struct spec_mount){.destination = "/srv", .source = "/nonesuch/a", .bind = true});
	sandbox_script(&box, "true");
	ASSERT_FAILS(sandbox_start(&box, &launched, &err), ERROR_SYSTEM,
		"mount: /nonesuch/a on /srv: No such file or directory");
}

/* Trap: after the change of ids the child could not walk there any more. */
TEST(launch, binds_what_only_the_hosts_root_can_reach_and_a_root_in_a_closed_directory)
{
	AUTO(sandbox_drop) struct sandbox box;
	char closed[128], inner[160];

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_use_own_ids(&box);
	snprintf(closed, sizeof(closed), "%s/closed", box.directory);
	snprintf(inner, sizeof(inner), "%s/open", closed);
	cr_assert(mkdir(closed, 0700) == 0 && mkdir(inner, 0755) == 0);
	cr_assert(chmod(box.directory, 0700) == 0);
	sandbox_add_mount(&box, (struct spec_mount){.destination = "/srv", .source = inner, .bind = true});
	sandbox_script(&box, "ls -d /srv/. && echo reached");
	EXPECT_RUN(&box, 0, "reached");
}

TEST(launch, keeps_mounts_made_inside_from_the_host_and_the_other_way_round)
{
	AUTO(sandbox_drop) struct sandbox box;
	char data[128];

	NEEDS_ROOT();
	/* A host of our own, with shared mounts. */
	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) == 0);
	sandbox_make(&box);
	snprintf(data, sizeof(data), "%s/data", box.directory);
	cr_assert(mkdir(data, 0755) == 0 && mount("tmpfs", data, "tmpfs", 0, NULL) == 0);
	cr_assert(mount(NULL, data, NULL, MS_SHARED, NULL) == 0);
	sandbox_add_mount(
		&box, (struct spec_mount){.destination = "/srv", .source = data, .bind = true, .recursive = true});
	box.spec.process.capabilities[CAPS_BOUNDING] = box.spec.process.capabilities[CAPS_EFFECTIVE] =
		box.spec.process.capabilities[CAPS_PERMITTED] = capabilities_all() & ~(UINT64_C(1) << CAP_SYS_RESOURCE);
	int before = host_mounts();
	sandbox_script(&box, "mkdir /srv/in && mount -t tmpfs x /srv/in && mount -t tmpfs y /etc && echo mounted");
	EXPECT_RUN(&box, 0, "mounted");
	cr_assert(host_mounts() == before, "%d before, %d after", before, host_mounts());
	cr_assert(umount2(data, MNT_DETACH) == 0);
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

/* --- escapes ------------------------------------------------------------------------------------------------------ */

static int entries(const char *path)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names;
	struct error err;
	auto_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ASSERT_OK(dir_list(&arena, dir, 1000, &names, &err));
	return (int)names.count;
}

static void replace_by_link(struct sandbox *box, const char *path, const char *target)
{
	char full[128];

	snprintf(full, sizeof(full), "%s%s", box->root, path);
	rmdir(full);
	cr_assert(symlink(target, full) == 0, "%s", full);
}

static void expect_dev_link_refused(const char *prefix, bool absolute, bool with_dev_mount)
{
	AUTO(sandbox_drop) struct sandbox box;
	char host[128], target[160];
	struct launched launched;
	struct error err;

	sandbox_make(&box);
	snprintf(host, sizeof(host), "%s/host", box.directory);
	cr_assert(mkdir(host, 0755) == 0);
	snprintf(target, sizeof(target), "%s%s/host", prefix, absolute ? box.directory : "");
	replace_by_link(&box, "/dev", target);
	if (!with_dev_mount) {
		sandbox_remove_mount(&box, "/dev");
		sandbox_remove_mount(&box, "/dev/pts");
		sandbox_remove_mount(&box, "/dev/shm");
		sandbox_remove_mount(&box, "/dev/mqueue");
	}
	sandbox_script(&box, "true");
	ASSERT_FAILS(sandbox_start(&box, &launched, &err), ERROR_USAGE, "the image's /dev is no plain directory");
	cr_assert(entries(host) == 0, "%d entries on the host", entries(host));
}

TEST(launch, never_fills_a_host_directory_that_the_images_dev_points_to)
{
	NEEDS_ROOT();
	expect_dev_link_refused("", true, true);
	expect_dev_link_refused("", true, false);
	expect_dev_link_refused("../../../../../../..", true, false);
	expect_dev_link_refused("..", false, true);
}

TEST(launch, refuses_links_in_place_of_proc_and_sys)
{
	static const char *const places[] = {"/proc", "/sys"};

	NEEDS_ROOT();
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		AUTO(sandbox_drop) struct sandbox box;
		struct launched launched;
		struct error err;
		char text[64];

		sandbox_make(&box);
		replace_by_link(&box, places[i], "/etc");
		sandbox_script(&box, "true");
		snprintf(text, sizeof(text), "the image's %s is no plain directory", places[i]);
		ASSERT_FAILS(sandbox_start(&box, &launched, &err), ERROR_USAGE, text);
	}
}

TEST(launch, keeps_destinations_inside_the_root)
{
	AUTO(sandbox_drop) struct sandbox box;
	char host[128];

	NEEDS_ROOT();
	sandbox_make(&box);
	snprintf(host, sizeof(host), "%s/host", box.directory);
	cr_assert(mkdir(host, 0755) == 0);
	replace_by_link(&box, "/vol", host);
	sandbox_add_mount(&box, (struct spec_mount){.destination = "/vol/a/b", .type = "tmpfs"});
	sandbox_script(&box, "touch /vol/a/b/x && echo made");
	EXPECT_RUN(&box, 0, "made");
	cr_assert(entries(host) == 0);
}

/* Somebody with a hand in the image (a shared volume) swaps a directory for a link to the host's while it is mounted
 * on. */
static pid_t racer_fork(const char *a, const char *b)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
	}
	return pid;
}

TEST(launch, keeps_destinations_inside_the_root_while_somebody_swaps_them, .timeout = 60)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct error err;
	char host[128], a[128], b[128], output[256];
	int before = host_mounts(), started = 0;

	NEEDS_ROOT();
	sandbox_make(&box);
	snprintf(host, sizeof(host), "%s/host", box.directory);
	snprintf(a, sizeof(a), "%s/vol", box.root);
	snprintf(b, sizeof(b), "%s/link", box.root);
	cr_assert(mkdir(host, 0755) == 0 && mkdir(a, 0755) == 0 && symlink(host, b) == 0);
	sandbox_add_mount(&box, (struct spec_mount){.destination = "/vol/a/b", .type = "tmpfs"});
	sandbox_script(&box, "touch /vol/a/b/x; true");
	pid_t racer = racer_fork(a, b);
	for (int i = 0; i < 60; i++)
		started += sandbox_run(&box, NULL, output, sizeof(output), &err) == 0;
	kill(racer, SIGKILL);
	waitpid(racer, NULL, 0);
	cr_assert(started > 0, "%s", err.text);
	cr_assert(entries(host) == 0, "%d entries on the host", entries(host));
	cr_assert(host_mounts() == before);
}

TEST(launch, does_not_mask_with_what_the_image_has_at_dev_null)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_remove_mount(&box, "/dev");
	sandbox_remove_mount(&box, "/dev/pts");
	sandbox_remove_mount(&box, "/dev/shm");
	sandbox_remove_mount(&box, "/dev/mqueue");
	replace_by_link(&box, "/dev/zero", "/proc/sys/kernel/core_pattern");
	sandbox_script(&box, "true");
	struct launched launched;
	struct error err;
	ASSERT_FAILS(sandbox_start(&box, &launched, &err), ERROR_USAGE, "device /dev/zero: something else is there");
}

TEST(launch, refuses_a_working_directory_behind_a_descriptor)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_script(&box, "ls");
	for (int fd = 3; fd < 40; fd++) {
		char cwd[64];
		struct error err = {0};
		char output[4096];

		snprintf(cwd, sizeof(cwd), "/proc/self/fd/%d", fd);
		box.spec.process.cwd = cwd;
		cr_assert(sandbox_run(&box, NULL, output, sizeof(output), &err) != 0 || !strstr(output, "vmlinuz"),
			"%s: %s", cwd, output);
		cr_assert(!strstr(output, "rootfs"), "%s: %s", cwd, output);
	}
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
TEST(launch, ends_with_its_starter_while_it_is_set_up)
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
TEST(launch, outlives_its_starter_once_it_runs)
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

/* --- what prepare() gives ----------------------------------------------------------------------------------------- */

struct given {
	const char *root;
	int mounts[3];
	bool released;
	struct launch_child seen;
};

static int give_parts(void *context, const struct launch_child *child, struct launch_part *parts, size_t room,
	size_t *count, struct error *err)
{
	struct given *given = context;

	(void)room;
	given->seen = *child;
	given->mounts[0] = mount_clone(AT_FDCWD, given->root, false, err);
	given->mounts[1] = mount_clone(AT_FDCWD, "/usr", false, err);
	given->mounts[2] = filesystem_mount("tmpfs", NULL, NULL, 0, 0, err);
	if (given->mounts[0] < 0 || given->mounts[1] < 0 || given->mounts[2] < 0 ||
		mount_change(given->mounts[1], false, MOUNT_ATTR_RDONLY, 0, -1, err) < 0)
		return -1;
	parts[0] = (struct launch_part){.target = "/", .mount = given->mounts[0]};
	parts[1] = (struct launch_part){.target = "/run/usr", .mount = given->mounts[1]};
	parts[2] = (struct launch_part){.target = "/srv", .mount = given->mounts[2]};
	*count = 3;
	return 0;
}

static void release_parts(void *context)
{
	struct given *given = context;

	for (size_t i = 0; i < 3; i++)
		fd_drop(&given->mounts[i]);
	given->released = true;
}

/* Parts and mounts of the specification interleave by their place: /run is a tmpfs of the specification below which a
 * part lies, /srv is a part below which a tmpfs of the specification lies. */
TEST(launch, attaches_parts_as_they_are_given_parents_first)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct given given = {.mounts = {-1, -1, -1}};
	struct launch launch;
	struct error err;
	char output[4096];

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_use_own_ids(&box);
	given.root = box.root;
	box.spec.root = NULL;
	sandbox_add_mount(&box, (struct spec_mount){.destination = "/run", .type = "tmpfs"});
	sandbox_add_mount(&box, (struct spec_mount){.destination = "/srv/cache", .type = "tmpfs"});
	sandbox_script(&box, "grep -E ' /(run|srv|run/usr|srv/cache) ' /proc/mounts; ls -d /run/usr/bin");
	launch = launch_of(&box.spec);
	launch.callbacks =
		(struct launch_callbacks){.context = &given, .prepare = give_parts, .release = release_parts};
	cr_assert(sandbox_run(&box, &launch, output, sizeof(output), &err) == 0, "%s %s", err.text, output);
	cr_assert(strstr(output, " /run/usr "), "%s", output);
	cr_assert(strstr(output, " /srv/cache tmpfs") && strstr(output, "/run/usr/bin"), "%s", output);
	cr_assert(given.released && given.seen.userns >= 0 && given.seen.netns >= 0);
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

TEST(launch, does_not_wait_for_ever_for_a_child_that_is_stuck)
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

TEST(launch, passes_on_what_prepare_says_and_ends_the_child)
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

/* Trap: a proc of its own is refused to a user namespace where the host's is partly covered. */
TEST(launch, gets_a_proc_from_its_parent_where_the_hosts_is_covered)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct error err;
	char output[4096];

	NEEDS_ROOT();
	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	cr_assert(mount("/dev/null", "/proc/keys", NULL, MS_BIND, NULL) == 0);
	sandbox_make(&box);
	sandbox_use_own_ids(&box);
	sandbox_script(&box, "echo $$ $(readlink /proc/self)");
	int status = sandbox_run(&box, NULL, output, sizeof(output), &err);
	if (status < 0) /* before 6.17 */
		cr_assert(strstr(err.text, "this host's /proc is partly covered"), "%s", err.text);
	else
		cr_assert(status == 0 && strncmp(output, "1 ", 2) == 0, "%d %s", status, output);
	umount2("/proc/keys", MNT_DETACH);
}

/* --- waiting for "start" ------------------------------------------------------------------------------------------ */

TEST(launch, holds_until_it_is_told_to_start)
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

TEST(launch, tells_the_starter_when_a_held_program_cannot_be_executed)
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

TEST(launch, misses_an_absent_program_before_it_holds)
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
