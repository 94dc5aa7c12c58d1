#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "support_inside.h"

/* --- text --------------------------------------------------------------------------------------------------------- */

TEST(volume, parses_its_short_form)
{
	static const struct {
		const char *text;
		struct volume volume;
	} rows[] = {
		{"/srv/a:/srv", {VOLUME_BIND, "/srv/a", "/srv", false, true, 0, 0}},
		{"/srv/a:/srv:ro", {VOLUME_BIND, "/srv/a", "/srv", true, true, 0, 0}},
		{"/srv/a:/srv:rw,noidmap", {VOLUME_BIND, "/srv/a", "/srv", false, false, 0, 0}},
		{"/srv/a:/srv,noidmap", {VOLUME_BIND, "/srv/a", "/srv", false, false, 0, 0}},
		{"data:/var/lib/x", {VOLUME_NAMED, "data", "/var/lib/x", false, true, 0, 0}},
		{"data:/var/lib/x:ro,noidmap", {VOLUME_NAMED, "data", "/var/lib/x", true, false, 0, 0}},
	};
	struct arena arena = {0};
	struct volume found;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ASSERT_OK(volume_parse(&arena, rows[i].text, &found, &err));
		cr_assert(found.type == rows[i].volume.type && found.read_only == rows[i].volume.read_only &&
				  found.idmap == rows[i].volume.idmap,
			"%s", rows[i].text);
		cr_assert_str_eq(found.source, rows[i].volume.source);
		cr_assert_str_eq(found.target, rows[i].volume.target);
	}
	arena_drop(&arena);
}

TEST(volume, refuses_a_malformed_short_form)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"", "volume \"\": expected SOURCE:TARGET[:ro|rw][,noidmap]"},
		{"/srv", "expected SOURCE:TARGET"},
		{"/a:/b:ro:x", "expected SOURCE:TARGET"},
		{"/a:/b:RO", "unknown option \"RO\"; known are ro, rw and noidmap"},
		{"/a:/b:", "unknown option \"\""},
		{"/a:b", "volume \"/a:b\": target"},
		{"/a:/b/../c", "target"},
		{"/a:/", "target: \"/\" is the instance's root itself"},
		{":/b", "volume name"},
		{"Data:/b", "volume name"},
		{"..:/b", "volume name"},
		{"../a:/b", "source"},
		{".a/b:/b", "source"},
		{"./a:b", "target"},
		{"/a/../b:/b", "source"},
		{"/a\n:/b", "volume"},
	};
	struct arena arena = {0};
	struct volume found;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ASSERT_FAILS(volume_parse(&arena, rows[i].text, &found, &err), ERROR_USAGE, rows[i].message);
	arena_drop(&arena);
}

TEST(volume, sources_beside_a_file_are_anchored_and_do_not_lead_out)
{
	static const struct {
		const char *text, *directory, *source, *message;
	} rows[] = {
		{"./a:/b", "/srv/x", "/srv/x/a", NULL},
		{"./a/b.c:/b:ro", "/", "/a/b.c", NULL},
		{".:/b", "/srv/x", "/srv/x", NULL},
		{"/a:/b", "/srv/x", "/a", NULL},
		{"a:/b", "/srv/x", "a", NULL},
		{"./../a:/b", "/srv/x", NULL, "\"..\""},
		{"./a/:/b", "/srv/x", NULL, "a slash at the end"},
	};
	AUTO(arena_drop) struct arena arena = {0};
	struct volume found;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ASSERT_OK(volume_parse(&arena, rows[i].text, &found, &err));
		if (rows[i].message) {
			ASSERT_FAILS(
				volume_anchor(&arena, rows[i].directory, &found, &err), ERROR_USAGE, rows[i].message);
			continue;
		}
		ASSERT_OK(volume_anchor(&arena, rows[i].directory, &found, &err));
		cr_assert_str_eq(found.source, rows[i].source);
	}
}

