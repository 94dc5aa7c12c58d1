/* A cgroup for somebody who may not make one where root does: below the one that was delegated to him, on cgroup v2 the
 * nearest above us that is marked so, else our own. Version 1 delegates nothing. */
#include <errno.h>

#include "base/cleanup.h"
#include "runtime/container/rootless_cgroup.h"
#include "runtime/state/state.h"

static bool is_refusal(const struct error *err)
{
	return err->errnum == EACCES || err->errnum == EPERM || err->errnum == EROFS;
}

static int none(int dir, struct container_facts *facts, const struct cgroup_limits *limits, struct error *err)
{
	facts->cgroup_path = NULL;
	if (state_note_cgroup(dir, NULL, err) < 0)
		return -1;
	if (container_limits_refuse(limits, err) < 0)
		return blame(err, "no cgroup is delegated to this user");
	return 0;
}

/* The record before the cgroup, as always. Rules of devices take rights that only the host's root has; nodes that he
 * did not give cannot be made in a user namespace anyway. */
static int make_below(const char *base, int dir, const struct container_facts *facts, const char *path,
	const struct cgroup_limits *limits, struct error *err)
{
	AUTO(cgroup_host_drop) struct cgroup_host host;
	struct cgroup_limits without_devices = *limits;
	struct cgroup made;

	without_devices.devices.count = 0;
	if (cgroup_host_open_at(&host, base, err) < 0 || state_note_cgroup(dir, facts->cgroup_path, err) < 0)
		return -1;
	if (cgroup_create(&host, path, &without_devices, CGROUP_MAY_EXIST | CGROUP_MUST_BE_EMPTY, &made, err) < 0)
		return -1;
	cgroup_drop(&made);
	return 0;
}

int rootless_cgroup_make(struct arena *arena, int dir, struct container_facts *facts,
	const struct cgroup_limits *limits, struct container_cgroup *out, struct error *err)
{
	const char *base, *path = facts->cgroup_path;

	container_cgroup_drop(out);
	if (cgroup_delegated_find(arena, &base, err) < 0)
		return none(dir, facts, limits, err);
	facts->cgroup_path = arena_format(arena, "%s/%s", text_equal(base, "/") ? "" : base, path);
	if (make_below(base, dir, facts, path, limits, err) < 0)
		return is_refusal(err) ? none(dir, facts, limits, err) : -1;
	if (container_cgroup_open(facts->cgroup_path, out, err) < 0)
		return -1;
	return 1;
}
