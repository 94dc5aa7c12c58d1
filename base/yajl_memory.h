/* What yajl's parser and generator allocate with: running out of memory ends the process (docs/decisions/008). Only
 * base/json.c and base/encode.c include this header. */
#ifndef WARREN_BASE_YAJL_MEMORY_H
#define WARREN_BASE_YAJL_MEMORY_H

#include <yajl/yajl_common.h>

extern yajl_alloc_funcs yajl_memory;

#endif
