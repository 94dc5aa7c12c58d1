/* Which links are bridges: other container engines and virtual machines have theirs behind one.
 *
 * Asked by ethtool(8)'s ioctl, link by link, and seldom: the bridge module's own call would load the module. */
#include "netns/links/bridges.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"

static bool link_is_bridge(int fd, const char *name)
{
	struct ethtool_drvinfo information = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (void *)&information};

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	return ioctl(fd, SIOCETHTOOL, &request) == 0 && strcmp(information.driver, "bridge") == 0;
}

int bridges_list(struct arena *arena, struct strings *out, struct error *err)
{
	auto_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct if_nameindex *links = fd < 0 ? NULL : if_nameindex();

	*out = (struct strings){0};
	if (!links)
		return fail_errno(err, "list the host's links");
	for (const struct if_nameindex *link = links; link->if_name; link++)
		if (link_is_bridge(fd, link->if_name))
			strings_add(arena, out, arena_string(arena, link->if_name));
	if_freenameindex(links);
	return 0;
}
