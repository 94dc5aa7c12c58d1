/* Id maps for an ordinary user.
 *
 * The kernel lets a user map his own id, and of groups his own when nobody inside may change groups any more. Whole
 * ranges are given out in /etc/subuid and /etc/subgid; newuidmap and newgidmap have the right to write those. They are
 * executed by absolute path, with numbers only. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "runtime/namespaces/rootless.h"

#define TIMEOUT_MS 10000

struct kind {
	const char *file, *program, *ranges;
};
static const struct kind uids = {"uid_map", "/usr/bin/newuidmap", "/etc/subuid"};
static const struct kind gids = {"gid_map", "/usr/bin/newgidmap", "/etc/subgid"};

static int fail_without_program(const struct kind *kind, uint32_t own, struct error *err)
{
	return fail(err, ERROR_MISSING,
		"id maps of more than the own id need %s, of the package uidmap (apt-get install uidmap), and a range "
		"in %s; or map {\"containerID\": 0, \"hostID\": %u, \"size\": 1} alone",
		kind->program, kind->ranges, own);
}

static int fail_refused(const struct kind *kind, struct text *output, struct error *err)
{
	char *line = output->length ? output->data : NULL;

	for (char *c = line; c && *c; c++)
		if (*c == '\n')
			*c = c[1] ? ';' : '\0';
	return fail(err, ERROR_SYSTEM, "%s refuses the id map (which ranges are this user's? see %s): %.200s",
		kind->program, kind->ranges, line ? line : "");
}

static int program_run(
	const struct kind *kind, pid_t pid, const struct id_map *maps, size_t count, uint32_t own, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text output = {0};
	struct strings argv = {0};
	struct helper helper = {.timeout_ms = TIMEOUT_MS};
	int status;

	if (access(kind->program, X_OK) < 0)
		return fail_without_program(kind, own, err);
	strings_add(&arena, &argv, kind->program);
	strings_add(&arena, &argv, arena_format(&arena, "%d", pid));
	for (size_t i = 0; i < count; i++) {
		strings_add(&arena, &argv, arena_format(&arena, "%u", maps[i].inside));
		strings_add(&arena, &argv, arena_format(&arena, "%u", maps[i].host));
		strings_add(&arena, &argv, arena_format(&arena, "%u", maps[i].count));
	}
	helper.argv = argv.items;
	if (process_run(&helper, &output, &status, err) < 0)
		return -1;
	return status == 0 ? 0 : fail_refused(kind, &output, err);
}

static bool is_own_id(const struct id_map *maps, size_t count, uint32_t own)
{
	return count == 1 && maps[0].count == 1 && maps[0].host == own;
}

static int map_write(
	const struct kind *kind, pid_t pid, const struct id_map *maps, size_t count, uint32_t own, struct error *err)
{
	char path[32];

	if (!is_own_id(maps, count, own))
		return program_run(kind, pid, maps, count, own, err);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	auto_fd proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return fail_errno(err, "open %s", path);
	if (kind == &gids && file_write(proc, "setgroups", "deny", err) < 0)
		return -1;
	return file_writef(proc, kind->file, err, "%u %u 1\n", maps[0].inside, maps[0].host);
}

int rootless_maps_write(pid_t pid, const struct spec *spec, struct error *err)
{
	if (map_write(&gids, pid, spec->gid_maps.items, spec->gid_maps.count, getegid(), err) < 0 ||
		map_write(&uids, pid, spec->uid_maps.items, spec->uid_maps.count, geteuid(), err) < 0)
		return blame(err, "write the id maps");
	return 0;
}
