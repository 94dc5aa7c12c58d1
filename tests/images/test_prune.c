/* What the collection takes and what it leaves, also while others are at work and after they were killed. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/process.h"
#include "images/collection.h"
#include "images/root/assigned.h"
#include "images/root/holders.h"
#include "support_store.h"

static struct prune_result prune(struct depot *depot, bool unused, bool partials)
{
	const struct prune_options options = {.unused = unused, .partials = partials};
	struct prune_result result;
	struct error err;

	ASSERT_OK(images_prune(depot->store.dir, &options, &result, &err));
	return result;
}

/* The staging directory of the test ends, so that nothing is kept by it. */
static void let_go(struct depot *depot)
{
	struct error err;

	staging_drop(&depot->staging);
	ASSERT_OK(staging_make(&depot->store, &depot->staging, &err));
}

static void assign(struct depot *depot, const char *instance, const char *image)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct image_config config;
	struct error err = {0};
	auto_fd instances = dir_create(depot->store.dir, INSTANCES, 0700, &err);
	auto_fd dir = dir_create(instances, instance, 0700, &err);

	ASSERT_OK(image_assign(depot->store.dir, dir, image, NULL, &arena, &config, &err));
}

TEST(prune, takes_the_layers_of_a_name_that_is_gone_and_leaves_those_that_another_has)
{
	NEEDS_ROOT();
	AUTO(depot_drop) struct depot depot;
	struct prune_result result;
	struct error err;

	depot_open(&depot);
	depot_image(&depot, "a:1", 1, 3);
	depot_image(&depot, "b:1", 2, 1);
	let_go(&depot);
	result = prune(&depot, false, true);
	cr_assert_eq(result.layers + result.blobs, 0);
	ASSERT_OK(image_untag(depot.store.dir, "a:1", &err));
	result = prune(&depot, false, true);
	cr_assert_eq(result.layers, 2);
	cr_assert_eq(result.blobs, 2);
	cr_assert_eq(result.bytes, 4096 * (1 + 3));
	cr_assert(layer_exists(&depot.store, digest_hex(depot_digest(2))));
	cr_assert_eq(depot_count(&depot, "layers"), 1);
	cr_assert_eq(depot_count(&depot, "meta"), 1);
	cr_assert_eq(depot_count(&depot, "names"), 1);
	cr_assert_eq(depot_count(&depot, "blobs/sha256"), 2);
}

TEST(prune, takes_what_a_killed_maker_of_the_host_image_left_but_not_from_a_living_one)
{
	NEEDS_ROOT();
	AUTO(depot_drop) struct depot depot;
	struct error err;

	depot_open(&depot);
	cr_assert_eq(mkdirat(depot.store.staging, "host-0", 0700), 0);
	auto_fd maker = lock_file(depot.store.dir, "host.lock", 0, &err);
	cr_assert(maker >= 0, "%s", err.text);
	prune(&depot, true, true);
	cr_assert_eq(depot_count(&depot, "tmp"), 2, "ours, and that of the living one");
	fd_drop(&maker);
	prune(&depot, true, true);
	cr_assert_eq(depot_count(&depot, "tmp"), 1);
}

TEST(prune, leaves_what_an_instance_or_its_snapshot_has_whatever_becomes_of_the_name)
{
	NEEDS_ROOT();
	AUTO(depot_drop) struct depot depot;
	struct error err;

	depot_open(&depot);
	depot_image(&depot, "a:1", 1, 2);
	depot_image(&depot, "b:1", 4, 1);
	assign(&depot, "one", "a:1");
	assign(&depot, "two", "b:1");
	mkdirat(depot.store.dir, "instances/two/snapshots", 0700);
	renameat(depot.store.dir, "instances/two/image.json", depot.store.dir, "instances/two/snapshots/s.json");
	let_go(&depot);
	ASSERT_OK(image_untag(depot.store.dir, "a:1", &err));
	ASSERT_OK(image_untag(depot.store.dir, "b:1", &err));
	cr_assert_eq(prune(&depot, true, true).layers, 0);
	cr_assert_eq(depot_count(&depot, "blobs/sha256"), 4);
	ASSERT_OK(tree_remove(depot.store.dir, "instances", &err));
	cr_assert_eq(prune(&depot, true, true).layers, 3);
	cr_assert_eq(depot_count(&depot, "blobs/sha256"), 0);
}

