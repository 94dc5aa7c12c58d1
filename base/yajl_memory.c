/* malloc(3) and its relatives for yajl, which would otherwise go on with NULL. */
#include "base/yajl_memory.h"

#include <stdlib.h>

#include "base/arena.h"

static void *checked_malloc(void *context, size_t size)
{
	void *memory = malloc(size);

	(void)context;
	if (!memory)
		memory_exhausted();
	return memory;
}

static void *checked_realloc(void *context, void *old, size_t size)
{
	void *memory = realloc(old, size);

	(void)context;
	if (!memory)
		memory_exhausted();
	return memory;
}

static void release(void *context, void *memory)
{
	(void)context;
	free(memory);
}

/* Not const: yajl's functions take it without. */
yajl_alloc_funcs yajl_memory = {.malloc = checked_malloc, .realloc = checked_realloc, .free = release};
