/* What a network may not be: by itself, and beside the host's routes and its other networks. Nothing here changes
 * anything. */
#include "base/cleanup.h"
#include "base/text.h"
#include "netns/networks/networks.h"
#include "netns/subnets/ipv6.h"
#include "netns/subnets/overlap.h"
#include "netns/subnets/subnet.h"

/* --- by itself ---------------------------------------------------------------------------------------------------- */

static int names_check(const char *what, const struct strings *names, struct error *err)
{
	for (size_t i = 0; i < names->count; i++)
		if (name_check(what, names->items[i], err) < 0)
			return -1;
	return 0;
}

static int labels_check(const struct pairs *labels, struct error *err)
{
	for (size_t i = 0; i < labels->count; i++)
		if (line_check("label", labels->items[i].name, err) < 0 ||
			line_check("label", labels->items[i].value, err) < 0)
			return -1;
	return 0;
}

static int network_check6(const struct network *network, struct error *err)
{
	char text[SUBNET6_TEXT_SIZE];
	struct subnet6 parsed;

	if (network->subnet6.prefix == 0)
		return 0;
	if (network->ipv4_only)
		return fail(err, ERROR_USAGE, "a network without IPv6 has no subnet6");
	return subnet6_parse(subnet6_format(&network->subnet6, text), &parsed, err);
}

static int subnets_form_check(const struct network *network, struct error *err)
{
	char subnet[20];
	struct subnet parsed;
	uint64_t size = 0;

	if (network_subnet_count(network) > NETWORK_SUBNETS_MAX)
		return fail(err, ERROR_USAGE, "%zu subnets; a network has at most %d", network_subnet_count(network),
			NETWORK_SUBNETS_MAX);
	for (size_t i = 0; i < network_subnet_count(network); i++) {
		if (subnet_parse(subnet_format(network_subnet(network, i), subnet), &parsed, err) < 0)
			return -1;
		size += subnet_size(&parsed);
	}
	if (size > HOST_NUMBERS_MAX)
		return fail(err, ERROR_USAGE, "its subnets have %llu addresses together; at most %u, as one /8 has",
			(unsigned long long)size, HOST_NUMBERS_MAX);
	return 0;
}

/* All but its IPv4 subnets. */
static int words_check(const struct network *network, struct error *err)
{
	if (name_check("network", network->name, err) < 0 || line_check("owner", network_owner(network), err) < 0 ||
		names_check("allow", &network->allow, err) < 0 || names_check("links", &network->links, err) < 0 ||
		labels_check(&network->labels, err) < 0)
		return -1;
	if (network->metadata && !network->egress)
		return fail(err, ERROR_USAGE,
			"metadata without egress: the metadata service lies outside; allow egress, or leave metadata "
			"out");
	if (network->mtu && (network->mtu < NETWORK_MTU_MIN || network->mtu > NETWORK_MTU_MAX))
		return fail(err, ERROR_USAGE, "mtu %u: %d to %d can be had", network->mtu, NETWORK_MTU_MIN,
			NETWORK_MTU_MAX);
	return network_check6(network, err);
}

int network_check(const struct network *network, struct error *err)
{
	return words_check(network, err) < 0 ? -1 : subnets_form_check(network, err);
}

/* --- beside others ------------------------------------------------------------------------------------------------ */

int network_check_owner(const struct network *old, const struct network *network, struct error *err)
{
	if (!old || text_equal(network_owner(old), network_owner(network)))
		return 0;
	return fail(
		err, ERROR_BUSY, "it was defined by %s%s", *network_owner(old) ? "fleet " : "hand", network_owner(old));
}

static bool network_has_subnet(const struct network *network, const struct subnet *subnet)
{
	for (size_t i = 0; i < network_subnet_count(network); i++)
		if (subnets_equal(network_subnet(network, i), subnet))
			return true;
	return false;
}

static int subnet_refuse(
	const struct subnet *subnet, const struct subnet *other, const struct network *of, struct error *err)
{
	char mine[20], theirs[20];

	return fail(err, ERROR_USAGE, "subnet %s overlaps %s of network %s; choose another subnet",
		subnet_format(subnet, mine), subnet_format(other, theirs), of->name);
}

