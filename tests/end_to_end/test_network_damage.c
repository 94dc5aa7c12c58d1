/* Whoever configures the host may undo its part of an instance's network without a thought. `check` says what, and
 * `check --repair` mends it while the instance goes on. */
#include <fcntl.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_place.h"
#include "tests/test.h"

#define HERE "192.0.2.1"
#define HERE6 "2001:db8:5::1"
#define SERVER "busybox", "nc", "-ll", "-p", "80", "-e", "echo", "hello"

/* Dropped packets are waited for a while. */
static bool says_hello(const char *address, uint16_t port)
{
	return place_says_hello(address, port, 900);
}

static void setting_write(const char *path, const char *value)
{
	struct error err;

	ASSERT_OK(file_write(AT_FDCWD, path, value, &err));
}

static void forwarding_off(void)
{
	setting_write("/proc/sys/net/ipv4/ip_forward", "0");
	setting_write("/proc/sys/net/ipv6/conf/all/forwarding", "0");
}

static void settings_undo(void)
{
	forwarding_off();
	host_ip("addr del 169.254.1.1/32 dev lo");
	host_ip("link set w1 down");
}

static void all_removed(void)
{
	auto_run run = RUN("/usr/sbin/nft", "flush", "ruleset");

	cr_assert(run.status == 0, "%s", run.err);
	host_ip("link del w1");
}

static void host_open(struct playground *playground)
{
	host_ip("link add wire type veth peer name far");
	host_ip("addr add " HERE "/24 dev wire");
	host_ip("addr add " HERE6 "/64 dev wire nodad");
	host_ip("link set wire up");
	host_ip("link set far up");
	WARREN_OK(playground, "run", "-d", "--name", "web", "-p", "0.0.0.0:8080:80", "-p", "[::]:8080:80", "-p",
		"127.0.0.1:8081:80", "-p", HERE ":8082:80", "host", SERVER);
	cr_assert_str_eq(instance_fact(playground, "web", "slot"), "1");
}

static void expect_reached(const char *after)
{
	cr_assert(says_hello(HERE, 8080), "after %s", after);
	cr_assert(says_hello("127.0.0.1", 8081), "by loopback after %s", after);
	cr_assert(says_hello(HERE6, 8080), "by IPv6 after %s", after);
}

/* An address that the host has lost is nothing to be mended, but named with the port that was on it. */
static void expect_lost_address_named(struct playground *playground)
{
	host_ip("addr del " HERE "/24 dev wire");
	auto_run found = WARREN(playground, "check", "--no-header", "--format", "{{.name}}: {{.finding}}");
	ASSERT_STATUS(found, 1);
	cr_assert_str_eq(found.out,
		"web: its port 8082/tcp is published on " HERE ", and this host has no such address; give it back, or "
		"publish elsewhere\n");
}

TEST(network_damage, is_found_and_mended_while_instances_run, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	static const struct {
		void (*harm)(void);
		const char *findings[4];
	} rows[] = {
		{settings_undo, {"net.ipv4.ip_forward instances run, and it is 0",
					"net.ipv6.conf.all.forwarding instances run, and it is 0",
					"169.254.1.1 instances run, and lo has lost their gateway's address",
					"1 web runs, and its link w1 is down"}},
		{all_removed, {"warren instances run, and the packet filter's table is not there",
				      "1 web runs, and its link w1 is gone"}},
	};
	NEEDS_IPV6();
	auto_playground playground = playground_new();

	host_open(&playground);
	expect_reached("the start");
	const char *pid = instance_fact(&playground, "web", "pid");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		rows[i].harm();
		auto_run found =
			WARREN(&playground, "check", "--repair", "--format", "{{.name}} {{.finding}} {{.repaired}}");
		cr_assert(found.status == 0, "%zu: %s%s", i, found.out, found.err);
		for (size_t k = 0; k < ARRAY_SIZE(rows[i].findings) && rows[i].findings[k]; k++)
			cr_assert(strstr(found.out, rows[i].findings[k]), "%s: %s", rows[i].findings[k], found.out);
		expect_reached(rows[i].findings[0]);
	}
	cr_assert_str_eq(instance_fact(&playground, "web", "pid"), pid);
	expect_lost_address_named(&playground);
}

/* Whoever starts one more mends it for all. */
TEST(network_damage, forwarding_that_was_switched_off_is_switched_on_by_the_next_start, .fini = playground_rescue,
	.timeout = SLOWLY(60))
{
	NEEDS_IPV6();
	auto_playground playground = playground_new();

	host_open(&playground);
	expect_reached("the start");
	forwarding_off();
	auto_run run = WARREN(&playground, "run", "-d", "--name", "next", "host", "sleep", "infinity");
	ASSERT_STATUS(run, 0);
	cr_assert(strstr(run.err, "somebody has switched forwarding off while instances run"), "%s", run.err);
	expect_reached("another start");
	WARREN_OK(&playground, "check");
	setting_write("/proc/sys/net/ipv6/conf/all/forwarding", "0");
	WARREN_OK(&playground, "restart", "-t", "0", "next");
	expect_reached("a restart");
	auto_run quiet = WARREN(&playground, "restart", "-t", "0", "next");
	ASSERT_STATUS(quiet, 0);
	cr_assert_str_eq(quiet.err, "");
	WARREN_OK(&playground, "rm", "-f", "web", "next");
	auto_run left = RUN("cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding");
	cr_assert_str_eq(left.out, "0\n0\n");
}

TEST(network_damage, doctor_says_that_forwarding_was_switched_off, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_IPV6();
	auto_playground playground = playground_new();

	host_open(&playground);
	forwarding_off();
	auto_run doctor = WARREN(&playground, "doctor");
	cr_assert(strstr(doctor.out, "0, while instances run: nothing comes to them or leaves them"), "%s", doctor.out);
	cr_assert(
		strstr(doctor.out, "warren check --repair, or the next start, switches it on again"), "%s", doctor.out);
}
