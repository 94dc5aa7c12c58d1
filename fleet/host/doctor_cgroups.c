/* Control groups: which controllers are there for us, and whether an instance's group can really be made. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/kernel.h"
#include "fleet/host/doctor.h"
#include "fleet/state/host_cgroups.h"

#define REMOVE_TIMEOUT_MS 5000

static const char *const mode_words[] = {
	[CGROUP_NONE] = "none",
	[CGROUP_V1] = "version 1",
	[CGROUP_V2] = "version 2",
	[CGROUP_HYBRID] = "version 1 beside an empty version 2",
};

/* --- what a fleet file asks for ----------------------------------------------------------------------------------- */

static bool wants_memory(const struct resources_spec *r)
{
	return r->memory_bytes.set || r->memory_high_bytes.set || r->memory_low_bytes.set || r->swap_bytes.set;
}

static bool wants_cpu(const struct resources_spec *r)
{
	return r->cpus_milli.set || r->cpu_weight.set;
}

static bool wants_cpuset(const struct resources_spec *r)
{
	return r->cpuset != NULL;
}

static bool wants_io(const struct resources_spec *r)
{
	return r->io_weight.set || r->io_max.count;
}

static bool wants_pids(const struct resources_spec *r)
{
	(void)r; /* every instance has a limit of processes */
	return true;
}

static bool fleet_wants(const struct examination *examination, bool (*wants)(const struct resources_spec *r))
{
	const struct fleet_file *fleet = examination->request->fleet;

	for (size_t i = 0; wants && fleet && i < fleet->instances.count; i++)
		if (wants(&fleet->instances.items[i].resources))
			return true;
	return false;
}

/* --- controllers -------------------------------------------------------------------------------------------------- */

/* A host for many instances without the first three is not one; the others are for those who ask for them. */
static const struct {
	enum cgroup_controller controller;
	enum finding_state without;
	bool v1_only;
	bool (*wants)(const struct resources_spec *r);
	const char *purpose;
} controllers[] = {
	{CGROUP_PIDS, FINDING_MISSING, false, wants_pids, "the limit of processes that every instance has"},
	{CGROUP_MEMORY, FINDING_MISSING, false, wants_memory, "limits of memory"},
	{CGROUP_CPU, FINDING_MISSING, false, wants_cpu, "shares and limits of processor time"},
	{CGROUP_CPUACCT, FINDING_WARNING, true, NULL, "figures of processor time"},
	{CGROUP_CPUSET, FINDING_WARNING, false, wants_cpuset, "binding to processors"},
	{CGROUP_IO, FINDING_WARNING, false, wants_io, "shares and limits of disk transfer"},
	{CGROUP_FREEZER, FINDING_WARNING, true, NULL, "pause and resume"},
	{CGROUP_DEVICES, FINDING_WARNING, true, NULL, "rules about devices, for warren-oci"},
	{CGROUP_HUGETLB, FINDING_NOTE, false, NULL, "limits of huge pages, for warren-oci"},
};

/* /proc/cgroups: name, hierarchy, number, enabled. 1 enabled, 0 switched off, -1 not in this kernel. */
static int kernel_controller(struct examination *examination, const char *name)
{
	const char *text = knob_text(examination, "/proc/cgroups");
	struct strings lines = text ? strings_split(examination->arena, text, '\n') : (struct strings){0};

	for (size_t i = 0; i < lines.count; i++) {
		char found[32];
		int enabled;

		if (sscanf(lines.items[i], "%31s %*u %*u %d", found, &enabled) == 2 && !strcmp(found, name))
			return enabled;
	}
	return -1;
}

static const char *controller_remedy(
	struct examination *examination, const struct cgroup_host *host, enum cgroup_controller controller)
{
	const char *name = controller == CGROUP_IO ? "blkio" : cgroup_controller_name(controller);
	int enabled = kernel_controller(examination, name);

