/* What `audit` says on the command line, and that of a running instance it is the kernel that is asked. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

/* The rows of `audit --json …`, and its status. */
static const struct json *rows(struct playground *playground, int expected_status, const char *subject)
{
	auto_run run = WARREN(playground, "audit", "--json", subject);
	struct json_doc doc;
	struct error err;

	cr_assert(run.status == expected_status, "status %d: %s", run.status, run.err);
	ASSERT_OK(json_parse(&playground->arena, "audit", run.out, run.out_length, JSON_PLAIN, &doc, &err));
	return doc.root;
}

static const char *value(const struct json *row, const char *key)
{
	const struct json *member = json_get(row, key);

	return member && member->text ? member->text : "";
}

static void assert_row(const struct json *all, const char *what, const char *found, const char *verdict)
{
	for (const struct json *row = all->first; row; row = row->next)
		if (!strcmp(value(row, "what"), what) && strstr(value(row, "found"), found)) {
			cr_assert_str_eq(value(row, "verdict"), verdict, "%s, %s", what, found);
			return;
		}
	cr_assert_fail("no row \"%s\", %s", what, found);
}

TEST(audit, finds_nothing_open_in_a_running_default_instance, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "web", "-u", "www-data", "--read-only", "-m", "64M", "host", "--",
		"sleep", "1000");
	const struct json *all = rows(&playground, 0, "web");
	assert_row(all, "user namespace", "its own, ids ", "ok");
	assert_row(all, "user", "www-data", "ok");
	assert_row(all, "root file system", "read-only", "ok");
	assert_row(all, "memory limit", "64M", "ok");
	assert_row(all, "no_new_privs", "on", "ok");
	assert_row(all, "system calls", "default filter", "ok");
	assert_row(all, "writable mounts", "only its own", "ok");
	assert_row(all, "pid namespace", "its own", "ok");
	auto_run table = WARREN(&playground, "audit", "web");
	cr_assert(table.status == 0 && strstr(table.out, " weak, 0 open\n"), "%s", table.out);
	cr_assert(!strstr(table.out, "user namespace"), "what is fine is a number: %s", table.out);
}

TEST(audit, status_1_when_a_wall_is_missing, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "bare", "--network", "host", "--security-opt",
		"seccomp=unconfined", "host", "--", "sleep", "1000");
	const struct json *running = rows(&playground, 1, "bare");
	assert_row(running, "network namespace", "the host's", "open");
	assert_row(running, "system calls", "all", "open");
	WARREN_OK(&playground, "stop", "bare");
	const struct json *stopped = rows(&playground, 1, "bare");
	assert_row(stopped, "network namespace", "the host's", "open");
	assert_row(stopped, "system calls", "all", "open");
}

static void limit_by_hand(struct playground *playground, const char *name, const char *bytes)
{
	const char *cgroup = instance_fact(playground, name, "cgroup");
	auto_free char *v1 = text_format("/sys/fs/cgroup/memory/%s/memory.limit_in_bytes", cgroup);
	auto_free char *v2 = text_format("/sys/fs/cgroup/%s/memory.max", cgroup);
	struct error err;

	if (file_write(AT_FDCWD, v1, bytes, &err) < 0)
		ASSERT_OK(file_write(AT_FDCWD, v2, bytes, &err));
}

TEST(audit, asks_the_kernel_what_a_running_instance_has, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "run", "-d", "--name", "web", "-m", "64M", "-v", "data:/with space", "host", "--",
		"sleep", "1000");
	limit_by_hand(&playground, "web", "33554432");
	const struct json *running = rows(&playground, 0, "web");
	assert_row(running, "memory limit", "32M", "ok");
	assert_row(running, "writable mounts", "/with space(", "ok");
	WARREN_OK(&playground, "stop", "web");
	assert_row(rows(&playground, 0, "web"), "memory limit", "64M", "ok");
}

TEST(audit, judges_a_file_before_anything_of_it_exists, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	auto_free char *path = text_format("%s/f.json", playground.directory.path);

	run_write_file(playground.directory.path, "f.json", 0600,
		"{\"version\": 1, \"name\": \"f\", \"instances\": {"
		"\"safe\": {\"image\": \"host\", \"command\": \"sleep 1\"},"
		"\"box\": {\"image\": \"host\", \"profiles\": [\"system\"]},"
		"\"bomb\": {\"image\": \"host\", \"command\": \"sleep 1\", \"resources\": {\"pids\": "
		"\"unlimited\"}}}}");
	auto_run run = WARREN(&playground, "audit", path);
	cr_assert(run.status == 1, "%s", run.err);
	cr_assert(strstr(run.out, "bomb") && strstr(run.out, "SYS_ADMIN") && strstr(run.out, ", 1 open\n"), "%s",
		run.out);
}

TEST(audit, says_what_is_not_there, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	auto_run name = WARREN(&playground, "audit", "nobody"), file = WARREN(&playground, "audit", "./nothing.json");

	cr_assert(name.status == 3 && strstr(name.err, "nobody"), "%s", name.err);
	cr_assert(file.status == 3 && strstr(file.err, "./nothing.json: no such file"), "%s", file.err);
}

static size_t items_of_section_5(const struct json *all, const char *verdict)
{
	struct {
		bool seen[64];
	} items = {0};
	size_t count = 0;

	for (const struct json *row = all->first; row; row = row->next)
		for (const char *at = value(row, "cis"); (at = strstr(at, "5.")); at += 2) {
			int item = atoi(at + 2);

			if (strcmp(value(row, "verdict"), verdict) != 0 || item <= 0 || item >= 64 || items.seen[item])
				continue;
			items.seen[item] = true;
			count++;
		}
	return count;
}

TEST(audit, the_hardened_example_serves_and_has_every_wall, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	static const char here[] = "/tests/end_to_end/test_audit.c";
	auto_free char *file =
		text_format("%.*s/examples/hardened.json", (int)(strlen(__FILE__) - strlen(here)), __FILE__);
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = playground_new();

	WARREN_OK(&playground, "apply", file);
	auto_run page = RUN("curl", "-s", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "-m", "20",
		"http://127.0.0.1:8088/");
	cr_assert(strstr(page.out, "Behind every wall"), "%s%s", page.out, page.err);
	const struct json *all = rows(&playground, 0, "site");
	cr_assert(items_of_section_5(all, "open") == 0);
	cr_assert(items_of_section_5(all, "ok") >= 25 && items_of_section_5(all, "weak") <= 2, "%zu items ok, %zu weak",
		items_of_section_5(all, "ok"), items_of_section_5(all, "weak"));
	WARREN_OK(&playground, "down", "hardened");
}
