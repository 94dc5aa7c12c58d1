/* What yajl's parser and generator allocate with. Only base/json.c and base/encode.c include this header.
 *
 * They take a few small pieces and give them back together, so these lie in one pool, on the caller's stack or in his
 * own structure, and only what does not fit there comes from malloc(3). That is quicker, and leaves nothing of theirs
 * in malloc's lists, which would keep pages of a monitor's heap for good (docs/decisions/031). */
#ifndef WARREN_BASE_YAJL_MEMORY_H
#define WARREN_BASE_YAJL_MEMORY_H

#include <stdalign.h>
#include <stddef.h>
#include <yajl/yajl_common.h>

struct yajl_pool {
	yajl_alloc_funcs functions;
	size_t used;
	alignas(max_align_t) char bytes[3072]; /* a parser, or a generator with its first 2 KiB of text */
};

/* Empties the pool: whatever was taken from it must have been freed. What is returned points into it. Running out of
 * memory ends the process (docs/decisions/008). */
yajl_alloc_funcs *yajl_pool_begin(struct yajl_pool *pool);

#endif
