/* The doctor's round: the sections in their order, what they share, and attempts in a process of their own.
 *
 * It is for hosts on which something is wrong. So nothing here relies on anything: directories may be missing or
 * read-only, /proc and cgroups may not be mounted, we may not be root. Attempts that change the process (namespaces) or
 * may hang (modules being loaded, a dead network file system) are made in a child with a time limit. */
#include "fleet/host/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define KNOB_SIZE_MAX 65536
#define TRIAL_TIMEOUT_MS 60000
#define KILL_TIMEOUT_MS 1000 /* one in the kernel's hands (a dead disk) may not even die */
#define INSTANCES_MAX 65536

const char *const finding_state_names[] = {"ok", "note", "warning", "missing", "unknown", NULL};

/* --- findings ----------------------------------------------------------------------------------------------------- */

struct finding *finding_add(struct examination *examination, enum finding_state state, const char *name,
	const char *found, const char *wanted)
{
	struct doctor_report *report = examination->report;
	struct finding *finding;

	if (report->count == examination->room) {
		struct finding *larger;

		examination->room = examination->room ? 2 * examination->room : 128;
		larger = arena_new_array(examination->arena, examination->room, struct finding);
		if (report->count)
			memcpy(larger, report->items, report->count * sizeof(*larger));
		report->items = larger;
	}
	finding = &report->items[report->count++];
	*finding = (struct finding){.state = state,
		.group = examination->group,
		.name = name,
		.found = found ? found : "",
		.wanted = wanted};
	return finding;
}

const char *knob_text(struct examination *examination, const char *path)
{
	struct error ignored;
	const char *text;
	size_t length;

	if (file_read(examination->arena, AT_FDCWD, path, KNOB_SIZE_MAX, &text, NULL, &ignored) < 0)
		return NULL;
	length = strlen(text);
	while (length && text[length - 1] == '\n')
		length--;
	return arena_bytes(examination->arena, text, length);
}

/* Some hold several numbers; the first counts. */
struct optional knob_value(struct examination *examination, const char *path)
{
	const char *text = knob_text(examination, path);
	struct optional value = {0};
	struct error ignored;

	if (text)
		text = arena_bytes(examination->arena, text, strcspn(text, " \t\n"));
	value.set = text && number_parse(text, INT64_MIN, INT64_MAX, &value.value, &ignored) == 0;
	return value;
}

const char *nearest_directory(struct examination *examination, const char *path)
{
	char *here = (char *)arena_string(examination->arena, path);
	struct stat about;

	while (stat(here, &about) < 0 || !S_ISDIR(about.st_mode)) {
		char *slash = strrchr(here, '/');

		if (!slash || slash == here)
			return "/";
		*slash = '\0';
	}
	return here;
}

/* --- attempts ----------------------------------------------------------------------------------------------------- */

/* On a page shared with the child. */
struct outcome {
	bool is_over;
	int result;
	char note[TRIAL_NOTE_SIZE];
	struct error err;
};

/* It goes with the command that asked. */
static _Noreturn void trial_child(const struct trial *trial, struct outcome *outcome)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	outcome->result = trial->run(trial->context, outcome->note, &outcome->err);
	outcome->is_over = true;
	_exit(0);
}

static int64_t trial_patience_ms(const struct trial *trial)
{
	return trial->timeout_ms ? trial->timeout_ms : TRIAL_TIMEOUT_MS;
}

static int trial_unknown(const struct trial *trial, int pidfd, struct error *err)
{
	struct error ignored;
	int status = 0;

	if (!process_wait_end(pidfd, 0)) {
		if (process_signal(pidfd, SIGKILL, &ignored) == 0 && process_wait_end(pidfd, KILL_TIMEOUT_MS))
			(void)!process_reap(pidfd, &status, &ignored);
		return fail(
			err, ERROR_BUSY, "the attempt did not end within %lld ms", (long long)trial_patience_ms(trial));
	}
	if (process_reap(pidfd, &status, err) < 0)
		return -1;
	if (WIFSIGNALED(status))
		return fail(err, ERROR_BUSY, "the attempt was ended by signal %d", WTERMSIG(status));
	return fail(err, ERROR_BUSY, "the attempt ended with status %d", WEXITSTATUS(status));
}

