/* Networks made, changed and removed by hand: `warren network`. */
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_session.h"
#include "tests/test.h"

#define SLEEP "sleep", "infinity"

/* One line with that status, and that text in it. */
static void expect_refused(const struct run_result *run, int status, const char *text)
{
	cr_assert(run->status == status, "status %d, not %d: %s%s", run->status, status, run->out, run->err);
	cr_assert(strstr(run->err, text), "got \"%s\", expected \"%s\"", run->err, text);
	cr_assert(strchr(run->err, '\n') == run->err + run->err_length - 1, "not one line: %s", run->err);
}

static bool inside_reaches(struct playground *playground, const char *from, const char *address, const char *port)
{
	auto_free char *script = text_format("exec 3<>/dev/tcp/%s/%s", address, port);
	auto_run run = WARREN(playground, "exec", from, "timeout", "2", "bash", "-c", script);

	return run.status == 0;
}

TEST(network_objects, are_made_listed_shown_and_removed, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();

	auto_run made = WARREN(&playground, "network", "create", "shop", "--subnet", "10.44.0.0/24", "--subnet",
		"10.45.0.0/24", "--subnet", "fd12::/64", "--isolated", "--internal", "--allow", "bank", "--link",
		"yard", "--service", "udp/53", "--accounting", "--mtu", "1400", "--label", "tier=web");
	ASSERT_STATUS(made, 0);
	cr_assert_str_eq(made.out, "shop\n");
	auto_run list = WARREN(&playground, "network", "list", "--format",
		"{{.Name}} {{.Subnet}} {{.Subnet6}} {{.Flags}} {{.Instances}}");
	cr_assert_str_eq(list.out, "shop 10.44.0.0/24, 10.45.0.0/24 fd12::/64 isolated, internal, accounting 0\n");
	auto_run shown = WARREN(&playground, "network", "inspect", "shop");
	struct json_doc doc;
	struct error err;
	ASSERT_OK(json_parse(&playground.arena, "shop", shown.out, shown.out_length, JSON_PLAIN, &doc, &err));
	const struct json *shop = doc.root->first;
	cr_assert_str_eq(json_get(shop, "services")->first->text, "udp/53");
	cr_assert_str_eq(json_get(shop, "subnets")->first->next->text, "10.45.0.0/24");
	cr_assert_str_eq(json_get(json_get(shop, "labels"), "tier")->text, "web");
	cr_assert_str_eq(json_get(shop, "mtu")->text, "1400");
	WARREN_OK(&playground, "network", "rm", "shop");
	auto_run gone = WARREN(&playground, "network", "list", "-q");
	cr_assert_str_eq(gone.out, "");
}

TEST(network_objects, that_cannot_be_are_refused_in_one_line, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	static const struct {
		const char *words[10];
		int status;
		const char *message;
	} rows[] = {
		{{"network", "create", "Shop"}, 2, "network \"Shop\": must begin with a lower-case letter or a digit"},
		{{"network", "create", "host"}, 2, "network \"host\" is built in"},
		{{"network", "create", "one"}, 4, "network one exists already; warren network set changes it"},
		{{"network", "create", "x", "--subnet", "10.44.0.0"}, 2, "subnet \"10.44.0.0\": write it like"},
		{{"network", "create", "x", "--subnet", "10.44.0.1/16"}, 2,
			"has host bits set; did you mean \"10.44.0.0/16\"?"},
		{{"network", "create", "x", "--subnet", "10.44.0.0/31"}, 2,
			"prefix length: 31 is not between 8 and 30"},
		{{"network", "create", "x", "--subnet", "127.0.0.0/8"}, 2,
			"lies in a range that is not for instances (loopback)"},
		{{"network", "create", "x", "--subnet", "10.40.7.0/24"}, 2,
			"subnet 10.40.7.0/24 overlaps 10.40.0.0/16 of network one; choose another subnet"},
		{{"network", "create", "x", "--subnet", "192.0.2.0/25"}, 2,
			"subnet 192.0.2.0/25 overlaps the address 192.0.2.0/24 on wire of this host"},
		{{"network", "create", "x", "--subnet", "fd00::/64", "--subnet", "fd01::/64"}, 2,
			"a network has one subnet of IPv6, not two"},
		{{"network", "create", "x", "--service", "dns"}, 2, "service \"dns\": write it like \"tcp/53\""},
		{{"network", "create", "x", "--service", "tcp/65536"}, 2, "65536 is not between 1 and 65535"},
		{{"network", "create", "x", "--internal", "--metadata"}, 2, "metadata without egress"},
		{{"network", "create", "x", "--allow", "../y"}, 2, "allow \"../y\""},
		{{"network", "create", "x", "--mtu", "100"}, 2, "100 is not between 1280 and 65535"},
		{{"network", "inspect", "nonesuch"}, 3, "no network \"nonesuch\""},
		{{"network", "rm", "nonesuch"}, 3, "no network \"nonesuch\""},
		{{"network", "set", "one", "--isolated", "maybe"}, 2, "--isolated \"maybe\": expected yes or no"},
		{{"run", "--network", "nonesuch", "host", "true"}, 3, "no network \"nonesuch\""},
		{{"run", "--network", "one", "--ip", "10.41.0.5", "host", "true"}, 2,
			"address 10.41.0.5 is not one for instances of network one (10.40.0.0/16)"},
		{{"run", "--network", "one", "--ip", "10.40.255.255", "host", "true"}, 2,
			"is not one for instances of network one"},
	};
	host_ip("link add wire type veth peer name far");
	host_ip("addr add 192.0.2.1/24 dev wire");
	WARREN_OK(&playground, "network", "create", "one", "--subnet", "10.40.0.0/16");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_run run = playground_warren(&playground, rows[i].words, &(struct run_options){0});

		expect_refused(&run, rows[i].status, rows[i].message);
	}
	WARREN_OK(&playground, "network", "rm", "one");
}

