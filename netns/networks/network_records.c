/* The record of a network: <records>/<name>.json, one file each, replaced whole. */
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "netns/links/slots.h"
#include "netns/networks/networks.h"

#define RECORD_VERSION 1

struct record {
	int version;
	const char *subnet, *subnet6;
	struct strings more, services;
	struct network network;
};

static const struct field record_fields[] = {
	INTEGER("version", struct record, version, 1, RECORD_VERSION, REQUIRED),
	STRING("name", struct record, network.name, REQUIRED),
	INTEGER("number", struct record, network.number, 1, NETWORK_MAX, REQUIRED),
	STRING("subnet", struct record, subnet, REQUIRED),
	BOOL("isolated", struct record, network.isolated, REQUIRED),
	BOOL("egress", struct record, network.egress, REQUIRED),
	STRINGS("further_subnets", struct record, more, 0),
	STRING("subnet6", struct record, subnet6, 0),
	BOOL("ipv4_only", struct record, network.ipv4_only, 0),
	BOOL("metadata", struct record, network.metadata, 0),
	BOOL("accounting", struct record, network.accounting, 0),
	STRING("owner", struct record, network.owner, 0),
	STRINGS("allow", struct record, network.allow, 0),
	STRINGS("links", struct record, network.links, 0),
	STRINGS("services", struct record, services, 0),
	INTEGER("mtu", struct record, network.mtu, 0, NETWORK_MTU_MAX, 0),
	PAIRS("labels", struct record, network.labels, 0),
	END_OF_FIELDS,
};

/* Values that the record has as text. */
static int record_values(struct arena *arena, struct record *record, struct error *err)
{
	struct network *network = &record->network;

	if (subnet_parse(record->subnet, &network->subnet, err) < 0 ||
		(record->subnet6 && subnet6_parse(record->subnet6, &network->subnet6, err) < 0))
		return -1;
	if (record->more.count >= NETWORK_SUBNETS_MAX)
		return fail(err, ERROR_SYSTEM, "has %zu further subnets", record->more.count);
	network->more.items = arena_new_array(arena, record->more.count, struct subnet);
	for (size_t i = 0; i < record->more.count; i++)
		if (subnet_parse(record->more.items[i], &network->more.items[network->more.count++], err) < 0)
			return -1;
	network->services.items = arena_new_array(arena, record->services.count, struct host_service);
	for (size_t i = 0; i < record->services.count; i++)
		if (host_service_parse(
			    record->services.items[i], &network->services.items[network->services.count++], err) < 0)
			return -1;
	return 0;
}

static int record_read(
	struct arena *arena, const struct net_state *state, const char *name, struct network *out, struct error *err)
{
	const char *file = arena_format(arena, "%s" NETWORK_RECORD_SUFFIX, name);
	struct record record = {.network.owner = ""};
	struct json_doc doc;

	if (json_read(arena, state->records, file, JSON_PLAIN, &doc, err) < 0)
		return -1;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};
	if (decode_object(&decoder, doc.root, record_fields, &record, err) < 0)
		return -1;
	if (!text_equal(record.network.name, name))
		return fail(err, ERROR_SYSTEM, "%s: is the record of network \"%s\"", file, record.network.name);
	if (record_values(arena, &record, err) < 0)
		return blame(err, "%s", file);
	*out = record.network;
	return 0;
}

int network_load(
	struct arena *arena, const struct net_state *state, const char *name, struct network *out, struct error *err)
{
	if (name_check("network", name, err) < 0)
		return -1;
	if (record_read(arena, state, name, out, err) == 0)
		return 0;
	if (err->kind == ERROR_MISSING)
		return fail(err, ERROR_MISSING, "no network \"%s\"", name);
	return blame(err, "network %s", name);
}

static bool record_name(struct arena *arena, const char *file, const char **name)
{
	struct error ignored = {0};

	if (file[0] == '.' || !text_ends_with(file, NETWORK_RECORD_SUFFIX))
		return false;
	*name = arena_bytes(arena, file, strlen(file) - strlen(NETWORK_RECORD_SUFFIX));
	return name_check("network", *name, &ignored) == 0;
}

int network_load_all(struct arena *arena, const struct net_state *state, struct network_list *out, struct error *err)
{
	struct strings files = {0};
	const char *name;

	if (dir_list(arena, state->records, 4 * NETWORK_MAX, &files, err) < 0)
		return blame(err, "list the networks");
	out->items = arena_new_array(arena, files.count + 1, struct network); /* + 1: room for one being defined */
	out->count = 0;
	for (size_t i = 0; i < files.count; i++) {
		if (!record_name(arena, files.items[i], &name))
			continue;
		if (record_read(arena, state, name, &out->items[out->count], err) == 0)
			out->count++;
		else if (err->kind != ERROR_MISSING)
			return blame(err, "network %s", name);
	}
	return 0;
}

static void encode_subnets(struct encoder *encoder, const struct network *network)
{
	char subnet[SUBNET6_TEXT_SIZE];

	encode_string(encoder, "subnet", subnet_format(&network->subnet, subnet));
	if (network->subnet6.prefix)
		encode_string(encoder, "subnet6", subnet6_format(&network->subnet6, subnet));
	if (network->ipv4_only)
		encode_bool(encoder, "ipv4_only", true);
	if (!network->more.count)
		return;
	encode_array_begin(encoder, "further_subnets");
	for (size_t i = 0; i < network->more.count; i++)
		encode_string(encoder, NULL, subnet_format(&network->more.items[i], subnet));
	encode_array_end(encoder);
}

static void encode_services(struct encoder *encoder, const struct network *network)
{
	char service[16];

	encode_array_begin(encoder, "services");
	for (size_t i = 0; i < network->services.count; i++)
		encode_string(encoder, NULL, host_service_format(&network->services.items[i], service));
	encode_array_end(encoder);
}

void network_encode(struct encoder *encoder, const struct network *network)
{
	encode_bool(encoder, "isolated", network->isolated);
	encode_bool(encoder, "egress", network->egress);
	encode_bool(encoder, "metadata", network->metadata);
	encode_bool(encoder, "accounting", network->accounting);
	encode_strings(encoder, "allow", &network->allow);
	encode_strings(encoder, "links", &network->links);
	encode_services(encoder, network);
	if (network->mtu)
		encode_integer(encoder, "mtu", network->mtu);
	encode_pairs(encoder, "labels", &network->labels);
}

int network_record_write(const struct net_state *state, const struct network *network, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	auto_free char *file = text_format("%s" NETWORK_RECORD_SUFFIX, network->name);
	size_t length;

	encode_object_begin(encoder, NULL);
	encode_integer(encoder, "version", RECORD_VERSION);
	encode_string(encoder, "name", network->name);
	encode_integer(encoder, "number", network->number);
	encode_subnets(encoder, network);
	encode_string(encoder, "owner", network->owner);
	network_encode(encoder, network);
	encode_object_end(encoder);
	auto_free char *text = encoder_take(encoder, &length);
	return file_replace(state->records, file, 0644, FILE_DURABLE, text, length, err);
}
