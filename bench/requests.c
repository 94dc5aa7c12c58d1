/* Requests per second, and processor time per request, of web servers that are reached in different ways; round after
 * round, each in turn, so that a machine whose speed drifts is fair to all.
 *
 *   requests [--rounds R] [--requests N] [--connections C] NAME NETNS ADDRESS PORT PID[,PID…] [NAME …]…
 *
 * NETNS is the path of the network namespace of the client ("-": ours), the PIDs are all processes that serve. A
 * request goes over one of C connections that stay open. Time per request is that of client and server together,
 * interrupts for them included (/proc/PID/schedstat). Prints medians, and ratios to the first. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TARGETS_MAX 16
#define ROUNDS_MAX 200
#define CONNECTIONS_MAX 256
#define PIDS_MAX 16
#define ANSWER_MAX 8192

struct target {
	const char *name;
	int netns;
	struct sockaddr_in address;
	int pids[PIDS_MAX];
	size_t pid_count;
	double per_second[ROUNDS_MAX], cpu_us[ROUNDS_MAX];
};

struct connection {
	int fd;
	size_t got; /* of the answer */
	char answer[ANSWER_MAX];
};

static struct target targets[TARGETS_MAX];
static struct connection connections[CONNECTIONS_MAX];
static const char request[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "requests: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Nanoseconds on a processor so far. */
static double busy_ns(int pid)
{
	char path[64];
	unsigned long long ns = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%llu", &ns) != 1)
		die(path);
	fclose(file);
	return (double)ns;
}

static double target_busy_ns(const struct target *target)
{
	double ns = busy_ns(getpid());

	for (size_t i = 0; i < target->pid_count; i++)
		ns += busy_ns(target->pids[i]);
	return ns;
}

/* --- one connection ----------------------------------------------------------------------------------------------- */

static void connection_open(struct connection *connection, const struct target *target, int epoll)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

	connection->got = 0;
	connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection->fd < 0 ||
		connect(connection->fd, (const struct sockaddr *)&target->address, sizeof(target->address)) < 0 ||
		epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
		die(target->name);
}

static void request_send(const struct connection *connection)
{
	if (send(connection->fd, request, sizeof(request) - 1, 0) != sizeof(request) - 1)
		die("send");
}

/* True when all of one answer is there. */
static bool answer_is_whole(struct connection *connection)
{
	const char *end, *length;
	ssize_t got = recv(connection->fd, connection->answer + connection->got, ANSWER_MAX - 1 - connection->got, 0);

	if (got <= 0)
		die("receive");
	connection->got += (size_t)got;
	connection->answer[connection->got] = '\0';
	end = strstr(connection->answer, "\r\n\r\n");
	length = strcasestr(connection->answer, "\r\nContent-Length:");
	if (!end || !length || strncmp(connection->answer, "HTTP/1.1 200", 12) != 0)
		return end ? (errno = EPROTO, die(connection->answer), false) : false;
	return connection->got >= (size_t)(end + 4 - connection->answer) + strtoul(length + 17, NULL, 10);
}

/* --- a round ------------------------------------------------------------------------------------------------------ */

static void serve_events(int epoll, unsigned *sent, unsigned *done, unsigned requests)
{
	struct epoll_event events[CONNECTIONS_MAX];
	int count = epoll_wait(epoll, events, CONNECTIONS_MAX, 10000);

	if (count <= 0)
		die("no answer");
	for (int i = 0; i < count; i++) {
		struct connection *connection = events[i].data.ptr;

		if (!answer_is_whole(connection))
			continue;
		++*done;
		connection->got = 0;
		if (*sent < requests) {
			request_send(connection);
			++*sent;
		}
	}
}

static void target_measure(struct target *target, unsigned round, unsigned requests, unsigned count)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	unsigned sent = 0, done = 0;

	if (target->netns >= 0 && setns(target->netns, CLONE_NEWNET) < 0)
		die("enter a network namespace");
	for (unsigned i = 0; i < count; i++)
		connection_open(&connections[i], target, epoll);
	double busy = target_busy_ns(target), begin = now_s();

	for (; sent < count && sent < requests; sent++)
		request_send(&connections[sent]);
	while (done < requests)
		serve_events(epoll, &sent, &done, requests);
	target->per_second[round] = requests / (now_s() - begin);
	target->cpu_us[round] = (target_busy_ns(target) - busy) / 1e3 / requests;
	for (unsigned i = 0; i < count; i++)
		close(connections[i].fd);
	close(epoll);
}

static int value_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), value_order);
	return values[count / 2];
}

static void print(size_t count, unsigned rounds)
{
	double first_rate = 0, first_us = 0;

	for (size_t i = 0; i < count; i++) {
		double rate = median(targets[i].per_second, rounds), us = median(targets[i].cpu_us, rounds);

		first_rate = i ? first_rate : rate;
		first_us = i ? first_us : us;
		printf("%-28s %9.0f requests/s (%5.2f x)   %7.2f us of processor each (%5.2f x)\n", targets[i].name,
			rate, rate / first_rate, us, us / first_us);
	}
}

/* --- words -------------------------------------------------------------------------------------------------------- */

static void target_read(struct target *target, char **words)
{
	target->name = words[0];
	target->netns = strcmp(words[1], "-") ? open(words[1], O_RDONLY | O_CLOEXEC) : -1;
	if (strcmp(words[1], "-") && target->netns < 0)
		die(words[1]);
	target->address.sin_family = AF_INET;
	target->address.sin_port = htons((uint16_t)strtoul(words[3], NULL, 10));
	if (inet_pton(AF_INET, words[2], &target->address.sin_addr) != 1)
		die(words[2]);
	for (char *pid = strtok(words[4], ","); pid && target->pid_count < PIDS_MAX; pid = strtok(NULL, ","))
		target->pids[target->pid_count++] = (int)strtol(pid, NULL, 10);
}

static bool option_read(int *argc, char ***argv, const char *name, unsigned *value)
{
	if (*argc < 3 || strcmp((*argv)[1], name))
		return false;
	*value = (unsigned)strtoul((*argv)[2], NULL, 10);
	*argc -= 2;
	*argv += 2;
	return true;
}

int main(int argc, char **argv)
{
	unsigned rounds = 11, requests = 10000, count = 16;
	size_t target_count = 0;

	while (option_read(&argc, &argv, "--rounds", &rounds) || option_read(&argc, &argv, "--requests", &requests) ||
		option_read(&argc, &argv, "--connections", &count))
		;
	if (argc < 6 || (argc - 1) % 5 || argc > 5 * TARGETS_MAX + 1 || !rounds || rounds > ROUNDS_MAX || !count ||
		count > CONNECTIONS_MAX) {
		fprintf(stderr,
			"requests [--rounds R] [--requests N] [--connections C] NAME NETNS ADDRESS PORT PID[,PID]…\n");
		return 2;
	}
	for (int i = 1; i < argc; i += 5)
		target_read(&targets[target_count++], argv + i);
	/* The first look warms caches and counts for nobody. */
	for (size_t i = 0; i < target_count; i++)
		target_measure(&targets[i], 0, requests, count);
	for (unsigned round = 0; round < rounds; round++)
		for (size_t i = 0; i < target_count; i++)
			target_measure(&targets[i], round, requests, count);
	print(target_count, rounds);
	return 0;
}
