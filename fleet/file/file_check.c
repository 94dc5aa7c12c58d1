/* What the parts of a fleet file must be to each other: each checked with the place in the file at hand. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/file/file_reader.h"
#include "fleet/spec/network_mode.h"

/* --- what spans instances ----------------------------------------------------------------------------------------- */

const struct json *item_at(const struct reader *reader, size_t instance, const char *key, size_t index)
{
	const char *ignored;
	const struct spec_fault fault = {key, NULL, index};
	const struct json *node = fault_node(reader->places[instance].merged, &fault, &ignored);

	return node ? node : reader->places[instance].entry;
}

static int compare_named(const void *a, const void *b)
{
	const struct instance_spec *one = *(const struct instance_spec *const *)a;
	const struct instance_spec *other = *(const struct instance_spec *const *)b;
	int order = strcmp(one->name, other->name);

	return order ? order : (one > other) - (one < other);
}

/* "site-1" beside "site" with replicas. */
static int check_names(const struct reader *reader)
{
	const struct instance_spec *items = reader->file->instances.items;
	size_t count = reader->file->instances.count;
	const struct instance_spec **sorted = arena_new_array(reader->arena, count, const struct instance_spec *);

	for (size_t i = 0; i < count; i++)
		sorted[i] = &items[i];
	qsort(sorted, count, sizeof(*sorted), compare_named);
	for (size_t i = 1; i < count; i++)
		if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
			return json_fail_key(&reader->doc, reader->places[sorted[i] - items].entry, reader->err,
				"instance \"%s\" is also a replica of \"%s\"", sorted[i]->name,
				sorted[i]->index ? sorted[i]->base_name : sorted[i - 1]->base_name);
	return 0;
}

const struct network_spec *network_find(const struct reader *reader, const char *name)
{
	for (size_t i = 0; i < reader->top.networks.count; i++)
		if (!strcmp(reader->top.networks.items[i].name, name))
			return &reader->top.networks.items[i];
	return NULL;
}

static int check_address_of(const struct reader *reader, size_t instance, const struct network_spec *network)
{
	static const char *const default_subnets[] = {NETWORK_DEFAULT_SUBNET};
	const struct instance_spec *spec = &reader->file->instances.items[instance];
	const char *const *subnets = network ? network->subnets.items : default_subnets;
	size_t count = network ? network->subnets.count : 1;

	if (!spec->address.s_addr || !count)
		return 0;
	for (size_t i = 0; i < count; i++) {
		struct subnet subnet;

		if (subnet_parse(subnets[i], &subnet, reader->err) < 0)
			return -1;
		if (subnet_usable(&subnet, spec->address))
			return 0;
		if (subnets_overlap(&subnet, &(struct subnet){.base = spec->address, .prefix = 32}))
			return json_fail(&reader->doc, item_at(reader, instance, "address", NO_INDEX), reader->err,
				"\"address\": the first and the last of %s are no instance's", subnets[i]);
	}
	return json_fail(&reader->doc, item_at(reader, instance, "address", NO_INDEX), reader->err,
		"\"address\": not inside %s%s of the network \"%s\"", subnets[0],
		count > 1 ? " or a further subnet" : "", spec->network);
}

/* Whether one that the host chooses has the address only the host can tell. */
static int check_address6_of(const struct reader *reader, size_t instance, const struct network_spec *network)
{
	const struct instance_spec *spec = &reader->file->instances.items[instance];
	const struct json *node = item_at(reader, instance, "address6", NO_INDEX);
	struct subnet6 subnet;

	if (IN6_IS_ADDR_UNSPECIFIED(&spec->address6) || !network || !network->subnet6)
		return 0;
	if (!network_spec_has_subnet6(network))
		return json_fail(
			&reader->doc, node, reader->err, "\"address6\": the network \"%s\" has no IPv6", network->name);
	if (subnet6_parse(network->subnet6, &subnet, reader->err) < 0)
		return -1;
	if (!subnet6_has(&subnet, &spec->address6))
		return json_fail(&reader->doc, node, reader->err, "\"address6\": not inside %s of the network \"%s\"",
			network->subnet6, network->name);
	if (!subnet6_usable(&subnet, &spec->address6))
		return json_fail(&reader->doc, node, reader->err,
			"\"address6\": not one for instances in %s: its last 24 bits are free, and not all of them 0",
			network->subnet6);
	return 0;
}

static const struct instance_spec *instance_find(const struct reader *reader, const char *name)
{
	for (size_t i = 0; i < reader->file->instances.count; i++)
		if (!strcmp(reader->file->instances.items[i].name, name))
			return &reader->file->instances.items[i];
	return NULL;
}

