/* Bad words, ids and numbers on the command line of warren-oci, bad process.json and bad resources: one line that says
 * what, where, which value and what would be right; status 1; and the container that was meant, its limits and whatever
 * stands beside the state directory are as they were. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/end_to_end/support_bundle.h"
#include "tests/end_to_end/support_remains.h"
#include "tests/test.h"

#define ID "bad-words"
#define WORDS_MAX 8

/* --- command lines ------------------------------------------------------------------------------------------------ */

struct bad_words {
	const char *words[WORDS_MAX];
	const char *message; /* without "warren-oci: " and the line break */
};

static const struct bad_words command_lines[] = {
	{{"create", ".."}, "container id \"..\": must not begin with '.'"},
	{{"create", "."}, "container id \".\": must not begin with '.'"},
	{{"create", "../x"}, "container id \"../x\": must not begin with '.'"},
	{{"create", "-x"}, "unknown option -x"},
	{{"create", "--", "-x"}, "container id \"-x\": must not begin with '-'"},
	{{"create", ""}, "container id is empty"},
	{{"create", "a/b"}, "container id \"a/b\": only letters, digits, '_', '+', '.' and '-' are allowed"},
	{{"create", "a b"}, "container id \"a b\": only letters, digits, '_', '+', '.' and '-' are allowed"},
	{{"create", "a\nb"}, "container id \"a?b\": only letters, digits, '_', '+', '.' and '-' are allowed"},
	{{"create", "\303\274"}, "container id \"\303\274\": only letters, digits, '_', '+', '.' and '-' are allowed"},
	{{"create", ".hidden"}, "container id \".hidden\": must not begin with '.'"},
	{{"run", ".."}, "container id \"..\": must not begin with '.'"},
	{{"start", ".."}, "container id \"..\": must not begin with '.'"},
	{{"state", "../x"}, "container id \"../x\": must not begin with '.'"},
	{{"kill", "..", "KILL"}, "container id \"..\": must not begin with '.'"},
	{{"delete", "-f", ".."}, "container id \"..\": must not begin with '.'"},
	{{"delete", "-f", "../x"}, "container id \"../x\": must not begin with '.'"},
	{{"delete", "-f", "."}, "container id \".\": must not begin with '.'"},
	{{"delete", "-f", "a/../.."},
		"container id \"a/../..\": only letters, digits, '_', '+', '.' and '-' are allowed"},
	{{"delete", "-f", ""}, "container id is empty"},
	{{"exec", "..", "true"}, "container id \"..\": must not begin with '.'"},
	{{"ps", ".."}, "container id \"..\": must not begin with '.'"},
	{{"pause", ".."}, "container id \"..\": must not begin with '.'"},
	{{"resume", ".."}, "container id \"..\": must not begin with '.'"},
	{{"update", "..", "--memory", "5M"}, "container id \"..\": must not begin with '.'"},
	{{"events", "--stats", ".."}, "container id \"..\": must not begin with '.'"},
	{{"exec", ID}, "no command to execute in " ID},
	{{"exec", "-u", "-1", ID, "true"}, "--user -1: -1 is not between 0 and 4294967294"},
	{{"exec", "-u", "4294967295", ID, "true"}, "--user 4294967295: 4294967295 is not between 0 and 4294967294"},
	{{"exec", "-u", "4294967296", ID, "true"}, "--user 4294967296: 4294967296 is not between 0 and 4294967294"},
	{{"exec", "-u", "1e3", ID, "true"}, "--user 1e3: \"1e3\" is not a whole number"},
	{{"exec", "-u", "0x1", ID, "true"}, "--user 0x1: \"0x1\" is not a whole number"},
	{{"exec", "-u", " 1", ID, "true"}, "--user  1: \" 1\" is not a whole number"},
	{{"exec", "-u", "", ID, "true"}, "--user : \"\" is not a whole number"},
	{{"exec", "-u", "1:", ID, "true"}, "--user 1:: \"\" is not a whole number"},
	{{"exec", "-u", "1:x", ID, "true"}, "--user 1:x: \"x\" is not a whole number"},
	{{"exec", "-u", "root", ID, "true"}, "--user root: \"root\" is not a whole number"},
	{{"exec", "-u", "0:4294967295", ID, "true"}, "--user 0:4294967295: 4294967295 is not between 0 and 4294967294"},
	{{"exec", "--additional-gids", "4294967295", ID, "true"},
		"--additional-gids 4294967295: 4294967295 is not between 0 and 4294967294"},
	{{"exec", "--cwd", "tmp", ID, "true"}, "--cwd tmp: must be an absolute path"},
	{{"exec", "--cwd", "/../x", ID, "true"}, "process.cwd \"/../x\": must not contain \"..\""},
	{{"exec", "-e", "X", ID, "true"}, "--env X: must be NAME=VALUE"},
	{{"exec", "-e", "=x", ID, "true"}, "--env =x: must be NAME=VALUE"},
	{{"exec", "--preserve-fds", "-1", ID, "true"}, "--preserve-fds: -1 is not between 0 and 4096"},
	{{"exec", "--preserve-fds", "1x", ID, "true"}, "--preserve-fds: \"1x\" is not a whole number"},
	{{"exec", "--preserve-fds", "5", ID, "true"}, "--preserve-fds 5: descriptor 3 is not open"},
	{{"exec", "--process", "/nonexistent", ID}, "open /nonexistent: No such file or directory"},
	{{"exec", "--process", "/proc/self/mem", ID}, "/proc/self/mem: read: Input/output error"},
	{{"exec", "--process", "/dev/zero", ID}, "/dev/zero: not a regular file"},
	{{"exec", "-t", "-d", ID, "true"}, "a terminal in the background needs a console socket: use --console-socket"},
	{{"kill", ID, "FOO"}, "unknown signal \"FOO\""},
	{{"kill", ID, "99"}, "signal: 99 is not between 1 and 64"},
	{{"kill", ID, "-1"}, "unknown option -1"},
	{{"kill", ID, "0x9"}, "signal: \"0x9\" is not a whole number"},
	{{"kill", ID, ""}, "unknown signal \"\""},
	{{"kill", ID, "SIGSIG"}, "unknown signal \"SIGSIG\""},
	{{"create", "--bundle", "/nonexistent", "x"}, "bundle /nonexistent: No such file or directory"},
	{{"create", "--bundle", "/etc/passwd", "x"}, "bundle /etc/passwd: Not a directory"},
	{{"create", "--config", "/nonexistent", "x"}, "open /nonexistent: No such file or directory"},
	{{"create", "--config", "/dev/zero", "x"}, "/dev/zero: not a regular file"},
	{{"create", "--preserve-fds", "5000", "x"}, "--preserve-fds: 5000 is not between 0 and 4096"},
	{{"create", "--console-socket", "/nonexistent", "x"}, "a console socket is of use only with process.terminal"},
	{{"create", ID}, "container \"" ID "\" already exists"},
	{{"create", "x", "y"}, "too many operands; usage: warren-oci create [options] ID"},
	{{"create"}, "too few operands; usage: warren-oci create [options] ID"},
	{{"create", "--bundel", ".", "x"}, "unknown option --bundel; did you mean --bundle?"},
	{{"update", ID, "--memory", "lots"}, "--memory: \"lots\" is not a size such as 64M or 1.5G"},
	{{"update", ID, "--memory", "-2"}, "--memory: \"-2\" is not a size such as 64M or 1.5G"},
	{{"update", ID, "--pids-limit", "1.5"}, "--pids-limit: \"1.5\" is not a whole number"},
	{{"update", ID, "--cpu-period", "999"},
		"update container \"" ID "\": cpu_period_us: 999 is not within 1000 and 1000000"},
	{{"update", ID, "--cpu-share", "1"}, "update container \"" ID "\": cpu_shares: 1 is not within 2 and 262144"},
	{{"update", ID, "--cpuset-cpus", "a-b"},
		"update container \"" ID "\": cpu: cpus: \"a-b\" is not a list of processors such as 0-3,7"},
	{{"update", ID, "--blkio-weight", "9"},
		"update container \"" ID "\": block I/O: weight 9: must be between 10 and 1000"},
	{{"update", "-r", "/nonexistent", ID}, "open /nonexistent: No such file or directory"},
	{{"update", "-r", "/dev/zero", ID}, "/dev/zero: not a regular file"},
	{{"events", "--interval", "0", ID}, "--interval: must be longer than 0"},
	{{"events", "--interval", "5y", ID}, "--interval: \"5y\" is not a duration such as 10s, 1m30s or 250ms"},
	{{"ps", "--format", "xml", ID}, "--format xml: must be table or json"},
	{{"list", "--format", "xml"}, "--format xml: must be table or json"},
	{{"frobnicate"}, "unknown command frobnicate; see warren-oci --help"},
	{{"exce", ID, "true"}, "unknown command exce; did you mean warren-oci exec?"},
	{{"state", "nope"}, "container \"nope\" does not exist"},
	{{"start", "nope"}, "container \"nope\" does not exist"},
	{{"delete", "nope"}, "container \"nope\" does not exist"},
	{{"kill", "nope"}, "container \"nope\" does not exist"},
	{{"exec", "nope", "true"}, "container \"nope\" does not exist"},
	{{"start", ID}, "cannot start container \"" ID "\": it is running, not created"},
	{{"delete", ID}, "cannot delete container \"" ID "\": it is running; stop it first, or use --force"},
};

