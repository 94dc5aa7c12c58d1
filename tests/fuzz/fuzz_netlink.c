/* Replies of the kernel, as any bytes: nothing that reads them may look past their end. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "netns/figures/counters.h"
#include "netns/links/rates.h"
#include "netns/netlink/elements.h"
#include "netns/netlink/request.h"
#include "netns/ports/flows.h"
#include "netns/subnets/overlap.h"

static void look(const struct element *element, void *context)
{
	*(unsigned *)context += element->key_length + element->data_length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct link_counters counters;
	struct range range;
	const struct ip_address address = ip_from_v4((struct in_addr){0x0100580a});
	struct flow flow;
	struct reply reply;
	unsigned seen = 0, slot;
	size_t offset = 0, before = 0;
	int index;

	/* A copy of exactly that size on the heap: aligned as a receive buffer is, and watched on both ends. */
	void *copy = malloc(size ? size : 1);
	memcpy(copy, data, size);
	while (reply_next(copy, size, &offset, &reply) > 0) {
		FUZZ_ASSERT(offset > before);
		before = offset;
		if (reply.kind != REPLY_DATA)
			continue;
		elements_parse(reply.message, "any_ports", look, &seen);
		seen += counters_read_message(reply.message, &slot, &counters);
		seen += route_read(reply.message, &range, &index);
		seen += flow_read(reply.message, &address, &flow);
		seen += rate_read(reply.message) > 0;
		seen += address_read(reply.message, &range, &index);
	}
	FUZZ_ASSERT(seen <= 64 * size);
	free(copy);
	return 0;
}
