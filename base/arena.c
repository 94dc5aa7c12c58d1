/* Arena: a list of mapped pieces, filled from the front.
 *
 * The kernel gives mapped memory zeroed and pages that were never touched cost nothing, so nothing is cleared here and
 * a generous piece is free. A request that would waste much of the current piece gets a piece of its own behind it, and
 * filling goes on where it was. */
#include "base/arena.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECE_MIN ((size_t)64 << 10)
#define PIECE_MAX ((size_t)1 << 20)
#define ROOM_AT_FIRST 32 /* items of a list that grows */

struct arena_piece {
	struct arena_piece *next;
	size_t size, used;
	alignas(max_align_t) char data[];
};

void memory_exhausted(void)
{
	static const char message[] = "out of memory\n";
	ssize_t ignored = write(STDERR_FILENO, message, sizeof(message) - 1);

	(void)ignored;
	_exit(1);
}

static size_t align_up(size_t size, size_t alignment)
{
	if (size > SIZE_MAX - alignment)
		memory_exhausted();
	return (size + alignment - 1) / alignment * alignment;
}

static void *memory_map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		memory_exhausted();
	return memory;
}

/* Of PIECE_MIN bytes each, and zeroed but for their list. */
static struct {
	char *from;
	size_t size;
	struct arena_piece *free;
} reserve;

static struct arena_piece *reserve_take(void)
{
	struct arena_piece *piece = reserve.free;

	reserve.free = piece->next;
	piece->next = NULL;
	return piece;
}

static void reserve_give(struct arena_piece *piece)
{
	memset(piece->data, 0, piece->used - offsetof(struct arena_piece, data));
	piece->next = reserve.free;
	reserve.free = piece;
}

static bool reserve_holds(const struct arena_piece *piece)
{
	return reserve.from && (const char *)piece >= reserve.from && (const char *)piece < reserve.from + reserve.size;
}

void arena_reserve(unsigned pieces)
{
	if (reserve.from)
		return;
	reserve.size = pieces * PIECE_MIN;
	reserve.from = memory_map(reserve.size);
	for (unsigned i = pieces; i > 0; i--) {
		struct arena_piece *piece = (struct arena_piece *)(void *)(reserve.from + (i - 1) * PIECE_MIN);

		piece->next = reserve.free;
		reserve.free = piece;
	}
}

static struct arena_piece *piece_map(size_t size)
{
	bool from_reserve = size <= PIECE_MIN && reserve.free;
	struct arena_piece *piece = from_reserve ? reserve_take() : memory_map(size);

	piece->size = from_reserve ? PIECE_MIN : size;
	piece->used = offsetof(struct arena_piece, data);
	return piece;
}

static void piece_unmap(struct arena_piece *piece)
{
	if (reserve_holds(piece))
		reserve_give(piece);
	else
		munmap(piece, piece->size);
}

static void *piece_take(struct arena_piece *piece, size_t size)
{
	void *memory = (char *)piece + piece->used;

	piece->used += size;
	return memory;
}

/* For one large request: put behind the piece being filled. */
static void *take_from_own_piece(struct arena *arena, size_t size)
{
	size_t header = offsetof(struct arena_piece, data);
	struct arena_piece *piece = piece_map(align_up(size > SIZE_MAX - header ? SIZE_MAX : size + header, 4096));

	if (arena->pieces) {
		piece->next = arena->pieces->next;
		arena->pieces->next = piece;
	} else {
		arena->pieces = piece;
	}
	return piece_take(piece, size);
}

static void *take_from_next_piece(struct arena *arena, size_t size)
{
	size_t piece_size = PIECE_MIN;
	struct arena_piece *piece;

	if (arena->pieces && arena->pieces->size >= PIECE_MIN)
		piece_size = arena->pieces->size < PIECE_MAX ? arena->pieces->size * 2 : PIECE_MAX;
	piece = piece_map(piece_size);
	piece->next = arena->pieces;
	arena->pieces = piece;
	return piece_take(piece, size);
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_piece *piece = arena->pieces;

	size = align_up(size ? size : 1, alignof(max_align_t));
	if (piece && size <= piece->size - piece->used)
		return piece_take(piece, size);
	if (size > PIECE_MIN / 4)
		return take_from_own_piece(arena, size);
	return take_from_next_piece(arena, size);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		memory_exhausted();
	return arena_alloc(arena, total);
}

void *arena_grow(struct arena *arena, void *items, size_t count, size_t *room, size_t size)
{
	size_t wider = *room ? 2 * *room : ROOM_AT_FIRST;
	void *grown;

	if (items && count < *room)
		return items;
	grown = arena_array(arena, wider, size);
	if (items)
		memcpy(grown, items, count * size);
	*room = wider;
	return grown;
}

const char *arena_bytes(struct arena *arena, const char *bytes, size_t length)
{
	char *copy = arena_alloc(arena, length + 1);

	if (length)
		memcpy(copy, bytes, length);
	return copy;
}

const char *arena_string(struct arena *arena, const char *text)
{
	return arena_bytes(arena, text, strlen(text));
}

const char *arena_format(struct arena *arena, const char *format, ...)
{
	va_list args, again;
	char *text;
	int length;

	va_start(args, format);
	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(length >= 0);
	text = arena_alloc(arena, (size_t)length + 1);
	vsnprintf(text, (size_t)length + 1, format, again);
	va_end(again);
	return text;
}

bool arena_holds(const struct arena *arena, const void *pointer)
{
	const char *byte = pointer;

	for (const struct arena_piece *piece = arena->pieces; piece; piece = piece->next)
		if (byte >= piece->data && byte < (const char *)piece + piece->used)
			return true;
	return false;
}

void arena_drop(struct arena *arena)
{
	int saved = errno;
	struct arena_piece *next;

	for (struct arena_piece *piece = arena->pieces; piece; piece = next) {
		next = piece->next;
		piece_unmap(piece);
	}
	arena->pieces = NULL;
	errno = saved;
}
