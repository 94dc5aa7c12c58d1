/* How a process is to be treated by the kernel: what the decoder understands, and each refusal by its name. */
#include <linux/mempolicy.h>
#include <sched.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/oci/oci.h"
#include "runtime/process/schedule.h"
#include "tests/test.h"

#define NAMESPACES "\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"time\"}]"

static int decode(struct arena *arena, const char *process, const char *system, struct spec *spec, struct error *err)
{
	const char *text = arena_format(arena,
		"{\"ociVersion\": \"1.2.0\", \"linux\": {" NAMESPACES "%s}, \"root\": {\"path\": \"r\"}, \"process\": "
		"{\"args\": [\"x\"], \"cwd\": \"/\"%s}}",
		system, process);
	struct json_doc doc;

	cr_assert(json_parse(arena, "config.json", text, strlen(text), JSON_PLAIN, &doc, err) == 0, "%s", err->text);
	return oci_spec_decode(arena, &doc, "/bundle", spec, err);
}

static const struct spec_process *decode_process(struct arena *arena, const char *process, const char *system)
{
	struct spec *spec = arena_new(arena, struct spec);
	struct error err;

	ASSERT_OK(decode(arena, process, system, spec, &err));
	return &spec->process;
}

TEST(oci_schedule, understands_all_of_a_scheduler)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct spec_scheduler *scheduler = decode_process(&arena,
		", \"scheduler\": {\"policy\": \"SCHED_DEADLINE\", \"runtime\": 1000000, \"deadline\": 2000000, "
		"\"period\": 18446744073709551615, \"flags\": [\"SCHED_FLAG_RECLAIM\", \"SCHED_FLAG_DL_OVERRUN\"]}",
		"")
							 ->scheduler;

	cr_assert(scheduler->policy == 6 && scheduler->flags == 6 && strcmp(scheduler->name, "SCHED_DEADLINE") == 0);
	cr_assert(scheduler->runtime_ns == 1000000 && scheduler->deadline_ns == 2000000);
	cr_assert(scheduler->period_ns == UINT64_MAX);
	scheduler = decode_process(
		&arena, ", \"scheduler\": {\"policy\": \"SCHED_OTHER\", \"nice\": -5, \"flags\": []}", "")
			    ->scheduler;
	cr_assert(scheduler->policy == SCHED_OTHER && scheduler->nice == -5 && scheduler->flags == 0);
	scheduler = decode_process(&arena, ", \"scheduler\": {\"policy\": \"SCHED_FIFO\", \"priority\": 99}", "")
			    ->scheduler;
	cr_assert(scheduler->policy == SCHED_FIFO && scheduler->priority == 99);
	cr_assert(!decode_process(&arena, ", \"scheduler\": null", "")->scheduler);
}

TEST(oci_schedule, understands_priorities_processors_policy_and_personality)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct spec_process *process = decode_process(&arena,
		", \"ioPriority\": {\"class\": \"IOPRIO_CLASS_RT\", \"priority\": 3}, "
		"\"execCPUAffinity\": {\"initial\": \"0-1\", \"final\": \"\"}",
		", \"memoryPolicy\": {\"mode\": \"MPOL_PREFERRED_MANY\", \"nodes\": \"0,2-3\", \"flags\": "
		"[\"MPOL_F_RELATIVE_NODES\"]}, \"personality\": {\"domain\": \"LINUX32\", \"flags\": []}");

	cr_assert(process->io_priority.set && process->io_priority.value == (1 << 13 | 3));
	cr_assert_str_eq(process->exec_cpus_initial, "0-1");
	cr_assert_str_eq(process->exec_cpus_final, "");
	cr_assert(process->memory_policy->mode == (MPOL_PREFERRED_MANY | MPOL_F_RELATIVE_NODES));
	cr_assert_str_eq(process->memory_policy->nodes, "0,2-3");
	cr_assert(process->personality.set && process->personality.value == 8);
	cr_assert(!decode_process(&arena, "", "")->personality.set);
}

