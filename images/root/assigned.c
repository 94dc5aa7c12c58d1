/* The image that an instance has.
 *
 * Names change their meaning, and a name that is removed may not take the root from under an instance: so the instance
 * has its own list of layers, written once when it is made, and a start reads that one file instead of a name, a
 * manifest and a config. */
#include "images/root/assigned.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/path.h"
#include "base/process.h"
#include "images/files/checksum.h"
#include "images/store/manifest.h"
#include "images/store/record.h"
#include "images/store/registries.h"

#define NS_PER_MS 1000000

/* --- the file ----------------------------------------------------------------------------------------------------- */

static const struct field check_fields[] = {
	STRINGS("test", struct image_check, test, REQUIRED),
	INTEGER("intervalMs", struct image_check, interval_ms, 0, INT64_MAX, 0),
	INTEGER("timeoutMs", struct image_check, timeout_ms, 0, INT64_MAX, 0),
	INTEGER("startPeriodMs", struct image_check, start_period_ms, 0, INT64_MAX, 0),
	INTEGER("retries", struct image_check, retries, 0, INT64_MAX, 0),
	END_OF_FIELDS,
};

static const struct field assigned_fields[] = {
	STRING("name", struct image_config, name, 0),
	STRING("manifest", struct image_config, manifest_digest, 0),
	STRING("config", struct image_config, config_digest, 0),
	STRINGS("layers", struct image_config, layers, 0),
	STRINGS("hiddenLayers", struct image_config, hidden_layers, 0),
	STRINGS("entrypoint", struct image_config, entrypoint, 0),
	STRINGS("command", struct image_config, command, 0),
	PAIRS("environment", struct image_config, environment, 0),
	STRING("user", struct image_config, user, 0),
	STRING("workingDir", struct image_config, working_dir, 0),
	STRING("stopSignal", struct image_config, stop_signal, 0),
	PAIRS("volumes", struct image_config, volumes, 0),
	STRINGS("exposedPorts", struct image_config, exposed_ports, 0),
	PAIRS("labels", struct image_config, labels, 0),
	POINTER("healthCheck", struct image_config, check, check_fields, 0),
	UINT64("pendingInode", struct image_config, pending_inode, 0),
	STRING("pendingLayer", struct image_config, pending_layer, 0),
	END_OF_FIELDS,
};

static int layers_check(const struct strings *layers, struct error *err)
{
	for (size_t i = 0; i < layers->count; i++)
		if (layer_key_check(layers->items[i], err) < 0)
			return -1;
	return 0;
}

int assigned_read(struct arena *arena, int dir, const char *file, struct image_config *out, struct error *err)
{
	*out = (struct image_config){0};
	if (record_file_read(arena, dir, file, assigned_fields, out, err) < 0)
		return -1;
	if (out->pending_layer && layer_key_check(out->pending_layer, err) < 0)
		return -1;
	return layers_check(&out->layers, err) < 0 || layers_check(&out->hidden_layers, err) < 0 ? -1 : 0;
}

int assigned_put(int dir, const char *file, const struct image_config *config, struct error *err)
{
	return record_file_write(dir, file, assigned_fields, config, err);
}

static int layers_exist(const struct store *store, const struct strings *layers, struct error *err)
{
	for (size_t i = 0; i < layers->count; i++)
		if (!layer_exists(store, layers->items[i]))
			return fail(err, ERROR_MISSING, "the layer %s is not in the store", layers->items[i]);
	return 0;
}

int assigned_write(const struct store *store, int instance, const struct image_config *config, struct error *err)
{
	auto_fd lock = store_lock(store, STORE_SHARED, err);

	if (lock < 0 || layers_exist(store, &config->layers, err) < 0 ||
		layers_exist(store, &config->hidden_layers, err) < 0)
		return -1;
	return assigned_put(instance, ASSIGNED, config, err);
}

/* --- from the image's own config ---------------------------------------------------------------------------------- */

static void environment_take(struct arena *arena, const struct strings *from, struct pairs *to)
{
	for (size_t i = 0; i < from->count; i++) {
		const char *text = from->items[i], *equals = strchr(text, '=');

		/* As other engines do: a word without '=' is no variable. */
		if (equals && equals != text)
			pairs_set(arena, to, arena_bytes(arena, text, (size_t)(equals - text)), equals + 1);
	}
}

/* "NONE" says that a check of the image below does not count. */
static struct image_check *check_take(struct arena *arena, const struct image_health *from)
{
	struct image_check *check;

	if (!from || !from->test.count || text_equal(from->test.items[0], "NONE"))
		return NULL;
	check = arena_new(arena, struct image_check);
	*check = (struct image_check){.test = from->test,
		.interval_ms = from->interval_ns / NS_PER_MS,
		.timeout_ms = from->timeout_ns / NS_PER_MS,
		.start_period_ms = from->start_period_ns / NS_PER_MS,
		.retries = from->retries};
	return check;
}

/* "/data/" means "/data"; "/" cannot be a volume. */
static int paths_take(struct arena *arena, const struct strings *from, struct strings *to, struct error *err)
{
	for (size_t i = 0; i < from->count; i++) {
		size_t length = strlen(from->items[i]);

		while (length > 1 && from->items[i][length - 1] == '/')
			length--;
		const char *path = arena_bytes(arena, from->items[i], length);
		if (path_check_absolute("volume", path, err) < 0)
			return -1;
		if (text_equal(path, "/"))
			return fail(err, ERROR_USAGE, "volume \"/\": an instance's root cannot be one");
		if (!strings_contain(to, path))
			strings_add(arena, to, path);
	}
	return 0;
}

