/* Audit: what of the host an instance sees, what it can use up, and where it answers. */
#include "fleet/host/audit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "fleet/spec/network_mode.h"

#define RETRIES_CAREFUL 5 /* the benchmark's own number */

/* --- files of the host -------------------------------------------------------------------------------------------- */

static void root(struct auditor *a)
{
	if (a->facts.root_read_only)
		audit_add(a, "5.13", "root file system", AUDIT_OK, "read-only", NULL);
	else if (a->facts.ephemeral)
		audit_add(a, "5.13", "root file system", AUDIT_WEAK, "writable until its end",
			"what is changed in it stays until then: \"read_only\": true, and tmpfs for what it writes");
	else
		audit_add(a, "5.13", "root file system", AUDIT_WEAK, "writable",
			"what is changed in it stays: \"read_only\": true, and tmpfs or volumes for what it writes");
}

/* Whose files tell or decide about the host. */
static const char *const sensitive[] = {"/boot", "/dev", "/etc", "/lib", "/proc", "/root", "/sys", "/usr",
	"/var/lib/dpkg", "/var/log", "/var/spool/cron"};

static bool is_sensitive(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(sensitive); i++)
		if (path_is_under(path, sensitive[i]) || path_is_under(sensitive[i], path))
			return true;
	return false;
}

static bool is_control_socket(const char *path)
{
	return text_ends_with(path, ".sock") || text_ends_with(path, ".socket") || path_is_under(path, "/run") ||
	       path_is_under(path, "/var/run");
}

static void host_path(struct auditor *a, const struct volume *volume)
{
	const char *found = arena_format(
		a->arena, "%s on %s%s", volume->source, volume->target, volume->read_only ? ", read-only" : "");

	if (is_control_socket(volume->source))
		audit_add(a, "5.32", "socket of the host", AUDIT_OPEN, found,
			"who talks to a service of the host has what that service can do: take the volume away");
	else if (is_sensitive(volume->source))
		audit_add(a, "5.6", "directory of the host", volume->read_only ? AUDIT_WEAK : AUDIT_OPEN, found,
			"files that tell or decide about the host: give a copy of what is needed as a config");
	else
		audit_add(a, "5.6", "directory of the host", AUDIT_OK, found, NULL);
}

static void host_paths(struct auditor *a)
{
	size_t count = 0;

	for (size_t i = 0; i < a->facts.wanted->volumes.count; i++) {
		const struct volume *volume = &a->facts.wanted->volumes.items[i];

		if (volume->type != VOLUME_BIND)
			continue;
		host_path(a, volume);
		count++;
	}
	if (!count)
		audit_add(a, "5.6 5.32", "directories and sockets of the host", AUDIT_OK, "none", NULL);
}

static void usr_of_host(struct auditor *a)
{
	if (text_equal(a->facts.wanted->image, IMAGE_HOST))
		audit_add(a, "", "the host's programs", AUDIT_OK,
			"/usr, read-only by its super block; it sees what is installed", NULL);
}

static void devices(struct auditor *a)
{
	const struct instance_spec *wanted = a->facts.wanted;

	for (size_t i = 0; i < wanted->devices.count; i++)
		audit_add(a, "5.18", "device of the host", AUDIT_OPEN,
			arena_format(a->arena, "%s on %s (%s)", wanted->devices.items[i].path,
				wanted->devices.items[i].target, wanted->devices.items[i].permissions),
			"what its driver does is the host's kernel at work, and what it holds is the host's: take it "
			"away where it is not needed");
	if (a->facts.compiled->devices.count)
		audit_add(a, "5.18", "devices", AUDIT_OPEN, "of the host, by \"oci\"", "take them away");
	else if (!wanted->devices.count)
		audit_add(a, "5.18", "devices", AUDIT_OK, "null zero full random urandom tty", NULL);
}

