/* The container's notification socket lies in a directory of its record that is mounted inside: `start` makes the
 * socket there long after the mounts are made, and it disappears with the record. */
#include "runtime/start/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"

#define DIRECTORY "notify"
#define SOCKET "notify"
#define PLACE_WITHOUT_PATH "/run/notify"
#define MESSAGE_MAX 4096

/* What may pass; READY is told from the others. */
static const char *const words[] = {"READY=1", "STATUS=", "EXTEND_TIMEOUT_USEC=", "ERRNO="};

/* --- before the container ----------------------------------------------------------------------------------------- */

int notify_prepare(struct arena *arena, int dir, const char *host_socket, struct spec *spec, struct error *err)
{
	const char *place = *host_socket == '/' ? host_socket : PLACE_WITHOUT_PATH;
	struct spec_mount *mounts = arena_new_array(arena, spec->mounts.count + 1, struct spec_mount);
	struct strings environment = {0};

	if (mkdirat(dir, DIRECTORY, 0755) < 0)
		return fail_errno(err, "make a directory for NOTIFY_SOCKET");
	for (size_t i = 0; i < spec->mounts.count; i++)
		mounts[i] = spec->mounts.items[i];
	mounts[spec->mounts.count++] = (struct spec_mount){
		.destination = place,
		.type = "bind",
		.source = arena_format(arena, "/proc/self/fd/%d/" DIRECTORY, dir),
		.bind = true,
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
	};
	spec->mounts.items = mounts;
	for (size_t i = 0; i < spec->process.env.count; i++)
		strings_add(arena, &environment, spec->process.env.items[i]);
	strings_add(arena, &environment, arena_format(arena, "NOTIFY_SOCKET=%s/" SOCKET, place));
	spec->process.env = environment;
	return 0;
}

/* Reached through its directory, so that sun_path's 108 bytes never bind. */
int notify_listen(int dir, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_fd place = openat(dir, DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd fd = -1;

	if (place < 0)
		return fail_errno(err, "open the directory of NOTIFY_SOCKET");
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" SOCKET, place);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_errno(err, "make the container's NOTIFY_SOCKET");
	/* Whoever is in the container may say that it is ready; nobody else reaches it. */
	if (fchmodat(place, SOCKET, 0777, 0) < 0)
		return fail_errno(err, "open the container's NOTIFY_SOCKET for it");
	return take_fd(&fd);
}

/* --- passing on --------------------------------------------------------------------------------------------------- */

/* sd_notify(3): "@" at the beginning stands for the NUL of an abstract name. A manager that is gone misses nothing. */
static void host_tell(const char *host_socket, const char *message)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(host_socket);
	auto_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (length >= sizeof(address.sun_path)) {
		log_warn("NOTIFY_SOCKET: its name is too long");
		return;
	}
	memcpy(address.sun_path, host_socket, length);
	if (*host_socket == '@')
		address.sun_path[0] = '\0';
	if (fd < 0 || sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		log_warn("NOTIFY_SOCKET %s: %s", host_socket, strerror(errno));
}

static const char *word_find(const char *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		bool whole = words[i][strlen(words[i]) - 1] != '=';

		if (whole ? strcmp(line, words[i]) == 0 : strncmp(line, words[i], strlen(words[i])) == 0)
			return words[i];
	}
	return NULL;
}

/* True when the container is ready. */
static bool message_pass(char *message, const char *host_socket, pid_t pid)
{
	AUTO(text_drop) struct text out = {0};
	char *rest = NULL;
	bool ready = false;

	for (char *line = strtok_r(message, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *word = word_find(line);

		if (!word)
			continue;
		text_appendf(&out, "%s\n", line);
		if (word != words[0])
			continue;
		ready = true;
		text_appendf(&out, "MAINPID=%d\n", pid);
	}
	if (out.length)
		host_tell(host_socket, text_string(&out));
	return ready;
}

/* 1: ready; 0: nothing more for now. */
static int messages_take(int socket, const char *host_socket, pid_t pid)
{
	char message[MESSAGE_MAX + 1];
	bool ready = false;
	ssize_t length;

	/* MSG_TRUNC: the true length, so that half a message is none. */
	while ((length = recv(socket, message, MESSAGE_MAX, MSG_TRUNC)) >= 0 || errno == EINTR) {
		if (length <= 0 || length > MESSAGE_MAX)
			continue;
		message[length] = '\0';
		ready |= message_pass(message, host_socket, pid);
	}
	return ready;
}

int notify_relay(int socket, const char *host_socket, int pidfd, pid_t pid, bool always, struct error *err)
{
	struct pollfd events[2] = {{.fd = socket, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};

	for (;;) {
		if (poll(events, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return fail_errno(err, "wait for the container to be ready");
		}
		if (messages_take(socket, host_socket, pid) && !always)
			return 0;
		if (events[1].revents)
			return 0;
	}
}

int notify_relay_beside(int socket, const char *host_socket, int pidfd, pid_t pid, struct error *err)
{
	const int keep[] = {STDERR_FILENO, socket, pidfd};
	pid_t relay = process_clone(0, -1, NULL);
	struct error ignored;

	if (relay < 0)
		return fail_errno(err, "make a process for NOTIFY_SOCKET");
	if (relay > 0)
		return 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (fds_close_all_but(keep, ARRAY_SIZE(keep)) < 0)
		_exit(1);
	_exit(notify_relay(socket, host_socket, pidfd, pid, true, &ignored) < 0);
}
