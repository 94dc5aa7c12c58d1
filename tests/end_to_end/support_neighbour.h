/* A machine beyond an outer link of the playing host: a network namespace at the other end of a wire. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_NEIGHBOUR_H
#define WARREN_TESTS_END_TO_END_SUPPORT_NEIGHBOUR_H

/* Its end of the wire is "lan", the host's "wan"; both are up. */
struct neighbour {
	int host, netns;
};

/* Addresses with their prefix lengths; those of IPv6 are NULL where the kernel has none. */
struct wire_addresses {
	const char *host, *host6, *neighbour, *neighbour6;
};

struct neighbour neighbour_open(const struct wire_addresses *addresses);
void neighbour_drop(struct neighbour *neighbour);

/* The calling process goes to that end and back. */
void neighbour_enter(const struct neighbour *neighbour);
void neighbour_leave(const struct neighbour *neighbour);

#endif
