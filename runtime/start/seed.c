/* Making the seed, and finding it again.
 *
 * A mount namespace lives as long as a process, a descriptor or a mount holds it. There is no process of ours that
 * stays, so it is a mount: of its file in /proc on a file of ours. The kernel lets nobody carry such a mount into
 * another namespace, so the directory around it is a mount of its own that is shared with nobody. Both are done again
 * until they are as they must be, by one process at a time. */
#include "runtime/start/seed.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mount.h"
#include "base/socket.h"
#include "runtime/mounts/root.h"
#include "runtime/namespaces/assistant.h"

/* Of the first user namespace (include/linux/proc_ns.h). */
#define FIRST_USER_NAMESPACE 0xEFFFFFFD

/* In another one the kernel gives a proc only to whom sees one already, which in the seed is nobody. */
static bool is_first_user_namespace(void)
{
	struct stat status;

	return stat("/proc/self/ns/user", &status) == 0 && status.st_ino == FIRST_USER_NAMESPACE;
}

/* -1: nothing is pinned there. */
static int pin_open(int dir, const char *path)
{
	auto_fd pin = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return pin >= 0 && ioctl(pin, NS_GET_NSTYPE) == CLONE_NEWNS ? take_fd(&pin) : -1;
}

/* In the assistant: leaves a namespace of nothing but an empty root behind the host's. */
static int namespace_make(struct error *err)
{
	auto_fd root = -1;

	if (unshare(CLONE_NEWNS) < 0)
		return fail_errno(err, "make a mount namespace");
	root = filesystem_mount("tmpfs", "warren", NULL, 0,
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
	if (root < 0 || root_attach(root, false, err) < 0)
		return -1;
	return root_enter(err);
}

/* The assistant waits until it is let go: its file in /proc is what is pinned. */
_Noreturn static void assist(int channel)
{
	struct error answer = {0};
	char end;

	if (namespace_make(&answer) == 0)
		answer.text[0] = '\0';
	if (socket_send(channel, &answer, sizeof(answer), NULL, 0) == 0)
		(void)socket_receive(channel, &end, 1, NULL, NULL);
	_exit(0);
}

static int pin_mount(int dir, pid_t assistant, struct error *err)
{
	char of[40], on[64];
	auto_fd file = openat(dir, SEED_PIN, O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (file < 0)
		return fail_errno(err, "make " SEED_PIN);
	snprintf(of, sizeof(of), "/proc/%d/ns/mnt", assistant);
	snprintf(on, sizeof(on), "/proc/self/fd/%d", file);
	return mount(of, on, NULL, MS_BIND, NULL) < 0 ? fail_errno(err, "pin the namespace") : 0;
}

static int namespace_pin(int dir, struct error *err)
{
	AUTO(assistant_drop) struct assistant assistant;
	pid_t pid = assistant_start(&assistant, "makes a small mount namespace", err);
	struct error answer;

	if (pid < 0)
		return -1;
	if (pid == 0)
		assist(assistant.channel);
	if (socket_receive(assistant.channel, &answer, sizeof(answer), NULL, NULL) != sizeof(answer))
		return fail(err, ERROR_SYSTEM, "the process that makes it died");
	if (*answer.text) {
		*err = answer;
		return -1;
	}
	return pin_mount(dir, pid, err);
}

struct place {
	int plain; /* locked; the same directory beneath the mount and in it */
	int dir;   /* in the mount */
};

static void place_drop(struct place *place)
{
	fd_drop(&place->dir);
	fd_drop(&place->plain);
}

static int place_open(const char *path, struct place *out, struct statx *about, struct error *err)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail_errno(err, "make it");
	out->plain = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out->plain < 0 || statx(out->plain, "", AT_EMPTY_PATH, STATX_UID | STATX_MODE, about) < 0)
		return fail_errno(err, "open it");
	if (about->stx_uid != geteuid() || about->stx_mode & 022)
		return fail(err, ERROR_SYSTEM, "others may write there");
	/* Who makes it just now makes it for us as well, for the next time. */
	return flock(out->plain, LOCK_EX | LOCK_NB) < 0 ? fail_errno(err, "lock it") : 0;
}

/* A mount of the directory on itself, once, and shared with nobody. */
static int place_make(const char *path, struct place *out, struct error *err)
{
	struct mount_attr private = {.propagation = MS_PRIVATE};
	struct statx about;

	if (place_open(path, out, &about, err) < 0)
		return -1;
	if (about.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
		out->dir = fcntl(out->plain, F_DUPFD_CLOEXEC, 3);
	} else {
		out->dir = mount_clone(out->plain, "", false, err);
		if (out->dir < 0 || mount_attach(out->dir, out->plain, "", err) < 0)
			return -1;
	}
	if (out->dir < 0 || mount_setattr(out->dir, "", AT_EMPTY_PATH, &private, sizeof(private)) < 0)
		return fail_errno(err, "share it with nobody");
	return 0;
}

static int seed_make(const char *path, struct error *err)
{
	AUTO(place_drop) struct place place = {-1, -1};
	int pin;

	if (place_make(path, &place, err) < 0)
		return -1;
	pin = pin_open(place.dir, SEED_PIN);
	if (pin < 0 && namespace_pin(place.dir, err) < 0)
		return -1;
	if (pin < 0)
		pin = pin_open(place.dir, SEED_PIN);
	return pin < 0 ? fail(err, ERROR_SYSTEM, "it is not there") : pin;
}

int seed_open(const char *place)
{
	struct error err;
	char path[64];
	int pin;

	if (!is_first_user_namespace() || (size_t)snprintf(path, sizeof(path), "%s/" SEED_PIN, place) >= sizeof(path))
		return -1;
	pin = pin_open(AT_FDCWD, path);
	if (pin >= 0)
		return pin;
	pin = seed_make(place, &err);
	if (pin < 0)
		log_debug("%s: %s", place, err.text);
	return pin;
}
