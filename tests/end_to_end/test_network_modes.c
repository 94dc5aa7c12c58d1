/* The networks that are none of ours: another instance's, the host's links and bridges, a namespace by path. Each is
 * started, restarted, stopped and removed, and nothing is left. */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

#define SLEEP "sleep", "infinity"

/* What a command inside prints. */
static const char *inside(struct playground *playground, const char *name, const char *command)
{
	auto_run run = WARREN(playground, "exec", name, "sh", "-c", command);

	cr_assert(run.status == 0, "%s in %s: %s%s", command, name, run.out, run.err);
	return arena_string(&playground->arena, run.out);
}

static const char *netns_of(struct playground *playground, const char *name)
{
	auto_free char *path = text_format("/proc/%s/ns/net", instance_fact(playground, name, "pid"));
	char target[64] = "";

	cr_assert(readlink(path, target, sizeof(target) - 1) > 0, "%s", path);
	return arena_string(&playground->arena, target);
}

static void expect_links(const char *name, bool there)
{
	cr_assert((if_nametoindex(name) != 0) == there, "the host's link %s is %s", name, there ? "missing" : "there");
}

TEST(network_modes, two_share_one_network_and_nothing_else, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "db", "host", SLEEP);
	WARREN_OK(&playground, "run", "-d", "--name", "side", "--network", "shared:db", "host", SLEEP);
	cr_assert_str_eq(netns_of(&playground, "db"), netns_of(&playground, "side"));
	cr_assert_str_neq(inside(&playground, "db", "readlink /proc/self/ns/user"),
		inside(&playground, "side", "readlink /proc/self/ns/user"));
	/* The other's address is in its hosts file; the host's links are not to be seen. */
	const char *address = instance_fact(&playground, "db", "address");
	cr_assert(strstr(inside(&playground, "side", "cat /etc/hosts"), address));
	cr_assert_str_eq(inside(&playground, "side", "ls /sys/class/net"), "");
	WARREN_OK(&playground, "rm", "-f", "side");
	WARREN_OK(&playground, "exec", "db", "true");
}

TEST(network_modes, who_shares_has_no_rights_over_the_network, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "db", "--sysctl", "net.ipv4.ip_unprivileged_port_start=81",
		"host", SLEEP);
	WARREN_OK(&playground, "run", "-d", "--name", "side", "--network", "shared:db", "--cap-add", "NET_ADMIN",
		"host", SLEEP);
	auto_run down = WARREN(&playground, "exec", "side", "ip", "link", "set", "eth0", "down");
	cr_assert(down.status != 0 && strstr(down.err, "not permitted"), "%d %s", down.status, down.err);
	/* A port below the limit is the other's alone, one above it anybody's. */
	auto_run low = WARREN(&playground, "exec", "side", "timeout", "1", "busybox", "nc", "-l", "-p", "80");
	cr_assert(strstr(low.err, "ermission denied"), "%d %s", low.status, low.err);
	auto_run high = WARREN(&playground, "exec", "side", "timeout", "1", "busybox", "nc", "-l", "-p", "81");
	cr_assert(!strstr(high.err, "ermission denied"), "%d %s", high.status, high.err);
}

TEST(network_modes, who_shares_follows_a_restart, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "db", "host", SLEEP);
	WARREN_OK(&playground, "run", "-d", "--name", "side", "--network", "shared:db", "host", SLEEP);
	WARREN_OK(&playground, "restart", "-t", "0", "db");
	cr_assert_str_eq(netns_of(&playground, "db"), netns_of(&playground, "side"));
	WARREN_OK(&playground, "stop", "-t", "0", "side", "db");
	auto_run alone = WARREN(&playground, "start", "side");
	ASSERT_STATUS(alone, 4);
	cr_assert_str_eq(alone.err, "warren: start side: network shared:db: db does not run; start it first\n");
	WARREN_OK(&playground, "start", "db", "side");
	cr_assert_str_eq(netns_of(&playground, "db"), netns_of(&playground, "side"));
}

