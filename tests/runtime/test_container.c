/* Tests of runtime/container_*.c and runtime/state/state.c: the OCI life cycle. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/process.h"
#include "tests/runtime/support_bundle.h"

static void wait_stopped(const struct bundle *bundle, const char *id)
{
	struct process_id init;
	struct error err;
	pid_t pid = bundle_pid(bundle, id);

	if (process_identify(pid, &init, &err) == 0) {
		auto_fd pidfd = process_open(&init, &err);

		if (pidfd >= 0)
			cr_assert(process_wait_end(pidfd, 10000) == 1);
	}
}

TEST(container, runs_to_its_end_and_leaves_nothing)
{
	AUTO(bundle_drop) struct bundle bundle;
	struct error err;
	int status = 0, before = host_mounts();

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "exit 5");
	ASSERT_OK(container_run(bundle.state, "a", &bundle.options, false, &status, &err));
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 5, "%d", status);
	cr_assert(bundle_records(&bundle) == 0 && bundle_cgroups(&bundle) == 0 && host_mounts() == before);
}

TEST(container, is_created_started_killed_and_deleted)
{
	AUTO(bundle_drop) struct bundle bundle;
	struct error err;

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "sleep 1000; true");
	ASSERT_OK(container_create(bundle.state, "a", &bundle.options, &err));
	cr_assert(bundle_status(&bundle, "a") == CONTAINER_CREATED);
	ASSERT_OK(container_start(bundle.state, "a", &err));
	cr_assert(bundle_status(&bundle, "a") == CONTAINER_RUNNING);
	ASSERT_FAILS(container_start(bundle.state, "a", &err), ERROR_BUSY,
		"cannot start container \"a\": it is running, not created");
	ASSERT_FAILS(container_delete(bundle.state, "a", false, &err), ERROR_BUSY,
		"cannot delete container \"a\": it is running; stop it first, or use --force");
	ASSERT_OK(container_kill(bundle.state, "a", SIGKILL, false, &err));
	wait_stopped(&bundle, "a");
	cr_assert(bundle_status(&bundle, "a") == CONTAINER_STOPPED);
	ASSERT_FAILS(container_kill(bundle.state, "a", SIGTERM, false, &err), ERROR_BUSY, "container not running");
	ASSERT_OK(container_delete(bundle.state, "a", false, &err));
	ASSERT_FAILS(container_delete(bundle.state, "a", false, &err), ERROR_MISSING, "container \"a\" does not exist");
	ASSERT_OK(container_delete(bundle.state, "a", true, &err));
	cr_assert(bundle_records(&bundle) == 0 && bundle_cgroups(&bundle) == 0);
	reap_all();
}

TEST(container, may_be_deleted_when_it_was_only_created)
{
	AUTO(bundle_drop) struct bundle bundle;
	struct error err;

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "true");
	ASSERT_OK(container_create(bundle.state, "a", &bundle.options, &err));
	ASSERT_OK(container_delete(bundle.state, "a", false, &err));
	cr_assert(bundle_records(&bundle) == 0 && bundle_cgroups(&bundle) == 0);
	reap_all();
}

TEST(container, gives_its_name_to_one_only)
{
	AUTO(bundle_drop) struct bundle bundle;
	struct error err;
	int status, winners = 0;

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "sleep 1000; true");
	for (int i = 0; i < 12; i++)
		if (fork() == 0) {
			int result = container_create(bundle.state, "a", &bundle.options, &err);

			_exit(result == 0 ? 0 : strstr(err.text, "already exists") ? 1 : 2);
		}
	for (int i = 0; i < 12; i++) {
		wait(&status);
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2, "%d", status);
		winners += WEXITSTATUS(status) == 0;
	}
	cr_assert(winners == 1, "%d winners", winners);
	cr_assert(bundle_records(&bundle) == 1, "%d records", bundle_records(&bundle));
	ASSERT_OK(container_delete(bundle.state, "a", true, &err));
	cr_assert(bundle_records(&bundle) == 0 && bundle_cgroups(&bundle) == 0);
}

TEST(container, says_at_create_that_the_program_is_missing_and_leaves_nothing)
{
	AUTO(bundle_drop) struct bundle bundle;
	struct error err;
	char path[128];

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "true");
	snprintf(path, sizeof(path), "%s/bin/sh", bundle.box.root);
	cr_assert(unlink(path) == 0);
	ASSERT_FAILS(container_create(bundle.state, "a", &bundle.options, &err), ERROR_SYSTEM,
		"execute /bin/sh: no such file or directory");
	cr_assert(bundle_records(&bundle) == 0 && bundle_cgroups(&bundle) == 0);
}

TEST(container, says_at_create_or_at_start_that_the_program_cannot_be_executed)
{
	AUTO(bundle_drop) struct bundle bundle;
	struct error err;
	char path[128];

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "true");
	snprintf(path, sizeof(path), "%s/bin/busybox", bundle.box.root);
	cr_assert(chmod(path, 0644) == 0);
	ASSERT_FAILS(container_create(bundle.state, "a", &bundle.options, &err), ERROR_SYSTEM,
		"execute /bin/sh: permission denied");
	cr_assert(chmod(path, 0755) == 0);
	ASSERT_OK(container_create(bundle.state, "a", &bundle.options, &err));
	cr_assert(chmod(path, 0644) == 0);
	ASSERT_FAILS(container_start(bundle.state, "a", &err), ERROR_SYSTEM, "execute /bin/sh: permission denied");
	cr_assert(bundle_status(&bundle, "a") == CONTAINER_STOPPED);
	ASSERT_OK(container_delete(bundle.state, "a", false, &err));
	reap_all();
}

/* Many times, as an end that is not waited for mostly comes soon enough. */
TEST(container, is_stopped_as_soon_as_its_start_has_failed)
{
	AUTO(bundle_drop) struct bundle bundle;
	struct error err;
	char path[128];

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "true");
	snprintf(path, sizeof(path), "%s/bin/busybox", bundle.box.root);
	for (int i = 0; i < 10; i++) {
		cr_assert(chmod(path, 0755) == 0);
		ASSERT_OK(container_create(bundle.state, "a", &bundle.options, &err));
		cr_assert(chmod(path, 0644) == 0);
		ASSERT_FAILS(container_start(bundle.state, "a", &err), ERROR_SYSTEM, "permission denied");
		cr_assert(bundle_status(&bundle, "a") == CONTAINER_STOPPED, "round %d", i);
		ASSERT_OK(container_delete(bundle.state, "a", false, &err));
		reap_all();
	}
}

