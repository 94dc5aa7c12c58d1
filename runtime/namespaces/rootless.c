/* Moving into a user namespace of our own.
 *
 * Its maps must be written from outside, by a process that is left behind for that. We keep our ids: what we write is
 * still the user's, whatever root of the container is mapped to. */
#include "runtime/namespaces/rootless.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "base/socket.h"
#include "runtime/namespaces/assistant.h"

/* The inode of the first user namespace (PROC_USER_INIT_INO, the same on every kernel). */
#define FIRST_USER_NAMESPACE 0xEFFFFFFDU

bool rootless_is_inside(void)
{
	struct stat status;

	return stat("/proc/self/ns/user", &status) == 0 && status.st_ino != FIRST_USER_NAMESPACE;
}

bool rootless_owns_program(void)
{
	struct stat status;
	uid_t uid = geteuid();

	return uid != 0 && (stat("/proc/self/exe", &status) < 0 || status.st_uid == uid);
}

bool rootless_groups_are_fixed(pid_t pid)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *text;
	struct error ignored;

	return file_read(&arena, AT_FDCWD, arena_format(&arena, "/proc/%d/setgroups", pid), 64, &text, NULL,
		       &ignored) == 0 &&
	       text_starts_with(text, "deny");
}

/* --- an ordinary user --------------------------------------------------------------------------------------------- */

/* In the process that stays outside. It answers with an empty error, or the error. */
_Noreturn static void map_from_outside(pid_t pid, const struct spec *spec, int channel)
{
	struct error err = {0};
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (socket_receive(channel, &byte, 1, NULL, NULL) != 1)
		_exit(0);
	if (rootless_maps_write(pid, spec, &err) == 0)
		err = (struct error){0};
	_exit(socket_send(channel, &err, sizeof(err), NULL, 0) < 0);
}

static int maps_request(int channel, struct error *err)
{
	struct error answer;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
		if (errno == EPERM || errno == ENOSPC)
			return fail_errno(err,
				"make a user namespace (may users? sysctl kernel.unprivileged_userns_clone, "
				"user.max_user_namespaces)");
		return fail_errno(err, "make a user namespace");
	}
	if (socket_send(channel, "", 1, NULL, 0) < 0)
		return fail_errno(err, "ask for the id maps");
	if (socket_receive(channel, &answer, sizeof(answer), NULL, NULL) != sizeof(answer))
		return fail(err, ERROR_SYSTEM, "the process that writes the id maps died");
	if (answer.kind == ERROR_NONE)
		return 0;
	*err = answer;
	return -1;
}

static int namespace_make(const struct spec *spec, struct error *err)
{
	AUTO(assistant_drop) struct assistant outside;
	pid_t self = getpid();
	pid_t pid = assistant_start(&outside, "writes the id maps", err);

	if (pid < 0)
		return -1;
	if (pid == 0)
		map_from_outside(self, spec, outside.channel);
	return maps_request(outside.channel, err);
}

static int user_check(const struct spec *spec, struct error *err)
{
	if (spec->namespaces.create[NS_USER])
		return 0;
	return fail(err, ERROR_USAGE,
		"uid %u is not root and can make a container only with a user namespace of its own: linux.namespaces "
		"needs \"user\", with uidMappings and gidMappings; see warren-oci spec --rootless",
		geteuid());
}

/* From here on the container's user namespace is ours, and ids count as they do inside. */
static void namespace_share(struct spec *spec)
{
	spec->namespaces.create[NS_USER] = false;
	spec->namespaces.shares_user = true;
	spec->uid_maps.count = spec->gid_maps.count = 0;
}

/* --- root of a user namespace ------------------------------------------------------------------------------------- */

/* Mounts can be made only in a mount namespace that our user namespace owns; `unshare --user` alone leaves us in the
 * host's. Its owner cannot be told to us then. */
static int mounts_own(struct error *err)
{
	auto_fd mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	auto_fd owner = mounts < 0 ? -1 : ioctl(mounts, NS_GET_USERNS);

	if (mounts < 0)
		return fail_errno(err, "look at our own mount namespace");
	if (owner >= 0 || errno != EPERM)
		return 0;
	return unshare(CLONE_NEWNS) < 0 ? fail_errno(err, "make a mount namespace") : 0;
}

static int groups_check(struct spec_process *process, struct error *err)
{
	if (process->keep_groups || !rootless_groups_are_fixed(getpid()))
		return 0;
	if (process->groups.count)
		return fail(err, ERROR_USAGE,
			"process.user.additionalGids: groups are fixed in this user namespace, as its map of groups "
			"was "
			"written without newgidmap (user_namespaces(7), setgroups)");
	process->keep_groups = true;
	return 0;
}

int rootless_enter(struct spec *spec, struct error *err)
{
	bool own = spec->namespaces.create[NS_USER] || spec->namespaces.path[NS_USER];

	if (geteuid() != 0) {
		if (user_check(spec, err) < 0 || namespace_make(spec, err) < 0)
			return -1;
		namespace_share(spec);
		return groups_check(&spec->process, err);
	}
	if (!rootless_is_inside())
		return 0;
	if (own)
		return mounts_own(err);
	spec->namespaces.shares_user = true;
	return mounts_own(err) < 0 ? -1 : groups_check(&spec->process, err);
}
