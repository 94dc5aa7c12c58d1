/* Requests to the kernel's network configuration, rtnetlink(7), without a library: the little that moving a device
 * takes. netns/ speaks it with libmnl for the manager; here everything links statically (docs/decisions/010). */
#ifndef WARREN_RUNTIME_NETLINK_H
#define WARREN_RUNTIME_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* One message: a header, a body of a type of its own, attributes. */
struct netlink_request {
	struct nlmsghdr header;
	char rest[512];
};
/* The header's length is kept right by each. A request that would not fit is a bug. */
void netlink_request_begin(
	struct netlink_request *request, uint16_t type, uint16_t flags, const void *body, size_t size);
void netlink_request_add(struct netlink_request *request, uint16_t attribute, const void *value, size_t size);

/* A socket in our network namespace, or -1. Close it. */
MUST_CHECK int rtnetlink_open(struct error *err);

/* Called with each message of an answer; false ends it with the error that it has filled. */
typedef bool netlink_see(void *context, const struct nlmsghdr *message, struct error *err);

/* Sends and waits for the answer: each message goes to `see` (may be NULL), a refusal is -1 with its errno. */
MUST_CHECK int netlink_ask(
	int socket, struct netlink_request *request, netlink_see *see, void *context, struct error *err);

/* Walks through attributes: NULL at the end. `left` begins with the length of all of them. */
const struct nlattr *netlink_attribute(const struct nlattr *at, size_t *left);
const struct nlattr *netlink_attribute_next(const struct nlattr *at, size_t *left);
static inline const void *netlink_value(const struct nlattr *at)
{
	return (const char *)at + NLA_HDRLEN;
}
static inline size_t netlink_value_size(const struct nlattr *at)
{
	return at->nla_len - (size_t)NLA_HDRLEN;
}

#endif
