/* What has to be done, from two lists made by hand. */
#include "base/cleanup.h"
#include "fleet/apply/plan.h"
#include "tests/test.h"

#define FILE_BEFORE "{\"version\": 1, \"name\": \"f\", \"networks\": {\"n\": {}}, \"instances\": {"
#define A "\"a\": {\"image\": \"host\", \"command\": \"x\"}"
#define B_NEXT "\"a-next\": {\"image\": \"host\", \"command\": \"x\"}"

static struct fleet_file decoded(struct arena *arena, const char *instances)
{
	auto_free char *text = text_format(FILE_BEFORE "%s}}", instances);
	struct fleet_file file;
	struct error err;

	ASSERT_OK(fleet_file_decode(arena, "/f.json", text, strlen(text), &file, &err));
	return file;
}

/* The host has what the file `is` says, all in one state. */
static int planned(struct arena *arena, const char *is, enum instance_state state, const char *wanted,
	struct plan *plan, struct error *err)
{
	struct fleet_file now = decoded(arena, is), next = decoded(arena, wanted);
	struct plan_actual *actual = arena_new_array(arena, now.instances.count, struct plan_actual);
	struct plan_request request = {.fleet = "f",
		.wanted = arena_new_array(arena, next.instances.count, struct instance_spec),
		.wanted_count = next.instances.count,
		.actual = actual,
		.actual_count = now.instances.count};

	memcpy((void *)request.wanted, next.instances.items, next.instances.count * sizeof(*request.wanted));
	for (size_t i = 0; i < now.instances.count; i++)
		actual[i] = (struct plan_actual){
			.name = now.instances.items[i].name, .spec = &now.instances.items[i], .state = state};
	return plan_make(arena, &request, plan, err);
}

static struct plan_step one(struct arena *arena, const char *is, enum instance_state state, const char *wanted)
{
	struct plan plan;
	struct error err;

	ASSERT_OK(planned(arena, is, state, wanted, &plan, &err));
	cr_assert(plan.count == 1, "%zu steps", plan.count);
	return plan.items[0];
}

TEST(plan, does_nothing_twice)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct plan_step step = one(&arena, A, INSTANCE_RUNNING, A);

	cr_assert(step.needs == 0 && step.change == CHANGE_NONE && step.changes.count == 0);
	cr_assert(plan_step_word(&step) == APPLY_UNCHANGED);
}

TEST(plan, restarts_what_is_about_to_stop_by_a_word_that_counts_no_more)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file = decoded(&arena, A), other = decoded(&arena, A);
	struct plan_actual actual = {
		.name = "a", .spec = &other.instances.items[0], .state = INSTANCE_RUNNING, .ending = true};
	struct plan_request request = {
		.fleet = "f", .wanted = file.instances.items, .wanted_count = 1, .actual = &actual, .actual_count = 1};
	struct plan plan;
	struct error err;

	ASSERT_OK(plan_make(&arena, &request, &plan, &err));
	cr_assert(plan.items[0].needs & PLAN_RESTART);
	cr_assert_str_eq(plan.items[0].why, "somebody began to stop it");
}

TEST(plan, creates_what_is_not_there)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct plan_step step = one(&arena, "", INSTANCE_RUNNING, A);

	cr_assert(step.needs == (PLAN_CREATE | PLAN_START));
	cr_assert(plan_step_word(&step) == APPLY_STARTED);
	step = one(&arena, "", INSTANCE_RUNNING,
		"\"a\": {\"image\": \"host\", \"command\": \"x\", \"state\": \"stopped\"}");
	cr_assert(step.needs == PLAN_CREATE && plan_step_word(&step) == APPLY_CREATED);
	step = one(&arena, "", INSTANCE_RUNNING,
		"\"a\": {\"image\": \"host\", \"command\": \"x\", \"state\": \"paused\"}");
	cr_assert(step.needs == (PLAN_CREATE | PLAN_START | PLAN_PAUSE));
}

