/* config.json → struct spec: what is understood. */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/oci/oci.h"
#include "runtime/runtime.h"
#include "tests/runtime/support_config.h"
#include "tests/test.h"

TEST(oci, understands_the_process)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err = {0};
	struct spec spec;
	struct pieces pieces = {
		.process =
			"{\"terminal\": true, \"consoleSize\": {\"height\": 25, \"width\": 80},"
			"\"user\": {\"uid\": 33, \"gid\": 34, \"umask\": 63, \"additionalGids\": [5, 6]},"
			"\"args\": [\"nginx\", \"-g\", \"daemon off;\"], \"env\": [\"A=1\", \"B=\"], \"cwd\": \"/srv\","
			"\"capabilities\": {\"bounding\": [\"CAP_CHOWN\", \"CAP_KILL\"], \"permitted\": "
			"[\"CAP_CHOWN\"],"
			"\"effective\": [\"CAP_CHOWN\"]},"
			"\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 100, \"hard\": 18446744073709551615}],"
			"\"noNewPrivileges\": true, \"oomScoreAdj\": -500, \"apparmorProfile\": \"\", "
			"\"selinuxLabel\": null}",
		.system = "{" OWN_USERS "}",
	};

	ASSERT_OK(config_decode(&arena, &pieces, &spec, &err));
	const struct spec_process *process = &spec.process;
	cr_assert(process->terminal && process->console_height == 25 && process->console_width == 80);
	cr_assert(process->uid == 33 && process->gid == 34 && process->umask.set && process->umask.value == 077);
	cr_assert(process->groups.count == 2 && process->groups.items[1] == 6);
	cr_assert(process->args.count == 3 && strcmp(process->args.items[2], "daemon off;") == 0);
	cr_assert(process->env.count == 2 && strcmp(process->cwd, "/srv") == 0);
	cr_assert(process->capabilities[CAPS_BOUNDING] == ((1ull << CAP_CHOWN) | (1ull << CAP_KILL)));
	cr_assert(process->capabilities[CAPS_EFFECTIVE] == 1ull << CAP_CHOWN);
	cr_assert(process->capabilities[CAPS_INHERITABLE] == 0 && process->capabilities[CAPS_AMBIENT] == 0);
	cr_assert(process->rlimits.count == 1 && process->rlimits.items[0].resource == RLIMIT_NOFILE);
	cr_assert(process->rlimits.items[0].limit.rlim_max == RLIM_INFINITY);
	cr_assert(process->no_new_privileges && process->oom_score_adj.value == -500);
	cr_assert(spec.uid_maps.count == 1 && spec.uid_maps.items[0].host == 100000);
}

TEST(oci, completes_relative_paths_with_the_bundle)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err = {0};
	struct spec spec;
	struct pieces pieces = {.top = MOUNT("\"source\": \"data\", \"type\": \"bind\""),
		.root = "{\"path\": \"rootfs\", \"readonly\": true}"};

	ASSERT_OK(config_decode(&arena, &pieces, &spec, &err));
	cr_assert_str_eq(spec.root, "/bundle/rootfs");
	cr_assert_str_eq(spec.bundle, "/bundle");
	cr_assert(spec.root_read_only && spec.mounts.items[0].bind);
	cr_assert_str_eq(spec.mounts.items[0].source, "/bundle/data");
	pieces.root = "{\"path\": \"/srv/root\"}";
	ASSERT_OK(config_decode(&arena, &pieces, &spec, &err));
	cr_assert_str_eq(spec.root, "/srv/root");
}

static struct spec_mount mount_with(struct arena *arena, const char *options)
{
	struct pieces pieces = {
		.top = arena_format(arena,
			"\"ociVersion\": \"1.0.2\", \"mounts\": [{\"destination\": \"/x\", \"type\": \"tmpfs\", "
			"\"source\": \"s\", \"options\": [%s]}]",
			options),
		.system = "{" OWN_USERS "}"};
	struct error err = {0};
	struct spec spec;

	ASSERT_OK(config_decode(arena, &pieces, &spec, &err));
	return spec.mounts.items[0];
}

