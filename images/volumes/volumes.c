/* The named volumes that there are, and which of them an instance has because its image asked for them. */
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/collection.h"
#include "images/root/holders.h"

#define VOLUMES "volumes"
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
	for (; out->count < names.count; out->count++)
		out->items[out->count] = (struct volume_info){.name = names.items[out->count],
			.anonymous = text_starts_with(names.items[out->count], VOLUME_ANONYMOUS)};
	return holders_visit(store, arena, &visitor, err);
}
