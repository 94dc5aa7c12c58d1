/* Ports in socket mode, as a user has them: served without any network, kept over restarts, and no way out. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_place.h"
#include "tests/end_to_end/support_probe.h"
#include "tests/test.h"

#define PORT 18080
#define HOST_ADDRESS "203.0.113.1"
#define HOST_ADDRESS6 "2001:db8:1::1"
#define ANSWER_MS SLOWLY(10000)

static void run_passed(struct playground *here, const char *name, const char *const options[], const char *const verb[])
{
	const char *words[40] = {"run", "-d", "--name", name, "-v", playground_probe_volume(here)};
	static const char *const program[] = {"host", "--", PROBE, "passed"};
	size_t count = 6;

	while (*options)
		words[count++] = *options++;
	for (size_t i = 0; i < ARRAY_SIZE(program); i++)
		words[count++] = program[i];
	while (*verb)
		words[count++] = *verb++;
	auto_run run = playground_warren(here, words, &(struct run_options){0});
	ASSERT_STATUS(run, 0);
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What the server says first; "" when it hangs up or does not answer in time. */
static const char *answer_of(int fd, char answer[64])
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	ssize_t length = fd >= 0 && poll(&readable, 1, ANSWER_MS) == 1 ? recv(fd, answer, 63, 0) : -1;

	answer[length > 0 ? length : 0] = '\0';
	return answer;
}

static void expect_answer(const char *address, int port, const char *expected)
{
	char answer[64];
	auto_fd fd = place_dial(address, port);

	cr_assert(fd >= 0, "%s port %d: %s", address, port, strerror(errno));
	cr_assert_str_eq(answer_of(fd, answer), expected);
}

TEST(socket_mode, serves_without_any_network, .fini = playground_rescue)
{
	static const char six_port[] = "[" HOST_ADDRESS6 "]:18082:8443/tcp+socket";
	auto_playground here = playground_new();

	host_ip("addr add " HOST_ADDRESS6 "/64 dev lo nodad");
	run_passed(&here, "web",
		WORDS("--network", "none", "-p", "127.0.0.1:18080:80/tcp+socket", "-p", "[::1]:18081:443/tcp+socket",
			"-p", six_port),
		WORDS("serve"));
	instance_await_log(&here, "web", "serving\n");
	expect_answer("127.0.0.1", 18080, "80\n");
	expect_answer("::1", 18081, "443\n");
	expect_answer(HOST_ADDRESS6, 18082, "8443\n");
	auto_run list = WARREN(&here, "list", "--format", "{{.Ports}}");
	cr_assert(strstr(list.out, "127.0.0.1:18080->80/tcp+socket, [::1]:18081->443/tcp+socket"), "%s", list.out);
	/* Nothing but loopback inside, and no link of ours outside. */
	auto_run inside = WARREN(&here, "exec", "web", "cat", "/proc/net/dev");
	cr_assert(!strstr(inside.out, "eth0"), "%s", inside.out);
	WARREN_OK(&here, "stop", "-t", "0", "web");
	cr_assert(place_dial("127.0.0.1", 18080) < 0 && errno == ECONNREFUSED);
}

TEST(socket_mode, a_chosen_number_is_told_and_kept, .fini = playground_rescue)
{
	auto_playground here = playground_new();

	run_passed(&here, "web", WORDS("--network", "none", "-p", "127.0.0.1::80/tcp+socket"), WORDS("serve"));
	instance_await_log(&here, "web", "serving\n");
	auto_run list = WARREN(&here, "list", "--format", "{{.Ports}}");
	int port = atoi(list.out + strlen("127.0.0.1:"));

	cr_assert(port > 0, "%s", list.out);
	expect_answer("127.0.0.1", port, "80\n");
}

