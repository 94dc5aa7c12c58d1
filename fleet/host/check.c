/* State against kernel: what was left by whoever was killed, and what was taken from us behind our back.
 *
 * Every command finishes what it meets of this (repair.c); here all of it is looked for at once. While others work,
 * each look sees things that are on their way. They are somewhere else at the next look, so what was seen three times
 * counts.
 */
#include "fleet/host/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/instance/repair.h"
#include "fleet/monitor/finish.h"
#include "fleet/monitor/monitor.h"
#include "fleet/network/wire.h"
#include "fleet/state/generation.h"
#include "fleet/state/select.h"

#define ENTRIES_MAX 65536
#define LOOKS 3
#define LOOK_AGAIN_MS 400

/* --- findings ----------------------------------------------------------------------------------------------------- */

void check_add(struct check *check, const char *kind, const char *name, const char *format, ...)
{
	struct check_report *report = check->report;
	AUTO(text_drop) struct text text = {0};
	va_list args;

	va_start(args, format);
	text_appendv(&text, format, args);
	va_end(args);
	report->items = arena_grow(check->arena, report->items, report->count, &check->room, sizeof(*report->items));
	report->items[report->count++] = (struct check_finding){.kind = kind,
		.name = arena_string(check->arena, name),
		.text = arena_string(check->arena, text_string(&text))};
}

static int instances_compare(const void *a, const void *b)
{
	return strcmp(((const struct check_instance *)a)->name, ((const struct check_instance *)b)->name);
}

const struct check_instance *check_instance_find(const struct check *check, const char *name)
{
	const struct check_instance key = {.name = name};

	return check->count ? bsearch(&key, check->instances, check->count, sizeof(key), instances_compare) : NULL;
}

/* --- instances ---------------------------------------------------------------------------------------------------- */

static void run_look(struct check *check, const struct instance *instance, struct check_instance *out)
{
	struct error ignored;
	struct run run;

	out->monitored = instance_is_monitored(instance);
	if (instance->live < 0 || run_read(check->arena, instance->live, &run, &ignored) < 0)
		return;
	out->runs = run.started && run_is_alive(&run);
	out->between = !out->runs;
	out->monitor = run.monitor.pid;
	out->ports = run.ports;
	out->port_count = run.port_count;
	if (out->runs && !out->monitored)
		check_add(check, "monitor", out->name, "it runs, but its monitor was killed");
	else if (!out->runs && !out->monitored)
		check_add(check, "run", out->name, "its last run has ended, and nobody has cleaned up after it");
}

static void instance_look(struct check *check, const char *name)
{
	struct check_instance *out = &check->instances[check->count];
	auto_instance instance = INSTANCE_EMPTY;
	struct instance_spec spec;
	struct error err;

	if (instance_find(check->host, name, &instance, &err) < 0)
		return;
	*out = (struct check_instance){.name = name};
	check->count++;
	out->known = record_read(check->arena, instance.dir, &out->record, &err) == 0;
	if (!out->known || instance_spec_load(check->arena, instance.dir, name, &spec, &err) < 0)
		check_add(check, "instance", name, "it is damaged: %s", err.text);
	else
		out->endpoint = instance_endpoint(&spec, &out->record, NULL);
	run_look(check, &instance, out);
}

