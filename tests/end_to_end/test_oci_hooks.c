/* warren-oci from the outside: hooks, each of the six kinds: where and when it runs, with what, and what its failure
 * does. tests/runtime/test_hooks.c is about one hook. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

static const char *const kinds[] = {
	"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"};
enum { PRESTART, CREATE_RUNTIME, CREATE_CONTAINER, START_CONTAINER, POSTSTART, POSTSTOP, KINDS };

/* A place that both the host and the container reach by the same path, at every moment: the bundle's directory, bound
 * there. Hooks write their lines to `log` in it. */
struct stage {
	struct bundle bundle;
	char *place, *mounts;
};

static struct stage stage_new(void)
{
	struct stage stage = {.bundle = bundle_new()};

	stage.place = text_format("%s/place", stage.bundle.directory.path);
	cr_assert(mkdir(stage.place, 0777) == 0);
	stage.mounts = text_format("{\"destination\": \"%s\", \"type\": \"bind\", \"source\": \"%s\", "
				   "\"options\": [\"bind\"]}",
		stage.place, stage.place);
	return stage;
}

static void stage_drop(struct stage *stage)
{
	free(stage->place);
	free(stage->mounts);
	bundle_drop(&stage->bundle);
}
#define auto_stage AUTO(stage_drop) struct stage

/* One hook of each kind: a script in which %s is the place and "KIND" the kind's name. */
static char *hooks_text(const struct stage *stage, const char *script)
{
	struct text text = {0};

	text_append(&text, "\"hooks\": {");
	for (size_t i = 0; i < KINDS; i++) {
		text_appendf(&text,
			"%s\"%s\": [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"K=%s P=%s; %s\"]}]",
			i ? ", " : "", kinds[i], kinds[i], stage->place, script);
	}
	text_append(&text, "}, \"annotations\": {\"org.example/a\": \"b/c\"}");
	return text.data;
}

static const char *log_read(struct arena *arena, const struct stage *stage, const char *name)
{
	auto_free char *path = text_format("%s/%s", stage->place, name);
	const char *content;
	struct error err;

	return file_read(arena, AT_FDCWD, path, 1 << 16, &content, NULL, &err) == 0 ? content : "";
}

static void lines_expect(const char *log, const char *const *expected, size_t count)
{
	auto_free char *whole = NULL;
	struct text text = {0};

	for (size_t i = 0; i < count; i++)
		text_appendf(&text, "%s\n", expected[i]);
	whole = text.data;
	cr_assert_str_eq(log, whole);
}

TEST(oci_hooks, run_in_their_order_around_the_program)
{
	NEEDS_ROOT();
	auto_stage stage = stage_new();
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *hooks = hooks_text(&stage, "echo $K >> $P/log");
	auto_free char *script = text_format("echo program >> %s/log; sleep 1000", stage.place);

	BUNDLE_WRITE(&stage.bundle, .script = script, .mounts = stage.mounts, .top = hooks);
	auto_run created = OCI(&stage.bundle, "create", "ID");
	ASSERT_STATUS(created, 0);
	lines_expect(log_read(&arena, &stage, "log"), kinds, START_CONTAINER);
	auto_run started = OCI(&stage.bundle, "start", "ID");
	ASSERT_STATUS(started, 0);
	/* The program and poststart run side by side. */
	cr_assert(strstr(log_read(&arena, &stage, "log"), "createContainer\nstartContainer\n"));
	cr_assert(strstr(log_read(&arena, &stage, "log"), "poststart\n"));
	cr_assert(!strstr(log_read(&arena, &stage, "log"), "poststop\n"));
	auto_run deleted = OCI(&stage.bundle, "delete", "-f", "ID");
	ASSERT_STATUS(deleted, 0);
	cr_assert(strstr(log_read(&arena, &stage, "log"), "\npoststop\n"));
}

TEST(oci_hooks, get_the_same_compact_state_with_the_status_of_their_kind)
{
	static const char *const statuses[KINDS] = {
		"creating", "creating", "creating", "created", "running", "stopped"};
	NEEDS_ROOT();
	auto_stage stage = stage_new();
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *hooks = hooks_text(&stage, "cat > $P/$K");
	auto_free char *pid_file = text_format("%s/pid", stage.place);

	BUNDLE_WRITE(&stage.bundle, .script = "exec sleep 1000", .mounts = stage.mounts, .top = hooks);
	auto_run run = OCI(&stage.bundle, "run", "-d", "--pid-file", pid_file, "ID");
	ASSERT_STATUS(run, 0);
	auto_run deleted = OCI(&stage.bundle, "delete", "-f", "ID");
	ASSERT_STATUS(deleted, 0);
	const char *pid = log_read(&arena, &stage, "pid");
	for (size_t i = 0; i < KINDS; i++) {
		/* Inside, the pid is the one of the container's own namespace; when all is over there is none. */
		bool inside = i == CREATE_CONTAINER || i == START_CONTAINER;
		auto_free char *number = text_format("\"pid\":%s,", inside ? "1" : pid);
		auto_free char *expected = text_format(
			"{\"ociVersion\":\"1.0.2\",\"id\":\"%s\",\"status\":\"%s\",%s\"root\":\"%s/rootfs\","
			"\"bundle\":\"%s\",\"annotations\":{\"org.example/a\":\"b/c\"}}",
			stage.bundle.id, statuses[i], i == POSTSTOP ? "" : number, stage.bundle.path,
			stage.bundle.path);

		cr_assert_str_eq(log_read(&arena, &stage, kinds[i]), expected, "%s: %s instead of %s", kinds[i],
			log_read(&arena, &stage, kinds[i]), expected);
	}
}

