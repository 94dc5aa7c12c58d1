/* Limits bite, and only the instance that they are for. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_probe.h"
#include "tests/test.h"

static const struct json *stats_entry(struct playground *playground, const char *name)
{
	auto_run stats = WARREN(playground, "stats", "--no-stream", "--json", name);
	struct json_doc doc;
	struct error err;

	ASSERT_OK(json_parse(&playground->arena, "stats", stats.out, stats.out_length, JSON_PLAIN, &doc, &err));
	return doc.root->first;
}

static int64_t number_of(const char *text)
{
	int64_t number;
	struct error err;
	auto_free char *line = strndup(text, strcspn(text, "\n"));

	ASSERT_OK(number_parse(line, 0, INT64_MAX, &number, &err));
	return number;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static void assert_says_out_of_memory(struct playground *playground, const char *name)
{
	const struct json *end = json_get(instance_inspect(playground, name), "last_exit");
	auto_run table = WARREN(playground, "list", name);

	cr_assert_str_eq(json_get(end, "reason")->text, "out of memory");
	cr_assert_str_eq(json_get(end, "status")->text, "137");
	cr_assert(strstr(table.out, "out of memory"), "%s", table.out);
}

TEST(limits, memory_hog_is_killed_and_said_to_be_out_of_memory, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "neighbour", "host", "--", "sleep", "1000");
	WARREN_OK(&playground, "run", "-d", "--name", "hog", "--memory", "48M", "-v",
		playground_probe_volume(&playground), "host", "--", PROBE, "touch");
	auto_run waited = WARREN(&playground, "wait", "hog");
	cr_assert_str_eq(waited.out, "137\n", "%s%s", waited.out, waited.err);
	assert_says_out_of_memory(&playground, "hog");
	cr_assert_str_eq(instance_fact(&playground, "neighbour", "state"), "running");
}

TEST(limits, memory_hog_in_the_foreground_gives_137_and_says_why, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	auto_run run = WARREN(&playground, "run", "--name", "hog", "--memory", "48M", "-v",
		playground_probe_volume(&playground), "host", "--", PROBE, "touch");
	cr_assert(run.status == 137, "status %d: %s%s", run.status, run.out, run.err);
	cr_assert_str_eq(run.err, "warren: hog: out of memory; its limit is 48M\n");
	assert_says_out_of_memory(&playground, "hog");
}

/* The kernel takes the hog, not the server beside it; who looks at the instance can see that it happened. */
TEST(limits, memory_hog_by_exec_dies_and_the_server_lives, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "inside", "--memory", "48M", "-v",
		playground_probe_volume(&playground), "host", "--", "sleep", "1000");
	auto_run exec = WARREN(&playground, "exec", "inside", PROBE, "touch");
	cr_assert(exec.status == 137, "status %d: %s%s", exec.status, exec.out, exec.err);
	cr_assert_str_eq(instance_fact(&playground, "inside", "state"), "running");
	cr_assert(number_of(json_get(stats_entry(&playground, "inside"), "oom_kills")->text) >= 1);
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

#define PIDS "32"
#define PIDS_MAX 32

/* others: what else runs there, the probe included. */
static void assert_forks_are_bounded(const struct run_result *run, int others)
{
	int count = -1;
	char reason[64] = "";

	cr_assert(sscanf(run->out, "%d processes, then %63[^\n]", &count, reason) == 2, "%s%s", run->out, run->err);
	cr_assert_str_eq(reason, "Resource temporarily unavailable");
	cr_assert(count == PIDS_MAX - others, "%d processes beside %d", count, others);
}

TEST(limits, processes_end_at_the_limit_by_run_and_by_exec, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	const char *volume = playground_probe_volume(&playground);

	auto_run run =
		WARREN(&playground, "run", "--rm", "--pids-limit", PIDS, "-v", volume, "host", "--", PROBE, "fork");
	assert_forks_are_bounded(&run, 1);
	WARREN_OK(&playground, "run", "-d", "--name", "inside", "--pids-limit", PIDS, "-v", volume, "host", "--",
		"sleep", "1000");
	auto_run exec = WARREN(&playground, "exec", "inside", PROBE, "fork");
	assert_forks_are_bounded(&exec, 2);
	cr_assert_str_eq(instance_fact(&playground, "inside", "state"), "running");
}

