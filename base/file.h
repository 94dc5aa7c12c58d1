/* Whole small files, relative to directory descriptors; locks; descriptors.
 *
 * `dir` is a directory descriptor or AT_FDCWD. All opened descriptors are close-on-exec. */
#ifndef WARREN_BASE_FILE_H
#define WARREN_BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"

/* Reads a regular or kernel file whole: at most `max` bytes, more is an error (ERROR_USAGE). The text ends in NUL; one
 * with a NUL inside is an error when `length` is NULL. Absent: ERROR_MISSING. Opened O_NONBLOCK, so that a FIFO in its
 * place cannot hang the reader; what is neither a regular file nor on proc/sysfs/cgroup is refused. */
MUST_CHECK int file_read(struct arena *arena, int dir, const char *path, size_t max, const char **content,
	size_t *length, struct error *err);
MUST_CHECK int fd_read_all(
	struct arena *arena, int fd, size_t max, const char **content, size_t *length, struct error *err);

/* One write(2) of the text into an existing file (a knob of the kernel). */
MUST_CHECK int file_write(int dir, const char *path, const char *content, struct error *err);
MUST_CHECK int file_writef(int dir, const char *path, struct error *err, const char *format, ...) PRINTF(4, 5);

/* Replaces path whole or not at all: temporary file beside it, write, rename. After a power cut a VOLATILE file may be
 * there and empty; an ORDERED one begins its way to the disk before it gets its name, which costs no waiting and keeps
 * the order where the file system journals names after data (ext4); a DURABLE one is on the disk, name and all (fsync
 * of file and directory). A temporary file that a kill left behind is named ".<path>.<random>~" and may be removed by
 * anybody who holds the directory's lock. */
enum file_durability { FILE_VOLATILE, FILE_ORDERED, FILE_DURABLE };
MUST_CHECK int file_replace(int dir, const char *path, mode_t mode, enum file_durability durability,
	const char *content, size_t length, struct error *err);
/* Removes such temporary files from the directory. The caller holds the lock under which its files are replaced. */
MUST_CHECK int file_leftovers_remove(int dir, struct error *err);

/* read(2) and write(2), again when a signal came in between. */
ssize_t read_retried(int fd, void *bytes, size_t length);
ssize_t write_retried(int fd, const void *bytes, size_t length);
/* Writes all of it; restarts on EINTR and short writes. -1 with errno. */
MUST_CHECK int write_all(int fd, const void *bytes, size_t length);

/* Opens or creates a directory of ours, one level: O_DIRECTORY|O_CLOEXEC. With create: mkdirat (EEXIST is fine), then
 * the directory must belong to us and not be a link. -1: failed. */
MUST_CHECK int dir_open(int dir, const char *path, struct error *err);
MUST_CHECK int dir_create(int dir, const char *path, mode_t mode, struct error *err);
/* An absolute path of ours, each level made when missing (mode 0755 but for the last). */
MUST_CHECK int dir_create_all(const char *path, mode_t mode, struct error *err);
/* Names in a directory, without "." and "..", at most `max`; sorted. */
struct strings;
MUST_CHECK int dir_list(struct arena *arena, int dir, size_t max, struct strings *names, struct error *err);
/* Removes name and all below it: never follows a link, never crosses a mount (st_dev), depth bounded. Absent is fine.
 */
MUST_CHECK int tree_remove(int dir, const char *name, struct error *err);

/* flock(2) on an open file. The kernel drops it when its holder dies. timeout_ms: 0 = at once or not, -1 = for ever.
 * Taken by another when the time is out: ERROR_BUSY (the text says only that; callers blame() what for). */
MUST_CHECK int lock_exclusive(int fd, int64_t timeout_ms, struct error *err);
MUST_CHECK int lock_shared(int fd, int64_t timeout_ms, struct error *err);
/* Opens (creating, 0600) a lock file and takes it exclusively; gives the descriptor: closing it is letting go. */
MUST_CHECK int lock_file(int dir, const char *path, int64_t timeout_ms, struct error *err);
/* True when somebody holds path's flock exclusively now. Absent: false. */
bool lock_is_held(int dir, const char *path);

/* Open-file-description write lock (fcntl(2) F_OFD_SETLK), not waiting: 0 taken, -1 not (errno). Dropped when the last
 * copy of the descriptor closes, so also by exec through close-on-exec. ofd_lock_is_held() asks without disturbing
 * (F_OFD_GETLK): 1, 0, or -1 with errno. */
MUST_CHECK int ofd_lock(int fd);
int ofd_lock_is_held(int fd);

/* close_range(2) to the end with CLOSE_RANGE_CLOEXEC: nothing ≥ first survives an exec. */
int fds_close_on_exec_from(unsigned first);
/* Closes all descriptors ≥ 3 but those in keep[] (sorted or not). */
MUST_CHECK int fds_close_all_but(const int *keep, size_t count);
/* Closes those that are not -1 and makes them -1; numbers in a row take one call. errno stays. */
void fds_drop(int *fds, size_t count);
/* Makes sure that 0, 1 and 2 are open (on /dev/null): first thing in main(). */
void fds_open_standard(void);

#endif
