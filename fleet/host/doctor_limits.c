/* Limits of the whole host that many instances share, reckoned for their number.
 *
 * wanted = base + each × instances: the base is what the host needs for itself, `each` what one server instance takes
 * when it is busy, not when it idles. What was found is also told as the number of instances that it is enough for, so
 * that nobody has to ask twice.
 *
 * Limits "per user" count for instances too, although each has ids of its own: the kernel charges user namespaces to
 * whoever made them, which is the host's root for all (seen: one instance that takes all inotify instances leaves none
 * to anybody else). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/kernel.h"
#include "fleet/host/doctor.h"

#define SYSCTL_ROOT "/proc/sys/"
#define NOFILE_DEFAULT 65536 /* what every instance gets as its hard limit when nothing says otherwise */
#define KIB 1024

/* --- sysctls ------------------------------------------------------------------------------------------------------ */

struct limit_row {
	const char *name; /* as sysctl(8) writes it */
	int64_t base, each;
	enum finding_state below;
	const char *why;
};

static const struct limit_row limit_rows[] = {
	{"kernel.pid_max", 4096, 16, FINDING_WARNING, "processes and threads of all: 16 each, 4096 for the host"},
	{"kernel.threads-max", 4096, 16, FINDING_WARNING, "processes and threads of all, as memory allows: 16 each"},
	{"fs.file-max", 65536, 1024, FINDING_WARNING, "open files of all: 1024 each"},
	{"fs.nr_open", NOFILE_DEFAULT, 0, FINDING_WARNING, "the most that a limit of open files may be"},
	{"fs.inotify.max_user_instances", 64, 16, FINDING_WARNING,
		"charged to the host's root for all instances together: 16 each"},
	{"fs.inotify.max_user_watches", 8192, 128, FINDING_WARNING,
		"charged to the host's root for all instances together: 128 each"},
	{"fs.aio-max-nr", 32768, 128, FINDING_WARNING, "asynchronous requests of all, for databases: 128 each"},
	{"kernel.pty.max", 1024, 4, FINDING_WARNING, "terminals of all: 4 each, 1024 for the host"},
	{"kernel.keys.root_maxkeys", 1024, 2, FINDING_WARNING, "a session keyring each, charged to root as they start"},
	{"net.netfilter.nf_conntrack_max", 8192, 256, FINDING_WARNING, "connections that are tracked: 256 each"},
	{"net.ipv4.neigh.default.gc_thresh3", 1024, 0, FINDING_WARNING,
		"one table for all network namespaces; the entries of instances are permanent and do not count"},
	{"net.ipv6.neigh.default.gc_thresh3", 1024, 0, FINDING_WARNING,
		"the same for IPv6; the entries of instances are permanent and do not count"},
	{"net.ipv6.route.max_size", 2048, 2, FINDING_WARNING,
		"IPv6 routes in use: 2 each; kernels before 6.3 refuse more, newer ones have no such limit"},
	{"net.core.netdev_max_backlog", 500, 1, FINDING_WARNING, "packets that wait for a processor: 1 each"},
	{"net.core.bpf_jit_limit", 16 << 20, 32 * KIB, FINDING_WARNING,
		"compiled system call filters and device rules: 32 KiB each"},
	{"vm.max_map_count", 65530, 0, FINDING_WARNING, "pieces of memory of one process; search engines want 262144"},
	{"user.max_user_namespaces", 64, 1, FINDING_MISSING, "one each"},
	{"user.max_mnt_namespaces", 64, 2, FINDING_MISSING, "one each, and one while it starts"},
	{"user.max_pid_namespaces", 64, 1, FINDING_MISSING, "one each"},
	{"user.max_uts_namespaces", 64, 1, FINDING_MISSING, "one each"},
	{"user.max_ipc_namespaces", 64, 1, FINDING_MISSING, "one each"},
	{"user.max_net_namespaces", 64, 2, FINDING_MISSING, "one each, and those that are going"},
	{"user.max_cgroup_namespaces", 64, 1, FINDING_MISSING, "one each"},
};

static const char *sysctl_path(struct examination *examination, const char *name)
{
	char *path = (char *)arena_format(examination->arena, SYSCTL_ROOT "%s", name);

	for (char *at = path + strlen(SYSCTL_ROOT); *at; at++)
		if (*at == '.')
			*at = '/';
	return path;
}

static const char *enough_words(struct examination *examination, const struct limit_row *row, int64_t value)
{
	int64_t enough = row->each && value > row->base ? (value - row->base) / row->each : 0;

	if (!row->each)
		return arena_format(examination->arena, "%lld", (long long)value);
	if (enough > 10 * (int64_t)SLOT_MAX)
		return arena_format(examination->arena, "%lld (enough for any number)", (long long)value);
	return arena_format(examination->arena, "%lld (enough for %lld)", (long long)value, (long long)enough);
}

/* The next power of two: a limit that is raised shall not be in the way again tomorrow. */
static int64_t generous(int64_t value)
{
	int64_t power = 1;

	while (power < value && power < INT64_MAX / 2)
		power *= 2;
	return power;
}

