/* warren-oci update: limits change while the container lives, seen from inside; a refused one changes nothing. */
#include <signal.h>
#include <unistd.h>

#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

/* A sleeping container with its cgroup mounted, in every hierarchy that the tests change. */
static void container_run(struct bundle *bundle)
{
	BUNDLE_WRITE(bundle, .args = "[\"/bin/sleep\", \"1000\"]",
		.mounts = "{\"destination\": \"/cg\", \"type\": \"cgroup\", \"source\": \"cgroup\"}",
		.system = "\"resources\": {\"memory\": {\"limit\": 104857600, \"reservation\": 52428800}, "
			  "\"cpu\": {\"shares\": 1024, \"cpus\": \"0\"}, \"pids\": {\"limit\": 100}}");
	auto_run run = OCI(bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
}

/* A limit as the container sees it: its file below /cg on v1 and on v2. */
struct limit {
	const char *v1, *v2;
};
static const struct limit memory = {"memory/memory.limit_in_bytes", "memory.max"},
			  reservation = {"memory/memory.soft_limit_in_bytes", "memory.low"},
			  pids = {"pids/pids.max", "pids.max"}, quota = {"cpu/cpu.cfs_quota_us", "cpu.max"},
			  shares = {"cpu/cpu.shares", "cpu.weight"}, cpus = {"cpuset/cpuset.cpus", "cpuset.cpus"},
			  idle = {"cpu/cpu.idle", "cpu.idle"};

static void assert_limit(struct bundle *bundle, const struct limit *limit, const char *v1, const char *v2)
{
	auto_free char *path = text_format("/cg/%s", host_is_v2() ? limit->v2 : limit->v1);
	auto_free char *expected = text_format("%s\n", host_is_v2() ? v2 : v1);
	auto_run exec = OCI(bundle, "exec", "ID", "cat", path);

	ASSERT_STATUS(exec, 0);
	cr_assert_str_eq(exec.out, expected, "%s: %s, expected %s", path, exec.out, expected);
}

TEST(oci_update, changes_limits_by_options_before_and_after_the_id)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	container_run(&bundle);
	auto_run before = OCI(&bundle, "update", "--memory", "64M", "--pids-limit=50", "ID");
	ASSERT_STATUS(before, 0);
	cr_assert_str_eq(before.out, "");
	assert_limit(&bundle, &memory, "67108864", "67108864");
	assert_limit(&bundle, &pids, "50", "50");
	auto_run after = OCI(&bundle, "update", "ID", "--cpu-quota", "50000", "--cpu-period", "200000", "--cpu-share",
		"512", "--memory-reservation", "33554432");
	ASSERT_STATUS(after, 0);
	assert_limit(&bundle, &quota, "50000", "50000 200000");
	assert_limit(&bundle, &shares, "512", "50");
	assert_limit(&bundle, &reservation, "33554432", "33554432");
	auto_run again = OCI(&bundle, "update", "--cpu-shares", "2048", "--cpuset-cpus", "0", "--memory", "0", "ID");
	ASSERT_STATUS(again, 0);
	assert_limit(&bundle, &shares, "2048", "200");
	assert_limit(&bundle, &cpus, "0", "0");
	assert_limit(&bundle, &memory, "67108864", "67108864");
	auto_run idle_now = OCI(&bundle, "update", "--cpu-idle", "1", "ID");
	ASSERT_STATUS(idle_now, 0);
	assert_limit(&bundle, &idle, "1", "1");
}

TEST(oci_update, removes_limits_with_minus_one)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	container_run(&bundle);
	auto_run run = OCI(&bundle, "update", "--memory", "-1", "--pids-limit", "-1", "--cpu-quota", "-1", "ID");
	ASSERT_STATUS(run, 0);
	assert_limit(&bundle, &memory, "9223372036854771712", "max");
	assert_limit(&bundle, &pids, "max", "max");
	assert_limit(&bundle, &quota, "-1", "max 100000");
}

TEST(oci_update, reads_resources_from_a_file_and_from_standard_input)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	const char *const from_input[] = {"update", "-r", "-", "ID", NULL};

	container_run(&bundle);
	run_write_file(bundle.path, "more.json", 0644,
		"{\"memory\": {\"limit\": 73400320}, \"pids\": {\"limit\": 20}, \"cpu\": {\"shares\": 0, \"quota\": "
		"0}}");
	auto_run file = OCI(&bundle, "update", "--resources", "more.json", "ID");
	ASSERT_STATUS(file, 0);
	assert_limit(&bundle, &memory, "73400320", "73400320");
	assert_limit(&bundle, &pids, "20", "20");
	assert_limit(&bundle, &shares, "1024", "100");
	auto_run input = bundle_oci(&bundle, from_input, &(struct run_options){.input = "{\"pids\": {\"limit\": 30}}"});
	ASSERT_STATUS(input, 0);
	assert_limit(&bundle, &pids, "30", "30");
	auto_run broken =
		bundle_oci(&bundle, from_input, &(struct run_options){.input = "{\"pids\": {\"limit\": 1,}}"});
	ASSERT_REFUSED(broken, "standard input:1:");
	auto_run wrong =
		bundle_oci(&bundle, from_input, &(struct run_options){.input = "{\"pids\": {\"limit\": \"1\"}}"});
	ASSERT_REFUSED(wrong, "standard input:1:20: \"limit\": expected a number, found a string");
	assert_limit(&bundle, &pids, "30", "30");
}

