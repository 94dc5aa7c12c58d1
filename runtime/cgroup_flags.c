#include "runtime/cgroup_flags.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/arena.h"
#include "base/cleanup.h"
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
