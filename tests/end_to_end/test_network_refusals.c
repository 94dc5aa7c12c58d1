/* What the network of a host cannot have: said on the command line and in a file, each is refused in one line that
 * names what, where and which value, with the documented exit status, and nothing is made or changed. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_place.h"
#include "tests/test.h"

#define WORDS_MAX 16
#define LONG_NAME "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* 64 */

/* --- the scene ---------------------------------------------------------------------------------------------------- */

/* A host with a wire, routes, a link that is down and a bridge; the networks one and tiny; in one, `holder` that does
 * not run and `live` that does and has published 18000. */
static struct playground scene_open(void)
{
	static const char *const words[] = {"link add wire type veth peer name far", "addr add 192.0.2.1/24 dev wire",
		"addr add 2001:db8:5::1/64 dev wire nodad", "link set wire up", "link set far up",
		"route add 10.99.3.0/24 via 192.0.2.2", "-6 route add fd99:1::/32 dev wire",
		"link add dark type veth peer name other", "link add br0 type bridge"};
	struct playground here = playground_new();

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		host_ip(words[i]);
	WARREN_OK(&here, "network", "create", "one", "--subnet", "10.40.0.0/16", "--subnet", "fd40::/64");
	WARREN_OK(&here, "network", "create", "tiny", "--subnet", "10.41.0.0/29", "--subnet", "fd41::/64");
	WARREN_OK(&here, "create", "--name", "holder", "--network", "one", "--ip", "10.40.0.9", "--ip6", "fd40::9",
		"host", "sleep", "infinity");
	WARREN_OK(&here, "run", "-d", "--name", "live", "--network", "one", "--ip", "10.40.0.8", "-p", "18000:80",
		"host", "sleep", "infinity");
	return here;
}

/* All that is there, as the user sees it. */
static const char *state_of(struct playground *here)
{
	auto_run networks =
		WARREN(here, "network", "list", "--format", "{{.Name}} {{.Subnet}} {{.Subnet6}} {{.Flags}}");
	auto_run instances =
		WARREN(here, "list", "--all", "--format", "{{.Name}} {{.State}} {{.Network}} {{.Address}} {{.Ports}}");

	cr_assert(networks.status == 0 && instances.status == 0, "%s%s", networks.err, instances.err);
	return arena_format(&here->arena, "%s%s%s %s %s %s", networks.out, instances.out,
		instance_fact(here, "live", "pid"), instance_fact(here, "live", "address6"),
		instance_fact(here, "holder", "address6"), instance_fact(here, "holder", "network"));
}

/* --- on the command line ------------------------------------------------------------------------------------------ */