static void kernel_files(struct auditor *a)
{
	bool undone = a->facts.capabilities >> 21 & 1; /* CAP_SYS_ADMIN */
	size_t masked = a->facts.compiled->masked_paths.count, fixed = a->facts.compiled->read_only_paths.count;
	const char *found = arena_format(a->arena, "%zu masked, %zu read-only", masked, fixed);

	if (masked < a->facts.usual->masked_paths.count || fixed < a->facts.usual->read_only_paths.count)
		audit_add(a, "", "kernel files", AUDIT_OPEN, found, "fewer than by default");
	else if (undone)
		audit_add(a, "", "kernel files", AUDIT_WEAK, found,
			"SYS_ADMIN can unmount the masks: then it reads what everybody on the host may, and writes "
			"nothing "
			"of the host's");
	else
		audit_add(a, "", "kernel files", AUDIT_OK, found, NULL);
}

static void writable(struct auditor *a)
{
	const char *found = audit_join(a->arena, &a->facts.writable, "only its own");
	bool cgroup = strstr(found, "(cgroup");

	if (cgroup)
		audit_add(a, "5.25", "writable mounts", AUDIT_WEAK, found,
			"it divides its own control group; the limits of the whole belong to the host");
	else
		audit_add(a, "5.25", "writable mounts", AUDIT_OK, found, NULL);
}

/* --- what it can use up ------------------------------------------------------------------------------------------- */

static const char *size_text(struct auditor *a, const struct optional *bytes)
{
	char text[24];

	return arena_string(a->arena, size_format(bytes->value, text));
}

static bool is_limit(const struct optional *limit)
{
	return limit->set && limit->value >= 0;
}

static void memory(struct auditor *a)
{
	const struct optional *limit = &a->facts.limits.memory_max;

	if (is_limit(limit))
		audit_add(a, "5.11", "memory limit", AUDIT_OK, size_text(a, limit), NULL);
	else
		audit_add(a, "5.11", "memory limit", AUDIT_WEAK, "none",
			"it can use all of the host's: \"resources\": {\"memory\": \"64M\"}");
}

static void processor(struct auditor *a)
{
	const struct cgroup_limits *limits = &a->facts.limits;

	if (is_limit(&limits->cpu_quota_us) && is_limit(&limits->cpu_period_us))
		audit_add(a, "5.12", "processors", AUDIT_OK,
			arena_format(a->arena, "%.2f",
				(double)limits->cpu_quota_us.value / (double)limits->cpu_period_us.value),
			NULL);
	else
		audit_add(a, "5.12", "processors", AUDIT_OK, "an equal share when they are busy", NULL);
}

static void processes(struct auditor *a)
{
	const struct optional *limit = &a->facts.limits.pids_max;

	if (is_limit(limit))
		audit_add(a, "5.29", "number of processes", AUDIT_OK,
			arena_format(a->arena, "%jd", (intmax_t)limit->value), NULL);
	else
		audit_add(a, "5.29", "number of processes", AUDIT_OPEN, "no limit",
			"one fork bomb stops the host: \"resources\": {\"pids\": 512}");
}

static void ulimits(struct auditor *a)
{
	const struct spec_process *process = &a->facts.compiled->process;
	struct strings words = {0};
	char name[24];

	for (size_t i = 0; i < process->rlimits.count; i++)
		strings_add(a->arena, &words,
			arena_format(a->arena, "%s=%jd", rlimit_name(process->rlimits.items[i].resource, name),
				(intmax_t)process->rlimits.items[i].limit.rlim_max));
	audit_add(a, "5.19", "ulimits", AUDIT_OK, audit_join(a->arena, &words, "none"), NULL);
}

static void logs(struct auditor *a)
{
	const struct logging_spec *logging = &a->facts.wanted->logging;
	char size[24];

	audit_add(a, "", "log", AUDIT_OK,
		strcmp(logging->driver, "file")
			? logging->driver
			: arena_format(a->arena, "%jd files of %s", (intmax_t)logging->max_files,
				  size_format(logging->max_size_bytes, size)),
		NULL);
}

static void restarts(struct auditor *a)
{
	const struct restart_spec *restart = &a->facts.wanted->restart;
	const char *policy = restart_policy_names[restart->policy];

	if (restart->policy == RESTART_NO)
		audit_add(a, "5.15", "restarts", AUDIT_OK, policy, NULL);
	else if (restart->max_retries.set && restart->max_retries.value <= RETRIES_CAREFUL)
		audit_add(a, "5.15", "restarts", AUDIT_OK,
			arena_format(a->arena, "%s, %jd times", policy, (intmax_t)restart->max_retries.value), NULL);
	else
		audit_add(a, "5.15", "restarts", AUDIT_WEAK, arena_format(a->arena, "%s, without end", policy),
			"with growing delays, but for ever: \"restart\": {\"policy\": \"on-failure\", \"max_retries\": "
			"5}");
}

