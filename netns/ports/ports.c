/* Published ports: a claim and an element each, so a port costs the same whether one is published or thousands.
 *
 * Who has a number is settled by the map of claims, in the transaction that publishes it: adding exclusively fails when
 * the same number of the same address is there. A port on one address also collides with the same one on any; so it
 * adds and takes back the claim on any, exclusively, and leaves a mark in the set `narrow` that a port on any address
 * runs into. Marks stay when their port goes, since another address may have the same number: whoever runs into one
 * looks whether it still stands for somebody, which is the only time that all claims are read. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "netns/links/link.h"
#include "netns/netlink/session.h"
#include "netns/ports/port_elements.h"
#include "netns/ports/port_probe.h"
#include "netns/ports/publication.h"
#include "netns/table/table_text.h"

#define BATCH_ROWS 64
#define MESSAGES_PER_ROW 6
#define RETRIES_MAX 64 /* claims that vanish between a refusal and the look at who has them */

/* One number of one port. */
struct row {
	size_t port;
	uint16_t offset;
	bool present; /* led here already */
	bool unmark;  /* the mark in `narrow` stands for nobody */
};

struct work {
	const struct publication *all;
	struct row *rows;
	size_t row_count;
	bool *chosen;	 /* the number is ours to choose */
	uint32_t *tries; /* numbers tried for it */
	uint16_t first, span;
	uint16_t at[BATCH_ELEMENTS]; /* the row of each message of a batch, from its first row on */
	size_t messages;
};

/* --- who has a number --------------------------------------------------------------------------------------------- */

static int refuse_holder(const struct port *port, uint16_t offset, const struct element *claim, struct error *err)
{
	struct ip_address holder = ip_from_v4(claim_holder(claim));
	char where[PORT_TEXT_SIZE], address[INET6_ADDRSTRLEN];

	port_where(port, offset, where);
	if (ip_is_any(&holder))
		return fail(err, ERROR_BUSY, "port %s is shared by other instances", where);
	return fail(err, ERROR_BUSY, "port %s is published by the instance at %s", where, ip_format(&holder, address));
}

struct narrow_search {
	const struct port *port;
	uint16_t offset;
	struct element found; /* set NULL: none */
};

static void narrow_note(const struct element *claim, void *context)
{
	struct narrow_search *search = context;

	if (claim_is_narrow(claim, search->port, search->offset))
		search->found = *claim;
}

/* -1: somebody has the number on a single address, or it could not be found out. */
static int narrow_check(struct net_session *session, const struct port *port, uint16_t offset, struct error *err)
{
	struct narrow_search search = {.port = port, .offset = offset};

	if (elements_dump(&session->filter, SET_CLAIMS, narrow_note, &search, err) < 0)
		return -1;
	return search.found.set ? refuse_holder(port, offset, &search.found, err) : 0;
}

/* --- what is asked for twice -------------------------------------------------------------------------------------- */

/* Another port of the same call that has this number already: the same thing, or a contradiction. *twice: the former.
 */
static int twin_check(const struct publication *all, size_t i, bool *twice, struct error *err)
{
	const struct port *port = &all->ports[i];
	char where[PORT_TEXT_SIZE];

	*twice = false;
	for (size_t k = 0; k < i; k++) {
		const struct port *other = &all->ports[k];

		if (!port_is_plain(other) || !ports_collide(port, other))
			continue;
		if (!ports_equal(port, other))
			return fail(err, ERROR_USAGE, "port %s is asked for twice", port_where(port, 0, where));
		*twice = true;
	}
	return 0;
}

static bool number_is_asked_for(const struct publication *all, size_t i)
{
	for (size_t k = 0; k < all->count; k++)
		if (k != i && port_is_plain(&all->ports[k]) && ports_collide(&all->ports[i], &all->ports[k]))
			return true;
	return false;
}

/* --- choosing ----------------------------------------------------------------------------------------------------- */

/* A mark may stand for nobody any more. */
static int mark_is_live(struct net_session *session, const struct port *port, struct error *err)
{
	struct element mark = port_narrow(port, 0);
	int found = element_find(&session->filter, &mark, err);

	if (found <= 0 || narrow_check(session, port, 0, err) == 0)
		return found < 0 ? -1 : 0;
	if (err->kind != ERROR_BUSY)
		return -1;
	*err = (struct error){0};
	return 1;
}

