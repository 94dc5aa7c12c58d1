/* Changed instances that serve: nobody finds their door closed, never too many are away, and what does not work is not
 * kept. */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_load.h"
#include "tests/test.h"

/* The body of its only page is in the configuration, so that what serves can be told apart. */
#define NGINX_CONF                                                                                                     \
	"worker_processes 1;\nerror_log stderr warn;\npid /run/nginx.pid;\nevents { worker_connections 256; }\n"       \
	"http { access_log off; server { listen 80; listen [::]:80; location / { return 200 \"%s\"; } } }\n"

#define PLAIN_SITE                                                                                                     \
	"\"image\": \"host\", \"tmpfs\": [\"/var/lib/nginx\", \"/var/log/nginx\"], "                                   \
	"\"command\": [\"nginx\", \"-g\", \"daemon off;\"], "                                                          \
	"\"configs\": [{\"source\": \"site.conf\", \"target\": \"/etc/nginx/nginx.conf\"}]"

#define SITE PLAIN_SITE ", \"read_only\": true"

#define SLEEPER "\"image\": \"host\", \"command\": [\"sleep\", \"infinity\"], \"stop_grace_period\": 0"

static const char *PRINTF(2, 3) fleet_write(struct playground *playground, const char *format, ...)
{
	auto_free char *text = NULL, *instances = NULL, *conf = text_format(NGINX_CONF, "here\\n");
	va_list arguments;

	va_start(arguments, format);
	cr_assert(vasprintf(&instances, format, arguments) >= 0);
	va_end(arguments);
	text = text_format(
		"{\"version\": 1, \"name\": \"roll\", \"networks\": {\"n\": {}},\n\"defaults\": {\"network\": "
		"\"n\"}, \"instances\": {%s}}\n",
		instances);
	run_write_file(playground->directory.path, "site.conf", 0644, conf);
	run_write_file(playground->directory.path, "roll.json", 0600, text);
	return arena_format(&playground->arena, "%s/roll.json", playground->directory.path);
}

static struct run_result apply(struct playground *playground, const char *file)
{
	return playground_warren(playground, (const char *const[]){"apply", file, NULL},
		&(struct run_options){.timeout_ms = SLOWLY(120000)});
}

/* Until the server listens; an apply without a health check is over when its program runs. */
static void page_await(const char *port, const char *host)
{
	auto_free char *address = text_format("http://127.0.0.1:%s/", port), *header = text_format("Host: %s", host);
	auto_run run = RUN("curl", "-s", "-f", "-o", "/dev/null", "--retry", "50", "--retry-all-errors",
		"--retry-delay", "1", "-m", "50", "-H", header, address);

	cr_assert(run.status == 0, "%s of %s does not answer: %d", address, host, run.status);
}

static void expect_apply(struct playground *playground, const char *file, const char *out)
{
	auto_run run = apply(playground, file);

	cr_assert(run.status == 0, "status %d: %s%s", run.status, run.out, run.err);
	cr_assert_str_eq(run.out, out, "said %s%s", run.out, run.err);
}

static void expect_names(struct playground *playground, const char *names)
{
	auto_run run = WARREN(playground, "list", "-r", "-q");

	cr_assert_str_eq(run.out, names, "running: %s%s", run.out, run.err);
}

static void apply_ok(struct playground *playground, const char *file)
{
	auto_run run = apply(playground, file);

	cr_assert(run.status == 0, "status %d: %s%s", run.status, run.out, run.err);
}

static const char *variable(struct playground *playground, const char *name)
{
	auto_run run = WARREN(playground, "exec", name, "sh", "-c", "echo $A");

	cr_assert(run.status == 0, "%s", run.err);
	return arena_string(&playground->arena, run.out);
}

static pid_t apply_begin(const struct playground *playground, const char *file)
{
	pid_t child = fork();

	if (child == 0) {
		execl(WARREN_PROGRAM, WARREN_PROGRAM, "--root", playground->root, "--cgroup-parent", playground->parent,
			"apply", "-q", file, NULL);
		_exit(127);
	}
	cr_assert(child > 0);
	return child;
}

