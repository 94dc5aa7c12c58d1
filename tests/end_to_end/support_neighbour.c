#include "tests/end_to_end/support_neighbour.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

static int netns_here(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	cr_assert(fd >= 0);
	return fd;
}

static void end_configure(const char *name, const char *address, const char *address6)
{
	auto_free char *add = text_format("addr add %s dev %s", address, name);
	auto_free char *up = text_format("link set %s up", name);

	host_ip(add);
	if (address6) {
		auto_free char *add6 = text_format("addr add %s dev %s nodad", address6, name);
		host_ip(add6);
	}
	host_ip(up);
}

struct neighbour neighbour_open(const struct wire_addresses *addresses)
{
	struct neighbour neighbour = {.host = netns_here()};

	cr_assert(unshare(CLONE_NEWNET) == 0);
	neighbour.netns = netns_here();
	auto_free char *wire =
		text_format("link add lan type veth peer name wan netns /proc/%d/fd/%d", getpid(), neighbour.host);
	host_ip(wire);
	end_configure("lan", addresses->neighbour, addresses->neighbour6);
	neighbour_leave(&neighbour);
	end_configure("wan", addresses->host, addresses->host6);
	return neighbour;
}

void neighbour_drop(struct neighbour *neighbour)
{
	close(neighbour->host);
	close(neighbour->netns);
}

void neighbour_enter(const struct neighbour *neighbour)
{
	cr_assert(setns(neighbour->netns, CLONE_NEWNET) == 0);
}

void neighbour_leave(const struct neighbour *neighbour)
{
	cr_assert(setns(neighbour->host, CLONE_NEWNET) == 0);
}
