/* Subnets as text and as numbers. */
#include "netns/subnets/subnet.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define PREFIX_MIN 8
#define PREFIX_MAX 30

uint32_t subnet_mask(unsigned prefix)
{
	return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

uint32_t subnet_first(const struct subnet *subnet)
{
	return ntohl(subnet->base.s_addr);
}

uint32_t subnet_size(const struct subnet *subnet)
{
	return 1u << (32 - subnet->prefix);
}

bool subnet_usable(const struct subnet *subnet, struct in_addr address)
{
	uint32_t number = ntohl(address.s_addr) - subnet_first(subnet);

	return number > 0 && number < subnet_size(subnet) - 1;
}

uint32_t network_host_number(const struct network *network, struct in_addr address)
{
	uint64_t before = 0;

	for (size_t i = 0; i < network_subnet_count(network) && before < UINT32_MAX; i++) {
		const struct subnet *subnet = network_subnet(network, i);

		if (subnet_usable(subnet, address))
			return (uint32_t)before + ntohl(address.s_addr) - subnet_first(subnet);
		before += subnet_size(subnet);
	}
	return 0;
}

bool subnets_equal(const struct subnet *a, const struct subnet *b)
{
	return a->base.s_addr == b->base.s_addr && a->prefix == b->prefix;
}

bool subnet_overlaps(const struct subnet *a, const struct subnet *b)
{
	uint32_t mask = subnet_mask(a->prefix < b->prefix ? a->prefix : b->prefix);

	return (subnet_first(a) & mask) == (subnet_first(b) & mask);
}

/* Ranges that can never be an instance's: the kernel or our own table treat them in their own way. */
static const struct {
	uint32_t base;
	unsigned prefix;
	const char *what;
} reserved[] = {
	{0x00000000, 8, "this host"},
	{0x7f000000, 8, "loopback"},
	{0xa9fe0000, 16, "link-local"},
	{0xe0000000, 3, "multicast and reserved"},
};

static const char *subnet_reserved(const struct subnet *subnet)
{
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		struct subnet range = {{htonl(reserved[i].base)}, reserved[i].prefix};

		if (subnet_overlaps(&range, subnet))
			return reserved[i].what;
	}
	return NULL;
}

static int subnet_check(const char *text, const struct subnet *subnet, struct error *err)
{
	struct subnet clean = {{htonl(subnet_first(subnet) & subnet_mask(subnet->prefix))}, subnet->prefix};
	char suggestion[20];

	if (clean.base.s_addr != subnet->base.s_addr)
		return fail(err, ERROR_USAGE, "subnet \"%s\" has host bits set; did you mean \"%s\"?", text,
			subnet_format(&clean, suggestion));
	if (subnet_reserved(subnet))
		return fail(err, ERROR_USAGE, "subnet \"%s\" lies in a range that is not for instances (%s)", text,
			subnet_reserved(subnet));
	return 0;
}

int subnet_parse(const char *text, struct subnet *out, struct error *err)
{
	const char *slash = strchr(text, '/');
	char address[INET_ADDRSTRLEN];
	int64_t prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return fail(err, ERROR_USAGE, "subnet \"%.64s\": write it like \"10.44.0.0/16\"", text);
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (inet_pton(AF_INET, address, &out->base) != 1)
		return fail(err, ERROR_USAGE, "subnet \"%.64s\": \"%s\" is not an IPv4 address", text, address);
	if (number_parse(slash + 1, PREFIX_MIN, PREFIX_MAX, &prefix, err) < 0)
		return blame(err, "subnet \"%.64s\": prefix length", text);
	out->prefix = (unsigned)prefix;
	return subnet_check(text, out, err);
}

const char *subnet_format(const struct subnet *subnet, char buffer[20])
{
	char address[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &subnet->base, address, sizeof(address));
	snprintf(buffer, 20, "%s/%u", address, subnet->prefix);
	return buffer;
}
