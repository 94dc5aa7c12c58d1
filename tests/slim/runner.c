/* Runs the tests of a program, each in a process and a process group of its own, and says how they went: on standard
 * error for people, in a TAP file for tests/summary.sh.
 *
 * A test passes when its process came to the end of the test without a failed assertion and exited with 0 in time, and
 * no process of its group is left. All else is a failure with its reason. */
#include "tests/slim/verdict.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The linker's names for both ends of the section. */
extern const struct slim_test *const __start_slim_tests[];
extern const struct slim_test *const __stop_slim_tests[];

enum { LANES_MAX = 64, GRACE_TRIES = 50, GRACE_TRY_US = 10000 };

struct slim_lane {
	const struct slim_test *test; /* NULL: free */
	struct slim_verdict *verdict;
	pid_t pid;
	int pidfd;
	double begin;
	bool late;
};

struct slim_options {
	const char *filter;
	const char *tap;
	unsigned lanes;
	bool list;
};

struct slim_counts {
	unsigned passed, failed, skipped;
};

/* Not main's, so that a leak checker finds it in use in every process. */
static const struct slim_test **chosen;
static FILE *tap;
/* For the signal that ends the runner: what it runs is in other groups, so nobody else ends that. */
static struct slim_lane lanes[LANES_MAX];

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

