/* The kernel's small files in a cgroup directory: one number, "key value" lines, or one text to write.
 *
 * Private to this folder. Nothing here allocates: figures of a thousand cgroups are read into one buffer on the stack.
 * Directories are cgroupfs, so contents are the kernel's; they are still parsed strictly and bounded. */
#ifndef WARREN_CGROUPS_KNOBS_H
#define WARREN_CGROUPS_KNOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* Enough for every file read here but a list of pids (memory.stat of 6.18: 2.3 KiB; io.stat: 100 bytes a device). */
#define KNOB_SIZE 16384

/* The text, NUL-terminated, cut at size - 1. Its length, or -1 with errno (dir -1: ENOENT). */
ssize_t knob_read(int dir, const char *file, char *buffer, size_t size);
/* One write(2) into an existing file; -1 with errno. */
int knob_write(int dir, const char *file, const char *text);

/* Leading decimal number of text, at most 2^63-1; "max" gives -1 as our limits do. False when there is none. */
bool knob_parse(const char *text, int64_t *out);
/* The number a file consists of. False: no such file, or no number in it. */
bool knob_number(int dir, const char *file, int64_t *out);
/* The number behind "key " at the beginning of a line. */
bool keyed_number(const char *text, const char *key, int64_t *out);

#endif
