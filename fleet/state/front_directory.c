/* Where a fleet's map of sites lies: its front servers have it in their root. */
#include "fleet/state/front_directory.h"

#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"

int front_directory(const struct host *host, const char *fleet, struct error *err)
{
	auto_fd dir = dir_create(host->fleets, fleet, 0700, err);

	return dir < 0 ? -1 : dir_create(dir, "front", 0755, err);
}

int front_directory_open(const struct host *host, const struct instance_spec *spec, int store, struct error *err)
{
	auto_free char *path = text_format("fleets/%s/front", spec->fleet ? spec->fleet : "");
	auto_fd made = -1;
	int dir;

	if (!spec->fleet || name_check("fleet name", spec->fleet, err) < 0)
		return spec->fleet ? -1 : fail(err, ERROR_USAGE, "front: it belongs to no fleet");
	made = front_directory(host, spec->fleet, err);
	if (made < 0)
		return -1;
	dir = openat(store, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir < 0 ? fail_errno(err, "open %s", path) : dir;
}