TEST(volume, only_writable_binds_and_named_ones_need_the_setid_guard)
{
	struct volume volumes[] = {
		{.type = VOLUME_TMPFS}, {.type = VOLUME_BIND, .read_only = true}, {.type = VOLUME_BIND}};

	cr_assert(!volumes_need_setid_guard(volumes, 2));
	cr_assert(volumes_need_setid_guard(volumes, 3));
	volumes[2].type = VOLUME_NAMED;
	cr_assert(volumes_need_setid_guard(volumes, 3));
}

/* --- sources ------------------------------------------------------------------------------------------------------ */

TEST(volume, refuses_the_host_and_our_own_state_by_whatever_name)
{
	static const struct {
		const char *source, *message;
	} rows[] = {
		{"/", "volume on /srv: source: \"/\" is refused: it is"},
		{"/proc", "it is the host's /proc"},
		{"/proc/sys", "it is part of the kernel's proc"},
		{"/proc/self/root", "is refused: it is"},
		{"/sys", "it is the host's /sys"},
		{"/sys/kernel", "it is part of the kernel's sysfs"},
		{"/dev", "it is the host's /dev"},
		{"/dev/null", "it is part of the host's /dev"},
		{"/sys/fs/cgroup", "is refused: it is part of the"},
		{"/run", "it is the host's /run"},
		{"/var", "it holds the state of warren itself"},
		{"/var/tmp", "it holds the state of warren itself"},
	};
	struct place place;
	struct error err;

	NEEDS_ROOT();
	SKIP_UNLESS(!getenv("WARREN_TEST_STORE"), "the store is not below /var");
	place_open(&place);
	auto_free char *store = text_format("%s/store", place.path);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct volume volume = {.source = rows[i].source, .target = "/srv"};
		ASSERT_FAILS(volume_check(&volume, store, &err), ERROR_USAGE, rows[i].message);
	}
	place_drop(&place);
}

TEST(volume, refuses_links_and_files_that_lead_to_our_own_state)
{
	struct place place;
	struct error err;
	char text[256];

	NEEDS_ROOT();
	place_open(&place);
	auto_free char *store = text_format("%s/store", place.path);
	auto_free char *record = place_file(&place, "store/instances/a/spec.json", 0600, "{}");
	auto_free char *link = text_format("%s/link", place.path);
	auto_free char *slash = text_format("%s/slash", place.path);
	cr_assert(symlink("store/instances", link) == 0 && symlink("/", slash) == 0);
	struct volume volume = {.source = link, .target = "/srv"};
	ASSERT_FAILS(volume_check(&volume, store, &err), ERROR_USAGE, "it is part of the state of warren itself");
	volume.source = record;
	ASSERT_FAILS(volume_check(&volume, store, &err), ERROR_USAGE, "it is part of the state of warren itself");
	volume.source = store;
	ASSERT_FAILS(volume_check(&volume, store, &err), ERROR_USAGE, "the state of warren itself");
	volume.source = slash;
	ASSERT_FAILS(volume_check(&volume, store, &err), ERROR_USAGE, "it is the host's /");
	snprintf(text, sizeof(text), "%s/none", place.path);
	volume.source = text;
	ASSERT_FAILS(volume_check(&volume, store, &err), ERROR_MISSING, "does not exist on the host");
	volume.source = "/srv2/warren";
	ASSERT_FAILS(volume_check(&volume, "/srv2/warren/store", &err), ERROR_USAGE, "it holds the state");
	place_drop(&place);
}

/* --- mounts ------------------------------------------------------------------------------------------------------- */

struct volumes {
	struct place place;
	struct inside inside;
	struct root_parts parts;
	char *directory;
};

static void volumes_open(struct volumes *volumes)
{
	struct error err;

	*volumes = (struct volumes){0};
	place_open(&volumes->place);
	inside_open(&volumes->inside);
	place_put(&volumes->place, "data/file", 0644, "content");
	volumes->directory = text_format("%s/data", volumes->place.path);
	struct volume root = {.type = VOLUME_TMPFS, .target = "/root-of-the-test", .mode = 0755};
	ASSERT_OK(volume_mount(
		&volumes->place.session, &root, volumes->inside.userns, ID_BASE, false, &volumes->parts, &err));
}

