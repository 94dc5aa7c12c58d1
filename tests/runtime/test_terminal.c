/* Tests of runtime/process/terminal.c through a start: /dev/console, its size, its owner; the console socket. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/process.h"
#include "base/socket.h"
#include "runtime/process/terminal.h"
#include "tests/runtime/support_runtime.h"

static void read_console(int console, char *output, size_t size)
{
	size_t used = 0;
	ssize_t got;

	while (used < size - 1 && (got = read(console, output + used, size - 1 - used)) > 0)
		used += (size_t)got;
	output[used] = '\0';
}

static void expect_console(bool own_ids)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launched launched;
	struct error err;
	char output[512];
	int status;

	sandbox_make(&box);
	if (own_ids)
		sandbox_use_own_ids(&box);
	box.spec.process.terminal = true;
	box.spec.process.console_height = 20;
	box.spec.process.console_width = 70;
	box.spec.process.uid = 5;
	sandbox_script(&box, "tty; stty size; stat -c '%t:%T %u' /dev/console /dev/pts/0; echo to > /dev/console; echo "
			     "tty > /dev/tty");
	ASSERT_OK(sandbox_start(&box, &launched, &err));
	cr_assert(launched.console >= 0);
	read_console(launched.console, output, sizeof(output));
	cr_assert(strcmp(output, "/dev/pts/0\r\n20 70\r\n88:0 5\r\n88:0 5\r\nto\r\ntty\r\n") == 0, "%s", output);
	ASSERT_OK(process_reap(launched.pidfd, &status, &err));
	launched_drop(&launched);
}

TEST(terminal, is_the_containers_own_console)
{
	NEEDS_ROOT();
	expect_console(false);
	expect_console(true);
}

TEST(terminal, needs_a_devpts_inside)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct launched launched;
	struct error err;

	NEEDS_ROOT();
	sandbox_make(&box);
	sandbox_remove_mount(&box, "/dev/pts");
	box.spec.process.terminal = true;
	sandbox_script(&box, "true");
	ASSERT_FAILS(sandbox_start(&box, &launched, &err), ERROR_USAGE,
		"open the terminal: a terminal needs a devpts mount at /dev/pts");
}

TEST(terminal, is_sent_to_a_console_socket)
{
	AUTO(sandbox_drop) struct sandbox box;
	struct error err;
	struct stat sent, received;
	char path[128], name[64];
	int fd = -1;
	size_t count = 1;

	sandbox_make(&box);
	auto_fd dir = open(box.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd listener = socket_listen(dir, "console", &err);
	cr_assert(listener >= 0, "%s", err.text);
	snprintf(path, sizeof(path), "%s/console", box.directory);
	auto_fd connection = console_socket_connect(path, &err);
	cr_assert(connection >= 0, "%s", err.text);
	auto_fd master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_OK(console_socket_send(connection, master, &err));
	auto_fd accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert(socket_receive(accepted, name, sizeof(name), &fd, &count) > 0 && count == 1);
	cr_assert(fstat(master, &sent) == 0 && fstat(fd, &received) == 0 && sent.st_ino == received.st_ino);
	close(fd);
}

TEST(terminal, says_that_nobody_listens_on_the_console_socket)
{
	struct error err;

	ASSERT_FAILS(console_socket_connect("/nonesuch/socket", &err), ERROR_SYSTEM,
		"console socket /nonesuch/socket: No such file or directory");
}
