/* The network: a link and the table's rules, tried in a network namespace of their own, and the host's settings. */
#include <errno.h>
#include <ifaddrs.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fleet/host/doctor.h"
#include "images/images.h"

#define NFT_PROGRAM "/usr/sbin/nft"
#define TRACKED_PERCENT 80 /* of the room: worth a word */
#define LOAD_IT "load it to see what the kernel says: modprobe "

static int namespace_enter(struct error *err)
{
	return unshare(CLONE_NEWNET) < 0 ? fail_errno(err, "unshare the network namespace") : 0;
}

static int link_try(void *context, char note[TRIAL_NOTE_SIZE], struct error *err)
{
	(void)context;
	snprintf(note, TRIAL_NOTE_SIZE, "works");
	return namespace_enter(err) < 0 ? -1 : net_link_try(err);
}

static int table_try(void *context, char note[TRIAL_NOTE_SIZE], struct error *err)
{
	(void)context;
	snprintf(note, TRIAL_NOTE_SIZE, "loads");
	return namespace_enter(err) < 0 ? -1 : net_table_try(err);
}

static int rule_try(void *context, char note[TRIAL_NOTE_SIZE], struct error *err)
{
	snprintf(note, TRIAL_NOTE_SIZE, "loads");
	return namespace_enter(err) < 0 ? -1 : net_rule_try(*(const size_t *)context, err);
}

/* Gives the result of trial_run(). */
static int examine_trial(
	struct examination *examination, const char *name, struct trial trial, const char *why, const char *remedy)
{
	struct error err = {0};
	int result = trial_run(&trial, &err);
	struct finding *finding = finding_add(examination, trial_state(examination, result, FINDING_MISSING), name,
		arena_string(examination->arena, result > 0 ? trial.note : err.text), NULL);

	finding->why = why;
	if (result <= 0 && examination->is_root)
		finding->remedy = result < 0 ? "try again when the machine is less busy" : remedy;
	return result;
}

/* Each kind of rule alone says which the kernel lacks; when the whole table loads, all are there. */
static void examine_rules(struct examination *examination, bool all_load)
{
	const char *name;

	for (size_t i = 0; (name = net_rule_name(i)); i++) {
		struct trial trial = {.run = rule_try, .context = &i};
		const char *row = arena_format(examination->arena, "nftables: %s", name);

		if (all_load)
			finding_add(examination, FINDING_OK, row, "loads", NULL)->why = net_rule_module(i);
		else
			examine_trial(examination, row, trial, net_rule_module(i),
				arena_format(examination->arena, LOAD_IT "%s", net_rule_module(i)));
	}
}

static void examine_table(struct examination *examination)
{
	bool has_program = access(NFT_PROGRAM, X_OK) == 0;
	struct finding *program = finding_add(examination, has_program ? FINDING_OK : FINDING_MISSING,
		"the program nft", has_program ? NFT_PROGRAM : "no " NFT_PROGRAM, NULL);
	int result;

	program->why = "loads the one table of all instances";
	if (!has_program) {
		program->remedy = "apt-get install nftables";
		return;
	}
	result = examine_trial(examination, "nftables: the whole table", (struct trial){.run = table_try},
		"published ports, who may reach whom, and that no instance reaches the host",
		"see below which part of it the kernel lacks");
	examine_rules(examination, result > 0);
}

/* --- the host's settings ------------------------------------------------------------------------------------------ */

/* What is remembered of the host while its part of the network is there. */
static bool host_part_is_up(struct examination *examination)
{
	return access(arena_format(examination->arena, "%s/net/sysctls", examination->run), F_OK) == 0;
}

/* We switch it on with the first instance and back with the last. */
static void examine_forwarding(struct examination *examination)
{
	const char *value = knob_text(examination, "/proc/sys/net/ipv4/ip_forward");
	struct finding *finding = finding_add(examination, value ? FINDING_OK : FINDING_UNKNOWN, "net.ipv4.ip_forward",
		value ? value : "not to be read", NULL);

	finding->why = "warren switches it on with the first instance and back with the last; its table keeps the host "
		       "from becoming a router for others";
	if (text_equal(value, "0") && host_part_is_up(examination)) {
		finding->state = FINDING_WARNING;
		finding->found = "0, while instances run: nothing comes to them or leaves them";
		finding->remedy = "warren check --repair, or the next start, switches it on again; somebody has "
				  "switched it off: look at "
				  "/etc/sysctl.conf, /etc/sysctl.d and the firewall";
	}
	if (access("/proc/sys/net/ipv4/ip_forward", W_OK) < 0 && examination->is_root && !text_equal(value, "1")) {
		finding->state = FINDING_MISSING;
		finding->found = "off, and /proc/sys is read-only";
		finding->remedy = "sysctl -w net.ipv4.ip_forward=1, where /proc/sys is writable";
	}
}