TEST(network_modes, what_cannot_be_shared_is_refused, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "onhost", "--network", "host", "host", SLEEP);
	WARREN_OK(&playground, "run", "-d", "--name", "db", "--network", "none", "host", SLEEP);
	WARREN_OK(&playground, "run", "-d", "--name", "side", "--network", "shared:db", "host", SLEEP);
	const struct {
		const char *network, *message;
		int status;
	} rows[] = {
		{"shared:onhost", "it has the host's network; say \"host\"", 2},
		{"shared:side", "it shares the network of db itself; say \"shared:db\"", 2},
		{"shared:nonesuch", "no instance \"nonesuch\"", 3},
		{"macvlan:nonesuch", "macvlan:nonesuch: this host has no link \"nonesuch\"", 2},
		{"bridge:lo", "bridge:lo: lo is no bridge", 2},
		{"ns:/etc/passwd", "ns:/etc/passwd: is no network namespace", 2},
		{"brige:br0", "did you mean \"bridge:\"?", 2},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_run run =
			WARREN(&playground, "run", "-d", "--name", "x", "--network", rows[i].network, "host", SLEEP);

		cr_assert(strstr(run.err, rows[i].message), "%s: %s", rows[i].network, run.err);
		cr_assert(run.status == rows[i].status, "%s: status %d", rows[i].network, run.status);
	}
}

TEST(network_modes, a_macvlan_and_a_bridge_port_come_and_go, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	host_ip("link add lan type veth peer name far");
	host_ip("link set lan up");
	host_ip("link set far up");
	host_ip("link add br0 type bridge");
	host_ip("addr add 198.51.100.1/24 dev br0");
	host_ip("link set br0 up");
	WARREN_OK(&playground, "run", "-d", "--name", "mac", "--network", "macvlan:lan", "--ip", "192.0.2.50/24",
		"--gateway", "192.0.2.1", "host", SLEEP);
	WARREN_OK(&playground, "run", "-d", "--name", "port", "--network", "bridge:br0", "--ip", "198.51.100.7/24",
		"host", SLEEP);
	cr_assert(strstr(inside(&playground, "mac", "ip -4 addr show eth0"), "192.0.2.50/24"));
	cr_assert(strstr(inside(&playground, "mac", "ip route"), "default via 192.0.2.1 dev eth0"));
	cr_assert(strstr(inside(&playground, "mac", "cat /etc/hosts"), "192.0.2.50 mac"));
	const char *mac = inside(&playground, "mac", "cat /sys/class/net/eth0/address");
	inside(&playground, "port",
		"ping -c 1 -W 5 198.51.100.1 >/dev/null 2>&1 || busybox nc -z -w 5 198.51.100.1 1 || true");
	cr_assert(strstr(inside(&playground, "port", "ip neigh; ip -4 addr show eth0"), "198.51.100.7/24"));
	auto_free char *link = text_format("w%s", instance_fact(&playground, "port", "slot"));
	expect_links(link, true);
	WARREN_OK(&playground, "check");
	WARREN_OK(&playground, "stats", "--no-stream");

	WARREN_OK(&playground, "restart", "-t", "0", "mac", "port");
	cr_assert_str_eq(inside(&playground, "mac", "cat /sys/class/net/eth0/address"), mac);
	auto_run list = WARREN(&playground, "list", "--format", "{{.Name}} {{.Address}} {{.Network}}");
	cr_assert_str_eq(list.out, "mac 192.0.2.50 macvlan:lan\nport 198.51.100.7 bridge:br0\n");
	WARREN_OK(&playground, "rm", "-f", "mac", "port");
	for (int64_t deadline = clock_ms() + 5000; if_nametoindex(link) && clock_ms() < deadline;)
		sched_yield();
	expect_links(link, false);
	expect_links("br0", true);
	expect_links("lan", true);
}

