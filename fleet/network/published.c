/* See published.h. Ports that are shared are joined and left one by one (netns.h: balance_join()), the others are
 * published in one transaction. */
#include "fleet/network/published.h"

#include "base/cleanup.h"
#include "base/log.h"

bool port_is_shared(const struct port *port)
{
	return port->mode == PORT_NAT && port->balance != PORT_ALONE;
}

static int shared_leave(const struct published *published, const struct port *port, struct error *err)
{
	return balance_leave(&published->host->net, published->session, port, published->endpoint, err);
}

static int shared_join(
	const struct published *published, const struct port *port, enum balance_entry entry, struct error *err)
{
	return balance_join(
		&published->host->net, published->session, port, published->endpoint, published->weight, entry, err);
}

static void first_left(const struct published *published, size_t count)
{
	struct error err;

	for (size_t i = 0; i < count; i++)
		if (port_is_shared(&published->ports[i]) && shared_leave(published, &published->ports[i], &err) < 0)
			log_warn("%s", err.text);
}

static int all_join(const struct published *published, enum balance_entry entry, struct error *err)
{
	for (size_t i = 0; i < published->count; i++) {
		if (!port_is_shared(&published->ports[i]) ||
			shared_join(published, &published->ports[i], entry, err) == 0)
			continue;
		first_left(published, i);
		return -1;
	}
	return 0;
}

int published_open(const struct published *published, enum balance_entry entry, struct error *err)
{
	struct error later;

	if (ports_publish(published->session, published->endpoint, published->ports, published->count, err) < 0)
		return -1;
	if (all_join(published, entry, err) == 0)
		return 0;
	if (ports_unpublish(published->session, published->endpoint, published->ports, published->count, &later) < 0)
		log_warn("%s", later.text);
	return -1;
}

int published_close(const struct published *published, struct error *err)
{
	struct error later;
	int result = ports_unpublish(published->session, published->endpoint, published->ports, published->count, err);

	for (size_t i = 0; i < published->count; i++)
		if (port_is_shared(&published->ports[i]) &&
			shared_leave(published, &published->ports[i], result < 0 ? &later : err) < 0)
			result = -1;
	return result;
}

/* The same number of the same address, shared by then as well: not to be left meanwhile. */
static bool has_successor(const struct published *published, const struct port *old)
{
	for (size_t i = 0; i < published->count; i++)
		if (port_is_shared(&published->ports[i]) && ports_collide(&published->ports[i], old) &&
			ip_equal(&published->ports[i].host_ip, &old->host_ip))
			return true;
	return false;
}

int published_change(const struct published *published, const struct port *old, size_t old_count, struct error *err)
{
	for (size_t i = 0; i < old_count; i++)
		if (port_is_shared(&old[i]) && !has_successor(published, &old[i]) &&
			shared_leave(published, &old[i], err) < 0)
			return -1;
	if (ports_change(published->session, published->endpoint, old, old_count, published->ports, published->count,
		    err) < 0)
		return -1;
	for (size_t i = 0; i < published->count; i++)
		if (port_is_shared(&published->ports[i]) &&
			shared_join(published, &published->ports[i], BALANCE_AS_BEFORE, err) < 0)
			return -1;
	return 0;
}

int published_switch(const struct published *published, const struct endpoint *to, struct error *err)
{
	if (ports_switch(published->session, published->endpoint, to, published->ports, published->count, err) < 0)
		return -1;
	for (size_t i = 0; i < published->count; i++)
		if (port_is_shared(&published->ports[i]) &&
			balance_switch(&published->host->net, published->session, &published->ports[i],
				published->endpoint, to, err) < 0)
			return -1;
	return 0;
}

struct share published_share(
	const struct host *host, const struct endpoint *endpoint, const struct port *ports, size_t count)
{
	struct share share = {0};
	struct balance balance;
	struct error err;

	for (size_t i = 0; i < count; i++) {
		if (!port_is_shared(&ports[i]))
			continue;
		if (balance_read(&host->net, &ports[i], &balance, &err) < 0) {
			log_warn("%s", err.text);
			continue;
		}
		for (size_t m = 0; m < balance.count; m++)
			if (balance.members[m].in)
				*(balance.members[m].address.s_addr == endpoint->address.s_addr ? &share.in
												: &share.others) = true;
	}
	return share;
}

unsigned published_weight(const struct instance *instance)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec spec;
	struct error ignored;

	if (instance_spec_load(&arena, instance->dir, instance->name, &spec, &ignored) < 0)
		return 1;
	return (unsigned)spec.weight;
}

static bool any_shared(const struct run *run)
{
	for (size_t i = 0; i < run->port_count; i++)
		if (port_is_shared(&run->ports[i]))
			return true;
	return false;
}

int instance_traffic(struct instance *instance, const struct run *run, bool in, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(net_session_drop) struct net_session *own = NULL;
	struct net_session *session;
	struct endpoint endpoint;
	struct record record;

	if (!any_shared(run))
		return 0;
	if (record_read(&arena, instance->dir, &record, err) < 0)
		return -1;
	if (!record.network)
		return 0;
	endpoint = record_endpoint(&record);
	session = host_network(instance->host, &own, err);
	for (size_t i = 0; session && i < run->port_count; i++)
		if (port_is_shared(&run->ports[i]) &&
			balance_turn(&instance->host->net, session, &run->ports[i], &endpoint, in, err) < 0)
			return -1;
	return session ? 0 : -1;
}
