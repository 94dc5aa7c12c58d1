/* Resources of config.json that have no limit of their own here but a file of cgroup v2, as seen from inside. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

static bool has_controller(const char *name)
{
	auto_run run = RUN("grep", "-qw", name, "/sys/fs/cgroup/cgroup.controllers");

	return run.status == 0;
}

#define CGROUP_MOUNT "{\"destination\": \"/cg\", \"type\": \"cgroup\", \"source\": \"cgroup\"}"

TEST(oci_resources, limit_huge_pages_on_v2)
{
	NEEDS_ROOT();
	SKIP_UNLESS(host_is_v2() && has_controller("hugetlb"), "needs cgroup v2 with the hugetlb controller");
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "cat /cg/hugetlb.2MB.max", .mounts = CGROUP_MOUNT,
		.system = "\"resources\": {\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 4194304}]}");
	auto_run run = OCI(&bundle, "run", "ID");
	cr_assert(run.status == 0 && strcmp(run.out, "4194304\n") == 0, "%d: %s%s", run.status, run.out, run.err);
}

TEST(oci_resources, of_v2_are_refused_by_name_on_v1)
{
	NEEDS_ROOT();
	SKIP_UNLESS(!host_is_v2(), "needs cgroup v1");
	static const struct {
		const char *resources, *text;
	} cases[] = {
		{"\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 4194304}]",
			"hugetlb.2MB.max: no controller \"hugetlb\""},
		{"\"rdma\": {\"mlx0\": {\"hcaHandles\": 3}}", "rdma.max: no controller \"rdma\""},
		{"\"unified\": {\"memory.high\": \"1G\"}", "unified: \"memory.high\" needs a host with cgroup v2"},
	};
	auto_bundle bundle = bundle_new();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *resources = text_format("\"resources\": {%s}", cases[i].resources);

		BUNDLE_WRITE(&bundle, .script = "true", .system = resources);
		auto_run run = OCI(&bundle, "run", "ID");
		cr_assert(run.status == 1 && strstr(run.err, cases[i].text), "%s", run.err);
		cr_assert(bundle_cgroups(&bundle) == 0);
	}
}

/* What only v1 has. */
static const struct {
	const char *resources, *controller, *file, *expected, *refusal;
} v1_only[] = {
	{"\"memory\": {\"swappiness\": 17}", "memory", "memory.swappiness", "17\n", "memory.swappiness: cgroup v2 has"},
	{"\"memory\": {\"kernelTCP\": 1048576}", "memory", "memory.kmem.tcp.limit_in_bytes", "1048576\n",
		"memory.kmem.tcp.limit_in_bytes: cgroup v2 has"},
	{"\"memory\": {\"disableOOMKiller\": true}", "memory", "memory.oom_control", "oom_kill_disable 1\n",
		"memory.oom_control: cgroup v2 has"},
	{"\"cpu\": {\"realtimePeriod\": 500000, \"realtimeRuntime\": 1000}", "cpu", "cpu.rt_runtime_us", "1000\n",
		"cpu.rt_period_us: cgroup v2 has"},
	{"\"network\": {\"priorities\": [{\"name\": \"lo\", \"priority\": 5}]}", "net_prio", "net_prio.ifpriomap",
		"lo 5\n", "net_prio.ifpriomap: cgroup v2 has"},
	{"\"network\": {\"classID\": 1048577}", "net_cls", "net_cls.classid", "1048577\n",
		"net_cls.classid: cgroup v2 has"},
};

TEST(oci_resources, of_v1_are_refused_by_name_on_v2)
{
	NEEDS_ROOT();
	SKIP_UNLESS(host_is_v2(), "needs cgroup v2");
	auto_bundle bundle = bundle_new();

	for (size_t i = 0; i < ARRAY_SIZE(v1_only); i++) {
		auto_free char *resources = text_format("\"resources\": {%s}", v1_only[i].resources);

		BUNDLE_WRITE(&bundle, .script = "true", .system = resources);
		auto_run run = OCI(&bundle, "run", "ID");
		cr_assert(run.status == 1 && strstr(run.err, v1_only[i].refusal), "%s", run.err);
		cr_assert(bundle_cgroups(&bundle) == 0);
	}
	BUNDLE_WRITE(&bundle, .script = "true", .system = "\"resources\": {\"memory\": {\"swappiness\": 0}}");
	auto_run nothing = OCI(&bundle, "run", "ID");
	cr_assert(nothing.status == 0, "%s", nothing.err);
}

TEST(oci_resources, of_v1_are_set_on_v1)
{
	NEEDS_ROOT();
	SKIP_UNLESS(!host_is_v2(), "needs cgroup v1");
	auto_bundle bundle = bundle_new();

	for (size_t i = 0; i < ARRAY_SIZE(v1_only); i++) {
		/* At the top: time of the real-time scheduler is handed down by nobody. */
		auto_free char *system = text_format(
			"\"cgroupsPath\": \"/warren-test-%s\", \"resources\": {%s}", bundle.id, v1_only[i].resources);
		auto_free char *hierarchy = text_format("/sys/fs/cgroup/%s", v1_only[i].controller);
		auto_free char *path = text_format("%s/warren-test-%s/%s", hierarchy, bundle.id, v1_only[i].file);
		auto_free char *missing = text_format("no controller \"%s\"", v1_only[i].controller);
		char found[256] = "";

		BUNDLE_WRITE(&bundle, .script = "exec sleep 1000", .system = system);
		auto_run run = OCI(&bundle, "run", "-d", "ID");
		if (access(hierarchy, F_OK) < 0) {
			cr_assert(run.status == 1 && strstr(run.err, missing), "%s", run.err);
			continue;
		}
		cr_assert(run.status == 0, "%s", run.err);
		auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
		cr_assert(read(fd, found, sizeof(found) - 1) > 0);
		cr_assert(strncmp(found, v1_only[i].expected, strlen(v1_only[i].expected)) == 0, "%s: %s", path, found);
		auto_run deleted = OCI(&bundle, "delete", "-f", "ID");
		cr_assert(deleted.status == 0, "%s", deleted.err);
	}
}

TEST(oci_resources, of_resctrl_are_refused_by_name_without_it)
{
	NEEDS_ROOT();
	SKIP_UNLESS(access("/sys/fs/resctrl/tasks", F_OK) < 0, "needs a host without resctrl");
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "true", .system = "\"intelRdt\": {\"closID\": \"gold\"}");
	auto_run run = OCI(&bundle, "run", "ID");
	cr_assert(
		run.status == 1 && strstr(run.err, "linux.intelRdt: no resctrl file system is mounted"), "%s", run.err);
	cr_assert(bundle_cgroups(&bundle) == 0);
}