TEST(prune, with_unused_takes_names_that_no_instance_was_made_of)
{
	NEEDS_ROOT();
	AUTO(depot_drop) struct depot depot;

	depot_open(&depot);
	depot_image(&depot, "a:1", 1, 1);
	depot_image(&depot, "b:1", 2, 1);
	assign(&depot, "one", "b:1");
	let_go(&depot);
	cr_assert_eq(prune(&depot, true, true).names, 1);
	cr_assert_eq(depot_count(&depot, "names"), 1);
	cr_assert(layer_exists(&depot.store, digest_hex(depot_digest(2))));
	cr_assert(!layer_exists(&depot.store, digest_hex(depot_digest(1))));
}

TEST(prune, leaves_what_a_living_pull_notes_and_takes_it_when_that_was_killed)
{
	NEEDS_ROOT();
	AUTO(depot_drop) struct depot depot;
	AUTO(partial_drop) struct partial mine = NO_PARTIAL;
	struct error err;
	int ready[2];
	char byte;

	depot_open(&depot);
	ASSERT_OK(partial_lock(&depot.store, depot_digest(9), 0, &mine, &err));
	cr_assert_eq(pipe(ready), 0);
	pid_t puller = fork();
	if (puller == 0) {
		struct partial partial;

		fd_drop(&depot.staging.dir);
		fd_drop(&mine.fd);
		if (staging_make(&depot.store, &depot.staging, &err) < 0 ||
			partial_lock(&depot.store, depot_digest(8), 0, &partial, &err) < 0)
			_exit(1);
		auto_fd layer = depot_layer_begin(&depot, 1);
		mkdirat(layer, "half", 0755);
		depot_layer_end(&depot, 1);
		if (blob_put(&depot.staging, depot_digest(2), "2", 1, &err) < 0)
			_exit(1);
		write(ready[1], "r", 1);
		pause();
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	struct prune_result result = prune(&depot, true, true);
	cr_assert_eq(result.layers + result.blobs + result.staged + result.partials, 0);
	kill(puller, SIGKILL);
	waitpid(puller, NULL, 0);
	result = prune(&depot, true, false);
	cr_assert_eq(result.layers, 1);
	cr_assert_eq(result.blobs, 1);
	cr_assert_eq(result.staged, 1);
	cr_assert_eq(result.partials, 0, "kept for the next pull");
	cr_assert_eq(prune(&depot, true, true).partials, 1, "ours is held");
	cr_assert_eq(depot_count(&depot, "layers"), 0);
	cr_assert_eq(depot_count(&depot, "tmp"), 1);
}

TEST(prune, deletes_nothing_while_it_cannot_tell_what_is_needed)
{
	NEEDS_ROOT();
	AUTO(depot_drop) struct depot depot;
	const struct prune_options options = {.unused = true, .partials = true};
	struct prune_result result;
	struct error err;

	depot_open(&depot);
	depot_image(&depot, "a:1", 1, 1);
	depot_image(&depot, "b:1", 2, 1);
	assign(&depot, "one", "b:1");
	let_go(&depot);
	ASSERT_OK(file_replace(depot.store.dir, "instances/one/image.json", 0600, FILE_VOLATILE, "{", 1, &err));
	ASSERT_FAILS(images_prune(depot.store.dir, &options, &result, &err), ERROR_USAGE, "instance one");
	ASSERT_OK(tree_remove(depot.store.dir, "instances", &err));
	ASSERT_OK(file_replace(depot.store.dir, "names/docker.io+library+a/1", 0600, FILE_VOLATILE, "{}", 2, &err));
	ASSERT_FAILS(images_prune(depot.store.dir, &(struct prune_options){0}, &result, &err), ERROR_SYSTEM,
		"a name's record is damaged");
	cr_assert_eq(depot_count(&depot, "layers"), 2);
	ASSERT_OK(image_untag(depot.store.dir, "a:1", &err));
	cr_assert_eq(prune(&depot, true, true).layers, 2);
}

/* --- killed and at once ------------------------------------------------------------------------------------------- */

/* Images that share layers come and go, and the collection runs beside it. */
static _Noreturn void work_for_ever(struct depot *depot, unsigned seed)
{
	struct error err;

	fd_drop(&depot->staging.dir);
	for (;;) {
		const struct prune_options options = {.unused = rand_r(&seed) % 2, .partials = true};
		struct prune_result result;
		auto_free char *name = text_format("image-%u:1", rand_r(&seed) % 4);

		if (rand_r(&seed) % 3 == 0) {
			(void)!images_prune(depot->store.dir, &options, &result, &err);
			continue;
		}
		if (staging_make(&depot->store, &depot->staging, &err) < 0)
			_exit(1);
		depot_image(depot, name, 1 + rand_r(&seed) % 5, 1 + rand_r(&seed) % 4);
		staging_drop(&depot->staging);
	}
}

static void image_is_whole(struct depot *depot, const struct image_info *image)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct image_about about;
	struct error err;

	ASSERT_OK(image_look(depot->store.dir, image->name, &arena, &about, &err));
	for (size_t i = 0; i < about.layers.count; i++) {
		auto_fd layer = layer_open(&depot->store, about.layers.items[i], &err);
		struct strings files;

		cr_assert(layer >= 0, "%s: %s", image->name, err.text);
		ASSERT_OK(dir_list(&arena, layer, 10, &files, &err));
		cr_assert_eq(files.count, 1, "%s: a layer is not whole", image->name);
	}
}

