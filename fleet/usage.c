/* Ledgers on disk: reading what the kernel counted, adding it, and what becomes of a ledger when its instance gets
 * another name or goes. */
#include "fleet/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/log.h"

#define LEDGER_FILE "ledger.json"
#define LEDGER_VERSION 1
#define LOCK_TIMEOUT_MS 10000

/* --- the file ----------------------------------------------------------------------------------------------------- */

struct ledger_file {
	int64_t version;
	struct usage_ledger ledger;
};

static const struct field base_fields[] = {
	STRING("run", struct usage_base, run, 0),
	BOOL("over", struct usage_base, over, 0),
	INTEGER("at_ms", struct usage_base, at_ms, 0, INT64_MAX, 0),
	INTEGER("cpu_us", struct usage_base, cpu_us, 0, INT64_MAX, 0),
	INTEGER("in_bytes", struct usage_base, in_bytes, 0, INT64_MAX, 0),
	INTEGER("out_bytes", struct usage_base, out_bytes, 0, INT64_MAX, 0),
	INTEGER("used_kib", struct usage_base, used_kib, 0, INT64_MAX, 0),
	END_OF_FIELDS,
};

static const struct field month_fields[] = {
	STRING("month", struct usage_month, month, REQUIRED),
	INTEGER("run_ms", struct usage_month, run_ms, 0, INT64_MAX, 0),
	INTEGER("cpu_us", struct usage_month, cpu_us, 0, INT64_MAX, 0),
	INTEGER("reserved_kib_ms", struct usage_month, reserved_kib_ms, 0, INT64_MAX, 0),
	INTEGER("used_kib_ms", struct usage_month, used_kib_ms, 0, INT64_MAX, 0),
	INTEGER("in_bytes", struct usage_month, in_bytes, 0, INT64_MAX, 0),
	INTEGER("out_bytes", struct usage_month, out_bytes, 0, INT64_MAX, 0),
	END_OF_FIELDS,
};

static const struct field ledger_fields[] = {
	INTEGER("version", struct ledger_file, version, 1, LEDGER_VERSION, REQUIRED),
	STRING("id", struct ledger_file, ledger.id, REQUIRED),
	STRING("folded", struct ledger_file, ledger.folded, 0),
	OBJECT("base", struct ledger_file, ledger.base, base_fields, 0),
	LIST("months", struct ledger_file, ledger.months, month_fields, 0),
	END_OF_FIELDS,
};

static const char *id_make(struct arena *arena)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (uint64_t)clock_real_ms();
	return arena_format(arena, "%016llx", (unsigned long long)random);
}

void usage_load(struct arena *arena, int dir, struct usage_ledger *out)
{
	struct ledger_file file = {0};
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};
	struct error err;

	*out = (struct usage_ledger){0};
	if (json_read(arena, dir, LEDGER_FILE, JSON_PLAIN, &doc, &err) == 0 &&
		decode_object(&decoder, doc.root, ledger_fields, &file, &err) == 0) {
		*out = file.ledger;
		return;
	}
	if (err.kind != ERROR_MISSING)
		log_warn("usage: %s; it begins anew", err.text);
	out->id = id_make(arena);
}

static int ledger_write(int dir, const struct usage_ledger *ledger, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	struct ledger_file file = {.version = LEDGER_VERSION, .ledger = *ledger};
	size_t length;

	encode_object(encoder, NULL, ledger_fields, &file);
	auto_free char *text = encoder_take(encoder, &length);
	return file_replace(dir, LEDGER_FILE, 0600, FILE_ORDERED, text, length, err);
}

/* --- its directory ------------------------------------------------------------------------------------------------ */

