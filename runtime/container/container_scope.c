/* Containers in scopes of systemd: the life of the scope beside the container's.
 *
 * systemd has the last word on a unit's cgroup: it writes the unit's properties there again whenever it reloads or a
 * neighbour changes. So each limit that it knows is a property first. All of them are then written by us as well, as on
 * any cgroup, because properties are coarser (whole percents of a processor) or do not exist; device rules are a
 * program of our own beside those of systemd, which it never touches. */
#include "runtime/container/container_scope.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

#define TIMEOUT_MS 30000

static int scope_bus(const struct container_facts *facts)
{
	return facts->scope_of_user ? SYSTEMD_USER : SYSTEMD_SYSTEM;
}

/* --- before it is made -------------------------------------------------------------------------------------------- */

static int cgroup_version_check(struct error *err)
{
	AUTO(cgroup_host_drop) struct cgroup_host host;

	if (cgroup_host_open(&host, err) < 0)
		return -1;
	if (host.mode == CGROUP_V2)
		return 0;
	return fail(err, ERROR_SYSTEM,
		"cgroups by systemd need cgroup v2 alone, and this host has %s; use --cgroup-manager cgroupfs",
		host.mode == CGROUP_NONE ? "none" : "controllers on v1");
}

static const struct {
	const char *name, *type, *value;
} fixed[] = {
	/* Below the scope the container may do as it likes; systemd keeps out of it. */
	{"Delegate", "b", "true"},
	/* Not stopped with the others before the engine above us is. */
	{"DefaultDependencies", "b", "false"},
	{"CollectMode", "s", "inactive-or-failed"},
	{"CPUAccounting", "b", "true"},
	{"MemoryAccounting", "b", "true"},
	{"IOAccounting", "b", "true"},
	{"TasksAccounting", "b", "true"},
};

