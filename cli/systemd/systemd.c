/* The program warren-systemd: stands between warren-oci and systemd, so that only those containers pay for libsystemd
 * that ask for it.
 *
 * It is started by warren-oci with a socket as its standard input, answers one request after another, and ends when the
 * socket does. Between the answer to START and that end it is a member of the new scope and does nothing else: that is
 * what keeps the scope alive until the container's first process is in it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/socket.h"
#include "cli/systemd/systemd.h"

#define PROGRAM "warren-systemd"

static int answer_send(const struct systemd_answer *answer)
{
	size_t length;
	auto_free char *text = systemd_answer_encode(answer, &length);

	return socket_send(STDIN_FILENO, text, length, NULL, 0);
}

static int request_serve(struct manager *manager, const char *text, size_t length)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct systemd_request request;
	struct systemd_answer answer = {0};
	struct error err = {0};

	if (systemd_request_decode(&arena, text, length, &request, &err) < 0 ||
		units_do(manager, &arena, &request, &answer, &err) < 0) {
		answer = (struct systemd_answer){.error = err.text, .kind = err.kind};
	}
	return answer_send(&answer);
}

/* 0 at the end of the socket. */
static int serve(struct manager *manager)
{
	static char text[SYSTEMD_MESSAGE_MAX];

	for (;;) {
		ssize_t length = socket_receive(STDIN_FILENO, text, sizeof(text), NULL, NULL);

		if (length == 0 || (length < 0 && errno == ECONNRESET))
			return 0;
		if (length < 0) {
			log_error("receive a request: %s", strerror(errno));
			return 1;
		}
		if (request_serve(manager, text, (size_t)length) < 0)
			return 1; /* nobody is there any more */
	}
}

static bool is_socket(int fd)
{
	int type;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

static int explain(FILE *to, int status)
{
	fprintf(to,
		PROGRAM " " WARREN_VERSION ": makes scopes of systemd for warren-oci --systemd-cgroup, which starts "
			"it; it has no use by hand\n");
	return status;
}

int main(int argc, char **argv)
{
	AUTO(manager_drop) struct manager manager = {.parent = STDIN_FILENO};

	fds_open_standard();
	log_setup(PROGRAM, LOG_WARN, LOG_TEXT, STDERR_FILENO);
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--version") == 0))
		return explain(stdout, 0);
	if (argc != 1 || !is_socket(STDIN_FILENO))
		return explain(stderr, 2);
	return serve(&manager);
}
