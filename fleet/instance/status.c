/* What an instance is doing: facts from its records, the rest asked of the kernel at this moment.
 *
 * Nothing is locked and nothing is changed, so `list` answers while others work; with one glance per instance: its
 * files, its monitor's lock, its first process. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fleet/health/health.h"
#include "fleet/spec/network_mode.h"
#include "fleet/start/idle.h"
#include "fleet/state/instance.h"
#include "fleet/state/select.h"

#define STATUS_TRIES 8

static bool is_frozen(const struct host *host, const char *path)
{
	struct cgroup cgroup;
	struct error ignored;
	bool frozen;

	if (cgroup_open(&host->cgroups, path, &cgroup, &ignored) < 0)
		return false;
	frozen = cgroup_is_frozen(&cgroup);
	cgroup_drop(&cgroup);
	return frozen;
}

const char *instance_state_word(const struct instance_status *status)
{
	return status->asleep ? "asleep" : instance_state_names[status->state];
}

static enum instance_state alive_state(
	const struct host *host, const struct instance_status *status, const struct run *run)
{
	if (!run->started)
		return INSTANCE_STARTING;
	/* Asking the freezer costs; only one that was paused can be frozen. */
	if (status->desired == DESIRED_PAUSED && is_frozen(host, status->cgroup_path))
		return INSTANCE_PAUSED;
	return INSTANCE_RUNNING;
}

/* A start that nobody makes any more counts for nothing, even if its process has got to its program: the next command
 * ends it (repair.c). Asked once more, as it may have begun since the lock was looked at. */
static bool start_is_over(const struct instance *instance, const struct run *run, bool monitored)
{
	return !run->started && !monitored && !instance_is_monitored(instance);
}

static void run_status(
	struct arena *arena, const struct host *host, const struct instance *instance, struct instance_status *out)
{
	struct run run = {0};
	struct error ignored;
	bool over;

	exit_read(arena, instance->dir, &out->last, &over);
	out->monitored = instance_is_monitored(instance);
	out->state = out->last.reason == END_NONE ? INSTANCE_CREATED : INSTANCE_STOPPED;
	out->restarts = over ? out->last.restarts : 0;
	if (instance->live < 0 || run_read(arena, instance->live, &run, &ignored) < 0) {
		if (out->monitored)
			out->state = INSTANCE_STARTING;
		return;
	}
	out->started_ms = run.started_ms;
	out->restarts = run.restarts;
	out->log_dropped_bytes = run.log_dropped_bytes;
	out->sources = run.sources;
	if (out->monitored)
		out->monitor = run.monitor.pid;
	if (run_is_alive(&run) && !start_is_over(instance, &run, out->monitored)) {
		if (health_read(arena, instance->live, &out->health, &ignored) < 0)
			out->health = (struct health_status){0};
		out->state = alive_state(host, out, &run);
		out->ending = out->desired == DESIRED_STOPPED || halted_read(instance->live);
		out->init = run.init;
		out->ports = run.ports;
		out->port_count = run.port_count;
	} else if (out->monitored) {
		/* Ended, and its monitor is about to write that down. */
		bool stops = run.started && out->desired == DESIRED_STOPPED;

		out->state = over ? INSTANCE_RESTARTING : stops ? INSTANCE_STOPPED : INSTANCE_STARTING;
	} else {
		out->state = INSTANCE_STOPPED;
		if (!over)
			out->last = (struct exit_record){
				.reason = END_HOST, .status = 128 + SIGKILL, .at_ms = run.started_ms};
	}
}

static void damaged(struct arena *arena, struct instance_status *out, const struct error *err)
{
	out->state = INSTANCE_DAMAGED;
	out->damage = arena_string(arena, err->text);
	out->spec = NULL;
}

static int status_fill(
	struct arena *arena, struct host *host, const struct instance *instance, struct instance_status *out)
{
	struct instance_spec *spec = arena_new(arena, struct instance_spec);
	struct record record;
	struct error err;

	*out = (struct instance_status){
		.name = arena_string(arena, instance->name),
		.desired = desired_read(instance->dir),
		.cgroup_path = instance_cgroup_path(arena, host, instance->name),
	};
	run_status(arena, host, instance, out);
	if (record_read(arena, instance->dir, &record, &err) < 0) {
		damaged(arena, out, &err);
		return 0;
	}
	out->slot = record.slot;
	out->address = record.address;
	out->address6 = record.address6;
	out->id_base = record_id_base(&record);
	out->created_ms = record.created_ms;
	if (instance_spec_load(arena, instance->dir, instance->name, spec, &err) < 0)
		damaged(arena, out, &err);
	else
		out->spec = spec;
	if (out->spec && out->spec->idle.after_ms && out->state == INSTANCE_RUNNING)
		out->asleep = asleep_read(instance->live) && is_frozen(host, out->cgroup_path);
	if (out->spec && network_is_lan(spec->network))
		out->address = spec->address;
	return 0;
}

/* False when it was removed, and perhaps made anew, while it was looked at: then it only seems damaged. */
static bool is_still_there(const struct instance *instance)
{
	struct stat seen, named;

	return fstat(instance->dir, &seen) == 0 &&
	       fstatat(instance->host->instances, instance->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       seen.st_dev == named.st_dev && seen.st_ino == named.st_ino;
}

int instance_status_read(
	struct arena *arena, struct host *host, const char *name, struct instance_status *out, struct error *err)
{
	for (int tries = 0; tries < STATUS_TRIES; tries++) {
		auto_instance instance = INSTANCE_EMPTY;

		if (instance_find(host, name, &instance, err) < 0 || status_fill(arena, host, &instance, out) < 0)
			return -1;
		if (out->state != INSTANCE_DAMAGED || is_still_there(&instance))
			return 0;
	}
	return 0;
}

int instance_list_read(struct arena *arena, struct host *host, struct instance_list *out, struct error *err)
{
	struct strings names;

	*out = (struct instance_list){0};
	if (instance_names(arena, host, &names, err) < 0)
		return -1;
	out->items = arena_new_array(arena, names.count, struct instance_status);
	for (size_t i = 0; i < names.count; i++) {
		struct instance_status *item = &out->items[out->count];
		struct error damage;

		if (instance_status_read(arena, host, names.items[i], item, &damage) < 0) {
			/* Removed since the directory was read, or a name that is none of ours. */
			if (damage.kind == ERROR_MISSING || damage.kind == ERROR_USAGE)
				continue;
			*item = (struct instance_status){.name = names.items[i]};
			damaged(arena, item, &damage);
		}
		out->count++;
	}
	return 0;
}

int instance_limits_read(struct arena *arena, struct host *host, const struct instance_status *status,
	struct cgroup_limits *out, struct error *err)
{
	struct cgroup cgroup;
	int result;

	if (!status->init.pid)
		return fail(err, ERROR_BUSY, "%s is not running", status->name);
	if (cgroup_open(&host->cgroups, status->cgroup_path, &cgroup, err) < 0)
		return -1;
	result = cgroup_get(&cgroup, arena, out, err);
	cgroup_drop(&cgroup);
	return result;
}
