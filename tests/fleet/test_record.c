/* Records: what is written is read, what is damaged is said to be. */
#include <arpa/inet.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/state/record.h"
#include "tests/test.h"

static char directory[] = "/tmp/warren-record-XXXXXX";

static int directory_make(void)
{
	cr_assert(mkdtemp(directory));
	return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void directory_drop(void)
{
	struct error err;

	ASSERT_OK(tree_remove(AT_FDCWD, directory, &err));
}

static void put(int dir, const char *name, const char *text)
{
	struct error err;

	ASSERT_OK(file_replace(dir, name, 0600, FILE_VOLATILE, text, strlen(text), &err));
}

TEST(record, comes_back_as_it_was)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd dir = directory_make();
	struct record record = {.created_ms = 1700000000123, .slot = 7, .network = "shop", .network_number = 3}, back;
	struct error err;

	inet_pton(AF_INET, "10.44.1.6", &record.address);
	ASSERT_OK(record_write(dir, &record, &err));
	ASSERT_OK(record_read(&arena, dir, &back, &err));
	cr_assert(back.created_ms == record.created_ms && back.slot == 7 && back.network_number == 3);
	cr_assert_str_eq(back.network, "shop");
	cr_assert(back.address.s_addr == record.address.s_addr);
	cr_assert(record_id_base(&back) == 1879048192u + 7 * 65536u);
	directory_drop();
}

TEST(record, says_what_is_damaged)
{
	static const struct {
		const char *text, *complaint;
	} rows[] = {
		{"", "record.json"},
		{"{\"version\": 1", "record.json:1:"},
		{"{\"version\": 9, \"created_ms\": 1, \"slot\": 1}", "version"},
		{"{\"version\": 1, \"created_ms\": 1, \"slot\": 4095}", "slot"},
		{"{\"version\": 1, \"created_ms\": 1, \"slot\": \"1\"}", "slot"},
		{"{\"version\": 1, \"created_ms\": 1, \"slot\": 1, \"network\": \"../x\", \"address\": \"1.2.3.4\"}",
			"network"},
		{"{\"version\": 1, \"created_ms\": 1, \"slot\": 1, \"network\": \"a\", \"address\": \"1.2.3\"}",
			"\"1.2.3\" is not an IPv4 address"},
	};
	auto_fd dir = directory_make();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct record record;
		struct error err;

		put(dir, "record.json", rows[i].text);
		ASSERT_FAILS(record_read(&arena, dir, &record, &err), ERROR_USAGE, rows[i].complaint);
	}
	directory_drop();
}

TEST(record, passes_over_keys_of_a_newer_program)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd dir = directory_make();
	struct record record;
	struct error err;

	put(dir, "record.json", "{\"version\": 1, \"created_ms\": 1, \"slot\": 1, \"colour\": \"blue\"}");
	ASSERT_OK(record_read(&arena, dir, &record, &err));
	directory_drop();
}

TEST(record, a_run_keeps_its_ports_and_processes)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd dir = directory_make();
	struct port ports[2] = {
		{.published = 8090, .target = 80, .protocol = PORT_TCP}, {.host_ip.family = AF_INET6,
										 .published = 53,
										 .target = 53,
										 .following = 2,
										 .protocol = PORT_UDP,
										 .balance = PORT_STICKY}};
	struct run run = {.started = true,
		.init = {.pid = 12, .start_time = UINT64_MAX},
		.monitor = {.pid = 13, .start_time = 5},
		.started_ms = 99,
		.restarts = 4,
		.log_dropped_bytes = 17,
		.ports = ports,
		.port_count = 2};
	struct run back;
	struct error err;

	ports[0].host_ip = ip_from_v4((struct in_addr){htonl(INADDR_LOOPBACK)});
	ASSERT_OK(run_write(dir, &run, &err));
	ASSERT_OK(run_read(&arena, dir, &back, &err));
	cr_assert(back.started && !back.other_boot && back.init.pid == 12 && back.init.start_time == UINT64_MAX);
	cr_assert(back.monitor.pid == 13 && back.restarts == 4 && back.log_dropped_bytes == 17 && back.port_count == 2);
	cr_assert(ip_is_loopback(&back.ports[0].host_ip) && back.ports[0].published == 8090);
	cr_assert(ports_equal(&back.ports[0], &ports[0]) && ports_equal(&back.ports[1], &ports[1]));
	run_forget(dir);
	ASSERT_FAILS(run_read(&arena, dir, &back, &err), ERROR_MISSING, "run.json");
	directory_drop();
}

