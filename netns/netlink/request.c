/* Netlink exchanges; see request.h.
 *
 * Replies are accepted from the kernel only (port id 0) and matched by sequence number: answers to an earlier request
 * that failed half-way are passed over. */
#include "netns/netlink/request.h"

#include <assert.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#define RECEIVE_SIZE 32768 /* the kernel fills dumps up to this when it sees such a buffer */
#define DATAGRAMS_MAX 100000

int netlink_open(struct netlink *netlink, int protocol, struct error *err)
{
	auto_fd fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	int on = 1;

	if (fd < 0)
		return fail_errno(err, "open a netlink socket");
	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) < 0 ||
		setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0)
		return fail_errno(err, "ask netlink for its error texts");
	*netlink = (struct netlink){.fd = take_fd(&fd), .sequence = 1};
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	fd_drop(&netlink->fd);
}

void send_buffer_grow(int fd, size_t size)
{
	int wanted = size > INT32_MAX ? INT32_MAX : (int)size, now = 0;
	socklen_t length = sizeof(now);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &now, &length) == 0 && now / 2 >= wanted)
		return; /* socket(7): what is asked for is doubled */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof(wanted)) < 0)
		return; /* then send() says so */
}

/* --- building ----------------------------------------------------------------------------------------------------- */

void request_begin(struct request *request, const struct netlink *netlink, void *buffer, size_t size)
{
	*request = (struct request){.buffer = buffer, .size = size, .first = netlink->sequence + 1, .failed = -1};
}

static void request_end_message(struct request *request)
{
	if (request->message)
		request->used += MNL_ALIGN(request->message->nlmsg_len);
	assert(request->used <= request->size);
}

bool request_has_room(const struct request *request)
{
	size_t open = request->message ? MNL_ALIGN(request->message->nlmsg_len) : 0;

	return request->size - request->used - open >= 2 * REQUEST_MESSAGE_MAX;
}

struct nlmsghdr *request_message(struct request *request, uint16_t type, uint16_t flags, const char *name)
{
	request_end_message(request);
	assert(request->size - request->used >= REQUEST_MESSAGE_MAX);
	request->previous = request->message;
	request->message = mnl_nlmsg_put_header(request->buffer + request->used);
	request->message->nlmsg_type = type;
	request->message->nlmsg_flags = NLM_F_REQUEST | flags;
	request->message->nlmsg_seq = request->first + request->count;
	if (request->count < REQUEST_TRACKED)
		request->names[request->count] = name;
	request->count++;
	return request->message;
}

void request_tolerate(struct request *request)
{
	assert(request->count > 0 && request->count <= REQUEST_TRACKED);
	request->tolerated |= 1u << (request->count - 1);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

bool attributes_of_message(const struct nlmsghdr *message, size_t header, const struct nlattr **table, uint16_t max)
{
	const char *end = (const char *)message + message->nlmsg_len;
	const struct nlattr *attribute;

	memset(table, 0, (max + 1u) * sizeof(*table));
	if (mnl_nlmsg_get_payload_len(message) < MNL_ALIGN(header))
		return false;
	/* mnl_attr_for_each() goes on to the end rounded up, which may lie behind the end of the buffer. */
	for (attribute = mnl_nlmsg_get_payload_offset(message, header);
		mnl_attr_ok(attribute, (int)(end - (const char *)attribute)); attribute = mnl_attr_next(attribute))
		if (mnl_attr_get_type(attribute) <= max)
			table[mnl_attr_get_type(attribute)] = attribute;
	return true;
}

void attributes_of_nest(const struct nlattr *nest, const struct nlattr **table, uint16_t max)
{
	const struct nlattr *attribute;

	memset(table, 0, (max + 1u) * sizeof(*table));
	if (!nest)
		return;
	mnl_attr_for_each_nested(attribute, nest) if (mnl_attr_get_type(attribute) <= max)
		table[mnl_attr_get_type(attribute)] = attribute;
}

const void *attribute_exact(const struct nlattr *attribute, size_t length)
{
	return attribute && mnl_attr_get_payload_len(attribute) == length ? mnl_attr_get_payload(attribute) : NULL;
}

const char *attribute_text(const struct nlattr *attribute)
{
	const char *text = attribute ? mnl_attr_get_payload(attribute) : NULL;

	return text && memchr(text, '\0', mnl_attr_get_payload_len(attribute)) ? text : NULL;
}

/* The extended acknowledgement lies behind the error and, unless NLM_F_CAPPED, behind the request that is echoed. */
static void error_text_find(const struct nlmsghdr *message, const struct nlmsgerr *error, char text[128])
{
	const struct nlattr *table[NLMSGERR_ATTR_MSG + 1];
	size_t skip = sizeof(*error);
	const char *found;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(message->nlmsg_flags & NLM_F_CAPPED)) {
		if (error->msg.nlmsg_len < sizeof(struct nlmsghdr) ||
			error->msg.nlmsg_len > mnl_nlmsg_get_payload_len(message))
			return;
		skip += MNL_ALIGN(error->msg.nlmsg_len - sizeof(struct nlmsghdr));
	}
	if (!attributes_of_message(message, skip, table, NLMSGERR_ATTR_MSG))
		return;
	found = attribute_text(table[NLMSGERR_ATTR_MSG]);
	if (found)
		snprintf(text, 128, "%s", found);
}

static bool reply_read_error(const struct nlmsghdr *message, struct reply *reply)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*error) || error->error > 0 || error->error < -4095)
		return false;
	reply->errnum = -error->error;
	reply->kind = reply->errnum ? REPLY_ERROR : REPLY_ACK;
	error_text_find(message, error, reply->text);
	return true;
}

