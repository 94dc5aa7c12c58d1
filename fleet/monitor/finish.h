/* The end of a run, and why it ended. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_MONITOR_FINISH_H
#define WARREN_FLEET_MONITOR_FINISH_H

#include "fleet/state/instance.h"

/* Everything a run took from the host but the instance's own slot and address: processes, cgroup, published ports, its
 * name for others. Bounded in time; goes on after a failure and reports the first. Doing it twice is fine. */
MUST_CHECK int run_release(struct instance *instance, const struct run *run, struct error *err);
/* run_release(), then the exit record, then run.json is gone. monitor.lock is held or nobody can take it. */
MUST_CHECK int run_finish(
	struct instance *instance, const struct run *run, const struct exit_record *exit, struct error *err);
/* ends.c: adds it to the ends that are kept. Never fails: what cannot be written is lost. */
void ends_note(struct instance *instance, const struct run *run, const struct exit_record *exit);
/* Why it ended. status as waitpid(2), or -1: unknown (it was nobody's child). oom_kills: since the run began. */
struct end {
	int wait_status;
	int64_t oom_kills;
	enum desired_state desired;
	int killed_by;	  /* signal that `kill` sent, 0 none */
	bool boot;	  /* it was an init, which ends by reboot(2) */
	bool unwell;	  /* its monitor ended it, because of its health */
	enum halt halted; /* it was asked to end only for now */
};
struct exit_record end_judge(const struct end *end);
/* The status of an ended process that was not our child: pidfd opened before its end (PIDFD_GET_INFO, 6.15); -1. */
int pidfd_exit_status(int pidfd);

#endif
