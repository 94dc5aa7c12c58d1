/* The instance's end of the link, set up through a socket in its namespace: one send, one answer. eth0 itself was born
 * there with its fixed index, so nothing has to be looked up. */
#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <poll.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "netns/links/link.h"
#include "netns/links/rates.h"
#include "netns/netlink/address.h"
#include "netns/netlink/session.h"

#define INSIDE_MESSAGES 10
#define OPERSTATE_UP 6 /* IF_OPER_UP of linux/if.h, which does not go together with net/if.h */
#define CARRIER_SLICE_MS 1

static void put_gateway(struct request *request, int family)
{
	const struct ip_address gateway = gateway_of(family);

	put_neighbour(request, INSIDE_INDEX, &gateway, host_mac, "set the gateway's link address");
}

static void put_own_address(struct request *request, const struct ip_address *address)
{
	put_address(request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, INSIDE_INDEX, address);
}

static void put_way_out(struct request *request, int family)
{
	const struct ip_address gateway = gateway_of(family);

	put_default_route(request, INSIDE_INDEX, &gateway);
}

/* Without a carrier as yet, which comes with the host's end. */
static void put_eth0(struct request *request, const struct endpoint *endpoint)
{
	const struct ip_address address = ip_from_v4(endpoint->address);
	bool six = endpoint_has_ipv6(endpoint);

	put_link_without_link_local(request, INSIDE_INDEX);
	put_own_address(request, &address);
	put_gateway(request, AF_INET);
	if (six)
		put_gateway(request, AF_INET6);
	put_rate(request, INSIDE_INDEX, endpoint->rates.egress_bits);
	put_link_up(request, INSIDE_INDEX, "bring " INSIDE_NAME " up");
	put_way_out(request, AF_INET);
	if (six)
		put_way_out(request, AF_INET6);
}

/* IPv6 addresses, lo's among them, come last: each wakes a worker of the kernel's that takes the one lock for links. */
static int configure_over(struct netlink *netlink, const struct endpoint *endpoint, struct error *err)
{
	uint64_t buffer[(INSIDE_MESSAGES + 1) * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	const struct ip_address address6 = ip_from_v6(&endpoint->address6);
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	if (endpoint->address.s_addr != INADDR_ANY)
		put_eth0(&request, endpoint);
	put_link_up(&request, LOOPBACK_INDEX, "bring lo up");
	if (endpoint_has_ipv6(endpoint))
		put_own_address(&request, &address6);
	return request_exchange(netlink, &request, NULL, NULL, err);
}

int endpoint_configure(int netns, const struct endpoint *endpoint, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};

	if (netlink_open_in(netns, &netlink, err) < 0 || configure_over(&netlink, endpoint, err) < 0)
		return blame(err, "set up the network inside");
	return 0;
}

/* --- the carrier -------------------------------------------------------------------------------------------------- */

static void operstate_note(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[IFLA_OPERSTATE + 1];
	const uint8_t *state = NULL;

	if (attributes_of_message(message, sizeof(struct ifinfomsg), table, IFLA_OPERSTATE))
		state = attribute_exact(table[IFLA_OPERSTATE], sizeof(*state));
	if (state)
		*(bool *)context = *state == OPERSTATE_UP;
}

static int carrier_look(struct netlink *netlink, bool *seen, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	struct nlmsghdr *message = request_message(&request, RTM_GETLINK, 0, "look for the carrier");
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->ifi_index = INSIDE_INDEX;
	return request_exchange(netlink, &request, operstate_note, seen, err);
}

/* Since Linux 6.8 the question itself does what the worker would do (rtnl_getlink() in rtnetlink.c). */
int endpoint_await(int netns, int64_t timeout_ms, struct error *err)
{
	AUTO(netlink_close) struct netlink netlink = {.fd = -1};
	int64_t deadline_ms = clock_ms() + timeout_ms;
	bool seen = false;

	if (netlink_open_in(netns, &netlink, err) < 0)
		return blame(err, "await the carrier");
	for (;;) {
		if (carrier_look(&netlink, &seen, err) < 0)
			return blame(err, "await the carrier");
		if (seen)
			return 0;
		if (clock_ms() >= deadline_ms)
			return fail(err, ERROR_BUSY, "await the carrier: the kernel has not seen it for %jd ms",
				(intmax_t)timeout_ms);
		poll(NULL, 0, CARRIER_SLICE_MS);
	}
}