static void set_remedy(struct examination *examination, struct finding *finding, const char *name, int64_t value)
{
	finding->setting = arena_format(examination->arena, "%s = %lld", name, (long long)value);
	finding->remedy = arena_format(examination->arena, "sysctl -w %s=%lld", name, (long long)value);
}

static void examine_limit(struct examination *examination, const struct limit_row *row)
{
	struct optional value = knob_value(examination, sysctl_path(examination, row->name));
	int64_t wanted = row->base + row->each * examination->report->instances;
	struct finding *finding;

	if (!value.set) {
		finding_add(examination, FINDING_NOTE, row->name, "not there (yet)", NULL)->why = row->why;
		return;
	}
	finding = finding_add(examination, value.value < wanted ? row->below : FINDING_OK, row->name,
		enough_words(examination, row, value.value),
		arena_format(examination->arena, "%lld", (long long)wanted));
	finding->why = row->why;
	if (value.value < wanted)
		set_remedy(examination, finding, row->name, generous(wanted));
}

bool limit_room_read(size_t i, struct limit_room *out)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct examination examination = {.arena = &arena};

	if (i >= ARRAY_SIZE(limit_rows))
		return false;
	const struct limit_row *row = &limit_rows[i];
	struct optional value = knob_value(&examination, sysctl_path(&examination, row->name));

	*out = (struct limit_room){
		.name = row->name, .value = value.value, .base = row->base, .each = row->each, .enough = -1};
	if (value.set && row->each)
		out->enough = value.value > row->base ? (value.value - row->base) / row->each : 0;
	return true;
}

/* --- settings that make a host harder to attack ------------------------------------------------------------------- */

static const struct {
	const char *name;
	int64_t min, max, set;
	const char *why;
} hardening_rows[] = {
	{"kernel.dmesg_restrict", 1, 1, 1, "the kernel's log is not for everybody"},
	{"kernel.kptr_restrict", 1, 2, 1, "the kernel's addresses are not for everybody"},
	{"kernel.yama.ptrace_scope", 1, 3, 1, "programs cannot read one another's memory at will"},
	{"kernel.unprivileged_bpf_disabled", 1, 2, 1, "no programs in the kernel from everybody"},
	{"dev.tty.legacy_tiocsti", 0, 0, 0, "no typing into somebody else's terminal"},
	{"fs.protected_symlinks", 1, 1, 1, "no traps for root in /tmp"},
	{"fs.protected_hardlinks", 1, 1, 1, "no traps for root by hard links"},
};

static void examine_hardening(struct examination *examination)
{
	for (size_t i = 0; i < ARRAY_SIZE(hardening_rows); i++) {
		const char *name = hardening_rows[i].name;
		struct optional value = knob_value(examination, sysctl_path(examination, name));
		bool good = value.set && value.value >= hardening_rows[i].min && value.value <= hardening_rows[i].max;
		struct finding *finding;

		if (!value.set)
			continue;
		finding = finding_add(examination, good ? FINDING_OK : FINDING_NOTE, name,
			arena_format(examination->arena, "%lld", (long long)value.value),
			arena_format(examination->arena, "%lld", (long long)hardening_rows[i].set));
		finding->why = hardening_rows[i].why;
		if (!good)
			set_remedy(examination, finding, name, hardening_rows[i].set);
	}
}

/* --- open files --------------------------------------------------------------------------------------------------- */

/* The largest that the file asks for by name; such a value is refused when it cannot be had, the default is cut. */
static rlim_t nofile_asked(const struct fleet_file *fleet)
{
	rlim_t largest = 0;

	for (size_t i = 0; fleet && i < fleet->instances.count; i++) {
		const struct instance_spec *spec = &fleet->instances.items[i];

		for (size_t k = 0; k < spec->ulimits.count; k++)
			if (text_equal(spec->ulimits.items[k].name, "nofile") &&
				spec->ulimits.items[k].limit.rlim_max > largest)
				largest = spec->ulimits.items[k].limit.rlim_max;
	}
	return largest;
}

static bool can_raise(struct examination *examination)
{
	for (size_t i = 0; i < examination->report->count; i++)
		if (text_equal(examination->report->items[i].name, "CAP_SYS_RESOURCE"))
			return examination->report->items[i].state == FINDING_OK;
	return false;
}

static void examine_open_files(struct examination *examination)
{
	rlim_t asked = nofile_asked(examination->request->fleet);
	rlim_t wanted = asked ? asked : NOFILE_DEFAULT;
	struct rlimit own = {0};
	bool enough;
	struct finding *finding;

	if (getrlimit(RLIMIT_NOFILE, &own) < 0)
		return;
	enough = own.rlim_max >= wanted || can_raise(examination);
	finding = finding_add(examination,
		enough	? FINDING_OK
		: asked ? FINDING_MISSING
			: FINDING_WARNING,
		"RLIMIT_NOFILE, hard", arena_format(examination->arena, "%llu", (unsigned long long)own.rlim_max),
		arena_format(examination->arena, "%llu", (unsigned long long)wanted));
	finding->why =
		"without CAP_SYS_RESOURCE ours is the most that an instance can have: the default of 1024:65536 is "
		"cut to it, a value that the fleet file gives is refused";
	if (!enough)
		finding->remedy = arena_format(examination->arena,
			"start warren where the hard limit is higher: ulimit -Hn %llu in the shell before it, "
			"LimitNOFILE=%llu in a unit, or nofile in /etc/security/limits.conf",
			(unsigned long long)wanted, (unsigned long long)wanted);
}

