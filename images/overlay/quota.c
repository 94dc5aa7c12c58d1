/* How much an instance may write: a project quota of the store's file system (ext4, xfs).
 *
 * Every upper layer gets a project number of its own when it is made, whether it is limited or not, and what is made
 * below inherits it. So a limit can be given, changed and taken away at any time, also while the instance runs, by one
 * call and without walking through its files. The number stands nowhere but on the directory itself.
 *
 * It is not the slot's. What an instance wrote may outlive it, as a layer of a snapshot or of a clone, and then the
 * next owner of the slot would begin with another's files on his account. So it is random out of 2^30, and tried
 * against what the file system knows of it already.
 *
 * The number is set on directories, never on the instance's whole directory: that holds hard links to files of the
 * store, which have another one, and link(2) refuses those. */
#include "images/overlay/quota.h"

#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/quota.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "images/overlay/overlay.h"
#include "images/overlay/upper.h"

#define PROJECT_FIRST 0x40000000u
#define PROJECT_MASK 0x3fffffffu
#define PROJECT_TRIES 16
#define BLOCK_BYTES 1024 /* QIF_DQBLKSIZE */
/* Files are bounded too, since an empty one takes an inode of what all share. */
#define BYTES_PER_FILE 4096
#define FILES_LEAST 1024

/* quotactl_fd(2), Linux 5.14. */
static int quota_call(int fd, unsigned command, uint32_t id, void *data)
{
	return (int)syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), id, data);
}

/* --- projects ----------------------------------------------------------------------------------------------------- */

static bool project_is_used(int dir, uint32_t project)
{
	struct if_dqblk about = {0};

	return quota_call(dir, Q_GETQUOTA, project, &about) == 0 &&
	       (about.dqb_curspace || about.dqb_curinodes || about.dqb_bhardlimit);
}

uint32_t project_make(int dir)
{
	uint32_t project = 0;

	for (int i = 0; i < PROJECT_TRIES; i++) {
		if (getrandom(&project, sizeof(project), 0) != sizeof(project))
			return 0;
		project = PROJECT_FIRST | (project & PROJECT_MASK);
		if (!project_is_used(dir, project))
			return project;
	}
	return 0;
}

uint32_t project_of(int dir)
{
	struct fsxattr about;

	return ioctl(dir, FS_IOC_FSGETXATTR, &about) == 0 ? about.fsx_projid : 0;
}

void project_give(int dir, uint32_t project)
{
	struct fsxattr about;

	if (!project || ioctl(dir, FS_IOC_FSGETXATTR, &about) < 0)
		return;
	about.fsx_projid = project;
	about.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	if (ioctl(dir, FS_IOC_FSSETXATTR, &about) < 0)
		log_debug("no project number: %s", strerror(errno));
}

static int limit_set(int dir, uint32_t project, uint64_t bytes)
{
	uint64_t files = bytes / BYTES_PER_FILE > FILES_LEAST ? bytes / BYTES_PER_FILE : FILES_LEAST;
	struct if_dqblk limit = {
		.dqb_bhardlimit = bytes / BLOCK_BYTES,
		.dqb_ihardlimit = bytes ? files : 0,
		.dqb_valid = QIF_LIMITS,
	};

	return quota_call(dir, Q_SETQUOTA, project, &limit);
}

void project_forget(int dir, uint32_t project)
{
	if (project && limit_set(dir, project, 0) < 0)
		log_debug("forget the limit of project %u: %s", project, strerror(errno));
}

/* --- what the file system can ------------------------------------------------------------------------------------- */

/* Without a descriptor the call says whether it exists. */
static bool kernel_has_quotas(void)
{
	struct fs_quota_stat about;

	return quota_call(-1, Q_XGETQSTAT, 0, &about) == 0 || errno != ENOSYS;
}

static bool has_projects(int dir)
{
	struct statfs about;

	return fstatfs(dir, &about) == 0 && (about.f_type == EXT4_SUPER_MAGIC || about.f_type == XFS_SUPER_MAGIC);
}

/* Counting alone (ext4 with the feature, mounted without prjquota) limits nothing. */
enum disk_quota disk_quota_state(int dir)
{
	struct fs_quota_stat about = {0};

	if (quota_call(dir, Q_XGETQSTAT, 0, &about) == 0)
		return about.qs_flags & FS_QUOTA_PDQ_ENFD ? DISK_QUOTA_ON : DISK_QUOTA_OFF;
	if (errno == EPERM)
		return DISK_QUOTA_UNKNOWN;
	if (!kernel_has_quotas())
		return DISK_QUOTA_NO_KERNEL;
	return has_projects(dir) ? DISK_QUOTA_OFF : DISK_QUOTA_NO_FILESYSTEM;
}

int disk_limit_check(int store, struct error *err)
{
	char name[64];

	switch (disk_quota_state(store)) {
	case DISK_QUOTA_NO_KERNEL:
		return fail(err, ERROR_USAGE, "disk: this kernel has no quotas");
	case DISK_QUOTA_NO_FILESYSTEM:
		return fail(err, ERROR_USAGE,
			"disk: the state directory is on %s, which has no project quotas; put it on ext4 or xfs",
			filesystem_name(store, name));
	case DISK_QUOTA_OFF:
		return fail(err, ERROR_USAGE, "disk: project quotas are off on the state directory's %s; %s",
			filesystem_name(store, name), DISK_QUOTA_REMEDY);
	default:
		return 0;
	}
}

/* --- one instance ------------------------------------------------------------------------------------------------- */

int root_disk_limit(int instance, int64_t bytes, struct error *err)
{
	auto_fd upper = upper_open(instance, err);
	uint32_t project = upper < 0 ? 0 : project_of(upper);

	if (upper < 0)
		return -1;
	if (!bytes) {
		project_forget(upper, project);
		return 0;
	}
	if (disk_limit_check(upper, err) < 0)
		return -1;
	if (!project)
		return fail(err, ERROR_USAGE,
			"disk: it was made when its file system had no project quotas; a clone of it can be limited");
	return limit_set(upper, project, (uint64_t)bytes) < 0 ? fail_errno(err, "disk: set the limit") : 0;
}

void root_disk_used(int instance, struct optional *used_bytes, struct optional *limit_bytes)
{
	struct if_dqblk about = {0};
	struct error ignored;
	auto_fd upper = upper_open(instance, &ignored);
	uint32_t project = upper < 0 ? 0 : project_of(upper);

	*used_bytes = *limit_bytes = (struct optional){0};
	if (!project || quota_call(upper, Q_GETQUOTA, project, &about) < 0)
		return;
	*used_bytes = (struct optional){true, (int64_t)about.dqb_curspace};
	if (about.dqb_bhardlimit)
		*limit_bytes = (struct optional){true, (int64_t)(about.dqb_bhardlimit * BLOCK_BYTES)};
}
