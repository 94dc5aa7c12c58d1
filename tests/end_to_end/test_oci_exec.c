/* warren-oci exec from the outside. */
#include <linux/keyctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

static void start(struct bundle *bundle, const struct bundle_config *config)
{
	bundle_write(bundle, config);
	auto_run run = OCI(bundle, "run", "-d", "ID");
	cr_assert(run.status == 0, "%s", run.err);
}
#define START(bundle, ...) start(bundle, &(struct bundle_config){.args = "[\"/bin/sleep\", \"100\"]", __VA_ARGS__})

static void assert_output(struct run_result run, const char *expected)
{
	cr_assert(run.status == 0 && strcmp(run.out, expected) == 0, "status %d, got \"%s\" \"%s\", expected \"%s\"",
		run.status, run.out, run.err, expected);
	run_result_drop(&run);
}

static void assert_refused(struct run_result run, const char *text)
{
	cr_assert(run.status == 1 && strstr(run.err, text), "status %d, got \"%s\", expected \"%s\"", run.status,
		run.err, text);
	run_result_drop(&run);
}

TEST(oci_exec, runs_beside_the_first_process_and_gives_its_status)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	START(&bundle);
	assert_output(OCI(&bundle, "exec", "ID", "sh", "-c", "hostname; cat /proc/1/comm"), "inside\nsleep\n");
	auto_run status = OCI(&bundle, "exec", "ID", "sh", "-c", "exit 9");
	cr_assert(status.status == 9);
	auto_run signal = OCI(&bundle, "exec", "ID", "sh", "-c", "kill -9 $$");
	cr_assert(signal.status == 128 + 9, "%d", signal.status);
	assert_refused(OCI(&bundle, "exec", "ID", "nonesuch"), "execute nonesuch: no such file or directory");
	assert_refused(OCI(&bundle, "exec", "ID"), "no command to execute");
	assert_refused(OCI(&bundle, "exec", "nonesuch", "true"), "nonesuch");
}

TEST(oci_exec, takes_user_groups_environment_and_directory)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	START(&bundle, .process = "\"user\": {\"uid\": 0, \"gid\": 7}");
	assert_output(OCI(&bundle, "exec", "ID", "id"), "uid=0 gid=7\n");
	assert_output(OCI(&bundle, "exec", "-u", "5", "ID", "id"), "uid=5 gid=7\n");
	assert_output(
		OCI(&bundle, "exec", "--user", "5:6", "-g", "8", "-g", "9", "ID", "id"), "uid=5 gid=6 groups=8,9\n");
	assert_output(OCI(&bundle, "exec", "--cwd", "/bin", "ID", "pwd"), "/bin\n");
	/* PATH of the container stays, or sh would not be found. */
	assert_output(
		OCI(&bundle, "exec", "-e", "A=1", "--env", "B=x y", "-e", "A=2", "ID", "sh", "-c", "echo $A $B $PATH"),
		"2 x y /bin\n");
	assert_refused(OCI(&bundle, "exec", "-e", "A", "ID", "true"), "--env A: must be NAME=VALUE");
	assert_refused(OCI(&bundle, "exec", "--cwd", "bin", "ID", "true"), "--cwd bin: must be an absolute path");
}

TEST(oci_exec, never_takes_a_wrong_user_for_root)
{
	NEEDS_ROOT();
	static const char *const users[] = {"-1", "4294967295", "4294967296", "1e3", "0x1", " 1", "1 ", "", "+1", "01",
		"root", "1:", ":1", "1:1:1", "1:-1", "0:4294967295", "18446744073709551616"};
	auto_bundle bundle = bundle_new();

	START(&bundle);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		auto_free char *option = text_format("--user=%s", users[i]);
		auto_free char *text = text_format("--user %s: ", users[i]);

		assert_refused(OCI(&bundle, "exec", option, "ID", "id"), text);
	}
	assert_output(OCI(&bundle, "exec", "-u", "4294967294", "ID", "id", "-u"), "4294967294\n");
	assert_output(OCI(&bundle, "exec", "-u", "1:1", "ID", "id", "-u"), "1\n");
	assert_output(OCI(&bundle, "exec", "-u", "0:5", "ID", "id", "-g"), "5\n");
}

TEST(oci_exec, never_asks_the_image_who_a_number_is)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	run_write_file(bundle.path, "rootfs/etc/passwd", 0644, "1000:x:0:0::/:/bin/sh\n");
	START(&bundle);
	assert_output(OCI(&bundle, "exec", "-u", "1000", "ID", "id", "-u"), "1000\n");
}

