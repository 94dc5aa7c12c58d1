/* Nothing of the fleet stays but its volumes, whoever made it and however far they came. */
#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/apply/apply.h"

/* Instances or networks that carry its name, though its directory is not there. */
static bool fleet_has_leftovers(struct arena *arena, struct host *host, const char *name)
{
	struct instance_list instances;
	struct network_list networks;
	struct error ignored;

	if (instance_list_read(arena, host, &instances, &ignored) == 0)
		for (size_t i = 0; i < instances.count; i++)
			if (instances.items[i].spec && text_equal(instances.items[i].spec->fleet, name))
				return true;
	if (network_load_all(arena, &host->net, &networks, &ignored) == 0)
		for (size_t i = 0; i < networks.count; i++)
			if (text_equal(networks.items[i].owner, name))
				return true;
	return false;
}

static int fleet_down_locked(struct arena *arena, struct steps *steps, const char *name, int dir, struct error *err)
{
	struct generation last;

	generation_read(arena, dir, &last);
	if (steps_plan(steps, name, NULL, &last, err) < 0)
		return -1;
	steps_remove_leaving(steps);
	if (steps_result(steps, err) < 0 || fleet_networks_forget(steps->host, name, NULL, err) < 0)
		return -1;
	if (tree_remove(steps->host->fleets, name, err) < 0)
		return -1;
	return net_host_down_if_unused(&steps->host->net, err);
}

int fleet_down(struct host *host, const char *name, const struct apply_options *options, struct error *err)
{
	AUTO(arena_drop) struct arena own = {0};
	struct arena *arena = host->caller_arena ? host->caller_arena : &own;
	struct apply_options all = options ? *options : (struct apply_options){0};
	struct steps steps;

	/* What a killed apply left half made has addresses of the fleet's networks. */
	host_clean(host);
	all.no_prune = false;
	auto_fd dir = fleet_lock(host, name, false, err);
	if (dir < 0 && err->kind == ERROR_MISSING && fleet_has_leftovers(arena, host, name))
		dir = fleet_lock(host, name, true, err);
	if (dir < 0)
		return -1;
	steps_init(&steps, arena, host, &all);
	if (fleet_down_locked(arena, &steps, name, dir, err) < 0)
		return blame(err, "down %s", name);
	event_write(host, &(struct event){.kind = EVENT_DOWN, .name = name, .fleet = name});
	return 0;
}
