/* All layers of an image into the store.
 *
 * A layer is fetched by whoever holds the flock of its partial file, so that two pulls at once fetch it once. Such
 * locks are only ever waited for while holding none: two images may share layers in any order, and pulls that wait for
 * one another would wait for ever. So it goes in rounds: take what nobody else is fetching, unpack it, make it visible,
 * let go; when nothing is left but what others fetch, wait for one of these. Nearly always there is one round. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "images/pull/installation.h"

#define THREADS_MAX 16

void install_report(struct installation *installation, enum install_event event, const struct installed_layer *layer,
	uint64_t bytes)
{
	struct install_progress *progress = installation->request->progress;

	if (!progress)
		return;
	pthread_mutex_lock(&installation->lock);
	progress->report(progress, event, layer ? layer->blob.index : 0, layer ? layer->blob.digest : NULL, bytes,
		layer ? layer->blob.size : -1);
	pthread_mutex_unlock(&installation->lock);
}

/* ---- fetching one ---- */

struct layer_sink {
	struct sink sink; /* first: it is what the source holds */
	struct installation *installation;
	const struct installed_layer *layer;
	struct layer_unpack *unpack;
	uint64_t bytes;
	bool refused; /* what came was no good: to come again with the same is no use */
};

static bool others_failed(struct installation *installation)
{
	bool failed;

	pthread_mutex_lock(&installation->lock);
	failed = installation->failed;
	pthread_mutex_unlock(&installation->lock);
	return failed;
}

static int layer_write(struct sink *sink, const void *bytes, size_t length, struct error *err)
{
	struct layer_sink *to = (struct layer_sink *)sink;

	if (others_failed(to->installation))
		return fail(err, ERROR_SYSTEM, "given up, because another layer failed");
	if (layer_feed(to->unpack, bytes, length, err) < 0) {
		to->refused = true;
		return -1;
	}
	to->bytes += length;
	install_report(to->installation, INSTALL_BYTES, to->layer, to->bytes);
	return 0;
}

