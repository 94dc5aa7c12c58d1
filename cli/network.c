/* `warren network …`: the networks of this host. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/group.h"
#include "cli/network.h"

/* --- create ------------------------------------------------------------------------------------------------------- */

struct create_options {
	struct strings subnets, allow, links, services, labels;
	bool isolated, internal, metadata, accounting, ipv4_only;
	struct optional mtu;
};

static const struct option create_table[] = {
	OPTION_TEXTS("subnet", 0, "SUBNET", "10.44.0.0/16, several when one may become full; one of IPv6",
		struct create_options, subnets),
	OPTION_FLAG("ipv4-only", 0, "no IPv6 in it", struct create_options, ipv4_only),
	OPTION_FLAG("isolated", 0, "its instances do not see one another", struct create_options, isolated),
	OPTION_FLAG("internal", 0, "no way to the outside", struct create_options, internal),
	OPTION_TEXTS("allow", 0, "NETWORK", "instances of this network may reach it", struct create_options, allow),
	OPTION_TEXTS("link", 0, "NETWORK", "the same, and in the other direction too", struct create_options, links),
	OPTION_TEXTS("service", 0, "PROTOCOL/PORT", "a service of the host that it may reach, as udp/53",
		struct create_options, services),
	OPTION_FLAG("metadata", 0, "may reach the cloud's metadata service", struct create_options, metadata),
	OPTION_FLAG(
		"accounting", 0, "count apart what is exchanged with the outside", struct create_options, accounting),
	OPTION_INTEGER("mtu", 0, "BYTES", "of its links (default: 1500)", struct create_options, mtu, NETWORK_MTU_MIN,
		NETWORK_MTU_MAX),
	OPTION_TEXTS("label", 'l', "KEY[=VALUE]", "a label", struct create_options, labels),
	END_OF_OPTIONS,
};

static int subnets_fill(
	struct arena *arena, const struct create_options *options, struct network_spec *spec, struct error *err)
{
	spec->subnet6 = options->ipv4_only ? "none" : NULL;
	for (size_t i = 0; i < options->subnets.count; i++) {
		const char *text = options->subnets.items[i];

		if (!strchr(text, ':'))
			strings_add(arena, &spec->subnets, text);
		else if (spec->subnet6)
			return fail(err, ERROR_USAGE, "--subnet %s: a network has one subnet of IPv6, %s", text,
				options->ipv4_only ? "and --ipv4-only none" : "not two");
		else
			spec->subnet6 = text;
	}
	spec->subnet = spec->subnets.count ? spec->subnets.items[0] : NULL;
	return 0;
}

static int create_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct create_options *chosen = options;
	struct network_spec spec = {
		.name = operands[0],
		.isolated = chosen->isolated,
		.egress = !chosen->internal,
		.metadata = chosen->metadata,
		.accounting = chosen->accounting,
		.allow = chosen->allow,
		.links = chosen->links,
		.services = chosen->services,
		.mtu = chosen->mtu.set ? (unsigned)chosen->mtu.value : 0,
	};

	(void)count;
	labels_fill(&cli->arena, &chosen->labels, &spec.labels);
	if (subnets_fill(&cli->arena, chosen, &spec, err) < 0 || cli_open(cli, err) < 0 ||
		host_network_create(&cli->host, &spec, err) < 0)
		return -1;
	printf("%s\n", spec.name);
	return 0;
}

/* --- set ---------------------------------------------------------------------------------------------------------- */

struct set_options {
	const char *isolated, *egress, *metadata, *accounting;
	struct strings subnets, allow, links, services, labels;
	struct optional mtu;
};

#define YES_OR_NO(name_, help_, member_) OPTION_TEXT(name_, 0, "YES|NO", help_, struct set_options, member_)
static const struct option set_table[] = {
	YES_OR_NO("isolated", "its instances do not see one another", isolated),
	YES_OR_NO("egress", "they may reach the outside", egress),
	YES_OR_NO("metadata", "they may reach the cloud's metadata service", metadata),
	YES_OR_NO("accounting", "count apart what is exchanged with the outside", accounting),
	OPTION_TEXTS("add-subnet", 0, "SUBNET", "a further subnet, used when those before are full", struct set_options,
		subnets),
	OPTION_TEXTS("allow", 0, "NETWORK", "these networks may reach it, and no others; \"\": none",
		struct set_options, allow),
	OPTION_TEXTS("link", 0, "NETWORK", "the same in both directions", struct set_options, links),
	OPTION_TEXTS("service", 0, "PROTOCOL/PORT", "these services of the host it may reach; \"\": none",
		struct set_options, services),
	OPTION_INTEGER("mtu", 0, "BYTES", "of links that are made from now on", struct set_options, mtu,
		NETWORK_MTU_MIN, NETWORK_MTU_MAX),
	OPTION_TEXTS("label", 'l', "KEY[=VALUE]", "a label", struct set_options, labels),
	END_OF_OPTIONS,
};

static int flag_set(const char *option, const char *word, bool *out, struct error *err)
{
	if (!word)
		return 0;
	if (strcmp(word, "yes") != 0 && strcmp(word, "no") != 0)
		return fail(err, ERROR_USAGE, "--%s \"%s\": expected yes or no", option, word);
	*out = strcmp(word, "yes") == 0;
	return 0;
}

/* What is given takes the place of what was; one empty word alone: nothing. */
static void list_set(const struct strings *given, struct strings *out)
{
	if (given->count)
		*out = given->count == 1 && !*given->items[0] ? (struct strings){0} : *given;
}

