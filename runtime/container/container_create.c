/* create and run.
 *
 * The order makes every moment undoable by whoever comes next: the record with the cgroup's path first, then the
 * cgroup, then the process, which is noted before it is told to go on; it ends by itself when its parent goes away
 * earlier. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/socket.h"
#include "cgroups/systemd.h"
#include "runtime/container/container.h"
#include "runtime/container/container_scope.h"
#include "runtime/container/rootless_cgroup.h"
#include "runtime/criu/restore.h"
#include "runtime/namespaces/netdevices.h"
#include "runtime/namespaces/resctrl.h"
#include "runtime/namespaces/rootless.h"
#include "runtime/process/listener.h"
#include "runtime/process/process.h"
#include "runtime/process/terminal.h"
#include "runtime/start/guard.h"
#include "runtime/start/notify.h"
#include "runtime/state/state.h"

struct creation {
	struct arena arena;
	int root;
	const struct container_create_options *options;
	struct spec spec;
	struct container_facts facts;
	const char *config; /* path */
	int dir;	    /* the record, locked */
	struct container_cgroup cgroup;
	struct scope scope; /* with CONTAINER_SYSTEMD */
	struct cgroup_entrance entrance;
	struct seccomp_program *seccomp;
	struct listener supervisor;
	int console_socket;
	int listener, start_lock;
	bool waits; /* create: the child waits for "start" */
	struct netdevices network;
	int notify; /* the container's NOTIFY_SOCKET, which we read; -1 */
	struct launched launched;
};

static void creation_drop(struct creation *c)
{
	launched_drop(&c->launched);
	netdevices_drop(&c->network);
	fd_drop(&c->notify);
	fd_drop(&c->listener);
	fd_drop(&c->start_lock);
	fd_drop(&c->console_socket);
	listener_drop(&c->supervisor);
	seccomp_program_drop(&c->seccomp);
	cgroup_entrance_drop(&c->entrance);
	scope_drop(&c->scope);
	container_cgroup_drop(&c->cgroup);
	fd_drop(&c->dir);
	arena_drop(&c->arena);
}

/* --- before anything is made -------------------------------------------------------------------------------------- */

int guard_if_needed(char *const *arguments, bool own_id_range, struct error *err)
{
	if (own_id_range)
		return 0;
	return arguments ? guard_enter(arguments, err) : guard_check(err);
}

static int bundle_resolve(struct creation *c, struct error *err)
{
	const char *bundle = c->options->bundle ? c->options->bundle : ".";
	char here[PATH_MAX];

	if (*bundle != '/' && !getcwd(here, sizeof(here)))
		return fail_errno(err, "bundle %s: working directory", bundle);
	if (*bundle != '/')
		bundle = text_equal(bundle, ".") ? arena_string(&c->arena, here)
						 : arena_format(&c->arena, "%s/%s", here, bundle);
	c->facts.bundle = bundle;
	c->config = c->options->config ? c->options->config : arena_format(&c->arena, "%s/config.json", bundle);
	return 0;
}

static const char *cgroup_path(struct creation *c)
{
	const char *path = c->spec.cgroup_path;

	while (path && *path == '/')
		path++;
	if (!text_is_empty(path))
		return path;
	return arena_format(&c->arena, CONTAINER_CGROUP_PARENT "/%s", c->facts.id);
}

/* What can be known of the cgroup before anything is made. */
static int cgroup_plan(struct creation *c, struct error *err)
{
	const char *wanted = c->spec.cgroup_path;

	switch (c->options->cgroups) {
	case CONTAINER_CGROUPFS:
		if (wanted && strchr(wanted, ':'))
			return fail(err, ERROR_USAGE,
				"linux.cgroupsPath \"%s\": is a name for systemd, and no path; use --systemd-cgroup",
				wanted);
		c->facts.cgroup_path = c->spec.cgroup_path = cgroup_path(c);
		return 0;
	case CONTAINER_SYSTEMD:
		return scope_plan(&c->scope, &c->arena, c->facts.id, &c->spec, err);
	case CONTAINER_NO_CGROUP:
		c->spec.cgroup_path = NULL;
		return container_limits_refuse(&c->spec.limits, err);
	}
	return fail(err, ERROR_USAGE, "cgroups: nobody of that number makes them");
}

