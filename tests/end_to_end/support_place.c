#include "tests/end_to_end/support_place.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/test.h"

bool place_make(const char *address, int port, struct place *out)
{
	const in_port_t wire = htons((uint16_t)port);

	*out = (struct place){.v4 = {.sin_family = AF_INET, .sin_port = wire}, .length = sizeof(out->v4)};
	if (inet_pton(AF_INET, address, &out->v4.sin_addr) == 1)
		return true;
	*out = (struct place){.v6 = {.sin6_family = AF_INET6, .sin6_port = wire}, .length = sizeof(out->v6)};
	return inet_pton(AF_INET6, address, &out->v6.sin6_addr) == 1;
}

bool place_parse(const char *text, struct place *out)
{
	char address[INET6_ADDRSTRLEN];
	int port;

	if (sscanf(text, "[%45[0-9a-f:.]]:%d", address, &port) != 2 &&
		sscanf(text, "%15[0-9.]:%d", address, &port) != 2)
		return false;
	return place_make(address, port, out);
}

static struct place place_of(const char *address, int port)
{
	struct place place;

	cr_assert(place_make(address, port, &place), "\"%s\" is no address", address);
	return place;
}

int place_dial(const char *address, int port)
{
	const struct place place = place_of(address, port);
	auto_fd fd = socket(place.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, &place.any, place.length) == 0 ? take_fd(&fd) : -1;
}

static void patience_set(int fd, int option, int ms)
{
	const struct timeval patience = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	cr_assert(setsockopt(fd, SOL_SOCKET, option, &patience, sizeof(patience)) == 0);
}

bool place_says_hello(const char *address, int port, int patience_ms)
{
	const struct place place = place_of(address, port);
	auto_fd fd = socket(place.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[6] = "";

	patience_set(fd, SO_SNDTIMEO, patience_ms);
	patience_set(fd, SO_RCVTIMEO, SLOWLY(5000));
	return connect(fd, &place.any, place.length) == 0 && recv(fd, answer, 5, MSG_WAITALL) == 5 &&
	       !strcmp(answer, "hello");
}
