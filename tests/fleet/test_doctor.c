#include "fleet/host/doctor.h"

#include <signal.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/kernel.h"
#include "tests/test.h"

/* --- attempts ----------------------------------------------------------------------------------------------------- */

static int try_well(void *context, char note[TRIAL_NOTE_SIZE], struct error *err)
{
	(void)err;
	snprintf(note, TRIAL_NOTE_SIZE, "%s", (const char *)context);
	return 0;
}

static int try_badly(void *context, char note[TRIAL_NOTE_SIZE], struct error *err)
{
	(void)context, (void)note;
	return fail(err, ERROR_SYSTEM, "no such luck");
}

static int try_crash(void *context, char note[TRIAL_NOTE_SIZE], struct error *err)
{
	(void)context, (void)note, (void)err;
	raise(SIGKILL);
	return 0;
}

static int try_leave(void *context, char note[TRIAL_NOTE_SIZE], struct error *err)
{
	(void)context, (void)note, (void)err;
	_exit(7);
	return 0;
}

static int try_forever(void *context, char note[TRIAL_NOTE_SIZE], struct error *err)
{
	(void)context, (void)note, (void)err;
	while (pause() < 0)
		;
	return 0;
}

TEST(trial, tells_how_an_attempt_went_whatever_it_does)
{
	static const struct {
		int (*run)(void *context, char note[TRIAL_NOTE_SIZE], struct error *err);
		int result;
		const char *words;
	} rows[] = {
		{try_badly, 0, "no such luck"},
		{try_crash, -1, "the attempt was ended by signal 9"},
		{try_leave, -1, "the attempt ended with status 7"},
		{try_forever, -1, "the attempt did not end within 50 ms"},
	};
	struct trial well = {.run = try_well, .context = "done"};
	struct error err = {0};

	cr_assert(trial_run(&well, &err) == 1);
	cr_assert_str_eq(well.note, "done");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct trial trial = {.run = rows[i].run, .timeout_ms = i == 3 ? 50 : 0};

		err = (struct error){0};
		cr_assert(trial_run(&trial, &err) == rows[i].result);
		cr_assert_str_eq(err.text, rows[i].words);
	}
}

TEST(trial, what_nobody_may_try_is_not_missing)
{
	struct examination root = {.is_root = true}, other = {.is_root = false};

	cr_assert(trial_state(&root, 1, FINDING_MISSING) == FINDING_OK);
	cr_assert(trial_state(&root, 0, FINDING_MISSING) == FINDING_MISSING);
	cr_assert(trial_state(&root, -1, FINDING_MISSING) == FINDING_UNKNOWN);
	cr_assert(trial_state(&other, 0, FINDING_MISSING) == FINDING_UNKNOWN);
	cr_assert(trial_state(&other, 1, FINDING_MISSING) == FINDING_OK);
}

/* --- one section -------------------------------------------------------------------------------------------------- */

struct look {
	struct arena arena;
	struct doctor_request request;
	struct doctor_report report;
	struct examination examination;
};

static void look_open(struct look *look, int64_t instances)
{
	*look = (struct look){.report.instances = instances};
	look->examination = (struct examination){.arena = &look->arena,
		.request = &look->request,
		.report = &look->report,
		.group = "test",
		.lib = "/nonesuch/lib",
		.is_root = geteuid() == 0};
}

static const struct finding *look_find(const struct look *look, const char *name)
{
	for (size_t i = 0; i < look->report.count; i++)
		if (text_equal(look->report.items[i].name, name))
			return &look->report.items[i];
	cr_assert_fail("no finding %s", name);
	return NULL;
}

TEST(doctor, finds_the_nearest_directory_that_exists)
{
	struct look look;

	look_open(&look, 1);
	cr_assert_str_eq(nearest_directory(&look.examination, "/proc/self/nonesuch/deeper"), "/proc/self");
	cr_assert_str_eq(nearest_directory(&look.examination, "/nonesuch"), "/");
	cr_assert_str_eq(nearest_directory(&look.examination, "/etc/passwd/x"), "/etc");
	cr_assert_str_eq(nearest_directory(&look.examination, "/"), "/");
	arena_drop(&look.arena);
}

TEST(doctor, a_kernel_s_absence_is_judged_by_its_need)
{
	struct look look;

	look_open(&look, 1);
	kernel_pretend(KERNEL_OPENAT2, KERNEL_NO);
	kernel_pretend(KERNEL_OVERLAY_DETACHED, KERNEL_NO);
	kernel_pretend(KERNEL_TMPFS, KERNEL_UNKNOWN);
	examine_kernel(&look.examination);
	const struct finding *missing = look_find(&look, "openat2(2)");
	cr_assert(missing->state == FINDING_MISSING && strstr(missing->remedy, "Linux 6.1 or newer"));
	cr_assert_str_eq(missing->wanted, "Linux 5.6");
	cr_assert(look_find(&look, "overlay over detached layers")->state == FINDING_NOTE);
	cr_assert(look_find(&look, "tmpfs")->state == FINDING_UNKNOWN);
	arena_drop(&look.arena);
}

