/* What others have undone of the host's part since it was made: a `sysctl --system` that switches forwarding off, an
 * address flushed from lo, IPv6 switched off and on. The table is asked for by every command, forwarding by every
 * start; the rest by who looks for faults. */
#include "base/cleanup.h"
#include "netns/host/before.h"
#include "netns/netlink/address.h"
#include "netns/subnets/ipv6.h"

/* Where IPv6 is switched off nobody has switched its forwarding on. */
bool net_host_forwards(void)
{
	return !sysctl_is_zero("/proc/sys/net/ipv4/ip_forward") &&
	       !(sysctl_is_zero("/proc/sys/net/ipv6/conf/all/forwarding") && net_has_ipv6());
}

static int sysctl_is_off(int dir, const char *name, bool *off, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *value;

	if (sysctl_read(&arena, dir, name, &value, err) < 0)
		return -1;
	*off = text_equal(value, "0");
	return 0;
}

static int forwarding_inspect(bool has_ipv6, unsigned *faults, struct error *err)
{
	auto_fd dir = sysctls_open(err);
	bool off = false, off6 = false;

	if (dir < 0 || sysctl_is_off(dir, "ipv4/ip_forward", &off, err) < 0 ||
		(has_ipv6 && sysctl_is_off(dir, FORWARDING6_ALL, &off6, err) < 0))
		return -1;
	*faults |= (off ? HOST_FORWARDING : 0) | (off6 ? HOST_FORWARDING6 : 0);
	return 0;
}

static int gateways_inspect(const struct net_state *state, bool has_ipv6, unsigned *faults, struct error *err)
{
	const struct ip_address gateway = gateway_of(AF_INET);
	struct subnet6 own;

	if (!ip_is_local(&gateway))
		*faults |= HOST_GATEWAY;
	if (!has_ipv6)
		return 0;
	if (own_prefix(state, &own, err) < 0)
		return -1;
	const struct in6_addr bytes = gateway6_address(&own);
	const struct ip_address gateway6 = ip_from_v6(&bytes);
	if (!ip_is_local(&gateway6))
		*faults |= HOST_GATEWAY6;
	return 0;
}

int net_host_inspect(const struct net_state *state, unsigned *faults, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	bool has_ipv6 = net_has_ipv6();
	struct before before;
	int made = before_load(&arena, state, &before, err);

	*faults = 0;
	if (made < 0 || (made && (forwarding_inspect(has_ipv6, faults, err) < 0 ||
					 gateways_inspect(state, has_ipv6, faults, err) < 0)))
		return blame(err, "inspect the host's network");
	return 0;
}
