/* Listing and naming images. */
#include "images/collection.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/root/holders.h"
#include "images/store/manifest.h"
#include "images/store/record.h"
#include "images/store/registries.h"

#define SHORT_DIGITS 12

/* --- listing ------------------------------------------------------------------------------------------------------ */

/* A layer, and whose it is: the first manifest that has it, and whether there is another. */
struct use {
	const char *key, *manifest;
	bool shared;
};

struct listing {
	struct store *store;
	struct arena *arena;
	const char *home;
	struct image_record *records;
	size_t count, room;
	struct use *uses;
	size_t use_count, use_room;
	struct strings manifests; /* of instances, one for each */
};

static void listing_drop(struct listing *listing)
{
	memory_drop(&listing->records);
	memory_drop(&listing->uses);
}

static void *grown(void *items, size_t count, size_t *room, size_t size)
{
	void *more;

	if (count < *room)
		return items;
	*room = *room ? *room * 2 : 64;
	more = reallocarray(items, *room, size);
	if (!more)
		memory_exhausted();
	return more;
}

static void use_add(struct listing *listing, const char *key, const char *manifest)
{
	listing->uses = grown(listing->uses, listing->use_count, &listing->use_room, sizeof(*listing->uses));
	listing->uses[listing->use_count++] = (struct use){.key = key, .manifest = manifest};
}

static int record_collect(
	void *context, const struct name_place *place, const struct image_record *record, struct error *err)
{
	struct listing *listing = context;

	(void)place, (void)err;
	listing->records = grown(listing->records, listing->count, &listing->room, sizeof(*listing->records));
	listing->records[listing->count++] = *record;
	for (size_t i = 0; i < record->layers.count; i++)
		use_add(listing, record->layers.items[i], record->manifest_digest);
	return 0;
}

static int holder_collect(
	void *context, const char *instance, const char *snapshot, const struct image_config *image, struct error *err)
{
	struct listing *listing = context;

	(void)instance, (void)err;
	if (image->manifest_digest && !snapshot)
		strings_add(listing->arena, &listing->manifests, image->manifest_digest);
	return 0;
}

static int compare_uses(const void *a, const void *b)
{
	const struct use *one = a, *other = b;
	int order = strcmp(one->key, other->key);

	return order ? order : strcmp(one->manifest, other->manifest);
}

/* Sorted by key, one for each key. */
static void uses_join(struct listing *listing)
{
	size_t kept = 0;

	if (!listing->use_count)
		return;
	qsort(listing->uses, listing->use_count, sizeof(*listing->uses), compare_uses);
	for (size_t i = 1; i < listing->use_count; i++) {
		if (strcmp(listing->uses[i].key, listing->uses[kept].key) != 0)
			listing->uses[++kept] = listing->uses[i];
		else if (strcmp(listing->uses[i].manifest, listing->uses[kept].manifest) != 0)
			listing->uses[kept].shared = true;
	}
	listing->use_count = kept + 1;
}

static int compare_key(const void *key, const void *use)
{
	return strcmp(key, ((const struct use *)use)->key);
}

static bool layer_is_shared(const struct listing *listing, const char *key)
{
	const struct use *use = bsearch(key, listing->uses, listing->use_count, sizeof(*listing->uses), compare_key);

	return use && use->shared;
}

static void sizes_add(const struct listing *listing, const struct image_record *record, struct image_info *out)
{
	for (size_t i = 0; i < record->layers.count; i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct layer_meta meta;
		struct error ignored;

		if (layer_meta_read(listing->store, record->layers.items[i], &arena, &meta, &ignored) < 0)
			continue;
		out->bytes += meta.disk_bytes;
		*(layer_is_shared(listing, record->layers.items[i]) ? &out->shared_bytes : &out->own_bytes) +=
			meta.disk_bytes;
	}
}

static const char *familiar(const struct listing *listing, const char *name)
{
	struct reference reference;
	struct error ignored;

	if (reference_parse(listing->arena, name, NULL, &reference, &ignored) < 0)
		return name;
	return reference_familiar(listing->arena, &reference, listing->home);
}

static struct image_info info_make(const struct listing *listing, const struct image_record *record)
{
	struct image_info info = {.name = record->name,
		.familiar = familiar(listing, record->name),
		.manifest_digest = record->manifest_digest,
		.config_digest = record->config_digest,
		.index_digest = record->index_digest,
		.platform = record->platform,
		.source = record->source,
		.pulled_ms = record->pulled_ms,
		.layers = record->layers.count,
		.compressed_bytes = record->compressed_bytes};

	for (size_t i = 0; i < listing->manifests.count; i++)
		info.instances += text_equal(listing->manifests.items[i], record->manifest_digest);
	sizes_add(listing, record, &info);
	return info;
}

static int listing_make(struct listing *listing, struct error *err)
{
	const struct name_visitor names = {.visit = record_collect, .context = listing};
	const struct holder_visitor holders = {.visit = holder_collect, .context = listing};
	struct registries registries;
	bool damaged;

	if (registries_read(listing->arena, &registries, err) < 0)
		return -1;
	listing->home = registries.home;
	if (names_visit(listing->store, listing->arena, &names, &damaged, err) < 0 ||
		holders_visit(listing->store->dir, listing->arena, &holders, err) < 0)
		return -1;
	uses_join(listing);
	return 0;
}

static int compare_infos(const void *a, const void *b)
{
	return strcmp(((const struct image_info *)a)->familiar, ((const struct image_info *)b)->familiar);
}

