/* doctor, and what the commands say about a kernel or a host that lacks something: they must agree. A kernel is made to
 * look older by a filter that the test loads on itself; a host is made poorer in namespaces of the test's own. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "base/kernel.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_place.h"
#include "tests/refuse.h"
#include "tests/test.h"

#define YOUNGEST_CALL_OF_6_1 450 /* set_mempolicy_home_node(2), x86-64 and arm64 alike */
#define PIDFD_GET_INFO_ 0xC040FF0BU
#define FSCONFIG_SET_FD_ 5
#define MFD_KNOWN_TO_6_1 7U

/* --- what it says ------------------------------------------------------------------------------------------------- */

static const struct json *report_of(struct playground *playground, const struct run_result *run)
{
	struct json_doc doc;
	struct error err = {0};
	const char *text = arena_bytes(&playground->arena, run->out, run->out_length);

	ASSERT_OK(json_parse(&playground->arena, "doctor", text, run->out_length, JSON_PLAIN, &doc, &err));
	return doc.root;
}

static const struct json *finding_of(const struct json *report, const char *name)
{
	const struct json *item = json_get(report, "findings")->first;

	while (item && !text_equal(json_get(item, "name")->text, name))
		item = item->next;
	return item;
}

static const char *text_of(const struct json *finding, const char *key)
{
	const struct json *node = finding ? json_get(finding, key) : NULL;

	return node ? node->text : "";
}

#define ASSERT_FINDING(report, name, expected)                                                                         \
	do {                                                                                                           \
		const struct json *finding = finding_of(report, name);                                                 \
		cr_assert_str_eq(text_of(finding, "state"), expected, "%s: %s: %s", name, text_of(finding, "state"),   \
			text_of(finding, "found"));                                                                    \
	} while (0)

TEST(doctor, a_host_that_runs_instances_misses_nothing, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_run run = WARREN(&playground, "doctor", "--json");

	cr_assert(run.status == 0, "%s%s", run.out, run.err);
	const struct json *report = report_of(&playground, &run);
	cr_assert_str_eq(json_get(json_get(report, "counts"), "missing")->text, "0");
	cr_assert_str_eq(json_get(report, "instances")->text, "1");
	static const char *const works[] = {"openat2(2)", "CAP_SYS_ADMIN", "controller memory", "a group with limits",
		"a root with mapped ids", "a link", "nftables: the whole table", "nftables: masquerading"};
	for (size_t i = 0; i < ARRAY_SIZE(works); i++)
		ASSERT_FINDING(report, works[i], "ok");
	WARREN_OK(&playground, "run", "--rm", "host", "--", "true");
}

TEST(doctor, leaves_nothing_behind, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_free char *find = text_format("find %s -name '*doctor*'", playground.directory.path);

	WARREN_OK(&playground, "doctor");
	auto_run files = RUN("sh", "-c", find);
	auto_run groups = RUN("sh", "-c", "find /sys/fs/cgroup -name 'doctor.*'");
	auto_run links = RUN("ip", "-o", "link");
	cr_assert_str_eq(files.out, "");
	cr_assert_str_eq(groups.out, "");
	cr_assert(!strstr(links.out, "w1"), "%s", links.out);
}

TEST(doctor, removes_what_a_killed_one_left, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_free char *find = text_format("find %s -name '*doctor*'", playground.directory.path);

	auto_free char *made = text_format("mkdir -p %s/lib/.warren-doctor.1.1/image", playground.root);
	auto_run make = RUN("sh", "-c", made);
	WARREN_OK(&playground, "doctor");
	auto_run files = RUN("sh", "-c", find);
	cr_assert_str_eq(files.out, "");
}

