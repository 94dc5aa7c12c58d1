#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "tests/test.h"

static bool is_mapped(void *address)
{
	unsigned char state;
	uintptr_t page = (uintptr_t)address & ~(uintptr_t)4095;

	return mincore((void *)page, 1, &state) == 0;
}

TEST(arena, memory_is_zeroed_aligned_and_apart)
{
	AUTO(arena_drop) struct arena arena = {0};
	unsigned char *pieces[2000];

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		pieces[i] = arena_alloc(&arena, i % 300 + 1);
		cr_assert_eq((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		for (size_t j = 0; j < i % 300 + 1; j++)
			cr_assert_eq(pieces[i][j], 0);
		memset(pieces[i], (int)(i % 255) + 1, i % 300 + 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		for (size_t j = 0; j < i % 300 + 1; j++)
			cr_assert_eq(pieces[i][j], i % 255 + 1);
}

TEST(arena, size_zero_gives_a_valid_pointer)
{
	AUTO(arena_drop) struct arena arena = {0};
	char *a = arena_alloc(&arena, 0), *b = arena_alloc(&arena, 0);

	cr_assert(a && b && a != b);
}

TEST(arena, a_large_request_does_not_end_the_piece_being_filled)
{
	AUTO(arena_drop) struct arena arena = {0};
	char *before = arena_alloc(&arena, 16), *large = arena_alloc(&arena, 10 << 20), *after;

	large[0] = large[(10 << 20) - 1] = 'x';
	after = arena_alloc(&arena, 16);
	cr_assert_eq(after, before + 16);
}

TEST(arena, a_large_request_may_come_first)
{
	AUTO(arena_drop) struct arena arena = {0};
	char *large = arena_alloc(&arena, 1 << 20);

	memset(large, 'x', 1 << 20);
	cr_assert_str_eq(arena_string(&arena, "small"), "small");
	cr_assert_eq(large[(1 << 20) - 1], 'x');
}

TEST(arena, drop_gives_everything_back_and_leaves_a_usable_arena)
{
	struct arena arena = {0};
	void *pieces[50];

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		pieces[i] = arena_alloc(&arena, i % 2 ? 100000 : 8000);
		cr_assert(is_mapped(pieces[i]));
	}
	errno = EXDEV;
	arena_drop(&arena);
	cr_assert_eq(errno, EXDEV);
	cr_assert_null(arena.pieces);
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		cr_assert_not(is_mapped(pieces[i]));
	cr_assert_str_eq(arena_string(&arena, "again"), "again");
	arena_drop(&arena);
	arena_drop(&arena);
}

TEST(arena, copies_and_formats_strings)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *bytes = arena_bytes(&arena, "abcdef", 3);

	cr_assert_str_eq(bytes, "abc");
	cr_assert_str_eq(arena_string(&arena, ""), "");
	cr_assert_str_eq(arena_format(&arena, "%s-%d", "web", 17), "web-17");
	cr_assert_eq(memcmp(arena_bytes(&arena, "a\0b", 3), "a\0b", 4), 0);
}

TEST(arena, knows_its_own_memory)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *text = arena_string(&arena, "x");
	int other;

	cr_assert(arena_holds(&arena, text));
	cr_assert_not(arena_holds(&arena, &other));
	cr_assert_not(arena_holds(&arena, text + 4096));
}

/* Runs in a child: the process ends there. */
static int status_of_overflow(void)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct arena arena = {0};

		fclose(stderr);
		close(STDERR_FILENO);
		(void)arena_array(&arena, SIZE_MAX / 2, 4);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return status;
}

TEST(arena, a_product_beyond_memory_ends_the_process_with_status_one)
{
	int status = status_of_overflow();

	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status %x", status);
}

TEST(arena, a_list_grows_and_keeps_what_is_in_it)
{
	AUTO(arena_drop) struct arena arena = {0};
	size_t room = 0, moves = 0;
	unsigned *items = NULL;

	for (unsigned i = 0; i < 1000; i++) {
		unsigned *grown = arena_grow(&arena, items, i, &room, sizeof(*items));

		cr_assert(room > i);
		moves += grown != items;
		items = grown;
		items[i] = i;
	}
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_eq(items[i], i);
	cr_assert(moves > 1 && moves < 10, "moved %zu times", moves);
}