TEST(container, writes_a_pid_file)
{
	AUTO(bundle_drop) struct bundle bundle;
	AUTO(arena_drop) struct arena arena = {0};
	struct error err;
	char path[128], expected[16];
	const char *content;

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "sleep 1000");
	snprintf(path, sizeof(path), "%s/pid", bundle.box.directory);
	bundle.options.pid_file = path;
	ASSERT_OK(container_create(bundle.state, "a", &bundle.options, &err));
	ASSERT_OK(file_read(&arena, AT_FDCWD, path, 100, &content, NULL, &err));
	snprintf(expected, sizeof(expected), "%d", bundle_pid(&bundle, "a"));
	cr_assert(strcmp(content, expected) == 0, "%s %s", content, expected);
	ASSERT_OK(container_delete(bundle.state, "a", true, &err));
	reap_all();
}

TEST(container, is_frozen_and_thawed_and_deleted_while_frozen)
{
	AUTO(bundle_drop) struct bundle bundle;
	struct error err;
	int status;

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "sleep 1000; true");
	ASSERT_OK(container_run(bundle.state, "a", &bundle.options, true, &status, &err));
	ASSERT_OK(container_pause(bundle.state, "a", true, &err));
	cr_assert(bundle_status(&bundle, "a") == CONTAINER_PAUSED);
	ASSERT_OK(container_pause(bundle.state, "a", false, &err));
	cr_assert(bundle_status(&bundle, "a") == CONTAINER_RUNNING);
	ASSERT_OK(container_pause(bundle.state, "a", true, &err));
	ASSERT_OK(container_delete(bundle.state, "a", true, &err));
	cr_assert(bundle_records(&bundle) == 0 && bundle_cgroups(&bundle) == 0);
	reap_all();
}

/* Trap: the cgroup namespace's root must be the container's own cgroup, and its limits be seen there. */
TEST(container, sees_its_own_cgroup_as_the_root_and_cannot_write_it)
{
	AUTO(bundle_drop) struct bundle bundle;
	struct error err;
	int status;

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle,
		"grep -q test- /proc/self/cgroup && exit 1; grep -q '\\\\.\\\\.' /proc/self/cgroup && exit 2; "
		"cd /sys/fs/cgroup; if test -d pids; then cd pids; fi; grep -qx 1 cgroup.procs || exit 3; "
		"echo 5 2>/dev/null > pids.max && exit 4; exit 9");
	ASSERT_OK(container_run(bundle.state, "a", &bundle.options, false, &status, &err));
	cr_assert(WEXITSTATUS(status) == 9, "%d", WEXITSTATUS(status));
}

