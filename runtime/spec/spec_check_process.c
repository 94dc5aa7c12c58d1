/* What is wrong with a process before any kernel is asked: its program, environment, ids, capabilities, limits. */
#include "runtime/spec/spec_check.h"

#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

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

static int environment_check(const struct spec *spec, struct error *err)
{
	return spec_variables_check("process.env", &spec->process.env, err);
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
	return spec_path_check("process.cwd", spec->process.cwd, err);
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

static spec_checker *const checks[] = {
	program_check,
	environment_check,
	ids_check,
	capabilities_check,
	rlimits_check,
};

int spec_check_process(const struct spec *spec, struct error *err)
{
	return spec_check_rows(checks, ARRAY_SIZE(checks), spec, err);
}
