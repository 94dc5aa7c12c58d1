/* Networks: defining, changing and removing them: record, routes, and elements of the table.
 *
 * The table is changed before the record is written: a command killed in between leaves elements that the next change
 * of any network removes, while a record that says the same as what is wanted proves that the table said so too. */
#include "netns/networks/networks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "netns/links/slots.h"
#include "netns/networks/leases.h"
#include "netns/networks/names.h"
#include "netns/networks/unreachable.h"
#include "netns/subnets/ipv6.h"
#include "netns/subnets/overlap.h"
#include "netns/subnets/subnet.h"
#include "netns/table/ruleset.h"

/* The directory itself is what is locked: no file to leave behind. */
int net_lock(const struct net_state *state, struct error *err)
{
	auto_fd fd = dir_open(state->run, ".", err);

	if (fd < 0 || lock_exclusive(fd, -1, err) < 0)
		return blame(err, "lock the host's network");
	return take_fd(&fd);
}

/* --- defining ----------------------------------------------------------------------------------------------------- */

static bool strings_equal(const struct strings *a, const struct strings *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!text_equal(a->items[i], b->items[i]))
			return false;
	return true;
}

static bool pairs_equal(const struct pairs *a, const struct pairs *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!text_equal(pairs_get(b, a->items[i].name), a->items[i].value))
			return false;
	return true;
}

static bool services_equal(const struct network *a, const struct network *b)
{
	if (a->services.count != b->services.count)
		return false;
	for (size_t i = 0; i < a->services.count; i++)
		if (a->services.items[i].protocol != b->services.items[i].protocol ||
			a->services.items[i].port != b->services.items[i].port)
			return false;
	return true;
}

static bool networks_equal(const struct network *a, const struct network *b)
{
	return network_begins_with(a, b) && network_begins_with(b, a) && subnets6_equal(&a->subnet6, &b->subnet6) &&
	       a->ipv4_only == b->ipv4_only && a->isolated == b->isolated && a->egress == b->egress &&
	       a->metadata == b->metadata && a->accounting == b->accounting && a->mtu == b->mtu &&
	       text_equal(network_owner(a), network_owner(b)) && strings_equal(&a->allow, &b->allow) &&
	       strings_equal(&a->links, &b->links) && services_equal(a, b) && pairs_equal(&a->labels, &b->labels);
}

struct network *network_list_find(const struct network_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (text_equal(list->items[i].name, name))
			return &list->items[i];
	return NULL;
}

static int number_allocate(const struct network_list *list, unsigned *number, struct error *err)
{
	bool taken[NETWORK_MAX + 1] = {false};

	for (size_t i = 0; i < list->count; i++)
		taken[list->items[i].number] = true;
	for (*number = 1; *number <= NETWORK_MAX; ++*number)
		if (!taken[*number])
			return 0;
	return fail(err, ERROR_BUSY, "all %u networks of this host are defined", NETWORK_MAX);
}

/* Routes and elements only when there is a table; else net_host_up() takes them from the records. come: the network
 * that is new or changed; NULL: none is. Routes that no network of the list has go, whoever left them. */
static int networks_sync(const struct network_list *list, const struct network *come, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	int current;

	if (netlink_open(&netlink, NETLINK_NETFILTER, err) < 0)
		return -1;
	current = ruleset_is_current(&netlink, err);
	if (current <= 0)
		return current;
	if (unreachable_strays_remove(list, err) < 0 || (come && networks_unreachable(come, 1, err) < 0))
		return -1;
	return ruleset_sync_networks(&netlink, list, err);
}

/* One that said nothing keeps what it has; a new one gets a subnet of this host's own. */
static int subnet6_settle(const struct net_state *state, const struct network_list *list, const struct network *old,
	struct network *network, struct error *err)
{
	struct subnet6 own;

	if (network->ipv4_only || network->subnet6.prefix)
		return 0;
	if (old && old->subnet6.prefix) {
		network->subnet6 = old->subnet6;
		return 0;
	}
	if (!net_has_ipv6())
		return 0;
	if (own_prefix(state, &own, err) < 0)
		return -1;
	return subnet6_choose(&own, list, network->name, &network->subnet6, err);
}

/* Subnets that are in use stay what they are. */
static int leases_must_be_free(const struct net_state *state, enum lease_kind kind, const char *name, struct error *err)
{
	static const char *const what[] = {[LEASES_IPV4] = "subnet", [LEASES_IPV6] = "subnet6"};
	int freed = leases_forget(state, kind, name, err);

	if (freed == 0)
		return fail_in_use(what[kind], err);
	return freed < 0 ? -1 : 0;
}

