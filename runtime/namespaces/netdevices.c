/* Network devices that move.
 *
 * A move closes the device and takes its addresses away; MTU, hardware address and the like stay with it. So its
 * addresses are noted before, and given back behind the move, which is one request with the new name in it: there is no
 * moment at which it could meet another of its old name inside. Everything that can be known is checked before the
 * first device moves. At the container's end the kernel sends physical devices back to the host and destroys the others
 * (network_namespaces(7)); nobody could do that in time for one that is killed. */
#include "runtime/namespaces/netdevices.h"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "runtime/namespaces/netlink.h"

#define ADDRESSES_MAX 1024

void netdevices_drop(struct netdevices *devices)
{
	fd_drop(&devices->host);
	fd_drop(&devices->inside);
	fd_drop(&devices->host_socket);
	fd_drop(&devices->inside_socket);
}

/* A namespace with a socket in it, and what it is called in errors. */
struct side {
	int socket, namespace;
	const char *place;
};

/* --- what the kernel says of a device ----------------------------------------------------------------------------- */

static bool see_index(void *context, const struct nlmsghdr *message, struct error *err)
{
	const struct ifinfomsg *link = NLMSG_DATA(message);

	(void)err;
	if (message->nlmsg_type == RTM_NEWLINK && message->nlmsg_len >= NLMSG_LENGTH(sizeof(*link)))
		*(int *)context = link->ifi_index;
	return true;
}

/* Its index; 0: there is none of that name. */
static int link_find(const struct side *side, const char *name, int *index, struct error *err)
{
	const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
	struct netlink_request request;

	*index = 0;
	netlink_request_begin(&request, RTM_GETLINK, NLM_F_ACK, &link, sizeof(link));
	netlink_request_add(&request, IFLA_IFNAME, name, strlen(name) + 1);
	if (netlink_ask(side->socket, &request, see_index, index, err) == 0)
		return 0;
	return err->errnum == ENODEV ? 0 : blame(err, "%s: look for device %s", side->place, name);
}

/* The requests that will make a device's addresses anew. */
struct addresses {
	struct arena *arena;
	struct netlink_request *items[ADDRESSES_MAX];
	size_t count;
	int index; /* of the device now */
};

static const uint16_t kept_attributes[] = {
	IFA_LOCAL, IFA_ADDRESS, IFA_BROADCAST, IFA_ANYCAST, IFA_RT_PRIORITY, IFA_FLAGS, IFA_PROTO};

static bool is_kept(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept_attributes); i++)
		if (kept_attributes[i] == type)
			return true;
	return false;
}

static uint32_t address_flags(const struct nlmsghdr *message, const struct ifaddrmsg *address)
{
	size_t left = message->nlmsg_len - NLMSG_LENGTH(sizeof(*address));

	for (const struct nlattr *at = netlink_attribute((const void *)(address + 1), &left); at;
		at = netlink_attribute_next(at, &left)) {
		if (at->nla_type == IFA_FLAGS && netlink_value_size(at) == sizeof(uint32_t))
			return *(const uint32_t *)netlink_value(at);
	}
	return address->ifa_flags;
}

/* The label stays behind: it holds the old name. */
static void address_note(struct addresses *addresses, const struct nlmsghdr *message, const struct ifaddrmsg *address)
{
	size_t left = message->nlmsg_len - NLMSG_LENGTH(sizeof(*address));
	struct netlink_request *request = arena_new(addresses->arena, struct netlink_request);

	netlink_request_begin(
		request, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, address, sizeof(*address));
	for (const struct nlattr *at = netlink_attribute((const void *)(address + 1), &left); at;
		at = netlink_attribute_next(at, &left)) {
		if (is_kept(at->nla_type) && netlink_value_size(at) <= 16)
			netlink_request_add(request, at->nla_type, netlink_value(at), netlink_value_size(at));
	}
	addresses->items[addresses->count++] = request;
}

static bool see_address(void *context, const struct nlmsghdr *message, struct error *err)
{
	const struct ifaddrmsg *address = NLMSG_DATA(message);
	struct addresses *addresses = context;

	if (message->nlmsg_type != RTM_NEWADDR || message->nlmsg_len < NLMSG_LENGTH(sizeof(*address)))
		return true;
	if ((int)address->ifa_index != addresses->index || address->ifa_scope != RT_SCOPE_UNIVERSE ||
		!(address_flags(message, address) & IFA_F_PERMANENT))
		return true;
	if (addresses->count == ADDRESSES_MAX) {
		fail(err, ERROR_USAGE, "it has more than %d addresses", ADDRESSES_MAX);
		return false;
	}
	address_note(addresses, message, address);
	return true;
}

static int addresses_read(const struct side *side, struct addresses *addresses, struct error *err)
{
	const struct ifaddrmsg all = {.ifa_family = AF_UNSPEC};
	struct netlink_request request;

	netlink_request_begin(&request, RTM_GETADDR, NLM_F_DUMP, &all, sizeof(all));
	return netlink_ask(side->socket, &request, see_address, addresses, err);
}

/* --- one device --------------------------------------------------------------------------------------------------- */

