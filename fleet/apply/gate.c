/* Whether what was started is well: what every step of an update waits for.
 *
 * Without a health check to be well is to be running still after a moment: a server that cannot read its configuration
 * or gets no port ends at once. One that is not started again when it ends well may have done its work. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "fleet/apply/answers.h"
#include "fleet/apply/wave.h"

/* How long the record of an end may take. */
#define RECORD_WAIT_MS 2000
#define RECORD_LOOK_MS 10
#define WORDS_MAX 200
/* A check comes to an answer by itself: its start period, then so many failures. This only bounds odd ones. */
#define HEALTH_TIMEOUT_MS (15 * 60 * 1000)

struct watched {
	struct member *member;
	const char *name;
	int pidfd;    /* -1: not watched (any more) */
	bool checked; /* its health check says how it is */
};

struct gate {
	struct wave *wave;
	struct arena arena;
	struct watched *items;
	struct pollfd *polls;
	size_t count;
};

/* --- how it ended ------------------------------------------------------------------------------------------------- */

/* Its monitor writes it down a moment after the end. */
static struct exit_record end_read(struct arena *arena, const struct wave *wave, const char *name)
{
	int64_t deadline_ms = clock_ms() + RECORD_WAIT_MS;
	struct instance_status status = {0};
	struct error ignored;

	while (instance_status_read(arena, wave->steps->host, name, &status, &ignored) == 0 &&
		status.last.at_ms < wave->started_ms && clock_ms() < deadline_ms)
		poll(NULL, 0, RECORD_LOOK_MS);
	return status.last;
}

static bool was_its_work(const struct instance_spec *spec, const struct exit_record *end)
{
	return end->reason == END_EXITED && end->status == 0 &&
	       (spec->restart.policy == RESTART_NO || spec->restart.policy == RESTART_ON_FAILURE);
}

/* The last line of its log, which mostly says why; "" when it said nothing. */
static const char *last_words(struct arena *arena, const struct wave *wave, const char *name)
{
	const struct logs_options options = {.tail = {true, 1}};
	auto_fd file = memfd_create("last-words", MFD_CLOEXEC);
	char *line = arena_new_array(arena, WORDS_MAX, char);
	struct error ignored;
	ssize_t length;

	if (file < 0 || instance_logs(wave->steps->host, name, &options, file, file, &ignored) < 0)
		return "";
	length = pread(file, line, WORDS_MAX - 1, 0);
	line[length > 0 ? length : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return line;
}

void member_ended(struct wave *wave, struct member *member, const char *name)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct exit_record end = end_read(&arena, wave, name);
	const char *words;
	struct error why;

	if (was_its_work(member->to, &end))
		return;
	words = last_words(&arena, wave, name);
	fail(&why, ERROR_SYSTEM, "%s ended right after its start (%s, status %d)%s%s", name,
		end_reason_names[end.reason], end.status, *words ? ": " : "", words);
	member_fail(member, &why);
}

static void watched_ended(struct gate *gate, struct watched *watched)
{
	fd_drop(&watched->pidfd);
	member_ended(gate->wave, watched->member, watched->name);
}

/* --- watching ----------------------------------------------------------------------------------------------------- */

static void watched_add(struct gate *gate, struct member *member, const char *name, int64_t moment_ms)
{
	struct host *host = gate->wave->steps->host;
	struct watched *watched = &gate->items[gate->count++];
	struct instance_status status;
	struct error err;

	*watched = (struct watched){.member = member, .name = name, .pidfd = -1};
	watched->checked = instance_check_exists(host, name, &err) > 0;
	/* Its health is waited for anyway: no moment besides. */
	if (watched->checked && moment_ms == GATE_MOMENT_MS)
		return;
	if (instance_status_read(&gate->arena, host, name, &status, &err) < 0) {
		member_fail(member, &err);
		return;
	}
	err.kind = ERROR_MISSING;
	if (status.init.pid && !status.restarts)
		watched->pidfd = process_open(&status.init, &err);
	if (watched->pidfd >= 0)
		return;
	if (err.kind == ERROR_MISSING)
		watched_ended(gate, watched);
	else
		member_fail(member, &err);
}

static size_t gate_polls(struct gate *gate)
{
	size_t watched = 0;

	for (size_t i = 0; i < gate->count; i++) {
		/* poll(2) passes over negative descriptors. */
		gate->polls[i] = (struct pollfd){.fd = gate->items[i].pidfd, .events = POLLIN};
		watched += gate->items[i].pidfd >= 0;
	}
	return watched;
}

static void gate_watch(struct gate *gate, int64_t duration_ms)
{
	int64_t deadline_ms = clock_ms() + duration_ms, left_ms;

	while (gate_polls(gate) && (left_ms = deadline_ms - clock_ms()) > 0) {
		int ready = poll(gate->polls, gate->count, left_ms > 60000 ? 60000 : (int)left_ms);

		if (ready < 0 && errno != EINTR)
			return;
		for (size_t i = 0; ready > 0 && i < gate->count; i++)
			if (gate->items[i].pidfd >= 0 && gate->polls[i].revents)
				watched_ended(gate, &gate->items[i]);
	}
}

/* --- health ------------------------------------------------------------------------------------------------------- */

static void health_note(void *context, const char *name, const struct error *result)
{
	struct gate *gate = context;

	for (size_t i = 0; result->kind != ERROR_NONE && i < gate->count; i++)
		if (!strcmp(gate->items[i].name, name))
			member_fail(gate->items[i].member, result);
}

static void gate_await_health(struct gate *gate)
{
	struct host *host = gate->wave->steps->host;
	struct strings names = {0};
	struct error ignored;

	for (size_t i = 0; i < gate->count; i++)
		if (!gate->items[i].member->failed && gate->items[i].checked)
			strings_add(&gate->arena, &names, gate->items[i].name);
	if (names.count && instances_wait_healthy(host, &names, HEALTH_TIMEOUT_MS, health_note, gate, &ignored) < 0)
		health_note(gate, "", &ignored);
}

void members_await(struct wave *wave, enum whose whose, member_filter *filter, int64_t moment_ms)
{
	struct gate gate = {.wave = wave};

	gate.items = arena_new_array(&gate.arena, wave->count, struct watched);
	gate.polls = arena_new_array(&gate.arena, wave->count, struct pollfd);
	for (size_t i = 0; i < wave->count; i++)
		if (filter(&wave->members[i]))
			watched_add(&gate, &wave->members[i],
				whose == THEIR_OWN ? wave->members[i].name : wave->members[i].stand_in, moment_ms);
	gate_watch(&gate, moment_ms);
	gate_await_health(&gate);
	for (size_t i = 0; i < gate.count; i++)
		if (gate.items[i].member->stand_in && !gate.items[i].member->failed && !gate.items[i].checked)
			answers_await(wave, gate.items[i].member, whose);
	for (size_t i = 0; i < gate.count; i++)
		fd_drop(&gate.items[i].pidfd);
	arena_drop(&gate.arena);
}