uint64_t column_sum(struct arena *arena, const char *table, const char *name)
{
	struct strings lines = strings_split(arena, table, '\n');
	struct strings names = strings_split(arena, lines.count ? lines.items[0] : "", ' ');
	size_t column = 0; /* of those that are not empty: two spaces may stand between */
	uint64_t sum = 0;

	for (size_t i = 0; i < names.count && !text_equal(names.items[i], name); i++)
		column += *names.items[i] != '\0';
	for (size_t i = 1; i < lines.count; i++) {
		const char *cell = lines.items[i] + strspn(lines.items[i], " ");

		for (size_t k = 0; k < column && *cell; k++) {
			cell += strcspn(cell, " ");
			cell += strspn(cell, " ");
		}
		sum += strtoull(cell, NULL, 16);
	}
	return sum;
}

/* Packets that were dropped because there was no room to track them; of this network namespace, since it is there. */
static uint64_t untracked_drops(struct examination *examination)
{
	const char *table = knob_text(examination, "/proc/net/stat/nf_conntrack");

	return table ? column_sum(examination->arena, table, "drop") : 0;
}

/* A connection that there is no room for is dropped without a word to anybody but the kernel's log. */
static void examine_tracked(struct examination *examination)
{
	struct optional count = knob_value(examination, "/proc/sys/net/netfilter/nf_conntrack_count");
	struct optional max = knob_value(examination, "/proc/sys/net/netfilter/nf_conntrack_max");
	uint64_t drops;
	struct finding *finding;

	if (!count.set || !max.set || max.value <= 0)
		return;
	bool full = count.value >= max.value, crowded = count.value * 100 >= max.value * TRACKED_PERCENT;
	drops = untracked_drops(examination);
	finding = finding_add(examination,
		crowded ? FINDING_WARNING
		: drops ? FINDING_NOTE
			: FINDING_OK,
		"tracked connections",
		arena_format(examination->arena, "%jd of %jd%s%s", (intmax_t)count.value, (intmax_t)max.value,
			full ? ": full, new ones are dropped" : "",
			drops ? arena_format(examination->arena, "; %ju packets found no room since the host started",
					(uintmax_t)drops)
			      : ""),
		NULL);
	finding->why = "every connection of an instance or to it is tracked; when the list is full, new ones of "
		       "everybody are dropped (also health checks), and only the kernel's log says so";
	if (crowded || drops)
		finding->remedy = "make room: sysctl -w net.netfilter.nf_conntrack_max with twice as many, or shorter "
				  "net.netfilter.nf_conntrack_tcp_timeout_established; who has them: conntrack -L";
}

/* Strict filtering is right for us: an instance's route is the way its packets come. */
static void examine_reverse_path(struct examination *examination)
{
	const char *value = knob_text(examination, "/proc/sys/net/ipv4/conf/all/rp_filter");

	finding_add(examination, FINDING_OK, "net.ipv4.conf.all.rp_filter", value ? value : "not to be read", NULL)
		->why = "any value will do: warren's own table checks where instances' packets come from";
}

/* iptables of old has no list that could be read without its program. */
static const char *drops_text(struct examination *examination, enum packet_way way, struct error *err)
{
	const char *legacy = knob_text(examination, "/proc/net/ip_tables_names");
	const char *legacy6 = knob_text(examination, "/proc/net/ip6_tables_names");
	const char *text = "";
	struct strings chains;

	if (net_foreign_drops(examination->arena, way, &chains, err) < 0)
		return NULL;
	for (size_t i = 0; i < chains.count; i++)
		text = arena_format(examination->arena, "%s%s%s", text, i ? ", " : "", chains.items[i]);
	if (way == WAY_FORWARD && legacy && strstr(legacy, "filter"))
		text = arena_format(examination->arena, "%s%siptables of old", text, *text ? ", " : "");
	if (way == WAY_FORWARD && legacy6 && strstr(legacy6, "filter"))
		text = arena_format(examination->arena, "%s%sip6tables of old", text, *text ? ", " : "");
	return text;
}

