/* warren-oci from the outside: the life of a container. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

static const struct json *parse(struct arena *arena, const char *text)
{
	struct json_doc doc;
	struct error err = {0};

	ASSERT_OK(json_parse(arena, "output", text, strlen(text), JSON_PLAIN, &doc, &err));
	return doc.root;
}

static void assert_container_status(struct bundle *bundle, const char *expected)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_run state = OCI(bundle, "state", "ID");

	ASSERT_STATUS(state, 0);
	const struct json *root = parse(&arena, state.out);
	cr_assert_str_eq(json_get(root, "status")->text, expected);
}

TEST(oci_run, passes_output_and_exit_status_on_and_leaves_nothing)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	int mounts = host_mount_count();

	BUNDLE_WRITE(&bundle, .script = "echo hello; hostname; id -u; echo oops >&2; exit 42");
	auto_run run = OCI(&bundle, "run", "ID");
	ASSERT_STATUS(run, 42);
	cr_assert_str_eq(run.out, "hello\ninside\n0\n");
	cr_assert_str_eq(run.err, "oops\n");
	auto_run list = OCI(&bundle, "list", "-q");
	cr_assert_str_eq(list.out, "");
	cr_assert(bundle_cgroups(&bundle) == 0 && host_mount_count() == mounts);
}

TEST(oci_run, gives_128_and_the_signal)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	/* PID 1 is immune to its own signals; its parent, outside, is not bound by that. */
	BUNDLE_WRITE(&bundle, .script = "echo ready; sleep 100");
	auto_run created = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(created, 0);
	auto_run killed = OCI(&bundle, "kill", "ID", "KILL");
	ASSERT_STATUS(killed, 0);
	auto_run run = OCI(&bundle, "delete", "ID");
	cr_assert(run.status == 0 || strstr(run.err, "running"), "%s", run.err);
}

TEST(oci_run, says_what_could_not_be_executed)
{
	NEEDS_ROOT();
	static const struct {
		const char *args, *text;
	} cases[] = {
		{"[\"nonesuch\"]", "execute nonesuch: no such file or directory"},
		{"[\"/bin/nonesuch\"]", "execute /bin/nonesuch: no such file or directory"},
		{"[\"/bin\"]", "execute /bin: permission denied"},
	};
	auto_bundle bundle = bundle_new();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		BUNDLE_WRITE(&bundle, .args = cases[i].args);
		auto_run run = OCI(&bundle, "run", "ID");
		ASSERT_REFUSED(run, cases[i].text);
		auto_run list = OCI(&bundle, "list", "-q");
		cr_assert_str_eq(list.out, "");
		cr_assert(bundle_cgroups(&bundle) == 0);
	}
}

/* Kills the process whose number is in the file as soon as the other file is there. */
static pid_t fork_killer(const char *awaited, const char *pid_file)
{
	pid_t killer = fork();

	cr_assert(killer >= 0);
	if (killer > 0)
		return killer;
	for (int tries = 0; access(awaited, F_OK) < 0 && tries < SLOWLY(1000); tries++)
		poll(NULL, 0, 10);
	FILE *file = fopen(pid_file, "re");
	int pid = 0;

	if (!file || fscanf(file, "%d", &pid) != 1 || pid < 2)
		_exit(1);
	_exit(kill(pid, SIGKILL) < 0);
}

/* The hook holds the first process where nobody can miss it. */
TEST(oci_start, says_that_the_first_process_died_before_its_program, .timeout = SLOWLY(60))
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *pid_file = text_format("%s/pid", bundle.directory.path),
		       *hooked = text_format("%s/rootfs/hooked", bundle.path);
	int status;

	BUNDLE_WRITE(
		&bundle, .top = "\"hooks\": {\"startContainer\": [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", "
				"\"echo > /hooked; sleep 60\"]}]}");
	auto_run created = OCI(&bundle, "create", "--pid-file", pid_file, "ID");
	ASSERT_STATUS(created, 0);
	pid_t killer = fork_killer(hooked, pid_file);
	auto_run started = OCI(&bundle, "start", "ID");
	cr_assert(waitpid(killer, &status, 0) == killer && status == 0, "the killer: %x", status);
	ASSERT_REFUSED(started, "died before it executed its program");
	auto_run deleted = OCI(&bundle, "delete", "--force", "ID");
	ASSERT_STATUS(deleted, 0);
}