TEST(oci, understands_mount_options_and_the_last_word_wins)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_mount mount =
		mount_with(&arena, "\"ro\", \"nosuid\", \"noatime\", \"mode=755\", \"size=1k\", \"huge\"");

	cr_assert(mount.attr_set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME));
	cr_assert(mount.attr_clear == MOUNT_ATTR__ATIME, "%#llx", (unsigned long long)mount.attr_clear);
	cr_assert(mount.data.count == 3 && strcmp(pairs_get(&mount.data, "mode"), "755") == 0);
	cr_assert(strcmp(pairs_get(&mount.data, "huge"), "") == 0 && !mount.bind);

	mount = mount_with(&arena, "\"ro\", \"noexec\", \"rw\", \"exec\", \"nodev\"");
	cr_assert(mount.attr_set == MOUNT_ATTR_NODEV && mount.attr_clear == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC));
	mount = mount_with(&arena, "\"noatime\", \"strictatime\", \"relatime\"");
	cr_assert(mount.attr_set == 0 && mount.attr_clear == MOUNT_ATTR__ATIME);
	mount = mount_with(&arena, "\"nosuid\", \"noexec\", \"rro\", \"rexec\"");
	cr_assert(mount.attr_set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID) && mount.attr_set_recursive == 0);
	mount = mount_with(&arena, "\"tmpcopyup\", \"defaults\", \"\"");
	cr_assert(mount.copy_up && mount.data.count == 0);
}

TEST(oci, understands_recursive_and_propagation_options)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_mount mount =
		mount_with(&arena, "\"rbind\", \"rro\", \"rnosuid\", \"rdev\", \"rslave\", \"ridmap\"");

	cr_assert(mount.bind && mount.recursive && mount.idmap && mount.idmap_recursive);
	cr_assert(mount.attr_set == 0 && mount.attr_clear == 0);
	cr_assert(mount.attr_set_recursive == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID));
	cr_assert(mount.attr_clear_recursive == MOUNT_ATTR_NODEV);
	cr_assert(mount.propagation == MS_SLAVE && mount.propagation_recursive);
	mount = mount_with(&arena, "\"bind\", \"private\", \"idmap\"");
	cr_assert(mount.bind && !mount.recursive && mount.idmap && !mount.idmap_recursive);
	cr_assert(mount.propagation == MS_PRIVATE && !mount.propagation_recursive);
}

static struct cgroup_limits limits_with(struct arena *arena, const char *resources)
{
	struct pieces pieces = {.system = arena_format(arena, "{" NAMESPACES ", \"resources\": {%s}}", resources)};
	struct error err = {0};
	struct spec spec;

	ASSERT_OK(config_decode(arena, &pieces, &spec, &err));
	return spec.limits;
}

#define IS(optional, expected) ((optional).set && (optional).value == (expected))

TEST(oci, converts_memory_where_swap_counts_with_it)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_limits limits =
		limits_with(&arena, "\"memory\": {\"limit\": 1000, \"swap\": 1500, \"reservation\": 700}");

	cr_assert(IS(limits.memory_max, 1000) && IS(limits.swap_max, 500) && IS(limits.memory_low, 700));
	limits = limits_with(&arena, "\"memory\": {\"limit\": 1000, \"swap\": 1000}");
	cr_assert(IS(limits.swap_max, 0));
	limits = limits_with(&arena, "\"memory\": {\"limit\": 1000, \"swap\": -1}");
	cr_assert(IS(limits.swap_max, -1));
	limits = limits_with(&arena, "\"memory\": {\"limit\": -1}");
	cr_assert(IS(limits.memory_max, -1) && IS(limits.swap_max, -1));
	limits = limits_with(
		&arena, "\"memory\": {\"limit\": 0, \"swap\": 0, \"disableOOMKiller\": false, \"kernel\": 0}");
	cr_assert(!limits.memory_max.set && !limits.swap_max.set);
}

