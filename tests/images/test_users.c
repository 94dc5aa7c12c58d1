#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "support_inside.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n"
			     "www-data:x:33:34:www-data:/var/www:/usr/sbin/nologin\n"
			     "1000:x:0:0::/:/bin/sh\n"
			     "1e3:x:0:0::/:/bin/sh\n"
			     "-1:x:0:0::/:/bin/sh\n"
			     "big:x:4294967296:0::/:/bin/sh\n"
			     "minus:x:4294967295:0::/:/bin/sh\n"
			     "short:x:5\n"
			     "dots:x:6:6::/../..:/bin/sh\n"
			     "relative:x:7:7::home:/bin/sh\n";
static const char group[] = "root:x:0:\nadm:x:4:other,www-data\nstaff:x:50:www-data\nstaff2:x:50:www-data\n"
			    "33:x:0:\nbad:x:-1:www-data\nnot:x:60:www-data2\n";

struct files {
	struct place place;
	struct arena arena;
};

static void files_open(struct files *files)
{
	*files = (struct files){0};
	place_open(&files->place);
	place_put(&files->place, "etc/passwd", 0644, passwd);
	place_put(&files->place, "etc/group", 0644, group);
}

static void files_drop(struct files *files)
{
	arena_drop(&files->arena);
	place_drop(&files->place);
}

TEST(users, finds_ids_groups_and_home)
{
	static const struct {
		const char *user;
		uid_t uid;
		gid_t gid;
		size_t groups;
		const char *home;
	} rows[] = {
		{NULL, 0, 0, 0, "/root"},
		{"", 0, 0, 0, "/root"},
		{"root", 0, 0, 0, "/root"},
		{"www-data", 33, 34, 2, "/var/www"},
		{"www-data:adm", 33, 4, 2, "/var/www"},
		{"www-data:0", 33, 0, 2, "/var/www"},
		{"33", 33, 0, 0, "/"},
		{"1000", 1000, 0, 0, "/"},
		{"1000:33", 1000, 33, 0, "/"},
		{"0:5", 0, 5, 0, "/"},
		{"4294967294", 4294967294, 0, 0, "/"},
		{"dots", 6, 6, 0, "/"},
		{"relative", 7, 7, 0, "/"},
	};
	struct files files;
	struct image_user found;
	struct error err;

	files_open(&files);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ASSERT_OK(image_user_find(&files.arena, files.place.dir, rows[i].user, &found, &err));
		cr_assert(found.uid == rows[i].uid && found.gid == rows[i].gid && found.group_count == rows[i].groups,
			"%s: %u:%u, %zu groups", rows[i].user, found.uid, found.gid, found.group_count);
		cr_assert_str_eq(found.home, rows[i].home);
	}
	files_drop(&files);
}

TEST(users, refuses_what_only_looks_like_a_number)
{
	static const char *const users[] = {"-1", "4294967295", "4294967296", "99999999999999999999", "1e3", "0x1",
		" 1", "+1", "01", "1 ", "1:", ":1", "1:-1", "1:4294967296", "1:1:1", "root:", "a/b", "..", "root\n",
		"www-data:1e3"};
	struct files files;
	struct image_user found;
	struct error err;

	files_open(&files);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		err = (struct error){0};
		cr_assert(image_user_find(&files.arena, files.place.dir, users[i], &found, &err) < 0,
			"\"%s\" gave %u:%u", users[i], found.uid, found.gid);
		cr_assert_eq(err.kind, ERROR_USAGE, "%s: %s", users[i], err.text);
	}
	files_drop(&files);
}

TEST(users, says_who_is_missing)
{
	struct files files;
	struct image_user found;
	struct error err;

	files_open(&files);
	ASSERT_FAILS(image_user_find(&files.arena, files.place.dir, "nobody-here", &found, &err), ERROR_MISSING,
		"user \"nobody-here\": not in /etc/passwd of the instance");
	ASSERT_FAILS(image_user_find(&files.arena, files.place.dir, "root:wheel", &found, &err), ERROR_MISSING,
		"group \"wheel\": not in /etc/group of the instance");
	/* Ids out of range in the file are as if the line were not there. */
	ASSERT_FAILS(
		image_user_find(&files.arena, files.place.dir, "big", &found, &err), ERROR_MISSING, "user \"big\"");
	ASSERT_FAILS(
		image_user_find(&files.arena, files.place.dir, "minus", &found, &err), ERROR_MISSING, "user \"minus\"");
	ASSERT_FAILS(
		image_user_find(&files.arena, files.place.dir, "short", &found, &err), ERROR_MISSING, "user \"short\"");
	files_drop(&files);
}

