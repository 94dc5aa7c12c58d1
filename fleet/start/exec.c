/* One more process in a running instance, under exactly the rules of its first one: the specification is compiled again
 * from spec.json, so that filter, capabilities and limits are the same and nothing of them need be stored. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/start/idle.h"
#include "fleet/state/image.h"
#include "fleet/state/instance.h"
#include "images/images.h"
#include "runtime/runtime.h"

struct joining {
	struct host *host;
	const struct exec_options *options;
	struct arena arena;
	struct run run;
	struct record record;
	struct instance_spec wanted;
	struct image_config image;
	struct image_user user;
	struct spec spec;
	struct seccomp_program *seccomp;
	struct cgroup cgroup;
	struct cgroup_entrance entrance;
	int stdio[3];  /* the process's */
	int relays[3]; /* ours */
	int busy;      /* keeps it from falling asleep; -1: it never does */
};

static void joining_init(struct joining *joining, struct host *host, const struct exec_options *options)
{
	*joining = (struct joining){
		.host = host,
		.options = options,
		.stdio = {-1, -1, -1},
		.relays = {-1, -1, -1},
		.busy = -1,
		.cgroup = {.unified = -1},
		.entrance = {.into = -1},
	};
	for (int i = 0; i < CGROUP_CONTROLLERS; i++)
		joining->cgroup.hierarchy[i] = -1;
}

static void joining_drop(struct joining *joining)
{
	for (int i = 0; i < 3; i++) {
		fd_drop(&joining->stdio[i]);
		fd_drop(&joining->relays[i]);
	}
	fd_drop(&joining->busy);
	cgroup_entrance_drop(&joining->entrance);
	cgroup_drop(&joining->cgroup);
	seccomp_program_drop(&joining->seccomp);
	arena_drop(&joining->arena);
}

static int facts_read(struct joining *joining, const char *name, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct running running;

	if (instance_find(joining->host, name, &instance, err) < 0 ||
		instance_running_read(&joining->arena, &instance, &running, err) < 0 ||
		record_read(&joining->arena, instance.dir, &joining->record, err) < 0 ||
		instance_spec_load(&joining->arena, instance.dir, name, &joining->wanted, err) < 0)
		return -1;
	if (!running.run.started)
		return fail(err, ERROR_BUSY, "%s is being started", name);
	joining->run = running.run;
	return instance_image_read(
		joining->host->lib, instance.dir, &joining->wanted, &joining->arena, &joining->image, err);
}

/* Where an init divides the cgroup no process may be at its top (cgroups(7): no processes in inner nodes), not even in
 * the moment before it begins to: a leaf beside the init's own, which it leaves alone. */
static int leaf_enter(struct joining *joining, const char *path, struct error *err)
{
	const char *leaf = arena_format(&joining->arena, "%s/warren.exec", path);
	struct cgroup_limits none = {0};
	struct cgroup cgroup;
	int result;

	if (cgroup_create(&joining->host->cgroups, leaf, &none, CGROUP_MAY_EXIST, &cgroup, err) < 0)
		return -1;
	result = cgroup_entrance_open(&cgroup, &joining->entrance, err);
	cgroup_drop(&cgroup);
	return result;
}

static int cgroup_find(struct joining *joining, const char *name, struct error *err)
{
	const char *path = instance_cgroup_path(&joining->arena, joining->host, name);
	auto_instance instance = INSTANCE_EMPTY;

	if (cgroup_open(&joining->host->cgroups, path, &joining->cgroup, err) < 0 ||
		instance_find(joining->host, name, &instance, err) < 0 ||
		instance_keep_awake(&instance, &joining->wanted, &joining->run, &joining->busy, err) < 0)
		return -1;
	/* It would wait, unkillable, for the thaw. */
	if (cgroup_is_frozen(&joining->cgroup))
		return fail(err, ERROR_BUSY, "%s is paused; resume it first", name);
	if (joining->wanted.boot)
		return leaf_enter(joining, path, err);
	return cgroup_entrance_open(&joining->cgroup, &joining->entrance, err);
}

