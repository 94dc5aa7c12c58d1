/* What a first process finds mounted: devices, masks, binds, the parts that prepare() gives. */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mount.h"
#include "tests/runtime/support_runtime.h"

TEST(launch_mounts, gives_the_standard_devices)
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

TEST(launch_mounts, makes_devices_of_the_specification)
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

TEST(launch_mounts, finds_the_hosts_node_by_its_numbers_in_a_user_namespace)
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

TEST(launch_mounts, names_the_device_that_the_host_has_not)
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

TEST(launch_mounts, refuses_a_device_where_something_else_is)
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

TEST(launch_mounts, masks_paths)
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

TEST(launch_mounts, protects_paths_from_writing)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_script(&box, "echo x > /proc/sys/kernel/hostname");
	EXPECT_RUN(&box, 1, "can't create /proc/sys/kernel/hostname: Read-only file system");
}

TEST(launch_mounts, makes_the_root_read_only_after_its_mount_points)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	box.spec.root_read_only = true;
	sandbox_add_mount(&box, (struct spec_mount){.destination = "/var/lib/new", .type = "tmpfs"});
	sandbox_script(&box, "touch /var/lib/new/x && touch /x");
	EXPECT_RUN(&box, 1, "touch: /x: Read-only file system");
}

TEST(launch_mounts, binds_files_and_directories_of_the_host)
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

TEST(launch_mounts, says_which_bind_source_is_missing)
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
TEST(launch_mounts, binds_what_only_the_hosts_root_can_reach_and_a_root_in_a_closed_directory)
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

TEST(launch_mounts, keeps_mounts_made_inside_from_the_host_and_the_other_way_round)
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
TEST(launch_mounts, attaches_parts_as_they_are_given_parents_first)
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

/* Trap: a proc of its own is refused to a user namespace where the host's is partly covered. */
TEST(launch_mounts, gets_a_proc_from_its_parent_where_the_hosts_is_covered)
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