static int properties_make(struct scope *scope, struct arena *arena, const char *id, const struct spec *spec,
	const struct cgroup_limits *limits, struct error *err)
{
	struct systemd_properties *list = &scope->request.properties;

	systemd_property_set(arena, list, "Description", "s", arena_format(arena, "container %s of warren-oci", id), 0);
	systemd_property_set(arena, list, "Slice", "s", scope->name.slice, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		systemd_property_set(arena, list, fixed[i].name, fixed[i].type, fixed[i].value, 0);
	if (systemd_properties_add_limits(arena, list, limits, err) < 0)
		return blame(err, "linux.resources");
	return systemd_properties_add_annotations(arena, list, &spec->annotations, err);
}

/* The helper counts as a process of the scope, too. */
static struct cgroup_limits limits_at_start(const struct scope *scope, const struct cgroup_limits *limits)
{
	struct cgroup_limits now = *limits;

	if (scope->narrow)
		now.pids_max.value = 2;
	return now;
}

int scope_plan(struct scope *scope, struct arena *arena, const char *id, const struct spec *spec, struct error *err)
{
	struct cgroup_limits limits;

	scope->request =
		(struct systemd_request){.verb = SYSTEMD_START, .bus = systemd_bus_choose(), .timeout_ms = TIMEOUT_MS};
	scope->narrow = spec->limits.pids_max.set && spec->limits.pids_max.value == 1;
	limits = limits_at_start(scope, &spec->limits);
	if (systemd_name_parse(arena, spec->cgroup_path, id, (enum systemd_bus)scope->request.bus, &scope->name, err) <
			0 ||
		cgroup_version_check(err) < 0 || properties_make(scope, arena, id, spec, &limits, err) < 0)
		return -1;
	scope->request.unit = scope->name.unit;
	scope->planned = true;
	return 0;
}

/* --- while it is made --------------------------------------------------------------------------------------------- */

/* systemd's own root may lie below the hierarchy's; what it adds is what we know. */
static int path_check(const struct scope *scope, const char *path, struct error *err)
{
	size_t above = path ? strlen(path) : 0, length = strlen(scope->name.path);

	if (above > length && path[above - length - 1] == '/' && strcmp(path + above - length, scope->name.path) == 0)
		return 0;
	return fail(err, ERROR_SYSTEM, "unit %s: its cgroup is %s, expected /%s", scope->name.unit,
		path ? path : "unknown", scope->name.path);
}

int scope_start(struct scope *scope, struct arena *arena, struct container_facts *facts, struct error *err)
{
	const char *path = NULL;

	if (systemd_helper_start(&scope->helper, err) < 0 ||
		systemd_helper_ask(&scope->helper, arena, &scope->request, &path, err) < 0 ||
		path_check(scope, path, err) < 0)
		return -1;
	facts->cgroup_path = path;
	facts->scope = scope->name.unit;
	facts->scope_of_user = scope->request.bus == SYSTEMD_USER;
	return 0;
}

int scope_limit(struct scope *scope, const struct container_facts *facts, const struct cgroup_limits *limits,
	struct container_cgroup *cgroup, struct error *err)
{
	struct cgroup_limits now = limits_at_start(scope, limits);

	if (cgroup_host_open_at(&cgroup->host, "/", err) < 0)
		return -1;
	cgroup->has_host = true;
	if (cgroup_create(&cgroup->host, facts->cgroup_path + 1, &now, CGROUP_MAY_EXIST, &cgroup->cgroup, err) < 0)
		return blame(err, "unit %s", scope->name.unit);
	cgroup->has_cgroup = true;
	return 0;
}

static int limits_narrow(struct scope *scope, struct container_cgroup *cgroup, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct cgroup_limits one = {.pids_max = {.set = true, .value = 1}};
	struct systemd_request request = scope->request;

	request.verb = SYSTEMD_SET;
	request.properties = (struct systemd_properties){0};
	if (systemd_properties_add_limits(&arena, &request.properties, &one, err) < 0 ||
		systemd_helper_ask(&scope->helper, &arena, &request, NULL, err) < 0)
		return -1;
	return cgroup_set(&cgroup->cgroup, &one, err);
}

/* Had it ended before the container's process came, the cgroup would be one of our own making by now, without a unit.
 */
static int helper_check(const struct scope *scope, struct error *err)
{
	if (process_wait_end(scope->helper.pidfd, 0) == 0)
		return 0;
	return fail(err, ERROR_SYSTEM, "unit %s: the process that kept it has ended too early", scope->name.unit);
}

int scope_settle(struct scope *scope, struct container_cgroup *cgroup, struct error *err)
{
	if (!scope->planned)
		return 0;
	if (helper_check(scope, err) < 0 || (scope->narrow && limits_narrow(scope, cgroup, err) < 0))
		return -1;
	scope_drop(scope);
	return 0;
}

void scope_drop(struct scope *scope)
{
	systemd_helper_drop(&scope->helper);
}

/* --- later -------------------------------------------------------------------------------------------------------- */

/* A quota means a share only together with its period: the other of the two is what the kernel has. */
static int bandwidth_complete(
	struct cgroup *cgroup, struct arena *arena, struct cgroup_limits *limits, struct error *err)
{
	struct cgroup_limits now;

	if (limits->cpu_quota_us.set == limits->cpu_period_us.set)
		return 0;
	if (cgroup_get(cgroup, arena, &now, err) < 0)
		return -1;
	if (!limits->cpu_quota_us.set)
		limits->cpu_quota_us = now.cpu_quota_us;
	else
		limits->cpu_period_us = now.cpu_period_us;
	return 0;
}

static int properties_change(const struct container_facts *facts, struct container_cgroup *cgroup,
	const struct cgroup_limits *limits, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct cgroup_limits all = *limits;
	struct systemd_request request = {
		.verb = SYSTEMD_SET, .bus = scope_bus(facts), .unit = facts->scope, .timeout_ms = TIMEOUT_MS};

	if (bandwidth_complete(&cgroup->cgroup, &arena, &all, err) < 0 ||
		systemd_properties_add_limits(&arena, &request.properties, &all, err) < 0)
		return -1;
	return request.properties.count ? systemd_ask(&request, err) : 0;
}

/* Written first, to hear what the kernel thinks of them while all can still be taken back; and again after systemd,
 * whose values are coarser. Device rules cannot be taken back and are no property. */
static int scope_limits_set(const struct container_facts *facts, struct container_cgroup *cgroup,
	const struct cgroup_limits *limits, struct error *err)
{
	AUTO(cgroup_journal_drop) struct cgroup_journal journal = {0};
	struct cgroup_limits files = *limits;

	files.devices.count = 0;
	if (cgroup_change(&cgroup->cgroup, &files, &journal, err) < 0)
		return -1;
	if (properties_change(facts, cgroup, limits, err) == 0)
		return cgroup_set(&cgroup->cgroup, limits, err);
	cgroup_journal_undo(&journal);
	return -1;
}

int container_limits_set(const struct container_facts *facts, struct container_cgroup *cgroup,
	const struct cgroup_limits *limits, struct error *err)
{
	if (facts->scope)
		return scope_limits_set(facts, cgroup, limits, err);
	return cgroup_set(&cgroup->cgroup, limits, err);
}

/* systemd first: a cgroup that vanishes under it leaves it with a unit that it believes to run. */
int scope_remove(
	const struct container_facts *facts, struct container_cgroup *cgroup, int64_t timeout_ms, struct error *err)
{
	struct systemd_request request = {
		.verb = SYSTEMD_STOP, .bus = scope_bus(facts), .unit = facts->scope, .timeout_ms = TIMEOUT_MS};

	/* Without systemd the container must still be deletable. */
	if (systemd_ask(&request, err) < 0)
		log_warn("%s; its cgroup is removed all the same", err->text);
	return cgroup_remove(&cgroup->host, facts->cgroup_path + 1, timeout_ms, false, err);
}
