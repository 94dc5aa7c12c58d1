/* Networks: records, refusals, changes. */
#include "netns/networks/networks.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "netns/netlink/elements.h"
#include "netns/netlink/session.h"
#include "netns/table/ruleset.h"
#include "tests/netns/support_scene.h"
#include "tests/netns/support_world.h"

static struct network network_named(const char *name, const char *subnet)
{
	struct network network = {.name = name, .egress = true, .owner = ""};
	struct error err;

	ASSERT_OK(subnet_parse(subnet, &network.subnet, &err));
	return network;
}

TEST(networks, what_was_defined_is_loaded_again)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct error err;
	struct network shop = network_named("shop", "10.44.0.0/16"), found;
	const char *allow[] = {"bank", NULL};
	char subnet[20];
	world_open(&world);

	shop.isolated = true;
	shop.owner = "web";
	shop.allow = (struct strings){allow, 1};
	ASSERT_OK(network_define(&world.state, &shop, &err));
	ASSERT_OK(network_load(&arena, &world.state, "shop", &found, &err));
	cr_assert_str_eq(found.name, "shop");
	cr_assert(found.number == 1 && shop.number == 1);
	cr_assert(found.isolated && found.egress);
	cr_assert_str_eq(found.owner, "web");
	cr_assert(found.allow.count == 1 && strcmp(found.allow.items[0], "bank") == 0);
	cr_assert_str_eq(subnet_format(&found.subnet, subnet), "10.44.0.0/16");
	ASSERT_FAILS(network_load(&arena, &world.state, "bank", &found, &err), ERROR_MISSING, "no network \"bank\"");
	world_close(&world);
}

TEST(networks, all_that_can_be_said_is_loaded_again)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct error err;
	struct network shop = network_named("shop", "10.44.0.0/24"), found;
	struct subnet more[2];
	struct host_service services[] = {{IPPROTO_TCP, 53}, {IPPROTO_UDP, 65535}};
	const char *links[] = {"bank", NULL};
	char buffer[20];
	world_open(&world);

	ASSERT_OK(subnet_parse("10.45.0.0/24", &more[0], &err));
	ASSERT_OK(subnet_parse("10.46.0.0/16", &more[1], &err));
	shop.more.items = more;
	shop.more.count = 2;
	shop.services.items = services;
	shop.services.count = 2;
	shop.links = (struct strings){links, 1};
	shop.metadata = shop.accounting = true;
	shop.mtu = 1400;
	pairs_set(&arena, &shop.labels, "tier", "web");
	ASSERT_OK(network_define(&world.state, &shop, &err));
	ASSERT_OK(network_load(&arena, &world.state, "shop", &found, &err));
	cr_assert(network_subnet_count(&found) == 3);
	cr_assert_str_eq(subnet_format(network_subnet(&found, 2), buffer), "10.46.0.0/16");
	cr_assert(found.services.count == 2);
	cr_assert_str_eq(host_service_format(&found.services.items[1], buffer), "udp/65535");
	cr_assert(found.links.count == 1 && !strcmp(found.links.items[0], "bank"));
	cr_assert(found.metadata && found.accounting && found.mtu == 1400);
	cr_assert_str_eq(pairs_get(&found.labels, "tier"), "web");
	world_close(&world);
}

TEST(networks, subnets_are_added_at_the_end_while_addresses_are_taken)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	struct network shop = network_named("shop", "10.44.0.0/16"), inside = network_named("in", "10.45.3.0/24");
	struct in_addr none = {0}, address;
	struct subnet more;
	world_open(&world);

	ASSERT_OK(network_define(&world.state, &shop, &err));
	ASSERT_OK(address_take(&world.state, &shop, none, &address, &err));
	ASSERT_OK(subnet_parse("10.45.0.0/16", &more, &err));
	shop.more.items = &more;
	shop.more.count = 1;
	ASSERT_OK(network_define(&world.state, &shop, &err));
	ASSERT_FAILS(network_define(&world.state, &inside, &err), ERROR_USAGE,
		"define network in: subnet 10.45.3.0/24 overlaps 10.45.0.0/16 of network shop; choose another subnet");
	shop.more.count = 0;
	ASSERT_FAILS(network_define(&world.state, &shop, &err), ERROR_BUSY,
		"define network shop: its subnet cannot change while instances have addresses of it");
	ASSERT_OK(address_release(&world.state, "shop", address, &err));
	ASSERT_OK(network_define(&world.state, &shop, &err));
	ASSERT_OK(network_define(&world.state, &inside, &err));
	world_close(&world);
}