static int subnet_check_networks(
	const struct network_list *list, const struct network *network, const struct subnet *subnet, struct error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct network *other = &list->items[i];

		for (size_t k = 0; !text_equal(other->name, network->name) && k < network_subnet_count(other); k++)
			if (subnet_overlaps(network_subnet(other, k), subnet))
				return subnet_refuse(subnet, network_subnet(other, k), other, err);
	}
	return subnet_check_host(subnet, err);
}

int subnet_is_free(const struct net_state *state, const struct subnet *subnet, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct network nobody = {.name = ""};
	struct network_list list;

	if (network_load_all(&arena, state, &list, err) < 0)
		return -1;
	if (subnet_check_networks(&list, &nobody, subnet, err) == 0)
		return 1;
	return err->kind == ERROR_USAGE ? 0 : -1;
}

/* Those that it did not have before. */
int network_check_subnets(
	const struct network_list *list, const struct network *old, const struct network *network, struct error *err)
{
	for (size_t i = 0; i < network_subnet_count(network); i++) {
		const struct subnet *subnet = network_subnet(network, i);

		for (size_t k = 0; k < i; k++)
			if (subnet_overlaps(network_subnet(network, k), subnet))
				return subnet_refuse(subnet, network_subnet(network, k), network, err);
		if ((!old || !network_has_subnet(old, subnet)) && subnet_check_networks(list, network, subnet, err) < 0)
			return -1;
	}
	return 0;
}

int network_check_subnet6(const struct network_list *list, const struct network *network, struct error *err)
{
	char mine[SUBNET6_TEXT_SIZE], other[SUBNET6_TEXT_SIZE];

	for (size_t i = 0; i < list->count; i++)
		if (!text_equal(list->items[i].name, network->name) && list->items[i].subnet6.prefix &&
			subnet6_overlaps(&list->items[i].subnet6, &network->subnet6))
			return fail(err, ERROR_USAGE, "subnet %s overlaps %s of network %s; choose another subnet",
				subnet6_format(&network->subnet6, mine), subnet6_format(&list->items[i].subnet6, other),
				list->items[i].name);
	return subnet6_check_host(&network->subnet6, err);
}

bool network_begins_with(const struct network *whole, const struct network *beginning)
{
	if (network_subnet_count(whole) < network_subnet_count(beginning))
		return false;
	for (size_t i = 0; i < network_subnet_count(beginning); i++)
		if (!subnets_equal(network_subnet(whole, i), network_subnet(beginning, i)))
			return false;
	return true;
}

int fail_in_use(const char *what, struct error *err)
{
	return fail(err, ERROR_BUSY, "its %s cannot change while instances have addresses of it", what);
}

/* A network that leaves it open keeps the IPv6 subnet that it has. */
static int change_in_use_check(const struct network *old, const struct network *network, struct error *err)
{
	bool says6 = network->ipv4_only || network->subnet6.prefix;

	if (network->subnet.prefix && !network_begins_with(network, old))
		return fail_in_use("subnet", err);
	return says6 && !subnets6_equal(&old->subnet6, &network->subnet6) ? fail_in_use("subnet6", err) : 0;
}

static int network_admit_beside(
	const struct network_list *beside, const struct network *network, bool in_use, struct error *err)
{
	const struct network *old = network_list_find(beside, network->name);
	bool is_open = network->subnet.prefix == 0;
	bool has_new6 = network->subnet6.prefix && (!old || !subnets6_equal(&old->subnet6, &network->subnet6));

	if (words_check(network, err) < 0 || network_check_owner(old, network, err) < 0)
		return -1;
	if (!is_open && (subnets_form_check(network, err) < 0 || network_check_subnets(beside, old, network, err) < 0))
		return -1;
	if (has_new6 && network_check_subnet6(beside, network, err) < 0)
		return -1;
	return in_use && old ? change_in_use_check(old, network, err) : 0;
}

int network_admit(const struct network_list *beside, const struct network *network, bool in_use, struct error *err)
{
	return network_admit_beside(beside, network, in_use, err) < 0 ? blame(err, "define network %s", network->name)
								      : 0;
}
