/* The checks of spec_check.c's table that are in files of their own. Only the files spec_check*.c of fleet/ include
 * this header. */
#ifndef WARREN_FLEET_SPEC_SPEC_CHECK_H
#define WARREN_FLEET_SPEC_SPEC_CHECK_H

#include "fleet/spec/spec_fields.h"

/* Runs check_one for every item of a list; the index stays at the one that failed. */
#define CHECK_ITEMS(list, index, check_one)                                                                            \
	do {                                                                                                           \
		for (*(index) = 0; *(index) < (list).count; ++*(index))                                                \
			if (check_one < 0)                                                                             \
				return -1;                                                                             \
		return 0;                                                                                              \
	} while (0)

/* A file of the host, by its path: its form alone. */
MUST_CHECK int check_source_file(const char *path, struct error *err);

/* spec_check_resources.c */
spec_checker check_cpus, check_cpuset, check_memory, check_memory_high, check_disk, check_memory_low, check_swap,
	check_egress, check_ingress, check_io_max, check_ulimits;
/* spec_check_files.c */
spec_checker check_volumes, check_configs;
/* spec_check_rights.c */
spec_checker check_cap_add, check_cap_drop, check_seccomp, check_apparmor, check_selinux, check_sysctls, check_hooks;

#endif
