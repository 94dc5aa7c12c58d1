/* What spans members of a specification, or what no decoder knows: checked once, before anything is made.
 *
 * Rows of checks in the order a reader would ask: process, namespaces and maps, mounts and paths, sysctls, the rest. */
#include <ctype.h>
#include <limits.h>
#include <net/if.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "runtime/spec.h"

#define ID_MAPS_MAX 340 /* user_namespaces(7): lines of a map since 4.15 */
#define HOST_NAME_MAX_LENGTH 64
#define SYSCTL_VALUE_MAX 4096

/* --- paths -------------------------------------------------------------------------------------------------------- */

/* Absolute, no component "..", no control characters. Resolution stays in the root anyway; who writes ".." either
 * expects to leave it or made a mistake. */
static int inside_path_check(const char *what, const char *path, struct error *err)
{
	if (!path || *path != '/')
		return fail(err, ERROR_USAGE, "%s \"%s\": must be an absolute path", what, path ? path : "");
	if (strlen(path) >= PATH_MAX)
		return fail(err, ERROR_USAGE, "%s: path of %zu bytes, at most %d", what, strlen(path), PATH_MAX - 1);
	for (const char *at = path; *at; at = strchrnul(at + 1, '/')) {
		if (strncmp(at, "/..", 3) == 0 && (at[3] == '/' || at[3] == '\0'))
			return fail(err, ERROR_USAGE, "%s \"%s\": must not contain \"..\"", what, path);
	}
	return line_check(what, path, err);
}

static int inside_paths_check(const char *what, const struct strings *list, struct error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		if (inside_path_check(what, list->items[i], err) < 0)
			return -1;
	}
	return 0;
}

/* --- process ------------------------------------------------------------------------------------------------------ */

/* execve(2): MAX_ARG_STRLEN, with the NUL. */
#define ARGUMENT_MAX (128 * 1024 - 1)

static int lengths_check(const char *key, const struct strings *list, struct error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strlen(list->items[i]) > ARGUMENT_MAX)
			return fail(err, ERROR_USAGE, "process.%s[%zu]: %zu bytes, at most %d", key, i,
				strlen(list->items[i]), ARGUMENT_MAX);
	}
	return 0;
}

static int variables_check(const char *key, const struct strings *env, struct error *err)
{
	for (size_t i = 0; i < env->count; i++) {
		if (!strchr(env->items[i], '=') || *env->items[i] == '=')
			return fail(err, ERROR_USAGE, "%s[%zu] \"%s\": is not NAME=value", key, i, env->items[i]);
	}
	return 0;
}

static int environment_check(const struct spec *spec, struct error *err)
{
	return variables_check("process.env", &spec->process.env, err);
}

static int program_check(const struct spec *spec, struct error *err)
{
	const struct strings *args = &spec->process.args;

	if (args->count == 0)
		return fail(err, ERROR_USAGE, "process.args: no program to execute");
	if (*args->items[0] == '\0')
		return fail(err, ERROR_USAGE, "process.args[0]: is an empty string");
	if (lengths_check("args", args, err) < 0)
		return -1;
	return inside_path_check("process.cwd", spec->process.cwd, err);
}

static int ids_check(const struct spec *spec, struct error *err)
{
	const struct spec_process *process = &spec->process;

	if (process->uid == (uid_t)-1)
		return fail(err, ERROR_USAGE, "process.user.uid %u: means \"no change\" to the kernel", process->uid);
	if (process->gid == (gid_t)-1)
		return fail(err, ERROR_USAGE, "process.user.gid %u: means \"no change\" to the kernel", process->gid);
	for (size_t i = 0; i < process->groups.count; i++) {
		if (process->groups.items[i] == (gid_t)-1)
			return fail(err, ERROR_USAGE, "process.user.additionalGids[%zu] %u: is not a group", i,
				process->groups.items[i]);
	}
	if (process->umask.set && (process->umask.value < 0 || process->umask.value > 0777))
		return fail(err, ERROR_USAGE, "process.user.umask %lld: must be between 0 and 511 (octal 0777)",
			(long long)process->umask.value);
	if (process->oom_score_adj.set && (process->oom_score_adj.value < -1000 || process->oom_score_adj.value > 1000))
		return fail(err, ERROR_USAGE, "process.oomScoreAdj %lld: must be between -1000 and 1000",
			(long long)process->oom_score_adj.value);
	return 0;
}

