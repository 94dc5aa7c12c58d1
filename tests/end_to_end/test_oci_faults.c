/* Any system call of `warren-oci` that can fail, made to fail: the command says in one line what could not be done and
 * why, in time, and leaves nothing; or it does without, and then what it made is as it always is: what a container sees
 * of itself is compared. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_bundle.h"
#include "tests/end_to_end/support_refusal.h"
#include "tests/end_to_end/support_remains.h"
#include "tests/end_to_end/support_stepper.h"
#include "tests/test.h"

#define POINTS_MAX 5000
#define TIME_MAX_MS SLOWLY(2000)

static const int errors[] = {EMFILE, ENOMEM, ENOSPC, EINTR, EAGAIN, EIO, EPERM};

struct verb {
	const char *before[8], *command[12];
	const char *state;	/* of the container after success; NULL: there is none */
	const char *namespaces; /* NULL: the usual */
	const char *system;	/* more of the object `linux` */
	bool says;		/* its output says what the process sees of itself */
	bool leaves;		/* refused, it may leave the container, for `delete --force` */
	int width;		/* from one point to the next */
};

struct trial {
	const struct verb *verb;
	struct bundle bundle;
	char *cgroup;
	char *before; /* what is there when nothing is */
	char *says;   /* what the command's output is */
	int points, refused, tolerated, left, faults;
	/* The point: */
	int at, error;
	struct step_result result;
	int64_t took_ms;
};

static void trial_drop(struct trial *trial)
{
	step_result_drop(&trial->result);
	bundle_drop(&trial->bundle);
	free(trial->cgroup);
	free(trial->before);
	free(trial->says);
}

static void fault_add(struct trial *trial, const char *what, const char *detail)
{
	trial->faults++;
	fprintf(stderr, "%s, point %d (call %ld of task %d), %s: %s: %s\n", trial->verb->command[0], trial->at,
		trial->result.call, trial->result.tracee, strerror(trial->error), what, detail);
}

/* --- the container ------------------------------------------------------------------------------------------------ */

/* What a process can see of how it was set up; nothing that changes from one run to the next. */
#define LOOK                                                                                                           \
	"grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Umask|SigBlk|SigIgn|SigCgt)' /proc/self/status; cat "        \
	"/proc/self/limits; "                                                                                          \
	"id; pwd; env; hostname; mount; ls /dev /proc/self/fd; cat /proc/self/oom_score_adj /proc/self/cgroup "        \
	"/proc/sys/net/ipv4/ip_forward /proc/self/setgroups; stat -c '%n %F %a %t:%T' /dev/*; cat /proc/1/comm"

static void bundle_fill(struct trial *trial)
{
	static const char process[] =
		"\"user\": {\"uid\": 7, \"gid\": 8, \"additionalGids\": [9], \"umask\": 23}, \"noNewPrivileges\": "
		"true, \"oomScoreAdj\": 500, \"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 64, \"hard\": 64}], "
		"\"capabilities\": {\"bounding\": [\"CAP_CHOWN\", \"CAP_KILL\"], \"permitted\": [\"CAP_KILL\"], "
		"\"effective\": [\"CAP_KILL\"]}";
	static const char system[] =
		"\"maskedPaths\": [\"/proc/kcore\", \"/proc/acpi\"], \"readonlyPaths\": [\"/proc/sys\"], "
		"\"sysctl\": {\"net.ipv4.ip_forward\": \"1\"}, \"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", "
		"\"syscalls\": [{\"names\": [\"swapon\"], \"action\": \"SCMP_ACT_ERRNO\"}]}, "
		"\"resources\": {\"pids\": {\"limit\": 50}}";
	static const char mounts[] =
		"{\"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": \"shm\"}, {\"destination\": "
		"\"/sys\", "
		"\"type\": \"sysfs\", \"source\": \"sysfs\", \"options\": [\"ro\"]}, {\"destination\": \"/mnt/data\", "
		"\"type\": \"bind\", \"source\": \"rootfs/bin\", \"options\": [\"rbind\", \"ro\"]}, "
		"{\"destination\": \"/sys/fs/cgroup\", \"type\": \"cgroup\", \"source\": \"cgroup\", \"options\": "
		"[\"ro\"]}";
	static const char *const places[] = {"proc", "dev", "sys", "mnt", "mnt/data"};
	const struct verb *verb = trial->verb;

	/* With ids of its own the container's root is nobody in this directory, and could not make them. */
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		auto_free char *place = text_format("%s/rootfs/%s", trial->bundle.path, places[i]);

		cr_assert(mkdir(place, 0755) == 0);
	}
	auto_free char *members =
		text_format("%s%s%s", system, verb->system ? ", " : "", verb->system ? verb->system : "");

	BUNDLE_WRITE(&trial->bundle, .process = process, .system = members, .mounts = mounts,
		.namespaces = verb->namespaces,
		.script = verb->says && !verb->before[0] ? LOOK : "sleep 1000; :"); /* stays a shell */
}

