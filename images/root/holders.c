/* Who needs which layers: every instance has a list of its own, and so has every snapshot.
 *
 * Instances come and go meanwhile. One that appears has looked for its layers with the store's lock held, so whoever
 * holds that exclusively sees it; one that vanishes needs nothing any more. */
#include "images/root/holders.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define INSTANCES_MAX 65536
#define SNAPSHOTS_MAX 4096
#define SUFFIX ".json"

static int forgive_missing(int result, struct error *err)
{
	if (result == 0)
		return 0;
	if (err->kind != ERROR_MISSING && err->errnum != ENOENT)
		return -1;
	*err = (struct error){0};
	return 1;
}

static int snapshots_visit(
	int dir, const char *instance, struct arena *arena, const struct holder_visitor *visitor, struct error *err)
{
	auto_fd snapshots = openat(dir, SNAPSHOTS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct strings names;

	if (snapshots < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "open the snapshots");
	if (dir_list(arena, snapshots, SNAPSHOTS_MAX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const char *file = names.items[i];
		struct image_config image;
		int missing;

		if (*file == '.' || !text_ends_with(file, SUFFIX))
			continue;
		missing = forgive_missing(assigned_read(arena, snapshots, file, &image, err), err);
		if (missing < 0)
			return blame(err, "snapshot %s", file);
		if (!missing && visitor->visit(visitor->context, instance,
					arena_bytes(arena, file, strlen(file) - strlen(SUFFIX)), &image, err) < 0)
			return -1;
	}
	return 0;
}

static int instance_visit(
	int instances, const char *name, struct arena *arena, const struct holder_visitor *visitor, struct error *err)
{
	auto_fd dir = openat(instances, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct image_config image;
	int missing;

	if (dir < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail_errno(err, "open it");
	missing = forgive_missing(assigned_read(arena, dir, ASSIGNED, &image, err), err);
	if (missing < 0)
		return -1;
	if (!missing && visitor->visit(visitor->context, name, NULL, &image, err) < 0)
		return -1;
	return snapshots_visit(dir, name, arena, visitor, err);
}

int holders_visit(int store, struct arena *arena, const struct holder_visitor *visitor, struct error *err)
{
	auto_fd instances = openat(store, INSTANCES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct strings names;

	if (instances < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "open the instances");
	if (dir_list(arena, instances, INSTANCES_MAX, &names, err) < 0)
		return blame(err, "the instances");
	for (size_t i = 0; i < names.count; i++)
		if (instance_visit(instances, names.items[i], arena, visitor, err) < 0)
			return blame(err, "instance %s: its image", names.items[i]);
	return 0;
}
