/* What comes for an instance, seen from the host's side of its link.
 *
 * A packet socket on that one link (packet(7)), with a filter in the kernel: only what a program inside would have to
 * answer passes, and of that one byte. What the instance's kernel does by itself (acknowledging, closing, echo,
 * neighbours) does not count, nor what is sent to everybody, nor what carries our own mark: health checks. So nobody
 * has to be woken to find out that nothing has come.
 *
 * Packets from the host to the instance are outgoing ones on this side, and those only taps of all protocols see. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "netns/netlink/address.h"
#include "netns/netns.h"

#define QUEUE_BYTES 4096 /* doubled by the kernel: some ten packets */

/* Of headers: RFC 791, RFC 8200, RFC 9293. */
#define V4_LENGTH 2
#define V4_FRAGMENT 6
#define V4_FRAGMENT_OFFSET 0x1fff
#define V4_PROTOCOL 9
#define V4_DESTINATION 16
#define V4_MULTICAST 224 /* and above: reserved, broadcast */
#define V6_LENGTH 4
#define V6_NEXT 6
#define V6_DESTINATION 24
#define V6_MULTICAST 0xff
#define V6_HEADER 40
#define TCP_OFFSET 12
#define TCP_FLAGS 13
#define TCP_SYN 0x02

#define LOAD(size, offset) BPF_STMT(BPF_LD | (size) | BPF_ABS, (uint32_t)(offset))
#define LOAD_AT_X(size, offset) BPF_STMT(BPF_LD | (size) | BPF_IND, (uint32_t)(offset))
#define PASS BPF_STMT(BPF_RET | BPF_K, 0)
#define TAKE BPF_STMT(BPF_RET | BPF_K, 1)
#define PASS_IF(test, value) BPF_JUMP(BPF_JMP | (test) | BPF_K, value, 0, 1), PASS
#define PASS_UNLESS(test, value) BPF_JUMP(BPF_JMP | (test) | BPF_K, value, 1, 0), PASS
#define TAKE_IF(test, value) BPF_JUMP(BPF_JMP | (test) | BPF_K, value, 0, 1), TAKE
#define TAKE_UNLESS(test, value) BPF_JUMP(BPF_JMP | (test) | BPF_K, value, 1, 0), TAKE
/* A: the byte with the length of TCP's header in its upper half; from it, that length. */
#define TCP_HEADER BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2)
/* A: a length that counts headers of the length X: is there anything but them? */
#define TAKE_IF_MORE_THAN_X BPF_JUMP(BPF_JMP | BPF_JGT | BPF_X, 0, 0, 1), TAKE

static const struct sock_filter ipv4[] = {
	PASS_UNLESS(BPF_JEQ, ETH_P_IP),
	LOAD(BPF_B, V4_DESTINATION),
	PASS_IF(BPF_JGE, V4_MULTICAST),
	LOAD(BPF_B, V4_PROTOCOL),
	PASS_IF(BPF_JEQ, IPPROTO_ICMP),
	PASS_IF(BPF_JEQ, IPPROTO_IGMP),
	TAKE_UNLESS(BPF_JEQ, IPPROTO_TCP),
	LOAD(BPF_H, V4_FRAGMENT),
	TAKE_IF(BPF_JSET, V4_FRAGMENT_OFFSET),
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), /* X: the length of IPv4's header */
	LOAD_AT_X(BPF_B, TCP_FLAGS),
	TAKE_IF(BPF_JSET, TCP_SYN),
	LOAD_AT_X(BPF_B, TCP_OFFSET),
	TCP_HEADER,
	BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
	BPF_STMT(BPF_MISC | BPF_TAX, 0),
	LOAD(BPF_H, V4_LENGTH),
	TAKE_IF_MORE_THAN_X,
	PASS,
};

static const struct sock_filter ipv6[] = {
	LOAD(BPF_B, V6_DESTINATION),
	PASS_IF(BPF_JEQ, V6_MULTICAST),
	LOAD(BPF_B, V6_NEXT),
	PASS_IF(BPF_JEQ, IPPROTO_ICMPV6),
	PASS_IF(BPF_JEQ, IPPROTO_HOPOPTS),
	TAKE_UNLESS(BPF_JEQ, IPPROTO_TCP),
	LOAD(BPF_B, V6_HEADER + TCP_FLAGS),
	TAKE_IF(BPF_JSET, TCP_SYN),
	LOAD(BPF_B, V6_HEADER + TCP_OFFSET),
	TCP_HEADER,
	BPF_STMT(BPF_MISC | BPF_TAX, 0),
	LOAD(BPF_H, V6_LENGTH),
	TAKE_IF(BPF_JEQ, 0), /* longer than the header can say (RFC 2675) */
	TAKE_IF_MORE_THAN_X,
	PASS,
};

static const struct sock_filter both[] = {
	LOAD(BPF_W, SKF_AD_OFF + SKF_AD_PKTTYPE), PASS_UNLESS(BPF_JEQ, PACKET_OUTGOING),
	LOAD(BPF_W, SKF_AD_OFF + SKF_AD_MARK), PASS_IF(BPF_JEQ, NET_PROBE_MARK),
	LOAD(BPF_W, SKF_AD_OFF + SKF_AD_PROTOCOL),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, ARRAY_SIZE(ipv4), 0), /* to what follows it */
};

static int filter_attach(int fd, struct error *err)
{
	struct sock_filter whole[ARRAY_SIZE(both) + ARRAY_SIZE(ipv4) + ARRAY_SIZE(ipv6)];
	const struct sock_fprog program = {.len = ARRAY_SIZE(whole), .filter = whole};
	const int queue = QUEUE_BYTES;

	memcpy(whole, both, sizeof(both));
	memcpy(whole + ARRAY_SIZE(both), ipv4, sizeof(ipv4));
	memcpy(whole + ARRAY_SIZE(both) + ARRAY_SIZE(ipv4), ipv6, sizeof(ipv6));
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof(queue)) < 0)
		return fail_errno(err, "filter of a packet socket");
	return 0;
}

/* Bound, and so fed, only when the filter is in place (packet(7): protocol 0 receives nothing). */
int arrivals_open(unsigned slot, struct error *err)
{
	const struct sockaddr_ll link = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)link_index(slot)};
	auto_fd fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return fail_errno(err, "packet socket");
	if (filter_attach(fd, err) < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&link, sizeof(link)) < 0)
		return fail_errno(err, "packet socket on the link of slot %u", slot);
	return take_fd(&fd);
}

size_t arrivals_take(int fd)
{
	char byte;
	size_t count = 0;

	while (count < ARRIVALS_MAX && recv(fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC) >= 0)
		count++;
	return count;
}
