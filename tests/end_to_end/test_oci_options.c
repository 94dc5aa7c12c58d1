/* warren-oci from the outside: every option that engines and people pass to runc and crun, in each place where they put
 * it. What the options do is tested beside the commands; here it is that none is unknown, and what only this table can
 * show: the order of words, signals by every name, the layouts of ps. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

static const struct {
	const char *verb; /* NULL: before it */
	const char *option, *value;
} options[] = {
	{NULL, "--root", "/nonesuch"},
	{NULL, "--log", "/dev/null"},
	{NULL, "--log-format", "json"},
	{NULL, "--log-format", "text"},
	{NULL, "--log-level", "warn"},
	{NULL, "--log-level", "debug"},
	{NULL, "--debug", NULL},
	{NULL, "--systemd-cgroup", NULL},
	{NULL, "--cgroup-manager", "cgroupfs"},
	{NULL, "--cgroup-manager", "systemd"},
	{NULL, "--cgroup-manager", "disabled"},
	{NULL, "--rootless", "true"},
	{NULL, "--rootless", "auto"},
	{NULL, "--criu", "/usr/sbin/criu"},
	{NULL, "-v", NULL},
	{NULL, "-V", NULL},
	{NULL, "--version", NULL},
	{"create", "--bundle", "."},
	{"create", "-b", "."},
	{"create", "--config", "x"},
	{"create", "-f", "x"},
	{"create", "--console-socket", "x"},
	{"create", "--pid-file", "x"},
	{"create", "--no-pivot", NULL},
	{"create", "--no-new-keyring", NULL},
	{"create", "--preserve-fds", "0"},
	{"create", "--no-subreaper", NULL},
	{"run", "--bundle", "."},
	{"run", "-b", "."},
	{"run", "--config", "x"},
	{"run", "-f", "x"},
	{"run", "--console-socket", "x"},
	{"run", "--pid-file", "x"},
	{"run", "--no-pivot", NULL},
	{"run", "--no-new-keyring", NULL},
	{"run", "--no-subreaper", NULL},
	{"run", "--preserve-fds", "0"},
	{"run", "--detach", NULL},
	{"run", "-d", NULL},
	{"run", "--keep", NULL},
	{"exec", "--console-socket", "x"},
	{"exec", "--cwd", "/"},
	{"exec", "--env", "A=b"},
	{"exec", "-e", "A=b"},
	{"exec", "--tty", NULL},
	{"exec", "--tty=true", NULL},
	{"exec", "-t", NULL},
	{"exec", "--user", "0:0"},
	{"exec", "-u", "0"},
	{"exec", "--additional-gids", "1"},
	{"exec", "-g", "1"},
	{"exec", "--process", "x"},
	{"exec", "-p", "x"},
	{"exec", "--detach", NULL},
	{"exec", "-d", NULL},
	{"exec", "--pid-file", "x"},
	{"exec", "--process-label", "x"},
	{"exec", "--apparmor", "x"},
	{"exec", "--no-new-privs", NULL},
	{"exec", "--cap", "CAP_CHOWN"},
	{"exec", "-c", "CAP_CHOWN"},
	{"exec", "--preserve-fds", "0"},
	{"exec", "--cgroup", "x"},
	{"exec", "--cgroup", "pids:x"},
	{"exec", "--ignore-paused", NULL},
	{"kill", "--all", NULL},
	{"kill", "-a", NULL},
	{"kill", "--regex", NULL},
	{"kill", "-r", NULL},
	{"delete", "--force", NULL},
	{"delete", "-f", NULL},
	{"delete", "--regex", NULL},
	{"delete", "-r", NULL},
	{"list", "--format", "json"},
	{"list", "-f", "table"},
	{"list", "--quiet", NULL},
	{"list", "-q", NULL},
	{"ps", "--format", "json"},
	{"ps", "-f", "table"},
	{"update", "--resources", "-"},
	{"update", "-r", "x"},
	{"update", "--blkio-weight", "10"},
	{"update", "--cpu-period", "1000"},
	{"update", "--cpu-quota", "1000"},
	{"update", "--cpu-burst", "1000"},
	{"update", "--cpu-share", "100"},
	{"update", "--cpu-shares", "100"},
	{"update", "--cpu-rt-period", "1"},
	{"update", "--cpu-rt-runtime", "1"},
	{"update", "--cpu-idle", "1"},
	{"update", "--cpuset-cpus", "0"},
	{"update", "--cpuset-mems", "0"},
	{"update", "--kernel-memory", "0"},
	{"update", "--kernel-memory-tcp", "0"},
	{"update", "--memory", "1G"},
	{"update", "--memory-reservation", "1G"},
	{"update", "--memory-swap", "-1"},
	{"update", "--pids-limit", "10"},
	{"update", "--l3-cache-schema", "x"},
	{"update", "--mem-bw-schema", "x"},
	{"events", "--interval", "5s"},
	{"events", "--stats", NULL},
	{"spec", "--bundle", "."},
	{"spec", "-b", "."},
	{"spec", "--rootless", NULL},
	{"checkpoint", "--image-path", "x"},
	{"checkpoint", "--work-path", "x"},
	{"checkpoint", "--parent-path", "x"},
	{"checkpoint", "--leave-running", NULL},
	{"checkpoint", "--pre-dump", NULL},
	{"checkpoint", "--tcp-established", NULL},
	{"checkpoint", "--tcp-skip-in-flight", NULL},
	{"checkpoint", "--link-remap", NULL},
	{"checkpoint", "--ext-unix-sk", NULL},
	{"checkpoint", "--shell-job", NULL},
	{"checkpoint", "--lazy-pages", NULL},
	{"checkpoint", "--status-fd", "1"},
	{"checkpoint", "--page-server", "a:1"},
	{"checkpoint", "--file-locks", NULL},
	{"checkpoint", "--manage-cgroups-mode", "soft"},
	{"checkpoint", "--network-lock", "iptables"},
	{"checkpoint", "--network-lock", "nftables"},
	{"checkpoint", "--empty-ns", "network"},
	{"checkpoint", "--auto-dedup", NULL},
	{"restore", "--bundle", "."},
	{"restore", "-b", "."},
	{"restore", "--config", "x"},
	{"restore", "--image-path", "x"},
	{"restore", "--work-path", "x"},
	{"restore", "--tcp-established", NULL},
	{"restore", "--tcp-close", NULL},
	{"restore", "--link-remap", NULL},
	{"restore", "--ext-unix-sk", NULL},
	{"restore", "--shell-job", NULL},
	{"restore", "--file-locks", NULL},
	{"restore", "--manage-cgroups-mode", "soft"},
	{"restore", "--network-lock", "skip"},
	{"restore", "--detach", NULL},
	{"restore", "-d", NULL},
	{"restore", "--keep", NULL},
	{"restore", "--pid-file", "x"},
	{"restore", "--console-socket", "x"},
	{"restore", "--no-subreaper", NULL},
	{"restore", "--no-pivot", NULL},
	{"restore", "--empty-ns", "network"},
	{"restore", "--auto-dedup", NULL},
	{"restore", "--lazy-pages", NULL},
	{"restore", "--lsm-profile", "x"},
	{"restore", "--lsm-mount-context", "x"},
	{"start", NULL, NULL},
	{"state", NULL, NULL},
	{"pause", NULL, NULL},
	{"resume", NULL, NULL},
	{"features", NULL, NULL},
};

