/* How a process stands among others, seen from inside: scheduling, I/O priority, processors, memory policy,
 * personality, clocks, labels; for the first process and for one that comes later. */
#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

#define OWN_USERS                                                                                                      \
	"[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"user\"}, {\"type\": \"uts\"}, {\"type\": "          \
	"\"network\"}]"
#define MAPS                                                                                                           \
	"\"uidMappings\": [{\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}],"                                \
	"\"gidMappings\": [{\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}]"

static void assert_prints(struct bundle *bundle, const char *expected)
{
	auto_run run = OCI(bundle, "run", "ID");

	ASSERT_STATUS(run, 0);
	cr_assert_str_eq(run.out, expected, "got \"%s\" %s, expected \"%s\"", run.out, run.err, expected);
}

/* proc_pid_stat(5): nice, rt_priority, policy. */
#define STAT "read -r line </proc/self/stat; set -- $line; echo ${19} ${40} ${41}"

static const struct {
	const char *scheduler, *expected;
} schedulers[] = {
	{"{\"policy\": \"SCHED_BATCH\", \"nice\": 7}", "7 0 3\n"},
	{"{\"policy\": \"SCHED_IDLE\"}", "0 0 5\n"},
	{"{\"policy\": \"SCHED_OTHER\", \"nice\": 19}", "19 0 0\n"},
	{"{\"policy\": \"SCHED_RR\", \"priority\": 3, \"flags\": [\"SCHED_FLAG_RESET_ON_FORK\"]}", "0 3 2\n"},
	{"{\"policy\": \"SCHED_FIFO\", \"priority\": 2}", "0 2 1\n"},
};

/* Whether we may have a real-time policy: a cgroup without real-time bandwidth refuses it (sched(7)). */
static bool real_time_is_allowed(void)
{
	struct sched_param one = {.sched_priority = 1}, none = {0};

	if (sched_setscheduler(0, SCHED_RR, &one) < 0)
		return false;
	cr_assert(sched_setscheduler(0, SCHED_OTHER, &none) == 0);
	return true;
}

TEST(oci_process, is_scheduled_as_the_specification_says)
{
	NEEDS_ROOT();
	bool real_time = real_time_is_allowed();
	auto_bundle bundle = bundle_new();

	/* Policies without a nice value leave the one that we may have been started with. */
	cr_assert(setpriority(PRIO_PROCESS, 0, 0) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(schedulers); i++) {
		auto_free char *process = text_format("\"scheduler\": %s", schedulers[i].scheduler);

		if (!real_time && strstr(process, "priority"))
			continue;
		BUNDLE_WRITE(&bundle, .script = STAT, .process = process);
		assert_prints(&bundle, schedulers[i].expected);
		BUNDLE_WRITE(&bundle, .script = STAT, .process = process, .namespaces = OWN_USERS, .system = MAPS);
		assert_prints(&bundle, schedulers[i].expected);
	}
}

TEST(oci_process, has_its_io_priority_with_and_without_users_of_its_own)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	static const char script[] = "/bin/busybox ionice -p $$",
			  process[] = "\"ioPriority\": {\"class\": \"IOPRIO_CLASS_BE\", \"priority\": 6}";

	BUNDLE_WRITE(&bundle, .script = script, .process = process);
	assert_prints(&bundle, "best-effort: prio 6\n");
	BUNDLE_WRITE(&bundle, .script = script, .process = process, .namespaces = OWN_USERS, .system = MAPS);
	assert_prints(&bundle, "best-effort: prio 6\n");
	BUNDLE_WRITE(&bundle, .script = script, .process = "\"ioPriority\": {\"class\": \"IOPRIO_CLASS_IDLE\"}");
	assert_prints(&bundle, "idle\n");
}

TEST(oci_process, has_the_personality_of_the_container_also_when_it_comes_later)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "/bin/busybox uname -m; sleep 1000 >/dev/null 2>&1",
		.system = "\"personality\": {\"domain\": \"LINUX32\"}");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run exec = OCI(&bundle, "exec", "ID", "/bin/busybox", "uname", "-m");
	ASSERT_STATUS(exec, 0);
	cr_assert_str_eq(exec.out, "i686\n");
	BUNDLE_WRITE(&bundle, .script = "/bin/busybox uname -m", .system = "\"personality\": {\"domain\": \"LINUX\"}");
	auto_run removed = OCI(&bundle, "delete", "--force", "ID");
	ASSERT_STATUS(removed, 0);
	auto_run own = RUN("uname", "-m");
	assert_prints(&bundle, own.out);
}

