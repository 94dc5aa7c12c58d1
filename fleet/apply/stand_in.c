/* See stand_in.h. */
#include "fleet/apply/stand_in.h"

#include <string.h>

#include "base/cleanup.h"
#include "fleet/instance/repair.h"
#include "fleet/monitor/monitor.h"
#include "fleet/network/published.h"
#include "fleet/state/image.h"
#include "fleet/state/instance.h"

bool stand_in_is_worth_it(const struct instance_spec *spec)
{
	return spec->ports.count || spec->hosts.count;
}

/* --- whether there may be two of it ------------------------------------------------------------------------------- */

/* Not while an image's own volumes would be empty in the second one. */
static bool image_has_volumes(struct wave *wave, const struct member *member)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct image_config image = {0};
	struct error ignored;

	return instance_find(wave->steps->host, member->name, &instance, &ignored) == 0 &&
	       instance_image_read(wave->steps->host->lib, instance.dir, member->from, &arena, &image, &ignored) == 0 &&
	       image.volumes.count;
}

static const char *volume_obstacle(struct arena *arena, const struct instance_spec *spec)
{
	for (size_t i = 0; i < spec->volumes.count; i++) {
		const struct volume *volume = &spec->volumes.items[i];

		if (volume->type != VOLUME_TMPFS && !volume->read_only)
			return arena_format(arena, "two of it would write into %s", volume->source);
	}
	return NULL;
}

static bool ports_match(const struct port *a, const struct port *b)
{
	return a->target == b->target && a->protocol == b->protocol && ip_equal(&a->host_ip, &b->host_ip);
}

/* The number that was chosen for this one, which keeps it. */
static const struct port *port_find(const struct port *wanted, const struct port *among, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ports_match(wanted, &among[i]))
			return &among[i];
	return NULL;
}

static const char *port_obstacle(const struct instance_spec *from, const struct instance_spec *to)
{
	for (size_t i = 0; i < to->ports.count; i++) {
		const struct port *port = &to->ports.items[i];

		if (port->mode == PORT_SOCKET)
			return "a socket cannot be in two places";
		if (!port->published && !port_find(port, from->ports.items, from->ports.count))
			return "the number of its port is not chosen yet";
	}
	return NULL;
}

const char *stand_in_obstacle(struct wave *wave, const struct member *member)
{
	const struct instance_spec *from = member->from, *to = member->to;
	const char *obstacle;

	if (!from || strcmp(from->network, to->network) || strchr(to->network, ':') || !strcmp(to->network, "host") ||
		!strcmp(to->network, "none"))
		return "that needs a network of warren's that stays the same";
	if ((obstacle = port_obstacle(from, to)) || (obstacle = volume_obstacle(wave->steps->arena, to)))
		return obstacle;
	if (image_has_volumes(wave, member))
		return "its image has volumes of its own";
	/* What a stand-in writes goes with it; here the files are to stay. */
	if (!member->anew && !to->read_only && !to->ephemeral)
		return "what is written meanwhile would be lost; with \"read_only\" or \"ephemeral\" nothing is";
	return NULL;
}

/* --- its life ----------------------------------------------------------------------------------------------------- */

static struct instance_spec stand_in_spec(const struct member *member)
{
	struct instance_spec spec = *member->to;

	spec.hostname = spec.hostname ? spec.hostname : member->name;
	spec.name = spec.base_name = member->stand_in;
	spec.stands_in_for = member->name;
	spec.index = 0;
	spec.address.s_addr = 0;
	spec.address6 = in6addr_any;
	spec.ports.count = 0;
	spec.hosts.count = 0;
	spec.depends_on.count = 0;
	spec.autostart = false;
	spec.protect = false;
	return spec;
}

int stand_in_create(struct steps *steps, struct member *member, struct error *err)
{
	struct instance_spec spec = stand_in_spec(member);

	return instance_create(steps->host, &spec, err);
}

int stand_in_remove(struct steps *steps, struct member *member, struct error *err)
{
	struct error asked = {0};

	/* One that does not end by its leave is removed by force. */
	if (instance_stop(steps->host, member->stand_in, (struct optional){0}, &asked) < 0 &&
		asked.kind == ERROR_MISSING)
		return 0;
	if (instance_remove(steps->host, member->stand_in, true, err) < 0 && err->kind != ERROR_MISSING)
		return blame(err, "remove the stand-in of %s", member->name);
	return forgive(err);
}

/* --- its ports ---------------------------------------------------------------------------------------------------- */

struct pair_of_ends {
	struct arena arena;
	struct instance own, other;
	struct endpoint own_end, other_end;
	struct running running; /* the own */
};

static void ends_drop(struct pair_of_ends *ends)
{
	instance_drop(&ends->own);
	instance_drop(&ends->other);
	arena_drop(&ends->arena);
}

static int end_read(struct steps *steps, struct arena *arena, const char *name, struct instance *instance,
	struct endpoint *out, struct error *err)
{
	struct record record;

	if (instance_find(steps->host, name, instance, err) < 0 || record_read(arena, instance->dir, &record, err) < 0)
		return -1;
	*out = record_endpoint(&record);
	return 0;
}

