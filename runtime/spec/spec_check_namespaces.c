/* What is wrong with namespaces, or with what is set in one that the container does not have: id maps, host name,
 * kernel parameters. */
#include "runtime/spec/spec_check.h"

#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

#define ID_MAPS_MAX 340 /* user_namespaces(7): lines of a map since 4.15 */
#define HOST_NAME_MAX_LENGTH 64
#define SYSCTL_VALUE_MAX 4096

static bool namespace_joined(const struct spec *spec, enum spec_namespace ns)
{
	return spec->namespaces.path[ns] || spec->namespaces.fd[ns] >= 0;
}

/* A namespace that is not the host's. */
bool spec_namespace_is_own(const struct spec *spec, enum spec_namespace ns)
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
	if (!spec_namespace_is_own(spec, NS_MOUNT))
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
		if (!spec_namespace_is_own(spec, NS_UTS))
			return fail(err, ERROR_USAGE, "%s: setting it needs a uts namespace", names[i].key);
		if (strlen(names[i].value) > HOST_NAME_MAX_LENGTH)
			return fail(err, ERROR_USAGE, "%s: %zu bytes, at most %d", names[i].key, strlen(names[i].value),
				HOST_NAME_MAX_LENGTH);
		if (line_check(names[i].key, names[i].value, err) < 0)
			return -1;
	}
	return 0;
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
		if (spec_namespace_is_own(spec, sysctl_owners[i].ns))
			return 0;
		return fail(err, ERROR_USAGE, "needs a namespace of its own: %s", namespace_names[sysctl_owners[i].ns]);
	}
	return fail(err, ERROR_USAGE, "belongs to the host and not to a namespace");
}

int spec_check_sysctls(const struct spec *spec, struct error *err)
{
	for (size_t i = 0; i < spec->sysctls.count; i++) {
		if (sysctl_check(spec, &spec->sysctls.items[i], err) < 0)
			return blame(err, "linux.sysctl: %s", spec->sysctls.items[i].name);
	}
	return 0;
}

static spec_checker *const checks[] = {
	namespaces_check,
	maps_check,
	uts_check,
};

int spec_check_namespaces(const struct spec *spec, struct error *err)
{
	return spec_check_rows(checks, ARRAY_SIZE(checks), spec, err);
}
