/* See balance_slots.h. */
#include "netns/ports/balance_slots.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "netns/ports/port_elements.h"
#include "netns/table/table_text.h"

/* --- who has which ------------------------------------------------------------------------------------------------ */

static bool nobody_is_in(const struct balance *balance)
{
	for (size_t i = 0; i < balance->count; i++)
		if (balance->members[i].in)
			return false;
	return true;
}

/* Largest remainders; everybody who is in has one at least, which the limit of members allows. With nobody in all have
 * some: what one that is not well answers is worth more than what nobody does. */
static void quotas_find(const struct balance *balance, unsigned quotas[BALANCE_MEMBERS_MAX])
{
	unsigned sum = 0, given = 0, remainders[BALANCE_MEMBERS_MAX] = {0};
	bool all = nobody_is_in(balance);

	memset(quotas, 0, BALANCE_MEMBERS_MAX * sizeof(*quotas));
	for (size_t i = 0; i < balance->count; i++)
		sum += all || balance->members[i].in ? balance->members[i].weight : 0;
	for (size_t i = 0; sum && i < balance->count; i++) {
		if (!all && !balance->members[i].in)
			continue;
		quotas[i] = BALANCE_SLOTS * balance->members[i].weight / sum;
		remainders[i] = BALANCE_SLOTS * balance->members[i].weight % sum + 1;
		if (quotas[i] == 0) {
			quotas[i] = 1;
			remainders[i] = 0;
		}
		given += quotas[i];
	}
	for (; sum && given < BALANCE_SLOTS; given++) {
		size_t best = 0;

		for (size_t i = 1; i < balance->count; i++)
			if (remainders[i] > remainders[best])
				best = i;
		quotas[best]++;
		remainders[best] = 0;
	}
	for (; given > BALANCE_SLOTS; given--) {
		size_t most = 0;

		for (size_t i = 1; i < balance->count; i++)
			if (quotas[i] > quotas[most])
				most = i;
		quotas[most]--;
	}
}

/* Slots in an order that has no rhythm: the counter behind `numgen inc` belongs to all shared ports together, so two
 * ports that are asked in turn see every other slot only. */
static void slots_shuffle(unsigned order[BALANCE_SLOTS], uint32_t seed)
{
	for (unsigned i = 0; i < BALANCE_SLOTS; i++)
		order[i] = i;
	for (unsigned i = BALANCE_SLOTS - 1; i > 0; i--) {
		seed = seed * 1664525u + 1013904223u;
		unsigned other = (seed >> 16) % (i + 1), kept = order[i];
		order[i] = order[other];
		order[other] = kept;
	}
}

/* The one that lacks the largest part of its quota. */
static int most_lacking(const struct balance *balance, const unsigned *quotas, const unsigned *had)
{
	int best = NO_MEMBER;

	for (size_t i = 0; i < balance->count; i++) {
		if (had[i] >= quotas[i])
			continue;
		if (best == NO_MEMBER || (quotas[i] - had[i]) * quotas[best] > (quotas[best] - had[best]) * quotas[i])
			best = (int)i;
	}
	return best;
}

void slots_share(const struct balance *balance, const int before[BALANCE_SLOTS], int after[BALANCE_SLOTS])
{
	unsigned quotas[BALANCE_MEMBERS_MAX], had[BALANCE_MEMBERS_MAX] = {0}, order[BALANCE_SLOTS];

	quotas_find(balance, quotas);
	slots_shuffle(order, balance->port.published);
	for (unsigned i = 0; i < BALANCE_SLOTS; i++) {
		int member = before[order[i]];

		after[order[i]] = NO_MEMBER;
		if (member == NO_MEMBER || had[member] >= quotas[member])
			continue;
		had[member]++;
		after[order[i]] = member;
	}
	for (unsigned i = 0; i < BALANCE_SLOTS; i++) {
		int *slot = &after[order[i]];

		if (*slot == NO_MEMBER)
			*slot = most_lacking(balance, quotas, had);
		else
			continue;
		if (*slot != NO_MEMBER)
			had[*slot]++;
	}
}

/* --- in the kernel ------------------------------------------------------------------------------------------------ */

static const char *slots_map(const struct port *port)
{
	static const char *const maps[2][2][2] = {{{SET_BALANCED, SET_BALANCED_ANY}, {SET_STICKY, SET_STICKY_ANY}},
		{{SET_BALANCED6, SET_BALANCED_ANY6}, {SET_STICKY6, SET_STICKY_ANY6}}};

	return maps[port_is_six(port)][port->balance == PORT_STICKY][port_is_any(port)];
}

struct element slot_element(const struct port *port, unsigned slot, const struct balance_member *member)
{
	struct element element = {.set = slots_map(port)};
	uint8_t protocol = port_protocol_number(port->protocol);
	uint16_t number = htons(port->published), target = htons(member->target);
	uint32_t index = slot; /* in the host's byte order, as the kernel counts */

	if (!port_is_any(port) && port_is_six(port))
		element_add_key(&element, &port->host_ip.v6, sizeof(port->host_ip.v6));
	else if (!port_is_any(port))
		element_add_key(&element, &port->host_ip.v4, sizeof(port->host_ip.v4));
	element_add_key(&element, &protocol, sizeof(protocol));
	element_add_key(&element, &number, sizeof(number));
	element_add_key(&element, &index, sizeof(index));
	if (port_is_six(port))
		element_add_data(&element, &member->address6, sizeof(member->address6));
	else
		element_add_data(&element, &member->address, sizeof(member->address));
	element_add_data(&element, &target, sizeof(target));
	return element;
}

int slot_member(const struct balance *balance, const struct element *slot)
{
	for (size_t i = 0; slot->data_length && i < balance->count; i++) {
		struct element own = slot_element(&balance->port, 0, &balance->members[i]);

		if (elements_lead_to_same(slot, &own))
			return (int)i;
	}
	return NO_MEMBER;
}

int slots_read(struct netlink *netlink, const struct port *port, struct element slots[BALANCE_SLOTS], struct error *err)
{
	const struct balance_member nobody = {0};

	for (unsigned i = 0; i < BALANCE_SLOTS; i++) {
		slots[i] = slot_element(port, i, &nobody);
		slots[i].data_length = 0;
	}
	return elements_find(netlink, slots, BALANCE_SLOTS, err);
}
