/* Instances that come and go, and the process that makes them killed again and again, wherever it just is. Whoever
 * comes next clears up by the record, as fleet/ does; in the end the host must be as it was. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "netns/netlink/elements.h"
#include "netns/netlink/session.h"
#include "netns/ports/port_elements.h"
#include "netns/table/ruleset.h"
#include "tests/netns/support_scene.h"
#include "tests/netns/support_world.h"

#define CYCLES (WARREN_TEST_SLOW > 1 ? 20 : 60)
#define CYCLES_ALL (10000 / WARREN_TEST_SLOW)
#define KILL_AFTER_CYCLES 8 /* at most; in the time that one takes undisturbed */
#define LEAK_MAX_KIB (64 * 1024)
#define GONE_MS SLOWLY(30000)
#define FLAT_MS 120000

/* What a maker has written down before it takes anything: it outlives him. */
enum stage { IDLE, TAKING, HOLDS };
struct note {
	_Atomic enum stage stage;
	unsigned slot;
	struct in_addr address;
	struct in6_addr address6; /* :: without IPv6 */
	_Atomic unsigned cycles;
};

struct scene {
	struct world world;
	struct arena arena;
	struct network network;
	struct note *note;
	int64_t cycle_us; /* what an undisturbed one takes */
	unsigned kills;
};

/* --- the maker, a process of its own ------------------------------------------------------------------------------ */

static void must(int result, const struct error *err)
{
	if (result >= 0)
		return;
	fprintf(stderr, "the maker: %s\n", err->text);
	_exit(1);
}

static int network_namespace_make(int host)
{
	int made = -1;

	if (unshare(CLONE_NEWNET) == 0)
		made = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (made < 0 || setns(host, CLONE_NEWNET) < 0)
		_exit(2);
	return made;
}

static void claims_take(struct scene *scene)
{
	const struct net_state *state = &scene->world.state;
	struct note *note = scene->note;
	struct error err;

	note->stage = TAKING;
	must(slot_take(state, 0, &note->slot, &err), &err);
	note->address.s_addr = htonl(ntohl(scene->network.subnet.base.s_addr) + 100 + note->slot);
	note->address6 = address6_beside(&scene->network, note->address);
	note->stage = HOLDS;
	must(address_take(state, &scene->network, note->address, &note->address, &err), &err);
	if (!IN6_IS_ADDR_UNSPECIFIED(&note->address6))
		must(address6_take(state, &scene->network, &note->address6, &note->address6, &err), &err);
}

static void claims_give_back(struct scene *scene)
{
	const struct net_state *state = &scene->world.state;
	struct note *note = scene->note;
	struct error err;

	if (!IN6_IS_ADDR_UNSPECIFIED(&note->address6))
		must(address6_release(state, scene->network.name, &note->address6, &err), &err);
	must(address_release(state, scene->network.name, note->address, &err), &err);
	must(slot_release(state, note->slot, &err), &err);
	note->stage = IDLE;
	note->cycles++;
}

static void cycle(struct scene *scene, struct net_session *session)
{
	const struct net_state *state = &scene->world.state;
	struct port ports[] = {{.host_ip.family = AF_INET, .published = 8000, .target = 80},
		{.host_ip.family = AF_INET, .published = 0, .target = 81},
		{.host_ip.family = AF_INET6, .published = 8001, .target = 81}, /* on any address */
		{.host_ip.family = AF_INET, .published = 5300, .target = 53}};
	/* Of a UDP port the tracked flows are looked through, and those are all of the machine's. */
	const size_t count = ARRAY_SIZE(ports) - (scene->note->cycles % 10 != 0);
	struct error err;
	int up;

	ports[0].host_ip = ports[1].host_ip = ip_from_v4(ip("127.0.0.1"));
	ports[3].protocol = PORT_UDP;
	claims_take(scene);
	must(up = net_host_up(state, &err), &err);
	if (up)
		must(net_host_republished(state, &err), &err);
	struct endpoint endpoint = {.slot = scene->note->slot,
		.network_number = scene->network.number,
		.address = scene->note->address,
		.address6 = scene->note->address6};
	const char *items[] = {"cycle", NULL};
	const struct strings names = {items, 1};
	auto_fd netns = network_namespace_make(scene->world.host);

	must(endpoint_attach(session, &endpoint, netns, 5000, &err), &err);
	must(hosts_set(state, scene->network.name, &endpoint, &names, &err), &err);
	must(ports_publish(session, &endpoint, ports, count, &err), &err);
	must(ports_unpublish(session, &endpoint, ports, count, &err), &err);
	must(hosts_remove(state, scene->network.name, &endpoint, &err), &err);
	fd_drop(&netns);
	claims_give_back(scene);
}