TEST(oci, writes_to_files_of_v2_what_has_no_limit_of_its_own)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_limits limits = limits_with(&arena,
		"\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 4194304}, {\"pageSize\": \"1GB\", "
		"\"limit\": 18446744073709551615}],"
		"\"rdma\": {\"mlx0\": {\"hcaHandles\": 3, \"hcaObjects\": 0}, \"mlx1\": {\"hcaObjects\": 9}, \"mlx2\": "
		"{}},"
		"\"unified\": {\"hugetlb.1GB.max\": \"0\", \"memory.high\": \"max\"}");

	cr_assert_str_eq(pairs_get(&limits.unified, "hugetlb.2MB.max"), "4194304");
	cr_assert_str_eq(pairs_get(&limits.unified, "hugetlb.1GB.max"), "0");
	cr_assert_str_eq(pairs_get(&limits.unified, "rdma.max"), "mlx0 hca_handle=3 hca_object=0\nmlx1 hca_object=9");
	cr_assert_str_eq(pairs_get(&limits.unified, "memory.high"), "max");
	cr_assert(limits.unified.count == 4);
}

TEST(oci, converts_cpu_pids_and_block_devices)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_limits limits = limits_with(&arena,
		"\"cpu\": {\"shares\": 512, \"quota\": 50000, \"period\": 100000, \"cpus\": \"0-1\", \"mems\": \"0\", "
		"\"idle\": 1},"
		"\"pids\": {\"limit\": 64},"
		"\"blockIO\": {\"weight\": 10, \"weightDevice\": [{\"major\": 8, \"minor\": 0, \"weight\": 10}, "
		"{\"major\": 9, "
		"\"minor\": 1}, {\"major\": 8, \"minor\": 16, \"weight\": 1000}], \"throttleReadBpsDevice\": "
		"[{\"major\": 8, \"minor\": 0, \"rate\": "
		"1048576}],"
		"\"throttleWriteIOPSDevice\": [{\"major\": 8, \"minor\": 0, \"rate\": 100}, {\"major\": 8, \"minor\": "
		"16, "
		"\"rate\": 7}]},"
		"\"unified\": {\"memory.high\": \"1G\"}, \"hugepageLimits\": [], \"network\": {\"classID\": null}");

	cr_assert(IS(limits.cpu_shares, 512) && IS(limits.cpu_quota_us, 50000) && IS(limits.cpu_period_us, 100000));
	cr_assert(strcmp(limits.cpuset_cpus, "0-1") == 0 && strcmp(limits.cpuset_mems, "0") == 0 &&
		  IS(limits.cpu_idle, 1));
	cr_assert(IS(limits.pids_max, 64) && IS(limits.block_weight, 10) && !limits.io_weight.set);
	cr_assert(limits.device_weights.count == 2 && limits.device_weights.items[0].weight == 10);
	cr_assert(limits.device_weights.items[1].minor == 16 && limits.device_weights.items[1].weight == 1000);
	cr_assert(limits.io_max.count == 2 && limits.io_max.items[0].minor == 0 && limits.io_max.items[1].minor == 16);
	cr_assert(IS(limits.io_max.items[0].rbps, 1048576) && IS(limits.io_max.items[0].wiops, 100));
	cr_assert(!limits.io_max.items[0].wbps.set && IS(limits.io_max.items[1].wiops, 7));
	cr_assert_str_eq(pairs_get(&limits.unified, "memory.high"), "1G");
	limits = limits_with(
		&arena, "\"blockIO\": {\"weight\": 1000}, \"pids\": {\"limit\": -1}, \"cpu\": {\"quota\": -1}");
	cr_assert(IS(limits.block_weight, 1000) && IS(limits.pids_max, -1) && IS(limits.cpu_quota_us, -1));
}

TEST(oci, puts_device_rules_between_nothing_and_the_standard_nodes)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_limits limits =
		limits_with(&arena, "\"devices\": [{\"allow\": false, \"access\": \"rwm\"}, {\"allow\": true, "
				    "\"type\": \"c\", \"major\": 10, \"minor\": "
				    "200, \"access\": \"rw\"}]");
	const struct cgroup_device_rule *rules = limits.devices.items;

	cr_assert(limits.devices.count == 13, "%zu", limits.devices.count);
	cr_assert(!rules[0].allow && rules[0].type == 'a' && !rules[1].allow && rules[1].major == -1);
	cr_assert(rules[2].allow && rules[2].major == 10 && rules[2].minor == 200 &&
		  rules[2].access == (CGROUP_DEVICE_READ | CGROUP_DEVICE_WRITE));
	cr_assert(rules[3].allow && rules[3].access == CGROUP_DEVICE_MKNOD);
	cr_assert(rules[12].major == 136 && rules[12].minor == -1);
	limits = limits_with(&arena, "");
	cr_assert(limits.devices.count == 11 && !limits.devices.items[0].allow);
}

