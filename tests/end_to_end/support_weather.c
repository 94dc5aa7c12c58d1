#include "tests/end_to_end/support_weather.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define SHORT_MEMORY "12582912"

/* A file takes all the room that is left of the state directory's disk, or goes. */
static void disk_change(const struct playground *here, bool is_full)
{
	auto_free char *path = text_format("%s/filler", here->root);
	auto_fd file = is_full ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
	struct statvfs about;

	if (!is_full)
		unlink(path);
	else if (file >= 0 && fstatvfs(file, &about) == 0 && about.f_bavail)
		(void)!posix_fallocate(file, 0, (off_t)(about.f_bavail * about.f_frsize));
}

/* Of all instances and their monitors together, by whichever version. The kernel may refuse what it cannot reclaim. */
static void memory_change(const struct playground *here, bool is_short)
{
	auto_free char *v1 = text_format("/sys/fs/cgroup/memory/%s/memory.limit_in_bytes", here->parent),
		       *v2 = text_format("/sys/fs/cgroup/%s/memory.max", here->parent);
	auto_fd limit = open(v1, O_WRONLY | O_CLOEXEC), max = open(v2, O_WRONLY | O_CLOEXEC);

	if (limit >= 0)
		dprintf(limit, "%s", is_short ? SHORT_MEMORY : "-1");
	if (max >= 0)
		dprintf(max, "%s", is_short ? SHORT_MEMORY : "max");
}

void weather_change(const struct playground *here, const struct weather *weather, unsigned tick)
{
	if (weather->has_small_disk)
		disk_change(here, tick % 5 > 2);
	if (weather->has_little_memory)
		memory_change(here, tick % 7 > 4);
}
