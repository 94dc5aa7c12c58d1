/* Where today's runtimes differ from one another: a test for each, named for what is right. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/file.h"
#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

#define SLEEP "[\"/bin/sleep\", \"1000\"]"
#define SHORT_MS SLOWLY(10000)

#define ASSERT_SAYS(run, text)                                                                                         \
	cr_assert(strstr((run).out, text), "got \"%s%s\", expected \"%s\"", (run).out, (run).err, text)

static void text_write(const char *path, const char *text)
{
	struct error err;

	ASSERT_OK(file_write(AT_FDCWD, path, text, &err));
}

/* For what busybox cannot do: any system call. */
static void helper_copy(const struct bundle *bundle)
{
	auto_free char *target = text_format("%s/rootfs/bin/attack", bundle->path);
	auto_run copied = RUN("cp", ATTACK_HELPER_PROGRAM, target);

	ASSERT_STATUS(copied, 0);
}

/* Others wait for ever for a process that was born frozen. */
TEST(oci_differences, a_cgroup_that_exists_and_is_frozen_is_refused)
{
	NEEDS_ROOT();
	bool v2 = host_is_v2();
	const struct run_options in_time = {.timeout_ms = SHORT_MS};
	const char *const words[] = {"run", "ID", NULL};
	auto_bundle bundle = bundle_new();
	auto_free char *parent = text_format("/sys/fs/cgroup/%swarren", v2 ? "" : "freezer/");
	auto_free char *path = text_format("%s/%s-frozen", parent, bundle.id);
	auto_free char *state = text_format("%s/%s", path, v2 ? "cgroup.freeze" : "freezer.state");
	auto_free char *system = text_format("\"cgroupsPath\": \"/warren/%s-frozen\"", bundle.id);

	mkdir(parent, 0755);
	cr_assert(mkdir(path, 0755) == 0);
	text_write(state, v2 ? "1" : "FROZEN");
	BUNDLE_WRITE(&bundle, .system = system);
	auto_run run = bundle_oci(&bundle, words, &in_time);
	text_write(state, v2 ? "0" : "THAWED");
	cr_assert(rmdir(path) == 0, "it is not as it was: %s", strerror(errno));
	cr_assert(!run.timed_out);
	ASSERT_REFUSED(run, "it exists already and is frozen");
}

TEST(oci_differences, a_relative_pid_file_is_the_callers)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_directory here = run_directory_new();
	auto_free char *file = text_format("%s/pid", here.path), *elsewhere = text_format("%s/pid", bundle.path);
	const char *const words[] = {"create", "--bundle", bundle.path, "--pid-file", "pid", "ID", NULL};

	BUNDLE_WRITE(&bundle, .args = SLEEP);
	auto_run created = bundle_oci(&bundle, words, &(struct run_options){.directory = here.path});
	ASSERT_STATUS(created, 0);
	cr_assert(access(file, F_OK) == 0 && access(elsewhere, F_OK) < 0);
}

/* A C library asks for the new call first and takes the old one on ENOSYS only; EPERM breaks programs. */
TEST(oci_differences, a_system_call_newer_than_the_filter_does_not_exist)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	helper_copy(&bundle);
	/* acct (163) is older than what is allowed, 900 is of the future. */
	BUNDLE_WRITE(&bundle, .script = "attack call 163; attack call 900; true",
		.system =
			"\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"action\": "
			"\"SCMP_ACT_ALLOW\", "
			"\"names\": [\"read\", \"write\", \"open\", \"openat\", \"close\", \"fstat\", \"newfstatat\", "
			"\"stat\", "
			"\"lstat\", \"mmap\", \"mprotect\", \"munmap\", \"brk\", \"rt_sigaction\", \"rt_sigprocmask\", "
			"\"rt_sigreturn\", \"ioctl\", \"access\", \"execve\", \"exit\", \"exit_group\", \"wait4\", "
			"\"fork\", "
			"\"vfork\", \"clone\", \"getpid\", \"getppid\", \"getuid\", \"geteuid\", \"getgid\", "
			"\"getegid\", "
			"\"getcwd\", \"fcntl\", \"dup2\", \"pipe2\", \"arch_prctl\", \"set_tid_address\", "
			"\"set_robust_list\", \"rseq\", \"prlimit64\", \"getrandom\", \"readlink\", \"readlinkat\", "
			"\"uname\", "
			"\"writev\", \"setgid\", \"setuid\", \"setpgid\", \"prctl\", \"capset\", \"close_range\", "
			"\"faccessat2\", \"setgroups\", \"setresuid\", \"setresgid\", \"futex\", \"sched_yield\", "
			"\"mseal\"]}]}");
	auto_run run = OCI(&bundle, "run", "ID");
	ASSERT_SAYS(run, "163: Operation not permitted\n900: Function not implemented\n");
}

