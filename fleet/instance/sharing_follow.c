/* What becomes of those that share an instance's network when that one is started anew: they are restarted. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/instance/sharing_follow.h"
#include "fleet/network/sharing.h"
#include "fleet/spec/network_mode.h"

#define SHARERS_MAX 4096

static bool netns_find(struct arena *arena, struct host *host, const char *name, struct stat *out)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct running running;
	struct error ignored;
	char path[64];

	if (instance_find(host, name, &instance, &ignored) < 0 ||
		instance_running_read(arena, &instance, &running, &ignored) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", running.run.init.pid);
	return stat(path, out) == 0;
}

static bool shares_still(struct arena *arena, struct host *host, const char *sharer, const char *owner)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct instance_spec spec;
	struct error ignored;

	if (instance_find(host, sharer, &instance, &ignored) < 0 ||
		instance_spec_load(arena, instance.dir, sharer, &spec, &ignored) < 0)
		return false;
	struct network_mode mode = network_mode(spec.network);

	return mode.kind == NETWORK_SHARED && text_equal(mode.of, owner);
}

/* True when it is to be remembered further. */
static bool sharer_follow(struct host *host, const char *sharer, const char *owner)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct stat old, now;
	struct error err;

	if (!shares_still(&arena, host, sharer, owner) || !netns_find(&arena, host, sharer, &old))
		return false;
	if (!netns_find(&arena, host, owner, &now) || old.st_ino == now.st_ino)
		return true;
	if (instance_restart(host, sharer, (struct optional){0}, &err) < 0)
		log_warn("%s shares the network of %s, which is a new one, and could not be restarted: %s", sharer,
			owner, err.text);
	return true;
}

void sharing_follow(struct host *host, const char *owner)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings sharers = {0};
	struct error err;
	char path[96];
	auto_fd dir = -1;

	snprintf(path, sizeof(path), "%s/" SHARERS, owner);
	dir = openat(host->live, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return;
	if (dir_list(&arena, dir, SHARERS_MAX, &sharers, &err) < 0) {
		log_warn("%s: %s", owner, err.text);
		return;
	}
	for (size_t i = 0; i < sharers.count; i++)
		if (!sharer_follow(host, sharers.items[i], owner))
			unlinkat(dir, sharers.items[i], 0);
}
