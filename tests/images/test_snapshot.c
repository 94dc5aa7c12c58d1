/* Snapshots, restoring, clones: what a root shows afterwards, and that no kill leaves half of anything. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "images/collection.h"
#include "images/root/assigned.h"
#include "support_inside.h"
#include "support_store.h"

struct site {
	struct place place;
	struct depot depot;
	struct arena arena;
	struct image_config config;
	struct root_request request;
	int dir;
};

static void request_renew(struct site *site, const char *image)
{
	struct error err;

	ASSERT_OK(image_recall(site->place.session.store, site->dir, image, &site->arena, &site->config, &err));
	site->request.layers = &site->config.layers;
	site->request.instance = site->dir;
}

static void site_open(struct site *site)
{
	struct error err;

	*site = (struct site){.dir = -1};
	place_open(&site->place);
	depot_open_at(&site->depot, site->place.session.store);
	depot_image(&site->depot, "site:1", 1, 2);
	site->dir = place_instance(&site->place, "one");
	site->request = (struct root_request){.image = "site:1", .userns = -1};
	ASSERT_OK(
		image_assign(site->place.session.store, site->dir, "site:1", NULL, &site->arena, &site->config, &err));
	request_renew(site, "site:1");
	ASSERT_OK(root_create(&site->place.session, &site->request, &err));
}

static void site_drop(struct site *site)
{
	depot_drop(&site->depot);
	fd_drop(&site->dir);
	arena_drop(&site->arena);
	place_drop(&site->place);
}

static void put(int dir, const char *path, const char *content)
{
	auto_fd fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content), "%s", path);
}

/* What the instance would see: its root put together, looked at from here. "" when there is no such file. */
static const char *root_content(struct site *site, const char *path)
{
	AUTO(root_parts_drop) struct root_parts parts = {0};
	static char content[64];
	struct error err;
	ssize_t length;

	request_renew(site, site->request.image);
	ASSERT_OK(root_mount(&site->place.session, &site->request, &parts, &err));
	auto_fd fd = openat(parts.items[0].mount, path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? 0 : read(fd, content, sizeof(content) - 1);
	content[length < 0 ? 0 : length] = '\0';
	return content;
}

static void take(struct site *site, const char *name, bool running)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct image_config config;
	struct error err;

	ASSERT_OK(root_snapshot(site->place.session.store, site->dir, name, running, &arena, &config, &err));
}

static void prune(struct site *site)
{
	struct prune_result result;
	struct error err;

	ASSERT_OK(images_prune(site->place.session.store, &(struct prune_options){0}, &result, &err));
}

TEST(snapshot, of_a_stopped_instance_is_what_it_wrote_and_can_be_gone_back_to)
{
	NEEDS_ROOT();
	AUTO(site_drop) struct site site;
	struct error err;

	site_open(&site);
	put(site.dir, "u/state", "first");
	take(&site, "one", false);
	cr_assert_str_eq(root_content(&site, "state"), "first");
	put(site.dir, "u/state", "second");
	cr_assert_str_eq(root_content(&site, "state"), "second");
	cr_assert_str_eq(root_content(&site, "file-1"), "1", "the image is below");
	take(&site, "two", false);
	put(site.dir, "u/state", "third");
	ASSERT_OK(root_restore(site.place.session.store, site.dir, "one", &err));
	prune(&site);
	cr_assert_str_eq(root_content(&site, "state"), "first");
	ASSERT_OK(root_restore(site.place.session.store, site.dir, "two", &err));
	cr_assert_str_eq(root_content(&site, "state"), "second");
	ASSERT_FAILS(root_restore(site.place.session.store, site.dir, "three", &err), ERROR_MISSING, "three");
	ASSERT_FAILS(root_restore(site.place.session.store, site.dir, "../x", &err), ERROR_USAGE, "../x");
}

TEST(snapshot, of_a_running_instance_is_a_copy_that_it_does_not_change)
{
	NEEDS_ROOT();
	AUTO(site_drop) struct site site;
	struct stat before, after;
	struct error err;

	site_open(&site);
	put(site.dir, "u/state", "first");
	cr_assert_eq(fstatat(site.dir, "u", &before, 0), 0);
	take(&site, "one", true);
	cr_assert_eq(fstatat(site.dir, "u", &after, 0), 0);
	cr_assert_eq(before.st_ino, after.st_ino, "it writes on where it wrote");
	put(site.dir, "u/state", "second");
	prune(&site);
	ASSERT_OK(root_restore(site.place.session.store, site.dir, "one", &err));
	cr_assert_str_eq(root_content(&site, "state"), "first");
}

TEST(snapshot, a_name_is_taken_once_and_listed_until_it_is_removed)
{
	NEEDS_ROOT();
	AUTO(site_drop) struct site site;
	AUTO(arena_drop) struct arena arena = {0};
	struct image_config config;
	struct snapshot_list list;
	struct error err;

	site_open(&site);
	take(&site, "b", false);
	usleep(20000); /* times of files are the kernel's ticks */
	take(&site, "a", false);
	ASSERT_FAILS(root_snapshot(site.place.session.store, site.dir, "a", false, &arena, &config, &err), ERROR_BUSY,
		"\"a\" already");
	ASSERT_OK(root_snapshots(site.dir, &arena, &list, &err));
	cr_assert_eq(list.count, 2);
	cr_assert_str_eq(list.items[0].name, "b", "the oldest first");
	cr_assert_eq(list.items[1].layers, 4);
	ASSERT_OK(root_snapshot_remove(site.dir, "a", &err));
	ASSERT_FAILS(root_snapshot_remove(site.dir, "a", &err), ERROR_MISSING, "a");
}

