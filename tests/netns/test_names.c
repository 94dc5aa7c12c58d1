/* Hosts files. */
#include "netns/networks/names.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

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

static struct endpoint at(const char *address, const char *address6)
{
	struct endpoint endpoint = {.address = ip(address)};

	if (address6)
		cr_assert(inet_pton(AF_INET6, address6, &endpoint.address6) == 1);
	return endpoint;
}

/* names: joined by blanks. */
static void set(struct world *world, const struct endpoint *endpoint, const char *names)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings list = strings_split(&arena, names, ' ');
	struct error err;

	ASSERT_OK(hosts_set(&world->state, "shop", endpoint, &list, &err));
}

TEST(names, are_set_and_removed_by_address)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct error err;
	const struct endpoint one = at("10.44.0.1", NULL), eleven = at("10.44.0.11", NULL);
	world_open(&world);

	cr_assert_str_eq(content(&world, &arena), HEAD);
	set(&world, &one, "web www");
	set(&world, &eleven, "db");
	cr_assert_str_eq(content(&world, &arena), HEAD "10.44.0.1\tweb\n10.44.0.1\twww\n10.44.0.11\tdb\n");
	set(&world, &one, "web site.example");
	cr_assert_str_eq(content(&world, &arena), HEAD "10.44.0.11\tdb\n10.44.0.1\tweb\n10.44.0.1\tsite.example\n");
	ASSERT_OK(hosts_remove(&world.state, "shop", &one, &err));
	cr_assert_str_eq(content(&world, &arena), HEAD "10.44.0.11\tdb\n");
	ASSERT_OK(hosts_remove(&world.state, "shop", &one, &err));
	world_close(&world);
}

TEST(names, lead_to_the_addresses_of_both_kinds_and_of_all_replicas)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	struct world world;
	struct error err;
	const struct endpoint one = at("10.44.0.1", "fd00::1"), ten = at("10.44.0.10", "fd00::10");
	world_open(&world);

	set(&world, &one, "site-1 site");
	set(&world, &ten, "site-2 site");
	cr_assert_str_eq(content(&world, &arena), HEAD "10.44.0.1\tsite-1\n10.44.0.1\tsite\nfd00::1\tsite-1\n"
						       "fd00::1\tsite\n10.44.0.10\tsite-2\n10.44.0.10\tsite\n"
						       "fd00::10\tsite-2\nfd00::10\tsite\n");
	ASSERT_OK(hosts_remove(&world.state, "shop", &one, &err));
	cr_assert_str_eq(content(&world, &arena),
		HEAD "10.44.0.10\tsite-2\n10.44.0.10\tsite\nfd00::10\tsite-2\nfd00::10\tsite\n");
	world_close(&world);
}

TEST(names, that_are_set_again_do_not_write_the_file_anew)
{
	NEEDS_ROOT();
	struct world world;
	struct stat before, after;
	const struct endpoint one = at("10.44.0.1", NULL);
	struct error err;
	world_open(&world);
	auto_fd dir = -1;

	set(&world, &one, "web");
	ASSERT_OK(dir = hosts_directory(&world.state, "shop", &err));
	cr_assert(fstatat(dir, "hosts", &before, 0) == 0);
	set(&world, &one, "web");
	cr_assert(fstatat(dir, "hosts", &after, 0) == 0 && before.st_ino == after.st_ino);
	world_close(&world);
}

TEST(names, that_could_break_the_file_are_refused)
{
	NEEDS_ROOT();
	static const char *const bad[] = {"web\n1.2.3.4\tbank", "", "a..b", ".a", "a.", "-a", "a-", "A", "a b", "a\tb",
		"localhost", "ip6-loopback", "a123456789012345678901234567890123456789012345678901234567890123"};
	static const char *const good[] = {
		"a", "a.b", "0-1.x", "a12345678901234567890123456789012345678901234567890123456789012"};
	struct world world;
	struct error err;
	const struct endpoint one = at("10.44.0.1", NULL);
	world_open(&world);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *items[] = {"first", bad[i], NULL};
		struct strings names = {items, 2};

		ASSERT_FAILS(hosts_set(&world.state, "shop", &one, &names, &err), ERROR_USAGE, "host name");
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ASSERT_OK(host_name_check(good[i], &err));
	ASSERT_FAILS(hosts_remove(&world.state, "../shop", &one, &err), ERROR_USAGE, "network");
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
	const struct endpoint one = at("10.44.0.1", NULL);
	world_open(&world);
	auto_fd directory = -1;

	ASSERT_OK(directory = hosts_directory(&world.state, "shop", &err));
	auto_fd inside = openat(directory, ".", O_RDONLY | O_CLOEXEC);
	auto_fd file = openat(directory, "hosts", O_RDONLY | O_CLOEXEC);
	cr_assert(flock(inside, LOCK_EX | LOCK_NB) == 0);
	cr_assert(flock(file, LOCK_EX | LOCK_NB) == 0);
	set(&world, &one, "web");
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
	const struct endpoint one = at("10.44.0.1", NULL);
	world_open(&world);
	auto_fd directory = -1;

	ASSERT_OK(directory = hosts_directory(&world.state, "shop", &err));
	set(&world, &one, "web");
	ASSERT_OK(file_read(&arena, directory, "hosts", 1 << 20, &text, NULL, &err));
	cr_assert_str_eq(text, HEAD "10.44.0.1\tweb\n");
	fd_drop(&directory);
	ASSERT_OK(hosts_forget(&world.state, "shop", &err));
	cr_assert_str_eq(content(&world, &arena), HEAD);
	world_close(&world);
}
