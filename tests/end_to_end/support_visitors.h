/* Visitors who have connected and now say nothing: whoever serves them is not done with them until they leave. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_VISITORS_H
#define WARREN_TESTS_END_TO_END_SUPPORT_VISITORS_H

#include <stdbool.h>
#include <stdint.h>

/* So many that of two who share a port each has some: that one has none of them happens once in two thousand times. */
#define VISITORS 12

struct visitors {
	int fds[VISITORS]; /* -1: not here */
};

#define VISITORS_NONE ((struct visitors){{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}})

/* Connects all to 127.0.0.1:port, waiting for somebody to listen there. False when nobody did in time; then, too, they
 * are to be sent away with visitors_drop(), which may be done twice. */
bool visitors_come(struct visitors *visitors, uint16_t port);
void visitors_drop(struct visitors *visitors);

#endif
