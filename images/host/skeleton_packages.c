/* The parts of the host image that follow from the installed packages: configuration files that are still the package's
 * own, the links between them (sites-enabled, alternatives, certificates), and the directories below /etc and /var. */
#include "images/host/skeleton.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "images/files/checksum.h"
#include "images/files/everybody.h"
#include "images/host/dpkg.h"
#include "images/overlay/tree.h"

#define CONFFILE_MAX (1 << 20)
#define ENTRIES_MAX 8192
#define LINK_ROUNDS 4 /* a link may lead to a link that is taken only in a later round */

/* --- configuration files ------------------------------------------------------------------------------------------ */

/* An edited file may hold secrets. One that is the package's to the last byte is known to all the world. */
static int conffile_take(struct skeleton *skeleton, const struct conffile *conffile, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	char md5[MD5_TEXT_SIZE];
	const char *content;
	size_t length;
	mode_t mode;

	if (!path_is_under(conffile->path, "/etc") || etc_is_private(conffile->path))
		return 0;
	if (!everybody_read(&arena, skeleton->host, conffile->path, CONFFILE_MAX, &content, &length, &mode))
		return 0;
	md5_text(content, length, md5);
	if (strcmp(md5, conffile->md5) != 0)
		return 0;
	path_set_add(skeleton->arena, &skeleton->taken, conffile->path);
	return tree_file(skeleton->root, conffile->path, mode, content, length, err);
}

int skeleton_conffiles(struct skeleton *skeleton, struct error *err)
{
	struct conffiles conffiles;

	if (dpkg_conffiles(skeleton->arena, skeleton->host, &conffiles, err) < 0)
		return -1;
	for (size_t i = 0; i < conffiles.count; i++)
		if (conffile_take(skeleton, &conffiles.items[i], err) < 0)
			return -1;
	return 0;
}

/* --- directories -------------------------------------------------------------------------------------------------- */

/* What the host has at path, without following a last link. O_PATH asks for no permission on the directory itself, so
 * that the mode of a protected one (/var/lib/private) is known too; nothing in it is looked at. */
static bool host_stat(const struct skeleton *skeleton, const char *path, struct stat *about)
{
	auto_fd fd = path_try_open(skeleton->host, path, O_PATH | O_NOFOLLOW, 0);

	return fd >= 0 && fstat(fd, about) == 0;
}

static int directory_take(struct skeleton *skeleton, const char *path, struct error *err)
{
	struct stat about;

	if (!host_stat(skeleton, path, &about) || !S_ISDIR(about.st_mode))
		return 0;
	path_set_add(skeleton->arena, &skeleton->taken, path);
	return tree_directory(skeleton->root, path, about.st_mode & 03777,
		accounts_user(&skeleton->accounts, about.st_uid), accounts_group(&skeleton->accounts, about.st_gid),
		err);
}

/* --- links of /etc ------------------------------------------------------------------------------------------------ */

struct link {
	const char *path, *target, *resolved;
};
struct link_list {
	struct link *items;
	size_t count;
};

/* The target as an absolute path, by its text alone: "." and ".." are taken out, links are not looked at. NULL when it
 * climbs above the root or is too long. */
static const char *target_resolve(struct arena *arena, const char *directory, const char *target)
{
	const char *joined = *target == '/' ? target : arena_format(arena, "%s/%s", directory, target);
	struct strings parts = strings_split(arena, joined, '/'), kept = {0};
	AUTO(text_drop) struct text text = {0};

	for (size_t i = 0; i < parts.count; i++) {
		if (!*parts.items[i] || text_equal(parts.items[i], "."))
			continue;
		if (!text_equal(parts.items[i], ".."))
			strings_add(arena, &kept, parts.items[i]);
		else if (kept.count-- == 0)
			return NULL;
	}
	for (size_t i = 0; i < kept.count; i++)
		text_appendf(&text, "/%s", kept.items[i]);
	return text.length < PATH_MAX ? arena_string(arena, text_string(&text)) : NULL;
}

