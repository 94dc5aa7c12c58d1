/* The modes of an instance's network at a start.
 *
 * Who shares the network of another joins its namespace but keeps a user namespace of its own: the two see each other's
 * ports on the loopback link and nothing else of each other. The price is that the namespace is not its own: no setting
 * of it can be changed, and ports below net.ipv4.ip_unprivileged_port_start (1024) are bound by the other alone. */
#include "fleet/network/attachment.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "fleet/network/sharing.h"
#include "fleet/network/wire.h"

#define LINK_TIMEOUT_MS 5000
#define CARRIER_TIMEOUT_MS 2000
#define MACHINE_ID "/etc/machine-id"

void attachment_drop(struct attachment *attachment)
{
	fd_drop(&attachment->joined);
}

/* --- the host's own network --------------------------------------------------------------------------------------- */

/* FNV-1a, 64 bits: no secret, but the same name on the same machine gives the same. */
static uint64_t hash_add(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

/* Stable, so that neighbours' tables and leases of DHCP servers outlive a restart; 02: locally administered. */
static void mac_choose(const char *name, uint8_t mac[6])
{
	AUTO(arena_drop) struct arena arena = {0};
	uint64_t hash = UINT64_C(14695981039346656037);
	const char *machine;
	struct error ignored;

	if (file_read(&arena, AT_FDCWD, MACHINE_ID, 64, &machine, NULL, &ignored) == 0)
		hash = hash_add(hash, machine);
	hash = hash_add(hash, name);
	mac[0] = 0x02;
	for (int i = 1; i < 6; i++)
		mac[i] = (uint8_t)(hash >> 8 * i);
}

static enum lan_kind lan_kind_of(const struct network_mode *mode)
{
	return mode->kind == NETWORK_BRIDGE ? LAN_BRIDGE : LAN_MACVLAN;
}

static int lan_prepare(
	const struct instance_spec *spec, const struct record *record, struct attachment *out, struct error *err)
{
	out->lan = (struct lan_endpoint){
		.kind = lan_kind_of(&out->mode),
		.parent = out->mode.of,
		.slot = record->slot,
		.address = spec->address,
		.prefix = spec->address_prefix,
		.gateway = spec->gateway,
	};
	mac_choose(spec->name, out->lan.mac);
	return lan_check(out->lan.kind, out->lan.parent, err);
}

/* --- another instance's ------------------------------------------------------------------------------------------- */

/* One whose network is itself another's would tie three lives together, and the host's is no network of its own. */
static int owner_read(struct arena *arena, const struct instance *owner, struct attachment *out, struct error *err)
{
	struct instance_spec spec;
	struct network_mode mode;
	struct record record;

	if (instance_spec_load(arena, owner->dir, owner->name, &spec, err) < 0 ||
		record_read(arena, owner->dir, &record, err) < 0)
		return -1;
	out->network = record.network;
	out->endpoint = record_endpoint(&record);
	mode = network_mode(spec.network);
	if (mode.kind == NETWORK_SHARED)
		return fail(
			err, ERROR_USAGE, "it shares the network of %s itself; say \"shared:%s\"", mode.of, mode.of);
	if (mode.kind == NETWORK_HOST)
		return fail(err, ERROR_USAGE, "it has the host's network; say \"host\"");
	return 0;
}

static int shared_open(
	struct arena *arena, struct host *host, const char *sharer, struct attachment *out, struct error *err)
{
	auto_instance owner = INSTANCE_EMPTY;
	struct running running;

	if (instance_find(host, out->mode.of, &owner, err) < 0 || owner_read(arena, &owner, out, err) < 0)
		return -1;
	if (instance_running_read(arena, &owner, &running, err) < 0 || !running.run.started)
		return fail(err, ERROR_BUSY, "%s does not run; start it first", out->mode.of);
	out->joined = process_namespace_open(&running.run.init, "net", err);
	if (out->joined < 0 && err->kind == ERROR_MISSING)
		return fail(err, ERROR_BUSY, "%s has just ended; start it first", out->mode.of);
	return out->joined < 0 ? -1 : sharing_register(&owner, sharer, err);
}

static int shared_prepare(struct arena *arena, struct host *host, const char *sharer, bool again,
	struct attachment *out, struct error *err)
{
	if (shared_open(arena, host, sharer, out, err) == 0)
		return 0;
	return again ? forgive(err) : blame(err, "network shared:%s", out->mode.of);
}

/* --- public ------------------------------------------------------------------------------------------------------- */

int attachment_admit(const struct instance_spec *spec, struct error *err)
{
	struct network_mode mode = network_mode(spec->network);
	auto_fd netns = -1;

	if (network_is_lan(spec->network))
		return lan_check(lan_kind_of(&mode), mode.of, err);
	if (mode.kind != NETWORK_BY_PATH)
		return 0;
	netns = netns_open(mode.of, err);
	return netns < 0 ? -1 : 0;
}

int attachment_prepare(struct arena *arena, struct host *host, const struct instance_spec *spec,
	const struct record *record, bool again, struct attachment *out, struct error *err)
{
	*out = (struct attachment){.mode = network_mode(spec->network),
		.endpoint = record_endpoint(record),
		.network = record->network,
		.joined = -1};
	if (out->mode.kind == NETWORK_SHARED)
		return shared_prepare(arena, host, spec->name, again, out, err);
	if (again)
		return 0;
	if (network_is_lan(spec->network))
		return lan_prepare(spec, record, out, err);
	if (out->mode.kind != NETWORK_BY_PATH)
		return 0;
	out->joined = netns_open(out->mode.of, err);
	return out->joined < 0 ? -1 : 0;
}

int attachment_make(struct net_session *session, const struct attachment *attachment, int netns, struct error *err)
{
	switch (attachment->mode.kind) {
	case NETWORK_ROUTED:
		return endpoint_attach(session, &attachment->endpoint, netns, LINK_TIMEOUT_MS, err);
	case NETWORK_MACVLAN:
	case NETWORK_BRIDGE:
		return lan_attach(session, &attachment->lan, netns, LINK_TIMEOUT_MS, err);
	default:
		return 0;
	}
}

int attachment_await(const struct attachment *attachment, int netns, struct error *err)
{
	return attachment->mode.kind == NETWORK_ROUTED ? endpoint_await(netns, CARRIER_TIMEOUT_MS, err) : 0;
}

bool attachment_has_inside(const struct attachment *attachment)
{
	enum network_kind kind = attachment->mode.kind;

	return kind == NETWORK_ROUTED || kind == NETWORK_MACVLAN || kind == NETWORK_BRIDGE;
}

int attachment_configure_inside(const struct attachment *attachment, struct error *err)
{
	return attachment->mode.kind == NETWORK_ROUTED ? 0 : lan_configure_inside(&attachment->lan, err);
}

struct strings instance_host_names(struct arena *arena, const struct instance_spec *spec, const char *name)
{
	struct strings names = {0};

	strings_add(arena, &names, name);
	if (spec->index && spec->base_name && !strings_contain(&names, spec->base_name))
		strings_add(arena, &names, spec->base_name);
	if (spec->stands_in_for && !strings_contain(&names, spec->stands_in_for))
		strings_add(arena, &names, spec->stands_in_for);
	for (size_t i = 0; i < spec->aliases.count; i++)
		if (!strings_contain(&names, spec->aliases.items[i]))
			strings_add(arena, &names, spec->aliases.items[i]);
	return names;
}

/* Those of an isolated network are nobody's business in it, so there is no file of all. */
int instance_names_set(struct instance *instance, const struct instance_spec *spec, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct strings names = instance_host_names(&arena, spec, instance->name);
	struct network network;
	struct record record;

	if (record_read(&arena, instance->dir, &record, err) < 0)
		return -1;
	if (!record.network)
		return 0;
	if (network_load(&arena, &instance->host->net, record.network, &network, err) < 0)
		return -1;
	struct endpoint endpoint = record_endpoint(&record);

	return network.isolated ? 0 : hosts_set(&instance->host->net, record.network, &endpoint, &names, err);
}
