/* Unix sockets: pairs between parent and child, passing descriptors, sockets reached through a directory descriptor. */
#ifndef WARREN_BASE_SOCKET_H
#define WARREN_BASE_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* SOCK_SEQPACKET, close-on-exec: whole messages, and an end of file when the other side is gone. */
MUST_CHECK int socket_pair(int ends[2], struct error *err);

/* One message with up to 32 descriptors. -1 with errno (EPIPE: nobody there; no SIGPIPE). */
int socket_send(int fd, const void *bytes, size_t length, const int *fds, size_t fd_count);

/* One message; descriptors arrive close-on-exec in fds[], *fd_count in: room, out: number. Gives the length, 0 at the
 * end, -1 with errno. More descriptors than there is room for: EMSGSIZE, and all of them closed. */
ssize_t socket_receive(int fd, void *bytes, size_t length, int *fds, size_t *fd_count);

/* Listening / connected stream socket at dir/name, reached as /proc/self/fd/<dir>/name so that sun_path's 108 bytes
 * never bind. */
MUST_CHECK int socket_listen(int dir, const char *name, struct error *err);
MUST_CHECK int socket_connect(int dir, const char *name, struct error *err);

#endif
