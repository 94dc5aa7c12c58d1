/* The empty specification, the manager's default one, and the names of namespaces. */
#include "runtime/spec.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/cleanup.h"

/* <sched.h> of glibc 2.36 lacks it. */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

const char *const namespace_names[] = {
	[NS_USER] = "user",
	[NS_MOUNT] = "mount",
	[NS_PID] = "pid",
	[NS_UTS] = "uts",
	[NS_IPC] = "ipc",
	[NS_NET] = "network",
	[NS_CGROUP] = "cgroup",
	[NS_TIME] = "time",
	[NS_COUNT] = NULL,
};

uint64_t namespace_flag(enum spec_namespace ns)
{
	static const uint64_t flags[NS_COUNT] = {
		[NS_USER] = CLONE_NEWUSER,
		[NS_MOUNT] = CLONE_NEWNS,
		[NS_PID] = CLONE_NEWPID,
		[NS_UTS] = CLONE_NEWUTS,
		[NS_IPC] = CLONE_NEWIPC,
		[NS_NET] = CLONE_NEWNET,
		[NS_CGROUP] = CLONE_NEWCGROUP,
		[NS_TIME] = CLONE_NEWTIME,
	};

	return flags[ns];
}

void spec_init(struct spec *spec)
{
	*spec = (struct spec){0};
	for (size_t ns = 0; ns < NS_COUNT; ns++)
		spec->namespaces.fd[ns] = -1;
}

/* --- the manager's default ---------------------------------------------------------------------------------------- */

#define NO_EXECUTION (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV)
#define PAIRS_MAX 5

/* In the order they are attached. The pseudo-terminals are bounded: the host's 4,096 are shared by all instances. */
static const struct default_mount {
	const char *destination, *type;
	uint64_t attr;
	struct pair data[PAIRS_MAX];
} default_mounts[] = {
	{"/proc", "proc", NO_EXECUTION, {{0}}},
	{"/dev", "tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME, {{"mode", "755"}, {"size", "65536k"}}},
	{"/dev/pts", "devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
		{{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}, {"max", "1024"}}},
	{"/dev/shm", "tmpfs", NO_EXECUTION, {{"mode", "1777"}, {"size", "65536k"}}},
	{"/dev/mqueue", "mqueue", NO_EXECUTION, {{0}}},
	{"/sys", "sysfs", NO_EXECUTION | MOUNT_ATTR_RDONLY, {{0}}},
	{"/sys/fs/cgroup", "cgroup", NO_EXECUTION | MOUNT_ATTR_RDONLY, {{0}}},
};

/* What tells about the host, its kernel's addresses or the neighbours, or has given a way in. Absent ones are skipped.
 */
static const char *const default_masked[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/config.gz",
	"/proc/interrupts",
	"/proc/kallsyms",
	"/proc/kcore",
	"/proc/key-users",
	"/proc/keys",
	"/proc/kpagecgroup",
	"/proc/kpagecount",
	"/proc/kpageflags",
	"/proc/latency_stats",
	"/proc/modules",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/slabinfo",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/vmallocinfo",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
	"/sys/fs/bpf",
	"/sys/kernel/debug",
	"/sys/kernel/security",
	"/sys/kernel/tracing",
	"/sys/module",
};

static const char *const default_read_only[] = {
	"/proc/bus",
	"/proc/fs",
	"/proc/irq",
	"/proc/sys",
	"/proc/sysrq-trigger",
};

/* Enough to start as root, bind port 80, become www-data, and install a package. */
static const unsigned default_capabilities[] = {
	CAP_CHOWN,
	CAP_DAC_OVERRIDE,
	CAP_FOWNER,
	CAP_FSETID,
	CAP_KILL,
	CAP_SETGID,
	CAP_SETUID,
	CAP_SETPCAP,
	CAP_NET_BIND_SERVICE,
	CAP_SYS_CHROOT,
};

/* What an init of its own needs besides, and why. All of it counts in the instance's user namespace only.
 *   SYS_ADMIN  it mounts (/run/lock, credentials, the private /tmp of a service) and makes namespaces for services
 *   SYS_BOOT   reboot(2): "off" and "again" are told apart by how the first process dies; without it both look alike
 *   SETFCAP    packages that give their programs file capabilities */
static const unsigned system_capabilities[] = {
	CAP_SYS_ADMIN,
	CAP_SYS_BOOT,
	CAP_SETFCAP,
};

static void mounts_set_defaults(struct arena *arena, struct spec *spec, bool system)
{
	spec->mounts.items = arena_new_array(arena, ARRAY_SIZE(default_mounts), struct spec_mount);
	spec->mounts.count = ARRAY_SIZE(default_mounts);
	for (size_t i = 0; i < ARRAY_SIZE(default_mounts); i++) {
		const struct default_mount *from = &default_mounts[i];
		struct spec_mount *mount = &spec->mounts.items[i];

		mount->destination = from->destination;
		mount->type = mount->source = from->type;
		mount->attr_set = from->attr;
		for (size_t k = 0; k < PAIRS_MAX && from->data[k].name; k++)
			pairs_set(arena, &mount->data, from->data[k].name, from->data[k].value);
		if (system && text_equal(from->type, "cgroup"))
			mount->attr_set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	}
}

static void strings_set(struct arena *arena, struct strings *list, const char *const *items, size_t count)
{
	*list = (struct strings){0};
	for (size_t i = 0; i < count; i++)
		strings_add(arena, list, items[i]);
}

static uint64_t capabilities_of(const unsigned *numbers, size_t count)
{
	uint64_t capabilities = 0;

	for (size_t i = 0; i < count; i++)
		capabilities |= UINT64_C(1) << numbers[i];
	return capabilities;
}

void spec_set_defaults(struct arena *arena, struct spec *spec, unsigned profile_flags)
{
	bool system = profile_flags & SECCOMP_SYSTEM;
	uint64_t capabilities = capabilities_of(default_capabilities, ARRAY_SIZE(default_capabilities));

	if (system)
		capabilities |= capabilities_of(system_capabilities, ARRAY_SIZE(system_capabilities));

	for (size_t ns = 0; ns < NS_COUNT; ns++)
		spec->namespaces.create[ns] = ns != NS_TIME;
	mounts_set_defaults(arena, spec, system);
	strings_set(arena, &spec->masked_paths, default_masked, ARRAY_SIZE(default_masked));
	strings_set(arena, &spec->read_only_paths, default_read_only, ARRAY_SIZE(default_read_only));
	spec->process.capabilities[CAPS_BOUNDING] = capabilities;
	spec->process.capabilities[CAPS_EFFECTIVE] = capabilities;
	spec->process.capabilities[CAPS_PERMITTED] = capabilities;
	spec->process.no_new_privileges = true;
	spec->process.umask = (struct optional){true, 022};
	spec->process.cwd = "/";
	spec->seccomp = seccomp_default_profile(arena, profile_flags);
}
