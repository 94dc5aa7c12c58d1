/* See devices.h. The numbers are asked anew at every start: a device that was plugged in again may have others. */
#include "fleet/start/devices.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "runtime/runtime.h"

/* Links are followed, as those of /dev/disk/by-id: who writes the file has the host's trust. */
static int node_look_up(const struct device_spec *device, struct device_node *out, struct error *err)
{
	auto_fd fd = open(device->path, O_PATH | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return fail_errno(err, "device %s", device->path);
	if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode))
		return fail(err, ERROR_USAGE, "device %s: it is no device but %s", device->path,
			S_ISDIR(status.st_mode)	   ? "a directory; name each device in it"
			: S_ISSOCK(status.st_mode) ? "a socket; give it as a volume"
						   : "a file; give it as a volume");
	*out = (struct device_node){.target = device->target,
		.block = S_ISBLK(status.st_mode),
		.major = major(status.st_rdev),
		.minor = minor(status.st_rdev),
		.mode = status.st_mode & 0666};
	if (!strchr(device->permissions, 'w'))
		out->mode &= 0444;
	if (!strchr(device->permissions, 'r'))
		out->mode &= 0222;
	return 0;
}

static struct cgroup_device_rule rule_of(const struct device_spec *device, const struct device_node *node)
{
	static const struct {
		char letter;
		unsigned access;
	} accesses[] = {{'r', CGROUP_DEVICE_READ}, {'w', CGROUP_DEVICE_WRITE}, {'m', CGROUP_DEVICE_MKNOD}};
	struct cgroup_device_rule rule = {
		.allow = true, .type = node->block ? 'b' : 'c', .major = node->major, .minor = node->minor};

	for (size_t i = 0; i < ARRAY_SIZE(accesses); i++)
		if (strchr(device->permissions, accesses[i].letter))
			rule.access |= accesses[i].access;
	return rule;
}

int devices_look_up(
	struct arena *arena, const struct instance_spec *spec, struct device_node_list *out, struct error *err)
{
	out->items = arena_new_array(arena, spec->devices.count, struct device_node);
	out->count = 0;
	for (size_t i = 0; i < spec->devices.count; i++)
		if (node_look_up(&spec->devices.items[i], &out->items[out->count++], err) < 0)
			return -1;
	return 0;
}

void devices_allow(struct arena *arena, const struct instance_spec *spec, const struct device_node_list *nodes,
	struct cgroup_limits *limits)
{
	size_t before = limits->devices.count;
	struct cgroup_device_rule *rules;

	if (!nodes->count)
		return;
	rules = arena_new_array(arena, before + nodes->count, struct cgroup_device_rule);
	if (before)
		memcpy(rules, limits->devices.items, before * sizeof(*rules));
	for (size_t i = 0; i < nodes->count; i++)
		rules[before + i] = rule_of(&spec->devices.items[i], &nodes->items[i]);
	limits->devices.items = rules;
	limits->devices.count = before + nodes->count;
	if (!before)
		device_rules_complete(arena, limits);
}
