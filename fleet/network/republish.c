/* The host's table can vanish (somebody's `flush ruleset`) or be new (first use after a boot): then the ports of what
 * runs are put in again, from the records. */
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/network/published.h"
#include "fleet/network/republish.h"

#define INSTANCES_MAX 65536

void instance_publish_again(struct instance *instance, struct net_session *session)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct running running;
	struct record record;
	struct error err;

	if (instance_running_read(&arena, instance, &running, &err) < 0 ||
		record_read(&arena, instance->dir, &record, &err) < 0 || !running.run.port_count)
		return;
	struct endpoint endpoint = record_endpoint(&record);

	const struct published published = {.host = instance->host,
		.session = session,
		.endpoint = &endpoint,
		.ports = running.run.ports,
		.count = running.run.port_count,
		.weight = published_weight(instance)};

	if (published_open(&published, BALANCE_AS_BEFORE, &err) < 0)
		log_warn("%s: its ports could not be published again: %s", instance->name, err.text);
}

static void ports_publish_again(struct host *host, struct net_session *session, const char *name)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct error ignored;

	if (instance_find(host, name, &instance, &ignored) == 0)
		instance_publish_again(&instance, session);
}

static int all_publish_again(struct host *host, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(net_session_drop) struct net_session *session = net_session_open(err);
	struct strings names = {0};

	if (!session || dir_list(&arena, host->live, INSTANCES_MAX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		ports_publish_again(host, session, names.items[i]);
	return net_host_republished(&host->net, err);
}

static int publish_if_rebuilt(struct host *host, int rebuilt, struct error *err)
{
	if (rebuilt < 0 || (rebuilt > 0 && all_publish_again(host, err) < 0))
		return blame(err, "bring up the network");
	return 0;
}

int host_network_up(struct host *host, struct error *err)
{
	/* Asked each time: somebody may have removed the last other instance, and the table with it, a moment ago. */
	int rebuilt = net_host_up(&host->net, err);

	if (rebuilt == 0 && !net_host_forwards()) {
		log_warn("somebody has switched forwarding off while instances run (net.ipv4.ip_forward, "
			 "net.ipv6.conf.all.forwarding); it is switched on again");
		rebuilt = net_host_mend(&host->net, err);
	}
	return publish_if_rebuilt(host, rebuilt, err);
}

int host_network_mend(struct host *host, struct error *err)
{
	return publish_if_rebuilt(host, net_host_mend(&host->net, err), err);
}
