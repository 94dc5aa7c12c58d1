/* The host image as a thing that many processes want at once, and that may die at any time. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/process.h"
#include "images/host/host_image.h"
#include "support_inside.h"

static int prepare(const struct place *place)
{
	struct arena arena = {0};
	struct image_config config;
	struct error err = {0};
	int result = image_prepare(place->session.store, IMAGE_HOST, &arena, &config, &err);

	if (result < 0)
		fprintf(stderr, "%s\n", err.text);
	arena_drop(&arena);
	return result;
}

static size_t entries(const struct place *place, const char *path)
{
	struct arena arena = {0};
	struct strings names;
	struct error err;
	auto_fd dir = openat(place->session.store, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ASSERT_OK(dir_list(&arena, dir, 1000, &names, &err));
	arena_drop(&arena);
	return names.count;
}

/* As if the host's packages had changed: the current layer gets another name. */
static void grow_old(const struct place *place, const char *name)
{
	char layer[LAYER_NAME_SIZE] = "", from[LAYER_NAME_SIZE + 16], to[LAYER_NAME_SIZE + 16];
	auto_free char *link = text_format("%s/store/images/host", place->path);

	cr_assert(readlink(link, layer, sizeof(layer) - 1) > 0);
	snprintf(from, sizeof(from), "layers/%s", layer);
	snprintf(to, sizeof(to), "layers/%s", name);
	cr_assert(renameat(place->session.store, from, place->session.store, to) == 0);
	cr_assert(unlink(link) == 0 && symlink(name, link) == 0);
}

TEST(sparse, an_unknown_image_is_named)
{
	struct arena arena = {0};
	struct image_config config;
	struct error err;

	ASSERT_FAILS(image_prepare(-1, "nginx:latest", &arena, &config, &err), ERROR_MISSING,
		"image \"nginx:latest\": no such image here; \"host\" is the built-in one");
	ASSERT_FAILS(image_prepare(-1, "a\nb", &arena, &config, &err), ERROR_USAGE, "image");
}

TEST(sparse, eight_at_once_build_one_layer)
{
	struct place place;
	pid_t pids[8];
	int status;

	NEEDS_ROOT();
	place_open(&place);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(prepare(&place) == 0 ? 0 : 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		cr_assert(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
	cr_assert_eq(entries(&place, "layers"), 1);
	cr_assert_eq(entries(&place, "tmp"), 0);
	place_drop(&place);
}

TEST(sparse, a_builder_that_is_killed_leaves_nothing_that_matters)
{
	struct place place;
	struct error err = {0};

	NEEDS_ROOT();
	place_open(&place);
	for (int i = 0; i < 6; i++) {
		/* Killed when the staging directory has got i entries or more: at different depths of the work. */
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(prepare(&place) == 0 ? 0 : 1);
		for (int looks = 0; looks < i * 400; looks++)
			faccessat(place.session.store, "tmp", F_OK, 0);
		kill(pid, SIGKILL);
		cr_assert(waitpid(pid, &status, 0) == pid);
	}
	cr_assert(prepare(&place) == 0);
	cr_assert_eq(entries(&place, "layers"), 1);
	cr_assert_eq(entries(&place, "tmp"), 0);
	char layer[LAYER_NAME_SIZE];
	auto_fd instance = place_instance(&place, "one");
	ASSERT_OK(host_layer_hold(place.session.store, instance, layer, &err));
	auto_free char *passwd = text_format("layers/%s/root/etc/passwd", layer);
	cr_assert(faccessat(place.session.store, passwd, F_OK, 0) == 0);
	place_drop(&place);
}

TEST(sparse, an_old_layer_stays_while_an_instance_holds_it_and_goes_after)
{
	struct place place;
	struct error err = {0};
	char layer[LAYER_NAME_SIZE];

	NEEDS_ROOT();
	place_open_with_host(&place);
	place.gives_seed = false; /* old layers are put among them */
	auto_fd instance = place_instance(&place, "one");
	grow_old(&place, "host-0000000000000001");
	ASSERT_OK(host_layer_hold(place.session.store, instance, layer, &err));
	cr_assert_str_eq(layer, "host-0000000000000001");
	cr_assert(prepare(&place) == 0);
	cr_assert_eq(entries(&place, "layers"), 2);
	/* The next start takes the new one and lets the old one go. */
	ASSERT_OK(host_layer_hold(place.session.store, instance, layer, &err));
	cr_assert_str_neq(layer, "host-0000000000000001");
	cr_assert(faccessat(instance, "lower.host-0000000000000001", F_OK, 0) < 0);
	grow_old(&place, "host-0000000000000002");
	cr_assert(prepare(&place) == 0);
	cr_assert_eq(entries(&place, "layers"), 2, "only the one that is held and the new one");
	ASSERT_OK(host_layers_release(instance, NULL, &err));
	grow_old(&place, "host-0000000000000003");
	cr_assert(prepare(&place) == 0);
	cr_assert_eq(entries(&place, "layers"), 1);
	cr_assert_eq(entries(&place, "tmp"), 0);
	place_drop(&place);
}

/* A prune that was killed after it moved a layer away, while an instance had taken hold of it. */
TEST(sparse, a_held_layer_found_in_the_staging_directory_is_put_back)
{
	struct place place;
	struct error err = {0};
	char layer[LAYER_NAME_SIZE];

	NEEDS_ROOT();
	place_open_with_host(&place);
	place.gives_seed = false; /* old layers are put among them */
	auto_fd instance = place_instance(&place, "one");
	grow_old(&place, "host-0000000000000001");
	ASSERT_OK(host_layer_hold(place.session.store, instance, layer, &err));
	mkdirat(place.session.store, "tmp", 0700); /* a store that was given its image has none yet */
	cr_assert(renameat(place.session.store, "layers/host-0000000000000001", place.session.store,
			  "tmp/host-0000000000000001.dead") == 0);
	cr_assert(prepare(&place) == 0);
	cr_assert(faccessat(place.session.store, "layers/host-0000000000000001/held", F_OK, 0) == 0);
	cr_assert_eq(entries(&place, "tmp"), 0);
	place_drop(&place);
}

TEST(sparse, an_image_that_is_not_prepared_is_said)
{
	struct place place;
	struct error err;
	char layer[LAYER_NAME_SIZE];

	NEEDS_ROOT();
	place_open(&place);
	auto_fd instance = place_instance(&place, "one");
	ASSERT_FAILS(host_layer_hold(place.session.store, instance, layer, &err), ERROR_MISSING,
		"the image \"host\" is not prepared");
	place_drop(&place);
}
