/* A pool for yajl: pieces one after the other, never given back one by one. In front of each is its size. */
#include "base/yajl_memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

struct piece {
	alignas(max_align_t) size_t size;
	char data[];
};

static bool pool_holds(const struct yajl_pool *pool, const void *memory)
{
	uintptr_t at = (uintptr_t)memory, first = (uintptr_t)pool->bytes;

	return at >= first && at < first + sizeof(pool->bytes);
}

static void *pool_take(void *context, size_t size)
{
	struct yajl_pool *pool = context;
	size_t room = sizeof(pool->bytes) - pool->used;
	struct piece *piece;
	void *memory;

	if (size <= room && sizeof(*piece) + size <= room) {
		piece = (struct piece *)(void *)(pool->bytes + pool->used);
		piece->size = size;
		pool->used += (sizeof(*piece) + size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
		return piece->data;
	}
	memory = malloc(size);
	if (!memory)
		memory_exhausted();
	return memory;
}

static void *pool_retake(void *context, void *old, size_t size)
{
	void *memory;
	size_t kept;

	if (pool_holds(context, old)) {
		kept = ((struct piece *)(void *)((char *)old - offsetof(struct piece, data)))->size;
		memory = pool_take(context, size);
		return memcpy(memory, old, kept < size ? kept : size);
	}
	memory = old ? realloc(old, size) : pool_take(context, size);
	if (!memory)
		memory_exhausted();
	return memory;
}

static void pool_free(void *context, void *memory)
{
	if (!pool_holds(context, memory))
		free(memory);
}

yajl_alloc_funcs *yajl_pool_begin(struct yajl_pool *pool)
{
	pool->functions =
		(yajl_alloc_funcs){.malloc = pool_take, .realloc = pool_retake, .free = pool_free, .ctx = pool};
	pool->used = 0;
	return &pool->functions;
}