static struct step_result run_with(struct trial *trial, struct step step)
{
	const char *argv[16] = {WARREN_OCI_PROGRAM, "--root", trial->bundle.state};
	const char *const *words = trial->verb->command;

	for (size_t i = 0; words[i]; i++)
		argv[3 + i] = strcmp(words[i], "ID") == 0 ? trial->bundle.id : words[i];
	step.argv = argv;
	step.directory = trial->bundle.path;
	step.where = STEP_ALL;
	return step_run(&step);
}

static struct run_result oci(struct trial *trial, const char *const *words)
{
	remains_reap();
	return bundle_oci(&trial->bundle, words, NULL);
}

static void clear(struct trial *trial)
{
	static const char *const words[] = {"delete", "--force", "ID", NULL};
	auto_run deleted = oci(trial, words);

	if (deleted.status || *deleted.err)
		fault_add(trial, "delete afterwards", deleted.err);
}

static void prepare(struct trial *trial)
{
	if (!trial->verb->before[0])
		return;
	auto_run made = oci(trial, trial->verb->before);
	cr_assert(made.status == 0, "%s", made.err);
}

/* --- judging ------------------------------------------------------------------------------------------------------ */

static void state_check(struct trial *trial)
{
	static const char *const words[] = {"state", "ID", NULL};
	auto_run state = oci(trial, words);
	const char *wanted = trial->verb->state;
	auto_free char *member = wanted ? text_format("\"status\": \"%s\"", wanted) : NULL;

	if (wanted ? state.status != 0 || !strstr(state.out, member) : state.status == 0)
		fault_add(trial, "succeeded, but the state is", *state.out ? state.out : state.err);
}

/* So the kernel answers where the host's /proc is partly covered: then the parent makes it, with stricter flags. */
static bool is_proc_refused(const struct trial *trial)
{
	long call = trial->result.call;

	return trial->error == EPERM && (call == SYS_fsopen || call == SYS_fsconfig || call == SYS_fsmount);
}

static void output_check(struct trial *trial)
{
	const char *wanted = trial->says, *got = trial->result.out;

	if (!trial->verb->says || text_equal(wanted, got) || is_proc_refused(trial))
		return;
	auto_free char *difference = remains_difference(wanted, got);
	fault_add(trial, "succeeded, but the process sees", difference);
}

static void nothing_left(struct trial *trial, const char *what)
{
	auto_free char *difference = remains_await(trial->bundle.state, trial->cgroup, trial->before);

	if (!difference)
		return;
	trial->left++;
	fault_add(trial, what, difference);
	clear(trial);
	remains_end();
	free(trial->before);
	trial->before = remains_describe(trial->bundle.state, trial->cgroup);
}

static void judge(struct trial *trial)
{
	const char *wrong;

	if (trial->took_ms > TIME_MAX_MS)
		fault_add(trial, "took too long", trial->result.err);
	if (trial->result.status == 0 && !trial->result.timed_out) {
		trial->tolerated += trial->result.reached;
		state_check(trial);
		output_check(trial);
		if (trial->verb->state)
			clear(trial);
		nothing_left(trial, "succeeded, but left");
		return;
	}
	trial->refused++;
	wrong = refusal_judge(&trial->result, "warren-oci: ", trial->error);
	if (wrong)
		fault_add(trial, wrong, trial->result.err);
	if (trial->verb->leaves)
		clear(trial);
	nothing_left(trial, "refused, but left");
}

/* --- the trial ---------------------------------------------------------------------------------------------------- */

