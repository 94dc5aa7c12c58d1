/* Instances of images in the store: what they have for a root, and what they take from an image's config. */
#include "images/root/assigned.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "images/collection.h"
#include "support_inside.h"
#include "support_store.h"

struct pulled {
	struct place place;
	struct depot depot;
	struct inside inside;
	struct root_parts parts;
	struct arena arena;
	struct image_config config;
	struct root_request request;
	int dir;
};

static void pulled_open(struct pulled *pulled)
{
	*pulled = (struct pulled){.dir = -1};
	place_open(&pulled->place);
	depot_open_at(&pulled->depot, pulled->place.session.store);
	inside_open(&pulled->inside);
	pulled->dir = place_instance(&pulled->place, "one");
}

static void pulled_drop(struct pulled *pulled)
{
	root_parts_drop(&pulled->parts);
	inside_drop(&pulled->inside);
	depot_drop(&pulled->depot);
	fd_drop(&pulled->dir);
	arena_drop(&pulled->arena);
	place_drop(&pulled->place);
}

static void root_make(struct pulled *pulled, const char *image)
{
	struct error err;

	ASSERT_OK(image_assign(
		pulled->place.session.store, pulled->dir, image, "site", &pulled->arena, &pulled->config, &err));
	ASSERT_OK(image_recall(pulled->place.session.store, pulled->dir, image, &pulled->arena, &pulled->config, &err));
	pulled->request = (struct root_request){.image = image,
		.layers = &pulled->config.layers,
		.instance = pulled->dir,
		.userns = pulled->inside.userns,
		.id_base = ID_BASE};
	ASSERT_OK(root_create(&pulled->place.session, &pulled->request, &err));
}

static void root_make_again(struct pulled *pulled, const char *image, const char *owner)
{
	struct error err;

	ASSERT_OK(image_assign(
		pulled->place.session.store, pulled->dir, image, owner, &pulled->arena, &pulled->config, &err));
}

static void probe(struct pulled *pulled, void (*function)(const void *), const void *argument)
{
	struct error err;

	ASSERT_OK(root_mount(&pulled->place.session, &pulled->request, &pulled->parts, &err));
	inside_run(&pulled->inside, &pulled->parts, function, argument);
	root_parts_drop(&pulled->parts);
}

static void file_put(int dir, const char *path, uid_t owner, const char *content)
{
	auto_fd fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	cr_assert_eq(fchown(fd, owner, owner), 0);
}

