/* How a run is told to end: which signal, to whom, and how long it has then. */
#include "fleet/monitor/stopping.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/state/image.h"

#define DEFAULT_GRACE_MS 10000
#define FORCED_DRAIN_MS 1000

/* Bit signal-1 of a mask in /proc/PID/status; false when the mask is not there. */
static bool mask_has(const char *status, const char *label, int signal)
{
	const char *line = strstr(status, label);

	return line && (strtoull(line + strlen(label), NULL, 16) >> (signal - 1) & 1);
}

bool process_catches(pid_t pid, int signal)
{
	AUTO(arena_drop) struct arena arena = {0};
	char path[64];
	const char *text;
	struct error ignored;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (file_read(&arena, AT_FDCWD, path, 65536, &text, NULL, &ignored) < 0)
		return true;
	return mask_has(text, "\nSigCgt:", signal) || mask_has(text, "\nSigBlk:", signal);
}

/* A first process that does not catch a signal ignores it (pid_namespaces(7)): then the others are asked, who die of it
 * as anywhere, and one that is alone need not be waited for. */
static int signal_all(struct stopping *stopping, struct cgroup *cgroup, struct error *err)
{
	pid_t init = stopping->init;
	int signal = stopping->signal;
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_pids pids = {0};

	if (process_signal(stopping->pidfd, signal, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	struct error ignored;

	if (process_catches(init, signal) || cgroup_processes(cgroup, &arena, &pids, &ignored) < 0)
		return 0;
	if (pids.count <= 1)
		stopping->deadline_ms = clock_ms();
	else if (cgroup_signal(cgroup, signal, &ignored) < 0)
		log_debug("%s: %s", stopping->instance.name, ignored.text);
	return 0;
}

int stopping_tell(struct stopping *stopping, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance *instance = &stopping->instance;
	const char *path = instance_cgroup_path(&arena, instance->host, instance->name);
	AUTO(cgroup_drop) struct cgroup cgroup; /* empty when it cannot be opened */
	int told;

	stopping->draining = false;
	stopping->deadline_ms = clock_ms() + stopping->grace_ms;
	if (cgroup_open(&instance->host->cgroups, path, &cgroup, err) < 0)
		return blame(err, "stop %s", instance->name);
	if (stopping->grace_ms == 0)
		return 0; /* the deadline has passed */
	told = signal_all(stopping, &cgroup, err);
	if (cgroup_is_frozen(&cgroup)) {
		struct error ignored;

		if (cgroup_freeze(&cgroup, false, 1000, &ignored) < 0)
			stopping->deadline_ms = clock_ms();
	}
	return told < 0 ? blame(err, "stop %s", instance->name) : 0;
}

/* One that is forced to go lets its connections end what they are at, no more. */
static int64_t drain_time_ms(const struct stopping *stopping, int64_t drain_ms, struct optional timeout_ms)
{
	int64_t most_ms = timeout_ms.set ? timeout_ms.value : INT64_MAX;

	if (stopping->aim == STOP_WITH_HOST)
		return 0;
	if (stopping->aim == STOP_TO_REMOVE)
		most_ms = FORCED_DRAIN_MS;
	return drain_ms < most_ms ? drain_ms : most_ms;
}

void stopping_manner(struct stopping *stopping, struct optional timeout_ms)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec spec;
	struct error ignored;

	stopping->signal = SIGTERM;
	stopping->grace_ms = timeout_ms.set ? timeout_ms.value : DEFAULT_GRACE_MS;
	if (instance_spec_load(&arena, stopping->instance.dir, stopping->instance.name, &spec, &ignored) < 0)
		return;
	if (!timeout_ms.set)
		stopping->grace_ms = spec.stop_grace_ms;
	stopping->drain_ms = drain_time_ms(stopping, spec.update.drain_ms, timeout_ms);
	stopping->remove = spec.remove && (stopping->aim == STOP_FOR_GOOD || stopping->aim == STOP_WITH_HOST);
	stopping->signal = instance_stop_signal(&spec, stopping->instance.dir);
}

int stopping_ask(struct stopping *stopping, const struct run *run, struct error *err)
{
	stopping_manner(stopping, (struct optional){0});
	stopping->init = run->init.pid;
	return stopping_tell(stopping, err);
}