/* The kernel counts all of them against the host's root too. */
TEST(limits, inotify_ends_at_the_share_of_an_instance, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	const char *volume = playground_probe_volume(&playground);

	auto_run share = WARREN(&playground, "run", "--rm", "-v", volume, "host", "--", PROBE, "inotify");
	cr_assert_str_eq(share.out, "32, then EMFILE\n", "%s%s", share.out, share.err);
	auto_run asked = WARREN(&playground, "run", "--rm", "--sysctl", "user.max_inotify_instances=5", "-v", volume,
		"host", "--", PROBE, "inotify");
	cr_assert_str_eq(asked.out, "5, then EMFILE\n", "%s%s", asked.out, asked.err);
}

static int64_t cgroup_number(struct playground *playground, const char *name, const char *controller, const char *file)
{
	const char *text = instance_cgroup_file(playground, name, controller, file, file);

	cr_assert(*text, "%s of %s is not there", file, name);
	return number_of(text);
}

static bool limit_was_hit(struct playground *playground, const char *name)
{
	const char *events = instance_cgroup_file(playground, name, "pids", "pids.events", "pids.events");

	return text_starts_with(events, "max ") && number_of(events + 4) > 0;
}

TEST(limits, fork_bomb_stays_inside_and_can_be_removed, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	int64_t deadline_ms = clock_ms() + SLOWLY(20000);

	WARREN_OK(&playground, "run", "-d", "--name", "neighbour", "host", "--", "sleep", "1000");
	WARREN_OK(&playground, "run", "-d", "--name", "bomb", "--pids-limit", PIDS, "--cpus", "0.5", "host", "--",
		"bash", "-c", "bomb() { bomb | bomb & }; bomb; sleep 1000");
	while (!limit_was_hit(&playground, "bomb"))
		cr_assert(clock_ms() < deadline_ms, "the bomb does not burst");
	for (int i = 0; i < 20; i++)
		cr_assert(cgroup_number(&playground, "bomb", "pids", "pids.current") <= PIDS_MAX);
	auto_run beside = WARREN(&playground, "exec", "neighbour", "echo", "fine");
	cr_assert_str_eq(beside.out, "fine\n", "%s", beside.err);
	/* With no process to spare inside, a command says so and ends; it is taken away from outside. */
	int64_t before_ms = clock_ms();
	WARREN_OK(&playground, "rm", "-f", "bomb");
	cr_assert(clock_ms() - before_ms < SLOWLY(20000), "%lld ms", (long long)(clock_ms() - before_ms));
	cr_assert_str_eq(instance_fact(&playground, "neighbour", "state"), "running");
}

/* --- processors --------------------------------------------------------------------------------------------------- */

#define CPUS "0.2"
#define SHARE 0.2
#define LEAST 0.05 /* of it, on a machine that has something else to do as well */
#define SPIN_MS 2000

/* Nanoseconds of processor time. */
static int64_t cpu_time(struct playground *playground, const char *name)
{
	const char *text = instance_cgroup_file(playground, name, "cpuacct", "cpuacct.usage", "cpu.stat");

	return text_starts_with(text, "usage_usec ") ? 1000 * number_of(text + strlen("usage_usec ")) : number_of(text);
}

static double share_measure(struct playground *playground, const char *name)
{
	int64_t time_before = clock_ms(), used_before = cpu_time(playground, name);

	poll(NULL, 0, SPIN_MS);
	double used_ms = (double)(cpu_time(playground, name) - used_before) / 1e6;
	return used_ms / (double)(clock_ms() - time_before);
}

