/* A wire from the host to a neighbour, made by netlink: a scene that starts ip(8) for every link, address and route
 * spends most of its time in starting it. */
#ifndef WARREN_TESTS_SUPPORT_WIRE_H
#define WARREN_TESTS_SUPPORT_WIRE_H

/* The end of one in a network namespace. Addresses are /24 and /64; NULL: without. */
struct wire_end {
	int netns;
	const char *name, *address, *address6;
};
/* A pair of links that is ready for packets when this returns, and the default routes of `far` over `near`. index: the
 * links' index, which neither namespace may have yet. The caller is in the namespace of `near`, and stays there. */
void wire_make(const struct wire_end *near, const struct wire_end *far, unsigned index);

#endif