/* The first three and the last two run where the runtime runs; createContainer sees the container's namespaces and the
 * host's files; startContainer is all inside. */
TEST(oci_hooks, run_in_the_namespaces_of_their_kind)
{
	NEEDS_ROOT();
	auto_stage stage = stage_new();
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *hooks =
		hooks_text(&stage, "exec > $P/$K; hostname; test -e /etc/debian_version && echo host || echo root; "
				   "[ $(readlink /proc/self/ns/mnt) = $(readlink $P/ns) ] && echo same || echo other");
	auto_free char *link = text_format("%s/ns", stage.place);
	char host[64] = "", namespace[64] = "";

	cr_assert(gethostname(host, sizeof(host) - 1) == 0);
	cr_assert(readlink("/proc/self/ns/mnt", namespace, sizeof(namespace) - 1) > 0 && symlink(namespace, link) == 0);
	BUNDLE_WRITE(&stage.bundle, .script = "true", .mounts = stage.mounts, .top = hooks);
	auto_run run = OCI(&stage.bundle, "run", "ID");
	ASSERT_STATUS(run, 0);
	for (size_t i = 0; i < KINDS; i++) {
		bool inside = i == CREATE_CONTAINER || i == START_CONTAINER;
		const char *found = log_read(&arena, &stage, kinds[i]);
		/* The container's own host name is set between the two. */
		auto_free char *expected = text_format("%s\n%s\n%s\n", i == START_CONTAINER ? "inside" : host,
			i == START_CONTAINER ? "root" : "host", inside ? "other" : "same");

		cr_assert_str_eq(found, expected, "%s: %s instead of %s", kinds[i], found, expected);
	}
}

/* The environment that one hook of that kind saw, with a bar behind each variable. */
static void environment_see(struct stage *stage, const char *kind, const char *env, char found[], size_t size)
{
	/* No shell, which would have words of its own there. */
	bool inside = strcmp(kind, kinds[START_CONTAINER]) == 0;
	auto_free char *hooks = text_format("\"hooks\": {\"%s\": [{\"path\": \"%s\", \"args\": "
					    "[\"cp\", \"/proc/self/environ\", \"%s/env\"]%s}]}",
		kind, inside ? "/bin/busybox" : "/bin/cp", stage->place, env);
	auto_free char *path = text_format("%s/env", stage->place);

	BUNDLE_WRITE(&stage->bundle, .script = "true", .mounts = stage->mounts, .top = hooks);
	auto_run run = OCI(&stage->bundle, "run", "ID");
	ASSERT_STATUS(run, 0);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = read(fd, found, size - 1);
	cr_assert(length >= 0 && unlink(path) == 0, "%s wrote nothing", kind);
	for (ssize_t k = 0; k < length; k++)
		found[k] = found[k] ? found[k] : '|';
	found[length] = '\0';
}

TEST(oci_hooks, have_exactly_the_environment_of_the_config)
{
	static const struct {
		const char *env, *expected;
	} cases[] = {
		{", \"env\": []", ""},
		{", \"env\": [\"A=b\", \"EMPTY=\", \"A B=c\"]", "A=b|EMPTY=|A B=c|"},
	};
	NEEDS_ROOT();
	auto_stage stage = stage_new();
	char found[4096];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		environment_see(&stage, kinds[CREATE_RUNTIME], cases[i].env, found, sizeof(found));
		cr_assert_str_eq(found, cases[i].expected);
	}
}

TEST(oci_hooks, without_one_have_the_callers_environment_but_not_inside)
{
	NEEDS_ROOT();
	auto_stage stage = stage_new();
	char found[65536];

	cr_assert(setenv("WARREN_TEST_OF_HOOKS", "seen", 1) == 0);
	for (size_t i = 0; i < KINDS; i++) {
		environment_see(&stage, kinds[i], "", found, sizeof(found));
		if (i == START_CONTAINER)
			cr_assert_str_eq(found, "");
		else
			cr_assert(strstr(found, "WARREN_TEST_OF_HOOKS=seen|"), "%s: %s", kinds[i], found);
	}
}

