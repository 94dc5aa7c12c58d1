/* The instances that there are: records that cannot be read, and what killed commands left. Looked at from a process of
 * its own and only when there is a state directory, which is never made here. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/host/doctor.h"

#define ENTRIES_MAX 65536

struct census {
	const struct host_options *where;
	const char *instances; /* path */
};

static void leftovers_count(struct arena *arena, const char *path, size_t *leftovers)
{
	auto_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strings names = {0};
	struct error ignored;

	if (dir < 0 || dir_list(arena, dir, ENTRIES_MAX, &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.count; i++)
		*leftovers += names.items[i][0] == '.';
}

/* "12 instances; damaged: a, b; 3 leftovers". Fails when something is wrong with one. */
static int census_take(void *context, char note[TRIAL_NOTE_SIZE], struct error *err)
{
	const struct census *census = context;
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text words = {0}, damaged = {0};
	struct instance_list list;
	struct host host;
	size_t leftovers = 0;

	leftovers_count(&arena, census->instances, &leftovers);
	if (host_open(census->where, &host, err) < 0)
		return -1;
	if (instance_list_read(&arena, &host, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++)
		if (list.items[i].state == INSTANCE_DAMAGED)
			text_appendf(&damaged, "%s%s", damaged.length ? ", " : "", list.items[i].name);
	host_close(&host);
	text_appendf(&words, "%zu", list.count);
	if (leftovers)
		text_appendf(&words, ", half made or half removed: %zu", leftovers);
	if (damaged.length)
		return fail(err, ERROR_SYSTEM, "%s; damaged: %s", text_string(&words), text_string(&damaged));
	snprintf(note, TRIAL_NOTE_SIZE, "%s", text_string(&words));
	return 0;
}

void examine_instances(struct examination *examination)
{
	struct census census = {.where = &examination->request->where,
		.instances = arena_format(examination->arena, "%s/instances", examination->lib)};
	struct trial trial = {.run = census_take, .context = &census};
	struct error err = {0};
	struct finding *finding;
	int result;

	if (access(census.instances, F_OK) < 0 && errno == ENOENT) {
		finding_add(examination, FINDING_OK, "instances", "none yet", NULL);
		return;
	}
	result = trial_run(&trial, &err);
	finding = finding_add(examination, trial_state(examination, result, FINDING_WARNING), "instances",
		arena_string(examination->arena, result > 0 ? trial.note : err.text), NULL);
	if (strstr(finding->found, "half made"))
		finding->why = "the next warren rm, down or apply removes what killed commands left";
	if (result <= 0 && examination->is_root)
		finding->remedy = "warren inspect NAME says what is wrong with it, warren rm -f NAME "
				  "removes it";
}
