/* What an instance's `network` says. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_SPEC_NETWORK_MODE_H
#define WARREN_FLEET_SPEC_NETWORK_MODE_H

#include <stdbool.h>

#include "base/error.h"

enum network_kind {
	NETWORK_ROUTED,	 /* one of ours, by its name */
	NETWORK_HOST,	 /* "host": the host's own namespace */
	NETWORK_NONE,	 /* "none": loopback only */
	NETWORK_SHARED,	 /* "shared:NAME": that of another instance */
	NETWORK_MACVLAN, /* "macvlan:LINK" */
	NETWORK_BRIDGE,	 /* "bridge:NAME" */
	NETWORK_BY_PATH, /* "ns:/path": a namespace that somebody else made */
};

struct network_mode {
	enum network_kind kind;
	const char *of; /* what stands behind the colon; for NETWORK_ROUTED the name */
};
/* Points into the text. Anything is one of them; network_mode_check() refuses what cannot be. */
struct network_mode network_mode(const char *network);
/* The form only. ERROR_USAGE with a guess. */
int network_mode_check(const char *network, struct error *err) __attribute__((warn_unused_result));

/* Names that nobody can give to a network of his own. */
bool network_is_built_in(const char *name);
bool network_is_routed(const char *network);
/* In the host's own network, with an address that the user chooses: macvlan and bridge. */
bool network_is_lan(const char *network);
/* In a namespace that was there before: shared and by path. It has no rights over that one. */
bool network_is_joined(const char *network);

#endif