static void volumes_add(struct volumes *volumes, struct volume volume, bool lock)
{
	struct error err;

	ASSERT_OK(volume_mount(
		&volumes->place.session, &volume, volumes->inside.userns, ID_BASE, lock, &volumes->parts, &err));
}

static void volumes_drop(struct volumes *volumes)
{
	root_parts_drop(&volumes->parts);
	inside_drop(&volumes->inside);
	memory_drop(&volumes->directory);
	place_drop(&volumes->place);
}

static void probe_writable(const void *nothing)
{
	struct stat about;
	struct statvfs flags;
	auto_fd fd = open("/data/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	(void)nothing;
	INSIDE(fd >= 0 && fchown(fd, 33, 33) == 0);
	INSIDE(stat("/data/file", &about) == 0 && about.st_uid == 0);
	INSIDE(statvfs("/data", &flags) == 0 && (flags.f_flag & ST_NOSUID) && (flags.f_flag & ST_NODEV));
}

TEST(volume, a_writable_bind_has_the_ids_of_the_host_inside)
{
	struct volumes volumes;
	struct stat about;

	NEEDS_ROOT();
	volumes_open(&volumes);
	volumes_add(&volumes,
		(struct volume){.type = VOLUME_BIND, .source = volumes.directory, .target = "/data", .idmap = true},
		false);
	inside_run(&volumes.inside, &volumes.parts, probe_writable, NULL);
	auto_free char *new = text_format("%s/new", volumes.directory);
	cr_assert(stat(new, &about) == 0 && about.st_uid == 33, "uid %u", about.st_uid);
	volumes_drop(&volumes);
}

static void probe_unmapped(const void *nothing)
{
	struct stat about;

	(void)nothing;
	INSIDE(stat("/data/file", &about) == 0 && about.st_uid == 65534);
	INSIDE(open("/data/new", O_WRONLY | O_CREAT, 0644) < 0 && errno == EACCES);
}

TEST(volume, without_an_id_map_the_host_s_root_is_nobody_inside)
{
	struct volumes volumes;

	NEEDS_ROOT();
	volumes_open(&volumes);
	volumes_add(
		&volumes, (struct volume){.type = VOLUME_BIND, .source = volumes.directory, .target = "/data"}, false);
	inside_run(&volumes.inside, &volumes.parts, probe_unmapped, NULL);
	volumes_drop(&volumes);
}

static void probe_locked(const void *nothing)
{
	struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};

	(void)nothing;
	INSIDE(strcmp(content_of("/data/file"), "content") == 0 && strcmp(content_of("/one/file"), "content") == 0);
	INSIDE(mount_setattr(AT_FDCWD, "/data", 0, &writable, sizeof(writable)) == 0);
	INSIDE(mount_setattr(AT_FDCWD, "/one/file", 0, &writable, sizeof(writable)) == 0);
	INSIDE(open("/data/new", O_WRONLY | O_CREAT, 0644) < 0 && errno == EROFS);
	INSIDE(unlink("/data/file") < 0 && errno == EROFS);
	INSIDE(open("/data/file", O_WRONLY) < 0 && errno == EROFS);
	INSIDE(open("/one/file", O_WRONLY) < 0 && errno == EROFS);
	INSIDE(chmod("/one/file", 0777) < 0 && errno == EROFS);
}

TEST(volume, a_locked_read_only_one_cannot_be_written_when_its_flag_is_cleared)
{
	struct volumes volumes;

	NEEDS_ROOT();
	volumes_open(&volumes);
	auto_free char *before = host_mounts(&volumes.place);
	auto_free char *file = text_format("%s/file", volumes.directory);
	volumes_add(&volumes,
		(struct volume){.type = VOLUME_BIND,
			.source = volumes.directory,
			.target = "/data",
			.idmap = true,
			.read_only = true},
		true);
	volumes_add(&volumes,
		(struct volume){
			.type = VOLUME_BIND, .source = file, .target = "/one/file", .idmap = true, .read_only = true},
		true);
	cr_assert(volumes.parts.items[2].is_file && !volumes.parts.items[1].is_file);
	inside_run(&volumes.inside, &volumes.parts, probe_locked, NULL);
	auto_free char *after = host_mounts(&volumes.place);
	cr_assert_str_eq(before, after);
	volumes_drop(&volumes);
}

