/* The page that parent and child share while the child sets itself up. */
#include "runtime/report.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "base/process.h"

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