TEST(oci, understands_the_linux_object)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err = {0};
	struct spec spec;
	struct pieces pieces = {
		.system = "{\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"network\", "
			  "\"path\": "
			  "\"/run/netns/a\"}, {\"type\": \"cgroup\"}, {\"type\": \"time\"}], \"cgroupsPath\": \"/a/b\","
			  "\"devices\": [{\"type\": \"c\", \"path\": \"/dev/net/tun\", \"major\": 10, \"minor\": 200, "
			  "\"fileMode\": "
			  "8630}, {\"type\": \"p\", \"path\": \"/x\", \"uid\": 5}],"
			  "\"maskedPaths\": [\"/proc/kcore\"], \"readonlyPaths\": [\"/proc/sys\"], \"sysctl\": "
			  "{\"net.core.somaxconn\": \"100\"}, \"rootfsPropagation\": \"rslave\","
			  "\"personality\": {\"domain\": \"LINUX\"}, \"timeOffsets\": {}, \"mountLabel\": \"\", "
			  "\"newKey\": {\"a\": 1}}",
	};

	ASSERT_OK(config_decode(&arena, &pieces, &spec, &err));
	cr_assert(spec.namespaces.create[NS_PID] && !spec.namespaces.create[NS_NET] && spec.namespaces.create[NS_TIME]);
	cr_assert_str_eq(spec.namespaces.path[NS_NET], "/run/netns/a");
	cr_assert_str_eq(spec.cgroup_path, "/a/b");
	cr_assert(spec.devices.count == 2 && spec.devices.items[0].mode == 0666 && spec.devices.items[0].minor == 200);
	cr_assert(spec.devices.items[1].type == 'p' && spec.devices.items[1].uid == 5 &&
		  spec.devices.items[1].mode == 0666);
	cr_assert(spec.masked_paths.count == 1 && spec.read_only_paths.count == 1);
	cr_assert_str_eq(pairs_get(&spec.sysctls, "net.core.somaxconn"), "100");
	cr_assert(spec.root_propagation == (MS_SLAVE | MS_REC));
}

TEST(oci, understands_seccomp)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err = {0};
	struct spec spec;
	struct pieces pieces = {
		.system = SECCOMP(
			"\"defaultErrnoRet\": 38, \"architectures\": [\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X86\"],"
			"\"flags\": [\"SECCOMP_FILTER_FLAG_LOG\"], \"syscalls\": ["
			"{\"names\": [\"read\", \"write\"], \"action\": \"SCMP_ACT_ALLOW\"},"
			"{\"names\": [\"clone\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 0, \"value\": "
			"2114060288, \"valueTwo\": 0, \"op\": \"SCMP_CMP_MASKED_EQ\"}]},"
			"{\"names\": [\"bpf\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 1}]")};

	ASSERT_OK(config_decode(&arena, &pieces, &spec, &err));
	cr_assert(spec.seccomp->default_action == SCMP_ACT_ERRNO(38) && spec.seccomp->architectures.count == 2);
	cr_assert(spec.seccomp->rules.count == 3 && spec.seccomp->flags == 2 && !spec.seccomp->refuse_foreign_abi);
	const struct seccomp_rule *clone_rule = &spec.seccomp->rules.items[1];
	cr_assert(clone_rule->args.count == 1 && clone_rule->args.items[0].op == SCMP_CMP_MASKED_EQ &&
		  clone_rule->args.items[0].value == 2114060288);
	cr_assert(spec.seccomp->rules.items[2].action == SCMP_ACT_ERRNO(1));
}