static void trial_open(struct trial *trial)
{
	trial->bundle = bundle_new();
	trial->cgroup = text_format("warren-oci/%s", trial->bundle.id);
	bundle_fill(trial);
	remains_adopt();
	/* Undisturbed first: what a host keeps once it has had a container. */
	prepare(trial);
	auto_step first = run_with(trial, (struct step){0});
	cr_assert(first.status == 0, "%s", first.err);
	trial->says = take_ptr(&first.out);
	first.out = NULL;
	cr_assert(!trial->verb->says || strstr(trial->says, "Seccomp:\t2"), "%s", trial->says);
	clear(trial);
	trial->before = remains_describe(trial->bundle.state, trial->cgroup);
}

/* False when there are not that many calls. */
static bool fail_at(struct trial *trial, int at, int error)
{
	int64_t begin;

	trial->at = at;
	trial->error = error;
	step_result_drop(&trial->result);
	prepare(trial);
	begin = clock_ms();
	trial->result = run_with(trial, (struct step){.at = at, .error = error, .call = STEP_EVERY_CALL});
	trial->took_ms = clock_ms() - begin;
	trial->points += trial->result.reached;
	judge(trial);
	if (getenv("WARREN_TEST_TELL"))
		fprintf(stderr, "%s %d call %ld task %d %s: status %d in %lld ms: %s\n", trial->verb->command[0], at,
			trial->result.call, trial->result.tracee, strerror(error), trial->result.status,
			(long long)trial->took_ms, trial->result.err);
	return trial->result.reached;
}

/* Every point with every error, or every width-th with one of them after the other. */
static void verb_try(const struct verb *verb)
{
	bool all = getenv("WARREN_TEST_ALL_POINTS");
	AUTO(trial_drop) struct trial trial = {.verb = verb};
	int width = all ? 1 : verb->width;
	bool more = true;

	remains_seclude();
	trial_open(&trial);
	for (int at = (width + 1) / 2, turn = 0; more && at < POINTS_MAX; at += width, turn++)
		for (size_t i = 0; more && i < (all ? ARRAY_SIZE(errors) : 1); i++)
			more = fail_at(&trial, at, errors[(i + (size_t)turn) % ARRAY_SIZE(errors)]);
	fprintf(stderr, "%s: %d points, %d refused, %d tolerated, %d left, %d faults\n", verb->command[0], trial.points,
		trial.refused, trial.tolerated, trial.left, trial.faults);
	cr_assert(trial.faults == 0 && trial.points > 0, "%d faults at %d points", trial.faults, trial.points);
}

#define FAULT_TEST(name, ...)                                                                                          \
	TEST(oci_faults, name, .timeout = SLOWLY(7200))                                                                \
	{                                                                                                              \
		NEEDS_ROOT();                                                                                          \
		NEEDS_A_FAST_PROCESSOR();                                                                              \
		verb_try(&(struct verb){__VA_ARGS__});                                                                 \
	}

#define WITH_USERS                                                                                                     \
	.namespaces = "[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"ipc\"}, {\"type\": \"uts\"}, "        \
		      "{\"type\": \"network\"}, {\"type\": \"cgroup\"}, {\"type\": \"user\"}]",                        \
	.system = "\"uidMappings\": [{\"containerID\": 0, \"hostID\": 700000, \"size\": 1000}], "                      \
		  "\"gidMappings\": [{\"containerID\": 0, \"hostID\": 700000, \"size\": 1000}]"

FAULT_TEST(of_create, .command = {"create", "ID"}, .state = "created", .width = 11)
FAULT_TEST(of_create_with_users, .command = {"create", "ID"}, .state = "created", .width = 23, WITH_USERS)
FAULT_TEST(of_run, .command = {"run", "ID"}, .says = true, .leaves = true, .width = 23)
FAULT_TEST(of_start, .before = {"create", "ID"}, .command = {"start", "ID"}, .state = "running", .leaves = true,
	.width = 13)
FAULT_TEST(of_exec, .before = {"run", "--detach", "ID"}, .command = {"exec", "ID", "sh", "-c", LOOK}, .says = true,
	.state = "running", .leaves = true, .width = 11)
FAULT_TEST(of_delete, .before = {"create", "ID"}, .command = {"delete", "ID"}, .leaves = true, .width = 23)
FAULT_TEST(of_a_forced_delete, .before = {"run", "--detach", "ID"}, .command = {"delete", "--force", "ID"},
	.leaves = true, .width = 23)
