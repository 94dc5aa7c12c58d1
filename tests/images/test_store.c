/* The store: digests, staging directories, layers, single flight, blobs, names. */
#include "images/store/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_store.h"

TEST(store, digests_are_those_of_the_standard)
{
	char digest[REFERENCE_DIGEST_SIZE], block[1000];

	/* FIPS 180-4's own examples, and lengths around a block. */
	bytes_digest("abc", 3, digest);
	cr_assert_str_eq(digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	bytes_digest("", 0, digest);
	cr_assert_str_eq(digest, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	bytes_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, digest);
	cr_assert_str_eq(digest, "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(block, 'a', sizeof(block));
	bytes_digest(block, 55, digest);
	cr_assert_str_eq(digest, "sha256:9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
	bytes_digest(block, 64, digest);
	cr_assert_str_eq(digest, "sha256:ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
	bytes_digest(block, 1000, digest);
	cr_assert_str_eq(digest, "sha256:41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
}

TEST(store, chain_ids_are_those_of_the_image_specification)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *one = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	const char *two = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

	cr_assert_str_eq(chain_id_next(&arena, NULL, one), one);
	cr_assert_str_eq(chain_id_next(&arena, one, two),
		"sha256:dd8ddd90bdf3ccbd91abd3f399218c9d93e91246734fab743933f42048ac3e2c");
}

TEST(store, belongs_to_us_alone)
{
	NEEDS_ROOT();
	AUTO(depot_drop) struct depot depot;
	struct stat about;

	depot_open(&depot);
	fchmod(depot.store.dir, 0755);
	depot_again(&depot);
	cr_assert_eq(fstat(depot.store.dir, &about), 0);
	cr_assert_eq(about.st_mode & 07777, 0700);
}

TEST(store, a_layer_is_there_whole_once_it_is_committed)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(depot_drop) struct depot depot;
	struct layer_meta meta, wanted = {.diff_id = depot_digest(1), .archive_bytes = 7, .entries = 2};
	char key[LAYER_KEY_MAX];
	struct error err;

	depot_open(&depot);
	cr_assert_eq(layer_find(&depot.staging, depot_digest(1), depot_digest(2), key, &err), 0);
	mkdirat(depot.staging.dir, "a", 0755);
	mkdirat(depot.staging.dir, "a/etc", 0755);
	layer_key(depot_digest(1), key);
	strings_add(&arena, &wanted.implied, "etc");
	ASSERT_OK(layer_commit(&depot.staging, "a", key, &wanted, &err));
	cr_assert(layer_exists(&depot.store, key));
	cr_assert_eq(faccessat(depot.store.layers, "../tmp/a", F_OK, 0), -1);
	ASSERT_OK(layer_meta_read(&depot.store, key, &arena, &meta, &err));
	cr_assert_eq(meta.archive_bytes, 7);
	cr_assert_str_eq(meta.diff_id, depot_digest(1));
	cr_assert_eq(meta.implied.count, 1);
	*key = '\0';
	cr_assert_eq(layer_find(&depot.staging, depot_digest(2), depot_digest(1), key, &err), 1, "by its chain id");
	cr_assert_str_eq(key, digest_hex(depot_digest(1)));
}

TEST(store, of_two_who_commit_the_same_layer_the_first_wins_and_both_are_content)
{
	NEEDS_ROOT();
	AUTO(depot_drop) struct depot depot;
	struct layer_meta meta = {.diff_id = depot_digest(1)};
	char key[LAYER_KEY_MAX];
	struct stat about;
	struct error err;

	depot_open(&depot);
	layer_key(depot_digest(1), key);
	mkdirat(depot.staging.dir, "a", 0755);
	mkdirat(depot.staging.dir, "a/first", 0755);
	mkdirat(depot.staging.dir, "b", 0755);
	ASSERT_OK(layer_commit(&depot.staging, "a", key, &meta, &err));
	ASSERT_OK(layer_commit(&depot.staging, "b", key, &meta, &err));
	cr_assert_eq(fstatat(depot.staging.dir, "b", &about, 0), 0, "ours stays in the staging directory");
	auto_fd layer = layer_open(&depot.store, key, &err);
	cr_assert_eq(faccessat(layer, "first", F_OK, 0), 0);
}

TEST(store, keys_that_are_paths_are_refused)
{
	NEEDS_ROOT();
	AUTO(depot_drop) struct depot depot;
	struct error err;

	depot_open(&depot);
	ASSERT_FAILS(layer_keep(&depot.staging, "../images", &err), ERROR_USAGE, "is no key of a layer");
	ASSERT_FAILS(layer_open(&depot.store, "..", &err), ERROR_USAGE, "is no key of a layer");
	ASSERT_FAILS(layer_keep(&depot.staging, "", &err), ERROR_USAGE, "is no key of a layer");
}

TEST(store, a_blob_that_is_not_what_its_digest_says_is_refused)
{
	NEEDS_ROOT();
	AUTO(depot_drop) struct depot depot;
	struct error err;

	depot_open(&depot);
	ASSERT_FAILS(blob_put(&depot.staging, depot_digest(1), "abc", 3, &err), ERROR_USAGE, "digest mismatch");
	ASSERT_FAILS(blob_put(&depot.staging, "sha256:../x", "abc", 3, &err), ERROR_USAGE,
		"64 lower-case hexadecimal digits");
}

TEST(store, a_damaged_blob_is_named_and_the_next_put_mends_it)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(depot_drop) struct depot depot;
	char digest[REFERENCE_DIGEST_SIZE];
	const char *bytes;
	size_t length;
	struct error err;

	depot_open(&depot);
	bytes_digest("abc", 3, digest);
	ASSERT_FAILS(blob_read(&depot.store, digest, &arena, &bytes, &length, &err), ERROR_MISSING, digest);
	ASSERT_OK(blob_put(&depot.staging, digest, "abc", 3, &err));
	ASSERT_OK(file_replace(depot.store.blobs, digest_hex(digest), 0600, FILE_VOLATILE, "abd", 3, &err));
	ASSERT_FAILS(blob_read(&depot.store, digest, &arena, &bytes, &length, &err), ERROR_USAGE, "is damaged");
	ASSERT_OK(blob_put(&depot.staging, digest, "abc", 3, &err));
	ASSERT_OK(blob_read(&depot.store, digest, &arena, &bytes, &length, &err));
	cr_assert_eq(length, 3);
}

TEST(store, whoever_waited_for_a_finished_download_begins_with_a_new_file)
{
	NEEDS_ROOT();
	AUTO(depot_drop) struct depot depot;
	AUTO(partial_drop) struct partial first = NO_PARTIAL;
	AUTO(partial_drop) struct partial second = NO_PARTIAL;
	struct error err;
	char byte;
	int ready[2];

	depot_open(&depot);
	ASSERT_OK(partial_lock(&depot.store, depot_digest(1), 0, &first, &err));
	ASSERT_FAILS(partial_lock(&depot.store, depot_digest(1), 0, &second, &err), ERROR_BUSY, "is being fetched");
	cr_assert_eq(write(first.fd, "half", 4), 4);
	cr_assert_eq(pipe(ready), 0);
	pid_t waiter = fork();
	if (waiter == 0) {
		struct stat about;

		close(first.fd); /* the flock belongs to the open file, which we share until here */
		write(ready[1], "r", 1);
		if (partial_lock(&depot.store, depot_digest(1), -1, &second, &err) < 0)
			_exit(1);
		_exit(fstat(second.fd, &about) == 0 && about.st_size == 0 && about.st_nlink == 1 ? 0 : 2);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	partial_done(&first);
	int status;
	cr_assert_eq(waitpid(waiter, &status, 0), waiter);
	cr_assert_eq(status, 0);
}

TEST(store, what_was_fetched_of_a_layer_stays_with_its_note)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(depot_drop) struct depot depot;
	AUTO(partial_drop) struct partial partial = NO_PARTIAL;
	const char *note;
	struct error err;
	char byte;

	depot_open(&depot);
	ASSERT_OK(partial_lock(&depot.store, depot_digest(1), 0, &partial, &err));
	ASSERT_OK(partial_note_get(&partial, &arena, &note, &err));
	cr_assert_null(note);
	write(partial.fd, "x", 1);
	ASSERT_OK(partial_note_set(&partial, "\"etag\"", &err));
	partial_drop(&partial);
	ASSERT_OK(partial_lock(&depot.store, depot_digest(1), 0, &partial, &err));
	cr_assert_eq(read(partial.fd, &byte, 1), 1);
	ASSERT_OK(partial_note_get(&partial, &arena, &note, &err));
	cr_assert_str_eq(note, "\"etag\"");
	partial_done(&partial);
	cr_assert_eq(depot_count(&depot, "partial"), 0);
}

TEST(store, a_name_means_what_it_was_given_last)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(depot_drop) struct depot depot;
	struct image_record found;
	struct reference name;
	struct error err;

	depot_open(&depot);
	depot_image(&depot, "debian:12", 1, 2);
	depot_image(&depot, "debian:12", 3, 1);
	ASSERT_OK(reference_parse(&arena, "debian:12", NULL, &name, &err));
	ASSERT_OK(image_find(&depot.store, &name, &arena, &found, &err));
	cr_assert_str_eq(found.name, "docker.io/library/debian:12");
	cr_assert_eq(found.layers.count, 1);
	cr_assert_str_eq(found.layers.items[0], digest_hex(depot_digest(3)));
}

TEST(store, a_digest_is_found_under_any_tag_of_its_repository)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(depot_drop) struct depot depot;
	struct image_record found;
	struct reference name;
	struct error err;
	const char *digest;

	depot_open(&depot);
	digest = depot_image(&depot, "host:5000/a/b:v1", 1, 2);
	ASSERT_OK(reference_parse(&arena, arena_format(&arena, "host:5000/a/b@%s", digest), NULL, &name, &err));
	ASSERT_OK(image_find(&depot.store, &name, &arena, &found, &err));
	cr_assert_str_eq(found.name, "host:5000/a/b:v1");
	ASSERT_OK(reference_parse(&arena, arena_format(&arena, "host:5000/a/c@%s", digest), NULL, &name, &err));
	ASSERT_FAILS(image_find(&depot.store, &name, &arena, &found, &err), ERROR_MISSING, "is not here");
}

TEST(store, no_name_is_given_to_what_is_not_here)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(depot_drop) struct depot depot;
	struct image_record record = {.name = "docker.io/library/x:latest",
		.manifest_digest = depot_digest(8),
		.config_digest = depot_digest(9)};
	struct reference name;
	struct error err;

	depot_open(&depot);
	strings_add(&arena, &record.layers, digest_hex(depot_digest(7)));
	ASSERT_OK(reference_parse(&arena, "x", NULL, &name, &err));
	ASSERT_FAILS(image_set(&depot.staging, &name, &record, &err), ERROR_SYSTEM, "No such file");
}

TEST(store, space_that_is_not_there_is_said_before_anything_is_fetched)
{
	NEEDS_ROOT();
	AUTO(depot_drop) struct depot depot;
	struct error err;

	depot_open(&depot);
	ASSERT_OK(store_space_check(&depot.store, 1, &err));
	ASSERT_FAILS(store_space_check(&depot.store, UINT64_C(1) << 62, &err), ERROR_SYSTEM, "no space");
	cr_assert_eq(err.errnum, ENOSPC);
}
