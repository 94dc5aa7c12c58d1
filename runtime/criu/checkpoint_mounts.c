/* Which mounts of a container are of the host.
 *
 * Those that config.json binds, with everything below them; and of the rest those that show a part of a file system
 * whose whole the container has nowhere: device nodes of the host, the null device that covers a file. CRIU could make
 * neither anew. All else (proc and read-only parts of it, tmpfs, devpts and the console in it, mqueue, cgroups) is the
 * container's and goes into the images.
 *
 * The name that a mount gets in the images is its destination in config.json, by which the restore finds it again;
 * where links of the image lead to it is another matter, and asked of the container's own mount table. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/text.h"
#include "runtime/criu/checkpoint.h"
#include "runtime/mounts/mount_table.h"

struct survey {
	struct arena *arena;
	const struct spec *spec;
	struct mount_table table;
	const char **points; /* where each of the spec's mounts is; NULL: gone */
};

static const char *point_of(const struct mount_table *table, uint64_t id)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->items[i].id == id)
			return table->items[i].point;
	return NULL;
}

static const char *point_find(const struct survey *survey, int root, const char *destination)
{
	auto_fd place = path_try_open(root, destination, O_PATH, 0);
	struct statx status;

	if (place < 0 || statx(place, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) < 0)
		return NULL;
	return point_of(&survey->table, status.stx_mnt_id);
}

static int survey_make(int proc, struct survey *survey, struct error *err)
{
	size_t count = survey->spec->mounts.count;
	auto_fd root = openat(proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return fail_errno(err, "open the container's root");
	if (mount_table_read(survey->arena, proc, &survey->table, err) < 0)
		return -1;
	survey->points = arena_new_array(survey->arena, count, const char *);
	for (size_t i = 0; i < count; i++)
		survey->points[i] = point_find(survey, root, survey->spec->mounts.items[i].destination);
	return 0;
}

/* The bind of config.json that the mount is, or lies below; -1: none. */
static ssize_t bind_covering(const struct survey *survey, const char *point)
{
	ssize_t best = -1;

	for (size_t i = 0; i < survey->spec->mounts.count; i++) {
		const char *of = survey->points[i];

		if (of && of[1] && path_is_under(point, of) && (best < 0 || strlen(of) >= strlen(survey->points[best])))
			best = (ssize_t)i;
	}
	return best >= 0 && survey->spec->mounts.items[best].bind ? best : -1;
}

static bool has_whole(const struct survey *survey, const char *device)
{
	for (size_t i = 0; i < survey->table.count; i++) {
		const struct mountinfo *mount = &survey->table.items[i];

		if (text_equal(mount->device, device) && text_equal(mount->root, "/") &&
			bind_covering(survey, mount->point) < 0)
			return true;
	}
	return false;
}

/* Its name in the images; NULL: the container's own. */
static const char *external_name(const struct survey *survey, const struct mountinfo *mount)
{
	ssize_t bind = bind_covering(survey, mount->point);

	if (!mount->point[1])
		return NULL;
	if (bind >= 0)
		return arena_format(survey->arena, "%s%s", survey->spec->mounts.items[bind].destination,
			mount->point + strlen(survey->points[bind]));
	/* A cgroup namespace makes the container's cgroup look like a part of the host's tree. */
	if (text_starts_with(mount->type, "cgroup") || has_whole(survey, mount->device))
		return NULL;
	return mount->point;
}

int checkpoint_mounts_add(
	struct arena *arena, int proc, const struct spec *spec, struct strings *external, struct error *err)
{
	struct survey survey = {.arena = arena, .spec = spec};

	if (survey_make(proc, &survey, err) < 0)
		return -1;
	for (size_t i = 0; i < survey.table.count; i++) {
		const char *name = external_name(&survey, &survey.table.items[i]);

		if (name)
			strings_add(
				arena, external, arena_format(arena, "mnt[%s]:%s", survey.table.items[i].point, name));
	}
	return 0;
}