TEST(networks, what_cannot_be_is_refused)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	struct network twice = network_named("shop", "10.44.0.0/16"), closed = twice, large = twice;
	struct subnet more;
	world_open(&world);

	ASSERT_OK(subnet_parse("10.44.7.0/24", &more, &err));
	twice.more.items = &more;
	twice.more.count = 1;
	ASSERT_FAILS(network_define(&world.state, &twice, &err), ERROR_USAGE,
		"define network shop: subnet 10.44.7.0/24 overlaps 10.44.0.0/16 of network shop; choose another "
		"subnet");
	closed.egress = false;
	closed.metadata = true;
	ASSERT_FAILS(network_define(&world.state, &closed, &err), ERROR_USAGE,
		"define network shop: metadata without egress");
	large.mtu = 1279;
	ASSERT_FAILS(network_define(&world.state, &large, &err), ERROR_USAGE,
		"define network shop: mtu 1279: 1280 to 65535 can be had");
	world_close(&world);
}

TEST(networks, numbers_are_unique_and_reused)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct error err;
	struct network a = network_named("a", "10.1.0.0/16"), b = network_named("b", "10.2.0.0/16");
	struct network c = network_named("c", "10.3.0.0/16"), again = network_named("a", "10.1.0.0/16");
	struct network_list list;
	world_open(&world);

	ASSERT_OK(network_define(&world.state, &a, &err));
	ASSERT_OK(network_define(&world.state, &b, &err));
	ASSERT_OK(network_define(&world.state, &again, &err));
	cr_assert(a.number == 1 && b.number == 2 && again.number == 1);
	ASSERT_OK(network_undefine(&world.state, "a", &err));
	ASSERT_OK(network_define(&world.state, &c, &err));
	cr_assert(c.number == 1);
	ASSERT_OK(network_load_all(&arena, &world.state, &list, &err));
	cr_assert(list.count == 2);
	ASSERT_FAILS(network_undefine(&world.state, "a", &err), ERROR_MISSING, "no network \"a\"");
	world_close(&world);
}

TEST(networks, overlaps_are_refused_by_name)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	struct network shop = network_named("shop", "10.44.0.0/16"), bank = network_named("bank", "10.44.7.0/24");
	struct network wire = network_named("wire", "192.0.2.0/25"), far = network_named("far", "10.99.0.0/16");
	struct network dark = network_named("dark", "10.98.0.0/16");
	world_open(&world);
	outside_open(&world);

	ASSERT_OK(network_define(&world.state, &shop, &err));
	ASSERT_FAILS(network_define(&world.state, &bank, &err), ERROR_USAGE,
		"define network bank: subnet 10.44.7.0/24 overlaps 10.44.0.0/16 of network shop; choose another "
		"subnet");
	ASSERT_FAILS(network_define(&world.state, &wire, &err), ERROR_USAGE,
		"define network wire: subnet 192.0.2.0/25 overlaps the address 192.0.2.0/24 on wan of this host");
	command("/usr/sbin/ip route add 10.99.3.0/24 via " WAN_OUTSIDE);
	ASSERT_FAILS(network_define(&world.state, &far, &err), ERROR_USAGE,
		"define network far: subnet 10.99.0.0/16 overlaps the route 10.99.3.0/24 on wan of this host");
	command("/usr/sbin/ip route add blackhole 10.98.0.0/15 metric 5");
	ASSERT_OK(network_define(&world.state, &dark, &err));
	world_close(&world);
}

TEST(networks, the_routes_of_own_instances_do_not_count_as_overlap)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest guest;
	struct error err;
	world_open(&world);
	struct network shop = network_of(&world, "shop", "10.44.0.0/16", false, true, &arena);

	guest_open(&world, &shop, &guest);
	ASSERT_OK(address_release(&world.state, "shop", guest.endpoint.address, &err));
	ASSERT_OK(subnet_parse("10.44.0.0/24", &shop.subnet, &err));
	ASSERT_OK(network_define(&world.state, &shop, &err));
	ASSERT_OK(slot_release(&world.state, guest.endpoint.slot, &err));
	close(guest.netns);
	world_close(&world);
}