/* The supervisor is told by a write. */
TEST(oci_differences, write_cannot_be_handed_to_a_supervisor)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .system = "\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"listenerPath\": "
					"\"/nonesuch\", \"syscalls\": "
					"[{\"names\": [\"write\"], \"action\": \"SCMP_ACT_NOTIFY\"}]}");
	auto_run run = OCI(&bundle, "run", "ID");
	ASSERT_REFUSED(run, "write");
	cr_assert(bundle_cgroups(&bundle) == 0);
}

TEST(oci_differences, what_only_root_can_reach_is_mounted_for_users_of_their_own)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *closed = text_format("%s/closed", bundle.directory.path);
	auto_free char *mount = text_format(
		"{\"destination\": \"/data\", \"type\": \"bind\", \"source\": \"%s/inner\", \"options\": [\"bind\"]}",
		closed);
	auto_free char *owner = text_format("%s/rootfs", bundle.path);

	run_write_file(bundle.directory.path, "closed/inner/file", 0644, "reached");
	cr_assert(chmod(closed, 0700) == 0 && chown(owner, 100000, 100000) == 0);
	BUNDLE_WRITE(&bundle, .script = "cat /data/file", .mounts = mount,
		.namespaces = "[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"user\"}, {\"type\": \"uts\"}]",
		.system = "\"uidMappings\": [{\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}], "
			  "\"gidMappings\": [{\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}]");
	auto_run run = OCI(&bundle, "run", "ID");
	ASSERT_STATUS(run, 0);
	cr_assert_str_eq(run.out, "reached");
}

TEST(oci_differences, a_terminal_needs_none_of_the_callers)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(
		&bundle, .script = "test -t 0 && test -t 1 && echo on a terminal", .process = "\"terminal\": true");
	auto_run run = OCI(&bundle, "run", "ID");
	ASSERT_STATUS(run, 0);
	ASSERT_SAYS(run, "on a terminal");
}

TEST(oci_differences, a_variable_for_exec_replaces_no_other)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = SLEEP);
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run exec = OCI(&bundle, "exec", "--env", "A=1", "ID", "sh", "-c", "echo $A $PATH");
	ASSERT_STATUS(exec, 0);
	cr_assert_str_eq(exec.out, "1 /bin\n");
}

TEST(oci_differences, exec_in_a_cgroup_that_does_not_exist_is_refused)
{
	NEEDS_ROOT();
	static const char *const paths[] = {"nonesuch", "..", "../..", "/nonesuch"};
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = SLEEP);
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		auto_run exec = OCI(&bundle, "exec", "--cgroup", paths[i], "ID", "true");
		ASSERT_REFUSED(exec, "sub-cgroup");
	}
}

/* Where the working directory is has to be asked before the filter is in force. */
TEST(oci_differences, a_filter_that_forbids_getcwd_does_not_hinder_the_start)
{
	NEEDS_ROOT();
	static const char *const processes[] = {"\"cwd\": \"/bin\", \"noNewPrivileges\": true", "\"cwd\": \"/bin\"",
		"\"cwd\": \"/bin\", \"user\": {\"uid\": 5, \"gid\": 5}"};
	auto_bundle bundle = bundle_new();

	for (size_t i = 0; i < ARRAY_SIZE(processes); i++) {
		BUNDLE_WRITE(&bundle, .args = "[\"/bin/echo\", \"started\"]", .process = processes[i], .no_cwd = true,
			.system = "\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": "
				  "[\"getcwd\"], "
				  "\"action\": \"SCMP_ACT_ERRNO\"}]}");
		auto_run run = OCI(&bundle, "run", "ID");
		cr_assert(run.status == 0 && strcmp(run.out, "started\n") == 0, "%s: %s", processes[i], run.err);
	}
}

