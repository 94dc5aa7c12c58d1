/* Instances with IPv6, as a user has them. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

#define SLEEP "sleep", "infinity"
#define NEEDS_IPV6() SKIP_UNLESS(access("/proc/net/if_inet6", F_OK) == 0, "needs IPv6 in the kernel")

/* A fleet whose networks are open inside: `chosen` says its subnet, `own` leaves it to the host, `old` has none. */
static const char fleet[] =
	"{\"version\": 1, \"name\": \"six\","
	"\"networks\": {\"chosen\": {\"subnet6\": \"fd42:1:2:3::/64\"}, \"own\": {}, \"old\": {\"subnet6\": \"none\"}},"
	"\"defaults\": {\"image\": \"host\", \"command\": [\"busybox\", \"nc\", \"-ll\", \"-p\", \"80\", \"-e\", "
	"\"echo\", "
	"\"hello from here\"]},"
	"\"instances\": {"
	"\"a\": {\"network\": \"chosen\", \"address6\": \"fd42:1:2:3::a\", \"resources\": {\"egress\": \"10M\"}},"
	"\"b\": {\"network\": \"chosen\"},"
	"\"c\": {\"network\": \"own\"},"
	"\"d\": {\"network\": \"old\"}}}";

static const char *inside(struct playground *playground, const char *name, const char *command)
{
	auto_run run = WARREN(playground, "exec", name, "sh", "-c", command);

	cr_assert(run.status == 0, "%s in %s: %s%s", command, name, run.out, run.err);
	return arena_string(&playground->arena, run.out);
}

/* What comes over a connection to port 80, "" when there is none; tried until the server is up. */
static const char *asked(struct playground *playground, const char *from, const char *address)
{
	const char *command = arena_format(&playground->arena,
		"for i in 1 2 3 4 5 6 7 8 9 10; do busybox nc -w 5 %s 80 && break; sleep 0.2; done", address);

	return inside(playground, from, command);
}

static void fleet_apply(struct playground *playground, const char *text)
{
	auto_free char *path = text_format("%s/six.json", playground->root);
	struct error err;

	ASSERT_OK(file_replace(AT_FDCWD, path, 0600, FILE_VOLATILE, text, strlen(text), &err));
	WARREN_OK(playground, "apply", path);
}

TEST(ipv6, a_fleets_instances_reach_one_another_by_address_and_by_name, .fini = playground_rescue,
	.timeout = SLOWLY(120))
{
	NEEDS_IPV6();
	auto_playground playground = playground_new();

	fleet_apply(&playground, fleet);
	cr_assert_str_eq(instance_fact(&playground, "a", "address6"), "fd42:1:2:3::a");
	const char *b = instance_fact(&playground, "b", "address6");
	cr_assert(text_starts_with(b, "fd42:1:2:3::"), "%s", b);
	cr_assert_str_eq(asked(&playground, "a", b), "hello from here\n");
	cr_assert_str_eq(asked(&playground, "b", "fd42:1:2:3::a"), "hello from here\n");
	const char *names = inside(&playground, "b", "cat /etc/hosts");
	cr_assert(strstr(names, "fd42:1:2:3::a\ta\n"), "%s", names);
	cr_assert(text_starts_with(instance_fact(&playground, "c", "address6"), "fd"));
	cr_assert_str_eq(instance_fact(&playground, "d", "address6"), "");
	cr_assert_str_eq(inside(&playground, "d", "cat /proc/net/if_inet6 | grep -v ' lo$' || true"), "");
}