TEST(oci, understands_hooks_and_annotations)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err = {0};
	struct spec spec;
	struct pieces pieces = {.top = "\"ociVersion\": \"1.2.0\", \"hostname\": \"web\", \"annotations\": {\"a/b\": "
				       "\"c\"}, \"hooks\": {\"prestart\": "
				       "[{\"path\": \"/bin/a\", \"args\": [\"a\", \"b\"], \"env\": [\"X=1\"], "
				       "\"timeout\": 5}], \"poststop\": "
				       "[{\"path\": \"/bin/b\"}, {\"path\": \"/bin/c\"}]}"};

	ASSERT_OK(config_decode(&arena, &pieces, &spec, &err));
	cr_assert(spec.hooks.of[HOOK_PRESTART].count == 1 && spec.hooks.of[HOOK_POSTSTOP].count == 2);
	const struct spec_hook *hook = &spec.hooks.of[HOOK_PRESTART].items[0];
	cr_assert(strcmp(hook->path, "/bin/a") == 0 && hook->args.count == 2 && IS(hook->timeout_s, 5));
	cr_assert_str_eq(pairs_get(&spec.annotations, "a/b"), "c");
	cr_assert_str_eq(spec.hostname, "web");
}

TEST(oci, passes_over_unknown_keys_and_empty_platforms)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err = {0};
	struct spec spec;
	struct pieces pieces = {
		.top = "\"ociVersion\": \"1.0.2\", \"future\": [1, {\"x\": null}], \"vm\": {}, \"windows\": null",
		.process = PROCESS("\"future\": 7, \"user\": {\"username\": \"x\"}")};

	ASSERT_OK(config_decode(&arena, &pieces, &spec, &err));
}

TEST(oci, leaves_out_capabilities_that_cannot_be_had)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err = {0};
	struct spec spec;
	struct pieces pieces = {
		.process = PROCESS("\"capabilities\": {\"bounding\": [\"CAP_CHOWN\", \"CAP_FUTURE\"], "
				   "\"permitted\": [\"CAP_CHOWN\"], \"effective\": [\"CAP_CHOWN\", \"CAP_KILL\"], "
				   "\"ambient\": [\"CAP_CHOWN\"]}"),
		.system = "{" OWN_USERS "}"};

	ASSERT_OK(config_decode(&arena, &pieces, &spec, &err));
	cr_assert(spec.process.capabilities[CAPS_BOUNDING] == 1ull << CAP_CHOWN);
	cr_assert(spec.process.capabilities[CAPS_EFFECTIVE] == 1ull << CAP_CHOWN);
	cr_assert(spec.process.capabilities[CAPS_AMBIENT] == 0);
}

TEST(oci, notes_what_only_cgroup_v1_has_by_its_files)
{
	static const struct {
		const char *file, *value;
	} expected[] = {
		{"memory.swappiness", "0"},
		{"memory.kmem.tcp.limit_in_bytes", "1048576"},
		{"memory.oom_control", "1"},
		{"cpu.rt_period_us", "1000000"},
		{"cpu.rt_runtime_us", "5000"},
		{"net_cls.classid", "1048577"},
		{"net_prio.ifpriomap", "lo 5\neth0 7"},
	};
	AUTO(arena_drop) struct arena arena = {0};
	struct pieces pieces = {
		.system = RESOURCES(
			"\"memory\": {\"swappiness\": 0, \"kernelTCP\": 1048576, \"disableOOMKiller\": true}, "
			"\"cpu\": {\"realtimeRuntime\": 5000, \"realtimePeriod\": 1000000}, "
			"\"network\": {\"classID\": 1048577, \"priorities\": [{\"name\": \"lo\", \"priority\": 5}, "
			"{\"name\": \"eth0\", \"priority\": 7}]}")};
	struct spec spec;
	struct error err;

	ASSERT_OK(config_decode(&arena, &pieces, &spec, &err));
	cr_assert(spec.limits.v1_files.count == ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		cr_assert_str_eq(spec.limits.v1_files.items[i].name, expected[i].file);
		cr_assert_str_eq(spec.limits.v1_files.items[i].value, expected[i].value);
	}
}