static int set_within_check(
	const struct spec *spec, enum capability_set inner, enum capability_set outer, struct error *err)
{
	static const char *const names[] = {"bounding", "effective", "inheritable", "permitted", "ambient"};
	uint64_t beyond = spec->process.capabilities[inner] & ~spec->process.capabilities[outer];
	char buffer[32];

	if (!beyond)
		return 0;
	return fail(err, ERROR_USAGE, "process.capabilities.%s: %s is not in the %s set", names[inner],
		capability_name((unsigned)__builtin_ctzll(beyond), buffer), names[outer]);
}

static int capabilities_check(const struct spec *spec, struct error *err)
{
	/* capabilities(7): what capset(2) and PR_CAP_AMBIENT_RAISE would refuse later, without a name. */
	if (set_within_check(spec, CAPS_EFFECTIVE, CAPS_PERMITTED, err) < 0)
		return -1;
	if (set_within_check(spec, CAPS_INHERITABLE, CAPS_BOUNDING, err) < 0)
		return -1;
	if (set_within_check(spec, CAPS_AMBIENT, CAPS_PERMITTED, err) < 0)
		return -1;
	return set_within_check(spec, CAPS_AMBIENT, CAPS_INHERITABLE, err);
}

static int rlimits_check(const struct spec *spec, struct error *err)
{
	uint32_t seen = 0;

	for (size_t i = 0; i < spec->process.rlimits.count; i++) {
		const struct spec_rlimit *limit = &spec->process.rlimits.items[i];
		char buffer[24];

		if (seen & (1u << limit->resource))
			return fail(err, ERROR_USAGE, "process.rlimits[%zu]: %s is set twice", i,
				rlimit_name(limit->resource, buffer));
		seen |= 1u << limit->resource;
		if (limit->limit.rlim_cur > limit->limit.rlim_max)
			return fail(err, ERROR_USAGE,
				"process.rlimits[%zu]: %s: soft limit %llu is above the hard limit %llu", i,
				rlimit_name(limit->resource, buffer), (unsigned long long)limit->limit.rlim_cur,
				(unsigned long long)limit->limit.rlim_max);
	}
	return 0;
}

/* --- namespaces and id maps --------------------------------------------------------------------------------------- */

static bool namespace_joined(const struct spec *spec, enum spec_namespace ns)
{
	return spec->namespaces.path[ns] || spec->namespaces.fd[ns] >= 0;
}

/* A namespace that is not the host's. */
static bool namespace_own(const struct spec *spec, enum spec_namespace ns)
{
	return spec->namespaces.create[ns] || namespace_joined(spec, ns);
}

static int namespaces_check(const struct spec *spec, struct error *err)
{
	for (size_t ns = 0; ns < NS_COUNT; ns++) {
		const char *path = spec->namespaces.path[ns];

		if (spec->namespaces.create[ns] && namespace_joined(spec, ns))
			return fail(err, ERROR_USAGE, "linux.namespaces: %s is to be new and to be joined",
				namespace_names[ns]);
		if (path && *path != '/')
			return fail(err, ERROR_USAGE, "linux.namespaces: path \"%s\" of %s: must be absolute", path,
				namespace_names[ns]);
	}
	/* Without one, every mount would go into the host's table. */
	if (!namespace_own(spec, NS_MOUNT))
		return fail(err, ERROR_USAGE,
			"linux.namespaces: a mount namespace is missing; without one all mounts would be the host's");
	return 0;
}

static bool ranges_meet(uint32_t a, uint32_t b, uint32_t a_count, uint32_t b_count)
{
	return a < (uint64_t)b + b_count && b < (uint64_t)a + a_count;
}

