/* See support_scene.h. */
#include "tests/netns/support_scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "netns/netlink/elements.h"
#include "netns/netlink/session.h"

#define BACKLOG 256

static void guest_add(struct lone *lone)
{
	struct network network = network_of(&lone->world, "shop", "10.44.0.0/16", false, true, &lone->arena);

	guest_open(&lone->world, &network, &lone->guest);
}

void lone_open(struct lone *lone)
{
	*lone = (struct lone){0};
	world_open(&lone->world);
	guest_add(lone);
}

void lone_open_with_outside(struct lone *lone)
{
	*lone = (struct lone){0};
	world_open(&lone->world);
	outside_open(&lone->world);
	guest_add(lone);
}

void lone_close(struct lone *lone)
{
	guest_close(&lone->world, &lone->guest);
	world_close(&lone->world);
	arena_drop(&lone->arena);
}

static void count_one(const struct element *element, void *context)
{
	(void)element;
	++*(size_t *)context;
}

size_t elements_in(struct world *world, const char *set)
{
	size_t count = 0;
	struct error err;

	ASSERT_OK(elements_dump(&world->session->filter, set, count_one, &count, &err));
	return count;
}

struct port port_of(const char *text)
{
	struct port port;
	struct error err;

	ASSERT_OK(port_parse(text, &port, &err));
	return port;
}

int listen_both(struct world *world, int netns, uint16_t port)
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (!net_has_ipv6())
		return listen_in(world, netns, "0.0.0.0", port);
	netns_enter(netns);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	netns_enter(world->host);
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, BACKLOG) == 0, "%s",
		strerror(errno));
	return fd;
}
