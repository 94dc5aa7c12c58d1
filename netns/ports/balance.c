/* Ports that several instances share; see netns.h.
 *
 * The record says who shares a port, the 64 slots in the kernel say where packets go, and the claim keeps others away.
 * Each change writes the record and then makes claim and slots what the record says, in one transaction: whoever is
 * killed in between leaves a record that the next change puts into effect. Only slots that change are touched. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "netns/links/link.h"
#include "netns/netlink/session.h"
#include "netns/ports/balance_record.h"
#include "netns/ports/balance_slots.h"
#include "netns/ports/flows.h"
#include "netns/ports/port_elements.h"
#include "netns/ports/port_probe.h"
#include "netns/ports/publication.h"

#define CLAIM_MESSAGES 16 /* with room for the last message of a request */
#define MESSAGE_SIZE 160
#define ATTEMPTS_MAX 8

/* --- members ------------------------------------------------------------------------------------------------------ */

static bool member_is(const struct balance_member *member, const struct endpoint *endpoint)
{
	return member->address.s_addr == endpoint->address.s_addr;
}

static struct balance_member *member_find(struct balance *balance, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < balance->count; i++)
		if (member_is(&balance->members[i], endpoint))
			return &balance->members[i];
	return NULL;
}

static void member_remove(struct balance *balance, struct balance_member *member)
{
	size_t index = (size_t)(member - balance->members);

	memmove(member, member + 1, (balance->count - index - 1) * sizeof(*member));
	balance->count--;
}

/* --- the kernel's part -------------------------------------------------------------------------------------------- */

static const struct endpoint nobody;

static void put_slots(struct request *request, const struct balance *balance, const struct element now[BALANCE_SLOTS])
{
	int before[BALANCE_SLOTS], after[BALANCE_SLOTS];

	for (unsigned i = 0; i < BALANCE_SLOTS; i++)
		before[i] = slot_member(balance, &now[i]);
	slots_share(balance, before, after);
	for (unsigned i = 0; i < BALANCE_SLOTS; i++) {
		if (before[i] == after[i] && (before[i] != NO_MEMBER || !now[i].data_length))
			continue;
		if (now[i].data_length)
			batch_delete(request, &now[i]);
		if (after[i] == NO_MEMBER)
			continue;
		struct element next = slot_element(&balance->port, i, &balance->members[after[i]]);
		batch_add(request, &next, true);
	}
}

/* 1: the claim is there and says that it is shared; 0: nobody has claimed the port; -1. */
static int claim_look(struct net_session *session, const struct port *port, struct error *err)
{
	struct element claim = port_claim(port, 0, &nobody);
	int found = element_find(&session->filter, &claim, err);

	if (found <= 0)
		return found;
	return claim_is_of(&claim, &nobody) ? 1 : ports_refuse_published(session, port, 1, err);
}

static void put_claim_change(struct request *request, const struct balance *balance, bool claimed, bool unmark)
{
	struct element claim = port_claim(&balance->port, 0, &nobody);

	if (balance->count && !claimed)
		batch_claim(request, &balance->port, 0, &nobody, unmark);
	if (!balance->count && claimed)
		batch_delete(request, &claim);
}

static int balance_send(
	struct net_session *session, const struct balance *balance, bool claimed, bool unmark, struct error *err)
{
	uint64_t buffer[(2 * BALANCE_SLOTS + CLAIM_MESSAGES) * MESSAGE_SIZE / sizeof(uint64_t)];
	struct element now[BALANCE_SLOTS];
	struct request request;

	if (slots_read(&session->filter, &balance->port, now, err) < 0)
		return -1;
	batch_begin(&request, &session->filter, buffer, sizeof(buffer));
	put_claim_change(&request, balance, claimed, unmark);
	put_slots(&request, balance, now);
	batch_end(&request);
	return request.count <= 2 ? 0 : request_exchange(&session->filter, &request, NULL, NULL, err);
}