/* --- files -------------------------------------------------------------------------------------------------------- */

struct bad_file {
	const char *from, *to; /* from NULL: all of it */
	size_t to_length;
	const char *message;
};

#define TEXT(to) to, sizeof(to) - 1
#define WHOLE(text) NULL, TEXT(text)
#define SWAP(from, to) from, TEXT(to)
#define PROCESS(members) SWAP("\"cwd\": \"/\"", "\"cwd\": \"/\", " members)

static const char process[] = "{\"user\": {\"uid\": 0, \"gid\": 0}, \"args\": [\"/bin/true\"],\n"
			      "\"env\": [\"PATH=/bin\"], \"cwd\": \"/\"}\n";

static const struct bad_file processes[] = {
	{WHOLE(""), "process.json:1:1: expected a value, found the end of the text"},
	{WHOLE("null"), "process.json:1:1: expected an object, found null"},
	{WHOLE("[]"), "process.json:1:1: expected an object, found an array"},
	{SWAP("\"/\"}\n", "\"/\"}{}"), "process.json:2:34: expected the end of the text, found '{'"},
	{SWAP("\"/\"}\n", "\"/\""), "process.json:2:33: expected ',' or '}', found the end of the text"},
	{SWAP("/bin/true", "/bin/tr\\u0000ue"), "process.json:1:49: \\u0000 in a string: NUL is not allowed"},
	{SWAP("/bin/true", "/bin/tr\377ue"), "process.json:1:49: byte 0xff is not UTF-8"},
	{SWAP("\"gid\": 0", "\"gid\": 0, \"gid\": 0"), "process.json:1:31: repeated key \"gid\" (first at line 1)"},
	{SWAP("\"args\": [\"/bin/true\"],", ""), "process.json:1:1: missing key \"args\""},
	{SWAP(", \"cwd\": \"/\"", ""), "process.json:1:1: missing key \"cwd\""},
	{SWAP("[\"/bin/true\"]", "[]"), "process.args: no program to execute"},
	{SWAP("[\"/bin/true\"]", "\"true\""), "process.json:1:40: \"args\": expected an array, found a string"},
	{SWAP("[\"/bin/true\"]", "[\"\"]"), "process.args[0]: is an empty string"},
	{SWAP("\"uid\": 0", "\"uid\": 4294967295"),
		"process.json:1:18: \"uid\": 4294967295 is not between 0 and 4294967294"},
	{SWAP("\"uid\": 0", "\"uid\": \"0\""), "process.json:1:18: \"uid\": expected a number, found a string"},
	{SWAP("\"uid\": 0", "\"uid\": -1"), "process.json:1:18: \"uid\": -1 is not between 0 and 4294967294"},
	{SWAP("[\"PATH=/bin\"]", "[\"PATH\"]"), "process.env[0] \"PATH\": is not NAME=value"},
	{SWAP("[\"PATH=/bin\"]", "[\"=x\"]"), "process.env[0] \"=x\": is not NAME=value"},
	{SWAP("\"cwd\": \"/\"", "\"cwd\": \"tmp\""), "process.cwd \"tmp\": must be an absolute path"},
	{SWAP("\"cwd\": \"/\"", "\"cwd\": \"/a/../../b\""), "process.cwd \"/a/../../b\": must not contain \"..\""},
	{PROCESS("\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 1, \"hard\": 1}, {\"type\": \"RLIMIT_NOFILE\", "
		 "\"soft\": 2, \"hard\": 2}]"),
		"process.rlimits[1]: RLIMIT_NOFILE is set twice"},
	{PROCESS("\"rlimits\": [{\"type\": \"RLIMIT_X\", \"soft\": 1, \"hard\": 1}]"),
		"process.json:1:1: rlimits[0]: unknown resource limit \"RLIMIT_X\""},
	{PROCESS("\"oomScoreAdj\": 1001"), "process.json:2:50: \"oomScoreAdj\": 1001 is not between -1000 and 1000"},
	{PROCESS("\"terminal\": \"no\""), "process.json:2:47: \"terminal\": expected a boolean, found a string"},
	{PROCESS("\"capabilities\": []"), "process.json:2:51: \"capabilities\": expected an object, found an array"},
	{PROCESS("\"scheduler\": {\"policy\": \"SCHED_OTHER\", \"nice\": 20}"),
		"process.json:2:82: \"nice\": 20 is not between -20 and 19"},
};

