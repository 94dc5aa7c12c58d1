/* Wrong words on warren's command line: one line that says what, where, which value and what would be right; the
 * documented exit status; and nothing left behind. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/text.h"
#include "tests/end_to_end/support_run.h"
#include "tests/test.h"

#define WORDS_MAX 24
#define LONG_NAME "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* 64 */

struct bad {
	const char *words[WORDS_MAX]; /* after the global options */
	int status;
	const char *message; /* without "warren: " and the line break */
};

static const struct bad table[] = {
	/* commands and options */
	{{"lst"}, 2, "unknown command lst; did you mean warren list?"},
	{{"frobnicate"}, 2, "unknown command frobnicate; see warren --help"},
	{{"list", "--jsn"}, 2, "unknown option --jsn; did you mean --json?"},
	{{"list", "--json=x"}, 2, "--json takes no value"},
	{{"list", "--json", "-q"}, 2, "only one of --json, --quiet and --format can be given"},
	{{"run", "--name"}, 2, "--name needs a value (NAME)"},
	{{"exec", "blog"}, 2, "too few operands; usage: warren exec [options] NAME COMMAND…"},
	{{"snapshot", "list"}, 2, "too few operands; usage: warren snapshot list [options] INSTANCE"},
	{{"logs", "--tail", "-1", "a"}, 2, "--tail: -1 is not between 0 and 1000000000"},
	{{"logs", "--since", "yesterday", "a"}, 2,
		"--since: \"yesterday\": must be a time ago as in 10m, or a moment of UTC as in 2026-01-31T23:59:59Z"},
	{{"rm"}, 2, "name at least one instance, or give --label or --all"},
	{{"stop", "--all", "x"}, 2, "--all and \"x\" exclude each other"},
	{{"run", "-it", "host", "true"}, 2, "--tty: standard input is not a terminal"},
	{{"run", "--rm", "--restart", "always", "host", "true"}, 2, "--rm and --restart always exclude each other"},
	/* names */
	{{"run", "--name", "Web", "host", "true"}, 2,
		"name: instance name \"Web\": must begin with a lower-case letter or a digit"},
	{{"run", "--name", "../x", "host", "true"}, 2,
		"name: instance name \"../x\": must begin with a lower-case letter or a digit"},
	{{"run", "--name", "a/b", "host", "true"}, 2,
		"name: instance name \"a/b\": only lower-case letters, digits and '-' are allowed"},
	{{"run", "--name", "a\nb", "host", "true"}, 2,
		"name: instance name \"a?b\": only lower-case letters, digits and '-' are allowed"},
	{{"run", "--name", "", "host", "true"}, 2, "name: instance name is empty"},
	{{"run", "--name", LONG_NAME, "host", "true"}, 2,
		"name: instance name \"" LONG_NAME "\": longer than 63 characters"},
	{{"rename", "a", "B"}, 2, "new name \"B\": must begin with a lower-case letter or a digit"},
	{{"down", "../x"}, 2, "fleet name \"../x\": must begin with a lower-case letter or a digit"},
	/* what does not exist */
	{{"run"}, 2, "name an image (\"host\" is the built-in one), or give --rootfs DIR"},
	{{"run", "--pull", "never", "--name", "x", "nginx:1.25"}, 3, "create x: image \"nginx:1.25\" is not here"},
	{{"run", "--rootfs", "/nonexistent", "--", "true"}, 3, "--rootfs /nonexistent: No such file or directory"},
	{{"run", "--rootfs", "/", "--", "true"}, 2, "rootfs: \"/\" is the host's own root; use the image \"host\""},
	{{"run", "--env-file", "/nonexistent", "host", "true"}, 3,
		"--env-file /nonexistent: No such file or directory"},
	{{"run", "--name", "x", "--network", "nope", "host", "true"}, 3, "create x: no network \"nope\""},
	{{"start", "nope"}, 3, "no instance \"nope\""},
	{{"rm", "nope"}, 3, "no instance \"nope\""},
	{{"exec", "nope", "true"}, 3, "no instance \"nope\""},
	{{"down", "nope"}, 3, "no fleet \"nope\" here"},
	{{"validate", "/nonexistent"}, 3, "/nonexistent: no such file"},
	{{"run", "--name", "x", "host", "nosuchcommand"}, 127,
		"start x: execute nosuchcommand: no such file or directory"},
	{{"run", "--name", "x", "host", "/etc/passwd"}, 126, "start x: execute /etc/passwd: permission denied"},
	{{"run", "--name", "x", "--user", "nosuch", "host", "true"}, 125,
		"start x: user \"nosuch\": not in /etc/passwd of the instance"},
	/* numbers */
	{{"run", "--memory", "lots", "host", "true"}, 2, "--memory: \"lots\" is not a size such as 64M or 1.5G"},
	{{"run", "--memory", "-5", "host", "true"}, 2, "--memory: \"-5\" is not a size such as 64M or 1.5G"},
	{{"run", "--memory", "1K", "host", "true"}, 2, "resources.memory: less than 1M"},
	{{"run", "--memory", "99999999999999T", "host", "true"}, 2,
		"--memory: 99999999999999T is larger than any size"},
	{{"run", "--cpus", "0", "host", "true"}, 2, "--cpus: 0 is not between 0.001 and 65536"},
	{{"run", "--cpus", "1e3", "host", "true"}, 2, "--cpus: \"1e3\" is not a number of processors such as 0.5 or 2"},
	{{"run", "--pids-limit", "0", "host", "true"}, 2, "--pids-limit: 0 is not between 1 and 4194304"},
	{{"run", "--pids-limit", "1x", "host", "true"}, 2, "--pids-limit: \"1x\" is not a whole number"},
	{{"run", "--cpuset-cpus", "a", "host", "true"}, 2,
		"--cpuset-cpus: \"a\" is not a list of processors such as 0-3,7"},
	{{"run", "--stop-timeout", "5y", "host", "true"}, 2,
		"--stop-timeout: \"5y\" is not a duration such as 10s, 1m30s or 250ms"},
	{{"run", "--idle", "200ms", "host", "true"}, 2,
		"idle.after: less than 1s; leave it out for an instance that never sleeps"},
	{{"run", "--ulimit", "zz=1", "host", "true"}, 2, "--ulimit: unknown resource limit \"zz\""},
	{{"run", "--ulimit", "nofile", "host", "true"}, 2, "--ulimit \"nofile\": expected NAME=SOFT[:HARD]"},
	{{"run", "--ulimit", "nofle=3", "host", "true"}, 2,
		"--ulimit: unknown resource limit \"nofle\"; did you mean RLIMIT_NOFILE?"},
	{{"run", "--restart", "on-failure:x", "host", "true"}, 2,
		"--restart \"on-failure:x\": \"x\" is not a whole number"},
	/* words with a meaning */
	{{"run", "--restart", "sometimes", "host", "true"}, 2,
		"--restart \"sometimes\": expected no, on-failure, always or unless-stopped"},
	{{"run", "--cap-add", "net_amdin", "host", "true"}, 2,
		"cap_add: unknown capability \"net_amdin\"; did you mean CAP_NET_ADMIN?"},
	{{"run", "--stop-signal", "FOO", "host", "true"}, 2, "stop_signal: unknown signal \"FOO\""},
	{{"kill", "--signal", "FOO", "x"}, 2, "--signal: unknown signal \"FOO\""},
	{{"run", "--log-opt", "foo=1", "host", "true"}, 2,
		"--log-opt \"foo=1\": expected max-size=SIZE or max-file=NUMBER"},
	{{"run", "--log-driver", "syslog", "host", "true"}, 2,
		"logging.driver: \"syslog\" is not \"file\", \"journald\" or \"none\""},
	{{"run", "--security-opt", "foo", "host", "true"}, 2,
		"--security-opt \"foo\": expected apparmor=PROFILE, selinux=CONTEXT, seccomp=unconfined or "
		"no-new-privileges=false"},
	{{"run", "--sysctl", "kernel.hostname=x", "host", "true"}, 2,
		"sysctls: kernel.hostname belongs to the whole host, not to an instance"},
	{{"run", "--sysctl", "x", "host", "true"}, 2, "--sysctl \"x\": expected NAME=VALUE"},
	{{"run", "--label", "=x", "host", "true"}, 2, "--label \"=x\": expected NAME=VALUE"},
	{{"run", "-e", "=x", "host", "true"}, 2, "--env \"=x\": expected NAME=VALUE"},
	{{"run", "--hostname", "a b", "host", "true"}, 2,
		"hostname: \"a b\" is not a host name: letters, digits, and '-' inside, in parts joined by '.'"},
	{{"run", "-w", "rel", "host", "pwd"}, 2, "working_dir: path \"rel\": must be an absolute path"},
	{{"run", "--etc-from-host", "/etc/shadow", "host", "true"}, 2,
		"etc_from_host: path \"/etc/shadow\": /etc/shadow holds secrets of the host"},
	{{"run", "--etc-from-host", "/root", "host", "true"}, 2, "etc_from_host: path \"/root\": must lie below /etc"},
	/* network */
	{{"run", "-p", "x", "host", "true"}, 2, "port \"x\": the instance's port: \"x\" is not a whole number"},
	{{"run", "-p", "99999:80", "host", "true"}, 2,
		"port \"99999:80\": published port: 99999 is not between 1 and 65535"},
	{{"run", "-p", "1.2.3.4.5:80:80", "host", "true"}, 2,
		"port \"1.2.3.4.5:80:80\": \"1.2.3.4.5\" is not an IPv4 address"},
	{{"run", "-p", "8085:80/icmp", "host", "true"}, 2,
		"port \"8085:80/icmp\": protocol \"icmp\" must be tcp, udp or sctp"},
	{{"run", "--name", "x", "-p", "8.8.8.8:8085:80", "host", "true"}, 125,
		"start x: port 8.8.8.8:8085/tcp: this host has no such address"},
	{{"run", "--network", "host", "-p", "80:80", "host", "true"}, 2,
		"ports: with the network \"host\" there are no ports to publish"},
	{{"run", "--ip", "x", "host", "true"}, 2, "--ip: \"x\" is not an IPv4 address"},
	{{"run", "--name", "x", "--ip", "1.2.3.4", "host", "true"}, 2,
		"create x: address 1.2.3.4 is not one for instances of network default (10.88.0.0/16)"},
	/* volumes */
	{{"run", "-v", "/etc", "host", "true"}, 2, "volume \"/etc\": expected SOURCE:TARGET[:ro|rw][,noidmap]"},
	{{"run", "-v", "relative/x:/y", "host", "true"}, 2,
		"volume \"relative/x:/y\": source \"relative/x\": must be an absolute path"},
	{{"run", "-v", "/:/host", "host", "true"}, 2, "volume on /host: source: \"/\" is refused: it is the host's /"},
	{{"run", "-v", "/proc:/p", "host", "true"}, 2,
		"volume on /p: source: \"/proc\" is refused: it is the host's /proc"},
	{{"run", "-v", "/nonexistent:/p", "host", "true"}, 3,
		"volume on /p: source: \"/nonexistent\" does not exist on the host"},
	{{"run", "-v", "/srv:/p:rx", "host", "true"}, 2,
		"volume \"/srv:/p:rx\": unknown option \"rx\"; known are ro, rw and noidmap"},
	{{"run", "-v", "/srv:/../x", "host", "true"}, 2,
		"volume \"/srv:/../x\": target \"/../x\": must not contain \".\", \"..\", \"//\" or a slash at the "
		"end"},
	{{"run", "--tmpfs", "/x:size=q", "host", "true"}, 2,
		"--tmpfs \"/x:size=q\": \"q\" is not a size such as 64M or 1.5G"},
};

