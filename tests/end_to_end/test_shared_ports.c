/* One published port of several replicas: who answers, and who does not any more. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_load.h"
#include "tests/end_to_end/support_place.h"
#include "tests/test.h"

#define PORT 18090
#define REPLICAS 3
#define AWAIT_MS SLOWLY(20000)
#define HERE6 "2001:db8:5::1"
#define PORT6 ", \"[::]:18090:80\""

#define NGINX_CONF                                                                                                     \
	"worker_processes 1;\nerror_log stderr crit;\npid /run/nginx.pid;\nevents { worker_connections 256; }\n"       \
	"http { access_log off; server { listen 80; listen [::]:80; location / { return 200 \"$hostname\\n\"; } } }\n"

/* The host names of replicas are their names: site-1 … */
#define FLEET                                                                                                          \
	"{\"version\": 1, \"name\": \"shared\", \"networks\": {\"n\": {}}, \"instances\": {\"site\": {"                \
	"\"network\": \"n\", \"image\": \"host\", \"read_only\": true, \"replicas\": 3, "                              \
	"\"tmpfs\": [\"/var/lib/nginx\", \"/var/log/nginx\"], \"command\": [\"nginx\", \"-g\", \"daemon off;\"], "     \
	"\"configs\": [{\"source\": \"site.conf\", \"target\": \"/etc/nginx/nginx.conf\"}], "                          \
	"\"ports\": [\"18090:80\"%s], \"restart\": {\"policy\": \"always\", \"delay\": \"60s\"}%s}}}\n"

static bool has_ipv6(void)
{
	return access("/proc/net/if_inet6", F_OK) == 0;
}

/* Published over IPv6 as well, where there is any. */
static const char *fleet_write(struct playground *playground, const char *more)
{
	auto_free char *text = text_format(FLEET, has_ipv6() ? PORT6 : "", more);

	run_write_file(playground->directory.path, "site.conf", 0644, NGINX_CONF);
	run_write_file(playground->directory.path, "shared.json", 0600, text);
	return arena_format(&playground->arena, "%s/shared.json", playground->directory.path);
}

static int dial(int family)
{
	return place_dial(family == AF_INET6 ? HERE6 : "127.0.0.1", PORT);
}

/* The number of the replica that answers, 0: nobody does. */
static int answer(int family)
{
	static const char question[] = "GET / HTTP/1.0\r\n\r\n";
	struct timeval patience = {.tv_sec = SLOWLY(5)};
	auto_fd fd = dial(family);
	char buffer[1024];
	size_t length = 0;
	ssize_t got;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (fd < 0 || send(fd, question, strlen(question), MSG_NOSIGNAL) < 0)
		return 0;
	while (length < sizeof(buffer) - 1 && (got = read(fd, buffer + length, sizeof(buffer) - 1 - length)) > 0)
		length += (size_t)got;
	buffer[length] = '\0';
	const char *name = strstr(buffer, "site-");
	return name ? name[strlen("site-")] - '0' : 0;
}

/* How many of 64 connections, as many as there are slots, each replica has; [0]: nobody. */
struct tally {
	int of[REPLICAS + 1];
};

static struct tally tally_over(int family)
{
	struct tally out = {0};

	for (int i = 0; i < 64; i++) {
		int who = answer(family);

		cr_assert(who >= 0 && who <= REPLICAS);
		out.of[who]++;
	}
	return out;
}

/* Over either family: both share alike, but for who has the slot that is left over. */
static struct tally tally(void)
{
	struct tally out = tally_over(AF_INET), six = has_ipv6() ? tally_over(AF_INET6) : out;

	for (int i = 0; i <= REPLICAS; i++)
		cr_assert(
			abs(six.of[i] - out.of[i]) <= 1, "%d: %d over IPv4 and %d over IPv6", i, out.of[i], six.of[i]);
	return out;
}

static bool answers_everywhere(int replica, bool wanted)
{
	return (tally_over(AF_INET).of[replica] > 0) == wanted &&
	       (!has_ipv6() || (tally_over(AF_INET6).of[replica] > 0) == wanted);
}

/* Until the replica answers, or does not any more. */
static void await(int replica, bool answers)
{
	int64_t deadline = clock_ms() + AWAIT_MS;

	while (!answers_everywhere(replica, answers))
		cr_assert(clock_ms() < deadline, "site-%d still %s", replica, answers ? "does not answer" : "answers");
}

static struct playground scene_open(void)
{
	struct playground playground = playground_new();

	if (has_ipv6())
		host_ip("addr add " HERE6 "/128 dev lo nodad");
	return playground;
}

static void expect_all_answer(void)
{
	struct tally now = tally();

	cr_assert(now.of[0] == 0 && now.of[1] >= 21 && now.of[2] >= 21 && now.of[3] >= 21, "%d %d %d, nobody %d",
		now.of[1], now.of[2], now.of[3], now.of[0]);
}

