/* What several tests' scenes have alike: one instance and nothing else, what the table holds, ports by their text. */
#ifndef WARREN_TESTS_SUPPORT_SCENE_H
#define WARREN_TESTS_SUPPORT_SCENE_H

#include "base/arena.h"
#include "tests/netns/support_world.h"

/* One instance on an open network with egress. */
struct lone {
	struct world world;
	struct arena arena;
	struct guest guest;
};
void lone_open(struct lone *lone);
/* With a neighbour outside, too. */
void lone_open_with_outside(struct lone *lone);
void lone_close(struct lone *lone);

/* How many elements that set or map of our table has. */
size_t elements_in(struct world *world, const char *set);

struct port port_of(const char *text);
/* A TCP listener there, of both families where there are both. */
int listen_both(struct world *world, int netns, uint16_t port);

#endif