TEST(oci_update, works_on_a_created_and_on_a_paused_container)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "cat /cg/pids/pids.max /cg/pids.max 2>/dev/null; sleep 1000",
		.mounts = "{\"destination\": \"/cg\", \"type\": \"cgroup\", \"source\": \"cgroup\"}",
		.system = "\"resources\": {\"pids\": {\"limit\": 100}}");
	auto_run create = OCI(&bundle, "create", "ID");
	ASSERT_STATUS(create, 0);
	auto_run created = OCI(&bundle, "update", "--pids-limit", "60", "ID");
	ASSERT_STATUS(created, 0);
	auto_run start = OCI(&bundle, "start", "ID");
	ASSERT_STATUS(start, 0);
	assert_limit(&bundle, &pids, "60", "60");
	auto_run pause = OCI(&bundle, "pause", "ID");
	ASSERT_STATUS(pause, 0);
	auto_run paused = OCI(&bundle, "update", "--pids-limit", "70", "ID");
	ASSERT_STATUS(paused, 0);
	auto_run resume = OCI(&bundle, "resume", "ID");
	ASSERT_STATUS(resume, 0);
	assert_limit(&bundle, &pids, "70", "70");
	auto_run kill = OCI(&bundle, "kill", "ID", "KILL");
	ASSERT_STATUS(kill, 0);
}

/* The processor is refused by the kernel only, after the other limits have been written. */
TEST(oci_update, puts_everything_back_when_one_limit_is_refused)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	container_run(&bundle);
	auto_run set = OCI(&bundle, "update", "--cpu-quota", "50000", "--cpu-share", "512", "ID");
	ASSERT_STATUS(set, 0);
	auto_run refused = OCI(&bundle, "update", "--memory", "80M", "--memory-reservation", "70M", "--pids-limit",
		"50", "--cpu-quota", "60000", "--cpu-period", "300000", "--cpu-share", "700", "--cpuset-cpus", "0-9999",
		"ID");
	ASSERT_REFUSED(refused, "cpuset_cpus: write \"0-9999\" to cpuset.cpus");
	assert_limit(&bundle, &memory, "104857600", "104857600");
	assert_limit(&bundle, &reservation, "52428800", "52428800");
	assert_limit(&bundle, &pids, "100", "100");
	assert_limit(&bundle, &quota, "50000", "50000 100000");
	assert_limit(&bundle, &shares, "512", "50");
	assert_limit(&bundle, &cpus, "0", "0");
	auto_run idle_refused = OCI(&bundle, "update", "--cpu-idle", "1", "--cpuset-cpus", "0-9999", "ID");
	ASSERT_REFUSED(idle_refused, "cpuset_cpus");
	assert_limit(&bundle, &idle, "0", "0");
	assert_limit(&bundle, &shares, "512", "50");
}

/* The container had no limit of anything: on v1 it moves into a hierarchy that it was not in. */
TEST(oci_update, binds_processes_that_run_already)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"1000\"]");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run free_one = OCI(&bundle, "exec", "ID", "sh", "-c", "(true; echo forked) | cat");
	cr_assert_str_eq(free_one.out, "forked\n");
	auto_run update = OCI(&bundle, "update", "--pids-limit", "2", "ID");
	ASSERT_STATUS(update, 0);
	auto_run bound = OCI(&bundle, "exec", "ID", "sh", "-c", "(true; echo forked) | cat");
	cr_assert(strstr(bound.err, "can't fork"), "%d: %s%s", bound.status, bound.out, bound.err);
}

TEST(oci_update, takes_a_file_or_options_but_not_both)
{
	auto_run both = RUN(WARREN_OCI_PROGRAM, "update", "-r", "x.json", "--memory", "5M", "x");
	auto_run list = RUN(WARREN_OCI_PROGRAM, "update", "--cpuset-cpus", "0", "x", "--resources=-");

	ASSERT_REFUSED(both, "--resources and --memory exclude each other");
	ASSERT_REFUSED(list, "--resources and --cpuset-cpus exclude each other");
}

