/* Tests of runtime/start/hooks.c; their place in a container's life is tested in test_container.c. */
#include "runtime/start/hooks.h"

#include "base/cleanup.h"
#include "tests/test.h"

static int run(const char *path, const char *const *args, size_t count, const char *state, struct error *err)
{
	struct spec_hook hook = {.path = path, .args = {.items = (const char **)(uintptr_t)args, .count = count}};
	struct spec_hooks hooks = {0};

	hooks.of[HOOK_PRESTART].items = &hook;
	hooks.of[HOOK_PRESTART].count = 1;
	return hooks_run(&hooks, HOOK_PRESTART, state, strlen(state), err);
}

TEST(hooks, execute_the_path_whatever_the_first_argument_says)
{
	const char *wrong[] = {"false", NULL}, *right[] = {"true", NULL};
	struct error err;

	ASSERT_OK(run("/bin/busybox", right, 1, "{}", &err));
	ASSERT_FAILS(
		run("/bin/busybox", wrong, 1, "{}", &err), ERROR_SYSTEM, "prestart: hook /bin/busybox: exit status 1");
}

TEST(hooks, need_no_arguments)
{
	struct error err;

	ASSERT_OK(run("/bin/true", NULL, 0, "{}", &err));
}

TEST(hooks, get_the_state_on_their_input)
{
	const char *args[] = {"sh", "-c", "test \"$(cat)\" = '{\"id\":\"a\"}'", NULL};
	struct error err;

	ASSERT_OK(run("/bin/sh", args, 3, "{\"id\":\"a\"}", &err));
	ASSERT_FAILS(run("/bin/sh", args, 3, "{}", &err), ERROR_SYSTEM, "exit status 1");
}

TEST(hooks, that_are_missing_or_killed_are_named)
{
	const char *args[] = {"sh", "-c", "kill -9 $$", NULL};
	struct error err;

	ASSERT_FAILS(run("/nonesuch", NULL, 0, "{}", &err), ERROR_SYSTEM, "prestart: hook /nonesuch: ");
	ASSERT_FAILS(run("/nonesuch", NULL, 0, "{}", &err), ERROR_SYSTEM, "No such file or directory");
	ASSERT_FAILS(
		run("/bin/sh", args, 3, "{}", &err), ERROR_SYSTEM, "prestart: hook /bin/sh: killed by signal KILL");
}
