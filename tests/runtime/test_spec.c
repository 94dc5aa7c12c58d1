/* The default specification, and every refusal of spec_check() with its text. */
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "runtime/spec.h"
#include "tests/test.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* The manager's default with a program and a map: valid. */
static struct spec valid_spec(struct arena *arena)
{
	struct spec spec;

	spec_init(&spec);
	spec_set_defaults(arena, &spec, 0);
	strings_add(arena, &spec.process.args, "/bin/true");
	spec.uid_maps.items = arena_new_array(arena, 2, struct id_map);
	spec.uid_maps.items[0] = (struct id_map){0, 100000, 65536};
	spec.uid_maps.count = 1;
	spec.gid_maps.items = arena_new_array(arena, 2, struct id_map);
	spec.gid_maps.items[0] = (struct id_map){0, 100000, 65536};
	spec.gid_maps.count = 1;
	return spec;
}

TEST(spec, starts_empty_with_no_namespace_to_join)
{
	struct spec spec;

	spec_init(&spec);
	for (int ns = 0; ns < NS_COUNT; ns++)
		cr_assert(spec.namespaces.fd[ns] == -1 && !spec.namespaces.create[ns] && !spec.namespaces.path[ns]);
	cr_assert(spec.mounts.count == 0 && spec.seccomp == NULL);
}

TEST(spec, names_namespaces_as_oci_does)
{
	cr_assert_str_eq(namespace_names[NS_NET], "network");
	cr_assert_str_eq(namespace_names[NS_MOUNT], "mount");
	cr_assert(namespace_names[NS_COUNT] == NULL);
	cr_assert(namespace_flag(NS_USER) == CLONE_NEWUSER && namespace_flag(NS_CGROUP) == CLONE_NEWCGROUP);
	cr_assert(namespace_flag(NS_TIME) == 0x80);
}

TEST(spec, default_confines_a_web_server)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec spec = valid_spec(&arena);
	struct error err = {0};
	uint64_t web = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) |
		       BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |
		       BIT(CAP_SYS_CHROOT);

	ASSERT_OK(spec_check(&spec, &err));
	cr_assert(spec.process.capabilities[CAPS_BOUNDING] == web && spec.process.capabilities[CAPS_EFFECTIVE] == web &&
		  spec.process.capabilities[CAPS_PERMITTED] == web);
	cr_assert(spec.process.capabilities[CAPS_INHERITABLE] == 0 && spec.process.capabilities[CAPS_AMBIENT] == 0);
	cr_assert(spec.process.no_new_privileges && spec.seccomp && spec.process.umask.value == 022);
	for (int ns = 0; ns < NS_COUNT; ns++)
		cr_assert(spec.namespaces.create[ns] == (ns != NS_TIME), "%s", namespace_names[ns]);
	cr_assert(strings_contain(&spec.masked_paths, "/proc/kcore") &&
		  strings_contain(&spec.masked_paths, "/sys/firmware"));
	cr_assert(strings_contain(&spec.read_only_paths, "/proc/sys"));
}