/* Who shares the network of another starts after it, whether the file says so or not. */
static int check_shared(const struct reader *reader, size_t instance, const char *name)
{
	struct instance_spec *spec = &reader->file->instances.items[instance];
	const struct instance_spec *owner = instance_find(reader, name);
	struct dependency *items;

	if (!owner)
		return fail_unknown(reader, item_at(reader, instance, "network", NO_INDEX), "\"network\": the instance",
			name, reader->top.instances, "is not one of this file");
	for (size_t i = 0; i < spec->depends_on.count; i++)
		if (!strcmp(spec->depends_on.items[i].name, owner->base_name))
			return 0;
	items = arena_new_array(reader->arena, spec->depends_on.count + 1, struct dependency);
	if (spec->depends_on.count)
		memcpy(items, spec->depends_on.items, spec->depends_on.count * sizeof(*items));
	items[spec->depends_on.count++] = (struct dependency){owner->base_name, "started"};
	spec->depends_on.items = items;
	return 0;
}

static int check_network_of(const struct reader *reader, size_t instance)
{
	const struct instance_spec *spec = &reader->file->instances.items[instance];
	const struct network_spec *network = network_find(reader, spec->network);
	struct network_mode mode = network_mode(spec->network);

	if (mode.kind == NETWORK_SHARED)
		return check_shared(reader, instance, mode.of);
	if (mode.kind != NETWORK_ROUTED)
		return 0;
	if (!network && !network_is_built_in(spec->network))
		return fail_unknown(reader, item_at(reader, instance, "network", NO_INDEX),
			"\"network\":", spec->network, reader->top.networks_node, "is not one of this file");
	if (check_address_of(reader, instance, network) < 0)
		return -1;
	return check_address6_of(reader, instance, network);
}

static int check_volumes_of(const struct reader *reader, size_t instance)
{
	const struct instance_spec *spec = &reader->file->instances.items[instance];

	for (size_t i = 0; i < spec->volumes.count; i++)
		if (spec->volumes.items[i].type == VOLUME_NAMED &&
			!strings_contain(&reader->top.volumes, spec->volumes.items[i].source))
			return fail_unknown(reader, item_at(reader, instance, "volumes", i),
				"\"volumes\":", spec->volumes.items[i].source, json_get(reader->doc.root, "volumes"),
				"is not declared under \"volumes\" at the top");
	return 0;
}

static int check_dependencies_of(const struct reader *reader, size_t instance)
{
	const struct instance_spec *spec = &reader->file->instances.items[instance];

	for (size_t i = 0; i < spec->depends_on.count; i++)
		if (!json_get(reader->top.instances, spec->depends_on.items[i].name))
			return fail_unknown(reader, item_at(reader, instance, "depends_on", i),
				"\"depends_on\":", spec->depends_on.items[i].name, reader->top.instances,
				"is not an instance of this file");
	return 0;
}

/* Replicas say the same but for ${index}, so what names something is looked up once for each entry that differs in
 * nothing but its number. */
static int check_references(const struct reader *reader)
{
	for (size_t i = 0; i < reader->file->instances.count; i++) {
		bool same = i && reader->places[i].entry == reader->places[i - 1].entry &&
			    reader->places[i].merged == reader->places[i - 1].merged &&
			    !network_is_joined(reader->file->instances.items[i].network);

		if (same)
			continue;
		if (check_network_of(reader, i) < 0 || check_volumes_of(reader, i) < 0 ||
			check_dependencies_of(reader, i) < 0)
			return -1;
	}
	return 0;
}

struct claim {
	struct port *port;
	size_t instance, index;
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *one = a, *other = b;
	int order = (one->port->published > other->port->published) - (one->port->published < other->port->published);

	if (!order)
		order = (one->port->protocol > other->port->protocol) - (one->port->protocol < other->port->protocol);
	if (!order)
		order = (one->instance > other->instance) - (one->instance < other->instance);
	return order ? order : (one->index > other->index) - (one->index < other->index);
}

/* Replicas of one entry that publish the same port share it, in turn when it does not say how; so do those of several
 * entries that both say so. */
