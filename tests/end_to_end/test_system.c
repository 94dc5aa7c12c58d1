/* Instances that boot an init of their own. What they may reach is asked by the probe, in an instance of the image
 * "host" that has the profile and no init in it; what boots is Debian's systemd, in the root that WARREN_SYSTEM_TAR
 * holds. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_ways.h"
#include "tests/test.h"

#define UNPACKED "/var/tmp/warren-system-root"
#define UNPACKING "/var/tmp/warren-system-root.part"
#define BOOT_MS SLOWLY(60000)
/* The default set with SYS_ADMIN (21), SYS_BOOT (22) and SETFCAP (31). */
#define CAPABILITIES "00000000806405fb"

static bool host_has_v2(void)
{
	struct statfs about;

	return statfs("/sys/fs/cgroup", &about) == 0 && about.f_type == CGROUP2_SUPER_MAGIC;
}
#define NEEDS_V2() SKIP_UNLESS(host_has_v2(), "needs cgroup v2")

/* --- without a Debian --------------------------------------------------------------------------------------------- */

TEST(system, is_refused_by_name_without_cgroup_v2, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	SKIP_UNLESS(!host_has_v2(), "needs control groups of version 1");
	auto_playground playground = playground_new();
	auto_run run = WARREN(&playground, "run", "-d", "--profile", "system", "--name", "box", "host");

	cr_assert(run.status == 2);
	cr_assert(strstr(run.err, "boot: an init of its own needs control groups of version 2"), "%s", run.err);
}

TEST(system, other_profiles_are_refused_with_a_guess, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	auto_run run = WARREN(&playground, "run", "--profile", "sytem", "host", "--", "true");

	cr_assert(run.status == 2);
	cr_assert_str_eq(run.err, "warren: --profile: no profile \"sytem\" is built in; did you mean \"system\"?\n");
}

/* systemd reads its signals from a descriptor: they are blocked, and caught all the same. Its services, asked as well,
 * would die before it could end them in order. */
TEST(system, a_first_process_that_waits_for_its_signal_is_asked_alone, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	static const char script[] = "sh -c 'trap \"echo asked\" TERM; echo up; while :; do sleep 0.1; done' & "
				     "exec env --block-signal=TERM sleep 1000";
	auto_playground playground = playground_new();

	WARREN_OK(
		&playground, "run", "-d", "--name", "box", "--stop-timeout", "500ms", "host", "--", "sh", "-c", script);
	instance_await_log(&playground, "box", "up");
	WARREN_OK(&playground, "stop", "box");
	auto_run logs = WARREN(&playground, "logs", "box");
	cr_assert(!strstr(logs.out, "asked"), "%s", logs.out);
}

static void profile_start(struct playground *playground, const char *name)
{
	WARREN_OK(playground, "run", "-d", "--profile", "system", "--name", name, "-v",
		playground_probe_volume(playground), "host", "--", "sleep", "infinity");
}

static void assert_identity(struct playground *playground)
{
	static const char *const expected[][2] = {{"ids", "0 0"}, {"CapInh", "0000000000000000"},
		{"CapPrm", CAPABILITIES}, {"CapEff", CAPABILITIES}, {"CapBnd", CAPABILITIES},
		{"CapAmb", "0000000000000000"}, {"NoNewPrivs", "0"}, {"Seccomp", "2"}};
	auto_run run = WARREN(playground, "exec", "box", PROBE, "identity");

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		cr_assert_str_eq(value_of(playground, run.out, expected[i][0]), expected[i][1], "%s: %s",
			expected[i][0], run.out);
}

/* Line by line what is not as in a default instance. */
static void assert_opened(struct playground *playground, const char *probe, const char *const lines[])
{
	auto_run run = WARREN(playground, "exec", "box", PROBE, probe);
	const char *rest = run.out;

	for (; *lines; lines++) {
		size_t length = strlen(*lines);

		cr_assert(
			!strncmp(rest, *lines, length) && rest[length] == '\n', "expected %s in\n%s", *lines, run.out);
		rest += length + 1;
	}
	cr_assert(strstr(rest, " tried, ") && strchr(rest, '\n') == strrchr(rest, '\n'), "beyond the list:\n%s", rest);
}

