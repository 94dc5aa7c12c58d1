/* Clients that open one connection after the other, as long as a test does something else. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_LOAD_H
#define WARREN_TESTS_END_TO_END_SUPPORT_LOAD_H

#include <stdint.h>
#include <sys/types.h>

#define LOAD_CLIENTS 4

/* What one client saw; shared with its process. */
struct load_count {
	volatile uint64_t answered, failed;
	char first_failure[128];
};
struct load {
	pid_t clients[LOAD_CLIENTS];
	struct load_count *counts;
};

/* Each request is GET / of that host name at 127.0.0.1:port on a connection of its own; answered: status 200 and the
 * whole body. */
struct load load_begin(uint16_t port, const char *host);
/* The same at another address, of either family. */
struct load load_begin_at(const char *address, uint16_t port, const char *host);
/* Ends the clients. Asserts that at least `least` requests were answered, and that none failed. */
void load_end(struct load *load, uint64_t least);

#endif
