/* Files of the host that an instance's specification points to: configs, secrets, environment files. Only fleet/
 * includes this header. */
#ifndef WARREN_FLEET_FILE_SOURCE_H
#define WARREN_FLEET_FILE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

#define SOURCE_MAX_BYTES ((size_t)1 << 20)

/* A regular file that we may read, at most 1 MiB; a FIFO or a device cannot hang or flood us. Absent: ERROR_MISSING. */
MUST_CHECK int source_read(
	struct arena *arena, const char *path, const char **content, size_t *length, struct error *err);
/* The same questions without reading. */
MUST_CHECK int source_check(const char *path, struct error *err);

/* A number that stands for what all files of a specification (configs, secrets, environment files) hold now: another
 * one when any of them holds something else. 0: it names none, or one cannot be read. */
struct instance_spec;
uint64_t sources_digest(const struct instance_spec *spec);

#endif