/* A hook of that kind that writes what it is told to `told` beside the bundle. */
static void hooked_write(struct bundle *bundle, const char *kind)
{
	auto_free char *hooks = text_format("\"annotations\": {\"a/b\": \"c/d\"}, \"hooks\": {\"%s\": [{\"path\": "
					    "\"/bin/sh\", \"args\": [\"sh\", \"-c\", \"cat > %s/told\"]}]}",
		kind, bundle->directory.path);

	BUNDLE_WRITE(bundle, .args = SLEEP, .top = hooks);
}

static const char *told(struct arena *arena, const struct bundle *bundle)
{
	const char *file = arena_format(arena, "%s/told", bundle->directory.path), *content;
	struct error err;

	ASSERT_OK(file_read(arena, AT_FDCWD, file, 1 << 16, &content, NULL, &err));
	return content;
}

TEST(oci_differences, hooks_after_the_start_see_a_running_container)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	auto_bundle bundle = bundle_new();

	hooked_write(&bundle, "poststart");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	cr_assert(strstr(told(&arena, &bundle), "\"status\":\"running\""), "%s", told(&arena, &bundle));
}

/* Of "/" in the container, as the kernel tells it: "shared:N", "unbindable" or nothing. */
TEST(oci_differences, the_root_has_the_propagation_that_was_asked_for)
{
	NEEDS_ROOT();
	static const struct {
		const char *word, *mark;
		bool has;
	} rows[] = {{"shared", " shared:", true}, {"unbindable", " unbindable ", true}, {"private", " shared:", false},
		{"private", " unbindable ", false}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_bundle bundle = bundle_new();
		auto_free char *system = text_format("\"rootfsPropagation\": \"%s\"", rows[i].word);

		BUNDLE_WRITE(&bundle,
			.script = "grep \" / / \" /proc/self/mountinfo || grep \"/rootfs / \" /proc/self/mountinfo",
			.system = system);
		auto_run run = OCI(&bundle, "run", "ID");
		ASSERT_STATUS(run, 0);
		cr_assert((strstr(run.out, rows[i].mark) != NULL) == rows[i].has, "%s: %s", rows[i].word, run.out);
	}
}

/* In the order of the rules, after what every container may use. */
TEST(oci_differences, the_list_of_devices_is_that_of_the_rules)
{
	NEEDS_ROOT();
	SKIP_UNLESS(!host_is_v2(), "on this kernel devices are a program of cgroup v2, not a list of v1");
	auto_bundle bundle = bundle_new();
	auto_free char *file = text_format("/sys/fs/cgroup/devices/warren/%s/devices.list", bundle.id);
	auto_free char *system = text_format(
		"\"cgroupsPath\": \"/warren/%s\", \"resources\": {\"devices\": [{\"allow\": false, \"access\": "
		"\"rwm\"}, {\"allow\": true, \"type\": \"c\", \"major\": 10, \"minor\": 229, \"access\": \"rw\"}, "
		"{\"allow\": true, \"type\": \"b\", \"major\": 7, \"access\": \"m\"}]}",
		bundle.id);

	BUNDLE_WRITE(&bundle, .args = SLEEP, .system = system);
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run list = RUN("cat", file);
	ASSERT_SAYS(list, "c 10:229 rw\n");
	ASSERT_SAYS(list, "b 7:* m\n");
	ASSERT_SAYS(list, "c 1:3 rwm\n");
	ASSERT_SAYS(list, "c 136:* rwm\n");
	cr_assert(!strstr(list.out, "a *:*") && !strstr(list.out, "b *:* rwm") && !strstr(list.out, "c *:* rwm"), "%s",
		list.out);
}

TEST(oci_differences, a_created_container_can_be_deleted)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = SLEEP);
	auto_run created = OCI(&bundle, "create", "ID");
	ASSERT_STATUS(created, 0);
	auto_run deleted = OCI(&bundle, "delete", "ID");
	ASSERT_STATUS(deleted, 0);
	auto_run state = OCI(&bundle, "state", "ID");
	ASSERT_REFUSED(state, "does not exist");
	cr_assert(bundle_cgroups(&bundle) == 0);
}

