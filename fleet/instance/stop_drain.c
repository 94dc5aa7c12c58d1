/* A stop that nobody notices: one of several that share a port is taken out of it first, so that new connections find
 * the others, and is told to end when those that it has are over, at the latest after its `drain`. When all who share a
 * port stop together nobody could take over, and nobody waits. */
#include "base/cleanup.h"
#include "base/process.h"
#include "fleet/instance/stop.h"
#include "fleet/network/published.h"

static bool any_shared(const struct run *run)
{
	for (size_t i = 0; i < run->port_count; i++)
		if (port_is_shared(&run->ports[i]))
			return true;
	return false;
}

static struct share share_of(const struct stopping *stopping, const struct run *run)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct endpoint endpoint;
	struct record record;
	struct error ignored;

	if (record_read(&arena, stopping->instance.dir, &record, &ignored) < 0 || !record.network)
		return (struct share){0};
	endpoint = record_endpoint(&record);
	return published_share(stopping->instance.host, &endpoint, run->ports, run->port_count);
}

bool stopping_shares(const struct stopping *stopping, const struct run *run)
{
	return any_shared(run) && share_of(stopping, run).in;
}

bool stopping_is_replaced(struct stopping *stopping)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct running running;
	struct error ignored;

	stopping->look_ms = clock_ms() + DRAIN_SETTLE_MS;
	return instance_running_read(&arena, &stopping->instance, &running, &ignored) == 0 &&
	       share_of(stopping, &running.run).others;
}

static struct net_session *session_of(struct stopping *stopping, struct error *err)
{
	if (stopping->session)
		return stopping->session;
	return host_network(stopping->instance.host, &stopping->session, err);
}

/* A kernel that cannot say who is connected: then all of the time is waited. */
bool stopping_is_drained(struct stopping *stopping)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct net_session *session;
	struct endpoint endpoint;
	struct record record;
	struct error err;
	size_t connected = 0;

	if (clock_ms() >= stopping->deadline_ms)
		return true;
	stopping->look_ms = clock_ms() + DRAIN_LOOK_MS;
	session = session_of(stopping, &err);
	if (!session || record_read(&arena, stopping->instance.dir, &record, &err) < 0)
		return false;
	endpoint = record_endpoint(&record);
	return flows_established(session, &endpoint, &connected, &err) == 0 && !connected;
}
