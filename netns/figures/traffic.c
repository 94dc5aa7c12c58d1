/* Traffic with the outside, counted by the table itself: an element of four sets for each address that was seen, made
 * by its first packet. What instances say to one another is in the counters of their links alone (counters.c). */
#include <string.h>

#include "base/cleanup.h"
#include "netns/netlink/session.h"
#include "netns/ports/port_elements.h"
#include "netns/table/table_text.h"

struct count {
	const char *set;
	bool six, sent;
};
static const struct count counts[] = {{SET_OUTSIDE_OUT, false, true}, {SET_OUTSIDE_IN, false, false},
	{SET_OUTSIDE_OUT6, true, true}, {SET_OUTSIDE_IN6, true, false}};

static struct element count_element(const struct count *count, const struct endpoint *endpoint)
{
	struct element element = {.set = count->set};

	if (count->six)
		element_add_key(&element, &endpoint->address6, sizeof(endpoint->address6));
	else
		element_add_key(&element, &endpoint->address, sizeof(endpoint->address));
	return element;
}

/* The elements that are there, for taking them back. */
static int counts_read(struct net_session *session, const struct endpoint *endpoint, struct traffic *out,
	struct element *there, size_t *found, struct error *err)
{
	*out = (struct traffic){0};
	*found = 0;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct element element = count_element(&counts[i], endpoint);
		int result = element_find(&session->filter, &element, err);

		if (result < 0)
			return blame(err, "read what was counted");
		if (!result)
			continue;
		there[(*found)++] = element;
		*(counts[i].sent ? &out->sent_bytes : &out->received_bytes) += element.bytes;
		*(counts[i].sent ? &out->sent_packets : &out->received_packets) += element.packets;
	}
	return 0;
}

int traffic_read(struct net_session *session, const struct endpoint *endpoint, struct traffic *out, struct error *err)
{
	struct element there[ARRAY_SIZE(counts)];
	size_t found;

	return counts_read(session, endpoint, out, there, &found, err);
}

int traffic_take(struct net_session *session, const struct endpoint *endpoint, struct traffic *out, struct error *err)
{
	struct element there[ARRAY_SIZE(counts)];
	size_t found;

	if (counts_read(session, endpoint, out, there, &found, err) < 0)
		return -1;
	return elements_delete(&session->filter, there, found, err);
}