/* Three layers: files of 0 and 33; one replaced, one removed; a directory emptied. */
static void image_make(struct pulled *pulled)
{
	auto_fd lowest = depot_layer_begin(&pulled->depot, 1);
	mkdirat(lowest, "etc", 0755);
	mkdirat(lowest, "srv", 0755);
	mkdirat(lowest, "srv/old", 0755);
	file_put(lowest, "etc/passwd", 0, "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/srv:/bin/sh\n");
	file_put(lowest, "etc/gone", 0, "gone");
	file_put(lowest, "srv/page", 33, "first");
	file_put(lowest, "srv/old/file", 33, "old");
	depot_layer_end(&pulled->depot, 1);
	auto_fd middle = depot_layer_begin(&pulled->depot, 2);
	mkdirat(middle, "etc", 0755);
	mkdirat(middle, "srv", 0755);
	mknodat(middle, "etc/gone", S_IFCHR, makedev(0, 0));
	file_put(middle, "srv/page", 33, "second");
	depot_layer_end(&pulled->depot, 2);
	auto_fd top = depot_layer_begin(&pulled->depot, 3);
	mkdirat(top, "srv", 0755);
	mkdirat(top, "srv/old", 0755);
	auto_fd old = openat(top, "srv/old", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fsetxattr(old, "trusted.overlay.opaque", "y", 1, 0);
	depot_layer_end(&pulled->depot, 3);
	depot_image(&pulled->depot, "site:1", 1, 3);
}

static void look_around(const void *unused)
{
	struct stat about;

	(void)unused;
	INSIDE(strcmp(content_of("/srv/page"), "second") == 0);
	INSIDE(stat("/srv/page", &about) == 0 && about.st_uid == 33 && about.st_gid == 33);
	INSIDE(stat("/etc/passwd", &about) == 0 && about.st_uid == 0);
	INSIDE(access("/etc/gone", F_OK) < 0 && errno == ENOENT);
	INSIDE(access("/srv/old/file", F_OK) < 0 && errno == ENOENT);
	INSIDE(access("/etc/resolv.conf", F_OK) == 0);
	INSIDE(access("/proc", F_OK) == 0 && access("/dev", F_OK) == 0);
	INSIDE(strstr(content_of("/etc/hosts"), "localhost"));
	file_put(AT_FDCWD, "/srv/page", 33, "third");
	INSIDE(unlink("/etc/passwd") == 0);
}

TEST(assigned, an_instance_sees_the_layers_of_its_image_with_their_owners)
{
	NEEDS_ROOT();
	AUTO(pulled_drop) struct pulled pulled;
	struct stat about;

	pulled_open(&pulled);
	image_make(&pulled);
	root_make(&pulled, "site:1");
	probe(&pulled, look_around, NULL);
	/* Ids on disk are the ids inside, in the layers and in what was written. */
	cr_assert_eq(fstatat(pulled.dir, "u/srv/page", &about, 0), 0);
	cr_assert_eq(about.st_uid, 33);
	auto_free char *page = text_format("layers/%s/srv/page", digest_hex(depot_digest(2)));
	cr_assert_eq(fstatat(pulled.place.session.store, page, &about, 0), 0);
	cr_assert_eq(about.st_uid, 33);
	cr_assert_eq(about.st_size, 6, "the layer is as it was");
}

static void writing_is_refused(const void *unused)
{
	(void)unused;
	INSIDE(strcmp(content_of("/srv/page"), "second") == 0);
	INSIDE(open("/srv/new", O_WRONLY | O_CREAT, 0644) < 0 && errno == EROFS);
}

TEST(assigned, a_read_only_root_of_an_image_cannot_be_written)
{
	NEEDS_ROOT();
	AUTO(pulled_drop) struct pulled pulled;

	pulled_open(&pulled);
	image_make(&pulled);
	root_make(&pulled, "site:1");
	pulled.request.read_only = true;
	probe(&pulled, writing_is_refused, NULL);
}

static void only_the_upper_two(const void *unused)
{
	(void)unused;
	INSIDE(access("/file-1", F_OK) < 0 && errno == ENOENT);
	INSIDE(access("/file-2", F_OK) < 0 && errno == ENOENT);
	INSIDE(access("/file-3", F_OK) == 0);
	INSIDE(access("/file-4", F_OK) == 0);
}

TEST(assigned, a_layer_that_is_opaque_at_its_top_hides_all_below_it)
{
	NEEDS_ROOT();
	AUTO(pulled_drop) struct pulled pulled;
	struct error err;

	pulled_open(&pulled);
	auto_fd third = depot_layer_begin(&pulled.depot, 3);
	file_put(third, "file-3", 0, "3");
	cr_assert_eq(fsetxattr(third, "trusted.overlay.opaque", "y", 1, 0), 0);
	depot_layer_end(&pulled.depot, 3);
	depot_image(&pulled.depot, "site:1", 1, 4);
	root_make(&pulled, "site:1");
	cr_assert_eq(pulled.config.layers.count, 2);
	cr_assert_eq(pulled.config.hidden_layers.count, 2);
	probe(&pulled, only_the_upper_two, NULL);

	/* What is hidden is needed again for an image that is made of this one. */
	const struct prune_options options = {0};
	struct prune_result result;
	ASSERT_OK(image_untag(pulled.place.session.store, "site:1", &err));
	staging_drop(&pulled.depot.staging);
	ASSERT_OK(staging_make(&pulled.depot.store, &pulled.depot.staging, &err));
	ASSERT_OK(images_prune(pulled.place.session.store, &options, &result, &err));
	cr_assert_eq(result.layers, 0);
	fd_drop(&third);
}

static void sees_all_layers(const void *argument)
{
	const unsigned *count = argument;

	for (unsigned i = 0; i < *count; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/layer-%u", i);
		INSIDE(access(path, F_OK) == 0);
	}
	file_put(AT_FDCWD, "/new", 0, "x");
}

/* 100 do not fit into one string of fsconfig(2), the way of older kernels; 480 are the most that an image may have. */
TEST(assigned, a_root_has_as_many_layers_as_its_image)
{
	NEEDS_ROOT();
	AUTO(pulled_drop) struct pulled pulled;
	static const unsigned counts[] = {1, 8, 130, 480};
	size_t last = ARRAY_SIZE(counts) - (getenv("WARREN_TEST_ALL_POINTS") ? 1 : 2);
	struct error err;

	pulled_open(&pulled);
	image_make(&pulled);
	root_make(&pulled, "site:1");
	for (unsigned i = 0; i < counts[last]; i++) {
		auto_free char *key = text_format("private-%u", i), *file = text_format("private-%u/layer-%u", i, i);

		cr_assert_eq(mkdirat(pulled.depot.store.layers, key, 0755), 0);
		file_put(pulled.depot.store.layers, file, 0, "x");
	}
	for (size_t i = 0; i <= last; i++) {
		struct strings layers = {0};

		for (unsigned number = 0; number < counts[i]; number++)
			strings_add(&pulled.arena, &layers, arena_format(&pulled.arena, "private-%u", number));
		pulled.request.layers = &layers;
		probe(&pulled, sees_all_layers, &counts[i]);
		ASSERT_OK(root_remove(pulled.dir, &err));
		ASSERT_OK(root_create(&pulled.place.session, &pulled.request, &err));
		inside_drop(&pulled.inside);
		inside_open(&pulled.inside);
		pulled.request.userns = pulled.inside.userns;
	}
}

TEST(assigned, the_config_gives_defaults_and_nothing_else)
{
	NEEDS_ROOT();
	AUTO(pulled_drop) struct pulled pulled;
	struct error err;

	pulled_open(&pulled);
	depot_image_with(&pulled.depot, "site:2", 4, 1,
		"{\"Entrypoint\":[\"/bin/app\"],\"Cmd\":[\"-v\"],\"Env\":[\"A=1\",\"B=x=y\",\"odd\",\"=odd\"],"
		"\"User\":\"web\",\"WorkingDir\":\"/srv/\",\"StopSignal\":\"SIGQUIT\",\"ExposedPorts\":{\"80/tcp\":{}},"
		"\"Volumes\":{\"/data/\":{},\"/data\":{}},\"Labels\":{\"a\":\"b\"},"
		"\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],\"Interval\":30000000000,\"Retries\":3},"
		"\"HostConfig\":{\"Privileged\":true},\"Memory\":1}");
	root_make(&pulled, "site:2");
	cr_assert_str_eq(pulled.config.entrypoint.items[0], "/bin/app");
	cr_assert_str_eq(pulled.config.command.items[0], "-v");
	cr_assert_eq(pulled.config.environment.count, 2);
	cr_assert_str_eq(pairs_get(&pulled.config.environment, "B"), "x=y");
	cr_assert_str_eq(pulled.config.user, "web");
	cr_assert_str_eq(pulled.config.working_dir, "/srv");
	cr_assert_str_eq(pulled.config.stop_signal, "SIGQUIT");
	cr_assert_eq(pulled.config.volumes.count, 1);
	cr_assert_str_eq(pulled.config.volumes.items[0].name, "/data");
	const char *volume = pulled.config.volumes.items[0].value;
	cr_assert(text_starts_with(volume, VOLUME_ANONYMOUS));
	root_make_again(&pulled, "site:2", "site");
	cr_assert_str_eq(pulled.config.volumes.items[0].value, volume, "the same owner has the same volume");
	root_make_again(&pulled, "site:2", NULL);
	cr_assert_str_neq(pulled.config.volumes.items[0].value, volume);
	cr_assert_str_eq(pulled.config.exposed_ports.items[0], "80/tcp");
	cr_assert_str_eq(pairs_get(&pulled.config.labels, "a"), "b");
	cr_assert_eq(pulled.config.check->interval_ms, 30000);
	cr_assert_str_eq(pulled.config.name, "docker.io/library/site:2");
	depot_image_with(&pulled.depot, "site:3", 4, 1, "{\"Volumes\":{\"/a/../../etc\":{}}}");
	ASSERT_FAILS(image_assign(pulled.place.session.store, pulled.dir, "site:3", "site", &pulled.arena,
			     &pulled.config, &err),
		ERROR_USAGE, "/a/../../etc");
	depot_image_with(&pulled.depot, "site:4", 4, 1, "{\"StopSignal\":\"SIGNONSENSE\"}");
	ASSERT_FAILS(image_assign(pulled.place.session.store, pulled.dir, "site:4", "site", &pulled.arena,
			     &pulled.config, &err),
		ERROR_USAGE, "StopSignal");
}

TEST(assigned, an_image_that_is_not_here_is_missing_and_a_malformed_name_is_told)
{
	NEEDS_ROOT();
	AUTO(pulled_drop) struct pulled pulled;
	struct error err;

	pulled_open(&pulled);
	ASSERT_FAILS(image_assign(pulled.place.session.store, pulled.dir, "nothing:1", "site", &pulled.arena,
			     &pulled.config, &err),
		ERROR_MISSING, "image \"nothing:1\" is not here");
	ASSERT_FAILS(image_assign(pulled.place.session.store, pulled.dir, "No:1:2", "site", &pulled.arena,
			     &pulled.config, &err),
		ERROR_USAGE, "No:1:2");
}

TEST(assigned, a_new_volume_begins_with_what_the_image_has_there_and_an_old_one_stays_as_it_is)
{
	NEEDS_ROOT();
	AUTO(pulled_drop) struct pulled pulled;
	const struct image_session *session = &pulled.place.session;
	struct stat about;
	struct error err;

	pulled_open(&pulled);
	image_make(&pulled);
	root_make(&pulled, "site:1");
	ASSERT_OK(volume_seed(session, &pulled.request, "data", "/srv", &err));
	cr_assert_eq(fstatat(session->store, "volumes/data/page", &about, 0), 0);
	cr_assert_eq(about.st_size, 6, "of the uppermost layer that has it");
	cr_assert_eq(about.st_uid, 33);
	cr_assert_lt(fstatat(session->store, "volumes/data/old/file", &about, 0), 0, "removed by a layer");
	cr_assert_eq(unlinkat(session->store, "volumes/data/page", 0), 0);
	ASSERT_OK(volume_seed(session, &pulled.request, "data", "/srv", &err));
	cr_assert_lt(fstatat(session->store, "volumes/data/page", &about, 0), 0);
	ASSERT_OK(volume_seed(session, &pulled.request, "none", "/not/there", &err));
	cr_assert_lt(fstatat(session->store, "volumes/none", &about, 0), 0, "made at the start");
	ASSERT_OK(volume_delete(session->store, "data", &err));
	cr_assert_lt(fstatat(session->store, "volumes/data", &about, 0), 0);
	ASSERT_OK(volume_delete(session->store, "data", &err));
	ASSERT_FAILS(volume_delete(session->store, "../layers", &err), ERROR_USAGE, "volume");
}

TEST(assigned, a_volume_made_by_its_name_is_new_until_somebody_has_it)
{
	NEEDS_ROOT();
	AUTO(pulled_drop) struct pulled pulled;
	const struct image_session *session = &pulled.place.session;
	struct pair label = {"tier", "db"};
	const struct pairs labels = {&label, 1};
	struct volume_list list;
	struct stat about;
	struct error err;

	pulled_open(&pulled);
	image_make(&pulled);
	root_make(&pulled, "site:1");
	ASSERT_OK(volume_create(session->store, "data", &labels, &err));
	ASSERT_FAILS(volume_create(session->store, "data", &labels, &err), ERROR_BUSY, "there already");
	ASSERT_OK(volume_seed(session, &pulled.request, "data", "/srv", &err));
	cr_assert_eq(fstatat(session->store, "volumes/data/page", &about, 0), 0);
	ASSERT_OK(volumes_list(session->store, &pulled.arena, &list, &err));
	cr_assert_str_eq(pairs_get(&list.items[0].labels, "tier"), "db");

	/* What was put into it by hand stays, and the second to come finds it as it is. */
	ASSERT_OK(volume_create(session->store, "filled", &labels, &err));
	cr_assert_eq(mkdirat(session->store, "volumes/filled/mine", 0700), 0);
	ASSERT_OK(volume_seed(session, &pulled.request, "filled", "/srv", &err));
	cr_assert_lt(fstatat(session->store, "volumes/filled/page", &about, 0), 0);
	cr_assert_eq(unlinkat(session->store, "volumes/data/page", 0), 0);
	ASSERT_OK(volume_seed(session, &pulled.request, "data", "/srv", &err));
	cr_assert_lt(fstatat(session->store, "volumes/data/page", &about, 0), 0);
}