TEST(networks, another_owners_name_is_refused)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	struct network mine = network_named("shop", "10.44.0.0/16"), theirs = mine;
	world_open(&world);

	mine.owner = "web";
	theirs.owner = "other";
	ASSERT_OK(network_define(&world.state, &mine, &err));
	ASSERT_FAILS(network_define(&world.state, &theirs, &err), ERROR_BUSY,
		"define network shop: it was defined by fleet web");
	world_close(&world);
}

TEST(networks, subnets_do_not_change_and_networks_do_not_go_while_addresses_are_taken)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	struct network shop = network_named("shop", "10.44.0.0/16");
	struct in_addr none = {0}, address;
	world_open(&world);

	ASSERT_OK(network_define(&world.state, &shop, &err));
	ASSERT_OK(address_take(&world.state, &shop, none, &address, &err));
	struct network moved = network_named("shop", "10.45.0.0/16");
	ASSERT_FAILS(network_define(&world.state, &moved, &err), ERROR_BUSY,
		"define network shop: its subnet cannot change while instances have addresses of it");
	ASSERT_FAILS(network_undefine(&world.state, "shop", &err), ERROR_BUSY,
		"remove network shop: instances have addresses of it");
	ASSERT_OK(address_release(&world.state, "shop", address, &err));
	ASSERT_OK(network_define(&world.state, &moved, &err));
	ASSERT_OK(address_take(&world.state, &moved, none, &address, &err));
	cr_assert(address.s_addr == ip("10.45.0.1").s_addr);
	ASSERT_OK(address_release(&world.state, "shop", address, &err));
	ASSERT_OK(network_undefine(&world.state, "shop", &err));
	world_close(&world);
}

/* No file can become longer than nothing, as on a full disk. */
static void disk_fill(bool is_full)
{
	struct rlimit limit;

	cr_assert(getrlimit(RLIMIT_FSIZE, &limit) == 0);
	limit.rlim_cur = is_full ? 0 : limit.rlim_max;
	cr_assert(signal(SIGXFSZ, is_full ? SIG_IGN : SIG_DFL) != SIG_ERR);
	cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static bool has_route(const char *subnet)
{
	FILE *routes = popen("ip -4 route show", "re");
	char line[256];
	bool found = false;

	cr_assert(routes);
	while (fgets(line, sizeof(line), routes))
		found |= strstr(line, subnet) != NULL;
	cr_assert(pclose(routes) == 0);
	return found;
}

TEST(networks, what_could_not_be_recorded_is_not_left_in_the_kernel)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	struct network shop = network_named("shop", "10.44.0.0/16"), bank = network_named("bank", "10.45.0.0/16");
	struct subnet more;
	world_open(&world);

	ASSERT_OK(network_define(&world.state, &shop, &err));
	ASSERT_OK(net_host_up(&world.state, &err));
	ASSERT_OK(subnet_parse("10.46.0.0/16", &more, &err));
	shop.more.items = &more;
	shop.more.count = 1;
	disk_fill(true);
	int added = network_define(&world.state, &shop, &err), defined = network_define(&world.state, &bank, &err);
	disk_fill(false);
	cr_assert(added < 0 && defined < 0, "the disk was not full");
	cr_assert(has_route("10.44.0.0/16"));
	cr_assert(!has_route("10.45.0.0/16") && !has_route("10.46.0.0/16"));
	ASSERT_OK(network_define(&world.state, &bank, &err));
	cr_assert(has_route("10.45.0.0/16"));
	world_close(&world);
}

TEST(networks, half_written_records_go_with_the_next_change)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	struct network shop = network_named("shop", "10.44.0.0/16");
	world_open(&world);

	for (int define = 1; define >= 0; define--) {
		close(openat(world.state.records, ".shop.json.0123abcd~", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		ASSERT_OK(define ? network_define(&world.state, &shop, &err)
				 : network_undefine(&world.state, "shop", &err));
		cr_assert(faccessat(world.state.records, ".shop.json.0123abcd~", F_OK, 0) < 0);
	}
	world_close(&world);
}

TEST(networks, bad_names_touch_no_file)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	struct network bad = network_named("../shop", "10.44.0.0/16"), good = network_named("shop", "10.44.0.0/16");
	const char *allow[] = {"a b", NULL};
	world_open(&world);

	ASSERT_FAILS(network_define(&world.state, &bad, &err), ERROR_USAGE, "network");
	ASSERT_FAILS(network_undefine(&world.state, "../shop", &err), ERROR_USAGE, "network");
	good.allow = (struct strings){allow, 1};
	ASSERT_FAILS(network_define(&world.state, &good, &err), ERROR_USAGE, "define network shop: allow");
	world_close(&world);
}