/* From each state to each wanted one, with nothing else changed. */
TEST(plan, brings_each_state_to_the_wanted_one)
{
	static const char *const wanted[] = {A,
		"\"a\": {\"image\": \"host\", \"command\": \"x\", \"state\": \"stopped\"}",
		"\"a\": {\"image\": \"host\", \"command\": \"x\", \"state\": \"paused\"}"};
	static const struct {
		enum instance_state is;
		unsigned needs[3]; /* running, stopped, paused */
	} rows[] = {
		{INSTANCE_CREATED, {PLAN_START, 0, PLAN_START | PLAN_PAUSE}},
		{INSTANCE_STOPPED, {PLAN_START, 0, PLAN_START | PLAN_PAUSE}},
		{INSTANCE_RUNNING, {0, PLAN_STOP, PLAN_PAUSE}},
		{INSTANCE_RESTARTING, {0, PLAN_STOP, PLAN_PAUSE}},
		{INSTANCE_PAUSED, {PLAN_RESUME, PLAN_STOP, 0}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(wanted); k++) {
			AUTO(arena_drop) struct arena arena = {0};
			struct plan_step step = one(&arena, wanted[k], rows[i].is, wanted[k]);

			cr_assert(
				step.needs == rows[i].needs[k], "state %d, wanted %zu: %u", rows[i].is, k, step.needs);
		}
	}
}

static const struct {
	const char *keys;
	enum change_class change;
	unsigned needs; /* of a running instance */
	const char *changed;
} changes[] = {
	{"\"priority\": 5", CHANGE_RECORD, PLAN_UPDATE, "priority"},
	{"\"labels\": {\"a\": \"b\"}", CHANGE_RECORD, PLAN_UPDATE, "labels.a"},
	{"\"autostart\": false", CHANGE_RECORD, PLAN_UPDATE, "autostart"},
	{"\"stop_grace_period\": \"1s\"", CHANGE_RECORD, PLAN_UPDATE, "stop_grace_period"},
	{"\"description\": \"d\"", CHANGE_RECORD, PLAN_UPDATE, "description"},
	{"\"protect\": true", CHANGE_RECORD, PLAN_UPDATE, "protect"},
	{"\"resources\": {\"memory\": \"64M\"}", CHANGE_LIVE, PLAN_UPDATE | PLAN_LIVE, "resources.memory"},
	{"\"resources\": {\"disk\": \"1G\"}", CHANGE_RECORD, PLAN_UPDATE, "resources.disk"},
	{"\"ephemeral\": true", CHANGE_RESTART, PLAN_UPDATE | PLAN_RESTART, "ephemeral"},
	{"\"environment\": {\"A\": \"1\"}", CHANGE_RESTART, PLAN_UPDATE | PLAN_RESTART, "environment.A"},
	{"\"user\": \"www-data\"", CHANGE_RESTART, PLAN_UPDATE | PLAN_RESTART, "user"},
	{"\"ports\": [\"80:80\"]", CHANGE_LIVE, PLAN_UPDATE | PLAN_LIVE, "ports"},
	{"\"tmpfs\": [\"/x\"]", CHANGE_RESTART, PLAN_UPDATE | PLAN_RESTART, "tmpfs"},
	{"\"read_only\": true", CHANGE_RESTART, PLAN_UPDATE | PLAN_RESTART, "read_only"},
	{"\"restart\": \"no\"", CHANGE_LIVE, PLAN_UPDATE | PLAN_LIVE, "restart.policy"},
	{"\"logging\": {\"max_files\": 1}", CHANGE_LIVE, PLAN_UPDATE | PLAN_LIVE, "logging.max_files"},
	{"\"cap_add\": [\"NET_RAW\"]", CHANGE_RESTART, PLAN_UPDATE | PLAN_RESTART, "cap_add"},
	{"\"security\": {\"seccomp\": \"unconfined\"}", CHANGE_RESTART, PLAN_UPDATE | PLAN_RESTART, "security.seccomp"},
	{"\"network\": \"n\"", CHANGE_MOVE, PLAN_STOP | PLAN_UPDATE | PLAN_START, "network"},
	{"\"address\": \"10.88.0.9\"", CHANGE_MOVE, PLAN_STOP | PLAN_UPDATE | PLAN_START, "address"},
	{"\"etc_from_host\": [\"/etc/nginx\"]", CHANGE_RECREATE, PLAN_REMOVE | PLAN_CREATE | PLAN_START,
		"etc_from_host"},
};

