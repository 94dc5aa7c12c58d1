/* Checksums of a small document that is in memory whole. Large streams are hashed by warren-pull. Private to this
 * folder. */
#ifndef WARREN_IMAGES_CHECKSUM_H
#define WARREN_IMAGES_CHECKSUM_H

#include <stddef.h>

#define SHA256_TEXT_SIZE 65
#define MD5_TEXT_SIZE 33

/* Both give lower-case hexadecimal digits, and cannot fail. */
void sha256_text(const void *bytes, size_t length, char text[SHA256_TEXT_SIZE]);
/* MD5, because dpkg records its configuration files' checksums in it. Not for security: what is compared was written by
 * the host's root, and says only whether a file is still the package's own. */
void md5_text(const void *bytes, size_t length, char text[MD5_TEXT_SIZE]);

#endif
