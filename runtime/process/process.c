/* The last steps of a process before its program. See process.h for who calls what when.
 *
 * Capabilities are set by capset(2) itself: libcap allocates, and its constructor costs system calls at every start. */
#include "runtime/process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/process/home.h"
#include "runtime/process/listener.h"
#include "runtime/process/schedule.h"
#include "runtime/seccomp/seccomp.h"

#define PID_DIGITS 12

/* --- parent: argv, environment, program --------------------------------------------------------------------------- */

static bool same_name(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	return strcspn(b, "=") == length && strncmp(a, b, length) == 0;
}

static const char *environment_get(const struct strings *list, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < list->count; i++) {
		if (strncmp(list->items[i], name, length) == 0 && list->items[i][length] == '=')
			return list->items[i] + length + 1;
	}
	return NULL;
}

static void environment_put(struct arena *arena, struct strings *list, const char *entry)
{
	for (size_t i = 0; i < list->count; i++) {
		if (same_name(list->items[i], entry)) {
			list->items[i] = entry;
			return;
		}
	}
	strings_add(arena, list, entry);
}

#define HOME "HOME="

/* Root's home is the same in every image. Another user's is known when the root is there: process_find_home() fills it
 * in. */
static char *home_put(struct arena *arena, uid_t uid, struct strings *out)
{
	char *entry;

	if (uid == 0) {
		strings_add(arena, out, HOME "/root");
		return NULL;
	}
	entry = arena_alloc(arena, sizeof(HOME) + HOME_SIZE);
	strcpy(entry, HOME "/");
	strings_add(arena, out, entry);
	return entry + strlen(HOME);
}

static int environment_build(
	struct arena *arena, const struct spec_process *process, struct strings *out, char **home, struct error *err)
{
	for (size_t i = 0; i < process->env.count; i++) {
		const char *entry = process->env.items[i];

		if (!strchr(entry, '=') || *entry == '=')
			return fail(err, ERROR_USAGE, "environment entry \"%s\" is not NAME=value", entry);
		environment_put(arena, out, entry);
	}
	if (!environment_get(out, "PATH"))
		strings_add(arena, out, "PATH=" PROCESS_DEFAULT_PATH);
	if (!environment_get(out, "HOME"))
		*home = home_put(arena, process->uid, out);
	if (process->terminal && !environment_get(out, "TERM"))
		strings_add(arena, out, "TERM=xterm");
	return 0;
}

#define LISTEN_PID "LISTEN_PID="

/* The pid that the process sees for itself is known to nobody before it is there: process_execute() fills it in. */
static char *listen_put(struct arena *arena, const struct spec_process *process, struct strings *out)
{
	char *entry = arena_alloc(arena, sizeof(LISTEN_PID) + PID_DIGITS);

	strcpy(entry, LISTEN_PID);
	environment_put(arena, out, arena_format(arena, "LISTEN_FDS=%d", (int)process->listen_fds.value));
	if (process->listen_names)
		environment_put(arena, out, arena_format(arena, "LISTEN_FDNAMES=%s", process->listen_names));
	environment_put(arena, out, entry);
	return entry + strlen(LISTEN_PID);
}

static void candidates_build(struct arena *arena, const char *name, const char *search, struct strings *out)
{
	struct strings directories;

	if (strchr(name, '/')) {
		strings_add(arena, out, name);
		return;
	}
	directories = strings_split(arena, search, ':');
	for (size_t i = 0; i < directories.count; i++) {
		const char *directory = *directories.items[i] ? directories.items[i] : ".";

		strings_add(arena, out, arena_format(arena, "%s/%s", directory, name));
	}
}

int process_plan_prepare(struct arena *arena, const struct spec_process *process, const char *program,
	struct process_plan *out, struct error *err)
{
	struct strings environment = {0}, candidates = {0}, arguments = {0};
	char *listen_pid = NULL, *home = NULL;