static const char *volume_name(struct arena *arena, const char *owner, const char *path)
{
	char digits[SHA256_TEXT_SIZE];
	const char *seed = owner ? arena_format(arena, "%s:%s", owner, path) : NULL;
	uint64_t number;

	if (seed)
		sha256_text(seed, strlen(seed), digits);
	else if (getrandom(&number, sizeof(number), 0) == sizeof(number))
		snprintf(digits, sizeof(digits), "%016jx", (uintmax_t)number);
	else
		return NULL;
	return arena_format(arena, VOLUME_ANONYMOUS "%.16s", digits);
}

static int volumes_take(
	struct arena *arena, const struct strings *from, const char *owner, struct pairs *to, struct error *err)
{
	struct strings paths = {0};

	if (paths_take(arena, from, &paths, err) < 0)
		return -1;
	for (size_t i = 0; i < paths.count; i++) {
		const char *name = volume_name(arena, owner, paths.items[i]);

		if (!name)
			return fail_errno(err, "getrandom");
		pairs_set(arena, to, paths.items[i], name);
	}
	return 0;
}

static int details_take(struct arena *arena, const struct image_details *details, const char *owner,
	struct image_config *out, struct error *err)
{
	int signal;

	out->entrypoint = details->entrypoint;
	out->command = details->command;
	out->exposed_ports = details->exposed_ports;
	out->labels = details->labels;
	out->check = check_take(arena, details->health);
	out->user = text_is_empty(details->user) ? NULL : details->user;
	environment_take(arena, &details->environment, &out->environment);
	if (!text_is_empty(details->working_dir)) {
		struct strings one = {0}, clean = {0};

		strings_add(arena, &one, details->working_dir);
		if (!text_equal(details->working_dir, "/") && paths_take(arena, &one, &clean, err) < 0)
			return blame(err, "WorkingDir");
		out->working_dir = clean.count ? clean.items[0] : "/";
	}
	if (!text_is_empty(details->stop_signal)) {
		if (signal_parse(details->stop_signal, &signal, err) < 0)
			return blame(err, "StopSignal");
		out->stop_signal = details->stop_signal;
	}
	return volumes_take(arena, &details->volumes, owner, &out->volumes, err);
}

int image_config_read(const struct store *store, const struct image_record *record, const char *owner,
	struct arena *arena, struct image_config *out, struct error *err)
{
	struct image_details details;
	const char *bytes;
	size_t length;

	*out = (struct image_config){.name = record->name,
		.manifest_digest = record->manifest_digest,
		.config_digest = record->config_digest};
	for (size_t i = record->layers.count; i > 0; i--)
		strings_add(
			arena, i > record->hidden ? &out->layers : &out->hidden_layers, record->layers.items[i - 1]);
	if (blob_read(store, record->config_digest, arena, &bytes, &length, err) < 0 ||
		image_details_decode(arena, record->config_digest, bytes, length, &details, err) < 0 ||
		details_take(arena, &details, owner, out, err) < 0)
		return blame(err, "image \"%s\": config", record->name);
	return 0;
}

/* --- public ------------------------------------------------------------------------------------------------------- */

static int named_assign(int dir, int instance, const char *name, const char *owner, struct arena *arena,
	struct image_config *config, struct error *err)
{
	AUTO(store_drop) struct store store = NO_STORE;
	struct reference reference;
	struct image_record record;

	if (reference_resolve(arena, name, &reference, err) < 0 || store_open_at(dir, &store, err) < 0 ||
		image_find(&store, &reference, arena, &record, err) < 0 ||
		image_config_read(&store, &record, owner, arena, config, err) < 0)
		return -1;
	return assigned_write(&store, instance, config, err);
}

int image_assign(int store, int instance, const char *name, const char *owner, struct arena *arena,
	struct image_config *config, struct error *err)
{
	if (text_equal(name, IMAGE_HOST))
		return image_prepare(store, name, arena, config, err);
	return named_assign(store, instance, name, owner, arena, config, err);
}

/* An instance of the host image or of a directory has a file only once it has had a snapshot. */
static int own_read(
	int store, int instance, bool must_exist, struct arena *arena, struct image_config *config, struct error *err)
{
	AUTO(store_drop) struct store whole = NO_STORE;

	if (assigned_read(arena, instance, ASSIGNED, config, err) < 0) {
		if (must_exist || err->kind != ERROR_MISSING)
			return -1;
		*err = (struct error){0};
		*config = (struct image_config){0};
		return 0;
	}
	if (!config->pending_inode)
		return 0;
	if (store_open_at(store, &whole, err) < 0)
		return -1;
	return assigned_settle(&whole, instance, config, err);
}

int image_recall(
	int store, int instance, const char *name, struct arena *arena, struct image_config *config, struct error *err)
{
	bool is_host = text_equal(name, IMAGE_HOST);

	if (is_host && image_prepare(store, name, arena, config, err) < 0)
		return -1;
	if (own_read(store, instance, name && !is_host, arena, config, err) < 0)
		return blame(err, "image \"%s\"", name ? name : "");
	return 0;
}