/* --- names and records -------------------------------------------------------------------------------------------- */

TEST(container, refuses_every_name_that_is_a_path)
{
	static const char *const names[] = {"..", ".", "../x", "a/b", "", "-x", ".hidden", "a\nb", "/", "a b"};
	AUTO(bundle_drop) struct bundle bundle;
	AUTO(arena_drop) struct arena arena = {0};
	struct container container;
	struct error err;
	int status;

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "true");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ASSERT_FAILS(container_create(bundle.state, names[i], &bundle.options, &err), ERROR_USAGE, "");
		ASSERT_FAILS(
			container_run(bundle.state, names[i], &bundle.options, false, &status, &err), ERROR_USAGE, "");
		ASSERT_FAILS(container_start(bundle.state, names[i], &err), ERROR_USAGE, "");
		ASSERT_FAILS(container_kill(bundle.state, names[i], SIGTERM, false, &err), ERROR_USAGE, "");
		ASSERT_FAILS(container_delete(bundle.state, names[i], true, &err), ERROR_USAGE, "");
		ASSERT_FAILS(container_delete(bundle.state, names[i], false, &err), ERROR_USAGE, "");
		ASSERT_FAILS(container_pause(bundle.state, names[i], true, &err), ERROR_USAGE, "");
		ASSERT_FAILS(container_open(&arena, bundle.state, names[i], &container, &err), ERROR_USAGE, "");
	}
	cr_assert(bundle_records(&bundle) == 0);
	cr_assert(access(bundle.box.root, F_OK) == 0);
}

TEST(container, is_listed_though_anothers_record_is_damaged)
{
	static const char *const damages[] = {"", "{", "{\"version\":1}", "{\"version\":2,\"id\":\"b\"}", "garbage"};
	AUTO(bundle_drop) struct bundle bundle;
	AUTO(arena_drop) struct arena arena = {0};
	struct container_list list;
	struct error err;
	int status;

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "sleep 1000; true");
	ASSERT_OK(container_run(bundle.state, "a", &bundle.options, true, &status, &err));
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		auto_fd dir = -1;

		cr_assert(mkdirat(bundle.state, "b", 0700) == 0);
		dir = dir_open(bundle.state, "b", &err);
		cr_assert(symlinkat("warren/test-none-such", dir, "cgroup") == 0);
		ASSERT_OK(file_replace(dir, "facts.json", 0600, FILE_VOLATILE, damages[i], strlen(damages[i]), &err));
		ASSERT_OK(container_list(&arena, bundle.state, &list, &err));
		cr_assert(list.count == 1 && strcmp(list.items[0].facts.id, "a") == 0);
		ASSERT_FAILS(container_delete(bundle.state, "b", false, &err), ERROR_USAGE, "damaged");
		ASSERT_OK(container_delete(bundle.state, "b", true, &err));
		cr_assert(bundle_records(&bundle) == 1);
	}
	ASSERT_OK(container_delete(bundle.state, "a", true, &err));
	reap_all();
}

TEST(container, is_ended_wholly_though_its_own_record_is_damaged)
{
	AUTO(bundle_drop) struct bundle bundle;
	struct error err;
	int status;

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "sleep 1000 & sleep 1000; true");
	ASSERT_OK(container_run(bundle.state, "a", &bundle.options, true, &status, &err));
	cr_assert(bundle_cgroups(&bundle) > 0);
	auto_fd dir = dir_open(bundle.state, "a", &err);
	ASSERT_OK(file_replace(dir, "facts.json", 0600, FILE_VOLATILE, "", 0, &err));
	ASSERT_OK(container_delete(bundle.state, "a", true, &err));
	cr_assert(bundle_records(&bundle) == 0 && bundle_cgroups(&bundle) == 0, "%d", bundle_cgroups(&bundle));
	reap_all(); /* would hang if a process were left */
}

TEST(container, of_another_boot_is_stopped)
{
	AUTO(bundle_drop) struct bundle bundle;
	AUTO(arena_drop) struct arena arena = {0};
	struct error err;
	const char *facts;
	char *boot;
	size_t length;
	int status;

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "sleep 1000; true");
	ASSERT_OK(container_run(bundle.state, "a", &bundle.options, true, &status, &err));
	auto_fd dir = dir_open(bundle.state, "a", &err);
	ASSERT_OK(file_read(&arena, dir, "facts.json", 65536, &facts, &length, &err));
	boot = strstr((char *)(uintptr_t)facts, "\"boot\":\"");
	cr_assert(boot);
	boot[8] = boot[8] == '0' ? '1' : '0';
	ASSERT_OK(file_replace(dir, "facts.json", 0600, FILE_VOLATILE, facts, length, &err));
	cr_assert(bundle_status(&bundle, "a") == CONTAINER_STOPPED);
	ASSERT_OK(container_delete(bundle.state, "a", true, &err));
	reap_all();
}