TEST(snapshot, a_clone_has_the_root_and_the_volumes_of_the_first_and_a_life_of_its_own)
{
	NEEDS_ROOT();
	AUTO(site_drop) struct site site;
	AUTO(arena_drop) struct arena arena = {0};
	struct image_config config;
	struct stat about;
	struct error err;

	site_open(&site);
	put(site.dir, "u/state", "first");
	fchmodat(site.dir, "u", 01777, 0);
	ASSERT_OK(root_snapshot(site.place.session.store, site.dir, NULL, false, &arena, &config, &err));
	mkdirat(site.place.session.store, "volumes", 0700);
	mkdirat(site.place.session.store, "volumes/anon-0123456789abcdef", 0755);
	put(site.place.session.store, "volumes/anon-0123456789abcdef/file", "data");
	pairs_set(&arena, &config.volumes, "/data", "anon-0123456789abcdef");
	int first = site.dir;
	site.dir = place_instance(&site.place, "two");
	ASSERT_OK(root_inherit(site.place.session.store, site.dir, &config, &arena, &err));
	cr_assert_str_eq(root_content(&site, "state"), "first");
	cr_assert_eq(fstatat(site.dir, "u", &about, 0), 0);
	cr_assert_eq(about.st_mode & 07777, 01777);
	const char *volume = pairs_get(&site.config.volumes, "/data");
	cr_assert_str_neq(volume, "anon-0123456789abcdef");
	auto_free char *file = text_format("volumes/%s/file", volume);
	cr_assert_eq(fstatat(site.place.session.store, file, &about, 0), 0);
	put(site.dir, "u/state", "of the clone");
	close(site.dir);
	site.dir = first;
	cr_assert_str_eq(root_content(&site, "state"), "first");
}

TEST(snapshot, the_host_image_and_plain_directories_have_them_too)
{
	NEEDS_ROOT();
	struct site site = {.dir = -1};
	struct error err;

	place_open_with_host(&site.place);
	auto_free char *plain = place_file(&site.place, "plain/base", 0644, "below");
	*strrchr(plain, '/') = '\0';
	const struct root_request requests[] = {{.image = IMAGE_HOST, .userns = -1}, {.rootfs = plain, .userns = -1}};
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		auto_free char *name = text_format("i-%zu", i);

		site.request = requests[i];
		site.dir = place_instance(&site.place, name);
		site.request.instance = site.dir;
		ASSERT_OK(root_create(&site.place.session, &site.request, &err));
		put(site.dir, "u/state", "first");
		take(&site, "one", false);
		put(site.dir, "u/state", "second");
		ASSERT_OK(root_restore(site.place.session.store, site.dir, "one", &err));
		cr_assert_str_eq(root_content(&site, "state"), "first");
		cr_assert_str_neq(root_content(&site, i ? "base" : "etc/passwd"), "");
		fd_drop(&site.dir);
	}
	arena_drop(&site.arena);
	place_drop(&site.place);
}

/* --- killed ------------------------------------------------------------------------------------------------------- */

/* The last state that was complete, and no other, whatever was going on. */
static _Noreturn void work_for_ever(struct site *site)
{
	for (unsigned i = 0;; i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct image_config config;
		struct error err;
		auto_free char *name = text_format("s-%u", i);

		if (root_snapshot(site->place.session.store, site->dir, i % 8 ? NULL : name, false, &arena, &config,
			    &err) < 0 ||
			(i % 8 == 7 && root_restore(site->place.session.store, site->dir, "s-0", &err) < 0))
			_exit(1);
		if (i == 15)
			_exit(0);
	}
}

TEST(snapshot, killed_at_any_moment_the_root_is_there_whole_and_nothing_is_left, .timeout = SLOWLY(120))
{
	NEEDS_ROOT();
	unsigned rounds = getenv("WARREN_TEST_ALL_POINTS") ? 200 : 12, seed = 7;

	for (unsigned round = 0; round < rounds; round++) {
		AUTO(site_drop) struct site site;
		struct timespec moment = {.tv_nsec = 100000 * (1 + rand_r(&seed) % 150)};

		site_open(&site);
		put(site.dir, "u/state", "first");
		pid_t worker = fork();
		if (worker == 0)
			work_for_ever(&site);
		nanosleep(&moment, NULL); /* the point of time is what is random here */
		kill(worker, SIGKILL);
		int status;
		waitpid(worker, &status, 0);
		cr_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0, "the worker failed by itself");
		prune(&site);
		cr_assert_str_eq(root_content(&site, "state"), "first");
		take(&site, "last", false);
		cr_assert_eq(faccessat(site.dir, "n", F_OK, 0), -1, "the new upper layer has its place");
		cr_assert_str_eq(root_content(&site, "state"), "first");
		cr_assert_eq(depot_count(&site.depot, "tmp"), 1, "ours alone");
	}
}
