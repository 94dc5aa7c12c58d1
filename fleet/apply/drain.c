/* See drain.h. The kernel's connection tracking knows who is connected; it is asked a few times a second, for it tells
 * of an end only those who listen to everybody's. A connection of which one side has said goodbye counts no more. */
#include "fleet/apply/drain.h"

#include <poll.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/instance/stop.h"
#include "fleet/network/published.h"
#include "fleet/state/instance.h"

struct drained {
	struct endpoint endpoint;
	int64_t deadline_ms;
	bool over;
};

static bool endpoint_read(struct wave *wave, const char *name, struct endpoint *out)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct record record;
	struct error ignored;

	if (instance_find(wave->steps->host, name, &instance, &ignored) < 0 ||
		record_read(&arena, instance.dir, &record, &ignored) < 0 || !record.network)
		return false;
	*out = record_endpoint(&record);
	return true;
}

/* Of several who share a port, all of whom are replaced at once, nobody could take over. */
static bool is_replaced(struct wave *wave, const struct member *member)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct running running;
	struct endpoint endpoint;
	struct error ignored;

	return endpoint_read(wave, member->name, &endpoint) &&
	       instance_find(wave->steps->host, member->name, &instance, &ignored) == 0 &&
	       instance_running_read(&arena, &instance, &running, &ignored) == 0 &&
	       published_share(wave->steps->host, &endpoint, running.run.ports, running.run.port_count).others;
}

static bool leaves(struct wave *wave, const struct member *member, enum whose whose)
{
	if (whose == THEIR_STAND_INS)
		return member->stand_in && !member->at_stand_in;
	return member->up && !member->failed &&
	       (member->at_stand_in || (member->turned_away && is_replaced(wave, member)));
}

static size_t drained_collect(struct wave *wave, enum whose whose, struct drained *out)
{
	int64_t now_ms = clock_ms();
	size_t count = 0;

	for (size_t i = 0; i < wave->count; i++) {
		const struct member *member = &wave->members[i];

		if (!leaves(wave, member, whose) || !member->to->update.drain_ms ||
			!endpoint_read(
				wave, whose == THEIR_OWN ? member->name : member->stand_in, &out[count].endpoint))
			continue;
		out[count++].deadline_ms = now_ms + member->to->update.drain_ms;
	}
	return count;
}

/* A kernel that cannot say who is connected: then all of the time is waited. */
static bool is_over(struct net_session *session, const struct drained *item)
{
	struct error err;
	size_t connected = 0;

	if (clock_ms() >= item->deadline_ms)
		return true;
	return flows_established(session, &item->endpoint, &connected, &err) == 0 && !connected;
}

void drain_await(struct wave *wave, enum whose whose)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(net_session_drop) struct net_session *session = NULL;
	struct drained *items = arena_new_array(&arena, wave->count, struct drained);
	size_t count = drained_collect(wave, whose, items), left = count;
	struct error err;

	if (!count)
		return;
	session = net_session_open(&err);
	if (!session) {
		log_warn("drain: %s", err.text);
		return;
	}
	poll(NULL, 0, DRAIN_SETTLE_MS);
	while (left) {
		for (size_t i = 0; i < count; i++)
			if (!items[i].over && is_over(session, &items[i])) {
				items[i].over = true;
				left--;
			}
		if (left)
			poll(NULL, 0, DRAIN_LOOK_MS);
	}
}
