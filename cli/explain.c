/* What whoever reads an error should know besides. */
#include <errno.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/kernel.h"
#include "cli/cli.h"

/* Less than these is full: what failed may have given a little back meanwhile. */
#define FULL_BYTES ((uint64_t)1 << 20)
#define FULL_FILES 32

/* True when it was explained: it may as well have been another file system that is full, that of `cp` or of an export.
 */
static bool fullness_blame(const char *path, struct error *err)
{
	struct statvfs fs;
	char left[24], all[24];

	if (statvfs(path, &fs) < 0)
		return false;
	if (fs.f_files && fs.f_favail < FULL_FILES) {
		(void)blame(err, "%s can take no more files (%llu of %llu left)", path, (unsigned long long)fs.f_favail,
			(unsigned long long)fs.f_files);
		return true;
	}
	if ((uint64_t)fs.f_bavail * fs.f_frsize >= FULL_BYTES)
		return false;
	(void)blame(err, "%s is full (%s of %s left)", path, size_format((int64_t)(fs.f_bavail * fs.f_frsize), left),
		size_format((int64_t)(fs.f_blocks * fs.f_frsize), all));
	return true;
}

void cli_explain(const struct cli *cli, struct error *err)
{
	const char *const paths[] = {cli->host.lib_path, cli->host.run_path, cli->host.log_path};

	kernel_explain(err);
	if (!cli->is_open || (err->errnum != ENOSPC && err->errnum != EDQUOT))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (fullness_blame(paths[i], err))
			return;
}