/* --- one site ----------------------------------------------------------------------------------------------------- */

#define SITE_AT(ports) "\"site\": {" SITE ", \"replicas\": 1, \"environment\": {\"A\": \"%s\"}, \"ports\": [" ports "]}"
#define ONE_SITE SITE_AT("\"18080:80\"")
#define ONE_SITE_AND SITE_AT("\"18080:80\"%s")
#define PORT6 ", \"[::]:18080:80\""
#define HERE6 "2001:db8:5::1"

TEST(rolling, loses_no_request_of_a_single_site_that_is_redeployed, .fini = playground_rescue, .timeout = SLOWLY(180))
{
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = playground_new();
	const bool has_ipv6 = access("/proc/net/if_inet6", F_OK) == 0;
	const char *more = has_ipv6 ? PORT6 : "";

	if (has_ipv6)
		host_ip("addr add " HERE6 "/128 dev lo nodad");
	expect_apply(
		&playground, fleet_write(&playground, ONE_SITE_AND, "1", more), "site-1 started\nroll: 1 started\n");
	const char *pid = arena_string(&playground.arena, instance_fact(&playground, "site-1", "pid"));
	const char *address = arena_string(&playground.arena, instance_fact(&playground, "site-1", "address"));
	page_await("18080", "x");
	struct load load = load_begin(18080, "x"), load6 = {0};
	if (has_ipv6)
		load6 = load_begin_at(HERE6, 18080, "x");

	expect_apply(&playground, fleet_write(&playground, ONE_SITE_AND, "2", more),
		"site-1 restarted\nroll: 1 restarted\n");
	load_end(&load, 50);
	if (has_ipv6)
		load_end(&load6, 50);
	cr_assert_str_eq(variable(&playground, "site-1"), "2\n");
	cr_assert_str_neq(instance_fact(&playground, "site-1", "pid"), pid);
	cr_assert_str_eq(instance_fact(&playground, "site-1", "address"), address);
	expect_names(&playground, "site-1\n");
	WARREN_OK(&playground, "down", "roll");
}

TEST(rolling, leaves_what_serves_when_the_next_one_does_not_come_up, .fini = playground_rescue, .timeout = SLOWLY(180))
{
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = playground_new();

	expect_apply(&playground, fleet_write(&playground, ONE_SITE, "1"), "site-1 started\nroll: 1 started\n");
	const char *pid = arena_string(&playground.arena, instance_fact(&playground, "site-1", "pid"));
	page_await("18080", "x");
	struct load load = load_begin(18080, "x");
	auto_run broken = apply(&playground,
		fleet_write(&playground, "\"site\": {" SITE ", \"replicas\": 1, \"entrypoint\": [\"nginx\", "
					 "\"-g\", \"bogus;\"], \"ports\": [\"18080:80\"]}"));

	load_end(&load, 20);
	cr_assert(broken.status == 1, "%d %s", broken.status, broken.err);
	cr_assert(strstr(broken.err, "nginx: invalid option: \"nginx\""), "%s", broken.err);
	cr_assert(strstr(broken.err, "what was there before serves"), "%s", broken.err);
	cr_assert_str_eq(instance_fact(&playground, "site-1", "pid"), pid);
	expect_names(&playground, "site-1\n");
	expect_apply(&playground, fleet_write(&playground, ONE_SITE, "1"), "roll: 1 unchanged\n");
	WARREN_OK(&playground, "down", "roll");
}

/* Starts apply, lets it work for so long, and kills it. False: it had ended before. */
static bool apply_and_kill(const struct playground *playground, const char *file, int after_ms)
{
	pid_t child = apply_begin(playground, file);
	int status;

	poll(NULL, 0, after_ms);
	kill(child, SIGKILL);
	cr_assert(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status);
}

