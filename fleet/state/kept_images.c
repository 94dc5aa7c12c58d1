/* See kept_images.h. */
#include "fleet/state/kept_images.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/state/image.h"
#include "fleet/state/instance.h"
#include "images/images.h"

#define HELD "images"
#define TEXTS "generations"
#define FILES_MAX 65536

struct kept_image {
	const char *name, *digest;
};
struct kept_images {
	LIST_OF(struct kept_image) images;
};

static const struct field kept_fields[] = {
	STRING("name", struct kept_image, name, REQUIRED),
	STRING("digest", struct kept_image, digest, REQUIRED),
	END_OF_FIELDS,
};
static const struct field file_fields[] = {
	LIST("images", struct kept_images, images, kept_fields, REQUIRED),
	END_OF_FIELDS,
};

static const char *path_of(struct arena *arena, int64_t number)
{
	return arena_format(arena, TEXTS "/%" PRId64 ".images", number);
}

/* The built-in image is the host's files: there is no going back to former ones. */
static bool has_image(const struct instance_spec *spec)
{
	return spec->image && strcmp(spec->image, IMAGE_HOST) != 0;
}

static const char *digest_of(const struct kept_images *kept, const char *name)
{
	for (size_t i = 0; i < kept->images.count; i++)
		if (!strcmp(kept->images.items[i].name, name))
			return kept->images.items[i].digest;
	return NULL;
}

/* The image that the instance of that name was made of, if it is there and says that it is of `image`. */
static const char *made_of(struct arena *arena, struct host *host, const char *name, const char *image)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct instance_spec spec;
	struct image_config config;
	struct error ignored;

	if (instance_find(host, name, &instance, &ignored) < 0 ||
		instance_spec_load(arena, instance.dir, name, &spec, &ignored) < 0 || !text_equal(spec.image, image) ||
		instance_image_read(host->lib, instance.dir, &spec, arena, &config, &ignored) < 0)
		return NULL;
	return config.manifest_digest;
}

/* --- at an apply -------------------------------------------------------------------------------------------------- */

void kept_images_hold(struct host *host, int dir, const struct fleet_file *file)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings held = {0};
	struct error err;
	auto_fd holder = -1;

	for (size_t i = 0; i < file->instances.count; i++) {
		const char *image = file->instances.items[i].image;

		if (!has_image(&file->instances.items[i]) || strings_contain(&held, image))
			continue;
		strings_add(&arena, &held, image);
		if ((holder < 0 && (holder = dir_create(dir, HELD, 0700, &err)) < 0) ||
			image_hold(host->lib, image, holder, &err) < 0)
			log_debug("hold %s: %s", image, err.text);
	}
}

static void images_collect(
	struct arena *arena, struct host *host, const struct fleet_file *file, struct kept_images *out)
{
	out->images.items = arena_new_array(arena, file->instances.count, struct kept_image);
	for (size_t i = 0; i < file->instances.count; i++) {
		const struct instance_spec *spec = &file->instances.items[i];
		const char *digest = NULL;

		if (has_image(spec) && !digest_of(out, spec->image))
			digest = made_of(arena, host, spec->name, spec->image);
		if (digest)
			out->images.items[out->images.count++] =
				(struct kept_image){.name = spec->image, .digest = digest};
	}
}

/* digests of all generations that are kept, without their "sha256:". */
static void needed_collect(struct arena *arena, int dir, struct strings *needed)
{
	struct strings files;
	struct error ignored;
	auto_fd texts = dir_open(dir, TEXTS, &ignored);

	if (texts < 0 || dir_list(arena, texts, FILES_MAX, &files, &ignored) < 0)
		return;
	for (size_t i = 0; i < files.count; i++) {
		struct kept_images kept = {0};

		if (*files.items[i] == '.' || !text_ends_with(files.items[i], ".images") ||
			record_fields_read(arena, texts, files.items[i], file_fields, &kept, &ignored) < 0)
			continue;
		for (size_t k = 0; k < kept.images.count; k++)
			strings_add(arena, needed,
				arena_format(arena, "%s.json",
					kept.images.items[k].digest + strcspn(kept.images.items[k].digest, ":") + 1));
	}
}

static void unneeded_let_go(struct arena *arena, int dir)
{
	struct strings needed = {0}, files;
	struct error ignored;
	auto_fd holder = dir_open(dir, HELD, &ignored);

	if (holder < 0 || dir_list(arena, holder, FILES_MAX, &files, &ignored) < 0)
		return;
	needed_collect(arena, dir, &needed);
	for (size_t i = 0; i < files.count; i++)
		if (!strings_contain(&needed, files.items[i]) && unlinkat(holder, files.items[i], 0) < 0)
			log_debug("let go of %s: %s", files.items[i], strerror(errno));
}

void kept_images_note(struct host *host, int dir, int64_t number, const struct fleet_file *file)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct kept_images kept = {0};
	struct error err;

	images_collect(&arena, host, file, &kept);
	if (kept.images.count &&
		record_fields_write(dir, path_of(&arena, number), file_fields, &kept, FILE_ORDERED, &err) < 0)
		log_warn("note the images of generation %" PRId64 ": %s", number, err.text);
	unneeded_let_go(&arena, dir);
}

void kept_images_forget(int texts, int64_t number)
{
	auto_free char *file = text_format("%" PRId64 ".images", number);

	if (unlinkat(texts, file, 0) < 0 && errno != ENOENT)
		log_debug("remove %s: %s", file, strerror(errno));
}

/* --- at a rollback ------------------------------------------------------------------------------------------------ */

/* 1: the instance, or else the name, is of that image already. */
static int is_same(
	struct arena *arena, struct host *host, const struct instance_spec *spec, const char *digest, struct error *err)
{
	const char *now = made_of(arena, host, spec->name, spec->image);

	if (!now && image_meaning(host->lib, spec->image, arena, &now, err) < 0)
		return -1;
	return text_equal(now, digest);
}

static void image_have(struct host *host, const char *name, const char *digest, int holder)
{
	struct error err;

	if (image_return(host->lib, name, digest, holder, &err) < 0)
		log_warn("%s was %s then, which is not in the store any more (%s); its registry may have it", name,
			digest, err.text);
}

int kept_images_pin(struct arena *arena, struct host *host, int dir, int64_t number, bool have, struct fleet_file *file,
	struct error *err)
{
	struct kept_images kept = {0};
	struct strings had = {0};
	struct error ignored;
	auto_fd holder = openat(dir, HELD, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (record_fields_read(arena, dir, path_of(arena, number), file_fields, &kept, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	for (size_t i = 0; i < file->instances.count; i++) {
		struct instance_spec *spec = &file->instances.items[i];
		const char *digest =
			has_image(spec) && !strchr(spec->image, '@') ? digest_of(&kept, spec->image) : NULL;
		int same = digest ? is_same(arena, host, spec, digest, &ignored) : 1;

		if (same > 0)
			continue;
		if (have && !strings_contain(&had, spec->image)) {
			strings_add(arena, &had, spec->image);
			image_have(host, spec->image, digest, holder);
		}
		spec->image = arena_format(arena, "%s@%s", spec->image, digest);
	}
	return 0;
}
