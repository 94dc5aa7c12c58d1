/* Hosts files. */
#include "netns/names.h"

#include <fcntl.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/netns/support_world.h"

#define HEAD "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"

static const char *content(struct world *world, struct arena *arena)
{
	const char *text;
	struct error err;
	auto_fd dir = -1;

	ASSERT_OK(dir = hosts_directory(&world->state, "shop", &err));
	ASSERT_OK(file_read(arena, dir, "hosts", 1 << 20, &text, NULL, &err));
	return text;
}

static void add(struct world *world, const char *address, const char *name)
{
	struct host_name host = {ip(address), name};
	struct error err;

	ASSERT_OK(hosts_add(&world->state, "shop", &host, &err));
}

TEST(names, are_added_and_removed_by_address)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct error err;
	world_open(&world);

	cr_assert_str_eq(content(&world, &arena), HEAD);
	add(&world, "10.44.0.1", "web");
	add(&world, "10.44.0.11", "db");
	add(&world, "10.44.0.1", "www");
	add(&world, "10.44.0.1", "web");
	cr_assert_str_eq(content(&world, &arena), HEAD "10.44.0.1\tweb\n10.44.0.11\tdb\n10.44.0.1\twww\n");
	ASSERT_OK(hosts_remove(&world.state, "shop", ip("10.44.0.1"), &err));
	cr_assert_str_eq(content(&world, &arena), HEAD "10.44.0.11\tdb\n");
	ASSERT_OK(hosts_remove(&world.state, "shop", ip("10.44.0.1"), &err));
	world_close(&world);
}

TEST(names, that_could_break_the_file_are_refused)
{
	NEEDS_ROOT();
	struct world world;
	struct error err;
	struct host_name bad = {ip("10.44.0.1"), "web\n1.2.3.4\tbank"}, good = {ip("10.44.0.1"), "web"};
	world_open(&world);

	ASSERT_FAILS(hosts_add(&world.state, "shop", &bad, &err), ERROR_USAGE, "host name");
	ASSERT_FAILS(hosts_add(&world.state, "../shop", &good, &err), ERROR_USAGE, "network");
	ASSERT_FAILS(hosts_directory(&world.state, "..", &err), ERROR_USAGE, "network");
	world_close(&world);
}

/* An instance that can open the directory read-only can take its flock: nobody may wait for that. */
TEST(names, an_instance_that_locks_the_directory_blocks_nobody)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct error err;
	world_open(&world);
	auto_fd directory = -1;

	ASSERT_OK(directory = hosts_directory(&world.state, "shop", &err));
	auto_fd inside = openat(directory, ".", O_RDONLY | O_CLOEXEC);
	auto_fd file = openat(directory, "hosts", O_RDONLY | O_CLOEXEC);
	cr_assert(flock(inside, LOCK_EX | LOCK_NB) == 0);
	cr_assert(flock(file, LOCK_EX | LOCK_NB) == 0);
	add(&world, "10.44.0.1", "web");
	cr_assert_str_eq(content(&world, &arena), HEAD "10.44.0.1\tweb\n");
	fd_drop(&directory);
	fd_drop(&inside);
	fd_drop(&file);
	world_close(&world);
}

TEST(names, who_has_the_directory_open_sees_changes)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	const char *text;
	struct error err;
	world_open(&world);
	auto_fd directory = -1;

	ASSERT_OK(directory = hosts_directory(&world.state, "shop", &err));
	add(&world, "10.44.0.1", "web");
	ASSERT_OK(file_read(&arena, directory, "hosts", 1 << 20, &text, NULL, &err));
	cr_assert_str_eq(text, HEAD "10.44.0.1\tweb\n");
	fd_drop(&directory);
	ASSERT_OK(hosts_forget(&world.state, "shop", &err));
	cr_assert_str_eq(content(&world, &arena), HEAD);
	world_close(&world);
}
