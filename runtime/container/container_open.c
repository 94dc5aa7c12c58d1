/* Looking at containers: one, all, as JSON. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/log.h"
#include "runtime/container/container.h"
#include "runtime/state/state.h"

void container_close(struct container *container)
{
	fd_drop(&container->dir);
}

static bool is_frozen(const char *cgroup_path)
{
	AUTO(container_cgroup_drop) struct container_cgroup cgroup = {0};
	struct error ignored;

	return container_cgroup_open(cgroup_path, &cgroup, &ignored) == 0 && cgroup.has_cgroup &&
	       cgroup_is_frozen(&cgroup.cgroup);
}

static int open_it(struct arena *arena, int root, const char *id, bool lock, struct container *out, struct error *err)
{
	*out = (struct container){.dir = state_open(root, id, lock, err)};
	if (out->dir < 0)
		return -1;
	if (state_read(arena, out->dir, id, &out->facts, err) < 0 ||
		state_status(out->dir, &out->facts, lock, &out->status, err) < 0) {
		container_close(out);
		return -1;
	}
	return 0;
}

int container_open_record(struct arena *arena, int root, const char *id, struct container *out, struct error *err)
{
	return open_it(arena, root, id, false, out, err);
}

int container_open(struct arena *arena, int root, const char *id, struct container *out, struct error *err)
{
	if (open_it(arena, root, id, false, out, err) < 0)
		return -1;
	if (out->status == CONTAINER_RUNNING && is_frozen(out->facts.cgroup_path))
		out->status = CONTAINER_PAUSED;
	return 0;
}

void held_drop(struct held *held)
{
	container_close(&held->container);
	arena_drop(&held->arena);
}

int container_hold(int root, const char *id, struct held *out, struct error *err)
{
	*out = (struct held){.container = {.dir = -1}};
	return open_it(&out->arena, root, id, true, &out->container, err);
}

int container_spec(struct arena *arena, const struct container *container, struct spec *out, struct error *err)
{
	const char *path = arena_format(arena, "/proc/self/fd/%d/" STATE_CONFIG, container->dir);

	return oci_spec_read(arena, container->facts.bundle, path, out, err);
}

int container_list(struct arena *arena, int root, struct container_list *out, struct error *err)
{
	struct strings names;
	struct error damage;

	state_sweep(root);
	*out = (struct container_list){0};
	if (state_names(arena, root, &names, err) < 0)
		return -1;
	out->items = arena_new_array(arena, names.count, struct container);
	for (size_t i = 0; i < names.count; i++) {
		struct container *item = &out->items[out->count];

		if (container_open(arena, root, names.items[i], item, &damage) == 0) {
			/* A list of thousands must not hold a descriptor for each. */
			container_close(item);
			out->count++;
		} else if (damage.kind != ERROR_MISSING) {
			log_warn("%s", damage.text);
		}
	}
	return 0;
}

static const char *time_format(int64_t ms, char buffer[40])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm parts;
	char date[24];

	gmtime_r(&seconds, &parts);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(buffer, 40, "%s.%03dZ", date, (int)(ms % 1000));
	return buffer;
}

void container_encode_state(struct encoder *encoder, const struct container *container)
{
	const struct container_facts *facts = &container->facts;
	char created[40];

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "ociVersion", facts->oci_version);
	encode_string(encoder, "id", facts->id);
	encode_integer(encoder, "pid", container->status == CONTAINER_STOPPED ? 0 : facts->init.pid);
	encode_string(encoder, "status", container_status_names[container->status]);
	encode_string(encoder, "bundle", facts->bundle);
	encode_string(encoder, "rootfs", facts->root);
	encode_string(encoder, "created", time_format(facts->created_ms, created));
	encode_pairs(encoder, "annotations", &facts->annotations);
	encode_string(encoder, "owner", facts->owner ? facts->owner : "");
	encode_object_end(encoder);
}
