/* One start under way, between the files that do its parts: launching.c the sequence, launch_prepare.c what comes
 * before there is a process, launch_root.c what that finds in its root. Only these three include this header. */
#ifndef WARREN_FLEET_MONITOR_LAUNCHING_H
#define WARREN_FLEET_MONITOR_LAUNCHING_H

#include "fleet/monitor/monitor.h"
#include "fleet/network/attachment.h"
#include "fleet/start/devices.h"
#include "images/images.h"

/* What one start needs; all of it ends with the start. */
struct start {
	struct monitor *monitor;
	struct host *host;
	struct arena arena;
	struct image_session session;
	int instance; /* the instance's directory, opened inside the session */
	struct record record;
	struct attachment attachment;
	struct network network; /* with attachment.network */
	struct instance_spec wanted;
	struct image_config image;
	struct image_user user;
	struct spec spec;
	struct container_facts facts; /* for hooks */
	struct config_file_list configs;
	struct device_node_list devices;
	struct endpoint endpoint;
	struct net_session *net; /* NULL: no network of its own */
	struct seccomp_program *seccomp;
	struct cgroup cgroup;
	struct cgroup_entrance entrance;
	struct root_parts parts;
	int stdio[3];
	bool again; /* in kept namespaces */
};

/* --- launch_prepare.c --------------------------------------------------------------------------------------------- */

/* All that can fail without a process: facts, user, specification, filter, output, control group. */
MUST_CHECK int start_prepare(struct start *start, struct error *err);
/* Its root, with that user namespace (-1: without an id map). */
struct root_request start_root_request(const struct start *start, int userns, uid_t id_base);

/* --- launch_root.c ------------------------------------------------------------------------------------------------ */

/* Detached mounts for the child: its root, volumes, configs, hosts. In start->parts; on failure what was made is there
 * too. */
MUST_CHECK int start_parts_make(struct start *start, int userns, struct error *err);
/* It sees the hosts file of its network: the names of an isolated one are nobody's business in it. */
bool start_shares_hosts(const struct start *start);

#endif