/* A port on any address runs into the mark that its number is used on one; see ports.c. */
static int balance_sync(struct net_session *session, const struct balance *balance, struct error *err)
{
	bool unmark = false;

	for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		int claimed = claim_look(session, &balance->port, err);

		if (claimed < 0)
			return -1;
		if (balance_send(session, balance, claimed, unmark, err) == 0)
			return 0;
		if (err->errnum != EEXIST && err->errnum != ENOENT)
			return -1;
		if (!claimed && ports_refuse_published(session, &balance->port, 1, err) < 0)
			return -1;
		unmark = port_is_any(&balance->port) && !unmark;
	}
	return fail(err, ERROR_BUSY, "others keep taking the same port");
}

/* --- a change ----------------------------------------------------------------------------------------------------- */

/* The record of before comes back when the kernel refuses the new one. */
static int balance_apply(struct net_session *session, int directory, const struct balance *before,
	const struct balance *after, struct error *err)
{
	struct error later;

	if (balance_record_write(directory, after, err) < 0)
		return -1;
	if (balance_sync(session, after, err) == 0)
		return 0;
	if (balance_record_write(directory, before, &later) < 0)
		return -1;
	return -1;
}

static int blame_port(struct error *err, const struct port *port)
{
	char where[PORT_TEXT_SIZE];

	return blame(err, "shared port %s", port_where(port, 0, where));
}

static int join_admit(const struct balance *balance, const struct port *port, const struct endpoint *endpoint,
	bool is_member, struct error *err)
{
	int errnum;

	if (port_check(port, err) < 0 || endpoint_admit(endpoint, port, err) < 0)
		return -1;
	if (balance->count && balance->port.balance != port->balance && !is_member)
		return fail(err, ERROR_BUSY, "is %s for those who have it already",
			port_balance_names[balance->port.balance]);
	errnum = balance->count ? 0 : port_try_bind(port, 0);
	return errnum ? port_refuse_host(port, 0, errnum, err) : 0;
}

static int member_put(struct balance *balance, const struct port *port, const struct endpoint *endpoint,
	unsigned weight, enum balance_entry entry, struct error *err)
{
	struct balance_member *member = member_find(balance, endpoint);
	bool in = entry == BALANCE_AS_BEFORE && member ? member->in : entry != BALANCE_OUT;

	if (!member && balance->count == BALANCE_MEMBERS_MAX)
		return fail(
			err, ERROR_BUSY, "%d instances share it, and there is room for no more", BALANCE_MEMBERS_MAX);
	if (!member)
		member = &balance->members[balance->count++];
	*member = (struct balance_member){.address = endpoint->address,
		.address6 = endpoint->address6,
		.target = port->target,
		.weight = weight,
		.in = in};
	return 0;
}

/* Packets from 127.0.0.1 must be able to leave by the member's link. */
static int loopback_open(
	struct net_session *session, const struct port *port, const struct endpoint *endpoint, struct error *err)
{
	struct port alone = *port;

	alone.balance = PORT_ALONE;
	return ports_open_loopback(session, endpoint, &alone, 1, err);
}

/* A member that shares it in another way from now on takes the others along: the slots of the old way go. */
static int convert(
	struct net_session *session, const struct balance *balance, const struct port *port, struct error *err)
{
	struct balance nobodys = *balance;

	if (!balance->count || balance->port.balance == port->balance)
		return 0;
	nobodys.count = 0;
	return balance_sync(session, &nobodys, err);
}

static int join(int directory, struct net_session *session, const struct port *port, const struct endpoint *endpoint,
	unsigned weight, enum balance_entry entry, struct error *err)
{
	struct balance before, after;

	if (balance_record_read(directory, port, &before, err) < 0 ||
		join_admit(&before, port, endpoint, member_find(&before, endpoint), err) < 0 ||
		convert(session, &before, port, err) < 0)
		return -1;
	after = before;
	after.port = *port;
	if (member_put(&after, port, endpoint, weight, entry, err) < 0)
		return -1;
	return balance_apply(session, directory, &before, &after, err);
}

int balance_join(const struct net_state *state, struct net_session *session, const struct port *port,
	const struct endpoint *endpoint, unsigned weight, enum balance_entry entry, struct error *err)
{
	AUTO(balance_records_drop) struct balance_records records = {-1, -1};

	if (loopback_open(session, port, endpoint, err) < 0 || balance_records_open(state, &records, err) < 0 ||
		join(records.directory, session, port, endpoint, weight, entry, err) < 0)
		return blame_port(err, port);
	return 0;
}

