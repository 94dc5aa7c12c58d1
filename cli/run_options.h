/* The flags of run and create, and what an instance shall be by them. */
#ifndef WARREN_CLI_RUN_OPTIONS_H
#define WARREN_CLI_RUN_OPTIONS_H

#include "base/arena.h"
#include "base/options.h"
#include "cli/health.h"
#include "fleet/spec.h"

struct run_options {
	bool detach, interactive, terminal, remove, read_only, ephemeral, publish_all;
	const char *name, *hostname, *user, *working_dir, *network, *address, *gateway, *address6, *entrypoint, *rootfs,
		*restart, *stop_signal, *pull, *log_driver, *cpus, *cpuset, *description, *memory_swap;
	struct strings aliases, publish, volumes, mounts, tmpfs, environment, env_files, labels, cap_add, cap_drop,
		devices, ulimits, sysctls, log_options, security, etc_from_host;
	struct strings profiles;
	struct health_options health;
	struct optional idle, memory, memory_high, memory_low, swap, pids, cpu_weight, io_weight, disk, stop_timeout,
		egress, ingress;
};

/* Ends with END_OF_OPTIONS; create has no --detach. */
extern const struct option run_options_table[], create_options_table[];

/* Flags and operands (the image and the command) → the same model that a fleet file's entry becomes; without a name. */
MUST_CHECK int run_spec_fill(struct arena *arena, const struct run_options *options, size_t count, char **operands,
	struct instance_spec *spec, struct error *err);

/* docker's --memory-swap, memory and swap together, and what was given as --memory and --swap → swap alone; *out stays
 * as it is for "0", which says nothing. */
MUST_CHECK int memory_swap_parse(const char *text, const struct optional *memory, const struct optional *swap,
	struct optional *out, struct error *err);

#endif
