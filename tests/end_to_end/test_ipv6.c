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

/* --- a host without it ----------------------------------------------------------------------------------------------
 */

#define SWITCHED_OFF "IPv6 is switched off on this host (net.ipv6.conf.all.disable_ipv6)"

static void host_ipv6(bool on)
{
	static const char *const paths[] = {
		"/proc/sys/net/ipv6/conf/all/disable_ipv6", "/proc/sys/net/ipv6/conf/default/disable_ipv6"};
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		ASSERT_OK(file_write(AT_FDCWD, paths[i], on ? "0" : "1", &err));
}

static void expect_refused(struct run_result run, int status, const char *text)
{
	auto_run done = run;

	ASSERT_STATUS(done, status);
	cr_assert(strstr(done.err, text), "got \"%s\", expected \"%s\"", done.err, text);
	cr_assert(strchr(done.err, '\n') == done.err + done.err_length - 1, "not one line: %s", done.err);
}

/* What needs it is refused and says why; all else is as with IPv4 alone. */
TEST(ipv6, switched_off_on_the_host_is_said_where_it_is_missed, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	NEEDS_IPV6();
	auto_playground playground = playground_new();

	host_ipv6(false);
	WARREN_OK(&playground, "network", "create", "dual", "--subnet", "fd42:1::/64");
	auto_run fixed = WARREN(
		&playground, "run", "-d", "--name", "a", "--network", "dual", "--ip6", "fd42:1::a", "host", SLEEP);
	ASSERT_STATUS(fixed, 0);
	cr_assert(strstr(fixed.err, "a goes without its address fd42:1::a while " SWITCHED_OFF "\n"), "%s", fixed.err);
	expect_refused(WARREN(&playground, "create", "--name", "b", "--ip6", "fd42:1::a", "host", SLEEP), 2,
		"create b: network default has no IPv6 addresses, because " SWITCHED_OFF);
	expect_refused(WARREN(&playground, "run", "-d", "--name", "b", "-p", "[::]:8080:80", "host", SLEEP), 2,
		"port [::]:8080->80/tcp: the instance has no IPv6 address, because " SWITCHED_OFF
		"; publish on an IPv4 address");
	expect_refused(
		WARREN(&playground, "run", "-d", "--name", "b", "-p", "[::]:8080:80/tcp+balanced", "host", SLEEP), 2,
		"shared port [::]:8080/tcp: the instance has no IPv6 address, because " SWITCHED_OFF);
	cr_assert_str_eq(inside(&playground, "a", "cat /proc/net/if_inet6 | grep -v ' lo$' || true"), "");
	WARREN_OK(&playground, "check");
	WARREN_OK(&playground, "rm", "-f", "a");
	WARREN_OK(&playground, "network", "rm", "dual");
}

TEST(ipv6, switched_on_and_off_again_on_the_host_is_found_and_mended, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	NEEDS_ALL_THE_TIME();
	NEEDS_IPV6();
	auto_playground playground = playground_new();

	host_ipv6(false);
	WARREN_OK(&playground, "network", "create", "dual", "--subnet", "fd42:1::/64");
	WARREN_OK(&playground, "run", "-d", "--name", "a", "--network", "dual", "--ip6", "fd42:1::a", "host", SLEEP);
	host_ipv6(true);
	WARREN_OK(&playground, "check", "--repair");
	WARREN_OK(&playground, "check");
	WARREN_OK(&playground, "restart", "-t", "0", "a");
	cr_assert(strstr(inside(&playground, "a", "cat /proc/net/if_inet6"), "fd42000100000000000000000000000a"));
	WARREN_OK(&playground, "run", "-d", "--name", "b", "-p", "[::]:8080:80", "host", SLEEP);
	host_ipv6(false);
	auto_run found = WARREN(&playground, "check", "--no-header", "--format", "{{.name}}: {{.finding}}");
	ASSERT_STATUS(found, 1);
	cr_assert_str_eq(found.out,
		"b: its port 8080/tcp is published on [::], and IPv6 is switched off on this host; switch it on again "
		"(net.ipv6.conf.all.disable_ipv6), or publish on IPv4\n");
	WARREN_OK(&playground, "rm", "-f", "a", "b");
	WARREN_OK(&playground, "network", "rm", "dual");
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
