/* Making an instance: everything is prepared in a directory of a random name, and one rename claims the instance's
 * name. Of twenty at once one wins; the others, and those who are killed, leave a directory that says what to undo. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/events/events.h"
#include "fleet/instance/create.h"
#include "fleet/instance/repair.h"
#include "fleet/network/addresses.h"
#include "fleet/network/attachment.h"
#include "fleet/network/claims.h"
#include "fleet/network/sharing.h"
#include "fleet/state/identity.h"
#include "fleet/state/image.h"
#include "fleet/state/instance.h"
#include "images/images.h"

/* --- what can be refused before anything is made ------------------------------------------------------------------ */

static int name_taken(struct host *host, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance other = INSTANCE_EMPTY;
	struct instance_spec spec;
	struct error ignored;

	if (instance_find(host, name, &other, &ignored) == 0 &&
		instance_spec_load(&arena, other.dir, name, &spec, &ignored) == 0 && spec.fleet)
		return fail(err, ERROR_BUSY, "the name %s is taken by an instance of the fleet %s", name, spec.fleet);
	return fail(err, ERROR_BUSY, "the name %s is taken by another instance", name);
}

static int spec_admit(struct host *host, const struct instance_spec *spec, struct error *err)
{
	struct cgroup_limits limits = {0};

	if (name_check("instance name", spec->name, err) < 0 || instance_spec_check(spec, err) < 0)
		return -1;
	if (faccessat(host->instances, spec->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return name_taken(host, spec->name, err);
	if (spec->boot && host->cgroups.mode != CGROUP_V2)
		return fail(err, ERROR_USAGE,
			"boot: an init of its own needs control groups of version 2 (all of them, at /sys/fs/cgroup); "
			"this host has %s",
			host->cgroups.mode == CGROUP_NONE ? "none" : "version 1");
	resources_limits(&spec->resources, &limits);
	if (cgroup_limits_check(&host->cgroups, &limits, err) < 0 ||
		(spec->resources.disk_bytes.set && disk_limit_check(host->lib, err) < 0))
		return -1;
	for (size_t i = 0; i < spec->volumes.count; i++)
		if (volume_check(&spec->volumes.items[i], host->lib_path, err) < 0)
			return -1;
	return attachment_admit(spec, err);
}

/* --- slot and addresses ------------------------------------------------------------------------------------------- */

/* Nobody takes or gives back slots before the record names ours: 1. 0: nothing is wrong but that none is free. */
static int slot_try(struct host *host, int dir, struct record *record, struct error *err)
{
	auto_fd hold = -1;

	if (slot_take_held(&host->net, 0, &record->slot, &hold, err) < 0)
		return err->kind == ERROR_BUSY ? 0 : -1;
	if (record_write(dir, record, err) == 0)
		return 1;
	record->slot = 0;
	return -1;
}

/* What killed ones lost is given back when all seem to be taken, and so is ours when it could not be written down. */
static int slot_claim(struct host *host, int dir, struct record *record, struct error *err)
{
	int taken = slot_try(host, dir, record, err);
	struct error why = *err;

	if (taken > 0)
		return 0;
	if (host_recover_slots(host, NULL, err) == 0 && taken == 0 && slot_try(host, dir, record, err) > 0)
		return forgive(err);
	*err = why;
	return -1;
}

static int record_make(
	struct host *host, int dir, const struct instance_spec *spec, struct record *record, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct network network;

	*record = (struct record){.created_ms = clock_real_ms()};
	if (slot_claim(host, dir, record, err) < 0)
		return -1;
	if (!instance_has_network(spec))
		return 0;
	if (instance_network(&arena, host, spec->network, &network, err) < 0)
		return -1;
	record->network = spec->network;
	record->network_number = network.number;
	if (addresses_claim(host, dir, &network, spec, record, err) < 0) {
		/* What is not ours must not be given back. */
		record->network = NULL;
		return -1;
	}
	return 0;
}

static void record_undo(struct host *host, const struct record *record)
{
	AUTO(lease_hold_drop) struct lease_hold hold = LEASE_HOLD_NONE;
	struct error err;

	if (addresses_release(host, record, NULL, &hold, &err) < 0)
		log_warn("give the addresses back: %s", err.text);
	lease_hold_drop(&hold); /* as in removing */
	if (record->slot && slot_release(&host->net, record->slot, &err) < 0)
		log_warn("give the slot back: %s", err.text);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static int spec_write(int dir, const struct instance_spec *spec, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	size_t length;

	instance_spec_encode(encoder, NULL, spec);
	auto_free char *text = encoder_take(encoder, &length);
	return file_replace(dir, "spec.json", 0600, FILE_ORDERED, text, length, err);
}

/* What an instance of a fleet had in the volumes of its image, it has again when it is made anew. */
static const char *volumes_owner(struct arena *arena, const struct instance_spec *spec)
{
	return spec->fleet ? arena_format(arena, "%s/%s", spec->fleet, spec->name) : NULL;
}

/* The image's volumes, and those that the user named for places where the image has something. */
static int volumes_fill(const struct image_session *session, const struct root_request *request,
	const struct image_config *config, const struct instance_spec *spec, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec all = *spec;

	if (!config->layers.count)
		return 0;
	instance_image_volumes(&arena, config, &all);
	for (size_t i = 0; i < all.volumes.count; i++) {
		const struct volume *volume = &all.volumes.items[i];

		if (volume->type == VOLUME_NAMED &&
			volume_seed(session, request, volume->source, volume->target, err) < 0)
			return -1;
	}
	return 0;
}

/* The last of a root, because what is written for it counts too. */
static int root_complete(int dir, const struct instance_spec *spec, struct error *err)
{
	if (spec->boot && identity_write(dir, spec, err) < 0)
		return -1;
	return spec->resources.disk_bytes.set ? root_disk_limit(dir, spec->resources.disk_bytes.value, err) : 0;
}

/* The directory is opened again inside the session, whose mount namespace may be another (images.h): nothing can be
 * linked or cloned from one into the other. */
static int root_make(struct host *host, const char *staged, const struct instance_spec *spec,
	const struct image_config *snapshot, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(image_session_drop) struct image_session session = {.scratch = -1, .outside = -1, .store = -1};
	auto_free char *path = text_format("instances/%s", staged);
	auto_fd dir = -1;
	struct image_config config = {0};
	struct root_request request = {
		.image = spec->image,
		.layers = &config.layers,
		.rootfs = spec->rootfs,
		.etc_from_host = &spec->etc_from_host,
		.userns = -1,
		.read_only = spec->read_only,
	};

	if (image_session_open(host->run, host->lib_path, &session, err) < 0)
		return -1;
	dir = openat(session.store, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return fail_errno(err, "open %s", path);
	request.instance = dir;
	if (snapshot) {
		if (root_inherit(session.store, dir, snapshot, &arena, err) < 0)
			return -1;
		return root_complete(dir, spec, err);
	}
	if (spec->image &&
		image_assign(session.store, dir, spec->image, volumes_owner(&arena, spec), &arena, &config, err) < 0)
		return -1;
	if (root_create(&session, &request, err) < 0 || volumes_fill(&session, &request, &config, spec, err) < 0)
		return -1;
	return root_complete(dir, spec, err);
}

static int staged_fill(struct host *host, struct instance *staged, const char *path, const struct instance_spec *spec,
	const struct image_config *snapshot, struct record *record, struct error *err)
{
	if (record_make(host, staged->dir, spec, record, err) < 0 || root_make(host, path, spec, snapshot, err) < 0 ||
		spec_write(staged->dir, spec, err) < 0 ||
		(network_is_joined(spec->network) && sharing_note(staged->dir, spec, err) < 0))
		return -1;
	/* What a file asks for runs after a boot too when whoever made it did not come to start it. */
	return desired_write(staged->dir, spec->fleet ? spec->state : DESIRED_STOPPED, err);
}

static int name_claim(struct host *host, const char *staged_path, const char *name, struct error *err)
{
	if (renameat2(host->instances, staged_path, host->instances, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EEXIST || errno == ENOTEMPTY)
		return name_taken(host, name, err);
	return fail_errno(err, "rename instances/%s to %s", staged_path, name);
}

int instance_create_from(
	struct host *host, const struct instance_spec *spec, const struct image_config *snapshot, struct error *err)
{
	auto_instance staged = INSTANCE_EMPTY;
	struct record record = {0};
	struct error ignored;
	char path[96];

	host_sweep(host);
	if (spec_admit(host, spec, err) < 0)
		return -1;
	if (instance_stage(host, spec->name, &staged, path, err) < 0)
		return blame(err, "create %s", spec->name);
	if (staged_fill(host, &staged, path, spec, snapshot, &record, err) == 0 &&
		name_claim(host, path, spec->name, err) == 0) {
		event_write(host, &(struct event){.kind = EVENT_CREATE, .name = spec->name, .fleet = spec->fleet});
		return 0;
	}
	/* Record last: whoever is killed here leaves a directory that still says what it held. */
	record_undo(host, &record);
	if (tree_remove(host->instances, path, &ignored) < 0)
		log_warn("remove instances/%s: %s", path, ignored.text);
	host_clean(host);
	return blame(err, "create %s", spec->name);
}

int instance_create(struct host *host, const struct instance_spec *spec, struct error *err)
{
	return instance_create_from(host, spec, NULL, err);
}
