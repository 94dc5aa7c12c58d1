#include "tests/end_to_end/support_load.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/end_to_end/support_place.h"
#include "tests/test.h"

#define ANSWER_MAX 4096
#define PATIENCE_S SLOWLY(10)

static volatile sig_atomic_t over;

static void stop_asking(int signal)
{
	(void)signal;
	over = 1;
}

/* All that comes until the server closes; -1: an error. */
static ssize_t answer_read(int fd, char *buffer, size_t size)
{
	size_t length = 0;
	ssize_t got;

	while (length < size - 1 && (got = read(fd, buffer + length, size - 1 - length)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		length += (size_t)got;
	}
	buffer[length] = '\0';
	return (ssize_t)length;
}

/* NULL: answered. */
static const char *ask(const struct place *address, const char *host, char *buffer, size_t size)
{
	auto_fd fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int length = snprintf(buffer, size, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", host);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (connect(fd, &address->any, address->length) < 0)
		if (errno != EINTR)
			return strerror(errno);
	if (send(fd, buffer, (size_t)length, MSG_NOSIGNAL) != length)
		return "the request was not taken";
	if (answer_read(fd, buffer, size) < 0)
		return strerror(errno);
	if (!strstr(buffer, " 200 ") || !strstr(buffer, "\r\n\r\n"))
		return *buffer ? buffer : "closed without an answer";
	return NULL;
}

static void client(const struct place *address, const char *host, struct load_count *count)
{
	char buffer[ANSWER_MAX];

	while (!over) {
		const char *failure = ask(address, host, buffer, sizeof(buffer));

		if (!failure)
			count->answered++;
		else if (!count->failed++)
			snprintf(count->first_failure, sizeof(count->first_failure), "%s", failure);
	}
}

static struct load clients_begin(const struct place *address, const char *host)
{
	struct load load;
	size_t size = LOAD_CLIENTS * sizeof(*load.counts);

	load.counts = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(load.counts != MAP_FAILED);
	for (int i = 0; i < LOAD_CLIENTS; i++) {
		load.clients[i] = fork();
		cr_assert(load.clients[i] >= 0);
		if (load.clients[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTERM, stop_asking);
		client(address, host, &load.counts[i]);
		_exit(0);
	}
	return load;
}

struct load load_begin_at(const char *address, uint16_t port, const char *host)
{
	struct place at;

	cr_assert(place_make(address, port, &at));
	return clients_begin(&at, host);
}

struct load load_begin(uint16_t port, const char *host)
{
	return load_begin_at("127.0.0.1", port, host);
}

void load_end(struct load *load, uint64_t least)
{
	uint64_t answered = 0;

	for (int i = 0; i < LOAD_CLIENTS; i++)
		kill(load->clients[i], SIGTERM);
	for (int i = 0; i < LOAD_CLIENTS; i++) {
		cr_assert(waitpid(load->clients[i], NULL, 0) == load->clients[i]);
		cr_assert(load->counts[i].failed == 0, "%ju of %ju requests failed; the first: %s",
			(uintmax_t)load->counts[i].failed,
			(uintmax_t)(load->counts[i].failed + load->counts[i].answered), load->counts[i].first_failure);
		answered += load->counts[i].answered;
	}
	munmap(load->counts, LOAD_CLIENTS * sizeof(*load->counts));
	cr_assert(answered >= least, "only %ju requests were answered", (uintmax_t)answered);
}
