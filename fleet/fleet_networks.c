/* Networks a fleet file names: they carry the fleet's name as their owner, and go with it. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/apply.h"

/* The second number of 10.x.0.0/16 from which subnets are taken. 88 is the default network. */
#define SUBNET_FIRST 90
#define SUBNET_LAST 254

static bool subnet_of_ours(struct host *host, const char *fleet, const char *name, struct subnet *out)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct network network;
	struct error ignored;

	if (network_load(&arena, &host->net, name, &network, &ignored) < 0 || !text_equal(network.owner, fleet))
		return false;
	*out = network.subnet;
	return true;
}

/* Only the one who defines it knows all that a subnet can collide with, so the next is tried when one is refused. */
static int define_anywhere(struct host *host, struct network *network, struct error *err)
{
	char text[20];

	for (int number = SUBNET_FIRST; number <= SUBNET_LAST; number++) {
		snprintf(text, sizeof(text), "10.%d.0.0/16", number);
		if (subnet_parse(text, &network->subnet, err) < 0)
			return -1;
		if (network_define(&host->net, network, err) == 0)
			return 0;
		if (err->kind != ERROR_USAGE)
			return -1;
	}
	return blame(err, "network %s: no subnet from 10.%d.0.0/16 to 10.%d.0.0/16 is free; the last", network->name,
		SUBNET_FIRST, SUBNET_LAST);
}

static int network_apply(struct host *host, const char *fleet, const struct network_spec *spec, struct error *err)
{
	struct network network = {.name = spec->name,
		.isolated = spec->isolated,
		.egress = spec->egress,
		.owner = fleet,
		.allow = spec->allow};

	if (spec->subnet && subnet_parse(spec->subnet, &network.subnet, err) < 0)
		return blame(err, "network %s", spec->name);
	if (spec->subnet || subnet_of_ours(host, fleet, spec->name, &network.subnet))
		return network_define(&host->net, &network, err);
	return define_anywhere(host, &network, err);
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
