/* SCMP_ACT_NOTIFY: system calls are handed to a supervisor, who learns whose they are. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/socket.h"
#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

/* The supervisor: takes one connection, writes the message to `said`, and answers `calls` calls with an error. */
struct supervisor {
	pid_t pid;
	char *socket, *said;
};

/* Answers with EXDEV, which no mkdir inside would give. */
_Noreturn static void supervise(int listening, const char *said, int calls)
{
	char message[8192];
	int connection = accept4(listening, NULL, NULL, SOCK_CLOEXEC), notifications = -1;
	size_t count = 1;
	ssize_t length = socket_receive(connection, message, sizeof(message), &notifications, &count);
	int file = open(said, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (length <= 0 || count != 1 || file < 0 || write(file, message, (size_t)length) != length)
		_exit(1);
	for (; calls > 0; calls--) {
		struct seccomp_notif call = {0};
		struct seccomp_notif_resp answer = {0};

		if (ioctl(notifications, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
			_exit(2);
		answer.id = call.id;
		answer.error = -EXDEV;
		if (ioctl(notifications, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0)
			_exit(3);
	}
	_exit(0);
}

static struct supervisor supervisor_start(const struct bundle *bundle, int calls)
{
	struct supervisor supervisor = {.socket = text_format("%s/agent", bundle->directory.path),
		.said = text_format("%s/said", bundle->directory.path)};
	auto_fd dir = open(bundle->directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error err;
	auto_fd listening = socket_listen(dir, "agent", &err);

	cr_assert(listening >= 0, "%s", err.text);
	supervisor.pid = fork();
	if (supervisor.pid == 0)
		supervise(listening, supervisor.said, calls);
	return supervisor;
}

/* The message; the supervisor has ended well. */
static const struct json *supervisor_end(struct supervisor *supervisor, struct arena *arena)
{
	struct json_doc doc;
	struct error err;
	int status;

	cr_assert(waitpid(supervisor->pid, &status, 0) == supervisor->pid && status == 0, "supervisor: %#x", status);
	ASSERT_OK(json_read(arena, AT_FDCWD, supervisor->said, JSON_PLAIN, &doc, &err));
	free(supervisor->socket);
	free(supervisor->said);
	return doc.root;
}

static void bundle_write_notifying(struct bundle *bundle, const char *socket, const char *script, bool no_new_privs)
{
	auto_free char *system = text_format(
		"\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"listenerPath\": \"%s\", \"listenerMetadata\": "
		"\"of \\\"mine\\\"\", \"flags\": [\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"], \"syscalls\": "
		"[{\"names\": [\"mkdir\", \"mkdirat\"], \"action\": \"SCMP_ACT_NOTIFY\"}]}",
		socket);

	BUNDLE_WRITE(bundle, .script = script, .system = system,
		.process = no_new_privs ? "\"noNewPrivileges\": true" : NULL, .top = "\"annotations\": {\"a\": \"b\"}");
}

static void assert_text(const struct json *object, const char *key, const char *expected)
{
	const struct json *value = json_get(object, key);

	cr_assert(value && strcmp(value->text, expected) == 0, "%s: %s, expected %s", key,
		value ? value->text : "(none)", expected);
}

static void hands_over(bool no_new_privs)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_bundle bundle = bundle_new();
	struct supervisor supervisor = supervisor_start(&bundle, 1);

	bundle_write_notifying(&bundle, supervisor.socket,
		"/bin/busybox mkdir /made 2>&1; test -e /made || echo refused", no_new_privs);
	auto_run run = OCI(&bundle, "run", "ID");
	cr_assert(run.status == 0, "%d: %s%s", run.status, run.out, run.err);
	cr_assert_str_eq(run.out, "mkdir: can't create directory '/made': Invalid cross-device link\nrefused\n", "%s%s",
		run.out, run.err);
	const struct json *said = supervisor_end(&supervisor, &arena), *state = json_get(said, "state");
	assert_text(said, "ociVersion", "1.0.2");
	assert_text(said, "metadata", "of \"mine\"");
	cr_assert_str_eq(json_get(said, "fds")->first->text, "seccompFd");
	assert_text(state, "id", bundle.id);
	assert_text(state, "status", "creating");
	assert_text(state, "bundle", bundle.path);
	assert_text(json_get(state, "annotations"), "a", "b");
	assert_text(state, "pid", json_get(said, "pid")->text);
	cr_assert(atoi(json_get(said, "pid")->text) > 1, "%s", json_get(said, "pid")->text);
}

TEST(oci_listener, gets_the_calls_of_a_container)
{
	NEEDS_ROOT();
	hands_over(false);
	hands_over(true);
}

TEST(oci_listener, gets_the_pid_that_the_runtime_tells_also_after_create)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	auto_bundle bundle = bundle_new();
	auto_free char *pid_file = text_format("%s/pid", bundle.directory.path);
	struct supervisor supervisor = supervisor_start(&bundle, 1);
	struct error err;
	const char *pid;

	bundle_write_notifying(&bundle, supervisor.socket, "/bin/busybox mkdir /made 2>/dev/null; sleep 1000", false);
	auto_run create = OCI(&bundle, "create", "--pid-file", pid_file, "ID");
	cr_assert(create.status == 0, "%s", create.err);
	auto_run start = OCI(&bundle, "start", "ID");
	cr_assert(start.status == 0, "%s", start.err);
	const struct json *said = supervisor_end(&supervisor, &arena);
	ASSERT_OK(file_read(&arena, AT_FDCWD, pid_file, 64, &pid, NULL, &err));
	assert_text(said, "pid", pid);
	assert_text(json_get(said, "state"), "pid", pid);
}

TEST(oci_listener, gets_those_of_an_exec_with_both_pids)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	auto_bundle bundle = bundle_new();
	auto_free char *pid_file = text_format("%s/pid", bundle.directory.path);
	struct supervisor first = supervisor_start(&bundle, 0);
	struct error err;
	const char *pid;

	bundle_write_notifying(&bundle, first.socket, "sleep 1000", true);
	auto_run run = OCI(&bundle, "run", "-d", "--pid-file", pid_file, "ID");
	cr_assert(run.status == 0, "%s", run.err);
	cr_assert(unlink(first.socket) == 0);
	(void)supervisor_end(&first, &arena);
	struct supervisor second = supervisor_start(&bundle, 1);
	auto_run exec = OCI(&bundle, "exec", "ID", "/bin/busybox", "mkdir", "/made");
	cr_assert(exec.status == 1 && strstr(exec.err, "Invalid cross-device link"), "%s", exec.err);
	const struct json *said = supervisor_end(&second, &arena);
	ASSERT_OK(file_read(&arena, AT_FDCWD, pid_file, 64, &pid, NULL, &err));
	assert_text(json_get(said, "state"), "pid", pid);
	assert_text(json_get(said, "state"), "status", "running");
	cr_assert(strcmp(json_get(said, "pid")->text, pid) != 0);
}

TEST(oci_listener, must_be_there)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	bundle_write_notifying(&bundle, "/nonesuch/agent", "true", false);
	auto_run run = OCI(&bundle, "run", "ID");
	cr_assert(run.status == 1, "%d", run.status);
	cr_assert(strstr(run.err, "linux.seccomp.listenerPath: /nonesuch/agent: No such file or directory\n"), "%s",
		run.err);
	cr_assert(bundle_cgroups(&bundle) == 0);
	auto_run list = OCI(&bundle, "list", "-q");
	cr_assert_str_eq(list.out, "");
}