static const char *used(struct playground *playground, const char *format)
{
	auto_run run = WARREN(playground, "usage", "--month", "all", "--format", format, "a");

	cr_assert(run.status == 0, "%s", run.err);
	return arena_string(&playground->arena, run.out);
}

/* Nobody is behind the wire, but what leaves by it has left. 100 bytes and the heads of UDP and IPv4 are 128. */
#define SAY_OUTSIDE "exec", "a", "bash", "-c", "printf %0100d 1 >/dev/udp/192.0.2.2/9"

TEST(network_objects, with_accounting_count_what_leaves_apart_over_restarts, .fini = playground_rescue,
	.timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();

	host_ip("link add wire type veth peer name far");
	host_ip("addr add 192.0.2.1/24 dev wire");
	host_ip("link set far up");
	host_ip("link set wire up");
	host_ip("neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev wire nud permanent");
	WARREN_OK(&playground, "network", "create", "shop", "--accounting");
	WARREN_OK(&playground, "run", "-d", "--name", "a", "--network", "shop", "host", SLEEP);
	WARREN_OK(&playground, SAY_OUTSIDE);
	cr_assert_str_eq(used(&playground, "{{.Outside_out_bytes}} {{.Outside_out_packets}}"), "128 1\n");
	WARREN_OK(&playground, SAY_OUTSIDE);
	WARREN_OK(&playground, "restart", "-t", "0", "a");
	WARREN_OK(&playground, SAY_OUTSIDE);
	cr_assert_str_eq(used(&playground, "{{.Outside_out_bytes}} {{.Outside_out_packets}}"), "384 3\n");
	cr_assert_str_eq(used(&playground, "{{.Outside_in_bytes}} {{.Outside_in_packets}}"), "0 0\n");
	WARREN_OK(&playground, "rm", "-f", "a");
	cr_assert_str_eq(used(&playground, "{{.Outside_out_bytes}}"), "384\n");
	WARREN_OK(&playground, "network", "rm", "shop");
}

TEST(network_objects, in_use_are_not_removed_and_say_by_whom, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "network", "create", "shop", "--subnet", "10.44.0.0/29");
	WARREN_OK(&playground, "create", "--name", "a", "--network", "shop", "--ip", "10.44.0.3", "host", SLEEP);
	auto_run taken =
		WARREN(&playground, "create", "--name", "b", "--network", "shop", "--ip", "10.44.0.3", "host", SLEEP);
	expect_refused(&taken, 4, "address 10.44.0.3 of network shop is taken");
	auto_run kept = WARREN(&playground, "network", "rm", "shop");
	expect_refused(&kept, 4, "remove network shop: instances have addresses of it: a");
	WARREN_OK(&playground, "rm", "a");
	WARREN_OK(&playground, "network", "rm", "shop");
}

