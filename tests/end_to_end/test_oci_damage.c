/* warren-oci when records are damaged, when many want one name, and when its callers are killed. */
#include <stdio.h>
#include <stdlib.h>

#include "base/process.h"
#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

static int first_pid(struct bundle *bundle)
{
	auto_run run = OCI(bundle, "ps", "--format", "json", "ID");
	int pid = 0;

	cr_assert(sscanf(run.out, "[%d", &pid) == 1 && pid > 1, "%s%s", run.out, run.err);
	return pid;
}

/* A damaged record must not hide the others, and must not keep its container from being removed. */
TEST(oci_damage, of_one_record_hides_no_other_and_is_removed_with_its_process)
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_ROOT();
	static const char *const damages[] = {"", "{", "null", "[1]", "{\"id\": \"other\"}", "{\"init\": \"x\"}",
		"\xff\xfe",
		"{\"version\": 2, \"id\": \"x\", \"bundle\": \"/\", \"root\": \"/\", \"ociVersion\": \"1.0.2\", "
		"\"boot\": \"x\", "
		"\"created\": 1}",
		"\x8f\x01{]\x1b\x7f", "{\"version\": 1, \"id\": "};

	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		auto_bundle bundle = bundle_new();
		struct error err = {0};
		struct process_id id;
		auto_free char *record = text_format("state/%s/facts.json", bundle.id);

		BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"100\"]");
		auto_run run = OCI(&bundle, "run", "-d", "ID");
		auto_run other = OCI(&bundle, "run", "-d", "other-of-damage");
		cr_assert(run.status == 0 && other.status == 0, "%s%s", run.err, other.err);
		int pid = first_pid(&bundle);

		run_write_file(bundle.directory.path, record, 0600, damages[i]);
		auto_run list = OCI(&bundle, "list", "-q");
		cr_assert(list.status == 0 && strstr(list.out, "other-of-damage"), "%zu: %s%s", i, list.out, list.err);
		auto_run delete = OCI(&bundle, "delete", "--force", "ID");
		auto_run rest = OCI(&bundle, "delete", "--force", "other-of-damage");
		cr_assert(delete.status == 0 && rest.status == 0, "%zu: %s%s", i, delete.err, rest.err);
		/* A zombie that its new parent has not reaped yet does not count. */
		cr_assert(process_identify(pid, &id, &err) < 0, "%zu: the process lives on", i);
		cr_assert(bundle_cgroups(&bundle) == 0, "%zu: cgroups are left", i);
		auto_run after = OCI(&bundle, "list", "-q");
		cr_assert_str_eq(after.out, "");
	}
}

/* Something else in place of the record's file, or of the record itself. */
static const char *const instead[] = {
	"ln -s /etc/passwd", "ln -s nowhere", "ln -s /proc/self/mem", "mkfifo", "mkdir", "mknod -m 600 \"$1\" c 1 5;:"};

static void put_instead(const char *path, const char *command)
{
	auto_free char *script = text_format("rm -r \"$1\" && %s \"$1\"", command);
	auto_run run = RUN("sh", "-c", script, "sh", path);

	cr_assert(run.status == 0, "%s", run.err);
}

TEST(oci_damage, of_another_kind_of_file_hurts_no_other_and_hangs_nobody, .timeout = SLOWLY(60))
{
	NEEDS_A_FAST_PROCESSOR();
	NEEDS_ROOT();
	for (size_t i = 0; i < ARRAY_SIZE(instead); i++) {
		auto_bundle bundle = bundle_new();
		auto_free char *facts = text_format("%s/%s/facts.json", bundle.state, bundle.id);
		auto_free char *stray = text_format("%s/stray", bundle.state);

		BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"100\"]");
		auto_run run = OCI(&bundle, "run", "-d", "ID");
		auto_run other = OCI(&bundle, "run", "-d", "other-of-kinds");
		cr_assert(run.status == 0 && other.status == 0, "%s%s", run.err, other.err);
		put_instead(facts, instead[i]);
		run_write_file(bundle.state, "stray", 0600, "");
		put_instead(stray, instead[i]);
		auto_run list = OCI(&bundle, "list", "-q");
		cr_assert(
			list.status == 0 && !strcmp(list.out, "other-of-kinds\n"), "%zu: %s%s", i, list.out, list.err);
		auto_run state = OCI(&bundle, "state", "ID");
		cr_assert(state.status == 1 && strstr(state.err, bundle.id), "%zu: %s%s", i, state.out, state.err);
		auto_run exec = OCI(&bundle, "exec", "other-of-kinds", "true");
		auto_run delete = OCI(&bundle, "delete", "--force", "ID");
		auto_run rest = OCI(&bundle, "delete", "--force", "other-of-kinds");
		cr_assert(exec.status == 0 && delete.status == 0 && rest.status == 0, "%zu: %s%s%s", i, exec.err,
			delete.err, rest.err);
		cr_assert(bundle_cgroups(&bundle) == 0, "%zu: cgroups are left", i);
	}
}