static const struct refusal {
	const char *words[WORDS_MAX];
	int status;
	const char *message; /* without "warren: " and the line break */
} refusals[] = {
#define CREATE "network", "create"
	/* subnets */
	{{CREATE, "n", "--subnet", "10.40.7.0/24"}, 2,
		"define network n: subnet 10.40.7.0/24 overlaps 10.40.0.0/16 of network one; choose another subnet"},
	{{CREATE, "n", "--subnet", "192.0.2.0/25"}, 2,
		"define network n: subnet 192.0.2.0/25 overlaps the address 192.0.2.0/24 on wire of this host; choose "
		"another subnet"},
	{{CREATE, "n", "--subnet", "10.99.0.0/16"}, 2,
		"define network n: subnet 10.99.0.0/16 overlaps the route 10.99.3.0/24 on wire of this host; choose "
		"another subnet"},
	{{CREATE, "n", "--subnet", "10.50.0.0/16", "--subnet", "10.50.3.0/24"}, 2,
		"define network n: subnet 10.50.3.0/24 overlaps 10.50.0.0/16 of network n; choose another subnet"},
	{{CREATE, "n", "--subnet", "224.0.0.0/8"}, 2,
		"network n: subnet \"224.0.0.0/8\" lies in a range that is not for instances (multicast and reserved)"},
	{{CREATE, "n", "--subnet", "10.44.0.0/7"}, 2,
		"network n: subnet \"10.44.0.0/7\": prefix length: 7 is not between 8 and 30"},
	{{CREATE, "n", "--subnet", "x"}, 2, "network n: subnet \"x\": write it like \"10.44.0.0/16\""},
	{{CREATE, "n", "--subnet", "fd40::/64"}, 2,
		"define network n: subnet fd40::/64 overlaps fd40::/64 of network one; choose another subnet"},
	{{CREATE, "n", "--subnet", "fd40::/48"}, 2,
		"define network n: subnet fd40::/48 overlaps fd40::/64 of network one; choose another subnet"},
	{{CREATE, "n", "--subnet", "2001:db8:5::/64"}, 2,
		"define network n: subnet 2001:db8:5::/64 overlaps the address 2001:db8:5::/64 on wire of this host; "
		"choose another subnet"},
	{{CREATE, "n", "--subnet", "fd99:1:5:5::/64"}, 2,
		"define network n: subnet fd99:1:5:5::/64 overlaps the route fd99:1::/32 on wire of this host; choose "
		"another subnet"},
	{{CREATE, "n", "--subnet", "fe80::/64"}, 2,
		"network n: subnet \"fe80::/64\" lies in a range that is not for instances (link-local)"},
	{{CREATE, "n", "--subnet", "fd00::1/64"}, 2,
		"network n: subnet \"fd00::1/64\" has host bits set; did you mean \"fd00::/64\"?"},
	{{CREATE, "n", "--subnet", "fd00::/47"}, 2,
		"network n: subnet \"fd00::/47\": prefix length: 47 is not between 48 and 120"},
	{{CREATE, "n", "--ipv4-only", "--subnet", "fd00::/64"}, 2,
		"--subnet fd00::/64: a network has one subnet of IPv6, and --ipv4-only none"},
	{{"network", "set", "one", "--add-subnet", "10.41.0.0/29"}, 2,
		"define network one: subnet 10.41.0.0/29 overlaps 10.41.0.0/29 of network tiny; choose another subnet"},
	{{"network", "set", "one", "--add-subnet", "192.0.2.0/24"}, 2,
		"define network one: subnet 192.0.2.0/24 overlaps the address 192.0.2.0/24 on wire of this host; "
		"choose another subnet"},
	{{"network", "set", "one", "--mtu", "99"}, 2, "--mtu: 99 is not between 1280 and 65535"},
	/* names, and what a network says of others */
	{{CREATE, "n", "--mtu", "1279"}, 2, "--mtu: 1279 is not between 1280 and 65535"},
	{{CREATE, "n", "--mtu", "65536"}, 2, "--mtu: 65536 is not between 1280 and 65535"},
	{{CREATE, LONG_NAME}, 2, "network \"" LONG_NAME "\": longer than 63 characters"},
	{{CREATE, "a b"}, 2, "network \"a b\": only lower-case letters, digits and '-' are allowed"},
	{{CREATE, ""}, 2, "network is empty"},
	{{CREATE, "macvlan:x"}, 2, "network \"macvlan:x\": only lower-case letters, digits and '-' are allowed"},
	{{CREATE, "n", "--allow", "Bad"}, 2,
		"define network n: allow \"Bad\": must begin with a lower-case letter or a digit"},
	{{CREATE, "n", "--service", "tcp/0"}, 2, "network n: service \"tcp/0\": port: 0 is not between 1 and 65535"},
	{{CREATE, "n", "--service", "icmp/8"}, 2,
		"network n: service \"icmp/8\": write it like \"tcp/53\", \"udp/53\" or \"sctp/38412\""},
/* addresses */
#define RUN_X(...)                                                                                                     \
	{                                                                                                              \
		"run", "-d", "--name", "x", __VA_ARGS__, "host", "sleep", "infinity"                                   \
	}
#define IN_ONE "--network", "one"
	{RUN_X(IN_ONE, "--ip", "10.41.0.2"), 2,
		"create x: address 10.41.0.2 is not one for instances of network one (10.40.0.0/16)"},
	{RUN_X(IN_ONE, "--ip", "10.40.0.0"), 2,
		"create x: address 10.40.0.0 is not one for instances of network one (10.40.0.0/16)"},
	{RUN_X("--network", "tiny", "--ip", "10.41.0.7"), 2,
		"create x: address 10.41.0.7 is not one for instances of network tiny (10.41.0.0/29)"},
	{RUN_X(IN_ONE, "--ip", "10.40.0.9"), 4, "create x: address 10.40.0.9 of network one is taken"},
	{RUN_X(IN_ONE, "--ip", "fd40::5"), 2, "--ip: \"fd40::5\" is not an IPv4 address"},
	{RUN_X(IN_ONE, "--ip", "10.40.0.5/16"), 2,
		"address: no prefix length: the network \"one\" knows its subnet; only macvlan and bridge need one"},
	{RUN_X(IN_ONE, "--ip6", "fd41::5"), 2,
		"create x: address fd41::5 is not one for instances of network one (fd40::/64)"},
	{RUN_X(IN_ONE, "--ip6", "fd40::"), 2,
		"create x: address fd40:: is not one for instances of network one (fd40::/64)"},
	{RUN_X(IN_ONE, "--ip6", "fd40::1:0:0:5"), 2,
		"create x: address fd40::1:0:0:5 is not one for instances of network one (fd40::/64)"},
	{RUN_X(IN_ONE, "--ip6", "fd40::9"), 4, "create x: address fd40::9 of network one is taken"},
	{RUN_X(IN_ONE, "--ip6", "fd40::5/64"), 2, "--ip6: \"fd40::5/64\" is not an IPv6 address"},
	{RUN_X("--network", "none", "--ip", "10.40.0.5"), 2,
		"address: with the network \"none\" there is no address to choose"},
	{RUN_X(IN_ONE, "--gateway", "10.40.0.1"), 2,
		"gateway: with the network \"one\" there is no gateway to choose; macvlan and bridge have one"},
/* the host's links */
#define ON_WIRE "--network", "macvlan:wire"
	{RUN_X("--network", "macvlan:nonesuch"), 2, "macvlan:nonesuch: this host has no link \"nonesuch\""},
	{RUN_X("--network", "macvlan:lo"), 2, "macvlan:lo: lo is no Ethernet link, as a macvlan needs"},
	{RUN_X("--network", "macvlan:dark"), 2, "macvlan:dark: the link is down; ip link set dark up"},
	{RUN_X("--network", "macvlan:"), 2, "network: \"\" is no name of a link: 1 to 15 letters, digits and . _ - @"},
	{RUN_X("--network", "bridge:nonesuch"), 2, "bridge:nonesuch: this host has no link \"nonesuch\""},
	{RUN_X("--network", "bridge:wire"), 2, "bridge:wire: wire is no bridge; macvlan:wire puts instances on a link"},
	{RUN_X("--network", "bridge:br0"), 2, "bridge:br0: the link is down; ip link set br0 up"},
	{RUN_X("--network", "shared:nonesuch"), 3, "start x: network shared:nonesuch: no instance \"nonesuch\""},
	{RUN_X("--network", "shared:Bad"), 2,
		"network: instance name \"Bad\": must begin with a lower-case letter or a digit"},
	{RUN_X("--network", "ns:/nonesuch"), 3, "ns:/nonesuch: no such file; ip netns add NAME makes /run/netns/NAME"},
	{RUN_X("--network", LONG_NAME), 2, "network: network \"" LONG_NAME "\": longer than 63 characters"},
	{RUN_X(ON_WIRE, "--ip", "192.0.2.5"), 2,
		"address: with the network \"macvlan:wire\" it needs a prefix length, as in \"192.168.1.50/24\""},
	{RUN_X(ON_WIRE, "--ip", "192.0.2.0/24"), 2,
		"address: 192.0.2.0 is the address of its subnet of /24, no host's"},
	{RUN_X(ON_WIRE, "--ip", "192.0.2.255/24"), 2,
		"address: 192.0.2.255 is the broadcast address of its subnet of /24, no host's"},
	{RUN_X(ON_WIRE, "--ip", "127.0.0.5/8"), 2,
		"address: 127.0.0.5 lies in a range that is not for instances (loopback)"},
	{RUN_X(ON_WIRE, "--ip", "192.0.2.5/24", "--gateway", "192.0.2.255"), 2,
		"gateway: 192.0.2.255 is the broadcast address of its subnet of /24, no host's"},
	{RUN_X(ON_WIRE, "--ip", "192.0.2.5/24", "--gateway", "10.0.0.1"), 2,
		"gateway: not inside the subnet of the \"address\""},
	{RUN_X(ON_WIRE, "--ip6", "2001:db8:5::9"), 2,
		"address6: with the network \"macvlan:wire\" IPv6 addresses come from its routers (RFC 4862)"},
/* ports */
#define PORT_X(port) RUN_X(IN_ONE, "-p", port)
	{PORT_X("65536:80"), 2, "port \"65536:80\": published port: 65536 is not between 1 and 65535"},
	{PORT_X("80:0"), 2, "port \"80:0\": the instance's port: 0 is not between 1 and 65535"},
	{PORT_X("8010-8000:8010-8000"), 2,
		"port \"8010-8000:8010-8000\": published port: \"8010-8000\" ends before it begins"},
	{PORT_X("8000-8010:80-85"), 2, "port \"8000-8010:80-85\": 11 published ports for 6 of the instance"},
	{PORT_X("80/dccp"), 2, "port \"80/dccp\": protocol \"dccp\" must be tcp, udp or sctp"},
	{PORT_X("8080:80/udp+socket"), 2, "port \"8080:80/udp+socket\": socket mode is for tcp alone, not for udp"},
	{PORT_X("8080:80/tcp+balanced+sticky"), 2,
		"port \"8080:80/tcp+balanced+sticky\": \"+balanced\" and \"+sticky\": say one of them, once"},
	{PORT_X("[ff02::1]:8080:80"), 2,
		"port \"[ff02::1]:8080:80\": a multicast address is not published on: name one of the host"},
	{PORT_X("224.0.0.1:8080:80/tcp+socket"), 2,
		"port \"224.0.0.1:8080:80/tcp+socket\": a multicast address is not published on: name one of the host"},
	{PORT_X("255.255.255.255:8080:80"), 2,
		"port \"255.255.255.255:8080:80\": a broadcast address is not published on: name one of the host"},
	{PORT_X("192.0.2.255:8080:80"), 2, "start x: port 192.0.2.255:8080/tcp: this host has no such address"},
	{PORT_X("203.0.113.9:8080:80"), 2, "start x: port 203.0.113.9:8080/tcp: this host has no such address"},
	{PORT_X("[fd00::99]:8080:80"), 2, "start x: port [fd00::99]:8080/tcp: this host has no such address"},
	{PORT_X("18000:80"), 4, "start x: port 127.0.0.1:18000/tcp is published by the instance at 10.40.0.8"},
	{PORT_X("17990-18010:17990-18010"), 4,
		"start x: port 127.0.0.1:18000/tcp is published by the instance at 10.40.0.8"},
	{PORT_X("19000-19010:19000-19010"), 4, "start x: port 127.0.0.1:19005/tcp is taken by a process of this host"},
	{PORT_X("[::]:19000-19010:19000-19010"), 4, "start x: port [::]:19006/tcp is taken by a process of this host"},
	{RUN_X(IN_ONE, "-p", "8000-8010:8000-8010", "-p", "8005:80"), 2,
		"ports: 127.0.0.1:8005->80/tcp: port 8005 is published twice"},
	/* of instances that are there */
	{{"set", "holder", "address=10.40.255.255"}, 2,
		"set holder: address 10.40.255.255 is not one for instances of network one (10.40.0.0/16)"},
	{{"set", "holder", "address=10.40.0.8"}, 4, "set holder: address 10.40.0.8 of network one is taken"},
	{{"set", "holder", "address6=fd40::"}, 2,
		"set holder: address fd40:: is not one for instances of network one (fd40::/64)"},
	{{"set", "holder", "address6=x"}, 2, "\"address6\": \"x\" is not an IPv6 address"},
	{{"set", "holder", "network=nonesuch"}, 3, "set holder: no network \"nonesuch\""},
	{{"set", "holder", "network=shared:holder"}, 2, "set holder: network: holder would share its own network"},
	{{"set", "live", "-p", "65536:80"}, 2, "port \"65536:80\": published port: 65536 is not between 1 and 65535"},
	{{"set", "live", "-p", "192.0.2.9:18002:80"}, 2,
		"set live: ports: change published ports: port 192.0.2.9:18002/tcp: this host has no such address"},
	{{"set", "live", "-p", "19005:80"}, 4,
		"set live: ports: change published ports: port 127.0.0.1:19005/tcp is taken by a process of this host"},
	{{"set", "live", "network=tiny"}, 4,
		"set live: \"network\" counts from the next start: stop it first, or add --allow-restart"},
	{{"set", "--allow-restart", "live", "ports=[]", "address=null", "network=macvlan:nonesuch"}, 2,
		"set live: macvlan:nonesuch: this host has no link \"nonesuch\""},
	{{"set", "--allow-restart", "live", "ports=[]", "address=null", "network=bridge:wire"}, 2,
		"set live: bridge:wire: wire is no bridge; macvlan:wire puts instances on a link"},
};

