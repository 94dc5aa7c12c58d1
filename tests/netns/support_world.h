/* A host, its instances and its neighbours, all played by network namespaces of the test's process.
 *
 * world_open() puts the test into a new network namespace: from then on that is "the host" for the functions under
 * test. Sockets stay in the namespace where they were made, so one process can play every side. */
#ifndef WARREN_TESTS_SUPPORT_WORLD_H
#define WARREN_TESTS_SUPPORT_WORLD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "netns/netns.h"
#include "tests/test.h"

#define WAN_HOST "192.0.2.1"	/* the host's address on the wire to outside */
#define WAN_OUTSIDE "192.0.2.2" /* the neighbour's */
#define WAN6_HOST "2001:db8:5::1"
#define WAN6_OUTSIDE "2001:db8:5::2"
#define WAN_INDEX 40 /* of both ends of that wire */

/* What a body that both families run differs in. */
struct family {
	int number;
	const char *any, *host, *outside; /* addresses: any, and those of the wire's two ends */
	const char *anywhere;		  /* what stands in front of a port that is published on any address */
};
extern const struct family families[2];
/* A body, and two tests of it: NAME_over_ipv4 and NAME_over_ipv6. */
#define FAMILY_TEST(suite, name)                                                                                       \
	static void family_body_##suite##_##name(const struct family *family);                                         \
	TEST(suite, name##_over_ipv4)                                                                                  \
	{                                                                                                              \
		NEEDS_ROOT();                                                                                          \
		family_body_##suite##_##name(&families[0]);                                                            \
	}                                                                                                              \
	TEST(suite, name##_over_ipv6)                                                                                  \
	{                                                                                                              \
		NEEDS_ROOT();                                                                                          \
		SKIP_UNLESS(net_has_ipv6(), "needs IPv6");                                                             \
		family_body_##suite##_##name(&families[1]);                                                            \
	}                                                                                                              \
	static void family_body_##suite##_##name(const struct family *family)

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};
/* Fills it and returns its size. */
socklen_t socket_address(union socket_address *out, const struct ip_address *address, uint16_t port);

struct world {
	struct net_state state;
	struct net_session *session;
	char directory[64];
	int host, outside; /* network namespaces; outside: -1 until outside_open() */
};
void world_open(struct world *world);
void world_close(struct world *world);
/* A neighbour with an address on a veth to the host, and a default route over the host. */
void outside_open(struct world *world);

struct guest {
	struct endpoint endpoint;
	char network[64];
	int netns;
};
/* Defines a network (or not again), without asking for anything but the flags. */
struct network network_of(
	struct world *world, const char *name, const char *subnet, bool isolated, bool egress, struct arena *arena);
/* An instance attached to the network and configured inside, with an IPv6 address if the network has them. */
void guest_open(struct world *world, const struct network *network, struct guest *guest);
/* Gives slot and address back and drops the namespace. */
void guest_close(struct world *world, struct guest *guest);

struct in_addr ip(const char *text);
struct in6_addr ip6(const char *text);
int netns_new(void); /* a new network namespace; the caller stays where it is */
void netns_enter(int netns);
void command(const char *line);			     /* words split at blanks; must succeed */
void await_gone(struct world *world, unsigned slot); /* until the slot's link has vanished */

/* Addresses as text are of either kind from here on. A TCP listener or bound UDP socket there. */
int listen_in(struct world *world, int netns, const char *address, uint16_t port);
int udp_in(struct world *world, int netns, const char *address, uint16_t port);
/* One byte from that socket; false: the kernel would not take it, and errno. */
bool datagram_send(int fd, const char *address, uint16_t port);
/* True when a TCP connection from there is established within some seconds; false when it is refused. */
bool connects(struct world *world, int from, const char *address, uint16_t port);
bool connects_to(struct world *world, int from, struct in_addr address, uint16_t port);
bool connects_to6(struct world *world, int from, const struct in6_addr *address, uint16_t port);
/* An established connection, to be closed; -1: none came about. source NULL: any address. */
int connection_from(struct world *world, int from, const char *source, const char *address, uint16_t port);
/* True when a connection from there is neither established nor refused for a moment: its packets are dropped. */
bool is_dropped(struct world *world, int from, const char *address, uint16_t port);
bool is_dropped_to(struct world *world, int from, struct in_addr address, uint16_t port);
bool is_dropped_to6(struct world *world, int from, const struct in6_addr *address, uint16_t port);
/* True when the answer to a connection from there is at once that there is no such host. */
bool is_unreachable(struct world *world, int from, const char *address, uint16_t port);
/* The connection made last, the caller's; who made it knows of it first, so it is waited for. -1: none comes. */
int accepted(int listener);
/* The address that the listener sees of the connection made last. */
struct in_addr accepted_from(int listener);
struct in6_addr accepted_from6(int listener);

#endif
