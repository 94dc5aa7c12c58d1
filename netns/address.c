/* Builders for the route messages; see rtnetlink(7). */
#include "netns/address.h"

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

void put_address(struct request *request, uint16_t type, uint16_t flags, int index, struct in_addr address)
{
	struct nlmsghdr *message = request_message(request, type, flags, "set the address");
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->ifa_family = AF_INET;
	head->ifa_prefixlen = 32;
	head->ifa_index = (unsigned)index;
	mnl_attr_put(message, IFA_LOCAL, sizeof(address), &address);
	mnl_attr_put(message, IFA_ADDRESS, sizeof(address), &address);
}

void put_neighbour(
	struct request *request, int index, struct in_addr address, const uint8_t mac[MAC_LENGTH], const char *name)
{
	struct nlmsghdr *message = request_message(request, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, name);
	struct ndmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->ndm_family = AF_INET;
	head->ndm_ifindex = index;
	head->ndm_state = NUD_PERMANENT;
	mnl_attr_put(message, NDA_DST, sizeof(address), &address);
	mnl_attr_put(message, NDA_LLADDR, MAC_LENGTH, mac);
}

static struct nlmsghdr *put_route(struct request *request, uint16_t type, uint16_t flags, const char *name,
	unsigned char prefix, unsigned char scope)
{
	struct nlmsghdr *message = request_message(request, type, flags, name);
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->rtm_family = AF_INET;
	head->rtm_dst_len = prefix;
	head->rtm_table = RT_TABLE_MAIN;
	head->rtm_protocol = ROUTE_PROTOCOL;
	head->rtm_scope = scope;
	head->rtm_type = RTN_UNICAST;
	return message;
}

void put_host_route(struct request *request, uint16_t type, uint16_t flags, int index, struct in_addr address)
{
	struct nlmsghdr *message = put_route(request, type, flags, "route the address to the link", 32, RT_SCOPE_LINK);

	mnl_attr_put(message, RTA_DST, sizeof(address), &address);
	mnl_attr_put_u32(message, RTA_OIF, (uint32_t)index);
}

void put_default_route(struct request *request, int index, struct in_addr gateway)
{
	struct nlmsghdr *message = put_route(
		request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, "set the default route", 0, RT_SCOPE_UNIVERSE);
	struct rtmsg *head = mnl_nlmsg_get_payload(message);

	head->rtm_flags = RTNH_F_ONLINK;
	mnl_attr_put(message, RTA_GATEWAY, sizeof(gateway), &gateway);
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

void put_link_without_ipv6(struct request *request, int index)
{
	struct nlmsghdr *message = request_message(request, RTM_NEWLINK, 0, "switch IPv6 addresses of the link off");
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
