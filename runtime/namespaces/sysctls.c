/* Kernel parameters, written through a proc mount that we made ourselves: no path, link or mount of the image can lead
 * a write elsewhere. Which ones belong to a namespace of the container has been checked by spec_check(). */
#include "runtime/namespaces/sysctls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/path.h"

/* "net.ipv4.ip_forward" → "sys/net/ipv4/ip_forward"; as sysctl(8), a name written with slashes keeps its dots. */
static int name_to_path(const char *name, char path[256], struct error *err)
{
	int length = snprintf(path, 256, "sys/%s", name);

	if (length < 0 || length >= 256)
		return fail(err, ERROR_USAGE, "%s: the name is too long", name);
	if (strchr(name, '/'))
		return 0;
	for (char *dot = path; (dot = strchr(dot, '.'));)
		*dot = '/';
	return 0;
}

static int sysctl_write(int proc, const struct pair *pair, struct error *err)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	char path[256];
	auto_fd fd = -1;

	if (name_to_path(pair->name, path, err) < 0)
		return -1;
	fd = path_openat2(proc, path, &how);
	if (fd < 0)
		return fail_errno(err, "%s", pair->name);
	if (write_retried(fd, pair->value, strlen(pair->value)) < 0)
		return fail_errno(err, "%s = %s", pair->name, pair->value);
	return 0;
}

int sysctls_write(const struct spec *spec, int proc, struct error *err)
{
	auto_fd detached = -1;

	if (!spec->sysctls.count)
		return 0;
	if (proc < 0) {
		detached = filesystem_mount("proc", NULL, NULL, 0, 0, err);
		if (detached < 0)
			return -1;
		proc = detached;
	}
	for (size_t i = 0; i < spec->sysctls.count; i++)
		if (sysctl_write(proc, &spec->sysctls.items[i], err) < 0)
			return -1;
	return 0;
}
