/* See idle.h: what commands do with an instance that sleeps. The monitor's part is watch_idle.c. */
#include "fleet/start/idle.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/events/events.h"

#define ASLEEP_FILE "asleep"
#define BUSY_FILE "busy"
#define THAW_TIMEOUT_MS 10000
#define BUSY_TIMEOUT_MS 10000

bool asleep_read(int live)
{
	return live >= 0 && faccessat(live, ASLEEP_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int asleep_write(int live, struct error *err)
{
	auto_fd fd = openat(live, ASLEEP_FILE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? fail_errno(err, "write " ASLEEP_FILE) : 0;
}

void asleep_forget(int live)
{
	if (live >= 0)
		unlinkat(live, ASLEEP_FILE, 0);
}

static int busy_open(int live)
{
	return openat(live, BUSY_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int busy_try(int live)
{
	auto_fd fd = busy_open(live);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? take_fd(&fd) : -1;
}

static int cgroup_thaw(const struct instance *instance, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(cgroup_drop) struct cgroup cgroup; /* empty when it cannot be opened */
	const struct host *host = instance->host;

	if (cgroup_open(&host->cgroups, instance_cgroup_path(&arena, host, instance->name), &cgroup, err) < 0)
		return -1;
	return cgroup_freeze(&cgroup, false, THAW_TIMEOUT_MS, err);
}

/* The monitor is told, so that it watches again; without one there is nobody to tell. */
int instance_wake(struct instance *instance, const struct run *run, struct error *err)
{
	if (!asleep_read(instance->live))
		return 0;
	if (cgroup_thaw(instance, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : blame(err, "wake %s", instance->name);
	asleep_forget(instance->live);
	instance_event(instance, EVENT_WAKE, "command", NULL);
	monitor_kick(run);
	return 0;
}

int instance_keep_awake(struct instance *instance, const struct instance_spec *spec, const struct run *run, int *busy,
	struct error *err)
{
	*busy = -1;
	if (!spec->idle.after_ms && !asleep_read(instance->live))
		return 0;
	auto_fd lock = busy_open(instance->live);
	if (lock < 0)
		return fail_errno(err, "open " BUSY_FILE);
	/* Held by the monitor for the moment of falling asleep. */
	if (lock_shared(lock, BUSY_TIMEOUT_MS, err) < 0 || instance_wake(instance, run, err) < 0)
		return -1;
	*busy = take_fd(&lock);
	return 0;
}
