/* warren commit, export and cp: an instance's files on their way to an image, an archive, the host, and back. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_registry.h"
#include "tests/test.h"

static const char base[] = "umask 022; mkdir -p base/bin base/etc base/root base/tmp\n"
			   "cp \"$(command -v busybox)\" base/bin/busybox; ln -s busybox base/bin/sh\n"
			   "echo root:x:0:0::/:/bin/sh > base/etc/passwd; echo gone > base/etc/gone\n";

static const char *path_of(struct playground *world, const char *name)
{
	return arena_format(&world->arena, "%s/%s", world->directory.path, name);
}

static void base_import(struct playground *world)
{
	auto_run busybox = RUN("sh", "-c", "command -v busybox");

	SKIP_UNLESS(busybox.status == 0, "needs busybox");
	script_run(world->directory.path, base);
	WARREN_OK(world, "image", "import", arena_format(&world->arena, "dir:%s", path_of(world, "base")), "base:1");
}

static void one_run(struct playground *world)
{
	WARREN_OK(world, "run", "-d", "--name", "one", "--network", "none", "-e", "SECRET=word", "base:1", "/bin/sh",
		"-c",
		"busybox=/bin/busybox; echo new > /new; $busybox chown 33:33 /new; $busybox rm /etc/gone; echo ready; "
		"exec $busybox sleep 1000");
	instance_await_log(world, "one", "ready\n");
}

static void assert_says(struct playground *world, const char *image, const char *script, const char *expected)
{
	auto_run run = WARREN(world, "run", "--rm", "--network", "none", image, "/bin/sh", "-c", script);

	cr_assert(run.status == 0, "%s: status %d: %s%s", image, run.status, run.out, run.err);
	cr_assert_str_eq(run.out, expected, "%s: %s", image, run.out);
}

#define LOOK "/bin/busybox stat -c %u /new; /bin/busybox cat /new; test -e /etc/gone || echo gone; echo $SECRET"

TEST(image_commit, of_a_running_instance_makes_an_image_of_what_it_wrote, .fini = playground_rescue,
	.timeout = SLOWLY(120))
{
	auto_playground world = playground_new();

	base_import(&world);
	one_run(&world);
	WARREN_OK(&world, "commit", "-m", "more", "-c", "CMD [\"/bin/busybox\", \"cat\", \"/new\"]", "one", "made:2");
	cr_assert_str_eq(instance_fact(&world, "one", "state"), "running", "not frozen any more");
	assert_says(&world, "made:2", LOOK, "33\nnew\ngone\n\n");
	auto_run command = WARREN(&world, "run", "--rm", "--network", "none", "made:2");
	ASSERT_STATUS(command, 0);
	cr_assert_str_eq(command.out, "new\n");
	WARREN_OK(&world, "image", "verify", "made:2");
	/* Other tools and other stores take it. */
	WARREN_OK(&world, "image", "export", "-o", path_of(&world, "made.tar"), "made:2");
	WARREN_OK(&world, "image", "import", path_of(&world, "made.tar"), "made:3");
	assert_says(&world, "made:3", LOOK, "33\nnew\ngone\n\n");
	/* The image is not of the instance any more. */
	WARREN_OK(&world, "rm", "-f", "one");
	WARREN_OK(&world, "image", "rm", "base:1");
	assert_says(&world, "made:2", LOOK, "33\nnew\ngone\n\n");
}

TEST(image_commit, takes_snapshots_along_as_layers_of_their_own, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();

	base_import(&world);
	one_run(&world);
	WARREN_OK(&world, "stop", "one");
	WARREN_OK(&world, "snapshot", "create", "one", "early");
	run_write_file(world.directory.path, "added", 0644, "added\n");
	WARREN_OK(&world, "cp", path_of(&world, "added"), "one:/root/");
	WARREN_OK(&world, "commit", "one", "made:2");
	assert_says(&world, "made:2", "/bin/busybox cat /root/added /new", "added\nnew\n");
	auto_run delta = WARREN(&world, "export", "--delta", "-o", path_of(&world, "delta.tar"), "one");
	ASSERT_STATUS(delta, 2);
	cr_assert(strstr(delta.err, "has snapshots; commit it"), "%s", delta.err);
}

TEST(image_commit, an_exported_root_is_the_merged_one_and_a_delta_only_what_was_written, .fini = playground_rescue,
	.timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();

	base_import(&world);
	one_run(&world);
	WARREN_OK(&world, "export", "-o", path_of(&world, "root.tar"), "one");
	WARREN_OK(&world, "export", "--delta", "-o", path_of(&world, "delta.tar"), "one");
	WARREN_OK(&world, "image", "import", path_of(&world, "root.tar"), "flat:1");
	assert_says(&world, "flat:1", LOOK, "33\nnew\ngone\n\n");
	script_run(world.directory.path,
		"tar tf delta.tar > names; grep -qx new names; grep -qx etc/.wh.gone names\n"
		"! grep -q busybox names; ! grep -q etc/hosts names; test -e root.tar; ! ls | grep -q '~$'");
}

TEST(image_commit, an_export_into_a_fifo_goes_through_it_and_leaves_it_where_it_is, .fini = playground_rescue,
	.timeout = SLOWLY(60))
{
	auto_playground world = playground_new();
	const char *path = path_of(&world, "pipe");
	char header[512];
	struct stat status;

	WARREN_OK(&world, "create", "--name", "one", "host", "true");
	cr_assert(mkfifo(path, 0600) == 0);
	auto_fd reader = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	WARREN_OK(&world, "export", "--delta", "-o", path, "one");
	cr_assert(lstat(path, &status) == 0 && S_ISFIFO(status.st_mode), "a file is in its place");
	cr_assert(read(reader, header, sizeof(header)) == sizeof(header), "nothing came through");
}

