/* The instance's output comes through two named pipes. Named, so that a new monitor can take them over; opened
 * read-write on the instance's side, so that the death of a monitor is no SIGPIPE for the server. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/monitor/monitor.h"

/* Room for what comes while a monitor is being replaced or the machine is busy. Without CAP_SYS_RESOURCE the kernel
 * refuses beyond pipe-user-pages-soft; the usual 64 KiB then do. */
#define PIPE_BYTES (256 << 10)

static const char *const fifo_names[LOG_STREAMS] = {"out", "err"};

static int fifo_open(int live, const char *name, int flags, struct error *err)
{
	struct stat status;
	auto_fd fd = -1;

	if (mkfifoat(live, name, 0600) < 0 && errno != EEXIST)
		return fail_errno(err, "make the pipe %s", name);
	fd = openat(live, name, flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return fail_errno(err, "open the pipe %s", name);
	if (!S_ISFIFO(status.st_mode))
		return fail(err, ERROR_SYSTEM, "%s in the live directory is not a pipe", name);
	return take_fd(&fd);
}

int stdio_open(struct monitor *monitor, uid_t owner, int stdio[3], struct error *err)
{
	for (int i = 0; i < LOG_STREAMS; i++) {
		int fd = fifo_open(monitor->instance.live, fifo_names[i], O_RDWR, err);

		if (fd < 0)
			return -1;
		stdio[i + 1] = fd;
		if (fchown(fd, owner, (gid_t)-1) < 0)
			return fail_errno(err, "give the pipe %s to uid %u", fifo_names[i], owner);
		if (fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES) < 0)
			log_debug("%s: pipe %s keeps its usual size", monitor->instance.name, fifo_names[i]);
	}
	return 0;
}

void stdio_close(int stdio[3])
{
	for (int i = 0; i < 3; i++)
		fd_drop(&stdio[i]);
}

int stdio_attach(struct monitor *monitor, bool write_end_too, struct error *err)
{
	for (int i = 0; i < LOG_STREAMS; i++) {
		fd_drop(&monitor->output[i]);
		monitor->output[i] = fifo_open(
			monitor->instance.live, fifo_names[i], (write_end_too ? O_RDWR : O_RDONLY) | O_NONBLOCK, err);
		if (monitor->output[i] < 0)
			return -1;
	}
	return 0;
}

bool stdio_exists(const struct monitor *monitor)
{
	return faccessat(monitor->instance.live, fifo_names[0], F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* --- what becomes of the output ----------------------------------------------------------------------------------- */

static int journal_open(struct monitor *monitor, const struct instance_spec *spec, struct error *err)
{
	const struct log_identity identity = {
		.name = monitor->instance.name, .fleet = spec->fleet, .image = spec->image};

	return log_journal_open(&monitor->log, &identity, LOG_JOURNAL_SOCKET, err);
}

int monitor_log_open(struct monitor *monitor, const struct instance_spec *spec, struct error *err)
{
	if (log_is_open(&monitor->log) || text_equal(spec->logging.driver, LOG_DRIVER_NONE))
		return 0;
	if (text_equal(spec->logging.driver, LOG_DRIVER_JOURNALD))
		return journal_open(monitor, spec, err);
	auto_fd dir = dir_create(monitor->instance.host->log, monitor->instance.name, 0700, err);
	if (dir < 0)
		return blame(err, "log directory");
	return log_open(&monitor->log, take_fd(&dir), &spec->logging, err);
}

static const char *log_driver(const struct log_writer *log)
{
	if (log->journal >= 0)
		return LOG_DRIVER_JOURNALD;
	return log->dir >= 0 ? LOG_DRIVER_FILE : LOG_DRIVER_NONE;
}

void monitor_log_change(struct monitor *monitor, const struct instance_spec *spec)
{
	int64_t dropped_bytes = monitor->log.dropped_bytes;
	struct error err;

	if (monitor->output[LOG_STDOUT] < 0)
		return;
	if (text_equal(log_driver(&monitor->log), spec->logging.driver)) {
		log_bound(&monitor->log, &spec->logging);
		return;
	}
	log_close(&monitor->log);
	if (monitor_log_open(monitor, spec, &err) < 0)
		log_warn("%s: %s", monitor->instance.name, err.text);
	monitor->log.dropped_bytes = dropped_bytes;
}
