/* The processes of a cgroup: listing, freezing, killing, moving.
 *
 * A pid read from a list may belong to another process a moment later. Nothing here signals a pid: a pidfd is opened
 * first, then the list is read again, and only who is still in it is signalled; the pidfd cannot mean a process that
 * took the pid over since.
 *
 * v2 does killing and freezing in the kernel for the whole subtree. v1 has the freezer hierarchy and nothing for
 * killing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cgroups/knobs.h"
#include "cgroups/layout.h"
#include "cgroups/limits.h"
#include "cgroups/tree.h"

#define PROCESSES_MAX 65536
#define LISTED_MAX (2 * PROCESSES_MAX) /* with those that two hierarchies name */
#define DIRECTORIES_MAX 65536
#define LIST_BYTES_MAX ((size_t)2 << 20)
#define ROUNDS_MAX 100
#define ROUNDS_BEFORE_FREEZING 10
#define FREEZE_FOR_KILL_MS 1000
#define BATCH 256

/* --- listing ------------------------------------------------------------------------------------------------------ */

/* Adds the paths of the directories below path; relative to dir. */
static int children_add(int dir, const char *path, struct arena *arena, struct strings *list, struct error *err)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

	if (!stream) {
		fd_drop(&fd);
		return errno == ENOENT ? 0 : fail_errno(err, "list %s", path);
	}
	for (struct dirent *entry = readdir(stream); entry; entry = readdir(stream)) {
		if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (list->count >= DIRECTORIES_MAX) {
			closedir(stream);
			return fail(err, ERROR_SYSTEM, "more than %d cgroups below it", DIRECTORIES_MAX);
		}
		strings_add(arena, list, arena_format(arena, "%s/%s", path, entry->d_name));
	}
	closedir(stream);
	return 0;
}

/* "12\n34\n" → pids; they may be in more than one list while a process moves. */
static int pids_add(const char *text, struct cgroup_pids *out, struct error *err)
{
	while (*text) {
		int64_t pid;

		if (!knob_parse(text, &pid) || pid < 0)
			return fail(err, ERROR_SYSTEM, "cgroup.procs holds what is no pid");
		if (out->count >= LISTED_MAX)
			return fail(err, ERROR_SYSTEM, "more than %d processes", PROCESSES_MAX);
		if (pid > 0) /* 0: of a pid namespace that is not below ours */
			out->items[out->count++] = (pid_t)pid;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return 0;
}

static int directory_pids(int dir, const char *path, struct cgroup_pids *out, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *file = text_format("%s/cgroup.procs", path);
	auto_fd fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const char *text;

	if (fd < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "open %s", file);
	if (fd_read_all(&arena, fd, LIST_BYTES_MAX, &text, NULL, err) < 0)
		return err->errnum == ENODEV || err->errnum == EOPNOTSUPP ? 0 : -1;
	return pids_add(text, out, err);
}

static int pid_compare(const void *a, const void *b)
{
	pid_t left = *(const pid_t *)a, right = *(const pid_t *)b;

	return left < right ? -1 : left > right;
}

static void pids_sort(struct cgroup_pids *pids)
{
	size_t kept = 0;

	qsort(pids->items, pids->count, sizeof(pid_t), pid_compare);
	for (size_t i = 0; i < pids->count; i++)
		if (!kept || pids->items[kept - 1] != pids->items[i])
			pids->items[kept++] = pids->items[i];
	pids->count = kept;
}

static bool pids_contain(const struct cgroup_pids *pids, pid_t pid)
{
	return pids->count && bsearch(&pid, pids->items, pids->count, sizeof(pid_t), pid_compare);
}

/* Breadth first, by a list of paths: depth is bounded by the length of a path and costs no descriptors. */
static int tree_pids(int dir, struct arena *arena, struct cgroup_pids *out, struct error *err)
{
	struct strings todo = {0};

	strings_add(arena, &todo, ".");
	for (size_t i = 0; i < todo.count; i++)
		if (directory_pids(dir, todo.items[i], out, err) < 0 ||
			children_add(dir, todo.items[i], arena, &todo, err) < 0)
			return -1;
	return 0;
}

/* Sorted, each once. All v1 hierarchies are asked: whoever was killed between making a directory and moving the
 * processes into it leaves one that knows nobody. */
static int all_pids(const struct cgroup *cgroup, struct arena *arena, struct cgroup_pids *out, struct error *err)
{
	*out = (struct cgroup_pids){.items = arena_new_array(arena, LISTED_MAX, pid_t)};
	if (cgroup->unified >= 0 && tree_pids(cgroup->unified, arena, out, err) < 0)
		return -1;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		if (cgroup->hierarchy[c] < 0 || !hierarchy_is_first(cgroup->host, (enum cgroup_controller)c))
			continue;
		if (tree_pids(cgroup->hierarchy[c], arena, out, err) < 0)
			return -1;
		pids_sort(out);
	}
	pids_sort(out);
	if (out->count > PROCESSES_MAX)
		return fail(err, ERROR_SYSTEM, "more than %d processes", PROCESSES_MAX);
	return 0;
}