static int services_set(struct arena *arena, const struct strings *given, struct network *network, struct error *err)
{
	struct strings words = {0};

	if (!given->count)
		return 0;
	list_set(given, &words);
	network->services.items = arena_new_array(arena, words.count, struct host_service);
	network->services.count = 0;
	for (size_t i = 0; i < words.count; i++)
		if (host_service_parse(words.items[i], &network->services.items[network->services.count++], err) < 0)
			return -1;
	return 0;
}

static int subnets_add(struct arena *arena, const struct strings *given, struct network *network, struct error *err)
{
	struct subnet *items = arena_new_array(arena, network->more.count + given->count, struct subnet);

	if (network->more.count)
		memcpy(items, network->more.items, network->more.count * sizeof(*items));
	network->more.items = items;
	for (size_t i = 0; i < given->count; i++)
		if (subnet_parse(given->items[i], &items[network->more.count++], err) < 0)
			return -1;
	return 0;
}

static int network_edit(
	struct arena *arena, const struct set_options *options, struct network *network, struct error *err)
{
	if (flag_set("isolated", options->isolated, &network->isolated, err) < 0 ||
		flag_set("egress", options->egress, &network->egress, err) < 0 ||
		flag_set("metadata", options->metadata, &network->metadata, err) < 0 ||
		flag_set("accounting", options->accounting, &network->accounting, err) < 0 ||
		services_set(arena, &options->services, network, err) < 0 ||
		subnets_add(arena, &options->subnets, network, err) < 0)
		return -1;
	list_set(&options->allow, &network->allow);
	list_set(&options->links, &network->links);
	labels_fill(arena, &options->labels, &network->labels);
	if (options->mtu.set)
		network->mtu = (unsigned)options->mtu.value;
	return 0;
}

static int set_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	struct network network;

	(void)count;
	if (cli_open(cli, err) < 0 || host_network_find(&cli->host, &cli->arena, operands[0], &network, err) < 0 ||
		network_edit(&cli->arena, options, &network, err) < 0)
		return -1;
	return host_network_change(&cli->host, &network, err);
}

/* --- rm ----------------------------------------------------------------------------------------------------------- */

static int rm_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;

	(void)options;
	if (cli_open(cli, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (host_network_remove(&cli->host, operands[i], err) < 0)
			return -1;
	return 0;
}

/* --- prune -------------------------------------------------------------------------------------------------------- */

struct prune_options {
	bool force;
};
static const struct option prune_table[] = {
	OPTION_FLAG("force", 'f', "without asking", struct prune_options, force), END_OF_OPTIONS};

/* Whoever is not asked must have said so: a network that waits for its instances looks like one that nobody wants. */
static int prune_ask(struct arena *arena, const struct strings *names, bool *yes, struct error *err)
{
	const char *list = "";
	char answer[8] = "";

	for (size_t i = 0; i < names->count; i++)
		list = arena_format(arena, "%s%s%s", list, i ? ", " : "", names->items[i]);
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return fail(err, ERROR_USAGE, "there is nobody to ask whether %s may go; --force does not ask", list);
	fprintf(stderr, "Remove what no instance uses: %s? [y/N] ", list);
	*yes = fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
	return 0;
}

static int prune_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct prune_options *chosen = options;
	struct strings names, removed;
	bool yes = chosen->force;

	(void)count, (void)operands;
	if (cli_open(cli, err) < 0 || host_networks_unused(&cli->host, &cli->arena, &names, err) < 0 ||
		(names.count && !yes && prune_ask(&cli->arena, &names, &yes, err) < 0))
		return -1;
	if (!names.count || !yes)
		return 0;
	if (host_networks_prune(&cli->host, &cli->arena, &names, &removed, err) < 0)
		return -1;
	for (size_t i = 0; i < removed.count; i++)
		printf("%s\n", removed.items[i]);
	return 0;
}

static const struct command network_create_command = {
	.name = "create",
	.operands = "[options] NAME",
	.summary = "make a network",
	.example =
		"warren network create shop --subnet 10.44.0.0/16\nwarren network create back --internal --allow shop",
	.options = create_table,
	.options_size = sizeof(struct create_options),
	.operands_min = 1,
	.operands_max = 1,
	.run = create_run,
};

static const struct command network_set_command = {
	.name = "set",
	.operands = "[options] NETWORK",
	.summary = "change a network; what runs in it goes on",
	.example = "warren network set shop --service udp/53 --service tcp/53\nwarren network set back --allow \"\"",
	.options = set_table,
	.options_size = sizeof(struct set_options),
	.operands_min = 1,
	.operands_max = 1,
	.run = set_run,
};

static const struct command network_rm_command = {
	.name = "rm",
	.operands = "NETWORK…",
	.summary = "remove networks that no instance is in",
	.example = "warren network rm shop",
	.options = options_none,
	.operands_min = 1,
	.operands_max = SIZE_MAX,
	.run = rm_run,
};

static const struct command network_prune_command = {
	.name = "prune",
	.operands = "[options]",
	.summary = "remove the networks made by hand that no instance is in",
	.example = "warren network prune\nwarren network prune --force",
	.options = prune_table,
	.options_size = sizeof(struct prune_options),
	.run = prune_run,
};

static const struct command *const network_members[] = {
	&network_create_command,
	&network_list_command,
	&network_inspect_command,
	&network_set_command,
	&network_rm_command,
	&network_prune_command,
	NULL,
};

const struct command network_command = {
	GROUP_COMMAND,
	.name = "network",
	.summary = "make, list, change and remove networks",
	.example = "warren network create shop --subnet 10.44.0.0/16\nwarren network list",
	.members = network_members,
	.purpose = "who reaches whom",
};
