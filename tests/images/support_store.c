#include "support_store.h"

#include <fcntl.h>
#include <sys/stat.h>

void depot_open(struct depot *depot)
{
	const char *parent = getenv("WARREN_TEST_STORE");
	struct error err;

	*depot = (struct depot){.store = NO_STORE};
	umask(022);
	depot->path = text_format("%s/warren-test-store.XXXXXX", parent ? parent : "/var/tmp");
	cr_assert(mkdtemp(depot->path), "mkdtemp %s", depot->path);
	ASSERT_OK(store_open(depot->path, &depot->store, &err));
	ASSERT_OK(staging_make(&depot->store, &depot->staging, &err));
}

void depot_open_at(struct depot *depot, int store)
{
	struct error err;

	*depot = (struct depot){.store = NO_STORE};
	ASSERT_OK(store_open_at(store, &depot->store, &err));
	ASSERT_OK(staging_make(&depot->store, &depot->staging, &err));
}

void depot_again(struct depot *depot)
{
	struct error err;

	staging_drop(&depot->staging);
	store_drop(&depot->store);
	ASSERT_OK(store_open(depot->path, &depot->store, &err));
	ASSERT_OK(staging_make(&depot->store, &depot->staging, &err));
}

void depot_drop(struct depot *depot)
{
	struct error err;

	staging_drop(&depot->staging);
	store_drop(&depot->store);
	if (depot->path && tree_remove(AT_FDCWD, depot->path, &err) < 0)
		fprintf(stderr, "%s: %s\n", depot->path, err.text);
	arena_drop(&depot->arena);
	memory_drop(&depot->path);
}

const char *depot_digest(unsigned number)
{
	static char digests[10][REFERENCE_DIGEST_SIZE];
	char text[2] = {(char)('0' + number), '\0'};

	bytes_digest(text, 1, digests[number]);
	return digests[number];
}

int depot_layer_begin(struct depot *depot, unsigned number)
{
	char name[2] = {(char)('0' + number), '\0'};

	mkdirat(depot->staging.dir, name, 0755);
	return openat(depot->staging.dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void depot_layer_end(struct depot *depot, unsigned number)
{
	struct layer_meta meta = {.diff_id = depot_digest(number), .disk_bytes = 4096 * number, .entries = 1};
	char key[LAYER_KEY_MAX], name[2] = {(char)('0' + number), '\0'};
	struct error err;

	layer_key(meta.diff_id, key);
	ASSERT_OK(layer_commit(&depot->staging, name, key, &meta, &err));
}

static void layer_add(struct depot *depot, unsigned number)
{
	char name[2] = {(char)('0' + number), '\0'};
	struct error err;
	int kept;

	ASSERT_OK(kept = layer_keep(&depot->staging, digest_hex(depot_digest(number)), &err));
	if (kept)
		return;
	auto_fd dir = depot_layer_begin(depot, number);
	auto_free char *file = text_format("file-%u", number);
	ASSERT_OK(file_replace(dir, file, 0644, FILE_VOLATILE, name, 1, &err));
	depot_layer_end(depot, number);
}

static const char *document_put(struct depot *depot, const char *text)
{
	char *digest = arena_alloc(&depot->arena, REFERENCE_DIGEST_SIZE);
	struct error err;

	bytes_digest(text, strlen(text), digest);
	ASSERT_OK(blob_put(&depot->staging, digest, text, strlen(text), &err));
	return digest;
}

const char *depot_image_with(struct depot *depot, const char *name, unsigned first, unsigned count, const char *process)
{
	struct arena *arena = &depot->arena;
	struct image_record record = {.platform = "linux/amd64", .pulled_ms = 1, .source = "registry"};
	struct text diff_ids = {0};
	struct reference reference;
	struct error err;

	for (unsigned i = first; i < first + count; i++) {
		layer_add(depot, i);
		strings_add(arena, &record.layers, digest_hex(depot_digest(i)));
		text_appendf(&diff_ids, "%s\"%s\"", i > first ? "," : "", depot_digest(i));
	}
	record.config_digest = document_put(depot, arena_format(arena,
							   "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":%s,"
							   "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}",
							   process, text_string(&diff_ids)));
	record.manifest_digest = document_put(
		depot, arena_format(arena, "{\"for\":\"%s\",\"config\":\"%s\"}", name, record.config_digest));
	ASSERT_OK(reference_parse(arena, name, NULL, &reference, &err));
	record.name = reference_full(arena, &reference);
	ASSERT_OK(image_set(&depot->staging, &reference, &record, &err));
	text_drop(&diff_ids);
	return record.manifest_digest;
}

const char *depot_image(struct depot *depot, const char *name, unsigned first, unsigned count)
{
	return depot_image_with(depot, name, first, count, "{\"Cmd\":[\"/bin/sh\"]}");
}

size_t depot_count(const struct depot *depot, const char *directory)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd dir = openat(depot->store.dir, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strings names;
	struct error err;

	cr_assert(dir >= 0, "%s", directory);
	ASSERT_OK(dir_list(&arena, dir, 65536, &names, &err));
	return names.count;
}