TEST(plan, does_the_least_that_a_changed_key_needs)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		auto_free char *wanted =
			text_format("\"a\": {\"image\": \"host\", \"command\": \"x\", %s}", changes[i].keys);
		struct plan_step step = one(&arena, A, INSTANCE_RUNNING, wanted);

		cr_assert(step.change == changes[i].change, "%s: class %d", changes[i].keys, step.change);
		cr_assert(step.needs == changes[i].needs, "%s: needs %u", changes[i].keys, step.needs);
		cr_assert(step.changes.count == 1, "%s: %zu keys", changes[i].keys, step.changes.count);
		cr_assert_str_eq(step.changes.items[0].key, changes[i].changed);
	}
}

TEST(plan, takes_back_a_key_as_it_took_it)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		auto_free char *is =
			text_format("\"a\": {\"image\": \"host\", \"command\": \"x\", %s}", changes[i].keys);
		struct plan plan;
		struct error err;

		if (changes[i].change == CHANGE_RECREATE)
			continue;
		ASSERT_OK(planned(&arena, is, INSTANCE_RUNNING, A, &plan, &err));
		cr_assert(plan.items[0].change == changes[i].change, "%s: class %d", is, plan.items[0].change);
	}
}

TEST(plan, needs_no_restart_of_what_does_not_run)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct plan_step step = one(&arena, A, INSTANCE_STOPPED, "\"a\": {\"image\": \"host\", \"command\": \"y\"}");

	cr_assert(step.needs == (PLAN_UPDATE | PLAN_START));
	step = one(&arena, A, INSTANCE_STOPPED,
		"\"a\": {\"image\": \"host\", \"command\": \"y\", \"state\": \"stopped\"}");
	cr_assert(step.needs == PLAN_UPDATE && plan_step_word(&step) == APPLY_UPDATED);
	step = one(&arena, A, INSTANCE_RUNNING,
		"\"a\": {\"image\": \"host\", \"command\": \"y\", \"state\": \"stopped\"}");
	cr_assert(step.needs == (PLAN_UPDATE | PLAN_STOP));
}

TEST(plan, lifts_a_cpuset_by_a_restart_only)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct plan_step step =
		one(&arena, "\"a\": {\"image\": \"host\", \"command\": \"x\", \"resources\": {\"cpuset\": \"0\"}}",
			INSTANCE_RUNNING, A);

	cr_assert(step.needs == (PLAN_UPDATE | PLAN_RESTART));
}

TEST(plan, removes_what_left_the_file_before_all_else_and_dependents_first)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct plan plan;
	struct error err;

	ASSERT_OK(planned(&arena,
		"\"db\": {\"image\": \"host\", \"command\": \"x\"},"
		"\"site\": {\"image\": \"host\", \"command\": \"x\", \"replicas\": 2, \"depends_on\": [\"db\"]}," A,
		INSTANCE_RUNNING, A, &plan, &err));
	cr_assert(plan.count == 4 && plan.leaving == 3);
	cr_assert_str_eq(plan.items[0].name, "site-1");
	cr_assert_str_eq(plan.items[1].name, "site-2");
	cr_assert_str_eq(plan.items[2].name, "db");
	cr_assert(plan.items[2].needs == PLAN_REMOVE && plan_step_word(&plan.items[2]) == APPLY_REMOVED);
	cr_assert(plan.items[3].needs == 0);
}