static int map_row_check(const char *key, const struct id_map *rows, size_t at, struct error *err)
{
	const struct id_map *row = &rows[at];

	if (row->count == 0)
		return fail(err, ERROR_USAGE, "linux.%s[%zu]: size 0", key, at);
	if ((uint64_t)row->inside + row->count > UINT32_MAX || (uint64_t)row->host + row->count > UINT32_MAX)
		return fail(err, ERROR_USAGE, "linux.%s[%zu]: %u ids from %u (inside) and %u (host) end beyond %u", key,
			at, row->count, row->inside, row->host, UINT32_MAX - 1);
	for (size_t i = 0; i < at; i++) {
		if (ranges_meet(rows[i].inside, row->inside, rows[i].count, row->count))
			return fail(
				err, ERROR_USAGE, "linux.%s[%zu]: container ids overlap those of [%zu]", key, at, i);
		if (ranges_meet(rows[i].host, row->host, rows[i].count, row->count))
			return fail(err, ERROR_USAGE, "linux.%s[%zu]: host ids overlap those of [%zu]", key, at, i);
	}
	return 0;
}

static int map_check(const char *key, const struct id_map *rows, size_t count, struct error *err)
{
	if (count > ID_MAPS_MAX)
		return fail(err, ERROR_USAGE, "linux.%s: %zu ranges, the kernel takes %d", key, count, ID_MAPS_MAX);
	for (size_t i = 0; i < count; i++) {
		if (map_row_check(key, rows, i, err) < 0)
			return -1;
	}
	return 0;
}

static bool map_has(const struct id_map *rows, size_t count, uint32_t id)
{
	for (size_t i = 0; i < count; i++) {
		if (id >= rows[i].inside && id - rows[i].inside < rows[i].count)
			return true;
	}
	return false;
}

static int mapped_check(const struct spec *spec, struct error *err)
{
	const struct spec_process *process = &spec->process;

	if (!map_has(spec->uid_maps.items, spec->uid_maps.count, process->uid))
		return fail(err, ERROR_USAGE, "process.user.uid %u: is not in linux.uidMappings", process->uid);
	if (!map_has(spec->gid_maps.items, spec->gid_maps.count, process->gid))
		return fail(err, ERROR_USAGE, "process.user.gid %u: is not in linux.gidMappings", process->gid);
	for (size_t i = 0; i < process->groups.count; i++) {
		if (!map_has(spec->gid_maps.items, spec->gid_maps.count, process->groups.items[i]))
			return fail(err, ERROR_USAGE,
				"process.user.additionalGids[%zu] %u: is not in linux.gidMappings", i,
				process->groups.items[i]);
	}
	return 0;
}

static int maps_check(const struct spec *spec, struct error *err)
{
	if (!spec->namespaces.create[NS_USER]) {
		/* Engines above us repeat the maps of a namespace that is joined; it has them already. */
		if ((spec->uid_maps.count || spec->gid_maps.count) && !namespace_joined(spec, NS_USER))
			return fail(err, ERROR_USAGE, "linux.uidMappings: id maps need a user namespace");
		return 0;
	}
	if (spec->uid_maps.count == 0)
		return fail(err, ERROR_USAGE, "linux.uidMappings: a new user namespace needs them");
	if (spec->gid_maps.count == 0)
		return fail(err, ERROR_USAGE, "linux.gidMappings: a new user namespace needs them");
	if (map_check("uidMappings", spec->uid_maps.items, spec->uid_maps.count, err) < 0)
		return -1;
	if (map_check("gidMappings", spec->gid_maps.items, spec->gid_maps.count, err) < 0)
		return -1;
	return mapped_check(spec, err);
}

static int uts_check(const struct spec *spec, struct error *err)
{
	const struct {
		const char *key, *value;
	} names[] = {{"hostname", spec->hostname}, {"domainname", spec->domainname}};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (text_is_empty(names[i].value))
			continue;
		if (!namespace_own(spec, NS_UTS))
			return fail(err, ERROR_USAGE, "%s: setting it needs a uts namespace", names[i].key);
		if (strlen(names[i].value) > HOST_NAME_MAX_LENGTH)
			return fail(err, ERROR_USAGE, "%s: %zu bytes, at most %d", names[i].key, strlen(names[i].value),
				HOST_NAME_MAX_LENGTH);
		if (line_check(names[i].key, names[i].value, err) < 0)
			return -1;
	}
	return 0;
}

