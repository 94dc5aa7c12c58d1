/* Named volumes: which there are, who has them, and deleting those that nobody has. A command that was killed in the
 * middle of a deletion left what it had not come to where no name leads: whoever deletes next takes that along. */
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "fleet/fleet.h"
#include "fleet/spec/spec_fields.h"
#include "fleet/state/instance.h"
#include "images/collection.h"
#include "images/images.h"

static void spec_note(struct volume_list *list, const struct instance_status *status)
{
	for (size_t i = 0; status->spec && i < status->spec->volumes.count; i++)
		if (status->spec->volumes.items[i].type == VOLUME_NAMED)
			volume_use_add(list, status->spec->volumes.items[i].source, status->name);
}

int host_volumes(struct host *host, struct arena *arena, struct volume_list *out, struct error *err)
{
	struct instance_list instances = {0};

	if (volumes_list(host->lib, arena, out, err) < 0 || instance_list_read(arena, host, &instances, err) < 0)
		return -1;
	for (size_t i = 0; i < instances.count; i++) {
		/* It may need any of them. */
		if (!instances.items[i].spec)
			return fail(err, ERROR_SYSTEM, "instance %s is damaged: whose volumes are whose cannot be told",
				instances.items[i].name);
		spec_note(out, &instances.items[i]);
	}
	return 0;
}

void host_store_clean(struct host *host)
{
	struct prune_result freed;
	struct error err;

	if (!snapshot_layers_exist(host->lib) && !store_leftovers_exist(host->lib))
		return;
	if (images_prune(host->lib, &(struct prune_options){0}, &freed, &err) < 0)
		log_warn("%s", err.text);
}

int host_volume_create(struct host *host, const char *name, const struct pairs *labels, bool *made, struct error *err)
{
	for (size_t i = 0; i < labels->count; i++)
		if (label_check(&labels->items[i], err) < 0)
			return blame(err, "label \"%s\"", labels->items[i].name);
	*made = volume_create(host->lib, name, labels, err) == 0;
	if (*made)
		return 0;
	if (err->kind != ERROR_BUSY || labels->count)
		return -1;
	*err = (struct error){0};
	return 0;
}

int host_volume_remove(struct host *host, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct volume_list list;

	host_store_clean(host);
	if (name_check("volume", name, err) < 0 || host_volumes(host, &arena, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++) {
		if (!text_equal(list.items[i].name, name))
			continue;
		if (list.items[i].instances.count)
			return fail(err, ERROR_BUSY, "the volume %s belongs to the instance %s", name,
				list.items[i].instances.items[0]);
		return volume_delete(host->lib, name, err);
	}
	return fail(err, ERROR_MISSING, "no volume \"%s\" here", name);
}

/* Only those that an image asked for, unless told: what somebody gave a name he removes by it. An instance in the
 * making has its list before its volumes are made. */
int host_volumes_prune(struct host *host, struct arena *arena, bool named, struct strings *removed, struct error *err)
{
	struct volume_list list;

	*removed = (struct strings){0};
	host_store_clean(host);
	if (host_volumes(host, arena, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++) {
		if (!(named || list.items[i].anonymous) || list.items[i].instances.count)
			continue;
		if (volume_delete(host->lib, list.items[i].name, err) < 0)
			return -1;
		strings_add(arena, removed, list.items[i].name);
	}
	return 0;
}
