/* Where instances' files lie: what the file system can, tried with a root as an instance has it, and what room it has.
 *
 * The attempt needs a directory on that file system. It is made beside the state directory's contents, or where the
 * state directory would be made, and removed again; its maker holds a lock on it, so that the next examination knows
 * one that a kill left behind, and removes it. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/kernel.h"
#include "base/mount.h"
#include "base/path.h"
#include "fleet/host/doctor.h"
#include "images/images.h"

#define SCRATCH_PREFIX ".warren-doctor."
#define SCRATCH_TRIES 16
#define ENTRIES_MAX 65536
#define FREE_PERCENT_MIN 5
#define FREE_BYTES_MIN ((int64_t)1 << 30)
#define INODES_PER_INSTANCE 64
#define BYTES_PER_INSTANCE ((int64_t)1 << 20)

/* --- the scratch directory ---------------------------------------------------------------------------------------- */

struct scratch {
	int parent, dir;
	char name[48];
};

/* Those of killed examinations: nobody holds their lock. */
static void scratch_sweep(struct examination *examination, int parent)
{
	struct strings names = {0};
	struct error ignored;

	if (dir_list(examination->arena, parent, ENTRIES_MAX, &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.count; i++) {
		if (!text_starts_with(names.items[i], SCRATCH_PREFIX))
			continue;
		auto_fd dir = openat(parent, names.items[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir >= 0 && lock_exclusive(dir, 0, &ignored) == 0)
			(void)!tree_remove(parent, names.items[i], &ignored);
	}
}

/* Between making and locking it looks like one that a kill left: another examination may take it away. */
static bool scratch_try(struct scratch *scratch, struct error *err)
{
	struct stat about;

	fd_drop(&scratch->dir);
	snprintf(scratch->name, sizeof(scratch->name), SCRATCH_PREFIX "%d.%lld", getpid(), (long long)clock_ms());
	scratch->dir = dir_create(scratch->parent, scratch->name, 0700, err);
	if (scratch->dir < 0)
		return false;
	return lock_exclusive(scratch->dir, 0, err) == 0 && fstat(scratch->dir, &about) == 0 && about.st_nlink > 0;
}

static int scratch_make(struct examination *examination, const char *place, struct scratch *scratch, struct error *err)
{
	scratch->parent = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (scratch->parent < 0)
		return fail_errno(err, "open %s", place);
	scratch_sweep(examination, scratch->parent);
	for (int tries = 0; tries < SCRATCH_TRIES; tries++) {
		if (scratch_try(scratch, err))
			return 0;
		if (scratch->dir < 0 && err->errnum != ENOENT)
			return blame(err, "make a directory in %s", place);
	}
	return fail(err, ERROR_BUSY, "make a directory in %s: it keeps being removed", place);
}

static void scratch_drop(struct scratch *scratch)
{
	struct error ignored;

	if (scratch->dir >= 0)
		(void)!tree_remove(scratch->parent, scratch->name, &ignored);
	fd_drop(&scratch->dir);
	fd_drop(&scratch->parent);
}

/* --- a root, as an instance has it -------------------------------------------------------------------------------- */

#define ID_BASE (SLOT_ID_BASE + SLOT_MAX * SLOT_ID_COUNT)

struct root_trial {
	const char *path; /* of the scratch directory */
	bool mapped;
};

static int map_write(int proc, const char *file, struct error *err)
{
	char text[48];

	snprintf(text, sizeof(text), "0 %u %u", ID_BASE, SLOT_ID_COUNT);
	return file_write(proc, file, text, err);
}

/* A user namespace with an instance's range. Its process waits to be killed. */
static int userns_open(struct error *err)
{
	char path[32];
	auto_fd pidfd = -1;
	auto_fd proc = -1, userns = -1;
	int status;
	pid_t pid = process_clone(CLONE_NEWUSER, -1, &pidfd);

	if (pid == 0)
		for (;;)
			pause();
	if (pid < 0)
		return fail_errno(err, "clone3 a process into a user namespace");
	snprintf(path, sizeof(path), "/proc/%d", pid);
	proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		fail_errno(err, "open %s", path);
	else if (map_write(proc, "gid_map", err) == 0 && map_write(proc, "uid_map", err) == 0) {
		userns = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);
		if (userns < 0)
			fail_errno(err, "open %s/ns/user", path);
	}
	kill(pid, SIGKILL);
	if (userns < 0) {
		struct error ignored;

		(void)!process_reap(pidfd, &status, &ignored);
		return -1;
	}
	return process_reap(pidfd, &status, err) < 0 ? -1 : take_fd(&userns);
}

/* As the instance's root does it: the host's own has no place in the id range. */
static int file_make(int root, bool mapped, struct error *err)
{
	auto_fd file = -1;

	if (mapped) {
		setfsgid(ID_BASE);
		setfsuid(ID_BASE);
	}
	file = openat(root, "written", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file < 0)
		return fail_errno(err, "write a file in it");
	return 0;
}

static int root_try_in(const struct root_trial *trial, int run, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(image_session_drop) struct image_session session = {.scratch = -1, .store = -1};
	struct root_parts parts = {0};
	struct root_request request = {.instance = -1, .userns = -1};
	int result;

	if (image_session_open(run, arena_format(&arena, "%s/store", trial->path), &session, err) < 0)
		return -1;
	auto_fd userns = trial->mapped ? userns_open(err) : -1;
	auto_fd instance = dir_create_all(arena_format(&arena, "%s/instance", trial->path), 0700, err);
	if (instance < 0 || (trial->mapped && userns < 0))
		return -1;
	request = (struct root_request){.rootfs = arena_format(&arena, "%s/image", trial->path),
		.instance = instance,
		.userns = userns,
		.id_base = trial->mapped ? ID_BASE : 0};
	if (root_create(&session, &request, err) < 0 || root_mount(&session, &request, &parts, err) < 0)
		return -1;
	result = file_make(parts.items[0].mount, trial->mapped, err);
	root_parts_drop(&parts);
	return result;
}

static int root_try(void *context, char note[TRIAL_NOTE_SIZE], struct error *err)
{
	const struct root_trial *trial = context;
	auto_free char *run_path = text_format("%s/run", trial->path);
	auto_free char *image_path = text_format("%s/image", trial->path);
	auto_fd run = dir_create_all(run_path, 0700, err);
	auto_fd image = run < 0 ? -1 : dir_create_all(image_path, 0755, err);

	if (image < 0 || root_try_in(trial, run, err) < 0)
		return -1;
	snprintf(note, TRIAL_NOTE_SIZE, "works");
	return 0;
}

static void examine_root(struct examination *examination, const char *place, bool mapped)
{
	AUTO(scratch_drop) struct scratch scratch = {.parent = -1, .dir = -1};
	struct root_trial context = {.mapped = mapped};
	struct trial trial = {.run = root_try, .context = &context};
	struct error err = {0};
	int result = 0;
	struct finding *finding;

	if (scratch_make(examination, place, &scratch, &err) == 0) {
		context.path =
			arena_format(examination->arena, "%s/%s", text_equal(place, "/") ? "" : place, scratch.name);
		result = trial_run(&trial, &err);
	}
	finding = finding_add(examination, trial_state(examination, result, FINDING_MISSING),
		mapped ? "a root with mapped ids" : "a root",
		arena_string(examination->arena, result > 0 ? trial.note : err.text), NULL);
	finding->why =
		mapped ? "the root of an instance with ids of its own, made and written to in the state directory"
		       : "the same without ids of its own";
	if (result <= 0 && examination->is_root)
		finding->remedy = "put the state directory on ext4, xfs or btrfs, mounted read-write (a disk "
				  "of its own is best): mount it on /var/lib/warren";
}

/* --- the file system ---------------------------------------------------------------------------------------------- */

/* Type and flags of the mount that a directory lies on: the last of the longest mount points above it. */
static const char *mount_describe(struct examination *examination, const char *place)
{
	const char *table = knob_text(examination, "/proc/self/mountinfo"), *type = "unknown";
	struct strings lines = table ? strings_split(examination->arena, table, '\n') : (struct strings){0};
	size_t longest = 0;

	for (size_t i = 0; i < lines.count; i++) {
		char point[4096], name[64];
		const char *rest = strstr(lines.items[i], " - ");

		if (!rest || sscanf(lines.items[i], "%*u %*u %*s %*s %4095s", point) != 1 ||
			sscanf(rest + 3, "%63s", name) != 1 || !path_is_under(place, point))
			continue;
		if (strlen(point) >= longest) {
			longest = strlen(point);
			type = arena_string(examination->arena, name);
		}
	}
	return type;
}

static bool is_remote(const char *type)
{
	static const char *const remote[] = {
		"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "fuse.sshfs", "fuse.glusterfs"};

	for (size_t i = 0; i < ARRAY_SIZE(remote); i++)
		if (text_equal(type, remote[i]))
			return true;
	return false;
}

static const char *flags_words(struct examination *examination, unsigned long flags)
{
	static const struct {
		unsigned long flag;
		const char *name;
	} rows[] = {{ST_RDONLY, "read-only"}, {ST_NOSUID, "nosuid"}, {ST_NODEV, "nodev"}, {ST_NOEXEC, "noexec"}};
	AUTO(text_drop) struct text words = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (flags & rows[i].flag)
			text_appendf(&words, ", %s", rows[i].name);
	return arena_string(examination->arena, text_string(&words));
}

static void examine_place(
	struct examination *examination, const char *name, const char *place, const struct statvfs *about)
{
	const char *type = mount_describe(examination, place);
	bool read_only = about->f_flag & ST_RDONLY, remote = is_remote(type), no_exec = about->f_flag & ST_NOEXEC;
	struct finding *finding = finding_add(examination,
		read_only ? FINDING_MISSING
		: remote  ? FINDING_WARNING
		: no_exec ? FINDING_NOTE
			  : FINDING_OK,
		name,
		arena_format(examination->arena, "%s: %s%s", place, type, flags_words(examination, about->f_flag)),
		NULL);

	if (read_only)
		finding->remedy = arena_format(examination->arena, "mount -o remount,rw %s", place);
	if (remote) {
		finding->why = "locks and id maps do not work over a network";
		finding->remedy = "use a disk of this host";
	}
	if (no_exec && !read_only)
		finding->why = "nothing in a named volume can be executed; instances' own files can";
}

/* A boot id in it keeps things right elsewhere too; it is slower then, and wears a disk. */
static void examine_run(struct examination *examination, const char *place)
{
	struct finding *finding = &examination->report->items[examination->report->count - 1];

	if (finding->state != FINDING_OK || text_equal(mount_describe(examination, place), "tmpfs"))
		return;
	finding->state = FINDING_NOTE;
	finding->why = "what ends with the kernel lies there: locks, FIFOs, bitmaps; a tmpfs forgets it and is faster";
	finding->remedy = "mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run";
}

static void examine_space(struct examination *examination, const char *name, const struct statvfs *about)
{
	int64_t free_bytes = (int64_t)(about->f_bavail * about->f_frsize);
	int64_t all = (int64_t)(about->f_blocks * about->f_frsize);
	int64_t wanted = FREE_BYTES_MIN + examination->report->instances * BYTES_PER_INSTANCE;
	bool short_of = free_bytes < wanted || free_bytes < all / 100 * FREE_PERCENT_MIN;
	char buffer[24], other[24];
	struct finding *finding = finding_add(examination, short_of ? FINDING_WARNING : FINDING_OK, name,
		arena_format(examination->arena, "%s of %s", size_format(free_bytes, buffer), size_format(all, other)),
		arena_string(examination->arena, size_format(wanted, buffer)));

	finding->why = "instances share it; 1 GiB and 1 MiB each, and 5 % of the whole, are little enough";
	if (short_of)
		finding->remedy = "make room, or put the directory on a file system of its own";
}

/* Some file systems (btrfs) make inodes as they need them and say 0. */
static void examine_inodes(struct examination *examination, const struct statvfs *about)
{
	int64_t wanted = examination->report->instances * INODES_PER_INSTANCE + 4096;
	bool short_of = about->f_files && (int64_t)about->f_favail < wanted;
	struct finding *finding = finding_add(examination, short_of ? FINDING_WARNING : FINDING_OK, "free inodes",
		about->f_files ? arena_format(examination->arena, "%llu", (unsigned long long)about->f_favail)
			       : "made as needed",
		arena_format(examination->arena, "%lld", (long long)wanted));

	finding->why = "64 for each instance besides what it writes itself";
	if (short_of)
		finding->remedy = "make room, or a file system with more inodes (mkfs.ext4 -i 8192)";
}

/* --- quotas ------------------------------------------------------------------------------------------------------- */

static const char *const quota_words[] = {
	[DISK_QUOTA_ON] = "on",
	[DISK_QUOTA_OFF] = "off",
	[DISK_QUOTA_NO_FILESYSTEM] = "not on this file system",
	[DISK_QUOTA_NO_KERNEL] = "not in this kernel",
	[DISK_QUOTA_UNKNOWN] = "not tried",
};

static void examine_quota(struct examination *examination, const char *place)
{
	auto_fd dir = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum disk_quota state = disk_quota_state(dir);
	bool on = state == DISK_QUOTA_ON;
	struct finding *finding =
		finding_add(examination, on ? FINDING_OK : FINDING_NOTE, "project quotas", quota_words[state], NULL);

	finding->why = "limits of disk space for each instance (disk); without them none can be set";
	if (!on)
		finding->remedy = DISK_QUOTA_REMEDY;
}

void examine_storage(struct examination *examination)
{
	const char *lib = nearest_directory(examination, examination->lib);
	const char *run = nearest_directory(examination, examination->run);
	const char *log = nearest_directory(examination, examination->log);
	struct statvfs about;

	if (statvfs(lib, &about) == 0) {
		examine_place(examination, "state directory", lib, &about);
		examine_space(examination, "free space", &about);
		examine_inodes(examination, &about);
	}
	if (statvfs(run, &about) == 0) {
		examine_place(examination, "run directory", run, &about);
		examine_run(examination, run);
	}
	if (statvfs(log, &about) == 0) {
		examine_place(examination, "log directory", log, &about);
		examine_space(examination, "free space for logs", &about);
	}
	examine_root(examination, lib, true);
	examine_root(examination, lib, false);
	examine_quota(examination, lib);
}
