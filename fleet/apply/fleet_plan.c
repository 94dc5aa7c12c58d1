/* Plans for people and programs: what an apply would do now, what lies between two generations, and which there are.
 * Nothing here changes anything. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "fleet/apply/applied.h"
#include "fleet/apply/apply.h"
#include "fleet/spec/spec_fields.h"
#include "fleet/state/kept_images.h"
#include "images/collection.h"

static void entry_add(struct arena *arena, struct plan_entries *entries, size_t room, struct plan_entry entry)
{
	if (!entries->items)
		entries->items = arena_new_array(arena, room, struct plan_entry);
	entries->items[entries->count++] = entry;
}

/* --- instances ---------------------------------------------------------------------------------------------------- */

static void steps_show(struct arena *arena, const struct plan *plan, struct fleet_plan *out)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_step *step = &plan->items[i];
		const struct instance_spec *spec = step->wanted ? step->wanted : step->actual;

		entry_add(arena, &out->instances, plan->count,
			(struct plan_entry){.name = step->name,
				.base_name = spec ? spec->base_name : step->name,
				.index = spec ? spec->index : 0,
				.action = plan_step_action(step),
				.why = step->why,
				.changes = step->changes,
				.wanted = step->wanted});
		out->has_changes |= step->needs != 0;
	}
}

/* --- networks ----------------------------------------------------------------------------------------------------- */

static struct network_spec spec_of_record(struct arena *arena, const struct network *network)
{
	struct network_spec spec = {.name = network->name,
		.isolated = network->isolated,
		.egress = network->egress,
		.metadata = network->metadata,
		.accounting = network->accounting,
		.allow = network->allow,
		.links = network->links,
		.mtu = network->mtu,
		.labels = network->labels};
	char subnet[20], service[16];

	strings_add(arena, &spec.subnets, arena_string(arena, subnet_format(&network->subnet, subnet)));
	for (size_t i = 0; i < network->more.count; i++)
		strings_add(arena, &spec.subnets, arena_string(arena, subnet_format(&network->more.items[i], subnet)));
	for (size_t i = 0; i < network->services.count; i++)
		strings_add(arena, &spec.services,
			arena_string(arena, host_service_format(&network->services.items[i], service)));
	return spec;
}

static const struct json *network_tree(struct arena *arena, const struct network_spec *network)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	struct error ignored;

	network_spec_encode(encoder, NULL, network);
	return encoder_tree(encoder, arena, &ignored);
}

/* What the file leaves to the host stays as the host has it. */
static void networks_compare(
	struct arena *arena, const struct network_spec *old, const struct network_spec *new, struct comparison *out)
{
	struct network_spec wanted = *new;
	const struct json *from, *to;

	*out = (struct comparison){0};
	if (!wanted.subnets.count)
		wanted.subnets = old->subnets;
	from = network_tree(arena, old);
	to = network_tree(arena, &wanted);
	if (from && to)
		trees_compare(arena, "networks", from, to, out);
}

static void network_show(struct arena *arena, const struct network_spec *old, const struct network_spec *new,
	size_t room, struct fleet_plan *out)
{
	struct plan_entry entry = {.name = new ? new->name : old->name};
	struct comparison comparison = {0};

	entry.base_name = entry.name;
	if (old && new)
		networks_compare(arena, old, new, &comparison);
	entry.changes = comparison.changes;
	entry.action = !old			  ? ACTION_CREATE
		       : !new			  ? ACTION_REMOVE
		       : comparison.changes.count ? ACTION_CHANGE
						  : ACTION_NONE;
	if (!new)
		entry.why = "the file does not name it any more";
	out->has_changes |= entry.action != ACTION_NONE;
	entry_add(arena, &out->networks, room, entry);
}

static const struct network_spec *network_find(const struct network_spec *items, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(items[i].name, name))
			return &items[i];
	return NULL;
}