static bool claims_share(const struct instance_spec *items, const struct claim *a, const struct claim *b)
{
	struct port *ports[] = {a->port, b->port};
	const struct instance_spec *one = &items[a->instance], *other = &items[b->instance];
	bool replicas = one->index && other->index && text_equal(one->base_name, other->base_name);
	enum port_balance balance = a->port->balance ? a->port->balance : b->port->balance;

	if (!ip_equal(&a->port->host_ip, &b->port->host_ip) || a->port->following || b->port->following)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		if (ports[i]->mode != PORT_NAT || (ports[i]->balance == PORT_ALONE && !replicas))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		if (ports[i]->balance == PORT_ALONE)
			ports[i]->balance = balance ? balance : PORT_BALANCED;
		if (balance && ports[i]->balance != balance)
			return false;
	}
	return true;
}

static bool claims_collide(const struct instance_spec *items, const struct claim *a, const struct claim *b)
{
	return ports_collide(a->port, b->port) && !claims_share(items, a, b);
}

/* How far before a port a range may begin that reaches it. */
static unsigned longest_range(const struct claim *claims, size_t count)
{
	unsigned longest = 0;

	for (size_t i = 0; i < count; i++)
		if (claims[i].port->following > longest)
			longest = claims[i].port->following;
	return longest;
}

static int fail_claimed(const struct reader *reader, const struct claim *claim, const struct claim *by)
{
	char buffer[PORT_TEXT_SIZE];

	return json_fail(&reader->doc, item_at(reader, claim->instance, "ports", claim->index), reader->err,
		"\"ports\": %s of %s: port %u is published by %s already", port_format(claim->port, buffer),
		reader->file->instances.items[claim->instance].name, claim->port->published,
		reader->file->instances.items[by->instance].name);
}

static int check_published(const struct reader *reader)
{
	const struct instance_spec *items = reader->file->instances.items;
	size_t total = 0, count = 0;

	for (size_t i = 0; i < reader->file->instances.count; i++)
		total += items[i].ports.count;
	struct claim *claims = arena_new_array(reader->arena, total, struct claim);
	for (size_t i = 0; i < reader->file->instances.count; i++)
		for (size_t j = 0; j < items[i].ports.count; j++)
			if (items[i].ports.items[j].published)
				claims[count++] = (struct claim){&items[i].ports.items[j], i, j};
	qsort(claims, count, sizeof(*claims), compare_claims);
	unsigned longest = longest_range(claims, count);
	for (size_t i = 1; i < count; i++)
		for (size_t j = i; j-- > 0 && claims[j].port->published + longest >= claims[i].port->published;)
			if (claims_collide(items, &claims[i], &claims[j]))
				return fail_claimed(reader, &claims[i], &claims[j]);
	return 0;
}

static int check_addresses(const struct reader *reader)
{
	const struct instance_spec *items = reader->file->instances.items;

	for (size_t i = 0; i < reader->file->instances.count; i++) {
		bool has4 = items[i].address.s_addr, has6 = !IN6_IS_ADDR_UNSPECIFIED(&items[i].address6);

		for (size_t j = 0; (has4 || has6) && j < i; j++) {
			bool same = has4 && items[j].address.s_addr == items[i].address.s_addr;
			const char *key = same ? "address" : "address6";

			if (same || (has6 && IN6_ARE_ADDR_EQUAL(&items[j].address6, &items[i].address6)))
				return json_fail(&reader->doc, item_at(reader, i, key, NO_INDEX), reader->err,
					"\"%s\": %s has it already", key, items[j].name);
		}
	}
	return 0;
}

int check_across(const struct reader *reader)
{
	if (check_names(reader) < 0 || check_references(reader) < 0 || check_published(reader) < 0)
		return -1;
	return check_addresses(reader) < 0 ? -1 : check_sites(reader);
}

/* --- warnings ----------------------------------------------------------------------------------------------------- */

static void warn_at(struct reader *reader, size_t instance, const char *key, const char *text)
{
	struct error line;

	json_fail(&reader->doc, item_at(reader, instance, key, NO_INDEX), &line, "\"%s\": %s", key, text);
	if (!strings_contain(&reader->file->warnings, line.text))
		strings_add(reader->arena, &reader->file->warnings, arena_string(reader->arena, line.text));
}

void warnings_collect(struct reader *reader)
{
	for (size_t i = 0; i < reader->file->instances.count; i++) {
		const struct instance_spec *spec = &reader->file->instances.items[i];

		if (spec->resources.memory_high_bytes.set && spec->resources.swap_bytes.set &&
			!spec->resources.swap_bytes.value)
			warn_at(reader, i, "resources",
				"\"memory_high\" without swap: above it the instance is slowed down until it stands "
				"still");
		if (!strcmp(spec->seccomp, "unconfined"))
			warn_at(reader, i, "security",
				"without the filter every system call of the host's kernel can be tried");
	}
}
