/* What went wrong, as a plain value.
 *
 * A function that can fail takes `struct error *err` last, returns -1 (or NULL) when it fails, and fills *err exactly
 * then. The value lives on the caller's stack: nothing to free, nothing to allocate while failing, and it crosses a
 * socket between processes as it is. Text reads as one complete line: "start web-17: mounts[2]: bind /srv/a on /srv: No
 * such file or directory". */
#ifndef WARREN_BASE_ERROR_H
#define WARREN_BASE_ERROR_H

#include <stdarg.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(template, first) __attribute__((format(printf, template, first)))

/* Decides the exit status and nothing else: usage 2, missing 3, busy 4, system 1 (warren-oci: always 1). */
enum error_kind { ERROR_NONE, ERROR_USAGE, ERROR_MISSING, ERROR_BUSY, ERROR_SYSTEM };

#define ERROR_TEXT_SIZE 496

struct error {
	enum error_kind kind;
	int errnum;		    /* the errno behind it, 0 if none */
	char text[ERROR_TEXT_SIZE]; /* always ends in NUL; holds no line break */
};

/* Fills *err and returns -1. Text too long is cut in its middle, so that both what was done and why it failed stay. */
int fail(struct error *err, enum error_kind kind, const char *format, ...) PRINTF(3, 4);

/* The same for a failed system call: kind ERROR_SYSTEM, errnum = errno, ": " and strerror(errno) appended. */
int fail_errno(struct error *err, const char *format, ...) PRINTF(2, 3);

/* Puts "what I was doing: " in front of the text that is there; returns -1. */
int blame(struct error *err, const char *format, ...) PRINTF(2, 3);

/* Callers and the compiler alike shall see that these come back as -1: a path that fails does not go on with a value.
 */
#define fail(...)                                                                                                      \
	({                                                                                                             \
		(fail)(__VA_ARGS__);                                                                                   \
		-1;                                                                                                    \
	})
#define fail_errno(...)                                                                                                \
	({                                                                                                             \
		(fail_errno)(__VA_ARGS__);                                                                             \
		-1;                                                                                                    \
	})
#define blame(...)                                                                                                     \
	({                                                                                                             \
		(blame)(__VA_ARGS__);                                                                                  \
		-1;                                                                                                    \
	})

/* The exit status of `warren` for this error: 1, 2, 3 or 4; 0 for ERROR_NONE. */
int error_exit_status(const struct error *err);

#endif