static const struct bad_file resources[] = {
	{WHOLE(""), "resources.json:1:1: expected a value, found the end of the text"},
	{WHOLE("null"), "resources.json:1:1: expected an object, found null"},
	{WHOLE("[]"), "resources.json:1:1: expected an object, found an array"},
	{WHOLE("{"), "resources.json:1:2: expected a key or '}', found the end of the text"},
	{WHOLE("{\"memory\": {\"limit\": 1}} x"), "resources.json:1:26: expected the end of the text, found \"x\""},
	{WHOLE("{\"memory\": {\"limit\": 1, \"limit\": 1}}"),
		"resources.json:1:25: repeated key \"limit\" (first at line 1)"},
	{WHOLE("{\"memory\": {\"limit\": \"1M\"}}"),
		"resources.json:1:22: \"limit\": expected a number, found a string"},
	{WHOLE("{\"memory\": {\"limit\": -2}}"),
		"resources.json:1:22: \"limit\": -2 is not between -1 and 9223372036854775807"},
	{WHOLE("{\"memory\": {\"limit\": 1.5}}"), "resources.json:1:22: \"limit\": expected a whole number, found 1.5"},
	{WHOLE("{\"memory\": {\"limit\": 9223372036854775808}}"),
		"resources.json:1:22: \"limit\": 9223372036854775808 is not between -1 and 9223372036854775807"},
	{WHOLE("{\"memory\": 1}"), "resources.json:1:12: \"memory\": expected an object, found a number"},
	{WHOLE("{\"pids\": {\"limit\": -2}}"),
		"resources.json:1:20: \"limit\": -2 is not between -1 and 9223372036854775807"},
	{WHOLE("{\"pids\": {\"limit\": \"5\"}}"), "resources.json:1:20: \"limit\": expected a number, found a string"},
	{WHOLE("{\"cpu\": {\"shares\": 262145}}"),
		"resources.json:1:20: \"shares\": 262145 is not between 0 and 262144"},
	{WHOLE("{\"cpu\": {\"shares\": 1}}"), "cpu_shares: 1 is not within 2 and 262144"},
	{WHOLE("{\"cpu\": {\"period\": 999}}"), "cpu_period_us: 999 is not within 1000 and 1000000"},
	{WHOLE("{\"cpu\": {\"period\": 1000001}}"),
		"resources.json:1:20: \"period\": 1000001 is not between 0 and 1000000"},
	{WHOLE("{\"cpu\": {\"cpus\": \"a-b\"}}"),
		"resources.json:1:9: \"cpu\": cpus: \"a-b\" is not a list of processors such as 0-3,7"},
	{WHOLE("{\"blockIO\": {\"weight\": 9}}"),
		"resources.json:1:13: \"blockIO\": weight 9: must be between 10 and 1000"},
	{WHOLE("{\"blockIO\": {\"weight\": 1001}}"), "resources.json:1:24: \"weight\": 1001 is not between 0 and 1000"},
	{WHOLE("{\"devices\": [{\"allow\": \"yes\"}]}"),
		"resources.json:1:24: \"allow\": expected a boolean, found a string"},
	{WHOLE("{\"unified\": {\"memory.max\": 5}}"),
		"resources.json:1:28: \"memory.max\": expected a string, found a number"},
	{WHOLE("{\"memory\": {\"limit\": 5000000, \"swap\": 4000000}}"),
		"resources.json:1:12: \"memory\": swap 4000000: is memory and swap together and cannot be below the "
		"limit 5000000"},
	{WHOLE("{\"\000\": 1}"), "resources.json:1:3: control character 0x00 in a string"},
	{WHOLE("{\"a\": \"\377\"}"), "resources.json:1:8: byte 0xff is not UTF-8"},
};

