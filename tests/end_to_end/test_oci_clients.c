/* The command lines that the engines above an OCI runtime use, word by word, each through a whole life. */
#include <stdlib.h>

#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

#define STEPS_MAX 16
#define WORDS_MAX 20

/* "ID", "BUNDLE", "LOG" and "PID" stand for the test's own. */
struct step {
	const char *words[WORDS_MAX];
	const char *output; /* what it prints, when that is plain */
};
struct client {
	const char *name;
	struct step steps[STEPS_MAX];
};

#define CONTAINERD "--log", "LOG", "--log-format", "json"
#define CONMON "--log-format=json", "--log", "LOG"

static const struct client clients[] = {
	{"containerd and docker",
		{
			{{CONTAINERD, "create", "--bundle", "BUNDLE", "--pid-file", "PID", "ID"}, ""},
			{{CONTAINERD, "start", "ID"}, ""},
			{{CONTAINERD, "exec", "--process", "process.json", "--detach", "--pid-file", "PID", "ID"},
				NULL},
			{{CONTAINERD, "ps", "--format", "json", "ID"}, NULL},
			{{CONTAINERD, "pause", "ID"}, ""},
			{{CONTAINERD, "resume", "ID"}, ""},
			{{CONTAINERD, "state", "ID"}, NULL},
			{{CONTAINERD, "kill", "ID", "15"}, ""},
			{{CONTAINERD, "kill", "--all", "ID", "9"}, ""},
			{{CONTAINERD, "delete", "--force", "ID"}, ""},
		}},
	{"podman by conmon",
		{
			{{CONMON, "--cgroup-manager", "cgroupfs", "create", "--bundle", "BUNDLE", "--pid-file", "PID",
				 "ID"},
				""},
			{{CONMON, "start", "ID"}, ""},
			{{CONMON, "exec", "--pid-file", "PID", "--process", "process.json", "-d", "ID"}, NULL},
			{{CONMON, "kill", "ID", "9"}, ""},
			{{CONMON, "delete", "--force", "ID"}, ""},
		}},
	{"the suite of crun",
		{
			{{"--cgroup-manager", "cgroupfs", "run", "--config", "config.json", "--detach", "--pid-file",
				 "PID", "ID"},
				""},
			{{"list", "-q"}, NULL},
			{{"exec", "--env", "A=1", "--cwd", "/bin", "ID", "pwd"}, "/bin\n"},
			{{"delete", "-f", "ID"}, ""},
		}},
	{"people",
		{
			{{"run", "-d", "ID", "-b", "BUNDLE"}, ""},
			{{"exec", "ID", "true"}, ""},
			{{"kill", "ID", "SIGKILL"}, ""},
			{{"delete", "--force", "ID"}, ""},
		}},
};

static const char *word_fill(struct arena *arena, const struct bundle *bundle, const char *word)
{
	if (strcmp(word, "BUNDLE") == 0)
		return bundle->path;
	if (strcmp(word, "LOG") == 0)
		return arena_format(arena, "%s/log", bundle->directory.path);
	if (strcmp(word, "PID") == 0)
		return arena_format(arena, "%s/pid", bundle->directory.path);
	return word;
}

static void step_run(struct bundle *bundle, const char *client, const struct step *step)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *words[WORDS_MAX + 1] = {0};
	struct text line AUTO(text_drop) = {0};

	for (size_t i = 0; i < WORDS_MAX && step->words[i]; i++) {
		words[i] = word_fill(&arena, bundle, step->words[i]);
		text_appendf(&line, " %s", words[i]);
	}
	auto_run run = bundle_oci(bundle, words, NULL);
	cr_assert(run.status == 0 && run.err_length == 0, "%s:%s: %d: %s", client, line.data, run.status, run.err);
	cr_assert(!step->output || strcmp(run.out, step->output) == 0, "%s:%s: %s", client, line.data, run.out);
}

TEST(oci_clients, go_through_a_whole_life)
{
	NEEDS_ROOT();
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		auto_bundle bundle = bundle_new();

		BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"100\"]");
		run_write_file(bundle.path, "process.json", 0644,
			"{\"args\": [\"sleep\", \"50\"], \"cwd\": \"/\", \"env\": [\"PATH=/bin\"], \"user\": {\"uid\": "
			"0, \"gid\": 0}}");
		for (size_t k = 0; k < STEPS_MAX && clients[i].steps[k].words[0]; k++)
			step_run(&bundle, clients[i].name, &clients[i].steps[k]);
		auto_run list = OCI(&bundle, "list", "-q");
		cr_assert_str_eq(list.out, "");
		cr_assert(bundle_cgroups(&bundle) == 0, "%s", clients[i].name);
	}
}