static void probe_tmpfs(const void *nothing)
{
	struct statvfs about;
	struct stat owner;

	(void)nothing;
	INSIDE(statvfs("/scratch", &about) == 0 && about.f_blocks * about.f_frsize == 1 << 20);
	INSIDE((about.f_flag & ST_NOSUID) && (about.f_flag & ST_NODEV));
	INSIDE(stat("/scratch", &owner) == 0 && owner.st_uid == 0 && (owner.st_mode & 07777) == 01750);
	INSIDE(mkdir("/scratch/d", 0755) == 0);
	INSIDE(mount("none", "/scratch", NULL, MS_REMOUNT, "size=1g") < 0 && errno == EPERM);
}

TEST(volume, a_tmpfs_belongs_to_root_inside_and_cannot_be_enlarged)
{
	struct volumes volumes;

	NEEDS_ROOT();
	volumes_open(&volumes);
	volumes_add(&volumes,
		(struct volume){.type = VOLUME_TMPFS, .target = "/scratch", .size_bytes = 1 << 20, .mode = 01750},
		true);
	inside_run(&volumes.inside, &volumes.parts, probe_tmpfs, NULL);
	volumes_drop(&volumes);
}

static void probe_named(const void *nothing)
{
	(void)nothing;
	INSIDE(mkdir("/var/lib/x/kept", 0755) == 0);
}

TEST(volume, a_named_one_is_made_in_the_store_and_kept)
{
	struct volumes volumes;
	struct stat about;

	NEEDS_ROOT();
	volumes_open(&volumes);
	volumes_add(&volumes,
		(struct volume){.type = VOLUME_NAMED, .source = "data-1", .target = "/var/lib/x", .idmap = true},
		false);
	inside_run(&volumes.inside, &volumes.parts, probe_named, NULL);
	cr_assert(fstatat(volumes.place.session.store, "volumes/data-1/kept", &about, 0) == 0 && about.st_uid == 0);
	volumes_drop(&volumes);
}

TEST(volume, a_named_one_belongs_to_whom_the_instance_gave_it)
{
	struct volumes volumes;
	struct error err = {0};

	NEEDS_ROOT();
	volumes_open(&volumes);
	auto_fd parent = dir_create(volumes.place.session.store, "volumes", 0700, &err);
	auto_fd data = dir_create(parent, "data-1", 0755, &err);
	cr_assert(data >= 0 && fchown(data, 33, 33) == 0, "%s", err.text);
	volumes_add(&volumes,
		(struct volume){.type = VOLUME_NAMED, .source = "data-1", .target = "/var/lib/x", .idmap = true},
		false);
	inside_run(&volumes.inside, &volumes.parts, probe_named, NULL);
	volumes_drop(&volumes);
}

TEST(volume, says_which_file_system_cannot_map_ids)
{
	struct volumes volumes;
	struct error err;

	NEEDS_ROOT();
	volumes_open(&volumes);
	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	auto_free char *options = text_format("lowerdir=%s:%s/run", volumes.directory, volumes.place.path);
	auto_free char *merged = text_format("%s/merged", volumes.place.path);
	cr_assert(mkdir(merged, 0755) == 0 && mount("overlay", merged, "overlay", 0, options) == 0);
	struct volume volume = {.type = VOLUME_BIND, .source = merged, .target = "/data", .idmap = true};
	auto_free char *message = text_format("volume on /data: \"%s\": the file system overlay cannot map ids; say "
					      "\"idmap\": false (or ,noidmap) to have it as it is",
		merged);
	ASSERT_FAILS(volume_mount(&volumes.place.session, &volume, volumes.inside.userns, ID_BASE, false,
			     &volumes.parts, &err),
		ERROR_SYSTEM, message);
	volume.idmap = false;
	ASSERT_OK(volume_mount(
		&volumes.place.session, &volume, volumes.inside.userns, ID_BASE, false, &volumes.parts, &err));
	root_parts_drop(&volumes.parts);
	cr_assert(umount2(merged, MNT_DETACH) == 0);
	volumes_drop(&volumes);
}
