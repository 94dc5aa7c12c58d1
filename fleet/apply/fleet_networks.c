/* Networks a fleet file names: they carry the fleet's name as their owner, and go with it. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/apply/apply.h"

/* The second number of 10.x.0.0/16 from which subnets are taken. 88 is the default network. */
#define SUBNET_FIRST 90
#define SUBNET_LAST 254

/* The one that is there, when it is the fleet's. */
static bool network_of_ours(
	struct arena *arena, struct host *host, const char *fleet, const char *name, struct network *out)
{
	struct error ignored;

	return network_load(arena, &host->net, name, out, &ignored) == 0 && text_equal(out->owner, fleet);
}

/* The next is tried when one is taken, perhaps by somebody who was faster; whatever else is refused would be so with
 * all of them. */
static int define_anywhere(struct host *host, struct network *network, struct error *err)
{
	struct error taken = {0};
	char text[20];

	for (int number = SUBNET_FIRST; number <= SUBNET_LAST; number++) {
		snprintf(text, sizeof(text), "10.%d.0.0/16", number);
		if (subnet_parse(text, &network->subnet, err) < 0)
			return -1;
		if (network_define(&host->net, network, err) == 0)
			return 0;
		if (err->kind != ERROR_USAGE || subnet_is_free(&host->net, &network->subnet, &taken) != 0)
			return -1;
	}
	return blame(err, "network %s: no subnet from 10.%d.0.0/16 to 10.%d.0.0/16 is free; the last", network->name,
		SUBNET_FIRST, SUBNET_LAST);
}

static int subnets_fill(
	struct arena *arena, const struct network_spec *spec, struct network *network, struct error *err)
{
	if (subnet_parse(spec->subnets.items[0], &network->subnet, err) < 0)
		return -1;
	network->more.items = arena_new_array(arena, spec->subnets.count, struct subnet);
	for (size_t i = 1; i < spec->subnets.count; i++)
		if (subnet_parse(spec->subnets.items[i], &network->more.items[network->more.count++], err) < 0)
			return -1;
	return 0;
}

static int subnet6_fill(const struct network_spec *spec, struct network *network, struct error *err)
{
	network->ipv4_only = spec->subnet6 && !network_spec_has_subnet6(spec);
	return network_spec_has_subnet6(spec) ? subnet6_parse(spec->subnet6, &network->subnet6, err) : 0;
}

static int services_fill(
	struct arena *arena, const struct network_spec *spec, struct network *network, struct error *err)
{
	network->services.items = arena_new_array(arena, spec->services.count, struct host_service);
	for (size_t i = 0; i < spec->services.count; i++)
		if (host_service_parse(
			    spec->services.items[i], &network->services.items[network->services.count++], err) < 0)
			return -1;
	return 0;
}

static void subnets_keep(const struct network *old, struct network *network)
{
	network->subnet = old->subnet;
	network->more.items = old->more.items;
	network->more.count = old->more.count;
}

/* Its subnet stays open where the specification names none. */
static int network_of_spec(
	struct arena *arena, const struct network_spec *spec, const char *owner, struct network *out, struct error *err)
{
	*out = (struct network){.name = spec->name,
		.isolated = spec->isolated,
		.egress = spec->egress,
		.metadata = spec->metadata,
		.accounting = spec->accounting,
		.owner = owner,
		.allow = spec->allow,
		.links = spec->links,
		.mtu = spec->mtu,
		.labels = spec->labels};
	if ((spec->subnets.count && subnets_fill(arena, spec, out, err) < 0) || subnet6_fill(spec, out, err) < 0 ||
		services_fill(arena, spec, out, err) < 0)
		return blame(err, "network %s", spec->name);
	return 0;
}

int network_spec_define(struct host *host, const struct network_spec *spec, const char *owner, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct network old, network;

	if (network_of_spec(&arena, spec, owner, &network, err) < 0)
		return -1;
	if (spec->subnets.count)
		return network_define(&host->net, &network, err);
	if (!network_of_ours(&arena, host, owner, spec->name, &old))
		return define_anywhere(host, &network, err);
	subnets_keep(&old, &network);
	return network_define(&host->net, &network, err);
}

static int fail_not_there(const struct network_spec *spec, struct error *err)
{
	return fail(err, ERROR_MISSING, "the external network \"%s\" is not there; warren network create %s makes it",
		spec->name, spec->name);
}

/* One that somebody else made must be there. */
static int network_apply(struct host *host, const char *fleet, const struct network_spec *spec, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct network found;

	if (!spec->external)
		return network_spec_define(host, spec, fleet, err);
	if (network_load(&arena, &host->net, spec->name, &found, err) == 0)
		return 0;
	return err->kind == ERROR_MISSING ? fail_not_there(spec, err) : -1;
}

int fleet_networks_define(struct host *host, const struct fleet_file *file, struct error *err)
{
	for (size_t i = 0; i < file->networks.count; i++)
		if (network_apply(host, file->name, &file->networks.items[i], err) < 0)
			return -1;
	return 0;
}

static bool file_names(const struct fleet_file *file, const char *network)
{
	for (size_t i = 0; file && i < file->networks.count; i++)
		if (!strcmp(file->networks.items[i].name, network))
			return true;
	return false;
}

/* --- before anything is touched ----------------------------------------------------------------------------------- */

/* One that only moves away is in it until the next network is there. */
static bool somebody_stays(const struct plan *plan, const char *network)
{
	for (size_t i = plan->leaving; i < plan->count; i++)
		if (plan->items[i].actual && text_equal(plan->items[i].actual->network, network))
			return true;
	return false;
}

/* Without those of the fleet that go before any comes. */
static void networks_leave(struct network_list *list, const struct fleet_file *file, const struct plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		if (!text_equal(list->items[i].owner, file->name) || file_names(file, list->items[i].name) ||
			somebody_stays(plan, list->items[i].name))
			list->items[kept++] = list->items[i];
	list->count = kept;
}

static int network_spec_admit(struct arena *arena, const struct network_list *beside, const struct fleet_file *file,
	const struct network_spec *spec, bool in_use, struct error *err)
{
	const struct network *old = network_list_find(beside, spec->name);
	struct network network;

	if (spec->external)
		return old ? 0 : fail_not_there(spec, err);
	if (network_of_spec(arena, spec, file->name, &network, err) < 0)
		return -1;
	if (!spec->subnets.count && old)
		subnets_keep(old, &network);
	return network_admit(beside, &network, in_use, err);
}

int fleet_networks_admit(const struct steps *steps, const struct fleet_file *file, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct net_state *state = &steps->host->net;
	struct network_list beside = {0};

	if (state->records >= 0 && network_load_all(&arena, state, &beside, err) < 0)
		return -1;
	if (!steps->options->no_prune)
		networks_leave(&beside, file, &steps->plan);
	for (size_t i = 0; i < file->networks.count; i++) {
		const struct network_spec *spec = &file->networks.items[i];

		if (network_spec_admit(&arena, &beside, file, spec, somebody_stays(&steps->plan, spec->name), err) < 0)
			return -1;
	}
	return 0;
}

/* --- after -------------------------------------------------------------------------------------------------------- */

int fleet_networks_forget(struct host *host, const char *fleet, const struct fleet_file *file, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct network_list list;
	struct error later;
	int result = 0;

	if (network_load_all(&arena, &host->net, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++) {
		if (!text_equal(list.items[i].owner, fleet) || file_names(file, list.items[i].name))
			continue;
		if (network_undefine(&host->net, list.items[i].name, result ? &later : err) < 0)
			result = -1;
	}
	return result;
}
