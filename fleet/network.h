/* Networks: who is in them, and those that are made by hand. */
#ifndef WARREN_FLEET_NETWORK_H
#define WARREN_FLEET_NETWORK_H

#include "base/arena.h"
#include "base/error.h"
#include "fleet/host.h"
#include "fleet/instance.h"

/* Networks and the instances in them, sorted by name. */
struct network_use {
	struct network network;
	LIST_OF(const struct instance_status *) instances;
};
struct network_use_list {
	struct network_use *items;
	size_t count;
};
MUST_CHECK int host_networks(struct host *host, struct arena *arena, struct network_use_list *out, struct error *err);
/* Makes one that is no fleet's. ERROR_BUSY: it is there. */
MUST_CHECK int host_network_create(struct host *host, const struct network_spec *spec, struct error *err);
/* One to be changed by hand. ERROR_BUSY: it is a fleet's. */
MUST_CHECK int host_network_find(
	struct host *host, struct arena *arena, const char *name, struct network *out, struct error *err);
/* Changes it as it was found and edited. ERROR_BUSY with who is in it where that is in the way. */
MUST_CHECK int host_network_change(struct host *host, struct network *network, struct error *err);
/* ERROR_BUSY: it is a fleet's, or somebody is in it (who). */
MUST_CHECK int host_network_remove(struct host *host, const char *name, struct error *err);
/* Those that may go: made by hand, without an instance; not the built-in one. */
MUST_CHECK int host_networks_unused(struct host *host, struct arena *arena, struct strings *names, struct error *err);
/* Removes these; which have gone. One that somebody uses or has removed by now is passed over. */
MUST_CHECK int host_networks_prune(struct host *host, struct arena *arena, const struct strings *names,
	struct strings *removed, struct error *err);

#endif
