#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "support_inside.h"

static void probe_configs(const void *nothing)
{
	struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};
	struct stat about;

	(void)nothing;
	INSIDE(strcmp(content_of("/etc/app.conf"), "one") == 0);
	INSIDE(stat("/etc/app.conf", &about) == 0 && about.st_uid == 33 && about.st_gid == 34);
	INSIDE((about.st_mode & 07777) == 0644);
	INSIDE(stat("/srv/key", &about) == 0 && about.st_uid == 0 && (about.st_mode & 07777) == 0400);
	INSIDE(about.st_size == 10000);
	INSIDE(mount_setattr(AT_FDCWD, "/etc/app.conf", 0, &writable, sizeof(writable)) == 0);
	INSIDE(open("/etc/app.conf", O_WRONLY) < 0 && errno == EROFS);
	INSIDE(chmod("/etc/app.conf", 0666) < 0 && errno == EROFS);
	INSIDE(unlink("/etc/app.conf") < 0);
}

TEST(configs, files_have_owner_and_mode_and_cannot_be_written)
{
	static const char big[10000];
	static const struct config_file files[] = {
		{.target = "/etc/app.conf", .content = "one", .length = 3, .uid = 33, .gid = 34, .mode = 0644},
		{.target = "/run/secrets/key", .content = big, .length = sizeof(big)},
	};
	const struct volume root = {.type = VOLUME_TMPFS, .target = "/root-of-the-test", .mode = 0755};
	struct place place;
	struct inside inside;
	struct root_parts parts = {0};
	struct error err;

	NEEDS_ROOT();
	place_open(&place);
	inside_open(&inside);
	ASSERT_OK(volume_mount(&place.session, &root, inside.userns, ID_BASE, false, &parts, &err));
	ASSERT_OK(configs_mount(&place.session, files, ARRAY_SIZE(files), inside.userns, ID_BASE, &parts, &err));
	cr_assert_eq(parts.count, 3);
	cr_assert(parts.items[1].is_file && parts.items[2].is_file);
	/* The helper puts a tmpfs on /run, so that the second one is attached elsewhere. */
	parts.items[2].target = "/srv/key";
	inside_run(&inside, &parts, probe_configs, NULL);
	root_parts_drop(&parts);
	inside_drop(&inside);
	place_drop(&place);
}

TEST(configs, refuses_targets_and_owners_that_cannot_be)
{
	static const struct {
		struct config_file file;
		const char *message;
	} rows[] = {
		{{.target = "etc/x", .content = ""}, "config target"},
		{{.target = "/etc/../x", .content = ""}, "config target"},
		{{.target = "/", .content = ""}, "config target: \"/\" is the instance's root itself"},
		{{.target = "/x", .content = "", .uid = 65536}, "config /x: owner 65536:0 is outside of 0 to 65535"},
		{{.target = "/x", .content = "", .gid = 4294967295}, "is outside of 0 to 65535"},
	};
	struct place place;
	struct inside inside;
	struct root_parts parts = {0};
	struct error err;

	NEEDS_ROOT();
	place_open(&place);
	inside_open(&inside);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ASSERT_FAILS(configs_mount(&place.session, &rows[i].file, 1, inside.userns, ID_BASE, &parts, &err),
			ERROR_USAGE, rows[i].message);
	ASSERT_OK(configs_mount(&place.session, NULL, 0, inside.userns, ID_BASE, &parts, &err));
	cr_assert_eq(parts.count, 0);
	inside_drop(&inside);
	place_drop(&place);
}
