/* A part of the tree that was delegated to us: where it begins, and that it can be used although we were put into it.
 */
#include <sys/xattr.h>

#include "cgroups/layout.h"
#include "tests/cgroups/support.h"

#define LEAF "warren.self"

static char *own_cgroup(char text[256])
{
	char *path = NULL;

	if (knob_read(AT_FDCWD, "/proc/self/cgroup", text, 256) > 0 && (path = strstr(text, "0::")))
		path[strcspn(path, "\n")] = '\0';
	return path ? path + 3 : NULL;
}

static bool is_in(const char *end)
{
	char text[256], *path = own_cgroup(text);

	return path && strlen(path) >= strlen(end) && strcmp(path + strlen(path) - strlen(end), end) == 0;
}

/* What a command does that was started in a delegated cgroup. */
static int body_found(void *argument)
{
	const struct box *box = argument;
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(cgroup_host_drop) struct cgroup_host host = {.unified = -1};
	AUTO(cgroup_drop) struct cgroup cgroup = {.unified = -1};
	struct cgroup_limits limits = {.pids_max = LIMIT_OF(5), .memory_max = LIMIT_OF(64 << 20)};
	struct error err = {0};
	const char *base, *again;
	char controllers[256];

	if (cgroup_delegated_find(&arena, &base, &err) < 0 || base[0] != '/' || strcmp(base + 1, box->path) != 0)
		return 10;
	if (cgroup_host_open_at(&host, base, &err) < 0)
		return 11;
	if (cgroup_create(&host, "warren/web", &limits, CGROUP_ACCOUNTING, &cgroup, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 12;
	}
	if (!is_in("/" LEAF))
		return 13;
	/* From the leaf the same place is found. */
	if (cgroup_delegated_find(&arena, &again, &err) < 0 || strcmp(base, again) != 0)
		return 14;
	if (knob_read(box->host.unified, "warren/cgroup.subtree_control", controllers, sizeof(controllers)) < 0)
		return 15;
	return cgroup_go_home(&host, &err) < 0 || !is_in("/" LEAF) ? 16 : 0;
}

TEST(place, below_our_own_cgroup_is_used_and_left_for_a_leaf)
{
	BOX(box);
	int status;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &(struct cgroup_limits){0}, CGROUP_ALL_CONTROLLERS);
	status = child_run(&box.cgroup, body_found, &box);
	cr_assert(status == 0, "status %x", status);
	cr_assert(faccessat(box.cgroup.unified, "warren/web/pids.max", F_OK, 0) == 0);
}

static int body_marked(void *argument)
{
	const struct box *box = argument;
	AUTO(arena_drop) struct arena arena = {0};
	struct error err = {0};
	const char *base;

	return cgroup_delegated_find(&arena, &base, &err) < 0 || strcmp(base + 1, box->path) != 0;
}

/* As systemd has it, which puts a unit's ExecStop= into a child. */
TEST(place, begins_at_the_cgroup_that_systemd_has_marked)
{
	BOX(box);
	AUTO(cgroup_drop) struct cgroup child = {.unified = -1};
	auto_free char *below = text_format("%s/.control", box.path);
	struct error err;
	int status;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &(struct cgroup_limits){0}, 0);
	cr_assert(fsetxattr(box.cgroup.unified, "trusted.delegate", "1", 1, 0) == 0, "%s", strerror(errno));
	ASSERT_OK(cgroup_create(&box.host, below, &(struct cgroup_limits){0}, 0, &child, &err));
	status = child_run(&child, body_marked, &box);
	cr_assert(status == 0, "status %x", status);
}

static int body_crowded(void *argument)
{
	const struct box *box = argument;
	AUTO(cgroup_host_drop) struct cgroup_host host = {.unified = -1};
	struct cgroup_limits limits = {.pids_max = LIMIT_OF(5)};
	auto_free char *base = text_format("/%s", box->path);
	struct cgroup cgroup;
	struct error err = {0};

	if (cgroup_host_open_at(&host, base, &err) < 0)
		return 10;
	if (cgroup_create(&host, "web", &limits, 0, &cgroup, &err) == 0)
		return 11;
	return err.kind == ERROR_BUSY && strstr(err.text, "(sleep) is in the cgroup itself") ? 0 : 12;
}

static int body_sleep(void *unused)
{
	(void)unused;
	execlp("sleep", "sleep", "infinity", NULL);
	return 1;
}

TEST(place, with_somebody_elses_process_in_it_is_refused_and_the_process_stays)
{
	BOX(box);
	struct child sleeper;
	struct error err;
	char command[32] = "";
	int status;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &(struct cgroup_limits){0}, CGROUP_ALL_CONTROLLERS);
	sleeper = child_start(&box.cgroup, body_sleep, NULL);
	for (int64_t deadline = clock_ms() + GENEROUS_MS; strcmp(command, "sleep\n") != 0 && clock_ms() < deadline;) {
		auto_free char *path = text_format("/proc/%d/comm", sleeper.pid);

		cr_assert(knob_read(AT_FDCWD, path, command, sizeof(command)) > 0);
		poll(NULL, 0, 1);
	}
	status = child_run(&box.cgroup, body_crowded, &box);
	cr_assert(status == 0, "status %x", status);
	cr_assert(cgroup_is_populated(&box.cgroup));
	ASSERT_OK(cgroup_kill(&box.cgroup, &err));
	cr_assert(WIFSIGNALED(child_end(&sleeper)));
}

TEST(place, that_does_not_exist_or_is_no_path_is_refused)
{
	BOX(box);
	struct cgroup_host host;
	struct error err;

	ASSERT_FAILS(cgroup_host_open_at(&host, "warren", &err), ERROR_USAGE, "not an absolute path");
	ASSERT_FAILS(cgroup_host_open_at(&host, "/a/../b", &err), ERROR_USAGE, "..");
	if (box_is_v2(&box))
		ASSERT_FAILS(cgroup_host_open_at(&host, "/warren/none", &err), ERROR_MISSING, "there is no cgroup");
	else
		ASSERT_FAILS(cgroup_host_open_at(&host, "/warren", &err), ERROR_SYSTEM, "only a host with cgroup v2");
}

static int body_home(void *argument)
{
	const struct box *box = argument;
	struct error err = {0};

	return cgroup_go_home(&box->host, &err) < 0 || cgroup_is_populated(&box->cgroup);
}

TEST(place, of_commands_is_the_base)
{
	BOX(box);
	int status;

	box_create(&box, &(struct cgroup_limits){0}, CGROUP_ACCOUNTING);
	status = child_run(&box.cgroup, body_home, &box);
	cr_assert(status == 0, "status %x", status);
}