static void networks_show(struct arena *arena, const struct network_spec *old, size_t old_count,
	const struct fleet_file *file, struct fleet_plan *out)
{
	size_t room = old_count + file->networks.count;

	for (size_t i = 0; i < file->networks.count; i++)
		if (!file->networks.items[i].external)
			network_show(arena, network_find(old, old_count, file->networks.items[i].name),
				&file->networks.items[i], room, out);
	for (size_t i = 0; i < old_count; i++)
		if (!network_find(file->networks.items, file->networks.count, old[i].name))
			network_show(arena, &old[i], NULL, room, out);
}

/* Those that carry the fleet's name now. */
static int networks_look(struct arena *arena, struct host *host, const struct fleet_file *file, bool no_prune,
	struct fleet_plan *out, struct error *err)
{
	struct network_list list = {0};
	struct network_spec *ours;
	size_t count = 0;

	if (host->net.records >= 0 && network_load_all(arena, &host->net, &list, err) < 0)
		return -1;
	ours = arena_new_array(arena, list.count, struct network_spec);
	for (size_t i = 0; i < list.count; i++)
		if (text_equal(list.items[i].owner, file->name) &&
			(!no_prune || network_find(file->networks.items, file->networks.count, list.items[i].name)))
			ours[count++] = spec_of_record(arena, &list.items[i]);
	networks_show(arena, ours, count, file, out);
	return 0;
}

/* --- volumes ------------------------------------------------------------------------------------------------------ */

/* They are made when an instance first has them, and stay when the fleet goes. */
static int volumes_look(struct arena *arena, struct host *host, const struct fleet_file *file, struct fleet_plan *out,
	struct error *err)
{
	struct volume_list list = {0};

	if (host->lib >= 0 && volumes_list(host->lib, arena, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < file->volumes.count; i++) {
		struct plan_entry entry = {.name = file->volumes.items[i],
			.base_name = file->volumes.items[i],
			.action = ACTION_CREATE,
			.why = "when the first instance that has it is made"};

		for (size_t j = 0; j < list.count; j++)
			if (!strcmp(list.items[j].name, entry.name)) {
				entry.action = ACTION_NONE;
				entry.why = NULL;
			}
		entry_add(arena, &out->volumes, file->volumes.count, entry);
	}
	return 0;
}

/* --- plan --------------------------------------------------------------------------------------------------------- */

static bool has_spec_changes(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].changes.count)
			return true;
	return false;
}

/* Only when something differs does it matter who changed it, and is the last text read. */
static void drift_tell(struct arena *arena, int dir, const struct generation *last, struct plan *plan)
{
	struct fleet_file applied;
	struct error ignored;
	const char *text;
	size_t length;

	if (last->complete && has_spec_changes(plan) &&
		generation_text(arena, dir, last->number, &text, &length, &ignored) == 0 &&
		applied_decode(arena, "generation", text, length, &applied, &ignored) == 0)
		drift_mark(arena, plan, applied.instances.items, applied.instances.count);
}

static int64_t number_after(struct arena *arena, int dir, const struct generation *last, const struct fleet_file *file)
{
	size_t length, kept_length;
	auto_free char *text = applied_encode(file, &length);
	struct error ignored;
	const char *kept;

	if (dir >= 0 && generation_text(arena, dir, last->number, &kept, &kept_length, &ignored) == 0 &&
		kept_length == length && !memcmp(kept, text, length))
		return last->number;
	return last->number + 1;
}