TEST(ipv6, an_address_stays_over_restarts_and_is_refused_to_others, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_IPV6();
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "a", "host", SLEEP);
	const char *address = instance_fact(&playground, "a", "address6");
	cr_assert(text_starts_with(address, "fd"), "%s", address);
	cr_assert(strstr(inside(&playground, "a", "cat /etc/hosts"), arena_format(&playground.arena, "%s a", address)));
	WARREN_OK(&playground, "restart", "-t", "0", "a");
	cr_assert_str_eq(instance_fact(&playground, "a", "address6"), address);

	auto_run taken = WARREN(&playground, "create", "--name", "b", "--ip6", address, "host", SLEEP);
	ASSERT_STATUS(taken, 4);
	cr_assert(strstr(taken.err, arena_format(&playground.arena, "address %s of network default is taken", address)),
		"%s", taken.err);
	auto_run outside = WARREN(&playground, "create", "--name", "b", "--ip6", "2001:db8::1", "host", SLEEP);
	ASSERT_STATUS(outside, 2);
	cr_assert(strstr(outside.err, "address 2001:db8::1 is not one for instances of network default"), "%s",
		outside.err);
	auto_run wrong = WARREN(&playground, "create", "--name", "b", "--ip6", "10.88.0.9", "host", SLEEP);
	ASSERT_STATUS(wrong, 2);
	cr_assert_str_eq(wrong.err, "warren: --ip6 \"10.88.0.9\": expected an IPv6 address\n");
	WARREN_OK(&playground, "rm", "-f", "a");
	WARREN_OK(&playground, "create", "--name", "b", "--ip6", address, "host", SLEEP);
	cr_assert_str_eq(instance_fact(&playground, "b", "address6"), address);
}

/* Who switches IPv6 off inside has an instance without it, and not one that does not start. */
TEST(ipv6, an_instance_may_be_without_it, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_IPV6();
	auto_playground playground = playground_new();

	WARREN_OK(
		&playground, "run", "-d", "--name", "a", "--sysctl", "net.ipv6.conf.all.disable_ipv6=1", "host", SLEEP);
	cr_assert_str_eq(inside(&playground, "a", "cat /proc/net/if_inet6"), "");
	cr_assert(!strstr(inside(&playground, "a", "cat /etc/hosts"), "fd"));
}

static const char *qdisc_inside(struct playground *playground, const char *name)
{
	return inside(playground, name, "tc qdisc show dev eth0 2>/dev/null || /usr/sbin/tc qdisc show dev eth0");
}

/* Whether the host's table limits somebody: only one that could lift its own limit. */
static void expect_at_the_host(bool wanted)
{
	static const char *const argv[] = {"/usr/sbin/nft", "list", "map", "inet", "warren", "egress_limits", NULL};
	AUTO(text_drop) struct text output = {0};
	struct error err;
	int status;

	ASSERT_OK(process_run(&(struct helper){.argv = argv, .timeout_ms = SLOWLY(20000)}, &output, &status, &err));
	cr_assert(status == 0 && (strstr(text_string(&output), "elements") != NULL) == wanted, "%s",
		text_string(&output));
}

TEST(ipv6, rates_of_a_fleet_change_while_it_runs, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();

	fleet_apply(&playground, fleet);
	const char *pid = instance_fact(&playground, "a", "pid");
	cr_assert(strstr(qdisc_inside(&playground, "a"), "rate 10Mbit"), "%s", qdisc_inside(&playground, "a"));
	auto_free char *changed = text_format("%s", fleet);
	memcpy(strstr(changed, "10M"), "25M", 3);
	fleet_apply(&playground, changed);
	cr_assert(strstr(qdisc_inside(&playground, "a"), "rate 25Mbit"), "%s", qdisc_inside(&playground, "a"));
	cr_assert_str_eq(instance_fact(&playground, "a", "pid"), pid, "the process is another");
	WARREN_OK(&playground, "run", "-d", "--name", "hand", "--egress", "64K", "--ingress", "1.5G", "host", SLEEP);
	cr_assert(strstr(qdisc_inside(&playground, "hand"), "rate 64Kbit"));
	expect_at_the_host(false);
	WARREN_OK(
		&playground, "run", "-d", "--name", "admin", "--cap-add", "NET_ADMIN", "--egress", "5M", "host", SLEEP);
	expect_at_the_host(true);
	WARREN_OK(&playground, "rm", "-f", "admin");
	expect_at_the_host(false);
	WARREN_OK(&playground, "set", "--egress", "1G", "hand");
	cr_assert(strstr(qdisc_inside(&playground, "hand"), "rate 1Gbit"));
	WARREN_OK(&playground, "set", "--egress", "none", "hand");
	cr_assert(!strstr(qdisc_inside(&playground, "hand"), "rate"), "%s", qdisc_inside(&playground, "hand"));
}