/* --- state and hooks ---------------------------------------------------------------------------------------------- */

TEST(container, shows_its_state_as_json)
{
	AUTO(bundle_drop) struct bundle bundle;
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	struct container container;
	struct error err;
	char expected[512];
	size_t length;

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "true");
	ASSERT_OK(container_create(bundle.state, "a", &bundle.options, &err));
	ASSERT_OK(container_open(&arena, bundle.state, "a", &container, &err));
	container_encode_state(encoder, &container);
	container_close(&container);
	auto_free char *text = encoder_take(encoder, &length);
	snprintf(expected, sizeof(expected),
		"{\"ociVersion\":\"1.0.2\",\"id\":\"a\",\"pid\":%d,\"status\":\"created\",\"bundle\":\"%s\",",
		bundle_pid(&bundle, "a"), bundle.box.directory);
	cr_assert(strncmp(text, expected, strlen(expected)) == 0, "%s", text);
	ASSERT_OK(container_delete(bundle.state, "a", true, &err));
	reap_all();
}

static const char *read_file(struct arena *arena, const struct bundle *bundle, const char *name)
{
	struct error err;
	const char *content;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", bundle->box.directory, name);
	return file_read(arena, AT_FDCWD, path, 65536, &content, NULL, &err) == 0 ? content : "";
}

#define HOOK(kind, command)                                                                                            \
	"\"" kind "\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"" command                                       \
	"\"],\"env\":[\"PATH=/bin:/usr/bin\",\"X=y\"]}]"

TEST(container, runs_all_six_kinds_of_hooks_in_their_order_with_the_state)
{
	AUTO(bundle_drop) struct bundle bundle;
	AUTO(arena_drop) struct arena arena = {0};
	struct error err;
	char hooks[2048], out[64];
	int status;

	NEEDS_ROOT();
	bundle_make(&bundle);
	chmod(bundle.box.directory, 0777);
	chmod(bundle.box.root, 0777);
	snprintf(out, sizeof(out), "%s/log", bundle.box.directory);
	close(open(out, O_CREAT | O_WRONLY, 0666));
	chmod(out, 0666);
#define TO_LOG(name) "(echo -n " name "$X ; cat ; echo) >> %s"
	snprintf(hooks, sizeof(hooks),
		"{" HOOK("prestart", TO_LOG("1")) "," HOOK("createRuntime", TO_LOG("2")) "," HOOK("createContainer",
			TO_LOG("3")) "," HOOK("startContainer", "(echo -n 4$X; cat) > /log4") "," HOOK("poststart",
			TO_LOG("5")) "," HOOK("poststop", TO_LOG("6")) "}",
		out, out, out, out, out);
	bundle.hooks = hooks;
	bundle_script(&bundle, "exit 3");
	ASSERT_OK(container_run(bundle.state, "a", &bundle.options, false, &status, &err));
	cr_assert(WEXITSTATUS(status) == 3);
	const char *log = read_file(&arena, &bundle, "log");
	const char *inside = read_file(&arena, &bundle, "rootfs/log4");
	const char *expected[] = {"1y{\"ociVersion\":\"1.0.2\",\"id\":\"a\",\"status\":\"creating\",\"pid\":", "2y{",
		"3y{", "5y{\"ociVersion\":\"1.0.2\",\"id\":\"a\",\"status\":\"running\"", "6y{"};
	const char *place = log;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		place = strstr(place, expected[i]);
		cr_assert(place, "%s is missing in %s", expected[i], log);
	}
	cr_assert(strstr(log, "\"status\":\"stopped\",\"root\"") && strstr(log, "\"a/b\":\"c\""), "%s", log);
	cr_assert(strncmp(inside, "4y{", 3) == 0, "%s", inside);
}

