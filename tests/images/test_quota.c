/* What an instance may write: limits by the file system's project quotas, seen from inside. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "images/overlay/quota.h"
#include "images/overlay/upper.h"
#include "support_inside.h"

#define MIB (INT64_C(1) << 20)
#define NEEDS_QUOTA "needs a file system with project quotas"

struct limited {
	struct place place;
	struct inside inside;
	struct root_request request;
	int dir;
};

static void limited_open(struct limited *limited)
{
	struct error err;

	*limited = (struct limited){.dir = -1};
	place_open_with_host(&limited->place);
	inside_open(&limited->inside);
	limited->dir = place_instance(&limited->place, "one");
	limited->request = (struct root_request){
		.image = IMAGE_HOST, .instance = limited->dir, .userns = limited->inside.userns, .id_base = ID_BASE};
	ASSERT_OK(root_create(&limited->place.session, &limited->request, &err));
}

static void limited_drop(struct limited *limited)
{
	inside_drop(&limited->inside);
	fd_drop(&limited->dir);
	place_drop(&limited->place);
}

static void limited_probe(struct limited *limited, void (*probe)(const void *), const void *argument)
{
	AUTO(root_parts_drop) struct root_parts parts = {0};
	struct error err;

	inside_drop(&limited->inside);
	inside_open(&limited->inside);
	limited->request.userns = limited->inside.userns;
	ASSERT_OK(root_mount(&limited->place.session, &limited->request, &parts, &err));
	inside_run(&limited->inside, &parts, probe, argument);
}

/* Otherwise nothing may stay of it: a skipped test ends at once. */
static bool limited_open_where(struct limited *limited, bool quotas_on)
{
	limited_open(limited);
	if ((disk_quota_state(limited->place.session.store) == DISK_QUOTA_ON) == quotas_on)
		return true;
	limited_drop(limited);
	return false;
}

/* --- inside ------------------------------------------------------------------------------------------------------- */

/* As much as goes, at most 64 MiB; synced, since some file systems count when they write. */
static int64_t fill(const char *path)
{
	static char block[65536];
	auto_fd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int64_t total = 0;

	INSIDE(fd >= 0);
	while (total < 64 * MIB) {
		ssize_t length = write(fd, block, sizeof(block));

		if (length <= 0)
			break;
		total += length;
	}
	(void)!fsync(fd);
	return total;
}

static void fills_up_to(const void *argument)
{
	int64_t limit = *(const int64_t *)argument, written;
	struct statvfs about;

	INSIDE(statvfs("/", &about) == 0);
	INSIDE((int64_t)(about.f_blocks * about.f_frsize) == limit);
	written = fill("/root/full");
	INSIDE(written <= limit && written > limit / 2);
	INSIDE(errno == EDQUOT || errno == ENOSPC);
	INSIDE(unlink("/root/full") == 0);
	INSIDE(fill("/root/again") > limit / 2); /* what is deleted can be written anew */
	INSIDE(unlink("/root/again") == 0);
}

static void is_not_limited(const void *argument)
{
	(void)argument;
	INSIDE(fill("/root/full") == 64 * MIB);
	INSIDE(unlink("/root/full") == 0);
}

