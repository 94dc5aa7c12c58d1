/* The networks of a fleet file: their keys, and what they must be to each other. Whether the host has room for them is
 * known only to who defines them. */
#include <arpa/inet.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "fleet/file/file_reader.h"
#include "fleet/spec/network_mode.h"

/* --- keys --------------------------------------------------------------------------------------------------------- */

const struct field network_fields[] = {
	STRING("subnet", struct network_spec, subnet, 0),
	STRINGS("subnets", struct network_spec, subnets, 0),
	STRING("subnet6", struct network_spec, subnet6, 0),
	BOOL("isolated", struct network_spec, isolated, 0),
	BOOL("egress", struct network_spec, egress, 0),
	BOOL("metadata", struct network_spec, metadata, 0),
	BOOL("accounting", struct network_spec, accounting, 0),
	BOOL("external", struct network_spec, external, 0),
	STRINGS("allow", struct network_spec, allow, 0),
	STRINGS("links", struct network_spec, links, 0),
	STRINGS("services", struct network_spec, services, 0),
	INTEGER("mtu", struct network_spec, mtu, NETWORK_MTU_MIN, NETWORK_MTU_MAX, 0),
	PAIRS("labels", struct network_spec, labels, 0),
	END_OF_FIELDS,
};

/* "subnet" is the short form of a list of one. */
static int subnets_settle(
	const struct decoder *decoder, const struct json *node, struct network_spec *network, struct error *err)
{
	if (network->subnet && network->subnets.count)
		return decode_fail(
			decoder, json_get(node, "subnets"), err, "\"subnet\" says one already; name all of them here");
	if (network->subnet)
		strings_add(decoder->arena, &network->subnets, network->subnet);
	else if (network->subnets.count)
		network->subnet = network->subnets.items[0];
	return 0;
}

/* An object, or null, which is what Compose writes for "as usual". */
int network_spec_decode(
	const struct decoder *decoder, const struct json *node, struct network_spec *out, struct error *err)
{
	*out = (struct network_spec){.egress = true, .name = arena_string(decoder->arena, node->key)};
	if (node->kind == JSON_NULL)
		return 0;
	if (decode_object(decoder, node, network_fields, out, err) < 0)
		return -1;
	return subnets_settle(decoder, node, out, err);
}

/* Without what nobody said: "subnet", which "subnets" says as well, and a size of packets that is "as usual". */
void network_spec_encode(struct encoder *encoder, const char *key, const struct network_spec *network)
{
	struct field fields[ARRAY_SIZE(network_fields)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(network_fields); i++) {
		const struct field *field = &network_fields[i];
		bool unsaid =
			field->key && ((!strcmp(field->key, "mtu") && !network->mtu) || !strcmp(field->key, "subnet"));

		if (!unsaid)
			fields[count++] = *field;
	}
	encode_object(encoder, key, fields, network);
}

int decode_networks(const struct decoder *decoder, const struct json *node, void *into, struct error *err)
{
	struct file_top *top = into;

	if (decode_tree(decoder, node, &top->networks_node, err) < 0)
		return -1;
	top->networks.items = arena_new_array(decoder->arena, node->count, struct network_spec);
	for (const struct json *item = node->first; item; item = item->next)
		if (network_spec_decode(decoder, item, &top->networks.items[top->networks.count++], err) < 0)
			return -1;
	return 0;
}

/* --- checks ------------------------------------------------------------------------------------------------------- */

bool subnets_overlap(const struct subnet *a, const struct subnet *b)
{
	unsigned prefix = a->prefix < b->prefix ? a->prefix : b->prefix;
	uint32_t mask = prefix ? ~UINT32_C(0) << (32 - prefix) : 0;

	return (ntohl(a->base.s_addr) & mask) == (ntohl(b->base.s_addr) & mask);
}

/* Where subnet number i stands: the item of "subnets", or "subnet". */
static const struct json *subnet_node(const struct json *network, size_t i)
{
	const struct json *list = json_get(network, "subnets"), *item = list ? list->first : NULL;

	while (item && i--)
		item = item->next;
	return item ? item : json_get(network, "subnet");
}

static int fail_with_reason(const struct reader *reader, const struct json *node, const char *key)
{
	struct error reason = *reader->err;

	return json_fail(&reader->doc, node, reader->err, "\"%s\": %s", key, reason.text);
}

/* Against those of one network, up to the one that is being checked. */
static int check_overlap(const struct reader *reader, const struct json *node, const struct subnet *own,
	const char *text, const struct network_spec *network, size_t count)
{
	struct subnet other;

	for (size_t i = 0; i < count; i++)
		if (subnet_parse(network->subnets.items[i], &other, reader->err) == 0 && subnets_overlap(own, &other))
			return json_fail(&reader->doc, node, reader->err,
				"\"subnet\": %s overlaps %s of the network \"%s\"", text, network->subnets.items[i],
				network->name);
	return 0;
}

