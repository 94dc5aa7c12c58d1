/* What a file may say goes by who can have written it: hooks and oci, and what they do. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

#define RUNS "\"image\": \"host\", \"stop_grace_period\": 0, \"command\": [\"sleep\", \"infinity\"]"

static const char *path_of(struct playground *playground, const char *name)
{
	return arena_format(&playground->arena, "%s/%s", playground->directory.path, name);
}

static const char *fleet_write(struct playground *playground, const char *keys)
{
	auto_free char *text =
		text_format("{\"version\": 1, \"name\": \"shop\", \"instances\": {\"a\": {" RUNS ", %s}}}\n", keys);

	run_write_file(playground->directory.path, "shop.json", 0644, text);
	return path_of(playground, "shop.json");
}

/* One that notes its word and the state it was given, and ends with a status. */
static const char *hook_keys(struct playground *playground, const char *kinds[], size_t count)
{
	AUTO(text_drop) struct text text = {0};

	text_append(&text, "\"hooks\": {");
	for (size_t i = 0; i < count; i++)
		text_appendf(&text, "%s\"%s\": [{\"path\": \"%s/hook\", \"args\": [\"hook\", \"%s\"]}]", i ? ", " : "",
			kinds[i], playground->directory.path, kinds[i]);
	text_append(&text, "}");
	return arena_string(&playground->arena, text_string(&text));
}

static void hook_write(struct playground *playground, const char *end)
{
	auto_free char *text = text_format(
		"#!/bin/sh\n{ printf '%%s ' \"$1\"; cat; echo; } >> %s/log\n%s\n", playground->directory.path, end);

	run_write_file(playground->directory.path, "hook", 0755, text);
}

static const char *log_read(struct playground *playground)
{
	struct error err;
	const char *text;

	if (file_read(&playground->arena, AT_FDCWD, path_of(playground, "log"), 1 << 16, &text, NULL, &err) < 0)
		return "";
	return text;
}

TEST(fleet_trust, hooks_run_around_a_run, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	const char *kinds[] = {"create_runtime", "poststart", "poststop"};

	hook_write(&playground, "");
	WARREN_OK(&playground, "apply", fleet_write(&playground, hook_keys(&playground, kinds, 3)));
	const char *log = log_read(&playground), *second = strchr(log, '\n');
	cr_assert(!strncmp(log, "create_runtime {\"ociVersion\":", 29) && strstr(log, "\"status\":\"creating\""), "%s",
		log);
	cr_assert(
		second && !strncmp(second, "\npoststart {", 12) && strstr(second, "\"status\":\"running\""), "%s", log);
	cr_assert(!strstr(log, "poststop"), "%s", log);
	WARREN_OK(&playground, "down", "shop");
	log = strstr(log_read(&playground), "\npoststop {");
	cr_assert(log && strstr(log, "\"status\":\"stopped\""), "%s", log_read(&playground));
}

TEST(fleet_trust, a_hook_that_fails_fails_the_start, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	static const char *const kinds[] = {"create_runtime", "poststart"};

	hook_write(&playground, "echo no luck >&2; exit 3");
	for (size_t i = 0; i < 2; i++) {
		const char *kind[] = {kinds[i]};
		auto_run run = WARREN(&playground, "apply", fleet_write(&playground, hook_keys(&playground, kind, 1)));

		cr_assert(run.status == 1 && strstr(run.err, "exit status 3") && strstr(run.err, "no luck"),
			"%s: %d %s", kinds[i], run.status, run.err);
		auto_run list = WARREN(&playground, "list", "-r", "-q");
		cr_assert_str_eq(list.out, "", "%s: %s", kinds[i], list.out);
	}
	WARREN_OK(&playground, "down", "shop");
}

