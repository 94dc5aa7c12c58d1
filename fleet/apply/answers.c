/* See answers.h. A program runs some time before it listens: milliseconds mostly, but nobody knows how many. So it is
 * tried, from the host, until it does. What the one that serves now does not answer either is not asked for. */
#include "fleet/apply/answers.h"
#include "fleet/network/addresses.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "fleet/apply/front.h"
#include "fleet/state/instance.h"

#define CONNECT_TIMEOUT_MS 1000
#define LOOK_MS 10
#define LISTEN_TIMEOUT_MS 60000

static bool takes_connections(struct in_addr address, uint16_t port)
{
	auto_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = address, .sin_port = htons(port)};
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	int result = 0;
	socklen_t size = sizeof(result);

	if (fd < 0)
		return false;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return true;
	return errno == EINPROGRESS && poll(&ready, 1, CONNECT_TIMEOUT_MS) == 1 &&
	       getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &size) == 0 && result == 0;
}

static bool still_runs(struct host *host, const char *name)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_status status;
	struct error ignored;

	return instance_status_read(&arena, host, name, &status, &ignored) == 0 && status.state == INSTANCE_RUNNING &&
	       !status.restarts;
}

struct visit {
	struct wave *wave;
	struct member *member;
	const char *next; /* who is to serve */
	struct in_addr now_address, next_address;
};

static void port_await(const struct visit *visit, uint16_t port)
{
	int64_t deadline_ms = clock_ms() + LISTEN_TIMEOUT_MS;
	struct error why;

	if (visit->member->failed || !takes_connections(visit->now_address, port))
		return;
	while (!takes_connections(visit->next_address, port)) {
		if (!still_runs(visit->wave->steps->host, visit->next)) {
			member_ended(visit->wave, visit->member, visit->next);
			return;
		}
		if (clock_ms() < deadline_ms) {
			poll(NULL, 0, LOOK_MS);
			continue;
		}
		fail(&why, ERROR_SYSTEM, "%s takes no connections at port %u, as the one before it does", visit->next,
			port);
		member_fail(visit->member, &why);
		return;
	}
}

void answers_await(struct wave *wave, struct member *member, enum whose whose)
{
	struct host *host = wave->steps->host;
	const struct instance_spec *spec = member->to;
	const char *now = whose == THEIR_OWN ? member->stand_in : member->name;
	struct visit visit = {
		.wave = wave, .member = member, .next = whose == THEIR_OWN ? member->name : member->stand_in};

	if (!instance_address(host, now, &visit.now_address) ||
		!instance_address(host, visit.next, &visit.next_address))
		return;
	for (size_t i = 0; i < spec->ports.count; i++)
		for (unsigned k = 0; spec->ports.items[i].protocol == PORT_TCP && k <= spec->ports.items[i].following;
			k++)
			port_await(&visit, (uint16_t)(spec->ports.items[i].target + k));
	if (spec->hosts.count)
		port_await(&visit, site_port(spec));
}
