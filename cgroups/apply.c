/* Limits and the kernel: what a cgroup has now, writing what limits.c decided, reading all of it back. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cgroups/devices.h"
#include "cgroups/journal.h"
#include "cgroups/knobs.h"
#include "cgroups/layout.h"
#include "cgroups/limits.h"

#define IO_DEVICES_MAX 256

int cgroup_directory(const struct cgroup *cgroup, enum cgroup_controller controller)
{
	if (cgroup->unified >= 0)
		return cgroup->unified;
	return controller < CGROUP_CONTROLLERS ? cgroup->hierarchy[controller] : -1;
}

static int64_t v1_bytes_read(int dir, const char *file)
{
	int64_t value;

	return knob_number(dir, file, &value) ? v1_bytes(value) : -1;
}

/* "50000 100000", "max 100000" */
static void bandwidth_read_v2(int dir, int64_t *quota, int64_t *period)
{
	char text[64];
	const char *second;

	if (knob_read(dir, "cpu.max", text, sizeof(text)) <= 0)
		return;
	second = strchr(text, ' ');
	if (knob_parse(text, quota) && second)
		(void)knob_parse(second + 1, period);
}

struct limits_now limits_now_read(const struct cgroup *cgroup, const struct cgroup_limits *limits)
{
	struct limits_now now = limits_fresh;
	int cpu = cgroup_directory(cgroup, CGROUP_CPU), memory = cgroup->hierarchy[CGROUP_MEMORY];

	now.fresh = false;
	if (memory >= 0 && (limits->memory_max.set || limits->swap_max.set)) {
		now.memory = v1_bytes_read(memory, "memory.limit_in_bytes");
		now.memory_swap = v1_bytes_read(memory, "memory.memsw.limit_in_bytes");
	}
	if (!limits->cpu_quota_us.set && !limits->cpu_period_us.set)
		return now;
	if (cgroup->unified >= 0)
		bandwidth_read_v2(cpu, &now.quota_us, &now.period_us);
	else
		(void)knob_number(cpu, "cpu.cfs_period_us", &now.period_us);
	return now;
}

static int knob_fail(const struct knob *knob, const char *file, const char *text, struct error *err)
{
	if (errno == ENOENT)
		return fail(err, ERROR_SYSTEM, "%s: this kernel has no %s%s%s", knob->limit, knob->file,
			knob->or_file ? " and no " : "", knob->or_file ? knob->or_file : "");
	if (errno == EOPNOTSUPP && strcmp(knob->limit, "device_weights") == 0)
		return fail(err, ERROR_SYSTEM,
			"%s: write \"%s\" to %s: that disk's scheduler heeds no weights, as bfq does", knob->limit,
			text, file);
	return fail_errno(err, "%s: write \"%s\" to %s", knob->limit, text, file);
}

/* The kernel takes one line at a time; unified values may hold several. */
static int knob_write_lines(struct cgroup_journal *journal, int dir, const char *file, const char *text)
{
	char line[512];

	while (*text) {
		size_t length = strcspn(text, "\n");

		if (length >= sizeof(line)) {
			errno = E2BIG;
			return -1;
		}
		memcpy(line, text, length);
		line[length] = '\0';
		if (length)
			journal_note(journal, dir, file, line);
		if (length && knob_write(dir, file, line) < 0)
			return -1;
		text += length + (text[length] == '\n');
	}
	return 0;
}

/* v2: cgroup.controllers names a controller that somebody else is just enabling before its files are there (seen on
 * 6.1). Any write to cgroup.subtree_control waits for that to be over; one of nothing changes nothing. */
static void wait_for_enabling(const struct cgroup *cgroup)
{
	if (cgroup->unified >= 0)
		(void)knob_write(cgroup->unified, "cgroup.subtree_control", " ");
}

static int knob_write_patiently(
	struct cgroup_journal *journal, const struct cgroup *cgroup, int dir, const struct knob *knob)
{
	if (knob_write_lines(journal, dir, knob->file, knob->text) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	wait_for_enabling(cgroup);
	return knob_write_lines(journal, dir, knob->file, knob->text);
}

/* No such file; or, of a file with a line for each device, this device is not one that it counts for. */
static bool is_for_another(const struct knob *knob)
{
	return errno == ENOENT || (knob->both && errno == EOPNOTSUPP);
}

static int knob_apply(
	struct cgroup_journal *journal, const struct cgroup *cgroup, const struct knob *knob, struct error *err)
{
	int dir = cgroup_directory(cgroup, knob->controller);
	bool done = knob_write_patiently(journal, cgroup, dir, knob) == 0;

