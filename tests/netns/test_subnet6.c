/* IPv6 subnets as text and numbers. */
#include "netns/subnets/subnet.h"

#include <arpa/inet.h>

#include "base/cleanup.h"
#include "tests/test.h"

static struct subnet6 parse(const char *text)
{
	struct subnet6 subnet;
	struct error err;

	ASSERT_OK(subnet6_parse(text, &subnet, &err));
	return subnet;
}

static struct in6_addr address(const char *text)
{
	struct in6_addr out;

	cr_assert(inet_pton(AF_INET6, text, &out) == 1);
	return out;
}

TEST(subnet6, what_is_read_is_written)
{
	static const char *const texts[] = {
		"fd12:3456:789a:1::/64", "2001:db8::/48", "fd00::ff00/120", "2001:db8:1:2::/68"};
	char buffer[SUBNET6_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct subnet6 subnet = parse(texts[i]);

		cr_assert_str_eq(subnet6_format(&subnet, buffer), texts[i]);
	}
	cr_assert_str_eq(subnet6_format(&(struct subnet6){0}, buffer), "");
}

TEST(subnet6, wrong_ones_are_refused_with_the_reason)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"fd00::1", "subnet \"fd00::1\": write it like \"fd12:3456:789a:1::/64\""},
		{"10.0.0.0/8", "subnet \"10.0.0.0/8\": \"10.0.0.0\" is not an IPv6 address"},
		{"fd00::/47", "subnet \"fd00::/47\": prefix length: 47 is not between 48 and 120"},
		{"fd00::/121", "subnet \"fd00::/121\": prefix length: 121 is not between 48 and 120"},
		{"fd00::/064", "subnet \"fd00::/064\": prefix length"},
		{"fd00::1/64", "subnet \"fd00::1/64\" has host bits set; did you mean \"fd00::/64\"?"},
		{"fd00:0:0:0:18::/68", "subnet \"fd00:0:0:0:18::/68\" has host bits set"},
		{"fe80::/64", "subnet \"fe80::/64\" lies in a range that is not for instances (link-local)"},
		{"ff05::/64", "subnet \"ff05::/64\" lies in a range that is not for instances (multicast)"},
		{"::/64", "subnet \"::/64\" lies in a range that is not for instances"},
		{"64:ff9b::/96", "subnet \"64:ff9b::/96\" lies in a range that is not for instances (loopback, and "
				 "IPv4 in disguise)"},
	};
	struct subnet6 subnet;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ASSERT_FAILS(subnet6_parse(cases[i].text, &subnet, &err), ERROR_USAGE, cases[i].expected);
}

TEST(subnet6, overlaps_and_members)
{
	struct subnet6 large = parse("fd01:2:3::/48"), small = parse("fd01:2:3:4::/64"), other = parse("fd01:2:4::/48");
	struct in6_addr inside = address("fd01:2:3:4::9"), outside = address("fd01:2:3:5::9");

	cr_assert(subnet6_overlaps(&large, &small) && subnet6_overlaps(&small, &large));
	cr_assert(subnet6_overlaps(&small, &small));
	cr_assert(!subnet6_overlaps(&large, &other) && !subnet6_overlaps(&other, &small));
	cr_assert(subnet6_has(&small, &inside) && !subnet6_has(&small, &outside) && subnet6_has(&large, &outside));
	cr_assert(subnet6_is_private(&large));
	large = parse("2001:db8::/48");
	cr_assert(!subnet6_is_private(&large));
}

TEST(subnet6, odd_prefixes_cut_inside_a_byte)
{
	struct subnet6 subnet = parse("2001:db8:0:f000::/52");
	struct in6_addr inside = address("2001:db8:0:ffff::1"), outside = address("2001:db8:0:e000::1");

	cr_assert(subnet6_has(&subnet, &inside) && !subnet6_has(&subnet, &outside));
}

TEST(subnet6, numbers_are_the_last_bits_and_the_base_is_nobodys)
{
	struct subnet6 wide = parse("fd01:2:3:4::/64"), narrow = parse("fd01:2:3:4::ab00/120");
	struct in6_addr base = address("fd01:2:3:4::"), first = address("fd01:2:3:4::1");
	struct in6_addr last = address("fd01:2:3:4::ff:ffff"), beyond = address("fd01:2:3:4::100:0");
	struct in6_addr middle = address("fd01:2:3:4:5::1");

	cr_assert(subnet6_first(&wide) == 1 && subnet6_last(&wide) == 0xffffff);
	cr_assert(subnet6_first(&narrow) == 0xab01 && subnet6_last(&narrow) == 0xabff);
	cr_assert(!subnet6_usable(&wide, &base) && subnet6_usable(&wide, &first) && subnet6_usable(&wide, &last));
	cr_assert(!subnet6_usable(&wide, &beyond) && !subnet6_usable(&wide, &middle));
	struct in6_addr made = subnet6_address(&wide, 0x10203);
	cr_assert(address6_number(&made) == 0x10203);
}
