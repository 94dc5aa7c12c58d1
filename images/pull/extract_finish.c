/* After an archive's last entry: the times of directories, which every file made in them changed; and which directories
 * no entry has named. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "images/pull/content.h"
#include "images/pull/extract.h"

/* A directory that was replaced since is passed over. */
static void directory_time_set(const struct extract *extract, const struct extract_directory *directory)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	struct timespec times[2] = {directory->mtime, directory->mtime};
	auto_fd fd = path_openat2(extract->root, *directory->path ? directory->path : ".", &how);

	if (fd >= 0 && futimens(fd, times) < 0)
		return;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_directories(const void *a, const void *b)
{
	return strcmp(((const struct extract_directory *)a)->path, ((const struct extract_directory *)b)->path);
}

static bool is_named(const struct extract *extract, const char *path)
{
	struct extract_directory key = {.path = path};

	return extract->directory_count &&
	       bsearch(&key, extract->directories, extract->directory_count, sizeof(key), compare_directories);
}

/* Parents sort before what is in them. Named once they are complete, whatever came first. */
static void implied_settle(struct extract *extract)
{
	struct strings *list = &extract->implied;
	size_t kept = 0;

	if (extract->base)
		list->count = 0;
	if (!list->count)
		return;
	if (extract->directory_count)
		qsort(extract->directories, extract->directory_count, sizeof(*extract->directories),
			compare_directories);
	qsort(list->items, list->count, sizeof(*list->items), compare_paths);
	for (size_t i = 0; i < list->count; i++)
		if (!is_named(extract, list->items[i]) && (!kept || strcmp(list->items[kept - 1], list->items[i])))
			list->items[kept++] = list->items[i];
	list->count = kept;
}

int extract_finish(struct extract *extract, struct error *err)
{
	extract_parent_forget(extract);
	for (size_t i = 0; i < extract->directory_count; i++)
		directory_time_set(extract, &extract->directories[i]);
	implied_settle(extract);
	return extract->recount ? content_measure(extract->root, &extract->content, err) : 0;
}
