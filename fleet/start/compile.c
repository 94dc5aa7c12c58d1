/* What the user said → what the runtime does: the manager's default specification, changed where the instance says so.
 *
 * Everything happens in memory; only environment files are read. The root, bind and named volumes, configs and the
 * network are made by the caller and reach the runtime as prepared mounts: they are not in struct spec. */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fleet/file/source.h"
#include "fleet/spec/network_mode.h"
#include "fleet/spec/spec_fields.h"
#include "fleet/start/compile.h"
#include "runtime/runtime.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define TMPFS_DEFAULT_BYTES (INT64_C(16) << 20)
/* systemd reloads only while 16 MiB are free in /run, where its early journal is too. */
#define TMPFS_BOOT_BYTES (INT64_C(64) << 20)
#define TMPFS_DEFAULT_MODE 01777
#define CPU_PERIOD_US 100000
#define CONFIG_DEFAULT_MODE 0400

static const struct image_user root_user = {.home = "/root"};

struct compiler {
	struct arena *arena;
	const struct instance_spec *from;
	const struct compile_facts *facts;
	const struct image_user *user;
	struct spec *spec;
	struct error *err;
};

/* --- program and environment -------------------------------------------------------------------------------------- */

static void strings_append(struct arena *arena, struct strings *to, const struct strings *from)
{
	for (size_t i = 0; i < from->count; i++)
		strings_add(arena, to, from->items[i]);
}

/* As Docker: an entrypoint of the instance's own also puts the image's command aside. */
static int compile_args(const struct compiler *c)
{
	const struct image_config *image = c->facts->image;
	bool own = c->from->entrypoint.count;
	const struct strings *entrypoint = own ? &c->from->entrypoint : &image->entrypoint;
	const struct strings *command = c->from->command.count || own ? &c->from->command : &image->command;

	strings_append(c->arena, &c->spec->process.args, entrypoint);
	strings_append(c->arena, &c->spec->process.args, command);
	if (!c->spec->process.args.count)
		return fail(c->err, ERROR_USAGE, "no command: %s%s has none of its own",
			c->from->image ? "the image " : "the directory ",
			c->from->image ? c->from->image : c->from->rootfs);
	if (!*c->spec->process.args.items[0])
		return fail(c->err, ERROR_USAGE, "command: the program's name is empty");
	return 0;
}

static void pairs_merge(struct arena *arena, struct pairs *to, const struct pairs *from)
{
	for (size_t i = 0; i < from->count; i++)
		pairs_set(arena, to, from->items[i].name, from->items[i].value);
}

/* Ours < the image's < the files' < the instance's own. */
static int compile_environment(const struct compiler *c)
{
	struct pairs all = {0};

	pairs_set(c->arena, &all, "PATH", DEFAULT_PATH);
	pairs_set(c->arena, &all, "HOSTNAME", c->spec->hostname);
	pairs_set(c->arena, &all, "HOME", c->user->home);
	if (c->from->terminal)
		pairs_set(c->arena, &all, "TERM", "xterm");
	else if (c->from->boot) /* what init writes on its console is read in a log: without colours */
		pairs_set(c->arena, &all, "TERM", "dumb");
	pairs_set(c->arena, &all, "container", "warren");
	pairs_merge(c->arena, &all, &c->facts->image->environment);
	for (size_t i = 0; i < c->from->env_file.count; i++)
		if (env_file_read(c->arena, c->from->env_file.items[i], &all, c->err) < 0)
			return blame(c->err, "env_file");
	pairs_merge(c->arena, &all, &c->from->environment);
	for (size_t i = 0; i < all.count; i++)
		strings_add(c->arena, &c->spec->process.env,
			arena_format(c->arena, "%s=%s", all.items[i].name, all.items[i].value));
	return 0;
}