/* Of each kind two: the first one fails. */
static char *failing_text(const struct stage *stage, const char *kind)
{
	return text_format("\"hooks\": {\"%s\": [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"echo words >&2; "
			   "exit 4\"]}, {\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"echo second > "
			   "%s/second\"]}]%s%s%s}",
		kind, stage->place,
		strcmp(kind, "poststop")
			? ", \"poststop\": [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"echo > "
			: "",
		strcmp(kind, "poststop") ? stage->place : "", strcmp(kind, "poststop") ? "/poststop\"]}]" : "");
}

TEST(oci_hooks, that_fail_end_run_with_one_line_and_leave_nothing)
{
	NEEDS_ROOT();
	for (size_t i = 0; i < POSTSTOP; i++) {
		auto_stage stage = stage_new();
		auto_free char *hooks = failing_text(&stage, kinds[i]);
		auto_free char *text = text_format("%s: hook /bin/sh: exit status 4: words\n", kinds[i]);
		auto_free char *second = text_format("%s/second", stage.place);
		auto_free char *after = text_format("%s/poststop", stage.place);

		BUNDLE_WRITE(&stage.bundle, .script = "sleep 1000; true", .mounts = stage.mounts, .top = hooks);
		auto_run run = OCI(&stage.bundle, "run", "ID");
		ASSERT_STATUS(run, 1);
		cr_assert(strstr(run.err, text) && strchr(run.err, '\n')[1] == '\0', "%s: %s", kinds[i], run.err);
		cr_assert(access(second, F_OK) != 0 && access(after, F_OK) == 0, "%s", kinds[i]);
		auto_run list = OCI(&stage.bundle, "list", "-q");
		cr_assert_str_eq(list.out, "");
		cr_assert(bundle_cgroups(&stage.bundle) == 0);
	}
}

/* What create and start have made is for delete to remove: engines call it. */
TEST(oci_hooks, that_fail_at_start_stop_the_container)
{
	static const char *const at_start[] = {"startContainer", "poststart"};

	NEEDS_ROOT();
	for (size_t i = 0; i < ARRAY_SIZE(at_start); i++) {
		auto_stage stage = stage_new();
		auto_free char *hooks = failing_text(&stage, at_start[i]);
		auto_free char *after = text_format("%s/poststop", stage.place);

		BUNDLE_WRITE(&stage.bundle, .script = "sleep 1000; true", .mounts = stage.mounts, .top = hooks);
		auto_run created = OCI(&stage.bundle, "create", "ID");
		ASSERT_STATUS(created, 0);
		auto_run started = OCI(&stage.bundle, "start", "ID");
		ASSERT_STATUS(started, 1);
		cr_assert(strstr(started.err, at_start[i]), "%s", started.err);
		auto_run state = OCI(&stage.bundle, "state", "ID");
		cr_assert(strstr(state.out, "\"stopped\""), "%s: %s", at_start[i], state.out);
		cr_assert(access(after, F_OK) != 0);
		auto_run deleted = OCI(&stage.bundle, "delete", "ID");
		ASSERT_STATUS(deleted, 0);
		cr_assert(access(after, F_OK) == 0);
	}
}

TEST(oci_hooks, that_fail_after_the_end_are_only_warned_of)
{
	NEEDS_ROOT();
	auto_stage stage = stage_new();
	auto_free char *hooks = failing_text(&stage, "poststop");
	auto_free char *second = text_format("%s/second", stage.place);

	BUNDLE_WRITE(&stage.bundle, .script = "exit 7", .top = hooks);
	auto_run run = OCI(&stage.bundle, "run", "ID");
	ASSERT_STATUS(run, 7);
	cr_assert(strstr(run.err, "poststop: hook /bin/sh: exit status 4: words"), "%s", run.err);
	cr_assert(access(second, F_OK) == 0 && unlink(second) == 0);
	auto_run created = OCI(&stage.bundle, "create", "ID");
	ASSERT_STATUS(created, 0);
	auto_run deleted = OCI(&stage.bundle, "delete", "ID");
	ASSERT_STATUS(deleted, 0);
	cr_assert(strstr(deleted.err, "poststop: ") && access(second, F_OK) == 0, "%s", deleted.err);
}

TEST(oci_hooks, are_killed_when_their_time_is_out)
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_ROOT();
	for (size_t i = 0; i < POSTSTOP; i++) {
		auto_bundle bundle = bundle_new();
		auto_free char *hooks = text_format("\"hooks\": {\"%s\": [{\"path\": \"/bin/sleep\", \"args\": "
						    "[\"sleep\", \"1000\"], \"timeout\": 1}]}",
			kinds[i]);

		BUNDLE_WRITE(&bundle, .script = "sleep 1000; true", .top = hooks);
		auto_run run = OCI(&bundle, "run", "ID");
		ASSERT_STATUS(run, 1);
		cr_assert(strstr(run.err, "did not end within 1000 ms"), "%s: %s", kinds[i], run.err);
	}
}
