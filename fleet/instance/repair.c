/* Whoever comes next finishes what a killed command or monitor left behind.
 *
 * Half-made and half-removed instances are directories ".<name>.<random>": their maker holds a lock on them for as long
 * as it lives, so one whose lock is free is dead. What it had taken stands in its record. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/figures/usage.h"
#include "fleet/instance/create.h"
#include "fleet/instance/repair.h"
#include "fleet/monitor/finish.h"
#include "fleet/network/claims.h"

#define ENTRIES_MAX 65536
/* A `list` that asks whether the lock is held has it for a moment itself. */
#define PROBE_MS 50

/* --- a run whose monitor is gone ---------------------------------------------------------------------------------- */

int instance_repair(struct instance *instance, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct run run;
	struct end end = {.wait_status = -1, .desired = DESIRED_RUNNING};
	struct exit_record exit;

	if (instance->live < 0)
		return 0;
	if (run_read(&arena, instance->live, &run, err) < 0) {
		if (err->kind == ERROR_MISSING)
			return forgive(err);
		/* Unreadable: what it held is found by the instance's name. */
		log_debug("%s: %s", instance->name, err->text);
		forgive(err);
		run = (struct run){0};
	}
	if (run.started && run_is_alive(&run))
		return 0;
	auto_fd lock = lock_file(instance->live, "monitor.lock", PROBE_MS, err);
	if (lock < 0)
		return err->kind == ERROR_BUSY ? forgive(err) : blame(err, "lock the monitor of %s", instance->name);
	if (!run.other_boot) {
		end.desired = desired_read(instance->dir);
		end.killed_by = killed_read(instance->live);
		end.halted = halted_read(instance->live);
	}
	exit = end_judge(&end);
	return run_finish(instance, &run, &exit, err);
}

/* --- staged directories ------------------------------------------------------------------------------------------- */

int instance_stage(struct host *host, const char *name, struct instance *out, char path[96], struct error *err)
{
	*out = (struct instance)INSTANCE_EMPTY;
	out->host = host;
	snprintf(out->name, sizeof(out->name), "%s", name);
	for (int tries = 0; tries < 100; tries++) {
		uint64_t random;
		struct stat held, named;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return fail_errno(err, "getrandom");
		snprintf(path, 96, ".%s.%016llx", name, (unsigned long long)random);
		out->dir = dir_create(host->instances, path, 0700, err);
		if (out->dir < 0 && err->errnum == ENOENT)
			continue; /* taken for a leftover between making and opening */
		if (out->dir < 0)
			return -1;
		out->lock = openat(out->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		/* Between making and locking it looks dead: a sweeper may have taken it. */
		if (out->lock >= 0 && lock_exclusive(out->lock, 0, err) == 0 && fstat(out->lock, &held) == 0 &&
			fstatat(host->instances, path, &named, AT_SYMLINK_NOFOLLOW) == 0 && held.st_ino == named.st_ino)
			return forgive(err);
		instance_drop(out);
	}
	return fail(err, ERROR_SYSTEM, "make a directory for %s: it keeps being removed", name);
}

static bool is_staged(const char *entry)
{
	return *entry == '.';
}

/* What its maker had taken, as far as no record says that somebody else has it by now. */
static int staged_release(struct host *host, const char *entry, int dir, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct record record;
	int result = record_read(&arena, dir, &record, err);

	if (result < 0 && err->kind != ERROR_MISSING)
		return host_recover_all(host, entry, err);
	/* Before there is a record there is no address, but there may be a slot. */
	if (result < 0)
		forgive(err);
	else if (record.network && host_recover_addresses(host, record.network, entry, err) < 0)
		return -1;
	return host_recover_slots(host, entry, err);
}

/* One that was being removed has a ledger; its name stands between the first and the last dot of the entry. */
static void staged_usage_retire(struct host *host, const char *entry, int dir)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *end = strrchr(entry, '.');
	const char *name = arena_bytes(&arena, entry + 1, end > entry ? (size_t)(end - entry - 1) : 0);
	struct instance_spec spec;
	struct error ignored;
	bool unnamed = instance_spec_load(&arena, dir, name, &spec, &ignored) == 0 && spec.remove;

	usage_retire(host, unnamed ? USAGE_REMOVED : name, dir, true);
}

/* Its directory last: should we be killed, or should it not be possible now, the next one finds it. */
static int staged_undo(struct host *host, const char *entry, struct error *err)
{
	auto_fd dir = openat(host->instances, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct error ignored;

	if (dir < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "open instances/%s", entry);
	if (lock_exclusive(dir, 0, &ignored) < 0)
		return 0; /* its maker lives */
	if (staged_release(host, entry, dir, err) < 0)
		return -1;
	staged_usage_retire(host, entry, dir);
	return tree_remove(host->instances, entry, err);
}

void host_sweep(struct host *host)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings entries = {0};
	struct error err = {0};

	if (host->swept)
		return;
	host->swept = true;
	if (dir_list(&arena, host->instances, ENTRIES_MAX, &entries, &err) < 0) {
		log_warn("look for leftovers: %s", err.text);
		return;
	}
	for (size_t i = 0; i < entries.count; i++)
		if (is_staged(entries.items[i]) && staged_undo(host, entries.items[i], &err) < 0)
			log_warn("remove the leftover instances/%s: %s", entries.items[i], err.text);
}

/* --- taking one -------------------------------------------------------------------------------------------------- */

int instance_take(struct host *host, const char *name, struct instance *out, struct error *err)
{
	if (instance_take_as_is(host, name, out, err) < 0)
		return -1;
	if (instance_repair(out, err) < 0) {
		instance_drop(out);
		return -1;
	}
	return 0;
}
