/* Slots and addresses of those who were killed: whoever comes next has them, also while others are at work; and nobody
 * loses what it has. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "fleet/network/claims.h"
#include "support_host.h"

static struct instance_spec networked(struct test_host *test, const char *name)
{
	struct instance_spec spec = test_spec(test, name, "exec sleep 1000");

	spec.network = NETWORK_DEFAULT;
	return spec;
}

static void create(struct test_host *test, const struct instance_spec *spec)
{
	struct host host;
	struct error err;

	test_host_again(test, &host);
	ASSERT_OK(instance_create(&host, spec, &err));
	host_close(&host);
}

static void create_named(struct test_host *test, const char *name)
{
	struct instance_spec spec = networked(test, name);

	create(test, &spec);
}

static struct record record_of(struct test_host *test, const char *name)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct record record;
	struct error err;

	ASSERT_OK(instance_find(&test->host, name, &instance, &err));
	ASSERT_OK(record_read(&test->arena, instance.dir, &record, &err));
	return record;
}

static void expect_taken(struct test_host *test, size_t addresses, size_t slots)
{
	AUTO(net_session_drop) struct net_session *session = NULL;
	static struct net_census census;
	size_t ipv4, ipv6, taken = 0;
	struct error err;

	ASSERT_OK(net_addresses_count(&test->host.net, NETWORK_DEFAULT, &ipv4, &ipv6, &err));
	cr_assert(ipv4 == addresses, "%zu addresses are taken, not %zu", ipv4, addresses);
	cr_assert(ipv6 == (net_has_ipv6() ? addresses : 0), "%zu IPv6 addresses are taken", ipv6);
	session = net_session_open(&err);
	cr_assert(session);
	ASSERT_OK(net_census_read(&test->host.net, session, &census, &err));
	for (unsigned slot = 1; slot <= SLOT_MAX; slot++)
		taken += census.slots[slot];
	cr_assert(taken == slots, "%zu slots are taken, not %zu", taken, slots);
}

/* As a killed `rm` leaves it, or a killed creation. */
static void make_leftover(struct test_host *test, const char *name)
{
	const char *aside = arena_format(&test->arena, ".%s.0123456789abcdef", name);

	create_named(test, name);
	cr_assert(renameat(test->host.instances, name, test->host.instances, aside) == 0);
}

/* A creation that has not come to its record yet. */
static int beginner_open(struct test_host *test)
{
	cr_assert(mkdirat(test->host.instances, ".new.fedcba9876543210", 0700) == 0);
	int dir = openat(test->host.instances, ".new.fedcba9876543210", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_assert(dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) == 0);
	return dir;
}

static void beginner_close(struct test_host *test, int dir)
{
	cr_assert(unlinkat(test->host.instances, ".new.fedcba9876543210", AT_REMOVEDIR) == 0);
	close(dir);
}

TEST(claims, of_a_killed_one_are_given_back_while_another_is_just_beginning)
{
	struct test_host test;

	test_host_open(&test);
	make_leftover(&test, "killed");
	expect_taken(&test, 1, 1);
	int beginner = beginner_open(&test);

	create_named(&test, "web");
	expect_taken(&test, 1, 1);
	beginner_close(&test, beginner);
	test_host_close(&test);
}

/* Killed after it had taken another address than the one that goes with its slot, and before it wrote that down. */
TEST(claims, that_no_record_names_are_given_back_with_those_of_a_killed_one)
{
	struct test_host test;
	struct in_addr none = {0}, address;
	struct in6_addr address6;
	struct network network;
	struct error err;

	test_host_open(&test);
	create_named(&test, "web");
	ASSERT_OK(network_load(&test.arena, &test.host.net, NETWORK_DEFAULT, &network, &err));
	make_leftover(&test, "killed");
	ASSERT_OK(address_take(&test.host.net, &network, none, &address, &err));
	if (net_has_ipv6())
		ASSERT_OK(address6_take(&test.host.net, &network, &in6addr_any, &address6, &err));
	expect_taken(&test, 3, 2);

	create_named(&test, "next");
	expect_taken(&test, 2, 2);
	test_host_close(&test);
}

