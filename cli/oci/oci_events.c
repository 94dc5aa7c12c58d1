/* events: figures of a container as one JSON object a line, every so often or once, and a line when it runs out of
 * memory. Keys, nesting and units are runc's, whose output engines and collectors of figures parse; what the kernel
 * does not say is left out, as there. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "cgroups/cgroups.h"
#include "cli/oci/oci.h"
#include "runtime/runtime.h"

#define INTERVAL_DEFAULT_MS 5000
#define NANOSECONDS_PER_US 1000
#define FILE_MAX ((size_t)1 << 20)

struct events_options {
	struct optional interval_ms;
	bool once;
};
static const struct option events_table[] = {
	OPTION_DURATION(
		"interval", 0, "TIME", "time between figures (default: 5s)", struct events_options, interval_ms),
	OPTION_FLAG("stats", 0, "print figures once and end", struct events_options, once),
	END_OF_OPTIONS,
};

struct watch {
	struct arena arena;
	struct arena scratch; /* of one line of figures */
	struct container container;
	struct cgroup_host host;
	struct cgroup cgroup;
	bool has_host, has_cgroup;
	int pidfd;
	int memory_events; /* v2: becomes ready when memory.events changes; v1: an eventfd */
	int oom_control;   /* v1: what the eventfd is about stays open */
	int64_t oom_kills;
};

static void watch_drop(struct watch *watch)
{
	fd_drop(&watch->pidfd);
	fd_drop(&watch->memory_events);
	fd_drop(&watch->oom_control);
	if (watch->has_cgroup)
		cgroup_drop(&watch->cgroup);
	if (watch->has_host)
		cgroup_host_drop(&watch->host);
	container_close(&watch->container);
	arena_drop(&watch->scratch);
	arena_drop(&watch->arena);
}

/* --- figures ------------------------------------------------------------------------------------------------------ */

static void encode_figure(struct encoder *encoder, const char *key, const struct optional *value, int64_t factor)
{
	if (value->set && value->value > 0)
		encode_integer(encoder, key, value->value * factor);
}

static const char *watch_read(struct watch *watch, enum cgroup_controller controller, const char *file)
{
	int dir = watch->cgroup.unified >= 0 ? watch->cgroup.unified : watch->cgroup.hierarchy[controller];
	struct error ignored;
	const char *text;

	if (dir < 0 || file_read(&watch->scratch, dir, file, FILE_MAX, &text, NULL, &ignored) < 0)
		return NULL;
	return text;
}

static void cpu_encode(struct watch *watch, struct encoder *encoder, const struct cgroup_stats *stats)
{
	const char *each = watch_read(watch, CGROUP_CPUACCT, "cpuacct.usage_percpu");
	struct strings words = strings_split(&watch->scratch, each ? each : "", ' ');
	uint64_t number;
	struct error ignored;

	encode_object_begin(encoder, "cpu");
	encode_object_begin(encoder, "usage");
	encode_figure(encoder, "total", &stats->cpu_us, NANOSECONDS_PER_US);
	if (each)
		encode_array_begin(encoder, "percpu");
	for (size_t i = 0; each && i < words.count; i++) {
		if (number_parse_u64(words.items[i], UINT64_MAX, &number, &ignored) == 0)
			encode_uint64(encoder, NULL, number);
	}
	if (each)
		encode_array_end(encoder);
	encode_integer(encoder, "kernel", stats->cpu_system_us.value * NANOSECONDS_PER_US);
	encode_integer(encoder, "user", stats->cpu_user_us.value * NANOSECONDS_PER_US);
	encode_object_end(encoder);
	encode_object_begin(encoder, "throttling");
	encode_figure(encoder, "periods", &stats->cpu_periods, 1);
	encode_figure(encoder, "throttledPeriods", &stats->cpu_throttled_periods, 1);
	encode_figure(encoder, "throttledTime", &stats->cpu_throttled_us, NANOSECONDS_PER_US);
	encode_object_end(encoder);
	encode_object_end(encoder);
}

/* "key value" lines as they are, and the one that runc gives a name of its own. */
static void memory_raw_encode(struct watch *watch, struct encoder *encoder)
{
	const char *text = watch_read(watch, CGROUP_MEMORY, "memory.stat");
	struct strings lines = strings_split(&watch->scratch, text ? text : "", '\n');
	uint64_t number;
	struct error ignored;

	encode_object_begin(encoder, "raw");
	for (size_t i = 0; i < lines.count; i++) {
		struct strings words = strings_split(&watch->scratch, lines.items[i], ' ');

		if (words.count == 2 && number_parse_u64(words.items[1], UINT64_MAX, &number, &ignored) == 0)
			encode_uint64(encoder, words.items[0], number);
	}
	encode_object_end(encoder);
}

