#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "runtime/start/cgroup_flags.h"
#include "tests/test.h"

static const char *own_cgroup(struct arena *arena)
{
	const char *text;
	struct error err;

	ASSERT_OK(file_read(arena, AT_FDCWD, "/proc/self/cgroup", 4096, &text, NULL, &err));
	return text;
}

/* As CRIU does: the hierarchy once more, without a word. 0: done, and in the same cgroup as before. */
static int hierarchy_mount(const struct cgroup_flags *flags, bool shielded)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *before = own_cgroup(&arena);

	if (shielded)
		cgroup_flags_shield(flags);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", "/tmp", "cgroup2", 0, NULL) < 0)
		return 1;
	return text_equal(own_cgroup(&arena), before) ? 0 : 2;
}

static void mount_in_child(const struct cgroup_flags *flags, bool shielded)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(hierarchy_mount(flags, shielded));
	cr_assert(waitpid(pid, &status, 0) == pid && status == 0, "%#x", status);
}

TEST(cgroup_flags, stay_as_they_are_when_who_mounts_the_hierarchy_is_shielded)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_flags flags, now;
	struct stat own;

	cgroup_flags_note(&flags);
	SKIP_UNLESS(text_starts_with(own_cgroup(&arena), "0::") && strstr(flags.words, "nsdelegate"),
		"needs cgroup v2 alone, mounted with nsdelegate");
	SKIP_UNLESS(stat("/proc/self/ns/cgroup", &own) == 0 && own.st_ino == 0xEFFFFFFB,
		"needs the first cgroup namespace");
	mount_in_child(&flags, true);
	cgroup_flags_note(&now);
	cr_assert_str_eq(now.words, flags.words);
	/* Unshielded they go, and are put back. */
	mount_in_child(&flags, false);
	cgroup_flags_note(&now);
	cr_assert(!strstr(now.words, "nsdelegate"), "%s", now.words);
	cgroup_flags_restore(&flags);
	cgroup_flags_note(&now);
	cr_assert_str_eq(now.words, flags.words);
}