TEST(oci_process, allocates_by_the_memory_policy)
{
	NEEDS_ROOT();
	SKIP_UNLESS(access("/proc/self/numa_maps", R_OK) == 0, "needs a kernel with CONFIG_NUMA");
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "grep -c bind:0 /proc/self/numa_maps >/dev/null && echo bound",
		.system = "\"memoryPolicy\": {\"mode\": \"MPOL_BIND\", \"nodes\": \"0\"}");
	assert_prints(&bundle, "bound\n");
	BUNDLE_WRITE(&bundle, .script = "grep -c interleave=static:0 /proc/self/numa_maps >/dev/null && echo ok",
		.system = "\"memoryPolicy\": {\"mode\": \"MPOL_INTERLEAVE\", \"nodes\": \"0\", "
			  "\"flags\": [\"MPOL_F_STATIC_NODES\"]}");
	assert_prints(&bundle, "ok\n");
	BUNDLE_WRITE(
		&bundle, .script = "true", .system = "\"memoryPolicy\": {\"mode\": \"MPOL_BIND\", \"nodes\": \"63\"}");
	auto_run run = OCI(&bundle, "run", "ID");
	ASSERT_STATUS(run, 1);
	cr_assert(strstr(run.err, "memoryPolicy: set MPOL_BIND on nodes \"63\": Invalid argument"), "%s", run.err);
}

#define TIME_NAMESPACES                                                                                                \
	"[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"uts\"}, {\"type\": \"network\"}, {\"type\": "       \
	"\"time\"}]"

TEST(oci_process, sees_clocks_that_are_set_apart)
{
	NEEDS_ROOT();
	SKIP_UNLESS(access("/proc/self/timens_offsets", F_OK) == 0, "needs time namespaces");
	auto_bundle bundle = bundle_new();
	static const char offsets[] = "\"timeOffsets\": {\"monotonic\": {\"secs\": 1000000, \"nanosecs\": 5}, "
				      "\"boottime\": {\"secs\": 2000000}}";

	BUNDLE_WRITE(&bundle, .namespaces = TIME_NAMESPACES, .system = offsets,
		.script = "cat /proc/self/timens_offsets; read -r up rest </proc/uptime; "
			  "test ${up%%.*} -gt 2000000 && echo later; sleep 1000 >/dev/null 2>&1");
	auto_free char *out = text_format("%s/out", bundle.directory.path);
	auto_free char *command =
		text_format("%s --root %s run -d %s >%s", WARREN_OCI_PROGRAM, bundle.state, bundle.id, out);
	auto_run run = run_program(
		(const char *const[]){"sh", "-c", command, NULL}, &(struct run_options){.directory = bundle.path});
	ASSERT_STATUS(run, 0);
	/* The shell may be slower than the commands that follow; the test's own time is the bound. */
	auto_run printed = RUN("sh", "-c", "until grep -q later \"$1\"; do sleep 0.05; done", "sh", out);
	ASSERT_STATUS(printed, 0);
	auto_run exec = OCI(&bundle, "exec", "ID", "cat", "/proc/self/timens_offsets");
	ASSERT_STATUS(exec, 0);
	cr_assert_str_eq(exec.out, "monotonic     1000000         5\nboottime      2000000         0\n");
	/* The runtime is back in its own: its waits would be years otherwise. */
	auto_run removed = OCI(&bundle, "delete", "--force", "ID");
	ASSERT_STATUS(removed, 0);
	auto_run said = RUN("grep", "-c", "later", out);
	cr_assert_str_eq(said.out, "1\n");
}

TEST(oci_process, sees_clocks_set_apart_with_users_of_its_own)
{
	NEEDS_ROOT();
	SKIP_UNLESS(access("/proc/self/timens_offsets", F_OK) == 0, "needs time namespaces");
	auto_bundle bundle = bundle_new();

	auto_free char *root = text_format("%s/rootfs", bundle.path);
	auto_run given = RUN("chown", "-R", "100000:100000", root);

	ASSERT_STATUS(given, 0);
	BUNDLE_WRITE(&bundle, .script = "read -r a b c </proc/self/timens_offsets; echo $a $b $c",
		.namespaces = "[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"uts\"}, {\"type\": \"user\"}, "
			      "{\"type\": \"time\"}]",
		.system = MAPS ", \"timeOffsets\": {\"monotonic\": {\"secs\": 77}}");
	assert_prints(&bundle, "monotonic 77 0\n");
}

