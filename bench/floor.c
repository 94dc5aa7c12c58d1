/* The floor: only the kernel calls that isolating one process takes, nothing else — no JSON, no state, no checks.
 *
 *   floor [--full FILTER.bpf] [--cgroups cpu,memory,…] [--count] ROOTFS PROGRAM [ARG…]
 *   floor --mounts ROOTFS PROGRAM [ARG…]
 *
 * New mount, pid, uts, ipc, net and cgroup namespaces; control groups (v1: one directory per named hierarchy, entered
 * through `tasks`; v2: born inside); the root by the new mount API; /proc, /dev with six nodes, /dev/pts, /dev/shm,
 * /sys read-only; pivot_root; loopback; host name; capabilities dropped; no_new_privs; exec; wait; clean up. --full
 * adds masks, read-only paths, mqueue and a compiled seccomp filter.
 * --mounts does nothing but a new mount namespace, cut off from the host's, with the root in it: what the size of the
 * host's mount table costs, which the kernel copies for every new one.
 * --count prints how many system calls parent and child made (counted by ptrace, so only for looking, not for timing).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define HIERARCHIES_MAX 16

static struct {
	const char *rootfs, *filter;
	char *hierarchies;
	char cgroup[HIERARCHIES_MAX][256];
	int tasks[HIERARCHIES_MAX];
	int cgroup_count, into;
	bool mounts_only;
	struct sock_fprog bpf;
} plan = {.into = -1};

static void check(long result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static void cpuset_fill(const char *directory)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};

	for (int i = 0; i < 2; i++) {
		char from[64], to[512], value[256];

		snprintf(from, sizeof(from), "/sys/fs/cgroup/cpuset/%s", files[i]);
		snprintf(to, sizeof(to), "%s/%s", directory, files[i]);
		int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CLOEXEC);
		ssize_t length = read(in, value, sizeof(value));
		check(length > 0 ? write(out, value, (size_t)length) : -1, to);
		close(in);
		close(out);
	}
}

/* The common parent goes too, unless somebody else is in it. */
static void parent_remove(const char *cgroup)
{
	char parent[256];

	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(cgroup, '/') - cgroup), cgroup);
	rmdir(parent);
}

static void cgroups_make(void)
{
	char name[32];

	snprintf(name, sizeof(name), "floor-%d", getpid());
	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0) {
		mkdir("/sys/fs/cgroup/warren", 0755);
		snprintf(plan.cgroup[0], sizeof(plan.cgroup[0]), "/sys/fs/cgroup/warren/%s", name);
		check(mkdir(plan.cgroup[0], 0755), plan.cgroup[0]);
		plan.into = open(plan.cgroup[0], O_PATH | O_CLOEXEC);
		plan.cgroup_count = 1;
		return;
	}
	for (char *h = strtok(plan.hierarchies, ","); h && plan.cgroup_count < HIERARCHIES_MAX; h = strtok(NULL, ",")) {
		char *path = plan.cgroup[plan.cgroup_count], tasks[300];

		snprintf(path, sizeof(plan.cgroup[0]), "/sys/fs/cgroup/%s/warren", h);
		mkdir(path, 0755);
		snprintf(path, sizeof(plan.cgroup[0]), "/sys/fs/cgroup/%s/warren/%s", h, name);
		check(mkdir(path, 0755), path);
		if (!strcmp(h, "cpuset")) {
			/* A new cpuset is empty, and so is our parent when it was just made. */
			cpuset_fill("/sys/fs/cgroup/cpuset/warren");
			cpuset_fill(path);
		}
		snprintf(tasks, sizeof(tasks), "%s/tasks", path);
		plan.tasks[plan.cgroup_count] = open(tasks, O_WRONLY | O_CLOEXEC);
		check(plan.tasks[plan.cgroup_count++], tasks);
	}
}

