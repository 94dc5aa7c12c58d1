/* How an instance is connected: from its specification to what a start does. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_NETWORK_ATTACHMENT_H
#define WARREN_FLEET_NETWORK_ATTACHMENT_H

#include "fleet/spec/network_mode.h"
#include "fleet/state/instance.h"

struct attachment {
	struct network_mode mode;
	struct endpoint endpoint; /* NETWORK_ROUTED: its own; NETWORK_SHARED: the other's */
	const char *network;	  /* of ours, that it is in, by itself or with the other; NULL: none */
	struct lan_endpoint lan;  /* NETWORK_MACVLAN, NETWORK_BRIDGE */
	int joined;		  /* namespace to join: NETWORK_SHARED, NETWORK_BY_PATH; else -1 */
};
#define ATTACHMENT_EMPTY                                                                                               \
	{                                                                                                              \
		.joined = -1                                                                                           \
	}
void attachment_drop(struct attachment *attachment);

/* What can be known before anything is made: the parent link is there, the path leads to a namespace. */
MUST_CHECK int attachment_admit(const struct instance_spec *spec, struct error *err);

/* Looks at what it needs now: the other instance must run, the parent must be up. again: a restart in the namespace
 * that it had, which serves when there is no other; only who shares looks for the other's present one. */
MUST_CHECK int attachment_prepare(struct arena *arena, struct host *host, const struct instance_spec *spec,
	const struct record *record, bool again, struct attachment *out, struct error *err);
/* Parent side, once there is a new namespace; nothing for one that is joined, or none. */
MUST_CHECK int attachment_make(
	struct net_session *session, const struct attachment *attachment, int netns, struct error *err);
/* Later, so that nobody waits for it: until the instance can send. */
MUST_CHECK int attachment_await(const struct attachment *attachment, int netns, struct error *err);
/* True when the namespace is its own, so that the inside has to be set up. */
bool attachment_has_inside(const struct attachment *attachment);
/* Child side: what is not done from outside already. No allocation, no locks. */
MUST_CHECK int attachment_configure_inside(const struct attachment *attachment, struct error *err);

/* The names by which others in its network find it: its own, that of all replicas, its aliases. */
struct strings instance_host_names(struct arena *arena, const struct instance_spec *spec, const char *name);
/* Of a running one that changes them. */
MUST_CHECK int instance_names_set(struct instance *instance, const struct instance_spec *spec, struct error *err);

#endif