/* --- what warren itself has --------------------------------------------------------------------------------------- */

static void examine_slots(struct examination *examination)
{
	int64_t instances = examination->report->instances;
	struct finding *finding = finding_add(examination, instances > SLOT_MAX ? FINDING_MISSING : FINDING_OK,
		"instances of one host", arena_format(examination->arena, "%d", SLOT_MAX),
		arena_format(examination->arena, "%lld", (long long)instances));

	finding->why = "id ranges and links have that many numbers";
	if (instances > SLOT_MAX)
		finding->remedy = "use a second host";
}

/* "name:first:count" of /etc/subuid and /etc/subgid. */
static const char *range_overlap(struct examination *examination, const char *path)
{
	const char *text = knob_text(examination, path);
	struct strings lines = text ? strings_split(examination->arena, text, '\n') : (struct strings){0};
	uint64_t end = SLOT_ID_BASE + (uint64_t)(SLOT_MAX + 1) * SLOT_ID_COUNT;

	for (size_t i = 0; i < lines.count; i++) {
		unsigned long long first, count;

		if (sscanf(lines.items[i], "%*[^:]:%llu:%llu", &first, &count) == 2 && first < end &&
			first + count > SLOT_ID_BASE)
			return arena_format(examination->arena, "%s: %s", path, lines.items[i]);
	}
	return NULL;
}

static void examine_id_ranges(struct examination *examination)
{
	const char *overlap = range_overlap(examination, "/etc/subuid");
	struct finding *finding;

	if (!overlap)
		overlap = range_overlap(examination, "/etc/subgid");
	finding = finding_add(examination, overlap ? FINDING_WARNING : FINDING_OK, "id ranges",
		overlap ? overlap : "nobody else's",
		arena_format(examination->arena, "from %u, %u each", SLOT_ID_BASE, SLOT_ID_COUNT));
	finding->why = "an id that two have is no border between them";
	if (overlap)
		finding->remedy = "give that user another range there, below 1800000000";
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

#define OWN_MEMORY_KIB 768 /* of the kernel and the monitor, an instance */

static int64_t meminfo(struct examination *examination, const char *key)
{
	const char *text = knob_text(examination, "/proc/meminfo");
	const char *at = text ? strstr(text, key) : NULL;
	long long kib = 0;

	if (at && sscanf(at + strlen(key), ": %lld", &kib) != 1)
		return 0;
	return kib;
}

static int64_t fleet_memory(const struct fleet_file *fleet, size_t *unlimited)
{
	int64_t sum = 0;

	for (size_t i = 0; fleet && i < fleet->instances.count; i++) {
		const struct optional *memory = &fleet->instances.items[i].resources.memory_bytes;

		*unlimited += !memory->set || memory->value < 0;
		if (memory->set && memory->value > 0 && __builtin_add_overflow(sum, memory->value, &sum))
			sum = INT64_MAX;
	}
	return sum;
}

static void examine_fleet_memory(struct examination *examination, int64_t total)
{
	size_t unlimited = 0;
	int64_t sum = fleet_memory(examination->request->fleet, &unlimited);
	char buffer[24], other[24];
	struct finding *finding;

	if (!examination->request->fleet || !total)
		return;
	finding = finding_add(examination, sum > total ? FINDING_WARNING : FINDING_OK, "memory limits of the file",
		arena_format(examination->arena, "%s in all, %zu without", size_format(sum, buffer), unlimited),
		arena_format(examination->arena, "at most %s", size_format(total, other)));
	finding->why = "all at their limit at once would end in the host's memory, and somebody's death";
	if (sum > total)
		finding->remedy = "smaller limits, or swap, or knowing that they never fill them all";
}

static void examine_memory(struct examination *examination)
{
	int64_t available = meminfo(examination, "MemAvailable") * KIB, total = meminfo(examination, "MemTotal") * KIB;
	int64_t wanted = examination->report->instances * OWN_MEMORY_KIB * KIB;
	char buffer[24], other[24];
	struct finding *finding = finding_add(examination, available < wanted ? FINDING_WARNING : FINDING_OK, "memory",
		arena_format(examination->arena, "%s of %s available", size_format(available, buffer),
			size_format(total, other)),
		arena_string(examination->arena, size_format(wanted, buffer)));

	finding->why = "768 KiB each for the kernel and the monitor, before the first server starts";
	if (available < wanted)
		finding->remedy = "more memory, or fewer instances";
	examine_fleet_memory(examination, total);
}

void examine_limits(struct examination *examination)
{
	for (size_t i = 0; i < ARRAY_SIZE(limit_rows); i++)
		examine_limit(examination, &limit_rows[i]);
	examine_open_files(examination);
	examine_memory(examination);
	examine_slots(examination);
	examine_id_ranges(examination);
	examine_hardening(examination);
}