TEST(oci_create, waits_for_start)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "touch /started; sleep 100");
	auto_free char *started = text_format("%s/rootfs/started", bundle.path);
	auto_free char *pid_file = text_format("%s/pid", bundle.directory.path);
	auto_run create = OCI(&bundle, "create", "--pid-file", pid_file, "ID");
	ASSERT_STATUS(create, 0);
	assert_container_status(&bundle, "created");
	cr_assert(access(started, F_OK) != 0 && access(pid_file, F_OK) == 0);

	auto_run again = OCI(&bundle, "create", "ID");
	ASSERT_REFUSED(again, bundle.id);
	auto_run start = OCI(&bundle, "start", "ID");
	ASSERT_STATUS(start, 0);
	assert_container_status(&bundle, "running");
	auto_run twice = OCI(&bundle, "start", "ID");
	ASSERT_REFUSED(twice, bundle.id);

	auto_run early = OCI(&bundle, "delete", "ID");
	ASSERT_REFUSED(early, bundle.id);
	auto_run kill = OCI(&bundle, "kill", "ID", "9");
	ASSERT_STATUS(kill, 0);
	auto_run delete = OCI(&bundle, "delete", "--force", "ID");
	ASSERT_STATUS(delete, 0);
	auto_run gone = OCI(&bundle, "state", "ID");
	ASSERT_REFUSED(gone, bundle.id);
	cr_assert(bundle_cgroups(&bundle) == 0);
}

TEST(oci_delete, forced_is_content_when_there_is_nothing)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_run forced = OCI(&bundle, "delete", "-f", "nonesuch");
	auto_run plain = OCI(&bundle, "delete", "nonesuch");

	ASSERT_STATUS(forced, 0);
	ASSERT_REFUSED(plain, "nonesuch");
}

TEST(oci_pause, stops_and_resumes)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"100\"]");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run pause = OCI(&bundle, "pause", "ID");
	ASSERT_STATUS(pause, 0);
	assert_container_status(&bundle, "paused");
	auto_run exec = OCI(&bundle, "exec", "ID", "true");
	ASSERT_REFUSED(exec, "is paused; resume it, or use --ignore-paused");
	auto_run resume = OCI(&bundle, "resume", "ID");
	ASSERT_STATUS(resume, 0);
	assert_container_status(&bundle, "running");
}

/* --- names -------------------------------------------------------------------------------------------------------- */

TEST(oci_names, are_checked_before_anything_is_touched)
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_ROOT();
	static const char *const names[] = {"..", ".", "../state", "../bundle", "a/b", "/etc", "-x", ".hidden", "ü",
		"a b", "", "a\nb",
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		"01234567890123456789012345678901234567890123456789012345"};
	static const char *const verbs[][4] = {{"create"}, {"run"}, {"start"}, {"state"}, {"kill"}, {"delete", "-f"},
		{"delete"}, {"pause"}, {"resume"}, {"ps"}, {"exec"}, {"update"}, {"events"}};
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/true\"]");
	run_write_file(bundle.directory.path, "state/keep/me", 0644, "x");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
			const char *words[6] = {verbs[i][0]};
			size_t count = 1;

			if (verbs[i][1])
				words[count++] = verbs[i][1];
			words[count++] = "--";
			words[count++] = names[k];
			auto_run run = bundle_oci(&bundle, words, NULL);
			cr_assert(
				run.status == 1 && run.err_length > 0, "%s %s: %d", verbs[i][0], names[k], run.status);
		}
	}
	auto_free char *config = text_format("%s/config.json", bundle.path),
		       *kept = text_format("%s/keep/me", bundle.state);
	cr_assert(access(config, F_OK) == 0 && access(kept, F_OK) == 0);
	auto_free char *keep = text_format("%s/keep", bundle.state);
	cr_assert(unlink(kept) == 0 && rmdir(keep) == 0);
}

