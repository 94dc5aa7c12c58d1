/* A connection to the instance, and what it says first. See probe.h for the bounds. */
#include "fleet/health/probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "base/socket.h"

#define STATUS_LINE_LEAST 12 /* "HTTP/1.1 200" */
#define ANSWER_MAX 4096

static void answer_say(struct health_answer *answer, bool well, int status, const char *text)
{
	answer->well = well;
	answer->status = status;
	snprintf(answer->output, sizeof(answer->output), "%s", text);
}

static int finish(struct probe *probe, struct health_answer *answer)
{
	answer->took_ms = clock_ms() - probe->began_ms;
	probe_drop(probe);
	return 1;
}

static int finish_failed(struct probe *probe, struct health_answer *answer, const char *what, int errnum)
{
	answer_say(answer, false, -1, "");
	snprintf(answer->output, sizeof(answer->output), "%s: %s", what, strerror(errnum));
	return finish(probe, answer);
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static socklen_t target_of(const struct health_check *check, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (check->address.family == AF_INET6) {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

		*v6 = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_port = htons(check->port), .sin6_addr = check->address.v6};
		return sizeof(*v6);
	}
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;

	*v4 = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(check->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (!check->inside)
		v4->sin_addr = check->address.v4;
	return sizeof(*v4);
}

int probe_connect(const struct health_check *check, struct probe *probe, struct health_answer *answer)
{
	struct sockaddr_storage target;
	socklen_t length = target_of(check, &target);
	int64_t now_ms = clock_ms();

	*answer = (struct health_answer){.status = -1};
	*probe = (struct probe){
		.fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP),
		.events = POLLOUT,
		.child = -1,
		.began_ms = now_ms,
		.deadline_ms = now_ms + check->timeout_ms,
	};
	if (probe->fd < 0)
		return finish_failed(probe, answer, "socket", errno);
	/* That it is asked is no visit: see watch_idle.c. Without the right to mark, it is. */
	if (setsockopt(probe->fd, SOL_SOCKET, SO_MARK, &(const uint32_t){NET_PROBE_MARK}, sizeof(uint32_t)) < 0)
		log_debug("SO_MARK: %s", strerror(errno));
	if (connect(probe->fd, (const struct sockaddr *)&target, length) < 0 && errno != EINPROGRESS)
		return finish_failed(probe, answer, "connect", errno);
	return 0;
}

/* --- the answer --------------------------------------------------------------------------------------------------- */

/* Politely: what has come already is read, so that closing is no reset for a server that is still writing little. */
static void rest_discard(int fd)
{
	char bytes[ANSWER_MAX];
	ssize_t ignored = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	(void)ignored;
}

static int status_parse(const char *line)
{
	int status = 0;

	if (memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ')
		return -1;
	for (int i = 9; i < STATUS_LINE_LEAST; i++) {
		if (line[i] < '0' || line[i] > '9')
			return -1;
		status = status * 10 + (line[i] - '0');
	}
	return status;
}

static int http_judge(struct probe *probe, struct health_answer *answer)
{
	int status = status_parse(probe->line);

	rest_discard(probe->fd);
	if (status < 0) {
		answer_say(answer, false, -1, "it does not speak HTTP/1");
	} else {
		answer_say(answer, status >= 200 && status < 400, status, "");
		snprintf(answer->output, sizeof(answer->output), "HTTP %d", status);
	}
	return finish(probe, answer);
}

static int http_read(struct probe *probe, struct health_answer *answer)
{
	ssize_t got = recv(probe->fd, probe->line + probe->got, STATUS_LINE_LEAST - probe->got, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got < 0)
		return finish_failed(probe, answer, "read the answer", errno);
	if (got == 0) {
		answer_say(answer, false, -1, "the connection was closed without an answer");
		return finish(probe, answer);
	}
	probe->got += (size_t)got;
	return probe->got < STATUS_LINE_LEAST ? 0 : http_judge(probe, answer);
}

/* A new connection takes the whole request at once. */
static int http_write(const struct health_check *check, struct probe *probe, struct health_answer *answer)
{
	size_t length = strlen(check->request);
	ssize_t sent = send(probe->fd, check->request, length, MSG_NOSIGNAL);

	if (sent != (ssize_t)length)
		return finish_failed(probe, answer, "send the request", sent < 0 ? errno : EIO);
	probe->events = POLLIN;
	return 0;
}

static int connected(const struct health_check *check, struct probe *probe, struct health_answer *answer)
{
	int errnum = 0;
	socklen_t length = sizeof(errnum);

	if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &errnum, &length) < 0)
		errnum = errno;
	if (errnum)
		return finish_failed(probe, answer, "connect", errnum);
	if (check->kind == HEALTH_KIND_HTTP)
		return http_write(check, probe, answer);
	answer_say(answer, true, -1, "connected");
	return finish(probe, answer);
}

/* --- a process that asks ------------------------------------------------------------------------------------------ */

static void child_end(struct probe *probe, bool by_force)
{
	struct error ignored;
	int status;

	if (probe->child < 0)
		return;
	if (by_force && process_signal(probe->child, SIGKILL, &ignored) < 0)
		log_debug("%s", ignored.text);
	if (process_reap(probe->child, &status, &ignored) < 0)
		log_debug("%s", ignored.text);
	fd_drop(&probe->child);
}

static int child_answer(struct probe *probe, struct health_answer *answer)
{
	size_t no_fds = 0;

	if (socket_receive(probe->fd, answer, sizeof(*answer), NULL, &no_fds) != sizeof(*answer))
		answer_say(answer, false, -1, "the process that asked has died");
	answer->output[sizeof(answer->output) - 1] = '\0';
	return finish(probe, answer);
}

/* --- public ------------------------------------------------------------------------------------------------------- */

void probe_drop(struct probe *probe)
{
	/* With the answer sent it is about to end by itself; killing it then is the same. */
	child_end(probe, true);
	fd_drop(&probe->fd);
}

int probe_turn(const struct health_check *check, struct probe *probe, struct health_answer *answer)
{
	*answer = (struct health_answer){.status = -1};
	if (probe->child >= 0)
		return child_answer(probe, answer);
	return probe->events == POLLOUT ? connected(check, probe, answer) : http_read(probe, answer);
}

void probe_expire(const struct health_check *check, struct probe *probe, struct health_answer *answer)
{
	char duration[24];

	*answer = (struct health_answer){.status = -1};
	snprintf(answer->output, sizeof(answer->output), "no answer within %s",
		duration_format(check->timeout_ms, duration));
	finish(probe, answer);
}

void probe_ask(const struct health_check *check, struct health_answer *answer)
{
	struct probe probe = PROBE_IDLE;

	if (probe_connect(check, &probe, answer))
		return;
	for (;;) {
		struct pollfd ready = {.fd = probe.fd, .events = probe.events};

		if (clock_ms() >= probe.deadline_ms) {
			probe_expire(check, &probe, answer);
			return;
		}
		if (poll(&ready, 1, clock_poll_ms(probe.deadline_ms)) == 1 && probe_turn(check, &probe, answer))
			return;
	}
}