TEST(limits, spinning_instance_gets_its_share_and_no_more, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "spin", "--cpus", CPUS, "-v",
		playground_probe_volume(&playground), "host", "--", PROBE, "spin");
	double alone = share_measure(&playground, "spin");
	cr_assert(alone < SHARE * 1.15 && alone > SHARE * LEAST, "%.3f processors", alone);
	/* A second one by exec shares what there is. */
	WARREN_OK(&playground, "exec", "-d", "spin", PROBE, "spin");
	double both = share_measure(&playground, "spin");
	cr_assert(both < SHARE * 1.15 && both > SHARE * LEAST, "%.3f processors", both);
}

/* --- logs --------------------------------------------------------------------------------------------------------- */

#define FLOOD_BYTES "300M"
#define LOG_BOUND (3 << 20)
#define ANSWER_MS 3000

static const char nginx_conf[] = "events {}\nerror_log /dev/stderr;\npid /run/nginx.pid;\n"
				 "http { access_log /dev/stdout;\n"
				 " server { listen 80; location / { return 200 \"served\\n\"; } } }\n";

/* The whole answer of a GET, "" when there is none in time. */
static const char *page_fetch(struct playground *playground, int port)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	auto_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval timeout = {.tv_sec = ANSWER_MS / 1000};
	char answer[1024];
	size_t length = 0;
	ssize_t got;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0 || write(fd, request, strlen(request)) < 0)
		return "";
	while (length < sizeof(answer) && (got = read(fd, answer + length, sizeof(answer) - length)) > 0)
		length += (size_t)got;
	return arena_bytes(&playground->arena, answer, length);
}

static void assert_serves(struct playground *playground)
{
	int64_t before_ms = clock_ms();
	const char *page = page_fetch(playground, 8090);

	cr_assert(strstr(page, "\r\n\r\nserved\n"), "after %lld ms: %s", (long long)(clock_ms() - before_ms), page);
}

static int64_t log_bytes(const struct playground *playground)
{
	auto_free char *path = text_format("%s/log", playground->root);
	auto_run files = RUN("find", path, "-type", "f", "-printf", "%s\n");
	int64_t sum = 0;

	for (const char *line = files.out; *line; line = strchr(line, '\n') + 1)
		sum += number_of(line);
	return sum;
}

static bool flood_is_over(struct playground *playground)
{
	auto_run test = WARREN(playground, "exec", "web", "test", "-e", "/tmp/flooded");

	return test.status == 0;
}

static void web_start(struct playground *playground)
{
	auto_free char *volume =
		text_format("%s/nginx.conf:/etc/nginx/nginx.conf:ro,noidmap", playground->directory.path);
	int64_t deadline_ms = clock_ms() + SLOWLY(20000);

	run_write_file(playground->directory.path, "nginx.conf", 0644, nginx_conf);
	WARREN_OK(playground, "run", "-d", "--name", "web", "-p", "8090:80", "--log-opt", "max-size=1M", "--log-opt",
		"max-file=3", "-v", volume, "host", "--", "nginx", "-g", "daemon off;");
	while (!strstr(page_fetch(playground, 8090), "served"))
		cr_assert(clock_ms() < deadline_ms, "nginx never answered");
}

/* nginx writes a line to the same pipe for each answer, and would wait there if nobody read it. */
TEST(limits, log_flood_is_bounded_and_the_server_goes_on, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	int served = 0;

	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	web_start(&playground);
	WARREN_OK(&playground, "exec", "-d", "web", "sh", "-c",
		"yes a line of the flood that fills the log | head -c " FLOOD_BYTES
		" > /proc/1/fd/1; echo > /tmp/flooded");
	while (!flood_is_over(&playground)) {
		assert_serves(&playground);
		served++;
		int64_t bytes = log_bytes(&playground);
		cr_assert(bytes <= LOG_BOUND, "%lld bytes of logs", (long long)bytes);
	}
	cr_assert(served > 0, "the flood was over too soon");
	assert_serves(&playground);
	WARREN_OK(&playground, "exec", "web", "sh", "-c", "echo behind the flood > /proc/1/fd/1");
	instance_await_log(&playground, "web", "behind the flood");
	cr_assert(log_bytes(&playground) <= LOG_BOUND && log_bytes(&playground) > LOG_BOUND / 3);
}

/* --- devices ------------------------------------------------------------------------------------------------------ */

