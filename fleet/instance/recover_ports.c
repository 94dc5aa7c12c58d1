/* See recover_ports.h. */
#include "fleet/instance/recover_ports.h"

#include "base/cleanup.h"

static bool may_have(const struct instance_list *list, struct in_addr address)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].address.s_addr == address.s_addr ||
			(list->items[i].state == INSTANCE_DAMAGED && !list->items[i].address.s_addr &&
				list->items[i].init.pid))
			return true;
	return false;
}

int host_recover_ports(struct host *host, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(net_session_drop) struct net_session *session = net_session_open(err);
	struct instance_list list;
	struct net_holders holders;

	/* The instances last: who publishes is there by then. */
	if (!session || net_holders_read(&arena, session, &holders, err) < 0 ||
		instance_list_read(&arena, host, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < holders.count; i++) {
		const struct endpoint endpoint = {.address = holders.items[i]};

		if (!may_have(&list, holders.items[i]) && ports_unpublish_all(session, &endpoint, err) < 0)
			return -1;
	}
	return 0;
}