	if (!done && (!knob->or_file || !is_for_another(knob)))
		return knob_fail(knob, knob->file, knob->text, err);
	if (done && !knob->both)
		return 0;
	if (knob_write_lines(journal, dir, knob->or_file, knob->or_text) == 0 || (done && is_for_another(knob)))
		return 0;
	return knob_fail(knob, knob->or_file, knob->or_text, err);
}

static int devices_write(const struct cgroup *cgroup, const struct cgroup_limits *limits, bool live, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct device_list list;

	if (cgroup->unified >= 0)
		return device_program_attach(cgroup->unified, limits, live, err);
	if (device_list_make(&arena, limits, &list, err) < 0)
		return -1;
	return device_list_write(cgroup->hierarchy[CGROUP_DEVICES], &list, live, err);
}

int limits_write(const struct cgroup *cgroup, const struct cgroup_limits *limits, const struct knobs *knobs,
	struct cgroup_journal *journal, struct error *err)
{
	for (size_t i = 0; i < knobs->count; i++)
		if (knob_apply(journal, cgroup, &knobs->items[i], err) < 0)
			return -1;
	return limits->devices.count ? devices_write(cgroup, limits, journal != NULL, err) : 0;
}

/* --- reading back ------------------------------------------------------------------------------------------------- */

static void set(struct optional *out, int64_t value)
{
	*out = (struct optional){.set = value >= 0, .value = value >= 0 ? value : 0};
}

static void get_table(const struct cgroup *cgroup, struct cgroup_limits *out)
{
	bool v2 = cgroup->unified >= 0;

	for (size_t i = 0; i < limits_table_count; i++) {
		const struct limit *limit = &limits_table[i];
		const char *file = v2 ? limit->v2 : limit->v1;
		int64_t value;

		if (limit->flags & (SPECIAL | (v2 ? 0 : SPECIAL_V1)) || !file)
			continue;
		if (knob_number(cgroup_directory(cgroup, limit->controller), file, &value))
			set((struct optional *)limit_value(out, limit), v2 ? value : v1_bytes(value));
	}
}

static void get_memory_v1(const struct cgroup *cgroup, struct cgroup_limits *out)
{
	int dir = cgroup->hierarchy[CGROUP_MEMORY];
	int64_t memory = v1_bytes_read(dir, "memory.limit_in_bytes");
	int64_t both = v1_bytes_read(dir, "memory.memsw.limit_in_bytes");

	set(&out->memory_max, memory);
	if (memory >= 0 && both >= memory)
		set(&out->swap_max, both - memory);
}

static void get_cpu(const struct cgroup *cgroup, struct cgroup_limits *out)
{
	int dir = cgroup_directory(cgroup, CGROUP_CPU);
	bool v2 = cgroup->unified >= 0;
	int64_t quota = -1, period = -1, value;

	if (v2) {
		bandwidth_read_v2(dir, &quota, &period);
	} else {
		(void)knob_number(dir, "cpu.cfs_quota_us", &quota);
		(void)knob_number(dir, "cpu.cfs_period_us", &period);
	}
	set(&out->cpu_quota_us, quota);
	set(&out->cpu_period_us, period);
	if (knob_number(dir, v2 ? "cpu.max.burst" : "cpu.cfs_burst_us", &value))
		set(&out->cpu_burst_us, value);
	if (knob_number(dir, "cpu.idle", &value))
		set(&out->cpu_idle, value);
	if (v2 && knob_number(dir, "cpu.weight", &value))
		set(&out->cpu_weight, value);
	if (!v2 && knob_number(dir, "cpu.shares", &value)) {
		set(&out->cpu_shares, value);
		set(&out->cpu_weight, shares_to_weight(value));
	}
}

static const char *get_text(int dir, const char *file, struct arena *arena)
{
	char text[4096];

	if (knob_read(dir, file, text, sizeof(text)) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text[0] ? arena_string(arena, text) : NULL;
}

static void get_cpuset(const struct cgroup *cgroup, struct arena *arena, struct cgroup_limits *out)
{
	int dir = cgroup_directory(cgroup, CGROUP_CPUSET);

	out->cpuset_cpus = get_text(dir, "cpuset.cpus", arena);
	out->cpuset_mems = get_text(dir, "cpuset.mems", arena);
}

/* The entry of a device, added when it is new; NULL when there is no room. */
static struct cgroup_io_max *io_entry(struct cgroup_limits *out, unsigned major, unsigned minor)
{
	for (size_t i = 0; i < out->io_max.count; i++)
		if (out->io_max.items[i].major == major && out->io_max.items[i].minor == minor)
			return &out->io_max.items[i];
	if (out->io_max.count == IO_DEVICES_MAX)
		return NULL;
	out->io_max.items[out->io_max.count] = (struct cgroup_io_max){.major = major, .minor = minor};
	return &out->io_max.items[out->io_max.count++];
}

static void rate_get(const char *rest, const char *key, struct optional *out)
{
	const char *at = strstr(rest, key);
	int64_t value;

	if (at && knob_parse(at + strlen(key), &value))
		set(out, value);
}

/* "8:0 rbps=max wbps=4194304 riops=max wiops=max" */
static void io_line_v2(const char *line, struct cgroup_limits *out)
{
	unsigned major, minor;
	struct cgroup_io_max *io;

	if (sscanf(line, "%u:%u ", &major, &minor) != 2 || !(io = io_entry(out, major, minor)))
		return;
	rate_get(line, " rbps=", &io->rbps);
	rate_get(line, " wbps=", &io->wbps);
	rate_get(line, " riops=", &io->riops);
	rate_get(line, " wiops=", &io->wiops);
}

/* "8:0 4194304" in each of four files. */
static void io_file_v1(int dir, const char *file, size_t offset, struct arena *arena, struct cgroup_limits *out)
{
	char text[KNOB_SIZE];
	struct strings lines;

	if (knob_read(dir, file, text, sizeof(text)) <= 0)
		return;
	lines = strings_split(arena, text, '\n');
	for (size_t i = 0; i < lines.count; i++) {
		unsigned major, minor;
		int at = 0;
		int64_t value;
		struct cgroup_io_max *io;

		if (sscanf(lines.items[i], "%u:%u %n", &major, &minor, &at) != 2 || !at ||
			!knob_parse(lines.items[i] + at, &value) || !(io = io_entry(out, major, minor)))
			continue;
		set((struct optional *)((char *)io + offset), value);
	}
}

static void get_io(const struct cgroup *cgroup, struct arena *arena, struct cgroup_limits *out)
{
	int dir = cgroup_directory(cgroup, CGROUP_IO);
	char text[KNOB_SIZE];
	struct strings lines;

	if (dir < 0)
		return;
	out->io_max.items = arena_new_array(arena, IO_DEVICES_MAX, struct cgroup_io_max);
	if (cgroup->unified < 0) {
		io_file_v1(dir, "blkio.throttle.read_bps_device", offsetof(struct cgroup_io_max, rbps), arena, out);
		io_file_v1(dir, "blkio.throttle.write_bps_device", offsetof(struct cgroup_io_max, wbps), arena, out);
		io_file_v1(dir, "blkio.throttle.read_iops_device", offsetof(struct cgroup_io_max, riops), arena, out);
		io_file_v1(dir, "blkio.throttle.write_iops_device", offsetof(struct cgroup_io_max, wiops), arena, out);
	} else if (knob_read(dir, "io.max", text, sizeof(text)) > 0) {
		lines = strings_split(arena, text, '\n');
		for (size_t i = 0; i < lines.count; i++)
			io_line_v2(lines.items[i], out);
	}
}

/* io.weight begins with "default N"; the bfq ones with "default N" or N, in BFQ's unit. */
static bool weight_read(int dir, const char *file, struct optional *out)
{
	char text[KNOB_SIZE];
	int64_t value;

	if (knob_read(dir, file, text, sizeof(text)) <= 0 ||
		!(keyed_number(text, "default", &value) || knob_parse(text, &value)))
		return false;
	set(out, value);
	return true;
}

static void get_io_weight(const struct cgroup *cgroup, struct cgroup_limits *out)
{
	int dir = cgroup_directory(cgroup, CGROUP_IO);
	bool v2 = cgroup->unified >= 0;

	if (v2 && weight_read(dir, "io.weight", &out->io_weight))
		return;
	if (weight_read(dir, v2 ? "io.bfq.weight" : "blkio.bfq.weight", &out->block_weight) ||
		(!v2 && weight_read(dir, "blkio.weight", &out->block_weight)))
		out->io_weight = out->block_weight;
}

/* v1 only: a BPF program cannot be read back as rules. */
static void get_devices(const struct cgroup *cgroup, struct arena *arena, struct cgroup_limits *out)
{
	const struct cgroup_device_rule nothing = {.allow = false, .type = 'a', .major = -1, .minor = -1, .access = 7};
	char text[KNOB_SIZE];
	struct device_list list;

	if (cgroup->unified >= 0 ||
		knob_read(cgroup->hierarchy[CGROUP_DEVICES], "devices.list", text, sizeof(text)) < 0)
		return;
	device_list_parse(arena, text, &list);
	if (list.allow)
		return;
	if (!list.exceptions.count) {
		list.exceptions.items = arena_new(arena, struct cgroup_device_rule);
		list.exceptions.items[list.exceptions.count++] = nothing;
	}
	out->devices.items = list.exceptions.items;
	out->devices.count = list.exceptions.count;
}

int cgroup_get(struct cgroup *cgroup, struct arena *arena, struct cgroup_limits *out, struct error *err)
{
	(void)err; /* a file that is not there is a limit that is not set: nothing can fail */
	*out = (struct cgroup_limits){0};
	get_table(cgroup, out);
	if (cgroup->unified < 0)
		get_memory_v1(cgroup, out);
	get_cpu(cgroup, out);
	get_cpuset(cgroup, arena, out);
	get_io_weight(cgroup, out);
	get_io(cgroup, arena, out);
	get_devices(cgroup, arena, out);
	return 0;
}
