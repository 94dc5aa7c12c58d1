/* A new specification for an instance that exists: what it has on disk stays, what it was given stays unless its place
 * in the network changed. In a running one changes what can change there and what the caller names; all else counts
 * from its next start. */
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/events/events.h"
#include "fleet/instance/live.h"
#include "fleet/instance/repair.h"
#include "fleet/network/addresses.h"
#include "fleet/network/claims.h"
#include "fleet/network/sharing.h"
#include "fleet/state/instance.h"

/* True when the new specification does not fit the address it has. */
static bool is_moved(const struct record *record, const struct instance_spec *spec)
{
	if (!instance_has_network(spec))
		return record->network != NULL;
	return !text_equal(record->network, spec->network) ||
	       (spec->address.s_addr && spec->address.s_addr != record->address.s_addr) ||
	       (!IN6_IS_ADDR_UNSPECIFIED(&spec->address6) && !IN6_ARE_ADDR_EQUAL(&spec->address6, &record->address6));
}

/* What the old record has and the new one has not. In another network others may be at work: what no record claims by
 * then is given back. */
static int old_release(struct host *host, const struct record *old, const struct record *next, struct lease_hold *hold,
	struct error *err)
{
	if (!old->network || text_equal(old->network, next->network))
		return addresses_release(host, old, next, hold, err);
	lease_hold_drop(hold);
	return host_recover_addresses(host, old->network, NULL, err);
}

/* The new address is taken before the record names it, the old one given back after: at no moment does the record name
 * what another instance may have. Until both is done nobody else takes or gives back any. */
static int record_move(
	struct instance *instance, const struct record *old, const struct instance_spec *spec, struct error *err)
{
	AUTO(lease_hold_drop) struct lease_hold hold = LEASE_HOLD_NONE;
	AUTO(arena_drop) struct arena arena = {0};
	struct host *host = instance->host;
	struct record next = *old;
	struct network network;
	struct error undo;

	next.network = NULL;
	next.network_number = 0;
	next.address.s_addr = 0;
	next.address6 = in6addr_any;
	if (instance_has_network(spec)) {
		if (instance_network(&arena, host, spec->network, &network, err) < 0)
			return -1;
		next.network = spec->network;
		next.network_number = network.number;
		if (addresses_change(host, &network, spec, old, &hold, &next, err) < 0)
			return -1;
	}
	if (record_write(instance->dir, &next, err) < 0) {
		if (addresses_release(host, &next, old, &hold, &undo) < 0)
			log_warn("give the addresses back: %s", undo.text);
		return -1;
	}
	return old_release(host, old, &next, &hold, err);
}

static int spec_replace(int dir, const struct instance_spec *spec, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	size_t length;

	instance_spec_encode(encoder, NULL, spec);
	auto_free char *text = encoder_take(encoder, &length);
	return file_replace(dir, "spec.json", 0600, FILE_ORDERED, text, length, err);
}

/* Before it is written down: what a kill leaves undone the next apply does. */
static int disk_change(int dir, const struct optional *old, const struct optional *new, struct error *err)
{
	if (old->set == new->set && (!new->set || old->value == new->value))
		return 0;
	return root_disk_limit(dir, new->set ? new->value : 0, err);
}

int instance_change_held(struct instance *instance, const struct instance_spec *spec, unsigned parts, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec old;
	struct record record;
	struct error undo;

	if (instance_spec_load(&arena, instance->dir, instance->name, &old, err) < 0 ||
		record_read(&arena, instance->dir, &record, err) < 0)
		return -1;
	if (!text_equal(old.image, spec->image) || !text_equal(old.rootfs, spec->rootfs))
		return fail(err, ERROR_USAGE, "its image cannot change; it has to be made anew");
	if (is_moved(&record, spec) && instance_is_up(instance))
		return fail(err, ERROR_BUSY, "it is running; its network changes only while it is stopped");
	if (disk_change(instance->dir, &old.resources.disk_bytes, &spec->resources.disk_bytes, err) < 0 ||
		live_apply(instance, &old, spec, parts, err) < 0)
		return -1;
	if ((is_moved(&record, spec) && record_move(instance, &record, spec, err) < 0) ||
		sharing_note(instance->dir, spec, err) < 0 || spec_replace(instance->dir, spec, err) < 0) {
		if (live_apply(instance, spec, &old, parts, &undo) < 0)
			log_warn("%s: %s", instance->name, undo.text);
		return -1;
	}
	live_tell(instance, parts);
	event_write(
		instance->host, &(struct event){.kind = EVENT_UPDATE, .name = instance->name, .fleet = spec->fleet});
	return 0;
}

int instance_change(struct host *host, const struct instance_spec *spec, unsigned parts, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;

	if (instance_spec_check(spec, err) < 0 || instance_take(host, spec->name, &instance, err) < 0 ||
		instance_change_held(&instance, spec, parts, err) < 0)
		return blame(err, "change %s", spec->name ? spec->name : "an instance");
	return 0;
}

int instance_update(struct host *host, const struct instance_spec *spec, struct error *err)
{
	return instance_change(host, spec, 0, err);
}