static bool has_own_ids(const struct spec *spec)
{
	const struct spec_namespaces *namespaces = &spec->namespaces;

	return namespaces->create[NS_USER] || namespaces->path[NS_USER] || namespaces->fd[NS_USER] >= 0;
}

static int facts_fill(struct creation *c, struct error *err)
{
	struct container_facts *facts = &c->facts;
	uid_t uid = geteuid();

	if (boot_id_read(err) < 0)
		return -1;
	facts->root = c->spec.root;
	facts->owner = uid == 0 ? "root" : arena_format(&c->arena, "%u", uid);
	facts->oci_version = c->spec.oci_version;
	facts->created_ms = clock_real_ms();
	facts->annotations = c->spec.annotations;
	facts->own_id_range = has_own_ids(&c->spec);
	facts->terminal = c->spec.process.terminal;
	facts->boot = boot_id();
	return 0;
}

static int console_check(struct creation *c, bool detached, struct error *err)
{
	if (c->options->console_socket) {
		if (!c->spec.process.terminal)
			return fail(err, ERROR_USAGE, "a console socket is of use only with process.terminal");
		c->console_socket = console_socket_connect(c->options->console_socket, err);
		return c->console_socket < 0 ? -1 : 0;
	}
	if (c->spec.process.terminal && detached)
		return fail(err, ERROR_USAGE, "process.terminal in the background: use --console-socket");
	return 0;
}

static int creation_prepare(struct creation *c, const char *id, bool detached, struct error *err)
{
	if (id_check(id, err) < 0 || process_check_preserved(c->options->preserve_fds, err) < 0)
		return -1;
	c->facts.id = arena_string(&c->arena, id);
	if (bundle_resolve(c, err) < 0)
		return -1;
	if (oci_spec_read(&c->arena, c->facts.bundle, c->options->config, &c->spec, err) < 0)
		return -1;
	c->spec.process.listen_fds = c->options->listen_fds;
	c->spec.process.listen_names = c->options->listen_names;
	if (guard_if_needed(c->options->guard_arguments, has_own_ids(&c->spec) && !rootless_owns_program(), err) < 0)
		return -1;
	systemd_helper_seal();
	if (facts_fill(c, err) < 0 || cgroup_plan(c, err) < 0)
		return -1;
	if (console_check(c, detached, err) < 0)
		return -1;
	return rootless_enter(&c->spec, err);
}

/* --- cgroup, filter ----------------------------------------------------------------------------------------------- */

/* The record has the path before systemd's scope can outlive its helper, and the helper stays until a process of ours
 * is in the scope: killed at any moment, we leave an empty one, which systemd removes. */
static int scope_make(struct creation *c, struct error *err)
{
	if (scope_start(&c->scope, &c->arena, &c->facts, err) < 0 || state_note_scope(c->dir, &c->facts, err) < 0)
		return -1;
	c->spec.cgroup_path = c->facts.cgroup_path + 1;
	if (scope_limit(&c->scope, &c->facts, &c->spec.limits, &c->cgroup, err) < 0)
		return -1;
	return cgroup_entrance_open(&c->cgroup.cgroup, &c->entrance, err);
}

static bool may_be_elsewhere(const struct creation *c, const struct error *err)
{
	bool refused = err->errnum == EACCES || err->errnum == EPERM || err->errnum == EROFS;

	/* Busy: the one that was delegated has processes, so it has no controllers for ours. */
	if ((!refused && err->kind != ERROR_BUSY && err->errnum != EBUSY) ||
		c->options->rootless == CONTAINER_ROOTLESS_FALSE)
		return false;
	return c->options->rootless == CONTAINER_ROOTLESS_TRUE || rootless_is_inside();
}

