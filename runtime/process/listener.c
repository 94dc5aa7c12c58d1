/* The supervisor of a container's system calls; see listener.h. The message is made whole by the parent, with room for
 * the pid: the child allocates nothing. */
#include "runtime/process/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/socket.h"

/* A number that stands for the pid in the message, until the child writes its own over it, blanks in front. */
#define PID_PLACE "1000000000000000007"
#define PID_WIDTH (sizeof(PID_PLACE) - 1)
#define MESSAGE_MAX ((size_t)1 << 20)

void listener_drop(struct listener *listener)
{
	fd_drop(&listener->socket);
}

static int supervisor_connect(struct arena *arena, const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');

	if (*path != '/' || !slash[1])
		return fail(err, ERROR_USAGE, "\"%s\" is not an absolute path of a socket", path);
	auto_fd dir = open(slash == path ? "/" : arena_bytes(arena, path, (size_t)(slash - path)),
		O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail_errno(err, "%s", path);
	return socket_connect(dir, slash + 1, err);
}

/* The object "container process state" of the specification. */
static char *message_encode(const struct spec_seccomp *seccomp, const struct container_facts *facts, const char *status,
	pid_t init, size_t *length)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "ociVersion", facts->oci_version);
	encode_array_begin(encoder, "fds");
	encode_string(encoder, NULL, "seccompFd");
	encode_array_end(encoder);
	encode_number(encoder, "pid", PID_PLACE);
	encode_string(encoder, "metadata", seccomp->listener_metadata);
	encode_object_begin(encoder, "state");
	encode_string(encoder, "ociVersion", facts->oci_version);
	encode_string(encoder, "id", facts->id);
	encode_string(encoder, "status", status);
	if (init)
		encode_integer(encoder, "pid", init);
	else
		encode_number(encoder, "pid", PID_PLACE);
	encode_string(encoder, "bundle", facts->bundle);
	encode_pairs(encoder, "annotations", &facts->annotations);
	encode_object_end(encoder);
	encode_object_end(encoder);
	return encoder_take(encoder, length);
}

/* A place begins after its key: a text that has the same digits is none. */
static void places_note(struct listener *listener)
{
	static const char place[] = "\"pid\":" PID_PLACE;

	for (char *at = listener->message; listener->pid_count < LISTENER_PIDS && (at = strstr(at, place)); at++)
		listener->pid_at[listener->pid_count++] =
			(size_t)(at - listener->message) + sizeof(place) - 1 - PID_WIDTH;
}

int listener_open(struct arena *arena, const struct spec_seccomp *seccomp, const struct container_facts *facts,
	const char *status, pid_t init, struct listener *out, struct error *err)
{
	auto_free char *text = NULL;

	*out = (struct listener){.socket = -1};
	if (!seccomp || !seccomp->listener_path)
		return 0;
	text = message_encode(seccomp, facts, status, init, &out->length);
	if (out->length > MESSAGE_MAX)
		return fail(err, ERROR_USAGE, "linux.seccomp.listenerMetadata: longer than %zu bytes", MESSAGE_MAX);
	out->message = arena_alloc(arena, out->length + 1);
	memcpy(out->message, text, out->length + 1);
	places_note(out);
	out->socket = supervisor_connect(arena, seccomp->listener_path, err);
	return out->socket < 0 ? blame(err, "linux.seccomp.listenerPath") : 0;
}

int listener_note_pid(struct listener *listener, struct error *err)
{
	char digits[24];
	ssize_t length;

	if (!listener || listener->socket < 0)
		return 0;
	length = readlink("/proc/self", digits, sizeof(digits) - 1);
	if (length < 0)
		return fail_errno(err, "read /proc/self");
	listener->pid = 0;
	for (ssize_t i = 0; i < length && digits[i] >= '0' && digits[i] <= '9'; i++)
		listener->pid = listener->pid * 10 + (digits[i] - '0');
	return 0;
}

static void pids_write(struct listener *listener)
{
	char number[PID_WIDTH + 1];

	snprintf(number, sizeof(number), "%*d", (int)PID_WIDTH, listener->pid);
	for (size_t i = 0; i < listener->pid_count; i++)
		memcpy(listener->message + listener->pid_at[i], number, PID_WIDTH);
}

int listener_send(struct listener *listener, int notifications, struct error *err)
{
	if (!listener || listener->socket < 0)
		return fail(err, ERROR_USAGE, "seccomp: SCMP_ACT_NOTIFY, but nobody listens");
	pids_write(listener);
	if (socket_send(listener->socket, listener->message, listener->length, &notifications, 1) < 0)
		return fail_errno(err, "seccomp: hand over to the listener");
	close(notifications);
	return 0;
}