TEST(oci, labels_new_file_systems_and_no_others)
{
	static const struct {
		const char *type;
		bool bind, labelled;
	} cases[] = {{"tmpfs", false, true}, {"devpts", false, true}, {"overlay", false, true}, {"proc", false, false},
		{"sysfs", false, false}, {"mqueue", false, false}, {"cgroup2", false, false}, {"bind", true, false}};
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_mount mounts[ARRAY_SIZE(cases)] = {0};
	struct spec spec = {.mounts = {mounts, ARRAY_SIZE(cases)}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		mounts[i] = (struct spec_mount){.type = cases[i].type, .bind = cases[i].bind};
	oci_label_mounts(&arena, &spec);
	cr_assert(mounts[0].data.count == 0);
	spec.mount_label = "system_u:object_r:container_file_t:s0";
	oci_label_mounts(&arena, &spec);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *label = pairs_get(&mounts[i].data, "context");

		cr_assert(cases[i].labelled == (label != NULL), "%s", cases[i].type);
		cr_assert(!label || strcmp(label, spec.mount_label) == 0);
	}
}

/* --- files -------------------------------------------------------------------------------------------------------- */

TEST(oci, reads_the_config_of_a_bundle_or_another_file)
{
	AUTO(arena_drop) struct arena arena = {0};
	char bundle[] = "/tmp/warren-oci-XXXXXX";
	struct pieces pieces = {0};
	struct error err = {0};
	struct spec spec;

	cr_assert(mkdtemp(bundle));
	auto_fd dir = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_FAILS(oci_spec_read(&arena, bundle, NULL, &spec, &err), ERROR_MISSING, "config.json");
	const char *text = config_text(&arena, &pieces);
	ASSERT_OK(file_replace(dir, "config.json", 0644, FILE_VOLATILE, text, strlen(text), &err));
	ASSERT_OK(oci_spec_read(&arena, bundle, NULL, &spec, &err));
	cr_assert_str_eq(spec.root, arena_format(&arena, "%s/rootfs", bundle));
	pieces.process = "{\"args\": [\"other\"], \"cwd\": \"/\"}";
	text = config_text(&arena, &pieces);
	ASSERT_OK(file_replace(dir, "other.json", 0644, FILE_VOLATILE, text, strlen(text), &err));
	ASSERT_OK(oci_spec_read(&arena, bundle, arena_format(&arena, "%s/other.json", bundle), &spec, &err));
	cr_assert_str_eq(spec.process.args.items[0], "other");
	/* A FIFO in its place must not hang the reader. */
	cr_assert(mkfifoat(dir, "fifo", 0600) == 0);
	cr_assert(oci_spec_read(&arena, bundle, arena_format(&arena, "%s/fifo", bundle), &spec, &err) < 0);
	ASSERT_OK(tree_remove(AT_FDCWD, bundle, &err));
	ASSERT_FAILS(oci_spec_read(&arena, "/nonesuch", NULL, &spec, &err), ERROR_SYSTEM,
		"bundle /nonesuch: No such file or directory");
}

TEST(oci, reads_a_process_for_exec)
{
	AUTO(arena_drop) struct arena arena = {0};
	char path[] = "/tmp/warren-oci-XXXXXX";
	int fd = mkstemp(path);
	static const char text[] = "{\"args\": [\"id\"], \"cwd\": \"/\", \"user\": {\"uid\": 5}, \"future\": 1}";
	struct spec_process process;
	struct error err = {0};

	cr_assert(fd >= 0 && write_all(fd, text, strlen(text)) == 0);
	close(fd);
	ASSERT_OK(oci_process_read(&arena, path, &process, &err));
	cr_assert(process.uid == 5 && strcmp(process.args.items[0], "id") == 0);
	unlink(path);
}

TEST(oci, default_config_is_one_that_it_reads)
{
	for (int rootless = 0; rootless < 2; rootless++) {
		AUTO(arena_drop) struct arena arena = {0};
		AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
		auto_free char *text = NULL;
		struct error err = {0};
		struct spec spec;
		size_t length;

		oci_default_config(encoder, rootless);
		text = encoder_take(encoder, &length);
		ASSERT_OK(config_decode_text(&arena, text, length, &spec, &err));
		cr_assert(spec.mounts.count == 7 && spec.process.terminal && spec.root_read_only);
		cr_assert(spec.namespaces.create[NS_USER] == rootless && spec.namespaces.create[NS_NET] == !rootless);
	}
}
