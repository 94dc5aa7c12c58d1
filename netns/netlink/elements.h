/* Elements of the sets and maps of our nftables table, by nfnetlink.
 *
 * Keys and data are what the kernel stores: each part of a concatenation padded to four bytes; addresses and ports in
 * network byte order, device groups in the host's. A batch is one transaction: all of it or nothing. */
#ifndef WARREN_NETNS_ELEMENTS_H
#define WARREN_NETNS_ELEMENTS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "netns/netlink/request.h"

#define TABLE_NAME "warren"

#define ELEMENT_KEY_MAX 32  /* an IPv6 address, protocol, port, number of a slot */
#define ELEMENT_DATA_MAX 20 /* an IPv6 address, port */

struct element {
	const char *set;
	uint8_t key[ELEMENT_KEY_MAX], end[ELEMENT_KEY_MAX], data[ELEMENT_DATA_MAX];
	uint8_t key_length, end_length, data_length; /* data_length 0: a set; end_length 0: no range */
	bool interval_end;			     /* of a range in a set of single values */
	uint64_t bytes, packets;		     /* what was counted, in a set that counts; read only */
	char object[16]; /* a map of objects leads to the one of this name; "": other maps */
};

void element_add_key(struct element *element, const void *bytes, uint8_t length);
/* The last of a range in a set of concatenations; the first is the key. */
void element_add_end(struct element *element, const void *bytes, uint8_t length);
void element_add_data(struct element *element, const void *bytes, uint8_t length);

/* A batch: begin, any number of elements, end; then request_exchange(). Message 0 is the begin, element n is n + 1. */
void batch_begin(struct request *request, const struct netlink *netlink, void *buffer, size_t size);
void batch_add(struct request *request, const struct element *element, bool exclusive);
void batch_delete(struct request *request, const struct element *element);
/* Any other message to the table's family; NFTA_…_TABLE is the caller's to put. */
struct nlmsghdr *batch_message(struct request *request, uint16_t type, uint16_t flags, const char *name);
void batch_flush(struct request *request, const char *set);
void batch_delete_table(struct request *request);
void batch_end(struct request *request);

/* Looks one element up by its key and fills in its data. 1: there; 0: not; -1. */
MUST_CHECK int element_find(struct netlink *netlink, struct element *element, struct error *err);
/* The same for several of one map in one send; those that are not there keep their data. */
MUST_CHECK int elements_find(struct netlink *netlink, struct element *elements, size_t count, struct error *err);
/* All elements of a set, each to handler(). Repeats the dump when the set changed meanwhile, so handler() may see an
 * element twice. */
typedef void element_handler(const struct element *element, void *context);
MUST_CHECK int elements_dump(
	struct netlink *netlink, const char *set, element_handler *handler, void *context, struct error *err);
/* The elements of one NFT_MSG_NEWSETELEM message of that set. Pure: fuzzed. */
void elements_parse(const struct nlmsghdr *message, const char *set, element_handler *handler, void *context);

#endif
