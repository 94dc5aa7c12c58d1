/* runtime/process/process.c: every step is done for real in a forked child, which reports through its exit status or a
 * pipe. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/process/process.h"
#include "runtime/runtime.h"
#include "runtime/seccomp/seccomp.h"
#include "tests/test.h"

static struct spec_process plain_process(struct arena *arena, const char *program)
{
	struct spec_process process = {.cwd = "/"};

	strings_add(arena, &process.args, program);
	for (int set = CAPS_BOUNDING; set <= CAPS_PERMITTED; set++)
		process.capabilities[set] =
			set == CAPS_INHERITABLE ? 0 : UINT64_C(1) << CAP_CHOWN | UINT64_C(1) << CAP_SETUID;
	return process;
}

/* --- the plan ----------------------------------------------------------------------------------------------------- */

static void env_add(struct arena *arena, struct spec_process *process, const char *entry)
{
	strings_add(arena, &process->env, entry);
}

static void assert_list(const char *const *list, size_t count, const char *const *expected)
{
	for (size_t i = 0; i < count; i++)
		cr_assert(list[i] && strcmp(list[i], expected[i]) == 0, "%zu: got %s, expected %s", i, list[i],
			expected[i]);
	cr_assert(list[count] == NULL, "more: %s", list[count]);
}
#define ASSERT_LIST(list, ...)                                                                                         \
	assert_list(list, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

TEST(process_plan, names_every_variable_once_and_the_last_value_wins)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process = plain_process(&arena, "/bin/true");
	struct process_plan plan;
	struct error err = {0};

	env_add(&arena, &process, "PATH=/a");
	env_add(&arena, &process, "X=1");
	env_add(&arena, &process, "HOME=/h");
	env_add(&arena, &process, "X=2");
	env_add(&arena, &process, "XY=");
	ASSERT_OK(process_plan_prepare(&arena, &process, NULL, &plan, &err));
	ASSERT_LIST(plan.envp, "PATH=/a", "X=2", "HOME=/h", "XY=");
}

TEST(process_plan, adds_path_home_and_term_where_they_are_missing)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process = plain_process(&arena, "/bin/true");
	struct process_plan plan;
	struct error err = {0};

	ASSERT_OK(process_plan_prepare(&arena, &process, NULL, &plan, &err));
	ASSERT_LIST(plan.envp, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root");
	process.uid = 33;
	process.terminal = true;
	ASSERT_OK(process_plan_prepare(&arena, &process, NULL, &plan, &err));
	ASSERT_LIST(
		plan.envp, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "TERM=xterm");
}

TEST(process_plan, searches_the_path_of_the_container_and_not_ours)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process = plain_process(&arena, "nginx");
	struct process_plan plan;
	struct error err = {0};

	env_add(&arena, &process, "PATH=/opt/bin::/usr/sbin");
	ASSERT_OK(process_plan_prepare(&arena, &process, NULL, &plan, &err));
	ASSERT_LIST(plan.candidates, "/opt/bin/nginx", "./nginx", "/usr/sbin/nginx");
	process.args = (struct strings){0};
	strings_add(&arena, &process.args, "bin/tool");
	ASSERT_OK(process_plan_prepare(&arena, &process, NULL, &plan, &err));
	ASSERT_LIST(plan.candidates, "bin/tool");
}

TEST(process_plan, refuses_what_cannot_be_executed)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process = {.cwd = "/"};
	struct process_plan plan;
	struct error err = {0};

	ASSERT_FAILS(process_plan_prepare(&arena, &process, NULL, &plan, &err), ERROR_USAGE,
		"no program to execute: args is empty");
	strings_add(&arena, &process.args, "");
	ASSERT_FAILS(process_plan_prepare(&arena, &process, NULL, &plan, &err), ERROR_USAGE,
		"no program to execute: args[0] is an empty string");
	process.args.items[0] = "x";
	env_add(&arena, &process, "NOVALUE");
	ASSERT_FAILS(process_plan_prepare(&arena, &process, NULL, &plan, &err), ERROR_USAGE,
		"environment entry \"NOVALUE\" is not NAME=value");
	process.env.items[0] = "=x";
	ASSERT_FAILS(process_plan_prepare(&arena, &process, NULL, &plan, &err), ERROR_USAGE,
		"environment entry \"=x\" is not NAME=value");
}