TEST(socket_mode, a_port_that_is_taken_is_refused_before_anything_runs, .fini = playground_rescue)
{
	auto_playground here = playground_new();
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	auto_fd taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(bind(taken, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(taken, 1) == 0);
	auto_run run = WARREN(&here, "run", "-d", "--name", "web", "--network", "none", "-p", "18080:80/tcp+socket",
		"host", "--", "sleep", "1000");
	cr_assert(run.status == 4, "%d", run.status);
	cr_assert_str_eq(
		run.err, "warren: start web: port 127.0.0.1:18080->80/tcp+socket is taken by a process of this host\n");
	fd_drop(&taken);
	run_passed(&here, "one", WORDS("--network", "none", "-p", "18080:80/tcp+socket"), WORDS("serve"));
	auto_run again = WARREN(&here, "run", "-d", "--name", "two", "--network", "none", "-p", "18080:80/tcp+socket",
		"host", "--", "sleep", "1000");
	cr_assert(again.status == 4 && strstr(again.err, "is taken"), "%d %s", again.status, again.err);
	WARREN_OK(&here, "rm", "-f", "one");
	WARREN_OK(&here, "run", "-d", "--name", "three", "--network", "none", "-p", "18080:80/tcp+socket", "host", "--",
		"sleep", "1000");
}

/* A port that the table translates has no socket that binding would meet. */
TEST(socket_mode, and_a_published_port_refuse_each_other, .fini = playground_rescue)
{
	auto_playground here = playground_new();

	WARREN_OK(&here, "run", "-d", "--name", "one", "-p", "0.0.0.0:18080:80", "host", "--", "sleep", "1000");
	auto_run socket = WARREN(&here, "run", "-d", "--name", "two", "--network", "none", "-p", "18080:80/tcp+socket",
		"host", "--", "sleep", "1000");
	cr_assert(socket.status == 4 && strstr(socket.err, "is published by the instance at 10.88."), "%d %s",
		socket.status, socket.err);
	WARREN_OK(&here, "run", "-d", "--name", "three", "--network", "none", "-p", "18081:80/tcp+socket", "host", "--",
		"sleep", "1000");
	auto_run other =
		WARREN(&here, "run", "-d", "--name", "four", "-p", "0.0.0.0:18081:80", "host", "--", "sleep", "1000");
	cr_assert(other.status == 4 && strstr(other.err, "is taken by a process of this host"), "%d %s", other.status,
		other.err);
}

TEST(socket_mode, goes_beside_ports_that_are_translated, .fini = playground_rescue)
{
	auto_playground here = playground_new();
	char answer[64];

	run_passed(
		&here, "web", WORDS("-p", "18079:79", "-p", "18080:80/tcp+socket", "-p", "18081:81"), WORDS("serve"));
	instance_await_log(&here, "web", "serving\n");
	expect_answer("127.0.0.1", 18080, "80\n");
	auto_fd fd = place_dial("127.0.0.1", 18081);
	cr_assert(fd < 0 && errno == ECONNREFUSED, "%s", answer_of(fd, answer));
}

TEST(socket_mode, what_no_network_cannot_have_is_refused, .fini = playground_rescue)
{
	auto_playground here = playground_new();
	static const struct {
		const char *network, *port, *says;
	} rows[] = {
		{"none", "18080:80", "with the network \"none\" there are no ports to publish but in socket mode"},
		{"host", "18080:80/tcp+socket", "with the network \"host\" there are no ports to publish"},
		{"none", "18080:80/udp+socket", "socket mode is"},
		{"none", "18080:80/sctp+socket", "socket mode is"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_run run = WARREN(&here, "run", "-d", "--network", rows[i].network, "-p", rows[i].port, "host",
			"--", "sleep", "1000");

		cr_assert(run.status == 2 && strstr(run.err, rows[i].says), "%zu: %d %s", i, run.status, run.err);
	}
}

/* --- over restarts ------------------------------------------------------------------------------------------------ */

/* An instance without a network, and loopback of the host in front of it. */
static const struct side {
	const char *host, *ports[2];
} sides[] = {
	{"127.0.0.1", {"127.0.0.1:18080:80/tcp+socket", "127.0.0.1:18081:81/tcp+socket"}},
	{"::1", {"[::1]:18080:80/tcp+socket", "[::1]:18081:81/tcp+socket"}},
};
#define BOTH_SIDES(name)                                                                                               \
	static void name(const struct side *side);                                                                     \
	TEST(socket_mode, name##_over_ipv4, .fini = playground_rescue)                                                 \
	{                                                                                                              \
		name(&sides[0]);                                                                                       \
	}                                                                                                              \
	TEST(socket_mode, name##_over_ipv6, .fini = playground_rescue)                                                 \
	{                                                                                                              \
		SKIP_UNLESS(access("/proc/net/if_inet6", F_OK) == 0, "needs IPv6 in the kernel");                      \
		name(&sides[1]);                                                                                       \
	}                                                                                                              \
	static void name(const struct side *side)

static void kill_first(struct playground *here, const char *name)
{
	cr_assert(kill(atoi(instance_fact(here, name, "pid")), SIGKILL) == 0, "%s", strerror(errno));
}

/* Clients never stop coming: each must be connected at once, and answered by the old or by the new program. One whose
 * connection the old program had accepted already ends with it. */
BOTH_SIDES(nobody_is_refused_while_the_program_is_started_again)
{
	auto_playground here = playground_new();
	int asked = 0, cut = 0;

	run_passed(
		&here, "web", WORDS("--network", "none", "--restart", "always", "-p", side->ports[0]), WORDS("serve"));
	instance_await_log(&here, "web", "serving\n");
	for (int kills = 1; kills <= 3; kills++) {
		char wanted[16], answer[64];

		snprintf(wanted, sizeof(wanted), "%d", kills);
		kill_first(&here, "web");
		do {
			auto_fd fd = place_dial(side->host, PORT);

			cr_assert(fd >= 0, "connection %d: %s", asked, strerror(errno));
			asked++;
			cut += strcmp(answer_of(fd, answer), "80\n") != 0;
		} while (strcmp(instance_fact(&here, "web", "restarts"), wanted));
	}
	cr_assert(cut <= 3, "%d of %d connections were cut by three kills", cut, asked);
	expect_answer(side->host, PORT, "80\n");
}

static void kill_monitor(struct playground *here, const char *name)
{
	auto_run list = WARREN(here, "list", "--format", "{{.Monitor}}", name);
	struct process_id id;
	struct error err;

	ASSERT_OK(process_identify(atoi(list.out), &id, &err));
	auto_fd pidfd = process_open(&id, &err);
	cr_assert(pidfd >= 0 && process_signal(pidfd, SIGKILL, &err) == 0 && process_wait_end(pidfd, 10000) == 1);
}

BOTH_SIDES(a_new_monitor_takes_the_sockets_back)
{
	auto_playground here = playground_new();
	char answer[64];

	run_passed(&here, "web",
		WORDS("--network", "none", "--restart", "always", "-p", side->ports[0], "-p", side->ports[1]),
		WORDS("serve"));
	instance_await_log(&here, "web", "serving\n");
	kill_monitor(&here, "web");
	expect_answer(side->host, PORT, "80\n");
	auto_run start = WARREN(&here, "start", "web");
	ASSERT_STATUS(start, 0);
	cr_assert_str_eq(start.err, "");
	kill_first(&here, "web");
	auto_fd fd = place_dial(side->host, PORT + 1);
	cr_assert(fd >= 0, "%s", strerror(errno));
	cr_assert_str_eq(answer_of(fd, answer), "81\n");
}

TEST(socket_mode, a_new_monitor_says_what_it_cannot_take_back, .fini = playground_rescue)
{
	auto_playground here = playground_new();

	run_passed(&here, "web", WORDS("--network", "none", "-p", "18080:80/tcp+socket"), WORDS("close"));
	instance_await_log(&here, "web", "closed\n");
	kill_monitor(&here, "web");
	auto_run start = WARREN(&here, "start", "web");
	ASSERT_STATUS(start, 0);
	cr_assert(strstr(start.err, "web: its program has closed the sockets of 1 ports"), "%s", start.err);
}

/* --- no way out --------------------------------------------------------------------------------------------------- */

/* What an instance must not reach, on every kind of address that the host has. */
static const char *const victims[] = {"127.0.0.1", HOST_ADDRESS, "::1", HOST_ADDRESS6};
#define VICTIM_PORT 3306

static void victims_open(int fds[2])
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(VICTIM_PORT)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(VICTIM_PORT)};
	int on = 1;

	host_ip("addr add " HOST_ADDRESS "/32 dev lo");
	host_ip("addr add " HOST_ADDRESS6 "/128 dev lo nodad");
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[1] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(setsockopt(fds[1], IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0);
	cr_assert(bind(fds[0], (struct sockaddr *)&v4, sizeof(v4)) == 0 && listen(fds[0], 16) == 0);
	cr_assert(bind(fds[1], (struct sockaddr *)&v6, sizeof(v6)) == 0 && listen(fds[1], 16) == 0);
}

/* Without our locks it works: a listening socket of the host, shut down and connected. */
static void expect_trick_works(const char *address)
{
	bool is_six = strchr(address, ':');
	auto_fd fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(listen(fd, 1) == 0 && shutdown(fd, SHUT_RD) == 0);
	cr_assert_str_eq(probe_turn(fd, address, VICTIM_PORT), "connected", "%s", address);
}

static void assert_nobody_came(const int fds[2])
{
	struct pollfd polls[] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};

	cr_assert(poll(polls, 2, 0) == 0, "a connection was established");
}

static void turn_at(struct playground *here, const char *name, const char *verb, const char *victim)
{
	bool is_six = strchr(victim, ':');
	const char *ports[] = {is_six ? "[::1]:18080:80/tcp+socket" : "127.0.0.1:18080:80/tcp+socket",
		is_six ? "[::1]:18081:80/tcp+socket" : "127.0.0.1:18081:80/tcp+socket"};

	run_passed(here, name, WORDS("--network", "none", "-p", ports[0], "-p", ports[1]), WORDS(verb, victim, "3306"));
	instance_await_log(here, name, "ready\n");
}

/* The trick once with both locks on, and once after somebody has taken the table away: the lock in the socket itself is
 * enough. */
static void expect_no_way_out(struct playground *here, const char *verb, const char *victim, const int fds[2])
{
	const char *own = strchr(victim, ':') ? "::1" : "127.0.0.1";
	bool child = !strcmp(verb, "child");

	turn_at(here, "liar", verb, victim);
	auto_fd first = child ? place_dial(own, 18080) : -1;
	auto_fd second = child ? place_dial(own, 18081) : -1;
	WARREN_OK(here, "kill", "-s", "USR1", "liar");
	instance_await_log(here, "liar", "0 silent\n");
	auto_run table = RUN("/usr/sbin/nft", "delete", "table", "inet", "warren");
	ASSERT_STATUS(table, 0);
	WARREN_OK(here, "kill", "-s", "USR1", "liar");
	instance_await_log(here, "liar", "1 silent\n");
	assert_nobody_came(fds);
	WARREN_OK(here, "rm", "-f", "liar");
}

TEST(socket_mode, a_listener_that_is_turned_round_reaches_nobody, .fini = playground_rescue)
{
	auto_playground here = playground_new();
	int fds[2];

	victims_open(fds);
	for (size_t i = 0; i < ARRAY_SIZE(victims); i++) {
		char byte;

		expect_trick_works(victims[i]);
		auto_fd proof = accept4(fds[i >= 2], NULL, NULL, SOCK_CLOEXEC);
		cr_assert(proof >= 0 && recv(proof, &byte, 1, 0) == 0);
		fd_drop(&proof);
		expect_no_way_out(&here, "turn", victims[i], fds);
	}
	close(fds[0]);
	close(fds[1]);
}

TEST(socket_mode, nor_does_a_connection_that_it_accepted, .fini = playground_rescue)
{
	auto_playground here = playground_new();
	int fds[2];

	victims_open(fds);
	expect_no_way_out(&here, "child", "127.0.0.1", fds);
	expect_no_way_out(&here, "child", HOST_ADDRESS6, fds);
	close(fds[0]);
	close(fds[1]);
}

/* The kernel lets it listen; nobody is ever connected, neither on another port nor on another address. */
TEST(socket_mode, a_connection_that_it_accepted_opens_no_other_port, .fini = playground_rescue)
{
	auto_playground here = playground_new();
	static const struct {
		const char *port, *address;
	} rows[] = {{"19000", "127.0.0.1"}, {"18080", HOST_ADDRESS}};

	host_ip("addr add " HOST_ADDRESS "/32 dev lo");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run_passed(&here, "liar", WORDS("--network", "none", "-p", "18080:80/tcp+socket"),
			WORDS("widen", rows[i].port));
		auto_fd first = place_dial("127.0.0.1", PORT);
		auto_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		instance_await_log(&here, "liar", i ? "refused\n" : "widened\n");
		const char *word = probe_turn(fd, rows[i].address, atoi(rows[i].port));
		cr_assert_str_eq(word, i ? "refused" : "silent", "%s", rows[i].address);
		WARREN_OK(&here, "rm", "-f", "liar");
	}
}

/* --- with a real server ------------------------------------------------------------------------------------------- */

static const char nginx_conf[] = "worker_processes 1;\nerror_log stderr warn;\npid /run/nginx.pid;\n"
				 "events { worker_connections 64; }\n"
				 "http { access_log off; server { listen 127.0.0.1:18080; return 200 passed; } }\n";

TEST(socket_mode, nginx_takes_what_its_configuration_listens_on, .fini = playground_rescue)
{
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground here = playground_new();
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	char answer[64];

	run_write_file(here.directory.path, "nginx.conf", 0644, nginx_conf);
	auto_free char *volume = text_format("%s/nginx.conf:/etc/nginx/nginx.conf:ro", here.directory.path);
	WARREN_OK(&here, "run", "-d", "--name", "web", "--network", "none", "-p", "18080:80/tcp+socket", "-v", volume,
		"--health-http", "http://:80/", "host", "--", "nginx", "-g", "daemon off;");
	auto_fd fd = place_dial("127.0.0.1", PORT);
	cr_assert(fd >= 0 && send(fd, request, strlen(request), 0) > 0);
	cr_assert(strstr(answer_of(fd, answer), "HTTP/1.1 200"), "%s", answer);
	WARREN_OK(&here, "healthcheck", "run", "web");
}
