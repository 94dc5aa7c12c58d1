/* Finding, opening and locking an instance. The lock is the instance's own directory, so it exists exactly as long as
 * the instance does, and one that is removed while somebody waits for it is noticed. */
#include "fleet/state/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "base/suggest.h"

#define NAMES_MAX 65536

static int instance_missing(struct host *host, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};
	const char *near = NULL;
	struct error ignored;

	if (dir_list(&arena, host->instances, NAMES_MAX, &names, &ignored) == 0 && names.count)
		near = suggest_from(name, names.items);
	if (near && *near != '.')
		return fail(err, ERROR_MISSING, "no instance \"%s\"; did you mean \"%s\"?", name, near);
	return fail(err, ERROR_MISSING, "no instance \"%s\"", name);
}

static int directory_open(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* None when it has never run since the host started, or something else lies there. Any other error (no descriptor left)
 * must not be taken for that: a running instance would seem stopped. */
static int live_open(struct instance *instance, struct error *err)
{
	fd_drop(&instance->live);
	instance->live = directory_open(instance->host->live, instance->name);
	if (instance->live < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP) {
		fail_errno(err, "open the run directory of %s", instance->name);
		instance_drop(instance);
		return -1;
	}
	return 0;
}

int instance_find(struct host *host, const char *name, struct instance *out, struct error *err)
{
	*out = (struct instance)INSTANCE_EMPTY;
	if (name_check("instance name", name, err) < 0)
		return -1;
	out->host = host;
	snprintf(out->name, sizeof(out->name), "%s", name);
	out->dir = directory_open(host->instances, name);
	if (out->dir < 0)
		return errno == ENOENT ? instance_missing(host, name, err) : fail_errno(err, "open instances/%s", name);
	return live_open(out, err);
}

void instance_drop(struct instance *instance)
{
	fd_drop(&instance->dir);
	fd_drop(&instance->live);
	fd_drop(&instance->lock);
}

/* False when the directory was removed or renamed while we waited for its lock. */
static bool is_still_named(const struct instance *instance)
{
	struct stat held, named;

	return fstat(instance->lock, &held) == 0 &&
	       fstatat(instance->host->instances, instance->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static int instance_lock(struct instance *instance, struct error *err)
{
	/* A description of its own: a flock belongs to the open file description, and the monitor must be able to keep
	 * the directory without keeping the lock. */
	instance->lock = directory_open(instance->dir, ".");
	if (instance->lock < 0)
		return fail_errno(err, "open instances/%s", instance->name);
	if (lock_exclusive(instance->lock, INSTANCE_LOCK_TIMEOUT_MS, err) == 0)
		return 0;
	if (err->kind == ERROR_BUSY)
		return fail(err, ERROR_BUSY, "%s: another command has been working on it for more than %d s",
			instance->name, INSTANCE_LOCK_TIMEOUT_MS / 1000);
	return blame(err, "lock %s", instance->name);
}

int instance_take_as_is(struct host *host, const char *name, struct instance *out, struct error *err)
{
	for (int tries = 0; tries < 100; tries++) {
		if (instance_find(host, name, out, err) < 0)
			return -1;
		if (instance_lock(out, err) < 0) {
			instance_drop(out);
			return -1;
		}
		/* The one who had the lock may have made or removed it. */
		if (is_still_named(out))
			return live_open(out, err);
		instance_drop(out);
	}
	return fail(err, ERROR_BUSY, "%s: it keeps being removed and made again", name);
}

int instance_live_make(struct instance *instance, struct error *err)
{
	if (instance->live >= 0)
		return 0;
	instance->live = dir_create(instance->host->live, instance->name, 0700, err);
	return instance->live < 0 ? -1 : 0;
}

int instance_spec_load(struct arena *arena, int dir, const char *name, struct instance_spec *out, struct error *err)
{
	struct json_doc doc;

	if (json_read(arena, dir, "spec.json", JSON_PLAIN, &doc, err) < 0 ||
		instance_spec_decode(arena, &doc, doc.root, out, err) < 0)
		return blame(err, "instance %s", name);
	/* A rename changes the directory's name first. */
	out->name = arena_string(arena, name);
	return 0;
}

const char *instance_cgroup_path(struct arena *arena, const struct host *host, const char *name)
{
	return arena_format(arena, "%s/%s", host->cgroup_parent, name);
}

bool instance_is_monitored(const struct instance *instance)
{
	return instance->live >= 0 && lock_is_held(instance->live, "monitor.lock");
}

enum desired_state instance_desired(const struct instance *instance)
{
	return halted_read(instance->live) ? DESIRED_STOPPED : desired_read(instance->dir);
}

bool run_is_alive(const struct run *run)
{
	return run->init.pid > 0 && !run->other_boot && process_is_alive(&run->init);
}

int instance_running_read(struct arena *arena, const struct instance *instance, struct running *out, struct error *err)
{
	*out = (struct running){0};
	if (instance->live < 0)
		return fail(err, ERROR_BUSY, "%s is not running", instance->name);
	if (run_read(arena, instance->live, &out->run, err) < 0)
		return err->kind == ERROR_MISSING ? fail(err, ERROR_BUSY, "%s is not running", instance->name)
						  : blame(err, "instance %s", instance->name);
	out->monitored = instance_is_monitored(instance);
	int alive = out->run.other_boot ? 0 : process_look(&out->run.init, err);
	if (alive == 0)
		return fail(err, ERROR_BUSY, "%s is not running", instance->name);
	return alive < 0 ? blame(err, "instance %s", instance->name) : 0;
}

bool instance_is_up(const struct instance *instance)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct running running;
	struct error ignored;

	return instance_running_read(&arena, instance, &running, &ignored) == 0 || instance_is_monitored(instance);
}

void monitor_kick(const struct run *run)
{
	struct error ignored;
	auto_fd pidfd = run->monitor.pid > 0 && !run->other_boot ? process_open(&run->monitor, &ignored) : -1;

	if (pidfd >= 0 && process_signal(pidfd, SIGTERM, &ignored) < 0)
		log_debug("%s", ignored.text);
}
