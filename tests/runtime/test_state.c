/* Tests of runtime/state/state.c that test_container.c does not reach: whose cgroup a record speaks of. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/container/container.h"
#include "runtime/state/state.h"
#include "tests/test.h"

struct records {
	char path[64], config[80];
	int root;
};

static void records_make(struct records *records)
{
	struct error err = {0};

	snprintf(records->path, sizeof(records->path), "/tmp/warren-test-state-%d", getpid());
	cr_assert(mkdir(records->path, 0700) == 0);
	records->root = dir_open(AT_FDCWD, records->path, &err);
	cr_assert(records->root >= 0, "%s", err.text);
	snprintf(records->config, sizeof(records->config), "%s/.config", records->path);
	ASSERT_OK(file_replace(records->root, ".config", 0600, FILE_VOLATILE, "{}", 2, &err));
}

static void records_drop(struct records *records)
{
	struct error ignored;

	fd_drop(&records->root);
	(void)!tree_remove(AT_FDCWD, records->path, &ignored);
}

static int record_claim(const struct records *records, const char *id, const char *cgroup_path)
{
	struct container_facts facts = {.id = id,
		.bundle = "/b",
		.root = "/b/rootfs",
		.oci_version = "1.0.2",
		.boot = boot_id(),
		.cgroup_path = cgroup_path};
	struct error err = {0};
	int dir = state_claim(records->root, &facts, records->config, &err);

	cr_assert(dir >= 0, "%s", err.text);
	return dir;
}

TEST(state, tells_scopes_of_systemd_from_cgroups_of_our_own)
{
	static const struct {
		const char *path;
		bool of_user;
		const char *scope;
	} cases[] = {
		{"/system.slice/x.scope", false, "x.scope"},
		{"/user.slice/user-1.slice/user@1.service/user.slice/p-y.scope", true, "p-y.scope"},
	};
	AUTO(records_drop) struct records records;
	struct error err;

	records_make(&records);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct container_facts facts = {.cgroup_path = cases[i].path, .scope_of_user = cases[i].of_user}, got;
		auto_fd dir = record_claim(&records, i ? "b" : "a", NULL);

		ASSERT_OK(state_read(&arena, dir, i ? "b" : "a", &got, &err));
		cr_assert(!got.cgroup_path && !got.scope, "there is none yet");
		ASSERT_OK(state_note_scope(dir, &facts, &err));
		ASSERT_OK(state_read(&arena, dir, i ? "b" : "a", &got, &err));
		cr_assert_str_eq(got.cgroup_path, cases[i].path);
		cr_assert_str_eq(got.scope, cases[i].scope);
		cr_assert(got.scope_of_user == cases[i].of_user);
	}
	auto_fd plain = record_claim(&records, "c", "system/x.scope");
	AUTO(arena_drop) struct arena arena = {0};
	struct container_facts got;
	ASSERT_OK(state_read(&arena, plain, "c", &got, &err));
	cr_assert_str_eq(got.cgroup_path, "system/x.scope");
	cr_assert(!got.scope);
}

/* Whoever damaged it has no say in what is removed: neither is a path that any hierarchy knows. */
TEST(state, of_a_scope_without_a_path_is_none)
{
	static const char *const texts[] = {"system:", "user:x", "system:x.scope", "root:/a"};
	AUTO(records_drop) struct records records;

	records_make(&records);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct container_facts got;
		struct error err;
		char id[8];

		snprintf(id, sizeof(id), "c%zu", i);
		auto_fd dir = record_claim(&records, id, texts[i]);
		ASSERT_OK(state_read(&arena, dir, id, &got, &err));
		cr_assert(!got.scope && strcmp(got.cgroup_path, texts[i]) == 0, "%s", got.cgroup_path);
	}
}