static int ledger_dir_open(int parent, const char *name)
{
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* False when it was removed or renamed while we waited for its lock. */
static bool is_still_named(int parent, const char *name, int dir)
{
	struct stat held, named;

	return fstat(dir, &held) == 0 && fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

int usage_open(const struct host *host, const char *name, bool make, struct error *err)
{
	auto_fd parent = dir_create(host->lib, USAGE_DIRECTORY, 0700, err);

	for (int tries = 0; parent >= 0 && tries < 100; tries++) {
		auto_fd dir = ledger_dir_open(parent, name);

		if (dir < 0 && errno == ENOENT && !make)
			return fail(err, ERROR_MISSING, "no usage of %s", name);
		if (dir < 0 && errno == ENOENT && mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
			return fail_errno(err, "make usage/%s", name);
		if (dir < 0 && errno != ENOENT && errno != EEXIST && errno != 0)
			return fail_errno(err, "open usage/%s", name);
		if (dir < 0)
			continue;
		if (lock_exclusive(dir, LOCK_TIMEOUT_MS, err) < 0)
			return blame(err, "usage of %s", name);
		if (is_still_named(parent, name, dir))
			return take_fd(&dir);
	}
	return parent < 0 ? -1 : fail(err, ERROR_BUSY, "usage of %s: it keeps being removed", name);
}

static void ledger_remove(const struct host *host, const char *name)
{
	auto_fd parent = -1;
	struct error err;

	parent = dir_open(host->lib, USAGE_DIRECTORY, &err);
	if (parent >= 0 && tree_remove(parent, name, &err) < 0)
		log_warn("usage of %s: %s", name, err.text);
}

/* --- what the kernel counted -------------------------------------------------------------------------------------- */

static int cgroup_counting_directory(const struct cgroup *cgroup)
{
	if (cgroup->unified >= 0)
		return cgroup->unified;
	return cgroup->hierarchy[CGROUP_CPUACCT];
}

static int64_t kib(struct optional bytes)
{
	return bytes.set ? bytes.value / 1024 : 0;
}

static int cgroup_counters(struct arena *arena, struct instance *instance, struct usage_sample *out, struct error *err)
{
	const char *path = instance_cgroup_path(arena, instance->host, instance->name);
	AUTO(cgroup_drop) struct cgroup cgroup;
	struct cgroup_stats stats;
	struct stat about;

	if (cgroup_open(&instance->host->cgroups, path, &cgroup, err) < 0)
		return -1;
	if (fstat(cgroup_counting_directory(&cgroup), &about) < 0)
		return fail_errno(err, "cgroup %s", path);
	if (cgroup_stats_read(&cgroup, &stats, err) < 0)
		return -1;
	/* The kernel numbers cgroups through: a directory made anew is another one. */
	out->run = arena_format(arena, "%s:%llu", boot_id(), (unsigned long long)about.st_ino);
	out->cpu_us = stats.cpu_us.value;
	out->used_kib = kib(stats.memory_used_bytes.set ? stats.memory_used_bytes : stats.memory_bytes);
	out->peak_kib = kib(stats.memory_peak_bytes);
	out->limit_kib = kib(stats.memory_limit_bytes);
	return 0;
}

static void link_traffic(struct arena *arena, struct instance *instance, struct usage_sample *out)
{
	AUTO(net_session_drop) struct net_session *own = NULL;
	struct link_counters link = {0};
	struct record record;
	struct error ignored;

	if (record_read(arena, instance->dir, &record, &ignored) < 0 || !record.network)
		return;
	struct net_session *session = host_network(instance->host, &own, &ignored);

	if (!session || link_counters_read(session, record.slot, &link, &ignored) < 0 || !link.present)
		return;
	out->has_link = true;
	out->in_bytes = (int64_t)link.rx_bytes;
	out->out_bytes = (int64_t)link.tx_bytes;
}

static int note(struct instance *instance, const struct run *run, bool over, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct usage_sample sample = {.began_ms = run->started_ms, .over = over};
	struct usage_ledger ledger;
	/* The counters are read under the lock: of two who read them the later one adds later. */
	auto_fd dir = usage_open(instance->host, instance->name, true, err);

	if (dir < 0)
		return -1;
	sample.at_ms = clock_real_ms();
	if (cgroup_counters(&arena, instance, &sample, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	link_traffic(&arena, instance, &sample);
	usage_load(&arena, dir, &ledger);
	return usage_add(&arena, &ledger, &sample) ? ledger_write(dir, &ledger, err) : 0;
}

void usage_note(struct instance *instance, const struct run *run, bool over)
{
	struct error err;

	if (run->started && !run->other_boot && note(instance, run, over, &err) < 0)
		log_debug("%s: %s", instance->name, err.text);
}

/* --- names that change -------------------------------------------------------------------------------------------- */

/* Adds one ledger to another and removes it. Killed between the two, the next who looks finds by the id that it was
 * added already. */
static int fold(const struct host *host, const char *from, const char *into, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct usage_ledger source, target;
	/* Always this order: nobody holds `into` and waits for `from`. */
	auto_fd source_dir = usage_open(host, from, false, err);
	auto_fd target_dir = source_dir < 0 ? -1 : usage_open(host, into, true, err);

	if (target_dir < 0)
		return source_dir < 0 && err->kind == ERROR_MISSING ? forgive(err) : -1;
	usage_load(&arena, source_dir, &source);
	usage_load(&arena, target_dir, &target);
	if (!text_equal(target.folded, source.id)) {
		usage_add_months(&arena, &target, &source);
		target.folded = source.id;
		if (ledger_write(target_dir, &target, err) < 0)
			return -1;
	}
	ledger_remove(host, from);
	return 0;
}

void usage_rename(struct host *host, const char *name, const char *new_name)
{
	struct error err = {0};
	auto_fd parent = dir_open(host->lib, USAGE_DIRECTORY, &err);

	if (parent < 0 || renameat2(parent, name, parent, new_name, RENAME_NOREPLACE) == 0 || errno == ENOENT)
		return;
	/* An earlier instance of that name has one. */
	if (fold(host, name, new_name, &err) < 0)
		log_warn("%s", err.text);
}

void usage_forget(struct host *host, const char *name)
{
	struct error err = {0};

	if (fold(host, name, USAGE_REMOVED, &err) < 0)
		log_warn("%s", err.text);
}