static int cgroup_make_elsewhere(struct creation *c, struct error *err)
{
	int made;

	if (!may_be_elsewhere(c, err))
		return -1;
	made = rootless_cgroup_make(&c->arena, c->dir, &c->facts, &c->spec.limits, &c->cgroup, err);
	c->spec.cgroup_path = c->facts.cgroup_path ? c->facts.cgroup_path + 1 : NULL;
	return made > 0 ? cgroup_entrance_open(&c->cgroup.cgroup, &c->entrance, err) : made;
}

static int cgroup_make(struct creation *c, struct error *err)
{
	if (c->options->cgroups == CONTAINER_NO_CGROUP)
		return 0;
	if (c->options->cgroups == CONTAINER_SYSTEMD)
		return scope_make(c, err);
	if (container_cgroup_open(NULL, &c->cgroup, err) < 0)
		return -1;
	if (c->cgroup.host.mode == CGROUP_NONE)
		return 0;
	/* What is in it ends with the container. */
	if (cgroup_create(&c->cgroup.host, c->facts.cgroup_path, &c->spec.limits,
		    CGROUP_ACCOUNTING | CGROUP_MAY_EXIST | CGROUP_MUST_BE_EMPTY, &c->cgroup.cgroup, err) < 0)
		return cgroup_make_elsewhere(c, err);
	c->cgroup.has_cgroup = true;
	return cgroup_entrance_open(&c->cgroup.cgroup, &c->entrance, err);
}