/* --- a container that must not notice ----------------------------------------------------------------------------- */

struct bench {
	struct bundle bundle;
	char *cgroup, *before, *shown;
};

static void bench_drop(struct bench *bench)
{
	auto_run deleted = OCI(&bench->bundle, "delete", "--force", ID);

	bundle_drop(&bench->bundle);
	free(bench->cgroup);
	free(bench->before);
	free(bench->shown);
}

/* Its state, its processes and its limits. The figures that change by themselves are left out. */
static char *show(struct bench *bench)
{
	auto_run state = OCI(&bench->bundle, "state", ID);
	auto_run ps = OCI(&bench->bundle, "ps", "--format", "json", ID);
	auto_run limits = RUN("sh", "-c",
		"cd /sys/fs/cgroup && cat {.,memory,pids,cpu,cpuset}/\"$1\"/{memory.limit_in_bytes,memory.max,pids.max,"
		"cpu.shares,cpu.weight,cpu.cfs_quota_us,cpu.max,cpuset.cpus} 2>/dev/null; true",
		"sh", bench->cgroup);

	cr_assert(state.status == 0 && ps.status == 0, "%s%s", state.err, ps.err);
	return text_format("%s%s%s", state.out, ps.out, limits.out);
}

static void bench_open(struct bench *bench)
{
	remains_seclude();
	bench->bundle = bundle_new();
	bench->cgroup = text_format("warren-oci/%s", bench->bundle.id);
	auto_free char *path = text_format("\"cgroupsPath\": \"%s\"", bench->cgroup);
	BUNDLE_WRITE(&bench->bundle, .args = "[\"/bin/sleep\", \"1000\"]", .system = path);
	/* What stands beside the state directory, and in another one of its kind. */
	run_write_file(bench->bundle.directory.path, "x/keep", 0600, "");
	auto_run run = OCI(&bench->bundle, "run", "--detach", ID);
	cr_assert(run.status == 0, "%s", run.err);
	BUNDLE_WRITE(&bench->bundle, .args = "[\"/bin/true\"]");
	run_write_file(bench->bundle.path, "process.json", 0600, process);
	run_write_file(bench->bundle.path, "resources.json", 0600, "");
	bench->shown = show(bench);
	bench->before = remains_describe(bench->bundle.directory.path, bench->cgroup);
}