static int64_t memory_key(struct watch *watch, const char *key)
{
	const char *text = watch_read(watch, CGROUP_MEMORY, "memory.stat");
	struct strings lines = strings_split(&watch->scratch, text ? text : "", '\n');
	size_t length = strlen(key);
	int64_t number = 0;
	struct error ignored;

	for (size_t i = 0; i < lines.count; i++) {
		const char *line = lines.items[i];

		if (strncmp(line, key, length) == 0 && line[length] == ' ' &&
			number_parse(line + length + 1, 0, INT64_MAX, &number, &ignored) < 0)
			return 0;
	}
	return number;
}

static int64_t number_in(struct watch *watch, enum cgroup_controller controller, const char *file)
{
	const char *text = watch_read(watch, controller, file);
	struct strings lines = strings_split(&watch->scratch, text ? text : "", '\n');
	struct error ignored;
	int64_t number;

	return lines.count && number_parse(lines.items[0], 0, INT64_MAX, &number, &ignored) == 0 ? number : -1;
}

/* One of the objects limit, usage, max, failcnt. "max" as a limit is the largest number, as in Go's uint64. */
struct memory_files {
	const char *key, *limit, *usage, *max, *failures;
};
static const struct memory_files memory_v1[] = {
	{"usage", "memory.limit_in_bytes", "memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.failcnt"},
	{"swap", "memory.memsw.limit_in_bytes", "memory.memsw.usage_in_bytes", "memory.memsw.max_usage_in_bytes",
		"memory.memsw.failcnt"},
	{"kernel", "memory.kmem.limit_in_bytes", "memory.kmem.usage_in_bytes", "memory.kmem.max_usage_in_bytes",
		"memory.kmem.failcnt"},
	{"kernelTCP", "memory.kmem.tcp.limit_in_bytes", "memory.kmem.tcp.usage_in_bytes",
		"memory.kmem.tcp.max_usage_in_bytes", "memory.kmem.tcp.failcnt"},
};
static const struct memory_files memory_v2[] = {
	{"usage", "memory.max", "memory.current", "memory.peak", NULL},
	{"swap", "memory.swap.max", "memory.swap.current", "memory.swap.peak", NULL},
};

static void memory_entry_encode(struct watch *watch, struct encoder *encoder, const struct memory_files *files)
{
	int64_t limit = number_in(watch, CGROUP_MEMORY, files->limit);
	int64_t usage = number_in(watch, CGROUP_MEMORY, files->usage);
	int64_t max = number_in(watch, CGROUP_MEMORY, files->max);
	int64_t failures = files->failures ? number_in(watch, CGROUP_MEMORY, files->failures) : 0;

	encode_object_begin(encoder, files->key);
	encode_uint64(encoder, "limit", limit < 0 ? UINT64_MAX : (uint64_t)limit);
	if (usage > 0)
		encode_integer(encoder, "usage", usage);
	if (max > 0)
		encode_integer(encoder, "max", max);
	encode_integer(encoder, "failcnt", failures < 0 ? 0 : failures);
	encode_object_end(encoder);
}

static void memory_encode(struct watch *watch, struct encoder *encoder)
{
	bool v2 = watch->cgroup.unified >= 0;
	const struct memory_files *files = v2 ? memory_v2 : memory_v1;
	size_t count = v2 ? ARRAY_SIZE(memory_v2) : ARRAY_SIZE(memory_v1);
	int64_t cache = memory_key(watch, v2 ? "file" : "cache");

	encode_object_begin(encoder, "memory");
	if (cache > 0)
		encode_integer(encoder, "cache", cache);
	for (size_t i = 0; i < count; i++)
		memory_entry_encode(watch, encoder, &files[i]);
	memory_raw_encode(watch, encoder);
	encode_object_end(encoder);
}

static void io_entry_encode(struct encoder *encoder, const char *device, const char *op, const char *value)
{
	unsigned major, minor;
	uint64_t number;
	struct error ignored;

	if (sscanf(device, "%u:%u", &major, &minor) != 2 || number_parse_u64(value, UINT64_MAX, &number, &ignored) < 0)
		return;
	encode_object_begin(encoder, NULL);
	encode_integer(encoder, "major", major);
	encode_integer(encoder, "minor", minor);
	encode_string(encoder, "op", op);
	encode_uint64(encoder, "value", number);
	encode_object_end(encoder);
}

