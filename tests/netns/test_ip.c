/* Addresses of either kind. */
#include <arpa/inet.h>

#include "base/cleanup.h"
#include "netns/netns.h"
#include "tests/test.h"

static struct ip_address parse(const char *text)
{
	struct ip_address address;
	struct error err;

	ASSERT_OK(ip_parse(text, &address, &err));
	return address;
}

TEST(ip, what_is_read_is_written_in_its_shortest_form)
{
	static const char *const cases[][2] = {{"10.88.0.5", "10.88.0.5"}, {"0.0.0.0", "0.0.0.0"}, {"::", "::"},
		{"FD00:0:0::05", "fd00::5"}, {"fe80::1", "fe80::1"}};
	char buffer[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip_address address = parse(cases[i][0]);

		cr_assert_str_eq(ip_format(&address, buffer), cases[i][1]);
	}
	cr_assert_str_eq(ip_format(&(struct ip_address){0}, buffer), "");
}

TEST(ip, one_address_has_one_spelling)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"", "\"\" is not an IPv4 address"},
		{"10.88.0", "\"10.88.0\" is not an IPv4 address"},
		{"010.88.0.1", "\"010.88.0.1\" is not an IPv4 address"},
		{" 10.88.0.1", "is not an IPv4 address"},
		{"10.88.0.1/32", "is not an IPv4 address"},
		{"fd00::1%eth0", "\"fd00::1%eth0\" is not an IPv6 address"},
		{"[fd00::1]", "\"[fd00::1]\" is not an IPv6 address"},
		{"::ffff:10.88.0.1", "\"::ffff:10.88.0.1\" is an IPv4 address: write it as one"},
		{"::10.88.0.1", "\"::10.88.0.1\" is an IPv4 address: write it as one"},
	};
	struct ip_address address;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ASSERT_FAILS(ip_parse(cases[i].text, &address, &err), ERROR_USAGE, cases[i].expected);
}

TEST(ip, questions_are_answered_for_both_kinds)
{
	struct ip_address four = parse("10.88.0.5"), six = parse("fd00::5"), none = {0};
	struct ip_address any4 = parse("0.0.0.0"), any6 = parse("::"), lo4 = parse("127.9.0.1"), lo6 = parse("::1");

	cr_assert(ip_equal(&four, &four) && ip_equal(&six, &six) && ip_equal(&none, &none));
	cr_assert(!ip_equal(&four, &six) && !ip_equal(&any4, &any6) && !ip_equal(&none, &any4));
	cr_assert(ip_is_any(&any4) && ip_is_any(&any6) && ip_is_any(&none) && !ip_is_any(&four) && !ip_is_any(&six));
	cr_assert(ip_is_loopback(&lo4) && ip_is_loopback(&lo6) && !ip_is_loopback(&four) && !ip_is_loopback(&none));
}