/* --- listings ----------------------------------------------------------------------------------------------------- */

TEST(oci_list, has_the_layout_that_scripts_cut)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"100\"]");
	auto_run empty = OCI(&bundle, "list", "--format", "json");
	cr_assert_str_eq(empty.out, "[]\n");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	auto_run table = OCI(&bundle, "list");
	cr_assert(strncmp(table.out, "ID   ", 5) == 0 && strstr(table.out, "STATUS") && strstr(table.out, "BUNDLE"));
	const char *row = strchr(table.out, '\n') + 1;
	cr_assert(text_starts_with(row, bundle.id) && strstr(row, " running ") && strstr(row, bundle.path), "%s", row);
	/* Columns stand below their titles. */
	cr_assert(strstr(table.out, "STATUS") - table.out == strstr(row, "running") - row, "%s", table.out);
	auto_run quiet = OCI(&bundle, "list", "-q");
	cr_assert(strncmp(quiet.out, bundle.id, strlen(bundle.id)) == 0 && quiet.out_length == strlen(bundle.id) + 1);
	auto_run json = OCI(&bundle, "list", "-f", "json");
	const struct json *first = parse(&arena, json.out)->first;
	cr_assert_str_eq(json_get(first, "id")->text, bundle.id);
	cr_assert_str_eq(json_get(first, "status")->text, "running");
	auto_run wrong = OCI(&bundle, "list", "--format", "xml");
	ASSERT_REFUSED(wrong, "--format xml: must be table or json");
	auto_run pids = OCI(&bundle, "ps", "--format", "json", "ID");
	auto_run state = OCI(&bundle, "state", "ID");
	cr_assert_str_eq(parse(&arena, pids.out)->first->text, json_get(parse(&arena, state.out), "pid")->text);
	auto_run people = OCI(&bundle, "ps", "ID");
	cr_assert(strstr(people.out, "PID") && strstr(people.out, " CMD\n") && strstr(people.out, "/bin/sleep 100\n"),
		"%s", people.out);
}

/* --- options ------------------------------------------------------------------------------------------------------ */

TEST(oci_options, refuses_what_it_cannot_do_by_name)
{
	auto_run both = RUN(WARREN_OCI_PROGRAM, "--systemd-cgroup", "--cgroup-manager", "cgroupfs", "list");
	auto_run manager = RUN(WARREN_OCI_PROGRAM, "--cgroup-manager", "elogind", "list");
	auto_run level = RUN(WARREN_OCI_PROGRAM, "--log-level", "loud", "list");
	auto_run format = RUN(WARREN_OCI_PROGRAM, "--log-format", "xml", "list");
	auto_run unknown = RUN(WARREN_OCI_PROGRAM, "creat", "x");
	auto_run none = RUN(WARREN_OCI_PROGRAM);

	ASSERT_REFUSED(both, "--systemd-cgroup and --cgroup-manager cgroupfs: which of the two?");
	ASSERT_REFUSED(manager, "--cgroup-manager elogind: must be cgroupfs, systemd or disabled");
	ASSERT_REFUSED(level, "--log-level loud: must be debug, info, warning or error");
	ASSERT_REFUSED(format, "--log-format xml: must be text or json");
	ASSERT_REFUSED(unknown, "create");
	ASSERT_REFUSED(none, "no command; see warren-oci --help");
}