static void expect_refused(const struct run_result *run, int status, const char *message)
{
	auto_free char *expected = text_format("warren: %s\n", message);

	cr_expect(!strcmp(run->err, expected), "expected %sgot      %s", expected, run->err);
	cr_expect(run->status == status, "%s: status %d, expected %d", message, run->status, status);
	cr_expect(!*run->out, "%s: it said \"%s\" as well", message, run->out);
}

static int process_of_the_host(const char *address, int port)
{
	struct place place;

	cr_assert(place_make(address, port, &place));
	int fd = socket(place.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(bind(fd, &place.any, place.length) == 0 && listen(fd, 1) == 0);
	return fd;
}

TEST(network_refusals, of_the_command_line_are_one_line_each_and_change_nothing, .fini = playground_rescue,
	.timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_IPV6();
	auto_playground here = scene_open();
	auto_fd four = process_of_the_host("127.0.0.1", 19005);
	auto_fd six = process_of_the_host("::1", 19006);
	const char *before = state_of(&here);

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		auto_run run = playground_warren(&here, refusals[i].words, &(struct run_options){0});

		expect_refused(&run, refusals[i].status, refusals[i].message);
	}
	cr_assert_str_eq(state_of(&here), before);
}

/* And it stays, though the instance that was refused is removed, as the last one. */
TEST(network_refusals, a_table_of_our_name_that_is_not_ours_stops_every_start, .fini = playground_rescue,
	.timeout = SLOWLY(120))
{
	auto_playground here = playground_new();
	auto_run add = RUN("/usr/sbin/nft", "add", "table", "inet", "warren");
	ASSERT_STATUS(add, 0);

	auto_run run = WARREN(&here, "run", "-d", "--name", "x", "-p", "0.0.0.0:8080:80", "host", "sleep", "infinity");
	expect_refused(&run, 4,
		"start x: bring up the network: bring the host's network up: somebody else's nftables table \"inet "
		"warren\" is in the way: rename it, or delete it with: nft delete table inet warren");
	auto_run left = WARREN(&here, "list", "--all", "-q");
	cr_assert_str_eq(left.out, "");
	auto_run table = RUN("/usr/sbin/nft", "list", "table", "inet", "warren");
	cr_assert_str_eq(table.out, "table inet warren {\n}\n");
}

