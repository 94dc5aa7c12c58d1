/* The administrator's own firewall beside our table: what it drops stays dropped, doctor says which chain it is and
 * what to add, and what doctor says helps. The playing host has a neighbour on a wire. */
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_neighbour.h"
#include "tests/end_to_end/support_place.h"
#include "tests/test.h"

#define NFT "/usr/sbin/nft"
#define HERE "192.0.2.1"
#define HERE6 "2001:db8:5::1"
#define SERVER "busybox", "nc", "-ll", "-p", "80", "-e", "echo", "hello"

/* --- the neighbour ------------------------------------------------------------------------------------------------ */

static struct neighbour scene_open(void)
{
	return neighbour_open(&(struct wire_addresses){HERE "/24", HERE6 "/64", "192.0.2.2/24", "2001:db8:5::2/64"});
}

/* What is dropped is waited for a while. */
static bool neighbour_hears_at(const struct neighbour *neighbour, const char *address, uint16_t port)
{
	neighbour_enter(neighbour);
	bool heard = place_says_hello(address, port, 400);
	neighbour_leave(neighbour);
	return heard;
}

static bool neighbour_hears(const struct neighbour *neighbour, const char *address)
{
	return neighbour_hears_at(neighbour, address, 8080);
}

/* Until the instance's server listens. */
static void neighbour_await(const struct neighbour *neighbour)
{
	const char *const both[] = {HERE, HERE6};

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		int tries = 0;

		while (!neighbour_hears(neighbour, both[i])) {
			cr_assert(++tries < 50, "nobody answers at %s", both[i]);
			usleep(100000);
		}
	}
}

/* --- what administrators write ------------------------------------------------------------------------------------ */

/* Rules are loaded by the shell. */
struct firewall {
	const char *rules;
	const char *chain; /* as doctor names it */
	bool cuts4, cuts6;
};

static void shell(const char *script)
{
	auto_run run = RUN("sh", "-ec", script);

	cr_assert(run.status == 0, "%s: %s%s", script, run.out, run.err);
}

/* What doctor says in its row of that name; it must be about that chain. */
static const char *doctor_says(struct playground *playground, const char *name, const char *chain)
{
	auto_run doctor = WARREN(playground, "doctor", "--json");
	const char *name_line = arena_format(&playground->arena, "\"name\": \"%s\"", name);
	const char *row = strstr(doctor.out, name_line), *end = row ? strchr(row, '}') : NULL;

	cr_assert(end, "%s", doctor.out);
	row = arena_bytes(&playground->arena, row, (size_t)(end - row));
	cr_assert(strstr(row, arena_format(&playground->arena, "\"found\": \"%s\"", chain)), "%s: %s", chain, row);
	return row;
}

/* The rule as doctor prints it: behind TABLE CHAIN, to the end of the word "accept". */
static const char *remedy_of(struct arena *arena, const char *said)
{
	static const char begin[] = "nft insert rule TABLE CHAIN ";
	const char *rule = strstr(said, begin), *end = rule ? strstr(rule, " accept") : NULL;

	cr_assert(end, "%s", said);
	rule += strlen(begin);
	return arena_bytes(arena, rule, (size_t)(end - rule) + strlen(" accept"));
}

/* "iifgroup … accept", "and the same with oifgroup". */
static void remedy_apply(struct arena *arena, const char *said, const char *chain)
{
	const char *rule = remedy_of(arena, said);

	cr_assert(text_starts_with(rule, "iifgroup "), "%s", rule);
	cr_assert(strstr(said, "and the same with oifgroup"), "%s", said);
	shell(arena_format(arena, NFT " insert rule %s %s", chain, rule));
	shell(arena_format(arena, NFT " insert rule %s o%s", chain, rule + 1));
}

static void firewall_try(struct playground *playground, const struct neighbour *neighbour, const struct firewall *wall)
{
	shell(wall->rules);
	cr_assert_eq(neighbour_hears(neighbour, HERE), !wall->cuts4, "IPv4: %s", wall->rules);
	cr_assert_eq(neighbour_hears(neighbour, HERE6), !wall->cuts6, "IPv6: %s", wall->rules);
	const char *said = doctor_says(playground, "other firewalls", wall->chain);
	cr_assert(strstr(said, "\"state\": \"warning\""), "%s", said);
	remedy_apply(&playground->arena, said, wall->chain);
	cr_assert(neighbour_hears(neighbour, HERE), "IPv4 with the remedy: %s", wall->rules);
	cr_assert(neighbour_hears(neighbour, HERE6), "IPv6 with the remedy: %s", wall->rules);
}

static void firewalls_try(const struct firewall *walls, size_t count)
{
	auto_playground playground = playground_new();
	AUTO(neighbour_drop) struct neighbour neighbour = scene_open();

	WARREN_OK(&playground, "run", "-d", "--name", "web", "-p", "0.0.0.0:8080:80", "-p", "[::]:8080:80", "host",
		SERVER);
	neighbour_await(&neighbour);
	for (size_t i = 0; i < count; i++) {
		firewall_try(&playground, &neighbour, &walls[i]);
		auto_free char *gone = text_format(
			NFT " delete table %.*s", (int)(strrchr(walls[i].chain, ' ') - walls[i].chain), walls[i].chain);
		shell(gone);
	}
	WARREN_OK(&playground, "rm", "-f", "web");
}