/* 1: an instance has the number. The kernel would say so as well, but each of its refusals costs a grace period. */
static int number_is_claimed(const struct work *work, const struct port *port, struct error *err)
{
	struct net_session *session = work->all->session;
	struct element claim = port_claim(port, 0, work->all->endpoint);
	int found = element_find(&session->filter, &claim, err);

	if (found != 0)
		return found;
	if (port_is_any(port))
		return mark_is_live(session, port, err);
	claim = port_claim_any(port, 0, work->all->endpoint);
	return element_find(&session->filter, &claim, err);
}

/* The next number nobody has. Where the search begins follows from the address, so an instance tends to get the same,
 * and the first one is tried without a look at the table.
 */
static int port_choose(struct work *work, size_t i, struct error *err)
{
	struct port *port = &work->all->ports[i];
	uint32_t seed = ntohl(work->all->endpoint->address.s_addr) * 31 + port->target;

	if (!work->span && port_choice(&work->first, &work->span, err) < 0)
		return -1;
	while (work->tries[i] < work->span) {
		uint32_t offset = (seed + work->tries[i]++) % work->span;
		int errnum, claimed;

		port->published = (uint16_t)(work->first + offset);
		claimed = work->tries[i] > 1 ? number_is_claimed(work, port, err) : 0;
		if (claimed < 0)
			return -1;
		if (claimed || number_is_asked_for(work->all, i))
			continue;
		errnum = port_try_bind(port, 0);
		if (errnum == 0)
			return 0;
		if (errnum != EADDRINUSE)
			return port_refuse_host(port, 0, errnum, err);
	}
	return fail(err, ERROR_BUSY, "all ports from %u to %u are taken", work->first, work->first + work->span - 1u);
}

/* --- preparing ---------------------------------------------------------------------------------------------------- */

static int rows_add(struct work *work, size_t i, struct error *err)
{
	const struct port *port = &work->all->ports[i];

	for (unsigned offset = 0; offset <= port->following; offset++) {
		int errnum = port_try_bind(port, (uint16_t)offset);

		if (errnum)
			return port_refuse_host(port, (uint16_t)offset, errnum, err);
		work->rows[work->row_count++] = (struct row){.port = i, .offset = (uint16_t)offset};
	}
	return 0;
}

static int port_admit(const struct publication *all, const struct port *port, struct error *err)
{
	char text[PORT_TEXT_SIZE];

	if (port_check(port, err) < 0 || endpoint_admit(all->endpoint, port, err) < 0)
		return blame(err, "port %s", port_format(port, text));
	return 0;
}

