/* The host's part: up once, repaired when harmed, gone without a trace. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "netns/netlink/session.h"
#include "netns/table/ruleset.h"
#include "tests/netns/support_world.h"

#define FORWARD "/proc/sys/net/ipv4/ip_forward"

/* Appended without the word that comes and goes with the carrier of a link. */
static void append_steady(struct text *all, const char *output)
{
	const char *word;

	for (; (word = strstr(output, "linkdown ")); output = word + strlen("linkdown "))
		text_append_bytes(all, output, (size_t)(word - output));
	text_append(all, output);
}

static void append_output(struct text *all, const struct helper *helper)
{
	AUTO(text_drop) struct text output = {0};
	struct error err;
	int status;

	ASSERT_OK(process_run(helper, &output, &status, &err));
	append_steady(all, text_string(&output));
}

/* What of the host's namespace we could change, as text. */
static const char *host_look(struct arena *arena)
{
	static const char *const nft[] = {"/usr/sbin/nft", "list", "ruleset", NULL};
	static const char *const ip[] = {"/usr/sbin/ip", "-4", "-o", "-force", "-batch", "-", NULL};
	static const char asked[] = "addr show\nroute show table all\n";
	static const char *const files[] = {FORWARD, "/proc/sys/net/ipv4/conf/all/accept_redirects",
		"/proc/sys/net/ipv4/conf/default/forwarding", "/proc/sys/net/ipv4/conf/wan/forwarding"};
	const struct helper rules = {.argv = nft, .timeout_ms = SLOWLY(10000)};
	const struct helper addresses = {
		.argv = ip, .timeout_ms = SLOWLY(10000), .input = asked, .input_length = strlen(asked)};
	AUTO(text_drop) struct text all = {0};
	const char *value;
	struct error err;

	append_output(&all, &rules);
	append_output(&all, &addresses);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		ASSERT_OK(file_read(arena, AT_FDCWD, files[i], 64, &value, NULL, &err));
		text_append(&all, value);
	}
	return arena_string(arena, text_string(&all));
}

static size_t files_in(int directory, struct arena *arena)
{
	struct strings names = {0};
	struct error err;

	ASSERT_OK(dir_list(arena, directory, 1000, &names, &err));
	return names.count;
}

static void value_is(const char *path, const char *expected)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *value;
	struct error err;

	ASSERT_OK(file_read(&arena, AT_FDCWD, path, 64, &value, NULL, &err));
	cr_assert_str_eq(value, expected);
}

static void up(struct world *world, int expected)
{
	struct error err;
	int result;

	ASSERT_OK(result = net_host_up(&world->state, &err));
	cr_assert(result == expected, "up gave %d", result);
}

TEST(host, up_is_idempotent_and_down_leaves_nothing)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest guest;
	struct error err;
	world_open(&world);
	outside_open(&world);
	const char *before = host_look(&arena);

	struct network network = network_of(&world, "default", NETWORK_DEFAULT_SUBNET, true, true, &arena);
	guest_open(&world, &network, &guest);
	struct port port = {.host_ip = ip_from_v4(ip("127.0.0.1")), .published = 8080, .target = 80};
	struct strings names = {0};
	strings_add(&arena, &names, "web");
	ASSERT_OK(hosts_set(&world.state, "default", &guest.endpoint, &names, &err));
	ASSERT_OK(ports_publish(world.session, &guest.endpoint, &port, 1, &err));
	value_is(FORWARD, "1\n");
	close(openat(world.state.run, ".sysctls.0123abcd~", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); /* of a kill */
	up(&world, 1);
	ASSERT_OK(net_host_republished(&world.state, &err));
	up(&world, 0);
	ASSERT_OK(net_host_down_if_unused(&world.state, &err));
	up(&world, 0);
	cr_assert(strcmp(before, host_look(&arena)) != 0);

	unsigned slot = guest.endpoint.slot;
	guest_close(&world, &guest);
	await_gone(&world, slot);
	ASSERT_OK(net_host_down_if_unused(&world.state, &err));
	cr_assert_str_eq(host_look(&arena), before);
	cr_assert(files_in(world.state.run, &arena) == 0, "files are left");
	ASSERT_OK(net_host_down_if_unused(&world.state, &err));
	cr_assert_str_eq(host_look(&arena), before);
	world_close(&world);
}