/* A chain that drops may have rules before that accept ours; whether it has, only packets can tell. */
static void examine_firewall(struct examination *examination, enum packet_way way, const char *name, const char *none,
	const char *why, const char *remedy)
{
	struct error err = {0};
	const char *found = drops_text(examination, way, &err);
	enum finding_state drops = way == WAY_INPUT ? FINDING_NOTE : FINDING_WARNING;
	struct finding *finding;

	if (!found) {
		finding_add(examination, FINDING_UNKNOWN, name, arena_string(examination->arena, err.text), NULL);
		return;
	}
	finding = finding_add(examination, *found ? drops : FINDING_OK, name, *found ? found : none, NULL);
	if (!*found)
		return;
	finding->why = why;
	finding->remedy = remedy;
}

static void examine_firewalls(struct examination *examination)
{
	examine_firewall(examination, WAY_FORWARD, "other firewalls", "none drops what is forwarded",
		"what they drop is dropped, whatever warren's own table accepts: instances get no answers and "
		"published ports give none",
		"let them accept what belongs to instances (links of the groups 30465-34559): nft insert rule "
		"TABLE CHAIN iifgroup 30465-34559 accept, and the same with oifgroup; docker has the chain "
		"DOCKER-USER for it");
	examine_firewall(examination, WAY_INPUT, "other firewalls, for the host", "none drops what comes to the host",
		"only networks with \"services\" need it: what they drop of it is dropped",
		"for such a network: nft insert rule TABLE CHAIN iifgroup 30465-34559 accept; warren's own table lets "
		"only "
		"those services pass");
	examine_firewall(examination, WAY_OUTPUT, "other firewalls, from the host", "none drops what leaves the host",
		"health checks come from the host: what is dropped of them makes instances unhealthy",
		"let them accept what goes to instances: nft insert rule TABLE CHAIN oifgroup 30465-34559 accept");
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static bool is_own_address(const char *text)
{
	struct ip_address wanted, address;
	struct ifaddrs *list = NULL;
	struct error ignored;
	bool own = false;

	if (ip_parse(text, &wanted, &ignored) < 0 || getifaddrs(&list) < 0)
		return false;
	for (const struct ifaddrs *item = list; item && !own; item = item->ifa_next) {
		if (item->ifa_addr && item->ifa_addr->sa_family == AF_INET)
			address = ip_from_v4(((const struct sockaddr_in *)(const void *)item->ifa_addr)->sin_addr);
		else if (item->ifa_addr && item->ifa_addr->sa_family == AF_INET6)
			address = ip_from_v6(&((const struct sockaddr_in6 *)(const void *)item->ifa_addr)->sin6_addr);
		else
			continue;
		own = ip_equal(&wanted, &address);
	}
	freeifaddrs(list);
	return own;
}

/* Instances get the host's, at each start. */
static void examine_name_servers(struct examination *examination)
{
	struct strings servers;
	struct finding *finding;
	const char *text = "", *own = NULL;

	host_name_servers(examination->arena, &servers);
	for (size_t i = 0; i < servers.count; i++) {
		text = arena_format(examination->arena, "%s%s%s", text, i ? ", " : "", servers.items[i]);
		own = is_own_address(servers.items[i]) ? servers.items[i] : own;
	}
	finding = finding_add(examination, servers.count && !own ? FINDING_OK : FINDING_WARNING, "name servers",
		servers.count ? text : "none that an instance can reach", NULL);
	finding->why = "of /etc/resolv.conf, or those behind systemd-resolved; one on a loopback address is the "
		       "instance's own "
		       "inside, and is left out";
	if (!servers.count)
		finding->remedy = "name one in /etc/resolv.conf that is reached over the network";
	else if (own)
		finding->remedy = arena_format(examination->arena,
			"%s is this host: let networks reach it, \"services\": [\"udp/53\", \"tcp/53\"], or warren "
			"network "
			"set NETWORK --service udp/53 --service tcp/53",
			own);
}

/* --- IPv6 --------------------------------------------------------------------------------------------------------- */

static void examine_ipv6(struct examination *examination)
{
	bool has = net_has_ipv6();
	struct finding *finding = finding_add(examination, has ? FINDING_OK : FINDING_NOTE, "IPv6",
		has ? "instances have addresses of it" : "this host has none; instances have IPv4 alone", NULL);

	finding->why =
		"networks that are made while the host has it get a range of their own; net.ipv6.conf.all.disable_ipv6 "
		"and the kernel decide";
}

void examine_network(struct examination *examination)
{
	examine_trial(examination, "a link", (struct trial){.run = link_try},
		"a veth pair, route and neighbour, as an instance has them", LOAD_IT "veth");
	examine_table(examination);
	examine_forwarding(examination);
	examine_tracked(examination);
	examine_reverse_path(examination);
	examine_firewalls(examination);
	examine_ipv6(examination);
	examine_name_servers(examination);
}