int fleet_plan(struct arena *arena, struct host *host, const struct fleet_file *file, bool no_prune,
	struct fleet_plan *out, struct error *err)
{
	const struct apply_options options = {.no_prune = no_prune};
	auto_fd dir = openat(host->fleets, file->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct generation last = {0};
	struct steps steps;

	*out = (struct fleet_plan){.fleet = file->name};
	if (specs_admit(host, file, err) < 0)
		return -1;
	if (dir >= 0)
		generation_read(arena, dir, &last);
	steps_init(&steps, arena, host, &options);
	if (steps_plan(&steps, file->name, file, &last, err) < 0 || plan_admit(&steps, file, err) < 0)
		return blame(err, "plan %s", file->name);
	drift_tell(arena, dir, &last, &steps.plan);
	out->generation = last.number;
	out->next = number_after(arena, dir, &last, file);
	out->interrupted = last.number && !last.complete;
	out->has_changes = out->interrupted;
	steps_show(arena, &steps.plan, out);
	if (networks_look(arena, host, file, no_prune, out, err) < 0 || volumes_look(arena, host, file, out, err) < 0)
		return blame(err, "plan %s", file->name);
	return 0;
}

/* --- generations -------------------------------------------------------------------------------------------------- */

int fleet_compare(struct arena *arena, const struct fleet_file *from, const struct fleet_file *to,
	struct fleet_plan *out, struct error *err)
{
	struct plan_actual *actual = arena_new_array(arena, from->instances.count, struct plan_actual);
	struct plan_request request = {.fleet = to->name,
		.wanted = to->instances.items,
		.wanted_count = to->instances.count,
		.actual = actual,
		.actual_count = from->instances.count,
		.imagined = true};
	static const enum instance_state states[] = {
		[DESIRED_RUNNING] = INSTANCE_RUNNING,
		[DESIRED_STOPPED] = INSTANCE_STOPPED,
		[DESIRED_PAUSED] = INSTANCE_PAUSED,
	};
	struct plan plan;

	*out = (struct fleet_plan){.fleet = to->name};
	for (size_t i = 0; i < from->instances.count; i++) {
		const struct instance_spec *spec = &from->instances.items[i];

		actual[i] = (struct plan_actual){.name = spec->name, .spec = spec, .state = states[spec->state]};
	}
	if (plan_make(arena, &request, &plan, err) < 0)
		return -1;
	steps_show(arena, &plan, out);
	networks_show(arena, from->networks.items, from->networks.count, to, out);
	return 0;
}

static int fleet_look(struct host *host, const char *name, struct error *err)
{
	int dir;

	if (name_check("fleet name", name, err) < 0)
		return -1;
	dir = openat(host->fleets, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir < 0 ? fail_no_fleet(host, name, err) : dir;
}

int fleet_history_read(
	struct arena *arena, struct host *host, const char *name, struct fleet_history *out, struct error *err)
{
	auto_fd dir = fleet_look(host, name, err);
	struct generation last;

	if (dir < 0)
		return -1;
	generation_read(arena, dir, &last);
	*out = (struct fleet_history){last.history.items, last.history.count};
	return 0;
}

static const char *path_of(const struct generation *last, int64_t number)
{
	for (size_t i = 0; i < last->history.count; i++)
		if (last->history.items[i].number == number)
			return last->history.items[i].path;
	return last->path;
}

int fleet_generation_read(struct arena *arena, struct host *host, const char *name, int64_t number,
	struct fleet_file *out, struct error *err)
{
	auto_fd dir = fleet_look(host, name, err);
	struct generation last;
	const char *text;
	size_t length;

	if (dir < 0)
		return -1;
	generation_read(arena, dir, &last);
	number = number ? number : last.number;
	if (generation_text(arena, dir, number, &text, &length, err) < 0) {
		if (err->kind != ERROR_MISSING)
			return blame(err, "generation %" PRId64 " of %s", number, name);
		return fail(err, ERROR_MISSING,
			"%s has no generation %" PRId64 "; `warren history %s` shows those that are kept", name, number,
			name);
	}
	if (applied_decode(arena, arena_format(arena, "generation %" PRId64 " of %s", number, name), text, length, out,
		    err) < 0)
		return -1;
	out->path = path_of(&last, number);
	return 0;
}

int fleet_rollback_read(struct arena *arena, struct host *host, const char *name, int64_t number, bool have,
	struct fleet_file *out, struct error *err)
{
	auto_fd dir = fleet_look(host, name, err);

	if (dir < 0 || fleet_generation_read(arena, host, name, number, out, err) < 0)
		return -1;
	return kept_images_pin(arena, host, dir, number, have, out, err);
}
