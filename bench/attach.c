/* Attaching and detaching one instance with one published port while N others are there, beside the peers', in one run:
 * in each round every contestant has its turn, so that a machine whose speed drifts is fair to all.
 *
 *   attach [--rounds R] [--alone | --inside] [--rest] [--ipv4] [--ports] N…
 *
 * Each contestant has a host of its own, a network namespace. Instances are network namespaces with nothing in them,
 * made before the clock starts. Prints medians in milliseconds, and of ours what each step took, on the clock and, in
 * parentheses, on the processor, which a busy machine lengthens less. --alone: without the peers. --inside: without the
 * program of its own as well; each round then begins while the kernel is still busy with the end of the one before, a
 * storm. --rest: only when it is done with that. --ipv4: ours without IPv6, which the peers do without as well.
 * --ports: ours alone, one more port published and taken back, in microseconds. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "bench/attach.h"

#define ROUNDS_MAX 200
#define CONTESTANTS 4
#define LINKS_TEXT_MAX (1 << 20)

char scratch[64] = "/run/bench-attach-XXXXXX";

struct state {
	struct contestant who;
	bool takes_part;
	unsigned count; /* attached */
	int netns[ATTACH_MAX + 1];
	double attach_ms[ROUNDS_MAX], detach_ms[ROUNDS_MAX];
};

static double steps_ms[WARREN_STEPS][ROUNDS_MAX], steps_cpu[WARREN_STEPS][ROUNDS_MAX];
static bool rests, inside;

static struct state states[CONTESTANTS];

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "attach: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int netns_new(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		die("make a network namespace");
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? (die("open a network namespace"), -1) : fd;
}

static void enter(int netns)
{
	if (setns(netns, CLONE_NEWNET) < 0)
		die("enter a network namespace");
}

static bool state_open(struct state *state, const struct contestant *who, int host)
{
	state->who = *who;
	state->who.host = host >= 0 ? host : netns_new();
	enter(state->who.host);
	if (host < 0 && system("/usr/sbin/ip link set lo up") != 0)
		return false;
	return state->who.open();
}

static void attach_or_exit(struct state *state, unsigned number)
{
	enter(state->who.host);
	if (state->who.attach(number, state->netns[number]))
		return;
	fprintf(stderr, "attach: %s failed at %u\n", state->who.name, number);
	exit(1);
}

/* The namespace first, which is nobody's merit. */
static double one_attach(struct state *state, unsigned number)
{
	state->netns[number] = netns_new();
	enter(state->who.host);
	double begin = now_ms();

	attach_or_exit(state, number);
	return now_ms() - begin;
}

static double one_detach(struct state *state, unsigned number)
{
	enter(state->who.host);
	double begin = now_ms();
	bool done = state->who.detach(number, state->netns[number]);

	close(state->netns[number]);
	if (!done) {
		fprintf(stderr, "attach: %s failed to detach %u\n", state->who.name, number);
		exit(1);
	}
	return now_ms() - begin;
}

/* Once the kernel's worker has seen the carrier. */
static void settle_or_exit(unsigned from, unsigned to, long wait_ms)
{
	const struct timespec wait = {.tv_nsec = wait_ms * 1000 * 1000};

	nanosleep(&wait, NULL);
	for (unsigned number = from; number <= to; number++)
		if (!warren_settle(number))
			exit(1);
}

static void grow(struct state *state, unsigned to)
{
	unsigned before = state->count;

	while (state->count < to)
		attach_or_exit(state, ++state->count);
	if (state == &states[0])
		settle_or_exit(before + 1, to, 500);
}

/* A process of its own: 0 when the contestant is in this one, as what it did is known here only. */
static pid_t grow_begin(size_t i, unsigned to)
{
	struct state *state = &states[i];
	pid_t pid;

	for (unsigned number = state->count + 1; number <= to; number++)
		state->netns[number] = netns_new();
	pid = i == 0 ? 0 : fork();
	if (pid < 0)
		die("fork");
	if (i == 0 || pid == 0)
		grow(state, to);
	if (i > 0 && pid == 0)
		_exit(0);
	state->count = to;
	return pid;
}

/* Each to so many, the peers beside one another: they take minutes. The program of its own works on the first one's
 * host. */
static void grow_all(unsigned to)
{
	pid_t pids[CONTESTANTS] = {0};
	int status;

	for (size_t i = 0; i < CONTESTANTS; i++)
		if (states[i].takes_part && i != 1 && states[i].count < to)
			pids[i] = grow_begin(i, to);
	for (size_t i = 0; i < CONTESTANTS; i++)
		if (pids[i] && (waitpid(pids[i], &status, 0) != pids[i] || status != 0))
			exit(1);
}

static int ms_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), ms_order);
	return values[count / 2];
}

static unsigned links_there(const struct state *state)
{
	AUTO(arena_drop) struct arena arena = {0};
	unsigned count = 0;
	struct error err;
	const char *list;

	enter(state->who.host);
	auto_fd file = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
	if (file < 0 || fd_read_all(&arena, file, LINKS_TEXT_MAX, &list, NULL, &err) < 0)
		die("count the links");
	while ((list = strchr(list, '\n'))) {
		list++;
		count++;
	}
	return count;
}