static int directory_make(struct installation *installation, struct installed_layer *layer, struct error *err)
{
	int fd;

	snprintf(layer->entry, sizeof(layer->entry), "layer-%zu", layer->blob.index);
	if (mkdirat(installation->staging.dir, layer->entry, 0755) < 0 ||
		fchmodat(installation->staging.dir, layer->entry, 0755, 0) < 0)
		return fail_errno(err, "make a directory to unpack into");
	fd = openat(installation->staging.dir, layer->entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail_errno(err, "open a directory to unpack into") : fd;
}

int layer_fetch(struct installation *installation, struct installed_layer *layer, bool base, struct error *err)
{
	struct source *source = installation->source;
	auto_fd directory = directory_make(installation, layer, err);
	struct layer_request request = {.digest = layer->blob.digest,
		.size = layer->blob.size,
		.diff_id = layer->diff_id,
		.directory = directory,
		.base = base,
		.limits = installation->request->limits};
	struct layer_unpack *unpack AUTO(layer_unpack_drop) = NULL;
	struct layer_sink sink = {.sink.write = layer_write, .installation = installation, .layer = layer};

	if (directory < 0)
		return -1;
	unpack = sink.unpack = layer_unpack_start(installation->unpackers, &request, err);
	install_report(installation, INSTALL_BEGIN, layer, 0);
	if (!unpack)
		return -1;
	if (source->kind->layer(source, &layer->blob, &sink.sink, err) < 0 && !sink.refused)
		return -1;
	if (sink.refused || layer_unpack_finish(unpack, &layer->arena, &layer->result, err) < 0) {
		partial_done(&layer->partial);
		return -1;
	}
	if (layer->result.left_out)
		log_warn("layer %zu: %llu things were left out (%s)", layer->blob.index + 1,
			(unsigned long long)layer->result.left_out, layer->result.left_out_first);
	layer->state = LAYER_UNPACKED;
	install_report(installation, INSTALL_DONE, layer, layer->result.packed_bytes);
	return 0;
}

/* ---- several at once ---- */

static struct installed_layer *layer_take(struct installation *installation)
{
	struct installed_layer *taken = NULL;

	pthread_mutex_lock(&installation->lock);
	while (!installation->failed && !taken && installation->next < installation->count) {
		struct installed_layer *layer = &installation->layers[installation->next++];

		taken = layer->state == LAYER_OURS ? layer : NULL;
	}
	pthread_mutex_unlock(&installation->lock);
	return taken;
}

static void failure_note(struct installation *installation, const struct error *err)
{
	pthread_mutex_lock(&installation->lock);
	if (!installation->failed)
		installation->err = *err;
	installation->failed = true;
	pthread_mutex_unlock(&installation->lock);
}

static void *layers_work(void *opaque)
{
	struct installation *installation = opaque;
	struct installed_layer *layer;

	while ((layer = layer_take(installation))) {
		struct error err = {0};

		if (layer_fetch(installation, layer, false, &err) == 0)
			continue;
		blame(&err, "layer %zu of %zu (%.19s)", layer->blob.index + 1, installation->count, layer->blob.digest);
		failure_note(installation, &err);
	}
	return NULL;
}

static size_t ours_count(const struct installation *installation)
{
	size_t ours = 0;

	for (size_t i = 0; i < installation->count; i++)
		ours += installation->layers[i].state == LAYER_OURS;
	return ours;
}

/* This thread is one of them. A thread that cannot be had is one fewer. */
static int layers_fetch(struct installation *installation, struct error *err)
{
	size_t wanted = installation->request->parallel ? installation->request->parallel : INSTALL_PARALLEL;
	size_t ours = ours_count(installation), started = 0;
	pthread_t threads[THREADS_MAX];

	installation->next = 0;
	wanted = wanted < ours ? wanted : ours;
	while (started + 1 < wanted && started < THREADS_MAX &&
		pthread_create(&threads[started], NULL, layers_work, installation) == 0)
		started++;
	layers_work(installation);
	while (started)
		pthread_join(threads[--started], NULL);
	if (!installation->failed)
		return 0;
	*err = installation->err;
	return -1;
}

/* ---- rounds ---- */

/* 1: it is in the store, and stays. */
static int layer_look(struct installation *installation, struct installed_layer *layer, struct error *err)
{
	int found = layer_find(&installation->staging, layer->diff_id, layer->chain_id, layer->key, err);

	if (found > 0) {
		layer->state = LAYER_THERE;
		partial_drop(&layer->partial);
		install_report(installation, INSTALL_PRESENT, layer, 0);
	}
	return found;
}

/* 1: it is there or ours to fetch; 0: another process fetches it, or we do under another number. */
static int layer_claim(
	struct installation *installation, struct installed_layer *layer, int64_t timeout_ms, struct error *err)
{
	int found = layer_look(installation, layer, err);

	if (found)
		return found;
	if (partial_lock(installation->store, layer->blob.digest, timeout_ms, &layer->partial, err) < 0)
		return err->kind == ERROR_BUSY ? 0 : -1;
	found = layer_look(installation, layer, err); /* whoever had the lock may have finished it */
	if (found)
		return found;
	layer->blob.partial = &layer->partial;
	layer->state = LAYER_OURS;
	return 1;
}

/* Gives how many are neither there nor ours. */
static int layers_claim(struct installation *installation, struct installed_layer **first_left, struct error *err)
{
	int left = 0;

	*first_left = NULL;
	for (size_t i = 0; i < installation->count; i++) {
		struct installed_layer *layer = &installation->layers[i];
		int claimed = layer->state == LAYER_WANTED ? layer_claim(installation, layer, 0, err) : 1;

		if (claimed < 0)
			return -1;
		if (claimed)
			continue;
		left++;
		*first_left = *first_left ? *first_left : layer;
	}
	return left;
}

static uint64_t bytes_wanted(const struct installation *installation)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < installation->count; i++)
		if (installation->layers[i].state == LAYER_OURS && installation->layers[i].blob.size > 0)
			bytes += (uint64_t)installation->layers[i].blob.size;
	return bytes;
}

#define UNPACKED_SHARE 3 /* layers unpack to about three times as much */

static int round_run(struct installation *installation, struct error *err)
{
	uint64_t wanted = bytes_wanted(installation);

	if (wanted && store_space_check(installation->store, wanted * UNPACKED_SHARE, err) < 0)
		return -1;
	if (layers_fetch(installation, err) < 0)
		return -1;
	return layers_commit(installation, err);
}

/* Holding nothing, so that whoever we wait for does not wait for us. */
static int layer_await(struct installation *installation, struct installed_layer *layer, struct error *err)
{
	install_report(installation, INSTALL_WAITING, layer, 0);
	return layer_claim(installation, layer, -1, err) < 0 ? -1 : 0;
}

int layers_install(struct installation *installation, struct error *err)
{
	struct installed_layer *busy;
	int left;

	do {
		left = layers_claim(installation, &busy, err);
		if (left < 0)
			return -1;
		if (ours_count(installation) ? round_run(installation, err) < 0
					     : left && layer_await(installation, busy, err) < 0)
			return -1;
	} while (left);
	/* What was only unpacked because a layer below it was missing then. */
	return layers_commit(installation, err);
}

void layers_drop(struct installation *installation)
{
	for (size_t i = 0; i < installation->count; i++) {
		partial_drop(&installation->layers[i].partial);
		arena_drop(&installation->layers[i].arena);
	}
}