static _Noreturn void maker_main(struct scene *scene, unsigned cycles)
{
	struct error err;
	struct net_session *session = net_session_open(&err);

	must(session ? 0 : -1, &err);
	while (scene->note->cycles < cycles)
		cycle(scene, session);
	_exit(0);
}

/* --- who comes next ----------------------------------------------------------------------------------------------- */

/* As claims_release() and host_recover_slots() of fleet/ do. */
static void clear_up(struct scene *scene)
{
	const struct net_state *state = &scene->world.state;
	struct note *note = scene->note;
	struct error err = {0};

	if (note->stage == HOLDS) {
		const struct endpoint gone = {.slot = note->slot, .address = note->address, .address6 = note->address6};

		cr_assert(ports_unpublish_all(scene->world.session, &gone, &err) == 0 || err.errnum == ENOENT, "%s",
			err.text);
		ASSERT_OK(hosts_remove(state, scene->network.name, &gone, &err));
		if (!IN6_IS_ADDR_UNSPECIFIED(&note->address6))
			ASSERT_OK(address6_release(state, scene->network.name, &note->address6, &err));
		ASSERT_OK(address_release(state, scene->network.name, note->address, &err));
		ASSERT_OK(slot_release(state, note->slot, &err));
	}
	if (note->stage == TAKING)
		for (unsigned slot = 1; slot <= SLOT_MAX; slot++)
			ASSERT_OK(slot_release(state, slot, &err));
	note->stage = IDLE;
}

/* One maker's life; not_killed: to its natural end. */
static void makers_turn(struct scene *scene, unsigned cycles, bool not_killed)
{
	auto_fd pidfd = -1;
	pid_t pid = process_clone(0, -1, &pidfd);
	struct error err;
	int status;

	cr_assert(pid >= 0);
	if (pid == 0)
		maker_main(scene, cycles);
	if (!not_killed) {
		usleep((useconds_t)(rand() % (KILL_AFTER_CYCLES * scene->cycle_us)));
		ASSERT_OK(process_signal(pidfd, SIGKILL, &err));
	}
	ASSERT_OK(process_reap(pidfd, &status, &err));
	cr_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0, "the maker ended by itself: %x", status);
	scene->kills += WIFSIGNALED(status) && scene->note->stage != IDLE;
	clear_up(scene);
}

/* --- nothing is left ---------------------------------------------------------------------------------------------- */

/* Marks in `narrow` stay: one a port number at most, and they say nothing by themselves. */
static size_t elements_left(struct scene *scene)
{
	static const char *const sets[] = {
		SET_ADDRESS_PORTS, SET_ANY_PORTS, SET_ADDRESS_PORTS6, SET_ANY_PORTS6, SET_CLAIMS, SET_EGRESS_LIMITS};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		count += elements_in(&scene->world, sets[i]);
	return count;
}

/* A link goes with its namespace, which the kernel clears away when it has time. */
static void await_no_link(struct scene *scene)
{
	static struct link_counters links[SLOT_MAX + 1];
	int64_t deadline = clock_ms() + GONE_MS;
	struct error err;
	unsigned left;

	do {
		left = 0;
		ASSERT_OK(link_counters_read_all(scene->world.session, links, &err));
		for (unsigned slot = 1; slot <= SLOT_MAX; slot++)
			left += links[slot].present;
		cr_assert(clock_ms() < deadline, "%u links are left", left);
	} while (left && sched_yield() == 0);
}

static void assert_empty(int directory, const char *what)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names = {0};
	struct error err;

	ASSERT_OK(dir_list(&arena, directory, 100, &names, &err));
	cr_assert(names.count == 0, "%s: %s is left", what, names.items[0]);
}

/* What a namespace and its links are made of in the kernel. */
static const char *const memory_names[] = {"SUnreclaim:", "VmallocUsed:", "Percpu:"};
struct kernel_memory {
	int64_t kib[ARRAY_SIZE(memory_names)];
};

