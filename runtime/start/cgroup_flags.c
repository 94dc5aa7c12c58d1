#include "runtime/start/cgroup_flags.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mountinfo.h"
#include "base/text.h"

/* The first mount that shows the whole hierarchy; its words are those of the super block, and so of all of them. */
static bool flags_find(void *context, const struct mountinfo *mount)
{
	struct cgroup_flags *out = context;

	if (!text_equal(mount->type, "cgroup2") || !text_equal(mount->root, "/") ||
		strlen(mount->point) >= sizeof(out->point) || strlen(mount->options) >= sizeof(out->words))
		return true;
	snprintf(out->point, sizeof(out->point), "%s", mount->point);
	snprintf(out->words, sizeof(out->words), "%s", mount->options);
	return false;
}

void cgroup_flags_note(struct cgroup_flags *out)
{
	struct error ignored;

	*out = NO_CGROUP_FLAGS;
	if (mountinfo_each(AT_FDCWD, flags_find, out, &ignored) < 0)
		*out = NO_CGROUP_FLAGS;
}

/* All at once: a word that is not said is taken away. */
static int flags_set(const struct cgroup_flags *flags)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings words = strings_split(&arena, flags->words, ',');
	auto_fd context = fspick(AT_FDCWD, flags->point, FSPICK_CLOEXEC);

	if (context < 0)
		return -1;
	for (size_t i = 0; i < words.count; i++)
		if (!text_equal(words.items[i], "rw") && !text_equal(words.items[i], "ro") &&
			fsconfig(context, FSCONFIG_SET_FLAG, words.items[i], NULL, 0) < 0)
			return -1;
	return fsconfig(context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
}

/* Of the first cgroup namespace (include/linux/proc_ns.h). */
#define FIRST_NAMESPACE 0xEFFFFFFB

static bool is_first_namespace(void)
{
	struct stat status;

	return stat("/proc/self/ns/cgroup", &status) == 0 && status.st_ino == FIRST_NAMESPACE;
}

/* "0::/user.slice" and no further line: where we are, relative to the hierarchy; NULL with version 1 beside it. */
static const char *own_path(struct arena *arena)
{
	struct error ignored;
	const char *text;
	size_t length;

	if (file_read(arena, AT_FDCWD, "/proc/self/cgroup", PATH_MAX, &text, &length, &ignored) < 0)
		return NULL;
	if (!text_starts_with(text, "0::/") || strchr(text, '\n') != text + length - 1)
		return NULL;
	return arena_bytes(arena, text + strlen("0::/"), length - strlen("0::/") - 1);
}

/* A new namespace has the cgroup that one is in as its root: we are in the hierarchy's for a moment. */
void cgroup_flags_shield(const struct cgroup_flags *flags)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *path = own_path(&arena);
	struct error err;

	if (!*flags->point || !path || !is_first_namespace())
		return;
	auto_fd root = open(flags->point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || file_write(root, "cgroup.procs", "0", &err) < 0)
		return;
	if (unshare(CLONE_NEWCGROUP) < 0)
		log_debug("no cgroup namespace: %m");
	if (*path && file_writef(root, arena_format(&arena, "%s/cgroup.procs", path), &err, "0") < 0)
		log_debug("%s", err.text);
}

void cgroup_flags_restore(const struct cgroup_flags *flags)
{
	struct cgroup_flags now;

	if (!*flags->point)
		return;
	cgroup_flags_note(&now);
	if (!text_equal(now.words, flags->words) && flags_set(flags) < 0)
		log_warn("%s: was mounted with %s, now with %s, and cannot be put back: %m", flags->point, flags->words,
			now.words);
}
