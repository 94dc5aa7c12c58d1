/* kill, pause and delete: by pidfd and cgroup, in this order, each step fine when there is nothing left to do. */
#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "runtime/container/container.h"
#include "runtime/container/container_scope.h"
#include "runtime/namespaces/resctrl.h"
#include "runtime/state/state.h"

#define END_WAIT_MS 10000
#define FREEZE_WAIT_MS 10000

/* --- the end of everything that belongs to a container ------------------------------------------------------------ */

static int end_first_process(const struct process_id *init, struct error *err)
{
	auto_fd pidfd = -1;

	if (!init->pid)
		return 0;
	pidfd = process_open(init, err);
	if (pidfd < 0)
		return err->kind == ERROR_MISSING ? 0 : -1;
	if (process_signal(pidfd, SIGKILL, err) < 0)
		return err->kind == ERROR_MISSING ? 0 : -1;
	return process_wait_end(pidfd, END_WAIT_MS) == 1 ? 0 : 1;
}

/* Everything in the cgroup, also what did not live in the container's pid namespace. */
static int cgroup_end(struct cgroup *cgroup, struct error *err)
{
	if (cgroup_is_frozen(cgroup) && cgroup_freeze(cgroup, false, FREEZE_WAIT_MS, err) < 0)
		log_debug("%s", err->text); /* the kill reaches the frozen, too */
	return cgroup_is_populated(cgroup) ? cgroup_kill(cgroup, err) : 0;
}

/* The parent that we make when config.json names no path goes with the last child. */
static int cgroup_remove_with_parent(
	struct container_cgroup *cgroup, const char *path, int64_t timeout_ms, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *parent;

	path += *path == '/';
	if (cgroup_remove(&cgroup->host, path, timeout_ms, false, err) < 0)
		return -1;
	parent = arena_bytes(&arena, path, (size_t)(path_base(path) - path) - (path_base(path) > path));
	if (text_equal(path_base(parent), CONTAINER_CGROUP_PARENT))
		cgroup_remove_empty(&cgroup->host, parent);
	return 0;
}

/* The usual case: the process is gone and was the only one. */
static bool cgroup_try_remove(struct container_cgroup *cgroup, const char *path)
{
	struct error ignored;

	return cgroup_remove_with_parent(cgroup, path, 0, &ignored) == 0;
}

static int processes_end(const struct container_facts *facts, struct container_cgroup *cgroup, struct error *err)
{
	int ended;

	if (cgroup->has_cgroup && cgroup_end(&cgroup->cgroup, err) < 0)
		return -1;
	ended = end_first_process(&facts->init, err);
	if (ended > 0)
		return fail(
			err, ERROR_BUSY, "process %d does not end within %d s", facts->init.pid, END_WAIT_MS / 1000);
	return ended;
}

int container_end_processes(const struct container_facts *facts, struct error *err)
{
	AUTO(container_cgroup_drop) struct container_cgroup cgroup = {0};

	if (container_cgroup_open(facts->cgroup_path, &cgroup, err) < 0)
		return -1;
	return processes_end(facts, &cgroup, err);
}

int container_undo(const struct container_facts *facts, struct container_cgroup *cgroup, struct error *err)
{
	if (!facts->scope && !facts->init.pid && cgroup->has_cgroup && cgroup_try_remove(cgroup, facts->cgroup_path))
		return 0;
	if (processes_end(facts, cgroup, err) < 0)
		return -1;
	if (!cgroup->has_cgroup)
		return 0;
	if (facts->scope)
		return scope_remove(facts, cgroup, END_WAIT_MS, err);
	return cgroup_remove_with_parent(cgroup, facts->cgroup_path, END_WAIT_MS, err);
}

static int undo(const struct container_facts *facts, struct error *err)
{
	AUTO(container_cgroup_drop) struct container_cgroup cgroup = {0};

	if (container_cgroup_open(facts->cgroup_path, &cgroup, err) < 0)
		return -1;
	return container_undo(facts, &cgroup, err);
}

/* --- delete ------------------------------------------------------------------------------------------------------- */

static void poststop_run(struct arena *arena, const struct container *container)
{
	static const struct spec_rdt own_group;
	struct spec spec;
	struct error err;

	if (container_spec(arena, container, &spec, &err) < 0) {
		log_warn("%s", err.text);
		return;
	}
	rdt_leave(container->facts.own_resctrl ? &own_group : spec.rdt, container->facts.id);
	container_poststop_run(&spec.hooks, &container->facts);
}

