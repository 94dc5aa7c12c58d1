/* An instance's layers, found by its own record: what its name of an image means today does not matter. */
#include "images/pull/instance.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "images/overlay/upper.h"
#include "images/root/assigned.h"
#include "images/root/holders.h"

#define PRIVATE "private-" /* how a snapshot's layer is called */

const char *const instance_generated_files[] = {
	"etc/hostname", "etc/hosts", "etc/hosts.d", "etc/machine-id", "etc/resolv.conf", NULL};

/* One that was never in need of a list, of the image `host` or of a directory, has none. */
static int image_read(
	const struct store *store, int instance, struct arena *arena, struct image_config *out, struct error *err)
{
	if (assigned_read(arena, instance, ASSIGNED, out, err) < 0) {
		if (err->kind != ERROR_MISSING)
			return -1;
		*err = (struct error){0};
		*out = (struct image_config){0};
		return 0;
	}
	return out->pending_inode ? assigned_settle(store, instance, out, err) : 0;
}

static int layers_add(const struct store *store, struct instance_layers *out, struct error *err)
{
	const struct strings *keys = &out->image.layers;

	if (keys->count >= INSTANCE_LAYERS_MAX)
		return fail(err, ERROR_USAGE, "a root of %zu layers", keys->count);
	for (size_t i = 0; i < keys->count; i++) {
		int layer = layer_open(store, keys->items[i], err);

		if (layer < 0)
			return -1;
		out->items[out->count++] = layer;
		if (out->own == i + 1 && text_starts_with(keys->items[i], PRIVATE))
			out->own++;
	}
	return 0;
}

static int instance_open(const struct store *store, const char *name, struct error *err)
{
	auto_fd instances = -1;
	int instance;

	if (name_check("instance name", name, err) < 0)
		return -1;
	instances = openat(store->dir, INSTANCES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (instances < 0)
		return fail_errno(err, "open the instances");
	instance = openat(instances, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (instance < 0)
		return errno == ENOENT ? fail(err, ERROR_MISSING, "no instance \"%s\"", name)
				       : fail_errno(err, "open the instance %s", name);
	return instance;
}

int instance_layers_open(const struct store *store, const char *name, struct arena *arena, struct instance_layers *out,
	struct error *err)
{
	auto_fd instance = instance_open(store, name, err);

	*out = (struct instance_layers){0};
	if (instance < 0 || image_read(store, instance, arena, &out->image, err) < 0)
		return -1;
	out->items[0] = upper_open(instance, err);
	if (out->items[0] < 0)
		return -1;
	out->count = out->own = 1;
	if (layers_add(store, out, err) == 0)
		return 0;
	instance_layers_drop(out);
	return -1;
}

void instance_layers_drop(struct instance_layers *layers)
{
	while (layers->count)
		fd_drop(&layers->items[--layers->count]);
}