	if (process->args.count == 0)
		return fail(err, ERROR_USAGE, "no program to execute: args is empty");
	if (*process->args.items[0] == '\0')
		return fail(err, ERROR_USAGE, "no program to execute: args[0] is an empty string");
	for (size_t i = 0; i < process->args.count; i++)
		strings_add(arena, &arguments, process->args.items[i]);
	if (environment_build(arena, process, &environment, &home, err) < 0)
		return -1;
	if (process->listen_fds.set)
		listen_pid = listen_put(arena, process, &environment);
	candidates_build(arena, process->args.items[0], environment_get(&environment, "PATH"), &candidates);
	*out = (struct process_plan){
		.process = process,
		.name = program ? program : process->args.items[0],
		.argv = arguments.items,
		.envp = environment.items,
		.candidates = candidates.items,
		.listen_pid = listen_pid,
		.home = home,
		.label = -1,
	};
	return 0;
}

int process_check_preserved(int preserve, struct error *err)
{
	for (int fd = 3; fd < 3 + preserve; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			return fail(err, ERROR_USAGE, "%d descriptors to preserve, but descriptor %d is not open",
				preserve, fd);
	}
	return 0;
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

static int rlimit_fail(const struct spec_rlimit *wanted, struct error *err)
{
	char number[24];
	const char *name = rlimit_name(wanted->resource, number);

	if (errno == EPERM)
		return fail_errno(err, "set %s to %llu:%llu (a hard limit is raised only with CAP_SYS_RESOURCE)", name,
			(unsigned long long)wanted->limit.rlim_cur, (unsigned long long)wanted->limit.rlim_max);
	return fail_errno(err, "set %s to %llu:%llu", name, (unsigned long long)wanted->limit.rlim_cur,
		(unsigned long long)wanted->limit.rlim_max);
}

int process_raise_rlimits(pid_t pid, const struct spec_process *process, struct error *err)
{
	for (size_t i = 0; i < process->rlimits.count; i++) {
		const struct spec_rlimit *wanted = &process->rlimits.items[i];
		struct rlimit has;

		if (prlimit(pid, (enum __rlimit_resource)wanted->resource, NULL, &has) < 0)
			return rlimit_fail(wanted, err);
		if (has.rlim_max >= wanted->limit.rlim_max)
			continue;
		has.rlim_max = wanted->limit.rlim_max;
		if (prlimit(pid, (enum __rlimit_resource)wanted->resource, &has, NULL) < 0)
			return rlimit_fail(wanted, err);
	}
	return 0;
}

int process_set_rlimits(const struct spec_process *process, struct error *err)
{
	for (size_t i = 0; i < process->rlimits.count; i++) {
		const struct spec_rlimit *wanted = &process->rlimits.items[i];

		if (setrlimit((enum __rlimit_resource)wanted->resource, &wanted->limit) < 0)
			return rlimit_fail(wanted, err);
	}
	return 0;
}

/* --- working directory -------------------------------------------------------------------------------------------- */

/* Errors show up in the chdir that follows. We are inside the new root, so a name can lead no further than it. */
static void directories_make(const char *path)
{
	char partial[PATH_MAX];
	size_t length = strlen(path);

	if (length >= sizeof(partial))
		return;
	for (size_t i = 1; i <= length; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(partial, path, i);
		partial[i] = '\0';
		(void)mkdir(partial, 0755);
	}
}

void process_make_directory(const char *cwd)
{
	if (faccessat(AT_FDCWD, cwd, F_OK, 0) < 0 && errno == ENOENT)
		directories_make(cwd);
}

/* glibc's getcwd() walks directories (and allocates) when the kernel's answer does not begin with a slash. */
static int directory_check(const char *cwd, struct error *err)
{
	char place[PATH_MAX];

	if (syscall(SYS_getcwd, place, sizeof(place)) < 0)
		return fail_errno(err, "working directory %s", cwd);
	if (place[0] != '/')
		return fail(err, ERROR_USAGE, "working directory %s lies outside the root", cwd);
	return 0;
}

int process_enter_directory(const struct process_plan *plan, struct error *err)
{
	const char *cwd = plan->process->cwd;

	if (chdir(cwd) < 0) {
		if (errno == EACCES)
			return 0;
		if (errno != ENOENT)
			return fail_errno(err, "working directory %s", cwd);
		directories_make(cwd);
		if (chdir(cwd) < 0)
			return fail_errno(err, "working directory %s", cwd);
	}
	return directory_check(cwd, err);
}

/* Where only the user may go (a volume that keeps root out), root's chdir failed with EACCES and we are still at "/".
 * Asked before a filter is loaded, which may refuse getcwd(2). */
static bool directory_waits_for_user(const struct process_plan *plan)
{
	char place[PATH_MAX];

	if (plan->process->uid == 0 || strcmp(plan->process->cwd, "/") == 0)
		return false;
	return syscall(SYS_getcwd, place, sizeof(place)) > 0 && strcmp(place, "/") == 0;
}

static int directory_enter_as_user(const struct process_plan *plan, struct error *err)
{
	if (chdir(plan->process->cwd) < 0)
		return fail_errno(err, "working directory %s", plan->process->cwd);
	return directory_check(plan->process->cwd, err);
}

void process_find_home(const struct process_plan *plan)
{
	if (plan->home)
		home_find(plan->process->uid, plan->home);
}

/* --- identity and rights ------------------------------------------------------------------------------------------ */

int process_set_ids(const struct spec_process *process, struct error *err)
{
	/* setresuid to another uid than 0 empties the permitted set unless told to keep it; execve clears the flag. */
	if (process->uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return fail_errno(err, "keep capabilities");
	if (!process->keep_groups && syscall(SYS_setgroups, process->groups.count, process->groups.items) < 0)
		return fail_errno(err, "set %zu supplementary groups", process->groups.count);
	if (syscall(SYS_setresgid, process->gid, process->gid, process->gid) < 0)
		return fail_errno(err, "set gid %u", process->gid);
	if (syscall(SYS_setresuid, process->uid, process->uid, process->uid) < 0)
		return fail_errno(err, "set uid %u", process->uid);
	return 0;
}

int process_limit_bounding_set(const struct spec_process *process, struct error *err)
{
	for (unsigned capability = 0; capability < 64; capability++) {
		char buffer[32];

		if (process->capabilities[CAPS_BOUNDING] & (UINT64_C(1) << capability))
			continue;
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL) /* beyond what this kernel knows */
			return 0;
		return fail_errno(err, "drop %s from the bounding set", capability_name(capability, buffer));
	}
	return 0;
}

static int ambient_raise(uint64_t capabilities, struct error *err)
{
	for (unsigned capability = 0; capability < 64; capability++) {
		char buffer[32];

		if (!(capabilities & (UINT64_C(1) << capability)))
			continue;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0)
			return fail_errno(err, "add %s to the ambient set", capability_name(capability, buffer));
	}
	return 0;
}