TEST(plan, starts_what_runs_without_a_monitor)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file now = decoded(&arena, A);
	struct plan_actual actual = {
		.name = "a", .spec = &now.instances.items[0], .state = INSTANCE_RUNNING, .unwatched = true};
	struct plan_request request = {
		.fleet = "f", .wanted = actual.spec, .wanted_count = 1, .actual = &actual, .actual_count = 1};
	struct plan plan;
	struct error err;

	ASSERT_OK(plan_make(&arena, &request, &plan, &err));
	cr_assert(plan.count == 1 && plan.items[0].needs == PLAN_START, "%x", plan.items[0].needs);
}

TEST(plan, restarts_what_somebody_was_killed_at_stopping)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file now = decoded(&arena, A), off = decoded(&arena, A);
	struct instance_status status = {.state = INSTANCE_RUNNING, .ending = true, .monitored = true};
	struct plan_actual actual = {
		.name = "a", .spec = &now.instances.items[0], .state = INSTANCE_RUNNING, .status = &status};
	struct plan_request request = {
		.fleet = "f", .wanted = now.instances.items, .wanted_count = 1, .actual = &actual, .actual_count = 1};
	struct plan plan;
	struct error err;

	ASSERT_OK(plan_make(&arena, &request, &plan, &err));
	cr_assert(plan.items[0].needs == PLAN_RESTART && plan_step_action(&plan.items[0]) == ACTION_RESTART);
	cr_assert(plan.items[0].why != NULL);
	off.instances.items[0].state = DESIRED_STOPPED;
	request.wanted = off.instances.items;
	ASSERT_OK(plan_make(&arena, &request, &plan, &err));
	cr_assert(!(plan.items[0].needs & PLAN_RESTART) && (plan.items[0].needs & PLAN_STOP));
}

TEST(plan, keeps_what_left_when_told)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file now = decoded(&arena, A);
	struct plan_actual actual = {.name = "a", .spec = &now.instances.items[0], .state = INSTANCE_RUNNING};
	struct plan_request request = {.fleet = "f", .actual = &actual, .actual_count = 1, .keep_leaving = true};
	struct plan plan;
	struct error err;

	ASSERT_OK(plan_make(&arena, &request, &plan, &err));
	cr_assert(plan.count == 0);
}

TEST(plan, goes_by_levels)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct plan plan;
	struct error err;

	ASSERT_OK(planned(&arena, "", INSTANCE_RUNNING,
		"\"c\": {\"image\": \"host\", \"command\": \"x\", \"depends_on\": [\"b\"]},"
		"\"b\": {\"image\": \"host\", \"command\": \"x\", \"depends_on\": [\"a\"]}," A,
		&plan, &err));
	cr_assert(plan.levels == 3 && plan.items[0].level == 0 && plan.items[2].level == 2);
	cr_assert_str_eq(plan.items[2].name, "c");
}

static int planned_over(struct arena *arena, const struct plan_actual *actual, struct plan *plan, struct error *err)
{
	struct fleet_file next = decoded(arena, A);
	struct plan_request request = {.fleet = "f",
		.wanted = arena_new_array(arena, 1, struct instance_spec),
		.wanted_count = 1,
		.actual = actual,
		.actual_count = 1};

	memcpy((void *)request.wanted, next.instances.items, sizeof(*request.wanted));
	return plan_make(arena, &request, plan, err);
}

TEST(plan, takes_nobody_else_s_instance)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec other = {.name = "a", .base_name = "a", .fleet = "g"};
	struct plan plan;
	struct error err;

	ASSERT_FAILS(planned_over(&arena, &(struct plan_actual){.name = "a", .spec = &other, .state = INSTANCE_RUNNING},
			     &plan, &err),
		ERROR_BUSY, "the name a is taken by an instance of the fleet g");
	other.fleet = NULL;
	ASSERT_FAILS(planned_over(&arena, &(struct plan_actual){.name = "a", .spec = &other, .state = INSTANCE_RUNNING},
			     &plan, &err),
		ERROR_BUSY, "the name a is taken by an instance that was made by hand");
	ASSERT_FAILS(planned_over(&arena, &(struct plan_actual){.name = "a", .state = INSTANCE_DAMAGED}, &plan, &err),
		ERROR_BUSY, "the name a is taken by a damaged instance; `warren rm -f a` removes it");
}

