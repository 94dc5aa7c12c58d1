/* exec: a second process in a container, by the rules the container was made with. */
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "runtime/container/container.h"
#include "runtime/namespaces/rootless.h"
#include "runtime/process/listener.h"
#include "runtime/process/terminal.h"
#include "runtime/start/report.h"
#include "runtime/state/state.h"

int container_exec_defaults(struct arena *arena, int root, const char *id, struct spec_process *out, struct error *err)
{
	struct container container;
	struct spec spec;
	int result;

	if (container_open_record(arena, root, id, &container, err) < 0)
		return -1;
	result = container_spec(arena, &container, &spec, err);
	container_close(&container);
	if (result == 0)
		*out = spec.process;
	return result;
}

struct execution {
	struct arena arena;
	struct container container;
	struct spec spec;
	struct container_cgroup cgroup;
	struct cgroup_entrance entrance;
	struct seccomp_program *seccomp;
	struct listener supervisor;
	int console_socket;
	struct launched launched;
};

static void execution_drop(struct execution *e)
{
	launched_drop(&e->launched);
	fd_drop(&e->console_socket);
	listener_drop(&e->supervisor);
	seccomp_program_drop(&e->seccomp);
	cgroup_entrance_drop(&e->entrance);
	container_cgroup_drop(&e->cgroup);
	container_close(&e->container);
	arena_drop(&e->arena);
}

static int check_running(const struct execution *e, bool ignore_paused, struct error *err)
{
	if (e->container.status == CONTAINER_RUNNING || e->container.status == CONTAINER_CREATED)
		return 0;
	if (e->container.status == CONTAINER_PAUSED && ignore_paused)
		return 0;
	return fail(err, ERROR_BUSY, "cannot exec in container \"%s\": container not running: it is %s",
		e->container.facts.id, container_status_names[e->container.status]);
}

static int entrance_get(struct execution *e, const struct strings *below, struct error *err)
{
	if (container_cgroup_open(e->container.facts.cgroup_path, &e->cgroup, err) < 0)
		return -1;
	if (!e->cgroup.has_cgroup && below->count)
		return fail(err, ERROR_USAGE, "sub-cgroup %s: container \"%s\" has no cgroup", below->items[0],
			e->container.facts.id);
	if (!e->cgroup.has_cgroup)
		return 0;
	/* A process that was born frozen would wait for somebody to thaw it, and we for its execve. */
	if (e->container.status == CONTAINER_RUNNING && cgroup_is_frozen(&e->cgroup.cgroup))
		e->container.status = CONTAINER_PAUSED;
	if (below->count)
		return container_entrance_below(
			&e->arena, &e->cgroup, e->container.facts.cgroup_path, below, &e->entrance, err);
	return cgroup_entrance_open(&e->cgroup.cgroup, &e->entrance, err);
}

static int filter_get(struct execution *e, int root, struct error *err)
{
	auto_fd cache = -1;

	if (!e->spec.seccomp)
		return 0;
	cache = dir_create(root, CONTAINER_SECCOMP_CACHE, 0700, err);
	if (cache < 0)
		log_debug("no cache of filters: %s", err->text);
	return seccomp_program_get(e->spec.seccomp, cache, &e->seccomp, err);
}

static int console_check(struct execution *e, const struct container_exec_options *options, struct error *err)
{
	if (options->console_socket) {
		if (!options->process->terminal)
			return fail(err, ERROR_USAGE, "a console socket is of use only with a terminal");
		e->console_socket = console_socket_connect(options->console_socket, err);
		return e->console_socket < 0 ? -1 : 0;
	}
	if (options->process->terminal && options->detach)
		return fail(
			err, ERROR_USAGE, "a terminal in the background needs a console socket: use --console-socket");
	return 0;
}

static int execution_prepare(
	struct execution *e, int root, const char *id, const struct container_exec_options *options, struct error *err)
{
	if (spec_process_check(options->process, err) < 0 ||
		container_open_record(&e->arena, root, id, &e->container, err) < 0)
		return -1;
	if (guard_if_needed(
		    options->guard_arguments, e->container.facts.own_id_range && !rootless_owns_program(), err) < 0)
		return -1;
	if (entrance_get(e, &options->cgroups, err) < 0 || check_running(e, options->ignore_paused, err) < 0)
		return -1;
	if (container_spec(&e->arena, &e->container, &e->spec, err) < 0 || console_check(e, options, err) < 0)
		return -1;
	if (listener_open(&e->arena, e->spec.seccomp, &e->container.facts, container_status_names[e->container.status],
		    e->container.facts.init.pid, &e->supervisor, err) < 0)
		return -1;
	return filter_get(e, root, err);
}

/* Root of the first user namespace made all others there are, and forbade it in none. */
static bool groups_are_kept(const struct execution *e, const struct spec_process *process)
{
	if (process->keep_groups || process->groups.count || (geteuid() == 0 && !rootless_is_inside()))
		return process->keep_groups;
	return rootless_groups_are_fixed(e->container.facts.init.pid);
}

static int execution_start(struct execution *e, const struct container_exec_options *options, struct error *err)
{
	struct spec_process process = *options->process;
	struct join join = {
		.target = &e->container.facts.init,
		.process = &process,
		.entrance = e->cgroup.has_cgroup ? &e->entrance : NULL,
		.seccomp = e->seccomp,
		.listener = &e->supervisor,
		.guard_own_binary = !e->container.facts.own_id_range || rootless_owns_program(),
		.stdio = {0, 1, 2},
		.preserve_fds = options->preserve_fds,
	};

	process.keep_groups = groups_are_kept(e, &process);
	/* What the object `linux` says of processes holds for all of the container's. */
	process.memory_policy = e->spec.process.memory_policy;
	process.personality = e->spec.process.personality;
	if (!process.oom_score_adj.set)
		process.oom_score_adj = e->spec.process.oom_score_adj;
	if (join_start(&join, &e->launched, NULL, err) < 0)
		return -1;
	if (e->console_socket >= 0) {
		if (console_socket_send(e->console_socket, e->launched.console, err) < 0)
			return -1;
		fd_drop(&e->launched.console);
	}
	return pid_file_write(options->pid_file, e->launched.pid, err);
}

int container_exec(
	int root, const char *id, const struct container_exec_options *options, int *status, struct error *err)
{
	AUTO(execution_drop)
	struct execution e = {
		.container = {.dir = -1},
		.entrance = {.into = -1},
		.supervisor = {.socket = -1},
		.console_socket = -1,
		.launched = {.pidfd = -1, .userns = -1, .netns = -1, .console = -1},
	};

	*status = 0;
	if (execution_prepare(&e, root, id, options, err) < 0)
		return -1;
	if (execution_start(&e, options, err) < 0)
		return -1;
	if (options->detach || process_attend(&e.launched, status, err) == 0)
		return 0;
	/* Nobody would know of it. */
	report_give_up(e.launched.pidfd);
	return -1;
}