int images_list(int dir, struct arena *arena, struct image_list *out, struct error *err)
{
	AUTO(store_drop) struct store store = NO_STORE;
	AUTO(listing_drop) struct listing listing = {.store = &store, .arena = arena};

	*out = (struct image_list){0};
	if (store_open_at(dir, &store, err) < 0 || listing_make(&listing, err) < 0)
		return -1;
	out->items = arena_new_array(arena, listing.count, struct image_info);
	for (; out->count < listing.count; out->count++)
		out->items[out->count] = info_make(&listing, &listing.records[out->count]);
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), compare_infos);
	return 0;
}

/* --- one ---------------------------------------------------------------------------------------------------------- */

/* "sha256:4bcff6…", or the digits alone: at least twelve, so that a name of such letters is hardly meant. */
static const char *short_digest(const char *name)
{
	const char *digits = text_starts_with(name, "sha256:") ? name + strlen("sha256:") : name;
	size_t length = strspn(digits, "0123456789abcdef");

	return length >= SHORT_DIGITS && length <= LAYER_DIGITS && !digits[length] ? digits : NULL;
}

struct digest_search {
	const char *digits;
	struct image_record found;
	bool known;
};

static int digest_match(
	void *context, const struct name_place *place, const struct image_record *record, struct error *err)
{
	struct digest_search *search = context;
	const char *const digests[] = {record->manifest_digest, record->config_digest, record->index_digest};

	(void)place;
	for (size_t i = 0; i < ARRAY_SIZE(digests); i++) {
		if (!digests[i] || !text_starts_with(digest_hex(digests[i]), search->digits))
			continue;
		if (search->known && !text_equal(search->found.manifest_digest, record->manifest_digest))
			return fail(err, ERROR_USAGE, "\"%s\" begins the digests of several images", search->digits);
		search->found = *record;
		search->known = true;
	}
	return 0;
}

static int record_of(
	const struct store *store, const char *name, struct arena *arena, struct image_record *out, struct error *err)
{
	struct digest_search search = {.digits = short_digest(name)};
	const struct name_visitor visitor = {.visit = digest_match, .context = &search};
	struct reference reference;
	bool damaged;

	if (text_equal(name, IMAGE_HOST))
		return fail(err, ERROR_USAGE, "\"%s\" is the built-in image; it is made of this host", IMAGE_HOST);
	if (search.digits) {
		if (names_visit(store, arena, &visitor, &damaged, err) < 0)
			return -1;
		*out = search.found;
		if (search.known)
			return 0;
	}
	if (reference_resolve(arena, name, &reference, err) < 0)
		return -1;
	return image_find(store, &reference, arena, out, err);
}

static int details_read(const struct store *store, const struct image_record *record, struct arena *arena,
	struct image_about *out, struct error *err)
{
	struct image_details details;
	const char *bytes;
	size_t length;

	if (image_config_read(store, record, record->name, arena, &out->config, err) < 0 ||
		blob_read(store, record->config_digest, arena, &bytes, &length, err) < 0 ||
		image_details_decode(arena, record->config_digest, bytes, length, &details, err) < 0)
		return -1;
	out->created = details.created;
	out->author = details.author;
	return 0;
}

int image_look(int dir, const char *name, struct arena *arena, struct image_about *out, struct error *err)
{
	AUTO(store_drop) struct store store = NO_STORE;
	AUTO(listing_drop) struct listing listing = {.store = &store, .arena = arena};
	struct image_record record;

	*out = (struct image_about){0};
	if (store_open_at(dir, &store, err) < 0 || record_of(&store, name, arena, &record, err) < 0 ||
		listing_make(&listing, err) < 0)
		return -1;
	out->info = info_make(&listing, &record);
	out->layers = record.layers;
	return details_read(&store, &record, arena, out, err);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static int record_keep(const struct staging *staging, const struct image_record *record, struct error *err)
{
	for (size_t i = 0; i < record->layers.count; i++) {
		int found = layer_keep(staging, record->layers.items[i], err);

		if (found <= 0)
			return found < 0 ? -1
					 : fail(err, ERROR_MISSING, "the layer %s is not in the store",
						   record->layers.items[i]);
	}
	return 0;
}

int image_tag(int dir, const char *name, const char *new_name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(store_drop) struct store store = NO_STORE;
	AUTO(staging_drop) struct staging staging = {.dir = -1};
	struct image_record record;
	struct reference reference;

	if (reference_resolve(&arena, new_name, &reference, err) < 0)
		return -1;
	if (reference.digest)
		return fail(err, ERROR_USAGE, "\"%s\": a new name has no digest", new_name);
	if (text_equal(new_name, IMAGE_HOST))
		return fail(err, ERROR_USAGE, "\"%s\" is the name of the built-in image", IMAGE_HOST);
	if (store_open_at(dir, &store, err) < 0 || staging_make(&store, &staging, err) < 0 ||
		record_of(&store, name, &arena, &record, err) < 0 || record_keep(&staging, &record, err) < 0)
		return -1;
	record.name = reference_full(&arena, &reference);
	return image_set(&staging, &reference, &record, err);
}

/* Also of a record that cannot be read. */
int image_untag(int dir, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(store_drop) struct store store = NO_STORE;
	struct image_record record;
	struct reference reference;
	struct name_place place;
	auto_fd lock = -1;

	if (store_open_at(dir, &store, err) < 0)
		return -1;
	lock = store_lock(&store, STORE_EXCLUSIVE, err);
	if (lock < 0)
		return -1;
	if (record_of(&store, name, &arena, &record, err) == 0)
		name = record.name;
	else if (err->kind == ERROR_MISSING || text_equal(name, IMAGE_HOST))
		return -1;
	if (reference_resolve(&arena, name, &reference, err) < 0 || name_place_find(&reference, &place, err) < 0)
		return -1;
	return name_remove(&store, &place, err);
}