/* The test process gets a network of its own that plays the host. */
static void network_enter(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	cr_assert(unshare(CLONE_NEWNET) == 0);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
	close(fd);
}

static struct run_result warren(const char *root, const char *const *words)
{
	const char *argv[WORDS_MAX + 8] = {WARREN_PROGRAM, "--root", root, "--cgroup-parent", "warren/test-bad-input"};
	size_t count = 5;

	for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
		argv[count++] = words[i];
	return run_program(argv, NULL);
}

#define WARREN(root, ...) warren(root, (const char *const[WORDS_MAX]){__VA_ARGS__})

static void assert_refused(const struct run_result *run, int status, const char *message)
{
	auto_free char *expected = text_format("warren: %s\n", message);

	cr_expect(!strcmp(run->err, expected), "expected %sgot      %s", expected, run->err);
	cr_expect(run->status == status, "%s: status %d, expected %d", message, run->status, status);
}

static void assert_no_instances(const char *root)
{
	auto_run list = WARREN(root, "list", "-q");

	cr_expect(list.status == 0 && !*list.out, "left behind: %s%s", list.out, list.err);
}

TEST(bad_input, each_gives_its_one_line_and_its_status_and_leaves_nothing, .timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_directory root = run_directory_new();

	NEEDS_ROOT();
	network_enter();
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		auto_run run = warren(root.path, table[i].words);
		assert_refused(&run, table[i].status, table[i].message);
	}
	assert_no_instances(root.path);
}