TEST(oci_schedule, writes_time_offsets_as_the_kernel_reads_them)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err;
	struct spec spec;

	ASSERT_OK(decode(&arena, "",
		", \"timeOffsets\": {\"monotonic\": {\"secs\": -5, \"nanosecs\": 999999999}, \"boottime\": {}}", &spec,
		&err));
	cr_assert_str_eq(spec.time_offsets, "monotonic -5 999999999\nboottime 0 0\n");
	ASSERT_OK(decode(&arena, "", ", \"timeOffsets\": {}", &spec, &err));
	cr_assert(!spec.time_offsets);
}

static const struct {
	const char *process, *system, *text;
} refusals[] = {
	{"\"scheduler\": {}", NULL, "missing key \"policy\""},
	{"\"scheduler\": {\"policy\": \"SCHED_FAIR\"}", NULL, "\"scheduler\": policy \"SCHED_FAIR\" is unknown"},
	{"\"scheduler\": {\"policy\": \"SCHED_ISO\"}", NULL, "policy SCHED_ISO: Linux has no such policy"},
	{"\"scheduler\": {\"policy\": \"SCHED_OTHER\", \"nice\": 20}", NULL, "\"nice\": 20 is not between -20 and 19"},
	{"\"scheduler\": {\"policy\": \"SCHED_RR\", \"priority\": 1, \"nice\": 1}", NULL,
		"nice 1: is for SCHED_OTHER and SCHED_BATCH, not SCHED_RR"},
	{"\"scheduler\": {\"policy\": \"SCHED_RR\"}", NULL, "priority: SCHED_RR needs one between 1 and 99"},
	{"\"scheduler\": {\"policy\": \"SCHED_FIFO\", \"priority\": 100}", NULL,
		"\"priority\": 100 is not between 0 and 99"},
	{"\"scheduler\": {\"policy\": \"SCHED_IDLE\", \"priority\": 1}", NULL,
		"priority 1: is for SCHED_FIFO and SCHED_RR, not SCHED_IDLE"},
	{"\"scheduler\": {\"policy\": \"SCHED_BATCH\", \"period\": 1}", NULL,
		"runtime, deadline and period: are for SCHED_DEADLINE, not SCHED_BATCH"},
	{"\"scheduler\": {\"policy\": \"SCHED_DEADLINE\", \"runtime\": 5}", NULL,
		"runtime, deadline: SCHED_DEADLINE needs both"},
	{"\"scheduler\": {\"policy\": \"SCHED_IDLE\", \"flags\": [\"FAST\"]}", NULL,
		"\"scheduler\": flags: \"FAST\" is unknown"},
	{"\"ioPriority\": {\"priority\": 1}", NULL, "missing key \"class\""},
	{"\"ioPriority\": {\"class\": \"BE\"}", NULL, "\"BE\" is not one of IOPRIO_CLASS_NONE, IOPRIO_CLASS_RT"},
	{"\"ioPriority\": {\"class\": \"IOPRIO_CLASS_BE\", \"priority\": 8}", NULL, "8 is not between 0 and 7"},
	{"\"ioPriority\": {\"class\": \"IOPRIO_CLASS_IDLE\", \"priority\": 2}", NULL,
		"priority 2: IOPRIO_CLASS_IDLE has none"},
	{"\"execCPUAffinity\": {\"initial\": \"0-\"}", NULL, "\"execCPUAffinity\": initial: "},
	{"\"execCPUAffinity\": {\"final\": \"all\"}", NULL, "\"execCPUAffinity\": final: "},
	{NULL, "\"memoryPolicy\": {\"nodes\": \"0\"}", "missing key \"mode\""},
	{NULL, "\"memoryPolicy\": {\"mode\": \"MPOL_NEAR\"}", "\"memoryPolicy\": mode \"MPOL_NEAR\" is unknown"},
	{NULL, "\"memoryPolicy\": {\"mode\": \"MPOL_BIND\"}", "nodes: MPOL_BIND needs some"},
	{NULL, "\"memoryPolicy\": {\"mode\": \"MPOL_LOCAL\", \"nodes\": \"0\"}", "nodes 0: MPOL_LOCAL takes none"},
	{NULL, "\"memoryPolicy\": {\"mode\": \"MPOL_BIND\", \"nodes\": \"x\"}", "\"memoryPolicy\": nodes: "},
	{NULL, "\"memoryPolicy\": {\"mode\": \"MPOL_BIND\", \"nodes\": \"0\", \"flags\": [\"MPOL_F_X\"]}",
		"\"memoryPolicy\": flags: \"MPOL_F_X\" is unknown"},
	{NULL, "\"personality\": {\"domain\": \"BSD\"}", "domain \"BSD\": must be LINUX or LINUX32"},
	{NULL, "\"personality\": {\"domain\": \"LINUX\", \"flags\": [\"x\"]}",
		"\"personality\": flags: the specification defines none"},
	{NULL, "\"timeOffsets\": {\"monotonic\": {\"nanosecs\": 1000000000}}",
		"\"nanosecs\": 1000000000 is not between 0 and 999999999"},
	{NULL, "\"timeOffsets\": {\"boottime\": {\"secs\": \"5\"}}", "\"secs\": expected a number, found a string"},
};