/* --- root, mounts, devices ---------------------------------------------------------------------------------------- */

static int mount_check(const struct spec *spec, const struct spec_mount *mount, struct error *err)
{
	if (inside_path_check("destination", mount->destination, err) < 0)
		return -1;
	if (mount->destination[strspn(mount->destination, "/")] == '\0')
		return fail(
			err, ERROR_USAGE, "destination \"%s\": is the root itself, see root.path", mount->destination);
	if (!mount->bind && text_is_empty(mount->type))
		return fail(err, ERROR_USAGE, "type is missing");
	if (mount->bind && text_is_empty(mount->source))
		return fail(err, ERROR_USAGE, "source is missing");
	if (mount->idmap && !mount->bind)
		return fail(err, ERROR_USAGE, "idmap is for bind mounts");
	if (!mount->uid_maps.count != !mount->gid_maps.count)
		return fail(err, ERROR_USAGE, "uidMappings and gidMappings go together");
	if (mount->idmap && !mount->uid_maps.count && !namespace_own(spec, NS_USER))
		return fail(err, ERROR_USAGE, "idmap needs a user namespace, or uidMappings and gidMappings");
	if (mount->copy_up && (mount->bind || strcmp(mount->type, "tmpfs") != 0))
		return fail(err, ERROR_USAGE, "tmpcopyup is for tmpfs");
	return 0;
}

static int mounts_check(const struct spec *spec, struct error *err)
{
	for (size_t i = 0; i < spec->mounts.count; i++) {
		if (mount_check(spec, &spec->mounts.items[i], err) < 0)
			return blame(err, "mounts[%zu]", i);
	}
	return 0;
}

static int device_check(const struct spec_device *device, struct error *err)
{
	if (inside_path_check("path", device->path, err) < 0)
		return -1;
	if (strcmp(device->path, "/") == 0 || text_ends_with(device->path, "/"))
		return fail(err, ERROR_USAGE, "path \"%s\": names no file", device->path);
	if (!device->type || !strchr("cbp", device->type))
		return fail(err, ERROR_USAGE, "type '%c': must be c, b or p", device->type);
	if (device->mode > 07777)
		return fail(err, ERROR_USAGE, "fileMode %#o: at most 07777", device->mode);
	if (device->uid == (uid_t)-1 || device->gid == (gid_t)-1)
		return fail(err, ERROR_USAGE, "owner %u:%u", device->uid, device->gid);
	return 0;
}

static int devices_check(const struct spec *spec, struct error *err)
{
	for (size_t i = 0; i < spec->devices.count; i++) {
		if (device_check(&spec->devices.items[i], err) < 0)
			return blame(err, "linux.devices[%zu]", i);
	}
	return 0;
}

static int covered_paths_check(const struct spec *spec, struct error *err)
{
	if (inside_paths_check("linux.maskedPaths", &spec->masked_paths, err) < 0)
		return -1;
	return inside_paths_check("linux.readonlyPaths", &spec->read_only_paths, err);
}

/* --- sysctls ------------------------------------------------------------------------------------------------------ */

/* Which kernel parameters belong to a namespace; all others are the host's. Names ending in a dot are prefixes. */
static const struct {
	const char *name;
	enum spec_namespace ns;
} sysctl_owners[] = {
	{"kernel.msgmax", NS_IPC},
	{"kernel.msgmnb", NS_IPC},
	{"kernel.msgmni", NS_IPC},
	{"kernel.sem", NS_IPC},
	{"kernel.shmall", NS_IPC},
	{"kernel.shmmax", NS_IPC},
	{"kernel.shmmni", NS_IPC},
	{"kernel.shm_rmid_forced", NS_IPC},
	{"kernel.domainname", NS_UTS},
	{"fs.mqueue.", NS_IPC},
	{"net.", NS_NET},
	{"user.", NS_USER},
};

