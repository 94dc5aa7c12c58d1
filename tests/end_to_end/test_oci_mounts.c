/* Mounts of config.json as seen from inside: options, also recursive ones, and id maps of their own. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mount.h"
#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

static void assert_prints(struct bundle *bundle, const char *expected)
{
	auto_run run = OCI(bundle, "run", "ID");

	cr_assert(run.status == 0 && strcmp(run.out, expected) == 0, "status %d, got \"%s\" \"%s\", expected \"%s\"",
		run.status, run.out, run.err, expected);
}

/* Whether the file system of the scratch directories can be mapped: tmpfs and overlay cannot before 6.3. */
static bool ids_can_be_mapped(const struct bundle *bundle)
{
	auto_run run = RUN("stat", "-f", "-c", "%T", bundle->directory.path);

	return strncmp(run.out, "ext2/ext3", 9) == 0 || strncmp(run.out, "xfs", 3) == 0 ||
	       strncmp(run.out, "btrfs", 5) == 0;
}

#define MAPS(from, to)                                                                                                 \
	"\"uidMappings\": [{\"containerID\": " from ", \"hostID\": " to ", \"size\": 10}], "                           \
	"\"gidMappings\": [{\"containerID\": " from ", \"hostID\": " to ", \"size\": 10}]"

TEST(oci_mounts, have_id_maps_of_their_own)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *owned = text_format("%s/data/file", bundle.directory.path);

	SKIP_UNLESS(ids_can_be_mapped(&bundle), "needs ext4, xfs or btrfs at /tmp");
	run_write_file(bundle.directory.path, "data/file", 0644, "x");
	cr_assert(chown(owned, 3, 4) == 0);
	auto_free char *mount = text_format(
		"{\"destination\": \"/d\", \"type\": \"bind\", \"source\": \"%s/data\", " MAPS("0", "5000") "}",
		bundle.directory.path);
	BUNDLE_WRITE(&bundle, .script = "stat -c '%u %g' /d /d/file; touch /d/new 2>/dev/null; true", .mounts = mount);
	assert_prints(&bundle, "5000 5000\n5003 5004\n");
	/* What root makes has no id on that mount, so it was refused; inside, 5000 is the owner. */
	BUNDLE_WRITE(&bundle, .script = "touch /d/new && stat -c %u /d/new", .mounts = mount,
		.process = "\"user\": {\"uid\": 5000, \"gid\": 5000}");
	assert_prints(&bundle, "5000\n");
	auto_free char *made = text_format("%s/data/new", bundle.directory.path);
	struct stat status;
	cr_assert(stat(made, &status) == 0 && status.st_uid == 0, "%u", status.st_uid);
}

/* One file system below another, attached to nothing but the source of the bind. */
TEST(oci_mounts, recursive_options_reach_the_mounts_below)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *data = text_format("%s/data", bundle.directory.path);
	auto_free char *script =
		text_format("mkdir -p %s/below && mount -t tmpfs none %s/below && exec %s --root %s run -b %s %s", data,
			data, WARREN_OCI_PROGRAM, bundle.state, bundle.path, bundle.id);
	static const struct {
		const char *options, *expected;
	} cases[] = {
		{"\"rbind\", \"ro\"", "0\n1\n"},
		{"\"rbind\", \"rro\"", "0\n0\n"},
		/* What is said of the mount itself holds for it. */
		{"\"rbind\", \"rro\", \"rw\"", "1\n0\n"},
		{"\"rbind\", \"ro\", \"rrw\"", "0\n1\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *mount = text_format(
			"{\"destination\": \"/d\", \"source\": \"%s\", \"options\": [%s]}", data, cases[i].options);

		BUNDLE_WRITE(&bundle,
			.script = "touch /d/x 2>/dev/null; test -e /d/x && echo 1 || echo 0; touch /d/below/x "
				  "2>/dev/null; test -e /d/below/x && echo 1 || echo 0; /bin/busybox rm -f /d/x",
			.mounts = mount);
		auto_run run = RUN("unshare", "--mount", "--propagation", "private", "sh", "-c", script);
		cr_assert(run.status == 0 && strcmp(run.out, cases[i].expected) == 0, "%s: got \"%s\" %s",
			cases[i].options, run.out, run.err);
	}
}

TEST(oci_mounts, a_tmpfs_is_filled_with_what_it_covers_when_asked)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	run_write_file(bundle.path, "rootfs/var/data/file", 0640, "hello");
	BUNDLE_WRITE(&bundle, .script = "cat /var/data/file; stat -c ' %a' /var/data/file; echo x >/var/data/file",
		.mounts = "{\"destination\": \"/var\", \"type\": \"tmpfs\", \"source\": \"tmpfs\", \"options\": "
			  "[\"tmpcopyup\", \"nosuid\"]}");
	assert_prints(&bundle, "hello 640\n");
	auto_free char *file = text_format("%s/rootfs/var/data/file", bundle.path);
	auto_run kept = RUN("cat", file);
	cr_assert_str_eq(kept.out, "hello");
}

