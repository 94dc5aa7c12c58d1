/* The loopback interface, by two ioctls: no netlink, no library. */
#include "runtime/namespaces/network.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"

int loopback_up(struct error *err)
{
	auto_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* no IPv4 in this kernel: netdevice(7) takes any */
	if (fd < 0)
		return fail_errno(err, "open a socket");
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return fail_errno(err, "bring up lo");
	return 0;
}
