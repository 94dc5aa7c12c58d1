/* New connections per second from outside to a published port, on a host with one of them and on one with many:
 * connect, 100 bytes each way, close. In turn, round after round.
 *
 *   connections [--rounds R] [PORTS]      default 1000
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "bench/attach.h"

#define ROUNDS_MAX 200
#define ROUND_S 0.5
#define BYTES 100
#define HOSTS 2

char scratch[64];

/* A host with instances, and a neighbour on a wire to it. */
struct scene {
	unsigned ports;
	int host, outside;
	char scratch[64];
	pid_t server;
	double per_second[ROUNDS_MAX];
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "connections: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int netns_new(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		die("make a network namespace");
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("open a network namespace");
	return fd;
}

static void enter(int netns)
{
	if (setns(netns, CLONE_NEWNET) < 0)
		die("enter a network namespace");
}

static void command(const char *line)
{
	if (system(line) != 0)
		die(line);
}

/* --- the server --------------------------------------------------------------------------------------------------- */

static _Noreturn void serve(int listener)
{
	char bytes[BYTES];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0 && recv(fd, bytes, BYTES, MSG_WAITALL) == BYTES && send(fd, bytes, BYTES, MSG_NOSIGNAL) < 0)
			_exit(1);
		close(fd);
	}
}

static pid_t server_start(int netns)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(80)};
	pid_t pid;

	enter(netns);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 1024) < 0)
		die("listen");
	pid = fork();
	if (pid == 0)
		serve(listener);
	close(listener);
	return pid;
}

/* --- the scene ---------------------------------------------------------------------------------------------------- */

static void wire_open(struct scene *scene)
{
	char line[160];

	scene->outside = netns_new();
	command("ip link set lo up");
	enter(scene->host);
	command("ip link set lo up");
	snprintf(line, sizeof(line), "ip link add wan type veth peer name lan netns /proc/%d/fd/%d", getpid(),
		scene->outside);
	fcntl(scene->outside, F_SETFD, 0);
	command(line);
	command("ip addr add 192.0.2.1/24 dev wan && ip link set wan up");
	enter(scene->outside);
	command("ip addr add 192.0.2.2/24 dev lan && ip link set lan up");
}

/* The server is the last instance: its port is the last that was published. */
static void scene_open(struct scene *scene, unsigned ports)
{
	int netns = -1;

	scene->ports = ports;
	strcpy(scene->scratch, "/tmp/bench-connections-XXXXXX");
	if (!mkdtemp(scene->scratch))
		die(scene->scratch);
	strcpy(scratch, scene->scratch);
	scene->host = netns_new();
	wire_open(scene);
	enter(scene->host);
	if (!warren_inside.open())
		exit(1);
	for (unsigned i = 1; i <= ports; i++) {
		netns = netns_new(); /* the links of all stay as long as we do */
		enter(scene->host);
		if (!warren_inside.attach(i, netns))
			exit(1);
	}
	scene->server = server_start(netns);
}

/* Ended hard, so that no port waits in TIME_WAIT. */
static void connect_once(const struct sockaddr_in *to)
{
	static const char bytes[BYTES];
	const struct linger hard = {.l_onoff = 1};
	char answer[BYTES];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 ||
		send(fd, bytes, BYTES, MSG_NOSIGNAL) != BYTES || recv(fd, answer, BYTES, MSG_WAITALL) != BYTES ||
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) < 0)
		die("connect");
	close(fd);
}

static double scene_measure(const struct scene *scene)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(FIRST_PORT + scene->ports))};
	double begin, end;
	unsigned count = 0;

	inet_pton(AF_INET, "192.0.2.1", &to.sin_addr);
	enter(scene->outside);
	for (begin = end = now_s(); end - begin < ROUND_S; end = now_s(), count++)
		connect_once(&to);
	return count / (end - begin);
}

static int value_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	unsigned rounds = 11, many = 1000;
	struct scene scenes[HOSTS];
	struct rlimit limit;
	struct error ignored;
	double rates[HOSTS];

	if (argc > 2 && !strcmp(argv[1], "--rounds")) {
		rounds = (unsigned)strtoul(argv[2], NULL, 10);
		argc -= 2, argv += 2;
	}
	if (argc > 1)
		many = (unsigned)strtoul(argv[1], NULL, 10);
	if (!rounds || rounds > ROUNDS_MAX || !many || many > ATTACH_MAX)
		return 2;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	scene_open(&scenes[0], 1);
	scene_open(&scenes[1], many);
	for (unsigned round = 0; round < rounds; round++)
		for (size_t i = 0; i < HOSTS; i++)
			scenes[i].per_second[round] = scene_measure(&scenes[i]);
	for (size_t i = 0; i < HOSTS; i++) {
		qsort(scenes[i].per_second, rounds, sizeof(double), value_order);
		rates[i] = scenes[i].per_second[rounds / 2];
		printf("%4u published ports: %8.0f new connections/s (%5.2f x)\n", scenes[i].ports, rates[i],
			rates[i] / rates[0]);
		kill(scenes[i].server, SIGKILL);
		if (tree_remove(AT_FDCWD, scenes[i].scratch, &ignored) < 0)
			fprintf(stderr, "connections: %s\n", ignored.text);
	}
	return 0;
}
