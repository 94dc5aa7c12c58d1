/* Our own way: in this process, as a monitor does it, and by a program that is started for each. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "bench/attach.h"
#include "netns/netns.h"

#define NETWORK "bench"
#define NETWORK_SUBNET "10.88.0.0/16"
#define LINK_TIMEOUT_MS 5000

bool ipv4_only;
static struct net_state state = {-1, -1};
static struct network network;
static struct net_session *session;
static struct endpoint endpoints[ATTACH_MAX + 1];

static bool well(int result, const struct error *err)
{
	if (result < 0)
		fprintf(stderr, "warren: %s\n", err->text);
	return result >= 0;
}

static bool state_open(const char *directory)
{
	struct error err;

	auto_free char *run = text_format("%s/run", directory);
	auto_free char *records = text_format("%s/records", directory);
	state.run = dir_create(AT_FDCWD, run, 0700, &err);
	state.records = state.run < 0 ? -1 : dir_create(AT_FDCWD, records, 0700, &err);
	if (!well(state.records, &err))
		return false;
	session = net_session_open(&err);
	return well(session ? 0 : -1, &err);
}

static bool inside_open(void)
{
	struct error err;
	int up;

	network = (struct network){
		.name = NETWORK, .isolated = true, .egress = true, .owner = "", .ipv4_only = ipv4_only};
	if (!state_open(scratch) || !well(subnet_parse(NETWORK_SUBNET, &network.subnet, &err), &err) ||
		!well(network_define(&state, &network, &err), &err))
		return false;
	up = net_host_up(&state, &err);
	return well(up, &err) && (up == 0 || well(net_host_republished(&state, &err), &err));
}

static bool own_open(void)
{
	return true; /* on the same host as the other */
}

static struct port port_of(unsigned number)
{
	struct port port = {.published = (uint16_t)(FIRST_PORT + number), .target = 80};
	struct error ignored;

	if (port_parse("0.0.0.0:1:80", &port, &ignored) == 0)
		port.published = (uint16_t)(FIRST_PORT + number);
	return port;
}

/* --- what each step took ------------------------------------------------------------------------------------------ */

const char *const warren_step_names[WARREN_STEPS] = {"numbers", "table", "link", "port", "and later"};
double warren_steps[WARREN_STEPS], warren_steps_cpu[WARREN_STEPS];
static double step_begun_ms, step_begun_cpu;

static double now_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void step_begin(void)
{
	step_begun_ms = now_ms(CLOCK_MONOTONIC);
	step_begun_cpu = now_ms(CLOCK_THREAD_CPUTIME_ID);
}

/* Always true, for a chain of conditions; the next step begins. */
static bool step_end(size_t step)
{
	warren_steps[step] = now_ms(CLOCK_MONOTONIC) - step_begun_ms;
	warren_steps_cpu[step] = now_ms(CLOCK_THREAD_CPUTIME_ID) - step_begun_cpu;
	step_begin();
	return true;
}

/* --- in this process ---------------------------------------------------------------------------------------------- */

/* Of the same host number, as a start does. */
static bool six_take(struct endpoint *endpoint)
{
	struct in6_addr beside = address6_beside(&network, endpoint->address);
	struct error err;

	return !network.subnet6.prefix ||
	       well(address6_take(&state, &network, &beside, &endpoint->address6, &err), &err);
}

static bool numbers_take(struct endpoint *endpoint)
{
	struct in_addr any = {0};
	struct error err;

	*endpoint = (struct endpoint){.network_number = network.number};
	return well(slot_take(&state, 0, &endpoint->slot, &err), &err) &&
	       well(address_take(&state, &network, any, &endpoint->address, &err), &err) && six_take(endpoint);
}

/* All that a start does for the network. */
static bool inside_attach(unsigned number, int netns)
{
	struct endpoint *endpoint = &endpoints[number];
	struct port port = port_of(number);
	struct error err;

	step_begin();
	return numbers_take(endpoint) && step_end(0) && well(net_host_up(&state, &err), &err) && step_end(1) &&
	       well(endpoint_attach(session, endpoint, netns, LINK_TIMEOUT_MS, &err), &err) && step_end(2) &&
	       well(ports_publish(session, endpoint, &port, 1, &err), &err) && step_end(3);
}

bool warren_settle(unsigned number)
{
	struct error err;

	step_begin();
	return well(endpoint_settle(session, &endpoints[number], &err), &err) && step_end(4);
}

/* The link goes with its namespace; nobody waits for that. */
static bool inside_detach(unsigned number, int netns)
{
	struct endpoint *endpoint = &endpoints[number];
	struct port port = port_of(number);
	struct error err;

	(void)netns;
	return well(ports_unpublish(session, endpoint, &port, 1, &err), &err) &&
	       well(address_release(&state, NETWORK, endpoint->address, &err), &err) &&
	       (!network.subnet6.prefix || well(address6_release(&state, NETWORK, &endpoint->address6, &err), &err)) &&
	       well(slot_release(&state, endpoint->slot, &err), &err);
}

bool warren_publish(unsigned round, bool take_back)
{
	struct port port = port_of(round);
	struct error err;

	port.published = (uint16_t)(FIRST_PORT + ATTACH_MAX + 1 + round);
	return take_back ? well(ports_unpublish(session, &endpoints[1], &port, 1, &err), &err)
			 : well(ports_publish(session, &endpoints[1], &port, 1, &err), &err);
}

const struct contestant warren_inside = {"warren", inside_open, inside_attach, inside_detach, -1};

/* --- as a program ------------------------------------------------------------------------------------------------- */

static bool own_run(const char *verb, unsigned number, int netns)
{
	char digits[16], path[64];
	char *words[] = {"bench-attach", (char *)verb, scratch, digits, path, NULL};
	int status;
	pid_t pid;

	snprintf(digits, sizeof(digits), "%u", number);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), netns);
	return posix_spawn(&pid, "/proc/self/exe", NULL, NULL, words, environ) == 0 &&
	       waitpid(pid, &status, 0) == pid && status == 0;
}

static bool own_attach(unsigned number, int netns)
{
	return own_run("--attach", number, netns);
}

static bool own_detach(unsigned number, int netns)
{
	return own_run("--detach", number, netns);
}

const struct contestant warren_process = {"warren, a process each", own_open, own_attach, own_detach, -1};

/* Where the record would be read: the endpoint of the process before this one. */
static bool record_move(unsigned number, bool write_it)
{
	auto_free char *path = text_format("%s/record.%u", scratch, number);
	FILE *file = fopen(path, write_it ? "we" : "re");
	bool done = file && (write_it ? fwrite(&endpoints[number], sizeof(endpoints[0]), 1, file)
				      : fread(&endpoints[number], sizeof(endpoints[0]), 1, file)) == 1;

	return file && fclose(file) == 0 && done;
}

bool warren_main(char **words)
{
	AUTO(arena_drop) struct arena arena = {0};
	unsigned number = (unsigned)strtoul(words[2], NULL, 10);
	struct error err;

	if (number > ATTACH_MAX)
		return false;
	snprintf(scratch, sizeof(scratch), "%s", words[1]);
	if (!state_open(scratch) || !well(network_load(&arena, &state, NETWORK, &network, &err), &err))
		return false;
	if (strcmp(words[0], "--detach") == 0)
		return record_move(number, false) && inside_detach(number, -1);
	auto_fd netns = open(words[3], O_RDONLY | O_CLOEXEC);
	return netns >= 0 && inside_attach(number, netns) && record_move(number, true);
}
