/* The fleet's own record, and copies of the files that were applied. */
#include "fleet/state/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/process.h"
#include "base/suggest.h"
#include "fleet/state/kept_images.h"

#define RECORD_VERSION 1
#define RECORD_FILE "record.json"
#define TEXTS "generations"
#define TEXTS_MAX 4096
#define LOCK_TRIES 16
/* A monitor that was forked a moment ago by a command that was killed has the lock until it closes what is not its own.
 */
#define LOCK_TIMEOUT_MS 1000

/* --- locking ------------------------------------------------------------------------------------------------------ */

int fail_no_fleet(struct host *host, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};
	const char *guess = NULL;

	if (dir_list(&arena, host->fleets, 4096, &names, err) == 0 && names.count)
		guess = suggest_from(name, names.items);
	if (guess)
		return fail(err, ERROR_MISSING, "no fleet \"%s\" here; did you mean \"%s\"?", name, guess);
	return fail(err, ERROR_MISSING, "no fleet \"%s\" here", name);
}

/* The directory may have been removed, and made anew, between opening and locking. */
static bool is_still_there(struct host *host, const char *name, int dir)
{
	struct stat held, named;

	return fstat(dir, &held) == 0 && fstatat(host->fleets, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

int fleet_lock(struct host *host, const char *name, bool create, struct error *err)
{
	if (name_check("fleet name", name, err) < 0)
		return -1;
	for (int tries = 0; tries < LOCK_TRIES; tries++) {
		auto_fd dir = create ? dir_create(host->fleets, name, 0700, err) : dir_open(host->fleets, name, err);

		if (dir < 0)
			return err->errnum == ENOENT || err->kind == ERROR_MISSING ? fail_no_fleet(host, name, err)
										   : -1;
		if (lock_exclusive(dir, LOCK_TIMEOUT_MS, err) < 0)
			return err->kind == ERROR_BUSY
				       ? fail(err, ERROR_BUSY, "another command is at work on the fleet %s", name)
				       : blame(err, "lock the fleet %s", name);
		if (is_still_there(host, name, dir))
			return take_fd(&dir);
	}
	return fail(err, ERROR_BUSY, "the fleet %s is removed again and again", name);
}

/* --- the record --------------------------------------------------------------------------------------------------- */

static const struct field history_fields[] = {
	INTEGER("number", struct fleet_generation, number, 1, INT32_MAX, REQUIRED),
	INTEGER("applied_ms", struct fleet_generation, applied_ms, 0, INT64_MAX, 0),
	BOOL("complete", struct fleet_generation, complete, 0),
	STRING("path", struct fleet_generation, path, 0),
	INTEGER("instances", struct fleet_generation, instances, 0, INT32_MAX, 0),
	INTEGER("rollback_of", struct fleet_generation, rollback_of, 0, INT32_MAX, 0),
	END_OF_FIELDS,
};

static const struct field record_fields[] = {
	INTEGER("generation", struct generation, number, 0, INT32_MAX, REQUIRED),
	STRING("path", struct generation, path, 0),
	BOOL("complete", struct generation, complete, 0),
	INTEGER("applied_ms", struct generation, applied_ms, 0, INT64_MAX, 0),
	STRINGS("instances", struct generation, instances, 0),
	LIST("history", struct generation, history, history_fields, 0),
	END_OF_FIELDS,
};

void generation_read(struct arena *arena, int dir, struct generation *out)
{
	struct decoder decoder = {.arena = arena, .mode = DECODE_LENIENT};
	struct json_doc doc;
	struct error err;

	*out = (struct generation){0};
	decoder.doc = &doc;
	if (json_read(arena, dir, RECORD_FILE, JSON_PLAIN, &doc, &err) == 0 &&
		decode_object(&decoder, doc.root, record_fields, out, &err) == 0)
		return;
	*out = (struct generation){0};
	if (err.kind != ERROR_MISSING)
		log_warn("the fleet's record is damaged and is made anew: %s", err.text);
}

int generation_write(int dir, const char *fleet, const struct generation *generation, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	size_t length;

	encode_object_begin(encoder, NULL);
	encode_integer(encoder, "version", RECORD_VERSION);
	encode_string(encoder, "name", fleet);
	encode_integer(encoder, "generation", generation->number);
	encode_string(encoder, "path", generation->path);
	encode_bool(encoder, "complete", generation->complete);
	encode_integer(encoder, "applied_ms", generation->applied_ms);
	encode_strings(encoder, "instances", &generation->instances);
	encode_array_begin(encoder, "history");
	for (size_t i = 0; i < generation->history.count; i++)
		encode_object(encoder, NULL, history_fields, &generation->history.items[i]);
	encode_array_end(encoder);
	encode_object_end(encoder);
	auto_free char *text = encoder_take(encoder, &length);
	return file_replace(dir, RECORD_FILE, 0600, FILE_DURABLE, text, length, err);
}

/* --- history ------------------------------------------------------------------------------------------------------ */

void generation_note(struct arena *arena, struct generation *generation, size_t instances, int64_t rollback_of)
{
	struct fleet_generation *items = arena_new_array(arena, generation->history.count + 1, struct fleet_generation);
	struct fleet_generation entry = {.number = generation->number, .rollback_of = rollback_of};
	size_t count = 0;

	for (size_t i = 0; i < generation->history.count; i++) {
		if (generation->history.items[i].number == generation->number)
			entry = generation->history.items[i];
		else if (generation->history.items[i].number + GENERATIONS_KEPT > generation->number)
			items[count++] = generation->history.items[i];
	}
	entry.applied_ms = generation->applied_ms;
	entry.complete = generation->complete;
	entry.path = generation->path;
	entry.instances = (int64_t)instances;
	items[count++] = entry;
	generation->history.items = items;
	generation->history.count = count;
}

/* --- the texts ---------------------------------------------------------------------------------------------------- */

int generation_text(struct arena *arena, int dir, int64_t number, const char **text, size_t *length, struct error *err)
{
	auto_free char *file = text_format(TEXTS "/%" PRId64, number);

	return file_read(arena, dir, file, APPLIED_MAX_BYTES, text, length, err);
}

static bool text_is_kept(int dir, int64_t number, const char *text, size_t length)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error ignored;
	const char *kept;
	size_t kept_length;

	return generation_text(&arena, dir, number, &kept, &kept_length, &ignored) == 0 && kept_length == length &&
	       !memcmp(kept, text, length);
}

/* When the record was lost, the texts say how far it had come. */
static int64_t newest_kept(int texts)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};
	struct error ignored;
	int64_t newest = 0, number;

	if (dir_list(&arena, texts, TEXTS_MAX, &names, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < names.count; i++)
		if (number_parse(names.items[i], 1, INT32_MAX, &number, &ignored) == 0 && number > newest)
			newest = number;
	return newest;
}

static void text_forget(int texts, int64_t number)
{
	auto_free char *file = text_format("%" PRId64, number);

	if (unlinkat(texts, file, 0) < 0 && errno != ENOENT)
		log_warn("remove the old generation %" PRId64 ": %s", number, strerror(errno));
	kept_images_forget(texts, number);
}

int generation_number(
	int dir, const struct generation *last, const char *text, size_t length, int64_t *number, struct error *err)
{
	auto_fd texts = dir_create(dir, TEXTS, 0700, err);

	if (texts < 0)
		return -1;
	*number = last->number ? last->number : newest_kept(texts);
	if (*number && text_is_kept(dir, *number, text, length))
		return 0;
	++*number;
	auto_free char *file = text_format("%" PRId64, *number);
	if (file_replace(texts, file, 0600, FILE_DURABLE, text, length, err) < 0)
		return -1;
	if (*number > GENERATIONS_KEPT)
		text_forget(texts, *number - GENERATIONS_KEPT);
	return 0;
}