/* --- execution ---------------------------------------------------------------------------------------------------- */

/* Runs body in a child; its exit status comes back. */
#define IN_CHILD(body)                                                                                                 \
	({                                                                                                             \
		pid_t child_ = fork();                                                                                 \
		int status_ = 0;                                                                                       \
		cr_assert(child_ >= 0);                                                                                \
		if (child_ == 0) {                                                                                     \
			body;                                                                                          \
			_exit(0);                                                                                      \
		}                                                                                                      \
		cr_assert(waitpid(child_, &status_, 0) == child_);                                                     \
		WIFEXITED(status_) ? WEXITSTATUS(status_) : 1000 + WTERMSIG(status_);                                  \
	})
/* In a child: ends it with a status that tells the line. */
#define CHILD_ASSERT(condition)                                                                                        \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s: errno %d\n", __FILE__, __LINE__, #condition, errno);               \
			_exit(99);                                                                                     \
		}                                                                                                      \
	} while (0)

static struct process_plan plan_of(struct arena *arena, const struct spec_process *process)
{
	struct process_plan plan;
	struct error err = {0};

	ASSERT_OK(process_plan_prepare(arena, process, NULL, &plan, &err));
	return plan;
}

TEST(process_execute, finds_the_first_program_that_can_be_executed)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process = plain_process(&arena, "true");
	char directory[] = "/tmp/warren-process-XXXXXX";

	cr_assert(mkdtemp(directory));
	const char *blocked = arena_format(&arena, "%s/true", directory);
	close(open(blocked, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	/* One that is absent, one that is no directory, one that may not be executed, and the right one. */
	env_add(&arena, &process, arena_format(&arena, "PATH=/nonesuch:/dev/null:%s:/usr/bin", directory));
	struct process_plan plan = plan_of(&arena, &process);
	int status = IN_CHILD({
		struct error err = {0};
		process_execute(&plan, &err);
		_exit(98);
	});
	unlink(blocked);
	rmdir(directory);
	cr_assert(status == 0, "%d", status);
}

TEST(process_execute, says_what_was_wrong_with_its_errno)
{
	AUTO(arena_drop) struct arena arena = {0};
	static const struct {
		const char *program, *path, *text;
		int errnum;
	} cases[] = {
		{"nonesuch", "PATH=/usr/bin:/bin", "execute nonesuch: no such file or directory", ENOENT},
		{"/bin/nonesuch", "PATH=/bin", "execute /bin/nonesuch: no such file or directory", ENOENT},
		{"passwd", "PATH=/nonesuch:/etc:/nonesuch", "execute passwd: permission denied", EACCES},
		{"/etc/passwd", "PATH=/bin", "execute /etc/passwd: permission denied", EACCES},
		{"/etc", "PATH=/bin", "execute /etc: permission denied", EACCES},
		{"nonesuch", "PATH=/etc/passwd", "execute nonesuch: Not a directory", ENOTDIR},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct spec_process process = plain_process(&arena, cases[i].program);
		struct error err = {0};

		env_add(&arena, &process, cases[i].path);
		struct process_plan plan = plan_of(&arena, &process);
		cr_assert(process_execute(&plan, &err) == -1);
		cr_assert_str_eq(err.text, cases[i].text);
		cr_assert(err.errnum == cases[i].errnum, "%s: %d", err.text, err.errnum);
	}
}

/* --- descriptors -------------------------------------------------------------------------------------------------- */

TEST(process_close_others, leaves_the_preserved_and_nothing_else)
{
	int status = IN_CHILD({
		struct error err = {0};

		CHILD_ASSERT(dup2(0, 3) == 3 && dup2(0, 4) == 4 && dup2(0, 5) == 5 && dup2(0, 90) == 90);
		CHILD_ASSERT(fcntl(3, F_SETFD, FD_CLOEXEC) == 0);
		CHILD_ASSERT(process_close_others(2, &err) == 0);
		CHILD_ASSERT(fcntl(3, F_GETFD) == 0 && fcntl(4, F_GETFD) == 0);
		CHILD_ASSERT(fcntl(5, F_GETFD) == FD_CLOEXEC && fcntl(90, F_GETFD) == FD_CLOEXEC);
	});

	cr_assert(status == 0, "%d", status);
}

TEST(process_check_preserved, refuses_descriptors_that_are_not_open)
{
	int status = IN_CHILD({
		struct error err = {0};

		close_range(3, ~0U, 0);
		CHILD_ASSERT(dup2(0, 3) == 3);
		CHILD_ASSERT(process_check_preserved(1, &err) == 0);
		CHILD_ASSERT(process_check_preserved(2, &err) == -1);
		CHILD_ASSERT(strcmp(err.text, "2 descriptors to preserve, but descriptor 4 is not open") == 0);
	});

	cr_assert(status == 0, "%d", status);
}

/* --- working directory -------------------------------------------------------------------------------------------- */

TEST(process_enter_directory, makes_what_is_missing)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process = plain_process(&arena, "true");
	char directory[] = "/tmp/warren-process-XXXXXX";

	cr_assert(mkdtemp(directory));
	process.cwd = arena_format(&arena, "%s/a/b/c", directory);
	struct process_plan plan = plan_of(&arena, &process);
	int status = IN_CHILD({
		struct error err = {0};
		char place[200];

		CHILD_ASSERT(process_enter_directory(&plan, &err) == 0);
		CHILD_ASSERT(getcwd(place, sizeof(place)) && strcmp(place, process.cwd) == 0);
	});
	struct error err = {0};
	ASSERT_OK(tree_remove(AT_FDCWD, directory, &err));
	cr_assert(status == 0, "%d", status);
}