/* Replaces /etc/passwd of the files by what make() makes. */
static void hostile_passwd(struct files *files, char path[256])
{
	snprintf(path, 256, "%s/etc/passwd", files->place.path);
	cr_assert(unlink(path) == 0);
}

TEST(users, a_fifo_a_device_a_directory_or_a_huge_file_ends_at_once)
{
	struct files files;
	struct image_user found;
	struct error err;
	char path[256];

	NEEDS_ROOT();
	files_open(&files);
	hostile_passwd(&files, path);
	cr_assert(mkfifo(path, 0644) == 0);
	ASSERT_FAILS(image_user_find(&files.arena, files.place.dir, "root", &found, &err), ERROR_SYSTEM,
		"/etc/passwd of the instance is not a regular file");
	ASSERT_OK(image_user_find(&files.arena, files.place.dir, "1000", &found, &err));
	ASSERT_OK(image_user_find(&files.arena, files.place.dir, NULL, &found, &err));
	cr_assert_str_eq(found.home, "/");
	hostile_passwd(&files, path);
	cr_assert(mknod(path, S_IFCHR | 0644, makedev(1, 5)) == 0);
	ASSERT_FAILS(
		image_user_find(&files.arena, files.place.dir, "root", &found, &err), ERROR_SYSTEM, "regular file");
	hostile_passwd(&files, path);
	cr_assert(mkdir(path, 0755) == 0);
	ASSERT_FAILS(
		image_user_find(&files.arena, files.place.dir, "root", &found, &err), ERROR_SYSTEM, "regular file");
	cr_assert(rmdir(path) == 0);
	auto_free char *huge = place_file(&files.place, "etc/passwd", 0644, "");
	cr_assert(truncate(huge, 2LL << 30) == 0);
	ASSERT_FAILS(image_user_find(&files.arena, files.place.dir, "root", &found, &err), ERROR_USAGE, "larger than");
	files_drop(&files);
}

TEST(users, a_link_in_the_instance_stays_inside)
{
	struct files files;
	struct image_user found;
	struct error err;
	char path[256];

	files_open(&files);
	hostile_passwd(&files, path);
	/* On the host this exists; in the instance it does not. */
	cr_assert(symlink("/etc/debian_version/../passwd", path) == 0);
	ASSERT_FAILS(image_user_find(&files.arena, files.place.dir, "root", &found, &err), ERROR_MISSING,
		"open /etc/passwd");
	cr_assert(unlink(path) == 0 && symlink("../../../../../../etc/shadow", path) == 0);
	ASSERT_FAILS(image_user_find(&files.arena, files.place.dir, "root", &found, &err), ERROR_MISSING,
		"open /etc/passwd");
	files_drop(&files);
}

TEST(users, lines_that_are_too_long_are_passed_over)
{
	struct files files;
	struct image_user found;
	struct error err;
	struct text text = {0};

	files_open(&files);
	text_append(&text, "long:x:1:1:");
	for (int i = 0; i < 5000; i++)
		text_append(&text, "x");
	text_append(&text, ":/:/bin/sh\nafter:x:2:2::/home/after:/bin/sh");
	place_put(&files.place, "etc/passwd", 0644, text_string(&text));
	ASSERT_FAILS(
		image_user_find(&files.arena, files.place.dir, "long", &found, &err), ERROR_MISSING, "user \"long\"");
	ASSERT_OK(image_user_find(&files.arena, files.place.dir, "after", &found, &err));
	cr_assert(found.uid == 2);
	cr_assert_str_eq(found.home, "/home/after");
	text_drop(&text);
	files_drop(&files);
}
