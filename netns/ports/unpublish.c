/* Taking published ports back: those of an instance that stops, and all that lead to an address, after a kill. */
#include <string.h>

#include "base/cleanup.h"
#include "netns/netlink/session.h"
#include "netns/ports/flows.h"
#include "netns/ports/port_elements.h"
#include "netns/ports/publication.h"
#include "netns/table/table_text.h"

/* --- named ones --------------------------------------------------------------------------------------------------- */

size_t ports_numbers(const struct port *ports, size_t count)
{
	size_t numbers = 0;

	for (size_t i = 0; i < count; i++)
		numbers += 1u + ports[i].following;
	return numbers;
}

bool ports_leave_flows(const struct port *ports, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ports[i].protocol != PORT_TCP)
			return true;
	return false;
}

/* A claim is what says whose a number is; its element goes with it. */
int ports_find_own(struct net_session *session, const struct endpoint *endpoint, const struct port *ports, size_t count,
	struct element *out, size_t *found, struct error *err)
{
	*found = 0;
	for (size_t i = 0; i < count; i++) {
		const struct port *port = &ports[i];

		for (unsigned offset = 0; port_is_plain(port) && port->published && offset <= port->following;
			offset++) {
			struct element claim = port_claim(port, (uint16_t)offset, endpoint);
			int there = element_find(&session->filter, &claim, err);

			if (there < 0)
				return -1;
			if (!there || !claim_is_of(&claim, endpoint))
				continue;
			if (port_has_element(port, (uint16_t)offset))
				out[(*found)++] = port_element(port, (uint16_t)offset, endpoint);
			out[(*found)++] = claim;
		}
	}
	return 0;
}

int ports_unpublish(struct net_session *session, const struct endpoint *endpoint, const struct port *ports,
	size_t count, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct element *own = arena_new_array(&arena, 2 * ports_numbers(ports, count), struct element);
	size_t found;

	if (ports_find_own(session, endpoint, ports, count, own, &found, err) < 0 ||
		elements_delete(&session->filter, own, found, err) < 0 ||
		(ports_leave_flows(ports, count) && flows_forget(&session->filter, endpoint, err) < 0))
		return blame(err, "unpublish ports");
	return 0;
}

/* --- all of an instance ------------------------------------------------------------------------------------------- */

struct collection {
	struct arena *arena;
	const struct endpoint *endpoint;
	bool (*is_own)(const struct element *, const struct endpoint *);
	LIST_OF(struct element) found;
	size_t room;
};

static void collect(const struct element *element, void *context)
{
	struct collection *collection = context;
	struct element *larger;

	if (!collection->is_own(element, collection->endpoint))
		return;
	if (collection->found.count == collection->room) {
		collection->room = collection->room * 2 + 16;
		larger = arena_new_array(collection->arena, collection->room, struct element);
		if (collection->found.count)
			memcpy(larger, collection->found.items, collection->found.count * sizeof(*larger));
		collection->found.items = larger;
	}
	collection->found.items[collection->found.count++] = *element;
}

static int collect_elements(struct net_session *session, struct collection *collection, struct error *err)
{
	static const char *const maps[] = {
		SET_ADDRESS_PORTS, SET_ADDRESS_PORTS6, SET_ANY_PORTS, SET_ANY_PORTS6, SET_RANGES, SET_RANGES6};

	collection->is_own = element_leads_to;
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		if (elements_dump(&session->filter, maps[i], collect, collection, err) < 0)
			return -1;
	return 0;
}

int ports_unpublish_all(struct net_session *session, const struct endpoint *endpoint, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct collection collection = {.arena = &arena, .endpoint = endpoint, .is_own = claim_is_of};

	if (elements_dump(&session->filter, SET_CLAIMS, collect, &collection, err) < 0)
		return blame(err, "unpublish ports");
	if (!collection.found.count)
		return 0;
	if (collect_elements(session, &collection, err) < 0 ||
		elements_delete(&session->filter, collection.found.items, collection.found.count, err) < 0 ||
		flows_forget(&session->filter, endpoint, err) < 0)
		return blame(err, "unpublish ports");
	return 0;
}
