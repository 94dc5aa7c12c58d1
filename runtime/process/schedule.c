/* Scheduling, I/O priority, processors, memory policy and personality of one process; see schedule.h. */
#include "runtime/process/schedule.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define IOPRIO_WHO_PROCESS 1 /* ioprio_set(2); the C library has no name for it */

/* struct sched_attr of sched_setattr(2), in its first published size. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int scheduler_set(pid_t pid, const struct spec_scheduler *scheduler, struct error *err)
{
	struct scheduling attr = {
		.size = sizeof(attr),
		.policy = scheduler->policy,
		.flags = scheduler->flags,
		.nice = scheduler->nice,
		.priority = scheduler->priority,
		.runtime = scheduler->runtime_ns,
		.deadline = scheduler->deadline_ns,
		.period = scheduler->period_ns,
	};

	if (syscall(SYS_sched_setattr, pid, &attr, 0) == 0)
		return 0;
	if (errno == EPERM)
		return fail_errno(err, "scheduler: set %s (it needs CAP_SYS_NICE over the host%s)", scheduler->name,
			scheduler->policy == SCHED_OTHER ? " to lower nice" : "");
	return fail_errno(err, "scheduler: set %s", scheduler->name);
}

int schedule_apply(pid_t pid, const struct spec_process *process, struct error *err)
{
	const struct optional *io = &process->io_priority;

	if (process->scheduler && scheduler_set(pid, process->scheduler, err) < 0)
		return -1;
	if (io->set && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, (int)io->value) < 0)
		return fail_errno(
			err, "ioPriority: set class %d, priority %d", (int)(io->value >> 13), (int)(io->value & 7));
	return 0;
}

int schedule_set_oom_score(const struct spec_process *process, struct error *err)
{
	char text[24];
	int length;

	if (!process->oom_score_adj.set)
		return 0;
	auto_fd fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	length = snprintf(text, sizeof(text), "%d", (int)process->oom_score_adj.value);
	if (fd < 0 || write_retried(fd, text, (size_t)length) != length)
		return fail_errno(err, "oomScoreAdj: set %s (less than now only with CAP_SYS_RESOURCE)", text);
	return 0;
}

/* --- bits by a list ----------------------------------------------------------------------------------------------- */

#define BITS_MAX 4096
#define BITS_OF_LONG (CHAR_BIT * sizeof(unsigned long))
struct bits {
	unsigned long words[BITS_MAX / (CHAR_BIT * sizeof(unsigned long))];
};

static bool number_take(const char **text, unsigned *out)
{
	unsigned value = 0;
	size_t digits = strspn(*text, "0123456789");

	if (!digits || digits > 5)
		return false;
	for (; digits; digits--, (*text)++)
		value = value * 10 + (unsigned)(**text - '0');
	*out = value;
	return value < BITS_MAX;
}

/* Of a list that cpulist_check() has seen: false only for numbers beyond all machines. */
static bool bits_parse(const char *list, struct bits *out)
{
	unsigned first, last;

	memset(out, 0, sizeof(*out));
	while (*list) {
		if (!number_take(&list, &first))
			return false;
		last = first;
		if (*list == '-' && (list++, !number_take(&list, &last)))
			return false;
		for (unsigned bit = first; bit <= last; bit++)
			out->words[bit / BITS_OF_LONG] |= 1UL << bit % BITS_OF_LONG;
		list += *list == ',';
	}
	return true;
}

int schedule_set_processors(const char *list, struct error *err)
{
	struct bits bits;

	if (!list || !*list)
		return 0;
	if (!bits_parse(list, &bits))
		return fail(err, ERROR_USAGE, "processors %s: more than %d", list, BITS_MAX);
	if (syscall(SYS_sched_setaffinity, 0, sizeof(bits), &bits) < 0)
		return fail_errno(err, "use processors %s", list);
	return 0;
}

static int memory_policy_set(const struct spec_memory_policy *policy, struct error *err)
{
	struct bits nodes;

	if (!bits_parse(policy->nodes, &nodes))
		return fail(err, ERROR_USAGE, "memoryPolicy: nodes %s: more than %d", policy->nodes, BITS_MAX);
	if (syscall(SYS_set_mempolicy, policy->mode, *policy->nodes ? nodes.words : NULL,
		    *policy->nodes ? (unsigned long)BITS_MAX : 0UL) < 0)
		return fail_errno(err, "memoryPolicy: set %s on nodes \"%s\"", policy->name, policy->nodes);
	return 0;
}

int schedule_set_surroundings(const struct spec_process *process, struct error *err)
{
	if (process->memory_policy && memory_policy_set(process->memory_policy, err) < 0)
		return -1;
	if (process->personality.set && personality((unsigned long)process->personality.value) < 0)
		return fail_errno(err, "set the personality");
	return 0;
}
