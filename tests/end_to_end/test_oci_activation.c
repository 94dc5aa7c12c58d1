/* warren-oci from the outside: what a service manager hands to a container: open sockets, and a place to say that it is
 * ready. The manager is played by the test. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

/* Runs a script in which $OCI is the program with its options and $ID the container. */
static struct run_result script_run(struct bundle *bundle, const char *script)
{
	auto_free char *whole =
		text_format("OCI='%s --root %s'; ID=%s; %s", WARREN_OCI_PROGRAM, bundle->state, bundle->id, script);
	const char *argv[] = {"/bin/bash", "-c", whole, NULL};
	struct run_options how = {.directory = bundle->path};

	return run_program(argv, &how);
}

/* --- sockets ------------------------------------------------------------------------------------------------------ */

#define TELL "echo fds=$LISTEN_FDS pid=$LISTEN_PID me=$$ names=$LISTEN_FDNAMES; cat <&3; cat <&4"

TEST(oci_activation, hands_sockets_on_and_preserved_descriptors_behind_them)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = TELL);
	/* Files play the sockets: the runtime looks into neither. */
	auto_run run = script_run(&bundle,
		"echo one > one; echo two > two; exec 3<one 4<two; export LISTEN_FDS=1 "
		"LISTEN_FDNAMES=web; export LISTEN_PID=$BASHPID; exec $OCI run --preserve-fds 1 $ID");
	ASSERT_STATUS(run, 0);
	cr_assert_str_eq(run.out, "fds=1 pid=1 me=1 names=web\none\ntwo\n");
	auto_run both = script_run(&bundle, "exec 3<one 4<two; LISTEN_FDS=2 $OCI create $ID && $OCI start $ID && "
					    "while $OCI state $ID | grep -q running; do sleep 0.02; done");
	ASSERT_STATUS(both, 0);
	cr_assert_str_eq(both.out, "fds=2 pid=1 me=1 names=\none\ntwo\n");
}

TEST(oci_activation, tells_an_exec_its_own_pid)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "exec sleep 1000");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run exec = script_run(&bundle,
		"echo one > one; exec 3<one 4</dev/null; export LISTEN_FDS=2; export LISTEN_PID=$BASHPID; "
		"exec $OCI exec $ID /bin/sh -c '[ $LISTEN_PID = $$ ] && [ $$ != 1 ] && " TELL "'");
	ASSERT_STATUS(exec, 0);
	cr_assert(strncmp(exec.out, "fds=2 pid=", 10) == 0 && strstr(exec.out, "\none\n"), "%s%s", exec.out, exec.err);
}

TEST(oci_activation, keeps_back_what_is_for_others)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "echo fds=$LISTEN_FDS; ls /proc/self/fd");
	auto_run run = script_run(&bundle, "exec 3</dev/null; LISTEN_FDS=1 LISTEN_PID=1 $OCI run $ID");
	ASSERT_STATUS(run, 0);
	/* The fourth is the directory itself. */
	cr_assert_str_eq(run.out, "fds=\n0\n1\n2\n3\n");
	auto_run wrong = script_run(&bundle, "LISTEN_FDS=x $OCI run $ID");
	ASSERT_STATUS(wrong, 0);
	cr_assert(strncmp(wrong.out, "fds=\n", 5) == 0, "%s", wrong.out);
}

/* --- readiness ---------------------------------------------------------------------------------------------------- */

/* A manager's socket below the bundle's directory. */
static int manager_listen(const struct bundle *bundle, char *path, size_t size)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(path, size, "%s/manager", bundle->directory.path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

static const char *manager_hear(int fd, char *message, size_t size)
{
	struct pollfd event = {.fd = fd, .events = POLLIN};
	ssize_t length = poll(&event, 1, SLOWLY(10000)) == 1 ? recv(fd, message, size - 1, 0) : -1;

	message[length > 0 ? length : 0] = '\0';
	return message;
}

/* Plays the container's program, which no program of the host can be: waits until the socket can be reached through the
 * container's own mounts, and says what is to be said there. */
static pid_t fork_speaker(const char *pid_file, const char *inside, const char *message)
{
	pid_t speaker = fork();

	cr_assert(speaker >= 0);
	if (speaker > 0)
		return speaker;
	for (int tries = 0; tries < SLOWLY(1000); tries++, poll(NULL, 0, 10)) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), pid = 0;
		FILE *file = fopen(pid_file, "re");

		if (!file || fscanf(file, "%d", &pid) != 1 || pid < 2)
			continue;
		snprintf(address.sun_path, sizeof(address.sun_path), "/proc/%d/root%s", pid, inside);
		if (sendto(fd, message, strlen(message), 0, (struct sockaddr *)&address, sizeof(address)) > 0)
			_exit(0);
	}
	_exit(1);
}

static void speaker_expect(pid_t speaker)
{
	int status;

	cr_assert(waitpid(speaker, &status, 0) == speaker && status == 0, "the speaker: %x", status);
}

#define WORDS "STATUS=warm\nMAINPID=1\nFDSTORE=1\nREADY=1\nWATCHDOG=trigger\n"

