/* Reading replies: on bytes made by hand, and the kernel's own words on a real socket. */
#include "netns/netlink/request.h"

#include <errno.h>
#include <linux/rtnetlink.h>

#include "netns/netlink/address.h"
#include "netns/netlink/elements.h"
#include "tests/netns/support_world.h"

struct error_reply {
	struct nlmsghdr head;
	struct nlmsgerr error;
};

static int next(const void *bytes, size_t length, struct reply *reply)
{
	size_t offset = 0;

	return reply_next(bytes, length, &offset, reply);
}

TEST(request, acknowledgements_and_errors_are_told_apart)
{
	struct error_reply bytes = {.head = {.nlmsg_len = sizeof(bytes), .nlmsg_type = NLMSG_ERROR, .nlmsg_seq = 5}};
	struct reply reply;

	cr_assert(next(&bytes, sizeof(bytes), &reply) == 1);
	cr_assert(reply.kind == REPLY_ACK && reply.sequence == 5);
	bytes.error.error = -EEXIST;
	cr_assert(next(&bytes, sizeof(bytes), &reply) == 1);
	cr_assert(reply.kind == REPLY_ERROR && reply.errnum == EEXIST);
}

TEST(request, malformed_replies_are_refused)
{
	struct error_reply bytes = {.head = {.nlmsg_len = sizeof(bytes), .nlmsg_type = NLMSG_ERROR}};
	struct reply reply;

	cr_assert(next(&bytes, sizeof(bytes.head) - 1, &reply) == -1, "shorter than a header");
	cr_assert(next(&bytes, sizeof(bytes) - 4, &reply) == -1, "longer than the datagram");
	bytes.head.nlmsg_len = 0xffffffff;
	cr_assert(next(&bytes, sizeof(bytes), &reply) == -1, "longer than any datagram");
	bytes.head.nlmsg_len = 3;
	cr_assert(next(&bytes, sizeof(bytes), &reply) == -1, "shorter than itself");
	bytes.head.nlmsg_len = sizeof(bytes.head);
	cr_assert(next(&bytes, sizeof(bytes), &reply) == -1, "an error without one");
	bytes.head.nlmsg_len = sizeof(bytes);
	bytes.error.error = 17;
	cr_assert(next(&bytes, sizeof(bytes), &reply) == -1, "a positive error");
	bytes.error.error = INT32_MIN;
	cr_assert(next(&bytes, sizeof(bytes), &reply) == -1, "no errno");
}

/* An error that claims to echo more of the request than there is. */
TEST(request, a_lying_echo_is_not_read_past_the_end)
{
	struct error_reply bytes = {
		.head = {.nlmsg_len = sizeof(bytes), .nlmsg_type = NLMSG_ERROR, .nlmsg_flags = NLM_F_ACK_TLVS},
		.error = {.error = -EINVAL, .msg.nlmsg_len = 0xfffffff0}};
	struct reply reply;

	cr_assert(next(&bytes, sizeof(bytes), &reply) == 1);
	cr_assert(reply.kind == REPLY_ERROR && reply.text[0] == '\0');
	bytes.error.msg.nlmsg_len = sizeof(bytes);
	cr_assert(next(&bytes, sizeof(bytes), &reply) == 1);
	cr_assert(reply.text[0] == '\0');
}

TEST(request, the_first_of_several_errors_is_reported_with_its_name)
{
	NEEDS_ROOT();
	uint64_t buffer[4096 / sizeof(uint64_t)];
	struct netlink netlink;
	struct request request;
	struct world world;
	struct error err;
	world_open(&world);
	ASSERT_OK(netlink_open(&netlink, NETLINK_ROUTE, &err));

	request_begin(&request, &netlink, buffer, sizeof(buffer));
	put_link_up(&request, LOOPBACK_INDEX, "first");
	put_link_up(&request, 4711, "second");
	put_link_up(&request, 4712, "third");
	put_link_up(&request, LOOPBACK_INDEX, "fourth");
	ASSERT_FAILS(request_exchange(&netlink, &request, NULL, NULL, &err), ERROR_SYSTEM, "second: No such device");
	cr_assert(request.failed == 1 && err.errnum == ENODEV);
	cr_assert(request.errors[0] == 0 && request.errors[2] == ENODEV && request.errors[3] == 0);

	/* The socket is in step for the next exchange. */
	request_begin(&request, &netlink, buffer, sizeof(buffer));
	put_link_up(&request, LOOPBACK_INDEX, "again");
	ASSERT_OK(request_exchange(&netlink, &request, NULL, NULL, &err));
	netlink_close(&netlink);
	world_close(&world);
}

TEST(request, a_tolerated_failure_is_none)
{
	NEEDS_ROOT();
	uint64_t buffer[4096 / sizeof(uint64_t)];
	struct netlink netlink;
	struct request request;
	struct world world;
	struct error err;
	world_open(&world);
	ASSERT_OK(netlink_open(&netlink, NETLINK_ROUTE, &err));

	request_begin(&request, &netlink, buffer, sizeof(buffer));
	put_link_up(&request, 4711, "first");
	request_tolerate(&request);
	put_link_up(&request, 4711, "last");
	request_tolerate(&request);
	ASSERT_OK(request_exchange(&netlink, &request, NULL, NULL, &err));
	cr_assert(request.errors[0] == ENODEV);
	netlink_close(&netlink);
	world_close(&world);
}

TEST(request, the_kernels_own_words_are_passed_on)
{
	NEEDS_ROOT();
	uint64_t buffer[4096 / sizeof(uint64_t)];
	struct netlink netlink;
	struct request request;
	struct world world;
	struct error err;
	world_open(&world);
	ASSERT_OK(netlink_open(&netlink, NETLINK_ROUTE, &err));

	request_begin(&request, &netlink, buffer, sizeof(buffer));
	const struct ip_address nowhere = ip_from_v4(ip("224.0.0.1"));
	put_default_route(&request, LOOPBACK_INDEX, &nowhere);
	ASSERT_FAILS(request_exchange(&netlink, &request, NULL, NULL, &err), ERROR_SYSTEM,
		"set the default route (Nexthop has invalid gateway): Invalid argument");
	netlink_close(&netlink);
	world_close(&world);
}

TEST(request, a_batch_without_a_table_fails_and_the_socket_stays_usable)
{
	NEEDS_ROOT();
	uint64_t buffer[4096 / sizeof(uint64_t)];
	struct element element = {.set = "networks"};
	struct netlink netlink;
	struct request request;
	struct world world;
	struct error err;
	uint32_t group = 1;
	world_open(&world);
	ASSERT_OK(netlink_open(&netlink, NETLINK_NETFILTER, &err));

	element_add_key(&element, &group, sizeof(group));
	for (int i = 0; i < 3; i++) {
		batch_begin(&request, &netlink, buffer, sizeof(buffer));
		batch_add(&request, &element, true);
		batch_end(&request);
		ASSERT_FAILS(request_exchange(&netlink, &request, NULL, NULL, &err), ERROR_SYSTEM,
			"add an nftables element: No such file or directory");
		cr_assert(request.failed == 1);
	}
	netlink_close(&netlink);
	world_close(&world);
}
