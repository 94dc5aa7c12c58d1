/* /etc/resolv.conf of an instance follows the host's, unless somebody inside has changed it. */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/images.h"
#include "tests/test.h"

struct scene {
	char directory[64];
	int instance;
};

/* The host's file, in a mount namespace of the test's own. */
static void host_says(struct scene *scene, const char *text)
{
	auto_free char *path = text_format("%s/resolv.conf", scene->directory);
	struct error err;

	umount2("/etc/resolv.conf", MNT_DETACH);
	ASSERT_OK(file_replace(AT_FDCWD, path, 0644, FILE_VOLATILE, text, strlen(text), &err));
	cr_assert(mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0, "%s", strerror(errno));
}

static void scene_open(struct scene *scene, const char *text)
{
	struct error err;

	NEEDS_ROOT();
	SKIP_UNLESS(access("/etc/resolv.conf", F_OK) == 0, "needs an /etc/resolv.conf to cover");
	*scene = (struct scene){.directory = "/tmp/warren-resolver-XXXXXX"};
	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	cr_assert(mkdtemp(scene->directory) && chmod(scene->directory, 0755) == 0);
	host_says(scene, text);
	auto_free char *path = text_format("%s/instance", scene->directory);
	auto_free char *upper = text_format("%s/u", path);
	cr_assert(mkdir(path, 0755) == 0 && mkdir(upper, 0755) == 0);
	scene->instance = dir_open(AT_FDCWD, path, &err);
	cr_assert(scene->instance >= 0);
}

static void scene_close(struct scene *scene)
{
	struct error err;

	close(scene->instance);
	umount2("/etc/resolv.conf", MNT_DETACH);
	ASSERT_OK(tree_remove(AT_FDCWD, scene->directory, &err));
}

/* "" when there is none. */
static const char *inside(struct scene *scene, struct arena *arena)
{
	const char *text;
	struct error err;

	return file_read(arena, scene->instance, "u/etc/resolv.conf", 65536, &text, NULL, &err) == 0 ? text : "";
}

static void refresh(struct scene *scene, bool own_loopback)
{
	struct error err;

	ASSERT_OK(root_resolver_refresh(scene->instance, own_loopback, &err));
}

TEST(resolver_refresh, follows_the_host)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct scene scene;
	scene_open(&scene, "nameserver 192.0.2.1\nnameserver 127.0.0.1\n");

	refresh(&scene, true);
	cr_assert_str_eq(inside(&scene, &arena), "nameserver 192.0.2.1\n");
	host_says(&scene, "nameserver 192.0.2.2\n");
	refresh(&scene, true);
	cr_assert_str_eq(inside(&scene, &arena), "nameserver 192.0.2.2\n");
	scene_close(&scene);
}

TEST(resolver_refresh, leaves_what_somebody_inside_wrote)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct scene scene;
	struct error err;
	scene_open(&scene, "nameserver 192.0.2.1\n");

	refresh(&scene, true);
	ASSERT_OK(file_replace(
		scene.instance, "u/etc/resolv.conf", 0644, FILE_VOLATILE, "nameserver 10.0.0.1\n", 20, &err));
	host_says(&scene, "nameserver 192.0.2.2\n");
	refresh(&scene, true);
	cr_assert_str_eq(inside(&scene, &arena), "nameserver 10.0.0.1\n");
	scene_close(&scene);
}

/* What lies there may be a trap: a link is neither read through nor written through. */
TEST(resolver_refresh, follows_no_link)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct scene scene;
	struct stat about;
	struct error err;
	scene_open(&scene, "nameserver 192.0.2.1\n");
	auto_free char *victim = text_format("%s/victim", scene.directory);

	refresh(&scene, true);
	ASSERT_OK(file_replace(AT_FDCWD, victim, 0600, FILE_VOLATILE, "nameserver 192.0.2.1\n", 21, &err));
	cr_assert(unlinkat(scene.instance, "u/etc/resolv.conf", 0) == 0 &&
		  symlinkat(victim, scene.instance, "u/etc/resolv.conf") == 0);
	host_says(&scene, "nameserver 192.0.2.2\n");
	refresh(&scene, true);
	const char *text;
	ASSERT_OK(file_read(&arena, AT_FDCWD, victim, 65536, &text, NULL, &err));
	cr_assert_str_eq(text, "nameserver 192.0.2.1\n");
	cr_assert(fstatat(scene.instance, "u/etc/resolv.conf", &about, AT_SYMLINK_NOFOLLOW) == 0 &&
		  S_ISLNK(about.st_mode));
	scene_close(&scene);
}

TEST(resolver_refresh, of_who_has_the_hosts_network_has_its_loopback_servers)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct scene scene;
	scene_open(&scene, "nameserver 127.0.0.53\noptions edns0\n");

	refresh(&scene, false);
	cr_assert_str_eq(inside(&scene, &arena), "nameserver 127.0.0.53\noptions edns0\n");
	scene_close(&scene);
}

/* A kill between the file and the note of what was given leaves a file that is ours all the same. */
TEST(resolver_refresh, a_killed_one_is_finished_by_the_next)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct scene scene;
	struct error err;
	scene_open(&scene, "nameserver 192.0.2.1\n");

	refresh(&scene, true);
	host_says(&scene, "nameserver 192.0.2.2\n");
	ASSERT_OK(root_file_write(scene.instance, "/etc/resolv.conf", 0644, 0, 0, "nameserver 192.0.2.2\n", 21, &err));
	refresh(&scene, true);
	host_says(&scene, "nameserver 192.0.2.3\n");
	refresh(&scene, true);
	cr_assert_str_eq(inside(&scene, &arena), "nameserver 192.0.2.3\n");
	scene_close(&scene);
}