static void health(struct auditor *a)
{
	const struct health_spec *check = &a->facts.wanted->health;

	if (check->http)
		audit_add(a, "5.27", "health check", AUDIT_OK, check->http, NULL);
	else if (check->tcp)
		audit_add(a, "5.27", "health check", AUDIT_OK,
			arena_format(a->arena, "tcp port %jd", (intmax_t)check->tcp), NULL);
	else if (a->facts.asked)
		audit_add(
			a, "5.27", "health check", AUDIT_OK, check->test.count ? "its own test" : "the image's", NULL);
	else
		audit_add(a, "5.27", "health check", AUDIT_WEAK, "none",
			"nobody asks whether it serves: \"healthcheck\": {\"http\": \"http://:80/\"}");
}

/* --- where it answers --------------------------------------------------------------------------------------------- */

static void port(struct auditor *a, const struct port *port)
{
	char text[PORT_TEXT_SIZE];
	const char *found = arena_string(a->arena, port_format(port, text));

	if (!ip_is_any(&port->host_ip))
		audit_add(a, "5.8 5.14", "published port", AUDIT_OK, found, NULL);
	else
		audit_add(a, "5.8 5.14", "published port", AUDIT_WEAK, found,
			"on every address of the host; name the one that is meant: \"host_ip\"");
}

/* By enum network_kind; what stands behind the colon comes between before and after. */
static const struct {
	const char *before, *after, *why;
} other_networks[] = {
	[NETWORK_SHARED] = {"the network of ", ", its loopback link too",
		"what listens there for itself alone is reached: share it only with what belongs together"},
	[NETWORK_MACVLAN] = {"the network behind the host's link ", "",
		"its neighbours there reach every port of it, and it theirs: no rule of ours is in between"},
	[NETWORK_BRIDGE] = {"the network of the host's bridge ", "",
		"its neighbours there reach every port of it, and it theirs: no rule of ours is in between"},
	[NETWORK_BY_PATH] = {"the namespace ", "", "who made it decides who reaches it"},
};

static void others(struct auditor *a)
{
	struct network_mode mode = network_mode(a->facts.wanted->network);

	if (mode.kind == NETWORK_HOST)
		return; /* told by its namespace */
	if (mode.kind != NETWORK_ROUTED && mode.kind != NETWORK_NONE)
		audit_add(a, "2.2 5.30", "other instances", AUDIT_WEAK,
			arena_format(a->arena, "%s%s%s", other_networks[mode.kind].before, mode.of,
				other_networks[mode.kind].after),
			other_networks[mode.kind].why);
	else if (a->facts.alone)
		audit_add(a, "2.2 5.30", "other instances", AUDIT_OK,
			arena_format(a->arena, "not seen on the network %s", a->facts.wanted->network), NULL);
	else
		audit_add(a, "2.2 5.30", "other instances", AUDIT_WEAK,
			arena_format(a->arena, "those of the network %s", a->facts.wanted->network),
			"it reaches every port of theirs and they its: \"isolated\": true in the network");
}

static void network(struct auditor *a)
{
	const struct instance_spec *wanted = a->facts.wanted;

	for (size_t i = 0; i < wanted->ports.count; i++)
		port(a, &wanted->ports.items[i]);
	if (!wanted->ports.count)
		audit_add(a, "5.8 5.14", "published ports", AUDIT_OK, "none", NULL);
	audit_add(a, "2.16", "program between port and instance", AUDIT_OK, "none", NULL);
	others(a);
}

static void entering(struct auditor *a)
{
	audit_add(a, "5.23 5.24", "exec and shell", AUDIT_OK, "with these same rights", NULL);
}

void audit_reach(struct auditor *auditor)
{
	static void (*const questions[])(struct auditor *) = {root, host_paths, usr_of_host, devices, kernel_files,
		writable, memory, processor, processes, ulimits, logs, restarts, health, network, entering};

	for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
		questions[i](auditor);
}
