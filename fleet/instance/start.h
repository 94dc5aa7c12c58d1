/* Starting: the command's side, and a monitor's first steps. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_INSTANCE_START_H
#define WARREN_FLEET_INSTANCE_START_H

#include "fleet/monitor/monitor.h"

/* A start under way: the monitor works, its report comes over the socket. */
struct starting {
	int report; /* poll(2) for reading; -1: none */
	pid_t monitor;
	char name[64];
};
#define STARTING_EMPTY                                                                                                 \
	{                                                                                                              \
		.report = -1                                                                                           \
	}
/* instance is held; the monitor shares its lock until the start is over, so it may be dropped at once. */
MUST_CHECK int starting_begin(struct instance *instance, struct starting *out, struct error *err);
/* The report is there, or is waited for at most START_TIMEOUT_MS. */
MUST_CHECK int starting_end(struct starting *starting, const struct start_options *options, struct error *err);
void starting_drop(struct starting *starting);
#define START_TIMEOUT_MS 120000

/* Its first half, for who becomes the monitor himself: 0 start, 1 it runs and lacks a monitor. */
MUST_CHECK int start_admit(struct instance *instance, struct error *err);
/* monitor.lock, then the start or the taking over. On failure all is undone and the reason recorded. */
MUST_CHECK int monitor_begin(struct monitor *monitor, bool adopt, bool *exec_failed, struct error *err);
/* --rm, after the end. Somebody else may have removed or started it meanwhile. */
void monitor_remove_instance(struct monitor *monitor);

/* foreground.c: the caller is the monitor until the instance has ended. */
MUST_CHECK int foreground_start(struct instance *instance, const struct start_options *options, struct error *err);

MUST_CHECK int instance_start_held(struct instance *instance, const struct start_options *options, struct error *err);

#endif
