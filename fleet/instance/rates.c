/* The rates of a running instance's link, as its specification says. */
#include "base/cleanup.h"
#include "base/process.h"
#include "fleet/instance/live.h"

static int rates_verify(struct net_session *session, const struct endpoint *endpoint, int netns, struct error *err)
{
	struct link_rates kernel;
	char has[24], said[24];

	if (endpoint_rates_read(session, endpoint->slot, netns, &kernel, err) < 0)
		return -1;
	if (kernel.egress_bits != endpoint->rates.egress_bits)
		return fail(err, ERROR_SYSTEM, "egress: the kernel has %s instead of %s",
			bitrate_format((int64_t)kernel.egress_bits, has),
			bitrate_format((int64_t)endpoint->rates.egress_bits, said));
	if (kernel.ingress_bits != endpoint->rates.ingress_bits)
		return fail(err, ERROR_SYSTEM, "ingress: the kernel has %s instead of %s",
			bitrate_format((int64_t)kernel.ingress_bits, has),
			bitrate_format((int64_t)endpoint->rates.ingress_bits, said));
	return 0;
}

int live_rates_apply(struct instance *instance, const struct instance_spec *to, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(net_session_drop) struct net_session *session = NULL;
	struct record record;
	struct run run;
	int linked = live_link_read(&arena, instance, &run, &record, err);

	if (linked <= 0)
		return linked;
	auto_fd netns = process_namespace_open(&run.init, "net", err);
	if (netns < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	struct endpoint endpoint = record_endpoint(&record);
	endpoint.rates = resources_rates(&to->resources);
	session = net_session_open(err);
	if (!session || endpoint_rates_set(session, &endpoint, netns, err) < 0 ||
		endpoint_police(&instance->host->net, session, record.slot, resources_policed(to), err) < 0)
		return -1;
	return rates_verify(session, &endpoint, netns, err);
}
