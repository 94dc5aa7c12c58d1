/* Bundles that try to reach the host: each shape has broken another runtime. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

static int entries(const char *path)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};
	struct error err = {0};

	auto_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(dir >= 0, "%s", path);
	ASSERT_OK(dir_list(&arena, dir, 1000, &names, &err));
	return (int)names.count;
}

/* The shape of CVE-2026-41579 and CVE-2026-47766. */
TEST(oci_escape, a_link_in_place_of_dev_makes_nothing_on_the_host)
{
	NEEDS_ROOT();
	static const char *const climbs[] = {"", "../../../../../../../../.."};

	for (size_t i = 0; i < ARRAY_SIZE(climbs); i++) {
		auto_bundle bundle = bundle_new();
		auto_free char *victim = text_format("%s/victim", bundle.directory.path);
		auto_free char *target = text_format("%s%s/victim", climbs[i], bundle.directory.path);
		auto_free char *dev = text_format("%s/rootfs/dev", bundle.path);

		cr_assert(mkdir(victim, 0755) == 0 && symlink(target, dev) == 0);
		BUNDLE_WRITE(&bundle, .args = "[\"/bin/true\"]");
		auto_run with_mount = OCI(&bundle, "run", "ID");
		cr_assert(entries(victim) == 0, "%s", with_mount.err);
	}
}

TEST(oci_escape, a_link_in_place_of_a_mount_point_stays_inside)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *victim = text_format("%s/victim", bundle.directory.path);
	auto_free char *link = text_format("%s/rootfs/data", bundle.path);

	cr_assert(mkdir(victim, 0755) == 0 && symlink(victim, link) == 0);
	BUNDLE_WRITE(&bundle, .script = "echo x > /data/a/b/file",
		.mounts = "{\"destination\": \"/data/a/b\", \"type\": \"tmpfs\", \"source\": \"tmpfs\"}");
	auto_run run = OCI(&bundle, "run", "ID");
	cr_assert(entries(victim) == 0, "%s", run.err);
}

TEST(oci_escape, a_link_in_place_of_proc_is_refused)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *fake = text_format("%s/rootfs/fake", bundle.path),
		       *proc = text_format("%s/rootfs/proc", bundle.path);

	cr_assert(mkdir(fake, 0755) == 0 && symlink("/fake", proc) == 0);
	BUNDLE_WRITE(&bundle, .script = "ls /proc/self/status");
	auto_run run = OCI(&bundle, "run", "ID");
	cr_assert(run.status == 1 && strstr(run.err, "proc"), "%d %s%s", run.status, run.out, run.err);
	cr_assert(bundle_cgroups(&bundle) == 0);
}

/* The shape of CVE-2024-21626. */
TEST(oci_escape, a_working_directory_through_a_descriptor_is_refused)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_fd root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *const words[] = {"run", "ID", NULL};

	for (int fd = 3; fd < 14; fd++) {
		auto_free char *process = text_format("\"cwd\": \"/proc/self/fd/%d\"", fd);

		BUNDLE_WRITE(&bundle, .script = "ls -a; echo reached", .process = process, .no_cwd = true);
		auto_run run = bundle_oci(&bundle, words,
			&(struct run_options){.keep = (const int[]){root, root, root, root, root, root, root, -1}});
		cr_assert(run.status != 0 && !strstr(run.out, "reached"), "fd %d: %s", fd, run.out);
	}
}

TEST(oci_escape, without_a_mount_namespace_nothing_is_mounted_on_the_host)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	int mounts = host_mount_count();

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/true\"]", .namespaces = "[]");
	auto_run run = OCI(&bundle, "run", "ID");
	cr_assert(run.status == 1 && strstr(run.err, "a mount namespace is missing"), "%s", run.err);
	cr_assert(host_mount_count() == mounts);
}