/* Two hundred at once, each its own name. */
TEST(oci_damage, creates_of_many_names_at_once_all_win, .timeout = SLOWLY(300))
{
	NEEDS_ROOT();
	NEEDS_A_FAST_PROCESSOR();
	int names = getenv("WARREN_TEST_ALL_POINTS") ? 200 : 50;
	auto_bundle bundle = bundle_new();
	auto_free char *script = text_format(
		"for i in $(seq %d); do %s --root %s create %s-$i </dev/null >/dev/null & done; wait; "
		"%s --root %s list -q | wc -l; for i in $(seq %d); do %s --root %s delete -f %s-$i & done; wait; "
		"%s --root %s list -q | wc -l",
		names, WARREN_OCI_PROGRAM, bundle.state, bundle.id, WARREN_OCI_PROGRAM, bundle.state, names,
		WARREN_OCI_PROGRAM, bundle.state, bundle.id, WARREN_OCI_PROGRAM, bundle.state);
	auto_free char *wanted = text_format("%d\n0\n", names);
	const char *const argv[] = {"sh", "-c", script, NULL};

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"100\"]");
	auto_run race =
		run_program(argv, &(struct run_options){.directory = bundle.path, .timeout_ms = SLOWLY(200000)});
	cr_assert_str_eq(race.out, wanted, "%s", race.err);
	cr_assert_str_eq(race.err, "");
}

TEST(oci_damage, twenty_creates_of_one_name_have_one_winner)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *script =
		text_format("for i in $(seq 20); do (%s --root %s create %s </dev/null >/dev/null 2>&1 && echo "
			    "won) & done; wait",
			WARREN_OCI_PROGRAM, bundle.state, bundle.id);
	const char *const argv[] = {"sh", "-c", script, NULL};

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/sleep\", \"100\"]");
	for (int round = 0; round < (getenv("WARREN_TEST_ALL_POINTS") ? 15 : 3); round++) {
		auto_run race = run_program(argv, &(struct run_options){.directory = bundle.path});
		cr_assert_str_eq(race.out, "won\n");
		auto_run list = OCI(&bundle, "list", "-q");
		cr_assert(list.out_length == strlen(bundle.id) + 1, "%s", list.out);
		auto_run delete = OCI(&bundle, "delete", "-f", "ID");
		cr_assert(delete.status == 0 && bundle_cgroups(&bundle) == 0, "%s", delete.err);
	}
}

/* Capabilities that the caller lacks are left out with a warning, as the specification of OCI wants it. */
TEST(oci_damage, a_capability_that_cannot_be_had_is_no_obstacle)
{
	NEEDS_ROOT();
	static const char all[] =
		"\"capabilities\": {\"bounding\": [\"CAP_CHOWN\", \"CAP_SYS_RESOURCE\", \"CAP_NONESUCH\"], "
		"\"permitted\": [\"CAP_CHOWN\", \"CAP_SYS_RESOURCE\"], \"effective\": [\"CAP_CHOWN\", "
		"\"CAP_SYS_RESOURCE\"]}";
	auto_bundle bundle = bundle_new();

	BUNDLE_WRITE(&bundle, .script = "echo in; sleep 100", .process = all);
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	cr_assert(
		run.status == 0 && strstr(run.err, "unknown capability \"CAP_NONESUCH\": passed over"), "%s", run.err);
	auto_run exec = OCI(&bundle, "exec", "-c", "CAP_SYS_RESOURCE", "ID", "true");
	cr_assert(exec.status == 0, "%s", exec.err);
}

TEST(oci_damage, closed_standard_descriptors_do_no_harm)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *script =
		text_format("%s --root %s run %s <&- >&- 2>&-; echo $?", WARREN_OCI_PROGRAM, bundle.state, bundle.id);
	const char *const argv[] = {"sh", "-c", script, NULL};

	BUNDLE_WRITE(&bundle, .script = "echo x; cat; exit 6");
	auto_run run = run_program(argv, &(struct run_options){.directory = bundle.path});
	cr_assert_str_eq(run.out, "6\n");
}
