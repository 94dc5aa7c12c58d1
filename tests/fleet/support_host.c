#include "support_host.h"

#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/state/instance.h"

static void loopback_up(void)
{
	auto_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	cr_assert(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0);
}

static void file_copy(const char *from, const char *to)
{
	auto_fd in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	struct stat status;

	cr_assert(in >= 0 && out >= 0 && fstat(in, &status) == 0);
	/* Not copy_file_range(2): 6.1 refuses it between file systems. */
	for (off_t left = status.st_size; left > 0;) {
		ssize_t sent = sendfile(out, in, NULL, (size_t)left);

		cr_assert(sent > 0, "copy %s: %s", from, strerror(errno));
		left -= sent;
	}
}

static void rootfs_make(struct test_host *test)
{
	static const char *const directories[] = {"", "/bin", "/etc", "/proc", "/sys", "/dev", "/tmp", "/run", "/root"};
	static const char *const links[] = {"sh", "sleep", "echo", "cat", "id", "true", "false", "hostname", "wc",
		"yes", "head", "kill", "dd", "nc", "httpd", "tail"};

	test->rootfs = arena_format(&test->arena, "%s/rootfs", test->directory);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		cr_assert(mkdir(arena_format(&test->arena, "%s%s", test->rootfs, directories[i]), 0755) == 0);
	file_copy(BUSYBOX, arena_format(&test->arena, "%s/bin/busybox", test->rootfs));
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		cr_assert(symlink("busybox", arena_format(&test->arena, "%s/bin/%s", test->rootfs, links[i])) == 0);
}

void test_host_again(const struct test_host *test, struct host *out)
{
	struct host_options options = {.root = test->directory, .cgroup_parent = test->parent};
	struct error err;

	ASSERT_OK(host_open(&options, out, &err));
}

void test_host_open(struct test_host *test)
{
	NEEDS_ROOT();
	SKIP_UNLESS(access(BUSYBOX, X_OK) == 0, "needs " BUSYBOX);
	*test = (struct test_host){0};
	cr_assert(unshare(CLONE_NEWNET) == 0);
	loopback_up();
	snprintf(test->directory, sizeof(test->directory), "/tmp/warren-fleet-XXXXXX");
	snprintf(test->parent, sizeof(test->parent), "warren/test-%d", getpid());
	cr_assert(mkdtemp(test->directory));
	rootfs_make(test);
	test_host_again(test, &test->host);
}

static size_t entries(int dir)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};
	struct error err;

	ASSERT_OK(dir_list(&arena, dir, 1000, &names, &err));
	for (size_t i = 0; i < names.count; i++)
		fprintf(stderr, "left behind: %s\n", names.items[i]);
	return names.count;
}

static void cgroup_is_gone(const struct test_host *test)
{
	struct cgroup cgroup;
	struct error err;

	ASSERT_FAILS(cgroup_open(&test->host.cgroups, test->parent, &cgroup, &err), ERROR_MISSING, "");
}

static void instances_remove(struct test_host *test)
{
	struct instance_list list;
	struct error err;

	ASSERT_OK(instance_list_read(&test->arena, &test->host, &list, &err));
	for (size_t i = 0; i < list.count; i++)
		ASSERT_OK(instance_remove(&test->host, list.items[i].name, true, &err));
}

void test_host_close(struct test_host *test)
{
	struct error err;

	instances_remove(test);
	cr_assert(entries(test->host.instances) == 0);
	cr_assert(entries(test->host.live) == 0);
	cr_assert(entries(test->host.log) == 0);
	cgroup_is_gone(test);
	host_close(&test->host);
	ASSERT_OK(tree_remove(AT_FDCWD, test->directory, &err));
	arena_drop(&test->arena);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

struct instance_spec test_spec(struct test_host *test, const char *name, const char *script)
{
	struct instance_spec spec;

	instance_spec_init(&test->arena, &spec, false);
	spec.name = spec.base_name = name;
	spec.rootfs = test->rootfs;
	spec.network = "none";
	strings_add(&test->arena, &spec.command, "/bin/sh");
	strings_add(&test->arena, &spec.command, "-c");
	strings_add(&test->arena, &spec.command, script);
	return spec;
}

void test_run(struct test_host *test, const struct instance_spec *spec)
{
	struct start_options options = {0};
	struct error err;

	ASSERT_OK(instance_create(&test->host, spec, &err));
	ASSERT_OK(instance_start(&test->host, spec->name, &options, &err));
}

struct instance_status test_status(struct test_host *test, const char *name)
{
	struct instance_status status;
	struct error err;

	ASSERT_OK(instance_status_read(&test->arena, &test->host, name, &status, &err));
	return status;
}

static void pause_shortly(void)
{
	usleep(5000);
}

void test_await_state(struct test_host *test, const char *name, enum instance_state state)
{
	int64_t deadline = clock_ms() + TEST_TIMEOUT_MS;
	enum instance_state now;

	while ((now = test_status(test, name).state) != state) {
		cr_assert(clock_ms() < deadline, "%s is %s, not %s", name, instance_state_names[now],
			instance_state_names[state]);
		pause_shortly();
	}
}

const char *test_logs(struct test_host *test, const char *name)
{
	auto_fd file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct logs_options options = {0};
	const char *text;
	struct error err;

	ASSERT_OK(instance_logs(&test->host, name, &options, file, file, &err));
	cr_assert(lseek(file, 0, SEEK_SET) == 0);
	ASSERT_OK(fd_read_all(&test->arena, file, 64 << 20, &text, NULL, &err));
	return text;
}

void test_await_log(struct test_host *test, const char *name, const char *text)
{
	int64_t deadline = clock_ms() + TEST_TIMEOUT_MS;

	while (!strstr(test_logs(test, name), text)) {
		cr_assert(clock_ms() < deadline, "\"%s\" never came: %s", text, test_logs(test, name));
		pause_shortly();
	}
}

void test_kill_monitor(struct test_host *test, const char *name)
{
	pid_t monitor = test_status(test, name).monitor;

	cr_assert(monitor > 0);
	cr_assert(kill(monitor, SIGKILL) == 0);
	cr_assert(waitpid(monitor, NULL, 0) == monitor, "monitors are made by this process");
}
