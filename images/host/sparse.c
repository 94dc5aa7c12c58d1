/* The built-in image `host`: made once per state of the host, shared by all instances.
 *
 * The store has a layer for it, named after a hash of what it is made from (the package database, the loader's cache,
 * certificates, alternatives, time zone, name servers, and this program's own rules), and a link images/host to the one
 * that is current. A start compares the hash and reads the link; only when they differ is something built: in a staging
 * directory, synced, then renamed, so that a layer is whole or absent.
 *
 * A layer that a running instance has mounted must not lose its files, and mounts live in other namespaces where nobody
 * can look for them. So each instance keeps a hard link to the layer's file `held` in its own directory, made before it
 * mounts: the kernel counts the users, and no list of them can be wrong. The count 1 means that nobody is left. A user
 * that links while we look is seen after the layer was renamed away, and then it is renamed back.
 *
 * All of it happens under one flock. Whatever lies in the staging directory while we hold that, nobody works on. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "images/files/everybody.h"
#include "images/host/dpkg.h"
#include "images/host/host_image.h"
#include "images/host/skeleton.h"
#include "images/overlay/tree.h"

/* Rules of this file changed: other layers are wanted from the same host. */
#define RULES "1 " WARREN_VERSION

#define IMAGES "images"
#define STAGING "tmp"
#define LOCK "host.lock"
#define LAYER_PREFIX "host-"
#define LAYER_DEAD ".dead"
#define LAYERS_LISTED_MAX 65536
#define LOCK_WAIT_MS (120 * 1000)

/* --- the name of the layer ---------------------------------------------------------------------------------------- */

static const char *const inputs[] = {
	DPKG_STATUS,
	"/etc/ld.so.cache",
	"/etc/localtime",
	"/etc/alternatives",
	"/etc/ssl/certs/ca-certificates.crt",
};

/* FNV-1a, 64 bits. */
static uint64_t hash_add(uint64_t hash, const void *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
	return hash;
}

static uint64_t hash_add_file(uint64_t hash, const char *path)
{
	struct stat about;

	if (lstat(path, &about) < 0)
		return hash_add(hash, "-", 1);
	hash = hash_add(hash, &about.st_mtim, sizeof(about.st_mtim));
	hash = hash_add(hash, &about.st_size, sizeof(about.st_size));
	return hash_add(hash, &about.st_ino, sizeof(about.st_ino));
}

/* The resolver's file by what it says: DHCP clients write the same again and again. */
static void layer_name(int host, char name[LAYER_NAME_SIZE])
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text resolver = {0};
	uint64_t hash = hash_add(14695981039346656037u, RULES, sizeof(RULES));

	for (size_t i = 0; i < ARRAY_SIZE(inputs); i++)
		hash = hash_add_file(hash, inputs[i]);
	resolver_text(&arena, host, &resolver);
	hash = hash_add(hash, text_string(&resolver), resolver.length);
	snprintf(name, LAYER_NAME_SIZE, LAYER_PREFIX "%016" PRIx64, hash);
}

static bool is_current(int store, const char *layer)
{
	char target[LAYER_NAME_SIZE];
	ssize_t length = readlinkat(store, IMAGES "/" IMAGE_HOST, target, sizeof(target));

	return length == (ssize_t)strlen(layer) && memcmp(target, layer, (size_t)length) == 0;
}

/* --- removing old layers ------------------------------------------------------------------------------------------ */

/* True when only the layer's own name for the file `held` is left, or a half-made layer has none. */
static bool layer_is_unused(int dir, const char *name)
{
	auto_free char *held = text_format("%s/" HOST_HELD, name);
	struct stat about;

	return fstatat(dir, held, &about, AT_SYMLINK_NOFOLLOW) < 0 || about.st_nlink == 1;
}

/* Something in the staging directory: a layer on its way out, or one that was never finished. */
static int staged_clean(int layers, int staging, const char *name, struct error *err)
{
	auto_free char *original = text_format("%s", name);

	if (!text_ends_with(name, LAYER_DEAD) || layer_is_unused(staging, name))
		return tree_remove(staging, name, err);
	original[strlen(name) - strlen(LAYER_DEAD)] = '\0';
	if (renameat(staging, name, layers, original) < 0)
		return fail_errno(err, "put the layer %s back", original);
	return 0;
}

