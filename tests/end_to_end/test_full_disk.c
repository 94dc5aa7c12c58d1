/* A disk without room: every command says which it is, in one line of its own, has done nothing or is simply given
 * again, and what gives room back (stop, kill, rm, down) needs none. */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

#define PAGE 4096
#define LEVELS_MAX 48 /* pages that are left; every command of ours does with less */

/* Everything of this host in one little file system, which goes with this process. */
static void disk_put(struct playground *here)
{
	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	cr_assert(mount("none", here->root, "tmpfs", 0, "size=4m,mode=0755") == 0);
}

static const char *filler(struct playground *here)
{
	return arena_format(&here->arena, "%s/filler", here->root);
}

static void disk_fill(struct playground *here, size_t pages_left)
{
	static const char page[PAGE];
	auto_fd fd = open(filler(here), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct statvfs fs;

	cr_assert(fd >= 0 && statvfs(here->root, &fs) == 0);
	for (size_t i = pages_left; i < fs.f_bavail; i++)
		cr_assert(write(fd, page, PAGE) == PAGE);
}

static void disk_free(struct playground *here)
{
	unlink(filler(here));
}

struct full_row {
	const char *before; /* commands, one a line */
	const char *words[10];
	const char *after;
	bool parts;  /* made of many: those that could be done are, and its lines are as many as failed */
	bool always; /* does its work without any room */
};

#define ONE "create --name one --network none host sleep 1000\n"
#define RUNS ONE "start one\n"
#define FILE_1 "fleet-1.json"
#define FILE_2 "fleet-2.json"

static const struct full_row rows[] = {
	{"", {"create", "--name", "one", "host", "true"}, "rm one\n", false, false},
	{RUNS, {"stop", "-t", "0", "one"}, "rm one\n", false, true},
	{RUNS, {"rm", "-f", "one"}, "", false, true},
	{"", {"apply", FILE_1}, "down shop\n", true, false},
	/* With --full only, and with any number of pages. */
	{ONE, {"start", "one"}, "rm -f one\n", false, false},
	{RUNS, {"set", "--memory", "96M", "one"}, "rm -f one\n", false, false},
	{"", {"run", "-d", "--name", "one", "-p", "8080:80", "host", "sleep", "1000"}, "rm -f one\n", false, false},
	{RUNS, {"kill", "one"}, "rm one\n", false, true},
	{RUNS, {"pause", "one"}, "rm -f one\n", false, true},
	{RUNS "pause one\n", {"resume", "one"}, "rm -f one\n", false, true},
	{RUNS, {"restart", "-t", "0", "one"}, "rm -f one\n", false, false},
	{RUNS, {"exec", "one", "true"}, "rm -f one\n", false, true},
	{RUNS, {"cp", "/etc/passwd", "one:/root/"}, "rm -f one\n", false, false},
	{ONE, {"rename", "one", "two"}, "rm two\n", false, true},
	{ONE, {"rm", "one"}, "", false, true},
	{ONE, {"clone", "one", "two"}, "rm one two\n", false, false},
	{ONE, {"snapshot", "create", "one", "s"}, "rm one\n", false, false},
	{ONE "snapshot create one s\n", {"snapshot", "restore", "one", "s"}, "rm one\n", false, false},
	{ONE "snapshot create one s\n", {"snapshot", "rm", "one", "s"}, "rm one\n", false, true},
	{"", {"network", "create", "net"}, "network rm net\n", false, false},
	{"network create net\n", {"network", "set", "net", "--isolated", "no"}, "network rm net\n", false, false},
	{"network create net\n", {"network", "rm", "net"}, "", false, true},
	{"apply " FILE_1 "\n", {"apply", FILE_2}, "down shop\n", true, false},
	{"apply " FILE_1 "\n", {"down", "shop"}, "", true, true},
	{"apply " FILE_1 "\n", {"usage"}, "down shop\n", false, true},
	{"apply " FILE_1 "\n", {"boot"}, "down shop\n", false, true},
};
#define EVERY_DAY 4

static struct run_result words_run(struct playground *here, const char *const words[])
{
	return playground_warren(here, words, &(struct run_options){.directory = here->directory.path});
}

static void commands_run(struct playground *here, const char *lines)
{
	struct strings commands = strings_split(&here->arena, lines, '\n');

	for (size_t i = 0; i < commands.count; i++) {
		struct strings words = strings_split(&here->arena, commands.items[i], ' ');

		if (!*commands.items[i])
			continue;
		strings_add(&here->arena, &words, NULL);
		auto_run run = words_run(here, words.items);
		cr_assert(run.status == 0, "%s: %s%s", commands.items[i], run.out, run.err);
	}
}

static char *states(struct playground *here)
{
	auto_run list = WARREN(here, "list", "--format", "{{.name}} {{.state}} {{.pid}}");

	ASSERT_STATUS(list, 0);
	return strdup(list.out);
}

static void assert_explained(const struct full_row *row, const struct run_result *run, size_t level)
{
	const char *line_end = strchr(run->err, '\n');

	cr_assert(
		run->status == 1, "%s with %zu pages left: status %d: %s", row->words[0], level, run->status, run->err);
	cr_assert(strstr(run->err, "/lib is full (") && strstr(run->err, "No space left on device"),
		"%s with %zu pages left: %s", row->words[0], level, run->err);
	cr_assert(row->parts || line_end == run->err + run->err_length - 1 || strstr(run->err, "warning: "),
		"%s with %zu pages left, more than a line: %s", row->words[0], level, run->err);
}

/* True when it could be done. */
static bool row_try(struct playground *here, const struct full_row *row, size_t level)
{
	commands_run(here, row->before);
	auto_free char *before = states(here);
	disk_fill(here, level);
	auto_run run = words_run(here, row->words);
	disk_free(here);
	if (run.status != 0) {
		assert_explained(row, &run, level);
		cr_assert(!row->always, "%s needs room: %s", row->words[0], run.err);
		auto_free char *after = states(here);
		cr_assert(row->parts || !strcmp(before, after) || strstr(row->words[0], "start"),
			"%s with %zu pages left: \"%s\" became \"%s\"", row->words[0], level, before, after);
		auto_run again = words_run(here, row->words);
		cr_assert(again.status == 0, "%s, tried with %zu pages left, and again: %s", row->words[0], level,
			again.err);
	}
	commands_run(here, row->after);
	auto_run check = WARREN(here, "check");
	cr_assert(check.status == 0, "%s with %zu pages left: %s", row->words[0], level, check.out);
	return run.status == 0;
}

static void files_write(struct playground *here)
{
	static const char text[] =
		"{\"version\": 1, \"name\": \"shop\", \"instances\": {\"site\": {\"image\": \"host\", "
		"\"network\": \"none\", \"replicas\": 2, \"command\": [\"sleep\", \"1000\"], "
		"\"read_only\": true, \"environment\": {\"A\": \"%d\"}}}}";

	for (int i = 1; i <= 2; i++)
		run_write_file(
			here->directory.path, i == 1 ? FILE_1 : FILE_2, 0600, arena_format(&here->arena, text, i));
}

TEST(full_disk, is_named_and_nothing_is_half_made, .fini = playground_rescue, .timeout = SLOWLY(600))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground here = playground_new();
	bool all = getenv("WARREN_TEST_ALL_POINTS");

	disk_put(&here);
	files_write(&here);
	for (size_t i = 0; i < (all ? ARRAY_SIZE(rows) : EVERY_DAY); i++) {
		size_t level = 0;

		while (!row_try(&here, &rows[i], level) && all)
			cr_assert(++level < LEVELS_MAX, "%s needs more than %d pages", rows[i].words[0], LEVELS_MAX);
	}
	cr_assert(umount2(here.root, MNT_DETACH) == 0);
}
