/* Tests of runtime/mounts/mounts.c and copyup.c: the less usual options. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/file.h"
#include "runtime/mounts/mounts.h"
#include "tests/runtime/support_runtime.h"

#define EXPECT_RUN(box, expected_status, expected_text)                                                                \
	do {                                                                                                           \
		struct error run_err = {0};                                                                            \
		char run_output[8192];                                                                                 \
		int run_status = sandbox_run(box, NULL, run_output, sizeof(run_output), &run_err);                     \
		cr_assert(run_status == (expected_status), "%d %s|%s", run_status, run_err.text, run_output);          \
		cr_assert(strstr(run_output, (expected_text)), "%s", run_output);                                      \
	} while (0)

static void path_of(char path[160], const struct sandbox *box, const char *name)
{
	snprintf(path, 160, "%s/%s", box->directory, name);
}

TEST(mounts, copy_up_what_a_tmpfs_covers)
{
	AUTO(sandbox_drop) struct sandbox box;
	char path[160];

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_write(&box, "/etc/plain", "content\n");
	path_of(path, &box, "rootfs/etc/plain");
	cr_assert(chmod(path, 0640) == 0 && chown(path, 12, 34) == 0);
	path_of(path, &box, "rootfs/etc/sub");
	cr_assert(mkdir(path, 0751) == 0);
	sandbox_write(&box, "/etc/sub/inner", "deep\n");
	path_of(path, &box, "rootfs/etc/link");
	cr_assert(symlink("plain", path) == 0);
	sandbox_add_mount(&box, (struct spec_mount){.destination = "/etc", .type = "tmpfs", .copy_up = true});
	sandbox_script(
		&box, "cd /etc; cat link sub/inner; stat -c '%a %u:%g' plain; stat -c %a sub; echo changed > plain");
	EXPECT_RUN(&box, 0, "content\ndeep\n640 12:34\n751\n");
	AUTO(arena_drop) struct arena arena = {0};
	struct error err;
	const char *content;
	path_of(path, &box, "rootfs/etc/plain");
	ASSERT_OK(file_read(&arena, AT_FDCWD, path, 100, &content, NULL, &err));
	cr_assert(strcmp(content, "content\n") == 0, "the image was changed: %s", content);
}

TEST(mounts, map_the_ids_of_a_bind)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct stat status;
	struct statfs system;
	struct error err = {0};
	char data[160], made[192], output[512];

	NEEDS_ROOT();
	sandbox_make(&box);
	cr_assert(statfs(box.directory, &system) == 0);
	SKIP_UNLESS(system.f_type == EXT4_SUPER_MAGIC, "the temporary directory is on a file system without id maps");
	sandbox_use_own_ids(&box);
	path_of(data, &box, "data");
	cr_assert(mkdir(data, 0700) == 0);
	sandbox_add_mount(
		&box, (struct spec_mount){.destination = "/srv", .source = data, .bind = true, .idmap = true});
	sandbox_script(&box, "stat -c %u /srv; touch /srv/made");
	int result = sandbox_run(&box, NULL, output, sizeof(output), &err);
	cr_assert(result == 0 && strcmp(output, "0\n") == 0, "%d %s|%s", result, err.text, output);
	snprintf(made, sizeof(made), "%s/made", data);
	cr_assert(stat(made, &status) == 0 && status.st_uid == 0, "%u", status.st_uid);
}

/* As it is when an ordinary user starts it: nothing says it but the missing descriptor. */
TEST(mounts, refuse_to_map_ids_where_there_are_no_maps)
{
	struct spec_mount spec = {.destination = "/srv", .source = "/srv", .bind = true, .idmap = true};
	struct mount_item item = {.spec = &spec, .how = MOUNT_CLONE, .mount = -1};
	struct mounts mounts = {.items = &item, .count = 1};
	struct error err;

	ASSERT_FAILS(mounts_map_ids(&mounts, -1, &err), ERROR_USAGE,
		"mount: /srv on /srv: idmap: the container has no user namespace");
}

TEST(mounts, make_a_whole_tree_read_only)
{
	AUTO(sandbox_drop) struct sandbox box;
	char data[160], below[192];

	NEEDS_ROOT();
	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	sandbox_make(&box);
	path_of(data, &box, "data");
	snprintf(below, sizeof(below), "%s/below", data);
	cr_assert(mkdir(data, 0755) == 0 && mkdir(below, 0755) == 0);
	cr_assert(mount("tmpfs", below, "tmpfs", 0, NULL) == 0);
	sandbox_add_mount(&box, (struct spec_mount){.destination = "/srv",
					.source = data,
					.bind = true,
					.recursive = true,
					.attr_set_recursive = MOUNT_ATTR_RDONLY});
	sandbox_script(&box, "touch /srv/below/x");
	EXPECT_RUN(&box, 1, "touch: /srv/below/x: Read-only file system");
	cr_assert(umount2(below, MNT_DETACH) == 0);
}

TEST(mounts, give_the_hosts_own_where_a_user_namespace_may_not_make_one)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_use_own_ids(&box);
	box.spec.namespaces.create[NS_NET] = false;
	sandbox_script(&box, "ls /sys/class/net/lo > /dev/null && grep -c ' /sys sysfs ' /proc/mounts");
	EXPECT_RUN(&box, 0, "1\n");
}

TEST(mounts, set_the_roots_propagation)
{
	AUTO(sandbox_drop) struct sandbox box;

	NEEDS_ROOT();
	sandbox_make(&box);
	box.spec.root_propagation = MS_SHARED;
	sandbox_script(&box, "grep -E '^[0-9]+ [0-9]+ [0-9:]+ [^ ]+ / ' /proc/self/mountinfo");
	EXPECT_RUN(&box, 0, " shared:");
	box.spec.root_propagation = 0;
	sandbox_script(&box,
		"grep -E '^[0-9]+ [0-9]+ [0-9:]+ [^ ]+ / .*(shared|master):' /proc/self/mountinfo || echo private");
	EXPECT_RUN(&box, 0, "private");
}

TEST(mounts, name_the_option_that_a_file_system_does_not_know)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct spec_mount mount = {.destination = "/srv", .type = "tmpfs", .source = "tmpfs"};
	struct launched launched;
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	pairs_set(&box.arena, &mount.data, "nonesuch", "1");
	sandbox_add_mount(&box, mount);
	sandbox_script(&box, "true");
	ASSERT_FAILS(sandbox_start(&box, &launched, &err), ERROR_SYSTEM, "make file systems: tmpfs on /srv: ");
	cr_assert(strstr(err.text, "nonesuch"), "%s", err.text);
}

TEST(mounts, live_in_a_time_namespace_where_asked)
{
	AUTO(sandbox_drop) struct sandbox box;
	char ours[64] = "";

	NEEDS_ROOT();
	cr_assert(readlink("/proc/self/ns/time", ours, sizeof(ours) - 1) > 0);
	sandbox_make(&box);
	box.spec.namespaces.create[NS_TIME] = true;
	sandbox_script(&box, "readlink /proc/self/ns/time");
	struct error err = {0};
	char output[256];
	int status = sandbox_run(&box, NULL, output, sizeof(output), &err);
	cr_assert(status == 0 && strncmp(output, ours, strlen(ours)) != 0, "%d %s %s", status, err.text, output);
}