TEST(oci_options, of_clients_are_taken)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *log = text_format("%s/log", bundle.directory.path);
	const char *const words[] = {"--log", log, "--log-format", "json", "--log-level=debug", "--debug", "--rootless",
		"false", "--systemd-cgroup=false", "--cgroup-manager=cgroupfs", "run", "--no-new-keyring", "--bundle",
		bundle.path, "ID", NULL};

	BUNDLE_WRITE(&bundle, .script = "exit 5");
	auto_run run = bundle_oci(&bundle, words, &(struct run_options){.directory = "/"});
	ASSERT_STATUS(run, 5);
}

TEST(oci_options, log_errors_as_json_lines_and_on_stderr)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	auto_bundle bundle = bundle_new();
	auto_free char *log = text_format("%s/log", bundle.directory.path);
	auto_run run = OCI(&bundle, "--log", log, "--log-format", "json", "state", "nonesuch");
	auto_run content = RUN("cat", log);

	ASSERT_REFUSED(run, "nonesuch");
	const struct json *line = parse(&arena, content.out);
	cr_assert_str_eq(json_get(line, "level")->text, "error");
	cr_assert(strstr(json_get(line, "msg")->text, "nonesuch") && json_get(line, "time"));
}

TEST(oci_options, a_state_root_of_others_is_not_believed)
{
	NEEDS_ROOT();
	auto_directory directory = run_directory_new();

	cr_assert(chmod(directory.path, 0777) == 0);
	auto_run open_to_all = RUN(WARREN_OCI_PROGRAM, "--root", directory.path, "list");
	ASSERT_REFUSED(open_to_all, "must belong to uid 0 and be writable by nobody else");
	cr_assert(chmod(directory.path, 0700) == 0 && chown(directory.path, 1234, 0) == 0);
	auto_run of_another = RUN(WARREN_OCI_PROGRAM, "--root", directory.path, "list");
	ASSERT_REFUSED(of_another, "must belong to uid 0 and be writable by nobody else");
	cr_assert(chown(directory.path, 0, 0) == 0);
}

TEST(oci_options, preserved_descriptors_reach_the_program_and_no_others)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_fd root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const char *const with[] = {"run", "--preserve-fds", "1", "ID", NULL}, *const without[] = {"run", "ID", NULL},
			  *const closed[] = {"run", "--preserve-fds", "3", "ID", NULL};
	struct run_options options = {.keep = (const int[]){null, root, -1}};

	/* 0, 1, 2, and the one that ls itself opens. */
	BUNDLE_WRITE(&bundle, .script = "ls /proc/self/fd");
	auto_run preserved = bundle_oci(&bundle, with, &options);
	cr_assert_str_eq(preserved.out, "0\n1\n2\n3\n4\n");
	auto_run plain = bundle_oci(&bundle, without, &options);
	cr_assert_str_eq(plain.out, "0\n1\n2\n3\n");
	auto_run missing = bundle_oci(&bundle, closed, &options);
	ASSERT_REFUSED(missing, "--preserve-fds 3: descriptor 5 is not open");
}

TEST(oci_spec, writes_a_config_once)
{
	auto_directory directory = run_directory_new();
	auto_run first = RUN(WARREN_OCI_PROGRAM, "spec", "--bundle", directory.path);
	auto_run second = RUN(WARREN_OCI_PROGRAM, "spec", "--bundle", directory.path);

	ASSERT_STATUS(first, 0);
	ASSERT_REFUSED(second, "make config.json: File exists");
}

TEST(oci_features, and_version_need_no_root_directory)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_run features = RUN(WARREN_OCI_PROGRAM, "--root", "/proc/nonesuch", "features");
	auto_run version = RUN(WARREN_OCI_PROGRAM, "--version");

	ASSERT_STATUS(features, 0);
	cr_assert(json_get(parse(&arena, features.out), "linux"));
	cr_assert(text_starts_with(version.out, "warren-oci version ") && strstr(version.out, "\nspec: 1."));
}