/* Who makes these lists longer must know why, and say it in docs/system.md. */
static const char *const calls_opened[] = {"unshare mount: done instead of EPERM", "unshare pid: done instead of EPERM",
	"unshare net: done instead of EPERM", "unshare ipc: done instead of EPERM",
	"unshare uts: done instead of EPERM", "unshare cgroup: done instead of EPERM",
	"unshare files: done instead of EPERM", "setns: EBADF instead of EPERM", "mount: EFAULT instead of EPERM",
	"umount2: EFAULT instead of EPERM", "pivot_root: EFAULT instead of EPERM", "fsopen: EFAULT instead of EPERM",
	"fsconfig: EINVAL instead of EPERM", "fsmount: EBADF instead of EPERM", "fspick: EFAULT instead of EPERM",
	"open_tree: EFAULT instead of EPERM", "move_mount: EFAULT instead of EPERM",
	"mount_setattr: EINVAL instead of EPERM", "reboot: EINVAL instead of EPERM",
	"sethostname: EINVAL instead of EPERM", "setdomainname: EINVAL instead of EPERM",
	"name_to_handle_at: EFAULT instead of EPERM", "clone mount: done instead of EPERM",
	"clone pid: done instead of EPERM", "clone net: done instead of EPERM", "clone ipc: done instead of EPERM",
	"clone uts: done instead of EPERM", "clone cgroup: done instead of EPERM",
	"capset permitted: done instead of EPERM", NULL};
static const char *const files_opened[] = {
	"/sys/fs/cgroup: is not read-only", "/sys/fs/cgroup/cgroup.procs: can be opened for writing", NULL};

TEST(system, opens_what_is_documented_and_reaches_nothing_of_the_host, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_V2();
	auto_playground playground = playground_new();
	int tried = 0, wrong = -1;

	profile_start(&playground, "box");
	assert_identity(&playground);
	assert_opened(&playground, "calls", calls_opened);
	assert_opened(&playground, "files", files_opened);
	auto_run run = WARREN(&playground, "exec", "box", PROBE, "system");
	cr_assert(sscanf(run.out, "%d tried, %d wrong", &tried, &wrong) == 2 && wrong == 0 && tried > 85, "%s%s",
		run.out, run.err);
}

/* The console dies with its monitor; nothing else does. */
TEST(system, lives_on_without_its_monitor, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_V2();
	auto_playground playground = playground_new();
	struct process_id monitor;
	struct error err;

	profile_start(&playground, "box");
	ASSERT_OK(process_identify(atoi(instance_fact(&playground, "box", "monitor_pid")), &monitor, &err));
	cr_assert(kill(monitor.pid, SIGKILL) == 0);
	while (process_is_alive(&monitor))
		usleep(10000);
	WARREN_OK(&playground, "exec", "box", "true");
	WARREN_OK(&playground, "start", "box"); /* gives it a monitor again */
	WARREN_OK(&playground, "exec", "box", "true");
	WARREN_OK(&playground, "stop", "box");
	cr_assert_str_eq(instance_fact(&playground, "box", "state"), "stopped");
}

/* --- systemd ------------------------------------------------------------------------------------------------------ */