TEST(process_enter_directory, refuses_a_place_outside_the_root)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process = plain_process(&arena, "true");
	char directory[] = "/tmp/warren-process-XXXXXX";

	cr_assert(mkdtemp(directory));
	const char *inner = arena_format(&arena, "%s/proc", directory);
	cr_assert(mkdir(inner, 0755) == 0);
	/* A descriptor to the host's root, as a leak would leave it: reached by a relative name from where we stand. */
	process.cwd = ".";
	struct process_plan plan = plan_of(&arena, &process);
	int status = IN_CHILD({
		struct error err = {0};

		CHILD_ASSERT(chdir("/tmp") == 0 && chroot(directory) == 0);
		CHILD_ASSERT(process_enter_directory(&plan, &err) == -1);
		CHILD_ASSERT(strcmp(err.text, "working directory . lies outside the root") == 0);
	});
	rmdir(inner);
	rmdir(directory);
	cr_assert(status == 0, "%d", status);
}

TEST(process_enter_directory, says_why_not)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process = plain_process(&arena, "true");
	struct error err = {0};

	process.cwd = "/etc/passwd/x";
	struct process_plan plan = plan_of(&arena, &process);
	ASSERT_FAILS(
		process_enter_directory(&plan, &err), ERROR_SYSTEM, "working directory /etc/passwd/x: Not a directory");
}

/* --- becoming ----------------------------------------------------------------------------------------------------- */

struct sets {
	uint64_t effective, permitted, inheritable;
};

static struct sets own_sets(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	syscall(SYS_capget, &header, data);
	return (struct sets){
		.effective = data[0].effective | (uint64_t)data[1].effective << 32,
		.permitted = data[0].permitted | (uint64_t)data[1].permitted << 32,
		.inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32,
	};
}

static uint64_t own_set_by_prctl(int option, unsigned long first)
{
	uint64_t set = 0;

	for (unsigned i = 0; i < 64; i++) {
		if (prctl(option, first ? first : i, first ? i : 0, 0, 0) == 1)
			set |= UINT64_C(1) << i;
	}
	return set;
}

