/* Unix sockets: whole messages with descriptors, and stream sockets named below a directory descriptor. */
#include "base/socket.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"

#define MESSAGE_FDS 32

/* Aligned as the kernel wants it, large enough for MESSAGE_FDS descriptors. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
};

int socket_pair(int ends[2], struct error *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		ends[0] = ends[1] = -1;
		return fail_errno(err, "make a socket pair");
	}
	return 0;
}

int socket_send(int fd, const void *bytes, size_t length, const int *fds, size_t fd_count)
{
	struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	union control control = {0};
	ssize_t sent;

	if (fd_count > MESSAGE_FDS) {
		errno = EMSGSIZE;
		return -1;
	}
	if (fd_count) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		assert(head); /* the room was just given */
		*head = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(fd_count * sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		};
		memcpy(CMSG_DATA(head), fds, fd_count * sizeof(int));
	}
	do
		sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -1 : 0;
}

/* Copies the descriptors of all control messages to fds (room for MESSAGE_FDS; control holds no more). Gives their
 * number. */
static size_t descriptors_take(struct msghdr *message, int fds[MESSAGE_FDS])
{
	size_t count = 0;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fds + count, CMSG_DATA(header), here * sizeof(int));
		count += here;
	}
	return count;
}

static ssize_t refuse_message(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	errno = EMSGSIZE;
	return -1;
}

ssize_t socket_receive(int fd, void *bytes, size_t length, int *fds, size_t *fd_count)
{
	struct iovec part = {.iov_base = bytes, .iov_len = length};
	union control control = {0};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	int received[MESSAGE_FDS];
	size_t count, room = fd_count ? *fd_count : 0;
	ssize_t got;

	do
		got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (fd_count)
		*fd_count = 0;
	if (got < 0)
		return -1;
	count = descriptors_take(&message, received);
	if (count > room || (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)))
		return refuse_message(received, count);
	if (count)
		memcpy(fds, received, count * sizeof(int));
	if (fd_count)
		*fd_count = count;
	return got;
}

static int address_set(struct sockaddr_un *address, int dir, const char *name, struct error *err)
{
	int length;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	length = snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", dir, name);
	if (length < 0 || (size_t)length >= sizeof(address->sun_path))
		return fail(err, ERROR_USAGE, "socket %s: the name is too long", name);
	return 0;
}

static int stream_socket(struct error *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? fail_errno(err, "make a socket") : fd;
}

int socket_listen(int dir, const char *name, struct error *err)
{
	struct sockaddr_un address;
	auto_fd fd = -1;

	if (address_set(&address, dir, name, err) < 0)
		return -1;
	fd = stream_socket(err);
	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_errno(err, "make socket %s", name);
	if (listen(fd, SOMAXCONN) < 0)
		return fail_errno(err, "listen on socket %s", name);
	return take_fd(&fd);
}

int socket_connect(int dir, const char *name, struct error *err)
{
	struct sockaddr_un address;
	auto_fd fd = -1;

	if (address_set(&address, dir, name, err) < 0)
		return -1;
	fd = stream_socket(err);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_errno(err, "connect to socket %s", name);
	return take_fd(&fd);
}
