/* Builders for the route messages; see rtnetlink(7). */
#include "netns/netlink/address.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#define LINK_INDEX_BASE 100000

const uint8_t host_mac[MAC_LENGTH] = {0x02, 0x77, 0, 0, 0, 1};

void instance_mac(struct in_addr address, uint8_t mac[MAC_LENGTH])
{
	mac[0] = 0x02;
	mac[1] = 0x77;
	memcpy(mac + 2, &address.s_addr, sizeof(address.s_addr));
}

unsigned link_index(unsigned slot)
{
	return LINK_INDEX_BASE + slot;
}

const char *link_name(unsigned slot, char buffer[IFNAMSIZ])
{
	snprintf(buffer, IFNAMSIZ, "w%u", slot);
	return buffer;
}

unsigned link_slot(int index)
{
	return index > LINK_INDEX_BASE && index <= LINK_INDEX_BASE + SLOT_MAX ? (unsigned)index - LINK_INDEX_BASE : 0;
}

struct ip_address gateway_of(int family)
{
	if (family == AF_INET)
		return ip_from_v4((struct in_addr){htonl(GATEWAY_ADDRESS)});
	return ip_from_v6(&(struct in6_addr){.s6_addr = {0xfe, 0x80, [15] = 1}});
}

static unsigned char address_bits(const struct ip_address *address)
{
	return address->family == AF_INET ? 32 : 128;
}

static void put_ip(struct nlmsghdr *message, uint16_t type, const struct ip_address *address)
{
	if (address->family == AF_INET)
		mnl_attr_put(message, type, sizeof(address->v4), &address->v4);
	else
		mnl_attr_put(message, type, sizeof(address->v6), &address->v6);
}

/* IPv6: nobody else can have it, so nobody is asked and it can be used at once (ip-address(8): nodad). */
void put_address(struct request *request, uint16_t type, uint16_t flags, int index, const struct ip_address *address)
{
	struct nlmsghdr *message = request_message(request, type, flags, "set the address");
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->ifa_family = (unsigned char)address->family;
	head->ifa_prefixlen = address_bits(address);
	head->ifa_index = (unsigned)index;
	if (address->family == AF_INET6)
		head->ifa_flags = IFA_F_NODAD;
	put_ip(message, IFA_LOCAL, address);
	put_ip(message, IFA_ADDRESS, address);
}

void put_neighbour(struct request *request, int index, const struct ip_address *address, const uint8_t mac[MAC_LENGTH],
	const char *name)
{
	struct nlmsghdr *message = request_message(request, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, name);
	struct ndmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->ndm_family = (unsigned char)address->family;
	head->ndm_ifindex = index;
	head->ndm_state = NUD_PERMANENT;
	put_ip(message, NDA_DST, address);
	mnl_attr_put(message, NDA_LLADDR, MAC_LENGTH, mac);
}

static struct nlmsghdr *put_route(struct request *request, uint16_t type, uint16_t flags, const char *name, int family)
{
	struct nlmsghdr *message = request_message(request, type, flags, name);
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->rtm_family = (unsigned char)family;
	head->rtm_table = RT_TABLE_MAIN;
	head->rtm_protocol = ROUTE_PROTOCOL;
	head->rtm_type = RTN_UNICAST;
	return message;
}

void put_host_route(struct request *request, uint16_t type, uint16_t flags, int index, const struct ip_address *address)
{
	struct nlmsghdr *message = put_route(request, type, flags, "route the address to the link", address->family);
	struct rtmsg *head = mnl_nlmsg_get_payload(message);

	head->rtm_dst_len = address_bits(address);
	head->rtm_scope = RT_SCOPE_LINK;
	put_ip(message, RTA_DST, address);
	mnl_attr_put_u32(message, RTA_OIF, (uint32_t)index);
}

/* Of scope "host" it may be made while the link is down (fib_create_info() in fib_semantics.c). The source of the
 * host's own packets is looked for in that scope too, where 127.0.0.1 would be found first. */
void put_early_route(struct request *request, uint16_t type, uint16_t flags, int index, struct in_addr address)
{
	const struct ip_address to = ip_from_v4(address), source = gateway_of(AF_INET);
	struct nlmsghdr *message = put_route(request, type, flags, "route the address to the link", AF_INET);
	struct rtmsg *head = mnl_nlmsg_get_payload(message);

	head->rtm_dst_len = 32;
	head->rtm_scope = RT_SCOPE_HOST;
	put_ip(message, RTA_DST, &to);
	put_ip(message, RTA_PREFSRC, &source);
	mnl_attr_put_u32(message, RTA_OIF, (uint32_t)index);
}

void put_no_multicast_route(struct request *request, int index)
{
	static const struct in6_addr multicast = {.s6_addr = {0xff}};
	struct nlmsghdr *message = put_route(request, RTM_DELROUTE, 0, "remove the link's multicast route", AF_INET6);
	struct rtmsg *head = mnl_nlmsg_get_payload(message);

	head->rtm_dst_len = 8;
	head->rtm_table = RT_TABLE_LOCAL;
	head->rtm_protocol = RTPROT_UNSPEC;
	head->rtm_type = RTN_MULTICAST;
	mnl_attr_put(message, RTA_DST, sizeof(multicast), &multicast);
	mnl_attr_put_u32(message, RTA_OIF, (uint32_t)index);
	request_tolerate(request);
}

void put_default_route(struct request *request, int index, const struct ip_address *gateway)
{
	struct nlmsghdr *message = put_route(
		request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, "set the default route", gateway->family);
	struct rtmsg *head = mnl_nlmsg_get_payload(message);

	head->rtm_flags = RTNH_F_ONLINK;
	put_ip(message, RTA_GATEWAY, gateway);
	mnl_attr_put_u32(message, RTA_OIF, (uint32_t)index);
}

void put_link_up(struct request *request, int index, const char *name)
{
	struct nlmsghdr *message = request_message(request, RTM_NEWLINK, 0, name);
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->ifi_family = AF_UNSPEC;
	head->ifi_index = index;
	head->ifi_flags = IFF_UP;
	head->ifi_change = IFF_UP;
}

void put_link_without_link_local(struct request *request, int index)
{
	struct nlmsghdr *message =
		request_message(request, RTM_NEWLINK, 0, "keep the link without a link-local address");
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	struct nlattr *families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
	struct nlattr *family = mnl_attr_nest_start(message, AF_INET6);

	head->ifi_family = AF_UNSPEC;
	head->ifi_index = index;
	mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(message, family);
	mnl_attr_nest_end(message, families);
	request_tolerate(request);
}
