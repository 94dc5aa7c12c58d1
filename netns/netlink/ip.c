/* Addresses of either kind, as text and compared. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "netns/netns.h"

/* An IPv4 address dressed as an IPv6 one reaches the same host by two spellings, so what is compared by bytes would
 * miss it: refused. */
int ip_parse(const char *text, struct ip_address *out, struct error *err)
{
	*out = (struct ip_address){.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	if (inet_pton(out->family, text, out->family == AF_INET ? (void *)&out->v4 : (void *)&out->v6) != 1)
		return fail(
			err, ERROR_USAGE, "\"%.64s\" is not an IPv%d address", text, out->family == AF_INET ? 4 : 6);
	if (out->family == AF_INET6 && (IN6_IS_ADDR_V4MAPPED(&out->v6) || IN6_IS_ADDR_V4COMPAT(&out->v6)))
		return fail(err, ERROR_USAGE, "\"%.64s\" is an IPv4 address: write it as one", text);
	return 0;
}

const char *ip_format(const struct ip_address *address, char buffer[INET6_ADDRSTRLEN])
{
	buffer[0] = '\0';
	if (address->family == AF_INET)
		inet_ntop(AF_INET, &address->v4, buffer, INET6_ADDRSTRLEN);
	else if (address->family == AF_INET6)
		inet_ntop(AF_INET6, &address->v6, buffer, INET6_ADDRSTRLEN);
	return buffer;
}

struct ip_address ip_from_v4(struct in_addr address)
{
	return (struct ip_address){.family = AF_INET, .v4 = address};
}

struct ip_address ip_from_v6(const struct in6_addr *address)
{
	return (struct ip_address){.family = AF_INET6, .v6 = *address};
}

bool ip_equal(const struct ip_address *a, const struct ip_address *b)
{
	if (a->family != b->family)
		return false;
	if (a->family == AF_INET)
		return a->v4.s_addr == b->v4.s_addr;
	return a->family != AF_INET6 || IN6_ARE_ADDR_EQUAL(&a->v6, &b->v6);
}

bool ip_is_any(const struct ip_address *address)
{
	if (address->family == AF_INET)
		return address->v4.s_addr == htonl(INADDR_ANY);
	return address->family != AF_INET6 || IN6_IS_ADDR_UNSPECIFIED(&address->v6);
}

bool ip_is_loopback(const struct ip_address *address)
{
	if (address->family == AF_INET)
		return ntohl(address->v4.s_addr) >> 24 == IN_LOOPBACKNET;
	return address->family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->v6);
}

/* The kernel is asked, since an address need not be that of a link: `ip route add local`. */
bool ip_is_local(const struct ip_address *address)
{
	const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = address->v4};
	const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = address->v6};
	auto_fd fd = socket(address->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	if (address->family == AF_INET6)
		return bind(fd, (const struct sockaddr *)&v6, sizeof(v6)) == 0;
	return bind(fd, (const struct sockaddr *)&v4, sizeof(v4)) == 0;
}