TEST(bad_input, global_options_are_checked_before_anything_is_made)
{
	auto_run relative = RUN(WARREN_PROGRAM, "--root", "relative", "list");
	auto_run parent = RUN(WARREN_PROGRAM, "--root", "/tmp/warren-never-made", "--cgroup-parent", "../x", "list");

	NEEDS_ROOT();
	assert_refused(&relative, 2, "--root \"relative\": must be an absolute path");
	assert_refused(&parent, 2,
		"--cgroup-parent \"../x\": must be \"delegated\" or a path without empty, \".\" or \"..\" parts");
	cr_assert(access("/tmp/warren-never-made", F_OK) < 0);
}

TEST(bad_input, a_port_of_another_instance_or_of_a_process_of_the_host_is_refused, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_directory root = run_directory_new();
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(8090), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char expected[256];

	NEEDS_ROOT();
	network_enter();
	auto_fd listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(listener, 1) == 0);
	auto_run by_host = WARREN(root.path, "run", "-d", "--name", "x", "-p", "8090:80", "host", "sleep", "60");
	assert_refused(&by_host, 4, "start x: port 127.0.0.1:8090/tcp is taken by a process of this host");
	fd_drop(&listener);

	auto_run first = WARREN(
		root.path, "run", "-d", "--name", "first", "--ip", "10.88.7.7", "-p", "8090:80", "host", "sleep", "60");
	cr_assert(first.status == 0, "%s", first.err);
	auto_run second = WARREN(root.path, "run", "-d", "--name", "second", "-p", "8090:80", "host", "sleep", "60");
	snprintf(expected, sizeof(expected),
		"start second: port 127.0.0.1:8090/tcp is published by the instance at 10.88.7.7");
	assert_refused(&second, 4, expected);
	auto_run same = WARREN(root.path, "run", "-d", "--name", "first", "host", "sleep", "60");
	cr_expect(same.status == 4 && strstr(same.err, "first"), "%s", same.err);
	auto_run gone = WARREN(root.path, "rm", "-f", "first");
	cr_assert(gone.status == 0, "%s", gone.err);
	assert_no_instances(root.path);
}

