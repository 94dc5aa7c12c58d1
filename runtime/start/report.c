/* The page that parent and child share while the child sets itself up. */
#include "runtime/start/report.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/process.h"

/* Twice this is less than anybody waits for a start (fleet/monitor/monitor.h). */
#define STEP_LIMIT_S 45
#define DEATH_TIMEOUT_MS 5000

struct report *report_new(struct error *err)
{
	struct report *report = mmap(
		NULL, sizeof(struct report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (report == MAP_FAILED) {
		fail_errno(err, "make a page to share with the new process");
		return NULL;
	}
	return report;
}

void report_drop(struct report **report)
{
	if (*report)
		munmap(*report, sizeof(struct report));
	*report = NULL;
}

void report_step(struct report *report, const char *name)
{
	atomic_store(&report->step, name);
}

void report_executing(struct report *report)
{
	atomic_store(&report->stage, REPORT_EXECUTING);
}

void report_failure(struct report *report, const struct error *error, bool exec_failed)
{
	report->error = *error;
	report->exec_failed = exec_failed;
	atomic_store(&report->stage, REPORT_FAILED);
}

int report_set_limit(int channel, unsigned limit_s, struct error *err)
{
	const struct timeval limit = {.tv_sec = limit_s ? limit_s : STEP_LIMIT_S};

	if (setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return fail_errno(err, "limit the time of a start");
	return 0;
}

int report_check_progress(const struct report *report, const char **seen, const char *what, struct error *err)
{
	const char *now = atomic_load(&report->step);

	if (now == *seen && !atomic_load(&report->has_own_limit))
		return fail(err, ERROR_SYSTEM, "%s is stuck at the step \"%s\"", what, now ? now : "begin");
	*seen = now;
	return 0;
}

void report_give_up(int pidfd)
{
	struct error ignored;
	int status;

	if (process_signal(pidfd, SIGKILL, &ignored) < 0 && ignored.kind != ERROR_MISSING)
		return;
	/* One in a frozen cgroup or in a dead file system does not die yet; one that is reaped is somebody else's
	 * child. */
	if (process_wait_end(pidfd, DEATH_TIMEOUT_MS) && process_reap(pidfd, &status, &ignored) < 0)
		return;
}

static int fail_silent_death(const struct report *report, int status, const char *what, struct error *err)
{
	const char *step = atomic_load(&report->step);
	char name[16];

	if (!step)
		step = "begin";
	if (WIFSIGNALED(status))
		return fail(err, ERROR_SYSTEM, "%s died at the step \"%s\": killed by signal %s", what, step,
			signal_name(WTERMSIG(status), name));
	return fail(err, ERROR_SYSTEM, "%s died at the step \"%s\": exit status %d", what, step, WEXITSTATUS(status));
}

int report_conclude(const struct report *report, int pidfd, const char *what, bool *exec_failed, struct error *err)
{
	int stage = atomic_load(&report->stage), status;

	if (exec_failed)
		*exec_failed = false;
	if (stage == REPORT_EXECUTING)
		return 0;
	if (process_reap(pidfd, &status, err) < 0)
		return -1;
	if (stage != REPORT_FAILED)
		return fail_silent_death(report, status, what, err);
	*err = report->error;
	if (exec_failed)
		*exec_failed = report->exec_failed;
	return -1;
}