enum order { BEFORE_THE_ID, AFTER_THE_ID, BEHIND_A_SIGN };

/* The words of all options of a verb. */
struct line {
	const char *argv[3 * ARRAY_SIZE(options)];
	char wholes[ARRAY_SIZE(options)][64];
	size_t used;
};

static void line_add(struct line *line, size_t i, enum order order)
{
	if (order == BEHIND_A_SIGN && options[i].value && strncmp(options[i].option, "--", 2) == 0) {
		snprintf(line->wholes[i], sizeof(line->wholes[i]), "%s=%s", options[i].option, options[i].value);
		line->argv[line->used++] = line->wholes[i];
		return;
	}
	if (options[i].option)
		line->argv[line->used++] = options[i].option;
	if (options[i].value)
		line->argv[line->used++] = options[i].value;
}

/* With --help in the end nothing is done, but all words are read. */
static void taken_expect(const char *verb, enum order order)
{
	struct line line = {.argv = {WARREN_OCI_PROGRAM}, .used = 1};

	if (verb)
		line.argv[line.used++] = verb;
	if (order == AFTER_THE_ID)
		line.argv[line.used++] = "id";
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].verb == verb)
			line_add(&line, i, order);
	}
	line.argv[line.used] = "--help";
	auto_run run = run_program(line.argv, NULL);
	cr_assert(run.status == 0 && run.out_length > 0, "%s: %s", verb ? verb : "(before the verb)", run.err);
}