/* Out of the project, or into another's: only the host's root decides (fileattr_set_prepare() of the kernel). */
static void cannot_leave(const void *argument)
{
	struct fsxattr about;
	auto_fd fd = open("/root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd other = -1;

	(void)argument;
	INSIDE(mkdir("/root/own", 0755) == 0);
	other = open("/root/own", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	INSIDE(fd >= 0 && other >= 0 && ioctl(other, FS_IOC_FSGETXATTR, &about) == 0);
	INSIDE(about.fsx_projid != 0 && (about.fsx_xflags & FS_XFLAG_PROJINHERIT));
	about.fsx_projid = 0;
	INSIDE(ioctl(other, FS_IOC_FSSETXATTR, &about) < 0);
	INSIDE(ioctl(other, FS_IOC_FSGETXATTR, &about) == 0);
	about.fsx_xflags &= ~(unsigned)FS_XFLAG_PROJINHERIT;
	INSIDE(ioctl(other, FS_IOC_FSSETXATTR, &about) < 0);
}

/* Everything that overlayfs does by renaming between its two directories. */
static void works_as_ever(const void *argument)
{
	auto_fd fd = open("/etc/hostname", O_WRONLY | O_APPEND | O_CLOEXEC);

	(void)argument;
	INSIDE(fd >= 0 && write(fd, "x", 1) == 1);
	INSIDE(unlink("/etc/shells") == 0 && mkdir("/etc/shells", 0755) == 0);
	INSIDE(symlink("a", "/root/link") == 0 && rename("/root/link", "/etc/shells/link") == 0);
	INSIDE(mkdir("/root/d", 0755) == 0 && rename("/root/d", "/etc/shells/d") == 0);
	INSIDE(link("/etc/hostname", "/root/hostname") == 0);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

TEST(quota, a_limit_holds_shows_in_df_and_can_be_changed, .timeout = SLOWLY(60))
{
	struct limited limited;
	struct error err;
	int64_t little = 4 * MIB, more = 16 * MIB;

	SKIP_UNLESS(limited_open_where(&limited, true), NEEDS_QUOTA);
	ASSERT_OK(disk_limit_check(limited.place.session.store, &err));
	limited_probe(&limited, is_not_limited, NULL);
	ASSERT_OK(root_disk_limit(limited.dir, little, &err));
	limited_probe(&limited, fills_up_to, &little);
	ASSERT_OK(root_disk_limit(limited.dir, more, &err));
	limited_probe(&limited, fills_up_to, &more);
	ASSERT_OK(root_disk_limit(limited.dir, 0, &err));
	limited_probe(&limited, is_not_limited, NULL);
	ASSERT_OK(root_disk_limit(limited.dir, little, &err));
	limited.request.ephemeral = true;
	limited_probe(&limited, fills_up_to, &little);
	limited_drop(&limited);
}

TEST(quota, the_instance_cannot_leave_its_project_and_notices_nothing_of_it, .timeout = SLOWLY(60))
{
	struct limited limited;
	struct error err;

	SKIP_UNLESS(limited_open_where(&limited, true), NEEDS_QUOTA);
	ASSERT_OK(root_disk_limit(limited.dir, 4 * MIB, &err));
	limited_probe(&limited, cannot_leave, NULL);
	limited_probe(&limited, works_as_ever, NULL);
	limited_drop(&limited);
}

static uint32_t project_below(int dir, const char *path)
{
	auto_fd fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_assert(fd >= 0, "%s", path);
	return project_of(fd);
}

TEST(quota, snapshots_count_for_their_instance_and_clones_for_themselves, .timeout = SLOWLY(60))
{
	AUTO(arena_drop) struct arena arena = {0};
	struct image_config config = {0};
	struct limited limited;
	struct error err;
	uint32_t project;

	SKIP_UNLESS(limited_open_where(&limited, true), NEEDS_QUOTA);
	project = project_below(limited.dir, UPPER);
	cr_assert(project != 0 && project_below(limited.dir, WORK) == project);
	ASSERT_OK(root_snapshot(limited.place.session.store, limited.dir, "s", false, &arena, &config, &err));
	cr_assert(project_below(limited.dir, UPPER) == project, "the new upper layer is the same instance's");
	auto_free char *layer = text_format("layers/%s", config.layers.items[0]);
	cr_assert(project_below(limited.place.session.store, layer) == project);
	auto_fd clone = place_instance(&limited.place, "two");
	ASSERT_OK(root_inherit(limited.place.session.store, clone, &config, &arena, &err));
	cr_assert(project_below(clone, UPPER) != 0 && project_below(clone, UPPER) != project);
	limited_drop(&limited);
}

TEST(quota, what_cannot_be_limited_is_said, .timeout = SLOWLY(60))
{
	struct limited limited;
	struct error err;
	auto_fd shm = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	SKIP_UNLESS(limited_open_where(&limited, false), "needs a file system without project quotas");
	ASSERT_FAILS(root_disk_limit(limited.dir, MIB, &err), ERROR_USAGE, "disk: ");
	ASSERT_FAILS(disk_limit_check(limited.place.session.store, &err), ERROR_USAGE, "quotas");
	ASSERT_OK(root_disk_limit(limited.dir, 0, &err));
	if (shm >= 0 && disk_quota_state(shm) == DISK_QUOTA_NO_FILESYSTEM)
		ASSERT_FAILS(disk_limit_check(shm, &err), ERROR_USAGE, "is on tmpfs, which has no project quotas");
	limited_drop(&limited);
}
