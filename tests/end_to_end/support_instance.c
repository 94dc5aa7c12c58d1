#include "tests/end_to_end/support_instance.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/seed.h"
#include "tests/test.h"

#define AWAIT_MS SLOWLY(20000)
#define AGAIN_MS 20
#define WORDS_MAX 64
#define OUTPUT_MAX (8u << 20)

/* The one that is open: for a test that fails in the middle. */
static struct playground open_one;

void host_ip(const char *words)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *line = text_format("ip %s", words);
	struct strings argv = strings_split(&arena, line, ' ');
	auto_run run = run_program(argv.items, NULL);

	cr_assert(run.status == 0, "%s: %s", line, run.err);
}

#define STORE_PATH_SIZE 128
static void store_path(const struct playground *playground, char path[STORE_PATH_SIZE])
{
	snprintf(path, STORE_PATH_SIZE, "%s/lib", playground->root);
}

struct playground playground_new(void)
{
	struct playground playground = {0};
	char store[STORE_PATH_SIZE];

	NEEDS_ROOT();
	playground.directory = run_directory_new();
	cr_assert(unshare(CLONE_NEWNET) == 0);
	host_ip("link set lo up");
	snprintf(playground.root, sizeof(playground.root), "%s/root", playground.directory.path);
	snprintf(playground.parent, sizeof(playground.parent), "warren/test-e2e-%d", getpid());
	open_one = playground;
	store_path(&playground, store);
	cr_assert(mkdir(playground.root, 0755) == 0, "%s", playground.root);
	seed_take("/tmp", store);
	return playground;
}

struct run_result playground_warren(
	const struct playground *playground, const char *const words[], const struct run_options *options)
{
	const char *argv[WORDS_MAX] = {
		WARREN_PROGRAM, "--root", playground->root, "--cgroup-parent", playground->parent};
	size_t count = 5;

	while (*words && count < WORDS_MAX - 1)
		argv[count++] = *words++;
	cr_assert(!*words, "more words than %d", WORDS_MAX);
	return run_program(argv, options);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void assert_no_cgroup(const struct playground *playground)
{
	static const char *const hierarchies[] = {
		"", "cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "devices", "freezer", "unified"};

	for (size_t i = 0; i < ARRAY_SIZE(hierarchies); i++) {
		auto_free char *path = text_format("/sys/fs/cgroup/%s/%s", hierarchies[i], playground->parent);

		cr_assert(access(path, F_OK) < 0, "left behind: %s", path);
	}
}

static void assert_empty(struct playground *playground, const char *name)
{
	auto_free char *path = text_format("%s/%s", playground->root, name);
	auto_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strings names = {0};
	struct error err;

	if (dir < 0)
		return;
	ASSERT_OK(dir_list(&playground->arena, dir, 1000, &names, &err));
	cr_assert(names.count == 0, "left behind: %s/%s", path, names.items[0]);
}

void playground_drop(struct playground *playground)
{
	char store[STORE_PATH_SIZE];

	WARREN_OK(playground, "rm", "-f", "--all");
	assert_no_cgroup(playground);
	assert_empty(playground, "lib/instances");
	assert_empty(playground, "run/instances");
	store_path(playground, store);
	seed_leave("/tmp", store);
	run_directory_drop(&playground->directory);
	arena_drop(&playground->arena);
	open_one = (struct playground){0};
}

void playground_rescue(void)
{
	if (!open_one.root[0])
		return;
	auto_run removed = WARREN(&open_one, "rm", "-f", "--all");
	fprintf(stderr, "%s", removed.err);
	run_directory_drop(&open_one.directory);
}

/* --- what instances are ------------------------------------------------------------------------------------------- */

const char *playground_probe_volume(struct playground *playground)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	cr_assert(length > 0);
	path[length] = '\0';
	*strrchr(path, '/') = '\0';
	return arena_format(&playground->arena, "%s:/probe:ro,noidmap", path);
}

const struct json *instance_inspect(struct playground *playground, const char *name)
{
	auto_run run = WARREN(playground, "inspect", name);
	struct json_doc doc;
	struct error err;

	cr_assert(run.status == 0, "inspect %s: %s", name, run.err);
	ASSERT_OK(json_parse(&playground->arena, "inspect", run.out, run.out_length, JSON_PLAIN, &doc, &err));
	return doc.root->first;
}

const char *instance_fact(struct playground *playground, const char *name, const char *key)
{
	const struct json *fact = json_get(instance_inspect(playground, name), key);

	return fact && fact->text ? fact->text : "";
}

static void again_soon(int64_t deadline, const char *waited_for)
{
	cr_assert(clock_ms() < deadline, "never came: %s", waited_for);
	poll(NULL, 0, AGAIN_MS);
}

void instance_await_state(struct playground *playground, const char *name, const char *state)
{
	int64_t deadline = clock_ms() + AWAIT_MS;

	while (strcmp(instance_fact(playground, name, "state"), state))
		again_soon(deadline, state);
}

void instance_await_log(struct playground *playground, const char *name, const char *text)
{
	int64_t deadline = clock_ms() + AWAIT_MS;

	for (;;) {
		auto_run logs = WARREN(playground, "logs", name);

		if (strstr(logs.out, text) || strstr(logs.err, text))
			return;
		again_soon(deadline, text);
	}
}

const char *instance_cgroup_file(struct playground *playground, const char *name, const char *controller,
	const char *file_v1, const char *file_v2)
{
	const char *cgroup = instance_fact(playground, name, "cgroup"), *text;
	auto_free char *v1 = text_format("/sys/fs/cgroup/%s/%s/%s", controller, cgroup, file_v1),
		       *v2 = text_format("/sys/fs/cgroup/%s/%s", cgroup, file_v2);
	struct error err = {0};

	if (file_read(&playground->arena, AT_FDCWD, v1, OUTPUT_MAX, &text, NULL, &err) == 0 ||
		file_read(&playground->arena, AT_FDCWD, v2, OUTPUT_MAX, &text, NULL, &err) == 0)
		return text;
	return "";
}

const char *sweep_program(void)
{
	static char path[PATH_MAX];
	const char *build = getenv("WARREN_BUILD");

	snprintf(path, sizeof(path), "%s/warren", build ? build : "");
	return build && access(path, X_OK) == 0 ? path : WARREN_PROGRAM;
}