/* A name of the image's may have an id that the instance does not know. */
static int compile_user(const struct compiler *c)
{
	struct spec_process *process = &c->spec->process;

	process->uid = c->user->uid;
	process->gid = c->user->gid;
	process->groups.items = arena_new_array(c->arena, c->user->group_count, gid_t);
	process->groups.count = c->user->group_count;
	memcpy(process->groups.items, c->user->groups, c->user->group_count * sizeof(gid_t));
	if (c->from->working_dir)
		process->cwd = c->from->working_dir;
	else if (!text_is_empty(c->facts->image->working_dir))
		process->cwd = c->facts->image->working_dir;
	if (c->facts->id_base && (process->uid >= c->from->id_count || process->gid >= c->from->id_count))
		return fail(c->err, ERROR_USAGE, "user %u:%u: its \"userns\" has the ids 0 to %" PRId64 " only",
			process->uid, process->gid, c->from->id_count - 1);
	return 0;
}

/* --- rights ------------------------------------------------------------------------------------------------------- */

static int capabilities_named(const struct strings *names, uint64_t *mask, struct error *err)
{
	unsigned number;

	*mask = 0;
	for (size_t i = 0; i < names->count; i++) {
		if (!strcasecmp(names->items[i], "ALL")) {
			*mask |= capabilities_all();
			continue;
		}
		if (capability_parse(names->items[i], &number, err) < 0)
			return -1;
		*mask |= UINT64_C(1) << number;
	}
	return 0;
}

/* Dropped first, then added: {"cap_drop": ["ALL"], "cap_add": ["NET_BIND_SERVICE"]} leaves one. */
static int compile_capabilities(const struct compiler *c)
{
	static const enum capability_set sets[] = {CAPS_BOUNDING, CAPS_EFFECTIVE, CAPS_PERMITTED};
	uint64_t *capabilities = c->spec->process.capabilities, add, drop;

	if (capabilities_named(&c->from->cap_drop, &drop, c->err) < 0)
		return blame(c->err, "cap_drop");
	if (capabilities_named(&c->from->cap_add, &add, c->err) < 0)
		return blame(c->err, "cap_add");
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		capabilities[sets[i]] = (capabilities[sets[i]] & ~drop) | add;
	return 0;
}

