/* What a monitor does nearly all of its life: wait. One poll(2) over the first process and its output; no timer but
 * those of a health check and of who shall sleep, so no wake-up when nothing happens; nothing is parsed. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/monitor/monitor.h"

#define PROTECTED_OOM_SCORE (-900)

/* --- signals ------------------------------------------------------------------------------------------------------ */

static void woken(int signal)
{
	(void)signal; /* poll(2) returning EINTR is all that is wanted */
}

void monitor_signals_setup(void)
{
	static const int ours[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGCHLD, SIGWINCH, SIGTSTP};
	struct sigaction wake = {.sa_handler = woken};
	sigset_t term;

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		signal(ours[i], SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &wake, NULL);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_SETMASK, &term, NULL);
}

/* With SIGTERM let through: one that comes just before is not lost. ms -1: for ever. */
static int poll_awake(struct pollfd *fds, nfds_t count, int64_t ms, bool give_back)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	return rest_poll(fds, count, ms < 0 ? NULL : &time, give_back);
}

void monitor_sleep(int64_t ms)
{
	poll_awake(NULL, 0, ms, true);
}

/* --- output ------------------------------------------------------------------------------------------------------- */

static void discard(int fd)
{
	char bytes[4096];

	for (int reads = 0; reads < 64; reads++)
		if (read(fd, bytes, sizeof(bytes)) <= 0)
			return;
}

/* True when there may be more. */
static bool output_take(struct monitor *monitor, int stream)
{
	if (log_is_open(&monitor->log))
		return log_drain(&monitor->log, (enum log_stream_index)stream, monitor->output[stream]);
	discard(monitor->output[stream]);
	return false;
}

/* In run.json when dropping begins and whenever the loss has doubled: no timer, no write per line. */
void monitor_record_drops(struct monitor *monitor)
{
	struct error ignored;

	if (monitor->log.dropped_bytes < 2 * monitor->dropped_recorded + 1)
		return;
	monitor->dropped_recorded = monitor->log.dropped_bytes;
	monitor->run.log_dropped_bytes = monitor->log.dropped_bytes;
	if (run_write(monitor->instance.live, &monitor->run, &ignored) < 0)
		log_debug("%s", ignored.text);
}

/* The first process is gone: what it left in the pipes, at most what they hold. */
static void output_take_last(struct monitor *monitor)
{
	for (int i = 0; i < LOG_STREAMS; i++)
		for (int rounds = 0; rounds < 16 && monitor->output[i] >= 0 && output_take(monitor, i); rounds++)
			;
	if (log_is_open(&monitor->log))
		log_flush(&monitor->log);
	monitor_record_drops(monitor);
}

/* One that is asleep is not asked how it is: that would wake it. */
static int64_t wait_ms(const struct monitor *monitor)
{
	int64_t health_ms = monitor->idle.asleep ? -1 : monitor_health_wait_ms(monitor);
	int64_t idle_ms = monitor_idle_wait_ms(monitor);

	if (health_ms < 0 || idle_ms < 0)
		return health_ms < 0 ? idle_ms : health_ms;
	return health_ms < idle_ms ? health_ms : idle_ms;
}

int monitor_watch(struct monitor *monitor)
{
	struct pollfd fds[3 + LOG_STREAMS] = {{.fd = monitor->launched.pidfd, .events = POLLIN}};
	struct pollfd *probe = &fds[1 + LOG_STREAMS], *caller = &fds[2 + LOG_STREAMS];

	for (int i = 0; i < LOG_STREAMS; i++)
		fds[1 + i] = (struct pollfd){.fd = monitor->output[i], .events = POLLIN};
	/* Before the first wait the code of what came before is given back; from then on it is what waiting uses. */
	for (bool give_back = true;; give_back = false) {
		*probe = (struct pollfd){.fd = monitor->probe.fd, .events = monitor->probe.events};
		*caller = (struct pollfd){.fd = monitor_idle_fd(monitor), .events = POLLIN};
		int ready = poll_awake(fds, ARRAY_SIZE(fds), wait_ms(monitor), give_back);

		if (ready < 0)
			return 0;
		for (int i = 0; i < LOG_STREAMS; i++) {
			if (fds[1 + i].revents & POLLIN)
				output_take(monitor, i);
			else if (fds[1 + i].revents) /* a console whose last user closed it */
				fds[1 + i].fd = -1;
		}
		if (fds[0].revents) {
			output_take_last(monitor);
			return 1;
		}
		/* First: a question that is due at the same time would be in the way. */
		monitor_idle_turn(monitor, caller->revents != 0);
		if (!monitor->idle.asleep)
			monitor_health_turn(monitor, probe->revents != 0);
		monitor_record_drops(monitor);
		if (log_is_open(&monitor->log))
			log_rest(&monitor->log);
	}
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

void monitor_shrink(struct arena *caller_arena)
{
	if (caller_arena)
		arena_drop(caller_arena);
	malloc_trim(0);
}

static void oom_score_write(int score)
{
	char text[16];
	auto_fd fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	int length = snprintf(text, sizeof(text), "%d", score);

	if (fd >= 0 && write(fd, text, (size_t)length) < 0)
		log_debug("oom_score_adj stays as it is"); /* lowering it needs CAP_SYS_RESOURCE */
}

void monitor_protect(struct monitor *monitor)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error ignored;
	const char *text;
	size_t length;
	int64_t score;

	if (file_read(&arena, AT_FDCWD, "/proc/self/oom_score_adj", 16, &text, &length, &ignored) < 0 || !length ||
		number_parse(arena_bytes(&arena, text, length - 1), -1000, 1000, &score, &ignored) < 0)
		return;
	monitor->own_oom_score = (int)score;
	if (score > PROTECTED_OOM_SCORE)
		oom_score_write(PROTECTED_OOM_SCORE);
}

void monitor_unprotect(struct monitor *monitor)
{
	oom_score_write(monitor->own_oom_score);
}