TEST(oci_update, refuses_by_name_what_it_cannot_do)
{
	NEEDS_ROOT();
	static const struct {
		const char *option, *value, *text;
	} cases[] = {
		{"--kernel-memory", "1M", "--kernel-memory: the kernel has no limits of kernel memory since 5.16"},
		{"--l3-cache-schema", "L3:0=f", "linux.intelRdt: no resctrl file system is mounted on this host"},
		{"--mem-bw-schema", "MB:0=50", "linux.intelRdt: no resctrl file system is mounted on this host"},
		{"--memory", "many", "--memory: \"many\" is not a size such as 64M or 1.5G"},
		{"--memory-swap", "1M",
			"memory: swap 1048576: is memory and swap together and cannot be below the limit"},
		{"--cpuset-cpus", "all", "cpu: cpus: \"all\""},
		{"--blkio-weight", "5", "block I/O: weight 5: must be between 10 and 1000"},
		{"--cpu-period", "10", "cpu_period_us: 10 is not within 1000 and 1000000"},
		{"--pids-limit", "-2", "--pids-limit"},
	};
	auto_bundle bundle = bundle_new();

	SKIP_UNLESS(access("/sys/fs/resctrl/schemata", F_OK) != 0, "needs a host without resctrl");
	container_run(&bundle);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_run run = OCI(&bundle, "update", cases[i].option, cases[i].value, "ID");
		ASSERT_REFUSED(run, cases[i].text);
	}
	auto_run none = OCI(&bundle, "update", "--kernel-memory", "0", "--l3-cache-schema", "", "ID");
	ASSERT_STATUS(none, 0);
	assert_limit(&bundle, &memory, "104857600", "104857600");
}

/* What cgroup v1 alone has, by the options of runc and crun; elsewhere refused by the name of its file. */
TEST(oci_update, changes_what_only_v1_has)
{
	NEEDS_ROOT();
	static const struct {
		const char *option, *value, *file, *other;
		struct limit limit;
	} cases[] = {
		{"--kernel-memory-tcp", "2M", "memory.kmem.tcp.limit_in_bytes", NULL,
			{"memory/memory.kmem.tcp.limit_in_bytes", NULL}},
		{"--cpu-rt-period", "500000", "cpu.rt_period_us", NULL, {"cpu/cpu.rt_period_us", NULL}},
		{"--cpu-rt-runtime", "1000", "cpu.rt_runtime_us", NULL, {"cpu/cpu.rt_runtime_us", NULL}},
	};
	static const char *const values[] = {"2097152", "500000", "1000"};
	auto_bundle bundle = bundle_new();

	container_run(&bundle);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_run run = OCI(&bundle, "update", cases[i].option, cases[i].value, "ID");

		if (host_is_v2()) {
			auto_free char *text = text_format("%s: cgroup v2 has no such limit", cases[i].file);
			ASSERT_REFUSED(run, text);
		} else if (run.status == 0) {
			assert_limit(&bundle, &cases[i].limit, values[i], NULL);
		} else {
			/* The kernel may be built without, or the groups above may have no share to give from. */
			ASSERT_REFUSED(run, cases[i].file);
		}
	}
}

/* A file of v1 is written before the one that is refused, and one of `unified` on v2. */
TEST(oci_update, puts_single_files_back_too)
{
	NEEDS_ROOT();
	static const char *const words[] = {"update", "-r", "-", "ID", NULL};
	static const struct limit swappiness = {"memory/memory.swappiness", "memory.high"};
	const char *first =
		host_is_v2() ? "{\"unified\": {\"memory.high\": \"80M\"}}" : "{\"memory\": {\"swappiness\": 33}}";
	const char *second = host_is_v2()
				     ? "{\"unified\": {\"memory.high\": \"90M\", \"cpu.max\": \"nonsense\"}}"
				     : "{\"memory\": {\"swappiness\": 44}, \"network\": {\"priorities\": [{\"name\": "
				       "\"nonesuch\", \"priority\": 1}]}}";
	auto_bundle bundle = bundle_new();

	container_run(&bundle);
	auto_run set = bundle_oci(&bundle, words, &(struct run_options){.input = first});
	ASSERT_STATUS(set, 0);
	auto_run refused = bundle_oci(&bundle, words, &(struct run_options){.input = second});
	ASSERT_STATUS(refused, 1);
	assert_limit(&bundle, &swappiness, "33", "83886080");
}

TEST(oci_update, can_be_told_to_look_at_what_is_in_use_first)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	const char *const words[] = {"update", "-r", "-", "ID", NULL};

	container_run(&bundle);
	auto_run run = bundle_oci(&bundle, words,
		&(struct run_options){.input = "{\"memory\": {\"limit\": 4096, \"checkBeforeUpdate\": true}}"});
	ASSERT_REFUSED(run, "memory limit 4096: ");
	cr_assert(strstr(run.err, " bytes are in use"), "%s", run.err);
	assert_limit(&bundle, &memory, "104857600", "104857600");
}

TEST(oci_update, refuses_a_container_that_is_absent_or_has_ended)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	auto_run absent = OCI(&bundle, "update", "--memory", "64M", "ID");
	ASSERT_REFUSED(absent, "does not exist");
	container_run(&bundle);
	auto_run kill = OCI(&bundle, "kill", "ID", "KILL");
	ASSERT_STATUS(kill, 0);
	for (int i = 0; i < 1000; i++) {
		auto_run state = OCI(&bundle, "state", "ID");
		if (strstr(state.out, "\"stopped\""))
			break;
	}
	auto_run ended = OCI(&bundle, "update", "--memory", "64M", "ID");
	ASSERT_REFUSED(ended, "container not running: it is stopped");
}