TEST(oci_schedule, refuses_each_mistake_with_its_own_message)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		const char *process = refusals[i].process, *system = refusals[i].system;
		struct error err = {0};
		struct spec spec;

		cr_assert(decode(&arena, process ? arena_format(&arena, ", %s", process) : "",
				  system ? arena_format(&arena, ", %s", system) : "", &spec, &err) < 0,
			"%zu accepted: %s", i, refusals[i].text);
		cr_assert(err.kind == ERROR_USAGE && strstr(err.text, refusals[i].text), "%zu: %s", i, err.text);
	}
}

TEST(oci_schedule, time_offsets_need_a_time_namespace)
{
	AUTO(arena_drop) struct arena arena = {0};
	static const char text[] = "{\"ociVersion\": \"1.2.0\", \"linux\": {\"namespaces\": [{\"type\": \"mount\"}], "
				   "\"timeOffsets\": {\"boottime\": {\"secs\": 1}}}, \"root\": {\"path\": \"r\"}, "
				   "\"process\": {\"args\": [\"x\"], \"cwd\": \"/\"}}";
	struct json_doc doc;
	struct error err;
	struct spec spec;

	ASSERT_OK(json_parse(&arena, "config.json", text, strlen(text), JSON_PLAIN, &doc, &err));
	ASSERT_FAILS(oci_spec_decode(&arena, &doc, "/b", &spec, &err), ERROR_USAGE,
		"config.json: linux.timeOffsets: needs a new time namespace");
}

TEST(oci_schedule, refuses_an_apparmor_profile_where_there_is_none)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err;
	struct spec spec;

	SKIP_UNLESS(!label_has_apparmor(), "needs a kernel without AppArmor");
	ASSERT_FAILS(decode(&arena, ", \"apparmorProfile\": \"x\"", "", &spec, &err), ERROR_USAGE,
		"\"apparmorProfile\": AppArmor profile x: this kernel has no AppArmor, or it is switched off");
	ASSERT_OK(decode(&arena, ", \"apparmorProfile\": \"\"", "", &spec, &err));
}

TEST(oci_schedule, refuses_an_selinux_label_where_there_is_none)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error err;
	struct spec spec;

	SKIP_UNLESS(!label_has_selinux(), "needs a kernel without SELinux");
	ASSERT_FAILS(decode(&arena, ", \"selinuxLabel\": \"a:b:c\"", "", &spec, &err), ERROR_USAGE,
		"\"selinuxLabel\": SELinux label a:b:c: this kernel has no SELinux, or it is switched off");
	ASSERT_OK(decode(&arena, ", \"selinuxLabel\": \"\"", "", &spec, &err));
}