/* Names of users are looked up in the running instance's own root, by descriptor. */
static int user_find(struct joining *joining, struct error *err)
{
	const char *user = joining->options->user;
	char path[64];

	if (!user)
		user = joining->wanted.user ? joining->wanted.user : joining->image.user;
	joining->user.home = "/root";
	if (text_is_empty(user))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/root", joining->run.init.pid);
	auto_fd root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail_errno(err, "open %s", path);
	if (!process_is_alive(&joining->run.init))
		return fail(err, ERROR_BUSY, "it has just ended");
	return image_user_find(&joining->arena, root, user, &joining->user, err);
}

static void window_size_copy(struct spec_process *process)
{
	struct winsize size;

	if (!process->terminal || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	process->console_height = size.ws_row;
	process->console_width = size.ws_col;
}

static int process_make(struct joining *joining, const char *name, struct error *err)
{
	struct compile_facts facts = {
		.id_base = record_id_base(&joining->record),
		.cgroup_path = joining->cgroup.path,
		.hostname = joining->wanted.hostname ? joining->wanted.hostname : name,
		.image = &joining->image,
		.user = &joining->user,
	};
	const struct exec_options *options = joining->options;
	struct spec_process *process = &joining->spec.process;

	/* What was asked for here stands in for the instance's own command, whatever that is. */
	joining->wanted.entrypoint = (struct strings){0};
	joining->wanted.command = options->args;
	if (options->user)
		joining->wanted.user = options->user;
	if (options->working_dir)
		joining->wanted.working_dir = options->working_dir;
	if (instance_compile(&joining->arena, &joining->wanted, &facts, &joining->spec, err) < 0)
		return -1;
	process->args = options->args;
	process->terminal = options->terminal;
	if (joining->wanted.boot && options->terminal) /* unlike the console of the init, a real one */
		strings_add(&joining->arena, &process->env, "TERM=xterm");
	for (size_t i = 0; i < options->env.count; i++)
		strings_add(&joining->arena, &process->env, options->env.items[i]);
	window_size_copy(process);
	return 0;
}

static int filter_get(struct joining *joining, struct error *err)
{
	auto_fd cache = dir_create(joining->host->run, "seccomp", 0700, err);

	return cache < 0 ? -1 : seccomp_program_get(joining->spec.seccomp, cache, &joining->seccomp, err);
}

/* --- its 0, 1 and 2 ----------------------------------------------------------------------------------------------- */

static int pipe_make(struct joining *joining, int index, struct error *err)
{
	int ends[2], theirs = index == 0 ? 0 : 1;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno(err, "make a pipe");
	joining->stdio[index] = ends[theirs];
	joining->relays[index] = ends[1 - theirs];
	/* So that /dev/stdout can be opened again inside. */
	if (fchown(ends[theirs], record_id_base(&joining->record) + joining->spec.process.uid, (gid_t)-1) < 0)
		return fail_errno(err, "chown a pipe");
	return 0;
}

/* Both streams into one pipe. */
static int capture_make(struct joining *joining, struct error *err)
{
	if (pipe_make(joining, 1, err) < 0)
		return -1;
	joining->stdio[2] = fcntl(joining->stdio[1], F_DUPFD_CLOEXEC, 3);
	return joining->stdio[2] < 0 ? fail_errno(err, "copy a pipe's end") : 0;
}

static int stdio_make(struct joining *joining, struct error *err)
{
	if (joining->options->terminal || joining->options->detach)
		return 0;
	if (joining->options->capture)
		return capture_make(joining, err);
	for (int i = joining->options->interactive ? 0 : 1; i < 3; i++)
		if (pipe_make(joining, i, err) < 0)
			return -1;
	return 0;
}

/* --- running it --------------------------------------------------------------------------------------------------- */

static int joining_start(struct joining *joining, struct launched *out, int *status, struct error *err)
{
	bool exec_failed = false;
	struct join join = {
		.target = &joining->run.init,
		.process = &joining->spec.process,
		.entrance = &joining->entrance,
		.seccomp = joining->seccomp,
		.stdio = {joining->stdio[0], joining->stdio[1], joining->stdio[2]},
	};

	*status = 125;
	if (join_start(&join, out, &exec_failed, err) == 0)
		return 0;
	if (exec_failed)
		*status = err->errnum == ENOENT ? 127 : 126;
	return -1;
}

/* Reaped at once: unreaped, it would hold up the instance's own end. */
static int joined_await(struct joining *joining, const struct launched *launched, int *status, struct error *err)
{
	struct stdio_relay relay = {
		.console = launched->console,
		.input = joining->relays[0],
		.output = joining->relays[1],
		.error = joining->relays[2],
		.pidfd = launched->pidfd,
	};
	int wait_status, relayed;
	struct error relay_err;

	for (int i = 0; i < 3; i++)
		fd_drop(&joining->stdio[i]);
	relayed = stdio_relay_run(&relay, &relay_err);
	if (relayed < 0) {
		/* Nobody reads it any more: as with a closed terminal. */
		struct error ignored;

		if (process_signal(launched->pidfd, SIGHUP, &ignored) < 0)
			log_debug("%s", ignored.text);
	}
	if (process_reap(launched->pidfd, &wait_status, err) < 0)
		return -1;
	*status = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
	if (relayed == 0)
		return 0;
	*err = relay_err;
	return -1;
}

/* What it writes while it runs, or at once after its end: a child that it left behind may hold the pipe for ever. */
static void capture_take(struct exec_capture *capture, int pipe)
{
	char bytes[4096];
	ssize_t got;

	while ((got = read(pipe, bytes, sizeof(bytes))) > 0) {
		size_t room = capture->room - 1 - capture->length;
		size_t part = (size_t)got < room ? (size_t)got : room;

		memcpy(capture->bytes + capture->length, bytes, part);
		capture->length += part;
	}
	capture->bytes[capture->length] = '\0';
}

static int captured_await(struct joining *joining, const struct launched *launched, int *status, struct error *err)
{
	struct exec_capture *capture = joining->options->capture;
	int64_t deadline_ms = clock_deadline_ms(capture->timeout_ms);
	struct pollfd fds[] = {{.fd = launched->pidfd, .events = POLLIN}, {.fd = joining->relays[1], .events = POLLIN}};
	int wait_status;

	for (int i = 0; i < 3; i++)
		fd_drop(&joining->stdio[i]);
	fcntl(joining->relays[1], F_SETFL, O_NONBLOCK);
	while (!fds[0].revents && !capture->timed_out) {
		poll(fds, ARRAY_SIZE(fds), clock_poll_ms(deadline_ms));
		capture_take(capture, joining->relays[1]);
		if (fds[1].revents & POLLHUP)
			fds[1].fd = -1;
		capture->timed_out = !fds[0].revents && clock_ms() >= deadline_ms;
	}
	if (capture->timed_out && process_signal(launched->pidfd, SIGKILL, err) < 0 && err->kind != ERROR_MISSING)
		return -1;
	if (process_reap(launched->pidfd, &wait_status, err) < 0)
		return -1;
	capture_take(capture, joining->relays[1]);
	*status = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
	return 0;
}

static int exec_run(struct joining *joining, const char *name, int *status, struct error *err)
{
	AUTO(launched_drop) struct launched launched = {.pidfd = -1, .userns = -1, .netns = -1, .console = -1};

	if (facts_read(joining, name, err) < 0 || cgroup_find(joining, name, err) < 0 || user_find(joining, err) < 0 ||
		process_make(joining, name, err) < 0 || filter_get(joining, err) < 0 || stdio_make(joining, err) < 0 ||
		joining_start(joining, &launched, status, err) < 0)
		return -1;
	*status = 0;
	if (joining->options->capture)
		return captured_await(joining, &launched, status, err);
	/* Detached: when we end the host's first process becomes its parent, and reaps it. */
	return joining->options->detach ? 0 : joined_await(joining, &launched, status, err);
}

int instance_exec(
	struct host *host, const char *name, const struct exec_options *options, int *status, struct error *err)
{
	AUTO(joining_drop) struct joining joining;

	joining_init(&joining, host, options);
	*status = 125;
	if (!options->args.count)
		return fail(err, ERROR_USAGE, "exec: no command given");
	if (options->user && !*options->user)
		return fail(err, ERROR_USAGE, "exec: the user is empty; leave it out for the instance's own");
	if (exec_run(&joining, name, status, err) == 0)
		return 0;
	return err->kind == ERROR_MISSING ? -1 : blame(err, "exec in %s", name);
}