static int filesystem(const char *type, const char *const options[][2], unsigned attr)
{
	int fs = fsopen(type, FSOPEN_CLOEXEC), mount;

	check(fs, type);
	for (; options && (*options)[0]; options++)
		check(fsconfig(fs, FSCONFIG_SET_STRING, (*options)[0], (*options)[1], 0), (*options)[0]);
	check(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), type);
	mount = fsmount(fs, FSMOUNT_CLOEXEC, attr);
	check(mount, type);
	close(fs);
	return mount;
}

static void attach(int mount, const char *where)
{
	check(move_mount(mount, "", AT_FDCWD, where, MOVE_MOUNT_F_EMPTY_PATH), where);
	close(mount);
}

static void dev_fill(void)
{
	static const struct {
		const char *path;
		unsigned major, minor;
	} nodes[] = {{"dev/null", 1, 3}, {"dev/zero", 1, 5}, {"dev/full", 1, 7}, {"dev/random", 1, 8},
		{"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
	static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"}, {"/proc/self/fd/0", "dev/stdin"},
		{"/proc/self/fd/1", "dev/stdout"}, {"/proc/self/fd/2", "dev/stderr"}, {"pts/ptmx", "dev/ptmx"}};
	static const char *const pts[][2] = {{"newinstance", NULL}, {"ptmxmode", "0666"}, {"mode", "0620"}, {0}};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		check(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)), nodes[i].path);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		check(symlink(links[i][0], links[i][1]), links[i][1]);
	check(mkdir("dev/pts", 0755), "dev/pts");
	check(mkdir("dev/shm", 0755), "dev/shm");
	attach(filesystem("devpts", pts + 1, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), "dev/pts");
	attach(filesystem("tmpfs", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC), "dev/shm");
}

static void mask(void)
{
	static const char *const files[] = {
		"/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug"};
	static const char *const directories[] = {"/proc/acpi", "/proc/scsi", "/sys/firmware"};
	static const char *const read_only[] = {
		"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	int empty = filesystem("tmpfs", NULL, MOUNT_ATTR_RDONLY);

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int null = open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		move_mount(null, "", AT_FDCWD, files[i], MOVE_MOUNT_F_EMPTY_PATH);
		close(null);
	}
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		int clone = open_tree(empty, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
		if (clone < 0)
			clone = filesystem("tmpfs", NULL, MOUNT_ATTR_RDONLY);
		move_mount(clone, "", AT_FDCWD, directories[i], MOVE_MOUNT_F_EMPTY_PATH);
		close(clone);
	}
	for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
		int clone = open_tree(AT_FDCWD, read_only[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
		mount_setattr(clone, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr));
		move_mount(clone, "", AT_FDCWD, read_only[i], MOVE_MOUNT_F_EMPTY_PATH);
		close(clone);
	}
	close(empty);
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	check(ioctl(fd, SIOCSIFFLAGS, &request), "lo");
	close(fd);
}

static void privileges_drop(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	uint32_t keep = 1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE;
	struct __user_cap_data_struct data[2] = {{.effective = keep, .permitted = keep}};

	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (cap > 31 || !(keep >> cap & 1))
			check(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0), "bounding set");
	check(syscall(SYS_capset, &header, data), "capset");
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

static void root_attach(void)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID};

	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	int root = open_tree(AT_FDCWD, plan.rootfs, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	check(root, plan.rootfs);
	mount_setattr(root, "", AT_EMPTY_PATH, &attr, sizeof(attr));
	check(move_mount(root, "", AT_FDCWD, plan.rootfs, MOVE_MOUNT_F_EMPTY_PATH), "root");
	check(fchdir(root), "root");
	close(root);
}

static void root_change(void)
{
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH), "umount");
	check(chdir("/"), "chdir");
}

static void mounts_child(char **program)
{
	root_attach();
	root_change();
	execv(program[0], program);
	check(-1, "execute");
}

