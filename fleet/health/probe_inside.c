/* Questions that only somebody inside can ask: a test, and http or tcp where the host has no way to the instance.
 *
 * A monitor has them asked by a child, which sees to the time itself (it knows the process inside) and is watched by a
 * second, later deadline. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/socket.h"
#include "fleet/health/probe.h"
#include "fleet/state/instance.h"
#include "images/images.h"

#define GRACE_MS 5000 /* to end what runs inside, and for a host that is busy */

bool probe_is_inside(const struct health_check *check)
{
	return check->kind == HEALTH_KIND_TEST || check->inside;
}

/* --- a test ------------------------------------------------------------------------------------------------------- */

/* ["CMD", words…] or ["CMD-SHELL", line] → what to execute. */
static struct strings test_words(struct arena *arena, const struct strings *test)
{
	struct strings words = {0};

	if (!strcmp(test->items[0], "CMD-SHELL")) {
		strings_add(arena, &words, "/bin/sh");
		strings_add(arena, &words, "-c");
	}
	for (size_t i = 1; i < test->count; i++)
		strings_add(arena, &words, test->items[i]);
	return words;
}

/* The words are not kept between two questions: they are read again from the instance's files. */
static int test_load(struct arena *arena, struct host *host, const char *name, struct strings *words, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct instance_spec spec;

	if (instance_find(host, name, &instance, err) < 0 || health_spec_load(arena, &instance, &spec, err) < 0)
		return -1;
	if (!instance_has_check(&spec, NULL) || !spec.health.test.count)
		return fail(err, ERROR_MISSING, "it has no test any more");
	*words = test_words(arena, &spec.health.test);
	return 0;
}

/* A terminal's escapes are none of the reader's business. */
static void output_clean(char *text)
{
	size_t length = strlen(text);

	while (length && (text[length - 1] == '\n' || text[length - 1] == '\r' || text[length - 1] == ' '))
		text[--length] = '\0';
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' && *p != '\n' && *p != '\t')
			*p = '?';
}

static void answer_failed(struct health_answer *answer, int status, const char *text)
{
	answer->well = false;
	answer->status = status;
	snprintf(answer->output, sizeof(answer->output), "%s", text);
}

static void ask_test(
	struct host *host, const char *name, const struct health_check *check, struct health_answer *answer)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct exec_capture capture = {
		.bytes = answer->output, .room = sizeof(answer->output), .timeout_ms = check->timeout_ms};
	struct exec_options options = {.capture = &capture};
	struct error err;
	char duration[24];
	int status = -1;

	if (test_load(&arena, host, name, &options.args, &err) < 0 ||
		instance_exec(host, name, &options, &status, &err) < 0) {
		answer_failed(answer, status, err.text);
		return;
	}
	output_clean(answer->output);
	answer->status = status;
	answer->well = status == 0 && !capture.timed_out;
	if (capture.timed_out)
		answer_failed(answer, -1, "");
	if (capture.timed_out)
		snprintf(answer->output, sizeof(answer->output), "no answer within %s",
			duration_format(check->timeout_ms, duration));
}

/* --- on its own loopback ------------------------------------------------------------------------------------------ */

static int netns_enter(struct host *host, const char *name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct running running;

	if (instance_find(host, name, &instance, err) < 0 ||
		instance_running_read(&arena, &instance, &running, err) < 0)
		return -1;
	auto_fd netns = process_namespace_open(&running.run.init, "net", err);
	if (netns < 0)
		return -1;
	return setns(netns, CLONE_NEWNET) < 0 ? fail_errno(err, "enter the network namespace of %s", name) : 0;
}

void probe_ask_inside(
	struct host *host, const char *name, const struct health_check *check, struct health_answer *answer)
{
	int64_t began_ms = clock_ms();
	struct error err;

	*answer = (struct health_answer){.status = -1};
	if (check->kind == HEALTH_KIND_TEST)
		ask_test(host, name, check, answer);
	else if (netns_enter(host, name, &err) < 0)
		answer_failed(answer, -1, err.text);
	else
		probe_ask(check, answer);
	answer->took_ms = clock_ms() - began_ms;
}

/* --- by a process ------------------------------------------------------------------------------------------------- */

static _Noreturn void child_main(struct host *host, const char *name, const struct health_check *check, int report)
{
	struct health_answer answer;
	sigset_t none;

	/* Its asker may die: then nobody wants the answer, but what runs inside is still to be ended in time. */
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	probe_ask_inside(host, name, check, &answer);
	(void)!socket_send(report, &answer, sizeof(answer), NULL, 0);
	_exit(0);
}

int probe_fork(struct host *host, const char *name, const struct health_check *check, struct probe *probe,
	void (*before)(void *context), void *context, struct error *err)
{
	int ends[2], child = -1;
	int64_t now_ms = clock_ms();
	pid_t pid;

	if (socket_pair(ends, err) < 0)
		return -1;
	pid = process_clone(0, -1, &child);
	if (pid == 0) {
		fd_drop(&ends[0]);
		if (before)
			before(context);
		child_main(host, name, check, ends[1]);
	}
	fd_drop(&ends[1]);
	*probe = (struct probe){
		.fd = ends[0],
		.events = POLLIN,
		.child = child,
		.began_ms = now_ms,
		.deadline_ms = now_ms + check->timeout_ms + GRACE_MS,
	};
	if (pid > 0)
		return 0;
	fail_errno(err, "make a process that asks");
	probe_drop(probe);
	return -1;
}
