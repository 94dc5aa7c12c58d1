/* MD5 (RFC 1321), because dpkg records its configuration files' checksums in it. Not for security: what is compared was
 * written by the host's root, and says only whether a file is still the package's own. Private to this folder. */
#ifndef WARREN_IMAGES_MD5_H
#define WARREN_IMAGES_MD5_H

#include <stddef.h>

#define MD5_TEXT_SIZE 33

/* Lower-case hexadecimal digits. */
void md5_text(const void *bytes, size_t length, char text[MD5_TEXT_SIZE]);

#endif
