/* Id maps of one mount; see idmap.h. */
#include "runtime/mounts/idmap.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "runtime/namespaces/namespaces.h"

/* A parent that died before the first call is noticed by the second. */
_Noreturn static void wait_for_the_end(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	while (getppid() == parent)
		pause();
	_exit(0);
}

static int maps_write(pid_t pid, const struct spec_mount *mount, struct error *err)
{
	const struct spec maps = {.uid_maps = {mount->uid_maps.items, mount->uid_maps.count},
		.gid_maps = {mount->gid_maps.items, mount->gid_maps.count}};
	char path[32];
	int namespace;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	auto_fd proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return fail_errno(err, "open %s", path);
	if (namespaces_write_maps(&maps, proc, err) < 0)
		return -1;
	namespace = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);
	return namespace < 0 ? fail_errno(err, "open %s/ns/user", path) : namespace;
}

int idmap_namespace_open(const struct spec_mount *mount, struct error *err)
{
	auto_fd pidfd = -1;
	struct error ignored;
	int namespace, status;
	pid_t parent = getpid();
	pid_t pid = process_clone(CLONE_NEWUSER, -1, &pidfd);

	if (pid < 0)
		return fail_errno(err, "make a user namespace for the id maps");
	if (pid == 0)
		wait_for_the_end(parent);
	namespace = maps_write(pid, mount, err);
	if (process_signal(pidfd, SIGKILL, &ignored) == 0 && process_reap(pidfd, &status, &ignored) < 0)
		return namespace; /* somebody else reaps our children */
	return namespace;
}