	if (enabled == 0)
		return arena_format(examination->arena,
			"take cgroup_disable=%s off the kernel's command line (/proc/cmdline; on some boards add "
			"cgroup_enable=%s) and boot again",
			name, name);
	if (enabled < 0)
		return "run a kernel that is built with it";
	if (host->mode == CGROUP_V2)
		return "have the cgroup above hand it down: in a systemd unit Delegate=yes, else write +NAME to its "
		       "cgroup.subtree_control";
	return arena_format(examination->arena,
		"mount it: mkdir -p /sys/fs/cgroup/%s && mount -t cgroup -o %s cgroup /sys/fs/cgroup/%s; better: boot "
		"with "
		"cgroup version 2 (systemd.unified_cgroup_hierarchy=1)",
		name, name, name);
}

static void examine_controller(struct examination *examination, const struct cgroup_host *host, size_t row)
{
	enum cgroup_controller controller = controllers[row].controller;
	bool there = host->available[controller];
	enum finding_state state = there ? FINDING_OK : controllers[row].without;
	struct finding *finding;

	if (!there && fleet_wants(examination, controllers[row].wants))
		state = FINDING_MISSING;
	finding = finding_add(examination, state,
		arena_format(examination->arena, "controller %s", cgroup_controller_name(controller)),
		there ? "there" : cgroup_controller_explain(examination->arena, host, controller), NULL);
	finding->why = controllers[row].purpose;
	if (!there)
		finding->remedy = controller_remedy(examination, host, controller);
}

/* --- a real group ------------------------------------------------------------------------------------------------- */

/* With the limits of a usual instance, as far as the controllers are there. Made by this very process: at the base of a
 * delegated part a command has to leave its own group first, as run does. */
static int group_try(const struct cgroup_host *host, const char *path, const char **note, struct error *err)
{
	struct cgroup cgroup;
	struct cgroup_limits limits = {
		.pids_max = {host->available[CGROUP_PIDS], 16},
		.memory_max = {host->available[CGROUP_MEMORY], 64 << 20},
		.swap_max = {host->available[CGROUP_MEMORY] && host->swap, 0},
		.cpu_quota_us = {host->available[CGROUP_CPU], 50000},
	};

	if (cgroup_limits_check(host, &limits, err) < 0 ||
		cgroup_create(host, path, &limits, CGROUP_ACCOUNTING, &cgroup, err) < 0)
		return 0;
	*note = cgroup.unified >= 0 && limits.swap_max.set && faccessat(cgroup.unified, "memory.swap.max", F_OK, 0) < 0
			? "made and removed; it has no memory.swap.max"
			: "made and removed";
	cgroup_drop(&cgroup);
	return 1;
}

static void examine_group(struct examination *examination, const struct cgroup_host *host, const char *parent)
{
	const char *path = arena_format(examination->arena, "%s/doctor.%d", parent, getpid());
	const char *note = NULL;
	struct error err = {0}, ignored = {0};
	struct finding *finding;
	int result = group_try(host, path, &note, &err);

	(void)!cgroup_remove(host, path, REMOVE_TIMEOUT_MS, false, &ignored);
	cgroup_remove_empty(host, parent);
	finding = finding_add(examination, trial_state(examination, result, FINDING_MISSING), "a group with limits",
		result ? note : arena_string(examination->arena, err.text), NULL);
	finding->why = "a group as an instance has it, made below the one that holds them all";
	if (!result && examination->is_root)
		finding->remedy = "see what the kernel says; below systemd, run warren where the cgroup is delegated "
				  "(Delegate=yes)";
}

/* --- what belongs to it ------------------------------------------------------------------------------------------- */

