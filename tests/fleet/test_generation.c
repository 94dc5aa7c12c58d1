/* The fleet's own record and its lock. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/state/generation.h"
#include "tests/test.h"

/* A host of which only the fleets' directory is there. */
struct scratch {
	char path[32];
	struct host host;
};

static struct scratch scratch_make(void)
{
	struct scratch scratch = {.path = "/tmp/warren-test-XXXXXX"};

	cr_assert(mkdtemp(scratch.path));
	scratch.host.fleets = open(scratch.path, O_DIRECTORY | O_CLOEXEC);
	cr_assert(scratch.host.fleets >= 0);
	return scratch;
}

static void scratch_drop(struct scratch *scratch)
{
	struct error err;

	ASSERT_OK(tree_remove(AT_FDCWD, scratch->path, &err));
	fd_drop(&scratch->host.fleets);
}

TEST(generation, locks_one_command_at_a_time)
{
	AUTO(scratch_drop) struct scratch scratch = scratch_make();
	struct error err;
	auto_fd first = fleet_lock(&scratch.host, "shop", true, &err);

	cr_assert(first >= 0);
	ASSERT_FAILS(fleet_lock(&scratch.host, "shop", true, &err), ERROR_BUSY,
		"another command is at work on the fleet shop");
	auto_fd other = fleet_lock(&scratch.host, "other", true, &err);
	cr_assert(other >= 0);
	fd_drop(&first);
	auto_fd again = fleet_lock(&scratch.host, "shop", false, &err);
	cr_assert(again >= 0, "%s", err.text);
}

TEST(generation, knows_which_fleets_there_are)
{
	AUTO(scratch_drop) struct scratch scratch = scratch_make();
	struct error err;
	auto_fd dir = fleet_lock(&scratch.host, "shop", true, &err);

	ASSERT_FAILS(fleet_lock(&scratch.host, "shp", false, &err), ERROR_MISSING,
		"no fleet \"shp\" here; did you mean \"shop\"?");
	ASSERT_FAILS(fleet_lock(&scratch.host, "else", false, &err), ERROR_MISSING, "no fleet \"else\" here");
	ASSERT_FAILS(fleet_lock(&scratch.host, "../x", true, &err), ERROR_USAGE, "fleet name \"../x\"");
}

TEST(generation, gives_back_what_it_wrote)
{
	AUTO(scratch_drop) struct scratch scratch = scratch_make();
	AUTO(arena_drop) struct arena arena = {0};
	const char *names[] = {"a", "b-1"};
	struct generation written = {
		.number = 3, .path = "/f.json", .complete = true, .applied_ms = 5, .instances = {names, 2}};
	struct generation read;
	struct error err;
	auto_fd dir = fleet_lock(&scratch.host, "shop", true, &err);

	generation_read(&arena, dir, &read);
	cr_assert(read.number == 0 && !read.complete && !read.path);
	ASSERT_OK(generation_write(dir, "shop", &written, &err));
	generation_read(&arena, dir, &read);
	cr_assert(read.number == 3 && read.complete && read.applied_ms == 5 && read.instances.count == 2);
	cr_assert_str_eq(read.path, "/f.json");
	cr_assert_str_eq(read.instances.items[1], "b-1");
}

TEST(generation, goes_on_without_a_damaged_record)
{
	AUTO(scratch_drop) struct scratch scratch = scratch_make();
	AUTO(arena_drop) struct arena arena = {0};
	struct generation read;
	struct error err;
	auto_fd dir = fleet_lock(&scratch.host, "shop", true, &err);

	ASSERT_OK(file_replace(dir, "record.json", 0600, FILE_VOLATILE, "{\"generation\": \"x\"", 18, &err));
	generation_read(&arena, dir, &read);
	cr_assert(read.number == 0 && read.instances.count == 0);
}

TEST(generation, counts_changes_and_keeps_the_last_ten)
{
	AUTO(scratch_drop) struct scratch scratch = scratch_make();
	AUTO(arena_drop) struct arena arena = {0};
	struct generation last = {0};
	struct strings kept = {0};
	struct error err;
	auto_fd dir = fleet_lock(&scratch.host, "shop", true, &err);

	for (int i = 1; i <= 13; i++) {
		auto_free char *text = text_format("text %d", i);

		for (int twice = 0; twice < 2; twice++) {
			ASSERT_OK(generation_number(dir, &last, text, strlen(text), &last.number, &err));
			cr_assert(last.number == i, "text %d is generation %ld", i, (long)last.number);
		}
	}
	auto_fd texts = dir_open(dir, "generations", &err);
	ASSERT_OK(dir_list(&arena, texts, 100, &kept, &err));
	cr_assert(kept.count == 10 && strings_contain(&kept, "4") && strings_contain(&kept, "13"));
}