TEST(doctor, many_at_once_do_not_disturb_one_another, .fini = playground_rescue, .timeout = SLOWLY(240))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	auto_free char *script =
		text_format("for i in 1 2 3 4 5 6; do %s --root %s --cgroup-parent %s doctor -q > %s/$i & "
			    "pids=\"$pids $!\"; done; for p in $pids; do wait $p || exit 1; done",
			WARREN_PROGRAM, playground.root, playground.parent, playground.directory.path);
	auto_free char *show = text_format("cat %s/[1-6]", playground.directory.path);

	auto_run run = RUN("sh", "-c", script);
	auto_run said = RUN("sh", "-c", show);
	cr_assert(run.status == 0 && !strstr(said.out, "missing"), "%s%s", run.err, said.out);
}

TEST(doctor, tells_problems_only_and_settings_for_many, .fini = playground_rescue, .timeout = SLOWLY(240))
{
	auto_playground playground = playground_new();
	auto_run problems = WARREN(&playground, "doctor", "-q", "--instances", "4000");
	auto_run settings = WARREN(&playground, "doctor", "--sysctl", "-n", "4000");

	cr_assert(strstr(problems.out, "limits fs.inotify.max_user_instances: ") &&
			  strstr(problems.out, "(wanted: 64064)\n") &&
			  strstr(problems.out, "  do:  sysctl -w fs.inotify.max_user_instances=65536\n"),
		"%s", problems.out);
	cr_assert(!strstr(problems.out, "STATE") && !strstr(problems.out, "\033["));
	cr_assert(strstr(settings.out, "# What `warren doctor` advises for 4000 instances.\n") &&
			  strstr(settings.out, "\nfs.inotify.max_user_instances = 65536\n"),
		"%s", settings.out);
	auto_run too_many = WARREN(&playground, "doctor", "-q", "-n", "5000");
	cr_assert(too_many.status == 1 && strstr(too_many.out, "missing  limits instances of one host: 4094"), "%s",
		too_many.out);
	auto_run both = WARREN(&playground, "doctor", "--json", "--sysctl");
	cr_assert(both.status == 2 && strstr(both.err, "only one of --json and --sysctl"));
}

TEST(doctor, judges_a_fleet_file, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_free char *path = text_format("%s/fleet.json", playground.directory.path);

	run_write_file(playground.directory.path, "fleet.json", 0600,
		"{\"version\": 1, \"name\": \"big\", \"instances\": {\"a\": {\"image\": \"host\", \"command\": "
		"[\"true\"],"
		" \"replicas\": 700, \"resources\": {\"memory\": \"1T\"}}}}");
	auto_run run = WARREN(&playground, "doctor", "--json", path);
	const struct json *report = report_of(&playground, &run);
	cr_assert_str_eq(json_get(report, "instances")->text, "700");
	ASSERT_FINDING(report, "memory limits of the file", "warning");
	cr_assert_str_eq(text_of(finding_of(report, "fs.inotify.max_user_instances"), "wanted"), "11264");
	auto_run missing = WARREN(&playground, "doctor", "/nonesuch.json");
	cr_assert(missing.status == 3 && strstr(missing.err, "/nonesuch.json"), "%s", missing.err);
}

/* --- an older kernel ---------------------------------------------------------------------------------------------- */

#define ARGUMENT(n) offsetof(struct seccomp_data, args[n])
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define IF(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (then), (otherwise))
#define ANSWER(errnum) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (errnum))

/* This process and all that it starts see Linux 6.1 as far as a filter can tell: no younger system call, no layers by
 * descriptor (nor proc of another namespace), no younger flag of memory files, no information from pidfds. */
