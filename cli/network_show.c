/* `warren network list` and `inspect`: what is there, who uses it, what is left of it. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "cli/network.h"
#include "cli/table.h"

/* --- list --------------------------------------------------------------------------------------------------------- */

enum { NAME, SUBNET, SUBNET6, FLAGS, INSTANCES, FLEET };

static const struct column network_columns[] = {
	[NAME] = {.title = "NAME", .key = "name"},
	[SUBNET] = {.title = "SUBNET", .key = "subnet"},
	[SUBNET6] = {.title = "SUBNET6", .key = "subnet6", .drop = 1},
	[FLAGS] = {.title = "FLAGS", .key = "flags", .drop = 2},
	[INSTANCES] = {.title = "INSTANCES", .key = "instances", .kind = COLUMN_NUMBER, .drop = 3},
	[FLEET] = {.title = "FLEET", .key = "fleet", .drop = 4},
};

struct list_options {
	struct table_options table;
};
static const struct option list_table[] = {TABLE_OPTIONS(struct list_options, table), END_OF_OPTIONS};

static const char *subnets_text(struct arena *arena, const struct network *network)
{
	const char *text = "";
	char buffer[20];

	for (size_t i = 0; i < network_subnet_count(network); i++)
		text = arena_format(
			arena, "%s%s%s", text, i ? ", " : "", subnet_format(network_subnet(network, i), buffer));
	return text;
}

static const char *subnet6_text(struct arena *arena, const struct network *network)
{
	char buffer[SUBNET6_TEXT_SIZE];

	return network->subnet6.prefix ? arena_string(arena, subnet6_format(&network->subnet6, buffer)) : NULL;
}

static const char *flags_text(struct arena *arena, const struct network *network)
{
	const struct {
		bool set;
		const char *word;
	} flags[] = {{network->isolated, "isolated"}, {!network->egress, "internal"}, {network->metadata, "metadata"},
		{network->accounting, "accounting"}};
	const char *text = "";

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].set)
			text = arena_format(arena, "%s%s%s", text, *text ? ", " : "", flags[i].word);
	return text;
}

static int list_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct list_options *chosen = options;
	struct network_use_list list;
	struct table table;

	(void)count, (void)operands;
	if (cli_open(cli, err) < 0 || host_networks(&cli->host, &cli->arena, &list, err) < 0)
		return -1;
	table_init(&table, &cli->arena, network_columns, ARRAY_SIZE(network_columns));
	for (size_t i = 0; i < list.count; i++) {
		const struct network_use *use = &list.items[i];
		struct cell *row = table_row(&table);

		row[NAME].text = use->network.name;
		row[SUBNET].text = subnets_text(&cli->arena, &use->network);
		row[SUBNET6].text = subnet6_text(&cli->arena, &use->network);
		row[FLAGS].text = flags_text(&cli->arena, &use->network);
		row[INSTANCES].text = arena_format(&cli->arena, "%zu", use->instances.count);
		if (!text_is_empty(use->network.owner))
			row[FLEET].text = use->network.owner;
	}
	return table_print(&table, &chosen->table, stdout, err);
}

/* --- inspect ------------------------------------------------------------------------------------------------------ */

struct inspect_options {
	bool json;
};
static const struct option inspect_table[] = {
	OPTION_FLAG("json", 0, "print JSON (the default)", struct inspect_options, json), END_OF_OPTIONS};

static void encode_subnets(struct encoder *encoder, const struct network *network)
{
	char subnet[20], subnet6[SUBNET6_TEXT_SIZE];

	encode_array_begin(encoder, "subnets");
	for (size_t i = 0; i < network_subnet_count(network); i++)
		encode_string(encoder, NULL, subnet_format(network_subnet(network, i), subnet));
	encode_array_end(encoder);
	if (network->subnet6.prefix)
		encode_string(encoder, "subnet6", subnet6_format(&network->subnet6, subnet6));
}

static void counts_encode(struct encoder *encoder, const char *key, size_t usable, size_t taken)
{
	encode_object_begin(encoder, key);
	encode_uint64(encoder, "taken", taken);
	encode_uint64(encoder, "free", usable > taken ? usable - taken : 0);
	encode_object_end(encoder);
}

static void rate_encode(struct encoder *encoder, const char *key, const struct optional *rate)
{
	if (rate->set)
		encode_integer(encoder, key, rate->value);
}

/* Rates as its specification has them: bits per second. */
static void user_encode(struct encoder *encoder, const struct instance_status *status)
{
	char text[INET6_ADDRSTRLEN];

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "name", status->name);
	encode_string(encoder, "state", instance_state_word(status));
	if (status->address.s_addr)
		encode_string(encoder, "address", inet_ntop(AF_INET, &status->address, text, sizeof(text)));
	if (!IN6_IS_ADDR_UNSPECIFIED(&status->address6))
		encode_string(encoder, "address6", inet_ntop(AF_INET6, &status->address6, text, sizeof(text)));
	rate_encode(encoder, "egress", &status->spec->resources.egress_bits);
	rate_encode(encoder, "ingress", &status->spec->resources.ingress_bits);
	encode_object_end(encoder);
}

static int use_encode(
	struct encoder *encoder, const struct host *host, const struct network_use *use, struct error *err)
{
	const struct network *network = &use->network;
	size_t usable, usable6, taken, taken6;

	net_addresses_usable(network, &usable, &usable6);
	if (net_addresses_count(&host->net, network->name, &taken, &taken6, err) < 0)
		return -1;
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "name", network->name);
	encode_integer(encoder, "number", network->number);
	encode_subnets(encoder, network);
	network_encode(encoder, network);
	if (!text_is_empty(network->owner))
		encode_string(encoder, "fleet", network->owner);
	counts_encode(encoder, "addresses", usable, taken);
	if (usable6)
		counts_encode(encoder, "addresses6", usable6, taken6);
	encode_array_begin(encoder, "instances");
	for (size_t i = 0; i < use->instances.count; i++)
		user_encode(encoder, use->instances.items[i]);
	encode_array_end(encoder);
	encode_object_end(encoder);
	return 0;
}

static const struct network_use *use_find(const struct network_use_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (text_equal(list->items[i].network.name, name))
			return &list->items[i];
	return NULL;
}

/* All or nothing: whoever reads it gets a whole document. */
static int inspect_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	struct network_use_list list;

	(void)options;
	if (cli_open(cli, err) < 0 || host_networks(&cli->host, &cli->arena, &list, err) < 0)
		return -1;
	encode_array_begin(encoder, NULL);
	for (size_t i = 0; i < count; i++) {
		const struct network_use *use = use_find(&list, operands[i]);

		if (!use)
			return fail(err, ERROR_MISSING, "no network \"%s\"", operands[i]);
		if (use_encode(encoder, &cli->host, use, err) < 0)
			return -1;
	}
	encode_array_end(encoder);
	encoder_print(encoder, stdout);
	return 0;
}

const struct command network_list_command = {
	.name = "list",
	.alias = "ls",
	.operands = "[options]",
	.summary = "list networks and how many instances are in them",
	.example = "warren network list",
	.options = list_table,
	.options_size = sizeof(struct list_options),
	.run = list_run,
};

const struct command network_inspect_command = {
	.name = "inspect",
	.operands = "NETWORK…",
	.summary = "show all about networks: who is in them, and how many addresses are left",
	.example = "warren network inspect default",
	.options = inspect_table,
	.options_size = sizeof(struct inspect_options),
	.operands_min = 1,
	.operands_max = SIZE_MAX,
	.run = inspect_run,
};
