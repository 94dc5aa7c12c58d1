#include "base/socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/error.h"
#include "tests/base/scratch.h"
#include "tests/test.h"

#define PAIR(name)                                                                                                     \
	int name[2];                                                                                                   \
	ASSERT_OK(socket_pair(name, &err))

static void pair_close(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

TEST(socket, messages_stay_whole)
{
	struct error err;
	char buffer[64];
	PAIR(ends);

	cr_assert_eq(socket_send(ends[0], "one", 3, NULL, 0), 0);
	cr_assert_eq(socket_send(ends[0], "three", 5, NULL, 0), 0);
	cr_assert_eq(socket_receive(ends[1], buffer, sizeof(buffer), NULL, NULL), 3);
	cr_assert_eq(socket_receive(ends[1], buffer, sizeof(buffer), NULL, NULL), 5);
	cr_assert_eq(memcmp(buffer, "three", 5), 0);
	cr_assert(fcntl(ends[0], F_GETFD) & FD_CLOEXEC);
	pair_close(ends);
}

TEST(socket, a_message_too_long_for_the_buffer_is_refused_not_cut)
{
	struct error err;
	char buffer[4];
	PAIR(ends);

	socket_send(ends[0], "hello", 5, NULL, 0);
	cr_assert_eq(socket_receive(ends[1], buffer, sizeof(buffer), NULL, NULL), -1);
	cr_assert_eq(errno, EMSGSIZE);
	pair_close(ends);
}

TEST(socket, the_end_is_zero_and_sending_there_is_an_error_without_a_signal)
{
	struct error err;
	char byte;
	PAIR(ends);

	close(ends[1]);
	cr_assert_eq(socket_receive(ends[0], &byte, 1, NULL, NULL), 0);
	cr_assert_eq(socket_send(ends[0], "x", 1, NULL, 0), -1);
	cr_assert_eq(errno, EPIPE);
	close(ends[0]);
}

TEST(socket, descriptors_travel_and_arrive_close_on_exec)
{
	SCRATCH(scratch);
	struct error err;
	int send[32], got[32];
	size_t count = 32;
	struct stat here, there;
	char byte;
	PAIR(ends);

	for (int i = 0; i < 32; i++)
		send[i] = scratch.fd;
	cr_assert_eq(socket_send(ends[0], "x", 1, send, 32), 0);
	cr_assert_eq(socket_receive(ends[1], &byte, 1, got, &count), 1);
	cr_assert_eq(count, 32);
	fstat(scratch.fd, &here);
	for (size_t i = 0; i < count; i++) {
		fstat(got[i], &there);
		cr_assert_eq(here.st_ino, there.st_ino);
		cr_assert(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
		close(got[i]);
	}
	pair_close(ends);
}

TEST(socket, more_descriptors_than_room_are_refused_and_closed)
{
	struct error err;
	int send[3] = {0, 1, 2}, got[2];
	size_t count = 2;
	char byte;
	PAIR(ends);

	socket_send(ends[0], "x", 1, send, 3);
	cr_assert_eq(socket_receive(ends[1], &byte, 1, got, &count), -1);
	cr_assert_eq(errno, EMSGSIZE);
	cr_assert_eq(count, 0);
	socket_send(ends[0], "x", 1, send, 1);
	cr_assert_eq(socket_receive(ends[1], &byte, 1, NULL, NULL), -1);
	cr_assert_eq(errno, EMSGSIZE);
	errno = 0;
	cr_assert_eq(socket_send(ends[0], "x", 1, send, 33), -1);
	cr_assert_eq(errno, EMSGSIZE);
	pair_close(ends); /* TEST() counts the descriptors */
}

/* A sender that is not ours may pass more than 32. */
static void send_many(int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(100 * sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = (void *)"x", .iov_len = 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};

	*CMSG_FIRSTHDR(&message) = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(100 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	cr_assert_eq(sendmsg(fd, &message, 0), 1); /* a hundred times descriptor 0 */
}

TEST(socket, a_flood_of_descriptors_is_refused_and_closed)
{
	struct error err;
	int got[32];
	size_t count = 32;
	char byte;
	PAIR(ends);

	send_many(ends[0]);
	cr_assert_eq(socket_receive(ends[1], &byte, 1, got, &count), -1);
	cr_assert_eq(errno, EMSGSIZE);
	pair_close(ends);
}

/* A directory whose path is longer than sun_path. */
static int deep_directory(int dir)
{
	char name[101];

	memset(name, 'd', 100);
	name[100] = '\0';
	for (int i = 0; i < 3; i++) {
		int next;

		mkdirat(dir, name, 0700);
		next = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (i)
			close(dir);
		dir = next;
	}
	return dir;
}

TEST(socket, is_reached_through_a_directory_however_long_its_path)
{
	SCRATCH(scratch);
	struct error err;
	auto_fd dir = deep_directory(scratch.fd), server = -1, client = -1, accepted = -1;
	char byte;

	server = socket_listen(dir, "start.sock", &err);
	cr_assert_geq(server, 0, "%s", err.text);
	client = socket_connect(dir, "start.sock", &err);
	cr_assert_geq(client, 0, "%s", err.text);
	accepted = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_eq(write(client, "x", 1), 1);
	cr_assert_eq(read(accepted, &byte, 1), 1);
	fd_drop(&server);
	ASSERT_FAILS(socket_connect(dir, "start.sock", &err), ERROR_SYSTEM,
		"connect to socket start.sock: Connection refused");
	ASSERT_FAILS(socket_connect(dir, "none.sock", &err), ERROR_SYSTEM, "No such file or directory");
	ASSERT_FAILS(
		socket_listen(dir, "start.sock", &err), ERROR_SYSTEM, "make socket start.sock: Address already in use");
}

TEST(socket, a_name_too_long_is_an_error_not_another_name)
{
	SCRATCH(scratch);
	struct error err;
	char name[200];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ASSERT_FAILS(socket_listen(scratch.fd, name, &err), ERROR_USAGE, "the name is too long");
}
