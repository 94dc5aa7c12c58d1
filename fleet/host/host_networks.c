/* Networks as objects: which there are, whose they are, who is in them; made, changed and removed by hand. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "fleet/apply/apply.h"
#include "fleet/network/addresses.h"
#include "fleet/spec/network_mode.h"

#define USERS_NAMED 3

/* --- who is in them ----------------------------------------------------------------------------------------------- */

static struct network_use *use_find(const struct network_use_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (text_equal(list->items[i].network.name, name))
			return &list->items[i];
	return NULL;
}

static int compare_uses(const void *a, const void *b)
{
	return strcmp(((const struct network_use *)a)->network.name, ((const struct network_use *)b)->network.name);
}

static void users_note(struct arena *arena, const struct instance_list *instances, struct network_use_list *list)
{
	for (size_t i = 0; i < instances->count; i++) {
		const struct instance_status *status = &instances->items[i];
		struct network_use *use = status->spec ? use_find(list, status->spec->network) : NULL;

		if (!use)
			continue;
		if (!use->instances.items)
			use->instances.items =
				arena_new_array(arena, instances->count - i, const struct instance_status *);
		use->instances.items[use->instances.count++] = status;
	}
}

int host_networks(struct host *host, struct arena *arena, struct network_use_list *out, struct error *err)
{
	struct instance_list instances = {0};
	struct network_list networks;

	if (network_load_all(arena, &host->net, &networks, err) < 0 ||
		instance_list_read(arena, host, &instances, err) < 0)
		return -1;
	out->items = arena_new_array(arena, networks.count, struct network_use);
	out->count = networks.count;
	for (size_t i = 0; i < networks.count; i++)
		out->items[i].network = networks.items[i];
	qsort(out->items, out->count, sizeof(*out->items), compare_uses);
	users_note(arena, &instances, out);
	return 0;
}

/* "a, b, c and 7 more" */
static const char *users_text(struct arena *arena, const struct network_use *use)
{
	const char *text = "";

	for (size_t i = 0; i < use->instances.count && i < USERS_NAMED; i++)
		text = arena_format(arena, "%s%s%s", text, i ? ", " : "", use->instances.items[i]->name);
	if (use->instances.count > USERS_NAMED)
		text = arena_format(arena, "%s and %zu more", text, use->instances.count - USERS_NAMED);
	return text;
}

/* What is refused because of its instances names them. */
static int fail_in_use(struct host *host, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct network_use_list list;
	struct error ignored;
	struct error reason = *err;

	if (reason.kind != ERROR_BUSY || host_networks(host, &arena, &list, &ignored) < 0)
		return -1;
	const struct network_use *use = use_find(&list, name);

	if (!use || !use->instances.count)
		return -1;
	return fail(err, ERROR_BUSY, "%s: %s", reason.text, users_text(&arena, use));
}

/* --- by hand ------------------------------------------------------------------------------------------------------ */

static int fail_of_fleet(const char *name, const char *fleet, struct error *err)
{
	return fail(err, ERROR_BUSY, "network %s belongs to the fleet %s; what it is stands in the fleet's file", name,
		fleet);
}

int host_network_create(struct host *host, const struct network_spec *spec, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct network found;

	if (name_check("network", spec->name, err) < 0)
		return -1;
	if (network_is_built_in(spec->name))
		return fail(err, ERROR_USAGE, "network \"%s\" is built in", spec->name);
	if (network_load(&arena, &host->net, spec->name, &found, err) == 0)
		return *found.owner ? fail(err, ERROR_BUSY, "network %s exists already, in the fleet %s", spec->name,
					      found.owner)
				    : fail(err, ERROR_BUSY, "network %s exists already; warren network set changes it",
					      spec->name);
	if (err->kind != ERROR_MISSING)
		return -1;
	forgive(err);
	return network_spec_define(host, spec, "", err);
}

int host_network_find(struct host *host, struct arena *arena, const char *name, struct network *out, struct error *err)
{
	/* The built-in one is there from the first look at it. */
	if (text_equal(name, NETWORK_DEFAULT) ? instance_network(arena, host, name, out, err) < 0
					      : network_load(arena, &host->net, name, out, err) < 0)
		return -1;
	return *out->owner ? fail_of_fleet(name, out->owner, err) : 0;
}

int host_network_change(struct host *host, struct network *network, struct error *err)
{
	if (network_define(&host->net, network, err) == 0)
		return 0;
	return fail_in_use(host, network->name, err);
}

int host_network_remove(struct host *host, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct network found;
	struct error ignored;

	if (host_network_find(host, &arena, name, &found, err) < 0) {
		/* What its killed creation left goes all the same. */
		if (err->kind == ERROR_MISSING && networks_sweep(&host->net, &ignored) < 0)
			log_debug("%s", ignored.text);
		return -1;
	}
	if (network_undefine(&host->net, name, err) == 0)
		return 0;
	return fail_in_use(host, name, err);
}

/* --- those that nobody uses --------------------------------------------------------------------------------------- */

int host_networks_unused(struct host *host, struct arena *arena, struct strings *names, struct error *err)
{
	struct network_use_list list;

	*names = (struct strings){0};
	if (host_networks(host, arena, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++) {
		const struct network *network = &list.items[i].network;

		if (!list.items[i].instances.count && text_is_empty(network->owner) &&
			!network_is_built_in(network->name))
			strings_add(arena, names, network->name);
	}
	return 0;
}

/* An instance in the making has its addresses before anybody can list it; they keep the network. */
int host_networks_prune(
	struct host *host, struct arena *arena, const struct strings *names, struct strings *removed, struct error *err)
{
	*removed = (struct strings){0};
	for (size_t i = 0; i < names->count; i++) {
		if (host_network_remove(host, names->items[i], err) == 0)
			strings_add(arena, removed, names->items[i]);
		else if (err->kind != ERROR_BUSY && err->kind != ERROR_MISSING)
			return -1;
		else
			forgive(err);
	}
	return 0;
}
