/* Mount tables, as /proc/PID/mountinfo shows them (proc_pid_mountinfo(5)). */
#ifndef WARREN_BASE_MOUNTINFO_H
#define WARREN_BASE_MOUNTINFO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* One mount; the kernel's escapes (\040) are undone. */
struct mountinfo {
	uint64_t id;
	const char *device; /* "254:1" */
	const char *root;   /* what of the file system is mounted: "/", "/srv/data" */
	const char *point;
	const char *flags;   /* of the mount: "rw,noatime"; begins with rw or ro, as do options */
	const char *type;    /* "ext4" */
	const char *options; /* of the super block: "rw,nsdelegate" */
};

/* Takes one line apart, in place. False: it is no line of such a table. */
bool mountinfo_parse(char *line, struct mountinfo *out);

/* Shows each mount of the process whose /proc/PID is open as `proc` (AT_FDCWD: our own table) until `visit` gives
 * false. The kernel writes the table a page at a time while it is read, so what comes after is not paid for. What is
 * shown is valid until visit returns; lines that are not understood are left out. -1: the table cannot be read or is
 * longer than 64 MiB. */
MUST_CHECK int mountinfo_each(
	int proc, bool (*visit)(void *context, const struct mountinfo *mount), void *context, struct error *err);

/* The same for our own table; *goes_on: it is longer than what had to be read for it, which costs one line more. */
MUST_CHECK int mountinfo_each_own(
	bool (*visit)(void *context, const struct mountinfo *mount), void *context, bool *goes_on, struct error *err);

#endif