TEST(oci_process, of_an_exec_runs_on_the_processors_it_is_given)
{
	NEEDS_ROOT();
	SKIP_UNLESS(sysconf(_SC_NPROCESSORS_ONLN) > 1, "needs two processors");
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"1000\"]",
		.process = "\"execCPUAffinity\": {\"initial\": \"0\", \"final\": \"1\"}");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run exec = OCI(&bundle, "exec", "ID", "grep", "Cpus_allowed_list", "/proc/self/status", "/proc/1/status");
	ASSERT_STATUS(exec, 0);
	cr_assert_str_eq(exec.out, "/proc/self/status:Cpus_allowed_list:\t1\n/proc/1/status:Cpus_allowed_list:\t0-1\n",
		"%s", exec.out);
	run_write_file(bundle.path, "process.json", 0644,
		"{\"args\": [\"grep\", \"Cpus_allowed_list\", \"/proc/self/status\"], \"cwd\": \"/\", \"env\": "
		"[\"PATH=/bin\"], \"execCPUAffinity\": {\"final\": \"0\"}}");
	auto_run file = OCI(&bundle, "exec", "--process", "process.json", "ID");
	ASSERT_STATUS(file, 0);
	cr_assert_str_eq(file.out, "Cpus_allowed_list:\t0\n");
	run_write_file(bundle.path, "process.json", 0644,
		"{\"args\": [\"true\"], \"cwd\": \"/\", \"execCPUAffinity\": {\"final\": \"900\"}}");
	auto_run wrong = OCI(&bundle, "exec", "--process", "process.json", "ID");
	ASSERT_STATUS(wrong, 1);
	cr_assert(strstr(wrong.err, "use processors 900: Invalid argument"), "%s", wrong.err);
}

TEST(oci_process, of_an_exec_keeps_scheduler_and_io_priority)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"1000\"]",
		.process = "\"scheduler\": {\"policy\": \"SCHED_BATCH\", \"nice\": 3}, "
			   "\"ioPriority\": {\"class\": \"IOPRIO_CLASS_IDLE\"}");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run exec = OCI(&bundle, "exec", "ID", "sh", "-c", STAT "; /bin/busybox ionice -p $$");
	cr_assert_str_eq(exec.out, "3 0 3\nidle\n", "%s%s", exec.out, exec.err);
}

TEST(oci_process, of_an_exec_has_the_containers_chances_when_memory_runs_out)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"1000\"]", .process = "\"oomScoreAdj\": 300");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run exec = OCI(&bundle, "exec", "ID", "cat", "/proc/1/oom_score_adj", "/proc/self/oom_score_adj");
	cr_assert_str_eq(exec.out, "300\n300\n", "%s%s", exec.out, exec.err);
	run_write_file(bundle.path, "process.json", 0644,
		"{\"args\": [\"/bin/cat\", \"/proc/self/oom_score_adj\"], \"cwd\": \"/\"}");
	auto_run plain = OCI(&bundle, "exec", "--process", "process.json", "ID");
	cr_assert_str_eq(plain.out, "300\n", "%s%s", plain.out, plain.err);
	run_write_file(bundle.path, "process.json", 0644,
		"{\"args\": [\"/bin/cat\", \"/proc/self/oom_score_adj\"], \"cwd\": \"/\", \"oomScoreAdj\": 500}");
	auto_run own = OCI(&bundle, "exec", "--process", "process.json", "ID");
	cr_assert_str_eq(own.out, "500\n", "%s%s", own.out, own.err);
}

/* Debian's kernel has AppArmor; "unconfined" is always there, any other profile would have to be loaded. */
TEST(oci_process, gets_the_apparmor_profile_or_is_refused)
{
	NEEDS_ROOT();
	auto_run enabled = RUN("grep", "-q", "Y", "/sys/module/apparmor/parameters/enabled");
	SKIP_UNLESS(enabled.status == 0, "needs a kernel with AppArmor, switched on");
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "cat /proc/self/attr/apparmor/current",
		.process = "\"apparmorProfile\": \"unconfined\"");
	assert_prints(&bundle, "unconfined\n");
	BUNDLE_WRITE(&bundle, .script = "true", .process = "\"apparmorProfile\": \"nonesuch-profile\"");
	auto_run run = OCI(&bundle, "run", "ID");
	ASSERT_STATUS(run, 1);
	cr_assert(strstr(run.err, "apparmorProfile nonesuch-profile: no such profile is loaded"), "%s", run.err);
}