/* A label that this kernel does not know is refused here, so before anything is made. */
static int compile_security(const struct compiler *c)
{
	c->spec->process.no_new_privileges = c->from->no_new_privileges;
	if (!strcmp(c->from->seccomp, "unconfined"))
		c->spec->seccomp = NULL;
	if (oci_process_label(&c->spec->process, c->from->apparmor, c->from->selinux, c->err) < 0)
		return blame(c->err, "\"security\"");
	return 0;
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

/* capget(2): whether a hard limit can be raised at all. */
static bool may_raise_limits(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective & CAP_TO_MASK(CAP_SYS_RESOURCE);
}

int ulimit_fit(const struct instance_spec *spec, const struct ulimit_spec *wanted, rlim_t reachable,
	struct spec_rlimit *out, struct error *err)
{
	if (rlimit_parse(wanted->name, &out->resource, err) < 0)
		return blame(err, "ulimits");
	out->limit = wanted->limit;
	if (out->limit.rlim_max <= reachable)
		return 0;
	for (size_t i = 0; i < spec->ulimits.count; i++)
		if (wanted == &spec->ulimits.items[i])
			return fail(err, ERROR_USAGE,
				"ulimits: %s %ju cannot be had: our own hard limit is %ju and we lack CAP_SYS_RESOURCE",
				wanted->name, (uintmax_t)wanted->limit.rlim_max, (uintmax_t)reachable);
	out->limit.rlim_max = reachable;
	if (out->limit.rlim_cur > reachable)
		out->limit.rlim_cur = reachable;
	return 0;
}

/* RLIM_INFINITY is the largest value, and so never in the way. */
static int hard_limit_reachable(const char *name, rlim_t *out, struct error *err)
{
	struct rlimit own;
	int resource;

	*out = RLIM_INFINITY;
	if (rlimit_parse(name, &resource, err) < 0)
		return blame(err, "ulimits");
	if (may_raise_limits())
		return 0;
	if (getrlimit((__rlimit_resource_t)resource, &own) < 0)
		return fail_errno(err, "read our own limit %s", name);
	*out = own.rlim_max;
	return 0;
}

static int rlimit_add(
	const struct instance_spec *spec, const struct ulimit_spec *wanted, struct spec_rlimit *out, struct error *err)
{
	rlim_t reachable;

	if (hard_limit_reachable(wanted->name, &reachable, err) < 0)
		return -1;
	return ulimit_fit(spec, wanted, reachable, out, err);
}

int ulimits_compile(struct arena *arena, const struct instance_spec *spec, struct spec_process *out, struct error *err)
{
	static const struct ulimit_spec nofile = {"nofile", {NOFILE_DEFAULT_SOFT, NOFILE_DEFAULT_HARD}};
	bool own_nofile = false;

	out->rlimits.items = arena_new_array(arena, spec->ulimits.count + 1, struct spec_rlimit);
	out->rlimits.count = 0;
	for (size_t i = 0; i < spec->ulimits.count; i++) {
		struct spec_rlimit *limit = &out->rlimits.items[out->rlimits.count++];

		if (rlimit_add(spec, &spec->ulimits.items[i], limit, err) < 0)
			return -1;
		own_nofile |= limit->resource == RLIMIT_NOFILE;
	}
	return own_nofile ? 0 : rlimit_add(spec, &nofile, &out->rlimits.items[out->rlimits.count++], err);
}

void resources_limits(const struct resources_spec *resources, struct cgroup_limits *out)
{
	*out = (struct cgroup_limits){
		.memory_max = resources->memory_bytes,
		.memory_high = resources->memory_high_bytes,
		.memory_low = resources->memory_low_bytes,
		.swap_max = resources->swap_bytes.set ? resources->swap_bytes : resources->memory_bytes,
		.pids_max = resources->pids,
		.cpu_weight = resources->cpu_weight,
		.cpuset_cpus = resources->cpuset,
		.io_weight = resources->io_weight,
		.io_max = {.items = resources->io_max.items, .count = resources->io_max.count},
	};
	if (!resources->cpus_milli.set)
		return;
	out->cpu_quota_us = (struct optional){true, resources->cpus_milli.value * (CPU_PERIOD_US / 1000)};
	out->cpu_period_us = (struct optional){true, CPU_PERIOD_US};
}

/* --- mounts ------------------------------------------------------------------------------------------------------- */

static bool target_is_used(const struct instance_spec *spec, const char *target)
{
	for (size_t i = 0; i < spec->volumes.count; i++)
		if (!strcmp(spec->volumes.items[i].target, target))
			return true;
	return false;
}

static void tmpfs_add(const struct compiler *c, const struct volume *volume)
{
	struct spec_mount *mount = &c->spec->mounts.items[c->spec->mounts.count++];
	int64_t least = c->from->boot ? TMPFS_BOOT_BYTES : TMPFS_DEFAULT_BYTES;
	int64_t bytes = volume->size_bytes ? volume->size_bytes : least;

	*mount = (struct spec_mount){.destination = volume->target,
		.type = "tmpfs",
		.source = "tmpfs",
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (volume->read_only ? MOUNT_ATTR_RDONLY : 0)};
	pairs_set(c->arena, &mount->data, "mode",
		arena_format(c->arena, "%04o", volume->mode ? volume->mode : TMPFS_DEFAULT_MODE));
	pairs_set(c->arena, &mount->data, "size", arena_format(c->arena, "%" PRId64, bytes));
}

/* The places every server writes to without being asked; a volume or tmpfs of the instance's own takes their place. */
static const struct volume default_tmpfs[] = {
	{.type = VOLUME_TMPFS, .target = "/run", .mode = 0755},
	{.type = VOLUME_TMPFS, .target = "/tmp", .mode = 01777},
};

static bool owns_network(const struct instance_spec *spec)
{
	return network_mode(spec->network).kind != NETWORK_HOST && !network_is_joined(spec->network);
}

/* A network namespace has its own sysfs, which only its owner may mount anew: who shares one gets the host's, read-only
 * with all that is mounted on it. */
static void sysfs_from_host(struct spec_mount *mount)
{
	mount->type = "bind";
	mount->source = "/sys";
	mount->bind = mount->recursive = true;
	mount->attr_set_recursive = mount->attr_set;
}

/* The host's links are nobody's business who has only the network of another instance. */
static const char *const links_of_host[] = {"/sys/class/net", "/sys/devices/virtual/net"};

static void links_mask(const struct compiler *c)
{
	for (size_t i = 0; network_is_joined(c->from->network) && i < ARRAY_SIZE(links_of_host); i++)
		strings_add(c->arena, &c->spec->masked_paths, links_of_host[i]);
}

/* By name, so that what lies below another mount comes after it. */
static void mounts_sort(struct spec_mount *mounts, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct spec_mount moving = mounts[i];
		size_t at = i;

		for (; at > 0 && strcmp(mounts[at - 1].destination, moving.destination) > 0; at--)
			mounts[at] = mounts[at - 1];
		mounts[at] = moving;
	}
}

