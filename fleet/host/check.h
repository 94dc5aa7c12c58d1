/* Looking for what does not fit, in sections; private to this folder. */
#ifndef WARREN_FLEET_HOST_CHECK_H
#define WARREN_FLEET_HOST_CHECK_H

#include "fleet/state/instance.h"

/* What is known of one instance while the sections look. */
struct check_instance {
	const char *name;
	bool known; /* its record could be read */
	struct record record;
	struct endpoint endpoint; /* as its start made it, without its MTU */
	bool runs, monitored;
	bool between; /* it has a run that is neither alive nor finished: starting, ending or forgotten */
	pid_t monitor;
	const struct port *ports; /* as bound */
	size_t port_count;
};

struct check {
	struct host *host;
	struct arena *arena;
	struct check_instance *instances; /* sorted by name */
	size_t count;
	struct strings staged; /* half-made or half-removed, of somebody who lives or not */
	bool uncertain;	       /* some command is taking a slot or an address right now */
	struct check_report *report;
	size_t room;
};

/* NULL: no such instance. */
const struct check_instance *check_instance_find(const struct check *check, const char *name);
void check_add(struct check *check, const char *kind, const char *name, const char *format, ...) PRINTF(4, 5);

/* check_network.c */
MUST_CHECK int check_network(struct check *check, struct error *err);
MUST_CHECK int repair_slot(struct host *host, const char *name, struct error *err);
MUST_CHECK int repair_addresses(struct host *host, const char *name, struct error *err);
MUST_CHECK int repair_port(struct host *host, const char *name, struct error *err);
MUST_CHECK int repair_table(struct host *host, const char *name, struct error *err);

/* check_wires.c: what others have undone of it. */
MUST_CHECK int check_wires(struct check *check, struct net_session *session, bool has_table, struct error *err);
MUST_CHECK int repair_link(struct host *host, const char *name, struct error *err);
MUST_CHECK int repair_host(struct host *host, const char *name, struct error *err);

#endif