/* As nftables.conf of many a host: one table for both families, what is established passes. */
TEST(firewalls, of_nftables_are_named_with_what_helps, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	static const struct firewall walls[] = {
		{NFT " -f - <<'END'\n"
		     "table inet wall {\n"
		     "	chain way {\n"
		     "		type filter hook forward priority filter; policy drop;\n"
		     "		ct state established,related accept\n"
		     "	}\n"
		     "}\nEND",
			"inet wall way", true, true},
	};

	NEEDS_ALL_THE_TIME();
	NEEDS_IPV6();
	firewalls_try(walls, ARRAY_SIZE(walls));
}

/* One family each, and the way firewalld ends its chains. */
TEST(firewalls, of_iptables_and_firewalld_are_named_with_what_helps, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	static const struct firewall walls[] = {
		{"/usr/sbin/iptables-nft -P FORWARD DROP", "ip filter FORWARD", true, false},
		{"/usr/sbin/ip6tables-nft -P FORWARD DROP", "ip6 filter FORWARD", false, true},
		{NFT " -f - <<'END'\n"
		     "table inet firewalld {\n"
		     "	chain filter_FORWARD {\n"
		     "		type filter hook forward priority filter + 10; policy accept;\n"
		     "		ct state { established, related } accept\n"
		     "		ct status dnat accept\n"
		     "		iifname \"lo\" accept\n"
		     "		ct state invalid drop\n"
		     "		reject with icmpx admin-prohibited\n"
		     "	}\n"
		     "}\nEND",
			"inet firewalld filter_FORWARD", false, false},
	};

	NEEDS_ALL_THE_TIME();
	NEEDS_IPV6();
	SKIP_UNLESS(access("/usr/sbin/iptables-nft", X_OK) == 0, "needs iptables-nft");
	firewalls_try(walls, ARRAY_SIZE(walls));
}

/* What comes from an instance to a service of the host passes our table, and meets the host's own chain behind it. */
static bool inside_reaches(struct playground *playground, const char *address)
{
	auto_free char *script = text_format("exec 3<>/dev/tcp/%s/4099", address);
	auto_run run = WARREN(playground, "exec", "web", "timeout", "1", "bash", "-c", script);

	return run.status == 0;
}

TEST(firewalls, for_the_host_are_named_with_what_services_need, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	static const char wall[] = NFT " -f - <<'END'\n"
				       "table inet wall {\n"
				       "	chain in {\n"
				       "		type filter hook input priority filter; policy drop;\n"
				       "		ct state established,related accept\n"
				       "		iifname \"lo\" accept\n"
				       "		meta l4proto { icmp, ipv6-icmp } accept\n"
				       "	}\n"
				       "}\nEND";
	NEEDS_ALL_THE_TIME();
	NEEDS_IPV6();
	auto_playground playground = playground_new();
	AUTO(neighbour_drop) struct neighbour neighbour = scene_open();

	WARREN_OK(&playground, "network", "create", "shop", "--service", "tcp/4099");
	WARREN_OK(&playground, "run", "-d", "--name", "service", "--network", "host", "host", "busybox", "httpd", "-f",
		"-p", "[::]:4099");
	WARREN_OK(&playground, "run", "-d", "--name", "web", "--network", "shop", "-p", "0.0.0.0:8080:80", "-p",
		"[::]:8080:80", "host", SERVER);
	neighbour_await(&neighbour);
	shell(wall);
	cr_assert(neighbour_hears(&neighbour, HERE) && neighbour_hears(&neighbour, HERE6));
	cr_assert(!inside_reaches(&playground, HERE) && !inside_reaches(&playground, HERE6));
	const char *said = doctor_says(&playground, "other firewalls, for the host", "inet wall in");
	auto_free char *remedy = text_format(NFT " insert rule inet wall in %s", remedy_of(&playground.arena, said));
	shell(remedy);
	cr_assert(inside_reaches(&playground, HERE) && inside_reaches(&playground, HERE6));
	WARREN_OK(&playground, "rm", "-f", "web", "service");
	WARREN_OK(&playground, "network", "rm", "shop");
}

/* What the host asks an instance, as health checks do, meets the chain of what leaves it. */
TEST(firewalls, from_the_host_are_named_with_what_helps, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	static const char wall[] = NFT " -f - <<'END'\n"
				       "table inet wall {\n"
				       "	chain out {\n"
				       "		type filter hook output priority filter; policy drop;\n"
				       "		ct state established,related accept\n"
				       "		oifname \"lo\" accept\n"
				       "	}\n"
				       "}\nEND";
	NEEDS_ALL_THE_TIME();
	NEEDS_IPV6();
	auto_playground playground = playground_new();
	AUTO(neighbour_drop) struct neighbour neighbour = scene_open();
	struct neighbour itself = {.host = neighbour.host, .netns = neighbour.host};

	WARREN_OK(&playground, "run", "-d", "--name", "web", "-p", "0.0.0.0:8080:80", "-p", "[::]:8080:80", "host",
		SERVER);
	neighbour_await(&itself);
	const char *address = instance_fact(&playground, "web", "address");
	const char *address6 = instance_fact(&playground, "web", "address6");
	shell(wall);
	cr_assert(!neighbour_hears_at(&itself, address, 80) && !neighbour_hears_at(&itself, address6, 80));
	const char *said = doctor_says(&playground, "other firewalls, from the host", "inet wall out");
	auto_free char *remedy = text_format(NFT " insert rule inet wall out %s", remedy_of(&playground.arena, said));
	shell(remedy);
	cr_assert(neighbour_hears_at(&itself, address, 80) && neighbour_hears_at(&itself, address6, 80));
	WARREN_OK(&playground, "rm", "-f", "web");
}
