/* Many commands at once on one name: each does its work or is refused, and afterwards nothing is left. */
#include <sys/wait.h>

#include "base/cleanup.h"
#include "support_host.h"

enum { COMMANDS = 20, ROUNDS = 25 };

static const struct optional at_once = {.set = true, .value = 0};

static int do_create(struct test_host *test, struct host *host, struct error *err)
{
	struct instance_spec spec = test_spec(test, "web", "exec sleep 1000");

	return instance_create(host, &spec, err);
}

static int do_start(struct test_host *test, struct host *host, struct error *err)
{
	(void)test;
	return instance_start(host, "web", &(struct start_options){0}, err);
}

static int do_stop(struct test_host *test, struct host *host, struct error *err)
{
	(void)test;
	return instance_stop(host, "web", at_once, err);
}

static int do_restart(struct test_host *test, struct host *host, struct error *err)
{
	(void)test;
	return instance_restart(host, "web", at_once, err);
}

static int do_kill(struct test_host *test, struct host *host, struct error *err)
{
	(void)test;
	return instance_kill(host, "web", SIGKILL, err);
}

static int do_pause(struct test_host *test, struct host *host, struct error *err)
{
	(void)test;
	return instance_pause(host, "web", true, err);
}

static int do_remove(struct test_host *test, struct host *host, struct error *err)
{
	(void)test;
	return instance_remove(host, "web", true, err);
}

static int do_list(struct test_host *test, struct host *host, struct error *err)
{
	struct instance_list list;

	return instance_list_read(&test->arena, host, &list, err);
}

static int (*const verbs[])(struct test_host *, struct host *, struct error *) = {
	do_create, do_start, do_create, do_start, do_stop, do_restart, do_kill, do_pause, do_remove, do_list};

static void command_run(struct test_host *test, unsigned number)
{
	struct host host;
	struct error err;
	bool wrong = false;

	test_host_again(test, &host);
	for (unsigned round = 0; round < ROUNDS; round++) {
		err = (struct error){0};
		if (verbs[(number * 7 + round * 3) % ARRAY_SIZE(verbs)](test, &host, &err) == 0)
			continue;
		/* Busy and missing are answers; anything else is a step that another command broke. */
		if (err.kind == ERROR_BUSY || err.kind == ERROR_MISSING)
			continue;
		fprintf(stderr, "command %u: %s\n", number, err.text);
		wrong = true;
	}
	host_close(&host);
	_exit(wrong);
}

TEST(storm, of_commands_on_one_name_breaks_nothing, .timeout = 120)
{
	struct test_host test;
	pid_t pids[COMMANDS];
	int status, wrong = 0;

	test_host_open(&test);
	for (unsigned i = 0; i < COMMANDS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			command_run(&test, i);
	}
	for (unsigned i = 0; i < COMMANDS; i++) {
		cr_assert(waitpid(pids[i], &status, 0) == pids[i]);
		wrong += status != 0;
	}
	cr_assert(wrong == 0, "%d commands failed otherwise than by being refused", wrong);
	test_host_close(&test);
}
