#include "tests/end_to_end/support_remains.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_run.h"
#include "tests/test.h"

#define END_MS SLOWLY(5000)
#define AGAIN_MS 2

/* A directory that is deleted takes its mounts out of every table, so those of
 * others in temporary places do not count. Tables differ in order and in counters from time to time: sorted, without
 * counters. Events and the one file of what was used are kept of what is gone, that is what they are for; and the lock
 * of the image `host` stays once it was needed. */
static const char script[] =
	"find \"$1\" \\( -path \"*/lib/layers/*/*\" -o -path \"*/run/events\" -o -path \"*/lib/usage-removed.jsonl\" "
	"-o -path \"*/lib/host.lock\" \\) -prune -o "
	"-printf 'file %P %y\\n' | sort\n"
	"find \"/sys/fs/cgroup/$2\" /sys/fs/cgroup/*/\"$2\" -type d -printf 'cgroup %p\\n' 2>/dev/null | sort\n"
	"ip -o link | sed 's/^[0-9]*: \\([^:@]*\\).*/link \\1/' | sort\n"
	"ip -4 route show table all | sed 's/^/route /' | sort\n"
	"ip -6 route show table all | sed 's/^/route /' | sort\n"
	"ip -o addr show dev lo | sed 's/valid_lft.*//; s/^/address /' | sort\n"
	"nft -s list ruleset | sed 's/^/nft /'\n"
	"awk -v state=\"$1\" '$5 !~ \"^(/var)?/tmp/\" || index($5, state) == 1 { print \"mount\" }' "
	"/proc/self/mountinfo\n"
	"cd /proc/sys/net; for name in ipv4/ip_forward ipv4/conf/all/accept_redirects ipv[46]/conf/*/forwarding "
	"ipv6/conf/*/accept_ra; do case $name in */conf/w[0-9]*) ;; *) "
	"[ ! -e $name ] || echo setting $name $(cat $name) ;; esac; done\n";

/* What others mount meanwhile is not seen. */
static void mounts_seclude(void)
{
	cr_assert(unshare(CLONE_NEWNS) == 0);
	cr_assert(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

void remains_seclude(void)
{
	cr_assert(unshare(CLONE_NEWNET) == 0);
	mounts_seclude();
}

void remains_adopt(void)
{
	mounts_seclude();
	cr_assert(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
}

void remains_reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* True when there is none any more. */
static bool processes_await(void)
{
	int64_t deadline_ms = clock_ms() + END_MS;
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0) {
		if (pid == 0 && clock_ms() > deadline_ms)
			return false;
		if (pid == 0)
			poll(NULL, 0, AGAIN_MS);
	}
	return true;
}

static struct strings children_list(struct arena *arena)
{
	const char *text;
	struct error err;

	ASSERT_OK(file_read(arena, AT_FDCWD, "/proc/thread-self/children", 1 << 20, &text, NULL, &err));
	return strings_split(arena, text, ' ');
}

static void processes_append(struct text *text)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings pids = children_list(&arena);
	struct error ignored;

	for (size_t i = 0; i < pids.count; i++) {
		const char *path = arena_format(&arena, "/proc/%s/cmdline", pids.items[i]), *command;

		if (!*pids.items[i])
			continue;
		if (file_read(&arena, AT_FDCWD, path, 1 << 16, &command, NULL, &ignored) < 0)
			command = ignored.text;
		text_appendf(text, "process %s %s\n", pids.items[i], command);
	}
}

static char *describe_now(const char *state, const char *cgroup)
{
	struct text text = {0};

	if (!processes_await())
		processes_append(&text);
	auto_run run = RUN("sh", "-c", script, "sh", state, cgroup);
	cr_assert(run.status == 0 && !*run.err, "%s", run.err);
	text_append(&text, run.out);
	return text.data;
}

char *remains_describe(const char *state, const char *cgroup)
{
	int64_t deadline_ms = clock_ms() + END_MS;

	for (;;) {
		auto_free char *now = describe_now(state, cgroup);

		if (!strstr(now, "\nlink w") || clock_ms() > deadline_ms)
			return take_ptr(&now);
		poll(NULL, 0, AGAIN_MS);
	}
}

static size_t lines_count(const struct strings *lines, const char *line)
{
	size_t count = 0;

	for (size_t i = 0; i < lines->count; i++)
		count += text_equal(lines->items[i], line);
	return count;
}

/* Rules and mounts may be alike: what is there more often counts. */
static const char *first_more_in(const struct strings *these, const struct strings *those)
{
	for (size_t i = 0; i < these->count; i++)
		if (lines_count(these, these->items[i]) > lines_count(those, these->items[i]))
			return these->items[i];
	return NULL;
}

char *remains_difference(const char *before, const char *after)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings old = strings_split(&arena, before, '\n'), now = strings_split(&arena, after, '\n');
	const char *more = first_more_in(&now, &old), *less = first_more_in(&old, &now);

	if (more)
		return text_format("+%s", more);
	return less ? text_format("-%s", less) : text_format("%zu lines became %zu", old.count, now.count);
}

char *remains_await(const char *state, const char *cgroup, const char *before)
{
	int64_t deadline_ms = clock_ms() + END_MS;

	for (;;) {
		auto_free char *now = describe_now(state, cgroup);

		if (!strcmp(before, now))
			return NULL;
		if (clock_ms() > deadline_ms)
			return remains_difference(before, now);
		poll(NULL, 0, AGAIN_MS);
	}
}

void remains_end(void)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings pids = children_list(&arena);

	for (size_t i = 0; i < pids.count; i++)
		if (*pids.items[i])
			kill(atoi(pids.items[i]), SIGKILL);
	processes_await();
}