/* Whatever moment it is: somebody serves, and the next apply brings the one that is wanted, alone. */
TEST(rolling, goes_on_where_a_killed_one_was, .fini = playground_rescue, .timeout = SLOWLY(400))
{
	NEEDS_A_FAST_PROCESSOR();
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	static const int first_ms = 50;
	int step_ms = getenv("WARREN_TEST_ALL_POINTS") ? SLOWLY(60) : SLOWLY(900);
	auto_playground playground = playground_new();
	bool killed = true;

	expect_apply(&playground, fleet_write(&playground, ONE_SITE, "0"), "site-1 started\nroll: 1 started\n");
	const char *address = arena_string(&playground.arena, instance_fact(&playground, "site-1", "address"));
	page_await("18080", "x");
	struct load load = load_begin(18080, "x");
	for (int round = 1; killed; round++) {
		const char *number = arena_format(&playground.arena, "%d", round);
		const char *file = fleet_write(&playground, ONE_SITE, number);

		killed = apply_and_kill(&playground, file, first_ms + round * step_ms);
		apply_ok(&playground, file);
		expect_names(&playground, "site-1\n");
		cr_assert(atoi(variable(&playground, "site-1")) == round);
		cr_assert_str_eq(instance_fact(&playground, "site-1", "address"), address);
		expect_apply(&playground, file, "roll: 1 unchanged\n");
	}
	load_end(&load, 50);
	WARREN_OK(&playground, "down", "roll");
}

/* --- many --------------------------------------------------------------------------------------------------------- */

#define SIX                                                                                                            \
	"\"s\": {" SLEEPER ", \"replicas\": 6, \"update\": {\"parallel\": 2, \"canary\": 1, \"monitor\": \"200ms\"}, " \
	"\"environment\": {\"A\": \"%s\"}}"

static size_t running_count(struct playground *playground)
{
	auto_run running = WARREN(playground, "list", "-r", "-q");
	size_t count = 0;

	for (const char *p = running.out; (p = strchr(p, '\n')); p++)
		count++;
	return count;
}

/* Who runs is asked over and over meanwhile. */
TEST(rolling, never_has_more_away_than_allowed, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	size_t least = 6;
	int status;

	apply_ok(&playground, fleet_write(&playground, SIX, "1"));
	pid_t child = apply_begin(&playground, fleet_write(&playground, SIX, "2"));
	while (waitpid(child, &status, WNOHANG) == 0) {
		size_t count = running_count(&playground);

		least = count < least ? count : least;
	}
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	cr_assert(least >= 4, "only %zu of 6 ran", least);
	cr_assert_str_eq(variable(&playground, "s-6"), "2\n");
	WARREN_OK(&playground, "down", "roll");
}

TEST(rolling, goes_back_when_a_later_one_fails, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	static const char bad[] = "\"s\": {\"image\": \"host\", \"stop_grace_period\": 0, \"replicas\": 4, "
				  "\"update\": {\"parallel\": 1}, \"environment\": {\"A\": \"2\"}, "
				  "\"command\": [\"sh\", \"-c\", \"test ${index} != 3 && exec sleep infinity\"]}";
	auto_playground playground = playground_new();

	apply_ok(&playground,
		fleet_write(&playground, "\"s\": {" SLEEPER ", \"replicas\": 4, \"update\": {\"parallel\": 1}, "
					 "\"environment\": {\"A\": \"1\"}}"));
	const char *pid = arena_string(&playground.arena, instance_fact(&playground, "s-4", "pid"));
	auto_run run = apply(&playground, fleet_write(&playground, bad));
	cr_assert(run.status == 1, "%d %s", run.status, run.err);
	cr_assert_str_eq(run.out,
		"s-1 restarted\ns-2 restarted\ns-1 rolled back\ns-2 rolled back\ns-4 left as it was\n"
		"roll: 2 restarted, 2 rolled back, 1 left as it was, 1 failed\n",
		"%s%s", run.out, run.err);
	cr_assert(strstr(run.err, "s-3 ended right after its start"), "%s", run.err);
	for (int i = 1; i <= 4; i++) {
		auto_free char *name = text_format("s-%d", i);

		cr_assert_str_eq(variable(&playground, name), "1\n");
	}
	cr_assert_str_eq(instance_fact(&playground, "s-4", "pid"), pid);
	WARREN_OK(&playground, "down", "roll");
}

