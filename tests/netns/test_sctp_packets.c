/* Ports of SCTP on a kernel that does not speak it: a router need not. The two ends are played packet by packet; where
 * the kernel would answer itself, test_sctp.c has real associations. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "tests/netns/support_scene.h"

#define CLIENT_PORT 4000
#define AGAIN_MS 100
#define PATIENCE_MS SLOWLY(5000)

/* RFC 9260, sections 3.1 and 3.3.2: the common header and one chunk, INIT or INIT ACK. */
enum chunk_type { INIT = 1, INIT_ACK = 2 };
struct packet {
	uint16_t source, destination;
	uint32_t verification_tag, checksum;
	uint8_t type, flags;
	uint16_t length;
	uint32_t initiate_tag, window;
	uint16_t outbound, inbound;
	uint32_t sequence;
};

/* CRC32c, appendix A: of the whole packet with a checksum of 0, as it lies in the packet. */
static uint32_t checksum_of(const struct packet *packet)
{
	struct packet copy = *packet;
	unsigned char bytes[sizeof(copy)];
	uint32_t crc = UINT32_MAX;

	copy.checksum = 0;
	memcpy(bytes, &copy, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return htole32(~crc);
}

static int raw_in(struct world *world, int netns, int family)
{
	netns_enter(netns);
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_SCTP);
	netns_enter(world->host);
	cr_assert(fd >= 0, "%s", strerror(errno));
	return fd;
}

static void packet_send(int fd, enum chunk_type type, uint16_t source, uint16_t destination,
	const union socket_address *to, socklen_t length)
{
	struct packet packet = {.source = htons(source),
		.destination = htons(destination),
		.verification_tag = htonl(type == INIT ? 0 : 1),
		.type = (uint8_t)type,
		.length = htons(sizeof(packet) - offsetof(struct packet, type)),
		.initiate_tag = htonl(1),
		.window = htonl(65536),
		.outbound = htons(1),
		.inbound = htons(1),
		.sequence = htonl(1)};

	packet.checksum = checksum_of(&packet);
	cr_assert(sendto(fd, &packet, sizeof(packet), 0, &to->any, length) == sizeof(packet), "%s", strerror(errno));
}

/* A raw socket of IPv4 gives the IP header as well. */
static bool packet_receive(int fd, int family, struct packet *out, union socket_address *from)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	char buffer[256];
	socklen_t length = sizeof(*from);
	ssize_t got, skip = family == AF_INET ? (ssize_t)sizeof(struct iphdr) : 0;

	if (poll(&readable, 1, AGAIN_MS) != 1)
		return false;
	got = recvfrom(fd, buffer, sizeof(buffer), 0, &from->any, &length);
	cr_assert(got == skip + (ssize_t)sizeof(*out), "%zd bytes", got);
	memcpy(out, buffer + skip, sizeof(*out));
	cr_assert(out->checksum == checksum_of(out), "the checksum was not mended");
	return true;
}

static void expect_from(const union socket_address *from, const char *address, const char *who)
{
	struct ip_address wanted, seen = from->any.sa_family == AF_INET6 ? ip_from_v6(&from->v6.sin6_addr)
									 : ip_from_v4(from->v4.sin_addr);
	struct error err;

	ASSERT_OK(ip_parse(address, &wanted, &err));
	cr_assert(ip_equal(&wanted, &seen), "%s", who);
}

FAMILY_TEST(sctp_packets, of_a_published_port_are_translated_both_ways)
{
	SKIP_UNLESS(access("/proc/net/sctp", F_OK) < 0, "this kernel speaks SCTP: see test_sctp.c");
	struct lone s;
	struct error err;
	struct packet packet = {0};
	union socket_address host, to, from = {0};
	struct ip_address address;
	lone_open_with_outside(&s);
	auto_fd client = raw_in(&s.world, s.world.outside, family->number);
	auto_fd server = raw_in(&s.world, s.guest.netns, family->number);
	auto_free char *text = text_format("%s:8080:80/sctp", family->anywhere);
	struct port port = port_of(text);

	ASSERT_OK(ports_publish(s.world.session, &s.guest.endpoint, &port, 1, &err));
	ASSERT_OK(ip_parse(family->host, &address, &err));
	socklen_t length = socket_address(&host, &address, 0);
	int64_t deadline = clock_ms() + PATIENCE_MS;
	/* A link that has just come up drops what it is given first. */
	do {
		cr_assert(clock_ms() < deadline, "no INIT arrives");
		packet_send(client, INIT, CLIENT_PORT, 8080, &host, length);
	} while (!packet_receive(server, family->number, &packet, &from));
	cr_assert(packet.type == INIT && packet.source == htons(CLIENT_PORT) && packet.destination == htons(80));
	expect_from(&from, family->outside, "the server does not see who it is");
	to = from;
	if (family->number == AF_INET6)
		to.v6.sin6_port = 0;
	/* Each end's link is one of its own. */
	deadline = clock_ms() + PATIENCE_MS;
	do {
		cr_assert(clock_ms() < deadline, "no answer arrives");
		packet_send(server, INIT_ACK, 80, CLIENT_PORT, &to, length);
	} while (!packet_receive(client, family->number, &packet, &from));
	cr_assert(packet.type == INIT_ACK && packet.source == htons(8080) && packet.destination == htons(CLIENT_PORT));
	expect_from(&from, family->host, "the answer comes from elsewhere");
	lone_close(&s);
}