static void examine_mode(struct examination *examination, const struct cgroup_host *host, const struct error *err)
{
	bool none = host->mode == CGROUP_NONE, old = host->mode == CGROUP_V1 || host->mode == CGROUP_HYBRID;
	struct finding *finding = finding_add(examination,
		none  ? FINDING_MISSING
		: old ? FINDING_NOTE
		      : FINDING_OK,
		"hierarchy",
		err->kind ? arena_string(examination->arena, err->text)
			  : mode_words[host->mode < ARRAY_SIZE(mode_words) ? host->mode : CGROUP_NONE],
		"version 2");

	finding->why = none ? "nothing is limited and nothing can be stopped as a whole"
			    : "version 1 works, without memory_high, memory_low, pressure figures and with slower ends";
	if (none)
		finding->remedy = "mount -t cgroup2 none /sys/fs/cgroup";
	else if (old)
		finding->remedy = "boot with systemd.unified_cgroup_hierarchy=1";
}

static void examine_swap(struct examination *examination, const struct cgroup_host *host)
{
	const char *swaps = knob_text(examination, "/proc/swaps");
	bool has_swap = swaps && strchr(swaps, '\n');
	bool needed = has_swap && !host->swap;
	struct finding *finding = finding_add(examination, needed ? FINDING_WARNING : FINDING_OK, "accounting of swap",
		arena_format(examination->arena, "%s, %s", host->swap ? "there" : "not there",
			has_swap ? "the host has swap" : "the host has no swap"),
		NULL);

	finding->why = "the limit of swap; without swap on the host it holds by itself";
	if (needed)
		finding->remedy = "boot with swapaccount=1";
}

/* Switched off, the files are not there (psi=0) or cannot be read. */
static void examine_pressure(struct examination *examination, const struct cgroup_host *host)
{
	bool there = knob_text(examination, "/proc/pressure/memory") != NULL;
	struct finding *finding = finding_add(examination, there ? FINDING_OK : FINDING_WARNING, "pressure figures",
		there ? "there" : "switched off, or not in this kernel", NULL);

	finding->why = host->mode == CGROUP_V2 ? "stats shows who waits for processor, memory and disk"
					       : "they come with cgroup version 2";
	if (!there)
		finding->remedy = "boot with psi=1, a kernel that is built with CONFIG_PSI";
}

/* Only a delegated base has the file. */
static void examine_descendants(struct examination *examination, const struct cgroup_host *host)
{
	char text[24] = "";
	auto_fd fd = host->unified < 0 ? -1 : openat(host->unified, "cgroup.max.descendants", O_RDONLY | O_CLOEXEC);
	int64_t limit, wanted = 2 * examination->report->instances + 16;
	struct error ignored;
	struct finding *finding;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (number_parse(text, 0, INT64_MAX, &limit, &ignored) < 0)
		limit = INT64_MAX;
	finding = finding_add(examination, limit < wanted ? FINDING_MISSING : FINDING_OK, "groups below ours",
		arena_string(examination->arena, text), arena_format(examination->arena, "%lld", (long long)wanted));
	finding->why = "one for each instance, and room for those that end";
	if (limit < wanted)
		finding->remedy =
			"write a larger number to cgroup.max.descendants of the cgroup that is delegated to us";
}

void examine_cgroups(struct examination *examination)
{
	AUTO(cgroup_host_drop) struct cgroup_host host = {.unified = -1};
	auto_fd run = open(examination->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *parent, *wanted = examination->request->where.cgroup_parent;
	struct error err = {0};
	bool is_v2;

	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		host.hierarchy[c] = -1;
	if (host_cgroups_look(examination->arena, run, wanted, &host, &parent, &err) < 0)
		host.mode = CGROUP_NONE;
	is_v2 = host.mode == CGROUP_V2;
	examine_mode(examination, &host, &err);
	if (host.mode == CGROUP_NONE)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
		if (!is_v2 || !controllers[i].v1_only)
			examine_controller(examination, &host, i);
	if (host.available[CGROUP_MEMORY])
		examine_swap(examination, &host);
	examine_pressure(examination, &host);
	examine_descendants(examination, &host);
	examine_group(examination, &host, parent);
}
