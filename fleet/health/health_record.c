/* What a health check says, for everybody to read: one small file on tmpfs, replaced whole after each answer. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fleet/health/health.h"

#define HEALTH_FILE "health.json"
#define HEALTH_VERSION 1

struct result_row {
	int64_t at_ms, took_ms;
	bool well;
	int status;
	const char *output;
};

struct health_file {
	int64_t version;
	enum health_state state;
	int64_t since_ms, failing_streak;
	LIST_OF(struct result_row) results;
};

static const struct field result_fields[] = {
	INTEGER("at_ms", struct result_row, at_ms, 0, INT64_MAX, REQUIRED),
	INTEGER("took_ms", struct result_row, took_ms, 0, INT64_MAX, 0),
	BOOL("well", struct result_row, well, REQUIRED),
	INTEGER("status", struct result_row, status, -1, INT32_MAX, 0),
	STRING("output", struct result_row, output, 0),
	END_OF_FIELDS,
};

static const struct field health_fields[] = {
	INTEGER("version", struct health_file, version, 1, HEALTH_VERSION, REQUIRED),
	ENUM("state", struct health_file, state, health_state_names, REQUIRED),
	INTEGER("since_ms", struct health_file, since_ms, 0, INT64_MAX, 0),
	INTEGER("failing_streak", struct health_file, failing_streak, 0, INT64_MAX, 0),
	LIST("results", struct health_file, results, result_fields, 0),
	END_OF_FIELDS,
};

int health_write(int live, const struct health *health, struct error *err)
{
	struct result_row rows[HEALTH_RESULTS_MAX];
	size_t count = health->note_count < HEALTH_RESULTS_MAX ? health->note_count : HEALTH_RESULTS_MAX;
	struct health_file file = {
		.version = HEALTH_VERSION,
		.state = health->state,
		.since_ms = health->since_ms,
		.failing_streak = health->failing_streak,
		.results = {.items = rows, .count = count},
	};

	for (size_t i = 0; i < count; i++) {
		const struct health_note *note = &health->notes[(health->note_count - count + i) % HEALTH_RESULTS_MAX];

		rows[i] = (struct result_row){
			note->at_ms, note->answer.took_ms, note->answer.well, note->answer.status, note->answer.output};
	}
	return record_fields_write(live, HEALTH_FILE, health_fields, &file, FILE_VOLATILE, err);
}

int health_read(struct arena *arena, int live, struct health_status *out, struct error *err)
{
	struct health_file file = {0};

	*out = (struct health_status){0};
	if (live < 0)
		return 0;
	if (record_fields_read(arena, live, HEALTH_FILE, health_fields, &file, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	*out = (struct health_status){
		.state = file.state, .since_ms = file.since_ms, .failing_streak = file.failing_streak};
	out->results.items = arena_new_array(arena, file.results.count, struct health_result);
	for (size_t i = 0; i < file.results.count; i++) {
		const struct result_row *row = &file.results.items[i];

		out->results.items[out->results.count++] = (struct health_result){
			row->at_ms, row->took_ms, row->well, row->status, row->output ? row->output : ""};
	}
	return 0;
}

void health_resume(struct health *health, const struct health_status *status)
{
	if (health->state == HEALTH_NONE || status->state == HEALTH_NONE)
		return;
	health->state = status->state;
	health->since_ms = status->since_ms;
	health->failing_streak = status->failing_streak;
	health->was_well = status->state == HEALTH_HEALTHY;
	for (size_t i = 0; i < status->results.count; i++) {
		const struct health_result *result = &status->results.items[i];
		struct health_note *note = &health->notes[health->note_count++ % HEALTH_RESULTS_MAX];

		*note = (struct health_note){
			.at_ms = result->at_ms,
			.answer = {.well = result->well, .status = result->status, .took_ms = result->took_ms},
		};
		memccpy(note->answer.output, result->output, '\0', sizeof(note->answer.output) - 1);
	}
}

void health_forget(int live)
{
	unlinkat(live, HEALTH_FILE, 0);
}

int instance_health_read(
	struct arena *arena, struct host *host, const char *name, struct health_status *out, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct running running;

	*out = (struct health_status){0};
	if (instance_find(host, name, &instance, err) < 0)
		return -1;
	if (instance_running_read(arena, &instance, &running, err) < 0)
		return err->kind == ERROR_BUSY ? forgive(err) : -1;
	return health_read(arena, instance.live, out, err);
}
