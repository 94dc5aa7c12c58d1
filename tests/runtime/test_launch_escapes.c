/* What an image or its writer tries to reach at a start beyond its root. */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "tests/runtime/support_runtime.h"

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

TEST(launch_escapes, never_fills_a_host_directory_that_the_images_dev_points_to)
{
	NEEDS_ROOT();
	expect_dev_link_refused("", true, true);
	expect_dev_link_refused("", true, false);
	expect_dev_link_refused("../../../../../../..", true, false);
	expect_dev_link_refused("..", false, true);
}

TEST(launch_escapes, refuses_links_in_place_of_proc_and_sys)
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

TEST(launch_escapes, keeps_destinations_inside_the_root)
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

TEST(launch_escapes, keeps_destinations_inside_the_root_while_somebody_swaps_them, .timeout = 60)
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

TEST(launch_escapes, does_not_mask_with_what_the_image_has_at_dev_null)
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

TEST(launch_escapes, refuses_a_working_directory_behind_a_descriptor)
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
