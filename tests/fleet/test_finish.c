/* Why a run ended. */
#include <signal.h>

#include "base/process.h"
#include "fleet/monitor/finish.h"
#include "fleet/state/instance.h"
#include "tests/test.h"

#define EXITED(status) ((status) << 8)

TEST(finish, judges_an_end_by_all_that_is_known)
{
	static const struct {
		struct end end;
		enum end_reason reason;
		int status;
	} rows[] = {
		{{.wait_status = EXITED(0), .desired = DESIRED_RUNNING}, END_EXITED, 0},
		{{.wait_status = EXITED(3), .desired = DESIRED_RUNNING}, END_EXITED, 3},
		{{.wait_status = SIGSEGV, .desired = DESIRED_RUNNING}, END_SIGNAL, 139},
		{{.wait_status = EXITED(0), .desired = DESIRED_STOPPED}, END_STOPPED, 0},
		{{.wait_status = SIGKILL, .desired = DESIRED_STOPPED}, END_STOPPED, 137},
		{{.wait_status = SIGKILL, .desired = DESIRED_RUNNING}, END_SIGNAL, 137},
		{{.wait_status = SIGKILL, .desired = DESIRED_STOPPED, .killed_by = SIGKILL}, END_KILLED, 137},
		{{.wait_status = SIGUSR1, .desired = DESIRED_RUNNING, .killed_by = SIGUSR1}, END_KILLED, 138},
		/* A reload, and long after it a crash. */
		{{.wait_status = SIGSEGV, .desired = DESIRED_RUNNING, .killed_by = SIGHUP}, END_SIGNAL, 139},
		{{.wait_status = SIGKILL, .desired = DESIRED_RUNNING, .oom_kills = 1}, END_OUT_OF_MEMORY, 137},
		/* A shell whose child was killed for want of memory. */
		{{.wait_status = EXITED(137), .desired = DESIRED_RUNNING, .oom_kills = 1}, END_OUT_OF_MEMORY, 137},
		/* A worker was killed long ago, the server ended well. */
		{{.wait_status = EXITED(0), .desired = DESIRED_RUNNING, .oom_kills = 1}, END_EXITED, 0},
		/* An init that switched itself off, or was asked to; that rebooted; whose reboot came after the stop.
		 */
		{{.wait_status = SIGINT, .desired = DESIRED_RUNNING, .boot = true}, END_STOPPED, 0},
		{{.wait_status = SIGINT, .desired = DESIRED_STOPPED, .boot = true}, END_STOPPED, 0},
		{{.wait_status = SIGHUP, .desired = DESIRED_RUNNING, .boot = true}, END_REBOOT, 0},
		{{.wait_status = SIGHUP, .desired = DESIRED_STOPPED, .boot = true}, END_STOPPED, 0},
		/* Long after `kill --signal HUP` made it read its files again. */
		{{.wait_status = SIGHUP, .desired = DESIRED_RUNNING, .killed_by = SIGHUP, .boot = true}, END_REBOOT, 0},
		{{.wait_status = SIGSEGV, .desired = DESIRED_RUNNING, .boot = true}, END_SIGNAL, 139},
		{{.wait_status = SIGKILL, .desired = DESIRED_STOPPED, .boot = true}, END_STOPPED, 137},
		{{.wait_status = SIGINT, .desired = DESIRED_RUNNING}, END_SIGNAL, 130},
		{{.wait_status = -1, .desired = DESIRED_RUNNING}, END_HOST, 137},
		{{.wait_status = -1, .desired = DESIRED_STOPPED}, END_STOPPED, 137},
		{{.wait_status = -1, .desired = DESIRED_RUNNING, .oom_kills = 2}, END_OUT_OF_MEMORY, 137},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exit_record exit = end_judge(&rows[i].end);

		cr_assert(exit.reason == rows[i].reason, "row %zu: %s", i, end_reason_names[exit.reason]);
		cr_assert(exit.status == rows[i].status, "row %zu: status %d", i, exit.status);
		cr_assert(exit.at_ms > 0);
	}
}