TEST(shared_ports, replicas_answer_in_turn_and_only_those_that_run, .fini = playground_rescue, .timeout = SLOWLY(180))
{
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = scene_open();

	WARREN_OK(&playground, "apply", "-q", fleet_write(&playground, ""));
	expect_all_answer();
	struct load load = load_begin(PORT, "x");
	WARREN_OK(&playground, "stop", "site-2");
	load_end(&load, 10);
	struct tally now = tally();
	cr_assert(now.of[0] == 0 && now.of[2] == 0, "nobody %d, the stopped one %d", now.of[0], now.of[2]);
	WARREN_OK(&playground, "start", "site-2");
	expect_all_answer();
	/* One that dies, and is not started again for a while. */
	WARREN_OK(&playground, "kill", "site-3");
	await(3, false);
	now = tally();
	cr_assert(now.of[0] == 0 && now.of[3] == 0);
	WARREN_OK(&playground, "down", "shared");
	cr_assert(answer(AF_INET) == 0 && (!has_ipv6() || answer(AF_INET6) == 0));
}

TEST(shared_ports, weight_and_the_number_of_replicas_change_while_they_run, .fini = playground_rescue,
	.timeout = SLOWLY(180))
{
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = scene_open();

	WARREN_OK(&playground, "apply", "-q", fleet_write(&playground, ""));
	WARREN_OK(&playground, "set", "site-1", "weight=6");
	struct tally now = tally();
	cr_assert(now.of[0] == 0 && now.of[1] == 48 && now.of[2] == 8 && now.of[3] == 8, "%d %d %d", now.of[1],
		now.of[2], now.of[3]);
	WARREN_OK(&playground, "rm", "-f", "site-2", "site-3");
	now = tally();
	cr_assert(now.of[1] == 64, "%d", now.of[1]);
	WARREN_OK(&playground, "down", "shared");
}

static bool is_unwell(struct playground *playground, const char *name)
{
	const struct json *health = json_get(instance_inspect(playground, name), "health");
	const struct json *state = health ? json_get(health, "state") : NULL;

	return state && !strcmp(state->text, "unhealthy");
}

static void await_unwell(struct playground *playground, const char *name)
{
	struct pollfd nothing = {.fd = -1};
	int64_t deadline = clock_ms() + AWAIT_MS;

	while (!is_unwell(playground, name)) {
		cr_assert(clock_ms() < deadline, "%s stays well", name);
		poll(&nothing, 1, 20);
	}
}

TEST(shared_ports, one_that_is_not_well_serves_nobody_until_it_is_again, .fini = playground_rescue,
	.timeout = SLOWLY(180))
{
	NEEDS_A_FAST_PROCESSOR();
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = scene_open();
	const char *file = fleet_write(&playground,
		", \"healthcheck\": {\"test\": [\"CMD\", \"test\", \"!\", \"-e\", \"/tmp/sick\"], \"interval\": "
		"\"300ms\", "
		"\"start_interval\": \"100ms\", \"retries\": 1, \"timeout\": \"20s\", \"on_failure\": \"none\"}");

	WARREN_OK(&playground, "apply", "-q", file);
	for (int replica = 1; replica <= REPLICAS; replica++)
		await(replica, true);
	WARREN_OK(&playground, "exec", "site-1", "touch", "/tmp/sick");
	await(1, false);
	struct tally now = tally();
	cr_assert(now.of[0] == 0 && now.of[1] == 0 && now.of[2] == 32 && now.of[3] == 32, "%d %d %d", now.of[1],
		now.of[2], now.of[3]);
	/* The last one stays, and so does each when there is no better one. */
	for (int replica = 2; replica <= REPLICAS; replica++) {
		auto_free char *name = text_format("site-%d", replica);

		WARREN_OK(&playground, "exec", name, "touch", "/tmp/sick");
		await_unwell(&playground, name);
	}
	now = tally();
	cr_assert(now.of[0] == 0, "nobody %d", now.of[0]);
	WARREN_OK(&playground, "exec", "site-1", "rm", "/tmp/sick");
	await(2, false);
	await(3, false);
	await(1, true);
	WARREN_OK(&playground, "down", "shared");
}

/* All of a new kind, one after the other, while clients of either family ask without a pause. */
TEST(shared_ports, no_request_is_lost_while_all_replicas_are_replaced, .fini = playground_rescue,
	.timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = scene_open();

	WARREN_OK(&playground, "apply", "-q", fleet_write(&playground, ""));
	struct load load = load_begin(PORT, "x"), load6 = {0};
	if (has_ipv6())
		load6 = load_begin_at(HERE6, PORT, "x");
	WARREN_OK(&playground, "apply", "-q", fleet_write(&playground, ", \"environment\": {\"A\": \"2\"}"));
	load_end(&load, 50);
	if (has_ipv6())
		load_end(&load6, 50);
	expect_all_answer();
	WARREN_OK(&playground, "down", "shared");
}
