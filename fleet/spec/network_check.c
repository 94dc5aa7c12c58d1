/* Checks of what an instance says of its network: mode, address, gateway, names. */
#include <arpa/inet.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/spec/network_mode.h"
#include "fleet/spec/spec_fields.h"

#define ALIASES_MAX 64

int address_prefix_parse(const char *text, struct in_addr *address, unsigned *prefix, struct error *err)
{
	const char *slash = strchr(text, '/');
	size_t length = strcspn(text, "/");
	char only[INET_ADDRSTRLEN];
	int64_t bits = 0;

	if (length >= sizeof(only))
		return fail(err, ERROR_USAGE, "\"%.64s\" is not an IPv4 address", text);
	memcpy(only, text, length);
	only[length] = '\0';
	if (inet_pton(AF_INET, only, address) != 1)
		return fail(err, ERROR_USAGE, "\"%.64s\" is not an IPv4 address", text);
	if (slash && number_parse(slash + 1, 1, 32, &bits, err) < 0)
		return blame(err, "\"%.64s\": prefix length", text);
	*prefix = (unsigned)bits;
	return 0;
}

int spec_network_check(const struct instance_spec *spec, size_t *index, struct error *err)
{
	struct network_mode mode = network_mode(spec->network);

	(void)index;
	if (network_mode_check(spec->network, err) < 0)
		return -1;
	if (mode.kind == NETWORK_SHARED && spec->name && !strcmp(mode.of, spec->name))
		return fail(err, ERROR_USAGE, "%s would share its own network", spec->name);
	return 0;
}

/* Whose address it has, for the refusal of one of its own. */
static int fail_no_address(const struct network_mode *mode, const char *network, struct error *err)
{
	if (mode->kind == NETWORK_SHARED)
		return fail(err, ERROR_USAGE, "with the network \"%s\" it has the address of %s", network, mode->of);
	return fail(err, ERROR_USAGE, "with the network \"%s\" there is no address to choose", network);
}

/* Whether it can be a host's in the subnet of that prefix: RFC 1122, 3.2.1.3; with /31 both are hosts', RFC 3021. */
static int check_in_lan(struct in_addr address, unsigned prefix, struct error *err)
{
	static const struct {
		uint32_t base, mask;
		const char *what;
	} reserved[] = {
		{0x00000000, 0xff000000, "this host"},
		{0x7f000000, 0xff000000, "loopback"},
		{0xe0000000, 0xe0000000, "multicast and reserved"},
	};
	const uint32_t number = ntohl(address.s_addr), hosts = prefix < 31 ? UINT32_MAX >> prefix : 0;
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &address, text, sizeof(text));
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if ((number & reserved[i].mask) == reserved[i].base)
			return fail(err, ERROR_USAGE, "%s lies in a range that is not for instances (%s)", text,
				reserved[i].what);
	if (hosts && ((number & hosts) == 0 || (number & hosts) == hosts))
		return fail(err, ERROR_USAGE, "%s is the %s of its subnet of /%u, no host's", text,
			number & hosts ? "broadcast address" : "address", prefix);
	return 0;
}

int spec_address_check(const struct instance_spec *spec, size_t *index, struct error *err)
{
	struct network_mode mode = network_mode(spec->network);

	(void)index;
	if (!spec->address.s_addr)
		return 0;
	if (mode.kind == NETWORK_ROUTED && spec->address_prefix)
		return fail(err, ERROR_USAGE,
			"no prefix length: the network \"%s\" knows its subnet; only macvlan and bridge need one",
			spec->network);
	if (mode.kind == NETWORK_ROUTED)
		return 0;
	if (!network_is_lan(spec->network))
		return fail_no_address(&mode, spec->network, err);
	if (!spec->address_prefix)
		return fail(err, ERROR_USAGE,
			"with the network \"%s\" it needs a prefix length, as in \"192.168.1.50/24\"", spec->network);
	return check_in_lan(spec->address, spec->address_prefix, err);
}

int spec_address6_check(const struct instance_spec *spec, size_t *index, struct error *err)
{
	struct network_mode mode = network_mode(spec->network);

	(void)index;
	if (IN6_IS_ADDR_UNSPECIFIED(&spec->address6) || mode.kind == NETWORK_ROUTED)
		return 0;
	if (network_is_lan(spec->network))
		return fail(err, ERROR_USAGE, "with the network \"%s\" IPv6 addresses come from its routers (RFC 4862)",
			spec->network);
	return fail_no_address(&mode, spec->network, err);
}

int spec_gateway_check(const struct instance_spec *spec, size_t *index, struct error *err)
{
	uint32_t mask = spec->address_prefix ? UINT32_MAX << (32 - spec->address_prefix) : 0;

	(void)index;
	if (!spec->gateway.s_addr)
		return 0;
	if (!network_is_lan(spec->network))
		return fail(err, ERROR_USAGE,
			"with the network \"%s\" there is no gateway to choose; macvlan and bridge have one",
			spec->network);
	if (!spec->address.s_addr)
		return fail(err, ERROR_USAGE, "a gateway needs an \"address\" with a prefix length");
	if (spec->gateway.s_addr == spec->address.s_addr)
		return fail(err, ERROR_USAGE, "that is the instance's own address");
	if ((ntohl(spec->gateway.s_addr) & mask) != (ntohl(spec->address.s_addr) & mask))
		return fail(err, ERROR_USAGE, "not inside the subnet of the \"address\"");
	return check_in_lan(spec->gateway, spec->address_prefix, err);
}

int spec_aliases_check(const struct instance_spec *spec, size_t *index, struct error *err)
{
	if (spec->aliases.count && !network_is_routed(spec->network))
		return fail(err, ERROR_USAGE, "with the network \"%s\" there is nobody to know it by another name",
			spec->network);
	if (spec->aliases.count > ALIASES_MAX)
		return fail(err, ERROR_USAGE, "%zu names; at most %d", spec->aliases.count, ALIASES_MAX);
	for (*index = 0; *index < spec->aliases.count; ++*index)
		if (host_name_check(spec->aliases.items[*index], err) < 0)
			return -1;
	return 0;
}
