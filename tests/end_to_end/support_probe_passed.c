/* What a program does with listening sockets that it was started with (sd_listen_fds(3)), well or ill:
 *
 *   passed serve               says "serving", then answers each connection with LISTEN_FDNAMES' part for its socket
 *   passed close               closes them and waits
 *   passed turn ADDRESS PORT   on the first SIGUSR1 shuts the first down and connects it to there, on the second one
 * the second socket, and so on; says how each went, one word a line passed child ADDRESS PORT  the same with a
 * connection that it accepted: disconnects it, and connects it to there
 *   passed widen PORT          accepts a connection, disconnects it, and listens with it on that port of all addresses
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/end_to_end/support_place.h"
#include "tests/end_to_end/support_probe.h"

#define FIRST 3
#define SOCKETS_MAX 16
#define SILENCE_MS 700

static int sockets_count(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

	if (!pid || !count || atoi(pid) != getpid() || atoi(count) > SOCKETS_MAX)
		return 0;
	return atoi(count);
}

static int passed_serve(void)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = strings_split(&arena, getenv("LISTEN_FDNAMES") ? getenv("LISTEN_FDNAMES") : "", ':');
	struct pollfd polls[SOCKETS_MAX];
	int count = sockets_count();

	if (!count || (size_t)count != names.count)
		return 1;
	for (int i = 0; i < count; i++)
		polls[i] = (struct pollfd){.fd = FIRST + i, .events = POLLIN};
	puts("serving");
	fflush(stdout);
	while (poll(polls, (nfds_t)count, -1) > 0)
		for (int i = 0; i < count; i++) {
			auto_fd client = polls[i].revents ? accept(FIRST + i, NULL, NULL) : -1;

			if (client >= 0)
				dprintf(client, "%s\n", names.items[i]);
		}
	return 1;
}

static int passed_close(void)
{
	for (int i = 0; i < sockets_count(); i++)
		close(FIRST + i);
	puts("closed");
	fflush(stdout);
	return pause();
}

const char *probe_turn(int fd, const char *address, int port)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	struct place place;
	int error = 0;

	if (!place_make(address, port, &place))
		return "no address";
	/* A thread that waits in connect(2) would wait for minutes. */
	struct timeval limit = {.tv_usec = SILENCE_MS * 1000};
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, &place.any, place.length) == 0)
		return probe_connect_word(0);
	if (errno != EINPROGRESS)
		return probe_connect_word(errno);
	if (poll(&ready, 1, 0) == 0)
		return probe_connect_word(ETIMEDOUT);
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? "nothing" : probe_connect_word(error);
}

static int child_take(int listener)
{
	struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	int fd = accept(listener, NULL, NULL);

	return fd >= 0 && connect(fd, &nobody, sizeof(nobody)) == 0 ? fd : -1;
}

static int passed_widen(int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = sockets_count() ? child_take(FIRST) : -1;

	printf("%s\n",
		bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 16) == 0 ? "widened" : "refused");
	fflush(stdout);
	return pause();
}

static int passed_turn(const char *address, int port, bool child)
{
	sigset_t go;
	int count = sockets_count(), signal;

	sigemptyset(&go);
	sigaddset(&go, SIGUSR1);
	sigprocmask(SIG_BLOCK, &go, NULL);
	puts("ready");
	for (int i = 0; i < count; i++) {
		fflush(stdout);
		sigwait(&go, &signal);
		int fd = child ? child_take(FIRST + i) : FIRST + i;

		if (!child)
			shutdown(fd, SHUT_RD);
		printf("%d %s\n", i, probe_turn(fd, address, port));
	}
	puts("done");
	fflush(stdout);
	return pause();
}

int probe_passed(int argc, char **argv)
{
	if (argc == 1 && !strcmp(argv[0], "serve"))
		return passed_serve();
	if (argc == 1 && !strcmp(argv[0], "close"))
		return passed_close();
	if (argc == 2 && !strcmp(argv[0], "widen"))
		return passed_widen(atoi(argv[1]));
	if (argc == 3 && (!strcmp(argv[0], "turn") || !strcmp(argv[0], "child")))
		return passed_turn(argv[1], atoi(argv[2]), !strcmp(argv[0], "child"));
	return 2;
}