TEST(spec, default_mounts_come_parents_first_and_sysfs_read_only)
{
	static const char *const expected[] = {
		"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"};
	AUTO(arena_drop) struct arena arena = {0};
	struct spec spec = valid_spec(&arena);

	cr_assert(spec.mounts.count == ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		cr_assert_str_eq(spec.mounts.items[i].destination, expected[i]);
	cr_assert(spec.mounts.items[5].attr_set & MOUNT_ATTR_RDONLY);
	cr_assert_str_eq(pairs_get(&spec.mounts.items[2].data, "max"), "1024");
}

/* --- refusals: each case spoils one thing ------------------------------------------------------------------------- */

static void no_args(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->process.args.count = 0;
}
static void empty_program(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->process.args.items[0] = "";
}
static void relative_cwd(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->process.cwd = "tmp";
}
static void climbing_cwd(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->process.cwd = "/a/../../b";
}
static void bad_env(struct spec *spec, struct arena *arena)
{
	strings_add(arena, &spec->process.env, "A=1");
	strings_add(arena, &spec->process.env, "B");
}
static void argument_long(struct spec *spec, struct arena *arena)
{
	char *text = arena_alloc(arena, 131073);

	memset(text, 'x', 131072);
	strings_add(arena, &spec->process.args, text);
}
static void uid_none(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->process.uid = (uid_t)-1;
}
static void gid_none(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->process.gid = (gid_t)-1;
}
static void group_none(struct spec *spec, struct arena *arena)
{
	spec->process.groups.items = arena_new_array(arena, 1, gid_t);
	spec->process.groups.items[0] = (gid_t)-1;
	spec->process.groups.count = 1;
}
static void umask_large(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->process.umask.value = 01000;
}
static void oom_large(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->process.oom_score_adj = (struct optional){true, 1001};
}
static void effective_beyond(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->process.capabilities[CAPS_EFFECTIVE] |= BIT(CAP_SYS_ADMIN);
}
static void inheritable_beyond(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->process.capabilities[CAPS_INHERITABLE] = BIT(CAP_NET_RAW);
}
static void ambient_not_inheritable(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->process.capabilities[CAPS_AMBIENT] = BIT(CAP_CHOWN);
}
static void rlimits_of(struct spec *spec, struct arena *arena, rlim_t soft, size_t count)
{
	spec->process.rlimits.items = arena_new_array(arena, count, struct spec_rlimit);
	spec->process.rlimits.count = count;
	for (size_t i = 0; i < count; i++)
		spec->process.rlimits.items[i] = (struct spec_rlimit){RLIMIT_NOFILE, {soft, 20}};
}
static void rlimit_twice(struct spec *spec, struct arena *arena)
{
	rlimits_of(spec, arena, 10, 2);
}
static void rlimit_inverted(struct spec *spec, struct arena *arena)
{
	rlimits_of(spec, arena, 21, 1);
}
static void no_mount_namespace(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->namespaces.create[NS_MOUNT] = false;
}
static void new_and_joined(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->namespaces.path[NS_NET] = "/run/netns/x";
}
static void relative_namespace(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->namespaces.create[NS_NET] = false;
	spec->namespaces.path[NS_NET] = "netns/x";
}
static void maps_without_user(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->namespaces.create[NS_USER] = false;
}
static void user_without_uid_map(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->uid_maps.count = 0;
}
static void user_without_gid_map(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->gid_maps.count = 0;
}
static void map_empty(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->uid_maps.items[0].count = 0;
}
static void map_too_high(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->gid_maps.items[0].host = UINT32_MAX - 10;
}
static void map_overlaps_inside(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->uid_maps.items[1] = (struct id_map){65535, 300000, 5};
	spec->uid_maps.count = 2;
}
static void map_overlaps_host(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->uid_maps.items[1] = (struct id_map){70000, 100010, 5};
	spec->uid_maps.count = 2;
}
static void uid_unmapped(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->process.uid = 65536;
}
static void gid_unmapped(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->process.gid = 70000;
}
static void hostname_without_uts(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->namespaces.create[NS_UTS] = false;
	spec->hostname = "x";
}
static void hostname_long(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->hostname = "0123456789012345678901234567890123456789012345678901234567890123x";
}
static void mount_relative(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->mounts.items[3].destination = "dev/shm";
}
static void mount_climbing(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->mounts.items[3].destination = "/dev/..";
}
static void mount_without_type(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->mounts.items[0].type = NULL;
}
static void bind_without_source(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->mounts.items[0].bind = true;
	spec->mounts.items[0].source = "";
}
static void idmap_of_tmpfs(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->mounts.items[3].idmap = true;
}
static void copy_up_of_proc(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->mounts.items[0].copy_up = true;
}
static void device_with(struct spec *spec, struct arena *arena, const char *path, char type)
{
	spec->devices.items = arena_new_array(arena, 1, struct spec_device);
	spec->devices.items[0] = (struct spec_device){.path = path, .type = type, .mode = 0666};
	spec->devices.count = 1;
}
static void device_climbing(struct spec *spec, struct arena *arena)
{
	device_with(spec, arena, "/dev/../../etc/x", 'c');
}
static void device_nameless(struct spec *spec, struct arena *arena)
{
	device_with(spec, arena, "/dev/", 'c');
}
static void device_odd(struct spec *spec, struct arena *arena)
{
	device_with(spec, arena, "/dev/x", 'x');
}
static void masked_climbing(struct spec *spec, struct arena *arena)
{
	strings_add(arena, &spec->masked_paths, "/../../etc");
}
static void read_only_relative(struct spec *spec, struct arena *arena)
{
	strings_add(arena, &spec->read_only_paths, "proc/sys");
}
static void sysctl_of_host(struct spec *spec, struct arena *arena)
{
	pairs_set(arena, &spec->sysctls, "kernel.core_pattern", "x");
}
static void sysctl_without_namespace(struct spec *spec, struct arena *arena)
{
	spec->namespaces.create[NS_NET] = false;
	pairs_set(arena, &spec->sysctls, "net.ipv4.ip_forward", "1");
}
static void sysctl_climbing(struct spec *spec, struct arena *arena)
{
	pairs_set(arena, &spec->sysctls, "net.../kernel/core_pattern", "x");
}
static void sysctl_dots(struct spec *spec, struct arena *arena)
{
	pairs_set(arena, &spec->sysctls, "net..x", "x");
}
static void sysctl_hostname(struct spec *spec, struct arena *arena)
{
	pairs_set(arena, &spec->sysctls, "kernel.hostname", "x");
}
static void cgroup_climbing(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->cgroup_path = "/warren/../..";
}
static void cgroup_root(struct spec *spec, struct arena *arena)
{
	(void)arena;
	spec->cgroup_path = "//";
}
static void hook_relative(struct spec *spec, struct arena *arena)
{
	spec->hooks.of[HOOK_POSTSTOP].items = arena_new_array(arena, 1, struct spec_hook);
	spec->hooks.of[HOOK_POSTSTOP].items[0].path = "hook";
	spec->hooks.of[HOOK_POSTSTOP].count = 1;
}
static void listener(struct spec *spec, struct arena *arena)
{
	struct spec_seccomp *seccomp = arena_new(arena, struct spec_seccomp);

	seccomp->listener_metadata = "x";
	spec->seccomp = seccomp;
}

static const struct {
	void (*spoil)(struct spec *spec, struct arena *arena);
	const char *text;
} refusals[] = {
	{no_args, "process.args: no program to execute"},
	{empty_program, "process.args[0]: is an empty string"},
	{relative_cwd, "process.cwd \"tmp\": must be an absolute path"},
	{climbing_cwd, "process.cwd \"/a/../../b\": must not contain \"..\""},
	{bad_env, "process.env[1] \"B\": is not NAME=value"},
	{argument_long, "process.args[1]: 131072 bytes, at most 131071"},
	{uid_none, "process.user.uid 4294967295: means \"no change\" to the kernel"},
	{gid_none, "process.user.gid 4294967295: means \"no change\" to the kernel"},
	{group_none, "process.user.additionalGids[0] 4294967295: is not a group"},
	{umask_large, "process.user.umask 512: must be between 0 and 511 (octal 0777)"},
	{oom_large, "process.oomScoreAdj 1001: must be between -1000 and 1000"},
	{effective_beyond, "process.capabilities.effective: CAP_SYS_ADMIN is not in the permitted set"},
	{inheritable_beyond, "process.capabilities.inheritable: CAP_NET_RAW is not in the bounding set"},
	{ambient_not_inheritable, "process.capabilities.ambient: CAP_CHOWN is not in the inheritable set"},
	{rlimit_twice, "process.rlimits[1]: RLIMIT_NOFILE is set twice"},
	{rlimit_inverted, "process.rlimits[0]: RLIMIT_NOFILE: soft limit 21 is above the hard limit 20"},
	{no_mount_namespace,
		"linux.namespaces: a mount namespace is missing; without one all mounts would be the host's"},
	{new_and_joined, "linux.namespaces: network is to be new and to be joined"},
	{relative_namespace, "linux.namespaces: path \"netns/x\" of network: must be absolute"},
	{maps_without_user, "linux.uidMappings: id maps need a user namespace"},
	{user_without_uid_map, "linux.uidMappings: a new user namespace needs them"},
	{user_without_gid_map, "linux.gidMappings: a new user namespace needs them"},
	{map_empty, "linux.uidMappings[0]: size 0"},
	{map_too_high, "linux.gidMappings[0]: 65536 ids from 0 (inside) and 4294967285 (host) end beyond 4294967294"},
	{map_overlaps_inside, "linux.uidMappings[1]: container ids overlap those of [0]"},
	{map_overlaps_host, "linux.uidMappings[1]: host ids overlap those of [0]"},
	{uid_unmapped, "process.user.uid 65536: is not in linux.uidMappings"},
	{gid_unmapped, "process.user.gid 70000: is not in linux.gidMappings"},
	{hostname_without_uts, "hostname: setting it needs a uts namespace"},
	{hostname_long, "hostname: 65 bytes, at most 64"},
	{mount_relative, "mounts[3]: destination \"dev/shm\": must be an absolute path"},
	{mount_climbing, "mounts[3]: destination \"/dev/..\": must not contain \"..\""},
	{mount_without_type, "mounts[0]: type is missing"},
	{bind_without_source, "mounts[0]: source is missing"},
	{idmap_of_tmpfs, "mounts[3]: idmap is for bind mounts"},
	{copy_up_of_proc, "mounts[0]: tmpcopyup is for tmpfs"},
	{device_climbing, "linux.devices[0]: path \"/dev/../../etc/x\": must not contain \"..\""},
	{device_nameless, "linux.devices[0]: path \"/dev/\": names no file"},
	{device_odd, "linux.devices[0]: type 'x': must be c, b or p"},
	{masked_climbing, "linux.maskedPaths \"/../../etc\": must not contain \"..\""},
	{read_only_relative, "linux.readonlyPaths \"proc/sys\": must be an absolute path"},
	{sysctl_of_host, "linux.sysctl: kernel.core_pattern: belongs to the host and not to a namespace"},
	{sysctl_without_namespace, "linux.sysctl: net.ipv4.ip_forward: needs a namespace of its own: network"},
	{sysctl_climbing, "linux.sysctl: net.../kernel/core_pattern: name must be letters, digits, '_' and '-' "
			  "separated by single dots"},
	{sysctl_dots, "linux.sysctl: net..x: name must be letters"},
	{sysctl_hostname, "linux.sysctl: kernel.hostname: is set by \"hostname\""},
	{cgroup_climbing, "linux.cgroupsPath \"/warren/../..\": must not contain \".\" or \"..\""},
	{cgroup_root, "linux.cgroupsPath \"//\": names the root cgroup"},
	{hook_relative, "hooks.poststop[0].path \"hook\": must be absolute"},
	{listener, "linux.seccomp.listenerMetadata: is of use only with listenerPath"},
};

TEST(spec_check, refuses_by_name_what_spans_members)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct spec spec = valid_spec(&arena);
		struct error err = {0};

		ASSERT_OK(spec_check(&spec, &err));
		refusals[i].spoil(&spec, &arena);
		ASSERT_FAILS(spec_check(&spec, &err), ERROR_USAGE, refusals[i].text);
		cr_assert(strncmp(err.text, refusals[i].text, strlen(refusals[i].text)) == 0, "%s", err.text);
	}
}

