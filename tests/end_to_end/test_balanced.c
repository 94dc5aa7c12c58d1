/* One port of several replicas while each of them is replaced: new connections find another at once, and one that is
 * open goes on. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_load.h"
#include "tests/end_to_end/support_place.h"
#include "tests/test.h"

#define PORT 18080
#define REPLICAS 3
#define CONNECTIONS 64
#define DRAIN_MS 2000 /* of FLEET */
#define HERE6 "2001:db8:5::1"
#define PORT6 ", \"[::]:18080:80\""
#define ANSWER_MS SLOWLY(10000)

#define NGINX_CONF                                                                                                     \
	"worker_processes 1;\nerror_log stderr warn;\npid /run/nginx.pid;\nevents { worker_connections 256; }\n"       \
	"http { access_log off; keepalive_timeout 600; server { listen 80; listen [::]:80; location / { return 200 "   \
	"\"%s\\n\"; } } }\n"

/* Clients that never pause keep a slow processor busy while nginx starts. */
#define START_PERIOD (WARREN_TEST_SLOW == 1 ? "5s" : "60s")

/* QUIT: nginx ends what it is answering first. */
#define FLEET                                                                                                          \
	"{\"version\": 1, \"name\": \"balanced\", \"networks\": {\"n\": {}}, \"instances\": {\"site\": {"              \
	"\"image\": \"host\", \"network\": \"n\", \"replicas\": 3, \"read_only\": true, "                              \
	"\"tmpfs\": [\"/var/lib/nginx\", \"/var/log/nginx\"], \"command\": [\"nginx\", \"-g\", \"daemon off;\"], "     \
	"\"stop_signal\": \"QUIT\", \"environment\": {\"A\": \"%s\"}, \"ports\": [\"18080:80\"%s], "                   \
	"\"update\": {\"parallel\": 1, \"monitor\": 0, \"drain\": \"2s\"}, "                                           \
	"\"healthcheck\": {\"http\": \"http://:80/\", \"interval\": \"1s\", \"start_period\": \"%s\"}, "               \
	"\"configs\": [{\"source\": \"site.conf\", \"target\": \"/etc/nginx/nginx.conf\"}]}}}\n"

static bool has_ipv6(void)
{
	return access("/proc/net/if_inet6", F_OK) == 0;
}

/* Published over IPv6 as well, where there is any. */
static const char *fleet_write(struct playground *playground, const char *variable)
{
	auto_free char *text = text_format(FLEET, variable, has_ipv6() ? PORT6 : "", START_PERIOD),
		       *conf = text_format(NGINX_CONF, "here");

	run_write_file(playground->directory.path, "site.conf", 0644, conf);
	run_write_file(playground->directory.path, "fleet.json", 0600, text);
	return arena_format(&playground->arena, "%s/fleet.json", playground->directory.path);
}

static const char *const hosts[] = {"127.0.0.1", HERE6};

/* How many of them the host has. */
static size_t hosts_open(void)
{
	if (!has_ipv6())
		return 1;
	host_ip("addr add " HERE6 "/128 dev lo nodad");
	return ARRAY_SIZE(hosts);
}

static int dial(size_t host)
{
	int fd = place_dial(hosts[host], PORT);

	cr_assert(fd >= 0, "%s: %s", hosts[host], strerror(errno));
	return fd;
}

/* One request over a connection that stays open. */
static bool is_answered(int fd)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	char answer[1024];

	return send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request) &&
	       poll(&readable, 1, ANSWER_MS) == 1 && recv(fd, answer, sizeof(answer), 0) > 0 &&
	       strncmp(answer, "HTTP/1.1 200", 12) == 0;
}

static bool is_healthy(struct playground *playground, const char *name)
{
	const struct json *health = json_get(instance_inspect(playground, name), "health");
	const struct json *state = health ? json_get(health, "state") : NULL;

	return state && !strcmp(state->text, "healthy");
}

static void await_healthy(struct playground *playground, int replica)
{
	auto_free char *name = text_format("site-%d", replica);
	struct pollfd nothing = {.fd = -1};
	int64_t deadline = clock_ms() + ANSWER_MS;

	while (!is_healthy(playground, name)) {
		cr_assert(clock_ms() < deadline, "%s does not become healthy", name);
		poll(&nothing, 1, 20);
	}
}

static void fleet_open(struct playground *playground)
{
	WARREN_OK(playground, "apply", fleet_write(playground, "1"));
	for (int i = 1; i <= REPLICAS; i++)
		await_healthy(playground, i);
}