static int staging_clean(int layers, int staging, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};

	if (dir_list(&arena, staging, LAYERS_LISTED_MAX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (text_starts_with(names.items[i], LAYER_PREFIX) &&
			staged_clean(layers, staging, names.items[i], err) < 0)
			return -1;
	return 0;
}

static bool has_staged(const struct strings *names)
{
	for (size_t i = 0; i < names->count; i++)
		if (text_starts_with(names->items[i], LAYER_PREFIX))
			return true;
	return false;
}

int host_leftovers_remove(int store, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd layers = dir_create(store, LAYERS, 0755, err), staging = dir_create(store, STAGING, 0700, err),
		lock = -1;
	struct strings names = {0};

	if (layers < 0 || staging < 0 || dir_list(&arena, staging, LAYERS_LISTED_MAX, &names, err) < 0)
		return -1;
	if (!has_staged(&names))
		return 0;
	lock = lock_file(store, LOCK, 0, err);
	if (lock < 0)
		return err->kind == ERROR_BUSY ? 0 : -1;
	return staging_clean(layers, staging, err);
}

static int layer_remove(int layers, int staging, const char *name, struct error *err)
{
	auto_free char *dead = text_format("%s" LAYER_DEAD, name);

	if (!layer_is_unused(layers, name))
		return 0;
	if (renameat(layers, name, staging, dead) < 0)
		return fail_errno(err, "move the old layer %s away", name);
	return staged_clean(layers, staging, dead, err);
}

static int old_layers_remove(int layers, int staging, const char *current, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};

	if (dir_list(&arena, layers, LAYERS_LISTED_MAX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (text_starts_with(names.items[i], LAYER_PREFIX) && !text_equal(names.items[i], current) &&
			layer_remove(layers, staging, names.items[i], err) < 0)
			return -1;
	return 0;
}

/* --- building ----------------------------------------------------------------------------------------------------- */

/* Directories that hide those of the host's /usr: opaque, so that the overlay looks no further. */
static const char *const usr_hidden[] = {"/local", "/src", "/lib/modules", "/lib/debug"};

static int usr_cover_make(int cover, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(usr_hidden); i++) {
		auto_fd dir = -1;

		if (tree_directory(cover, usr_hidden[i], 0755, 0, 0, err) < 0)
			return -1;
		dir = openat(cover, usr_hidden[i] + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0 || fsetxattr(dir, "trusted.overlay.opaque", "y", 1, 0) < 0)
			return fail_errno(err, "hide /usr%s", usr_hidden[i]);
	}
	return 0;
}

static int layer_fill(int host, int layer, struct error *err)
{
	auto_fd root = dir_create(layer, HOST_ROOT, 0755, err);
	auto_fd cover = root < 0 ? -1 : dir_create(layer, HOST_USR, 0755, err);
	auto_fd held = -1;

	if (cover < 0)
		return -1;
	held = openat(layer, HOST_HELD, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (held < 0)
		return fail_errno(err, "make the file %s", HOST_HELD);
	if (usr_cover_make(cover, err) < 0)
		return -1;
	return skeleton_make(host, root, err);
}

/* One sync for the whole layer: after a power cut it is there whole or not at all. */
static int layer_build(int host, int layers, int staging, const char *name, struct error *err)
{
	AUTO(everybody_leave) struct everybody rights = {.count = -1};
	auto_fd layer = dir_create(staging, name, 0755, err);

	if (layer < 0)
		return -1;
	if (everybody_enter(&rights, err) < 0 || layer_fill(host, layer, err) < 0)
		return -1;
	if (syncfs(layer) < 0)
		return fail_errno(err, "sync the layer");
	if (renameat(staging, name, layers, name) < 0)
		return fail_errno(err, "rename the layer into place");
	return 0;
}

static int current_set(int store, const char *layer, struct error *err)
{
	static const char fresh[] = IMAGES "/." IMAGE_HOST "~";

	if (unlinkat(store, fresh, 0) < 0 && errno != ENOENT)
		return fail_errno(err, "remove %s", fresh);
	if (symlinkat(layer, store, fresh) < 0)
		return fail_errno(err, "make the link %s", fresh);
	if (renameat(store, fresh, store, IMAGES "/" IMAGE_HOST) < 0)
		return fail_errno(err, "rename the link %s", fresh);
	return 0;
}

/* Old layers that cannot be removed are no reason not to start. */
static void clean_up(int layers, int staging, const char *current)
{
	struct error ignored = {0};

	if (old_layers_remove(layers, staging, current, &ignored) < 0)
		log_warn("old layers of the image %s stay: %s", IMAGE_HOST, ignored.text);
}

static int host_update_locked(int store, int host, const char *name, struct error *err)
{
	auto_fd layers = dir_create(store, LAYERS, 0755, err);
	auto_fd staging = layers < 0 ? -1 : dir_create(store, STAGING, 0700, err);
	auto_fd images = staging < 0 ? -1 : dir_create(store, IMAGES, 0700, err);

	if (images < 0 || staging_clean(layers, staging, err) < 0)
		return -1;
	if (faccessat(layers, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
		layer_build(host, layers, staging, name, err) < 0) {
		struct error ignored;

		(void)!tree_remove(staging, name, &ignored);
		return -1;
	}
	if (current_set(store, name, err) < 0)
		return -1;
	clean_up(layers, staging, name);
	return 0;
}

static int host_prepare(int store, struct error *err)
{
	char name[LAYER_NAME_SIZE];
	auto_fd host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd lock = -1;

	if (host < 0)
		return fail_errno(err, "open /");
	layer_name(host, name);
	if (is_current(store, name))
		return 0;
	lock = lock_file(store, LOCK, LOCK_WAIT_MS, err);
	if (lock < 0)
		return blame(err, "wait for another to build it");
	layer_name(host, name);
	return is_current(store, name) ? 0 : host_update_locked(store, host, name, err);
}

int image_prepare(int store, const char *name, struct arena *arena, struct image_config *config, struct error *err)
{
	(void)arena; /* pulled images keep their configuration's strings there */
	*config = (struct image_config){0};
	if (line_check("image", name, err) < 0)
		return -1;
	if (!text_equal(name, IMAGE_HOST))
		return fail(err, ERROR_MISSING, "image \"%s\": no such image here; \"%s\" is the built-in one", name,
			IMAGE_HOST);
	if (host_prepare(store, err) < 0)
		return blame(err, "image \"%s\"", IMAGE_HOST);
	return 0;
}
