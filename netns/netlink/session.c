/* The sockets a manager keeps for all its work on the host's network. They stay in the network namespace in which
 * they were opened, whatever the process joins later. */
#include "netns/netlink/session.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "netns/netns.h"

struct net_session *net_session_open(struct error *err)
{
	struct net_session *session = malloc(sizeof(*session));

	if (!session) {
		fail_errno(err, "open the network session");
		return NULL;
	}
	*session = (struct net_session){.route.fd = -1, .filter.fd = -1, .values4 = -1, .values6 = -1};
	if (netlink_open(&session->route, NETLINK_ROUTE, err) < 0 ||
		netlink_open(&session->filter, NETLINK_NETFILTER, err) < 0)
		net_session_drop(&session);
	return session;
}

void net_session_drop(struct net_session **session)
{
	if (!*session)
		return;
	netlink_close(&(*session)->route);
	netlink_close(&(*session)->filter);
	fd_drop(&(*session)->values4);
	fd_drop(&(*session)->values6);
	memory_drop(session);
}

/* Whoever cannot come back must not do anything more: all it does would be done to the instance's network instead of
 * the host's. */
int netlink_open_in(int netns, struct netlink *netlink, struct error *err)
{
	auto_fd here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int opened;

	if (here < 0)
		return fail_errno(err, "open the own network namespace");
	if (setns(netns, CLONE_NEWNET) < 0)
		return fail_errno(err, "enter the instance's network namespace");
	opened = netlink_open(netlink, NETLINK_ROUTE, err);
	if (setns(here, CLONE_NEWNET) < 0)
		abort();
	return opened;
}
