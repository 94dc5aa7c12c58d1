/* Finding the hierarchies. */
#include "cgroups/layout.h"

#include <grp.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "tests/cgroups/support.h"

TEST(layout, reads_lines_of_mountinfo)
{
	char v1[] =
		"33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:7 master:3 - cgroup cgroup rw,cpu,cpuacct";
	char v2[] = "41 31 0:38 /a\\040b /mnt/with\\134and\\011tab rw - cgroup2 none rw,nsdelegate";
	char other[] = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755";
	char broken[] = "31 23 - cgroup";
	struct cgroup_mount mount;

	cr_assert(cgroup_mount_parse(v1, &mount) && !mount.v2);
	cr_assert_str_eq(mount.root, "/");
	cr_assert_str_eq(mount.point, "/sys/fs/cgroup/cpu,cpuacct");
	cr_assert(controllers_parse(mount.options, true) == (1U << CGROUP_CPU | 1U << CGROUP_CPUACCT));
	cr_assert(cgroup_mount_parse(v2, &mount) && mount.v2);
	cr_assert_str_eq(mount.root, "/a b");
	cr_assert_str_eq(mount.point, "/mnt/with\\and\ttab");
	cr_assert(!cgroup_mount_parse(other, &mount));
	cr_assert(!cgroup_mount_parse(broken, &mount));
}

TEST(layout, knows_io_by_both_names)
{
	cr_assert(controllers_parse("rw,blkio", true) == 1U << CGROUP_IO);
	cr_assert(controllers_parse("cpuset cpu io memory\n", false) ==
		  (1U << CGROUP_CPUSET | 1U << CGROUP_CPU | 1U << CGROUP_IO | 1U << CGROUP_MEMORY));
	cr_assert(controllers_parse("io", true) == 0 && controllers_parse("name=systemd", true) == 0);
}

static bool is_cgroupfs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC);
}

TEST(layout, of_this_host_is_found)
{
	struct cgroup_host host;
	struct error err;

	ASSERT_OK(cgroup_host_open(&host, &err));
	if (host.mode == CGROUP_V2)
		cr_assert(is_cgroupfs(host.unified));
	else
		cr_assert(host.unified == -1);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		cr_assert(host.hierarchy[c] < 0 || host.mode == CGROUP_V1 || host.mode == CGROUP_HYBRID);
		cr_assert(host.hierarchy[c] < 0 || (is_cgroupfs(host.hierarchy[c]) && host.available[c]));
	}
	cgroup_host_drop(&host);
	cgroup_host_drop(&host);
}

/* --- a long table of mounts --------------------------------------------------------------------------------------- */

#define MANY_MOUNTS 400

static long long bytes_read(void)
{
	char text[512];
	const char *line =
		knob_read(AT_FDCWD, "/proc/self/io", text, sizeof(text)) > 0 ? strstr(text, "rchar: ") : NULL;

	return line ? atoll(line + strlen("rchar: ")) : -1;
}

/* In a mount namespace of its own: how many bytes were read to find the hierarchies; 0: something else went wrong. */
static long long bytes_to_find_the_host(const char *directory)
{
	struct cgroup_host host;
	struct error err;
	long long before;
	char path[64];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("tmpfs", directory, "tmpfs", 0, NULL) < 0)
		return 0;
	for (int i = 0; i < MANY_MOUNTS; i++) {
		snprintf(path, sizeof(path), "%s/%d", directory, i);
		if (mkdir(path, 0755) < 0 || mount("/usr", path, NULL, MS_BIND, NULL) < 0)
			return 0;
	}
	before = bytes_read();
	if (before < 0 || cgroup_host_open(&host, &err) < 0)
		return 0;
	return bytes_read() - before;
}

TEST(layout, is_found_without_reading_what_was_mounted_later)
{
	char directory[] = "/tmp/warren-cgroups-XXXXXX";
	long long shortest = MANY_MOUNTS * (long long)strlen("1 1 0:1 / / rw - x x rw\n");
	struct cgroup_host host;
	struct error err;
	pid_t child;
	int status;

	NEEDS_ROOT();
	ASSERT_OK(cgroup_host_open(&host, &err));
	cgroup_host_drop(&host);
	SKIP_UNLESS(host.mode != CGROUP_NONE && bytes_read() >= 0, "needs cgroups and /proc/self/io");
	cr_assert(mkdtemp(directory));
	child = fork();
	if (child == 0) {
		long long bytes = bytes_to_find_the_host(directory);

		_exit(bytes <= 0 ? 2 : bytes >= shortest);
	}
	waitpid(child, &status, 0);
	cr_assert(rmdir(directory) == 0);
	cr_assert(WEXITSTATUS(status) != 2, "the table could not be made long");
	cr_assert(WEXITSTATUS(status) == 0, "it was read to its end");
}

/* --- a delegated subtree ------------------------------------------------------------------------------------------ */

static void give_away(const struct cgroup *cgroup, enum cgroup_controller controller)
{
	static const char *const files[] = {".", "cgroup.procs", "tasks", "cgroup.subtree_control"};
	int dir = cgroup_directory(cgroup, controller);

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		cr_assert(fchownat(dir, files[i], 65534, 65534, 0) == 0 || errno == ENOENT, "%s", strerror(errno));
}

static int body_delegated(void *argument)
{
	const struct box *box = argument;
	struct cgroup_limits limits = {.pids_max = LIMIT_OF(5)};
	struct cgroup_host host;
	struct cgroup cgroup;
	struct error err = {0};

	if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		return 90;
	if (cgroup_host_open(&host, &err) < 0)
		return 91;
	if (cgroup_create(&host, "inner", &limits, 0, &cgroup, &err) < 0)
		return 94;
	if (faccessat(cgroup_directory(&box->cgroup, CGROUP_PIDS), "inner", F_OK, 0) < 0)
		return 95;
	return 0;
}

TEST(layout, begins_at_the_own_cgroup_where_the_root_is_not_ours)
{
	BOX(box);
	struct cgroup_limits limits = {.pids_max = LIMIT_OF(10)};
	int status;

	box_create(&box, &limits, 0);
	give_away(&box.cgroup, CGROUP_PIDS);
	status = child_run(&box.cgroup, body_delegated, &box);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}
