/* warren-oci started by an ordinary user, and by root of a user namespace. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

/* A uid that nobody has, and the range that is his in the tests' own /etc/subuid. */
#define USER 23456
#define FIRST_SUB_ID "300000"

static bool users_may_make_namespaces(void)
{
	auto_run run = RUN("setpriv", "--reuid=23456", "--regid=23456", "--clear-groups", "unshare", "-Ur", "true");

	return run.status == 0;
}

#define NEEDS_USERS()                                                                                                  \
	NEEDS_ROOT();                                                                                                  \
	SKIP_UNLESS(users_may_make_namespaces(), "needs a kernel that lets users make user namespaces")

static const char own_id[] = "[{\"containerID\": 0, \"hostID\": 23456, \"size\": 1}]";
static const char ranges[] =
	"[{\"containerID\": 0, \"hostID\": 23456, \"size\": 1}, {\"containerID\": 1, \"hostID\": " FIRST_SUB_ID
	", \"size\": 1000}]";
static const char with_user[] =
	"[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"ipc\"}, {\"type\": \"uts\"}, {\"type\": \"user\"}]";
static const char without_user[] = "[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"ipc\"}, {\"type\": "
				   "\"uts\"}, {\"type\": \"network\"}]";

static void bundle_map(struct bundle *bundle, const char *maps, const char *script, const char *more)
{
	auto_free char *system = text_format("\"uidMappings\": %s, \"gidMappings\": %s%s", maps, maps, more);

	BUNDLE_WRITE(bundle, .script = script, .namespaces = with_user, .system = system);
}

/* Everything below belongs to the user. */
static void bundle_give(struct bundle *bundle)
{
	auto_free char *owner = text_format("%d:%d", USER, USER);
	auto_run run = RUN("chown", "-R", owner, bundle->directory.path);

	ASSERT_STATUS(run, 0);
	chmod(bundle->directory.path, 0755);
}

/* The leak checker stops the process by ptrace(2), which the program forbids to its own user, and then waits for ever.
 */
static char *script_text(const struct bundle *bundle, const char *script)
{
	return text_format("OCI=%s ID=%s; cd %s; export XDG_RUNTIME_DIR=%s ASAN_OPTIONS=detect_leaks=0\n%s",
		WARREN_OCI_PROGRAM, bundle->id, bundle->path, bundle->directory.path, script);
}

/* A script of sh by that user, with $OCI and $ID set, in the bundle. prefix: words in front, as of `unshare -Ur`. */
static struct run_result as_user(struct bundle *bundle, const char *prefix, const char *script)
{
	auto_free char *text = script_text(bundle, script);
	auto_free char *command =
		text_format("exec setpriv --reuid=%d --regid=%d --clear-groups %s sh -c \"$0\"", USER, USER, prefix);

	bundle_give(bundle);
	return run_program((const char *const[]){"sh", "-c", command, text, NULL}, NULL);
}

/* The same with a range of ids of his own. */
static struct run_result as_user_with_ids(struct bundle *bundle, const char *script)
{
	auto_free char *files =
		text_format("set -e; d=%s; cd $d; mount --make-rprivate /\n"
			    "echo 'root:x:0:0::/:/bin/sh' >passwd; echo 'test:x:%d:%d::/:/bin/sh' >>passwd\n"
			    "echo test:" FIRST_SUB_ID ":65536 >ids\n"
			    "mount --bind passwd /etc/passwd\n"
			    "for f in /etc/subuid /etc/subgid; do mount --bind ids $f; done\n"
			    "exec setpriv --reuid=%d --regid=%d --clear-groups sh -c \"$0\"",
			bundle->directory.path, USER, USER, USER, USER);
	auto_free char *text = script_text(bundle, script);

	bundle_give(bundle);
	return run_program((const char *const[]){"unshare", "-m", "sh", "-c", files, text, NULL}, NULL);
}

/* --- an ordinary user --------------------------------------------------------------------------------------------- */

TEST(oci_rootless, user_runs_a_container_with_his_own_id, .timeout = SLOWLY(60))
{
	NEEDS_USERS();
	auto_bundle bundle = bundle_new();

	bundle_map(
		&bundle, own_id, "id -u; cat /proc/self/uid_map; test -c /dev/null && echo x > /dev/null; exit 7", "");
	auto_run run =
		as_user(&bundle, "", "$OCI run $ID; echo status $?; $OCI list -q; ls $XDG_RUNTIME_DIR/warren-oci");
	cr_assert_str_eq(run.out, "0\n         0      23456          1\nstatus 7\n", "%s%s", run.out, run.err);
	cr_assert_str_eq(run.err, "");
	cr_assert(bundle_cgroups(&bundle) == 0);
}

