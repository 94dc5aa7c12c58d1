/* In the foreground the command is the monitor: it copies between its own terminal or pipes and the instance, and into
 * the log as well. Killed, it leaves a running instance without a monitor, as any monitor does. */
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "fleet/instance/start.h"
#include "fleet/monitor/monitor.h"

static void tee(void *context, int stream, const char *bytes, size_t length)
{
	struct monitor *monitor = context;

	if (log_is_open(&monitor->log))
		log_feed(&monitor->log, stream == STDERR_FILENO ? LOG_STDERR : LOG_STDOUT, bytes, length);
}

static int relay_watch(struct monitor *monitor)
{
	struct stdio_relay relay = {
		.console = monitor->launched.console,
		.input = monitor->input,
		.output = monitor->output[LOG_STDOUT],
		.error = monitor->output[LOG_STDERR],
		.pidfd = monitor->launched.pidfd,
		.tee = tee,
		.context = monitor,
	};
	struct error err;

	if (stdio_relay_run(&relay, &err) < 0) {
		/* Our output is gone; the instance's is still its own. */
		log_warn("%s: %s", monitor->instance.name, err.text);
		process_wait_end(monitor->launched.pidfd, -1);
	}
	if (log_is_open(&monitor->log))
		log_flush(&monitor->log);
	monitor_record_drops(monitor);
	return 1;
}

static int adopt_instead(struct instance *instance, const struct start_options *options, struct error *err)
{
	AUTO(starting_drop) struct starting starting = STARTING_EMPTY;

	if (starting_begin(instance, &starting, err) < 0 || starting_end(&starting, options, err) < 0)
		return -1;
	return fail(err, ERROR_BUSY, "%s was running without a monitor and has one again; its terminal is lost",
		instance->name);
}

int foreground_start(struct instance *instance, const struct start_options *options, struct error *err)
{
	AUTO(monitor_drop) struct monitor *monitor = NULL;
	struct exit_record exit;
	bool exec_failed = false;
	int adopt = start_admit(instance, err);

	if (adopt < 0)
		return blame(err, "start %s", instance->name);
	if (adopt)
		return adopt_instead(instance, options, err);
	monitor = monitor_new(instance, err);
	if (!monitor)
		return -1;
	monitor->instance.lock = -1; /* stays the caller's until the start is over */
	monitor->foreground = true;
	if (monitor_begin(monitor, false, &exec_failed, err) < 0) {
		if (options->exec_failed)
			*options->exec_failed = exec_failed;
		return blame(err, "start %s", instance->name);
	}
	fd_drop(&instance->lock);
	/* Whoever sits in front of it sees it end, and decides: an interrupt that is passed on must not bring it back.
	 */
	monitor->restart.policy = RESTART_NO;
	exit = monitor_stay(monitor, relay_watch);
	if (options->status)
		*options->status = exit.status;
	if (options->reason)
		*options->reason = exit.reason;
	if (monitor->remove)
		monitor_remove_instance(monitor);
	return 0;
}
