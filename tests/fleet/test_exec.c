/* A further process in a running instance. */
#include <fcntl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support_host.h"

struct result {
	int status;
	const char *output;
	struct error err;
	int returned;
};

/* Runs it with our own output in a file. */
static struct result exec_with(struct test_host *test, const struct exec_options *options)
{
	struct result result = {0};
	auto_fd file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int saved_out = dup(1), saved_err = dup(2);
	struct error err;

	fflush(NULL);
	dup2(file, 1);
	dup2(file, 2);
	result.returned = instance_exec(&test->host, "web", options, &result.status, &result.err);
	dup2(saved_out, 1);
	dup2(saved_err, 2);
	close(saved_out);
	close(saved_err);
	cr_assert(lseek(file, 0, SEEK_SET) == 0);
	ASSERT_OK(fd_read_all(&test->arena, file, 1 << 20, &result.output, NULL, &err));
	return result;
}

static struct exec_options shell(struct test_host *test, const char *script)
{
	struct exec_options options = {0};

	strings_add(&test->arena, &options.args, "/bin/sh");
	strings_add(&test->arena, &options.args, "-c");
	strings_add(&test->arena, &options.args, script);
	return options;
}

static void web_run(struct test_host *test)
{
	struct instance_spec spec = test_spec(test, "web", "exec sleep 1000");

	pairs_set(&test->arena, &spec.environment, "SITE", "blog");
	spec.working_dir = "/tmp";
	test_run(test, &spec);
}

TEST(exec, runs_beside_the_first_process_and_gives_its_status)
{
	struct test_host test;

	test_host_open(&test);
	web_run(&test);
	/* Process 1 may be the shell still that becomes the program. */
	struct exec_options options = shell(&test,
		"i=0; until grep -q sleep /proc/1/comm || [ $i -gt 500 ]; do i=$((i + 1)); sleep 0.01; done; "
		"cat /proc/1/comm; echo oops >&2; exit 5");
	struct result result = exec_with(&test, &options);

	cr_assert(result.returned == 0 && result.status == 5, "%d: %s", result.status, result.err.text);
	cr_assert(strstr(result.output, "sleep\n") && strstr(result.output, "oops\n"),
		"its process 1 and both streams: %s", result.output);
	test_host_close(&test);
}

TEST(exec, has_the_instances_environment_directory_and_rules)
{
	struct test_host test;

	test_host_open(&test);
	web_run(&test);
	struct exec_options options =
		shell(&test, "echo $SITE $MORE; pwd; hostname; id -u;"
			     "while read k v; do case $k in NoNewPrivs:|Seccomp:|CapEff:|CapInh:|CapAmb:) "
			     "echo $k $v;; esac; done < /proc/self/status");

	strings_add(&test.arena, &options.env, "MORE=more");
	struct result result = exec_with(&test, &options);

	cr_assert(result.returned == 0, "%s", result.err.text);
	cr_assert(text_starts_with(result.output, "blog more\n/tmp\nweb\n0\n"), "%s", result.output);
	cr_assert(strstr(result.output, "CapInh: 0000000000000000\n") &&
			  strstr(result.output, "CapAmb: 0000000000000000\n"),
		"%s", result.output);
	cr_assert(strstr(result.output, "CapEff: 00000000000405fb\n"), "the web set: %s", result.output);
	cr_assert(
		strstr(result.output, "NoNewPrivs: 1\n") && strstr(result.output, "Seccomp: 2\n"), "%s", result.output);
	test_host_close(&test);
}

TEST(exec, as_another_user_and_elsewhere)
{
	struct test_host test;

	test_host_open(&test);
	web_run(&test);
	struct exec_options options = shell(&test, "id -u; id -g; pwd");

	options.user = "1000:1001";
	options.working_dir = "/run";
	struct result result = exec_with(&test, &options);

	cr_assert(result.returned == 0, "%s", result.err.text);
	cr_assert_str_eq(result.output, "1000\n1001\n/run\n");
	test_host_close(&test);
}

TEST(exec, says_what_cannot_be_executed)
{
	struct test_host test;
	struct error err;
	struct exec_options options = {0};
	int status;

	test_host_open(&test);
	web_run(&test);
	strings_add(&test.arena, &options.args, "nonesuch");
	ASSERT_FAILS(instance_exec(&test.host, "web", &options, &status, &err), ERROR_SYSTEM,
		"exec in web: execute nonesuch: no such file or directory");
	cr_assert(status == 127, "%d", status);
	options.args.items[0] = "/etc";
	ASSERT_FAILS(instance_exec(&test.host, "web", &options, &status, &err), ERROR_SYSTEM, "permission denied");
	cr_assert(status == 126, "%d", status);
	ASSERT_OK(instance_pause(&test.host, "web", true, &err));
	ASSERT_FAILS(instance_exec(&test.host, "web", &options, &status, &err), ERROR_BUSY, "web is paused");
	ASSERT_OK(instance_stop(&test.host, "web", (struct optional){0}, &err));
	ASSERT_FAILS(instance_exec(&test.host, "web", &options, &status, &err), ERROR_BUSY, "web is not running");
	test_host_close(&test);
}
