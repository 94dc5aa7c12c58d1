/* Paths below a root that somebody else controls.
 *
 * Nothing below a rootfs, a volume or an image is reached by a string path alone: it is resolved by openat2(2) with
 * RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS against a descriptor of that root, and used as a descriptor from then on.
 */
#ifndef WARREN_BASE_PATH_H
#define WARREN_BASE_PATH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* openat2 inside root. Absolute links and ".." stay inside. flags as open(2), O_CLOEXEC is added; O_CREAT takes mode.
 * EAGAIN (a rename raced) is retried a bounded number of times. */
MUST_CHECK int path_open(int root, const char *path, int flags, mode_t mode, struct error *err);
/* The same, -1 and errno, for callers that try alternatives. */
int path_try_open(int root, const char *path, int flags, mode_t mode);

/* openat2(2) with rules of the caller's, which are those of <linux/openat2.h>; retried in the same way. */
struct open_how;
int path_openat2(int dir, const char *path, const struct open_how *how);

/* Makes the directory and all missing parents inside root, one level at a time by descriptor; gives it O_PATH. A last
 * component that exists must be a directory after links are resolved inside root. */
MUST_CHECK int path_make_dirs(int root, const char *path, mode_t mode, struct error *err);
/* Makes an empty regular file (parents too, 0755) to mount a file on, unless something is there already; gives it O_PATH. */
MUST_CHECK int path_make_file(int root, const char *path, mode_t mode, struct error *err);

/* Absolute, without "." / ".." components, empty ones or a slash at the end (but "/"), without control characters,
 * shorter than PATH_MAX: what we demand of paths in our own files. `what` names the key in the error. */
MUST_CHECK int path_check_absolute(const char *what, const char *path, struct error *err);
/* True when path is dir or lies below it, by components ("/srv" is not a parent of "/srv2"). Both clean and absolute.
 */
bool path_is_under(const char *path, const char *dir);
/* The part after the last slash. */
const char *path_base(const char *path);

#endif