/* Configs are written for newer kernels, too; in a file of our own it is a typing error. */
TEST(oci_differences, an_unknown_capability_is_left_out_with_a_warning)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_directory own = run_directory_new();
	auto_free char *fleet = text_format("%s/fleet.json", own.path);

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/echo\", \"started\"]",
		.process = "\"capabilities\": {\"bounding\": [\"CAP_KILL\", \"CAP_OF_THE_FUTURE\"]}");
	auto_run run = OCI(&bundle, "run", "ID");
	ASSERT_STATUS(run, 0);
	ASSERT_SAYS(run, "started");
	cr_assert(strstr(run.err, "CAP_OF_THE_FUTURE"), "%s", run.err);
	run_write_file(own.path, "fleet.json", 0644,
		"{\"version\": 1, \"name\": \"own\", \"instances\": {\"web\": {\"image\": \"host\", \"command\": "
		"[\"true\"], \"cap_add\": "
		"[\"OF_THE_FUTURE\"]}}}");
	auto_run check = RUN(WARREN_PROGRAM, "--root", own.path, "doctor", fleet);
	cr_assert(check.status != 0 && strstr(check.err, "OF_THE_FUTURE"), "%d %s", check.status, check.err);
}

TEST(oci_differences, options_of_update_stand_before_or_after_the_id)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = SLEEP);
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run before = OCI(&bundle, "update", "--pids-limit", "50", "ID");
	ASSERT_STATUS(before, 0);
	auto_run after = OCI(&bundle, "update", "ID", "--pids-limit", "60");
	ASSERT_STATUS(after, 0);
	auto_run figures = OCI(&bundle, "events", "--stats", "ID");
	ASSERT_SAYS(figures, "\"pids\":{\"current\":1,\"limit\":60}");
}

/* Clients cut and parse these. */
TEST(oci_differences, layouts_are_those_of_runc)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = SLEEP);
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run list = OCI(&bundle, "list");
	cr_assert(text_starts_with(list.out, "ID ") && strstr(list.out, " PID ") && strstr(list.out, " STATUS ") &&
			  strstr(list.out, " BUNDLE ") && strstr(list.out, " CREATED ") && strstr(list.out, " OWNER\n"),
		"%s", list.out);
	auto_run stats = OCI(&bundle, "events", "--stats", "ID");
	cr_assert(text_starts_with(stats.out, "{\"type\":\"stats\",\"id\":\""), "%s", stats.out);
	auto_run pids = OCI(&bundle, "ps", "--format", "json", "ID");
	cr_assert(*pids.out == '[' && strcmp(pids.out + strspn(pids.out + 1, "0123456789") + 1, "]\n") == 0, "%s",
		pids.out);
	auto_run wrong = OCI(&bundle, "--debug", "--log-format", "json", "--log", "/dev/stderr", "state", "nonesuch");
	cr_assert(strstr(wrong.err, "\"level\":\"error\",\"msg\":\"") && strstr(wrong.err, "\"time\":\""), "%s",
		wrong.err);
	auto_run help = OCI(&bundle, "-h");
	ASSERT_STATUS(help, 0);
	ASSERT_SAYS(help, "create");
}

/* Compact, slashes as they are: clients compare the bytes. The kinds, their order and failures: test_oci_hooks.c. */
TEST(oci_differences, hooks_are_given_the_same_bytes)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	auto_bundle bundle = bundle_new();

	hooked_write(&bundle, "createRuntime");
	auto_run run = OCI(&bundle, "create", "--pid-file", "pid", "ID");
	ASSERT_STATUS(run, 0);
	auto_free char *pid_file = text_format("%s/pid", bundle.path);
	auto_run pid = RUN("cat", pid_file);
	auto_free char *expected =
		text_format("{\"ociVersion\":\"1.0.2\",\"id\":\"%s\",\"status\":\"creating\",\"pid\":%s,"
			    "\"root\":\"%s/rootfs\",\"bundle\":\"%s\",\"annotations\":{\"a/b\":\"c/d\"}}",
			bundle.id, pid.out, bundle.path, bundle.path);
	cr_assert_str_eq(told(&arena, &bundle), expected, "got %s, expected %s", told(&arena, &bundle), expected);
}