static void compile_mounts(const struct compiler *c)
{
	struct spec_mount *defaults = c->spec->mounts.items;
	size_t default_count = c->spec->mounts.count, first;

	c->spec->mounts.items = arena_new_array(
		c->arena, default_count + ARRAY_SIZE(default_tmpfs) + c->from->volumes.count, struct spec_mount);
	c->spec->mounts.count = 0;
	for (size_t i = 0; i < default_count; i++) {
		if (target_is_used(c->from, defaults[i].destination)) /* /dev/shm is the only one that may be */
			continue;
		if (!strcmp(defaults[i].type, "sysfs") && !owns_network(c->from))
			sysfs_from_host(&defaults[i]);
		c->spec->mounts.items[c->spec->mounts.count++] = defaults[i];
	}
	first = c->spec->mounts.count;
	for (size_t i = 0; i < ARRAY_SIZE(default_tmpfs); i++)
		if (!target_is_used(c->from, default_tmpfs[i].target))
			tmpfs_add(c, &default_tmpfs[i]);
	for (size_t i = 0; i < c->from->volumes.count; i++)
		if (c->from->volumes.items[i].type == VOLUME_TMPFS)
			tmpfs_add(c, &c->from->volumes.items[i]);
	mounts_sort(c->spec->mounts.items + first, c->spec->mounts.count - first);
	links_mask(c);
}

/* --- namespaces --------------------------------------------------------------------------------------------------- */

static void compile_namespaces(const struct compiler *c)
{
	struct id_map *map;

	c->spec->namespaces.create[NS_NET] = owns_network(c->from);
	c->spec->namespaces.create[NS_USER] = c->facts->id_base != 0;
	if (!c->facts->id_base)
		return;
	map = arena_new(c->arena, struct id_map);
	*map = (struct id_map){.inside = 0, .host = c->facts->id_base, .count = (uint32_t)c->from->id_count};
	c->spec->uid_maps.items = c->spec->gid_maps.items = map;
	c->spec->uid_maps.count = c->spec->gid_maps.count = 1;
}

/* --- shares of what is counted for the whole host ----------------------------------------------------------------- */

/* The kernel charges a user namespace's inotify and namespaces to whoever made it as well, and that is the host's root
 * for all instances: without a share of its own, one instance takes what the host and its neighbours live on. A
 * namespace's own limits are set from inside, before the capabilities go (user_namespaces(7), /proc/sys/user,
 * Linux 4.9). */
struct share {
	const char *name, *value,
		*with_init; /* with_init: for an instance that boots one; value NULL: only for those */
};

