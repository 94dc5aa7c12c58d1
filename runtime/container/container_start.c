/* start: lets the first process of a created container go on.
 *
 * It waits at a socket in the record (child.c, "wait for start"), and answers through the connection. A start that has
 * failed returns when that process has ended, so that whoever looks next sees a container that is stopped. */
#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "base/socket.h"
#include "base/text.h"
#include "runtime/container/container.h"
#include "runtime/start/notify.h"
#include "runtime/state/state.h"

#define END_WAIT_MS 10000

static int fail_not_created(const struct container *container, struct error *err)
{
	return fail(err, ERROR_BUSY, "cannot start container \"%s\": it is %s, not created", container->facts.id,
		container_status_names[container->status]);
}

static ssize_t receive_whole(int connection, void *bytes, size_t length)
{
	ssize_t got;

	do
		got = recv(connection, bytes, length, MSG_WAITALL);
	while (got < 0 && errno == EINTR);
	return got;
}

/* An empty error and then the end of the connection mean that the program runs; an error, that it does not. The end
 * alone is the end of the process. *ends: it goes no further. */
static int start_await(const struct container *container, int connection, bool *ends, struct error *err)
{
	struct error answer;
	bool announced = false;
	ssize_t length;

	while ((length = receive_whole(connection, &answer, sizeof(answer))) == sizeof(answer)) {
		if (answer.kind != ERROR_NONE) {
			answer.text[sizeof(answer.text) - 1] = '\0';
			*err = answer;
			*ends = true;
			return -1;
		}
		if (announced)
			break;
		announced = true;
	}
	if (length < 0 && errno == ECONNRESET)
		return fail(err, ERROR_BUSY, "cannot start container \"%s\": it has been started already",
			container->facts.id);
	if (length < 0)
		return fail_errno(err, "wait for the first process");
	*ends = !announced;
	if (!announced)
		return fail(err, ERROR_SYSTEM,
			"the first process of container \"%s\" died before it executed its program",
			container->facts.id);
	return 0;
}

static int start_ask(const struct container *container, bool *ends, struct error *err)
{
	auto_fd connection = socket_connect(container->dir, STATE_START_SOCKET, err);

	*ends = false;
	if (connection < 0 && err->errnum == ECONNREFUSED)
		return fail(err, ERROR_BUSY, "cannot start container \"%s\": it has been started already",
			container->facts.id);
	if (connection < 0)
		return -1;
	return start_await(container, connection, ends, err);
}

/* Who says why it cannot go on ends right after: until it has, it would be seen as one that still waits. */
static int start_held(const struct container *container, struct error *err)
{
	struct error ignored;
	auto_fd pidfd = -1;
	bool ends;

	if (container->status != CONTAINER_CREATED)
		return fail_not_created(container, err);
	pidfd = process_open(&container->facts.init, &ignored);
	if (start_ask(container, &ends, err) == 0)
		return 0;
	if (ends && pidfd >= 0 && process_wait_end(pidfd, END_WAIT_MS) == 0)
		log_warn("process %d does not end", container->facts.init.pid);
	return -1;
}

static int poststart_run(struct arena *arena, const struct container *container, struct error *err)
{
	struct spec spec;

	if (container_spec(arena, container, &spec, err) < 0)
		return -1;
	return container_hooks_run(&spec.hooks, &container->facts, HOOK_POSTSTART, container->facts.init.pid, err);
}

/* Others may do what they want with the container while we wait for it. */
static int ready_await(const struct container *container, int notify, const char *host, struct error *err)
{
	const struct process_id *init = &container->facts.init;
	auto_fd pidfd = process_open(init, err);

	if (pidfd < 0)
		return err->kind == ERROR_MISSING ? 0 : -1;
	flock(container->dir, LOCK_UN);
	return notify_relay(notify, host, pidfd, init->pid, false, err);
}

int container_start(int root, const char *id, struct error *err)
{
	return container_start_notified(root, id, NULL, err);
}

int container_start_notified(int root, const char *id, const char *notify_socket, struct error *err)
{
	AUTO(held_drop) struct held held;
	auto_fd notify = -1;
	struct error ignored;

	if (container_hold(root, id, &held, err) < 0)
		return -1;
	if (!text_is_empty(notify_socket) && held.container.status == CONTAINER_CREATED)
		notify = notify_listen(held.container.dir, err);
	if (notify < 0 && !text_is_empty(notify_socket) && err->errnum != ENOENT)
		return -1;
	if (start_held(&held.container, err) < 0)
		return -1;
	if (poststart_run(&held.arena, &held.container, err) == 0)
		return notify < 0 ? 0 : ready_await(&held.container, notify, notify_socket, err);
	/* The record stays for `delete`, which everybody calls who has called `create`. */
	if (container_end_processes(&held.container.facts, &ignored) < 0)
		log_warn("%s", ignored.text);
	return -1;
}