static void kernel_look_like_6_1(void)
{
	struct sock_filter code[] = {
		LOAD(offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, YOUNGEST_CALL_OF_6_1, 0, 1),
		ANSWER(ENOSYS),
		IF(SYS_fsconfig, 0, 3),
		LOAD(ARGUMENT(1)),
		IF(FSCONFIG_SET_FD_, 0, 9),
		ANSWER(EOPNOTSUPP),
		IF(SYS_memfd_create, 0, 3),
		LOAD(ARGUMENT(1)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, ~MFD_KNOWN_TO_6_1, 0, 5),
		ANSWER(EINVAL),
		IF(SYS_ioctl, 0, 3),
		LOAD(ARGUMENT(1)),
		IF(PIDFD_GET_INFO_, 0, 1),
		ANSWER(ENOTTY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};

	cr_assert(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

TEST(older_kernel, runs_what_a_newer_one_runs, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_free char *answer = text_format("%s/run/overlay-needs-attached-layers", playground.root);
	auto_free char *volume = text_format("%s/volume:/data:ro", playground.directory.path);

	kernel_look_like_6_1();
	run_write_file(playground.directory.path, "volume/file", 0644, "seen\n");
	WARREN_OK(&playground, "run", "-d", "--name", "a", "-p", "8093:80", "-v", volume, "--memory", "64M", "host",
		"--", "busybox", "httpd", "-f", "-p", "80", "-h", "/data");
	cr_assert(access(answer, F_OK) == 0, "the newer way was taken");
	auto_run page = RUN("curl", "-sS", "--retry", "5", "--retry-connrefused", "--retry-delay", "1",
		"http://127.0.0.1:8093/file");
	cr_assert_str_eq(page.out, "seen\n", "%s", page.err);
	auto_run inside = WARREN(&playground, "exec", "a", "cat", "/data/file");
	cr_assert_str_eq(inside.out, "seen\n", "%s", inside.err);
	auto_run run = WARREN(&playground, "doctor", "--json");
	cr_assert(run.status == 0, "%s", run.out);
	const struct json *report = report_of(&playground, &run);
	static const enum kernel_feature lacking[] = {
		KERNEL_OVERLAY_DETACHED, KERNEL_PROC_FOR_CHILD, KERNEL_PIDFD_EXIT, KERNEL_MEMFD_EXEC};
	for (size_t i = 0; i < ARRAY_SIZE(lacking); i++)
		ASSERT_FINDING(report, kernel_about(lacking[i])->name, "note");
	WARREN_OK(&playground, "rm", "-f", "a");
}

/* --- a kernel without what is needed ------------------------------------------------------------------------------ */

struct lack {
	struct playground *playground;
	const char *fleet;
	long call;
	const struct kernel_row *row;
};

/* What each command says on such a kernel; the number of those that say it wrongly. */
static int lack_judge(const struct lack *lack)
{
	struct utsname own;
	int wrong = 0;

	uname(&own);
	auto_free char *words = text_format("this kernel (%s) has no %s, which Linux has since %s: ", own.release,
		lack->row->name, lack->row->since);
	auto_free char *line =
		text_format("missing  kernel %s: not there (wanted: Linux %s)\n", lack->row->name, lack->row->since);
	const struct {
		const char *words[8], *expected;
		int status;
	} rows[] = {
		{{"run", "--rm", "host", "--", "true"}, words, 125},
		{{"run", "-d", "--name", "b", "host", "--", "true"}, words, 1},
		{{"apply", lack->fleet}, words, 1},
		{{"doctor", "-q"}, line, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_run run = playground_warren(lack->playground, rows[i].words, &(struct run_options){0});
		bool said = strstr(run.err, rows[i].expected) || strstr(run.out, rows[i].expected);

		/* Before anything is made it is 1 for both kinds of run. */
		if (said && (run.status == rows[i].status || run.status == 1))
			continue;
		wrong++;
		fprintf(stderr, "%s without %s: status %d: %s%s", rows[i].words[0], lack->row->name, run.status,
			run.out, run.err);
	}
	return wrong;
}

/* In a process of its own: a filter cannot be taken off again. */
static int lack_try(const struct lack *lack)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		_exit(syscall_refuse(lack->call, ENOSYS) < 0 ? 99 : lack_judge(lack));
	}
	cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

TEST(older_kernel, is_named_by_run_apply_and_doctor_with_the_version_that_has_it, .fini = playground_rescue,
	.timeout = SLOWLY(240))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	auto_free char *fleet = text_format("%s/fleet.json", playground.directory.path);
	static const struct {
		long call;
		enum kernel_feature feature;
	} rows[] = {
		{SYS_clone3, KERNEL_CLONE3},
		{SYS_openat2, KERNEL_OPENAT2},
		{SYS_fsopen, KERNEL_MOUNT_API},
		{SYS_mount_setattr, KERNEL_MOUNT_SETATTR},
	};

	run_write_file(playground.directory.path, "fleet.json", 0600,
		"{\"version\": 1, \"name\": \"old\", \"instances\": {\"a\": {\"image\": \"host\", \"command\": "
		"[\"true\"]}}}");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct lack lack = {&playground, fleet, rows[i].call, kernel_about(rows[i].feature)};

		cr_assert(lack_try(&lack) == 0, "%s", lack.row->name);
		WARREN_OK(&playground, "rm", "-f", "--all");
	}
}

/* --- a poorer host ------------------------------------------------------------------------------------------------ */

static void mounts_are_mine(void)
{
	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

TEST(doctor, says_that_there_are_no_control_groups, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	mounts_are_mine();
	cr_assert(umount2("/sys/fs/cgroup", MNT_DETACH) == 0);
	auto_run run = WARREN(&playground, "doctor", "--json");
	const struct json *report = report_of(&playground, &run);
	cr_assert(run.status == 1);
	ASSERT_FINDING(report, "hierarchy", "missing");
	ASSERT_FINDING(report, "a root with mapped ids", "ok");
	ASSERT_FINDING(report, "nftables: the whole table", "ok");
}

TEST(doctor, goes_on_without_proc_and_sys, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	mounts_are_mine();
	cr_assert(umount2("/proc", MNT_DETACH) == 0 && umount2("/sys", MNT_DETACH) == 0);
	auto_run run = WARREN(&playground, "doctor", "--json");
	const struct json *report = report_of(&playground, &run);
	cr_assert(run.status == 1 && finding_of(report, "instances"), "%s%s", run.out, run.err);
	ASSERT_FINDING(report, "user namespaces", "unknown");
	ASSERT_FINDING(report, "kernel.pid_max", "note");
	cr_assert(mount("proc", "/proc", "proc", 0, NULL) == 0 && mount("sysfs", "/sys", "sysfs", 0, NULL) == 0);
}

TEST(doctor, says_that_the_state_directory_is_read_only, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	mounts_are_mine();
	cr_assert(mount(playground.directory.path, playground.directory.path, NULL, MS_BIND, NULL) == 0);
	cr_assert(mount(NULL, playground.directory.path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
	auto_run run = WARREN(&playground, "doctor", "--json");
	const struct json *report = report_of(&playground, &run);
	cr_assert(run.status == 1);
	ASSERT_FINDING(report, "state directory", "missing");
	ASSERT_FINDING(report, "a root", "missing");
	cr_assert(strstr(text_of(finding_of(report, "a root"), "found"), "Read-only file system"));
	cr_assert(umount2(playground.directory.path, MNT_DETACH) == 0);
}

/* What is hidden: the program that loads the table. */
TEST(doctor, says_which_program_is_missing_and_how_to_get_it, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	mounts_are_mine();
	cr_assert(mount("/dev/null", "/usr/sbin/nft", NULL, MS_BIND, NULL) == 0);
	auto_run run = WARREN(&playground, "doctor", "-q");
	cr_assert(run.status == 1 && strstr(run.out, "missing  network the program nft: no /usr/sbin/nft\n") &&
			  strstr(run.out, "  do:  apt-get install nftables\n"),
		"%s", run.out);
}

/* One datagram from each of so many ports: as many connections that the kernel tracks, for half a minute. */
static void flows_make(const char *address, int count)
{
	struct place to;

	cr_assert(place_make(address, 9, &to));
	for (int i = 0; i < count; i++) {
		auto_fd fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		cr_assert(sendto(fd, "x", 1, 0, &to.any, to.length) == 1);
	}
}

/* The number that there is room for is the whole machine's, so it is a file of the test's own that says a smaller one.
 */
TEST(doctor, says_that_the_list_of_connections_fills_up, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_ALL_THE_TIME();
	auto_playground playground = playground_new();
	auto_free char *path = text_format("%s/max", playground.directory.path);

	WARREN_OK(&playground, "run", "-d", "--name", "web", "-p", "8080:80", "host", "sleep", "infinity");
	mounts_are_mine();
	run_write_file(playground.directory.path, "max", 0644, "50\n");
	cr_assert(mount(path, "/proc/sys/net/netfilter/nf_conntrack_max", NULL, MS_BIND, NULL) == 0);
	flows_make(instance_fact(&playground, "web", "address"), 40);
	auto_run crowded = WARREN(&playground, "doctor", "-q");
	cr_assert(strstr(crowded.out, "warning  network tracked connections: 40 of 50\n") &&
			  strstr(crowded.out, "  do:  make room: sysctl -w net.netfilter.nf_conntrack_max"),
		"%s", crowded.out);
	flows_make(instance_fact(&playground, "web", "address"), 10);
	auto_run full = WARREN(&playground, "doctor", "-q");
	cr_assert(strstr(full.out, "warning  network tracked connections: 50 of 50: full, new ones are dropped\n"),
		"%s", full.out);
	WARREN_OK(&playground, "rm", "-f", "web");
}

TEST(doctor, works_for_everybody, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_run run =
		RUN("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", WARREN_PROGRAM, "doctor", "--json");
	const struct json *report = report_of(&playground, &run);

	ASSERT_FINDING(report, "root", "unknown");
	ASSERT_FINDING(report, "openat2(2)", "ok");
	ASSERT_FINDING(report, "a root with mapped ids", "unknown");
	ASSERT_FINDING(report, "a link", "unknown");
	cr_assert(json_get(report, "counts") && run.status == 0, "%s%s", run.out, run.err);
}

TEST(doctor, names_instances_whose_records_are_damaged, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	auto_free char *record = text_format("%s/lib/instances/a/record.json", playground.root);

	WARREN_OK(&playground, "create", "--name", "a", "host", "--", "true");
	cr_assert(truncate(record, 0) == 0);
	auto_run run = WARREN(&playground, "doctor", "-q");
	cr_assert(run.status == 0 && strstr(run.out, "warning  instances instances: 1; damaged: a\n"), "%s%s", run.out,
		run.err);
	WARREN_OK(&playground, "rm", "-f", "a");
}

/* --- a kernel without a controller -------------------------------------------------------------------------------- */

static bool is_switched_off(const char *controller)
{
	auto_free char *word = text_format("cgroup_disable=%s", controller);
	auto_run line = RUN("cat", "/proc/cmdline");

	return strstr(line.out, word) != NULL;
}

/* Boot with cgroup_disable=memory. */
TEST(doctor, and_run_agree_about_a_missing_controller, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	SKIP_UNLESS(is_switched_off("memory"), "needs a kernel booted with cgroup_disable=memory");
	auto_run run = WARREN(&playground, "run", "--rm", "--memory", "64M", "host", "--", "true");
	cr_assert(run.status != 0 && strstr(run.err, "memory") && strstr(run.err, "/sys/fs/cgroup"), "%d %s",
		run.status, run.err);
	auto_run doctor = WARREN(&playground, "doctor", "--json");
	const struct json *finding = finding_of(report_of(&playground, &doctor), "controller memory");
	cr_assert(doctor.status == 1);
	cr_assert_str_eq(text_of(finding, "state"), "missing");
	cr_assert(strstr(run.err, text_of(finding, "found")), "run: %sdoctor: %s", run.err, text_of(finding, "found"));
	cr_assert(strstr(text_of(finding, "remedy"), "cgroup_disable=memory"));
}
