/* Tests of runtime/start/guard.c: the attack that it stops, against a copy of this very test program.
 *
 * The copy is executed with GUARD_ROLE set and then plays three parts. "plain" and "guarded" are a runtime, without and
 * with the guard: it starts a container whose program is /proc/self/exe and goes away. "attack" is what that executes,
 * as the container's first process: the runtime's file, held open, which is written to once nobody runs it any more. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/process.h"
#include "runtime/start/guard.h"
#include "tests/runtime/support_runtime.h"

#define ROLE "GUARD_ROLE"

enum { WRITTEN = 40, REFUSED = 41 };

/* 9 is the runtime's file. As long as somebody executes it the answer is "text file busy". */
static const char writer[] = "i=0; while ! echo x 2>/dev/null >> /proc/self/fd/9; do sleep 0.05; i=$((i+1)); "
			     "test $i -gt 60 && exit 41; done; exit 40";

_Noreturn static void play_attack(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	if (fd < 0 || dup2(fd, 9) < 0)
		_exit(80);
	execl("/bin/busybox", "sh", "-c", writer, NULL);
	_exit(81);
}

_Noreturn static void play_runtime(bool guarded, char **argv)
{
	struct arena arena = {0};
	struct spec spec;
	struct launched launched;
	struct error err = {0};

	if (guarded && guard_enter(argv, &err) < 0)
		_exit(82);
	spec_init(&spec);
	spec_set_defaults(&arena, &spec, 0);
	spec.seccomp = NULL;
	spec.namespaces.create[NS_USER] = false;
	spec.root = "/"; /* so that the program finds its libraries */
	strings_add(&arena, &spec.process.args, "/proc/self/exe");
	strings_add(&arena, &spec.process.env, ROLE "=attack");
	strings_add(&arena, &spec.process.env, "ASAN_OPTIONS=detect_leaks=0");
	for (size_t i = 0; i < spec.mounts.count; i++)
		if (strcmp(spec.mounts.items[i].type, "cgroup") == 0)
			spec.mounts.count = i; /* the last one */
	struct launch launch = launch_of(&spec);
	_exit(launch_start(&launch, &launched, NULL, &err) < 0 ? 83 : 0);
}

/* Before Criterion's main(): glibc gives constructors the arguments. */
__attribute__((constructor)) static void play(int argc, char **argv)
{
	const char *role = getenv(ROLE);

	(void)argc;
	if (!role)
		return;
	if (strcmp(role, "attack") == 0)
		play_attack();
	play_runtime(strcmp(role, "guarded") == 0, argv);
}

static void copy_self(const char *to)
{
	auto_fd in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	auto_fd out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char piece[65536];
	ssize_t got;

	while ((got = read(in, piece, sizeof(piece))) > 0)
		cr_assert(write_all(out, piece, (size_t)got) == 0);
}

static off_t size_of(const char *path)
{
	struct stat status;

	cr_assert(stat(path, &status) == 0);
	return status.st_size;
}

/* Runs the copy as a runtime and gives the exit status of the container that it leaves behind. */
static int attacked(const char *copy, const char *role)
{
	int status, runtime = -1, container = -1;
	pid_t pid = fork(), ended;

	if (pid == 0) {
		char *argv[] = {(char *)(uintptr_t)copy, NULL};

		setenv(ROLE, role, 1);
		setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
		execv(copy, argv);
		_exit(99);
	}
	while ((ended = wait(&status)) > 0)
		*(ended == pid ? &runtime : &container) = WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
	cr_assert(runtime == 0, "the runtime ended with %d", runtime);
	return container;
}

TEST(guard, keeps_the_runtimes_program_file_from_being_overwritten, .timeout = 60)
{
	AUTO(sandbox_drop) struct sandbox box;
	char copy[128];

	NEEDS_ROOT();
	cr_assert(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	sandbox_make(&box);
	snprintf(copy, sizeof(copy), "%s/runtime", box.directory);
	copy_self(copy);
	off_t size = size_of(copy);
	cr_assert(attacked(copy, "guarded") == REFUSED);
	cr_assert(size_of(copy) == size, "the file was written");
	/* That the attack is one: */
	cr_assert(attacked(copy, "plain") == WRITTEN);
	cr_assert(size_of(copy) == size + 2);
}

TEST(guard, knows_whether_it_is_in_place)
{
	struct error err;

	SKIP_UNLESS(guard_is_in_place(&err) == 0, "this test program lies on a read-only file system");
	ASSERT_FAILS(guard_check(&err), ERROR_SYSTEM, "our own program file would be open");
}
