#include "runtime/cgroup_flags.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

#define TABLE_MAX (16 << 20)

/* "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot" */
static bool line_parse(const char *line, struct cgroup_flags *out)
{
	const char *words = strstr(line, " - cgroup2 ");

	return words && sscanf(line, "%*s %*s %*s / %255s", out->point) == 1 &&
	       sscanf(words, " - %*s %*s %255s", out->words) == 1;
}

void cgroup_flags_note(struct cgroup_flags *out)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings lines;
	struct error ignored;
	const char *table;

	*out = NO_CGROUP_FLAGS;
	if (file_read(&arena, AT_FDCWD, "/proc/self/mountinfo", TABLE_MAX, &table, NULL, &ignored) < 0)
		return;
	lines = strings_split(&arena, table, '\n');
	for (size_t i = 0; i < lines.count; i++)
		if (line_parse(lines.items[i], out))
			return;
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