int process_set_capabilities(const struct spec_process *process, struct error *err)
{
	const uint64_t *sets = process->capabilities;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	for (unsigned half = 0; half < _LINUX_CAPABILITY_U32S_3; half++) {
		data[half].effective = (uint32_t)(sets[CAPS_EFFECTIVE] >> (32 * half));
		data[half].permitted = (uint32_t)(sets[CAPS_PERMITTED] >> (32 * half));
		data[half].inheritable = (uint32_t)(sets[CAPS_INHERITABLE] >> (32 * half));
	}
	/* What the caller may have had there: a raised ambient set would come back at execve. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return fail_errno(err, "clear the ambient set");
	if (syscall(SYS_capset, &header, data) < 0)
		return fail_errno(err, "set capabilities (effective %#llx, permitted %#llx, inheritable %#llx)",
			(unsigned long long)sets[CAPS_EFFECTIVE], (unsigned long long)sets[CAPS_PERMITTED],
			(unsigned long long)sets[CAPS_INHERITABLE]);
	return ambient_raise(sets[CAPS_AMBIENT], err);
}

static int privileges_forgo(const struct spec_process *process, struct error *err)
{
	if (process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_errno(err, "no_new_privs");
	return 0;
}

int process_note_host(struct process_plan *plan, struct error *err)
{
	if (listener_note_pid(plan->listener, err) < 0)
		return -1;
	return label_open(plan->process, &plan->label, err);
}

static int filter_load(const struct process_plan *plan, const struct seccomp_program *seccomp, struct error *err)
{
	int notifications = seccomp_program_install(seccomp, 0, err);

	return notifications > 0 ? listener_send(plan->listener, notifications, err) : notifications;
}

int process_become(const struct process_plan *plan, const struct seccomp_program *seccomp, struct error *err)
{
	const struct spec_process *process = plan->process;
	bool directory_waits = directory_waits_for_user(plan);

	if (schedule_set_surroundings(process, err) < 0 || label_write(process, plan->label, err) < 0)
		return -1;
	if (process_set_rlimits(process, err) < 0)
		return -1;
	umask(process->umask.set ? (mode_t)process->umask.value : 022);
	if (process_limit_bounding_set(process, err) < 0 || privileges_forgo(process, err) < 0)
		return -1;
	if (!process->no_new_privileges && filter_load(plan, seccomp, err) < 0)
		return -1;
	if (process_set_ids(process, err) < 0)
		return -1;
	if (directory_waits && directory_enter_as_user(plan, err) < 0)
		return -1;
	if (process_set_capabilities(process, err) < 0)
		return -1;
	if (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
		return fail_errno(err, "clear the parent-death signal");
	return process->no_new_privileges ? filter_load(plan, seccomp, err) : 0;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

/* First out of the way, then down: one may lie where another has to go. */
static int move_up(int *fd, size_t count, struct error *err)
{
	int moved = fcntl(*fd, F_DUPFD_CLOEXEC, 3 + (int)count);

	if (moved < 0)
		return fail_errno(err, "make room for %zu sockets", count);
	*fd = moved;
	return 0;
}

int process_place(const int *fds, size_t count, int *keep, struct error *err)
{
	int above[LAUNCH_SOCKETS_MAX];

	if (count > ARRAY_SIZE(above))
		return fail(err, ERROR_USAGE, "%zu sockets; at most %d can be given", count, LAUNCH_SOCKETS_MAX);
	if (count && *keep >= 0 && move_up(keep, count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		above[i] = fds[i];
		if (move_up(&above[i], count, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < count; i++)
		if (dup3(above[i], 3 + (int)i, O_CLOEXEC) < 0)
			return fail_errno(err, "give it socket %zu", i + 1);
	return 0;
}

int process_close_others(int preserve, struct error *err)
{
	unsigned first = 3 + (unsigned)preserve;

	if (syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return fail_errno(err, "close descriptors from %u on", first);
	for (int fd = 3; fd < 3 + preserve; fd++) {
		if (fcntl(fd, F_SETFD, 0) < 0)
			return fail_errno(err, "preserve descriptor %d", fd);
	}
	return 0;
}

/* As a shell does: a candidate that cannot be executed does not end the search, but is what the error tells of. */
static bool search_goes_on(int errnum, int *denied)
{
	if (errnum == EACCES) {
		*denied = EACCES;
		return true;
	}
	return errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP || errnum == ENAMETOOLONG;
}

/* docker looks for these very words, in small letters as Go has them, to tell "no such program" (127) and "no program"
 * (126) from failures of its own. */
int process_fail_execute(const char *name, struct error *err)
{
	int errnum = errno;

	if (errnum != ENOENT && errnum != EACCES)
		return fail_errno(err, "execute %s", name);
	fail(err, ERROR_SYSTEM, "execute %s: %s", name,
		errnum == ENOENT ? "no such file or directory" : "permission denied");
	err->errnum = errnum;
	return -1;
}

int process_execute(const struct process_plan *plan, struct error *err)
{
	int denied = 0;

	if (plan->listen_pid)
		snprintf(plan->listen_pid, PID_DIGITS, "%d", getpid());
	for (const char *const *path = plan->candidates; *path; path++) {
		execve(*path, (char *const *)plan->argv, (char *const *)plan->envp);
		if (!search_goes_on(errno, &denied))
			return process_fail_execute(plan->name, err);
	}
	if (denied)
		errno = denied;
	else if (plan->candidates[1])
		errno = ENOENT;
	return process_fail_execute(plan->name, err);
}