/* --- in a file ---------------------------------------------------------------------------------------------------- */

/* What a file says of its networks and of its instance a. */
static const struct file_refusal {
	const char *networks, *more;
	const char *message; /* behind the file's place */
} file_refusals[] = {
	{"\"n\": {\"subnet\": \"10.50.0.0/16\"}, \"m\": {\"subnet\": \"10.50.3.0/24\"}", "",
		"\"subnet\": 10.50.3.0/24 overlaps 10.50.0.0/16 of the network \"n\""},
	{"\"n\": {\"subnets\": [\"10.50.0.0/16\", \"10.50.3.0/24\"]}", "",
		"\"subnet\": 10.50.3.0/24 overlaps 10.50.0.0/16 of the network \"n\""},
	{"\"n\": {\"subnet6\": \"fd50::/64\"}, \"m\": {\"subnet6\": \"fd50::/64\"}", "",
		"\"subnet6\": fd50::/64 overlaps fd50::/64 of the network \"n\""},
	{"\"n\": {\"subnet\": \"127.0.0.0/8\"}", "",
		"\"subnet\": subnet \"127.0.0.0/8\" lies in a range that is not for instances (loopback)"},
	{"\"n\": {\"subnet6\": \"fd00::1/64\"}", "",
		"\"subnet6\": subnet \"fd00::1/64\" has host bits set; did you mean \"fd00::/64\"?"},
	{"\"n\": {\"mtu\": 65536}", "", "\"mtu\": 65536 is not between 1280 and 65535"},
	{"\"Bad\": {}", "", "network \"Bad\": must begin with a lower-case letter or a digit"},
	{"\"none\": {}", "", "network \"none\" is built in"},
	{"\"n\": {\"allow\": [\"nonesuch\"]}", "", "network \"nonesuch\" is not one of this file"},
	{"\"n\": {\"services\": [\"tcp/0\"]}", "",
		"\"services\": service \"tcp/0\": port: 0 is not between 1 and 65535"},
#define N4 "\"n\": {\"subnet\": \"10.50.0.0/16\"}"
#define N6 "\"n\": {\"subnet6\": \"fd50::/64\"}"
#define IN_N ", \"network\": \"n\""
#define AND_B "}, \"b\": {\"image\": \"host\", \"command\": [\"sleep\", \"1\"]"
	{N4, IN_N ", \"address\": \"10.51.0.1\"", "\"address\": not inside 10.50.0.0/16 of the network \"n\""},
	{N4, IN_N ", \"address\": \"10.50.0.0\"",
		"\"address\": the first and the last of 10.50.0.0/16 are no instance's"},
	{N4, IN_N ", \"address\": \"10.50.255.255\"",
		"\"address\": the first and the last of 10.50.0.0/16 are no instance's"},
	{N4, IN_N ", \"address\": \"10.50.0.5\"" AND_B IN_N ", \"address\": \"10.50.0.5\"",
		"\"address\": a has it already"},
	{N4, IN_N ", \"address\": \"10.50.0.5\", \"replicas\": 2", "\"address\": a-1 has it already"},
	{N6, IN_N ", \"address6\": \"fd51::5\"", "\"address6\": not inside fd50::/64 of the network \"n\""},
	{N6, IN_N ", \"address6\": \"fd50::\"",
		"\"address6\": not one for instances in fd50::/64: its last 24 bits are free, and not all of them 0"},
	{N6, IN_N ", \"address6\": \"fd50::1:0:0:5\"",
		"\"address6\": not one for instances in fd50::/64: its last 24 bits are free, and not all of them 0"},
	{N6, IN_N ", \"address6\": \"fd50::5\"" AND_B IN_N ", \"address6\": \"fd50::5\"",
		"\"address6\": a has it already"},
	{"", ", \"network\": \"nonesuch\"", "\"network\": \"nonesuch\" is not one of this file"},
	{"", ", \"network\": \"macvlan:\"",
		"\"network\": \"\" is no name of a link: 1 to 15 letters, digits and . _ - @"},
	{"", ", \"network\": \"shared:nonesuch\"", "\"network\": the instance \"nonesuch\" is not one of this file"},
	{"", ", \"network\": \"shared:a\"", "\"network\": a would share its own network"},
	{"", ", \"network\": \"brige:br0\"",
		"\"network\": network \"brige:br0\": expected a name, host, none, shared:INSTANCE, macvlan:LINK, "
		"bridge:NAME or ns:/PATH; did you mean \"bridge:\"?"},
	{"", ", \"network\": \"macvlan:wire\", \"address\": \"192.0.2.255/24\"",
		"\"address\": 192.0.2.255 is the broadcast address of its subnet of /24, no host's"},
	{"", ", \"ports\": [\"0\"]", "port \"0\": the instance's port: 0 is not between 1 and 65535"},
	{"", ", \"ports\": [\"8010-8000:8010-8000\"]",
		"port \"8010-8000:8010-8000\": published port: \"8010-8000\" ends before it begins"},
	{"", ", \"ports\": [\"8080:80/udp+socket\"]",
		"port \"8080:80/udp+socket\": socket mode is for tcp alone, not for udp"},
	{"", ", \"ports\": [{\"target\": 80, \"published\": 65536}]",
		"\"published\": 65536 is not between 1 and 65535"},
	{"", ", \"ports\": [{\"target\": \"80-85\", \"published\": \"8000-8010\"}]",
		"11 published ports for 6 of the instance"},
	{"", ", \"ports\": [{\"target\": 80, \"protocol\": \"icmp\"}]",
		"\"protocol\": \"icmp\" is not one of tcp, udp, sctp"},
	{"", ", \"ports\": [\"8080:80\", \"8080:81\"]",
		"\"ports\": 127.0.0.1:8080->81/tcp: port 8080 is published twice"},
	{"", ", \"ports\": [\"8000-8010:8000-8010\"]" AND_B ", \"ports\": [\"0.0.0.0:8005:80\"]",
		"\"ports\": 0.0.0.0:8005->80/tcp of b: port 8005 is published by a already"},
};