TEST(rolling, stops_or_goes_on_after_a_failure_as_it_was_told, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	static const char three[] = "\"s\": {\"image\": \"host\", \"stop_grace_period\": 0, \"replicas\": 3, "
				    "\"update\": {\"parallel\": 1, \"failure_action\": \"%s\"}, "
				    "\"environment\": {\"A\": \"%s\"}, \"command\": "
				    "[\"sh\", \"-c\", \"test ${name}$A != s-2%s && exec sleep infinity\"]}";
	auto_playground playground = playground_new();

	apply_ok(&playground, fleet_write(&playground, three, "pause", "1", "never"));
	auto_run pause = apply(&playground, fleet_write(&playground, three, "pause", "2", "2"));
	cr_assert(pause.status == 1, "%s%s", pause.out, pause.err);
	cr_assert_str_eq(pause.out,
		"s-1 restarted\ns-3 left as it was\nroll: 1 restarted, 1 left as it was, 1 failed\n", "%s%s", pause.out,
		pause.err);
	cr_assert_str_eq(variable(&playground, "s-3"), "1\n");
	auto_run on = apply(&playground, fleet_write(&playground, three, "continue", "3", "3"));
	cr_assert(on.status == 1, "%s%s", on.out, on.err);
	cr_assert_str_eq(on.out, "s-1 restarted\ns-3 restarted\nroll: 2 restarted, 1 failed\n", "%s%s", on.out, on.err);
	cr_assert_str_eq(variable(&playground, "s-3"), "3\n");
	WARREN_OK(&playground, "down", "roll");
}

/* What they write stays, so each is stopped first; the others have its visitors meanwhile. */
TEST(rolling, loses_no_request_of_replicas_that_share_a_port, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	static const char instances[] = "\"site\": {" PLAIN_SITE ", \"replicas\": 3, \"update\": {\"parallel\": 1}, "
					"\"healthcheck\": {\"tcp\": 80}, "
					"\"environment\": {\"A\": \"%s\"}, \"ports\": [\"18082:80\"]}";
	auto_playground playground = playground_new();

	apply_ok(&playground, fleet_write(&playground, instances, "1"));
	page_await("18082", "x");
	struct load load = load_begin(18082, "x");
	auto_run run = apply(&playground, fleet_write(&playground, instances, "2"));

	cr_assert(run.status == 0, "%s%s", run.out, run.err);
	cr_assert_str_eq(
		run.out, "site-1 restarted\nsite-2 restarted\nsite-3 restarted\nroll: 3 restarted\n", "%s", run.out);
	load_end(&load, 50);
	cr_assert_str_eq(variable(&playground, "site-3"), "2\n");
	WARREN_OK(&playground, "down", "roll");
}

/* --- health ------------------------------------------------------------------------------------------------------- */

