/* What the tests of runtime/ share: a tiny root of a static busybox, a specification for it, and running one program in
 * it to its end with its output. */
#ifndef WARREN_TESTS_SUPPORT_RUNTIME_H
#define WARREN_TESTS_SUPPORT_RUNTIME_H

#include "base/arena.h"
#include "base/cleanup.h"
#include "runtime/runtime.h"
#include "tests/test.h"

#define BASE_ID 700000 /* the host id of the id ranges used here */

struct sandbox {
	struct arena arena;
	char directory[64]; /* a temporary directory of our own */
	char root[80];	    /* directory/rootfs */
	struct spec spec;
};

/* A directory with a root in it; the specification has the manager's defaults without filter and cgroup mount. */
void sandbox_make(struct sandbox *sandbox);
void sandbox_drop(struct sandbox *sandbox);

/* A new user namespace with 65,536 ids from BASE_ID; the root's files are given to that range. */
void sandbox_use_own_ids(struct sandbox *sandbox);
/* The program: /bin/sh -c script. */
void sandbox_script(struct sandbox *sandbox, const char *script);
void sandbox_add_mount(struct sandbox *sandbox, struct spec_mount mount);
/* Takes the default mount at that destination out of the list. */
void sandbox_remove_mount(struct sandbox *sandbox, const char *destination);
/* Creates a file below the root from the outside. */
void sandbox_write(struct sandbox *sandbox, const char *path, const char *content);

/* Starts, waits for the end and collects what it printed (stdout and stderr). Gives the exit status, or -1 when it
 * could not be started. launch may be NULL. */
int sandbox_run(struct sandbox *sandbox, const struct launch *base, char *output, size_t size, struct error *err);

/* Runs the script in the sandbox and expects status and, somewhere, the text. */
#define EXPECT_RUN(box, expected_status, expected_text)                                                                \
	do {                                                                                                           \
		struct error run_err = {0};                                                                            \
		char run_output[8192];                                                                                 \
		int run_status = sandbox_run(box, NULL, run_output, sizeof(run_output), &run_err);                     \
		cr_assert(run_status == (expected_status), "%d %s|%s", run_status, run_err.text, run_output);          \
		cr_assert(strstr(run_output, (expected_text)), "%s", run_output);                                      \
	} while (0)

/* The empty launch of a specification: no descriptors. */
struct launch launch_of(const struct spec *spec);

/* Starts without waiting for the end. */
int sandbox_start(struct sandbox *sandbox, struct launched *out, struct error *err);
/* SIGKILL, reap, drop. */
void launched_end(struct launched *launched);

/* Lines in /proc/self/mountinfo. */
int host_mounts(void);

#endif
