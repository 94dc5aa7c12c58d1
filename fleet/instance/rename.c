/* Renaming an instance that does not run: its directory and its log; what names it in /run is made anew by its next
 * start. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/events/events.h"
#include "fleet/instance/repair.h"
#include "fleet/state/instance.h"

/* While neither name may be touched (the old one is given up and the new one claimed in one step) the log waits under a
 * third one. Of a directory that is not there nothing is moved. */
static int log_move(struct host *host, const char *from, const char *to, struct error *err)
{
	if (renameat(host->log, from, host->log, to) == 0 || errno == ENOENT)
		return 0;
	return fail_errno(err, "rename the log directory %s to %s", from, to);
}

static int fleet_check(const struct instance *instance, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec spec;

	if (instance_spec_load(&arena, instance->dir, instance->name, &spec, err) < 0)
		return -1;
	if (spec.fleet)
		return fail(err, ERROR_BUSY, "%s belongs to the fleet %s; its name stands in the fleet's file",
			instance->name, spec.fleet);
	return 0;
}

/* Under the old name before, under the new one after: between the two the names are others' as well as ours. */
static int rename_held(struct instance *instance, const char *new_name, struct error *err)
{
	struct host *host = instance->host;
	auto_free char *aside = text_format(".%s.%s", instance->name, new_name);
	struct error ignored;
	int saved;

	if (tree_remove(host->live, instance->name, err) < 0 || log_move(host, instance->name, aside, err) < 0)
		return -1;
	if (renameat2(host->instances, instance->name, host->instances, new_name, RENAME_NOREPLACE) < 0) {
		saved = errno;
		if (log_move(host, aside, instance->name, &ignored) < 0)
			log_warn("%s", ignored.text);
		errno = saved;
		return errno == EEXIST ? fail(err, ERROR_BUSY, "the name %s is taken by another instance", new_name)
				       : fail_errno(err, "rename %s to %s", instance->name, new_name);
	}
	/* What a killed command may have left under the new name is nobody's. */
	if (tree_remove(host->live, new_name, err) < 0 || tree_remove(host->log, new_name, err) < 0)
		return -1;
	return log_move(host, aside, new_name, err);
}

int instance_rename(struct host *host, const char *name, const char *new_name, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;

	if (name_check("instance name", new_name, err) < 0 || instance_take(host, name, &instance, err) < 0 ||
		fleet_check(&instance, err) < 0)
		return -1;
	if (instance_is_up(&instance))
		return fail(err, ERROR_BUSY, "%s is running; stop it first", name);
	if (rename_held(&instance, new_name, err) < 0)
		return -1;
	event_write(host, &(struct event){.kind = EVENT_RENAME, .name = name, .detail = new_name});
	return 0;
}