static bool sysctl_matches(const char *pattern, const char *name)
{
	return text_ends_with(pattern, ".") ? text_starts_with(name, pattern) : strcmp(name, pattern) == 0;
}

/* Each component becomes one of a path below /proc/sys: none may be empty or climb. */
static bool sysctl_name_is_plain(const char *name)
{
	if (*name == '.' || text_ends_with(name, ".") || strstr(name, ".."))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(name);
}

static int sysctl_check(const struct spec *spec, const struct pair *sysctl, struct error *err)
{
	if (strlen(sysctl->value) > SYSCTL_VALUE_MAX)
		return fail(
			err, ERROR_USAGE, "value of %zu bytes, at most %d", strlen(sysctl->value), SYSCTL_VALUE_MAX);
	if (!sysctl_name_is_plain(sysctl->name))
		return fail(err, ERROR_USAGE, "name must be letters, digits, '_' and '-' separated by single dots");
	if (strcmp(sysctl->name, "kernel.hostname") == 0)
		return fail(err, ERROR_USAGE, "is set by \"hostname\"");
	for (size_t i = 0; i < ARRAY_SIZE(sysctl_owners); i++) {
		if (!sysctl_matches(sysctl_owners[i].name, sysctl->name))
			continue;
		if (namespace_own(spec, sysctl_owners[i].ns))
			return 0;
		return fail(err, ERROR_USAGE, "needs a namespace of its own: %s", namespace_names[sysctl_owners[i].ns]);
	}
	return fail(err, ERROR_USAGE, "belongs to the host and not to a namespace");
}

static int sysctls_check(const struct spec *spec, struct error *err)
{
	for (size_t i = 0; i < spec->sysctls.count; i++) {
		if (sysctl_check(spec, &spec->sysctls.items[i], err) < 0)
			return blame(err, "linux.sysctl: %s", spec->sysctls.items[i].name);
	}
	return 0;
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static int cgroup_path_check(const struct spec *spec, struct error *err)
{
	const char *path = spec->cgroup_path;

	if (!path)
		return 0;
	/* slice:prefix:name; whether that is wanted and right is known to who makes the cgroup. */
	if (strchr(path, ':'))
		return line_check("linux.cgroupsPath", path, err);
	for (const char *at = path; *at; at += strcspn(at, "/"), at += *at == '/') {
		size_t length = strcspn(at, "/");

		if ((length == 2 && memcmp(at, "..", 2) == 0) || (length == 1 && *at == '.'))
			return fail(
				err, ERROR_USAGE, "linux.cgroupsPath \"%s\": must not contain \".\" or \"..\"", path);
	}
	if (path[strspn(path, "/")] == '\0')
		return fail(err, ERROR_USAGE, "linux.cgroupsPath \"%s\": names the root cgroup", path);
	return line_check("linux.cgroupsPath", path, err);
}

static int hooks_check(const struct spec *spec, struct error *err)
{
	static const char *const names[HOOK_KINDS] = {
		"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"};

	for (size_t kind = 0; kind < HOOK_KINDS; kind++) {
		for (size_t i = 0; i < spec->hooks.of[kind].count; i++) {
			const struct spec_hook *hook = &spec->hooks.of[kind].items[i];

			if (text_is_empty(hook->path) || *hook->path != '/')
				return fail(err, ERROR_USAGE, "hooks.%s[%zu].path \"%s\": must be absolute",
					names[kind], i, hook->path ? hook->path : "");
			if (variables_check("env", &hook->env, err) < 0)
				return blame(err, "hooks.%s[%zu]", names[kind], i);
			if (hook->timeout_s.set && hook->timeout_s.value <= 0)
				return fail(err, ERROR_USAGE, "hooks.%s[%zu].timeout %lld: must be positive",
					names[kind], i, (long long)hook->timeout_s.value);
		}
	}
	return 0;
}

static int seccomp_check(const struct spec *spec, struct error *err)
{
	const struct spec_seccomp *seccomp = spec->seccomp;

	if (!seccomp)
		return 0;
	if (seccomp->listener_metadata && !seccomp->listener_path)
		return fail(err, ERROR_USAGE, "linux.seccomp.listenerMetadata: is of use only with listenerPath");
	if (seccomp->default_action == SCMP_ACT_NOTIFY)
		return fail(err, ERROR_USAGE, "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is for single calls");
	for (size_t i = 0; i < seccomp->rules.count; i++) {
		const struct seccomp_rule *rule = &seccomp->rules.items[i];

		if (rule->action != SCMP_ACT_NOTIFY)
			continue;
		if (!seccomp->listener_path)
			return fail(err, ERROR_USAGE,
				"linux.seccomp.syscalls[%zu]: SCMP_ACT_NOTIFY: needs a listenerPath", i);
		/* With the one the listener is told of the container, with the other the runtime of errors: who would
		 * answer cannot know of it yet. */
		if (strings_contain(&rule->names, "sendmsg") || strings_contain(&rule->names, "write"))
			return fail(err, ERROR_USAGE,
				"linux.seccomp.syscalls[%zu]: SCMP_ACT_NOTIFY: cannot be used for write and sendmsg",
				i);
	}
	return 0;
}

/* What the kernel takes as a device's name, but for patterns: nobody would know what became of them. */
static int device_name_check(const char *key, const char *name, struct error *err)
{
	size_t length = strlen(name);

	if (length == 0 || length >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return fail(err, ERROR_USAGE, "%s \"%s\": is no name of a network device", key, name);
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f || strchr("/:%", name[i]))
			return fail(err, ERROR_USAGE, "%s \"%s\": is no name of a network device", key, name);
	}
	return 0;
}