TEST(claims, that_were_lost_are_had_by_who_asks_for_them_by_name)
{
	struct test_host test;
	struct network network;
	struct in_addr wanted;
	struct error err;

	test_host_open(&test);
	create_named(&test, "web");
	ASSERT_OK(network_load(&test.arena, &test.host.net, NETWORK_DEFAULT, &network, &err));
	wanted.s_addr = htonl(ntohl(network.subnet.base.s_addr) + 77);
	ASSERT_OK(address_take(&test.host.net, &network, wanted, &wanted, &err));

	struct instance_spec spec = networked(&test, "asks");
	spec.address = wanted;
	create(&test, &spec);
	cr_assert(record_of(&test, "asks").address.s_addr == wanted.s_addr);
	/* And not by a second one. */
	spec.name = "late";
	ASSERT_FAILS(instance_create(&test.host, &spec, &err), ERROR_BUSY, "is taken");
	expect_taken(&test, 2, 2);
	test_host_close(&test);
}

TEST(claims, that_no_instance_has_are_repaired_and_so_are_those_that_could_be_given_twice)
{
	struct test_host test;
	struct check_report report;
	struct network network;
	struct in_addr none = {0}, lost;
	struct error err;

	test_host_open(&test);
	create_named(&test, "one");
	create_named(&test, "two");
	ASSERT_OK(network_load(&test.arena, &test.host.net, NETWORK_DEFAULT, &network, &err));
	for (int i = 0; i < 3; i++)
		ASSERT_OK(address_take(&test.host.net, &network, none, &lost, &err));
	ASSERT_OK(host_check(&test.arena, &test.host, true, &report, &err));
	cr_assert(report.count == 1 && report.left == 0, "%zu findings, %zu left", report.count, report.left);
	cr_assert_str_eq(report.items[0].kind, "addresses");
	expect_taken(&test, 2, 2);

	struct in_addr own = record_of(&test, "one").address;
	ASSERT_OK(address_release(&test.host.net, NETWORK_DEFAULT, own, &err));
	ASSERT_OK(host_check(&test.arena, &test.host, true, &report, &err));
	cr_assert(report.count == 1 && report.left == 0);
	ASSERT_FAILS(address_take(&test.host.net, &network, own, &own, &err), ERROR_BUSY, "is taken");
	ASSERT_OK(host_check(&test.arena, &test.host, false, &report, &err));
	cr_assert(report.count == 0);
	test_host_close(&test);
}

TEST(claims, of_an_instance_that_moves_go_over_whole)
{
	struct test_host test;
	struct instance_spec spec;
	struct network other = {.name = "other", .egress = true, .owner = ""};
	size_t ipv4, ipv6;
	struct error err;

	test_host_open(&test);
	create_named(&test, "web");
	create_named(&test, "stays");
	ASSERT_OK(subnet_parse("10.201.0.0/24", &other.subnet, &err));
	ASSERT_OK(network_define(&test.host.net, &other, &err));
	spec = networked(&test, "web");
	spec.network = "other";
	ASSERT_OK(instance_update(&test.host, &spec, &err));
	expect_taken(&test, 1, 2);
	ASSERT_OK(net_addresses_count(&test.host.net, "other", &ipv4, &ipv6, &err));
	cr_assert(ipv4 == 1 && ipv6 == (net_has_ipv6() ? 1 : 0));

	struct in_addr before = record_of(&test, "web").address;
	spec.address.s_addr = htonl(ntohl(other.subnet.base.s_addr) + 9);
	ASSERT_OK(instance_update(&test.host, &spec, &err));
	ASSERT_OK(net_addresses_count(&test.host.net, "other", &ipv4, &ipv6, &err));
	cr_assert(ipv4 == 1 && record_of(&test, "web").address.s_addr != before.s_addr);
	test_host_close(&test);
}

TEST(claims, of_slots_that_no_instance_has_are_given_back_and_missing_marks_made)
{
	struct test_host test;
	unsigned slot, own;
	struct error err;

	test_host_open(&test);
	create_named(&test, "web");
	own = record_of(&test, "web").slot;
	ASSERT_OK(slot_take(&test.host.net, 0, &slot, &err));
	ASSERT_OK(slot_release(&test.host.net, own, &err));
	ASSERT_OK(host_recover_slots(&test.host, NULL, &err));
	expect_taken(&test, 1, 1);
	ASSERT_FAILS(slot_take(&test.host.net, own, &slot, &err), ERROR_BUSY, "is taken");
	test_host_close(&test);
}
