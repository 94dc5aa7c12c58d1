/* Tests of runtime/namespaces/resctrl.c against a directory that plays resctrl, as no machine to build on has one:
 * files of groups are plain ones, and a new group has none, so that making one shows itself by its failure. */
#include "runtime/namespaces/resctrl.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/test.h"

struct play {
	char path[32];
	int dir;
};

static void play_write(const struct play *play, const char *name, const char *content)
{
	auto_fd fd = openat(play->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert(fd >= 0 && write_all(fd, content, strlen(content)) == 0, "%s", name);
}

static struct play play_new(void)
{
	struct play play = {.path = "/tmp/warren-resctrl-XXXXXX"};

	cr_assert(mkdtemp(play.path));
	play.dir = open(play.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(play.dir, "gold", 0755);
	mkdirat(play.dir, "gold/mon_groups", 0755);
	play_write(&play, "tasks", "");
	play_write(&play, "schemata", "L3:0=fff;1=fff\n");
	play_write(&play, "gold/tasks", "");
	play_write(&play, "gold/schemata", "    MB:0= 20;1= 70\n    L3:0=07f0;1=01f\n");
	return play;
}

static void play_drop(struct play *play)
{
	struct error err;

	fd_drop(&play->dir);
	ASSERT_OK(tree_remove(AT_FDCWD, play->path, &err));
}

static const char *play_read(struct arena *arena, const struct play *play, const char *name)
{
	const char *text;
	struct error err;

	return file_read(arena, play->dir, name, 4096, &text, NULL, &err) == 0 ? text : "(none)";
}

TEST(resctrl, enters_a_group_that_is_there)
{
	AUTO(play_drop) struct play play = play_new();
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_rdt rdt = {.class = "gold", .monitoring = true};
	struct error err;

	/* The monitoring group is there, as its files could not be. */
	mkdirat(play.dir, "gold/mon_groups/web", 0755);
	play_write(&play, "gold/mon_groups/web/tasks", "");
	ASSERT_OK(resctrl_enter(play.dir, &rdt, "web", 4711, &err));
	cr_assert_str_eq(play_read(&arena, &play, "gold/tasks"), "4711");
	cr_assert_str_eq(play_read(&arena, &play, "gold/mon_groups/web/tasks"), "4711");
	/* What is the container's own goes with it, as on the real one, where files do not count. */
	unlinkat(play.dir, "gold/mon_groups/web/tasks", 0);
	resctrl_leave(play.dir, &rdt, "web");
	cr_assert(faccessat(play.dir, "gold/mon_groups/web", F_OK, 0) < 0);
	cr_assert(faccessat(play.dir, "gold", F_OK, 0) == 0);
	rdt = (struct spec_rdt){.class = "/"};
	ASSERT_OK(resctrl_enter(play.dir, &rdt, "web", 4712, &err));
	cr_assert_str_eq(play_read(&arena, &play, "tasks"), "4712");
	rdt.class = "silver";
	ASSERT_FAILS(resctrl_enter(play.dir, &rdt, "web", 4713, &err), ERROR_SYSTEM, "linux.intelRdt: group silver: ");
}

TEST(resctrl, compares_the_schemata_of_a_group_that_is_there)
{
	static const char *one_line[] = {"L3:0=7F0;1=1f"}, *wrong_line[] = {"L3:0=7f0;1=3f"};
	static const struct {
		struct spec_rdt rdt;
		const char *refusal;
	} cases[] = {
		{{.class = "gold", .cache_schema = "L3:0=7f0;1=1f"}, NULL},
		{{.class = "gold", .cache_schema = "L3:1=1f"}, NULL},
		{{.class = "gold", .schemata = {one_line, 1}}, NULL},
		{{.class = "gold", .schemata = {wrong_line, 1}}, "another schema than \"L3:0=7f0;1=3f\""},
		{{.class = "gold", .cache_schema = "L3:0=7f1;1=1f"}, "another schema than \"L3:0=7f1;1=1f\""},
		{{.class = "gold", .cache_schema = "L2:0=f"}, "another schema than \"L2:0=f\""},
		{{.class = "gold", .bandwidth_schema = "MB:0=30"}, "another schema than \"MB:0=30\""},
		/* A line of the wrong kind in the one does not count beside the other. */
		{{.class = "gold", .cache_schema = "L3:0=7f0\nMB:0=99", .bandwidth_schema = "MB:1=70"}, NULL},
		{{.class = "/", .cache_schema = "L3:0=fff"}, NULL},
		{{.class = "/", .cache_schema = "L3:0=1"}, "another schema"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(play_drop) struct play play = play_new();
		AUTO(arena_drop) struct arena arena = {0};
		const char *before;
		struct error err;

		before = play_read(&arena, &play, "gold/schemata");
		if (cases[i].refusal)
			ASSERT_FAILS(resctrl_enter(play.dir, &cases[i].rdt, "web", 4711, &err), ERROR_BUSY,
				cases[i].refusal);
		else
			ASSERT_OK(resctrl_enter(play.dir, &cases[i].rdt, "web", 4711, &err));
		cr_assert_str_eq(play_read(&arena, &play, "gold/schemata"), before);
	}
}

TEST(resctrl, makes_a_group_and_leaves_nothing_when_that_fails)
{
	AUTO(play_drop) struct play play = play_new();
	static const struct spec_rdt cases[] = {
		{0}, {.cache_schema = "L3:0=f"}, {.class = "silver", .cache_schema = "L3:0=f"}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err;

		ASSERT_FAILS(resctrl_enter(play.dir, &cases[i], "web", 4711, &err), ERROR_MISSING, "linux.intelRdt: ");
		cr_assert(strstr(err.text, cases[i].cache_schema ? "schemata" : "tasks"), "%s", err.text);
		cr_assert(faccessat(play.dir, "web", F_OK, 0) < 0 && faccessat(play.dir, "silver", F_OK, 0) < 0);
	}
}

/* Their pids, as those of the container's cgroup. */
static const struct cgroup_pids members = {(pid_t[]){4711, 4712}, 2};

TEST(resctrl, changes_the_schemata_of_a_containers_group_and_back)
{
	AUTO(play_drop) struct play play = play_new();
	AUTO(arena_drop) struct arena arena = {0};
	const struct spec_rdt rdt = {.class = "gold"};
	const struct spec_rdt wanted = {.cache_schema = "L3:0=00f", .bandwidth_schema = ""};
	struct resctrl_change change = {.dir = play.dir};
	const char *before = play_read(&arena, &play, "gold/schemata");
	struct error err;

	ASSERT_OK(resctrl_change(&arena, &change, &rdt, "web", &wanted, &members, &err));
	/* The kernel keeps the other lines; a plain file has what was written first. */
	cr_assert(text_starts_with(play_read(&arena, &play, "gold/schemata"), "L3:0=00f\n"));
	cr_assert_str_eq(play_read(&arena, &play, "gold/tasks"), "");
	cr_assert_str_eq(change.before, before);
	resctrl_change_undo(&change);
	cr_assert(text_starts_with(play_read(&arena, &play, "gold/schemata"), "    L3:0=07f0;1=01f\n"));
}

TEST(resctrl, brings_a_container_without_a_group_into_one_of_its_own)
{
	AUTO(play_drop) struct play play = play_new();
	AUTO(arena_drop) struct arena arena = {0};
	const struct spec_rdt wanted = {.bandwidth_schema = "MB:0=50"};
	struct resctrl_change change = {.dir = play.dir};
	struct error err;

	/* As after a change that was killed: the directory is there, as its files could not be otherwise. */
	mkdirat(play.dir, "web", 0755);
	play_write(&play, "web/tasks", "");
	play_write(&play, "web/schemata", "MB:0=100\n");
	ASSERT_OK(resctrl_change(&arena, &change, NULL, "web", &wanted, &members, &err));
	cr_assert(text_starts_with(play_read(&arena, &play, "web/schemata"), "MB:0=50\n"));
	cr_assert_str_eq(play_read(&arena, &play, "web/tasks"), "4712");
	change = (struct resctrl_change){.dir = play.dir};
	ASSERT_FAILS(resctrl_change(&arena, &change, NULL, "shop", &wanted, &members, &err), ERROR_MISSING, "schemata");
	cr_assert(faccessat(play.dir, "shop", F_OK, 0) < 0);
}
