/* Resources of config.json that have no limit of their own here but a file of cgroup v2, as seen from inside. */
#include <sys/vfs.h>

#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

#define CGROUP2_MAGIC 0x63677270

static bool host_is_v2(void)
{
	struct statfs status;

	return statfs("/sys/fs/cgroup", &status) == 0 && status.f_type == CGROUP2_MAGIC;
}

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
			"unified: \"hugetlb.2MB.max\" needs a host with cgroup v2"},
		{"\"rdma\": {\"mlx0\": {\"hcaHandles\": 3}}", "unified: \"rdma.max\" needs a host with cgroup v2"},
		{"\"blockIO\": {\"weightDevice\": [{\"major\": 8, \"minor\": 0, \"weight\": 10}]}",
			"unified: \"io.weight\" needs a host with cgroup v2"},
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
