/* One verb for many instances, from one process and without threads.
 *
 * Starting: up to `parallel` monitors are at work, their reports awaited with one poll(2). Stopping: all are told
 * first, then awaited together, each with its own deadline, so hundreds stop in the time of the slowest. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "fleet/instance/repair.h"
#include "fleet/instance/sharing_follow.h"
#include "fleet/instance/start.h"
#include "fleet/instance/stop.h"
#include "fleet/monitor/monitor.h"
#include "fleet/network/sharing.h"

/* Told at once, as far as there is room: each holds four descriptors, and needs some more for a moment. */
#define STOP_WINDOW 1024
#define STOP_DESCRIPTORS 8
#define OTHER_DESCRIPTORS 64

struct work {
	struct host *host;
	const struct bulk *bulk;
	struct error *first;
	int failures;
};

static void work_done(struct work *work, const char *name, const struct error *result)
{
	if (result->kind != ERROR_NONE && work->failures++ == 0)
		*work->first = *result;
	if (work->bulk->done)
		work->bulk->done(work->bulk->context, name, result);
}

static void work_failed(struct work *work, const char *name, const struct error *err)
{
	work_done(work, name, err);
}

static void work_well(struct work *work, const char *name)
{
	work_done(work, name, &(struct error){0});
}

static unsigned work_parallel(const struct work *work)
{
	cpu_set_t processors;
	int count = sched_getaffinity(0, sizeof(processors), &processors) == 0 ? CPU_COUNT(&processors) : 1;

	return work->bulk->parallel ? work->bulk->parallel : 2 * (unsigned)count;
}

/* --- start -------------------------------------------------------------------------------------------------------- */

struct start_window {
	struct starting *items;
	struct pollfd *polls;
	size_t count;
};

static void window_remove(struct start_window *window, size_t i)
{
	starting_drop(&window->items[i]);
	window->count--;
	window->items[i] = window->items[window->count];
	window->polls[i] = window->polls[window->count];
}

/* Waits for at least one report and takes all that are there. */
static void window_collect(struct work *work, struct start_window *window)
{
	static const struct start_options no_options;
	int ready = poll(window->polls, window->count, START_TIMEOUT_MS);

	for (size_t i = window->count; i-- > 0;) {
		struct error err = {0};

		if (ready > 0 && !window->polls[i].revents)
			continue;
		if (ready < 0 && errno == EINTR)
			return;
		if (starting_end(&window->items[i], &no_options, &err) < 0)
			work_failed(work, window->items[i].name, &err);
		else
			work_well(work, window->items[i].name);
		window_remove(window, i);
	}
}

static void window_add(struct work *work, struct start_window *window, const char *name)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct starting *starting = &window->items[window->count];
	struct error err = {0};

	if (instance_take(work->host, name, &instance, &err) < 0 || starting_begin(&instance, starting, &err) < 0) {
		work_failed(work, name, &err);
		return;
	}
	window->polls[window->count] = (struct pollfd){.fd = starting->report, .events = POLLIN};
	window->count++;
}

static void start_all(struct work *work, const struct strings *names)
{
	AUTO(arena_drop) struct arena arena = {0};
	size_t parallel = work_parallel(work);
	struct start_window window = {
		.items = arena_new_array(&arena, parallel, struct starting),
		.polls = arena_new_array(&arena, parallel, struct pollfd),
	};

	/* Who shares the network of another starts behind it, which may be among these. */
	for (int sharing = 0; sharing < 2; sharing++) {
		for (size_t i = 0; i < names->count; i++) {
			if (sharing_is_noted(work->host, names->items[i]) != sharing)
				continue;
			while (window.count == parallel)
				window_collect(work, &window);
			window_add(work, &window, names->items[i]);
		}
		while (window.count)
			window_collect(work, &window);
	}
	for (size_t i = 0; i < names->count; i++)
		sharing_follow(work->host, names->items[i]);
}

/* --- stop --------------------------------------------------------------------------------------------------------- */

struct stop_item {
	struct stopping stopping;
	const char *name;
	bool failed, ended;
};

static bool is_awaited(const struct stop_item *item)
{
	return !item->failed && !item->ended;
}

static void stop_failed(struct work *work, struct stop_item *item, const struct error *err)
{
	item->failed = true;
	work_failed(work, item->name, err);
}

static void stop_tell(struct work *work, struct stop_item *item, struct optional timeout_ms)
{
	struct error err = {0};

	if (instance_take(work->host, item->name, &item->stopping.instance, &err) == 0 &&
		stopping_begin(&item->stopping, timeout_ms, &err) == 0)
		item->ended = item->stopping.pidfd < 0;
	else
		stop_failed(work, item, &err);
}