TEST(networks, a_damaged_record_is_named)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct error err;
	struct network found;
	static const struct {
		const char *record, *message;
	} rows[] = {
		{"{", "shop.json:"},
		{"{\"version\": 1}", "name"},
		{"{\"version\": 1, \"name\": \"bank\", \"number\": 1, \"subnet\": \"10.0.0.0/8\", \"isolated\": true, "
		 "\"egress\": true}",
			"shop.json: is the record of network \"bank\""},
		{"{\"version\": 1, \"name\": \"shop\", \"number\": 4096, \"subnet\": \"10.0.0.0/8\", \"isolated\": "
		 "true, "
		 "\"egress\": true}",
			"number"},
		{"{\"version\": 1, \"name\": \"shop\", \"number\": 1, \"subnet\": \"10.0.0.1/8\", \"isolated\": true, "
		 "\"egress\": true}",
			"host bits"},
	};
	world_open(&world);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ASSERT_OK(file_replace(world.state.records, "shop.json", 0644, FILE_VOLATILE, rows[i].record,
			strlen(rows[i].record), &err));
		err = (struct error){0};
		cr_assert(network_load(&arena, &world.state, "shop", &found, &err) < 0);
		cr_assert(strstr(err.text, "network shop: "), "%s", err.text);
		cr_assert(strstr(err.text, rows[i].message), "%s", err.text);
	}
	world_close(&world);
}

TEST(networks, an_address_that_nobody_has_is_refused_at_once)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest guest;
	struct error err;
	world_open(&world);
	outside_open(&world);
	command("/usr/sbin/ip route add default via " WAN_OUTSIDE);
	struct network shop = network_of(&world, "shop", "10.44.0.0/16", false, true, &arena);
	guest_open(&world, &shop, &guest);

	cr_assert(is_unreachable(&world, world.host, "10.44.7.7", 80), "defined before the host was up");
	cr_assert(is_unreachable(&world, guest.netns, "10.44.7.7", 80), "from an instance");
	shop = network_of(&world, "bank", "10.45.0.0/16", false, true, &arena);
	cr_assert(is_unreachable(&world, world.host, "10.45.7.7", 80), "defined afterwards");
	ASSERT_OK(network_undefine(&world.state, "bank", &err));
	cr_assert(is_dropped(&world, world.host, "10.45.7.7", 80), "gone with the network: on its way outside");
	guest_close(&world, &guest);
	world_close(&world);
}

/* Their records only, and not to last: to define one looks at all that are there, and waits for the disk. */
static void networks_record(struct world *world, unsigned count)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err;

	for (unsigned i = 0; i < count; i++) {
		const char *record = arena_format(&arena,
			"{\"version\": 1, \"name\": \"n%u\", \"number\": %u, \"subnet\": \"10.%u.%u.0/24\", "
			"\"subnet6\": \"fd11:2222:3333:%x::/64\", \"isolated\": false, \"egress\": true}",
			i, i + 1, 100 + i / 256, i % 256, i + 1);

		ASSERT_OK(file_replace(world->state.records, arena_format(&arena, "n%u.json", i), 0644, FILE_VOLATILE,
			record, strlen(record), &err));
	}
}

/* More networks than fit a socket's usual send buffer, changed in one transaction. */
TEST(networks, five_hundred_of_them_fit_one_transaction)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct error err;
	world_open(&world);

	networks_record(&world, 499);
	ASSERT_OK(net_host_up(&world.state, &err));
	network_of(&world, "last", "10.200.0.0/24", false, true, &arena);
	cr_assert(elements_in(&world, SET_NETWORKS) == 500, "%zu", elements_in(&world, SET_NETWORKS));
	world_close(&world);
}
