/* What weights do on a disk, seen from two processes that read it at once.
 *
 * The disk is one of our own, so that its scheduler is ours to choose: the kernel's null_blk, made to answer one
 * request at a time, each after so long. Then whose request goes next decides what a process gets. */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/file.h"
#include "tests/cgroups/support.h"

#define CONFIGFS "/sys/kernel/config"
#define READ_BYTES 4096
#define DISK_MIB 64

struct null_disk {
	char config[64]; /* its directory in configfs; "" before there is one */
	char device[64];
	bool mounted;
	unsigned major, minor;
};

static void attribute(const struct null_disk *disk, const char *name, const char *value)
{
	auto_free char *path = text_format("%s/%s", disk->config, name);
	struct error err;

	ASSERT_OK(file_write(AT_FDCWD, path, value, &err));
}

static void null_disk_drop(struct null_disk *disk)
{
	if (disk->config[0]) {
		attribute(disk, "power", "0");
		cr_assert(rmdir(disk->config) == 0);
	}
	if (disk->mounted)
		umount(CONFIGFS);
}

static void queue_set(const struct null_disk *disk, const char *file, const char *value)
{
	auto_free char *path = text_format("/sys/block/%s/queue/%s", disk->device + strlen("/dev/"), file);
	struct error err;

	ASSERT_OK(file_write(AT_FDCWD, path, value, &err));
}

/* On newer kernels it is named for the directory, before for its number. */
static void device_find(struct null_disk *disk)
{
	auto_free char *named = text_format("/sys/block/%s", strrchr(disk->config, '/') + 1);
	auto_free char *index = text_format("%s/index", disk->config);
	char text[32];

	cr_assert(knob_read(AT_FDCWD, index, text, sizeof(text)) > 0);
	if (access(named, F_OK) == 0)
		snprintf(disk->device, sizeof(disk->device), "/dev/%s", strrchr(named, '/') + 1);
	else
		snprintf(disk->device, sizeof(disk->device), "/dev/nullb%d", atoi(text));
}

