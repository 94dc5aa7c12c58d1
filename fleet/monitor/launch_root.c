/* What an instance finds in its root: the root itself, volumes, configs, the files that name it and its neighbours. All
 * of it are detached mounts, made while the child waits in its new namespaces. */
#include "fleet/monitor/launching.h"

#include <arpa/inet.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mount.h"
#include "fleet/monitor/monitor.h"
#include "fleet/state/front_directory.h"
#include "fleet/state/identity.h"
#include "images/images.h"

/* The names of an isolated network are nobody's business in it: each instance has a file with its own alone. */
bool start_shares_hosts(const struct start *start)
{
	return start->attachment.network && !start->network.isolated;
}

static void hosts_line(struct text *text, int family, const void *address, const struct strings *names)
{
	char buffer[INET6_ADDRSTRLEN];

	text_append(text, inet_ntop(family, address, buffer, sizeof(buffer)));
	for (size_t i = 0; i < names->count; i++)
		text_appendf(text, " %s", names->items[i]);
	text_append(text, "\n");
}

/* Written at each start, because names and addresses may have changed since the last. */
static int own_hosts_write(struct start *start, struct error *err)
{
	AUTO(text_drop) struct text text = {0};
	const struct strings names = instance_host_names(&start->arena, &start->wanted, start->monitor->instance.name);
	const struct endpoint *endpoint = &start->attachment.endpoint;
	struct in_addr address = start->attachment.network ? endpoint->address : start->wanted.address;

	if ((!start->attachment.network && !network_is_lan(start->wanted.network)) || start_shares_hosts(start) ||
		start->again)
		return 0;
	text_append(&text, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
	if (address.s_addr != INADDR_ANY)
		hosts_line(&text, AF_INET, &address, &names);
	if (!IN6_IS_ADDR_UNSPECIFIED(&endpoint->address6))
		hosts_line(&text, AF_INET6, &endpoint->address6, &names);
	return root_file_write(
		start->instance, IMAGE_HOSTS_DIRECTORY "/hosts", 0644, 0, 0, text_string(&text), text.length, err);
}

/* A directory of ours, read-only, in which files are replaced while it runs. */
static int directory_show(struct start *start, int directory, const char *target, struct error *err)
{
	auto_fd mount = mount_clone(directory, "", false, err);

	if (mount < 0 ||
		mount_change(mount, false, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
			0, -1, err) < 0)
		return -1;
	start->parts.items[start->parts.count++] =
		(struct root_part){.target = target, .mount = take_fd(&mount), .is_file = false};
	return 0;
}

/* The directory with the network's hosts file, read-only; /etc/hosts inside is a link into it. */
static int hosts_mount(struct start *start, struct error *err)
{
	struct root_parts *parts = &start->parts;

	if (!start_shares_hosts(start) || parts->count == ROOT_PARTS_MAX)
		return 0;
	/* Opened again inside the session, whose mount namespace may be another (images.h). */
	auto_free char *path = text_format("%s/net", start->host->run_path);
	auto_fd run = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct net_state state = {.run = run, .records = start->host->net.records};
	if (run < 0)
		return fail_errno(err, "open %s", path);
	auto_fd directory = hosts_directory(&state, start->attachment.network, err);
	if (directory < 0)
		return -1;
	return directory_show(start, directory, IMAGE_HOSTS_DIRECTORY, err);
}

/* Which name leads to which site, for a front server. */
static int front_mount(struct start *start, struct error *err)
{
	if (!start->wanted.front || start->parts.count == ROOT_PARTS_MAX)
		return 0;
	auto_fd directory = front_directory_open(start->host, &start->wanted, start->session.store, err);

	return directory < 0 ? -1 : directory_show(start, directory, FRONT_TARGET, err);
}

static bool keeps_admin(const struct spec *spec)
{
	unsigned admin;
	struct error ignored;

	return capability_parse("SYS_ADMIN", &admin, &ignored) < 0 ||
	       (spec->process.capabilities[CAPS_BOUNDING] >> admin & 1);
}

/* Not while it goes on in the namespaces it had: what changes a file at a crash is no fault of the host's network. */
static int resolver_refresh(struct start *start, struct error *err)
{
	if (start->again)
		return 0;
	return root_resolver_refresh(start->instance, start->attachment.mode.kind != NETWORK_HOST, err);
}

/* A root that is read-only shows only the mount points that are made before it is put together. */
static int mount_points_make(struct start *start, const struct root_request *request, struct error *err)
{
	if (!start->wanted.read_only)
		return 0;
	if (start->wanted.front && root_mount_point_make(&start->session, request, FRONT_TARGET, false, err) < 0)
		return -1;
	for (size_t i = 0; i < start->wanted.volumes.count; i++)
		if (root_mount_point_make(&start->session, request, start->wanted.volumes.items[i].target, false, err) <
			0)
			return -1;
	for (size_t i = 0; i < start->configs.count; i++)
		if (root_mount_point_make(&start->session, request, start->configs.items[i].target, true, err) < 0)
			return -1;
	return 0;
}

int start_parts_make(struct start *start, int userns, struct error *err)
{
	uid_t id_base = record_id_base(&start->record);
	struct root_request request = start_root_request(start, userns, id_base);

	if (own_hosts_write(start, err) < 0 || resolver_refresh(start, err) < 0 ||
		mount_points_make(start, &request, err) < 0 ||
		root_mount(&start->session, &request, &start->parts, err) < 0 || hosts_mount(start, err) < 0 ||
		front_mount(start, err) < 0)
		return -1;
	for (size_t i = 0; i < start->wanted.volumes.count; i++) {
		const struct volume *volume = &start->wanted.volumes.items[i];

		/* tmpfs are mounts of the compiled specification, made by the child. */
		if (volume->type != VOLUME_TMPFS && volume_mount(&start->session, volume, userns, id_base,
							    keeps_admin(&start->spec), &start->parts, err) < 0)
			return -1;
	}
	if (device_nodes_mount(&start->session, start->devices.items, start->devices.count, userns, id_base,
		    &start->parts, err) < 0)
		return -1;
	if (start->wanted.boot && identity_boot_add(&start->arena, &start->configs, err) < 0)
		return -1;
	if (!start->configs.count)
		return 0;
	return configs_mount(
		&start->session, start->configs.items, start->configs.count, userns, id_base, &start->parts, err);
}