TEST(oci_rootless, user_has_every_command, .timeout = SLOWLY(60))
{
	NEEDS_USERS();
	auto_bundle bundle = bundle_new();

	bundle_map(&bundle, own_id, "sleep 1000", "");
	auto_run run = as_user(&bundle, "",
		"exec 2>&1; state() { $OCI state $ID | grep -o '\"status\": \"[a-z]*'; }\n"
		"$OCI create $ID </dev/null >/dev/null; state; $OCI start $ID; state\n"
		"$OCI exec $ID id -u; $OCI exec -t $ID test -t 0 && echo terminal; $OCI list -q\n"
		"$OCI delete $ID && echo deleted; $OCI kill $ID KILL\n"
		"while state | grep -q running; do sleep 0.05; done; state\n"
		"$OCI delete $ID; $OCI run -d $ID </dev/null >/dev/null; $OCI delete -f $ID; $OCI delete -f $ID; $OCI "
		"list -q");
	auto_free char *expected = text_format("\"status\": \"created\n\"status\": \"running\n0\nterminal\n%s\n"
					       "warren-oci: cannot delete container \"%s\": it is running; stop it "
					       "first, or use --force\n\"status\": \"stopped\n",
		bundle.id, bundle.id);
	cr_assert_str_eq(run.out, expected, "%s", run.out);
}

TEST(oci_rootless, user_has_ranges_by_newuidmap, .timeout = SLOWLY(60))
{
	NEEDS_USERS();
	SKIP_UNLESS(access("/usr/bin/newuidmap", X_OK) == 0, "needs newuidmap, of package uidmap");
	auto_bundle bundle = bundle_new();

	bundle_map(&bundle, ranges, "id -u; cat /proc/self/uid_map; grep Groups /proc/self/status", "");
	BUNDLE_WRITE(&bundle, .script = "id -u; cat /proc/self/gid_map; grep Groups /proc/self/status",
		.process = "\"user\": {\"uid\": 33, \"gid\": 33, \"additionalGids\": [5, 7]}", .namespaces = with_user,
		.system =
			"\"uidMappings\": [{\"containerID\": 0, \"hostID\": 23456, \"size\": 1}, {\"containerID\": 1, "
			"\"hostID\": " FIRST_SUB_ID ", \"size\": 1000}], \"gidMappings\": [{\"containerID\": 0, "
			"\"hostID\": 23456, \"size\": 1}, {\"containerID\": 1, \"hostID\": " FIRST_SUB_ID
			", \"size\": 1000}]");
	auto_run run = as_user_with_ids(&bundle, "$OCI run $ID");
	ASSERT_STATUS(run, 0);
	cr_assert_str_eq(run.out,
		"33\n         0      23456          1\n         1     " FIRST_SUB_ID "       1000\nGroups:\t5 7 \n");
	auto_free char *exec = text_format("$OCI run -d -f sleep.json $ID </dev/null >/dev/null && "
					   "$OCI exec -u 44:9 $ID id -u; $OCI delete -f $ID");
	auto_free char *sleeping = text_format("%s/config.json", bundle.path);
	bundle_map(&bundle, ranges, "sleep 1000", "");
	auto_free char *copy = text_format("%s/sleep.json", bundle.path);
	cr_assert(rename(sleeping, copy) == 0);
	auto_run second = as_user_with_ids(&bundle, exec);
	ASSERT_STATUS(second, 0);
	cr_assert_str_eq(second.out, "44\n");
}

TEST(oci_rootless, what_a_user_may_not_is_said, .timeout = SLOWLY(60))
{
	NEEDS_USERS();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .namespaces = without_user);
	auto_run namespace = as_user(&bundle, "", "$OCI run $ID");
	ASSERT_REFUSED(namespace, "linux.namespaces needs \"user\", with uidMappings and gidMappings");

	bundle_map(&bundle, "[{\"containerID\": 0, \"hostID\": 1, \"size\": 5000}]", "true", "");
	auto_run range = as_user(&bundle, "", "$OCI run $ID");
	ASSERT_REFUSED(range, "newgidmap");

	bundle_map(&bundle, own_id, "true", ", \"resources\": {\"memory\": {\"limit\": 100000000}}");
	auto_run limit = as_user(&bundle, "", "$OCI run $ID");
	ASSERT_REFUSED(limit, "linux.resources.memory.limit: ");

	bundle_map(&bundle, own_id, "sleep 1000", "");
	auto_run update = as_user(&bundle, "",
		"$OCI run -d $ID </dev/null >/dev/null; $OCI --rootless maybe list; $OCI update --memory 100M $ID; "
		"s=$?\n"
		"$OCI delete -f $ID; exit $s");
	ASSERT_STATUS(update, 1);
	cr_assert(strstr(update.err, "--rootless maybe: must be true, false or auto"), "%s", update.err);
	cr_assert(strstr(update.err, "has no cgroup"), "%s", update.err);

	auto_run root = as_user(&bundle, "", "unset XDG_RUNTIME_DIR; $OCI list");
	ASSERT_REFUSED(root, "XDG_RUNTIME_DIR is not set");
	auto_run insisted = as_user(&bundle, "", "$OCI --rootless false run $ID");
	ASSERT_STATUS(insisted, 1);
	auto_run left = as_user(&bundle, "", "$OCI list -q");
	cr_assert_str_eq(left.out, "");
}