/* The numbers that are given come first, so that none of them is chosen for another. */
static int work_prepare(struct work *work, struct error *err)
{
	const struct publication *all = work->all;
	bool twice;

	for (size_t i = 0; i < all->count; i++) {
		if (!port_is_plain(&all->ports[i]))
			continue;
		work->chosen[i] = all->ports[i].published == 0;
		if (port_admit(all, &all->ports[i], err) < 0 || twin_check(all, i, &twice, err) < 0)
			return -1;
		if (!work->chosen[i] && !twice && rows_add(work, i, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < all->count; i++) {
		if (!work->chosen[i])
			continue;
		if (port_choose(work, i, err) < 0)
			return -1;
		work->rows[work->row_count++] = (struct row){.port = i};
	}
	return 0;
}

static void work_allocate(struct work *work, struct arena *arena)
{
	size_t numbers = 0;

	for (size_t i = 0; i < work->all->count; i++)
		numbers += 1u + work->all->ports[i].following;
	work->rows = arena_new_array(arena, numbers, struct row);
	work->chosen = arena_new_array(arena, work->all->count, bool);
	work->tries = arena_new_array(arena, work->all->count, uint32_t);
}

/* --- one transaction ---------------------------------------------------------------------------------------------- */

static void put_row(struct work *work, struct request *request, size_t row, size_t first)
{
	const struct row *it = &work->rows[row];
	const struct port *port = &work->all->ports[it->port];
	unsigned before = request->count;

	batch_claim(request, port, it->offset, work->all->endpoint, it->unmark);
	if (port_has_element(port, it->offset)) {
		struct element element = port_element(port, it->offset, work->all->endpoint);
		batch_add(request, &element, false);
	}
	while (before++ < request->count)
		work->at[work->messages++] = (uint16_t)(row - first);
}

static int work_send(struct work *work, size_t first, size_t behind, struct request *request, struct error *err)
{
	const struct publication *all = work->all;
	uint64_t buffer[BATCH_SIZE / sizeof(uint64_t)];

	work->messages = 0;
	batch_begin(request, &all->session->filter, buffer, sizeof(buffer));
	for (size_t i = 0; first == 0 && i < all->removed_count; i++)
		batch_delete(request, &all->removed[i]);
	for (size_t row = first; row < behind; row++)
		if (!work->rows[row].present)
			put_row(work, request, row, first);
	batch_end(request);
	return request->count <= 2 ? 0 : request_exchange(&all->session->filter, request, NULL, NULL, err);
}

/* --- somebody has it ---------------------------------------------------------------------------------------------- */

/* 1: it is the caller's own claim, for the same; 0: not found, or another number was chosen; -1: another has it. */
static int claim_settle(struct work *work, struct row *row, struct element claim, bool own_place, struct error *err)
{
	struct netlink *filter = &work->all->session->filter;
	struct port *port = &work->all->ports[row->port];
	int found = element_find(filter, &claim, err);

	if (found <= 0)
		return found;
	if (work->chosen[row->port])
		return port_choose(work, row->port, err);
	if (own_place && claim_is_of(&claim, work->all->endpoint)) {
		struct element wanted = port_element(port, row->offset, work->all->endpoint), there = wanted;

		found = element_find(filter, &there, err);
		if (found < 0)
			return -1;
		if (found && elements_lead_to_same(&wanted, &there))
			return 1;
	}
	return refuse_holder(port, row->offset, &claim, err);
}

static int narrow_settle(struct work *work, struct row *row, struct error *err)
{
	const struct port *port = &work->all->ports[row->port];
	struct element mark = port_narrow(port, row->offset);
	int found = element_find(&work->all->session->filter, &mark, err);

	row->unmark = false;
	if (found <= 0)
		return found;
	if (narrow_check(work->all->session, port, row->offset, err) < 0) {
		if (!work->chosen[row->port] || err->kind != ERROR_BUSY)
			return -1;
		*err = (struct error){0};
		return port_choose(work, row->port, err);
	}
	row->unmark = true;
	return 0;
}

/* 0: try again. */
static int row_settle(struct work *work, struct row *row, struct error *err)
{
	const struct port *port = &work->all->ports[row->port];
	struct port before = *port;
	int settled = claim_settle(work, row, port_claim(port, row->offset, work->all->endpoint), true, err);

	if (settled < 0)
		return -1;
	row->present = settled > 0;
	if (settled || before.published != port->published)
		return 0;
	if (port_is_any(port))
		return narrow_settle(work, row, err);
	return claim_settle(work, row, port_claim_any(port, row->offset, work->all->endpoint), false, err) < 0 ? -1 : 0;
}

/* What led here already seldom does so alone, and every refusal by the kernel costs a grace period: those that follow
 * are asked after before the next attempt. */
static int rows_settle(struct work *work, size_t row, size_t behind, struct error *err)
{
	if (row_settle(work, &work->rows[row], err) < 0)
		return -1;
	while (work->rows[row].present && ++row < behind) {
		struct row *next = &work->rows[row];
		const struct element claim =
			port_claim(&work->all->ports[next->port], next->offset, work->all->endpoint);
		int settled = claim_settle(work, next, claim, true, err);

		if (settled < 0)
			return -1;
		next->present = settled > 0;
	}
	return 0;
}

static int batch_add_rows(struct work *work, size_t first, size_t behind, struct error *err)
{
	struct request request;

	for (int attempt = 0; attempt < RETRIES_MAX + BATCH_ROWS; attempt++) {
		size_t skipped = first == 0 ? work->all->removed_count : 0, index;

		if (work_send(work, first, behind, &request, err) == 0)
			return 0;
		index = (size_t)request.failed - 1 - skipped;
		if ((request.errnum != EEXIST && request.errnum != ENOENT) || request.failed < 1 ||
			(size_t)request.failed <= skipped || index >= work->messages)
			return -1;
		if (rows_settle(work, first + work->at[index], behind, err) < 0)
			return -1;
	}
	return fail(err, ERROR_BUSY, "others keep taking the same ports");
}

/* --- taking back -------------------------------------------------------------------------------------------------- */

/* Only what this call added: what led here before stays. The error that is being reported stays too. */
static void work_undo(struct work *work, size_t behind)
{
	struct element added[2 * BATCH_ROWS];
	struct error ignored = {0};
	size_t count = 0;

	for (size_t i = 0; i < behind; i++) {
		const struct row *row = &work->rows[i];
		const struct port *port = &work->all->ports[row->port];

		if (!row->present && port_has_element(port, row->offset))
			added[count++] = port_element(port, row->offset, work->all->endpoint);
		if (!row->present)
			added[count++] = port_claim(port, row->offset, work->all->endpoint);
		if (count + 2 <= ARRAY_SIZE(added) && i + 1 < behind)
			continue;
		if (elements_delete(&work->all->session->filter, added, count, &ignored) < 0)
			return;
		count = 0;
	}
}

/* Numbers that were ours to choose are so again. */
static void work_forget(struct work *work)
{
	for (size_t i = 0; i < work->all->count; i++)
		if (work->chosen[i])
			work->all->ports[i].published = 0;
}

/* Whoever took the number on one address while its mark was taken for stale is found now; the mark comes back. */
static int marks_check(struct work *work, struct error *err)
{
	for (size_t i = 0; i < work->row_count; i++) {
		const struct port *port = &work->all->ports[work->rows[i].port];
		struct element mark = port_narrow(port, work->rows[i].offset);
		uint64_t buffer[4 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
		struct request request;
		struct error ignored;

		if (!work->rows[i].unmark || narrow_check(work->all->session, port, work->rows[i].offset, err) == 0)
			continue;
		batch_begin(&request, &work->all->session->filter, buffer, sizeof(buffer));
		batch_add(&request, &mark, false);
		batch_end(&request);
		if (request_exchange(&work->all->session->filter, &request, NULL, NULL, &ignored) < 0)
			return -1;
		return -1;
	}
	return 0;
}

static int work_do(struct work *work, size_t *added, struct error *err)
{
	if (work_prepare(work, err) < 0)
		return -1;
	do {
		size_t behind = *added + BATCH_ROWS < work->row_count ? *added + BATCH_ROWS : work->row_count;

		if (batch_add_rows(work, *added, behind, err) < 0)
			return -1;
		*added = behind;
	} while (*added < work->row_count);
	return marks_check(work, err);
}

int publication_do(const struct publication *publication, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct work *work = arena_new(&arena, struct work);
	size_t added = 0;

	work->all = publication;
	work_allocate(work, &arena);
	if (work_do(work, &added, err) == 0)
		return 0;
	work_undo(work, added);
	work_forget(work);
	return -1;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static bool port_needs_loopback(const struct port *port)
{
	return port_is_plain(port) && !port_is_six(port) && (port_is_any(port) || ip_is_loopback(&port->host_ip));
}

int ports_open_loopback(struct net_session *session, const struct endpoint *endpoint, const struct port *ports,
	size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (port_needs_loopback(&ports[i]))
			return link_allow_loopback(session, endpoint->slot, err);
	return 0;
}

int ports_publish(struct net_session *session, const struct endpoint *endpoint, struct port *ports, size_t count,
	struct error *err)
{
	const struct publication publication = {
		.session = session, .endpoint = endpoint, .ports = ports, .count = count};

	if (ports_open_loopback(session, endpoint, ports, count, err) < 0)
		return blame(err, "publish ports");
	return publication_do(&publication, err);
}

/* --- for those who do not publish by the table -------------------------------------------------------------------- */

static int number_refuse(struct net_session *session, const struct port *port, uint16_t offset, struct error *err)
{
	const struct endpoint nobody = {0};
	struct element claims[] = {port_claim(port, offset, &nobody), port_claim_any(port, offset, &nobody)};

	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		int found = element_find(&session->filter, &claims[i], err);

		if (found)
			return found < 0 ? -1 : refuse_holder(port, offset, &claims[i], err);
	}
	return port_is_any(port) ? narrow_check(session, port, offset, err) : 0;
}

int ports_refuse_published(struct net_session *session, const struct port *ports, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		for (unsigned offset = 0; ports[i].published && offset <= ports[i].following; offset++)
			if (number_refuse(session, &ports[i], (uint16_t)offset, err) < 0)
				return -1;
	return 0;
}