static void link_collect(
	struct skeleton *skeleton, int dir, const char *directory, const char *name, struct link_list *out)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(dir, name, target, sizeof(target) - 1);
	struct link *link = &out->items[out->count];

	if (length <= 0 || out->count == ENTRIES_MAX)
		return;
	target[length] = '\0';
	link->path = arena_format(skeleton->arena, "%s/%s", directory, name);
	link->target = arena_string(skeleton->arena, target);
	link->resolved = target_resolve(skeleton->arena, directory, target);
	if (link->resolved && !etc_is_private(link->path))
		out->count++;
}

static int links_of_directory(
	struct skeleton *skeleton, const char *directory, struct link_list *out, struct error *err)
{
	struct strings names = {0};
	auto_fd dir = everybody_open(skeleton->host, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

	if (dir < 0)
		return 0;
	if (dir_list(skeleton->arena, dir, ENTRIES_MAX, &names, err) < 0)
		return blame(err, "list %s", directory);
	for (size_t i = 0; i < names.count; i++)
		link_collect(skeleton, dir, directory, names.items[i], out);
	return 0;
}

/* A link is taken when what it names is in the image: a taken path, or the visible part of /usr. */
static bool link_leads_inside(const struct skeleton *skeleton, const struct link *link)
{
	if (path_is_under(link->resolved, "/usr"))
		return !path_is_under(link->resolved, "/usr/local") && !path_is_under(link->resolved, "/usr/src");
	return path_set_has(skeleton->taken, link->resolved);
}

static int links_take(struct skeleton *skeleton, const struct link_list *links, struct error *err)
{
	for (int round = 0; round < LINK_ROUNDS; round++)
		for (size_t i = 0; i < links->count; i++) {
			const struct link *link = &links->items[i];

			if (path_set_has(skeleton->taken, link->path) || !link_leads_inside(skeleton, link))
				continue;
			path_set_add(skeleton->arena, &skeleton->taken, link->path);
			if (tree_link(skeleton->root, link->path, link->target, err) < 0)
				return -1;
		}
	return 0;
}

/* Directories first: they may be what a link leads to. Services that the host's systemd starts are not our business. */
int skeleton_etc_tree(struct skeleton *skeleton, struct error *err)
{
	struct link_list links = {.items = arena_new_array(skeleton->arena, ENTRIES_MAX + 1, struct link)};

	if (links_of_directory(skeleton, "/etc", &links, err) < 0)
		return -1;
	for (size_t i = 0; i < skeleton->paths.count; i++) {
		const char *path = skeleton->paths.items[i];

		if (!path_is_under(path, "/etc") || etc_is_private(path))
			continue;
		if (directory_take(skeleton, path, err) < 0)
			return -1;
		if (!path_is_under(path, "/etc/systemd") && links_of_directory(skeleton, path, &links, err) < 0)
			return -1;
	}
	return links_take(skeleton, &links, err);
}

/* --- /var --------------------------------------------------------------------------------------------------------- */

/* Made by layout() as links or with a fixed mode. */
static bool var_is_fixed(const char *path)
{
	return path_is_under(path, "/var/run") || path_is_under(path, "/var/lock") || path_is_under(path, "/var/tmp");
}

/* Set-up scripts make directories that no list names, nearly always by the name that the package has in /etc. */
static int var_directories_of(struct skeleton *skeleton, const char *name, struct error *err)
{
	static const char *const places[] = {"lib", "log", "cache", "spool"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (directory_take(skeleton, arena_format(skeleton->arena, "/var/%s/%s", places[i], name), err) < 0)
			return -1;
	return 0;
}

int skeleton_var_tree(struct skeleton *skeleton, struct error *err)
{
	for (size_t i = 0; i < skeleton->paths.count; i++) {
		const char *path = skeleton->paths.items[i];

		if (path_is_under(path, "/var") && !var_is_fixed(path) && directory_take(skeleton, path, err) < 0)
			return -1;
		if (path_is_under(path, "/etc") && !strchr(path + strlen("/etc/"), '/') &&
			var_directories_of(skeleton, path_base(path), err) < 0)
			return -1;
	}
	return 0;
}