static const char *file_write(struct playground *here, const char *networks, const char *more)
{
	auto_free char *text = text_format("{\"version\": 1, \"name\": \"f\", \"networks\": {%s}, \"instances\": "
					   "{\"a\": {\"image\": \"host\", \"command\": [\"sleep\", \"infinity\"]%s}}}",
		networks, more);

	run_write_file(here->directory.path, "f.json", 0600, text);
	return arena_format(&here->arena, "%s/f.json", here->directory.path);
}

/* "warren: FILE:1:COLUMN: MESSAGE\n" */
static void expect_refused_in(const struct run_result *run, const char *file, const char *message)
{
	auto_free char *begin = text_format("warren: %s:1:", file), *end = text_format(": %s\n", message);

	cr_expect(text_starts_with(run->err, begin) && text_ends_with(run->err, end) &&
			  strchr(run->err, '\n') == run->err + run->err_length - 1,
		"expected %s…%sgot %s", begin, end, run->err);
	cr_expect(run->status == 2 && !*run->out, "%s: status %d, \"%s\"", message, run->status, run->out);
}

TEST(network_refusals, of_a_file_are_told_by_validate_already, .fini = playground_rescue, .timeout = SLOWLY(200))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground here = playground_new();

	for (size_t i = 0; i < ARRAY_SIZE(file_refusals); i++) {
		const char *file = file_write(&here, file_refusals[i].networks, file_refusals[i].more);
		auto_run validate = WARREN(&here, "validate", file);
		auto_run apply = WARREN(&here, "apply", file);

		expect_refused_in(&validate, file, file_refusals[i].message);
		expect_refused_in(&apply, file, file_refusals[i].message);
	}
	auto_run networks = WARREN(&here, "network", "list", "-q");
	auto_run instances = WARREN(&here, "list", "--all", "-q");
	cr_assert(!*networks.out && !*instances.out, "left: %s%s", networks.out, instances.out);
	auto_run down = WARREN(&here, "down", "f");
	expect_refused(&down, 3, "no fleet \"f\" here");
}

