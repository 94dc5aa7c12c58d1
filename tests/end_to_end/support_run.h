/* Starts programs as a user does and captures what they say. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_RUN_H
#define WARREN_TESTS_END_TO_END_SUPPORT_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct run_options {
	const char *input;	/* to its standard input; NULL: /dev/null */
	const char *directory;	/* working directory; NULL: ours */
	const char *const *env; /* whole environment; NULL: ours */
	int64_t timeout_ms;	/* 0: 60 s; then the process group is killed */
	const int *keep;	/* descriptors to pass on, as 3, 4 …; ends with -1 */
	/* Meanwhile takes the ends of all other children, too: of one who adopts (PR_SET_CHILD_SUBREAPER), where the
	 * program may wait for a PID namespace to empty, and we are the parent of what ended in it. */
	bool reaps;
};

struct run_result {
	int status; /* exit status, or 128 + signal */
	bool timed_out;
	char *out, *err; /* all it wrote, never NULL; ends in NUL */
	size_t out_length, err_length;
};

/* Waits for the program's end, not for the end of what it left running: output of those is taken as far as it is there.
 * argv[0] is searched in PATH. options may be NULL. 127: could not be executed. */
struct run_result run_program(const char *const argv[], const struct run_options *options);
void run_result_drop(struct run_result *result);

/* RUN("busybox", "true"): a result that is released at the end of the scope is declared so:
 *   auto_run run = RUN("busybox", "true"); */
#define RUN(...) run_program((const char *const[]){__VA_ARGS__, NULL}, NULL)
#define auto_run AUTO(run_result_drop) struct run_result

#define ASSERT_STATUS(run, expected)                                                                                   \
	cr_assert((run).status == (expected), "status %d, expected %d: %s%s", (run).status, expected, (run).out,       \
		(run).err)
/* Status 1, and one line on standard error in which that text is. */
#define ASSERT_REFUSED(run, text)                                                                                      \
	do {                                                                                                           \
		ASSERT_STATUS(run, 1);                                                                                 \
		cr_assert(strstr((run).err, text), "got \"%s\", expected \"%s\"", (run).err, text);                    \
		cr_assert(strchr((run).err, '\n') == (run).err + (run).err_length - 1, "not one line: %s", (run).err); \
	} while (0)

/* A new directory below /tmp, removed with all below it by run_directory_drop(). */
struct run_directory {
	char path[64];
};
struct run_directory run_directory_new(void);
void run_directory_drop(struct run_directory *directory);
#define auto_directory AUTO(run_directory_drop) struct run_directory

/* Writes a file below a directory, parents made. */
void run_write_file(const char *directory, const char *name, mode_t mode, const char *content);

#endif
