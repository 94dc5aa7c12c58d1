/* The host becomes what the file says.
 *
 * First everything that can be refused is refused; then the fleet's record says what may be the fleet's from now on;
 * then the steps. Killed anywhere, the next apply finds by that record and by the instances' own what is left to do. */
#include "fleet/apply/apply.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/apply/applied.h"
#include "fleet/network/attachment.h"
#include "fleet/start/compile.h"
#include "fleet/state/kept_images.h"

/* What every replica would stumble over is said once, before anything is made. */
static int spec_admit(struct host *host, const struct instance_spec *spec, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_limits limits;
	struct spec_process ignored;

	resources_limits(&spec->resources, &limits);
	if (cgroup_limits_check(&host->cgroups, &limits, err) < 0 || ulimits_compile(&arena, spec, &ignored, err) < 0 ||
		(spec->resources.disk_bytes.set && disk_limit_check(host->lib, err) < 0))
		return -1;
	for (size_t i = 0; i < spec->volumes.count; i++)
		if (volume_check(&spec->volumes.items[i], host->lib_path, err) < 0)
			return -1;
	return 0;
}

int specs_admit(struct host *host, const struct fleet_file *file, struct error *err)
{
	for (size_t i = 0; i < file->instances.count; i++)
		if (spec_admit(host, &file->instances.items[i], err) < 0)
			return blame(err, "%s", file->instances.items[i].name);
	return 0;
}

/* Where an instance is to come to, not where it is: a link that is away for now says nothing against one that stays. */
static int places_admit(const struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_step *step = &plan->items[i];

		if (!step->wanted || (step->actual && text_equal(step->actual->network, step->wanted->network)))
			continue;
		if (attachment_admit(step->wanted, err) < 0)
			return blame(err, "%s", step->name);
	}
	return 0;
}

int plan_admit(const struct steps *steps, const struct fleet_file *file, struct error *err)
{
	if (fleet_networks_admit(steps, file, err) < 0)
		return -1;
	return places_admit(&steps->plan, err);
}

/* All that may be ours until we are done: what the record named, and what the file names. */
static void generation_begin(struct arena *arena, const struct fleet_file *file, const struct generation *last,
	int64_t number, struct generation *out)
{
	*out = (struct generation){.number = number,
		.path = file->path,
		.applied_ms = clock_real_ms(),
		.history.items = last->history.items,
		.history.count = last->history.count};
	for (size_t i = 0; i < file->instances.count; i++)
		strings_add(arena, &out->instances, file->instances.items[i].name);
	if (text_equal(last->path, file->path) && last->complete && last->number == number)
		return;
	for (size_t i = 0; i < last->instances.count; i++)
		if (!strings_contain(&out->instances, last->instances.items[i]))
			strings_add(arena, &out->instances, last->instances.items[i]);
}

static void generation_end(
	struct arena *arena, const struct steps *steps, const struct fleet_file *file, struct generation *generation)
{
	generation->complete = true;
	if (steps->options->no_prune)
		return;
	generation->instances = (struct strings){0};
	for (size_t i = 0; i < file->instances.count; i++)
		strings_add(arena, &generation->instances, file->instances.items[i].name);
}

/* A refused first apply leaves nothing: the directory goes when it is still empty. */
static int refuse(struct host *host, const struct fleet_file *file)
{
	unlinkat(host->fleets, file->name, AT_REMOVEDIR);
	return -1;
}

/* Networks that left: their instances are gone by now, or move away while the wanted are done. */
static int networks_and_steps(struct steps *steps, const struct fleet_file *file, struct error *err)
{
	struct error busy;

	steps_remove_leaving(steps);
	if (fleet_networks_forget(steps->host, file->name, file, &busy) < 0 && busy.kind != ERROR_BUSY)
		log_warn("%s", busy.text);
	if (fleet_networks_define(steps->host, file, err) < 0)
		return -1;
	steps_do_wanted(steps);
	if (!steps->options->no_prune && fleet_networks_forget(steps->host, file->name, file, &busy) < 0)
		log_warn("%s", busy.text);
	return steps_result(steps, err);
}

static bool has_changes(const struct steps *steps)
{
	for (size_t i = 0; i < steps->plan.count; i++)
		if (steps->plan.items[i].needs)
			return true;
	return false;
}

/* One call for what all instances wrote: what the record calls complete is on the disk. */
static int changes_sync(const struct steps *steps, struct error *err)
{
	if (has_changes(steps) && syncfs(steps->host->instances) < 0)
		return fail_errno(err, "write what was changed to the disk");
	return 0;
}

static int fleet_apply_locked(
	struct arena *arena, struct steps *steps, const struct fleet_file *file, int dir, struct error *err)
{
	struct generation last, next;
	int64_t number;
	size_t length;

	generation_read(arena, dir, &last);
	if (steps_plan(steps, file->name, file, &last, err) < 0 || plan_admit(steps, file, err) < 0)
		return refuse(steps->host, file);
	auto_free char *text = applied_encode(file, &length);
	if (generation_number(dir, &last, text, length, &number, err) < 0)
		return -1;
	if (last.complete && last.number == number && !has_changes(steps) && text_equal(last.path, file->path))
		return networks_and_steps(steps, file, err); /* the record says so already */
	kept_images_hold(steps->host, dir, file);
	generation_begin(arena, file, &last, number, &next);
	generation_note(arena, &next, file->instances.count, steps->options->rollback_of);
	if (generation_write(dir, file->name, &next, err) < 0 || networks_and_steps(steps, file, err) < 0 ||
		changes_sync(steps, err) < 0)
		return -1;
	generation_end(arena, steps, file, &next);
	kept_images_note(steps->host, dir, number, file);
	generation_note(arena, &next, file->instances.count, steps->options->rollback_of);
	return generation_write(dir, file->name, &next, err);
}

static void apply_tell(const struct host *host, const char *fleet, const char *reason, const char *detail)
{
	event_write(
		host, &(struct event){
			      .kind = EVENT_APPLY, .name = fleet, .fleet = fleet, .reason = reason, .detail = detail});
}

int fleet_apply(
	struct host *host, const struct fleet_file *file, const struct apply_options *options, struct error *err)
{
	AUTO(arena_drop) struct arena own = {0};
	struct arena *arena = host->caller_arena ? host->caller_arena : &own;
	struct steps steps;

	if (specs_admit(host, file, err) < 0)
		return -1;
	auto_fd dir = fleet_lock(host, file->name, true, err);
	if (dir < 0)
		return -1;
	steps_init(&steps, arena, host, options);
	apply_tell(host, file->name, "begin", NULL);
	if (fleet_apply_locked(arena, &steps, file, dir, err) < 0) {
		apply_tell(host, file->name, "failed", err->text);
		return blame(err, "apply %s", file->name);
	}
	apply_tell(host, file->name, "done", NULL);
	return 0;
}
