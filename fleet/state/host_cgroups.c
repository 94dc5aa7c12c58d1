/* Where the control groups of a host's instances are: one parent for all of them, the same for every command.
 *
 * A later command comes from another session, often from another part of the tree than the one that started the
 * instances. So a choice other than the default is written down in <run>/cgroup: the base (see cgroups.h) in one line,
 * the parent below it in the next. It ends with the boot, or when a command that wants another finds nothing running.
 * A base that is gone (its unit was stopped, and everything in it with it) is no choice any more. */
#include "fleet/state/host_cgroups.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/state/instance.h"

#define ENTRIES_MAX 65536
#define RECORD_MAX 8192
#define LOCK_TIMEOUT_MS 60000
#define ROOT_BASE "/"
#define DEFAULT_PARENT "warren"

struct choice {
	const char *base, *parent;
};

static bool choices_equal(const struct choice *a, const struct choice *b)
{
	return text_equal(a->base, b->base) && text_equal(a->parent, b->parent);
}

int cgroup_parent_check(const char *parent, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings parts = strings_split(&arena, parent + (*parent == '/'), '/');

	if (line_check("--cgroup-parent", parent, err) < 0)
		return -1;
	for (size_t i = 0; i < parts.count; i++)
		if (text_is_empty(parts.items[i]) || text_equal(parts.items[i], ".") ||
			text_equal(parts.items[i], ".."))
			return fail(err, ERROR_USAGE,
				"--cgroup-parent \"%s\": must be \"delegated\" or a path without empty, \".\" or "
				"\"..\" parts",
				parent);
	return parts.count ? 0 : fail(err, ERROR_USAGE, "--cgroup-parent \"%s\": names no cgroup", parent);
}

static int choice_of(struct arena *arena, const char *wanted, struct choice *out, struct error *err)
{
	*out = (struct choice){ROOT_BASE, DEFAULT_PARENT};
	if (text_equal(wanted, "delegated"))
		return cgroup_delegated_find(arena, &out->base, err) < 0 ? blame(err, "--cgroup-parent delegated") : 0;
	if (cgroup_parent_check(wanted, err) < 0)
		return -1;
	out->parent = wanted + (*wanted == '/');
	return 0;
}

/* Absent or damaged: the default. */
static struct choice recorded(struct arena *arena, const struct host *host)
{
	struct choice choice = {ROOT_BASE, DEFAULT_PARENT};
	struct error ignored;
	struct strings lines;
	const char *text;

	if (file_read(arena, host->run, "cgroup", RECORD_MAX, &text, NULL, &ignored) < 0)
		return choice;
	lines = strings_split(arena, text, '\n');
	if (lines.count < 2 || *lines.items[0] != '/' || cgroup_parent_check(lines.items[1], &ignored) < 0)
		return choice;
	return (struct choice){lines.items[0], lines.items[1]};
}

static bool something_runs(const struct host *host)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings entries = {0};
	struct error ignored;

	if (dir_list(&arena, host->live, ENTRIES_MAX, &entries, &ignored) < 0)
		return true;
	for (size_t i = 0; i < entries.count; i++)
		if (faccessat(host->live, arena_format(&arena, "%s/run.json", entries.items[i]), F_OK, 0) == 0)
			return true;
	return false;
}

static const char *choice_text(struct arena *arena, const struct choice *choice)
{
	return arena_format(
		arena, "%s%s%s", choice->base, text_equal(choice->base, ROOT_BASE) ? "" : "/", choice->parent);
}

static int record_choice(struct arena *arena, const struct host *host, const struct choice *wanted,
	const struct choice *now, struct error *err)
{
	const char *text = arena_format(arena, "%s\n%s\n", wanted->base, wanted->parent);

	if (something_runs(host))
		return fail(err, ERROR_BUSY,
			"--cgroup-parent: %s is wanted, but instances of this host run below %s; stop them first, or "
			"leave the option out",
			choice_text(arena, wanted), choice_text(arena, now));
	return file_replace(host->run, "cgroup", 0600, FILE_VOLATILE, text, strlen(text), err);
}

/* Two commands with different wishes: the second finds what the first has written, under the lock. */
static int choose(
	struct arena *arena, const struct host *host, const char *wanted, struct choice *out, struct error *err)
{
	struct choice now = recorded(arena, host);

	*out = now;
	if (!wanted)
		return 0;
	if (choice_of(arena, wanted, out, err) < 0)
		return -1;
	if (choices_equal(out, &now))
		return 0;
	auto_fd lock = lock_file(host->run, "boot.lock", LOCK_TIMEOUT_MS, err);
	if (lock < 0)
		return blame(err, "wait for another command's --cgroup-parent");
	now = recorded(arena, host);
	return choices_equal(out, &now) ? 0 : record_choice(arena, host, out, &now, err);
}

int host_cgroups_open(struct host *host, const char *wanted, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct choice choice;

	if (choose(&arena, host, wanted, &choice, err) < 0)
		return -1;
	if (!text_equal(choice.base, ROOT_BASE)) {
		if (cgroup_host_open_at(&host->cgroups, choice.base, err) == 0) {
			host->cgroup_parent = text_format("%s", choice.parent);
			return 0;
		}
		if (err->kind != ERROR_MISSING || wanted)
			return blame(err, "the control groups of this host");
		log_debug("cgroup %s, where instances were started, is gone", choice.base);
		unlinkat(host->run, "cgroup", 0);
		choice.parent = DEFAULT_PARENT;
		forgive(err);
	}
	host->cgroup_parent = text_format("%s", choice.parent);
	return cgroup_host_open(&host->cgroups, err);
}

int host_cgroups_look(struct arena *arena, int run, const char *wanted, struct cgroup_host *out, const char **parent,
	struct error *err)
{
	const struct host host = {.run = run};
	struct choice choice = recorded(arena, &host);

	if (wanted && choice_of(arena, wanted, &choice, err) < 0)
		return -1;
	*parent = choice.parent;
	return text_equal(choice.base, ROOT_BASE) ? cgroup_host_open(out, err)
						  : cgroup_host_open_at(out, choice.base, err);
}
