/* Networks: one record each, and their elements in the table.
 *
 * The table is changed before the record is written: a command killed in between leaves elements that the next change
 * of any network removes, while a record that says the same as what is wanted proves that the table said so too. */
#include "netns/networks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "netns/leases.h"
#include "netns/names.h"
#include "netns/overlap.h"
#include "netns/ruleset.h"
#include "netns/slots.h"
#include "netns/subnet.h"
#include "netns/unreachable.h"

#define RECORD_SUFFIX ".json"
#define RECORD_VERSION 1

/* --- records ------------------------------------------------------------------------------------------------------ */

struct record {
	int version;
	const char *subnet;
	struct network network;
};

static const struct field record_fields[] = {
	INTEGER("version", struct record, version, 1, RECORD_VERSION, REQUIRED),
	STRING("name", struct record, network.name, REQUIRED),
	INTEGER("number", struct record, network.number, 1, NETWORK_MAX, REQUIRED),
	STRING("subnet", struct record, subnet, REQUIRED),
	BOOL("isolated", struct record, network.isolated, REQUIRED),
	BOOL("egress", struct record, network.egress, REQUIRED),
	STRING("owner", struct record, network.owner, 0),
	STRINGS("allow", struct record, network.allow, 0),
	END_OF_FIELDS,
};

/* The directory itself is what is locked: no file to leave behind. */
int net_lock(const struct net_state *state, struct error *err)
{
	auto_fd fd = dir_open(state->run, ".", err);

	if (fd < 0 || lock_exclusive(fd, -1, err) < 0)
		return blame(err, "lock the host's network");
	return take_fd(&fd);
}

static int record_read(
	struct arena *arena, const struct net_state *state, const char *name, struct network *out, struct error *err)
{
	const char *file = arena_format(arena, "%s" RECORD_SUFFIX, name);
	struct record record = {.network.owner = ""};
	struct json_doc doc;

	if (json_read(arena, state->records, file, JSON_PLAIN, &doc, err) < 0)
		return -1;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};
	if (decode_object(&decoder, doc.root, record_fields, &record, err) < 0)
		return -1;
	if (!text_equal(record.network.name, name))
		return fail(err, ERROR_SYSTEM, "%s: is the record of network \"%s\"", file, record.network.name);
	if (subnet_parse(record.subnet, &record.network.subnet, err) < 0)
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

	if (file[0] == '.' || !text_ends_with(file, RECORD_SUFFIX))
		return false;
	*name = arena_bytes(arena, file, strlen(file) - strlen(RECORD_SUFFIX));
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

static int record_write(const struct net_state *state, const struct network *network, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	auto_free char *file = text_format("%s" RECORD_SUFFIX, network->name);
	char subnet[20];
	size_t length;

	encode_object_begin(encoder, NULL);
	encode_integer(encoder, "version", RECORD_VERSION);
	encode_string(encoder, "name", network->name);
	encode_integer(encoder, "number", network->number);
	encode_string(encoder, "subnet", subnet_format(&network->subnet, subnet));
	encode_bool(encoder, "isolated", network->isolated);
	encode_bool(encoder, "egress", network->egress);
	encode_string(encoder, "owner", network->owner);
	encode_strings(encoder, "allow", &network->allow);
	encode_object_end(encoder);
	auto_free char *text = encoder_take(encoder, &length);
	return file_replace(state->records, file, 0644, FILE_DURABLE, text, length, err);
}

/* --- defining ----------------------------------------------------------------------------------------------------- */

static bool subnets_equal(const struct subnet *a, const struct subnet *b)
{
	return a->base.s_addr == b->base.s_addr && a->prefix == b->prefix;
}

static bool strings_equal(const struct strings *a, const struct strings *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!text_equal(a->items[i], b->items[i]))
			return false;
	return true;
}

static const char *owner_of(const struct network *network)
{
	return network->owner ? network->owner : "";
}

static bool networks_equal(const struct network *a, const struct network *b)
{
	return subnets_equal(&a->subnet, &b->subnet) && a->isolated == b->isolated && a->egress == b->egress &&
	       text_equal(owner_of(a), owner_of(b)) && strings_equal(&a->allow, &b->allow);
}

static struct network *list_find(const struct network_list *list, const char *name)
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

