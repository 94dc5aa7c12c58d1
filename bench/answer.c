/* Waits until a web server answers on every port of a range, and says when the last one did.
 *
 *   answer [--timeout SECONDS] FIRST COUNT        ports FIRST … FIRST+COUNT-1 on 127.0.0.1
 *
 * Asks each port again every 20 ms until it answers "HTTP/1.x 200". Prints the milliseconds until half and until all
 * answered. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static bool ask(int port)
{
	static const char request[] = "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n";
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval short_time = {.tv_usec = 300000};
	char answer[64];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &short_time, sizeof(short_time));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof(short_time));
	ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	     write(fd, request, sizeof(request) - 1) > 0;
	if (ok) {
		ssize_t got = read(fd, answer, sizeof(answer) - 1);
		ok = got > 12 && !memcmp(answer, "HTTP/1.", 7) && !memcmp(answer + 9, "200", 3);
	}
	close(fd);
	return ok;
}

int main(int argc, char **argv)
{
	double start = now_ms(), half = 0, limit_ms = 60000;
	int at = 1, left;

	if (argc == 5 && !strcmp(argv[1], "--timeout")) {
		limit_ms = atof(argv[2]) * 1e3;
		at = 3;
	}
	if (argc - at != 2) {
		fprintf(stderr, "usage: answer [--timeout SECONDS] FIRST COUNT\n");
		return 2;
	}
	int first = atoi(argv[at]), count = atoi(argv[at + 1]);
	static bool done[65536];

	if (count < 1 || first < 1 || first + count > 65536)
		return 2;
	for (left = count; left;) {
		for (int i = 0; i < count; i++) {
			if (done[i] || !ask(first + i))
				continue;
			done[i] = true;
			if (--left == count / 2)
				half = now_ms() - start;
		}
		if (left && now_ms() - start > limit_ms) {
			fprintf(stderr, "answer: %d of %d ports do not answer after %.0f ms\n", left, count, limit_ms);
			return 1;
		}
		if (left)
			poll(NULL, 0, 20);
	}
	printf("half %.0f ms, all %d after %.0f ms\n", half, count, now_ms() - start);
	return 0;
}