static int ends_read(struct steps *steps, const struct member *member, struct pair_of_ends *out, struct error *err)
{
	*out = (struct pair_of_ends){.own = INSTANCE_EMPTY, .other = INSTANCE_EMPTY};
	if (end_read(steps, &out->arena, member->name, &out->own, &out->own_end, err) < 0 ||
		end_read(steps, &out->arena, member->stand_in, &out->other, &out->other_end, err) < 0)
		return -1;
	return instance_running_read(&out->arena, &out->own, &out->running, err);
}

static int ports_lead(struct steps *steps, const struct endpoint *from, const struct endpoint *to,
	const struct run *run, struct error *err)
{
	AUTO(net_session_drop) struct net_session *own = NULL;
	struct net_session *session;

	if (!run->port_count)
		return 0;
	session = host_network(steps->host, &own, err);
	const struct published published = {.host = steps->host,
		.session = session,
		.endpoint = from,
		.ports = run->ports,
		.count = run->port_count};

	return session ? published_switch(&published, to, err) : -1;
}

/* It may have ended a moment ago: then its ports are those that it had to have. */
static void bound_note(struct steps *steps, struct member *member, const struct run *run)
{
	const struct port *ports = run ? run->ports : member->from->ports.items;
	size_t count = run ? run->port_count : member->from->ports.count;

	member->bound_count = 0;
	member->bound = arena_new_array(steps->arena, count, struct port);
	for (size_t i = 0; i < count; i++)
		if (ports[i].published)
			member->bound[member->bound_count++] = ports[i];
}

int stand_in_take_ports(struct steps *steps, struct member *member, struct error *err)
{
	AUTO(ends_drop) struct pair_of_ends ends;
	struct error ended = {0};

	if (ends_read(steps, member, &ends, &ended) < 0 && (ended.kind != ERROR_BUSY || !member->from)) {
		*err = ended;
		return -1;
	}
	bound_note(steps, member, ended.kind == ERROR_NONE ? &ends.running.run : NULL);
	const struct run run = {.ports = member->bound, .port_count = member->bound_count};

	if (held_write(ends.own.live, member->bound, member->bound_count, err) < 0 ||
		ports_lead(steps, &ends.own_end, &ends.other_end, &run, err) < 0)
		return blame(err, "lead the ports of %s to %s", member->name, member->stand_in);
	member->at_stand_in = true;
	return 0;
}

/* Numbers that were chosen stay. */
static struct port *ports_as_bound(struct arena *arena, const struct member *member, const struct instance_spec *spec)
{
	struct port *ports = arena_new_array(arena, spec->ports.count, struct port);

	for (size_t i = 0; i < spec->ports.count; i++) {
		const struct port *bound = port_find(&spec->ports.items[i], member->bound, member->bound_count);

		ports[i] = spec->ports.items[i];
		if (!ports[i].published && bound)
			ports[i].published = bound->published;
	}
	return ports;
}

/* Of one that was removed meanwhile the directory is another. */
int stand_in_hold(struct steps *steps, const struct member *member, const struct instance_spec *spec, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct port *ports = ports_as_bound(&arena, member, spec);

	if (instance_take(steps->host, member->name, &instance, err) < 0 || instance_live_make(&instance, err) < 0)
		return -1;
	return held_write(instance.live, ports, spec->ports.count, err);
}

int stand_in_give_back(struct steps *steps, struct member *member, struct error *err)
{
	AUTO(ends_drop) struct pair_of_ends ends;

	if (ends_read(steps, member, &ends, err) < 0)
		return -1;
	held_forget(ends.own.live);
	if (ports_lead(steps, &ends.other_end, &ends.own_end, &ends.running.run, err) < 0)
		return blame(err, "lead the ports of %s back to it", member->name);
	member->at_stand_in = false;
	return 0;
}

/* --- without one -------------------------------------------------------------------------------------------------- */

static bool shares_a_port(const struct run *run)
{
	for (size_t i = 0; i < run->port_count; i++)
		if (run->ports[i].balance != PORT_ALONE)
			return true;
	return false;
}

int member_turn_away(struct steps *steps, struct member *member, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct running running;

	if (instance_find(steps->host, member->name, &instance, err) < 0 ||
		instance_running_read(&arena, &instance, &running, err) < 0)
		return -1;
	if (!shares_a_port(&running.run))
		return 0;
	if (instance_traffic(&instance, &running.run, false, err) < 0)
		return -1;
	member->turned_away = true;
	return 0;
}

/* --- what a killed apply left ------------------------------------------------------------------------------------- */

bool stand_in_is_left(struct steps *steps, struct member *member)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_status status;
	struct instance_spec wanted = stand_in_spec(member);
	struct comparison comparison;
	auto_instance own = INSTANCE_EMPTY;
	struct run held = {0};
	struct error ignored;

	if (instance_status_read(&arena, steps->host, member->stand_in, &status, &ignored) < 0 ||
		status.state != INSTANCE_RUNNING || !status.spec)
		return false;
	/* While the other serves, one that is not what is wanted now is of no use. */
	specs_compare(&arena, status.spec, &wanted, &comparison);
	if (member->up && comparison.change != CHANGE_NONE)
		return false;
	if (instance_find(steps->host, member->name, &own, &ignored) == 0 && own.live >= 0 &&
		held_read(steps->arena, own.live, &held)) {
		member->bound = held.ports;
		member->bound_count = held.port_count;
	}
	member->stand_in_ready = true;
	member->at_stand_in = !member->up;
	return true;
}
