/* config.json's process.scheduler, ioPriority, execCPUAffinity and labels, linux.memoryPolicy and personality → struct
 * spec_process. What the kernel would refuse with a mere EINVAL is refused here by its name. */
#include <linux/mempolicy.h>
#include <sched.h>
#include <string.h>
#include <sys/personality.h>

#include "base/cleanup.h"
#include "runtime/oci/oci.h"
#include "runtime/process/schedule.h"
#include "runtime/runtime.h"

/* --- words -------------------------------------------------------------------------------------------------------- */

struct word {
	const char *name;
	int64_t value;
};

static const struct word *word_find(const struct word *words, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(words[i].name, name) == 0)
			return &words[i];
	}
	return NULL;
}
#define FIND(words, name) word_find(words, ARRAY_SIZE(words), name)

/* Ors the values of a list of flags. */
static int flags_collect(
	const struct strings *names, const struct word *words, size_t count, uint64_t *out, struct error *err)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct word *word = word_find(words, count, names->items[i]);

		if (!word)
			return fail(err, ERROR_USAGE, "flags: \"%s\" is unknown", names->items[i]);
		*out |= (uint64_t)word->value;
	}
	return 0;
}

/* --- scheduler ---------------------------------------------------------------------------------------------------- */

#define DEADLINE 6 /* SCHED_DEADLINE, which the C library of 2022 does not name */

static const struct word policies[] = {
	{"SCHED_OTHER", SCHED_OTHER},
	{"SCHED_BATCH", SCHED_BATCH},
	{"SCHED_IDLE", SCHED_IDLE},
	{"SCHED_FIFO", SCHED_FIFO},
	{"SCHED_RR", SCHED_RR},
	{"SCHED_DEADLINE", DEADLINE},
};