/* Addresses are counted through the IPv4 subnets in their order, so those in use must stay what they are. */
static int network_change(const struct net_state *state, const struct network_list *list, const struct network *old,
	struct network *network, struct error *err)
{
	if (network_check_subnets(list, old, network, err) < 0)
		return -1;
	if (old && !network_begins_with(network, old) &&
		leases_must_be_free(state, LEASES_IPV4, network->name, err) < 0)
		return -1;
	if (subnet6_settle(state, list, old, network, err) < 0)
		return -1;
	bool moved6 = !old || !subnets6_equal(&old->subnet6, &network->subnet6);
	if (moved6 && network->subnet6.prefix && network_check_subnet6(list, network, err) < 0)
		return -1;
	if (old && moved6 && leases_must_be_free(state, LEASES_IPV6, network->name, err) < 0)
		return -1;
	if (!old)
		return number_allocate(list, &network->number, err);
	network->number = old->number;
	return 0;
}

/* The kernel as the records have it: without the network that came, or with the one that was. */
static void define_undo(struct network_list *list, struct network *at, const struct network *before)
{
	struct error err;

	if (before)
		*at = *before;
	else
		list->count--;
	if (networks_sync(list, before, &err) < 0)
		log_warn("%s", err.text);
}

static int network_define_locked(const struct net_state *state, struct network *network, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct network_list list;
	struct network before;
	struct network *old;
	bool is_new;

	if (file_leftovers_remove(state->records, err) < 0 || network_load_all(&arena, state, &list, err) < 0)
		return -1;
	old = network_list_find(&list, network->name);
	if (network_check_owner(old, network, err) < 0 || network_change(state, &list, old, network, err) < 0)
		return -1;
	is_new = !old;
	if (is_new)
		old = &list.items[list.count++];
	else
		before = *old;
	*old = *network;
	if (networks_sync(&list, network, err) == 0 && network_record_write(state, network, err) == 0)
		return 0;
	define_undo(&list, old, is_new ? NULL : &before);
	return -1;
}

/* True when the record says all that is wanted. Silence about IPv6 means what it has, or can have. */
static bool network_says(const struct network *record, const struct network *wanted)
{
	struct network same = *wanted;

	if (!wanted->ipv4_only && wanted->subnet6.prefix == 0) {
		if (record->subnet6.prefix == 0 && net_has_ipv6())
			return false;
		same.subnet6 = record->subnet6;
	}
	return networks_equal(record, &same);
}

int network_define(const struct net_state *state, struct network *network, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error ignored = {0};
	struct network old;
	auto_fd lock = -1;

	if (network_check(network, err) < 0)
		return blame(err, "define network %s", network->name);
	if (network_load(&arena, state, network->name, &old, &ignored) == 0 && network_says(&old, network)) {
		network->number = old.number;
		network->subnet6 = old.subnet6;
		return 0;
	}
	lock = net_lock(state, err);
	if (lock < 0 || network_define_locked(state, network, err) < 0)
		return blame(err, "define network %s", network->name);
	return 0;
}

static int network_undefine_locked(const struct net_state *state, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *file = arena_format(&arena, "%s" NETWORK_RECORD_SUFFIX, name);
	struct network_list list;
	struct network *old;
	int freed;

	if (file_leftovers_remove(state->records, err) < 0 || network_load_all(&arena, state, &list, err) < 0)
		return -1;
	old = network_list_find(&list, name);
	if (!old)
		return fail(err, ERROR_MISSING, "no network \"%s\"", name);
	freed = addresses_forget(state, name, err);
	if (freed < 0)
		return -1;
	if (freed == 0)
		return fail(err, ERROR_BUSY, "instances have addresses of it");
	*old = list.items[--list.count];
	if (networks_sync(&list, NULL, err) < 0 || hosts_forget(state, name, err) < 0)
		return -1;
	if (unlinkat(state->records, file, 0) < 0)
		return fail_errno(err, "remove %s", file);
	return 0;
}

int network_undefine(const struct net_state *state, const char *name, struct error *err)
{
	auto_fd lock = -1;

	if (name_check("network", name, err) < 0)
		return -1;
	lock = net_lock(state, err);
	if (lock < 0)
		return -1;
	if (network_undefine_locked(state, name, err) == 0)
		return 0;
	return err->kind == ERROR_MISSING ? -1 : blame(err, "remove network %s", name);
}

int networks_sweep(const struct net_state *state, struct error *err)
{
	auto_fd lock = net_lock(state, err);

	return lock < 0 ? -1 : file_leftovers_remove(state->records, err);
}