static void ready_expect(int manager, const char *pid_file)
{
	char message[4096], expected[256];
	int pid = 0;
	FILE *file = fopen(pid_file, "re");

	cr_assert(file && fscanf(file, "%d", &pid) == 1);
	fclose(file);
	snprintf(expected, sizeof(expected), "STATUS=warm\nREADY=1\nMAINPID=%d\n", pid);
	cr_assert_str_eq(manager_hear(manager, message, sizeof(message)), expected);
}

struct stage {
	char manager[80], inside[96], env[96];
	char *pid_file;
	int socket;
	const char *environment[4];
	struct run_options how;
};

static void stage_set(struct stage *stage, const struct bundle *bundle)
{
	stage->socket = manager_listen(bundle, stage->manager, sizeof(stage->manager));
	stage->pid_file = text_format("%s/pid", bundle->directory.path);
	snprintf(stage->inside, sizeof(stage->inside), "%s/notify", stage->manager);
	snprintf(stage->env, sizeof(stage->env), "NOTIFY_SOCKET=%s", stage->manager);
	stage->environment[0] = stage->env;
	stage->how = (struct run_options){.env = stage->environment};
}

static void stage_drop(struct stage *stage)
{
	close(stage->socket);
	free(stage->pid_file);
}
#define auto_stage AUTO(stage_drop) struct stage
#define WITH(stage, bundle, ...) bundle_oci(bundle, (const char *const[]){__VA_ARGS__, NULL}, &(stage)->how)

TEST(oci_activation, of_run_in_the_background_waits_until_the_container_is_ready)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_stage stage = {0};

	stage_set(&stage, &bundle);
	BUNDLE_WRITE(&bundle, .script = "exec sleep 1000");
	pid_t speaker = fork_speaker(stage.pid_file, stage.inside, WORDS);
	auto_run run = WITH(&stage, &bundle, "run", "-d", "--pid-file", stage.pid_file, "ID");
	ASSERT_STATUS(run, 0);
	speaker_expect(speaker);
	ready_expect(stage.socket, stage.pid_file);
	auto_run deleted = OCI(&bundle, "delete", "-f", "ID");
	ASSERT_STATUS(deleted, 0);
	auto_run list = OCI(&bundle, "list", "-q");
	cr_assert_str_eq(list.out, "");
}

TEST(oci_activation, of_start_waits_until_the_container_is_ready)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_stage stage = {0};

	stage_set(&stage, &bundle);
	BUNDLE_WRITE(&bundle, .script = "exec sleep 1000",
		.namespaces = "[{\"type\": \"mount\"}, {\"type\": \"pid\"}, "
			      "{\"type\": \"uts\"}, {\"type\": \"user\"}]",
		.system = "\"uidMappings\": [{\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}], "
			  "\"gidMappings\": [{\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}]");
	auto_free char *root = text_format("%s/rootfs", bundle.path);
	cr_assert(chmod(bundle.directory.path, 0755) == 0 && chown(root, 100000, 100000) == 0);
	auto_run created = WITH(&stage, &bundle, "create", "--pid-file", stage.pid_file, "ID");
	ASSERT_STATUS(created, 0);
	pid_t speaker = fork_speaker(stage.pid_file, stage.inside, WORDS);
	auto_run started = WITH(&stage, &bundle, "start", "ID");
	ASSERT_STATUS(started, 0);
	speaker_expect(speaker);
	ready_expect(stage.socket, stage.pid_file);
}

TEST(oci_activation, does_not_wait_for_a_container_that_has_ended)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_stage stage = {0};

	stage_set(&stage, &bundle);
	/* Nor for one whose manager speaks at start only. */
	BUNDLE_WRITE(&bundle, .script = "sleep 0.2");
	auto_run run = WITH(&stage, &bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run deleted = OCI(&bundle, "delete", "ID");
	ASSERT_STATUS(deleted, 0);
	auto_run created = OCI(&bundle, "create", "ID");
	ASSERT_STATUS(created, 0);
	auto_run started = WITH(&stage, &bundle, "start", "ID");
	ASSERT_STATUS(started, 0);
}

TEST(oci_activation, in_the_foreground_passes_on_all_the_time)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_stage stage = {0};
	char message[4096];

	stage_set(&stage, &bundle);
	BUNDLE_WRITE(&bundle,
		.script = "echo $NOTIFY_SOCKET; test -S $NOTIFY_SOCKET && echo socket; touch $NOTIFY_SOCKET.x || "
			  "echo protected; while [ ! -e /stop ]; do sleep 0.02; done; exit 5");
	auto_free char *stop = text_format("%s/rootfs/stop", bundle.path);
	auto_free char *expected = text_format("%s\nsocket\nprotected\n", stage.inside);
	pid_t speaker = fork();
	if (speaker == 0) {
		int status;

		waitpid(fork_speaker(stage.pid_file, stage.inside, "READY=1"), &status, 0);
		manager_hear(stage.socket, message, sizeof(message));
		waitpid(fork_speaker(stage.pid_file, stage.inside, "STATUS=later"), &status, 0);
		manager_hear(stage.socket, message, sizeof(message));
		close(open(stop, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		_exit(strcmp(message, "STATUS=later\n") != 0);
	}
	auto_run run = WITH(&stage, &bundle, "run", "--pid-file", stage.pid_file, "ID");
	ASSERT_STATUS(run, 5);
	cr_assert_str_eq(run.out, expected);
	speaker_expect(speaker);
}
