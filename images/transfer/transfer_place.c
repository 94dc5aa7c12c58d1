/* Paths of `warren cp` become descriptors: see transfer.h. The user's own paths mean what they mean to every program;
 * those of an instance are resolved by the kernel inside its root, whatever links it has put there. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "images/transfer.h"

#define LINKS_MAX 40 /* as the kernel has it */

void transfer_place_drop(struct transfer_place *place)
{
	fd_drop(&place->dir);
}

static int directory_try(const struct transfer_side *side, const char *path)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

	return side->root < 0 ? open(path, flags) : path_try_open(side->root, path, flags, 0);
}

static int path_fail(const struct transfer_side *side, const char *path, struct error *err)
{
	enum error_kind kind = errno == ENOENT || errno == ENOTDIR ? ERROR_MISSING : ERROR_SYSTEM;

	(void)fail_errno(err, "%s%.300s", side->root < 0 ? "" : "in the instance: ", path);
	err->kind = kind;
	return -1;
}

/* "a/b/" → "a", "b"; a last part that is no name ("", ".", "..") → NULL. */
static const char *path_split(struct arena *arena, const char *path, const char **parent, bool *slash)
{
	size_t length = strlen(path), start;
	const char *name;

	*slash = length && path[length - 1] == '/';
	while (length && path[length - 1] == '/')
		length--;
	for (start = length; start && path[start - 1] != '/';)
		start--;
	name = arena_bytes(arena, path + start, length - start);
	*parent = start ? arena_bytes(arena, path, start) : ".";
	return *name && strcmp(name, ".") && strcmp(name, "..") ? name : NULL;
}

static int whole_open(const struct transfer_side *side, const char *path, struct transfer_place *out, struct error *err)
{
	*out = (struct transfer_place){.side = side, .dir = directory_try(side, path)};
	return out->dir < 0 ? path_fail(side, path, err) : 0;
}

/* One link further: 1 and where it leads, 0 it is no link. Each part of the way is resolved by the kernel, in the
 * instance within its root. */
static int link_step(const struct transfer_side *side, const char **path, struct arena *arena, struct error *err)
{
	AUTO(transfer_place_drop) struct transfer_place place = {.dir = -1};
	const char *parent, *name;
	char target[PATH_MAX];
	ssize_t length;
	bool slash;

	name = path_split(arena, *path, &parent, &slash);
	if (!name)
		return 0;
	if (whole_open(side, parent, &place, err) < 0)
		return -1;
	length = readlinkat(place.dir, name, target, sizeof(target) - 1);
	if (length < 0)
		return errno == EINVAL ? 0 : path_fail(side, *path, err);
	target[length] = '\0';
	*path = arena_format(
		arena, "%s%s%s%s", *target == '/' ? "" : parent, *target == '/' ? "" : "/", target, slash ? "/" : "");
	return 1;
}

static int links_follow(const struct transfer_side *side, const char **path, struct arena *arena, struct error *err)
{
	const char *asked = *path;

	for (int links = 0; links < LINKS_MAX; links++) {
		int more = link_step(side, path, arena, err);

		if (more <= 0)
			return more;
	}
	errno = ELOOP;
	return path_fail(side, asked, err);
}

static int source_find(const struct transfer_side *side, const char *path, struct arena *arena,
	struct transfer_place *out, struct error *err)
{
	const char *parent, *name;
	struct stat about;
	bool slash;

	name = path_split(arena, path, &parent, &slash);
	if (!name)
		return whole_open(side, path, out, err);
	if (whole_open(side, parent, out, err) < 0)
		return -1;
	out->name = name;
	out->wants_directory = slash;
	if (fstatat(out->dir, name, &about, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	(void)path_fail(side, path, err);
	transfer_place_drop(out);
	return -1;
}

int transfer_source_open(const struct transfer_side *side, const char *path, bool follow, struct arena *arena,
	struct transfer_place *out, struct error *err)
{
	const char *parent, *as;
	bool slash;

	as = path_split(arena, path, &parent, &slash);
	if (follow && links_follow(side, &path, arena, err) < 0)
		return -1;
	if (source_find(side, path, arena, out, err) < 0)
		return -1;
	out->as = as;
	return 0;
}

int transfer_target_open(const struct transfer_side *side, const char *path, struct arena *arena,
	struct transfer_place *out, struct error *err)
{
	const char *parent, *name;
	bool slash;

	*out = (struct transfer_place){.side = side, .dir = directory_try(side, path)};
	if (out->dir >= 0)
		return 0;
	name = path_split(arena, path, &parent, &slash);
	if (!name || (errno != ENOENT && errno != ENOTDIR))
		return path_fail(side, path, err);
	if (whole_open(side, parent, out, err) < 0)
		return -1;
	out->name = name;
	out->wants_directory = slash;
	return 0;
}
