/* What of a link has no message, or one that costs more: files below /proc/sys/net.
 *
 * Their directory is opened once a session. On the way to it the kernel compares "ipv4" with the "ipv4" of every
 * network namespace that somebody has looked for it in through the same /proc: 1 ms a look beside 2,000 instances of
 * managers that do so. A file below it is found only from the namespace in which it was opened, where sessions are
 * used. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "netns/links/link.h"
#include "netns/netlink/address.h"
#include "netns/netlink/session.h"

static int values_of(struct net_session *session, int family)
{
	int *dir = family == AF_INET ? &session->values4 : &session->values6;

	if (*dir < 0)
		*dir = open(family == AF_INET ? "/proc/sys/net/ipv4/conf" : "/proc/sys/net/ipv6/conf",
			O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *dir;
}

bool link_value_set(struct net_session *session, int family, unsigned slot, const char *name, char value)
{
	char path[64], link[IFNAMSIZ];

	snprintf(path, sizeof(path), "%s/%s", link_name(slot, link), name);
	auto_fd file = openat(values_of(session, family), path, O_WRONLY | O_CLOEXEC);
	return file >= 0 && write(file, &value, 1) == 1;
}
