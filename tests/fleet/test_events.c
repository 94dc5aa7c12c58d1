/* What happens is written down by whoever does it, whole lines, bounded, and can be followed. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/events/events.h"
#include "support_host.h"

struct heard {
	struct text words;
	size_t count, enough; /* enough 0: all */
};

static bool hear(void *context, const struct event *event, const char *line)
{
	struct heard *heard = context;

	cr_assert(line[0] == '{' && event->at_ms > 0);
	text_appendf(&heard->words, "%s %s", event_kind_names[event->kind], event->name ? event->name : "-");
	if (event->reason)
		text_appendf(&heard->words, " %s", event->reason);
	if (event->status.set)
		text_appendf(&heard->words, " %lld", (long long)event->status.value);
	text_append(&heard->words, "\n");
	return ++heard->count != heard->enough;
}

static void heard_drop(struct heard *heard)
{
	text_drop(&heard->words);
}

static void expect(struct test_host *test, const char *filter, const char *words)
{
	AUTO(heard_drop) struct heard heard = {0};
	struct events_request request = {.each = hear, .context = &heard};
	struct error err;

	if (filter)
		request.filters = strings_split(&test->arena, filter, ' ');
	ASSERT_OK(events_read(&test->host, &request, &err));
	cr_assert_str_eq(text_string(&heard.words), words, "%s", text_string(&heard.words));
}

TEST(events, tell_the_life_of_an_instance)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exit 3");

	spec.fleet = "shop";
	spec.base_name = "web";
	test_run(&test, &spec);
	test_await_state(&test, "web", INSTANCE_STOPPED);
	spec = test_spec(&test, "db", "trap 'exit 0' TERM; while :; do sleep 0.02; done");
	test_run(&test, &spec);
	ASSERT_OK(instance_pause(&test.host, "db", true, &err));
	ASSERT_OK(instance_pause(&test.host, "db", false, &err));
	ASSERT_OK(instance_stop(&test.host, "db", (struct optional){0}, &err));
	ASSERT_OK(instance_rename(&test.host, "db", "store", &err));
	ASSERT_OK(instance_remove(&test.host, "store", false, &err));
	expect(&test, "name=db", "create db\nstart db\npause db\nresume db\nstop db\ndie db stopped 0\nrename db\n");
	expect(&test, "fleet=shop", "create web\nstart web\ndie web exited 3\n");
	expect(&test, "event=die event=remove", "die web exited 3\ndie db stopped 0\nremove store\n");
	expect(&test, "event=die name=w* reason=exited", "die web exited 3\n");
	expect(&test, "name=nobody", "");
	test_host_close(&test);
}

TEST(events, tell_of_restarts_and_of_starts_that_failed)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exit 3");

	spec.restart = (struct restart_spec){.policy = RESTART_ON_FAILURE,
		.delay_ms = 1,
		.max_delay_ms = 1,
		.max_retries = {.set = true, .value = 1}};
	test_run(&test, &spec);
	test_await_state(&test, "web", INSTANCE_STOPPED);
	spec = test_spec(&test, "bad", "");
	spec.command = (struct strings){0};
	strings_add(&test.arena, &spec.command, "/nonesuch");
	ASSERT_OK(instance_create(&test.host, &spec, &err));
	ASSERT_FAILS(instance_start(&test.host, "bad", &(struct start_options){0}, &err), ERROR_SYSTEM, "nonesuch");
	expect(&test, NULL,
		"create web\nstart web\ndie web exited 3\nrestart web\ndie web exited 3\n"
		"create bad\ndie bad start_failed 125\n");
	test_host_close(&test);
}

TEST(events, wrong_filters_are_refused_with_a_guess)
{
	struct test_host test;
	struct events_request request = {.each = hear};
	struct error err;

	test_host_open(&test);
	request.filters = strings_split(&test.arena, "event=strat", ' ');
	ASSERT_FAILS(events_read(&test.host, &request, &err), ERROR_USAGE, "did you mean \"start\"?");
	request.filters = strings_split(&test.arena, "colour=red", ' ');
	ASSERT_FAILS(events_read(&test.host, &request, &err), ERROR_USAGE, "filter \"colour=red\": must be event=");
	test_host_close(&test);
}

static void write_numbers(const struct host *host, const char *name, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		event_write(host, &(struct event){.kind = EVENT_HEALTH, .name = name, .status = {true, i}});
}

/* Several at once, over more than one rotation: no line is broken, the files stay small, the newest is there. */
TEST(events, of_many_writers_are_whole_and_bounded)
{
	enum { WRITERS = 4, EACH = 12000 };
	struct test_host test;
	struct stat about;
	struct error err;
	pid_t pids[WRITERS];

	NEEDS_A_FAST_PROCESSOR();
	test_host_open(&test);
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			write_numbers(&test.host, "someone-with-a-long-name-that-fills-the-file", EACH);
			_exit(0);
		}
	}
	for (int i = 0; i < WRITERS; i++)
		cr_assert(waitpid(pids[i], NULL, 0) == pids[i]);
	write_numbers(&test.host, "last", 1);
	AUTO(heard_drop) struct heard heard = {0};
	struct events_request request = {.each = hear, .context = &heard};

	ASSERT_OK(events_read(&test.host, &request, &err));
	cr_assert(text_ends_with(text_string(&heard.words), "health last 0\n"));
	auto_fd dir = dir_open(test.host.run, EVENTS_DIRECTORY, &err);
	const char *const names[] = {EVENTS_FILE, EVENTS_FILE_OLD};
	size_t lines = 0;

	for (int i = 0; i < 2; i++) {
		const char *text;

		cr_assert(fstatat(dir, names[i], &about, 0) == 0, "%s", names[i]);
		cr_assert(about.st_size < EVENTS_FILE_BYTES + 16 * EVENTS_LINE_MAX, "%lld", (long long)about.st_size);
		ASSERT_OK(file_read(&test.arena, dir, names[i], 16 << 20, &text, NULL, &err));
		for (; *text; text++)
			lines += *text == '\n';
	}
	cr_assert(lines == heard.count, "%zu lines, %zu of them events", lines, heard.count);
	test_host_close(&test);
}

TEST(events, are_followed_over_a_rotation)
{
	struct test_host test;
	struct error err;
	int status;

	test_host_open(&test);
	write_numbers(&test.host, "before", 1);
	pid_t reader = fork();

	if (reader == 0) {
		struct heard heard = {.enough = 41};
		struct events_request request = {.follow = true, .each = hear, .context = &heard};

		_exit(events_read(&test.host, &request, &err) < 0 || heard.count != 41 ||
			!strstr(text_string(&heard.words), "health after 19\n"));
	}
	auto_fd dir = dir_open(test.host.run, EVENTS_DIRECTORY, &err);

	write_numbers(&test.host, "after", 20);
	cr_assert(renameat(dir, EVENTS_FILE, dir, EVENTS_FILE_OLD) == 0);
	write_numbers(&test.host, "after", 20);
	cr_assert(waitpid(reader, &status, 0) == reader);
	cr_assert(status == 0, "%d", status);
	test_host_close(&test);
}

TEST(events, following_ends_when_the_time_is_over)
{
	struct test_host test;
	AUTO(heard_drop) struct heard heard = {0};
	struct events_request request = {.follow = true, .each = hear, .context = &heard};
	struct error err;

	test_host_open(&test);
	write_numbers(&test.host, "now", 1);
	request.until_ms = (struct optional){true, clock_real_ms() + 50};
	ASSERT_OK(events_read(&test.host, &request, &err));
	cr_assert(heard.count == 1);
	test_host_close(&test);
}
