/* What this test program does when it is started inside an instance, as `test-end_to_end --probe NAME [ARGUMENT…]`: it
 * tries what an instance must not be able to do, and prints what it found.
 *
 *   identity           namespaces, ids, capabilities and the like, one "NAME VALUE" a line
 *   calls              "N refused", or one line for each system call that did not end as it must
 *   files              the same for files that must be hidden or read-only
 *   admin              the same for what CAP_SYS_ADMIN without a filter must not reach: the host's files
 *   system             the same for what the profile "system" must not reach although it undoes our mounts
 *   descriptors        one line for each open descriptor: "NUMBER TARGET"
 *   connect PLACE…     one "PLACE WORD" a line: connected, refused, unreachable, silent …; each is IP:PORT or [IP]:PORT
 *   send PLACE…        a datagram to each, "PLACE tried" a line
 *   abstract NAME      the WORD for a unix socket of the abstract name space
 *   serve PORT         says "serving", then accepts connections for ever
 *   passed …           with listening sockets that it was given: see support_probe_passed.c
 *   fork               "N processes, then Resource temporarily unavailable"
 *   spin               uses a processor for ever
 *   touch              uses memory without end */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_PROBE_H
#define WARREN_TESTS_END_TO_END_SUPPORT_PROBE_H

#include <stdbool.h>
#include <stddef.h>

int probe_calls(void);
int probe_files(void);
int probe_admin(void);
int probe_system(void);
/* Also of use outside: the same words as the probe prints of a PLACE. */
const char *probe_connect(const char *text);

const char *probe_connect_word(int errnum);
int probe_passed(int argc, char **argv);
/* connect(2) of a socket of either family, within a second: the word for how it went. */
const char *probe_turn(int fd, const char *address, int port);

/* Counts attempts and prints those that did not end as expected. */
struct probe_count {
	int tried, wrong;
};
/* result as a system call gives it, with errno; expected_errno 0: must succeed. */
void probe_check(struct probe_count *count, const char *name, long result, int expected_errno);
void probe_wrong(struct probe_count *count, const char *name, const char *what);
int probe_count_print(const struct probe_count *count);

#endif