static int link_send(const struct side *from, int index, const struct side *to, const char *name, struct error *err)
{
	const struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	struct netlink_request request;

	netlink_request_begin(&request, RTM_NEWLINK, NLM_F_ACK, &link, sizeof(link));
	netlink_request_add(&request, IFLA_NET_NS_FD, &to->namespace, sizeof(to->namespace));
	netlink_request_add(&request, IFLA_IFNAME, name, strlen(name) + 1);
	return netlink_ask(from->socket, &request, NULL, NULL, err);
}

static int link_up(const struct side *side, int index, struct error *err)
{
	const struct ifinfomsg link = {
		.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct netlink_request request;

	netlink_request_begin(&request, RTM_NEWLINK, NLM_F_ACK, &link, sizeof(link));
	return netlink_ask(side->socket, &request, NULL, NULL, err);
}

static int addresses_give(const struct side *side, struct addresses *addresses, int index, struct error *err)
{
	for (size_t i = 0; i < addresses->count; i++) {
		struct netlink_request *request = addresses->items[i];

		((struct ifaddrmsg *)(void *)request->rest)->ifa_index = (uint32_t)index;
		if (netlink_ask(side->socket, request, NULL, NULL, err) < 0)
			return blame(err, "give it its addresses");
	}
	return 0;
}

static int device_move(
	const struct side *from, const char *name, const struct side *to, const char *new_name, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct addresses *addresses = arena_new(&arena, struct addresses);
	int index;

	addresses->arena = &arena;
	if (link_find(from, name, &addresses->index, err) < 0 || addresses_read(from, addresses, err) < 0 ||
		link_send(from, addresses->index, to, new_name, err) < 0)
		return -1;
	if (link_find(to, new_name, &index, err) < 0 || addresses_give(to, addresses, index, err) < 0)
		return -1;
	return link_up(to, index, err);
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

/* A socket belongs to the namespace that it was made in. */
static int socket_open_in(int namespace, int own, struct error *err)
{
	auto_fd fd = -1;

	if (setns(namespace, CLONE_NEWNET) < 0)
		return fail_errno(err, "enter the container's network namespace");
	fd = rtnetlink_open(err);
	if (setns(own, CLONE_NEWNET) < 0)
		return fail_errno(err, "return to our own network namespace");
	return take_fd(&fd);
}

static int sides_open(struct netdevices *devices, int netns, struct error *err)
{
	devices->inside = fcntl(netns, F_DUPFD_CLOEXEC, 3);
	if (devices->inside < 0)
		return fail_errno(err, "duplicate a namespace's descriptor");
	devices->host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (devices->host < 0)
		return fail_errno(err, "open our own network namespace");
	devices->host_socket = rtnetlink_open(err);
	if (devices->host_socket < 0)
		return -1;
	devices->inside_socket = socket_open_in(netns, devices->host, err);
	return devices->inside_socket < 0 ? -1 : 0;
}

static int check_all(const struct spec *spec, const struct side *host, const struct side *inside, struct error *err)
{
	for (size_t i = 0; i < spec->net_devices.count; i++) {
		const struct spec_net_device *device = &spec->net_devices.items[i];
		int index;

		if (link_find(host, device->name, &index, err) < 0)
			return -1;
		if (!index)
			return fail(err, ERROR_MISSING, "%s: this host has no such device", device->name);
		if (link_find(inside, device->inside, &index, err) < 0)
			return -1;
		if (index)
			return fail(err, ERROR_BUSY, "%s: the container has a device %s already", device->name,
				device->inside);
	}
	return 0;
}

static struct side host_of(const struct netdevices *devices)
{
	return (struct side){devices->host_socket, devices->host, "the host"};
}

static struct side inside_of(const struct netdevices *devices)
{
	return (struct side){devices->inside_socket, devices->inside, "the container"};
}

static int move_all(struct netdevices *devices, struct error *err)
{
	const struct side host = host_of(devices), inside = inside_of(devices);

	if (check_all(devices->spec, &host, &inside, err) < 0)
		return -1;
	devices->begun = true;
	for (size_t i = 0; i < devices->spec->net_devices.count; i++) {
		const struct spec_net_device *device = &devices->spec->net_devices.items[i];

		if (device_move(&host, device->name, &inside, device->inside, err) < 0)
			return blame(err, "%s: move it into the container", device->name);
	}
	return 0;
}

int netdevices_move(struct netdevices *devices, const struct spec *spec, int netns, struct error *err)
{
	devices->spec = spec;
	if (sides_open(devices, netns, err) == 0 && move_all(devices, err) == 0)
		return 0;
	netdevices_return(devices);
	return blame(err, "linux.netDevices");
}

void netdevices_return(struct netdevices *devices)
{
	const struct side host = host_of(devices), inside = inside_of(devices);
	struct error err;
	int index;

	for (size_t i = 0; devices->begun && i < devices->spec->net_devices.count; i++) {
		const struct spec_net_device *device = &devices->spec->net_devices.items[i];

		if (link_find(&host, device->name, &index, &err) == 0 && index)
			continue;
		if (device_move(&inside, device->inside, &host, device->name, &err) < 0)
			log_warn("network device %s does not come back: %s", device->name, err.text);
	}
	devices->begun = false;
}