TEST(record, a_run_of_another_boot_is_known_as_such)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd dir = directory_make();
	struct run run;
	struct error err;

	put(dir, "run.json", "{\"version\": 1, \"boot\": \"0badb007-0000-0000-0000-000000000000\", \"started\": true}");
	ASSERT_OK(run_read(&arena, dir, &run, &err));
	cr_assert(run.other_boot);
	directory_drop();
}

TEST(record, the_last_end_is_put_aside_when_a_run_begins)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd dir = directory_make();
	struct exit_record exit = {
		.reason = END_OUT_OF_MEMORY, .status = 137, .at_ms = 5, .restarts = 2, .detail = "no \"room\""};
	struct exit_record back;
	struct error err;
	bool over;

	exit_read(&arena, dir, &back, &over);
	cr_assert(back.reason == END_NONE && !over);
	ASSERT_OK(exit_write(dir, &exit, &err));
	exit_read(&arena, dir, &back, &over);
	cr_assert(over && back.reason == END_OUT_OF_MEMORY && back.status == 137 && back.at_ms == 5 &&
		  back.restarts == 2);
	cr_assert_str_eq(back.detail, "no \"room\"");
	exit_put_aside(dir);
	exit_read(&arena, dir, &back, &over);
	cr_assert(!over && back.reason == END_OUT_OF_MEMORY);
	put(dir, "exit.json", "{");
	exit_read(&arena, dir, &back, &over);
	cr_assert(!over, "a damaged one is none");
	directory_drop();
}

TEST(record, what_is_desired_is_stopped_unless_it_says_otherwise)
{
	auto_fd dir = directory_make();
	struct error err;

	cr_assert(desired_read(dir) == DESIRED_STOPPED);
	for (int i = DESIRED_RUNNING; i <= DESIRED_PAUSED; i++) {
		ASSERT_OK(desired_write(dir, (enum desired_state)i, &err));
		cr_assert(desired_read(dir) == (enum desired_state)i);
	}
	put(dir, "desired", "runnin");
	cr_assert(desired_read(dir) == DESIRED_STOPPED);
	directory_drop();
}

TEST(record, remembers_who_was_killed_by_what)
{
	auto_fd dir = directory_make();
	struct error err;

	cr_assert(killed_read(dir) == 0);
	ASSERT_OK(killed_write(dir, 9, &err));
	cr_assert(killed_read(dir) == 9);
	killed_forget(dir);
	cr_assert(killed_read(dir) == 0);
	put(dir, "killed", "99");
	cr_assert(killed_read(dir) == 0);
	directory_drop();
}

TEST(record, keeps_the_ports_that_are_elsewhere)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd dir = directory_make();
	struct port ports[2];
	struct run run = {.started_ms = 7};
	struct error err;

	ASSERT_OK(port_parse("127.0.0.1:8080:80", &ports[0], &err));
	ASSERT_OK(port_parse("0.0.0.0:53:53/udp", &ports[1], &err));
	cr_assert(!held_read(&arena, dir, &run) && run.port_count == 0);
	ASSERT_OK(held_write(dir, ports, 2, &err));
	cr_assert(held_read(&arena, dir, &run) && run.started_ms == 7);
	cr_assert(run.port_count == 2 && run.ports[0].published == 8080 && run.ports[1].protocol == PORT_UDP);
	held_forget(dir);
	held_forget(dir);
	cr_assert(!held_read(&arena, dir, &run));
	directory_drop();
}

TEST(record, only_a_sender_that_could_lift_its_limit_is_limited_at_the_hosts_end)
{
	const char *given[] = {"net_admin", "CAP_NET_ADMIN", "ALL", "SYS_PTRACE"};

	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		struct instance_spec spec = {.resources.egress_bits = {true, 8000000}};

		cr_assert(resources_policed(&spec) == 0);
		spec.cap_add.items = given + i;
		spec.cap_add.count = 1;
		cr_assert((resources_policed(&spec) == 8000000) == (i < 3), "%s", given[i]);
		spec.resources.egress_bits.set = false;
		cr_assert(resources_policed(&spec) == 0);
	}
}