TEST(oci_rootless, groups_that_are_fixed_are_kept_or_refused, .timeout = SLOWLY(60))
{
	NEEDS_USERS();
	auto_bundle bundle = bundle_new();
	auto_free char *system = text_format("\"uidMappings\": %s, \"gidMappings\": %s", own_id, own_id);

	BUNDLE_WRITE(&bundle, .script = "true", .namespaces = with_user, .system = system,
		.process = "\"user\": {\"uid\": 0, \"gid\": 0, \"additionalGids\": [0]}");
	auto_run run = as_user(&bundle, "", "$OCI run $ID");
	ASSERT_REFUSED(run, "process.user.additionalGids: groups are fixed in this user namespace");
}

/* The user's own copy of the program could be written to by his container's root. */
TEST(oci_rootless, users_own_program_is_out_of_the_containers_reach, .timeout = SLOWLY(60))
{
	NEEDS_USERS();
	auto_bundle bundle = bundle_new();

	bundle_map(&bundle, own_id, "while ! test -e /proc/2; do :; done; sleep 1000", "");
	auto_run run = as_user(&bundle, "",
		"cp $OCI ../own; before=$(cksum <../own); ../own run -d $ID </dev/null >/dev/null || exit 1\n"
		"../own exec $ID /proc/self/exe --version >/dev/null 2>&1\n"
		"../own exec $ID sh -c 'echo x >/proc/self/exe' 2>/dev/null\n"
		"../own delete -f $ID; test \"$before\" = \"$(cksum <../own)\" && echo whole");
	cr_assert(strstr(run.out, "whole"), "%s%s", run.out, run.err);
}

/* --- root of a user namespace, as podman makes one ---------------------------------------------------------------- */

static void assert_inside(const char *prefix)
{
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "id -u; echo x > /dev/null && sleep 1000", .namespaces = without_user);
	auto_run run = as_user(&bundle, prefix,
		"$OCI run -d $ID </dev/null >/dev/null; $OCI list -q; $OCI exec $ID id -u; $OCI kill $ID KILL\n"
		"while $OCI state $ID | grep -q running; do sleep 0.05; done; $OCI delete $ID; $OCI list -q");
	auto_free char *expected = text_format("%s\n0\n", bundle.id);
	cr_assert_str_eq(run.out, expected, "%s: %s%s", prefix, run.out, run.err);
}

TEST(oci_rootless, root_of_a_user_namespace_runs_containers, .timeout = SLOWLY(90))
{
	NEEDS_USERS();
	assert_inside("unshare -Urm");
	/* In the host's mount namespace, where it may mount nothing. */
	assert_inside("unshare -Ur");
}

/* --- a cgroup that was delegated ---------------------------------------------------------------------------------- */

TEST(oci_rootless, user_has_a_cgroup_where_one_is_delegated, .timeout = SLOWLY(90))
{
	NEEDS_USERS();
	SKIP_UNLESS(access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0, "needs cgroup v2 alone");
	auto_bundle bundle = bundle_new();
	auto_free char *group = text_format("/sys/fs/cgroup/warren-test-%s", bundle.id);
	auto_free char *enter =
		text_format("set -e; mkdir %s; for f in . cgroup.procs cgroup.subtree_control cgroup.threads; do chown "
			    "%d %s/$f; done\n"
			    "echo $$ >%s/cgroup.procs; exec setpriv --reuid=%d --regid=%d --clear-groups sh -c \"$0\"",
			group, USER, group, group, USER, USER);
	auto_free char *text = text_format(
		"OCI=%s ID=%s; cd %s; export XDG_RUNTIME_DIR=%s\n"
		"$OCI run -d $ID </dev/null >/dev/null; $OCI ps -f json $ID | grep -c '[0-9]'; $OCI pause $ID\n"
		"$OCI state $ID | grep -o paused; $OCI resume $ID; $OCI exec $ID id -u; ls -d %s/warren-oci/$ID "
		">/dev/null\n"
		"$OCI delete -f $ID; ls -d %s/warren-oci 2>/dev/null; true",
		WARREN_OCI_PROGRAM, bundle.id, bundle.path, bundle.directory.path, group, group);

	bundle_map(&bundle, own_id, "sleep 1000", "");
	bundle_give(&bundle);
	auto_run run = run_program((const char *const[]){"sh", "-c", enter, text, NULL}, NULL);
	rmdir(group);
	ASSERT_STATUS(run, 0);
	cr_assert_str_eq(run.out, "1\npaused\n0\n", "%s%s", run.out, run.err);
	cr_assert(access(group, F_OK) < 0);
}
