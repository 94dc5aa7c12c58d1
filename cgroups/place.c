/* Where we are in the tree of cgroup v2 when a part of it was delegated to us: as a service with Delegate=yes, a scope,
 * a container.
 *
 * The kernel hands no controllers to the children of a cgroup that has processes (cgroup-v2.rst, "No Internal Process
 * Constraint"), and whoever starts us puts us into the delegated cgroup itself. So we go down into a leaf of our own
 * first. Only our own processes are moved: what else was put there belongs to somebody who knows why. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cgroups/knobs.h"
#include "cgroups/layout.h"
#include "cgroups/tree.h"

#define HOME "warren.self"
#define ROUNDS_MAX 16
#define LIST_MAX ((size_t)1 << 20)
#define COMMAND_SIZE 32

/* --- the delegated cgroup ----------------------------------------------------------------------------------------- */

static bool has_mark(const char *path)
{
	static const char *const marks[] = {"user.delegate", "trusted.delegate"};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		char value = 0;

		if (getxattr(path, marks[i], &value, 1) == 1 && value == '1')
			return true;
	}
	return false;
}

static const char *path_join(struct arena *arena, const char *point, const char *below)
{
	return arena_format(arena, "%s%s", point, below[1] ? below : "");
}

/* The nearest marked one at or above `below`, else NULL. */
static const char *marked_find(struct arena *arena, const char *point, const char *below)
{
	char *path = (char *)arena_string(arena, below);

	for (char *slash = strrchr(path, '/'); path[1]; slash = strrchr(path, '/')) {
		if (has_mark(path_join(arena, point, path)))
			return path;
		slash[slash == path] = '\0';
	}
	return NULL;
}

/* Our own cgroup; the one above when we are in the leaf that we once went to. */
static const char *own_base(struct arena *arena, const char *below)
{
	char *path = (char *)arena_string(arena, below);
	char *slash = strrchr(path, '/');

	if (strcmp(slash + 1, HOME) == 0)
		slash[slash == path] = '\0';
	return path;
}

int cgroup_delegated_find(struct arena *arena, const char **base, struct error *err)
{
	struct unified_place place;
	const char *below;

	if (unified_place_read(arena, &place, err) < 0)
		return -1;
	if (!place.point)
		return fail(err, ERROR_SYSTEM, "find the delegated cgroup: needs a host with cgroup v2");
	below = unified_place_below(&place);
	if (!below)
		return fail(err, ERROR_SYSTEM, "find the delegated cgroup: ours, %s, is not below %s",
			place.self ? place.self : "unknown", place.point);
	*base = marked_find(arena, place.point, below);
	if (!*base)
		*base = own_base(arena, below);
	if (access(arena_format(arena, "%s/cgroup.type", path_join(arena, place.point, *base)), F_OK) < 0)
		return fail(err, ERROR_SYSTEM,
			"find the delegated cgroup: this command runs in the root of the hierarchy; start it by a "
			"service or scope with Delegate=yes");
	return 0;
}

/* --- leaving the base --------------------------------------------------------------------------------------------- */

bool directory_is_inhabited(int dir)
{
	char text[32];

	return faccessat(dir, "cgroup.type", F_OK, 0) == 0 && knob_read(dir, "cgroup.procs", text, sizeof(text)) > 0;
}

static int home_enter(int base, const char *pid)
{
	if (knob_write(base, HOME "/cgroup.procs", pid) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	if (mkdirat(base, HOME, 0755) < 0 && errno != EEXIST)
		return -1;
	return knob_write(base, HOME "/cgroup.procs", pid);
}

/* One that runs this very program. */
static bool process_is_ours(int64_t pid)
{
	char path[48];
	struct stat own, other;

	if (pid == getpid())
		return true;
	snprintf(path, sizeof(path), "/proc/%lld/exe", (long long)pid);
	return stat("/proc/self/exe", &own) == 0 && stat(path, &other) == 0 && own.st_dev == other.st_dev &&
	       own.st_ino == other.st_ino;
}

static void command_read(int64_t pid, char command[COMMAND_SIZE])
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%lld/comm", (long long)pid);
	if (knob_read(AT_FDCWD, path, command, COMMAND_SIZE) < 0)
		snprintf(command, COMMAND_SIZE, "unknown");
	command[strcspn(command, "\n")] = '\0';
}

/* Moves one that is ours (ended meanwhile: fine). */
static int process_move_home(int base, int64_t pid, struct error *err)
{
	char text[24], command[COMMAND_SIZE];

	if (!process_is_ours(pid)) {
		command_read(pid, command);
		return fail(err, ERROR_BUSY,
			"process %lld (%s) is in the cgroup itself, which cannot have both processes and children with "
			"limits; move it into a cgroup below first",
			(long long)pid, command);
	}
	snprintf(text, sizeof(text), "%lld", (long long)pid);
	if (home_enter(base, text) < 0 && errno != ESRCH)
		return fail_errno(err, "move process %lld into %s", (long long)pid, HOME);
	return 0;
}

/* Whom base lists now: 1 somebody was there (and moved), 0 nobody. */
static int base_vacate_round(int base, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *text;

	if (file_read(&arena, base, "cgroup.procs", LIST_MAX, &text, NULL, err) < 0)
		return -1;
	if (!*text)
		return 0;
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		int64_t pid;

		if (!knob_parse(text, &pid) || pid <= 0)
			return fail(err, ERROR_BUSY, "a process of another pid namespace is in the cgroup");
		if (process_move_home(base, pid, err) < 0)
			return -1;
	}
	return 1;
}

int base_vacate(int base, struct error *err)
{
	for (int i = 0; i < ROUNDS_MAX; i++) {
		int moved = base_vacate_round(base, err);

		if (moved <= 0)
			return moved;
	}
	return fail(err, ERROR_BUSY, "processes keep coming into the cgroup");
}

int cgroup_go_home(const struct cgroup_host *host, struct error *err)
{
	if (host->unified >= 0 && knob_write(host->unified, "cgroup.procs", "0") < 0 &&
		(errno != EBUSY || home_enter(host->unified, "0") < 0))
		return fail_errno(err, "leave the cgroup");
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (hierarchy_is_first(host, (enum cgroup_controller)c) &&
			knob_write(host->hierarchy[c], "tasks", "0") < 0)
			return fail_errno(err, "leave the cgroup of the %s hierarchy",
				controller_v1_name((enum cgroup_controller)c));
	return 0;
}
