/* Published ports of an instance that runs: others instead of these, and the same ones leading to another instance.
 * Either way it is one transaction, so that no packet finds neither; connections that are established go on where they
 * are, since only the first packet of a connection is looked up. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "netns/netlink/session.h"
#include "netns/ports/flows.h"
#include "netns/ports/port_elements.h"
#include "netns/ports/publication.h"
#include "netns/table/table_text.h"

/* --- others ------------------------------------------------------------------------------------------------------- */

struct change {
	struct port *removed, *added; /* added: copies, whose chosen numbers go back to where they came from */
	size_t removed_count, added_count;
	size_t *added_from;
};

static bool port_is_among(const struct port *port, const struct port *ports, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ports_equal(port, &ports[i]))
			return true;
	return false;
}

static bool collides_with_any(const struct port *port, const struct port *ports, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ports_collide(port, &ports[i]))
			return true;
	return false;
}

/* A number that was chosen before stays. */
static void number_keep(
	struct port *port, const struct port *old, size_t old_count, const struct port *ports, size_t count)
{
	for (size_t i = 0; i < old_count && !port->published; i++) {
		struct port same = *port;

		same.published = old[i].published;
		if (ports_equal(&same, &old[i]) && !collides_with_any(&same, ports, count))
			port->published = same.published;
	}
}

static void change_sort(struct change *change, struct arena *arena, const struct port *old, size_t old_count,
	struct port *ports, size_t count)
{
	change->removed = arena_new_array(arena, old_count, struct port);
	change->added = arena_new_array(arena, count, struct port);
	change->added_from = arena_new_array(arena, count, size_t);
	for (size_t i = 0; i < count; i++)
		number_keep(&ports[i], old, old_count, ports, count);
	for (size_t i = 0; i < old_count; i++)
		if (port_is_plain(&old[i]) && !port_is_among(&old[i], ports, count))
			change->removed[change->removed_count++] = old[i];
	for (size_t i = 0; i < count; i++) {
		if (!port_is_plain(&ports[i]) || port_is_among(&ports[i], old, old_count))
			continue;
		change->added_from[change->added_count] = i;
		change->added[change->added_count++] = ports[i];
	}
}

/* More than fit beside the additions go before them, and come back should these fail. */
static int change_do(struct net_session *session, const struct endpoint *endpoint, struct change *change,
	struct element *own, size_t own_count, struct error *err)
{
	bool apart = own_count > REMOVED_MAX;
	const struct publication publication = {.session = session,
		.endpoint = endpoint,
		.ports = change->added,
		.count = change->added_count,
		.removed = own,
		.removed_count = apart ? 0 : own_count};
	struct error later;

	if (apart && elements_delete(&session->filter, own, own_count, err) < 0)
		return -1;
	if (publication_do(&publication, err) == 0)
		return 0;
	if (ports_publish(session, endpoint, change->removed, change->removed_count, &later) < 0)
		return blame(err, "and the ports as they were could not be published again (%s)", later.text);
	return -1;
}

int ports_change(struct net_session *session, const struct endpoint *endpoint, const struct port *old, size_t old_count,
	struct port *ports, size_t count, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct change change = {0};
	struct element *own;
	size_t own_count;

	change_sort(&change, &arena, old, old_count, ports, count);
	own = arena_new_array(&arena, 2 * ports_numbers(change.removed, change.removed_count), struct element);
	if (ports_open_loopback(session, endpoint, change.added, change.added_count, err) < 0 ||
		ports_find_own(session, endpoint, change.removed, change.removed_count, own, &own_count, err) < 0 ||
		change_do(session, endpoint, &change, own, own_count, err) < 0)
		return blame(err, "change published ports");
	for (size_t i = 0; i < change.added_count; i++)
		ports[change.added_from[i]].published = change.added[i].published;
	if (ports_leave_flows(change.removed, change.removed_count) &&
		flows_forget(&session->filter, endpoint, err) < 0)
		return blame(err, "change published ports");
	return 0;
}

/* --- to another instance ------------------------------------------------------------------------------------------ */

struct replacement {
	const struct endpoint *from, *to;
	struct element *gone, *come; /* room for two a number */
	size_t gone_count, come_count;
};

static int element_exchange(
	struct net_session *session, struct replacement *replacement, struct element come, struct error *err)
{
	struct element there = come;
	int found = element_find(&session->filter, &there, err);

	if (found < 0)
		return -1;
	if (found && elements_lead_to_same(&come, &there))
		return 0;
	if (found)
		replacement->gone[replacement->gone_count++] = there;
	replacement->come[replacement->come_count++] = come;
	return 0;
}

static int number_exchange(struct net_session *session, struct replacement *replacement, const struct port *port,
	uint16_t offset, struct error *err)
{
	struct element claim = port_claim(port, offset, replacement->from), there = claim;
	int found = element_find(&session->filter, &there, err);
	char text[PORT_TEXT_SIZE];

	if (found < 0)
		return -1;
	if (found && !claim_is_of(&there, replacement->from) && !claim_is_of(&there, replacement->to))
		return fail(err, ERROR_BUSY, "port %s belongs to a third instance", port_format(port, text));
	if (element_exchange(session, replacement, port_claim(port, offset, replacement->to), err) < 0)
		return -1;
	return port_has_element(port, offset)
		       ? element_exchange(session, replacement, port_element(port, offset, replacement->to), err)
		       : 0;
}

static int replacement_send(struct net_session *session, const struct replacement *replacement, struct error *err)
{
	size_t size = (replacement->gone_count + replacement->come_count) * 160 + 4 * REQUEST_MESSAGE_MAX;
	auto_free void *buffer = malloc(size);
	struct request request;

	if (!buffer)
		return fail_errno(err, "lead ports to another instance");
	send_buffer_grow(session->filter.fd, size);
	batch_begin(&request, &session->filter, buffer, size);
	for (size_t i = 0; i < replacement->gone_count; i++)
		batch_delete(&request, &replacement->gone[i]);
	for (size_t i = 0; i < replacement->come_count; i++)
		batch_add(&request, &replacement->come[i], true);
	batch_end(&request);
	return replacement->come_count ? request_exchange(&session->filter, &request, NULL, NULL, err) : 0;
}

int ports_switch(struct net_session *session, const struct endpoint *from, const struct endpoint *to,
	const struct port *ports, size_t count, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	size_t room = 2 * ports_numbers(ports, count);
	struct replacement replacement = {.from = from,
		.to = to,
		.gone = arena_new_array(&arena, room, struct element),
		.come = arena_new_array(&arena, room, struct element)};
	char text[PORT_TEXT_SIZE];

	for (size_t i = 0; i < count; i++) {
		if (!port_is_plain(&ports[i]) || !ports[i].published)
			continue;
		if (endpoint_admit(to, &ports[i], err) < 0)
			return blame(err, "port %s", port_format(&ports[i], text));
		for (unsigned offset = 0; offset <= ports[i].following; offset++)
			if (number_exchange(session, &replacement, &ports[i], (uint16_t)offset, err) < 0)
				return -1;
	}
	if (ports_open_loopback(session, to, ports, count, err) < 0 || replacement_send(session, &replacement, err) < 0)
		return blame(err, "lead ports to another instance");
	return ports_leave_flows(ports, count) ? flows_forget(&session->filter, from, err) : 0;
}