static void null_disk_make(struct null_disk *disk)
{
	static const char *const attributes[][2] = {{"size", "64"}, {"queue_mode", "2"}, {"irqmode", "2"},
		{"completion_nsec", "2000000"}, {"submit_queues", "1"}, {"hw_queue_depth", "1"}, {"power", "1"}};
	char text[32];

	disk->mounted = access(CONFIGFS "/nullb", F_OK) < 0 && mount("config", CONFIGFS, "configfs", 0, NULL) == 0;
	snprintf(disk->config, sizeof(disk->config), CONFIGFS "/nullb/warren%d", getpid());
	cr_assert(mkdir(disk->config, 0755) == 0, "%s: %s", disk->config, strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		attribute(disk, attributes[i][0], attributes[i][1]);
	device_find(disk);
	queue_set(disk, "scheduler", "bfq");
	/* It favours who is new, for seconds; and it waits for a reader's next word only where it thinks that this
	 * pays. Short turns, so that there are many of them. */
	queue_set(disk, "iosched/low_latency", "0");
	queue_set(disk, "iosched/strict_guarantees", "1");
	queue_set(disk, "iosched/slice_idle", "50");
	queue_set(disk, "iosched/timeout_sync", "20");
	auto_free char *number = text_format("/sys/block/%s/dev", disk->device + strlen("/dev/"));
	cr_assert(knob_read(AT_FDCWD, number, text, sizeof(text)) > 0);
	cr_assert(sscanf(text, "%u:%u", &disk->major, &disk->minor) == 2);
}

struct reader {
	const char *device;
	int64_t *count;
};

/* Directly, and from changing places, until it is killed. */
static int body_read(void *argument)
{
	const struct reader *reader = argument;
	auto_fd fd = open(reader->device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	void *bytes = NULL;

	if (fd < 0 || posix_memalign(&bytes, READ_BYTES, READ_BYTES) != 0)
		return 1;
	for (uint32_t place = 1;; place = place * 1664525 + 1013904223) {
		if (pread(fd, bytes, READ_BYTES, (off_t)(place % (DISK_MIB << 8)) * READ_BYTES) != READ_BYTES)
			return 2;
		__atomic_fetch_add(reader->count, 1, __ATOMIC_RELAXED);
	}
}

/* How often the first may read for each time that the second may, both reading all the while. */
static double share(struct cgroup groups[2], const char *device, int64_t *counts)
{
	struct reader readers[2] = {{device, &counts[0]}, {device, &counts[1]}};
	struct child children[2];
	int64_t before[2], end;
	struct error err;

	for (int i = 0; i < 2; i++)
		children[i] = child_start(&groups[i], body_read, &readers[i]);
	for (int i = 0; i < 2; i++)
		for (end = clock_ms() + GENEROUS_MS; counts[i] < 20 && clock_ms() < end;)
			poll(NULL, 0, 1);
	before[0] = counts[0], before[1] = counts[1];
	for (end = clock_ms() + GENEROUS_MS; counts[0] + counts[1] < before[0] + before[1] + 500 && clock_ms() < end;)
		poll(NULL, 0, 5);
	for (int i = 0; i < 2; i++)
		ASSERT_OK(cgroup_kill(&groups[i], &err));
	for (int i = 0; i < 2; i++)
		cr_assert(child_end(&children[i]) == SIGKILL);
	return (double)(counts[0] - before[0]) / (double)(counts[1] - before[1] + 1);
}

static bool has_null_disks(void)
{
	return access("/sys/module/null_blk", F_OK) == 0 && access("/sys/module/bfq", F_OK) == 0 &&
	       (access(CONFIGFS "/nullb", F_OK) == 0 || access(CONFIGFS, F_OK) == 0);
}

TEST(effects, io_weight_divides_a_disk)
{
	BOX(box);
	SKIP_UNLESS(has_null_disks(), "needs the modules null_blk and bfq");
	AUTO(null_disk_drop) struct null_disk disk = {0};
	int64_t *counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct cgroup groups[2];
	struct cgroup_limits limits[2] = {{.block_weight = LIMIT_OF(800)}, {.block_weight = LIMIT_OF(100)}};
	struct error err;

	null_disk_make(&disk);
	for (int i = 0; i < 2; i++) {
		auto_free char *path = text_format("%s/%d", box.path, i);
		ASSERT_OK(cgroup_create(&box.host, path, &limits[i], 0, &groups[i], &err));
	}
	double uneven = share(groups, disk.device, counts);
	ASSERT_OK(cgroup_set(&groups[1], &limits[0], &err));
	double even = share(groups, disk.device, counts);
	/* A weight for this disk alone overrules the one for all. */
	struct cgroup_io_device_weight weight = {disk.major, disk.minor, 100};
	ASSERT_OK(cgroup_set(&groups[0], &(struct cgroup_limits){.device_weights = {&weight, 1}}, &err));
	double turned = share(groups, disk.device, counts);
	cr_assert(uneven > 3, "800 to 100 gives %.2f", uneven);
	cr_assert(even > 0.7 && even < 1.4, "800 to 800 gives %.2f", even);
	cr_assert(turned < 0.34, "100 to 800 gives %.2f", turned);
	for (int i = 0; i < 2; i++)
		cgroup_drop(&groups[i]);
	munmap(counts, 4096);
}

/* A disk whose scheduler heeds no weights: said by name, and nothing stays changed. */
TEST(effects, a_weight_of_a_disk_that_heeds_none_is_refused)
{
	BOX(box);
	SKIP_UNLESS(has_null_disks(), "needs the modules null_blk and bfq");
	AUTO(null_disk_drop) struct null_disk disk = {0};
	struct cgroup_io_device_weight weight = {.weight = 100};
	const struct cgroup_limits limits = {.block_weight = LIMIT_OF(300), .device_weights = {&weight, 1}};
	struct error err;

	null_disk_make(&disk);
	queue_set(&disk, "scheduler", "none");
	weight.major = disk.major;
	weight.minor = disk.minor;
	box_create(&box, &(struct cgroup_limits){.block_weight = LIMIT_OF(200)}, 0);
	ASSERT_FAILS(cgroup_set(&box.cgroup, &limits, &err), ERROR_SYSTEM,
		"that disk's scheduler heeds no weights, as bfq does");
	if (box_is_v2(&box))
		ASSERT_KNOB(&box.cgroup, CGROUP_IO, "io.bfq.weight", "default 200");
	else
		ASSERT_KNOB(&box.cgroup, CGROUP_IO, "blkio.bfq.weight", "200");
}
