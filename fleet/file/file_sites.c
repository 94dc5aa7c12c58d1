/* What a fleet file says of sites and front servers together: whose a host name is, and whether every front server can
 * reach every site. Also what waits for health that never comes. */
#include <stdlib.h>
#include <string.h>

#include "fleet/file/file_reader.h"
#include "fleet/fleet.h"

/* --- host names --------------------------------------------------------------------------------------------------- */

struct site_name {
	const char *name;
	size_t instance, index;
};

static int compare_names(const void *a, const void *b)
{
	const struct site_name *one = a, *other = b;
	int order = strcasecmp(one->name, other->name);

	return order ? order : (one->instance > other->instance) - (one->instance < other->instance);
}

/* Replicas of one entry may share a name: then each of them serves a part of its visitors. */
static int check_site_names(const struct reader *reader)
{
	const struct instance_spec *items = reader->file->instances.items;
	size_t total = 0, count = 0;

	for (size_t i = 0; i < reader->file->instances.count; i++)
		total += items[i].hosts.count;
	struct site_name *names = arena_new_array(reader->arena, total, struct site_name);
	for (size_t i = 0; i < reader->file->instances.count; i++)
		for (size_t k = 0; k < items[i].hosts.count; k++)
			names[count++] = (struct site_name){items[i].hosts.items[k], i, k};
	qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 1; i < count; i++) {
		const struct site_name *one = &names[i - 1], *other = &names[i];

		if (!strcasecmp(one->name, other->name) &&
			strcmp(items[one->instance].base_name, items[other->instance].base_name) != 0)
			return json_fail(&reader->doc, item_at(reader, other->instance, "hosts", other->index),
				reader->err, "\"hosts\": \"%s\" is a host name of %s already", other->name,
				items[one->instance].name);
	}
	return 0;
}

/* --- who reaches whom --------------------------------------------------------------------------------------------- */

/* The site's network lets the front's in, or is the same and open inside; the host reaches all of them. */
static bool front_sees(const struct reader *reader, const char *front, const char *site)
{
	const struct network_spec *network = network_find(reader, site);

	if (!strcmp(front, "host"))
		return true;
	if (!strcmp(front, site))
		return network && !network->isolated;
	return network && strings_contain(&network->allow, front);
}

static bool has_own_address(const struct reader *reader, const char *network)
{
	return !strcmp(network, NETWORK_DEFAULT) || network_find(reader, network);
}

static int check_site(const struct reader *reader, size_t instance, const struct instance_spec *front)
{
	const struct instance_spec *site = &reader->file->instances.items[instance];
	const struct json *node = item_at(reader, instance, "hosts", NO_INDEX);

	if (!has_own_address(reader, site->network))
		return json_fail(&reader->doc, node, reader->err,
			"\"hosts\": with the network \"%s\" the site has no address for the front servers",
			site->network);
	if (front && !front_sees(reader, front->network, site->network))
		return json_fail(&reader->doc, node, reader->err,
			"\"hosts\": the front server %s in the network \"%s\" does not reach the network \"%s\": use "
			"one network of this file for both, or \"allow\"",
			front->name, front->network, site->network);
	return 0;
}

static int check_reach(const struct reader *reader)
{
	const struct instance_spec *items = reader->file->instances.items, *front = NULL;

	for (size_t i = 0; i < reader->file->instances.count; i++) {
		/* Replicas are in one network. */
		if (!items[i].front || (front && !strcmp(front->base_name, items[i].base_name)))
			continue;
		front = &items[i];
		for (size_t k = 0; k < reader->file->instances.count; k++)
			if (items[k].hosts.count && strcmp(items[k].base_name, front->base_name) != 0 &&
				check_site(reader, k, front) < 0)
				return -1;
	}
	for (size_t i = 0; !front && i < reader->file->instances.count; i++)
		if (items[i].hosts.count && check_site(reader, i, NULL) < 0)
			return -1;
	return 0;
}

/* --- health ------------------------------------------------------------------------------------------------------- */

static const struct instance_spec *entry_find(const struct reader *reader, const char *base)
{
	for (size_t i = 0; i < reader->file->instances.count; i++)
		if (!strcmp(reader->file->instances.items[i].base_name, base))
			return &reader->file->instances.items[i];
	return NULL;
}

/* An image may have a check of its own; a directory and the host's own /usr have none. */
static bool can_be_healthy(const struct instance_spec *spec)
{
	return instance_has_check(spec, NULL) ||
	       (spec->image && strcmp(spec->image, IMAGE_HOST) != 0 && !spec->health.disable);
}

static int check_waits(const struct reader *reader)
{
	for (size_t i = 0; i < reader->file->instances.count; i++) {
		const struct instance_spec *spec = &reader->file->instances.items[i];

		for (size_t k = 0; k < spec->depends_on.count && spec->index <= 1; k++) {
			const struct dependency *on = &spec->depends_on.items[k];
			const struct instance_spec *other =
				!strcmp(on->condition, "healthy") ? entry_find(reader, on->name) : NULL;

			if (other && !can_be_healthy(other))
				return json_fail(&reader->doc, item_at(reader, i, "depends_on", k), reader->err,
					"\"depends_on\": %s has no \"healthcheck\", so it never becomes healthy",
					on->name);
		}
	}
	return 0;
}

int check_sites(const struct reader *reader)
{
	if (check_site_names(reader) < 0 || check_reach(reader) < 0)
		return -1;
	return check_waits(reader);
}