static void all_is_whole(struct depot *depot)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct image_list list;
	struct error err;

	prune(depot, false, true);
	ASSERT_OK(images_list(depot->store.dir, &arena, &list, &err));
	for (size_t i = 0; i < list.count; i++)
		image_is_whole(depot, &list.items[i]);
}

TEST(prune, of_four_who_pull_and_collect_at_once_each_killed_nothing_is_damaged_or_left, .timeout = SLOWLY(120))
{
	NEEDS_ROOT();
	AUTO(depot_drop) struct depot depot;
	unsigned rounds = getenv("WARREN_TEST_ALL_POINTS") ? 50 : 8;
	unsigned seed = 1;

	depot_open(&depot);
	let_go(&depot);
	for (unsigned round = 0; round < rounds; round++) {
		pid_t workers[4];

		for (unsigned i = 0; i < 4; i++) {
			workers[i] = fork();
			if (workers[i] == 0)
				work_for_ever(&depot, round * 4 + i);
		}
		for (unsigned i = 0; i < 4; i++) {
			struct timespec moment = {.tv_nsec = 1000000 * (1 + rand_r(&seed) % 20)};

			nanosleep(&moment, NULL); /* the point of time is what is random here */
			cr_assert_eq(waitpid(workers[i], NULL, WNOHANG), 0, "a worker ended by itself");
			kill(workers[i], SIGKILL);
			waitpid(workers[i], NULL, 0);
		}
		all_is_whole(&depot);
		cr_assert_eq(depot_count(&depot, "tmp"), 1, "ours alone");
		cr_assert_eq(depot_count(&depot, "partial"), 0);
		cr_assert_eq(depot_count(&depot, "layers"), depot_count(&depot, "meta"));
	}
	prune(&depot, true, true);
	cr_assert_eq(depot_count(&depot, "layers") + depot_count(&depot, "blobs/sha256") +
			     depot_count(&depot, "names") + depot_count(&depot, "meta"),
		0);
}