/* What they look for in messages to tell "it is gone" from a failure. */
TEST(oci_clients, find_the_words_they_look_for)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	auto_run missing = OCI(&bundle, "kill", "nonesuch", "9");
	cr_assert(missing.status == 1 && strstr(missing.err, "does not exist"), "%s", missing.err);
	BUNDLE_WRITE(&bundle, .args = "[\"/bin/true\"]");
	auto_run run = OCI(&bundle, "run", "--keep", "ID");
	cr_assert(run.status == 0, "%s", run.err);
	auto_run ended = OCI(&bundle, "kill", "ID", "9");
	cr_assert(ended.status == 1 && strstr(ended.err, "container not running"), "%s", ended.err);
}

/* --- what they count on beside the command line ------------------------------------------------------------------- */

/* docker's and podman's images name working directories that no layer has. */
TEST(oci_clients, get_a_missing_working_directory_also_in_a_read_only_root)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "pwd; touch /new || echo refused", .process = "\"cwd\": \"/not/there/yet\"",
		.no_cwd = true, .root = "\"readonly\": true");
	auto_run run = OCI(&bundle, "run", "ID");
	cr_assert(run.status == 0, "%s", run.err);
	cr_assert_str_eq(run.out, "/not/there/yet\nrefused\n");
}

/* podman run --pids-limit 0 */
TEST(oci_clients, mean_no_limit_by_0_processes)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(
		&bundle, .script = "true | true && echo ran", .system = "\"resources\": {\"pids\": {\"limit\": 0}}");
	auto_run run = OCI(&bundle, "run", "ID");
	cr_assert(run.status == 0 && strcmp(run.out, "ran\n") == 0, "%s", run.err);
}

TEST(oci_clients, are_warned_of_a_capability_that_nobody_knows)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"100\"]");
	auto_run start = OCI(&bundle, "run", "--detach", "ID");
	cr_assert(start.status == 0, "%s", start.err);
	auto_run run = OCI(&bundle, "exec", "--cap", "CAP_OF_TOMORROW", "--cap", "CAP_KILL", "ID", "grep", "CapEff",
		"/proc/self/status");
	cr_assert(run.status == 0 && strstr(run.err, "CAP_OF_TOMORROW"), "%s", run.err);
	cr_assert_str_eq(run.out, "CapEff:\t0000000000000020\n");
}

/* podman run --group-add keep-groups, for ordinary users; the image may say it, too, and must not get those of the
 * host's root. */
TEST(oci_clients, keep_the_groups_of_who_calls_them_but_of_the_hosts_root)
{
	static const struct {
		const char *top;
		bool warned;
	} rows[] = {
		{"\"annotations\": {\"run.oci.keep_original_groups\": \"1\"}", true},
		{"\"annotations\": {\"run.oci.keep_original_groups\": \"0\"}", false},
		{NULL, false},
	};

	NEEDS_ROOT();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_bundle bundle = bundle_new();
		const char *words[] = {"setpriv", "--groups", "4242", WARREN_OCI_PROGRAM, "--root", bundle.state, "run",
			"--bundle", bundle.path, bundle.id, NULL};

		BUNDLE_WRITE(&bundle, .script = "sed -n 's/^Groups:[[:space:]]*//p' /proc/self/status | tr -d ' '",
			.top = rows[i].top);
		auto_run run = run_program(words, NULL);
		cr_assert(run.status == 0, "%s", run.err);
		cr_assert_str_eq(run.out, "\n");
		cr_assert((strstr(run.err, "keep_original_groups is passed over") != NULL) == rows[i].warned, "%s",
			run.err);
	}
}

TEST(oci_clients, hear_what_a_terminal_in_the_background_needs)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/true\"]", .process = "\"terminal\": true");
	auto_run run = OCI(&bundle, "run", "--detach", "ID");
	cr_assert(run.status == 1 && strstr(run.err, "use --console-socket"), "%s", run.err);
}

/* docker run --init --cap-drop all: its init is mounted on /sbin/docker-init, and no image needs to have /sbin. */
TEST(oci_clients, reach_a_file_that_is_mounted_where_no_directory_was)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = "[\"/made/for/it/sh\", \"-c\", \"stat -c %a /made /made/for/it\"]",
		.process = "\"capabilities\": {}, \"noNewPrivileges\": true",
		.mounts = "{\"destination\": \"/made/for/it/sh\", \"source\": \"/bin/busybox\", \"options\": "
			  "[\"bind\", \"ro\"]}");
	auto_run run = OCI(&bundle, "run", "ID");
	cr_assert(run.status == 0, "%s", run.err);
	cr_assert_str_eq(run.out, "755\n755\n");
}

/* docker's command ends with 127 or 126 when it finds these words, small letters and all, and else with 125. */
TEST(oci_clients, find_the_words_for_what_cannot_be_executed)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = "[\"/nonesuch\"]");
	auto_run none = OCI(&bundle, "create", "ID");
	cr_assert(none.status == 1 && strstr(none.err, "/nonesuch: no such file or directory\n"), "%s", none.err);
	BUNDLE_WRITE(&bundle, .args = "[\"/bin\"]");
	auto_run directory = OCI(&bundle, "create", "ID");
	cr_assert(directory.status == 1 && strstr(directory.err, "/bin: permission denied\n"), "%s", directory.err);
}