static const struct share shares[] = {
	{"user.max_inotify_instances", "32", "64"},
	{"user.max_inotify_watches", "16384", "65536"},
	{"user.max_mnt_namespaces", NULL, "1024"},
	{"user.max_net_namespaces", NULL, "256"},
	{"user.max_pid_namespaces", NULL, "256"},
	{"user.max_uts_namespaces", NULL, "1024"},
	{"user.max_ipc_namespaces", NULL, "1024"},
	{"user.max_cgroup_namespaces", NULL, "1024"},
};

static void compile_sysctls(const struct compiler *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		const char *value = c->from->boot ? shares[i].with_init : shares[i].value;

		if (value && c->facts->id_base)
			pairs_set(c->arena, &c->spec->sysctls, shares[i].name, value);
	}
	for (size_t i = 0; i < c->from->sysctls.count; i++)
		pairs_set(c->arena, &c->spec->sysctls, c->from->sysctls.items[i].name, c->from->sysctls.items[i].value);
}

/* Last, so that it has the last word; what it says is checked with the rest. */
static int compile_oci(const struct compiler *c)
{
	static const struct json_doc nowhere = {.name = "oci", .text = ""};

	return c->from->oci ? oci_spec_merge(c->arena, &nowhere, c->from->oci, c->spec, c->err) : 0;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

int instance_compile(struct arena *arena, const struct instance_spec *spec, const struct compile_facts *facts,
	struct spec *out, struct error *err)
{
	static const struct image_config empty_image;
	struct compile_facts complete = *facts;
	const struct compiler c = {.arena = arena,
		.from = spec,
		.facts = &complete,
		.user = facts->user ? facts->user : &root_user,
		.spec = out,
		.err = err};
	unsigned profile_flags =
		(volumes_need_setid_guard(spec->volumes.items, spec->volumes.count) ? SECCOMP_SETID_GUARD : 0) |
		(spec->boot ? SECCOMP_SYSTEM : 0);

	if (!complete.image)
		complete.image = &empty_image;
	spec_init(out);
	spec_set_defaults(arena, out, profile_flags);
	out->hostname = facts->hostname ? facts->hostname : spec->hostname ? spec->hostname : spec->name;
	out->cgroup_path = facts->cgroup_path;
	out->root_read_only = spec->read_only;
	out->process.terminal = spec->terminal || spec->boot; /* init's console */
	out->hooks = spec->hooks;
	resources_limits(&spec->resources, &out->limits);
	compile_mounts(&c);
	compile_namespaces(&c);
	compile_sysctls(&c);
	if (compile_user(&c) < 0 || compile_security(&c) < 0 || compile_args(&c) < 0 || compile_environment(&c) < 0 ||
		compile_capabilities(&c) < 0 || ulimits_compile(arena, spec, &out->process, err) < 0)
		return -1;
	if (compile_oci(&c) < 0)
		return -1;
	return spec_check(out, err);
}

/* --- configs and secrets ------------------------------------------------------------------------------------------ */

static int config_read(struct arena *arena, const struct config_spec *config, const struct image_user *user,
	struct config_file *out, struct error *err)
{
	*out = (struct config_file){.target = config->target,
		.content = config->content,
		.length = config->content ? strlen(config->content) : 0,
		.uid = user->uid,
		.gid = user->gid,
		.mode = config->mode.set ? (unsigned)config->mode.value : CONFIG_DEFAULT_MODE};
	if (config->content)
		return 0;
	if (source_read(arena, config->source, &out->content, &out->length, err) < 0)
		return blame(err, "%s %s", config->secret ? "secret" : "config", config->target);
	return 0;
}

int instance_configs_read(struct arena *arena, const struct instance_spec *spec, const struct image_user *user,
	struct config_file_list *out, struct error *err)
{
	out->items = arena_new_array(arena, spec->configs.count, struct config_file);
	out->count = 0;
	for (size_t i = 0; i < spec->configs.count; i++)
		if (config_read(arena, &spec->configs.items[i], user ? user : &root_user, &out->items[out->count++],
			    err) < 0)
			return -1;
	return 0;
}