/* A dump that fails says so in its end message: a negative errno. */
static bool reply_read_done(const struct nlmsghdr *message, struct reply *reply)
{
	int32_t status = 0;

	reply->kind = REPLY_DONE;
	if (mnl_nlmsg_get_payload_len(message) >= sizeof(status))
		memcpy(&status, mnl_nlmsg_get_payload(message), sizeof(status));
	if (status < 0 && status >= -4095) {
		reply->kind = REPLY_ERROR;
		reply->errnum = -status;
	}
	return true;
}

/* mnl_nlmsg_ok() compares as signed numbers: a length of 4 GiB would pass. */
static bool message_fits(const struct nlmsghdr *message, size_t left)
{
	return left >= sizeof(*message) && message->nlmsg_len >= sizeof(*message) && message->nlmsg_len <= left;
}

int reply_next(const void *datagram, size_t length, size_t *offset, struct reply *reply)
{
	const struct nlmsghdr *message = (const void *)((const char *)datagram + *offset);
	bool good = true;

	if (*offset >= length)
		return 0;
	if (!message_fits(message, length - *offset))
		return -1;
	*offset += MNL_ALIGN(message->nlmsg_len);
	*reply = (struct reply){.kind = REPLY_DATA,
		.sequence = message->nlmsg_seq,
		.interrupted = message->nlmsg_flags & NLM_F_DUMP_INTR,
		.message = message};
	if (message->nlmsg_type == NLMSG_ERROR)
		good = reply_read_error(message, reply);
	else if (message->nlmsg_type == NLMSG_DONE)
		good = reply_read_done(message, reply);
	else if (message->nlmsg_type < NLMSG_MIN_TYPE)
		reply->kind = REPLY_OTHER;
	return good ? 1 : -1;
}

/* --- the exchange ------------------------------------------------------------------------------------------------- */

static void request_note_error(struct request *request, unsigned index, const struct reply *reply)
{
	bool tracked = index < REQUEST_TRACKED;

	if (tracked)
		request->errors[index] = reply->errnum;
	if (tracked && request->tolerated & 1u << index)
		return;
	if (request->failed >= 0 && (unsigned)request->failed <= index)
		return;
	request->failed = (int)index;
	request->errnum = reply->errnum;
	memcpy(request->text, reply->text, sizeof(request->text));
}

static void request_take_reply(struct request *request, const struct reply *reply, message_handler *each, void *context)
{
	unsigned index = reply->sequence - request->first;
	unsigned last = request->count - (request->batch ? 2 : 1);

	if (index >= request->count)
		return;
	request->interrupted |= reply->interrupted;
	if (reply->kind == REPLY_ERROR)
		request_note_error(request, index, reply);
	if (reply->kind == REPLY_DATA && each)
		each(reply->message, context);
	if (reply->kind != REPLY_DATA && reply->kind != REPLY_OTHER && index == last)
		request->answered = true;
}

/* One datagram from the kernel; others (only a privileged process could send one) are passed over. */
static ssize_t netlink_receive(int fd, void *buffer, size_t size)
{
	struct sockaddr_nl from = {0};
	socklen_t from_length;
	ssize_t length;

	do {
		from_length = sizeof(from);
		length = recvfrom(fd, buffer, size, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &from_length);
	} while ((length < 0 && errno == EINTR) || (length >= 0 && from.nl_pid != 0));
	if (length > (ssize_t)size) {
		errno = EMSGSIZE;
		return -1;
	}
	return length;
}

static int request_send(struct netlink *netlink, struct request *request, struct error *err)
{
	struct nlmsghdr *last = request->batch ? request->previous : request->message;
	ssize_t sent;

	last->nlmsg_flags |= NLM_F_ACK;
	request_end_message(request);
	netlink->sequence += request->count;
	do {
		sent = send(netlink->fd, request->buffer, request->used, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent != (ssize_t)request->used)
		return fail_errno(err, "send %u netlink messages", request->count);
	return 0;
}

static int request_result(const struct request *request, struct error *err)
{
	unsigned index = (unsigned)request->failed;
	const char *name = index < REQUEST_TRACKED ? request->names[index] : request->names[REQUEST_TRACKED - 1];

	if (request->failed < 0)
		return 0;
	errno = request->errnum;
	if (request->text[0])
		return fail_errno(err, "%s (%s)", name, request->text);
	return fail_errno(err, "%s", name);
}

int request_exchange(
	struct netlink *netlink, struct request *request, message_handler *each, void *context, struct error *err)
{
	uint64_t buffer[RECEIVE_SIZE / sizeof(uint64_t)];
	struct reply reply;

	if (request_send(netlink, request, err) < 0)
		return -1;
	for (unsigned datagrams = 0; !request->answered && datagrams < DATAGRAMS_MAX; datagrams++) {
		ssize_t length = netlink_receive(netlink->fd, buffer, sizeof(buffer));
		size_t offset = 0;
		int more = 1;

		/* A batch refused as a whole is answered once, for its first message. */
		if (length < 0 && errno == EAGAIN && request->failed >= 0)
			break;
		if (length < 0)
			return fail_errno(err, "read the kernel's answer to: %s", request->names[0]);
		while (more > 0) {
			more = reply_next(buffer, (size_t)length, &offset, &reply);
			if (more > 0)
				request_take_reply(request, &reply, each, context);
		}
		if (more < 0)
			return fail(err, ERROR_SYSTEM, "the kernel's answer to \"%s\" is malformed", request->names[0]);
	}
	return request_result(request, err);
}