TEST(balanced, replicas_are_replaced_one_by_one_and_no_request_is_lost, .fini = playground_rescue,
	.timeout = SLOWLY(180))
{
	NEEDS_A_FAST_PROCESSOR();
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = playground_new();

	SKIP_UNLESS(hosts_open() == ARRAY_SIZE(hosts), "needs IPv6 in the kernel");
	fleet_open(&playground);
	struct load load = load_begin(PORT, "x"), load6 = load_begin_at(HERE6, PORT, "x");

	WARREN_OK(&playground, "apply", fleet_write(&playground, "2"));
	load_end(&load, 50);
	load_end(&load6, 50);
	for (int i = 1; i <= REPLICAS; i++) {
		auto_free char *name = text_format("site-%d", i);
		auto_run run = WARREN(&playground, "exec", name, "sh", "-c", "echo $A");

		cr_assert_str_eq(run.out, "2\n", "%s: %s%s", name, run.out, run.err);
	}
	WARREN_OK(&playground, "down", "balanced");
}

/* So many replicas, whose nginx at its stop cuts what it is at. */
static const char *rude_fleet_write(struct playground *playground, char replicas)
{
	auto_free char *text = text_format(FLEET, "1", "", START_PERIOD), *conf = text_format(NGINX_CONF, "here");

	strstr(text, "\"replicas\": 3")[strlen("\"replicas\": ")] = replicas;
	memcpy(strstr(text, "QUIT"), "TERM", 4);
	run_write_file(playground->directory.path, "site.conf", 0644, conf);
	run_write_file(playground->directory.path, "rude.json", 0600, text);
	return arena_format(&playground->arena, "%s/rude.json", playground->directory.path);
}

TEST(balanced, whatever_ends_one_of_several_nobody_notices, .fini = playground_rescue, .timeout = SLOWLY(180))
{
	NEEDS_A_FAST_PROCESSOR();
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "apply", rude_fleet_write(&playground, '3'));
	for (int i = 1; i <= REPLICAS; i++)
		await_healthy(&playground, i);
	struct load load = load_begin(PORT, "x");

	WARREN_OK(&playground, "stop", "site-1");
	WARREN_OK(&playground, "start", "site-1");
	await_healthy(&playground, 1);
	WARREN_OK(&playground, "restart", "site-2");
	await_healthy(&playground, 2);
	WARREN_OK(&playground, "apply", rude_fleet_write(&playground, '2'));
	WARREN_OK(&playground, "rm", "-f", "site-1");
	load_end(&load, 50);
	WARREN_OK(&playground, "down", "balanced");
}

/* An idle connection at each would hold a stop up for as long as `drain`. */
TEST(balanced, all_that_share_a_port_stop_without_waiting_for_who_is_connected, .fini = playground_rescue,
	.timeout = SLOWLY(180))
{
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = playground_new();
	int fds[8];
	size_t count = hosts_open();

	fleet_open(&playground);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial(i % count);
		cr_assert(is_answered(fds[i]));
	}
	int64_t began_ms = clock_ms(), one_ms, all_ms;

	WARREN_OK(&playground, "stop", "site-2");
	one_ms = clock_ms() - began_ms;
	cr_assert(one_ms >= DRAIN_MS, "%lld ms", (long long)one_ms);
	began_ms = clock_ms();
	WARREN_OK(&playground, "down", "balanced");
	all_ms = clock_ms() - began_ms;
	/* On a slow processor the work of it all is as long as one drain: had they waited, it would be both. */
	cr_assert(all_ms < one_ms + (WARREN_TEST_SLOW == 1 ? 0 : DRAIN_MS), "%lld ms after %lld", (long long)all_ms,
		(long long)one_ms);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* Each had a third of the port's 64 slots. */
static void expect_two_thirds_kept(const char *host, const int fds[CONNECTIONS])
{
	int kept = 0;

	for (int i = 0; i < CONNECTIONS; i++)
		kept += is_answered(fds[i]);
	cr_assert(kept >= CONNECTIONS - 22 && kept <= CONNECTIONS - 21, "%s: %d of %d connections are left", host, kept,
		CONNECTIONS);
}

/* Connections at all of them, over both families; only those of the one that is stopped end. Meanwhile others come all
 * the time, and none of them is lost. */
TEST(balanced, a_long_connection_stays_while_another_replica_is_swapped, .fini = playground_rescue,
	.timeout = SLOWLY(180))
{
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = playground_new();
	int fds[ARRAY_SIZE(hosts)][CONNECTIONS];
	struct load loads[ARRAY_SIZE(hosts)];
	size_t count = hosts_open();

	fleet_open(&playground);
	for (size_t host = 0; host < count; host++) {
		for (int i = 0; i < CONNECTIONS; i++) {
			fds[host][i] = dial(host);
			cr_assert(is_answered(fds[host][i]));
		}
		loads[host] = load_begin_at(hosts[host], PORT, "x");
	}
	WARREN_OK(&playground, "stop", "site-2");
	for (size_t host = 0; host < count; host++)
		expect_two_thirds_kept(hosts[host], fds[host]);
	WARREN_OK(&playground, "start", "site-2");
	await_healthy(&playground, 2);
	for (size_t host = 0; host < count; host++) {
		load_end(&loads[host], 10);
		for (int i = 0; i < CONNECTIONS; i++)
			close(fds[host][i]);
	}
	WARREN_OK(&playground, "down", "balanced");
}
