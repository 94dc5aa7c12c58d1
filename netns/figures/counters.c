/* Traffic of instances: the counters of their links' host sides, where received and sent are the other way round. A
 * dump of RTM_GETSTATS is twenty times cheaper than one of RTM_GETLINK. */
#include "netns/figures/counters.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netns/netlink/address.h"
#include "netns/netlink/session.h"

bool counters_read_message(const struct nlmsghdr *message, unsigned *slot, struct link_counters *out)
{
	const struct nlattr *table[IFLA_STATS_LINK_64 + 1];
	const struct if_stats_msg *head = mnl_nlmsg_get_payload(message);
	struct rtnl_link_stats64 stats = {0};

	if (message->nlmsg_type != RTM_NEWSTATS ||
		!attributes_of_message(message, sizeof(*head), table, IFLA_STATS_LINK_64))
		return false;
	*slot = link_slot((int)head->ifindex);
	if (*slot == 0 || !table[IFLA_STATS_LINK_64])
		return false;
	/* The struct grows with kernels and is only 4-byte aligned in the message. */
	size_t length = mnl_attr_get_payload_len(table[IFLA_STATS_LINK_64]);
	memcpy(&stats, mnl_attr_get_payload(table[IFLA_STATS_LINK_64]),
		length < sizeof(stats) ? length : sizeof(stats));
	*out = (struct link_counters){.present = true,
		.rx_bytes = stats.tx_bytes,
		.tx_bytes = stats.rx_bytes,
		.rx_packets = stats.tx_packets,
		.tx_packets = stats.rx_packets};
	return true;
}

static void counters_note(const struct nlmsghdr *message, void *context)
{
	struct link_counters *all = context, one;
	unsigned slot;

	if (counters_read_message(message, &slot, &one))
		all[slot] = one;
}

static void counters_note_one(const struct nlmsghdr *message, void *context)
{
	struct link_counters one;
	unsigned slot;

	if (counters_read_message(message, &slot, &one))
		*(struct link_counters *)context = one;
}

static void put_stats(struct request *request, uint16_t flags, unsigned index)
{
	struct nlmsghdr *message = request_message(request, RTM_GETSTATS, flags, "read the traffic counters");
	struct if_stats_msg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->ifindex = index;
	head->filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
}

int link_counters_read(struct net_session *session, unsigned slot, struct link_counters *out, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	*out = (struct link_counters){.present = false};
	request_begin(&request, &session->route, buffer, sizeof(buffer));
	put_stats(&request, 0, link_index(slot));
	if (request_exchange(&session->route, &request, counters_note_one, out, err) < 0 && request.errnum != ENODEV)
		return -1;
	return 0;
}

int link_counters_read_all(struct net_session *session, struct link_counters out[SLOT_MAX + 1], struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct request request;

	memset(out, 0, (SLOT_MAX + 1) * sizeof(*out));
	request_begin(&request, &session->route, buffer, sizeof(buffer));
	put_stats(&request, NLM_F_DUMP, 0);
	return request_exchange(&session->route, &request, counters_note, out, err);
}