static void child(char **program)
{
	for (int i = 0; plan.into < 0 && i < plan.cgroup_count; i++)
		check(write(plan.tasks[i], "0", 1), "tasks");
	check(unshare(CLONE_NEWCGROUP), "cgroup namespace");
	root_attach();
	attach(filesystem("proc", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC), "proc");
	attach(filesystem("tmpfs", NULL, MOUNT_ATTR_NOSUID), "dev");
	dev_fill();
	attach(filesystem("sysfs", NULL, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC),
		"sys");
	if (plan.filter) {
		check(mkdir("dev/mqueue", 0755), "dev/mqueue");
		attach(filesystem("mqueue", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC),
			"dev/mqueue");
	}
	root_change();
	if (plan.filter)
		mask();
	loopback_up();
	check(sethostname("floor", 5), "hostname");
	check(setsid(), "setsid");
	privileges_drop();
	if (plan.filter)
		check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &plan.bpf), "seccomp");
	execv(program[0], program);
	check(-1, "execute");
}

static int start_and_wait(char **program)
{
	struct clone_args args = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET,
		.exit_signal = SIGCHLD};
	int status;

	if (plan.mounts_only)
		args.flags = CLONE_NEWNS;
	else
		cgroups_make();
	if (plan.into >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)plan.into;
	}
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	check(pid, "clone3");
	if (pid == 0)
		(plan.mounts_only ? mounts_child : child)(program);
	check(waitpid(pid, &status, 0), "wait");
	for (int i = 0; i < plan.cgroup_count; i++) {
		while (rmdir(plan.cgroup[i]) < 0 && errno == EBUSY)
			;
		parent_remove(plan.cgroup[i]);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Runs the whole of it under ptrace and counts entries into the kernel, of the parent from here on and of the child up
 * to exec and its end. */
static int count_calls(char **program)
{
	long calls = 0;
	int status, result = 0;
	pid_t first = fork();

	if (first == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(start_and_wait(program));
	}
	waitpid(first, &status, 0);
	ptrace(PTRACE_SETOPTIONS, first, 0,
		PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK);
	ptrace(PTRACE_SYSCALL, first, 0, 0);
	for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			result = pid == first ? WEXITSTATUS(status) : result;
			continue;
		}
		calls += WSTOPSIG(status) == (SIGTRAP | 0x80);
		bool pass = WSTOPSIG(status) != (SIGTRAP | 0x80) && WSTOPSIG(status) != SIGTRAP &&
			    WSTOPSIG(status) != SIGSTOP;
		ptrace(PTRACE_SYSCALL, pid, 0, pass ? WSTOPSIG(status) : 0);
	}
	printf("%ld\n", (calls + 1) / 2);
	return result;
}

static void filter_read(void)
{
	static struct sock_filter instructions[BPF_MAXINSNS];
	int fd = open(plan.filter, O_RDONLY | O_CLOEXEC);
	ssize_t length = read(fd, instructions, sizeof(instructions));

	check(length, plan.filter);
	close(fd);
	plan.bpf = (struct sock_fprog){
		.len = (unsigned short)((size_t)length / sizeof(instructions[0])), .filter = instructions};
}

int main(int argc, char **argv)
{
	static char none[] = "";
	bool count = false;
	int at = 1;

	plan.hierarchies = none;
	for (; at < argc && argv[at][0] == '-'; at++) {
		if (!strcmp(argv[at], "--full") && at + 1 < argc)
			plan.filter = argv[++at];
		else if (!strcmp(argv[at], "--cgroups") && at + 1 < argc)
			plan.hierarchies = argv[++at];
		else if (!strcmp(argv[at], "--count"))
			count = true;
		else if (!strcmp(argv[at], "--mounts"))
			plan.mounts_only = true;
		else
			at = argc;
	}
	if (argc - at < 2) {
		fprintf(stderr, "usage: floor [--full FILTER.bpf] [--cgroups cpu,memory,…] [--mounts] [--count] ROOTFS "
				"PROGRAM [ARG…]\n");
		return 2;
	}
	plan.rootfs = argv[at];
	if (plan.filter)
		filter_read();
	return count ? count_calls(argv + at + 1) : start_and_wait(argv + at + 1);
}