TEST(network_objects, of_fleets_are_changed_by_their_file_alone, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();

	run_write_file(playground.directory.path, "f.json", 0600,
		"{\"version\": 1, \"name\": \"f\", \"networks\": {\"inside\": {}, \"lan\": {\"external\": true}}, "
		"\"instances\": {}}");
	const char *file = arena_format(&playground.arena, "%s/f.json", playground.directory.path);
	auto_run missing = WARREN(&playground, "apply", file);
	cr_assert(missing.status != 0 && strstr(missing.err, "the external network \"lan\" is not there"), "%s",
		missing.err);
	WARREN_OK(&playground, "network", "create", "lan");
	WARREN_OK(&playground, "apply", file);
	auto_run set = WARREN(&playground, "network", "set", "inside", "--egress", "no");
	expect_refused(&set, 4, "network inside belongs to the fleet f");
	auto_run rm = WARREN(&playground, "network", "rm", "inside");
	expect_refused(&rm, 4, "network inside belongs to the fleet f");
	auto_run create = WARREN(&playground, "network", "create", "inside");
	expect_refused(&create, 4, "network inside exists already, in the fleet f");
	WARREN_OK(&playground, "down", "f");
	auto_run left = WARREN(&playground, "network", "list", "-q");
	cr_assert_str_eq(left.out, "lan\n");
	WARREN_OK(&playground, "network", "rm", "lan");
}

/* What is changed holds for connections that are made from then on, of instances that go on running. */
TEST(network_objects, are_changed_while_instances_run, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "network", "create", "front");
	WARREN_OK(&playground, "network", "create", "back");
	WARREN_OK(&playground, "run", "-d", "--name", "web", "--network", "front", "host", SLEEP);
	WARREN_OK(&playground, "run", "-d", "--name", "db", "--network", "back", "host", "busybox", "httpd", "-f", "-p",
		"99");
	const char *db = arena_string(&playground.arena, instance_fact(&playground, "db", "address"));

	cr_assert(!inside_reaches(&playground, "web", db, "99"));
	WARREN_OK(&playground, "network", "set", "back", "--allow", "front");
	cr_assert(inside_reaches(&playground, "web", db, "99"));
	WARREN_OK(&playground, "network", "set", "back", "--allow", "");
	cr_assert(!inside_reaches(&playground, "web", db, "99"));
	WARREN_OK(&playground, "network", "set", "front", "--link", "back");
	cr_assert(inside_reaches(&playground, "web", db, "99"));
	WARREN_OK(&playground, "rm", "-f", "web", "db");
	WARREN_OK(&playground, "network", "rm", "front", "back");
}

TEST(network_objects, of_several_subnets_are_one_network, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "network", "create", "shop", "--subnet", "10.44.0.0/30", "--subnet", "10.66.0.0/30");
	WARREN_OK(&playground, "run", "-d", "--name", "a", "--network", "shop", "host", "busybox", "httpd", "-f", "-p",
		"99");
	WARREN_OK(&playground, "create", "--name", "b", "--network", "shop", "host", SLEEP);
	WARREN_OK(&playground, "run", "-d", "--name", "c", "--network", "shop", "host", SLEEP);
	const char *first = arena_string(&playground.arena, instance_fact(&playground, "a", "address"));
	cr_assert(text_starts_with(first, "10.44.0."), "%s", first);
	cr_assert(text_starts_with(instance_fact(&playground, "c", "address"), "10.66.0."));
	cr_assert(inside_reaches(&playground, "c", first, "99"));
	cr_assert(inside_reaches(&playground, "c", "a", "99"), "by name");
	WARREN_OK(&playground, "run", "-d", "--name", "d", "--network", "shop", "host", SLEEP);
	auto_run full = WARREN(&playground, "create", "--name", "e", "--network", "shop", "host", SLEEP);
	expect_refused(&full, 4, "all 4 addresses of network shop are taken");
	WARREN_OK(&playground, "network", "set", "shop", "--add-subnet", "10.67.0.0/24");
	WARREN_OK(&playground, "create", "--name", "e", "--network", "shop", "host", SLEEP);
	WARREN_OK(&playground, "check");
	WARREN_OK(&playground, "rm", "-f", "a", "b", "c", "d", "e");
	WARREN_OK(&playground, "network", "rm", "shop");
}

TEST(network_objects, let_in_to_services_of_the_host_that_are_named, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "network", "create", "front");
	WARREN_OK(&playground, "run", "-d", "--name", "web", "--network", "front", "host", SLEEP);
	WARREN_OK(&playground, "run", "-d", "--name", "service", "--network", "host", "host", "busybox", "httpd", "-f",
		"-p", "4099");
	cr_assert(!inside_reaches(&playground, "web", "169.254.1.1", "4099"));
	WARREN_OK(&playground, "network", "set", "front", "--service", "tcp/4099");
	cr_assert(inside_reaches(&playground, "web", "169.254.1.1", "4099"));
	WARREN_OK(&playground, "network", "set", "front", "--service", "");
	cr_assert(!inside_reaches(&playground, "web", "169.254.1.1", "4099"));
	WARREN_OK(&playground, "rm", "-f", "web", "service");
	WARREN_OK(&playground, "network", "rm", "front");
}