TEST(fleet_trust, oci_has_the_last_word_and_is_checked, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();
	const char *file = fleet_write(&playground,
		"\"environment\": {\"KEPT\": \"no\"}, \"oci\": {\"process\": {\"oomScoreAdj\": 123, \"env\": "
		"[\"ONLY=1\", "
		"\"PATH=/bin:/usr/bin\"]}, \"mounts\": [{\"destination\": \"/extra\", \"type\": \"tmpfs\", \"source\": "
		"\"tmpfs\"}], \"linux\": {\"sysctl\": {\"net.ipv4.ip_unprivileged_port_start\": \"99\"}}}");

	WARREN_OK(&playground, "apply", file);
	auto_run score = WARREN(&playground, "exec", "a", "sh", "-c",
		"cat /proc/1/oom_score_adj /proc/sys/net/ipv4/ip_unprivileged_port_start; tr '\\0' ' ' < "
		"/proc/1/environ; "
		"test -d /extra && echo; grep -c ' /extra ' /proc/self/mountinfo");
	cr_assert(!strncmp(score.out, "123\n99\n", 7) && strstr(score.out, "ONLY=1 ") && !strstr(score.out, "KEPT") &&
			  text_ends_with(score.out, "\n1\n"),
		"%s%s", score.out, score.err);
	auto_run plan = WARREN(&playground, "plan", file);
	cr_assert(plan.status == 0, "%s", plan.out);
	auto_run bad = WARREN(&playground, "apply",
		fleet_write(&playground, "\"oci\": {\"linux\": {\"sysctl\": {\"kernel.hostname\": \"x\"}}}"));
	cr_assert(bad.status != 0, "%s", bad.out);
	WARREN_OK(&playground, "down", "shop");
}

static const struct {
	const char *keys;
	mode_t file, hook;
	uid_t file_owner, hook_owner;
	const char *sudo_uid, *failure; /* NULL: it is believed */
} rows[] = {
	{"hooks", 0644, 0755, 0, 0, NULL, NULL},
	{"oci", 0644, 0755, 0, 0, NULL, NULL},
	{"none", 0664, 0755, 1000, 0, NULL, NULL},
	{"hooks", 0664, 0755, 0, 0, NULL, "a group may write "},
	{"oci", 0664, 0755, 0, 0, NULL, "a group may write "},
	{"none", 0646, 0755, 0, 0, NULL, "everybody may write it"},
	{"hooks", 0644, 0755, 1000, 0, NULL, "shop.json belongs to user 1000"},
	{"oci", 0644, 0755, 1000, 0, "1001", "shop.json belongs to user 1000"},
	{"oci", 0644, 0755, 1000, 0, "1000", NULL},
	{"hooks", 0644, 0755, 1000, 1000, "1000", NULL},
	{"hooks", 0644, 0755, 0, 1000, NULL, "hook belongs to user 1000"},
	{"hooks", 0644, 0775, 0, 0, NULL, "others may write "},
	{"hooks", 0644, 0757, 0, 0, NULL, "others may write "},
	{"hooks", 0644, 0644, 0, 0, NULL, "hook is no program"},
	{"included", 0644, 0755, 0, 1000, NULL, "other.json belongs to user 1000"},
};

static const char *row_file(struct playground *playground, size_t i)
{
	const char *kind[] = {"poststop"}, *keys = "\"labels\": {}", *path;

	hook_write(playground, "");
	if (!strcmp(rows[i].keys, "hooks"))
		keys = hook_keys(playground, kind, 1);
	else if (strcmp(rows[i].keys, "none") != 0)
		keys = "\"oci\": {\"process\": {\"oomScoreAdj\": 5}}";
	path = fleet_write(playground, keys);
	if (!strcmp(rows[i].keys, "included")) {
		run_write_file(playground->directory.path, "other.json", 0644,
			"{\"instances\": {\"b\": {" RUNS ", \"oci\": {\"process\": {}}}}}");
		run_write_file(playground->directory.path, "shop.json", 0644,
			"{\"version\": 1, \"name\": \"shop\", \"include\": [\"other.json\"]}");
		cr_assert(chown(path_of(playground, "other.json"), rows[i].hook_owner, 0) == 0);
	}
	cr_assert(chmod(path_of(playground, "hook"), rows[i].hook) == 0 &&
		  chown(path_of(playground, "hook"), rows[i].hook_owner, 0) == 0 && chmod(path, rows[i].file) == 0 &&
		  chown(path, rows[i].file_owner, 0) == 0);
	return path;
}

TEST(fleet_trust, goes_by_who_can_have_written_a_file, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	auto_playground playground = playground_new();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *path = row_file(&playground, i);

		if (rows[i].sudo_uid)
			setenv("SUDO_UID", rows[i].sudo_uid, 1);
		else
			unsetenv("SUDO_UID");
		auto_run run = WARREN(&playground, "validate", path);
		cr_expect((run.status == 0) == !rows[i].failure, "row %zu: %d %s", i, run.status, run.err);
		cr_expect(!rows[i].failure || strstr(run.err, rows[i].failure), "row %zu: %s", i, run.err);
	}
	unsetenv("SUDO_UID");
}
