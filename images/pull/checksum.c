/* CRC-32 by isa-l where it was built with it (ten times as fast), else by zlib. */
#include "images/pull/checksum.h"

#ifdef WARREN_ISAL
#include <isa-l/crc.h>

uint32_t checksum_add(uint32_t checksum, const void *bytes, size_t length)
{
	return crc32_gzip_refl(checksum, bytes, length);
}
#else
#include <zlib.h>

uint32_t checksum_add(uint32_t checksum, const void *bytes, size_t length)
{
	return (uint32_t)crc32_z(checksum, bytes, length);
}
#endif