/* Until the kernel has taken away the link of the one that was detached, and a moment more for what follows that. */
static void rest(const struct state *state, unsigned links)
{
	const struct timespec slice = {.tv_nsec = 5 * 1000 * 1000}, after = {.tv_nsec = 50 * 1000 * 1000};

	for (int i = 0; i < 400 && links_there(state) > links; i++)
		nanosleep(&slice, NULL);
	nanosleep(&after, NULL);
}

/* One turn of each. --rest: only when the kernel is done with the one before. */
static void measure_round(unsigned round)
{
	for (size_t i = 0; i < CONTESTANTS; i++) {
		struct state *state = &states[i];

		if (!state->takes_part)
			continue;
		unsigned links = rests ? links_there(state) : 0;
		state->attach_ms[round] = one_attach(state, ATTACH_MAX - round);
		if (i == 0)
			settle_or_exit(ATTACH_MAX - round, ATTACH_MAX - round, 5);
		state->detach_ms[round] = one_detach(state, ATTACH_MAX - round);
		for (size_t step = 0; i == 0 && step < WARREN_STEPS; step++) {
			steps_ms[step][round] = warren_steps[step];
			steps_cpu[step][round] = warren_steps_cpu[step];
		}
		if (rests)
			rest(state, links);
	}
}

static void steps_print(unsigned n, unsigned rounds)
{
	printf("N=%-5u of that, us (on the processor):", n);
	for (size_t step = 0; step < WARREN_STEPS; step++)
		printf("  %s %.0f (%.0f)", warren_step_names[step], median(steps_ms[step], rounds) * 1000,
			median(steps_cpu[step], rounds) * 1000);
	putchar('\n');
}

/* Behind the N that are there; one goes before the next comes, so that N stays. */
static void measure(unsigned n, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++)
		measure_round(round);
	double attach_ms = median(states[0].attach_ms, rounds), detach_ms = median(states[0].detach_ms, rounds);

	for (size_t i = 0; i < CONTESTANTS; i++) {
		struct state *state = &states[i];

		if (!state->takes_part)
			continue;
		double attach = median(state->attach_ms, rounds), detach = median(state->detach_ms, rounds);
		printf("N=%-5u %-24s attach %8.3f ms (%6.1f x)   detach %8.3f ms (%6.1f x)\n", n, state->who.name,
			attach, attach / attach_ms, detach, detach / detach_ms);
		if (i == 0)
			steps_print(n, rounds);
	}
	fflush(stdout);
}

/* All published, then all taken back: a transaction behind a removal waits for the kernel to finish that. */
static void measure_ports(unsigned n, unsigned rounds)
{
	struct state *state = &states[0];

	enter(state->who.host);
	for (int take_back = 0; take_back < 2; take_back++) {
		double *values = take_back ? state->detach_ms : state->attach_ms;

		for (unsigned round = 0; round < rounds; round++) {
			double begin = now_ms();

			if (!warren_publish(round, take_back))
				exit(1);
			values[round] = (now_ms() - begin) * 1000;
		}
	}
	printf("N=%-5u %-24s publish %8.1f us   take back %8.1f us\n", n, state->who.name,
		median(state->attach_ms, rounds), median(state->detach_ms, rounds));
	fflush(stdout);
}

static void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void contestants_open(bool alone)
{
	const struct contestant *const all[CONTESTANTS] = {&warren_inside, &warren_process, &netavark, &cni};

	for (size_t i = 0; i < CONTESTANTS; i++) {
		if (i >= (inside ? 1 : alone ? 2 : CONTESTANTS))
			return;
		states[i].takes_part = state_open(&states[i], all[i], i == 1 ? states[0].who.host : -1);
		if (!states[i].takes_part)
			fprintf(stderr, "attach: %s does not take part\n", all[i]->name);
	}
}

int main(int argc, char **argv)
{
	unsigned rounds = 21;
	bool alone = false, ports = false;
	struct error ignored;

	if (argc >= 4 && (!strcmp(argv[1], "--attach") || !strcmp(argv[1], "--detach")))
		return warren_main(argv + 1) ? 0 : 1;
	for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
		if (!strcmp(argv[1], "--rounds") && argc > 2) {
			rounds = (unsigned)strtoul(argv[2], NULL, 10);
			argc--, argv++;
		} else {
			ports |= !strcmp(argv[1], "--ports");
			inside |= !strcmp(argv[1], "--inside");
			alone |= ports || inside || !strcmp(argv[1], "--alone");
			ipv4_only |= !strcmp(argv[1], "--ipv4");
			rests |= !strcmp(argv[1], "--rest");
		}
	}
	if (argc < 2 || !rounds || rounds > ROUNDS_MAX || !mkdtemp(scratch))
		return 2;
	descriptors_raise();
	contestants_open(alone);
	for (int i = 1; i < argc; i++) {
		unsigned n = (unsigned)strtoul(argv[i], NULL, 10);

		if (n > ATTACH_MAX - ROUNDS_MAX)
			return 2;
		grow_all(ports ? n : n - 1);
		if (ports)
			measure_ports(n, rounds);
		else
			measure(n, rounds);
	}
	return tree_remove(AT_FDCWD, scratch, &ignored) < 0;
}
