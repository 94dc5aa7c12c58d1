/* What an audit judges: the compiled specification, and of a running instance what the kernel says about its first
 * process.
 *
 * /proc/PID is opened once and the process identified again afterwards: all that was read below that descriptor is then
 * of that process, whatever became of its number meanwhile. */
#include "fleet/host/audit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mountinfo.h"
#include "fleet/spec/network_mode.h"

#define STATUS_MAX 65536
#define WRITABLE_MAX 64 /* lines; an instance may have made thousands */

/* --- from the specification --------------------------------------------------------------------------------------- */

static int compile(
	struct arena *arena, const struct instance_spec *spec, uint32_t id_base, struct spec **out, struct error *err)
{
	struct compile_facts facts = {.id_base = id_base, .cgroup_path = "warren/audit"};
	struct instance_spec copy = *spec;

	/* Programs and their environment are not judged; files of the host need not be there. */
	copy.env_file = (struct strings){0};
	copy.entrypoint = copy.command = (struct strings){0};
	strings_add(arena, &copy.command, "/sbin/init");
	*out = arena_new(arena, struct spec);
	return instance_compile(arena, &copy, &facts, *out, err);
}

/* File systems that every instance may write in: its own, in memory or of its own kernel objects; and the nodes of
 * devices, also where they are masks. */
static bool is_usual(const char *type, const char *path)
{
	static const char *const types[] = {"proc", "devpts", "mqueue", "tmpfs", "devtmpfs"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(type, types[i]))
			return true;
	return !strcmp(path, "/") || text_starts_with(path, "/dev/");
}

static void writable_add(struct arena *arena, struct strings *list, const char *type, const char *path)
{
	if (!is_usual(type, path) && list->count < WRITABLE_MAX)
		strings_add(arena, list, arena_format(arena, "%s(%s)", path, type));
}

static void writable_compile(
	struct arena *arena, const struct spec *spec, const struct instance_spec *wanted, struct strings *out)
{
	for (size_t i = 0; i < spec->mounts.count; i++)
		if (!(spec->mounts.items[i].attr_set & MOUNT_ATTR_RDONLY))
			writable_add(arena, out, spec->mounts.items[i].type, spec->mounts.items[i].destination);
	for (size_t i = 0; i < wanted->volumes.count; i++)
		if (wanted->volumes.items[i].type != VOLUME_TMPFS && !wanted->volumes.items[i].read_only)
			writable_add(arena, out, "volume", wanted->volumes.items[i].target);
}

int audit_facts_compile(struct arena *arena, const struct instance_spec *spec, uint32_t id_base,
	struct audit_facts *out, struct error *err)
{
	struct spec *compiled, *usual = arena_new(arena, struct spec);

	if (compile(arena, spec, id_base, &compiled, err) < 0)
		return -1;
	spec_init(usual);
	spec_set_defaults(arena, usual, 0);
	*out = (struct audit_facts){
		.wanted = spec,
		.compiled = compiled,
		.usual = usual,
		.capabilities = compiled->process.capabilities[CAPS_BOUNDING],
		.no_new_privileges = compiled->process.no_new_privileges,
		.filtered = compiled->seccomp,
		.id_base = id_base,
		.limits = compiled->limits,
		.root_read_only = spec->read_only,
		.ephemeral = spec->ephemeral,
		.asked = instance_has_check(spec, NULL),
		.alone = !strcmp(spec->network, NETWORK_DEFAULT) || !strcmp(spec->network, "none"),
	};
	/* A number says it; a name is looked up only at the start, but "root" is always 0. */
	out->uid = text_is_empty(spec->user) || !strcmp(spec->user, "root") ? 0 : (uid_t)strtoul(spec->user, NULL, 10);
	if (out->uid == 0 && spec->user && strcmp(spec->user, "root") && *spec->user != '0')
		out->uid = (uid_t)-1;
	memcpy(out->own, compiled->namespaces.create, sizeof(out->own));
	/* Another's, but not the host's. */
	out->own[NS_NET] |= network_is_joined(spec->network);
	writable_compile(arena, compiled, spec, &out->writable);
	return 0;
}

/* --- from the kernel ---------------------------------------------------------------------------------------------- */

static const char *status_value(const char *status, const char *label)
{
	const char *line = strstr(status, label);

	return line ? line + strlen(label) : "";
}

static int status_facts(struct arena *arena, int proc, struct audit_facts *facts, struct error *err)
{
	const char *status;
	uid_t host_uid;

	if (file_read(arena, proc, "status", STATUS_MAX, &status, NULL, err) < 0)
		return -1;
	facts->capabilities = strtoull(status_value(status, "\nCapBnd:\t"), NULL, 16);
	facts->no_new_privileges = *status_value(status, "\nNoNewPrivs:\t") == '1';
	facts->filtered = *status_value(status, "\nSeccomp:\t") == '2';
	host_uid = (uid_t)strtoul(status_value(status, "\nUid:\t"), NULL, 10);
	facts->uid = host_uid - facts->id_base;
	return 0;
}

/* Its own when it is another one than ours: audits are run on the host. */
static int namespace_facts(int proc, struct audit_facts *facts, struct error *err)
{
	static const char *const files[NS_COUNT] = {[NS_USER] = "user",
		[NS_MOUNT] = "mnt",
		[NS_PID] = "pid",
		[NS_UTS] = "uts",
		[NS_IPC] = "ipc",
		[NS_NET] = "net",
		[NS_CGROUP] = "cgroup"};
	struct stat theirs, ours;
	char path[32];

	for (size_t ns = 0; ns < NS_COUNT; ns++) {
		if (!files[ns])
			continue;
		snprintf(path, sizeof(path), "ns/%s", files[ns]);
		if (fstatat(proc, path, &theirs, 0) < 0)
			return fail_errno(err, "look at its %s namespace", files[ns]);
		snprintf(path, sizeof(path), "/proc/self/ns/%s", files[ns]);
		if (stat(path, &ours) < 0)
			return fail_errno(err, "%s", path);
		facts->own[ns] = theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev;
	}
	return 0;
}

struct mounts_reading {
	struct arena *arena;
	struct audit_facts *facts;
};

/* The mount can forbid to write, and the file system; both begin with it. */
static bool mount_note(void *context, const struct mountinfo *mount)
{
	struct mounts_reading *reading = context;
	struct audit_facts *facts = reading->facts;
	bool read_only = text_starts_with(mount->flags, "ro") || text_starts_with(mount->options, "ro");

	if (!strcmp(mount->point, "/"))
		facts->root_read_only = read_only;
	if (!read_only)
		writable_add(reading->arena, &facts->writable, mount->type, mount->point);
	return true;
}

static int mount_facts(struct arena *arena, int proc, struct audit_facts *facts, struct error *err)
{
	struct mounts_reading reading = {.arena = arena, .facts = facts};

	facts->writable = (struct strings){0};
	return mountinfo_each(proc, mount_note, &reading, err);
}

int audit_facts_from_kernel(struct arena *arena, struct host *host, const struct instance_status *status,
	struct audit_facts *facts, struct error *err)
{
	const char *path = arena_format(arena, "/proc/%d", status->init.pid);
	auto_fd proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (proc < 0)
		return fail_errno(err, "open %s", path);
	if (!process_is_alive(&status->init))
		return fail(err, ERROR_BUSY, "it has just ended");
	facts->running = true;
	if (status_facts(arena, proc, facts, err) < 0 || namespace_facts(proc, facts, err) < 0 ||
		mount_facts(arena, proc, facts, err) < 0)
		return -1;
	return instance_limits_read(arena, host, status, &facts->limits, err);
}
