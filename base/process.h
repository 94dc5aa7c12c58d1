/* Processes: clone3, pidfds, waiting, identity against pid reuse, and running one helper program. */
#ifndef WARREN_BASE_PROCESS_H
#define WARREN_BASE_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/text.h"

/* clone3(2) like fork(): single-threaded, copied memory. flags: CLONE_NEW…, CLONE_PARENT. cgroup ≥ 0 adds
 * CLONE_INTO_CGROUP (5.7). *pidfd (if not NULL) gets a close-on-exec pidfd in the parent. Returns 0 in the child, the
 * pid in the parent, -1 errno. */
pid_t process_clone(uint64_t flags, int cgroup, int *pidfd);

/* Who a process is: a pid alone may be reused. */
struct process_id {
	pid_t pid;
	uint64_t start_time; /* clock ticks since boot, field 22 of /proc/PID/stat */
};
/* 0, or -1 with ERROR_MISSING when there is no such process. A zombie counts as missing. */
MUST_CHECK int process_identify(pid_t pid, struct process_id *out, struct error *err);
/* 1: it is there; 0: it has ended; -1: cannot be said now. */
MUST_CHECK int process_look(const struct process_id *id, struct error *err);
bool process_is_alive(const struct process_id *id);
/* A pidfd for exactly that process: opened first, then the start time compared. ERROR_MISSING when it has ended. */
MUST_CHECK int process_open(const struct process_id *id, struct error *err);
/* A namespace of exactly that process, "net" or "user" as in /proc/PID/ns, close-on-exec: opened first, then looked
 * whether it lives. ERROR_MISSING when it has ended. */
MUST_CHECK int process_namespace_open(const struct process_id *id, const char *name, struct error *err);
/* Sends a signal by pidfd. ESRCH is ERROR_MISSING. */
MUST_CHECK int process_signal(int pidfd, int signal, struct error *err);
/* Waits until the process has ended: 1, or 0 when the time is out. timeout_ms -1: for ever. Works for non-children. */
int process_wait_end(int pidfd, int64_t timeout_ms);
/* Reaps a child: *status as in waitpid(2) made from waitid(P_PIDFD). */
MUST_CHECK int process_reap(int pidfd, int *status, struct error *err);

/* "TERM", "SIGTERM", "15", "RTMIN+3" → number; ERROR_USAGE with a guess otherwise. signal_name gives "TERM". */
MUST_CHECK int signal_parse(const char *text, int *out, struct error *err);
const char *signal_name(int signal, char buffer[16]);

/* Runs a host program to its end: absolute path, no shell, environment only `env`, descriptors 0-2 only, killed when
 * the time is out. input (may be NULL) goes to its stdin; up to 4 KiB of its stderr and stdout (or answer_max bytes of
 * stdout alone) come back in output (may be NULL). 0 with *status as in waitpid; -1: could not be started or time out.
 */
struct helper {
	const char *const *argv; /* argv[0] is an absolute path, or program is set */
	const char *const *env;	 /* NULL: PATH=/usr/sbin:/usr/bin:/sbin:/bin only */
	const char *input;
	size_t input_length;
	int64_t timeout_ms;  /* -1: none */
	const char *program; /* the file to execute, an absolute path; NULL: argv[0] */
	size_t answer_max;   /* 0: both outputs, 4 KiB; else only stdout, so much, and its stderr is ours */
};
MUST_CHECK int process_run(const struct helper *helper, struct text *output, int *status, struct error *err);

/* A program of our own as a descriptor to execute (O_PATH): beside this program's file, in ../libexec/warren/ from
 * there, or in libexec, an absolute path. None: ERROR_MISSING. companion_check() is what is demanded of its file: a
 * program of root's or ours that nobody else may write. */
MUST_CHECK int companion_open(const char *program, const char *libexec, struct error *err);
MUST_CHECK int companion_check(int fd, const char *program, struct error *err);

int64_t clock_ms(void);	     /* CLOCK_BOOTTIME, for waits and durations */
int64_t clock_real_ms(void); /* CLOCK_REALTIME, for what people read */
/* clock_ms() when the time will be out; INT64_MAX for a negative timeout. */
int64_t clock_deadline_ms(int64_t timeout_ms);
/* What is left until then for poll(2): -1 for ever, 0 over, at most an hour (ask again). */
int clock_poll_ms(int64_t deadline_ms);
/* The kernel's boot id, 36 characters, read once. boot_id_read() says whether it could be: until then boot_id() may
 * give one that no boot has. */
const char *boot_id(void);
MUST_CHECK int boot_id_read(struct error *err);

#endif