/* linux/sched.h */
static const struct word scheduler_flags[] = {
	{"SCHED_FLAG_RESET_ON_FORK", 0x01},
	{"SCHED_FLAG_RECLAIM", 0x02},
	{"SCHED_FLAG_DL_OVERRUN", 0x04},
	{"SCHED_FLAG_KEEP_POLICY", 0x08},
	{"SCHED_FLAG_KEEP_PARAMS", 0x10},
	{"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
	{"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40},
};

struct oci_scheduler {
	const char *policy;
	int nice, priority;
	struct strings flags;
	uint64_t runtime, deadline, period;
};
const struct field oci_scheduler_fields[] = {
	STRING("policy", struct oci_scheduler, policy, REQUIRED),
	INTEGER("nice", struct oci_scheduler, nice, -20, 19, 0),
	INTEGER("priority", struct oci_scheduler, priority, 0, 99, 0),
	STRINGS("flags", struct oci_scheduler, flags, 0),
	UINT64("runtime", struct oci_scheduler, runtime, 0),
	UINT64("deadline", struct oci_scheduler, deadline, 0),
	UINT64("period", struct oci_scheduler, period, 0),
	END_OF_FIELDS,
};

static int scheduler_check(const struct oci_scheduler *from, int64_t policy, struct error *err)
{
	bool real_time = policy == SCHED_FIFO || policy == SCHED_RR;
	bool times = from->runtime || from->deadline || from->period;

	if (from->nice && policy != SCHED_OTHER && policy != SCHED_BATCH)
		return fail(err, ERROR_USAGE, "nice %d: is for SCHED_OTHER and SCHED_BATCH, not %s", from->nice,
			from->policy);
	if (!real_time && from->priority)
		return fail(err, ERROR_USAGE, "priority %d: is for SCHED_FIFO and SCHED_RR, not %s", from->priority,
			from->policy);
	if (real_time && !from->priority)
		return fail(err, ERROR_USAGE, "priority: %s needs one between 1 and 99", from->policy);
	if (policy != DEADLINE && times)
		return fail(
			err, ERROR_USAGE, "runtime, deadline and period: are for SCHED_DEADLINE, not %s", from->policy);
	if (policy == DEADLINE && !(from->runtime && from->deadline))
		return fail(err, ERROR_USAGE, "runtime, deadline: SCHED_DEADLINE needs both");
	return 0;
}

static int scheduler_convert(
	struct arena *arena, const struct oci_scheduler *from, struct spec_process *out, struct error *err)
{
	const struct word *policy = FIND(policies, from->policy);
	struct spec_scheduler *scheduler = arena_new(arena, struct spec_scheduler);

	if (!policy && strcmp(from->policy, "SCHED_ISO") == 0)
		return fail(err, ERROR_USAGE, "policy SCHED_ISO: Linux has no such policy");
	if (!policy)
		return fail(err, ERROR_USAGE, "policy \"%s\" is unknown", from->policy);
	if (scheduler_check(from, policy->value, err) < 0)
		return -1;
	*scheduler = (struct spec_scheduler){
		.name = policy->name,
		.policy = (unsigned)policy->value,
		.nice = from->nice,
		.priority = (unsigned)from->priority,
		.runtime_ns = from->runtime,
		.deadline_ns = from->deadline,
		.period_ns = from->period,
	};
	out->scheduler = scheduler;
	return flags_collect(&from->flags, scheduler_flags, ARRAY_SIZE(scheduler_flags), &scheduler->flags, err);
}

int oci_decode_scheduler(const struct decoder *decoder, const struct json *node, void *process, struct error *err)
{
	struct oci_scheduler from = {0};

	if (decode_object(decoder, node, oci_scheduler_fields, &from, err) < 0)
		return -1;
	return scheduler_convert(decoder->arena, &from, process, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

/* --- I/O priority, processors ------------------------------------------------------------------------------------- */

static const char *const io_classes[] = {
	"IOPRIO_CLASS_NONE", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE", NULL};

struct oci_io_priority {
	int class;
	int priority;
};
const struct field oci_io_priority_fields[] = {
	ENUM("class", struct oci_io_priority, class, io_classes, REQUIRED),
	INTEGER("priority", struct oci_io_priority, priority, 0, 7, 0),
	END_OF_FIELDS,
};

int oci_decode_io_priority(const struct decoder *decoder, const struct json *node, void *process, struct error *err)
{
	struct spec_process *out = process;
	struct oci_io_priority from = {0};

	if (decode_object(decoder, node, oci_io_priority_fields, &from, err) < 0)
		return -1;
	/* The kernel takes a priority with the two middle classes only. */
	if (from.priority && (from.class == 0 || from.class == 3))
		return decode_fail(
			decoder, node, err, "priority %d: %s has none", from.priority, io_classes[from.class]);
	out->io_priority = (struct optional){true, (int64_t)from.class << 13 | from.priority};
	return 0;
}

struct oci_affinity {
	const char *initial, *final;
};
const struct field oci_exec_affinity_fields[] = {
	STRING("initial", struct oci_affinity, initial, 0),
	STRING("final", struct oci_affinity, final, 0),
	END_OF_FIELDS,
};

static int list_check(const char *key, const char *list, struct error *err)
{
	if (!text_is_empty(list) && cpulist_check(list, err) < 0)
		return blame(err, "%s", key);
	return 0;
}

int oci_decode_exec_affinity(const struct decoder *decoder, const struct json *node, void *process, struct error *err)
{
	struct spec_process *out = process;
	struct oci_affinity from = {0};

	if (decode_object(decoder, node, oci_exec_affinity_fields, &from, err) < 0)
		return -1;
	if (list_check("initial", from.initial, err) < 0 || list_check("final", from.final, err) < 0)
		return decode_blame(decoder, node, err);
	out->exec_cpus_initial = from.initial;
	out->exec_cpus_final = from.final;
	return 0;
}

/* --- labels ------------------------------------------------------------------------------------------------------- */

int oci_process_label(struct spec_process *process, const char *apparmor, const char *selinux, struct error *err)
{
	if (!text_is_empty(apparmor) && !label_has_apparmor())
		return fail(err, ERROR_USAGE, "AppArmor profile %s: this kernel has no AppArmor, or it is switched off",
			apparmor);
	if (!text_is_empty(selinux) && !label_has_selinux())
		return fail(err, ERROR_USAGE, "SELinux label %s: this kernel has no SELinux, or it is switched off",
			selinux);
	if (!text_is_empty(apparmor))
		process->apparmor_profile = apparmor;
	if (!text_is_empty(selinux))
		process->selinux_label = selinux;
	return 0;
}

int oci_decode_apparmor(const struct decoder *decoder, const struct json *node, void *process, struct error *err)
{
	const char *profile;

	if (decode_string(decoder, node, &profile, err) < 0)
		return -1;
	return oci_process_label(process, profile, NULL, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

int oci_decode_selinux(const struct decoder *decoder, const struct json *node, void *process, struct error *err)
{
	const char *label;

	if (decode_string(decoder, node, &label, err) < 0)
		return -1;
	return oci_process_label(process, NULL, label, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

/* --- memory policy, personality ----------------------------------------------------------------------------------- */

#define WEIGHTED_INTERLEAVE 6 /* MPOL_WEIGHTED_INTERLEAVE, Linux 6.9 */

static const struct word memory_modes[] = {
	{"MPOL_DEFAULT", MPOL_DEFAULT},
	{"MPOL_PREFERRED", MPOL_PREFERRED},
	{"MPOL_BIND", MPOL_BIND},
	{"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
	{"MPOL_LOCAL", MPOL_LOCAL},
	{"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
	{"MPOL_WEIGHTED_INTERLEAVE", WEIGHTED_INTERLEAVE},
};
static const struct word memory_flags[] = {
	{"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
	{"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
	{"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
};

const char *oci_memory_mode_name(size_t index)
{
	return index < ARRAY_SIZE(memory_modes) ? memory_modes[index].name : NULL;
}

const char *oci_memory_flag_name(size_t index)
{
	return index < ARRAY_SIZE(memory_flags) ? memory_flags[index].name : NULL;
}

struct oci_memory_policy {
	const char *mode, *nodes;
	struct strings flags;
};
const struct field oci_memory_policy_fields[] = {
	STRING("mode", struct oci_memory_policy, mode, REQUIRED),
	STRING("nodes", struct oci_memory_policy, nodes, 0),
	STRINGS("flags", struct oci_memory_policy, flags, 0),
	END_OF_FIELDS,
};

static int memory_policy_convert(
	struct arena *arena, const struct oci_memory_policy *from, struct spec_process *out, struct error *err)
{
	const struct word *mode = FIND(memory_modes, from->mode);
	struct spec_memory_policy *policy = arena_new(arena, struct spec_memory_policy);
	bool nodes = !text_is_empty(from->nodes);
	uint64_t flags = 0;

	if (!mode)
		return fail(err, ERROR_USAGE, "mode \"%s\" is unknown", from->mode);
	if (nodes && (mode->value == MPOL_DEFAULT || mode->value == MPOL_LOCAL))
		return fail(err, ERROR_USAGE, "nodes %s: %s takes none", from->nodes, from->mode);
	if (!nodes && mode->value != MPOL_DEFAULT && mode->value != MPOL_LOCAL && mode->value != MPOL_PREFERRED)
		return fail(err, ERROR_USAGE, "nodes: %s needs some", from->mode);
	if (list_check("nodes", from->nodes, err) < 0 ||
		flags_collect(&from->flags, memory_flags, ARRAY_SIZE(memory_flags), &flags, err) < 0)
		return -1;
	*policy = (struct spec_memory_policy){
		.name = mode->name, .mode = (int)mode->value | (int)flags, .nodes = nodes ? from->nodes : ""};
	out->memory_policy = policy;
	return 0;
}

int oci_decode_memory_policy(const struct decoder *decoder, const struct json *node, void *process, struct error *err)
{
	struct oci_memory_policy from = {0};

	if (decode_object(decoder, node, oci_memory_policy_fields, &from, err) < 0)
		return -1;
	return memory_policy_convert(decoder->arena, &from, process, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static const struct word domains[] = {{"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}};

struct oci_personality {
	const char *domain;
	struct strings flags;
};
const struct field oci_personality_fields[] = {
	STRING("domain", struct oci_personality, domain, REQUIRED),
	STRINGS("flags", struct oci_personality, flags, 0),
	END_OF_FIELDS,
};

int oci_decode_personality(const struct decoder *decoder, const struct json *node, void *process, struct error *err)
{
	struct spec_process *out = process;
	struct oci_personality from = {0};
	const struct word *domain;

	if (decode_object(decoder, node, oci_personality_fields, &from, err) < 0)
		return -1;
	domain = FIND(domains, from.domain);
	if (!domain)
		return decode_fail(decoder, node, err, "domain \"%s\": must be LINUX or LINUX32", from.domain);
	if (from.flags.count)
		return decode_fail(decoder, node, err, "flags: the specification defines none");
	out->personality = (struct optional){true, domain->value};
	return 0;
}
