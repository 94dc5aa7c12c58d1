/* The root: a detached mount that becomes "/".
 *
 * It is attached over the old "/", a place that every mount namespace has and everybody may name: after the change of
 * ids the child is a stranger on the host and could not walk to a directory that only the host's root may enter. The
 * old root stays beneath, reachable by paths until pivot_root, and goes with it. */
#include "runtime/mounts/root.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mount.h"
#include "runtime/process/process.h"

int root_clone(const struct spec *spec, struct error *err)
{
	/* A slave still sees what the host mounts later; asked for, it must be one from the beginning. */
	bool follows = spec->root_propagation & (MS_SLAVE | MS_SHARED);
	struct mount_attr attr = {.propagation = follows ? MS_SLAVE : MS_PRIVATE};
	int root = mount_clone_changed(AT_FDCWD, spec->root, AT_RECURSIVE, &attr);

	return root < 0 ? fail_errno(err, "root %s", spec->root) : root;
}

int root_attach(int root, bool cut_off, struct error *err)
{
	struct mount_attr private = {.propagation = MS_PRIVATE};

	/* A copy of the mount namespace for a new user namespace is cut off already; another one shares with the host.
	 */
	if (!cut_off && mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof(private)) < 0)
		return fail_errno(err, "cut the mounts off from the host's");
	if (mount_attach(root, AT_FDCWD, "/", err) < 0)
		return -1;
	if (fchdir(root) < 0)
		return fail_errno(err, "enter it");
	return 0;
}

int root_enter(struct error *err)
{
	/* pivot_root(2): with "." for both, the old root ends up on top of the new one and is detached from there. */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return fail_errno(err, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return fail_errno(err, "detach the old root");
	if (chdir("/") < 0)
		return fail_errno(err, "enter /");
	return 0;
}

int root_finish(const struct spec *spec, int root, struct error *err)
{
	struct mount_attr attr = {.propagation = spec->root_propagation & ~(uint64_t)MS_REC};
	unsigned flags = AT_EMPTY_PATH | (spec->root_propagation & MS_REC ? AT_RECURSIVE : 0);

	/* The working directory is made when it is missing, which a root that cannot be written to would refuse. */
	if (spec->root_read_only)
		process_make_directory(spec->process.cwd);
	if (spec->root_read_only && mount_change(root, false, MOUNT_ATTR_RDONLY, 0, -1, err) < 0)
		return -1;
	if (attr.propagation && attr.propagation != MS_PRIVATE &&
		mount_setattr(root, "", flags, &attr, sizeof(attr)) < 0)
		return fail_errno(err, "set the propagation of /");
	return 0;
}