TEST(doctor, reckons_limits_for_the_number_of_instances)
{
	static const int64_t numbers[] = {1, 4000};
	const struct finding *finding;
	struct look look;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		look_open(&look, numbers[i]);
		examine_limits(&look.examination);
		finding = look_find(&look, "kernel.pty.max");
		auto_free char *wanted = text_format("%lld", (long long)(1024 + 4 * numbers[i]));
		cr_assert_str_eq(finding->wanted, wanted);
		struct optional value = knob_value(&look.examination, "/proc/sys/kernel/pty/max");
		cr_assert((finding->state == FINDING_OK) == (value.value >= 1024 + 4 * numbers[i]));
		cr_assert((finding->setting != NULL) == (finding->state != FINDING_OK));
		cr_assert(look_find(&look, "instances of one host")->state == FINDING_OK);
		arena_drop(&look.arena);
	}
	look_open(&look, 4095);
	examine_limits(&look.examination);
	cr_assert(look_find(&look, "instances of one host")->state == FINDING_MISSING);
	arena_drop(&look.arena);
}

/* The default is cut to what we have, with a warning; a number in the file is refused, so it is missing. */
TEST(doctor, judges_open_files_by_who_asked_for_them)
{
	const struct ulimit_spec asked = {"nofile", {4096, 4096}};
	const struct rlimit small = {256, 256};
	struct instance_spec spec = {.name = "a", .ulimits = {.items = (struct ulimit_spec *)&asked, .count = 1}};
	const struct fleet_file fleet = {.instances = {.items = &spec, .count = 1}};
	struct look look;

	cr_assert(setrlimit(RLIMIT_NOFILE, &small) == 0);
	look_open(&look, 1);
	examine_limits(&look.examination);
	cr_assert(look_find(&look, "RLIMIT_NOFILE, hard")->state == FINDING_WARNING);
	arena_drop(&look.arena);
	look_open(&look, 1);
	look.request.fleet = &fleet;
	examine_limits(&look.examination);
	const struct finding *finding = look_find(&look, "RLIMIT_NOFILE, hard");
	cr_assert(finding->state == FINDING_MISSING);
	cr_assert_str_eq(finding->wanted, "4096");
	arena_drop(&look.arena);
	/* Who may raise limits has what it asks for. */
	look_open(&look, 1);
	look.request.fleet = &fleet;
	finding_add(&look.examination, FINDING_OK, "CAP_SYS_RESOURCE", "there", NULL);
	examine_limits(&look.examination);
	cr_assert(look_find(&look, "RLIMIT_NOFILE, hard")->state == FINDING_OK);
	arena_drop(&look.arena);
}

TEST(doctor, counts_every_finding_and_has_one_of_each_section)
{
	static const char *const groups[] = {
		"kernel", "rights", "cgroups", "storage", "network", "limits", "instances"};
	struct arena arena = {0};
	const struct doctor_request request = {.where.root = "/nonesuch", .instances = {true, 3}};
	struct doctor_report report;
	size_t sum = 0;

	host_examine(&arena, &request, &report);
	for (size_t state = 0; state < FINDING_STATES; state++)
		sum += report.counts[state];
	cr_assert(sum == report.count && report.instances == 3);
	for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
		bool found = false;

		for (size_t i = 0; i < report.count; i++)
			found |= text_equal(report.items[i].group, groups[g]);
		cr_assert(found, "nothing about %s", groups[g]);
	}
	for (size_t i = 0; i < report.count; i++) {
		const struct finding *finding = &report.items[i];

		cr_assert(finding->found[0], "%s", finding->name);
		cr_assert(finding->state <= FINDING_NOTE || finding->state == FINDING_UNKNOWN || finding->remedy,
			"%s has no remedy", finding->name);
	}
	cr_assert(access("/nonesuch", F_OK) < 0);
	arena_drop(&arena);
}

/* As Linux 6.1 writes it. */
TEST(doctor, adds_up_what_processors_count_apart)
{
	static const char table[] =
		"entries  clashres found new drop early_drop icmp_error  expect_new search_restart\n"
		"00000006  00000000 00000000 00000000 00000017 00000001 00000000  00000000 00000000\n"
		"00000006  00000000 00000000 00000000 0000000c 00000000 00000000  00000000 00000002";
	AUTO(arena_drop) struct arena arena = {0};

	cr_assert_eq(column_sum(&arena, table, "drop"), 35);
	cr_assert_eq(column_sum(&arena, table, "search_restart"), 2);
	cr_assert_eq(column_sum(&arena, table, "nonesuch"), 0);
	cr_assert_eq(column_sum(&arena, "", "drop"), 0);
}