/* --- pruned ------------------------------------------------------------------------------------------------------- */

static void prune_typed(struct playground *playground, const char *answer)
{
	const char *argv[] = {WARREN_PROGRAM, "--root", playground->root, "--cgroup-parent", playground->parent,
		"network", "prune", NULL};
	auto_session session = {0};

	session_open(&session, argv);
	session_await(&session, "Remove what no instance uses: back, shop? [y/N] ");
	session_type(&session, answer);
	cr_assert(session_end(&session) == 0, "%s", text_string(&session.seen));
}

static void expect_networks(struct playground *playground, const char *names)
{
	auto_run list = WARREN(playground, "network", "list", "-q");

	cr_assert_str_eq(list.out, names);
}

TEST(network_objects, that_nobody_uses_are_pruned_after_a_question, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();

	run_write_file(playground.directory.path, "f.json", 0600,
		"{\"version\": 1, \"name\": \"f\", \"networks\": {\"inside\": {}}, \"instances\": {}}");
	const char *file = arena_format(&playground.arena, "%s/f.json", playground.directory.path);
	auto_run nothing = WARREN(&playground, "network", "prune");
	ASSERT_STATUS(nothing, 0);
	WARREN_OK(&playground, "apply", file);
	WARREN_OK(&playground, "network", "create", "shop");
	WARREN_OK(&playground, "network", "create", "back");
	WARREN_OK(&playground, "network", "create", "used");
	WARREN_OK(&playground, "create", "--name", "a", "--network", "used", "host", SLEEP);
	WARREN_OK(&playground, "create", "--name", "b", "host", SLEEP);
	WARREN_OK(&playground, "rm", "b");
	auto_run unasked = WARREN(&playground, "network", "prune");
	expect_refused(&unasked, 2, "there is nobody to ask whether back, shop may go; --force does not ask");
	prune_typed(&playground, "n\r");
	expect_networks(&playground, "back\ndefault\ninside\nshop\nused\n");
	prune_typed(&playground, "y\r");
	expect_networks(&playground, "default\ninside\nused\n");
	WARREN_OK(&playground, "rm", "a");
	auto_run forced = WARREN(&playground, "network", "prune", "--force");
	ASSERT_STATUS(forced, 0);
	cr_assert_str_eq(forced.out, "used\n");
	WARREN_OK(&playground, "down", "f");
	expect_networks(&playground, "default\n");
}

TEST(network_objects, show_who_is_in_them_and_what_is_left, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	const bool six = access("/proc/net/if_inet6", F_OK) == 0;

	WARREN_OK(&playground, "network", "create", "shop", "--subnet", "10.44.0.0/29", "--subnet", "10.45.0.0/30",
		six ? "--subnet" : "--ipv4-only", six ? "fd12::/120" : NULL);
	WARREN_OK(&playground, "create", "--name", "a", "--network", "shop", "--ip", "10.44.0.3", "--egress", "5M",
		"host", SLEEP);
	auto_run shown = WARREN(&playground, "network", "inspect", "shop");
	ASSERT_STATUS(shown, 0);
	struct json_doc doc;
	struct error err;
	ASSERT_OK(json_parse(&playground.arena, "shop", shown.out, shown.out_length, JSON_PLAIN, &doc, &err));
	const struct json *shop = doc.root->first, *user = json_get(shop, "instances")->first;
	cr_assert_str_eq(json_get(json_get(shop, "addresses"), "taken")->text, "1");
	cr_assert_str_eq(json_get(json_get(shop, "addresses"), "free")->text, "7");
	cr_assert_str_eq(json_get(user, "name")->text, "a");
	cr_assert_str_eq(json_get(user, "state")->text, "created");
	cr_assert_str_eq(json_get(user, "address")->text, "10.44.0.3");
	cr_assert_str_eq(json_get(user, "egress")->text, "5000000");
	cr_assert(!json_get(user, "ingress"));
	if (six) {
		cr_assert_str_eq(json_get(json_get(shop, "addresses6"), "taken")->text, "1");
		cr_assert_str_eq(json_get(json_get(shop, "addresses6"), "free")->text, "254");
		cr_assert_str_eq(json_get(user, "address6")->text, "fd12::3");
	}
	WARREN_OK(&playground, "rm", "a");
	WARREN_OK(&playground, "network", "rm", "shop");
}