TEST(oci_exec, has_no_inherited_capabilities)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	START(&bundle,
		.process =
			"\"noNewPrivileges\": true, \"capabilities\": {\"bounding\": [\"CAP_CHOWN\"], \"permitted\": "
			"[\"CAP_CHOWN\"], \"effective\": [\"CAP_CHOWN\"]}");
	assert_output(OCI(&bundle, "exec", "ID", "grep", "-E", "Cap|NoNew", "/proc/self/status"),
		"CapInh:\t0000000000000000\nCapPrm:\t0000000000000001\nCapEff:\t0000000000000001\n"
		"CapBnd:\t0000000000000001\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n");
	assert_output(OCI(&bundle, "exec", "-c", "CAP_KILL", "-u", "9", "ID", "grep", "-E", "CapEff|CapAmb",
			      "/proc/self/status"),
		"CapEff:\t0000000000000020\nCapAmb:\t0000000000000020\n");
	auto_run unknown = OCI(&bundle, "exec", "--cap", "CAP_KIL", "ID", "true");
	cr_assert(unknown.status == 0 && strstr(unknown.err, "--cap: unknown capability \"CAP_KIL\"; did you mean"),
		"%s", unknown.err);
}

TEST(oci_exec, reads_the_process_from_a_file)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	START(&bundle);
	run_write_file(bundle.path, "process.json", 0644,
		"{\"args\": [\"sh\", \"-c\", \"id -u; pwd; echo $X\"], \"cwd\": \"/bin\", \"env\": [\"PATH=/bin\", "
		"\"X=5\"], \"user\": "
		"{\"uid\": 12, \"gid\": 13}}");
	assert_output(OCI(&bundle, "exec", "--process", "process.json", "ID"), "12\n/bin\n5\n");
	assert_refused(
		OCI(&bundle, "exec", "-p", "process.json", "ID", "true"), "--process and a command exclude each other");
	run_write_file(bundle.path, "process.json", 0644,
		"{\"args\": [\"sh\"], \"cwd\": \"/\", \"user\": {\"uid\": 4294967296}}");
	assert_refused(OCI(&bundle, "exec", "-p", "process.json", "ID"), "4294967296 is not between 0 and 4294967294");
}

TEST(oci_exec, refuses_labels_and_profiles_that_the_kernel_does_not_know)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	START(&bundle);
	auto_run apparmor = RUN("grep", "-q", "Y", "/sys/module/apparmor/parameters/enabled");
	if (apparmor.status != 0)
		assert_refused(OCI(&bundle, "exec", "--apparmor", "x", "ID", "true"),
			"AppArmor profile x: this kernel has no AppArmor, or it is switched off");
	if (access("/sys/fs/selinux/enforce", F_OK) != 0)
		assert_refused(OCI(&bundle, "exec", "--process-label", "x", "ID", "true"),
			"SELinux label x: this kernel has no SELinux, or it is switched off");
	assert_output(OCI(&bundle, "exec", "--apparmor", "", "--process-label", "", "ID", "echo", "x"), "x\n");
}

/* In every hierarchy that the container is in: the pids one only, or the one of v2. */
TEST(oci_exec, runs_in_a_cgroup_below_the_containers_or_not_at_all)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	START(&bundle, .system = "\"resources\": {\"pids\": {\"limit\": 50}}");
	assert_refused(
		OCI(&bundle, "exec", "--cgroup", "nonesuch", "ID", "true"), "sub-cgroup nonesuch: does not exist");
	assert_refused(OCI(&bundle, "exec", "--cgroup", "../..", "ID", "true"), "sub-cgroup ../..: ");
	assert_refused(OCI(&bundle, "exec", "--cgroup", "a/../..", "ID", "true"), "sub-cgroup a/../..: ");
	assert_output(OCI(&bundle, "exec", "--cgroup", "/", "ID", "echo", "root"), "root\n");
	auto_free char *make = text_format("for d in /sys/fs/cgroup/warren-oci/%s /sys/fs/cgroup/*/warren-oci/%s; do "
					   "! test -d $d || mkdir $d/below || exit 1; done",
		bundle.id, bundle.id);
	auto_run made = RUN("sh", "-c", make);
	cr_assert(made.status == 0, "%s", made.err);
	auto_run inside =
		OCI(&bundle, "exec", "--cgroup", "below", "ID", "grep", "-E", "^0::|pids:", "/proc/self/cgroup");
	cr_assert(inside.status == 0 && strstr(inside.out, "/below\n"), "%s%s", inside.out, inside.err);
}