TEST(rolling, starts_what_wants_another_healthy_when_it_is, .fini = playground_rescue, .timeout = SLOWLY(200))
{
	auto_playground playground = playground_new();
	static const char instances[] =
		"\"db\": {\"image\": \"host\", \"stop_grace_period\": 0, "
		"\"command\": [\"sh\", \"-c\", \"sleep 0.7; touch /tmp/ready; exec sleep infinity\"], "
		"\"healthcheck\": {\"test\": [\"CMD\", \"test\", \"-e\", \"/tmp/%s\"], \"interval\": \"200ms\", "
		"\"timeout\": "
		"\"5s\", \"retries\": %d}},"
		"\"site\": {\"image\": \"host\", \"stop_grace_period\": 0, \"command\": [\"sleep\", \"infinity\"], "
		"\"depends_on\": {\"db\": {\"condition\": \"healthy\"}}}";

	expect_apply(&playground, fleet_write(&playground, instances, "ready", 100),
		"db started\nsite started\nroll: 2 started\n");
	WARREN_OK(&playground, "exec", "db", "test", "-e", "/tmp/ready");
	WARREN_OK(&playground, "down", "roll");
	auto_run run = apply(&playground, fleet_write(&playground, instances, "never", 2));
	cr_assert(run.status == 1, "%d %s", run.status, run.out);
	cr_assert(strstr(run.err, "site was not started: it wants db healthy, and"), "%s", run.err);
	auto_run site = WARREN(&playground, "list", "-r", "-q", "site");
	cr_assert_str_eq(site.out, "");
	WARREN_OK(&playground, "down", "roll");
}

/* --- the front door ----------------------------------------------------------------------------------------------- */

#define FRONT_CONF                                                                                                     \
	"worker_processes 1;\nerror_log stderr warn;\npid /run/nginx.pid;\nevents { worker_connections 256; }\n"       \
	"http { access_log off; include /etc/warren/sites.conf; "                                                      \
	"server { listen 80; location / { include /etc/warren/proxy.conf; } } }\n"

#define FRONT_AND_SITES                                                                                                \
	"\"front\": {\"image\": \"host\", \"read_only\": true, \"tmpfs\": [\"/var/lib/nginx\", \"/var/log/nginx\"], "  \
	"\"command\": [\"nginx\", \"-g\", \"daemon off;\"], \"front\": true, \"ports\": [\"18081:80\"], "              \
	"\"configs\": [{\"source\": \"front.conf\", \"target\": \"/etc/nginx/nginx.conf\"}]},"                         \
	"\"site\": {" SITE ", \"replicas\": %d, \"hosts\": [\"s${index}.example\", \"*.s${index}.example\"], "         \
	"\"environment\": {\"A\": \"%s\"}}"

static void expect_status(const char *host, const char *status)
{
	auto_free char *header = text_format("Host: %s", host);
	auto_run run = RUN("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--retry", "20",
		"--retry-connrefused", "--retry-delay", "1", "-m", "20", "-H", header, "http://127.0.0.1:18081/");

	cr_assert_str_eq(run.out, status, "%s: %s%s", host, run.out, run.err);
}

TEST(rolling, front_server_knows_every_site_and_loses_no_request, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = playground_new();

	run_write_file(playground.directory.path, "front.conf", 0644, FRONT_CONF);
	apply_ok(&playground, fleet_write(&playground, FRONT_AND_SITES, 2, "1"));
	expect_status("s1.example", "200");
	expect_status("S2.Example", "200");
	expect_status("deep.s2.example", "200");
	expect_status("s3.example", "404");
	page_await("18081", "s2.example");
	struct load load = load_begin(18081, "s2.example");

	/* One more, and the others anew. */
	apply_ok(&playground, fleet_write(&playground, FRONT_AND_SITES, 3, "2"));
	expect_status("s3.example", "200");
	apply_ok(&playground, fleet_write(&playground, FRONT_AND_SITES, 2, "2"));
	load_end(&load, 50);
	expect_status("s3.example", "404");
	auto_run again = apply(&playground, fleet_write(&playground, FRONT_AND_SITES, 2, "2"));
	cr_assert_str_eq(again.out, "roll: 3 unchanged\n", "%s%s", again.out, again.err);
	/* What is inside cannot be written from there. */
	auto_run write = WARREN(&playground, "exec", "front", "touch", "/etc/warren/sites.conf");
	cr_assert(write.status == 1 && strstr(write.err, "cannot touch"), "%s", write.err);
	WARREN_OK(&playground, "down", "roll");
}