int cgroup_processes(const struct cgroup *cgroup, struct arena *arena, struct cgroup_pids *out, struct error *err)
{
	if (all_pids(cgroup, arena, out, err) < 0)
		return blame(err, "cgroup %s", cgroup->path);
	return 0;
}

static bool events_say(int dir, const char *key)
{
	char text[256];
	int64_t value;

	return knob_read(dir, "cgroup.events", text, sizeof(text)) > 0 && keyed_number(text, key, &value) && value == 1;
}

bool cgroup_is_populated(const struct cgroup *cgroup)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_pids pids = {0};
	struct error unused;

	if (cgroup->unified >= 0)
		return events_say(cgroup->unified, "populated");
	/* More than can be listed is not none. */
	return cgroup_processes(cgroup, &arena, &pids, &unused) < 0 || pids.count > 0;
}

int cgroup_events_open(const struct cgroup *cgroup, struct error *err)
{
	int fd;

	if (cgroup->unified < 0)
		return fail(err, ERROR_MISSING, "cgroup %s: cgroup v1 reports no events", cgroup->path);
	fd = openat(cgroup->unified, "cgroup.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? fail_errno(err, "cgroup %s: open cgroup.events", cgroup->path) : fd;
}

/* --- moving (v1) -------------------------------------------------------------------------------------------------- */

/* One round: gives how many had to be moved. A process that ended meanwhile (ESRCH) needs no moving. */
static int move_round(const struct cgroup *cgroup, int to, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_pids there = {.items = arena_new_array(&arena, LISTED_MAX, pid_t)};
	struct cgroup_pids here;
	int moved = 0;

	if (all_pids(cgroup, &arena, &here, err) < 0 || tree_pids(to, &arena, &there, err) < 0)
		return -1;
	pids_sort(&there);
	for (size_t i = 0; i < here.count; i++) {
		char text[16];

		if (pids_contain(&there, here.items[i]))
			continue;
		snprintf(text, sizeof(text), "%d", here.items[i]);
		if (knob_write(to, "cgroup.procs", text) == 0)
			moved++;
		else if (errno != ESRCH)
			return fail_errno(err, "move process %s", text);
	}
	return moved;
}

int processes_move(const struct cgroup *cgroup, int to, struct error *err)
{
	for (int i = 0; i < ROUNDS_MAX; i++) {
		int moved = move_round(cgroup, to, err);

		if (moved <= 0)
			return moved;
	}
	return fail(err, ERROR_BUSY, "its processes multiply faster than they can be moved");
}

/* --- freezing ----------------------------------------------------------------------------------------------------- */

/* v1's state now; "" when there is no freezer directory. Another process may have made it since the handle was opened,
 * hence by path. */
static const char *freezer_state(const struct cgroup *cgroup, char text[32])
{
	auto_free char *file = text_format("%s/freezer.state", cgroup->path);

	if (knob_read(cgroup->host->hierarchy[CGROUP_FREEZER], file, text, 32) < 0)
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* Asked for counts as frozen: whoever enters would be stopped as well. */
bool cgroup_is_frozen(const struct cgroup *cgroup)
{
	char text[32];
	int64_t wanted;

	if (cgroup->unified >= 0)
		return (knob_number(cgroup->unified, "cgroup.freeze", &wanted) && wanted == 1) ||
		       events_say(cgroup->unified, "frozen");
	freezer_state(cgroup, text);
	return text[0] && strcmp(text, "THAWED") != 0;
}

static int freeze_v2(struct cgroup *cgroup, bool frozen, int64_t timeout_ms, struct error *err)
{
	struct patience patience = patience_start(timeout_ms);
	auto_fd events = openat(cgroup->unified, "cgroup.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[256];

	if (events < 0 || knob_write(cgroup->unified, "cgroup.freeze", frozen ? "1" : "0") < 0)
		return fail_errno(err, "write cgroup.freeze");
	do {
		ssize_t got = pread(events, text, sizeof(text) - 1, 0);
		int64_t now;

		text[got > 0 ? got : 0] = '\0';
		if (keyed_number(text, "frozen", &now) && now == (int64_t)frozen)
			return 0;
	} while (patience_poll(&patience, events));
	return 1;
}

/* While processes fork, the freezer stays at FREEZING; reading the state moves it on (freezer-subsystem.rst). */
static int freeze_v1(struct cgroup *cgroup, bool frozen, int64_t timeout_ms, struct error *err)
{
	const char *wanted = frozen ? "FROZEN" : "THAWED";
	struct patience patience = patience_start(timeout_ms);
	char text[32];

	if (!frozen && !freezer_state(cgroup, text)[0])
		return 0;
	if (cgroup->host->hierarchy[CGROUP_FREEZER] < 0)
		return fail(err, ERROR_SYSTEM, "this host's cgroups (v1) have no freezer");
	if (frozen ? cgroup_extend_and_move(cgroup, CGROUP_FREEZER, err) < 0
		   : cgroup_extend(cgroup, CGROUP_FREEZER, err) < 0)
		return -1;
	do {
		if (knob_write(cgroup->hierarchy[CGROUP_FREEZER], "freezer.state", wanted) < 0) {
			/* Removed meanwhile: nobody in it is frozen any more. */
			if (!frozen && (errno == ENOENT || errno == ENODEV))
				return 0;
			return fail_errno(err, "write %s to freezer.state", wanted);
		}
		if (strcmp(freezer_state(cgroup, text), wanted) == 0)
			return 0;
	} while (patience_wait(&patience));
	return 1;
}

/* What did not freeze in time is thawed: half a server that stands still helps nobody. */
int cgroup_freeze(struct cgroup *cgroup, bool frozen, int64_t timeout_ms, struct error *err)
{
	bool v2 = cgroup->unified >= 0;
	int result = (v2 ? freeze_v2 : freeze_v1)(cgroup, frozen, timeout_ms, err);

	if (result == 0)
		return 0;
	if (result < 0)
		return blame(err, "cgroup %s: %s", cgroup->path, frozen ? "freeze" : "thaw");
	if (frozen)
		(void)knob_write(cgroup_directory(cgroup, CGROUP_FREEZER), v2 ? "cgroup.freeze" : "freezer.state",
			v2 ? "0" : "THAWED");
	return fail(err, ERROR_BUSY, "cgroup %s: not %s within %lld ms", cgroup->path, frozen ? "frozen" : "thawed",
		(long long)timeout_ms);
}

/* --- signals ------------------------------------------------------------------------------------------------------ */

/* -1 in the place of those that are gone. Fails when it could not open one that may be there: the rest are open. */
static int batch_open(const pid_t *pids, size_t count, int *pidfds, struct error *err)
{
	int result = 0;

	for (size_t i = 0; i < count; i++) {
		pidfds[i] = pidfd_open(pids[i], 0);
		if (pidfds[i] < 0 && errno != ESRCH && result == 0)
			result = fail_errno(err, "open process %d", pids[i]);
	}
	return result;
}

/* To those of at most BATCH pids that are still in the cgroup when their pidfd is open. */
static int signal_batch(const struct cgroup *cgroup, const pid_t *pids, size_t count, int signal, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_pids now = {0};
	struct error listing;
	int pidfds[BATCH];
	int result = batch_open(pids, count, pidfds, err);

	if (all_pids(cgroup, &arena, &now, result < 0 ? &listing : err) < 0)
		result = -1;
	for (size_t i = 0; i < count; i++) {
		if (pidfds[i] >= 0 && pids_contain(&now, pids[i]) &&
			pidfd_send_signal(pidfds[i], signal, NULL, 0) < 0 && errno != ESRCH && result == 0)
			result = fail_errno(err, "send signal %d to process %d", signal, pids[i]);
		fd_drop(&pidfds[i]);
	}
	return result;
}

static int signal_list(const struct cgroup *cgroup, const struct cgroup_pids *pids, int signal, struct error *err)
{
	for (size_t i = 0; i < pids->count; i += BATCH) {
		size_t count = pids->count - i < BATCH ? pids->count - i : BATCH;

		if (signal_batch(cgroup, pids->items + i, count, signal, err) < 0)
			return -1;
	}
	return 0;
}

int cgroup_signal(const struct cgroup *cgroup, int signal, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_pids pids;

	if (all_pids(cgroup, &arena, &pids, err) < 0 || signal_list(cgroup, &pids, signal, err) < 0)
		return blame(err, "cgroup %s", cgroup->path);
	return 0;
}

/* --- killing (v1) ------------------------------------------------------------------------------------------------- */

/* One round: 1 when everybody in the list had been signalled by an earlier round, so that nobody is left who could
 * fork; *last then holds them. */
static int kill_round(const struct cgroup *cgroup, struct cgroup_pids *last, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_pids pids;
	bool newcomers = false;

	if (all_pids(cgroup, &arena, &pids, err) < 0)
		return -1;
	for (size_t i = 0; i < pids.count && !newcomers; i++)
		newcomers = !pids_contain(last, pids.items[i]);
	if (newcomers && signal_list(cgroup, &pids, SIGKILL, err) < 0)
		return -1;
	memcpy(last->items, pids.items, pids.count * sizeof(pid_t));
	last->count = pids.count;
	return !newcomers;
}

static int kill_rounds(struct cgroup *cgroup, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_pids last = {.items = arena_new_array(&arena, LISTED_MAX, pid_t)};
	struct error unused;

	for (int i = 0; i < ROUNDS_MAX; i++) {
		int done = kill_round(cgroup, &last, err);

		if (done)
			return done < 0 ? -1 : 0;
		/* A fork bomb outruns the rounds: hold it still. Without a freezer the rounds go on alone. */
		if (i == ROUNDS_BEFORE_FREEZING && cgroup_freeze(cgroup, true, FREEZE_FOR_KILL_MS, &unused) < 0)
			continue;
	}
	return fail(err, ERROR_BUSY, "its processes multiply faster than they can be killed");
}

/* The signal comes before the thaw: a frozen process wakes up to die and does nothing else. */
static int kill_v1(struct cgroup *cgroup, struct error *err)
{
	int result = kill_rounds(cgroup, err);
	struct error unused;

	if (cgroup_is_frozen(cgroup) &&
		cgroup_freeze(cgroup, false, FREEZE_FOR_KILL_MS, result < 0 ? &unused : err) < 0)
		return -1;
	return result;
}

int cgroup_kill(struct cgroup *cgroup, struct error *err)
{
	if (cgroup->unified < 0)
		return kill_v1(cgroup, err) < 0 ? blame(err, "kill cgroup %s", cgroup->path) : 0;
	/* cgroup.kill since 5.14. ENODEV: removed meanwhile, so nobody is in it. */
	if (knob_write(cgroup->unified, "cgroup.kill", "1") < 0 && errno != ENODEV && errno != ENOENT)
		return fail_errno(err, "kill cgroup %s: write cgroup.kill", cgroup->path);
	return 0;
}
