#include "fleet/network/wire.h"

#include "base/cleanup.h"
#include "base/process.h"
#include "fleet/network/republish.h"

static bool ipv6_is_off(const struct instance_spec *spec)
{
	static const char *const names[] = {"net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.default.disable_ipv6"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (text_equal(pairs_get(&spec->sysctls, names[i]), "1"))
			return true;
	return !net_has_ipv6();
}

struct endpoint instance_endpoint(
	const struct instance_spec *spec, const struct record *record, const struct network *network)
{
	struct endpoint endpoint = record_endpoint(record);

	endpoint.mtu = network ? network->mtu : 0;
	endpoint.rates = resources_rates(&spec->resources);
	if (record_has_ipv6(record) && ipv6_is_off(spec))
		endpoint.address6 = in6addr_any;
	return endpoint;
}

/* Of a link made anew the host has forgotten what hung on it: the limit by its name, the way from loopback. */
static int wire_complete(struct instance *instance, struct net_session *session, const struct instance_spec *spec,
	unsigned slot, struct error *err)
{
	if (endpoint_police(&instance->host->net, session, slot, resources_policed(spec), err) < 0)
		return -1;
	instance_publish_again(instance, session);
	return 0;
}

int instance_wire_mend(struct instance *instance, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct host *host = instance->host;
	struct instance_spec spec;
	struct running running;
	struct network network;
	struct record record;

	if (instance_running_read(&arena, instance, &running, err) < 0 ||
		instance_spec_load(&arena, instance->dir, instance->name, &spec, err) < 0 ||
		record_read(&arena, instance->dir, &record, err) < 0)
		return -1;
	if (!record.network)
		return fail(err, ERROR_BUSY, "%s is in no network of ours; restart it", instance->name);
	AUTO(net_session_drop) struct net_session *session = net_session_open(err);
	auto_fd netns = session ? process_namespace_open(&running.run.init, "net", err) : -1;
	if (netns < 0 || network_load(&arena, &host->net, record.network, &network, err) < 0)
		return -1;
	struct endpoint endpoint = instance_endpoint(&spec, &record, &network);

	/* Its monitor looks at the old link for who calls it. */
	if (spec.idle.after_ms && !endpoint_exists(session, endpoint.slot))
		return fail(err, ERROR_BUSY, "%s runs, and sleeps when idle; restart it", instance->name);
	if (host_network_up(host, err) < 0 || endpoint_mend(session, &endpoint, netns, err) < 0)
		return -1;
	return wire_complete(instance, session, &spec, endpoint.slot, err);
}
