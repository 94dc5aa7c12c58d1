/* Who shares a published port: one record each, <run>/shared/<protocol>-<port>-<address>, on tmpfs like the kernel's
 * state that it describes. The slots say the same, but not who is out, nor the weights. */
#ifndef WARREN_NETNS_BALANCE_RECORD_H
#define WARREN_NETNS_BALANCE_RECORD_H

#include "netns/netns.h"

/* The records' directory with its lock held: closing the descriptors lets go. */
struct balance_records {
	int directory, lock;
};
MUST_CHECK int balance_records_open(const struct net_state *state, struct balance_records *out, struct error *err);
/* Nothing was ever shared, or not since the table is there: false. */
bool balance_records_exist(const struct net_state *state);
void balance_records_drop(struct balance_records *records);
/* The port's record; count 0: there is none. */
MUST_CHECK int balance_record_read(int directory, const struct port *port, struct balance *out, struct error *err);
/* Without members it goes. */
MUST_CHECK int balance_record_write(int directory, const struct balance *balance, struct error *err);
/* The ports that have records. */
struct port_list {
	struct port *items;
	size_t count;
};
MUST_CHECK int balance_records_list(struct arena *arena, int directory, struct port_list *out, struct error *err);
/* Everything goes: with the table. */
MUST_CHECK int balance_records_forget(const struct net_state *state, struct error *err);

#endif
