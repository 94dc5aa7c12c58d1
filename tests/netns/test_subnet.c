/* Subnets as text and numbers. */
#include "netns/subnets/subnet.h"

#include <arpa/inet.h>

#include "base/cleanup.h"
#include "tests/test.h"

static struct subnet subnet_of(const char *text)
{
	struct subnet subnet;
	struct error err;

	ASSERT_OK(subnet_parse(text, &subnet, &err));
	return subnet;
}

TEST(subnet, is_written_as_it_was_read)
{
	static const char *const texts[] = {"10.44.0.0/16", "10.0.0.0/8", "192.168.1.4/30", "172.31.255.128/25"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct subnet subnet = subnet_of(texts[i]);
		char buffer[20];
		cr_assert_str_eq(subnet_format(&subnet, buffer), texts[i]);
	}
}

TEST(subnet, what_is_wrong_is_named)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"10.44.0.0", "subnet \"10.44.0.0\": write it like \"10.44.0.0/16\""},
		{"10.44.0/16", "subnet \"10.44.0/16\": \"10.44.0\" is not an IPv4 address"},
		{"fd00::/64", "subnet \"fd00::/64\": \"fd00::\" is not an IPv4 address"},
		{"10.44.0.0/31", "subnet \"10.44.0.0/31\": prefix length"},
		{"10.44.0.0/7", "subnet \"10.44.0.0/7\": prefix length"},
		{"10.44.0.0/", "subnet \"10.44.0.0/\": prefix length"},
		{"10.44.0.1/16", "subnet \"10.44.0.1/16\" has host bits set; did you mean \"10.44.0.0/16\"?"},
		{"127.0.0.0/16", "not for instances (loopback)"},
		{"169.254.0.0/24", "not for instances (link-local)"},
		{"224.0.0.0/8", "not for instances (multicast and reserved)"},
		{"0.0.0.0/8", "not for instances (this host)"},
	};
	struct error err;
	struct subnet subnet;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ASSERT_FAILS(subnet_parse(rows[i].text, &subnet, &err), ERROR_USAGE, rows[i].message);
}

TEST(subnet, base_and_broadcast_are_not_usable)
{
	struct subnet subnet = subnet_of("192.168.1.4/30");
	static const struct {
		const char *text;
		bool usable;
	} rows[] = {{"192.168.1.3", false}, {"192.168.1.4", false}, {"192.168.1.5", true}, {"192.168.1.6", true},
		{"192.168.1.7", false}, {"192.168.1.8", false}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct in_addr address;
		inet_pton(AF_INET, rows[i].text, &address);
		cr_assert(subnet_usable(&subnet, address) == rows[i].usable, "%s", rows[i].text);
	}
}

TEST(subnet, overlap_is_seen_whichever_is_larger)
{
	struct subnet large = subnet_of("10.0.0.0/8"), small = subnet_of("10.44.0.0/24");
	struct subnet other = subnet_of("10.44.1.0/24");

	cr_assert(subnet_overlaps(&large, &small) && subnet_overlaps(&small, &large));
	cr_assert(!subnet_overlaps(&small, &other) && !subnet_overlaps(&other, &small));
	cr_assert(subnet_overlaps(&small, &small));
}