TEST(bad_input, without_root_it_says_so)
{
	NEEDS_ROOT();
	auto_run run = RUN("setpriv", "--reuid", "65534", "--clear-groups", WARREN_PROGRAM, "list");

	assert_refused(&run, 1, "warren needs root; try again with sudo");
}

/* A mount namespace of the test's own, so that the host sees none of it. */
static void tmpfs_on(const char *path, const char *options, unsigned long flags)
{
	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	cr_assert(mount("none", path, "tmpfs", flags, options) == 0);
}

TEST(bad_input, a_read_only_state_directory_is_named)
{
	auto_directory root = run_directory_new();

	NEEDS_ROOT();
	network_enter();
	tmpfs_on(root.path, "size=64k", MS_RDONLY);
	auto_run run = WARREN(root.path, "run", "-d", "--name", "x", "host", "true");
	cr_expect(run.status == 1 && strstr(run.err, "Read-only file system") && strstr(run.err, root.path), "%d %s",
		run.status, run.err);
	umount2(root.path, MNT_DETACH);
}

TEST(bad_input, a_full_state_directory_leaves_nothing_half_made)
{
	NEEDS_A_FAST_PROCESSOR();
	auto_directory root = run_directory_new();

	NEEDS_ROOT();
	network_enter();
	tmpfs_on(root.path, "size=64k", 0);
	auto_run run = WARREN(root.path, "run", "-d", "--name", "x", "host", "true");
	cr_expect(run.status == 1 && strstr(run.err, "No space left on device"), "%d %s", run.status, run.err);
	assert_no_instances(root.path);
	umount2(root.path, MNT_DETACH);
}

/* Status and standard error of a whole line for the shell; "$W" is the program with its state in `root`. */
static struct run_result shell(const char *root, const char *line)
{
	auto_free char *whole =
		text_format("W='" WARREN_PROGRAM " --root %s --cgroup-parent warren/test-bad-input'; %s", root, line);

	return RUN("sh", "-c", whole);
}

TEST(bad_input, what_standard_output_does_not_take_is_told_and_a_reader_who_left_is_not)
{
	auto_directory root = run_directory_new();

	NEEDS_ROOT();
	network_enter();
	/* A large text goes past stdio's buffer, a small one does not. */
	auto_run large = shell(root.path, "$W schema >/dev/full");
	auto_run small = shell(root.path, "$W completion bash >/dev/full");
	auto_run left = shell(root.path, "{ $W schema; echo $? >&2; } | head -c 1 >/dev/null");
	auto_run followed = shell(root.path,
		"$W run -d --name x --network none host sh -c 'while :; do echo word; sleep 0.05; done' >/dev/null;"
		"{ $W logs -f x; echo $? >&2; } | head -n 1; $W rm -f x >/dev/null");

	cr_expect(large.status == 1 && strstr(large.err, "warren: write standard output: "), "%s", large.err);
	cr_expect(small.status == 1 && strstr(small.err, "warren: write standard output: "), "%s", small.err);
	cr_expect_str_eq(left.err, "0\n");
	cr_expect_str_eq(followed.out, "word\n");
	cr_expect_str_eq(followed.err, "0\n");
}
