/* What the profile "system" leaves out of reach. It has CAP_SYS_ADMIN in its user namespace and may mount, so first it
 * takes away all that we have laid over /proc and /sys: what holds then is the kernel's own. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/end_to_end/support_probe.h"

/* Any errno does, success does not. */
static void refused(struct probe_count *count, const char *name, long result)
{
	count->tried++;
	if (result >= 0)
		probe_wrong(count, name, "done");
}

/* --- our own covers ----------------------------------------------------------------------------------------------- */

static const char *const covers[] = {"/proc/sysrq-trigger", "/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs",
	"/proc/kallsyms", "/proc/kcore", "/proc/keys", "/proc/kpagecount", "/proc/modules", "/sys/module"};

static void covers_remove(struct probe_count *count)
{
	struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};

	for (size_t i = 0; i < ARRAY_SIZE(covers); i++)
		if (access(covers[i], F_OK) == 0)
			probe_check(count, covers[i], umount2(covers[i], MNT_DETACH), 0);
	/* Allowed or not, what matters comes below. */
	(void)!mount_setattr(AT_FDCWD, "/sys", 0, &writable, sizeof(writable));
}

/* --- the host's settings ------------------------------------------------------------------------------------------ */

static const char *const settings[] = {"/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern",
	"/proc/sys/kernel/modprobe", "/proc/sys/kernel/panic", "/proc/sys/kernel/pid_max", "/proc/sys/kernel/hotplug",
	"/proc/sys/kernel/randomize_va_space", "/proc/sys/vm/overcommit_memory", "/proc/sys/vm/drop_caches",
	"/proc/sys/fs/file-max", "/proc/sys/fs/suid_dumpable", "/proc/irq/default_smp_affinity",
	"/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/profiling",
	"/sys/power/state", "/sys/module/kernel/parameters/panic", "/sys/bus/pci/rescan",
	"/sys/bus/virtio/drivers_probe", "/sys/class/block/vda/uevent", "/sys/devices/system/cpu/cpu0/uevent"};

static const char *const secrets[] = {"/proc/kcore", "/proc/kmsg", "/proc/kpagecount", "/proc/1/mem/..", "/dev/mem",
	"/dev/kmsg", "/dev/vda", "/dev/sda", "/sys/kernel/debug/x", "/sys/firmware/acpi/tables/DSDT"};

static void settings_write(struct probe_count *count)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		auto_fd fd = open(settings[i], O_WRONLY | O_CLOEXEC | O_NONBLOCK);

		refused(count, settings[i], fd);
	}
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		auto_fd fd = open(secrets[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);

		refused(count, secrets[i], fd);
	}
}

/* --- the host's file systems and devices -------------------------------------------------------------------------- */

static const struct {
	const char *source, *type, *data;
} systems[] = {
	{"/dev/vda", "ext4", NULL},
	{"/dev/sda1", "ext4", NULL},
	{"none", "devtmpfs", NULL},
	{"none", "debugfs", NULL},
	{"none", "tracefs", NULL},
	{"none", "securityfs", NULL},
	{"none", "configfs", NULL},
	{"none", "hugetlbfs", NULL},
	{"none", "cgroup", "memory"},
	{"none", "cgroup", "pids"},
	{"none", "cgroup", "none,name=escape"},
};

static void systems_mount(struct probe_count *count)
{
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(systems); i++) {
		snprintf(name, sizeof(name), "mount %s %s", systems[i].type, systems[i].data ? systems[i].data : "");
		refused(count, name, mount(systems[i].source, "/mnt", systems[i].type, 0, systems[i].data));
	}
	probe_check(count, "mount tmpfs", mount("none", "/mnt", "tmpfs", 0, NULL), 0); /* it does have the right */
	probe_check(count, "block device", mknod("/mnt/block", S_IFBLK | 0600, makedev(254, 0)), EPERM);
	probe_check(count, "character device", mknod("/mnt/memory", S_IFCHR | 0600, makedev(1, 1)), EPERM);
	umount2("/mnt", MNT_DETACH);
}

/* --- its control group -------------------------------------------------------------------------------------------- */

static const char *const limits[] = {"memory.max", "memory.high", "memory.swap.max", "memory.low", "pids.max",
	"cpu.max", "cpu.weight", "cpuset.cpus", "io.max", "cgroup.freeze", "cgroup.max.descendants",
	"cgroup.max.depth"};

/* The file system made anew begins at its own control group too: the hierarchy's root has no type. */
static void cgroup_escape(struct probe_count *count, const char *place)
{
	char path[96];

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		snprintf(path, sizeof(path), "%s/%s", place, limits[i]);
		auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);
		refused(count, path, fd);
	}
	snprintf(path, sizeof(path), "%s/cgroup.type", place);
	probe_check(count, path, access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/own", place);
	probe_check(count, "a control group of its own", mkdir(path, 0755), 0);
	rmdir(path);
}

static void cgroups_escape(struct probe_count *count)
{
	cgroup_escape(count, "/sys/fs/cgroup");
	probe_check(count, "mount cgroup2", mount("none", "/mnt", "cgroup2", 0, NULL), 0);
	cgroup_escape(count, "/mnt");
	umount2("/mnt", MNT_DETACH);
}

/* --- the host's kernel and clock ---------------------------------------------------------------------------------- */

static void kernel_change(struct probe_count *count)
{
	struct timespec now = {.tv_sec = 1};
	pid_t pid = fork();
	int status = 0;

	/* All but user namespaces: in a child, as the probe goes on. */
	if (pid == 0)
		_exit(unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID) == 0 ? 0 : 1);
	waitpid(pid, &status, 0);
	probe_check(count, "namespaces for services", status ? -1 : 0, 0);
	probe_check(count, "user namespace", unshare(CLONE_NEWUSER), EPERM);
	probe_check(count, "module", syscall(SYS_init_module, "", 0UL, ""), EPERM);
	probe_check(count, "another kernel", syscall(SYS_kexec_load, 0UL, 0UL, NULL, 0UL), EPERM);
	probe_check(count, "bpf", syscall(SYS_bpf, 0, NULL, 0), EPERM);
	probe_check(count, "clock", clock_settime(CLOCK_REALTIME, &now), EPERM);
	probe_check(count, "kernel's log", syscall(SYS_syslog, 5, NULL, 0), EPERM);
	probe_check(count, "swap", syscall(SYS_swapoff, "/dev/zram0"), EPERM);
	probe_check(count, "reboot with a wrong word", syscall(SYS_reboot, 1, 2, 3, NULL), EINVAL);
}

int probe_system(void)
{
	struct probe_count count = {0};

	covers_remove(&count);
	settings_write(&count);
	systems_mount(&count);
	cgroups_escape(&count);
	kernel_change(&count);
	return probe_count_print(&count);
}
