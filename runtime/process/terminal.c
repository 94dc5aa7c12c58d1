/* Terminals: always from the container's own devpts, always by descriptor.
 *
 * The slave is opened through the master (TIOCGPTPEER, 4.13) and /dev/console is a clone of exactly that file: no name
 * in /dev/pts is ever looked up that somebody inside could have changed. */
#include "runtime/process/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mount.h"
#include "base/path.h"
#include "base/socket.h"

void terminal_drop(struct terminal *terminal)
{
	fd_drop(&terminal->master);
	fd_drop(&terminal->slave);
}

int terminal_open_directory(int root, struct error *err)
{
	auto_fd dir = path_try_open(root, "/dev/pts", O_PATH | O_DIRECTORY, 0);
	struct statfs status;

	if (dir >= 0 && fstatfs(dir, &status) == 0 && status.f_type == DEVPTS_SUPER_MAGIC)
		return take_fd(&dir);
	return fail(err, ERROR_USAGE, "a terminal needs a devpts mount at /dev/pts");
}

static int size_set(int master, const struct spec_process *process, struct error *err)
{
	struct winsize size = {
		.ws_row = (unsigned short)process->console_height, .ws_col = (unsigned short)process->console_width};

	if (!process->console_height && !process->console_width)
		return 0;
	if (ioctl(master, TIOCSWINSZ, &size) < 0)
		return fail_errno(err, "set the terminal's size");
	return 0;
}

int terminal_open(int devpts, const struct spec_process *process, struct terminal *out, struct error *err)
{
	AUTO(terminal_drop) struct terminal made = {.slave = -1};
	struct stat status;
	int unlocked = 0;

	/* devpts(5): ptmx of the instance, not the host's /dev/ptmx, which would give a terminal of another instance.
	 */
	made.master = openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (made.master < 0)
		return fail_errno(err, "open /dev/pts/ptmx");
	if (fstat(made.master, &status) < 0 || !S_ISCHR(status.st_mode) || status.st_rdev != makedev(5, 2))
		return fail(err, ERROR_SYSTEM, "/dev/pts/ptmx is no terminal multiplexer");
	if (ioctl(made.master, TIOCSPTLCK, &unlocked) < 0)
		return fail_errno(err, "unlock the terminal");
	made.slave = ioctl(made.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (made.slave < 0)
		return fail_errno(err, "open the terminal");
	/* EPERM: the id is not mapped; then it stays with whoever opened it. */
	if (process->uid && fchown(made.slave, process->uid, (gid_t)-1) < 0 && errno != EPERM && errno != EINVAL)
		return fail_errno(err, "give the terminal to uid %u", process->uid);
	if (size_set(made.master, process, err) < 0)
		return -1;
	out->master = take_fd(&made.master);
	out->slave = take_fd(&made.slave);
	return 0;
}

int terminal_attach_console(const struct terminal *terminal, int dev, struct error *err)
{
	auto_fd mount = mount_clone(terminal->slave, "", false, err);

	if (mount < 0 || mount_attach(mount, dev, "console", err) < 0)
		return blame(err, "/dev/console");
	return 0;
}

int terminal_control(const struct terminal *terminal, struct error *err)
{
	if (ioctl(terminal->slave, TIOCSCTTY, 0) < 0)
		return fail_errno(err, "take the terminal as the controlling one");
	return 0;
}

int console_socket_connect(const char *path, struct error *err)
{
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_fd place = open(path, O_PATH | O_CLOEXEC);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (fd < 0 || place < 0)
		return fail_errno(err, "console socket %s", path);
	/* sun_path has 108 bytes, a path may have more. */
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", place);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_errno(err, "console socket %s", path);
	return take_fd(&fd);
}

int console_socket_send(int socket_fd, int master, struct error *err)
{
	/* The text is what others send: receivers use it as the file's name. */
	static const char name[] = "/dev/pts/ptmx";

	if (socket_send(socket_fd, name, sizeof(name) - 1, &master, 1) < 0)
		return fail_errno(err, "send the terminal to the console socket");
	return 0;
}
