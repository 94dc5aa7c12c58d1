/* The home directory of a user, as the container's own /etc/passwd has it. Only runtime/ includes this header. */
#ifndef WARREN_RUNTIME_HOME_H
#define WARREN_RUNTIME_HOME_H

#include <stddef.h>
#include <sys/types.h>

/* Longest that is taken, with its NUL. */
#define HOME_SIZE 256

/* Child side, inside the root: puts the home directory of uid into home (HOME_SIZE bytes) and leaves home as it was
 * when the file has none that is absolute and fits, or is no regular file. Never fails, takes the first line of that
 * uid, and reads at most 1 MiB. */
void home_find(uid_t uid, char *home);

/* The same from an open file. */
void home_read(int fd, uid_t uid, char *home);

#endif
