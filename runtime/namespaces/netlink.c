/* Netlink by hand. An answer is parsed strictly, though it is the kernel's: sizes are checked before anything is read,
 * and messages that are not for us are passed over. */
#include "runtime/namespaces/netlink.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define ANSWER_SIZE 32768 /* NLMSG_GOODSIZE at most, of any page size */
#define ANSWERS_MAX 65536
#define PATIENCE_S 10

void netlink_request_begin(
	struct netlink_request *request, uint16_t type, uint16_t flags, const void *body, size_t size)
{
	*request = (struct netlink_request){.header = {
						    .nlmsg_len = (uint32_t)NLMSG_LENGTH(size),
						    .nlmsg_type = type,
						    .nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST),
					    }};
	assert(size <= sizeof(request->rest));
	memcpy(request->rest, body, size);
}

void netlink_request_add(struct netlink_request *request, uint16_t attribute, const void *value, size_t size)
{
	size_t at = NLMSG_ALIGN(request->header.nlmsg_len) - sizeof(request->header);
	struct nlattr head = {.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = attribute};

	assert(at + NLA_ALIGN(head.nla_len) <= sizeof(request->rest));
	memcpy(request->rest + at, &head, sizeof(head));
	memcpy(request->rest + at + NLA_HDRLEN, value, size);
	request->header.nlmsg_len = (uint32_t)(sizeof(request->header) + at + NLA_ALIGN(head.nla_len));
}

int rtnetlink_open(struct error *err)
{
	/* The kernel answers at once or not at all. */
	struct timeval patience = {.tv_sec = PATIENCE_S};
	auto_fd fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return fail_errno(err, "open a netlink socket");
	return take_fd(&fd);
}

/* 1: more follows; 0: that was all. */
static int message_take(
	const struct nlmsghdr *message, uint32_t sequence, netlink_see *see, void *context, struct error *err)
{
	if (message->nlmsg_seq != sequence)
		return 1;
	if (message->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *answer = NLMSG_DATA(message);

		if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*answer)))
			return fail(err, ERROR_SYSTEM, "netlink: an answer is cut off");
		errno = -answer->error;
		return answer->error ? fail_errno(err, "netlink") : 0;
	}
	if (message->nlmsg_type == NLMSG_DONE)
		return 0;
	return see && !see(context, message, err) ? -1 : 1;
}

int netlink_ask(int socket, struct netlink_request *request, netlink_see *see, void *context, struct error *err)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	_Alignas(struct nlmsghdr) char answer[ANSWER_SIZE];

	request->header.nlmsg_seq++;
	if (sendto(socket, request, request->header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return fail_errno(err, "netlink: send");
	for (int i = 0; i < ANSWERS_MAX; i++) {
		ssize_t length = recv(socket, answer, sizeof(answer), 0);
		size_t left = length < 0 ? 0 : (size_t)length;

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return fail_errno(err, "netlink: receive");
		for (struct nlmsghdr *message = (struct nlmsghdr *)answer; NLMSG_OK(message, left);
			message = NLMSG_NEXT(message, left)) {
			int more = message_take(message, request->header.nlmsg_seq, see, context, err);

			if (more <= 0)
				return more;
		}
	}
	return fail(err, ERROR_SYSTEM, "netlink: the answer does not end");
}

const struct nlattr *netlink_attribute(const struct nlattr *at, size_t *left)
{
	if (*left < (size_t)NLA_HDRLEN || at->nla_len < NLA_HDRLEN || at->nla_len > *left)
		return NULL;
	return at;
}

const struct nlattr *netlink_attribute_next(const struct nlattr *at, size_t *left)
{
	size_t size = NLA_ALIGN(at->nla_len);

	if (size >= *left)
		return NULL;
	*left -= size;
	return netlink_attribute((const struct nlattr *)((const char *)at + size), left);
}
