/* CRC-32 as gzip and zip have it: finds what an unlucky disk did to a file, at next to no cost. Not a digest. */
#ifndef WARREN_IMAGES_PULL_CHECKSUM_H
#define WARREN_IMAGES_PULL_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Begin with 0. The same value whichever library computes it. */
uint32_t checksum_add(uint32_t checksum, const void *bytes, size_t length);

#endif