static struct kernel_memory kernel_memory(void)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct kernel_memory now;
	const char *text, *line;
	struct error err;

	ASSERT_OK(file_read(&arena, AT_FDCWD, "/proc/meminfo", 65536, &text, NULL, &err));
	for (size_t i = 0; i < ARRAY_SIZE(memory_names); i++) {
		line = strstr(text, memory_names[i]);
		cr_assert(line);
		now.kib[i] = strtoll(line + strlen(memory_names[i]), NULL, 10);
	}
	return now;
}

/* The kernel gives some of it back when it has time, and others on this machine have namespaces that come and go: until
 * it is flat, at most so long. */
static int64_t await_flat_memory(const struct kernel_memory *before)
{
	int64_t deadline = clock_ms() + FLAT_MS, worst;

	do {
		struct kernel_memory now = kernel_memory();

		worst = 0;
		for (size_t i = 0; i < ARRAY_SIZE(memory_names); i++)
			if (now.kib[i] - before->kib[i] > worst)
				worst = now.kib[i] - before->kib[i];
	} while (worst >= LEAK_MAX_KIB && clock_ms() < deadline && usleep(100000) == 0);
	return worst;
}

static void memory_tell(const struct kernel_memory *before)
{
	struct kernel_memory now = kernel_memory();

	for (size_t i = 0; i < ARRAY_SIZE(memory_names); i++)
		fprintf(stderr, "%s %+jd KiB ", memory_names[i], (intmax_t)(now.kib[i] - before->kib[i]));
	fprintf(stderr, "since the first tenth\n");
}

static void scene_open(struct scene *scene)
{
	struct error err;

	*scene = (struct scene){0};
	world_open(&scene->world);
	scene->network = network_of(&scene->world, "cycles", "10.88.0.0/16", false, true, &scene->arena);
	scene->note = mmap(NULL, sizeof(*scene->note), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(scene->note != MAP_FAILED);
	ASSERT_OK(net_host_up(&scene->world.state, &err));
	ASSERT_OK(net_host_republished(&scene->world.state, &err));
}

static void scene_close(struct scene *scene)
{
	struct error err;

	ASSERT_OK(net_host_down_if_unused(&scene->world.state, &err));
	cr_assert(ruleset_is_current(&scene->world.session->filter, &err) == 0, "the table is left: %s", err.text);
	assert_empty(scene->world.state.run, "the host's part");
	ASSERT_OK(network_undefine(&scene->world.state, scene->network.name, &err));
	munmap(scene->note, sizeof(*scene->note));
	world_close(&scene->world);
	arena_drop(&scene->arena);
}

TEST(cycles, whatever_is_killed_in_between_nothing_is_left_and_the_kernels_memory_is_flat, .timeout = SLOWLY(900))
{
	NEEDS_ROOT();
	const unsigned all = getenv("WARREN_TEST_ALL_POINTS") || getenv("WARREN_TEST_FULL") ? CYCLES_ALL : CYCLES,
		       warm = all / 10;
	struct scene scene;

	scene_open(&scene);
	srand(7);
	int64_t start_ms = clock_ms();
	makers_turn(&scene, warm, true);
	scene.cycle_us = 1 + (clock_ms() - start_ms) * 1000 / warm;
	await_no_link(&scene);
	const struct kernel_memory before = kernel_memory();
	/* On a busy machine it may be that of a few none came in time. */
	for (unsigned goal = all; scene.note->cycles < goal;) {
		makers_turn(&scene, goal, false);
		if (scene.note->cycles >= goal && scene.kills <= all / 100 && goal < 5 * all)
			goal += all;
	}
	await_no_link(&scene);
	int64_t grown_kib = all < CYCLES_ALL ? 0 : await_flat_memory(&before);

	fprintf(stderr, "%u cycles, %u kills within one\n", scene.note->cycles, scene.kills);
	memory_tell(&before);
	cr_assert(elements_left(&scene) == 0, "%zu elements are left", elements_left(&scene));
	cr_assert(scene.kills > all / 100, "%u kills came in time", scene.kills);
	/* A namespace with its pair is 280 KiB. Others use the machine: a few cycles prove nothing. */
	cr_assert(grown_kib < LEAK_MAX_KIB, "%jd KiB of kernel memory", (intmax_t)grown_kib);
	scene_close(&scene);
}