TEST(spec_check, takes_the_limits_themselves)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec spec = valid_spec(&arena);
	struct error err = {0};

	spec.hostname = "0123456789012345678901234567890123456789012345678901234567890123";
	char *longest = arena_alloc(&arena, 131072);
	memset(longest, 'x', 131071);
	strings_add(&arena, &spec.process.args, longest);
	spec.process.uid = 65535;
	spec.process.oom_score_adj = (struct optional){true, -1000};
	spec.uid_maps.items[1] = (struct id_map){65536, 200000, 1};
	spec.uid_maps.count = 2;
	spec.cgroup_path = "/warren/web..1/x";
	pairs_set(&arena, &spec.sysctls, "net.ipv4.ip_unprivileged_port_start", "0");
	pairs_set(&arena, &spec.sysctls, "kernel.shm_rmid_forced", "1");
	pairs_set(&arena, &spec.sysctls, "fs.mqueue.msg_max", "20");
	ASSERT_OK(spec_check(&spec, &err));
}

TEST(spec_check, takes_joined_namespaces_with_the_maps_that_engines_repeat)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec spec = valid_spec(&arena);
	struct error err = {0};

	spec.namespaces.create[NS_USER] = spec.namespaces.create[NS_NET] = false;
	spec.namespaces.path[NS_USER] = "/proc/1/ns/user";
	spec.namespaces.fd[NS_NET] = 0;
	ASSERT_OK(spec_check(&spec, &err));
}
