/* Between an instance that runs and the world there is the host's part of the network, and whoever configures the host
 * may undo it without a thought: `ip link set … down`, `sysctl --system`, a firewall's `flush ruleset`. Instances then
 * run and nobody reaches them. */
#include <stdio.h>

#include "base/cleanup.h"
#include "fleet/host/check.h"
#include "fleet/instance/repair.h"
#include "fleet/monitor/monitor.h"
#include "fleet/network/republish.h"
#include "fleet/network/wire.h"

/* By bit. */
static const char *const endpoint_fault_texts[ENDPOINT_FAULTS] = {
	"is gone",
	"is down",
	"is not in the group of its network, so that no rule of ours knows it",
	"is a port of another link",
	"has lost a route to it",
	"has lost a neighbour entry of it",
};

static const struct {
	const char *name, *text;
} host_faults[HOST_FAULTS] = {
	{"net.ipv4.ip_forward", "instances run, and it is 0: nothing comes to them or leaves them"},
	{"net.ipv6.conf.all.forwarding", "instances run, and it is 0: nothing comes to them or leaves them by IPv6"},
	{"169.254.1.1", "instances run, and lo has lost their gateway's address"},
	{"lo", "instances run, and lo has lost the address by which they see the host by IPv6"},
};

static bool has_wire(const struct check_instance *instance)
{
	return instance->runs && instance->known && instance->record.network;
}

static bool any_wire(const struct check *check)
{
	for (size_t i = 0; i < check->count; i++)
		if (has_wire(&check->instances[i]))
			return true;
	return false;
}

/* --- what is looked for ------------------------------------------------------------------------------------------- */

static int host_look(struct check *check, bool has_table, struct error *err)
{
	unsigned faults;

	if (!has_table)
		check_add(check, "table", "warren", "instances run, and the packet filter's table is not there");
	if (net_host_inspect(&check->host->net, &faults, err) < 0)
		return -1;
	for (size_t i = 0; i < HOST_FAULTS; i++)
		if (faults & 1u << i)
			check_add(check, "host", host_faults[i].name, "%s", host_faults[i].text);
	return 0;
}

/* One finding an instance: what is down has lost its routes, too. */
static void wire_tell(struct check *check, const struct check_instance *instance, unsigned faults)
{
	const char *slot = arena_format(check->arena, "%u", instance->record.slot);

	for (size_t i = 0; i < ENDPOINT_FAULTS; i++)
		if (faults & 1u << i) {
			check_add(check, "link", slot, "%s runs, and its link w%s %s", instance->name, slot,
				endpoint_fault_texts[i]);
			return;
		}
}

static int wires_look(struct check *check, struct net_session *session, struct error *err)
{
	struct endpoint *endpoints = arena_new_array(check->arena, check->count, struct endpoint);
	unsigned *faults = arena_new_array(check->arena, check->count, unsigned);
	const struct check_instance **of = arena_new_array(check->arena, check->count, const struct check_instance *);
	size_t count = 0;

	for (size_t i = 0; i < check->count; i++)
		if (has_wire(&check->instances[i]) && check->instances[i].endpoint.slot) {
			of[count] = &check->instances[i];
			endpoints[count++] = check->instances[i].endpoint;
		}
	if (endpoints_inspect(session, endpoints, count, faults, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		wire_tell(check, of[i], faults[i]);
	return 0;
}

static void published_look(struct check *check, const struct check_instance *instance, bool has_ipv6)
{
	char address[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < instance->port_count; i++) {
		const struct port *port = &instance->ports[i];

		if (port->host_ip.family == AF_INET6 && !has_ipv6)
			check_add(check, "published", instance->name,
				"its port %u/%s is published on [%s], and IPv6 is switched off on this host; switch it "
				"on again (net.ipv6.conf.all.disable_ipv6), or publish on IPv4",
				port->published, port_protocol_names[port->protocol],
				ip_format(&port->host_ip, address));
		else if (!ip_is_any(&port->host_ip) && !ip_is_local(&port->host_ip))
			check_add(check, "published", instance->name,
				"its port %u/%s is published on %s, and this host has no such address; give it back, "
				"or publish elsewhere",
				port->published, port_protocol_names[port->protocol],
				ip_format(&port->host_ip, address));
	}
}

int check_wires(struct check *check, struct net_session *session, bool has_table, struct error *err)
{
	bool has_ipv6 = net_has_ipv6();

	if (any_wire(check) && (host_look(check, has_table, err) < 0 || wires_look(check, session, err) < 0))
		return -1;
	for (size_t i = 0; i < check->count; i++)
		if (check->instances[i].runs)
			published_look(check, &check->instances[i], has_ipv6);
	return 0;
}

/* --- putting right ------------------------------------------------------------------------------------------------ */

static unsigned slot_of(const char *name)
{
	struct error ignored;
	int64_t slot;

	return number_parse(name, 1, SLOT_MAX, &slot, &ignored) == 0 ? (unsigned)slot : 0;
}

static int wire_mend(struct host *host, const char *name, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;

	return instance_take(host, name, &instance, err) < 0 ? -1 : instance_wire_mend(&instance, err);
}

int repair_link(struct host *host, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(net_session_drop) struct net_session *session = NULL;
	struct instance_list list;

	if (instance_list_read(&arena, host, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++)
		if (list.items[i].slot == slot_of(name) && list.items[i].init.pid)
			return wire_mend(host, list.items[i].name, err);
	session = net_session_open(err);
	return session ? endpoint_detach(session, slot_of(name), err) : -1;
}

int repair_host(struct host *host, const char *name, struct error *err)
{
	(void)name;
	return host_network_mend(host, err);
}