TEST(image_commit, of_what_has_no_image_is_refused_and_says_what_can_be_done, .fini = playground_rescue,
	.timeout = SLOWLY(60))
{
	auto_playground world = playground_new();

	script_run(world.directory.path, base);
	WARREN_OK(&world, "create", "--name", "one", "--network", "none", "--rootfs", path_of(&world, "base"), "--",
		"/bin/sh");
	auto_run commit = WARREN(&world, "commit", "one", "made:2");
	auto_run digest = WARREN(&world, "commit", "one", "made@sha256:0");
	auto_run absent = WARREN(&world, "commit", "none", "made:2");

	ASSERT_STATUS(commit, 2);
	cr_assert(strstr(commit.err, "warren export --delta one"), "%s", commit.err);
	ASSERT_STATUS(digest, 2);
	ASSERT_STATUS(absent, 3);
	WARREN_OK(&world, "export", "-o", path_of(&world, "root.tar"), "one");
	script_run(world.directory.path, "tar tf root.tar | grep -qx bin/busybox");
}

TEST(image_commit, takes_nothing_that_an_ephemeral_instance_writes, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();

	base_import(&world);
	WARREN_OK(&world, "run", "-d", "--name", "one", "--network", "none", "--ephemeral", "base:1", "/bin/sh", "-c",
		"echo new > /new; echo ready; exec /bin/busybox sleep 1000");
	instance_await_log(&world, "one", "ready\n");
	auto_run running = WARREN(&world, "commit", "one", "made:2");
	ASSERT_STATUS(running, 2);
	cr_assert(strstr(running.err, "one is ephemeral"), "%s", running.err);
	cr_assert_str_eq(instance_fact(&world, "one", "state"), "running", "not frozen any more");
	WARREN_OK(&world, "stop", "one");
	WARREN_OK(&world, "commit", "one", "made:2");
	assert_says(&world, "made:2", "test -e /new || echo nothing", "nothing\n");
}

static pid_t commit_begin(const struct playground *world)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(WARREN_PROGRAM, "warren", "--root", world->root, "--cgroup-parent", world->parent, "commit",
			"one", "made:2", NULL);
		_exit(127);
	}
	return pid;
}

/* A large file, so that the command is in the middle of its work when the signal comes. */
TEST(image_commit, ended_by_a_signal_it_lets_the_instance_go_on, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();
	int status;

	base_import(&world);
	WARREN_OK(&world, "run", "-d", "--name", "one", "--network", "none", "base:1", "/bin/sh", "-c",
		"/bin/busybox dd if=/dev/zero of=/large bs=1M count=300; echo ready; exec /bin/busybox sleep 1000");
	instance_await_log(&world, "one", "ready\n");
	pid_t pid = commit_begin(&world);
	instance_await_state(&world, "one", "paused");
	cr_assert(kill(pid, SIGTERM) == 0 && waitpid(pid, &status, 0) == pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status %x", status);
	cr_assert_str_eq(instance_fact(&world, "one", "state"), "running");
	auto_run absent = WARREN(&world, "image", "inspect", "made:2");
	ASSERT_STATUS(absent, 3);
}

/* "OWNER CHANGED" of each file of that name below the state directory: on disk are the ids that the instance sees, and
 * the time tells whether somebody changed them. */
static const char *owners_on_disk(struct playground *world)
{
	auto_run found = RUN("find", world->root, "-type", "f", "-name", "kept", "-printf", "%U:%G %C@\\n");

	ASSERT_STATUS(found, 0);
	return arena_string(&world->arena, found.out);
}

TEST(image_commit, a_clone_has_another_range_of_ids_and_its_files_were_given_to_nobody, .fini = playground_rescue,
	.timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();

	base_import(&world);
	WARREN_OK(&world, "run", "-d", "--name", "one", "--network", "none", "base:1", "/bin/sh", "-c",
		"b=/bin/busybox; test -e /kept || { echo once > /kept; $b chown 33:33 /kept; }; echo again >> /new; "
		"echo ready; exec $b sleep 1000");
	instance_await_log(&world, "one", "ready\n");
	WARREN_OK(&world, "stop", "-t", "0s", "one");
	const char *before = owners_on_disk(&world);
	cr_assert(text_starts_with(before, "33:33 ") && strchr(before, '\n') == before + strlen(before) - 1, "%s",
		before);
	WARREN_OK(&world, "clone", "one", "two");
	WARREN_OK(&world, "start", "one");
	WARREN_OK(&world, "start", "two");
	instance_await_log(&world, "two", "ready\n");
	auto_run one = WARREN(&world, "exec", "one", "/bin/busybox", "cat", "/proc/self/uid_map");
	auto_run two = WARREN(&world, "exec", "two", "/bin/busybox", "cat", "/proc/self/uid_map");
	cr_assert(*one.out && strcmp(one.out, two.out) != 0, "one range for both: %s", two.out);
	cr_assert_str_eq(owners_on_disk(&world), before, "no owner was changed, and nothing was copied");
	auto_run seen = WARREN(&world, "exec", "two", "/bin/sh", "-c",
		"b=/bin/busybox; $b stat -c %u:%g /kept /bin/busybox; $b cat /kept /new; echo more >> /kept; $b cat "
		"/kept");
	ASSERT_STATUS(seen, 0);
	cr_assert_str_eq(seen.out, "33:33\n0:0\nonce\nagain\nagain\nonce\nmore\n");
	auto_run other = WARREN(&world, "exec", "one", "/bin/busybox", "cat", "/kept");
	cr_assert_str_eq(other.out, "once\n", "a life of its own");
}
