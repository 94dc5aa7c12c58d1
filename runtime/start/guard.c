/* The protection of our own program file. A read-only clone of the mount it lies on costs the same whatever its size; a
 * sealed copy in memory is the way out where the file is on no mount that can be cloned. */
#include "runtime/start/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mount.h"
#include "runtime/runtime.h"

#define CONFIG_PEEK 65536
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/* Set for the second execution, so that a protection that does not hold cannot make us go round for ever. */
#define MARK "WARREN_GUARDED"

static int look(struct error *err)
{
	auto_fd readable = -1;
	struct statfs status;
	int seals;

	if (statfs("/proc/self/exe", &status) < 0)
		return fail_errno(err, "look at our own program file");
	if (status.f_flags & ST_RDONLY)
		return 1;
	if (status.f_type != TMPFS_MAGIC && status.f_type != HUGETLBFS_MAGIC) /* only files in memory have seals */
		return 0;
	readable = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	seals = readable < 0 ? -1 : fcntl(readable, F_GET_SEALS);
	return seals >= 0 && (seals & SEALS) == SEALS;
}

int guard_is_in_place(struct error *err)
{
	static bool known;
	int answer = known ? 1 : look(err);

	known = answer > 0;
	return answer;
}

int guard_check(struct error *err)
{
	int in_place = guard_is_in_place(err);

	if (in_place > 0)
		return 0;
	if (in_place < 0)
		return -1;
	return fail(err, ERROR_SYSTEM,
		"our own program file would be open to a container without an id range of its own: not started");
}

static int clone_read_only(struct error *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE};
	int program = mount_clone_changed(AT_FDCWD, "/proc/self/exe", 0, &attr);

	return program < 0 ? fail_errno(err, "clone our own program file") : program;
}

/* vm.memfd_noexec (6.3) makes memory files not executable unless they say so. */
static int memory_open(void)
{
	int fd = memfd_create("warren", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	return fd < 0 && errno == EINVAL ? memfd_create("warren", MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

static int copy_sealed(struct error *err)
{
	auto_fd program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	auto_fd copy = memory_open();
	struct stat status;
	off_t done = 0;

	if (program < 0 || copy < 0 || fstat(program, &status) < 0)
		return fail_errno(err, "copy our own program file");
	while (done < status.st_size)
		if (sendfile(copy, program, &done, (size_t)(status.st_size - done)) <= 0)
			return fail_errno(err, "copy our own program file");
	if (fchmod(copy, 0500) < 0 || fcntl(copy, F_ADD_SEALS, SEALS) < 0)
		return fail_errno(err, "seal the copy of our own program file");
	return take_fd(&copy);
}

/* Without reading it as JSON, and only its beginning: a guess. Wrong, it costs one exec too many, or leaves that exec
 * to container_create(), which knows. */
static bool speaks_of_user_namespace(const char *config_path)
{
	auto_fd config = config_path ? open(config_path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
	char text[CONFIG_PEEK];
	ssize_t length = config < 0 ? -1 : read_retried(config, text, sizeof(text));

	return length > 0 && memmem(text, (size_t)length, "\"uidMappings\"", strlen("\"uidMappings\""));
}

int runtime_guard_enter(char *const *arguments, const char *config_path, struct error *err)
{
	if (!getenv(MARK) && speaks_of_user_namespace(config_path))
		return 0;
	return guard_enter(arguments, err);
}

int guard_enter(char *const *arguments, struct error *err)
{
	int in_place = guard_is_in_place(err);
	auto_fd program = -1;

	if (in_place)
		return in_place < 0 ? -1 : unsetenv(MARK);
	if (getenv(MARK))
		return guard_check(err);
	program = clone_read_only(err);
	if (program < 0)
		program = copy_sealed(err);
	if (program < 0)
		return -1;
	if (setenv(MARK, "1", 1) < 0)
		return fail_errno(err, "set the environment");
	execveat(program, "", arguments, environ, AT_EMPTY_PATH);
	return fail_errno(err, "execute our own program file anew");
}
