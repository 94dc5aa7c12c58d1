/* Several commands side by side in one run: round after round, each in turn, so that a machine whose speed drifts is
 * fair to all.
 *
 *   compare [--rounds N] [--gap MS] NAME 'COMMAND WORDS' [NAME 'COMMAND WORDS']…
 *
 * "@" in a command is replaced by a number that is never used twice, and ";" separates several that are run one after
 * the other and measured as one. Prints for each command median, minimum and spread (between the quartiles) of
 * processor time (user + system of everything that it reaped, and of what it left running until that ends), median and
 * minimum of wall time in milliseconds, the peak memory of its largest process in KiB, and ratios to the first command.
 * Words are split at blanks; no shell. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 16
#define ROUNDS_MAX 1000
#define WORDS_MAX 64

struct figures {
	const char *name, *command;
	double cpu_ms[ROUNDS_MAX], wall_ms[ROUNDS_MAX];
	long rss_kib;
	int failures, last_status;
};

static struct figures all[COMMANDS_MAX];
static long serial;

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The command's words, with "@" replaced; both buffers are the caller's. */
static void words_split(const char *command, char *buffer, size_t room, char **words)
{
	size_t used = 0, count = 0;

	for (const char *at = command; *at && used + 24 < room; at++) {
		if (*at == '@')
			used += (size_t)snprintf(buffer + used, room - used, "%d-%ld", getpid(), serial);
		else
			buffer[used++] = *at;
	}
	buffer[used] = '\0';
	serial++;
	for (char *word = strtok(buffer, " "); word && count + 1 < WORDS_MAX; word = strtok(NULL, " "))
		words[count++] = word;
	words[count] = NULL;
}

static double cpu_of(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1e3 +
	       (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e3;
}

/* Gives its processor time. */
static double program_run(struct figures *figures, char **words)
{
	struct rusage usage;
	int status;
	pid_t pid;

	if (!words[0] || posix_spawn(&pid, words[0], NULL, NULL, words, environ) != 0) {
		fprintf(stderr, "compare: cannot execute %s\n", figures->command);
		exit(1);
	}
	while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
		;
	if (usage.ru_maxrss > figures->rss_kib)
		figures->rss_kib = usage.ru_maxrss;
	if (status != 0) {
		figures->failures++;
		figures->last_status = status;
	}
	return cpu_of(&usage);
}

/* A created container is nobody's child but ours in the end. */
static double left_behind_reap(void)
{
	struct rusage usage;
	double cpu_ms = 0;

	while (wait4(-1, NULL, 0, &usage) > 0)
		cpu_ms += cpu_of(&usage);
	return cpu_ms;
}

static void run_once(struct figures *figures, int round)
{
	char buffer[4096], *words[WORDS_MAX], **first = words, **at = words;
	double cpu_ms = 0;

	words_split(figures->command, buffer, sizeof(buffer), words);
	double start = now_ms();
	for (;; at++) {
		bool is_last = !*at;

		if (*at && strcmp(*at, ";") != 0)
			continue;
		*at = NULL;
		cpu_ms += program_run(figures, first);
		if (is_last)
			break;
		first = at + 1;
	}
	figures->wall_ms[round] = now_ms() - start;
	figures->cpu_ms[round] = cpu_ms + left_behind_reap();
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), ascending);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Of sorted values: what lies between the first and the last quarter. */
static double spread(const double *values, int count)
{
	return values[count * 3 / 4] - values[count / 4];
}

static void print(int commands, int rounds)
{
	double cpu0 = 0, wall0 = 0;

	printf("%-34s %9s %8s %8s %9s %8s %8s %7s %7s\n", "", "CPU ms", "min", "spread", "wall ms", "min", "RSS KiB",
		"CPU x", "wall x");
	for (int i = 0; i < commands; i++) {
		double cpu = median(all[i].cpu_ms, rounds), wall = median(all[i].wall_ms, rounds);

		if (i == 0)
			cpu0 = cpu, wall0 = wall;
		printf("%-34s %9.2f %8.2f %8.2f %9.2f %8.2f %8ld %7.2f %7.2f", all[i].name, cpu, all[i].cpu_ms[0],
			spread(all[i].cpu_ms, rounds), wall, all[i].wall_ms[0], all[i].rss_kib, cpu / cpu0,
			wall / wall0);
		if (all[i].failures)
			printf("   %d of %d FAILED (status 0x%x)", all[i].failures, rounds,
				(unsigned)all[i].last_status);
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	int rounds = 31, gap_ms = 0, at = 1, commands = 0, failures = 0;

	for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
		int *into = !strcmp(argv[at], "--rounds") ? &rounds : !strcmp(argv[at], "--gap") ? &gap_ms : NULL;
		if (!into) {
			fprintf(stderr, "compare: unknown option %s\n", argv[at]);
			return 2;
		}
		*into = atoi(argv[at + 1]);
	}
	if (rounds < 1 || rounds > ROUNDS_MAX || argc - at < 2 || (argc - at) % 2 || (argc - at) / 2 > COMMANDS_MAX) {
		fprintf(stderr,
			"usage: compare [--rounds N] [--gap MS] NAME 'COMMAND WORDS' [NAME 'COMMAND WORDS']…\n");
		return 2;
	}
	for (; at < argc; at += 2)
		all[commands++] = (struct figures){.name = argv[at], .command = argv[at + 1]};
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int round = -1; round < rounds; round++) /* the first round warms up and is written over */
		for (int i = 0; i < commands; i++) {
			if (gap_ms)
				nanosleep(&(struct timespec){.tv_nsec = gap_ms * 1000000L}, NULL);
			run_once(&all[i], round < 0 ? 0 : round);
		}
	print(commands, rounds);
	for (int i = 0; i < commands; i++)
		failures += all[i].failures;
	return failures > 0;
}