static int check_subnet(const struct reader *reader, const struct json *network_node, size_t network, size_t i)
{
	const struct network_spec *networks = reader->top.networks.items;
	const char *text = networks[network].subnets.items[i];
	const struct json *node = subnet_node(network_node, i);
	struct subnet own;

	if (subnet_parse(text, &own, reader->err) < 0)
		return fail_with_reason(reader, node, "subnet");
	for (size_t k = 0; k < network; k++)
		if (check_overlap(reader, node, &own, text, &networks[k], networks[k].subnets.count) < 0)
			return -1;
	return check_overlap(reader, node, &own, text, &networks[network], i);
}

static int check_subnets(const struct reader *reader, const struct json *node, size_t network)
{
	const struct strings *subnets = &reader->top.networks.items[network].subnets;

	if (subnets->count > NETWORK_SUBNETS_MAX)
		return json_fail(&reader->doc, json_get(node, "subnets"), reader->err,
			"\"subnets\": %zu; a network has at most %d", subnets->count, NETWORK_SUBNETS_MAX);
	for (size_t i = 0; i < subnets->count; i++)
		if (check_subnet(reader, node, network, i) < 0)
			return -1;
	return 0;
}

static int check_subnet6(const struct reader *reader, const struct json *network_node, size_t network)
{
	const struct network_spec *networks = reader->top.networks.items;
	const struct json *node = json_get(network_node, "subnet6");
	struct subnet6 own, other;

	if (!network_spec_has_subnet6(&networks[network]))
		return 0;
	if (subnet6_parse(networks[network].subnet6, &own, reader->err) < 0)
		return fail_with_reason(reader, node, "subnet6");
	for (size_t i = 0; i < network; i++)
		if (network_spec_has_subnet6(&networks[i]) &&
			subnet6_parse(networks[i].subnet6, &other, reader->err) == 0 && subnet6_overlaps(&own, &other))
			return json_fail(&reader->doc, node, reader->err,
				"\"subnet6\": %s overlaps %s of the network \"%s\"", networks[network].subnet6,
				networks[i].subnet6, networks[i].name);
	return 0;
}

static int check_others(
	const struct reader *reader, const struct json *node, const char *key, const struct network_spec *network)
{
	const struct json *list = json_get(node, key);

	for (const struct json *item = list ? list->first : NULL; item; item = item->next) {
		if (!strcmp(item->text, network->name))
			return json_fail(&reader->doc, item, reader->err,
				"\"%s\": \"%s\" is the network itself; see \"isolated\"", key, item->text);
		if (strcmp(item->text, NETWORK_DEFAULT) && !json_get(reader->top.networks_node, item->text))
			return fail_unknown(reader, item, "network", item->text, reader->top.networks_node,
				"is not one of this file");
	}
	return 0;
}

static int check_services(const struct reader *reader, const struct json *node)
{
	const struct json *list = json_get(node, "services");
	struct host_service service;

	for (const struct json *item = list ? list->first : NULL; item; item = item->next)
		if (host_service_parse(item->text, &service, reader->err) < 0)
			return fail_with_reason(reader, item, "services");
	return 0;
}

static int check_flags(const struct reader *reader, const struct json *node, const struct network_spec *network)
{
	if (network->external && node->count > 1)
		return json_fail(&reader->doc, json_get(node, "external"), reader->err,
			"\"external\": the network \"%s\" is made elsewhere, so nothing else can be said of it here",
			network->name);
	if (network->metadata && !network->egress)
		return json_fail(&reader->doc, json_get(node, "metadata"), reader->err,
			"\"metadata\": that service lies outside; it needs \"egress\"");
	return 0;
}

static int check_declared(const struct reader *reader, const struct json *node, size_t index)
{
	const struct network_spec *network = &reader->top.networks.items[index];

	if (name_check("network", node->key, reader->err) < 0)
		return fail_at_key(reader, node);
	if (network_is_built_in(node->key))
		return json_fail_key(&reader->doc, node, reader->err, "network \"%s\" is built in", node->key);
	if (check_flags(reader, node, network) < 0 || check_subnets(reader, node, index) < 0 ||
		check_subnet6(reader, node, index) < 0 || check_others(reader, node, "allow", network) < 0 ||
		check_others(reader, node, "links", network) < 0)
		return -1;
	return check_services(reader, node);
}

int check_networks(const struct reader *reader)
{
	const struct json *node = reader->top.networks_node ? reader->top.networks_node->first : NULL;

	for (size_t i = 0; node; i++, node = node->next)
		if (check_declared(reader, node, i) < 0)
			return -1;
	return 0;
}
