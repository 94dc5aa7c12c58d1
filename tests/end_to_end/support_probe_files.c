/* Files that an instance must not read or write. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/end_to_end/support_probe.h"

/* Files of the kernel that tell about the host: absent, refused or empty. */
static const char *const hidden[] = {"/proc/config.gz", "/proc/interrupts", "/proc/kallsyms", "/proc/kcore",
	"/proc/key-users", "/proc/keys", "/proc/kmsg", "/proc/kpagecgroup", "/proc/kpagecount", "/proc/kpageflags",
	"/proc/latency_stats", "/proc/modules", "/proc/sched_debug", "/proc/slabinfo", "/proc/timer_list",
	"/proc/timer_stats", "/proc/vmallocinfo", "/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/fuse",
	"/dev/net/tun", "/dev/kvm", "/dev/sda", "/dev/vda", "/dev/loop-control"};

static const char *const hidden_directories[] = {"/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware",
	"/sys/fs/bpf", "/sys/kernel/debug", "/sys/kernel/security", "/sys/kernel/tracing", "/sys/module",
	"/sys/devices/virtual/powercap", "/usr/local", "/usr/src", "/usr/lib/modules", "/usr/lib/debug", "/home",
	"/boot", "/media", "/mnt", "/opt", "/srv"};

/* On file systems that must be mounted read-only, whoever owns the files. */
static const char *const read_only[] = {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
	"/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/vm/overcommit_memory",
	"/proc/sys/fs/binfmt_misc", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/sys",
	"/sys/kernel/uevent_helper", "/sys/class/net", "/sys/fs/cgroup", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory",
	"/usr", "/usr/bin/env", "/usr/local"};

static const char *const not_writable[] = {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
	"/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/vm/overcommit_memory",
	"/proc/sysrq-trigger", "/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled",
	"/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/pids/cgroup.procs",
	"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/pids.max",
	"/usr/bin/env", "/sys/fs/cgroup/pids/release_agent", "/sys/fs/cgroup/memory/release_agent"};

static void file_is_hidden(struct probe_count *count, const char *path)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char byte;

	count->tried++;
	if (fd >= 0 && read(fd, &byte, 1) > 0)
		probe_wrong(count, path, "can be read");
}

static void directory_is_empty(struct probe_count *count, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	count->tried++;
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			probe_wrong(count, path, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static void place_is_read_only(struct probe_count *count, const char *path)
{
	struct statvfs status;

	count->tried++;
	if (statvfs(path, &status) == 0 && !(status.f_flag & ST_RDONLY))
		probe_wrong(count, path, "is not read-only");
}

static void file_refuses_writing(struct probe_count *count, const char *path)
{
	auto_fd fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);

	count->tried++;
	if (fd >= 0)
		probe_wrong(count, path, "can be opened for writing");
}

static void making_is_refused(struct probe_count *count, const char *path, int expected)
{
	auto_fd fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	probe_check(count, path, fd, expected);
	if (fd >= 0)
		unlink(path);
}

int probe_files(void)
{
	struct probe_count count = {0};

	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		file_is_hidden(&count, hidden[i]);
	for (size_t i = 0; i < ARRAY_SIZE(hidden_directories); i++)
		directory_is_empty(&count, hidden_directories[i]);
	for (size_t i = 0; i < ARRAY_SIZE(read_only); i++)
		place_is_read_only(&count, read_only[i]);
	for (size_t i = 0; i < ARRAY_SIZE(not_writable); i++)
		file_refuses_writing(&count, not_writable[i]);
	making_is_refused(&count, "/usr/made", EROFS);
	making_is_refused(&count, "/usr/bin/made", EROFS);
	making_is_refused(&count, "/probe/made", EROFS);
	making_is_refused(&count, "/tmp/made", 0);
	making_is_refused(&count, "/etc/made", 0);
	return probe_count_print(&count);
}

/* --- with CAP_SYS_ADMIN and without the filter -------------------------------------------------------------------- */

/* The read-only flag of a mount that came by descriptor is not locked: its owner may take it off. What lies below must
 * refuse by itself. */
static void flag_clear(struct probe_count *count, const char *path)
{
	struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY};

	if (mount_setattr(AT_FDCWD, path, 0, &attr, sizeof(attr)) < 0 && errno != EPERM)
		probe_wrong(count, path, "the flag could not even be tried");
	mount(NULL, path, NULL, MS_REMOUNT | MS_BIND, NULL);
	mount(NULL, path, NULL, MS_REMOUNT, NULL);
}

static void below_cannot_be_changed(struct probe_count *count, const char *directory)
{
	static const char *const names[] = {"made", "bin/made", "share/made"};
	char path[256];

	flag_clear(count, directory);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		making_is_refused(count, path, EROFS);
	}
	snprintf(path, sizeof(path), "%s/bin/env", directory);
	probe_check(count, path, open(path, O_WRONLY | O_CLOEXEC), EROFS);
	probe_check(count, path, unlink(path), EROFS);
	probe_check(count, path, chmod(path, 0777), EROFS);
}

int probe_admin(void)
{
	struct probe_count count = {0};

	probe_check(&count, "mount", mount("none", "/mnt", "tmpfs", 0, NULL), 0); /* it does have the right */
	below_cannot_be_changed(&count, "/usr");
	below_cannot_be_changed(&count, "/volume");
	return probe_count_print(&count);
}