/* What one member becomes: change() is given it, NULL when it is not there, and says whether anything changed. */
struct member_change {
	const struct endpoint *endpoint;
	bool (*change)(struct balance *balance, struct balance_member *member, const struct member_change *change);
	bool in;		   /* turn */
	const struct endpoint *to; /* switch */
};

static int member_change(int directory, struct net_session *session, const struct port *port,
	const struct member_change *change, struct error *err)
{
	struct balance before, after;

	if (balance_record_read(directory, port, &before, err) < 0)
		return -1;
	after = before;
	if (!change->change(&after, member_find(&after, change->endpoint), change))
		return 0;
	return balance_apply(session, directory, &before, &after, err);
}

static int port_change(const struct net_state *state, struct net_session *session, const struct port *port,
	const struct member_change *change, struct error *err)
{
	AUTO(balance_records_drop) struct balance_records records = {-1, -1};

	if (balance_records_open(state, &records, err) < 0 ||
		member_change(records.directory, session, port, change, err) < 0)
		return blame_port(err, port);
	return 0;
}

static bool turn(struct balance *balance, struct balance_member *member, const struct member_change *change)
{
	(void)balance;
	if (!member || member->in == change->in)
		return false;
	member->in = change->in;
	return true;
}

int balance_turn(const struct net_state *state, struct net_session *session, const struct port *port,
	const struct endpoint *endpoint, bool in, struct error *err)
{
	const struct member_change change = {.endpoint = endpoint, .change = turn, .in = in};

	return port_change(state, session, port, &change, err);
}

static bool leave(struct balance *balance, struct balance_member *member, const struct member_change *change)
{
	(void)change;
	if (member)
		member_remove(balance, member);
	return member;
}

int balance_leave(const struct net_state *state, struct net_session *session, const struct port *port,
	const struct endpoint *endpoint, struct error *err)
{
	const struct member_change change = {.endpoint = endpoint, .change = leave};

	if (port_change(state, session, port, &change, err) < 0)
		return -1;
	return ports_leave_flows(port, 1) ? flows_forget(&session->filter, endpoint, err) : 0;
}

static bool take_place(struct balance *balance, struct balance_member *member, const struct member_change *change)
{
	struct balance_member *there = member_find(balance, change->to);

	if (!member)
		return false;
	if (there && there != member) {
		there->in = true;
		member_remove(balance, member);
		return true;
	}
	member->address = change->to->address;
	member->address6 = change->to->address6;
	member->in = true;
	return true;
}

int balance_switch(const struct net_state *state, struct net_session *session, const struct port *port,
	const struct endpoint *from, const struct endpoint *to, struct error *err)
{
	const struct member_change change = {.endpoint = from, .change = take_place, .to = to};

	if (endpoint_admit(to, port, err) < 0)
		return blame_port(err, port);
	if (loopback_open(session, port, to, err) < 0 || port_change(state, session, port, &change, err) < 0)
		return -1;
	return ports_leave_flows(port, 1) ? flows_forget(&session->filter, from, err) : 0;
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

int balance_leave_all(
	const struct net_state *state, struct net_session *session, const struct endpoint *endpoint, struct error *err)
{
	const struct member_change change = {.endpoint = endpoint, .change = leave};
	AUTO(balance_records_drop) struct balance_records records = {-1, -1};
	AUTO(arena_drop) struct arena arena = {0};
	struct port_list ports;

	if (!balance_records_exist(state))
		return 0;
	if (balance_records_open(state, &records, err) < 0 ||
		balance_records_list(&arena, records.directory, &ports, err) < 0)
		return blame(err, "leave shared ports");
	for (size_t i = 0; i < ports.count; i++) {
		if (member_change(records.directory, session, &ports.items[i], &change, err) < 0)
			return blame_port(err, &ports.items[i]);
	}
	return 0;
}

int balance_read(const struct net_state *state, const struct port *port, struct balance *out, struct error *err)
{
	AUTO(balance_records_drop) struct balance_records records = {-1, -1};

	if (balance_records_open(state, &records, err) < 0 ||
		balance_record_read(records.directory, port, out, err) < 0)
		return blame_port(err, port);
	return 0;
}