/* "8:0 Read 4096" in a file each. */
static void io_v1_encode(struct watch *watch, struct encoder *encoder, const char *key, const char *file)
{
	const char *text = watch_read(watch, CGROUP_IO, file);
	struct strings lines = strings_split(&watch->scratch, text ? text : "", '\n');

	if (!text)
		return;
	encode_array_begin(encoder, key);
	for (size_t i = 0; i < lines.count; i++) {
		struct strings words = strings_split(&watch->scratch, lines.items[i], ' ');

		if (words.count == 3)
			io_entry_encode(encoder, words.items[0], words.items[1], words.items[2]);
	}
	encode_array_end(encoder);
}

/* "8:0 rbytes=4096 wbytes=0 rios=1 …": the two that a file of v1 has. */
static void io_v2_encode(
	struct watch *watch, struct encoder *encoder, const char *key, const char *read_key, const char *write_key)
{
	const char *text = watch_read(watch, CGROUP_IO, "io.stat");
	struct strings lines = strings_split(&watch->scratch, text ? text : "", '\n');

	if (!text)
		return;
	encode_array_begin(encoder, key);
	for (size_t i = 0; i < lines.count; i++) {
		struct strings words = strings_split(&watch->scratch, lines.items[i], ' ');

		for (size_t k = 1; k < words.count; k++) {
			const char *word = words.items[k];

			if (text_starts_with(word, read_key))
				io_entry_encode(encoder, words.items[0], "Read", word + strlen(read_key));
			if (text_starts_with(word, write_key))
				io_entry_encode(encoder, words.items[0], "Write", word + strlen(write_key));
		}
	}
	encode_array_end(encoder);
}

static void io_encode(struct watch *watch, struct encoder *encoder)
{
	encode_object_begin(encoder, "blkio");
	if (watch->cgroup.unified >= 0) {
		io_v2_encode(watch, encoder, "ioServiceBytesRecursive", "rbytes=", "wbytes=");
		io_v2_encode(watch, encoder, "ioServicedRecursive", "rios=", "wios=");
	} else {
		io_v1_encode(watch, encoder, "ioServiceBytesRecursive", "blkio.throttle.io_service_bytes_recursive");
		io_v1_encode(watch, encoder, "ioServicedRecursive", "blkio.throttle.io_serviced_recursive");
	}
	encode_object_end(encoder);
}

static void stats_encode(struct watch *watch, struct encoder *encoder, const struct cgroup_stats *stats)
{
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "type", "stats");
	encode_string(encoder, "id", watch->container.facts.id);
	encode_object_begin(encoder, "data");
	cpu_encode(watch, encoder, stats);
	memory_encode(watch, encoder);
	encode_object_begin(encoder, "pids");
	encode_figure(encoder, "current", &stats->pids, 1);
	encode_figure(encoder, "limit", &stats->pids_limit, 1);
	encode_object_end(encoder);
	io_encode(watch, encoder);
	encode_object_begin(encoder, "hugetlb");
	encode_object_end(encoder);
	encode_object_begin(encoder, "intel_rdt");
	encode_object_end(encoder);
	encode_null(encoder, "network_interfaces");
	encode_object_end(encoder);
	encode_object_end(encoder);
}

static int line_print(struct encoder *encoder, struct error *err)
{
	encoder_print(encoder, stdout);
	return fflush(stdout) == 0 ? 0 : fail_errno(err, "standard output");
}

static int stats_print(struct watch *watch, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	struct cgroup_stats stats;

	if (cgroup_stats_read(&watch->cgroup, &stats, err) < 0)
		return -1;
	stats_encode(watch, encoder, &stats);
	arena_drop(&watch->scratch);
	return line_print(encoder, err);
}

/* --- out of memory ------------------------------------------------------------------------------------------------ */

/* cgroup-v1/memory.rst: an eventfd is signalled after "EVENTFD FD" was written to cgroup.event_control. */
static int oom_watch_v1(struct watch *watch, struct error *err)
{
	int dir = watch->cgroup.hierarchy[CGROUP_MEMORY];

	if (dir < 0)
		return 0;
	watch->oom_control = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	if (watch->oom_control < 0)
		return fail_errno(err, "open memory.oom_control");
	watch->memory_events = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch->memory_events < 0)
		return fail_errno(err, "make an eventfd");
	return file_writef(dir, "cgroup.event_control", err, "%d %d", watch->memory_events, watch->oom_control);
}

