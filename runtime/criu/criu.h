/* CRIU, the program that writes a tree of processes to files and makes it anew from them.
 *
 * It is executed as `criu swrk 3`, which makes it serve one requester over a socket: one message asks for a dump or a
 * restore, notifications come while it works, each of which it waits to be answered, and at the end the result. The
 * messages are those of criu's rpc.proto; the few that are needed are written and read here (criu_message.c), so that
 * no library has to be there, nor be loaded. */
#ifndef WARREN_RUNTIME_CRIU_H
#define WARREN_RUNTIME_CRIU_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "cgroups/cgroups.h"
#include "runtime/start/cgroup_flags.h"

/* criu_req_type of rpc.proto */
enum criu_verb { CRIU_DUMP = 1, CRIU_RESTORE = 2, CRIU_PRE_DUMP = 4, CRIU_NOTIFY = 6 };

#define CRIU_EMPTY_NETWORK UINT64_C(0x40000000) /* of empty_namespaces: CLONE_NEWNET */

/* A descriptor of ours that takes the place of one that was declared external by that key. */
struct criu_inherited {
	const char *key;
	int fd;
};
struct criu_join {
	const char *namespace; /* "ipc" */
	const char *file;
};
struct criu_cgroup_root {
	const char *controllers, *path;
};

/* Of enum criu_network_lock_method. */
#define CRIU_LOCK_NFTABLES 2
#define CRIU_LOCK_NOTHING 3

/* NULL, false and 0 leave out what they stand for. */
struct criu_request {
	enum criu_verb verb;
	int64_t pid;
	bool leave_running, external_unix_sockets, tcp_established, tcp_close, tcp_skip_in_flight, shell_job,
		file_locks, lazy_pages, auto_dedup, track_memory, link_remap, orphan_master, sibling, notify,
		evasive_devices;
	bool status; /* CRIU has a descriptor for its status (struct criu_start) */
	int64_t log_level, cgroups;
	const char *log_file, *root, *parent, *freezer, *config_file, *lsm_profile, *lsm_mount_context;
	uint64_t empty_namespaces;
	uint64_t network_lock;	 /* how: CRIU_LOCK_…; 0: as CRIU likes */
	struct strings external; /* "mnt[/data]:/data", "file[1f:2a]" … */
	struct {
		struct criu_inherited *items;
		size_t count;
	} inherited;
	struct {
		struct criu_join *items;
		size_t count;
	} joins;
	struct {
		struct criu_cgroup_root *items;
		size_t count;
	} cgroup_roots;
	struct {
		const char *address;
		int64_t port;
	} page_server;
};

struct criu_answer {
	enum criu_verb verb;
	bool success;
	pid_t pid;	       /* of the restored first process */
	int cr_errno;	       /* what failed, as an errno; 0: unknown */
	char notification[64]; /* "setup-namespaces"; empty: none */
	pid_t notified_pid;
	char message[256]; /* CRIU's own words; empty: none */
};

/* As rpc.proto has them. The encoder gives bytes to append; the decoder refuses what is no such message. */
void criu_request_encode(const struct criu_request *request, struct text *out);
void criu_notified_encode(bool success, struct text *out);
MUST_CHECK int criu_answer_decode(
	const unsigned char *bytes, size_t length, struct criu_answer *out, struct error *err);

/* The program, by descriptor: `program`, an absolute path, or NULL for the one in the system's directories. Must belong
 * to root or to us and be writable by nobody else. ERROR_MISSING names the package. */
MUST_CHECK int criu_find(const char *program, struct error *err);

struct criu_start {
	const char *program;			/* NULL: the system's */
	const struct cgroup_entrance *entrance; /* where it and what it restores lives; NULL: our own cgroup */
	int images, work;			/* directories of images and of logs */
	int status_fd;				/* gets a byte when pages are served; -1: none */
	const int *keep;			/* descriptors it gets under the same numbers */
	size_t keep_count;
	/* CRIU 3.17 does not give it back to processes that had it: they inherit it instead. */
	bool no_new_privileges;
	/* What it works on has a cgroup namespace of its own. One of CRIU's own would make it take the host's for such,
	 * too.
	 */
	bool own_cgroups;
	/* In the new process, in a mount namespace of its own with an empty /tmp, before CRIU is executed. NULL:
	 * nothing more. */
	int (*stage)(void *context, int tmp, struct error *err);
	void *context;
};
struct criu {
	int socket, pidfd;
	int errors; /* what it wrote to its standard error */
	int work;   /* as in struct criu_start */
	pid_t pid;
	struct cgroup_flags cgroup_flags; /* as they were before it mounted the hierarchy */
};
#define CRIU_NONE ((struct criu){.socket = -1, .pidfd = -1, .errors = -1, .work = -1})

/* The numbers under which CRIU has its directories and its status. It looks them up as descriptors of the process that
 * made the connection, which is itself before it was executed. */
enum { CRIU_CONVERSATION_FD = 3, CRIU_IMAGES_FD, CRIU_WORK_FD, CRIU_STATUS_FD };

/* Starts it; when it is back, CRIU's mount namespace is complete. It ends with us. */
MUST_CHECK int criu_start(const struct criu_start *start, struct criu *out, struct error *err);
/* Kills and reaps it; what its mounts changed for the host is as before then. */
void criu_drop(struct criu *criu);

struct criu_events {
	/* fd: -1, or a descriptor that came along, which the callee may take (take_fd). A failure ends the request. */
	int (*notify)(void *context, const char *event, pid_t pid, int *fd, struct error *err);
	void *context;
};
/* Asks and waits for the end. A failure tells the end of CRIU's log. events may be NULL. *pid (may be NULL): the
 * restored first process. */
MUST_CHECK int criu_ask(struct criu *criu, const struct criu_request *request, const struct criu_events *events,
	pid_t *pid, struct error *err);

/* The last errors in a log of CRIU, at most `size` bytes of them, in one line; empty when there are none. */
void criu_log_errors(int dir, const char *name, char *out, size_t size);

#endif