TEST(host, settings_are_restored_to_odd_values_too)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct error err;
	world_open(&world);
	outside_open(&world);
	ASSERT_OK(file_write(AT_FDCWD, "/proc/sys/net/ipv4/conf/all/accept_redirects", "0", &err));
	ASSERT_OK(file_write(AT_FDCWD, "/proc/sys/net/ipv4/conf/wan/forwarding", "1", &err));
	command("/usr/sbin/ip addr add 169.254.1.1/32 dev lo");
	const char *before = host_look(&arena);

	up(&world, 1);
	cr_assert(strcmp(before, host_look(&arena)) != 0);
	ASSERT_OK(net_host_down_if_unused(&world.state, &err));
	cr_assert_str_eq(host_look(&arena), before);
	world_close(&world);
}

TEST(host, a_setting_whose_link_has_gone_is_passed_over)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	world_open(&world);
	outside_open(&world);
	ASSERT_OK(file_write(AT_FDCWD, "/proc/sys/net/ipv4/conf/wan/forwarding", "1", &err));

	up(&world, 1);
	command("/usr/sbin/ip link del wan");
	ASSERT_OK(net_host_down_if_unused(&world.state, &err));
	value_is(FORWARD, "0\n");
	world_close(&world);
}

static void rebuilt_after(const char *harm)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct guest a, b;
	struct error err;
	world_open(&world);
	struct network network = network_of(&world, "shop", "10.44.0.0/16", false, true, &arena);
	struct port port = {.host_ip = ip_from_v4(ip("0.0.0.0")), .published = 8080, .target = 80};
	guest_open(&world, &network, &a);
	guest_open(&world, &network, &b);
	ASSERT_OK(net_host_republished(&world.state, &err));
	auto_fd server = listen_in(&world, a.netns, "0.0.0.0", 80);
	ASSERT_OK(ports_publish(world.session, &a.endpoint, &port, 1, &err));
	cr_assert(connects(&world, b.netns, "169.254.1.1", 8080));

	command(harm);
	up(&world, 1);
	up(&world, 1); /* until somebody says that ports are published again */
	cr_assert(!connects(&world, world.host, "169.254.1.1", 8080));
	ASSERT_OK(ports_publish(world.session, &a.endpoint, &port, 1, &err));
	ASSERT_OK(net_host_republished(&world.state, &err));
	up(&world, 0);
	cr_assert(connects(&world, b.netns, "169.254.1.1", 8080), "published");
	cr_assert(connects_to(&world, b.netns, a.endpoint.address, 80), "network open inside");
	cr_assert(is_dropped(&world, b.netns, "169.254.1.1", 22), "host protected");
	fd_drop(&server);
	guest_close(&world, &a);
	guest_close(&world, &b);
	world_close(&world);
}

TEST(host, the_table_is_built_again_after_somebody_flushed_all_rules)
{
	NEEDS_ROOT();
	rebuilt_after("/usr/sbin/nft flush ruleset");
}

TEST(host, the_table_is_built_again_after_somebody_emptied_it)
{
	NEEDS_ROOT();
	rebuilt_after("/usr/sbin/nft flush table inet warren");
}

/* As if killed after the table was loaded and before forwarding was on. */
TEST(host, what_a_killed_command_left_half_made_is_finished)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	world_open(&world);

	up(&world, 1);
	ASSERT_OK(file_write(AT_FDCWD, FORWARD, "0", &err));
	command("/usr/sbin/ip addr del 169.254.1.1/32 dev lo");
	up(&world, 1);
	value_is(FORWARD, "1\n");
	command("/usr/sbin/ip addr del 169.254.1.1/32 dev lo");
	ASSERT_OK(net_host_down_if_unused(&world.state, &err));
	value_is(FORWARD, "0\n");
	world_close(&world);
}

TEST(host, foreign_tables_are_left_alone)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	world_open(&world);

	command("/usr/sbin/nft add table inet theirs");
	up(&world, 1);
	ASSERT_OK(net_host_down_if_unused(&world.state, &err));
	command("/usr/sbin/nft list table inet theirs");
	world_close(&world);
}

TEST(host, twenty_processes_at_once_build_one_table)
{
	NEEDS_ROOT();
	struct world world;
	int pidfds[20], status;
	struct error err;
	world_open(&world);

	for (int i = 0; i < 20; i++) {
		pid_t pid = process_clone(0, -1, &pidfds[i]);
		cr_assert(pid >= 0);
		if (pid == 0)
			_exit(net_host_up(&world.state, &err) < 0);
	}
	for (int i = 0; i < 20; i++) {
		ASSERT_OK(process_reap(pidfds[i], &status, &err));
		cr_assert(status == 0);
		close(pidfds[i]);
	}
	cr_assert(ruleset_is_current(&world.session->filter, &err) == 1);
	ASSERT_OK(net_host_republished(&world.state, &err));
	up(&world, 0);
	ASSERT_OK(net_host_down_if_unused(&world.state, &err));
	cr_assert(ruleset_is_current(&world.session->filter, &err) == 0);
	world_close(&world);
}