/* What only the host knows: validate asks nobody. */
static const struct host_refusal {
	const char *networks, *more;
	int status;
	const char *message;
} host_refusals[] = {
	{"\"n\": {\"subnet\": \"10.40.7.0/24\"}", "", 2,
		"define network n: subnet 10.40.7.0/24 overlaps 10.40.0.0/16 of network one; choose another subnet"},
	{"\"n\": {\"subnet\": \"192.0.2.0/25\"}", "", 2,
		"define network n: subnet 192.0.2.0/25 overlaps the address 192.0.2.0/24 on wire of this host; choose "
		"another subnet"},
	{"\"n\": {\"subnet6\": \"fd40::/64\"}", "", 2,
		"define network n: subnet fd40::/64 overlaps fd40::/64 of network one; choose another subnet"},
	{"\"n\": {\"subnet6\": \"2001:db8:5::/64\"}", "", 2,
		"define network n: subnet 2001:db8:5::/64 overlaps the address 2001:db8:5::/64 on wire of this host; "
		"choose another subnet"},
	{"\"one\": {}", "", 4, "define network one: it was defined by hand"},
	{"", ", \"network\": \"macvlan:nonesuch\"", 2, "a: macvlan:nonesuch: this host has no link \"nonesuch\""},
	{"", ", \"network\": \"bridge:wire\"", 2,
		"a: bridge:wire: wire is no bridge; macvlan:wire puts instances on a link"},
	{"", ", \"network\": \"ns:/nonesuch\"", 3,
		"a: ns:/nonesuch: no such file; ip netns add NAME makes /run/netns/NAME"},
};