static uint64_t bounding(void)
{
	return own_set_by_prctl(PR_CAPBSET_READ, 0);
}

static uint64_t ambient(void)
{
	return own_set_by_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET);
}

TEST(process_become, gives_exactly_the_capabilities_asked_for)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process = plain_process(&arena, "true");
	struct process_plan plan = plan_of(&arena, &process);

	process.no_new_privileges = true;
	int status = IN_CHILD({
		struct error err = {0};
		uint64_t wanted = UINT64_C(1) << CAP_CHOWN | UINT64_C(1) << CAP_SETUID;

		CHILD_ASSERT(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
		CHILD_ASSERT(process_become(&plan, NULL, &err) == 0);
		struct sets sets = own_sets();
		CHILD_ASSERT(sets.effective == wanted && sets.permitted == wanted && sets.inheritable == 0);
		CHILD_ASSERT(bounding() == wanted && ambient() == 0);
		CHILD_ASSERT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
		int signal = -1;
		CHILD_ASSERT(prctl(PR_GET_PDEATHSIG, &signal) == 0 && signal == 0);
	});
	cr_assert(status == 0, "%d", status);
}

TEST(process_become, keeps_capabilities_across_the_change_of_the_uid)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process = plain_process(&arena, "true");
	gid_t groups[] = {7, 8};

	process.uid = 1234;
	process.gid = 4321;
	process.groups.items = groups;
	process.groups.count = 2;
	process.umask = (struct optional){true, 077};
	process.capabilities[CAPS_INHERITABLE] = process.capabilities[CAPS_AMBIENT] = UINT64_C(1) << CAP_CHOWN;
	struct process_plan plan = plan_of(&arena, &process);
	int status = IN_CHILD({
		struct error err = {0};
		gid_t got[4];
		uid_t ids[3];

		CHILD_ASSERT(process_become(&plan, NULL, &err) == 0);
		CHILD_ASSERT(getresuid(&ids[0], &ids[1], &ids[2]) == 0 && ids[0] == 1234 && ids[1] == 1234 &&
			     ids[2] == 1234);
		CHILD_ASSERT(getresgid(&ids[0], &ids[1], &ids[2]) == 0 && ids[0] == 4321 && ids[1] == 4321 &&
			     ids[2] == 4321);
		CHILD_ASSERT(getgroups(4, got) == 2 && got[0] == 7 && got[1] == 8);
		CHILD_ASSERT(umask(0) == 077);
		struct sets sets = own_sets();
		CHILD_ASSERT(sets.effective == process.capabilities[CAPS_EFFECTIVE]);
		CHILD_ASSERT(sets.inheritable == UINT64_C(1) << CAP_CHOWN && ambient() == UINT64_C(1) << CAP_CHOWN);
		CHILD_ASSERT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	});
	cr_assert(status == 0, "%d", status);
}

TEST(process_become, clears_an_ambient_set_that_the_caller_had)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process = plain_process(&arena, "true");
	struct process_plan plan = plan_of(&arena, &process);
	int status = IN_CHILD({
		struct error err = {0};
		struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
		struct __user_cap_data_struct data[2];

		CHILD_ASSERT(syscall(SYS_capget, &header, data) == 0);
		data[0].inheritable |= 1u << CAP_CHOWN;
		CHILD_ASSERT(syscall(SYS_capset, &header, data) == 0);
		CHILD_ASSERT(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0) == 0);
		CHILD_ASSERT(process_become(&plan, NULL, &err) == 0);
		CHILD_ASSERT(ambient() == 0 && own_sets().inheritable == 0);
	});
	cr_assert(status == 0, "%d", status);
}

