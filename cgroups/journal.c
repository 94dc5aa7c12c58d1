/* The way back of a change of limits; see journal.h.
 *
 * Most files hold one value, which is written back as it was read. Some hold a line for each device, named by its first
 * word: of these only the line that was written is put back, and one that was not there gets the words that remove it.
 * cpu.idle drags the weight along, so that is noted with it. */
#include "cgroups/journal.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cgroups/knobs.h"

struct cgroup_overwritten {
	struct cgroup_overwritten *before;
	int dir;
	const char *file, *text;
};

void cgroup_journal_drop(struct cgroup_journal *journal)
{
	arena_drop(&journal->arena);
	journal->last = NULL;
}

/* --- what a file holds -------------------------------------------------------------------------------------------- */

static const struct {
	const char *file, *nothing; /* NULL: every line there can be is always shown */
} keyed[] = {
	{"io.max", "rbps=max wbps=max riops=max wiops=max"},
	{"io.latency", "target=0"},
	{"io.weight", "default"},
	{"io.bfq.weight", "default"},
	{"blkio.bfq.weight_device", "0"},
	{"blkio.throttle.read_bps_device", "0"},
	{"blkio.throttle.write_bps_device", "0"},
	{"blkio.throttle.read_iops_device", "0"},
	{"blkio.throttle.write_iops_device", "0"},
	{"rdma.max", NULL},
	{"net_prio.ifpriomap", NULL},
};

/* The line of the text whose first word is the key; NULL: none. */
static const char *line_find(struct arena *arena, const char *text, const char *key)
{
	struct strings lines = strings_split(arena, text, '\n');
	size_t length = strlen(key);

	for (size_t i = 0; i < lines.count; i++)
		if (strncmp(lines.items[i], key, length) == 0 && lines.items[i][length] == ' ')
			return lines.items[i];
	return NULL;
}

/* A number alone is the weight of all devices that have none of their own. */
static const char *key_of(struct arena *arena, const char *line)
{
	size_t length = strcspn(line, " ");

	return line[length] ? arena_bytes(arena, line, length) : "default";
}

static const char *keyed_text(struct arena *arena, const char *text, const char *line, const char *nothing)
{
	const char *key = key_of(arena, line), *old = line_find(arena, text, key);

	if (old || !nothing)
		return old;
	return arena_format(arena, "%s %s", key, nothing);
}

/* What to write so that it becomes as it is; NULL: there is nothing to be done. */
static const char *text_back(struct arena *arena, const char *file, const char *text, const char *line)
{
	if (strcmp(file, "memory.oom_control") == 0)
		return text_starts_with(text, "oom_kill_disable 1") ? "1" : "0";
	for (size_t i = 0; i < ARRAY_SIZE(keyed); i++)
		if (strcmp(keyed[i].file, file) == 0)
			return keyed_text(arena, text, line, keyed[i].nothing);
	/* An empty list of a cpuset means its parent's; a write of no byte would be none. */
	return *text ? text : "\n";
}

/* --- noting ------------------------------------------------------------------------------------------------------- */

static void entry_add(struct cgroup_journal *journal, int dir, const char *file, const char *line)
{
	char text[KNOB_SIZE];
	struct cgroup_overwritten *entry;
	const char *back;

	if (knob_read(dir, file, text, sizeof(text)) < 0)
		return;
	back = text_back(&journal->arena, file, text, line);
	if (!back)
		return;
	entry = arena_new(&journal->arena, struct cgroup_overwritten);
	*entry = (struct cgroup_overwritten){.before = journal->last,
		.dir = dir,
		.file = arena_string(&journal->arena, file),
		.text = arena_string(&journal->arena, back)};
	journal->last = entry;
}

void journal_note(struct cgroup_journal *journal, int dir, const char *file, const char *line)
{
	int64_t idle;

	if (!journal)
		return;
	/* It is written back after cpu.idle, which refuses it while it is 1. */
	if (strcmp(file, "cpu.idle") == 0 && knob_number(dir, file, &idle) && !idle) {
		entry_add(journal, dir, "cpu.weight", "");
		entry_add(journal, dir, "cpu.shares", "");
	}
	entry_add(journal, dir, file, line);
}

void cgroup_journal_undo(struct cgroup_journal *journal)
{
	for (const struct cgroup_overwritten *entry = journal->last; entry; entry = entry->before)
		if (knob_write(entry->dir, entry->file, entry->text) < 0)
			log_warn("put %s back to \"%.*s\": %s", entry->file, (int)strcspn(entry->text, "\n"),
				entry->text, strerror(errno));
	journal->last = NULL;
}