static int net_devices_check(const struct spec *spec, struct error *err)
{
	for (size_t i = 0; i < spec->net_devices.count; i++) {
		const struct spec_net_device *device = &spec->net_devices.items[i];

		if (device_name_check("linux.netDevices", device->name, err) < 0 ||
			device_name_check("linux.netDevices.name", device->inside, err) < 0)
			return -1;
		for (size_t k = 0; k < i; k++)
			if (strcmp(spec->net_devices.items[k].inside, device->inside) == 0)
				return fail(err, ERROR_USAGE, "linux.netDevices: two become \"%s\"", device->inside);
	}
	if (spec->net_devices.count && !namespace_own(spec, NS_NET))
		return fail(err, ERROR_USAGE, "linux.netDevices: needs a network namespace of the container's own");
	return 0;
}

/* config.md: "Keys MUST NOT be an empty string". */
static int annotations_check(const struct spec *spec, struct error *err)
{
	for (size_t i = 0; i < spec->annotations.count; i++)
		if (*spec->annotations.items[i].name == '\0')
			return fail(err, ERROR_USAGE, "annotations: a key is empty (its value is \"%s\")",
				spec->annotations.items[i].value);
	return 0;
}

typedef int spec_checker(const struct spec *spec, struct error *err);

static spec_checker *const process_checks[] = {
	program_check,
	environment_check,
	ids_check,
	capabilities_check,
	rlimits_check,
};
static spec_checker *const checks[] = {
	namespaces_check,
	maps_check,
	uts_check,
	mounts_check,
	devices_check,
	covered_paths_check,
	sysctls_check,
	cgroup_path_check,
	hooks_check,
	seccomp_check,
	net_devices_check,
	annotations_check,
};

static int all_check(spec_checker *const *rows, size_t count, const struct spec *spec, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (rows[i](spec, err) < 0)
			return -1;
	}
	return 0;
}

int spec_check(const struct spec *spec, struct error *err)
{
	if (all_check(process_checks, ARRAY_SIZE(process_checks), spec, err) < 0)
		return -1;
	return all_check(checks, ARRAY_SIZE(checks), spec, err);
}

int spec_process_check(const struct spec_process *process, struct error *err)
{
	const struct spec spec = {.process = *process};

	return all_check(process_checks, ARRAY_SIZE(process_checks), &spec, err);
}
