/* An instance that does not change for a while, so that its files can be read as one state. */
#include "fleet/instance/still.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "fleet/instance/repair.h"
#include "fleet/state/instance.h"

#define FREEZE_TIMEOUT_MS 10000

/* The desired state is written first: whoever is killed from there on leaves one that is listed as paused, and that
 * `resume` or the next `apply` lets go on. */
static int freeze(struct instance *instance, struct stillness *still, struct error *err)
{
	struct error later;

	if (desired_write(instance->dir, DESIRED_PAUSED, err) < 0)
		return -1;
	if (cgroup_freeze(&still->cgroup, true, FREEZE_TIMEOUT_MS, err) == 0)
		return 0;
	if (desired_write(instance->dir, still->desired, &later) < 0)
		log_warn("%s: %s", instance->name, later.text);
	return -1;
}

static int thaw(struct instance *instance, struct stillness *still, struct error *err)
{
	if (cgroup_freeze(&still->cgroup, false, FREEZE_TIMEOUT_MS, err) < 0)
		return -1;
	return desired_write(instance->dir, still->desired, err);
}

int instance_still_begin(struct instance *instance, struct stillness *out, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct host *host = instance->host;

	*out = (struct stillness){.running = instance_is_up(instance), .desired = desired_read(instance->dir)};
	if (!out->running)
		return 0;
	if (cgroup_open(&host->cgroups, instance_cgroup_path(&arena, host, instance->name), &out->cgroup, err) < 0)
		return -1;
	out->thaw = !cgroup_is_frozen(&out->cgroup);
	if (!out->thaw || freeze(instance, out, err) == 0)
		return 0;
	cgroup_drop(&out->cgroup);
	return -1;
}

void instance_still_end(struct instance *instance, struct stillness *still)
{
	struct error err;

	if (still->running && still->thaw && thaw(instance, still, &err) < 0)
		log_warn("%s stays paused: %s", instance->name, err.text);
	if (still->running)
		cgroup_drop(&still->cgroup);
}

int instance_hold(struct host *host, const char *name, const struct held_work *work, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct instance_spec spec;
	struct stillness still;
	int result;

	if (instance_take(host, name, &instance, err) < 0 ||
		instance_spec_load(&arena, instance.dir, name, &spec, err) < 0 ||
		instance_still_begin(&instance, &still, err) < 0)
		return -1;
	if (still.running && spec.ephemeral)
		result = fail(err, ERROR_USAGE, "%s is ephemeral: what it writes is not kept; stop it first", name);
	else
		result = work->run(work->context, &spec, err);
	instance_still_end(&instance, &still);
	return result;
}