TEST(process_become, enters_as_the_user_where_root_may_not)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process = plain_process(&arena, "true");
	char directory[] = "/tmp/warren-process-XXXXXX";

	cr_assert(mkdtemp(directory));
	cr_assert(chown(directory, 1234, 1234) == 0 && chmod(directory, 0700) == 0);
	process.uid = process.gid = 1234;
	process.cwd = directory;
	struct process_plan plan = plan_of(&arena, &process);
	int status = IN_CHILD({
		struct error err = {0};
		struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
		struct __user_cap_data_struct data[2];
		char place[100];

		/* As behind a file system that root has no power over. */
		CHILD_ASSERT(syscall(SYS_capget, &header, data) == 0);
		data[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
		CHILD_ASSERT(syscall(SYS_capset, &header, data) == 0);
		CHILD_ASSERT(chdir("/") == 0 && process_enter_directory(&plan, &err) == 0);
		CHILD_ASSERT(getcwd(place, sizeof(place)) && strcmp(place, "/") == 0);
		CHILD_ASSERT(process_become(&plan, NULL, &err) == 0);
		CHILD_ASSERT(getcwd(place, sizeof(place)) && strcmp(place, directory) == 0);
	});
	rmdir(directory);
	cr_assert(status == 0, "%d", status);
}

/* Without no_new_privs the filter is loaded first; it must not be asked for what a program may not do. */
TEST(process_become, asks_nothing_of_the_filter_that_a_profile_may_refuse)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process = plain_process(&arena, "true");
	struct spec_seccomp profile = {.default_action = SCMP_ACT_ALLOW};
	struct seccomp_rule rule = {.action = SCMP_ACT_KILL_PROCESS};
	struct seccomp_program *program = NULL;
	struct error err = {0};

	strings_add(&arena, &rule.names, "getcwd");
	strings_add(&arena, &rule.names, "umask");
	strings_add(&arena, &rule.names, "setrlimit");
	profile.rules.items = &rule;
	profile.rules.count = 1;
	ASSERT_OK(seccomp_program_compile(&profile, &program, &err));
	process.uid = process.gid = 1234;
	process.cwd = "/tmp";
	struct process_plan plan = plan_of(&arena, &process);
	int status = IN_CHILD({
		CHILD_ASSERT(process_enter_directory(&plan, &err) == 0);
		CHILD_ASSERT(process_become(&plan, program, &err) == 0);
		CHILD_ASSERT(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2);
	});
	seccomp_program_drop(&program);
	cr_assert(status == 0, "%d", status);
}

TEST(process_set_rlimits, sets_them_and_names_the_one_that_failed)
{
	struct spec_rlimit rows[] = {
		{RLIMIT_CORE, {0, 0}},
		{RLIMIT_NOFILE, {RLIM_INFINITY, RLIM_INFINITY}}, /* above fs.nr_open: nobody may */
	};
	struct spec_process process = {.cwd = "/"};

	process.rlimits.items = rows;
	process.rlimits.count = 2;
	int status = IN_CHILD({
		struct error err = {0};
		struct rlimit limit;

		CHILD_ASSERT(process_set_rlimits(&process, &err) == -1);
		fprintf(stderr, "%s\n", err.text);
		CHILD_ASSERT(
			strstr(err.text, "set RLIMIT_NOFILE to 18446744073709551615:18446744073709551615") == err.text);
		CHILD_ASSERT(strstr(err.text, "Operation not permitted"));
		CHILD_ASSERT(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0);
	});
	cr_assert(status == 0, "%d", status);
}

TEST(process_raise_rlimits, lowers_nothing)
{
	struct spec_rlimit rows[] = {{RLIMIT_NOFILE, {16, 16}}};
	struct spec_process process = {.cwd = "/"};

	process.rlimits.items = rows;
	process.rlimits.count = 1;
	int status = IN_CHILD({
		struct error err = {0};
		struct rlimit before;
		struct rlimit after;

		CHILD_ASSERT(getrlimit(RLIMIT_NOFILE, &before) == 0);
		CHILD_ASSERT(process_raise_rlimits(getpid(), &process, &err) == 0);
		CHILD_ASSERT(getrlimit(RLIMIT_NOFILE, &after) == 0 && after.rlim_max == before.rlim_max);
	});
	cr_assert(status == 0, "%d", status);
}
