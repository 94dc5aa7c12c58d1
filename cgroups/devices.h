/* Which devices a cgroup's processes may open or make; private to this folder.
 *
 * One meaning on both versions: each of read, write and mknod is decided by the last rule that matches the device and
 * names that access; what no rule names is refused. */
#ifndef WARREN_CGROUPS_DEVICES_H
#define WARREN_CGROUPS_DEVICES_H

#include <linux/bpf.h>

#include "cgroups/cgroups.h"

/* v1 knows a default and a set of exceptions to it, in no order. */
struct device_list {
	bool allow;				       /* the default */
	LIST_OF(struct cgroup_device_rule) exceptions; /* all of the other kind; none overlaps another's access */
};

/* Refuses malformed rules and, for v1, sequences that a default with exceptions cannot say. */
MUST_CHECK int devices_check(const struct cgroup_limits *limits, bool v1, struct error *err);

/* v1: the rules as default and exceptions. */
MUST_CHECK int device_list_make(
	struct arena *arena, const struct cgroup_limits *limits, struct device_list *out, struct error *err);
/* v1: the text of devices.list. Lines that mean nothing are passed over. */
void device_list_parse(struct arena *arena, const char *text, struct device_list *out);
/* v1: makes the list so. A live one is changed difference by difference, allowances first, so that a running process
 * never meets a refusal in between. */
MUST_CHECK int device_list_write(int dir, const struct device_list *list, bool live, struct error *err);

/* v2: the rules as a program; gives the number of instructions. program[] must hold DEVICE_PROGRAM_MAX(count). */
#define DEVICE_PROGRAM_MAX(rules) (8 + 9 * (rules))
size_t device_program_make(const struct cgroup_limits *limits, struct bpf_insn *program);
/* v2: loads the program and attaches it to the cgroup (not an O_PATH descriptor), in place of the one attached before
 * when live. */
MUST_CHECK int device_program_attach(int dir, const struct cgroup_limits *limits, bool live, struct error *err);

#endif