TEST(oci_escape, masked_and_read_only_paths_hold)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle,
		.script = "cat /proc/kcore | wc -c; ls /proc/acpi /proc/scsi 2>/dev/null | grep -v :; "
			  "echo x > /proc/sys/kernel/core_pattern && echo written; echo h > /proc/sysrq-trigger && "
			  "echo written; true",
		.system = "\"maskedPaths\": [\"/proc/kcore\", \"/proc/acpi\", \"/proc/scsi\", \"/proc/nonesuch\"], "
			  "\"readonlyPaths\": "
			  "[\"/proc/sys\", \"/proc/sysrq-trigger\"]");
	auto_run run = OCI(&bundle, "run", "ID");
	cr_assert(run.status == 0 && strstr(run.out, "0\n") == run.out && !strstr(run.out, "written"), "%s%s", run.out,
		run.err);
}

TEST(oci_escape, the_filter_of_a_config_binds_run_and_exec)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"100\"]",
		.system = "\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"mkdir\", "
			  "\"mkdirat\"], "
			  "\"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 75}]}");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	cr_assert(run.status == 0, "%s", run.err);
	auto_run exec = OCI(&bundle, "exec", "ID", "busybox", "mkdir", "/x");
	cr_assert(exec.status != 0 && strstr(exec.err, "Value too large"), "%s", exec.err);
	auto_run status = OCI(&bundle, "exec", "ID", "grep", "Seccomp:", "/proc/self/status");
	cr_assert_str_eq(status.out, "Seccomp:\t2\n");
}

/* CVE-2019-5736: the host's program file through /proc/self/exe. */
TEST(oci_escape, the_runtimes_program_file_cannot_be_written_from_inside)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	struct stat before, after;

	cr_assert(stat(WARREN_OCI_PROGRAM, &before) == 0);
	BUNDLE_WRITE(
		&bundle, .args = "[\"/bin/sh\", \"-c\", \"while :; do for p in /proc/[0-9]*; do test $p = /proc/1 || "
				 "(echo x > $p/exe) 2>/dev/null && echo written >> /log; done; done\"]");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	cr_assert(run.status == 0, "%s", run.err);
	for (int i = 0; i < 10; i++) {
		auto_run exec = OCI(&bundle, "exec", "ID", "true");
		cr_assert(exec.status == 0, "%s", exec.err);
		auto_run self = OCI(&bundle, "exec", "ID", "/proc/self/exe", "--version");
		cr_assert(self.status != 255);
	}
	cr_assert(stat(WARREN_OCI_PROGRAM, &after) == 0);
	cr_assert(before.st_mtim.tv_sec == after.st_mtim.tv_sec && before.st_size == after.st_size);
}

TEST(oci_escape, a_refused_config_leaves_no_cgroup_and_no_record)
{
	NEEDS_ROOT();
	static const struct bundle_config configs[] = {
		{.system = "\"resources\": {\"memory\": {\"limit\": -5}}"},
		{.system = "\"resources\": {\"cpu\": {\"cpus\": \"9999\"}}"},
		{.system = "\"sysctl\": {\"kernel.core_pattern\": \"x\"}"},
		{.mounts = "{\"destination\": \"/x\", \"type\": \"nonesuch\", \"source\": \"x\"}"},
		{.mounts = "{\"destination\": \"/x\", \"type\": \"bind\", \"source\": \"/nonesuch/dir\", \"options\": "
			   "[\"bind\"]}"},
		{.top = "\"hooks\": {\"prestart\": [{\"path\": \"/nonesuch\"}]}"},
		{.process = "\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 18446744073709551615, \"hard\": "
			    "18446744073709551615}]"},
	};
	auto_bundle bundle = bundle_new();
	int mounts = host_mount_count();

	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		bundle_write(&bundle, &configs[i]);
		auto_run run = OCI(&bundle, "run", "ID");
		cr_assert(run.status == 1 && run.err_length > 0, "%zu: %d", i, run.status);
		auto_run list = OCI(&bundle, "list", "-q");
		cr_assert(list.out_length == 0, "%zu: %s", i, list.out);
		cr_assert(bundle_cgroups(&bundle) == 0, "%zu: cgroups left", i);
		cr_assert(host_mount_count() == mounts, "%zu: mounts left", i);
	}
}