/* What a config says of one mount in two steps; what the second does not name stays as the first had it. */
TEST(oci_mounts, get_other_options_by_a_remount)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *before = text_format("%s/data", bundle.directory.path);
	auto_free char *mounts = text_format(
		"{\"destination\": \"/d\", \"type\": \"bind\", \"source\": \"%s\", \"options\": [\"nosuid\"]}, "
		"{\"destination\": \"/d/new\", \"type\": \"tmpfs\", \"source\": \"t\", \"options\": [\"size=4k\", "
		"\"ro\"]}, "
		"{\"destination\": \"/d/\", \"type\": \"none\", \"source\": \"none\", \"options\": [\"remount\", "
		"\"bind\", \"ro\", \"noexec\"]}, "
		"{\"destination\": \"/d/new\", \"options\": [\"remount\", \"rw\", \"nodev\", \"size=64k\"]}",
		before);

	cr_assert(mkdir(before, 0755) == 0);
	BUNDLE_WRITE(&bundle,
		.script = "grep -E ' /d(/new)? ' /proc/self/mountinfo | cut -d' ' -f5,6; grep -o ' /d/new "
			  ".*size=[0-9]*k' "
			  "/proc/self/mounts | grep -o size.*; touch /d/x 2>/dev/null || echo refused",
		.mounts = mounts);
	assert_prints(&bundle, "/d ro,nosuid,noexec,relatime\n/d/new rw,nodev,relatime\nsize=64k\nrefused\n");
}

/* --- a host with many --------------------------------------------------------------------------------------------- */

#define PIN "/run/warren-seed/mnt"

/* From here on the test is on such a host, in a mount namespace of its own with another /run. */
static void host_fill(void)
{
	char place[32];

	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "%m");
	cr_assert(mount("none", "/run", "tmpfs", 0, NULL) == 0 && mkdir("/run/many", 0755) == 0, "%m");
	for (int i = 0; i < 120; i++) {
		snprintf(place, sizeof(place), "/run/many/%d", i);
		cr_assert(mkdir(place, 0755) == 0 && mount("/tmp", place, NULL, MS_BIND, NULL) == 0, "%m");
	}
}

static ino_t pinned(void)
{
	struct stat status;

	cr_assert(stat(PIN, &status) == 0, PIN ": %m");
	return status.st_ino;
}

/* Nothing is different inside, and the second start finds the namespace that the first has made. */
TEST(oci_mounts, are_the_same_where_the_hosts_are_left_behind)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *data = text_format("%s/data", bundle.directory.path);
	auto_free char *mount = text_format("{\"destination\": \"/d\", \"type\": \"bind\", \"source\": \"%s\", "
					    "\"options\": [\"rbind\", \"ro\"]}",
		data);

	run_write_file(bundle.directory.path, "data/file", 0644, "x");
	BUNDLE_WRITE(&bundle, .script = "cut -d' ' -f5,6 /proc/self/mountinfo | sort; ls /d; cat /proc/1/cgroup; pwd",
		.mounts = mount, .system = "\"rootfsPropagation\": \"slave\"");
	auto_run plain = OCI(&bundle, "run", "ID");
	ASSERT_STATUS(plain, 0);
	host_fill();
	int before = host_mount_count();
	assert_prints(&bundle, plain.out);
	ino_t first = pinned();
	assert_prints(&bundle, plain.out);
	cr_assert_eq(pinned(), first);
	cr_assert_eq(host_mount_count(), before + 2); /* the pin and its directory, once */
}

/* A hook that runs in its namespace before the root changes finds the host's mounts there. */
TEST(oci_mounts, of_the_host_are_there_for_hooks_before_the_root_changes)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "echo done",
		.top = "\"hooks\": {\"createContainer\": [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", "
		       "\"test $(grep -c /run/many/ /proc/self/mountinfo) = 120\"]}]}");
	host_fill();
	assert_prints(&bundle, "done\n");
	cr_assert(access(PIN, F_OK) < 0);
}

/* --- those of the host -------------------------------------------------------------------------------------------- */

#define MANY 600
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U
#endif

/* Mounts are numbered as they are made, copies too, and no number comes again. 0: this kernel does not tell it. */
static uint64_t mount_number_now(void)
{
	struct statx about;
	struct error err;
	auto_fd mount = mount_clone(AT_FDCWD, "/run/many", false, &err);

	cr_assert(mount >= 0, "%s", err.text);
	cr_assert(statx(mount, "", AT_EMPTY_PATH, STATX_MNT_ID_UNIQUE, &about) == 0, "%m");
	return about.stx_mask & STATX_MNT_ID_UNIQUE ? about.stx_mnt_id : 0;
}

/* In a mount namespace of its own, on one processor: see the tests of runtime/start/seed.c. */
static void many_mounts_make(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	cr_assert(sched_setaffinity(0, sizeof(one), &one) == 0, "%m");
	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "%m");
	cr_assert(mount("none", "/run", "tmpfs", 0, NULL) == 0 && mkdir("/run/many", 0755) == 0, "%m");
	for (int i = 0; i < MANY; i++)
		cr_assert(mount("/run/many", "/run/many", NULL, MS_BIND, NULL) == 0, "%m");
}

static uint64_t mounts_of_a_start(struct bundle *bundle)
{
	uint64_t before = mount_number_now();

	assert_prints(bundle, "here\n");
	return mount_number_now() - before;
}

/* A start in a new mount namespace would copy every one of them; from the seed it copies one. Others may mount
 * meanwhile, so the least of a few is what a start takes. */
TEST(oci_mounts, of_a_host_that_has_many_are_not_copied)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	uint64_t least = UINT64_MAX;

	many_mounts_make();
	SKIP_UNLESS(mount_number_now(), "needs Linux 6.8");
	BUNDLE_WRITE(&bundle, .script = "echo here");
	/* The first one makes the seed. */
	assert_prints(&bundle, "here\n");
	for (int i = 0; i < 3; i++) {
		uint64_t made = mounts_of_a_start(&bundle);

		least = made < least ? made : least;
	}
	cr_assert(least < MANY, "a start made %llu mounts", (unsigned long long)least);
}