/* One whose maker lives is at work; so is one that we could not look at. */
static void staged_look(struct check *check, const char *entry)
{
	auto_fd dir = openat(check->host->instances, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct error ignored;

	if (dir < 0)
		return;
	strings_add(check->arena, &check->staged, entry);
	if (lock_exclusive(dir, 0, &ignored) < 0)
		check->uncertain = true;
	else
		check_add(check, "leftover", entry, "a killed command has left it half made or half removed");
}

static int instances_look(struct check *check, struct error *err)
{
	struct strings entries = {0};

	if (dir_list(check->arena, check->host->instances, ENTRIES_MAX, &entries, err) < 0)
		return -1;
	check->instances = arena_new_array(check->arena, entries.count, struct check_instance);
	for (size_t i = 0; i < entries.count; i++)
		if (*entries.items[i] == '.')
			staged_look(check, entries.items[i]);
		else
			instance_look(check, entries.items[i]);
	qsort(check->instances, check->count, sizeof(*check->instances), instances_compare);
	return 0;
}

/* --- files by name ------------------------------------------------------------------------------------------------ */

static int names_look(struct check *check, int dir, const char *kind, const char *text, struct error *err)
{
	struct strings names = {0};

	if (dir_list(check->arena, dir, ENTRIES_MAX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (!check_instance_find(check, names.items[i]))
			check_add(check, kind, names.items[i], "%s", text);
	return 0;
}

static int live_look(struct check *check, struct error *err)
{
	return names_look(check, check->host->live, "live", "state of a run of an instance that is not there", err);
}

static int logs_look(struct check *check, struct error *err)
{
	return names_look(check, check->host->log, "log", "a log of an instance that is not there", err);
}

/* --- control groups and monitors ---------------------------------------------------------------------------------- */

static bool has_processes(const struct host *host, const char *path)
{
	struct cgroup cgroup;
	struct error ignored;
	bool populated;

	if (cgroup_open(&host->cgroups, path, &cgroup, &ignored) < 0)
		return false;
	populated = cgroup_is_populated(&cgroup);
	cgroup_drop(&cgroup);
	return populated;
}

static void cgroup_look(struct check *check, const char *name)
{
	const struct check_instance *instance = check_instance_find(check, name);
	const char *path = instance_cgroup_path(check->arena, check->host, name);

	if (text_equal(name, MONITORS_CGROUP) || (instance && (instance->runs || instance->monitored)))
		return;
	check_add(check, "cgroup", name, "a control group%s of an instance that %s",
		has_processes(check->host, path) ? " with processes" : "", instance ? "does not run" : "is not there");
}

static int cgroups_look(struct check *check, struct error *err)
{
	struct strings names = {0};

	if (check->host->cgroups.mode == CGROUP_NONE)
		return 0;
	if (cgroup_children(&check->host->cgroups, check->host->cgroup_parent, check->arena, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		cgroup_look(check, names.items[i]);
	return 0;
}

static bool is_monitor(const struct check *check, pid_t pid)
{
	for (size_t i = 0; i < check->count; i++)
		if (check->instances[i].monitor == pid && check->instances[i].monitored)
			return true;
	return false;
}

static int monitors_look(struct check *check, struct error *err)
{
	const char *path = arena_format(check->arena, "%s/" MONITORS_CGROUP, check->host->cgroup_parent);
	AUTO(cgroup_drop) struct cgroup cgroup;
	struct cgroup_pids pids = {0};

	if (check->host->cgroups.mode == CGROUP_NONE)
		return 0;
	if (cgroup_open(&check->host->cgroups, path, &cgroup, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	if (cgroup_processes(&cgroup, check->arena, &pids, err) < 0)
		return -1;
	for (size_t i = 0; i < pids.count; i++)
		if (pids.items[i] != getpid() && !is_monitor(check, pids.items[i]))
			check_add(check, "process", arena_format(check->arena, "%d", pids.items[i]),
				"a monitor of no instance");
	return 0;
}

/* --- fleets ------------------------------------------------------------------------------------------------------- */

static void fleet_look(struct check *check, const char *name)
{
	auto_fd dir = openat(check->host->fleets, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct generation generation;
	struct error ignored;

	/* Somebody is at it. */
	if (dir < 0 || lock_exclusive(dir, 0, &ignored) < 0)
		return;
	generation_read(check->arena, dir, &generation);
	if (generation.number && !generation.complete)
		check_add(check, "fleet", name,
			"its last apply did not come to its end; apply it again: warren apply %s",
			generation.path ? generation.path : "FILE");
}

static int fleets_look(struct check *check, struct error *err)
{
	struct strings names = {0};

	if (dir_list(check->arena, check->host->fleets, ENTRIES_MAX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		fleet_look(check, names.items[i]);
	return 0;
}

/* --- one look, several looks -------------------------------------------------------------------------------------- */

static int look(struct arena *arena, struct host *host, struct check_report *out, struct error *err)
{
	static int (*const sections[])(struct check * check, struct error * err) = {
		instances_look, live_look, logs_look, cgroups_look, monitors_look, check_network, fleets_look};
	struct check check = {.host = host, .arena = arena, .report = out};

	*out = (struct check_report){0};
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (sections[i](&check, err) < 0)
			return -1;
	return 0;
}

static bool report_has(const struct check_report *report, const struct check_finding *finding)
{
	for (size_t i = 0; i < report->count; i++)
		if (text_equal(report->items[i].kind, finding->kind) &&
			text_equal(report->items[i].name, finding->name))
			return true;
	return false;
}

static void report_keep(struct check_report *report, const struct check_report *again)
{
	size_t kept = 0;

	for (size_t i = 0; i < report->count; i++)
		if (report_has(again, &report->items[i]))
			report->items[kept++] = report->items[i];
	report->count = kept;
}

/* --- putting right ------------------------------------------------------------------------------------------------ */

/* Taking it finishes what is unfinished. */
static int repair_run(struct host *host, const char *name, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;

	return instance_take(host, name, &instance, err);
}

static int repair_monitor(struct host *host, const char *name, struct error *err)
{
	return instance_start(host, name, &(struct start_options){0}, err);
}

static int repair_leftover(struct host *host, const char *name, struct error *err)
{
	(void)err, (void)name;
	host->swept = false;
	host_sweep(host);
	return 0;
}

static int nameless_remove(struct host *host, int dir, const char *name, struct error *err)
{
	if (faccessat(host->instances, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return fail(err, ERROR_BUSY, "an instance of that name has been made");
	return tree_remove(dir, name, err);
}

static int repair_live(struct host *host, const char *name, struct error *err)
{
	return nameless_remove(host, host->live, name, err);
}

/* ".old.new" is that of an instance that was being renamed: the one of both names that is there has it. */
static int repair_log(struct host *host, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};

	if (*name == '.')
		names = strings_split(&arena, name + 1, '.');
	for (size_t i = 0; i < names.count; i++)
		if (faccessat(host->instances, names.items[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
			renameat2(host->log, name, host->log, names.items[i], RENAME_NOREPLACE) == 0)
			return 0;
	return nameless_remove(host, host->log, name, err);
}

/* Of an instance: as its next start would. Nobody's: only an empty one, because whose processes these are is not known.
 */
static int repair_cgroup(struct host *host, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	const char *path = instance_cgroup_path(&arena, host, name);

	if (faccessat(host->instances, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		if (instance_take(host, name, &instance, err) < 0)
			return -1;
		return instance_is_up(&instance) ? 0 : run_release(&instance, &(struct run){0}, err);
	}
	cgroup_remove_empty(&host->cgroups, path);
	struct cgroup cgroup;

	if (cgroup_open(&host->cgroups, path, &cgroup, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	cgroup_drop(&cgroup);
	return fail(err, ERROR_BUSY, "it is not empty; no instance owns what is in it");
}

static const struct {
	const char *kind;
	int (*repair)(struct host *host, const char *name, struct error *err);
} repairs[] = {
	{"leftover", repair_leftover},
	{"run", repair_run},
	{"monitor", repair_monitor},
	{"live", repair_live},
	{"log", repair_log},
	{"cgroup", repair_cgroup},
	{"table", repair_table},
	{"host", repair_host},
	{"link", repair_link},
	{"port", repair_port},
	{"slot", repair_slot},
	{"addresses", repair_addresses},
	{"addresses6", repair_addresses},
};

static void finding_repair(struct arena *arena, struct host *host, struct check_finding *finding)
{
	struct error err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(repairs); i++) {
		if (!text_equal(repairs[i].kind, finding->kind))
			continue;
		finding->repaired = repairs[i].repair(host, finding->name, &err) == 0;
		if (!finding->repaired)
			finding->failure = arena_string(arena, err.text);
	}
}

/* In the order of the table: what one removes another need not look for. */
static void report_repair(struct arena *arena, struct host *host, struct check_report *report)
{
	for (size_t i = 0; i < ARRAY_SIZE(repairs); i++)
		for (size_t k = 0; k < report->count; k++)
			if (text_equal(report->items[k].kind, repairs[i].kind))
				finding_repair(arena, host, &report->items[k]);
}

int host_check(struct arena *arena, struct host *host, bool repair, struct check_report *out, struct error *err)
{
	if (look(arena, host, out, err) < 0)
		return -1;
	for (int i = 1; out->count && i < LOOKS; i++) {
		struct check_report again;

		poll(NULL, 0, LOOK_AGAIN_MS);
		if (look(arena, host, &again, err) < 0)
			return -1;
		report_keep(out, &again);
	}
	if (repair)
		report_repair(arena, host, out);
	for (size_t i = 0; i < out->count; i++)
		out->left += !out->items[i].repaired;
	return 0;
}