static void root_unpack(const char *tar)
{
	auto_fd lock = open(UNPACKED ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	cr_assert(lock >= 0 && flock(lock, LOCK_EX) == 0);
	if (access(UNPACKED, F_OK) == 0)
		return;
	auto_run made = RUN("mkdir", "-p", UNPACKING);
	const char *const words[] = {"tar", "--numeric-owner", "--xattrs", "-xpf", tar, "-C", UNPACKING, NULL};
	auto_run run = run_program(words, &(struct run_options){.timeout_ms = SLOWLY(60000)});
	cr_assert(made.status == 0 && run.status == 0, "%s%s", made.err, run.err);
	cr_assert(rename(UNPACKING, UNPACKED) == 0, "%s", strerror(errno));
}

/* A plain directory on a file system that maps ids, unpacked by the first test that needs it. */
static struct playground systemd_playground(void)
{
	const char *tar = getenv("WARREN_SYSTEM_TAR");

	NEEDS_V2();
	SKIP_UNLESS(tar, "needs WARREN_SYSTEM_TAR, as `tests/vm/image --kind tar system` makes it");
	root_unpack(tar);
	return playground_new();
}

static struct run_result box_run(struct playground *playground, const char *script)
{
	const char *const words[] = {"exec", "box", "sh", "-c", script, NULL};

	return playground_warren(playground, words, &(struct run_options){.timeout_ms = BOOT_MS});
}

static void assert_says(struct playground *playground, const char *script, const char *expected)
{
	auto_run run = box_run(playground, script);

	cr_assert_str_eq(run.out, expected, "%s says\n%s%s", script, run.out, run.err);
}

/* Asked before the system bus is there, systemctl fails; --wait then waits for the end of the boot. */
static void box_await(struct playground *playground)
{
	int64_t deadline_ms = clock_ms() + BOOT_MS;

	for (;;) {
		auto_run run = box_run(playground, "systemctl is-system-running --wait");

		if (!strcmp(run.out, "running\n"))
			return;
		if (strstr(run.out, "degraded") || clock_ms() > deadline_ms) {
			auto_run why = box_run(playground, "systemctl --failed --no-legend; systemctl list-jobs");
			cr_assert_fail("%s%s%s", run.out, run.err, why.out);
		}
		usleep(100000);
	}
}

static void box_boot(struct playground *playground)
{
	WARREN_OK(playground, "run", "-d", "--profile", "system", "--rootfs", UNPACKED, "--name", "box", "--memory",
		"512M");
	box_await(playground);
}

static void assert_ended_well(struct playground *playground)
{
	const struct json *end = json_get(instance_inspect(playground, "box"), "last_exit");

	cr_assert_str_eq(json_get(end, "reason")->text, "stopped");
	cr_assert_str_eq(json_get(end, "status")->text, "0");
}

static void assert_machine_works(struct playground *playground)
{
	auto_free char *address = text_format("%s\n", instance_fact(playground, "box", "address"));

	assert_says(playground, "cat /proc/1/comm; hostname; systemd-detect-virt", "systemd\nbox\ncontainer-other\n");
	assert_says(playground, "ip -o -4 address show dev eth0 | sed 's,.* inet \\([0-9.]*\\)/.*,\\1,'", address);
	assert_says(playground, "echo hello | systemd-cat -t test; journalctl --sync; journalctl -b -o cat -t test",
		"hello\n");
	assert_says(playground, "systemctl daemon-reload && echo reloaded", "reloaded\n");
}

static void assert_units_are_confined(struct playground *playground)
{
	assert_says(playground,
		"systemd-run --wait --pipe -q -p MemoryMax=64M -p TasksMax=20 sh -c "
		"'cd /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup) && cat memory.max pids.max'",
		"67108864\n20\n");
	assert_says(playground,
		"systemd-run --wait --pipe -q -p MemoryMax=16M -p MemorySwapMax=0 sh -c 'head -c 64M /dev/zero | tail "
		"-c 60M' "
		">/dev/null 2>&1 || echo killed",
		"killed\n");
	assert_says(playground,
		"systemd-run --wait --pipe -q -p User=nobody -p PrivateTmp=yes -p ProtectSystem=strict -p "
		"NoNewPrivileges=yes sh -c 'id -u; ls /tmp; touch /etc/x 2>/dev/null || echo no; touch /tmp/x && ls "
		"/tmp'",
		"65534\nno\nx\n");
	assert_says(playground,
		"systemd-run --wait --pipe -q -p DynamicUser=yes -p StateDirectory=s -p PrivateDevices=yes -p "
		"PrivateNetwork=yes -p ProtectProc=invisible -p ProtectKernelTunables=yes -p ProtectControlGroups=yes "
		"-p "
		"RestrictNamespaces=yes -p SystemCallFilter=@system-service sh -c 'ls /dev/null; touch "
		"$STATE_DIRECTORY/x && echo written'",
		"/dev/null\nwritten\n");
}

/* Select graphic rendition (ECMA-48, 8.3.117). What moves the cursor is none: where a unit takes its time systemd
 * writes lines over one another. */
static bool has_colours(const char *text)
{
	while ((text = strstr(text, "\033["))) {
		text += strlen("\033[");
		if (text[strspn(text, "0123456789;")] == 'm')
			return true;
	}
	return false;
}

TEST(system, systemd_reaches_running_and_halts_when_asked, .fini = playground_rescue, .timeout = SLOWLY(240))
{
	auto_playground playground = systemd_playground();
	int64_t began_ms;

	box_boot(&playground);
	auto_run console = WARREN(&playground, "logs", "box");
	cr_assert(strstr(console.out, "Welcome to "), "the console is in the log:\n%s", console.out);
	cr_assert(!has_colours(console.out), "%s", console.out);
	assert_machine_works(&playground);
	assert_units_are_confined(&playground);
	began_ms = clock_ms();
	WARREN_OK(&playground, "stop", "box");
	cr_assert(clock_ms() - began_ms < SLOWLY(30000), "within the grace");
	assert_ended_well(&playground);
	auto_run shutdown = WARREN(&playground, "logs", "box");
	cr_assert(strstr(shutdown.out, "Halting system."), "to its last word: %s", shutdown.out);
}

TEST(system, reboot_inside_starts_it_again_and_poweroff_stops_it, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = systemd_playground();

	box_boot(&playground);
	assert_says(&playground, "echo kept >/root/file; echo gone >/run/file; echo done", "done\n");
	auto_run reboot = box_run(&playground, "systemctl reboot");
	while (strcmp(instance_fact(&playground, "box", "restarts"), "1"))
		usleep(100000);
	instance_await_state(&playground, "box", "running");
	box_await(&playground);
	assert_says(&playground, "cat /root/file; cat /run/file 2>/dev/null || echo new", "kept\nnew\n");
	assert_says(&playground, "journalctl --list-boots --no-pager | grep -c ' [-0-9]'", "2\n");
	auto_run poweroff = box_run(&playground, "systemctl poweroff");
	instance_await_state(&playground, "box", "stopped");
	assert_ended_well(&playground);
	cr_assert_str_eq(instance_fact(&playground, "box", "desired"), "stopped");
}

TEST(system, machines_of_one_directory_have_an_identity_and_files_of_their_own, .fini = playground_rescue,
	.timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = systemd_playground();

	for (int i = 0; i < 2; i++) {
		const char *name = i ? "other" : "box";

		WARREN_OK(&playground, "run", "-d", "--profile", "system", "--rootfs", UNPACKED, "--name", name, "--",
			"sleep", "infinity");
	}
	auto_run one = WARREN(&playground, "exec", "box", "sh", "-c", "cat /etc/machine-id; echo box >/srv/mark");
	auto_run two = WARREN(&playground, "exec", "other", "cat", "/etc/machine-id", "/srv/mark");
	cr_assert(one.out_length == 33 && two.out_length == 33 && strcmp(one.out, two.out), "%s%s", one.out, two.out);
	cr_assert(access(UNPACKED "/srv/mark", F_OK) < 0 && errno == ENOENT, "the directory stays as it was");
	/* Both see its files as root's, though their ids on the host differ. */
	auto_run owner = WARREN(&playground, "exec", "other", "stat", "-c", "%u %g", "/etc/passwd");
	cr_assert_str_eq(owner.out, "0 0\n");
}
