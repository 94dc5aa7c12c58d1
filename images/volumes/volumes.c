/* The named volumes that there are, and which of them an instance has because its image asked for them. */
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/collection.h"
#include "images/root/holders.h"
#include "images/volumes/volume_note.h"

#define VOLUMES_MAX 65536

static int holder_note(
	void *context, const char *instance, const char *snapshot, const struct image_config *image, struct error *err)
{
	struct volume_list *list = context;

	(void)err;
	for (size_t i = 0; i < image->volumes.count; i++)
		volume_use_add(list, image->volumes.items[i].value, snapshot ? "" : instance);
	return 0;
}

void volume_use_add(struct volume_list *list, const char *volume, const char *instance)
{
	for (size_t i = 0; i < list->count; i++)
		if (text_equal(list->items[i].name, volume) && !strings_contain(&list->items[i].instances, instance))
			strings_add(list->arena, &list->items[i].instances, arena_string(list->arena, instance));
}

/* One that goes at this moment has none. */
static int labels_note(struct arena *arena, int volumes, struct volume_info *volume, struct error *err)
{
	auto_fd fd = volume_directory_open(volumes, volume->name);

	if (fd < 0)
		return 0;
	return volume_labels_read(arena, fd, &volume->labels, err) < 0 ? blame(err, "volume %s", volume->name) : 0;
}

int volumes_list(int store, struct arena *arena, struct volume_list *out, struct error *err)
{
	const struct holder_visitor visitor = {.visit = holder_note, .context = out};
	auto_fd volumes = openat(store, VOLUMES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct strings names;

	*out = (struct volume_list){.arena = arena};
	if (volumes < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "open the volumes");
	if (dir_list(arena, volumes, VOLUMES_MAX, &names, err) < 0)
		return blame(err, "the volumes");
	out->items = arena_new_array(arena, names.count, struct volume_info);
	for (; out->count < names.count; out->count++) {
		struct volume_info *volume = &out->items[out->count];

		*volume = (struct volume_info){.name = names.items[out->count],
			.anonymous = text_starts_with(names.items[out->count], VOLUME_ANONYMOUS)};
		if (labels_note(arena, volumes, volume, err) < 0)
			return -1;
	}
	return holders_visit(store, arena, &visitor, err);
}
