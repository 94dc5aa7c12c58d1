/* What the kernel has counted, added to an instance's ledger. */
#include "fleet/figures/usage.h"

#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"

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
	if (cgroup_bill_read(&cgroup, &stats, err) < 0)
		return -1;
	/* The kernel numbers cgroups through: a directory made anew is another one. */
	out->run = arena_format(arena, "%s:%llu", boot_id(), (unsigned long long)about.st_ino);
	out->cpu_us = stats.cpu_us.value;
	out->used_kib = kib(stats.memory_used_bytes.set ? stats.memory_used_bytes : stats.memory_bytes);
	out->peak_kib = kib(stats.memory_peak_bytes);
	out->limit_kib = kib(stats.memory_limit_bytes);
	return 0;
}

/* Counting begins anew each time: what a rebuilt table or another owner of the address has counted is never mixed up
 * with it. Who is killed between this and the ledger loses what came since somebody looked. */
static void outside_traffic(struct arena *arena, struct instance *instance, const struct record *record,
	struct net_session *session, struct usage_sample *out)
{
	struct endpoint endpoint = record_endpoint(record);
	struct network network;
	struct traffic traffic;
	struct error ignored;

	if (network_load(arena, &instance->host->net, record->network, &network, &ignored) < 0 || !network.accounting ||
		traffic_take(session, &endpoint, &traffic, &ignored) < 0)
		return;
	out->traffic[OUTSIDE_IN_BYTES] = (int64_t)traffic.received_bytes;
	out->traffic[OUTSIDE_OUT_BYTES] = (int64_t)traffic.sent_bytes;
	out->traffic[OUTSIDE_IN_PACKETS] = (int64_t)traffic.received_packets;
	out->traffic[OUTSIDE_OUT_PACKETS] = (int64_t)traffic.sent_packets;
}

static void network_traffic(struct arena *arena, struct instance *instance, struct usage_sample *out)
{
	AUTO(net_session_drop) struct net_session *own = NULL;
	struct link_counters link = {0};
	struct record record;
	struct error ignored;

	if (record_read(arena, instance->dir, &record, &ignored) < 0 || !record.network)
		return;
	struct net_session *session = host_network(instance->host, &own, &ignored);

	if (!session)
		return;
	outside_traffic(arena, instance, &record, session, out);
	if (link_counters_read(session, record.slot, &link, &ignored) < 0 || !link.present)
		return;
	out->has_link = true;
	out->traffic[LINK_IN_BYTES] = (int64_t)link.rx_bytes;
	out->traffic[LINK_OUT_BYTES] = (int64_t)link.tx_bytes;
	out->traffic[LINK_IN_PACKETS] = (int64_t)link.rx_packets;
	out->traffic[LINK_OUT_PACKETS] = (int64_t)link.tx_packets;
}

/* What came since the ledger was last written goes into it, under its lock: of two who read the counters the later one
 * adds later. */
static int ledger_follow(struct arena *arena, struct instance *instance, const struct run *run, bool over, int dir,
	struct usage_ledger *ledger, struct error *err)
{
	struct usage_sample sample = {.began_ms = run->started_ms, .over = over};

	sample.at_ms = clock_real_ms();
	if (cgroup_counters(arena, instance, &sample, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	network_traffic(arena, instance, &sample);
	return usage_add(arena, ledger, &sample) ? usage_write(dir, ledger, err) : 0;
}

static bool is_counted(const struct run *run)
{
	return run && run->started && !run->other_boot;
}

/* Where nothing can be made any more, what was written before still counts. */
static int ledger_open(const struct instance *instance, bool make, struct error *err)
{
	int dir = make ? usage_open(instance->dir, true, err) : -1;

	if (make && dir < 0)
		log_debug("%s: %s", instance->name, err->text);
	return dir >= 0 ? dir : usage_open(instance->dir, false, err);
}

static int ledger_read(struct arena *arena, struct instance *instance, const struct run *run, bool over,
	struct usage_ledger *out, struct error *err)
{
	struct error later;
	auto_fd dir = ledger_open(instance, is_counted(run), err);

	if (dir < 0)
		return -1;
	usage_load(arena, dir, out);
	if (is_counted(run) && ledger_follow(arena, instance, run, over, dir, out, &later) < 0)
		log_debug("%s: %s", instance->name, later.text);
	return 0;
}

int usage_follow(struct arena *arena, struct instance *instance, const struct run *run, struct usage_ledger *out,
	struct error *err)
{
	return ledger_read(arena, instance, run, false, out, err);
}

void usage_note(struct instance *instance, const struct run *run, bool over)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct usage_ledger ledger;
	struct error err;

	if (is_counted(run) && ledger_read(&arena, instance, run, over, &ledger, &err) < 0)
		log_debug("%s: %s", instance->name, err.text);
}