TEST(network_modes, a_namespace_is_joined_by_path_and_outlives_the_instance, .fini = playground_rescue,
	.timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	char directory[] = "/run/warren-test-XXXXXX";

	cr_assert(mkdtemp(directory) && mount("tmpfs", directory, "tmpfs", 0, "mode=0755") == 0);
	auto_free char *path = text_format("%s/blue", directory), *network = text_format("ns:%s", path);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444));
	auto_fd before = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	cr_assert(unshare(CLONE_NEWNET) == 0 && mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL) == 0);
	host_ip("link set lo up");
	cr_assert(setns(before, CLONE_NEWNET) == 0);

	WARREN_OK(&playground, "run", "-d", "--name", "blue", "--network", network, "host", SLEEP);
	struct stat expected, found;
	auto_free char *of = text_format("/proc/%s/ns/net", instance_fact(&playground, "blue", "pid"));
	cr_assert(stat(path, &expected) == 0 && stat(of, &found) == 0 && expected.st_ino == found.st_ino);
	WARREN_OK(&playground, "restart", "-t", "0", "blue");
	WARREN_OK(&playground, "rm", "-f", "blue");
	cr_assert(stat(path, &found) == 0 && expected.st_ino == found.st_ino);
	cr_assert(umount2(path, MNT_DETACH) == 0 && umount2(directory, MNT_DETACH) == 0 && rmdir(directory) == 0);
}

TEST(network_modes, a_fleet_starts_who_shares_behind_its_partner, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	run_write_file(playground.directory.path, "f.json", 0600,
		"{\"version\": 1, \"name\": \"f\", \"defaults\": {\"image\": \"host\", \"command\": [\"sleep\", "
		"\"infinity\"], "
		"\"stop_grace_period\": 0}, \"instances\": {\"a-side\": {\"replicas\": 2, \"network\": "
		"\"shared:web-${index}\"}, \"web\": {\"replicas\": 2}}}");
	const char *file = arena_format(&playground.arena, "%s/f.json", playground.directory.path);
	auto_run run = WARREN(&playground, "apply", "-j", "1", file);
	cr_assert_str_eq(run.out, "web-1 started\nweb-2 started\na-side-1 started\na-side-2 started\nf: 4 started\n",
		"%s%s", run.out, run.err);
	cr_assert_str_eq(netns_of(&playground, "a-side-2"), netns_of(&playground, "web-2"));
	auto_run again = WARREN(&playground, "apply", file);
	cr_assert_str_eq(again.out, "f: 4 unchanged\n", "%s%s", again.out, again.err);
	WARREN_OK(&playground, "down", "f");
}

TEST(network_modes, names_aliases_and_replicas_are_found_by_others, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	run_write_file(playground.directory.path, "f.json", 0600,
		"{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {}}, \"defaults\": {\"image\": \"host\", "
		"\"command\": "
		"[\"sleep\", \"infinity\"], \"stop_grace_period\": 0, \"network\": \"n\"}, \"instances\": {\"site\": "
		"{\"replicas\": 2}, \"db\": {\"aliases\": [\"mysql.example\"]}, \"look\": {}}}");
	const char *file = arena_format(&playground.arena, "%s/f.json", playground.directory.path);
	WARREN_OK(&playground, "apply", file);
	const char *one = arena_string(&playground.arena, instance_fact(&playground, "site-1", "address"));
	const char *two = arena_string(&playground.arena, instance_fact(&playground, "site-2", "address"));
	const char *db = arena_string(&playground.arena, instance_fact(&playground, "db", "address"));
	const char *site = inside(&playground, "look", "getent ahostsv4 site");
	cr_assert(strstr(site, one) && strstr(site, two), "%s", site);
	const char *first = inside(&playground, "look", "getent ahostsv4 site-1");
	cr_assert(strstr(first, one) && !strstr(first, two), "%s", first);
	cr_assert(strstr(inside(&playground, "look", "getent ahostsv4 mysql.example"), db));
	WARREN_OK(&playground, "stop", "-t", "0", "site-2");
	site = inside(&playground, "look", "getent ahostsv4 site");
	cr_assert(strstr(site, one) && !strstr(site, two), "%s", site);
	WARREN_OK(&playground, "down", "f");
}