/* A path for each hierarchy, as runc has it; in the others the process is where the container is. */
TEST(oci_exec, runs_in_cgroups_of_single_hierarchies)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	START(&bundle, .system = "\"resources\": {\"pids\": {\"limit\": 50}, \"memory\": {\"limit\": 100000000}}");
	if (access("/sys/fs/cgroup/pids/cgroup.procs", F_OK) != 0) {
		assert_refused(OCI(&bundle, "exec", "--cgroup", "pids:below", "ID", "true"),
			"--cgroup pids:below: on this host, with cgroup v2, a controller has no hierarchy of its own");
		return;
	}
	auto_free char *make = text_format(
		"cd /sys/fs/cgroup && mkdir pids/warren-oci/%s/p memory/warren-oci/%s/m", bundle.id, bundle.id);
	auto_run made = RUN("sh", "-c", make);
	cr_assert(made.status == 0, "%s", made.err);
	auto_run inside =
		OCI(&bundle, "exec", "--cgroup", "pids:/p", "--cgroup", "memory:m", "ID", "cat", "/proc/self/cgroup");
	cr_assert(inside.status == 0 && strstr(inside.out, ":pids:/p\n") && strstr(inside.out, ":memory:/m\n"), "%s%s",
		inside.out, inside.err);
	auto_run one = OCI(&bundle, "exec", "--cgroup", "pids:p", "ID", "grep", "memory:", "/proc/self/cgroup");
	cr_assert(one.status == 0 && strstr(one.out, ":memory:/\n"), "%s%s", one.out, one.err);
	assert_refused(OCI(&bundle, "exec", "--cgroup", "pids:p", "--cgroup", "memory:nonesuch", "ID", "true"),
		"sub-cgroup nonesuch: does not exist");
	assert_refused(OCI(&bundle, "exec", "--cgroup", "memory:p", "ID", "true"),
		"sub-cgroup p: does not exist in the memory hierarchy");
	assert_refused(OCI(&bundle, "exec", "--cgroup", "pids:../..", "ID", "true"), "sub-cgroup ../..: ");
	assert_refused(OCI(&bundle, "exec", "--cgroup", "pids:p", "--cgroup", "p", "ID", "true"),
		"--cgroup p: must be CONTROLLER:PATH");
	assert_refused(OCI(&bundle, "exec", "--cgroup", "pids:p", "--cgroup", "pids:p", "ID", "true"),
		"--cgroup pids:p has named that hierarchy already");
	assert_output(OCI(&bundle, "exec", "--cgroup", "pids,pids:p", "ID", "echo", "x"), "x\n");
	assert_refused(OCI(&bundle, "exec", "--cgroup", "moon:p", "ID", "true"),
		"--cgroup moon:p: the container is in no hierarchy with the controller \"moon\"");
	assert_refused(OCI(&bundle, "exec", "--cgroup", "a:b:c", "ID", "true"), "--cgroup a:b:c: must be");
}

TEST(oci_exec, waits_in_a_paused_container_only_when_told_to)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	START(&bundle);
	auto_run pause = OCI(&bundle, "pause", "ID");
	cr_assert(pause.status == 0, "%s", pause.err);
	assert_refused(OCI(&bundle, "exec", "ID", "true"), "is paused; resume it, or use --ignore-paused");
	auto_free char *oci = text_format("%s --root %s", WARREN_OCI_PROGRAM, bundle.state);
	auto_free char *command =
		text_format("%s exec --ignore-paused %s echo thawed & sleep 0.3; echo paused; %s resume %s; wait", oci,
			bundle.id, oci, bundle.id);
	assert_output(RUN("sh", "-c", command), "paused\nthawed\n");
}

/* Keys that only their possessor sees. */
TEST(oci_exec, does_not_inherit_the_callers_session_keyring)
{
	NEEDS_ROOT();
	SKIP_UNLESS(
		syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "warren-test") >= 0 && access("/proc/keys", R_OK) == 0,
		"needs keyrings");
	cr_assert(syscall(SYS_keyctl, KEYCTL_SETPERM, KEY_SPEC_SESSION_KEYRING, 0x3f000000) == 0);
	auto_bundle bundle = bundle_new();

	static const char namespaces[] = "[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"uts\"}]";
	BUNDLE_WRITE(&bundle, .script = "exec sleep 1000", .namespaces = namespaces);
	auto_run created = OCI(&bundle, "run", "-d", "ID");
	cr_assert(created.status == 0, "%s%s", created.out, created.err);
	auto_run exec = OCI(&bundle, "exec", "ID", "grep", "warren-test", "/proc/keys");
	cr_assert(exec.status == 1 && !*exec.out, "%s%s", exec.out, exec.err);
	auto_run deleted = OCI(&bundle, "delete", "-f", "ID");
	cr_assert(deleted.status == 0);
	BUNDLE_WRITE(&bundle, .script = "grep warren-test /proc/keys", .namespaces = namespaces);
	auto_run fresh = OCI(&bundle, "run", "ID");
	cr_assert(fresh.status == 1 && !*fresh.out, "%s%s", fresh.out, fresh.err);
	auto_run kept = OCI(&bundle, "run", "--no-new-keyring", "ID");
	cr_assert(kept.status == 0 && strstr(kept.out, "warren-test"), "%s%s", kept.out, kept.err);
}
