/* SHA-256 of a small document that is in memory whole. Large streams are hashed by warren-pull, with libcrypto. Private
 * to this folder. */
#ifndef WARREN_IMAGES_SHA256_H
#define WARREN_IMAGES_SHA256_H

#include <stddef.h>

#define SHA256_TEXT_SIZE 65

/* Lower-case hexadecimal digits. */
void sha256_text(const void *bytes, size_t length, char text[SHA256_TEXT_SIZE]);

#endif
