/* Published ports as elements of the table's maps.
 *
 * A port has one number, or as a range several; each number is claimed on its own in the map of claims, which is what
 * keeps two from having the same. Where packets go is said by one element a number, or by one for a whole range whose
 * numbers are the same on both sides. */
#ifndef WARREN_NETNS_PORT_ELEMENTS_H
#define WARREN_NETNS_PORT_ELEMENTS_H

#include "netns/netlink/elements.h"
#include "netns/netns.h"

bool port_is_any(const struct port *port);
bool port_is_six(const struct port *port);
/* Led somewhere by the kernel and not shared: what the functions for published ports are about; others are passed over.
 */
bool port_is_plain(const struct port *port);
/* A range that is one element: its numbers are the same on both sides. */
bool port_is_interval(const struct port *port);
/* Refuses a port of a family of which the instance has no address, and says whose matter that is: the host's, or its
 * network's. */
MUST_CHECK int endpoint_admit(const struct endpoint *endpoint, const struct port *port, struct error *err);

/* The number that is `offset` behind the first. */
struct element port_claim(const struct port *port, uint16_t offset, const struct endpoint *holder);
/* The same number claimed on any address. */
struct element port_claim_any(const struct port *port, uint16_t offset, const struct endpoint *holder);
/* The mark that the number is, or once was, claimed on a single address. */
struct element port_narrow(const struct port *port, uint16_t offset);
/* What leads packets to the instance: of the number, or of all of them. */
struct element port_element(const struct port *port, uint16_t offset, const struct endpoint *endpoint);
/* True when the port's element belongs to this number: to each, but of an interval only to the last, so that it is
 * added when all are claimed. */
bool port_has_element(const struct port *port, uint16_t offset);

uint8_t port_protocol_number(enum port_protocol protocol);
/* The holder's IPv4 address, of a claim; 0.0.0.0: shared by several. */
struct in_addr claim_holder(const struct element *claim);
bool claim_is_of(const struct element *claim, const struct endpoint *endpoint);
/* True when this claim is of the port's number on a single address. */
bool claim_is_narrow(const struct element *claim, const struct port *port, uint16_t offset);
bool elements_lead_to_same(const struct element *a, const struct element *b);
/* Where an element of a port leads to; false: not of a form of ours. */
bool element_leads_to(const struct element *element, const struct endpoint *endpoint);

/* The messages that claim the number for the holder, or fail with EEXIST. unmark: the mark in `narrow` is known to
 * stand for nobody. */
void batch_claim(
	struct request *request, const struct port *port, uint16_t offset, const struct endpoint *holder, bool unmark);
/* Those that are gone already are passed over. */
MUST_CHECK int elements_delete(
	struct netlink *netlink, const struct element *elements, size_t count, struct error *err);

#define BATCH_ELEMENTS 512
#define BATCH_SIZE (BATCH_ELEMENTS * 160 + 4 * REQUEST_MESSAGE_MAX) /* bytes that so many messages fit in */

#endif
