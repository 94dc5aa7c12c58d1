/* Taking published ports back: those of an instance that stops, and all that lead to an address, after a kill. */
#include <string.h>

#include "base/cleanup.h"
#include "netns/flows.h"
#include "netns/port_elements.h"
#include "netns/ruleset.h"
#include "netns/session.h"

int ports_unpublish(struct net_session *session, const struct endpoint *endpoint, const struct port *ports,
	size_t count, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct element *mine = arena_new_array(&arena, count, struct element);
	bool has_udp = false;
	size_t found_count = 0;

	for (size_t i = 0; i < count; i++) {
		struct element wanted = port_element(&ports[i], endpoint->address), there = wanted;
		int found = element_find(&session->filter, &there, err);

		if (found < 0)
			return blame(err, "unpublish ports");
		if (!found || !elements_lead_to_same(&wanted, &there))
			continue;
		mine[found_count++] = wanted;
		has_udp |= ports[i].protocol == PORT_UDP;
	}
	if (elements_delete(&session->filter, mine, found_count, err) < 0 ||
		(has_udp && flows_forget_udp(&session->filter, endpoint->address, err) < 0))
		return blame(err, "unpublish ports");
	return 0;
}

struct collection {
	struct arena *arena;
	struct in_addr address;
	LIST_OF(struct element) found;
	size_t room;
	bool has_udp;
};

/* The protocol is the part before the last one of either map's key. */
static bool element_is_udp(const struct element *element)
{
	return element->key_length >= 8 && element->key[element->key_length - 8] == IPPROTO_UDP;
}

static void collect(const struct element *element, void *context)
{
	struct collection *collection = context;
	struct element *larger;

	if (element->data_length != 8 || element_address(element).s_addr != collection->address.s_addr)
		return;
	if (collection->found.count == collection->room) {
		collection->room = collection->room * 2 + 16;
		larger = arena_new_array(collection->arena, collection->room, struct element);
		if (collection->found.count)
			memcpy(larger, collection->found.items, collection->found.count * sizeof(*larger));
		collection->found.items = larger;
	}
	collection->found.items[collection->found.count++] = *element;
	collection->has_udp |= element_is_udp(element);
}

int ports_unpublish_address(struct net_session *session, struct in_addr address, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct collection collection = {.arena = &arena, .address = address};

	if (elements_dump(&session->filter, SET_ADDRESS_PORTS, collect, &collection, err) < 0 ||
		elements_dump(&session->filter, SET_ANY_PORTS, collect, &collection, err) < 0 ||
		elements_delete(&session->filter, collection.found.items, collection.found.count, err) < 0 ||
		(collection.has_udp && flows_forget_udp(&session->filter, address, err) < 0))
		return blame(err, "unpublish ports");
	return 0;
}
