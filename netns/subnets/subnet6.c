/* IPv6 subnets as text and as numbers. An instance's address is the base and a host number of at most 24 bits, as in
 * IPv4, so that one address can be told from the other. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "netns/subnets/subnet.h"

#define PREFIX_MIN 48
#define PREFIX_MAX 120
#define NUMBER_BITS 24

/* --- arithmetic --------------------------------------------------------------------------------------------------- */

/* The first `prefix` bits of the address, the rest zero. */
static struct in6_addr address_cut(const struct in6_addr *address, unsigned prefix)
{
	struct in6_addr cut = {0};

	memcpy(cut.s6_addr, address->s6_addr, prefix / 8);
	if (prefix % 8)
		cut.s6_addr[prefix / 8] = (uint8_t)(address->s6_addr[prefix / 8] & 0xff00 >> prefix % 8);
	return cut;
}

bool subnet6_has(const struct subnet6 *subnet, const struct in6_addr *address)
{
	struct in6_addr base = address_cut(address, subnet->prefix);

	return IN6_ARE_ADDR_EQUAL(&base, &subnet->base);
}

bool subnet6_overlaps(const struct subnet6 *a, const struct subnet6 *b)
{
	return a->prefix < b->prefix ? subnet6_has(a, &b->base) : subnet6_has(b, &a->base);
}

bool subnets6_equal(const struct subnet6 *a, const struct subnet6 *b)
{
	return a->prefix == b->prefix && (a->prefix == 0 || IN6_ARE_ADDR_EQUAL(&a->base, &b->base));
}

bool subnet6_is_private(const struct subnet6 *subnet)
{
	return (subnet->base.s6_addr[0] & 0xfe) == 0xfc;
}

uint32_t address6_number(const struct in6_addr *address)
{
	return (uint32_t)address->s6_addr[13] << 16 | (uint32_t)address->s6_addr[14] << 8 | address->s6_addr[15];
}

struct in6_addr subnet6_address(const struct subnet6 *subnet, uint32_t number)
{
	struct in6_addr address = subnet->base;

	address.s6_addr[13] = (uint8_t)(number >> 16);
	address.s6_addr[14] = (uint8_t)(number >> 8);
	address.s6_addr[15] = (uint8_t)number;
	return address;
}

/* The base itself is every router's (RFC 4291, 2.6.1). */
uint32_t subnet6_first(const struct subnet6 *subnet)
{
	return address6_number(&subnet->base) + 1;
}

uint32_t subnet6_last(const struct subnet6 *subnet)
{
	unsigned bits = 128 - subnet->prefix;

	return address6_number(&subnet->base) + (1u << (bits < NUMBER_BITS ? bits : NUMBER_BITS)) - 1;
}

bool subnet6_usable(const struct subnet6 *subnet, const struct in6_addr *address)
{
	uint32_t number = address6_number(address);
	struct in6_addr same = subnet6_address(subnet, number);

	return number >= subnet6_first(subnet) && number <= subnet6_last(subnet) && IN6_ARE_ADDR_EQUAL(address, &same);
}

/* --- text --------------------------------------------------------------------------------------------------------- */

/* Ranges that can never be an instance's. */
static const struct {
	struct subnet6 range;
	const char *what;
} reserved[] = {
	{{{{{0}}}, 8}, "loopback, and IPv4 in disguise"},
	{{{{{0xfe, 0x80}}}, 10}, "link-local"},
	{{{{{0xff}}}, 8}, "multicast"},
};

static int subnet6_check(const char *text, const struct subnet6 *subnet, struct error *err)
{
	struct subnet6 clean = {address_cut(&subnet->base, subnet->prefix), subnet->prefix};
	char suggestion[SUBNET6_TEXT_SIZE];

	if (!IN6_ARE_ADDR_EQUAL(&clean.base, &subnet->base))
		return fail(err, ERROR_USAGE, "subnet \"%s\" has host bits set; did you mean \"%s\"?", text,
			subnet6_format(&clean, suggestion));
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (subnet6_overlaps(&reserved[i].range, subnet))
			return fail(err, ERROR_USAGE, "subnet \"%s\" lies in a range that is not for instances (%s)",
				text, reserved[i].what);
	return 0;
}

int subnet6_parse(const char *text, struct subnet6 *out, struct error *err)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	int64_t prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return fail(err, ERROR_USAGE, "subnet \"%.64s\": write it like \"fd12:3456:789a:1::/64\"", text);
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (inet_pton(AF_INET6, address, &out->base) != 1)
		return fail(err, ERROR_USAGE, "subnet \"%.64s\": \"%s\" is not an IPv6 address", text, address);
	if (number_parse(slash + 1, PREFIX_MIN, PREFIX_MAX, &prefix, err) < 0)
		return blame(err, "subnet \"%.64s\": prefix length", text);
	out->prefix = (unsigned)prefix;
	return subnet6_check(text, out, err);
}

const char *subnet6_format(const struct subnet6 *subnet, char buffer[SUBNET6_TEXT_SIZE])
{
	char address[INET6_ADDRSTRLEN];

	buffer[0] = '\0';
	if (subnet->prefix == 0)
		return buffer;
	inet_ntop(AF_INET6, &subnet->base, address, sizeof(address));
	snprintf(buffer, SUBNET6_TEXT_SIZE, "%s/%u", address, subnet->prefix);
	return buffer;
}
