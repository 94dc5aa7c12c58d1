/* Base64 (RFC 4648), strictly: no blanks, right padding, no stray bits. */
#ifndef WARREN_IMAGES_PULL_BASE64_H
#define WARREN_IMAGES_PULL_BASE64_H

#include "base/arena.h"

const char *base64_encode(struct arena *arena, const char *text);
/* NULL when it is not base64, or holds a NUL. */
const char *base64_decode(struct arena *arena, const char *text);

#endif
