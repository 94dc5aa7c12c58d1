/* exec --cgroup: the way into cgroups below the container's own.
 *
 * PATH is the same below every hierarchy. On cgroup v1 single hierarchies may be named (CONTROLLER:PATH, repeated or
 * with commas); in the others the process goes where the container is. Nothing of the container's cgroup may be missing
 * from the way: the process would stay in ours there, outside the container's limits. */
#include <string.h>

#include "base/cleanup.h"
#include "runtime/container/container.h"

static int below_fail_absent(struct error *err, const char *path, const char *hierarchy)
{
	if (!hierarchy)
		return fail(err, ERROR_MISSING, "sub-cgroup %s: does not exist", path);
	return fail(err, ERROR_MISSING, "sub-cgroup %s: does not exist in the %s hierarchy", path, hierarchy);
}

static const char *path_below(struct arena *arena, const char *path, const char *below)
{
	below += strspn(below, "/");
	return *below ? arena_format(arena, "%s/%s", path, below) : path;
}

static int below_open(
	struct arena *arena, const char *path, const char *below, struct container_cgroup *out, struct error *err)
{
	if (container_cgroup_open(path_below(arena, path, below), out, err) < 0)
		return blame(err, "sub-cgroup %s", below);
	return out->has_cgroup ? 0 : below_fail_absent(err, below, NULL);
}

/* --- one path ----------------------------------------------------------------------------------------------------- */

static int everywhere(struct arena *arena, const struct container_cgroup *cgroup, const char *path, const char *word,
	struct cgroup_entrance *out, struct error *err)
{
	AUTO(container_cgroup_drop) struct container_cgroup below = {0};

	if (below_open(arena, path, word, &below, err) < 0)
		return -1;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (cgroup->cgroup.hierarchy[c] >= 0 && below.cgroup.hierarchy[c] < 0)
			return below_fail_absent(err, word, cgroup_controller_name((enum cgroup_controller)c));
	return cgroup_entrance_open(&below.cgroup, out, err);
}

/* --- single hierarchies ------------------------------------------------------------------------------------------- */

/* The container's cgroup with other directories in some hierarchies: borrowed ones. */
struct mixture {
	const struct container_cgroup *cgroup;
	struct container_cgroup below[CGROUP_CONTROLLERS];
	const char *word[CGROUP_CONTROLLERS]; /* that has named it */
	struct cgroup mixed;
};

static void mixture_drop(struct mixture *mixture)
{
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		container_cgroup_drop(&mixture->below[c]);
}

static int controller_find(const struct mixture *mixture, const char *word, const char *name, struct error *err)
{
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		if (strcmp(cgroup_controller_name((enum cgroup_controller)c), name) != 0 &&
			!(c == CGROUP_IO && strcmp(name, "blkio") == 0))
			continue;
		if (mixture->cgroup->cgroup.hierarchy[c] >= 0)
			return c;
	}
	return fail(err, ERROR_USAGE, "--cgroup %s: the container is in no hierarchy with the controller \"%s\"", word,
		name);
}

/* Controllers that are mounted together have one directory. */
static void mixture_take(struct mixture *mixture, int controller, const char *word)
{
	const struct container_cgroup *below = &mixture->below[controller];

	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		if (below->host.hierarchy[c] < 0 || below->host.number[c] != below->host.number[controller])
			continue;
		mixture->word[c] = word;
		mixture->mixed.hierarchy[c] = below->cgroup.hierarchy[c];
	}
}

static int mixture_add_one(struct mixture *mixture, struct arena *arena, const char *path, const char *word,
	const char *name, struct error *err)
{
	const char *below = strchr(word, ':') + 1;
	int c = controller_find(mixture, word, name, err);

	if (c < 0)
		return -1;
	if (mixture->word[c] == word) /* "cpu,cpuacct:x" of one hierarchy */
		return 0;
	if (mixture->word[c])
		return fail(err, ERROR_USAGE, "--cgroup %s: --cgroup %s has named that hierarchy already", word,
			mixture->word[c]);
	if (below_open(arena, path, below, &mixture->below[c], err) < 0)
		return -1;
	if (mixture->below[c].cgroup.hierarchy[c] < 0)
		return below_fail_absent(err, below, name);
	mixture_take(mixture, c, word);
	return 0;
}

static int mixture_add(
	struct mixture *mixture, struct arena *arena, const char *path, const char *word, struct error *err)
{
	const char *colon = strchr(word, ':');
	struct strings names;

	if (!colon || strchr(colon + 1, ':'))
		return fail(err, ERROR_USAGE,
			"--cgroup %s: must be CONTROLLER:PATH; PATH alone counts for all and stands alone", word);
	names = strings_split(arena, arena_bytes(arena, word, (size_t)(colon - word)), ',');
	for (size_t i = 0; i < names.count; i++)
		if (mixture_add_one(mixture, arena, path, word, names.items[i], err) < 0)
			return -1;
	return 0;
}

static int one_by_one(struct arena *arena, const struct container_cgroup *cgroup, const char *path,
	const struct strings *words, struct cgroup_entrance *out, struct error *err)
{
	AUTO(mixture_drop) struct mixture mixture = {.cgroup = cgroup, .mixed = cgroup->cgroup};

	if (cgroup->cgroup.unified >= 0)
		return fail(err, ERROR_USAGE,
			"--cgroup %s: on this host, with cgroup v2, a controller has no hierarchy of its own; give "
			"PATH",
			words->items[0]);
	for (size_t i = 0; i < words->count; i++)
		if (mixture_add(&mixture, arena, path, words->items[i], err) < 0)
			return -1;
	return cgroup_entrance_open(&mixture.mixed, out, err);
}

int container_entrance_below(struct arena *arena, const struct container_cgroup *cgroup, const char *path,
	const struct strings *words, struct cgroup_entrance *out, struct error *err)
{
	if (words->count == 1 && !strchr(words->items[0], ':'))
		return everywhere(arena, cgroup, path, words->items[0], out, err);
	return one_by_one(arena, cgroup, path, words, out, err);
}