static int oom_watch(struct watch *watch, struct error *err)
{
	watch->oom_kills = cgroup_oom_kills(&watch->cgroup);
	if (watch->cgroup.unified < 0)
		return oom_watch_v1(watch, err);
	watch->memory_events = openat(watch->cgroup.unified, "memory.events", O_RDONLY | O_CLOEXEC);
	if (watch->memory_events < 0 && errno != ENOENT)
		return fail_errno(err, "open memory.events");
	return 0;
}

static int oom_print(struct watch *watch, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	int64_t kills = cgroup_oom_kills(&watch->cgroup);

	if (kills <= watch->oom_kills)
		return 0;
	watch->oom_kills = kills;
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "type", "oom");
	encode_string(encoder, "id", watch->container.facts.id);
	encode_object_end(encoder);
	return line_print(encoder, err);
}

/* What wakes us stays ready until it was read: v2's file at its beginning, v1's counter. */
static void oom_acknowledge(struct watch *watch)
{
	char text[256];

	if (watch->memory_events >= 0 && pread(watch->memory_events, text, sizeof(text), 0) < 0 &&
		read(watch->memory_events, text, sizeof(uint64_t)) < 0)
		return;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static int watch_open(struct watch *watch, struct oci_cli *cli, const char *id, struct error *err)
{
	bool absolute;

	if (container_open(&watch->arena, cli->root_dir, id, &watch->container, err) < 0)
		return -1;
	if (watch->container.status == CONTAINER_STOPPED || watch->container.status == CONTAINER_CREATING)
		return fail(err, ERROR_BUSY, "container with id %s is not running", id);
	if (!watch->container.facts.cgroup_path)
		return fail(err, ERROR_USAGE, "%s has no cgroup", id);
	/* That of a scope of systemd begins at the root of cgroup v2. */
	absolute = *watch->container.facts.cgroup_path == '/';
	if ((absolute ? cgroup_host_open_at(&watch->host, "/", err) : cgroup_host_open(&watch->host, err)) < 0)
		return -1;
	watch->has_host = true;
	if (cgroup_open(&watch->host, watch->container.facts.cgroup_path + absolute, &watch->cgroup, err) < 0)
		return -1;
	watch->has_cgroup = true;
	return 0;
}

/* Until the container's first process has ended. A pause or a failing output ends it, too, by signal or error. */
static int watch_run(struct watch *watch, int64_t interval_ms, struct error *err)
{
	struct pollfd ready[] = {
		{watch->pidfd, POLLIN, 0}, {watch->memory_events, watch->cgroup.unified >= 0 ? POLLPRI : POLLIN, 0}};
	int64_t next = clock_ms();

	for (;;) {
		struct error gone;
		int count = poll(ready, ARRAY_SIZE(ready), clock_poll_ms(next));

		if (count < 0 && errno != EINTR)
			return fail_errno(err, "wait for events");
		if (count > 0 && ready[1].revents)
			oom_acknowledge(watch);
		if (oom_print(watch, err) < 0)
			return -1;
		if (count > 0 && ready[0].revents)
			return 0;
		if (clock_ms() < next)
			continue;
		next = clock_ms() + interval_ms;
		if (stats_print(watch, &gone) < 0 && gone.kind != ERROR_MISSING) {
			*err = gone;
			return -1;
		}
	}
}

static int events_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct events_options *events = options;
	int64_t interval_ms = events->interval_ms.set ? events->interval_ms.value : INTERVAL_DEFAULT_MS;
	struct oci_cli *cli = context;
	AUTO(watch_drop)
	struct watch watch = {.container = {.dir = -1}, .pidfd = -1, .memory_events = -1, .oom_control = -1};

	(void)count;
	if (interval_ms <= 0)
		return fail(err, ERROR_USAGE, "--interval: must be longer than 0");
	if (id_check(operands[0], err) < 0 || oci_cli_open(cli, err) < 0)
		return -1;
	if (watch_open(&watch, cli, operands[0], err) < 0)
		return -1;
	if (events->once)
		return stats_print(&watch, err);
	watch.pidfd = process_open(&watch.container.facts.init, err);
	if (watch.pidfd < 0)
		return err->kind == ERROR_MISSING ? 0 : -1;
	if (oom_watch(&watch, err) < 0)
		return -1;
	return watch_run(&watch, interval_ms, err);
}

const struct command oci_events_command = {
	.name = "events",
	.operands = "[options] ID",
	.summary = "print figures of a container, and when it runs out of memory, as JSON lines",
	.example = "warren-oci events --stats web",
	.options = events_table,
	.options_size = sizeof(struct events_options),
	.operands_min = 1,
	.operands_max = 1,
	.run = events_run,
};