static int filter_get(struct creation *c, struct error *err)
{
	auto_fd cache = -1;

	if (!c->spec.seccomp || c->options->restore)
		return 0;
	if (listener_open(&c->arena, c->spec.seccomp, &c->facts, "creating", 0, &c->supervisor, err) < 0)
		return -1;
	/* Whose it is, the cache asks itself. */
	cache = openat(c->root, CONTAINER_SECCOMP_CACHE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (cache < 0)
		cache = dir_create(c->root, CONTAINER_SECCOMP_CACHE, 0700, err);
	if (cache < 0)
		log_debug("no cache of filters: %s", err->text);
	return seccomp_program_get(c->spec.seccomp, cache, &c->seccomp, err);
}

/* --- the process -------------------------------------------------------------------------------------------------- */

static bool has_hooks_inside(const struct spec *spec)
{
	return spec->hooks.of[HOOK_CREATE_CONTAINER].count || spec->hooks.of[HOOK_START_CONTAINER].count;
}

/* The child exists in its namespaces and waits: note it, then let the operator's hooks at it. */
static int on_child(void *context, const struct launch_child *child, struct launch_part *parts, size_t room,
	size_t *count, struct error *err)
{
	struct creation *c = context;

	(void)parts;
	(void)room;
	*count = 0;
	if (scope_settle(&c->scope, &c->cgroup, err) < 0)
		return -1;
	if (process_identify(child->pid, &c->facts.init, err) < 0)
		return -1;
	if (state_note_process(c->dir, &c->facts.init, err) < 0)
		return -1;
	if (rdt_enter(c->spec.rdt, c->facts.id, child->pid, err) < 0)
		return -1;
	if (c->spec.net_devices.count && netdevices_move(&c->network, &c->spec, child->netns, err) < 0)
		return -1;
	if (container_hooks_run(&c->spec.hooks, &c->facts, HOOK_PRESTART, child->pid, err) < 0)
		return -1;
	return container_hooks_run(&c->spec.hooks, &c->facts, HOOK_CREATE_RUNTIME, child->pid, err);
}

static int start_gate_make(struct creation *c, struct error *err)
{
	if (!c->waits)
		return 0;
	c->start_lock = openat(c->dir, STATE_START_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (c->start_lock < 0 || ofd_lock(c->start_lock) < 0)
		return fail_errno(err, "lock " STATE_START_LOCK);
	c->listener = socket_listen(c->dir, STATE_START_SOCKET, err);
	return c->listener < 0 ? -1 : 0;
}

static int notify_make(struct creation *c, struct error *err)
{
	const char *host = c->options->notify_socket;

	if (text_is_empty(host))
		return 0;
	if (notify_prepare(&c->arena, c->dir, host, &c->spec, err) < 0)
		return -1;
	/* One that waits is asked by its `start`. */
	c->notify = c->waits ? -1 : notify_listen(c->dir, err);
	return c->waits || c->notify >= 0 ? 0 : -1;
}

static bool has_idmapped_mounts(const struct spec *spec)
{
	for (size_t i = 0; i < spec->mounts.count; i++)
		if (spec->mounts.items[i].idmap)
			return true;
	return false;
}

static int on_restored(void *context, pid_t pid, struct error *err)
{
	const struct launch_child child = {.pid = pid, .pidfd = -1, .userns = -1, .netns = -1};
	size_t count;

	return on_child(context, &child, NULL, 0, &count, err);
}

/* Its hooks inside, its filter and its rights come back with the process. */
static int process_restore(struct creation *c, struct error *err)
{
	const struct restore restore = {
		.arena = &c->arena,
		.spec = &c->spec,
		.options = c->options->restore,
		.entrance = c->cgroup.has_cgroup ? &c->entrance : NULL,
		.on_process = on_restored,
		.context = c,
	};

	return restore_start(&restore, &c->launched, err);
}

static int process_launch(struct creation *c, struct error *err)
{
	const struct launch_hooks inside = {&c->facts};
	struct launch launch = {
		.spec = &c->spec,
		.entrance = c->cgroup.has_cgroup ? &c->entrance : NULL,
		.seccomp = c->seccomp,
		.callbacks = {.context = c, .prepare = on_child},
		.stdio = {0, 1, 2},
		.preserve_fds = c->options->preserve_fds,
		.hold = c->listener,
		.hold_lock = c->start_lock,
		.no_namespace_fds = !has_idmapped_mounts(&c->spec) && !c->spec.net_devices.count,
		.keep_keyring = c->options->no_new_keyring,
		.listener = &c->supervisor,
		.hooks = has_hooks_inside(&c->spec) ? &inside : NULL,
		.many_mounts = c->cgroup.has_host && c->cgroup.host.many_mounts,
	};

	return launch_start(&launch, &c->launched, NULL, err);
}

static int console_deliver(struct creation *c, struct error *err)
{
	if (c->console_socket < 0)
		return 0;
	if (console_socket_send(c->console_socket, c->launched.console, err) < 0)
		return -1;
	fd_drop(&c->launched.console);
	return 0;
}

int pid_file_write(const char *path, pid_t pid, struct error *err)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", pid);

	if (!path)
		return 0;
	if (file_replace(AT_FDCWD, path, 0644, FILE_VOLATILE, text, (size_t)length, err) < 0)
		return blame(err, "pid file");
	return 0;
}

static int make_all(struct creation *c, struct error *err)
{
	if (cgroup_make(c, err) < 0 || filter_get(c, err) < 0 || start_gate_make(c, err) < 0 || notify_make(c, err) < 0)
		return -1;
	if ((c->options->restore ? process_restore(c, err) : process_launch(c, err)) < 0)
		return -1;
	if (console_deliver(c, err) < 0)
		return -1;
	return pid_file_write(c->options->pid_file, c->launched.pid, err);
}

/* What was made goes, the record last; the first error stays. */
static void undo_all(struct creation *c)
{
	struct error err;
	int status;

	if (c->launched.pidfd >= 0 && process_signal(c->launched.pidfd, SIGKILL, &err) == 0 &&
		process_reap(c->launched.pidfd, &status, &err) < 0)
		log_warn("%s", err.text);
	c->facts.init = (struct process_id){0};
	netdevices_return(&c->network);
	scope_drop(&c->scope);
	if (container_undo(&c->facts, &c->cgroup, &err) < 0) {
		log_warn("%s", err.text); /* the record stays, for delete */
		return;
	}
	rdt_leave(c->spec.rdt, c->facts.id);
	container_poststop_run(&c->spec.hooks, &c->facts);
	if (state_remove(c->root, c->dir, c->facts.id, &err) < 0)
		log_warn("%s", err.text);
}

static int creation_run(struct creation *c, const char *id, bool detached, struct error *err)
{
	if (creation_prepare(c, id, detached, err) < 0)
		return -1;
	c->dir = state_claim(c->root, &c->facts, c->config, err);
	if (c->dir < 0)
		return -1;
	if (make_all(c, err) == 0) {
		netdevices_drop(&c->network);
		return 0;
	}
	undo_all(c);
	return -1;
}

#define CREATION(root_, options_)                                                                                      \
	{                                                                                                              \
		.root = root_, .options = options_, .dir = -1, .supervisor = {.socket = -1}, .console_socket = -1,     \
		.listener = -1, .start_lock = -1, .scope = {.helper = SYSTEMD_HELPER_NONE}, .entrance = {.into = -1},  \
		.network = NETDEVICES_NONE, .notify = -1, .launched = {                                                \
			.pidfd = -1,                                                                                   \
			.userns = -1,                                                                                  \
			.netns = -1,                                                                                   \
			.console = -1                                                                                  \
		}                                                                                                      \
	}

int container_create(int root, const char *id, const struct container_create_options *options, struct error *err)
{
	AUTO(creation_drop) struct creation c = CREATION(root, options);

	c.waits = true;
	return creation_run(&c, id, true, err);
}

/* --- run ---------------------------------------------------------------------------------------------------------- */

int process_attend(struct launched *launched, int *status, struct error *err)
{
	struct stdio_relay relay = {
		.console = launched->console, .input = -1, .output = -1, .error = -1, .pidfd = launched->pidfd};

	if (stdio_relay_run(&relay, err) < 0)
		return -1;
	return process_reap(launched->pidfd, status, err);
}

/* After the end of the foreground process: the same way as delete, but the process is known to be gone. */
static int run_finish(struct creation *c, struct error *err)
{
	if (c->options->keep)
		return 0;
	c->facts.init = (struct process_id){0}; /* reaped */
	if (container_undo(&c->facts, &c->cgroup, err) < 0)
		return -1;
	rdt_leave(c->spec.rdt, c->facts.id);
	container_poststop_run(&c->spec.hooks, &c->facts);
	return state_remove(c->root, c->dir, c->facts.id, err);
}

int container_run(int root, const char *id, const struct container_create_options *options, bool detach, int *status,
	struct error *err)
{
	AUTO(creation_drop) struct creation c = CREATION(root, options);
	struct error ignored;

	if (creation_run(&c, id, detach, err) < 0)
		return -1;
	if (container_hooks_run(&c.spec.hooks, &c.facts, HOOK_POSTSTART, c.launched.pid, err) < 0) {
		undo_all(&c);
		return -1;
	}
	/* Others may look at it, stop it and delete it while it runs. */
	if (!detach || c.notify >= 0)
		flock(c.dir, LOCK_UN);
	if (detach)
		return c.notify < 0 ? 0
				    : notify_relay(c.notify, options->notify_socket, c.launched.pidfd, c.launched.pid,
					      false, err);
	if (c.notify >= 0 &&
		notify_relay_beside(c.notify, options->notify_socket, c.launched.pidfd, c.launched.pid, &ignored) < 0)
		log_warn("%s", ignored.text);
	if (process_attend(&c.launched, status, err) < 0) {
		undo_all(&c);
		return -1;
	}
	if (lock_exclusive(c.dir, STATE_LOCK_WAIT_MS, err) < 0)
		return err->kind == ERROR_BUSY ? 0 : blame(err, "container \"%s\"", id); /* somebody else deletes it */
	if (state_is_removed(c.dir))
		return 0;
	return run_finish(&c, err);
}