_Noreturn static void give_up(const char *what)
{
	fprintf(stderr, "slim: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int test_compare(const void *left, const void *right)
{
	const struct slim_test *a = *(const struct slim_test *const *)left;
	const struct slim_test *b = *(const struct slim_test *const *)right;
	int suites = strcmp(a->suite, b->suite);

	return suites ? suites : strcmp(a->name, b->name);
}

static bool test_chosen(const struct slim_test *test, const char *filter)
{
	char name[512];

	snprintf(name, sizeof(name), "%s/%s", test->suite, test->name);
	return !filter || fnmatch(filter, name, FNM_EXTMATCH) == 0;
}

/* Those that the filter takes, in the order of their names. */
static size_t tests_choose(const char *filter)
{
	size_t count = 0;

	chosen = calloc((size_t)(__stop_slim_tests - __start_slim_tests) + 1, sizeof(*chosen));
	if (!chosen)
		give_up("calloc");
	for (const struct slim_test *const *test = __start_slim_tests; test < __stop_slim_tests; test++)
		if (test_chosen(*test, filter))
			chosen[count++] = *test;
	qsort(chosen, count, sizeof(*chosen), test_compare);
	return count;
}

static double test_limit(const struct slim_test *test)
{
	return test->timeout > 0 ? test->timeout : SLIM_TIMEOUT;
}

static void signals_catch(void (*act)(int))
{
	static const int ends[] = {SIGHUP, SIGINT, SIGTERM};

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		signal(ends[i], act);
}

static void runner_end(int number)
{
	for (unsigned i = 0; i < LANES_MAX; i++)
		if (lanes[i].test)
			kill(-lanes[i].pid, SIGKILL);
	signal(number, SIG_DFL);
	raise(number);
}

/* Begins as if its program had been started for it: nothing of the runner's is open or caught. */
_Noreturn static void child_run(const struct slim_test *test, struct slim_verdict *verdict, pid_t runner)
{
	signals_catch(SIG_DFL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != runner)
		_exit(EXIT_FAILURE);
	if (tap)
		close(fileno(tap));
	for (unsigned i = 0; i < LANES_MAX; i++)
		if (lanes[i].test)
			close(lanes[i].pidfd);
	slim_run(test, verdict);
}

static void lane_begin(struct slim_lane *lane, const struct slim_test *test)
{
	pid_t runner = getpid();

	memset(lane->verdict, 0, sizeof(*lane->verdict));
	fprintf(stderr, "[RUN ] %s::%s\n", test->suite, test->name);
	fflush(NULL);
	lane->begin = now();
	lane->late = false;
	lane->pid = fork();
	if (lane->pid < 0)
		give_up("fork");
	if (!lane->pid)
		child_run(test, lane->verdict, runner);
	setpgid(lane->pid, lane->pid);
	lane->pidfd = (int)syscall(SYS_pidfd_open, lane->pid, 0);
	if (lane->pidfd < 0)
		give_up("pidfd_open");
	lane->test = test;
}

/* Whether this directory of /proc is a living process of the group. */
static bool process_is_of(int proc, const char *name, pid_t group)
{
	char path[64], line[1024];
	int file;
	ssize_t length;
	const char *rest;
	char state;
	int parent, its_group;

	if (*name < '1' || *name > '9')
		return false;
	snprintf(path, sizeof(path), "%.32s/stat", name);
	file = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return false;
	length = read(file, line, sizeof(line) - 1);
	close(file);
	if (length <= 0)
		return false;
	line[length] = '\0';
	rest = strrchr(line, ')');
	return rest && sscanf(rest + 1, " %c %d %d", &state, &parent, &its_group) == 3 && its_group == group &&
	       state != 'Z' && state != 'X';
}

static unsigned group_count(pid_t group)
{
	unsigned count = 0;
	DIR *proc;
	struct dirent *entry;

	if (kill(-group, 0) < 0)
		return 0;
	proc = opendir("/proc");
	if (!proc)
		give_up("/proc");
	while ((entry = readdir(proc)))
		count += process_is_of(dirfd(proc), entry->d_name, group);
	closedir(proc);
	return count;
}

/* How many processes the test has left in its group; they are ended. One that is about to end by itself has the time
 * to do so. */
static unsigned group_end(pid_t group)
{
	unsigned left = group_count(group);

	for (int tries = 0; left && tries < GRACE_TRIES; tries++) {
		usleep(GRACE_TRY_US);
		left = group_count(group);
	}
	kill(-group, SIGKILL);
	return left;
}

/* Why it has failed, or an empty text. */
static void failure_find(const struct slim_lane *lane, int status, unsigned left, char *why, size_t size)
{
	struct slim_verdict *verdict = lane->verdict;
	int failures = verdict->failures;

	*why = '\0';
	if (lane->late)
		snprintf(why, size, "ran for more than %.0f s and was ended", test_limit(lane->test));
	else if (WIFSIGNALED(status))
		snprintf(why, size, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (verdict->state == SLIM_BEGUN)
		snprintf(why, size, "exited with %d before its end", WEXITSTATUS(status));
	else if (WEXITSTATUS(status))
		snprintf(why, size, "exited with %d after its end", WEXITSTATUS(status));
	else if (failures)
		snprintf(why, size, "%d assertion%s failed", failures, failures == 1 ? "" : "s");
	else if (left)
		snprintf(why, size, "left %u process%s running", left, left == 1 ? "" : "es");
}

/* Of the test and of all that it has waited for: the rest of its time it waited itself, or others had the processor. */
static double usage_seconds(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
	       (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

static void result_say(
	const struct slim_lane *lane, const char *why, double seconds, double busy, struct slim_counts *counts)
{
	const struct slim_test *test = lane->test;
	const char *skipped = lane->verdict->state == SLIM_SKIPPED ? lane->verdict->why_skipped : NULL;

	if (*why) {
		counts->failed++;
		fprintf(stderr, "[FAIL] %s::%s: %s (%.2fs)\n", test->suite, test->name, why, seconds);
	} else if (skipped) {
		counts->skipped++;
		fprintf(stderr, "[SKIP] %s::%s: %s\n", test->suite, test->name, skipped);
	} else {
		counts->passed++;
		fprintf(stderr, "[PASS] %s::%s: (%.3fs, busy %.3fs)\n", test->suite, test->name, seconds, busy);
	}
	if (!tap)
		return;
	if (!*why && skipped)
		fprintf(tap, "ok - %s::%s  # SKIP %s\n", test->suite, test->name, skipped);
	else
		fprintf(tap, "%s - %s::%s  (%.2fs)\n", *why ? "not ok" : "ok", test->suite, test->name, seconds);
	fflush(tap);
}

static void lane_end(struct slim_lane *lane, struct slim_counts *counts)
{
	int status;
	char why[128];
	struct rusage usage;
	double seconds = now() - lane->begin;
	unsigned left;

	if (wait4(lane->pid, &status, 0, &usage) < 0)
		give_up("wait4");
	close(lane->pidfd);
	left = group_end(lane->pid);
	for (char *c = lane->verdict->why_skipped; *c; c++)
		if (*c == '\n')
			*c = ' ';
	failure_find(lane, status, left, why, sizeof(why));
	result_say(lane, why, seconds, usage_seconds(&usage), counts);
	lane->test = NULL;
}

/* The next time, in ms from now, at which a test will have been too long; the ones that are now are ended. */
static int lanes_hurry(unsigned count)
{
	double next = 3600;

	for (unsigned i = 0; i < count; i++) {
		double left;

		if (!lanes[i].test || lanes[i].late)
			continue;
		left = lanes[i].begin + test_limit(lanes[i].test) - now();
		if (left <= 0) {
			lanes[i].late = true;
			kill(-lanes[i].pid, SIGKILL);
			kill(lanes[i].pid, SIGKILL);
		} else if (left < next) {
			next = left;
		}
	}
	return (int)(next * 1000) + 1;
}

/* Waits until at least one has ended. */
static void lanes_await(unsigned count, struct slim_counts *counts)
{
	struct pollfd ends[LANES_MAX];

	for (unsigned i = 0; i < count; i++)
		ends[i] = (struct pollfd){.fd = lanes[i].test ? lanes[i].pidfd : -1, .events = POLLIN};
	if (poll(ends, count, lanes_hurry(count)) < 0 && errno != EINTR)
		give_up("poll");
	for (unsigned i = 0; i < count; i++)
		if (ends[i].revents)
			lane_end(&lanes[i], counts);
}

static struct slim_lane *lane_free(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!lanes[i].test)
			return &lanes[i];
	return NULL;
}

static bool lanes_busy(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (lanes[i].test)
			return true;
	return false;
}

static void tests_run(size_t count, unsigned lane_count, struct slim_counts *counts)
{
	struct slim_verdict *verdicts =
		mmap(NULL, lane_count * sizeof(*verdicts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t next = 0;

	if (verdicts == MAP_FAILED)
		give_up("mmap");
	for (unsigned i = 0; i < lane_count; i++)
		lanes[i].verdict = &verdicts[i];
	while (next < count || lanes_busy(lane_count)) {
		struct slim_lane *lane = next < count ? lane_free(lane_count) : NULL;

		if (lane)
			lane_begin(lane, chosen[next++]);
		else
			lanes_await(lane_count, counts);
	}
}

/* The value of --NAME=VALUE, or of --NAME VALUE: then it is the next argument. NULL: another option. */
static const char *option_value(char ***argument, const char *name)
{
	size_t length = strlen(name);
	const char *text = **argument;

	if (strncmp(text, name, length) != 0)
		return NULL;
	if (text[length] == '=')
		return text + length + 1;
	return text[length] || !(*argument)[1] ? NULL : *++*argument;
}

static bool option_read(char ***argument, struct slim_options *options)
{
	const char *text = **argument, *value;

	if (strcmp(text, "--list") == 0)
		return options->list = true;
	if (strncmp(text, "--verbose", 9) == 0)
		return true; /* is what it always is */
	if ((value = option_value(argument, "--filter")))
		return options->filter = value, true;
	if ((value = option_value(argument, "--tap")))
		return options->tap = value, true;
	if (strncmp(text, "-j", 2) == 0 && text[2] >= '1' && text[2] <= '9' && strlen(text) <= 4)
		return options->lanes = (unsigned)atoi(text + 2), options->lanes <= LANES_MAX;
	return false;
}

static struct slim_options options_read(char **arguments)
{
	struct slim_options options = {.lanes = 1};

	for (char **argument = arguments + 1; *argument; argument++)
		if (!option_read(&argument, &options)) {
			fprintf(stderr, "usage: %s [--list] [--filter SUITE/NAME-PATTERN] [--tap=FILE] [-jN]\n",
				*arguments);
			exit(2);
		}
	return options;
}

int main(int argc, char **arguments)
{
	(void)argc;
	struct slim_options options = options_read(arguments);
	struct slim_counts counts = {0};
	size_t count = tests_choose(options.filter);

	for (size_t i = 0; options.list && i < count; i++)
		printf("%s::%s\n", chosen[i]->suite, chosen[i]->name);
	if (options.list)
		return 0;
	if (options.tap && !(tap = fopen(options.tap, "we")))
		give_up(options.tap);
	if (tap)
		fprintf(tap, "TAP version 13\n1..%zu\n", count);
	signals_catch(runner_end);
	tests_run(count, options.lanes, &counts);
	fprintf(stderr, "[====] %zu tests: %u passed, %u failed, %u skipped\n", count, counts.passed, counts.failed,
		counts.skipped);
	return counts.failed != 0;
}