TEST(plan, makes_its_own_damaged_instance_anew)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct plan plan;
	struct error err;

	ASSERT_OK(planned_over(
		&arena, &(struct plan_actual){.name = "a", .state = INSTANCE_DAMAGED, .ours = true}, &plan, &err));
	cr_assert(plan.items[0].needs == (PLAN_REMOVE | PLAN_CREATE | PLAN_START));
	cr_assert(plan_step_word(&plan.items[0]) == APPLY_RECREATED);
}

TEST(plan, respects_protection)
{
	static const char guarded[] = "\"a\": {\"image\": \"host\", \"command\": \"x\", \"protect\": true}";
	AUTO(arena_drop) struct arena arena = {0};
	struct plan plan;
	struct error err;

	ASSERT_FAILS(planned(&arena, guarded, INSTANCE_RUNNING, "", &plan, &err), ERROR_BUSY,
		"a is protected (\"protect\": true), and the file does not name it any more");
	ASSERT_FAILS(planned(&arena, guarded, INSTANCE_RUNNING,
			     "\"a\": {\"image\": \"host\", \"command\": \"x\", \"etc_from_host\": [\"/etc/nginx\"]}",
			     &plan, &err),
		ERROR_BUSY, "a is protected (\"protect\": true), and what changed needs it to be made anew");
}

TEST(plan, classifies_what_the_documentation_lists)
{
	/* Keys that the table of this test does not reach by a file: they identify the instance. */
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file = decoded(&arena, A);
	struct instance_spec other = file.instances.items[0];
	struct comparison comparison;

	other.index = 4;
	other.base_name = "b";
	specs_compare(&arena, &file.instances.items[0], &other, &comparison);
	cr_assert(comparison.change == CHANGE_RECORD && comparison.changes.count == 2);
	cr_assert_str_eq(comparison.changes.items[0].key, "base_name");
	cr_assert_str_eq(comparison.changes.items[1].key, "index");
}

/* What a killed apply left: it stays until the one it stands in for is settled, and goes with it. */
TEST(plan, knows_stand_ins)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file next = decoded(&arena, A), none = decoded(&arena, ""), other = decoded(&arena, A "," B_NEXT);
	struct instance_spec stand_in = next.instances.items[0];
	struct plan_actual actual[] = {
		{.name = "a", .spec = &next.instances.items[0], .state = INSTANCE_RUNNING},
		{.name = "a-next", .spec = &stand_in, .state = INSTANCE_RUNNING},
	};
	struct plan_request request = {.fleet = "f",
		.wanted = next.instances.items,
		.wanted_count = next.instances.count,
		.actual = actual,
		.actual_count = ARRAY_SIZE(actual)};
	struct plan plan;
	struct error err;

	stand_in.name = stand_in.base_name = "a-next";
	stand_in.stands_in_for = "a";
	ASSERT_OK(plan_make(&arena, &request, &plan, &err));
	cr_assert(plan.count == 1 && plan.leaving == 0);
	cr_assert(plan.items[0].needs == PLAN_SETTLE && plan.items[0].up);
	cr_assert_str_eq(plan.items[0].stand_in, "a-next");
	request.wanted_count = none.instances.count;
	ASSERT_OK(plan_make(&arena, &request, &plan, &err));
	cr_assert(plan.leaving == 2 && plan.count == 2);
	request.wanted = other.instances.items;
	request.wanted_count = other.instances.count;
	ASSERT_FAILS(plan_make(&arena, &request, &plan, &err), ERROR_BUSY, "the stand-in of a");
}
