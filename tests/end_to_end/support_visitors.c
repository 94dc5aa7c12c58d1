#include "tests/end_to_end/support_visitors.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "tests/test.h"

#define PATIENCE_MS SLOWLY(10000)
#define AGAIN_MS 20

static int visitor_come(uint16_t port, int64_t deadline_ms)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	while (clock_ms() < deadline_ms) {
		auto_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
			return take_fd(&fd);
		poll(NULL, 0, AGAIN_MS);
	}
	return -1;
}

bool visitors_come(struct visitors *visitors, uint16_t port)
{
	int64_t deadline_ms = clock_ms() + PATIENCE_MS;

	for (int i = 0; i < VISITORS; i++) {
		visitors->fds[i] = visitor_come(port, deadline_ms);
		if (visitors->fds[i] < 0)
			return false;
	}
	return true;
}

void visitors_drop(struct visitors *visitors)
{
	for (int i = 0; i < VISITORS; i++)
		fd_drop(&visitors->fds[i]);
}