/* All have been told: now it is known who is left. */
static void stop_settle(struct work *work, struct stop_item *item)
{
	struct error err = {0};

	if (is_awaited(item) && stopping_settle(&item->stopping, &err) < 0)
		stop_failed(work, item, &err);
}

/* polls[] gets one entry per awaited item; gives their number and how long until the first is to be looked after.
 */
static size_t stop_polls(struct stop_item *items, size_t count, struct pollfd *polls, int64_t *wait_ms)
{
	size_t used = 0;

	*wait_ms = INT64_MAX;
	for (size_t i = 0; i < count; i++) {
		if (!is_awaited(&items[i]))
			continue;
		polls[used++] = (struct pollfd){.fd = items[i].stopping.pidfd, .events = POLLIN};
		int64_t left_ms = stopping_wait_ms(&items[i].stopping);

		*wait_ms = left_ms < *wait_ms ? left_ms : *wait_ms;
	}
	return used;
}

static void stop_look(struct work *work, struct stop_item *items, size_t count, const struct pollfd *polls)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		struct error err = {0};

		if (!is_awaited(&items[i]))
			continue;
		if (polls[used++].revents)
			items[i].ended = true;
		else if (stopping_turn(&items[i].stopping, &err) < 0)
			stop_failed(work, &items[i], &err);
	}
}

static void stop_give_up(struct work *work, struct stop_item *items, size_t count, int errnum)
{
	for (size_t i = 0; i < count; i++) {
		struct error err;

		if (!is_awaited(&items[i]))
			continue;
		errno = errnum;
		fail_errno(&err, "stop %s: wait for its end", items[i].name);
		stop_failed(work, &items[i], &err);
	}
}

static void stop_await(struct work *work, struct stop_item *items, size_t count, struct pollfd *polls)
{
	int64_t wait_ms;
	size_t used;

	while ((used = stop_polls(items, count, polls, &wait_ms)) > 0) {
		int ready = poll(polls, used, wait_ms > 60000 ? 60000 : (int)wait_ms);

		if (ready < 0 && errno != EINTR) {
			stop_give_up(work, items, count, errno);
			return;
		}
		if (ready >= 0)
			stop_look(work, items, count, polls);
	}
}

static void stop_clean(struct work *work, struct stop_item *item)
{
	struct error err = {0};

	if (item->failed)
		return;
	if (stopping_end(&item->stopping, &err) < 0)
		work_failed(work, item->name, &err);
	else
		work_well(work, item->name);
}

static int names_compare(const void *a, const void *b)
{
	const struct stop_item *const *one = a, *const *other = b;

	return strcmp((*one)->name, (*other)->name);
}

/* The only place where a command holds the locks of several instances. Whoever calls has an order of his own (names as
 * people sort them, priorities, dependencies): all take the locks in this one, or two could wait for one another. */
static void stop_tell_all(struct work *work, struct arena *arena, struct stop_item *items, size_t count)
{
	struct stop_item **sorted = arena_new_array(arena, count, struct stop_item *);

	for (size_t i = 0; i < count; i++)
		sorted[i] = &items[i];
	if (count)
		qsort(sorted, count, sizeof(sorted[0]), names_compare);
	for (size_t i = 0; i < count; i++)
		stop_tell(work, sorted[i], work->bulk->timeout_ms);
}

static void stop_some(struct work *work, const char *const *names, size_t count, enum stop_aim aim)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct stop_item *items = arena_new_array(&arena, count, struct stop_item);
	struct pollfd *polls = arena_new_array(&arena, count, struct pollfd);

	host_network_lend(work->host);
	for (size_t i = 0; i < count; i++) {
		items[i] = (struct stop_item){.stopping = STOPPING_EMPTY, .name = names[i]};
		items[i].stopping.aim = aim;
	}
	stop_tell_all(work, &arena, items, count);
	for (size_t i = 0; i < count; i++)
		stop_settle(work, &items[i]);
	stop_await(work, items, count, polls);
	for (size_t i = 0; i < count; i++) {
		stop_clean(work, &items[i]);
		stopping_drop(&items[i].stopping);
	}
	host_network_return(work->host);
}

/* Room for descriptors, given back afterwards: what is started later must not inherit it. */
static struct rlimit descriptors_raise(void)
{
	struct rlimit before = {0}, more;

	if (getrlimit(RLIMIT_NOFILE, &before) < 0)
		return before;
	more = before;
	more.rlim_cur = more.rlim_max < 65536 ? more.rlim_max : 65536;
	if (more.rlim_cur > before.rlim_cur && setrlimit(RLIMIT_NOFILE, &more) < 0)
		log_debug("the limit of open files stays %llu", (unsigned long long)before.rlim_cur);
	return before;
}

