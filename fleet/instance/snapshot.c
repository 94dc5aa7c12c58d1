/* Snapshots, restoring and clones: the lock, the freezing, and the new instance around what images/ does with layers.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "fleet/instance/create.h"
#include "fleet/instance/repair.h"
#include "fleet/instance/still.h"
#include "fleet/state/instance.h"
#include "images/collection.h"
#include "images/images.h"

/* --- one that runs ------------------------------------------------------------------------------------------------ */

static int stopped_check(struct instance *instance, struct error *err)
{
	return instance_is_up(instance) ? fail(err, ERROR_BUSY, "%s is running; stop it first", instance->name) : 0;
}

static int snapshot_held(struct instance *instance, const char *name, struct arena *arena, struct image_config *config,
	struct error *err)
{
	struct stillness still;
	int result;

	if (instance_still_begin(instance, &still, err) < 0)
		return -1;
	result = root_snapshot(instance->host->lib, instance->dir, name, still.running, arena, config, err);
	instance_still_end(instance, &still);
	return result;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

int instance_snapshot(struct host *host, const char *name, const char *snapshot, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct image_config config;

	if (instance_take(host, name, &instance, err) < 0)
		return -1;
	return snapshot_held(&instance, snapshot, &arena, &config, err) < 0
		       ? blame(err, "snapshot %s of %s", snapshot, name)
		       : 0;
}

/* What only the snapshot, or what was written since, had. That it could not be deleted is no failure. */
static void layers_collect(struct host *host)
{
	struct prune_result freed;
	struct error err;

	if (images_prune(host->lib, &(struct prune_options){0}, &freed, &err) < 0)
		log_warn("%s", err.text);
}

int instance_restore(struct host *host, const char *name, const char *snapshot, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;

	if (instance_take(host, name, &instance, err) < 0)
		return -1;
	if (stopped_check(&instance, err) < 0 || root_restore(host->lib, instance.dir, snapshot, err) < 0)
		return blame(err, "restore %s", name);
	layers_collect(host);
	return 0;
}

int instance_snapshot_remove(struct host *host, const char *name, const char *snapshot, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;

	if (instance_take(host, name, &instance, err) < 0)
		return -1;
	if (root_snapshot_remove(instance.dir, snapshot, err) < 0)
		return blame(err, "%s", name);
	layers_collect(host);
	return 0;
}

int instance_snapshots(
	struct host *host, const char *name, struct arena *arena, struct snapshot_list *out, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;

	if (instance_find(host, name, &instance, err) < 0)
		return -1;
	return root_snapshots(instance.dir, arena, out, err) < 0 ? blame(err, "%s", name) : 0;
}

/* --- clones ------------------------------------------------------------------------------------------------------- */

/* A snapshot that exists only while the clone is made, so that no collection takes its layer. */
static int passing_name_make(struct arena *arena, const char **name, struct error *err)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return fail_errno(err, "getrandom");
	*name = arena_format(arena, "clone-%016jx", (uintmax_t)number);
	return 0;
}

static void spec_adapt(struct instance_spec *spec, const char *source, const struct clone_options *options)
{
	if (text_equal(spec->hostname, source))
		spec->hostname = options->name;
	spec->name = spec->base_name = options->name;
	spec->index = 0;
	spec->fleet = NULL;
	spec->protect = false;
	spec->remove = false;
	spec->address.s_addr = 0;
	spec->address6 = in6addr_any;
	if (!options->port_count)
		return;
	spec->ports.items = (struct port *)options->ports;
	spec->ports.count = options->port_count;
}

static int clone_held(struct instance *source, const struct clone_options *options, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec spec;
	struct image_config config;
	const char *passing = NULL;
	struct error ignored;
	int result;

	if (instance_spec_load(&arena, source->dir, source->name, &spec, err) < 0)
		return -1;
	spec_adapt(&spec, source->name, options);
	if (options->snapshot)
		return root_snapshot_find(source->dir, options->snapshot, &arena, &config, err) < 0
			       ? -1
			       : instance_create_from(source->host, &spec, &config, err);
	if (instance_is_up(source) && passing_name_make(&arena, &passing, err) < 0)
		return -1;
	if (snapshot_held(source, passing, &arena, &config, err) < 0)
		return -1;
	result = instance_create_from(source->host, &spec, &config, err);
	if (passing && root_snapshot_remove(source->dir, passing, &ignored) < 0)
		log_warn("%s", ignored.text);
	return result;
}

int instance_clone(struct host *host, const char *source, const struct clone_options *options, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;

	if (name_check("instance name", options->name, err) < 0 || instance_take(host, source, &instance, err) < 0)
		return -1;
	return clone_held(&instance, options, err) < 0 ? blame(err, "clone %s", source) : 0;
}