static void nothing_changed(struct bench *bench)
{
	auto_free char *shown = show(bench);
	auto_free char *difference = remains_await(bench->bundle.directory.path, bench->cgroup, bench->before);

	cr_assert_str_eq(shown, bench->shown);
	cr_assert(!difference, "%s", difference);
}

/* prefix: what the command puts in front of what the file's reader says. */
static size_t refused_check(
	struct bench *bench, const char *const *words, size_t row, const char *prefix, const char *message)
{
	auto_run run = bundle_oci(&bench->bundle, words, NULL);
	auto_free char *plain = text_format("warren-oci: %s\n", message);
	auto_free char *prefixed = text_format("warren-oci: %s%s\n", prefix, message);

	if (run.status == 1 && !*run.out && (text_equal(run.err, plain) || text_equal(run.err, prefixed)))
		return 0;
	fprintf(stderr, "row %zu, %s: status %d, wanted: %s   said: %s\n", row, words[0], run.status, plain, run.err);
	return 1;
}

static size_t step_between_rows(void)
{
	return WARREN_TEST_SLOW > 1 && !getenv("WARREN_TEST_ALL_POINTS") ? 8 : 1;
}

TEST(oci_bad_words, of_a_command_are_refused_in_one_line_and_touch_nothing, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_ROOT();
	AUTO(bench_drop) struct bench bench = {0};
	size_t faults = 0;

	bench_open(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(command_lines); i += step_between_rows())
		faults += refused_check(&bench, command_lines[i].words, i, "", command_lines[i].message);
	cr_assert(faults == 0, "%zu faults", faults);
	nothing_changed(&bench);
}