static int subnet_check_networks(const struct network_list *list, const struct network *network, struct error *err)
{
	char mine[20], other[20];

	for (size_t i = 0; i < list->count; i++)
		if (!text_equal(list->items[i].name, network->name) &&
			subnet_overlaps(&list->items[i].subnet, &network->subnet))
			return fail(err, ERROR_USAGE, "subnet %s overlaps %s of network %s; choose another subnet",
				subnet_format(&network->subnet, mine), subnet_format(&list->items[i].subnet, other),
				list->items[i].name);
	return subnet_check_host(&network->subnet, err);
}

static int network_check(const struct network *network, struct error *err)
{
	char subnet[20];
	struct subnet parsed;

	if (name_check("network", network->name, err) < 0 ||
		subnet_parse(subnet_format(&network->subnet, subnet), &parsed, err) < 0 ||
		line_check("owner", owner_of(network), err) < 0)
		return -1;
	for (size_t i = 0; i < network->allow.count; i++)
		if (name_check("allow", network->allow.items[i], err) < 0)
			return -1;
	return 0;
}

/* Routes and elements only when there is a table; else net_host_up() takes them from the records. gone and come (NULL:
 * none) are the subnets that this change takes away and brings. */
static int networks_sync(
	const struct network_list *list, const struct subnet *gone, const struct subnet *come, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	int current;

	if (netlink_open(&netlink, NETLINK_NETFILTER, err) < 0)
		return -1;
	current = ruleset_is_current(&netlink, err);
	if (current <= 0)
		return current;
	if (gone && subnet_unreachable(gone, RTM_DELROUTE, err) < 0)
		return -1;
	if (come && subnet_unreachable(come, RTM_NEWROUTE, err) < 0)
		return -1;
	return ruleset_sync_networks(&netlink, list, err);
}

static int network_change(const struct net_state *state, const struct network_list *list, const struct network *old,
	struct network *network, struct error *err)
{
	bool moved = !old || !subnets_equal(&old->subnet, &network->subnet);

	if (moved && subnet_check_networks(list, network, err) < 0)
		return -1;
	if (old && moved) {
		int freed = addresses_forget(state, network->name, err);

		if (freed < 0)
			return -1;
		if (freed == 0)
			return fail(err, ERROR_BUSY, "its subnet cannot change while instances have addresses of it");
	}
	if (!old)
		return number_allocate(list, &network->number, err);
	network->number = old->number;
	return 0;
}

static int network_define_locked(const struct net_state *state, struct network *network, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct network_list list;
	struct subnet before = {0};
	struct network *old;

	if (file_leftovers_remove(state->records, err) < 0 || network_load_all(&arena, state, &list, err) < 0)
		return -1;
	old = list_find(&list, network->name);
	if (old && !text_equal(owner_of(old), owner_of(network)))
		return fail(
			err, ERROR_BUSY, "it was defined by %s%s", *owner_of(old) ? "fleet " : "hand", owner_of(old));
	if (network_change(state, &list, old, network, err) < 0)
		return -1;
	if (old)
		before = old->subnet;
	else
		old = &list.items[list.count++];
	*old = *network;
	if (networks_sync(&list, before.prefix ? &before : NULL, &network->subnet, err) < 0)
		return -1;
	return record_write(state, network, err);
}

int network_define(const struct net_state *state, struct network *network, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error ignored = {0};
	struct network old;
	auto_fd lock = -1;

	if (network_check(network, err) < 0)
		return blame(err, "define network %s", network->name);
	if (network_load(&arena, state, network->name, &old, &ignored) == 0 && networks_equal(&old, network)) {
		network->number = old.number;
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
	const char *file = arena_format(&arena, "%s" RECORD_SUFFIX, name);
	struct network_list list;
	struct network *old;
	struct subnet gone;
	int freed;

	if (file_leftovers_remove(state->records, err) < 0 || network_load_all(&arena, state, &list, err) < 0)
		return -1;
	old = list_find(&list, name);
	if (!old)
		return fail(err, ERROR_MISSING, "no network \"%s\"", name);
	freed = addresses_forget(state, name, err);
	if (freed < 0)
		return -1;
	if (freed == 0)
		return fail(err, ERROR_BUSY, "instances have addresses of it");
	gone = old->subnet;
	*old = list.items[--list.count];
	if (networks_sync(&list, &gone, NULL, err) < 0 || hosts_forget(state, name, err) < 0)
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
