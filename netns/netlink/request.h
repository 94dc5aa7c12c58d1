/* One netlink exchange: several messages in one send, and what the kernel answers.
 *
 * Two facts make it short. The kernel handles a send of route and netfilter messages before it returns from it, so all
 * answers are in the socket's queue by then and nothing here ever waits. And a message that fails is always answered,
 * so only the last one asks for an acknowledgement: one answer when all went well, yet no failure can be missed. */
#ifndef WARREN_NETNS_REQUEST_H
#define WARREN_NETNS_REQUEST_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct netlink {
	int fd;
	uint32_t sequence; /* of the last message sent */
};

/* Opens a socket of that protocol (NETLINK_ROUTE, NETLINK_NETFILTER) in the caller's network namespace, with the
 * kernel's own error texts switched on. Allocates nothing. */
MUST_CHECK int netlink_open(struct netlink *netlink, int protocol, struct error *err);
void netlink_close(struct netlink *netlink);
/* A send larger than the socket's buffer is refused whole; root may have any. */
void send_buffer_grow(int fd, size_t size);

#define REQUEST_MESSAGE_MAX 512 /* bytes any one of our messages needs at most */
#define REQUEST_TRACKED 12	/* the first so many messages have a name and an errno each */

struct request {
	char *buffer;
	size_t size, used;
	struct nlmsghdr *message, *previous; /* the one being built and the one before it */
	uint32_t first;			     /* sequence number of the first message */
	unsigned count;
	bool batch;	  /* ends in NFNL_MSG_BATCH_END, which kernels before 6.10 do not acknowledge */
	bool answered;	  /* the last answer was seen */
	bool interrupted; /* a dump that ran into a change: repeat it */
	uint32_t tolerated;
	const char *names[REQUEST_TRACKED];
	int errors[REQUEST_TRACKED];
	int failed; /* index of the first message that failed, -1: none */
	int errnum;
	char text[128]; /* the kernel's own words about it, may be empty */
};

/* An empty request in a buffer of the caller's (aligned for any type). */
void request_begin(struct request *request, const struct netlink *netlink, void *buffer, size_t size);
/* Starts the next message and ends the one before. name is kept, not copied: what errors call this step. */
struct nlmsghdr *request_message(struct request *request, uint16_t type, uint16_t flags, const char *name);
/* The message being built may fail without failing the request. Among the first REQUEST_TRACKED only. */
void request_tolerate(struct request *request);
/* True when one more message is sure to fit. */
bool request_has_room(const struct request *request);

/* Sends all and reads all answers. Messages that are data go to each() (may be NULL). -1: the first message that
 * failed, as "name (kernel's words): errno"; err->errnum is its errno, and the request says which. */
typedef void message_handler(const struct nlmsghdr *message, void *context);
MUST_CHECK int request_exchange(
	struct netlink *netlink, struct request *request, message_handler *each, void *context, struct error *err);

enum reply_kind { REPLY_DATA, REPLY_ACK, REPLY_ERROR, REPLY_DONE, REPLY_OTHER };
struct reply {
	enum reply_kind kind;
	uint32_t sequence;
	int errnum;
	bool interrupted;
	char text[128];
	const struct nlmsghdr *message;
};
/* The reply at *offset of one datagram, which must be 4-byte aligned; moves *offset behind it. 1: one; 0: no more; -1:
 * malformed. Pure: fuzzed. */
int reply_next(const void *datagram, size_t length, size_t *offset, struct reply *reply);

/* The attributes of a message (behind a header of `header` bytes) or of a nest, by type; those above max are passed
 * over. table has max + 1 places. False: the message is shorter than its header. */
bool attributes_of_message(const struct nlmsghdr *message, size_t header, const struct nlattr **table, uint16_t max);
void attributes_of_nest(const struct nlattr *nest, const struct nlattr **table, uint16_t max);
/* Payload when it has exactly that length, else NULL; nla may be NULL. */
const void *attribute_exact(const struct nlattr *attribute, size_t length);
/* Payload when it is text that ends in NUL, else NULL; nla may be NULL. */
const char *attribute_text(const struct nlattr *attribute);

#endif