TEST(oci_options, are_all_known_wherever_they_stand)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const char *verb = options[i].verb;

		if (i && verb == options[i - 1].verb)
			continue;
		taken_expect(verb, BEFORE_THE_ID);
		taken_expect(verb, BEHIND_A_SIGN);
		/* What follows the id of exec and ps is for the program there. */
		if (verb && strcmp(verb, "exec") != 0 && strcmp(verb, "ps") != 0)
			taken_expect(verb, AFTER_THE_ID);
	}
}

TEST(oci_options, tell_the_version_in_the_words_of_runc)
{
	auto_run run = RUN(WARREN_OCI_PROGRAM, "--version");

	ASSERT_STATUS(run, 0);
	cr_assert(strncmp(run.out, "warren-oci version ", 19) == 0, "%s", run.out);
	cr_assert(strstr(run.out, "\nspec: 1.3.0\n") && strstr(run.out, "\nlibseccomp: "), "%s", run.out);
}

/* Until the file is that long. */
static void size_await(const char *path, size_t size)
{
	struct stat status = {0};

	for (int tries = 0; tries < SLOWLY(2000); tries++) {
		if (stat(path, &status) == 0 && (size_t)status.st_size >= size)
			return;
		poll(NULL, 0, 5);
	}
	cr_assert_fail("%s has %lld bytes, expected %zu", path, (long long)status.st_size, size);
}

static pid_t running_pid(struct bundle *bundle)
{
	auto_run state = OCI(bundle, "state", "ID");
	const char *pid = strstr(state.out, "\"pid\": ");

	cr_assert(pid, "%s", state.out);
	return (pid_t)strtol(pid + strlen("\"pid\": "), NULL, 10);
}

TEST(oci_kill, takes_signals_by_number_and_by_both_names)
{
	static const char *const usr1[] = {"10", "USR1", "SIGUSR1", "sigusr1", "usr1"};
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "trap 'echo x >> /got' USR1; echo > /ready; while :; do sleep 0.01; done");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_free char *ready = text_format("%s/rootfs/ready", bundle.path);
	auto_free char *got = text_format("%s/rootfs/got", bundle.path);
	size_await(ready, 1);
	for (size_t i = 0; i < ARRAY_SIZE(usr1); i++) {
		auto_run kill_run = OCI(&bundle, "kill", "ID", usr1[i]);
		ASSERT_STATUS(kill_run, 0);
		size_await(got, 2 * (i + 1));
	}
	auto_run probe = OCI(&bundle, "kill", "ID", "0");
	ASSERT_STATUS(probe, 0);
	static const char *const wrong[] = {"65", "SIGNONE", "1x"};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		auto_run refused = OCI(&bundle, "kill", "ID", wrong[i]);
		ASSERT_STATUS(refused, 1);
	}
	auto_run all = OCI(&bundle, "kill", "--all", "ID", "KILL");
	ASSERT_STATUS(all, 0);
}