static int outcome_take(struct trial *trial, const struct outcome *outcome, int pidfd, struct error *err)
{
	struct error ignored;
	int status;

	if (!outcome->is_over)
		return trial_unknown(trial, pidfd, err);
	(void)!process_reap(pidfd, &status, &ignored);
	if (outcome->result < 0) {
		*err = outcome->err;
		return 0;
	}
	snprintf(trial->note, sizeof(trial->note), "%s", outcome->note);
	return 1;
}

/* fork(2): clone3 may be what the kernel lacks. */
static int trial_fork(struct trial *trial, struct outcome *outcome, struct error *err)
{
	pid_t pid;
	auto_fd pidfd = -1;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		trial_child(trial, outcome);
	if (pid < 0)
		return fail_errno(err, "fork");
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		fail_errno(err, "pidfd_open");
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return -1;
	}
	process_wait_end(pidfd, trial_patience_ms(trial));
	return outcome_take(trial, outcome, pidfd, err);
}

int trial_run(struct trial *trial, struct error *err)
{
	struct outcome *outcome =
		mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int result;

	if (outcome == MAP_FAILED)
		return fail_errno(err, "mmap");
	result = trial_fork(trial, outcome, err);
	munmap(outcome, sizeof(*outcome));
	return result;
}

enum finding_state trial_state(const struct examination *examination, int result, enum finding_state failed)
{
	if (result > 0)
		return FINDING_OK;
	return result < 0 || !examination->is_root ? FINDING_UNKNOWN : failed;
}

/* --- the round ---------------------------------------------------------------------------------------------------- */

static void paths_set(struct examination *examination)
{
	struct arena *arena = examination->arena;
	const char *root = examination->request->where.root;

	examination->root = root;
	examination->lib = root ? arena_format(arena, "%s/lib", root) : "/var/lib/warren";
	examination->run = root ? arena_format(arena, "%s/run", root) : "/run/warren";
	examination->log = root ? arena_format(arena, "%s/log", root) : "/var/log/warren";
}

/* Names that begin with a dot are on their way in or out. */
static int64_t instances_existing(struct examination *examination)
{
	auto_fd dir = open(
		arena_format(examination->arena, "%s/instances", examination->lib), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strings names = {0};
	struct error ignored;
	int64_t count = 0;

	if (dir < 0 || dir_list(examination->arena, dir, INSTANCES_MAX, &names, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < names.count; i++)
		count += names.items[i][0] != '.';
	return count;
}

static int64_t instances_judged(struct examination *examination)
{
	const struct doctor_request *request = examination->request;
	int64_t count = instances_existing(examination);

	if (request->instances.set)
		return request->instances.value;
	if (request->fleet && (int64_t)request->fleet->instances.count > count)
		count = (int64_t)request->fleet->instances.count;
	return count ? count : 1;
}

void host_examine(struct arena *arena, const struct doctor_request *request, struct doctor_report *report)
{
	static const struct {
		const char *group;
		void (*examine)(struct examination *examination);
	} sections[] = {
		{"kernel", examine_kernel},
		{"rights", examine_rights},
		{"cgroups", examine_cgroups},
		{"storage", examine_storage},
		{"network", examine_network},
		{"limits", examine_limits},
		{"instances", examine_instances},
	};
	struct examination examination = {
		.arena = arena, .request = request, .report = report, .is_root = geteuid() == 0};

	*report = (struct doctor_report){0};
	paths_set(&examination);
	report->instances = instances_judged(&examination);
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		examination.group = sections[i].group;
		sections[i].examine(&examination);
	}
	for (size_t i = 0; i < report->count; i++)
		report->counts[report->items[i].state]++;
}