/* 255 characters are the most; 256 and 1,000 are too many, for every command that takes an id. */
TEST(oci_bad_words, and_ids_that_are_too_long_are_refused_by_every_command, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_ROOT();
	static const char *const commands[] = {
		"create", "run", "start", "state", "kill", "delete", "ps", "pause", "resume", "events", "update"};
	AUTO(bench_drop) struct bench bench = {0};
	char id[1001];

	bench_open(&bench);
	memset(id, 'a', sizeof(id));
	id[255] = '\0';
	auto_run longest = OCI(&bench.bundle, "create", id);
	auto_run deleted = OCI(&bench.bundle, "delete", id);
	cr_assert(longest.status == 0 && deleted.status == 0, "%s%s", longest.err, deleted.err);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		for (size_t length = 256; length <= 1000; length += 744) {
			memset(id, 'a', sizeof(id));
			id[length] = '\0';
			auto_run run = OCI(&bench.bundle, commands[i], id);
			cr_assert(run.status == 1 && strchr(run.err, '\n') == run.err + run.err_length - 1, "%s: %s",
				commands[i], run.err);
			cr_assert(strstr(run.err, "container id \"aaaa"), "%s: %s", commands[i], run.err);
		}
	}
	nothing_changed(&bench);
}

/* --- process.json, resources -------------------------------------------------------------------------------------- */

static void file_change(const struct bench *bench, const char *name, const char *base, const struct bad_file *bad)
{
	auto_free char *path = text_format("%s/%s", bench->bundle.path, name);
	auto_fd fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	AUTO(text_drop) struct text text = {0};
	const char *place = bad->from ? strstr(base, bad->from) : base;

	cr_assert(fd >= 0 && place, "nowhere: %s", bad->from);
	text_append_bytes(&text, base, (size_t)(place - base));
	text_append_bytes(&text, bad->to, bad->to_length);
	text_append(&text, bad->from ? place + strlen(bad->from) : "");
	cr_assert(write_all(fd, text_string(&text), text.length) == 0);
}

TEST(oci_bad_words, in_a_process_file_are_refused_by_exec, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_ROOT();
	static const char *const words[] = {"exec", "--process", "process.json", ID, NULL};
	AUTO(bench_drop) struct bench bench = {0};
	size_t faults = 0;

	bench_open(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(processes); i += step_between_rows()) {
		file_change(&bench, "process.json", process, &processes[i]);
		faults += refused_check(&bench, words, i, "", processes[i].message);
	}
	cr_assert(faults == 0, "%zu faults", faults);
	nothing_changed(&bench);
}

TEST(oci_bad_words, in_resources_are_refused_by_update, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_ROOT();
	static const char *const words[] = {"update", "--resources", "resources.json", ID, NULL};
	AUTO(bench_drop) struct bench bench = {0};
	size_t faults = 0;

	bench_open(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(resources); i += step_between_rows()) {
		file_change(&bench, "resources.json", "", &resources[i]);
		faults += refused_check(&bench, words, i, "update container \"" ID "\": ", resources[i].message);
	}
	cr_assert(faults == 0, "%zu faults", faults);
	nothing_changed(&bench);
}