/* Numbers that no driver has: what the rules let through is then refused for want of one (ENXIO), the rest by the rules
 * (EPERM), root inside or not. */
#define DEVICE_MAJOR 240
#define DEVICE_MINOR 77

TEST(limits, devices_are_those_that_were_named_for_what_was_said, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	const char *path = arena_format(&playground.arena, "%s/node", playground.directory.path);
	const char *device = arena_format(&playground.arena, "%s:/dev/v/one:r", path);

	cr_assert(mknod(path, S_IFCHR | 0660, makedev(DEVICE_MAJOR, DEVICE_MINOR)) == 0);
	auto_run run = WARREN(&playground, "run", "--name", "one", "--device", device, "host", "--", "sh", "-c",
		"stat -c '%t:%T %u %a' /dev/v/one; cat /dev/v/one; echo x > /dev/v/one; echo x > /dev/null && echo "
		"well");
	cr_assert(strstr(run.out, "f0:4d 0 440\n") && strstr(run.out, "well\n"), "%s%s", run.out, run.err);
	cr_assert(strstr(run.err, "/dev/v/one: No such device or address"), "%s", run.err);
	cr_assert(strstr(run.err, "/dev/v/one: Operation not permitted"), "%s", run.err);

	auto_run audit = WARREN(&playground, "audit", "one");
	cr_assert(strstr(audit.out, "5.18") && strstr(audit.out, "on /dev/v/one (r)"), "%s", audit.out);
}

TEST(limits, what_is_no_device_is_refused_and_nothing_is_left, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	auto_run directory = WARREN(&playground, "run", "--device", "/etc:/dev/etc", "host", "--", "true");
	auto_run missing = WARREN(&playground, "run", "--device", "/dev/nonesuch", "host", "--", "true");
	auto_run list = WARREN(&playground, "list", "-q");

	cr_assert(directory.status == 125 && strstr(directory.err, "/etc: it is no device but a directory"), "%s",
		directory.err);
	cr_assert(
		missing.status == 125 && strstr(missing.err, "device /dev/nonesuch: No such file"), "%s", missing.err);
	cr_assert_str_empty(list.out);
}

/* --- ids ---------------------------------------------------------------------------------------------------------- */

TEST(limits, ids_beyond_the_size_are_unknown_inside, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	const char *fleet = "{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": {\"image\": \"host\", "
			    "\"userns\": {\"size\": 2000}, \"network\": \"none\", \"command\": \"sleep 1000\"}}}\n";
	const char *path = arena_format(&playground.arena, "%s/f.json", playground.directory.path);

	run_write_file(playground.directory.path, "f.json", 0600, fleet);
	WARREN_OK(&playground, "apply", path);
	auto_run map = WARREN(&playground, "exec", "a", "cat", "/proc/self/uid_map");
	unsigned inside, host, count;
	cr_assert(sscanf(map.out, "%u %u %u", &inside, &host, &count) == 3 && inside == 0 && count == 2000, "%s%s",
		map.out, map.err);
	auto_run last = WARREN(&playground, "exec", "a", "sh", "-c", "touch /tmp/x && chown 1999 /tmp/x && echo well");
	cr_assert_str_eq(last.out, "well\n", "%s", last.err);
	auto_run beyond = WARREN(&playground, "exec", "a", "chown", "2000", "/tmp/x");
	cr_assert(beyond.status == 1 && strstr(beyond.err, "Invalid argument"), "%s", beyond.err);
	auto_run again = WARREN(&playground, "plan", path);
	cr_assert(again.status == 0, "%s%s", again.out, again.err);
	run_write_file(playground.directory.path, "f.json", 0600,
		"{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": {\"image\": \"host\", \"network\": "
		"\"none\", \"command\": \"sleep 1000\"}}}\n");
	auto_run plan = WARREN(&playground, "plan", path);
	cr_assert(plan.status == 2 && strstr(plan.out, "recreate") && strstr(plan.out, "userns"), "%s%s", plan.out,
		plan.err);
	WARREN_OK(&playground, "down", "f");
}