static void expect_refused_by(
	struct playground *here, const char *verb, const char *file, int status, const char *message)
{
	auto_run run = WARREN(here, verb, file);
	auto_free char *whole = text_format("%s f: %s", verb, message);

	expect_refused(&run, status, whole);
}

/* Before anything is made, and plan says the same: there is no fleet afterwards. */
TEST(network_refusals, of_the_host_are_told_by_plan_and_apply, .fini = playground_rescue, .timeout = SLOWLY(200))
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_IPV6();
	auto_playground here = scene_open();
	const char *before = state_of(&here);

	for (size_t i = 0; i < ARRAY_SIZE(host_refusals); i++) {
		const struct host_refusal *row = &host_refusals[i];
		const char *file = file_write(&here, row->networks, row->more);
		auto_run validate = WARREN(&here, "validate", file);

		ASSERT_STATUS(validate, 0);
		expect_refused_by(&here, "plan", file, 1, row->message); /* 2: changes wait */
		expect_refused_by(&here, "apply", file, row->status, row->message);
		auto_run down = WARREN(&here, "down", "f");
		expect_refused(&down, 3, "no fleet \"f\" here");
	}
	cr_assert_str_eq(state_of(&here), before);
}

/* One instance leaves the file, another stays; what comes cannot be had. */
TEST(network_refusals, of_a_later_apply_leave_the_fleet_as_it_was, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_IPV6();
	auto_playground here = scene_open();
	const char *pids[2];
#define BOTH "}, \"b\": {\"image\": \"host\", \"command\": [\"sleep\", \"infinity\"]"
	const char *file = file_write(&here, N4, IN_N BOTH);

	WARREN_OK(&here, "apply", "-q", file);
	pids[0] = instance_fact(&here, "a", "pid");
	pids[1] = instance_fact(&here, "b", "pid");
	const char *before = state_of(&here);
	for (size_t i = 0; i < ARRAY_SIZE(host_refusals); i++) {
		auto_free char *networks =
			text_format("%s%s" N4, host_refusals[i].networks, *host_refusals[i].networks ? ", " : "");

		/* Another n would be n twice. */
		if (strstr(host_refusals[i].networks, "\"n\""))
			memcpy(strstr(networks, "\"n\""), "\"m\"", 3);
		auto_run apply = WARREN(&here, "apply", "-q",
			file_write(&here, networks, *host_refusals[i].more ? host_refusals[i].more : IN_N));
		cr_expect(apply.status == host_refusals[i].status, "%s: %d", apply.err, apply.status);
		cr_expect_str_eq(instance_fact(&here, "a", "pid"), pids[0]);
		cr_expect_str_eq(instance_fact(&here, "b", "pid"), pids[1]);
	}
	cr_assert_str_eq(state_of(&here), before);
	auto_run again = WARREN(&here, "plan", file_write(&here, N4, IN_N BOTH));
	cr_assert(again.status == 0, "%s%s", again.out, again.err);
	auto_run other = WARREN(&here, "apply", "-q", file_write(&here, "\"n\": {\"subnet\": \"10.52.0.0/16\"}", IN_N));
	expect_refused(
		&other, 4, "apply f: define network n: its subnet cannot change while instances have addresses of it");
	cr_expect_str_eq(instance_fact(&here, "b", "pid"), pids[1]);
	/* Who only moves is still there when the next network comes; who leaves makes room. */
	const char *moves = file_write(&here, "\"m\": {\"subnet\": \"10.50.0.0/17\"}", ", \"network\": \"m\"");
	auto_run moved = WARREN(&here, "apply", "-q", moves);
	expect_refused(&moved, 2,
		"apply f: define network m: subnet 10.50.0.0/17 overlaps 10.50.0.0/16 of network n; choose another "
		"subnet");
	cr_expect_str_eq(instance_fact(&here, "b", "pid"), pids[1]);
	run_write_file(here.directory.path, "f.json", 0600,
		"{\"version\": 1, \"name\": \"f\", \"networks\": {\"m\": {\"subnet\": \"10.50.0.0/17\"}}, "
		"\"instances\": {\"c\": {\"image\": \"host\", \"command\": [\"sleep\", \"infinity\"], "
		"\"network\": \"m\"}}}");
	WARREN_OK(&here, "apply", "-q", moves);
}