TEST(container, is_undone_when_a_hook_fails)
{
	static const char *const kinds[] = {
		"prestart", "createRuntime", "createContainer", "startContainer", "poststart"};

	NEEDS_ROOT();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		AUTO(bundle_drop) struct bundle bundle;
		struct error err;
		char hooks[256], text[128];
		int status;

		bundle_make(&bundle);
		snprintf(hooks, sizeof(hooks),
			"{\"%s\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"echo words >&2; exit 4\"]}]}",
			kinds[i]);
		bundle.hooks = hooks;
		bundle_script(&bundle, "sleep 1000; true");
		snprintf(text, sizeof(text), "%s: hook /bin/sh: exit status 4: words", kinds[i]);
		ASSERT_FAILS(
			container_run(bundle.state, "a", &bundle.options, true, &status, &err), ERROR_SYSTEM, text);
		cr_assert(bundle_records(&bundle) == 0 && bundle_cgroups(&bundle) == 0, "%s", kinds[i]);
	}
}

TEST(container, bounds_the_time_of_a_hook)
{
	AUTO(bundle_drop) struct bundle bundle;
	struct error err;
	int status;

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle.hooks = "{\"prestart\":[{\"path\":\"/bin/sleep\",\"args\":[\"sleep\",\"1000\"],\"timeout\":1}]}";
	bundle_script(&bundle, "true");
	ASSERT_FAILS(container_run(bundle.state, "a", &bundle.options, true, &status, &err), ERROR_SYSTEM,
		"prestart: hook /bin/sleep: /bin/sleep did not end within 1000 ms");
}

/* --- exec --------------------------------------------------------------------------------------------------------- */

TEST(container, takes_a_second_process_by_the_same_rules)
{
	AUTO(bundle_drop) struct bundle bundle;
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process;
	struct container_exec_options options = {.process = &process};
	struct error err;
	int status;

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "sleep 1000; true");
	ASSERT_OK(container_run(bundle.state, "a", &bundle.options, true, &status, &err));
	ASSERT_OK(container_exec_defaults(&arena, bundle.state, "a", &process, &err));
	process.args = (struct strings){0};
	strings_add(&arena, &process.args, "/bin/sh");
	strings_add(&arena, &process.args, "-c");
	strings_add(&arena, &process.args,
		"grep -q 'NoNewPrivs:.1' /proc/self/status || exit 1; grep -q test- /proc/self/cgroup && exit 2; "
		"test $(hostname) = box || exit 3; test $(id -u) = 0 || exit 4; test $$ -gt 1 || exit 5; "
		"cd /sys/fs/cgroup; test -d pids && cd pids; grep -qx $$ cgroup.procs || exit 6; exit 9");
	ASSERT_OK(container_exec(bundle.state, "a", &options, &status, &err));
	cr_assert(WEXITSTATUS(status) == 9, "%d", WEXITSTATUS(status));
	ASSERT_OK(container_pause(bundle.state, "a", true, &err));
	ASSERT_FAILS(container_exec(bundle.state, "a", &options, &status, &err), ERROR_BUSY, "it is paused");
	ASSERT_OK(container_delete(bundle.state, "a", true, &err));
	reap_all();
}

/* --- killed anywhere ---------------------------------------------------------------------------------------------- */

/* Runs create in a child under ptrace and kills it at its n-th system call stop. False when it ended before. */
static bool create_killed_at(const struct bundle *bundle, int n)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct error err;

		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(container_create(bundle->state, "a", &bundle->options, &err) == 0 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL);
	for (int i = 0; i < n; i++) {
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		waitpid(pid, &status, 0);
		if (WIFEXITED(status)) {
			cr_assert(WEXITSTATUS(status) == 0);
			return false;
		}
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return true;
}

TEST(container, is_completely_undone_by_delete_wherever_create_was_killed, .timeout = 240)
{
	AUTO(bundle_drop) struct bundle bundle;
	struct error err;
	int killed = 0, at = 1;
	/* Every seventh stop here; every one with WARREN_TEST_ALL_POINTS set. */
	int step = getenv("WARREN_TEST_ALL_POINTS") ? 1 : 7;

	NEEDS_ROOT();
	bundle_make(&bundle);
	bundle_script(&bundle, "sleep 1000; true");
	cr_assert(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	for (;; at += step) {
		bool was_killed = create_killed_at(&bundle, at);

		ASSERT_OK(container_delete(bundle.state, "a", true, &err));
		cr_assert(bundle_cgroups(&bundle) == 0, "killed at %d: %d cgroups left", at, bundle_cgroups(&bundle));
		reap_all(); /* would hang if a process were left */
		cr_assert(faccessat(bundle.state, "a", F_OK, 0) < 0, "killed at %d: the record is left", at);
		if (!was_killed)
			break;
		killed++;
	}
	cr_assert(killed > 20, "%d points", killed);
	ASSERT_OK(container_create(bundle.state, "a", &bundle.options, &err));
	ASSERT_OK(container_delete(bundle.state, "a", true, &err));
	reap_all();
}
