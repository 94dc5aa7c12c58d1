/* Sockets that a service manager has opened for the container, sd_listen_fds(3): descriptors from 3 on, their number in
 * LISTEN_FDS, and in LISTEN_PID for whom they are. They go through as they are; LISTEN_PID becomes the pid that the
 * process sees for itself. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/oci/oci.h"

#define LISTEN_MAX 256

/* The number of descriptors that are open from 3 on, at most `count`. */
static int open_count(int64_t count)
{
	int found = 0;

	while (found < count && fcntl(3 + found, F_GETFD) >= 0)
		found++;
	return found;
}

void oci_listen_read(struct oci_cli *cli)
{
	const char *number = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	struct error ignored;
	int64_t count, whose;

	if (!number || number_parse(number, 0, LISTEN_MAX, &count, &ignored) < 0)
		return;
	/* Without a pid they are for whoever gets them: so engines hand them on. */
	if (pid && (number_parse(pid, 1, INT_MAX, &whose, &ignored) < 0 || whose != getpid()))
		return;
	cli->listen_fds = (struct optional){true, open_count(count)};
	cli->listen_names = getenv("LISTEN_FDNAMES");
}

void oci_listen_pass(const struct oci_cli *cli, struct spec_process *process)
{
	process->listen_fds = cli->listen_fds;
	process->listen_names = cli->listen_names;
}