static int delete_held(int root, struct held *held, bool force, struct error *err)
{
	const struct container *container = &held->container;
	bool may = force || container->status == CONTAINER_STOPPED || container->status == CONTAINER_CREATED ||
		   container->status == CONTAINER_CREATING;

	if (!may)
		return fail(err, ERROR_BUSY, "cannot delete container \"%s\": it is %s; stop it first, or use --force",
			container->facts.id, container_status_names[container->status]);
	if (undo(&container->facts, err) < 0)
		return blame(err, "delete container \"%s\"", container->facts.id);
	poststop_run(&held->arena, container);
	return state_remove(root, container->dir, container->facts.id, err);
}

/* A damaged record still has its two links, or else the cgroup that a container of that name has by default. Without
 * force it stays, for somebody to look at. 1: it is not damaged now. */
static int delete_damaged(int root, const char *id, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct container_facts facts;
	struct error damage;
	auto_fd dir = state_open(root, id, true, err);

	if (dir < 0)
		return -1;
	if (state_read(&arena, dir, id, &facts, &damage) == 0)
		return 1;
	if (damage.kind != ERROR_USAGE) {
		*err = damage;
		return -1;
	}
	log_warn("%s", damage.text);
	if (!facts.cgroup_path)
		facts.cgroup_path = arena_format(&arena, CONTAINER_CGROUP_PARENT "/%s", id);
	if (undo(&facts, err) < 0)
		return blame(err, "delete container \"%s\"", id);
	return state_remove(root, dir, id, err);
}

/* 1: the record cannot be opened or read. */
static int delete_readable(int root, const char *id, bool force, struct error *err)
{
	AUTO(held_drop) struct held held;

	return container_hold(root, id, &held, err) < 0 ? 1 : delete_held(root, &held, force, err);
}

int container_delete(int root, const char *id, bool force, struct error *err)
{
	int result = delete_readable(root, id, force, err);

	if (result <= 0)
		return result;
	if (err->kind == ERROR_MISSING && force) {
		state_sweep(root);
		return 0;
	}
	if (err->kind != ERROR_USAGE || !force || id_check(id, &(struct error){0}) < 0)
		return -1;
	result = delete_damaged(root, id, err);
	return result <= 0 ? result : -(delete_readable(root, id, force, err) != 0);
}

/* --- kill --------------------------------------------------------------------------------------------------------- */

static int fail_not_running(const struct container *container, struct error *err)
{
	return fail(err, ERROR_BUSY, "container \"%s\": container not running: it is %s", container->facts.id,
		container_status_names[container->status]);
}

static int signal_all(const struct container *container, int signal, struct error *err)
{
	AUTO(container_cgroup_drop) struct container_cgroup cgroup = {0};

	if (!container->facts.cgroup_path)
		return fail(err, ERROR_SYSTEM, "container \"%s\" has no cgroup to find its processes by",
			container->facts.id);
	if (container_cgroup_open(container->facts.cgroup_path, &cgroup, err) < 0)
		return -1;
	if (!cgroup.has_cgroup)
		return 0;
	return signal == SIGKILL ? cgroup_kill(&cgroup.cgroup, err) : cgroup_signal(&cgroup.cgroup, signal, err);
}

int container_kill(int root, const char *id, int signal, bool all, struct error *err)
{
	AUTO(held_drop) struct held held;
	const struct container *container = &held.container;
	auto_fd pidfd = -1;

	if (container_hold(root, id, &held, err) < 0)
		return -1;
	if (all)
		return signal_all(container, signal, err);
	if (container->status == CONTAINER_STOPPED || !container->facts.init.pid)
		return fail_not_running(container, err);
	pidfd = process_open(&container->facts.init, err);
	if (pidfd < 0)
		return err->kind == ERROR_MISSING ? fail_not_running(container, err) : -1;
	return process_signal(pidfd, signal, err);
}

/* --- pause -------------------------------------------------------------------------------------------------------- */

int container_pause(int root, const char *id, bool paused, struct error *err)
{
	AUTO(held_drop) struct held held;
	AUTO(container_cgroup_drop) struct container_cgroup cgroup = {0};
	const struct container *container = &held.container;

	if (container_hold(root, id, &held, err) < 0)
		return -1;
	if (container->status != CONTAINER_RUNNING && container->status != CONTAINER_CREATED)
		return fail_not_running(container, err);
	if (container_cgroup_open(container->facts.cgroup_path, &cgroup, err) < 0)
		return -1;
	if (!cgroup.has_cgroup)
		return fail(err, ERROR_SYSTEM, "container \"%s\" has no cgroup to freeze", id);
	return cgroup_freeze(&cgroup.cgroup, paused, FREEZE_WAIT_MS, err);
}