static size_t stop_window(void)
{
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_cur < OTHER_DESCRIPTORS + STOP_DESCRIPTORS)
		return 1;
	size_t room = (now.rlim_cur - OTHER_DESCRIPTORS) / STOP_DESCRIPTORS;
	return room < STOP_WINDOW ? room : STOP_WINDOW;
}

static void stop_all(struct work *work, const struct strings *names, enum stop_aim aim)
{
	struct rlimit before = descriptors_raise();
	size_t window = stop_window(), at = 0;

	while (at < names->count) {
		size_t count = names->count - at < window ? names->count - at : window;

		stop_some(work, names->items + at, count, aim);
		at += count;
	}
	if (before.rlim_max && setrlimit(RLIMIT_NOFILE, &before) < 0)
		log_debug("the limit of open files stays raised");
}

static enum stop_aim aim_of(const struct bulk *bulk)
{
	return bulk->halt ? STOP_WITH_HOST : bulk->again ? STOP_TO_START : STOP_FOR_GOOD;
}

/* --- the others --------------------------------------------------------------------------------------------------- */

/* Those that could be stopped; failures are reported, successes are not the end yet. */
struct restart {
	struct work *work;
	struct arena arena;
	struct strings stopped;
};

static void name_collect(void *context, const char *name, const struct error *result)
{
	struct restart *restart = context;

	if (result->kind == ERROR_NONE)
		strings_add(&restart->arena, &restart->stopped, name);
	else
		work_failed(restart->work, name, result);
}

/* Window by window, so that never more than that many are away at once. */
static void restart_some(struct work *work, const char *const *names, size_t count)
{
	struct restart restart = {.work = work};
	struct error ignored;
	struct bulk quiet = *work->bulk;
	struct work stopping = {.host = work->host, .bulk = &quiet, .first = &ignored};

	quiet.done = name_collect;
	quiet.context = &restart;
	stop_some(&stopping, names, count, STOP_TO_START);
	start_all(work, &restart.stopped);
	arena_drop(&restart.arena);
}

static void restart_all(struct work *work, const struct strings *names)
{
	size_t window = work_parallel(work);

	for (size_t at = 0; at < names->count; at += window)
		restart_some(work, names->items + at, names->count - at < window ? names->count - at : window);
}

static int verb_one(struct work *work, const char *name, struct error *err)
{
	if (work->bulk->verb == VERB_KILL)
		return instance_kill(work->host, name, work->bulk->signal, err);
	return instance_remove(work->host, name, work->bulk->verb == VERB_REMOVE_FORCE, err);
}

static void one_by_one(struct work *work, const struct strings *names)
{
	host_network_lend(work->host);
	for (size_t i = 0; i < names->count; i++) {
		struct error err = {0};

		if (verb_one(work, names->items[i], &err) < 0)
			work_failed(work, names->items[i], &err);
		else
			work_well(work, names->items[i]);
	}
	host_network_return(work->host);
}

static bool is_protected(struct host *host, const char *name)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct instance_spec spec;
	struct error ignored;

	return instance_find(host, name, &instance, &ignored) < 0 ||
	       instance_spec_load(&arena, instance.dir, name, &spec, &ignored) < 0 || spec.protect;
}

/* All are killed at once; then each is removed, which also says what was wrong with those that could not be killed. */
static void remove_force_all(struct work *work, const struct strings *names)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings killable = {0};
	struct error ignored;
	struct bulk kill = {.timeout_ms = {.set = true, .value = 0}};
	struct work killing = {.host = work->host, .bulk = &kill, .first = &ignored};

	for (size_t i = 0; i < names->count; i++)
		if (!is_protected(work->host, names->items[i]))
			strings_add(&arena, &killable, names->items[i]);
	stop_all(&killing, &killable, STOP_TO_REMOVE);
	one_by_one(work, names);
}

int instances_do(struct host *host, const struct strings *names, const struct bulk *bulk, struct error *err)
{
	struct work work = {.host = host, .bulk = bulk, .first = err};

	switch (bulk->verb) {
	case VERB_START:
		start_all(&work, names);
		break;
	case VERB_STOP:
		stop_all(&work, names, aim_of(bulk));
		break;
	case VERB_RESTART:
		restart_all(&work, names);
		break;
	case VERB_REMOVE_FORCE:
		remove_force_all(&work, names);
		break;
	case VERB_REMOVE:
	case VERB_KILL:
		one_by_one(&work, names);
		break;
	}
	if (bulk->verb == VERB_REMOVE || bulk->verb == VERB_REMOVE_FORCE)
		host_store_clean(host);
	return work.failures;
}
