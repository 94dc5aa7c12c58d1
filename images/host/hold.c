/* Holding a layer of the host image for an instance: a hard link in the instance's directory to the layer's file
 * `held`.
 *
 * The kernel counts the links, so whether anybody still needs a layer is one stat away and cannot be wrong after a
 * crash. The link is made before the layer is mounted and stays until the instance starts on a newer one or is removed:
 * mounts live in namespaces where nobody could look for them. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/host/host_image.h"

#define HELD_PREFIX "lower."
#define HOLD_TRIES 4
#define INSTANCE_ENTRIES_MAX 1024

int host_layers_release(int instance, const char *keep, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};

	if (dir_list(&arena, instance, INSTANCE_ENTRIES_MAX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];

		if (!text_starts_with(name, HELD_PREFIX))
			continue;
		if (keep && text_equal(name + strlen(HELD_PREFIX), keep))
			continue;
		if (unlinkat(instance, name, 0) < 0 && errno != ENOENT)
			return fail_errno(err, "remove %s", name);
	}
	return 0;
}

static int host_layer_read(int store, char layer[LAYER_NAME_SIZE], struct error *err)
{
	ssize_t length = readlinkat(store, "images/" IMAGE_HOST, layer, LAYER_NAME_SIZE - 1);

	if (length < 0 && errno == ENOENT)
		return fail(err, ERROR_MISSING, "the image \"%s\" is not prepared", IMAGE_HOST);
	if (length < 0)
		return fail_errno(err, "read the link images/%s of the store", IMAGE_HOST);
	layer[length] = '\0';
	return 0;
}

/* The usual start finds its link from the last one (EEXIST): one call. A layer that vanished between the two calls was
 * replaced by a newer one. */
int host_layer_hold(int store, int instance, char layer[LAYER_NAME_SIZE], struct error *err)
{
	char held[sizeof(LAYERS) + LAYER_NAME_SIZE + sizeof(HOST_HELD)], mine[sizeof(HELD_PREFIX) + LAYER_NAME_SIZE];

	for (int i = 0; i < HOLD_TRIES; i++) {
		if (host_layer_read(store, layer, err) < 0)
			return -1;
		snprintf(held, sizeof(held), "%s/%s/%s", LAYERS, layer, HOST_HELD);
		snprintf(mine, sizeof(mine), "%s%s", HELD_PREFIX, layer);
		if (linkat(store, held, instance, mine, 0) == 0)
			return host_layers_release(instance, layer, err);
		if (errno == EEXIST)
			return 0;
		if (errno != ENOENT)
			break;
	}
	if (errno == EXDEV)
		return fail(err, ERROR_SYSTEM, "the instance's directory and the store are on different file systems");
	return fail_errno(err, "hold the layer %s", layer);
}
