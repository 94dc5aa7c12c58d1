/* Which ids a user named by the fleet file or a command has inside an instance.
 *
 * /etc/passwd and /etc/group are the instance's and may be anything: a link out of the root, a FIFO, a device,
 * gigabytes of one line. They are opened inside the root without blocking, only as regular files, and read up to a
 * bound. A number is a number and is never looked up as a name, or an image could call uid 0 "1000". */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "images/images.h"

#define DATABASE_MAX (1 << 20)
#define LINE_BYTES_MAX 4096
#define ID_MAX 4294967294 /* (uid_t)-1 means "unchanged" to the kernel */
#define NAME_BYTES_MAX 64

/* --- the files ---------------------------------------------------------------------------------------------------- */

static int database_read(struct arena *arena, int root, const char *path, const char **content, struct error *err)
{
	struct stat about;
	auto_fd fd = path_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, err);

	if (fd < 0)
		return -1;
	if (fstat(fd, &about) < 0)
		return fail_errno(err, "stat %s", path);
	if (!S_ISREG(about.st_mode))
		return fail(err, ERROR_SYSTEM, "%s of the instance is not a regular file", path);
	if (fd_read_all(arena, fd, DATABASE_MAX, content, NULL, err) < 0)
		return blame(err, "%s of the instance", path);
	return 0;
}

/* The next line as fields; lines that are too long are passed over. */
static bool entry_next(struct arena *arena, const char **rest, struct strings *fields)
{
	while (**rest) {
		size_t length = strcspn(*rest, "\n");
		const char *line = *rest;

		*rest += length + (line[length] == '\n');
		if (length == 0 || length > LINE_BYTES_MAX)
			continue;
		*fields = strings_split(arena, arena_bytes(arena, line, length), ':');
		return true;
	}
	return false;
}

static bool id_read(const char *text, uint32_t *id)
{
	struct error ignored;
	int64_t value;

	if (number_parse(text, 0, ID_MAX, &value, &ignored) < 0)
		return false;
	*id = (uint32_t)value;
	return true;
}

/* passwd(5): name:password:uid:gid:comment:home:shell */
static bool passwd_find(struct arena *arena, const char *content, const char *name, struct image_user *out)
{
	struct strings fields;

	while (entry_next(arena, &content, &fields)) {
		if (fields.count < 6 || !text_equal(fields.items[0], name))
			continue;
		if (!id_read(fields.items[2], &out->uid) || !id_read(fields.items[3], &out->gid))
			continue;
		out->home = fields.items[5];
		return true;
	}
	return false;
}

/* group(5): name:password:gid:member,member */
static bool group_find(struct arena *arena, const char *content, const char *name, gid_t *gid)
{
	struct strings fields;

	while (entry_next(arena, &content, &fields))
		if (fields.count >= 3 && text_equal(fields.items[0], name) && id_read(fields.items[2], gid))
			return true;
	return false;
}

static void group_add(struct image_user *user, gid_t gid)
{
	for (size_t i = 0; i < user->group_count; i++)
		if (user->groups[i] == gid)
			return;
	if (user->group_count < ARRAY_SIZE(user->groups))
		user->groups[user->group_count++] = gid;
}

static void groups_of_member(struct arena *arena, const char *content, const char *name, struct image_user *user)
{
	struct strings fields;
	gid_t gid;

	while (entry_next(arena, &content, &fields)) {
		struct strings members;

		if (fields.count < 4 || !id_read(fields.items[2], &gid))
			continue;
		members = strings_split(arena, fields.items[3], ',');
		if (strings_contain(&members, name))
			group_add(user, gid);
	}
}

/* --- what the user wrote ------------------------------------------------------------------------------------------ */

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* Whatever looks like a number gone wrong ("-1", "1e3", " 1", "0x1") must not be looked up in the instance's files. */
static int user_name_check(const char *what, const char *name, struct error *err)
{
	if (line_check(what, name, err) < 0)
		return -1;
	if (*name == '\0' || strlen(name) > NAME_BYTES_MAX || strchr("0123456789+-. \t", *name) ||
		strpbrk(name, "/, \t"))
		return fail(err, ERROR_USAGE, "%s \"%s\": neither a name nor a number from 0 to %lld", what, name,
			(long long)ID_MAX);
	return 0;
}

static int id_parse(const char *what, const char *text, uint32_t *id, struct error *err)
{
	int64_t value;

	if (number_parse(text, 0, ID_MAX, &value, err) < 0)
		return blame(err, "%s \"%s\"", what, text);
	*id = (uint32_t)value;
	return 0;
}

/* Home directories become an environment variable and a path: clean and absolute, or none. */
static const char *home_or_root(const char *home)
{
	struct error ignored;

	return home && path_check_absolute("home", home, &ignored) == 0 ? home : "/";
}

static int user_by_name(struct arena *arena, int root, const char *name, struct image_user *out, struct error *err)
{
	const char *passwd, *group;
	struct error ignored;

	if (user_name_check("user", name, err) < 0)
		return -1;
	if (database_read(arena, root, "/etc/passwd", &passwd, err) < 0)
		return blame(err, "user \"%s\"", name);
	if (!passwd_find(arena, passwd, name, out))
		return fail(err, ERROR_MISSING, "user \"%s\": not in /etc/passwd of the instance", name);
	if (database_read(arena, root, "/etc/group", &group, &ignored) == 0)
		groups_of_member(arena, group, name, out);
	return 0;
}

static int group_by_name(struct arena *arena, int root, const char *name, gid_t *gid, struct error *err)
{
	const char *group;

	if (user_name_check("group", name, err) < 0)
		return -1;
	if (database_read(arena, root, "/etc/group", &group, err) < 0)
		return blame(err, "group \"%s\"", name);
	if (!group_find(arena, group, name, gid))
		return fail(err, ERROR_MISSING, "group \"%s\": not in /etc/group of the instance", name);
	return 0;
}

/* Nobody named: root, whatever the instance's files say root is; only the home directory is asked for. */
static void user_default(struct arena *arena, int root, struct image_user *out)
{
	struct image_user named = {0};
	const char *passwd;
	struct error ignored;

	if (database_read(arena, root, "/etc/passwd", &passwd, &ignored) == 0 &&
		passwd_find(arena, passwd, "root", &named))
		out->home = named.home;
}

static int user_part(struct arena *arena, int root, const char *user, struct image_user *out, struct error *err)
{
	return is_number(user) ? id_parse("user", user, &out->uid, err) : user_by_name(arena, root, user, out, err);
}

static int group_part(struct arena *arena, int root, const char *group, struct image_user *out, struct error *err)
{
	return is_number(group) ? id_parse("group", group, &out->gid, err)
				: group_by_name(arena, root, group, &out->gid, err);
}

int image_user_find(struct arena *arena, int root, const char *user, struct image_user *out, struct error *err)
{
	const char *colon;

	*out = (struct image_user){0};
	if (text_is_empty(user)) {
		user_default(arena, root, out);
		out->home = home_or_root(out->home);
		return 0;
	}
	colon = strchr(user, ':');
	if (user_part(arena, root, colon ? arena_bytes(arena, user, (size_t)(colon - user)) : user, out, err) < 0)
		return -1;
	if (colon && group_part(arena, root, colon + 1, out, err) < 0)
		return -1;
	out->home = home_or_root(out->home);
	return 0;
}
