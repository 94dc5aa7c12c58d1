/* The one static table, `inet warren`, and the elements that stand for networks in it. */
#ifndef WARREN_NETNS_RULESET_H
#define WARREN_NETNS_RULESET_H

#include "netns/netlink/elements.h"
#include "netns/netns.h"
#include "netns/table/table_text.h"

struct ruleset {
	const struct network_list *networks;
	bool forward_foreign;		/* the host was a router before us: let what is not ours pass */
	const struct strings *routers;	/* else only what comes in by these links, which forwarded before */
	bool forward_foreign6;		/* the same for IPv6 */
	const struct strings *routers6; /* NULL: none */
	/* And what comes from or goes to bridges but these: other engines', made since. NULL: no bridge passes. */
	const struct strings *bridges;
};
/* Replaces the table (or makes it) in one transaction, by nft(8). */
MUST_CHECK int ruleset_load(const struct ruleset *ruleset, struct error *err);
/* Any text for `nft -f -`, in one transaction. */
MUST_CHECK int ruleset_text_load(const char *ruleset, struct error *err);
/* The table's text, for `nft -f -`. */
void ruleset_write(struct text *text, const struct ruleset *ruleset);
/* Makes the networks' elements in the table what the list says, in one transaction. */
MUST_CHECK int ruleset_sync_networks(struct netlink *netlink, const struct network_list *networks, struct error *err);
/* One GET: 1 when the table is there in this version and was not emptied, else 0; -1. */
MUST_CHECK int ruleset_is_current(struct netlink *netlink, struct error *err);
/* ERROR_BUSY when there is a table of our name that no version of ours made. */
MUST_CHECK int ruleset_refuse_foreign(struct netlink *netlink, struct error *err);
/* Removes the table, if there is one that is ours. */
MUST_CHECK int ruleset_remove(struct netlink *netlink, struct error *err);

#endif