/* Containerd and docker tell from the words that there is nobody any more. */
TEST(oci_kill, of_what_has_ended_says_so)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "true");
	auto_run run = OCI(&bundle, "run", "--keep", "ID");
	ASSERT_STATUS(run, 0);
	auto_run one = OCI(&bundle, "kill", "ID", "0");
	ASSERT_STATUS(one, 1);
	cr_assert(strstr(one.err, "container not running"), "%s", one.err);
	auto_run all = OCI(&bundle, "kill", "--all", "ID", "KILL");
	ASSERT_STATUS(all, 0);
}

/* As crun has it: somewhere in the id, and nothing at all is no mistake. */
TEST(oci_kill, and_delete_take_every_container_that_an_expression_fits)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	char ids[3][40];

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"1000\"]");
	for (int i = 0; i < 3; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%s-%c", bundle.id, "abz"[i]);
		auto_run run = OCI(&bundle, "run", "-d", ids[i]);
		ASSERT_STATUS(run, 0);
	}
	auto_run wrong = OCI(&bundle, "delete", "--regex", "-f", "[");
	ASSERT_REFUSED(wrong, "--regex [: ");
	auto_run none = OCI(&bundle, "delete", "--regex", "-f", ".-[cd]$");
	ASSERT_STATUS(none, 0);
	auto_run killed = OCI(&bundle, "kill", "--regex", ".-[ab]$", "KILL");
	ASSERT_STATUS(killed, 0);
	auto_run deleted = OCI(&bundle, "delete", "-r", "-f", ".-[ab]$");
	ASSERT_STATUS(deleted, 0);
	auto_run left = OCI(&bundle, "list", "-q");
	auto_free char *expected = text_format("%s\n", ids[2]);
	cr_assert_str_eq(left.out, expected);
	/* Without it, no expression is a name. */
	auto_run name = OCI(&bundle, "delete", "-f", ".*");
	ASSERT_STATUS(name, 1);
	auto_run last = OCI(&bundle, "delete", "-f", ids[2]);
	ASSERT_STATUS(last, 0);
}

TEST(oci_ps, passes_the_lines_of_the_hosts_ps_on)
{
	NEEDS_ROOT();
	SKIP_UNLESS(access("/usr/bin/ps", X_OK) == 0 || access("/bin/ps", X_OK) == 0, "a ps of the host");
	auto_bundle bundle = bundle_new();
	char line[64];

	BUNDLE_WRITE(&bundle, .script = "exec sleep 1000");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	int pid = running_pid(&bundle);
	auto_run plain = OCI(&bundle, "ps", "ID");
	ASSERT_STATUS(plain, 0);
	cr_assert(strncmp(plain.out, "UID ", 4) == 0 && strstr(plain.out, "sleep 1000\n"), "%s", plain.out);
	cr_assert(strchr(strchr(plain.out, '\n') + 1, '\n')[1] == '\0', "more than one process: %s", plain.out);
	auto_run pids = OCI(&bundle, "ps", "ID", "-e", "-o", "pid,args");
	ASSERT_STATUS(pids, 0);
	snprintf(line, sizeof(line), "%d sleep 1000\n", pid);
	cr_assert(strstr(pids.out, line), "%s", pids.out);
	auto_run without = OCI(&bundle, "ps", "ID", "-e", "-o", "comm");
	ASSERT_STATUS(without, 1);
	cr_assert(strstr(without.err, "no column PID"), "%s", without.err);
	snprintf(line, sizeof(line), "[%d]\n", pid);
	auto_run json = OCI(&bundle, "ps", "ID", "--format", "json");
	ASSERT_STATUS(json, 0);
	cr_assert_str_eq(json.out, line);
}
