/* Rates, by a token bucket at the sending end of each direction (tc-tbf(8)): the host's end limits what the instance
 * receives, eth0 what it sends. Shaped and not dropped, so TCP settles at the rate.
 *
 * The end inside belongs to the instance's user namespace. An instance that has CAP_NET_ADMIN there could take its
 * limit off; for such a one the host drops what is above the rate as well (police.c). */
#include "netns/links/rates.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/cleanup.h"
#include "netns/netlink/address.h"
#include "netns/netlink/session.h"

#define BURST_MIN (16 << 10) /* some packets of the usual size */
#define BURST_MAX (8 << 20)
#define BURSTS_PER_SECOND 100
#define QUEUE_MS 100	     /* longer waits only make senders believe in a longer line */
#define QUEUE_MIN (96 << 10) /* has room for what TCP hands over at once, 64 KiB, and for others behind it */

/* --- messages ----------------------------------------------------------------------------------------------------- */

static struct nlmsghdr *put_qdisc(struct request *request, uint16_t type, uint16_t flags, int index, const char *name)
{
	struct nlmsghdr *message = request_message(request, type, flags, name);
	struct tcmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->tcm_family = AF_UNSPEC;
	head->tcm_ifindex = index;
	head->tcm_parent = TC_H_ROOT;
	return message;
}

static uint32_t between(uint64_t value, uint32_t low, uint32_t high)
{
	return value < low ? low : value > high ? high : (uint32_t)value;
}

/* TC_LINKLAYER_ETHERNET: else the kernel wants a table of transmission times besides (since 3.8). */
void put_rate(struct request *request, int index, uint64_t bits)
{
	uint64_t bytes = bits / 8;
	uint32_t burst = between(bytes / BURSTS_PER_SECOND, BURST_MIN, BURST_MAX);
	struct tc_tbf_qopt options = {
		.rate = {.linklayer = TC_LINKLAYER_ETHERNET, .rate = between(bytes, 1, UINT32_MAX)},
		.limit = between(bytes * QUEUE_MS / 1000 + burst, QUEUE_MIN, INT32_MAX),
	};

	if (bits == 0)
		return;
	struct nlmsghdr *message =
		put_qdisc(request, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, index, "limit the rate of the link");
	mnl_attr_put_strz(message, TCA_KIND, "tbf");
	struct nlattr *nest = mnl_attr_nest_start(message, TCA_OPTIONS);
	mnl_attr_put(message, TCA_TBF_PARMS, sizeof(options), &options);
	if (bytes > UINT32_MAX)
		mnl_attr_put(message, TCA_TBF_RATE64, sizeof(bytes), &bytes);
	mnl_attr_put_u32(message, TCA_TBF_BURST, burst);
	mnl_attr_nest_end(message, nest);
}

uint64_t rate_read(const struct nlmsghdr *message)
{
	const struct nlattr *table[TCA_OPTIONS + 1], *options[TCA_TBF_RATE64 + 1];
	const struct tc_tbf_qopt *basic;
	const void *large;
	uint64_t bytes;

	if (message->nlmsg_type != RTM_NEWQDISC ||
		!attributes_of_message(message, sizeof(struct tcmsg), table, TCA_OPTIONS) ||
		!text_equal(attribute_text(table[TCA_KIND]), "tbf"))
		return 0;
	attributes_of_nest(table[TCA_OPTIONS], options, TCA_TBF_RATE64);
	basic = attribute_exact(options[TCA_TBF_PARMS], sizeof(*basic));
	large = attribute_exact(options[TCA_TBF_RATE64], sizeof(bytes));
	if (!basic)
		return 0;
	bytes = basic->rate.rate;
	if (large)
		memcpy(&bytes, large, sizeof(bytes));
	return bytes * 8;
}

/* --- of a running instance ---------------------------------------------------------------------------------------- */

static int rate_change(struct netlink *netlink, int index, uint64_t bits, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	if (bits)
		put_rate(&request, index, bits);
	else
		put_qdisc(&request, RTM_DELQDISC, 0, index, "lift the rate of the link");
	if (request_exchange(netlink, &request, NULL, NULL, err) == 0)
		return 0;
	/* There is none to lift. */
	return bits == 0 && request.errnum == ENOENT ? 0 : -1;
}

static void rate_note(const struct nlmsghdr *message, void *context)
{
	*(uint64_t *)context += rate_read(message);
}

static int rate_look(struct netlink *netlink, int index, uint64_t *bits, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	*bits = 0;
	request_begin(&request, netlink, buffer, sizeof(buffer));
	/* Without the flag only listeners to notifications hear it. */
	put_qdisc(&request, RTM_GETQDISC, NLM_F_ECHO, index, "read the rate of the link");
	if (request_exchange(netlink, &request, rate_note, bits, err) < 0 && request.errnum != ENOENT)
		return -1;
	return 0;
}

int endpoint_rates_set(struct net_session *session, const struct endpoint *endpoint, int netns, struct error *err)
{
	AUTO(netlink_close) struct netlink inside = {.fd = -1};

	if (netlink_open_in(netns, &inside, err) < 0 ||
		rate_change(&inside, INSIDE_INDEX, endpoint->rates.egress_bits, err) < 0 ||
		rate_change(&session->route, (int)link_index(endpoint->slot), endpoint->rates.ingress_bits, err) < 0)
		return -1;
	return 0;
}

int endpoint_rates_read(
	struct net_session *session, unsigned slot, int netns, struct link_rates *rates, struct error *err)
{
	AUTO(netlink_close) struct netlink inside = {.fd = -1};

	if (netlink_open_in(netns, &inside, err) < 0 ||
		rate_look(&inside, INSIDE_INDEX, &rates->egress_bits, err) < 0 ||
		rate_look(&session->route, (int)link_index(slot), &rates->ingress_bits, err) < 0)
		return -1;
	return 0;
}
