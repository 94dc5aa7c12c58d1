/* What is shown of instances, and which are meant. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "fleet/state/instance.h"
#include "fleet/state/record.h"
#include "support_host.h"

static void labelled(struct test_host *test, const char *name, const char *label, const char *value)
{
	struct instance_spec spec = test_spec(test, name, "exec sleep 1000");
	struct error err;

	pairs_set(&test->arena, &spec.labels, label, value);
	ASSERT_OK(instance_create(&test->host, &spec, &err));
}

static struct strings words(struct test_host *test, const char *text)
{
	return *text ? strings_split(&test->arena, text, ' ') : (struct strings){0};
}

static const char *selected(struct test_host *test, const char *patterns, const char *labels)
{
	struct strings wanted = words(test, patterns), with = words(test, labels), names;
	AUTO(text_drop) struct text text = {0};
	struct error err;

	ASSERT_OK(instance_select(&test->arena, &test->host, &wanted, &with, &names, &err));
	for (size_t i = 0; i < names.count; i++)
		text_appendf(&text, "%s%s", i ? " " : "", names.items[i]);
	return arena_string(&test->arena, text_string(&text));
}

TEST(status, selects_by_pattern_and_label)
{
	struct test_host test;
	struct strings names, wrong;
	struct error err;

	test_host_open(&test);
	labelled(&test, "site-10", "tier", "web");
	labelled(&test, "site-2", "tier", "web");
	labelled(&test, "db", "tier", "data");
	labelled(&test, "cache", "owner", "me");
	cr_assert_str_eq(selected(&test, "", ""), "cache db site-2 site-10");
	cr_assert_str_eq(selected(&test, "site-*", ""), "site-2 site-10");
	cr_assert_str_eq(selected(&test, "site-? db", ""), "db site-2");
	cr_assert_str_eq(selected(&test, "", "tier"), "db site-2 site-10");
	cr_assert_str_eq(selected(&test, "", "tier=data"), "db");
	cr_assert_str_eq(selected(&test, "s*", "tier=data"), "");
	cr_assert_str_eq(selected(&test, "none-*", ""), "");
	wrong = words(&test, "cach");
	ASSERT_FAILS(instance_select(&test.arena, &test.host, &wrong, &(struct strings){0}, &names, &err),
		ERROR_MISSING, "no instance \"cach\"; did you mean \"cache\"?");
	test_host_close(&test);
}

TEST(status, one_damaged_instance_does_not_hide_the_others)
{
	struct test_host test;
	struct instance_list list;
	struct error err;

	test_host_open(&test);
	labelled(&test, "a", "x", "y");
	labelled(&test, "b", "x", "y");
	labelled(&test, "c", "x", "y");
	auto_fd b = openat(test.host.instances, "b", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ASSERT_OK(file_replace(b, "spec.json", 0600, FILE_VOLATILE, "{\"name\": ", 9, &err));
	cr_assert(unlinkat(b, "record.json", 0) == 0);
	ASSERT_OK(instance_list_read(&test.arena, &test.host, &list, &err));
	cr_assert(list.count == 3);
	cr_assert(list.items[0].state == INSTANCE_CREATED && list.items[2].state == INSTANCE_CREATED);
	cr_assert(list.items[1].state == INSTANCE_DAMAGED && !list.items[1].spec);
	cr_assert(strstr(list.items[1].damage, "record.json"), "%s", list.items[1].damage);
	ASSERT_FAILS(instance_start(&test.host, "b", &(struct start_options){0}, &err), ERROR_MISSING, "record.json");
	/* Removing it works, and its slot, which nothing names any more, is free again. */
	ASSERT_OK(instance_remove(&test.host, "b", true, &err));
	fd_drop(&b);
	unsigned slot;

	ASSERT_OK(slot_take(&test.host.net, 2, &slot, &err));
	ASSERT_OK(slot_release(&test.host.net, slot, &err));
	test_host_close(&test);
}

TEST(status, the_inspect_document_is_json_with_the_facts)
{
	struct test_host test;
	struct cgroup_limits limits;
	struct json_doc doc;
	struct error err;
	size_t length;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	spec.resources.pids = (struct optional){.set = true, .value = 17};
	test_run(&test, &spec);
	struct instance_status status = test_status(&test, "web");

	ASSERT_OK(instance_limits_read(&test.arena, &test.host, &status, &limits, &err));
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);

	instance_status_encode(encoder, &status, &limits);
	auto_free char *text = encoder_take(encoder, &length);

	ASSERT_OK(json_parse(&test.arena, "inspect", text, length, JSON_PLAIN, &doc, &err));
	cr_assert_str_eq(json_get(doc.root, "name")->text, "web");
	cr_assert_str_eq(json_get(doc.root, "state")->text, "running");
	cr_assert(json_get(doc.root, "monitored")->boolean);
	cr_assert_str_eq(json_get(json_get(doc.root, "limits_in_kernel"), "pids_max")->text, "17");
	cr_assert_str_eq(json_get(json_get(doc.root, "spec"), "name")->text, "web");
	test_host_close(&test);
}

TEST(status, figures_of_running_ones_only)
{
	struct test_host test;
	struct stats_sample sample, again;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "while :; do :; done");

	test_run(&test, &spec);
	labelled(&test, "idle", "x", "y");
	ASSERT_OK(
		instance_stats_read(&test.arena, &test.host, &(struct strings){0}, STATS_DETAILS, NULL, &sample, &err));
	cr_assert(sample.count == 1);
	cr_assert_str_eq(sample.items[0].name, "web");
	cr_assert(!sample.items[0].cpu_permille.set, "one sample says nothing of a share");
	cr_assert(sample.items[0].cgroup.pids.set && sample.items[0].cgroup.pids.value >= 1);
	usleep(300000);
	ASSERT_OK(
		instance_stats_read(&test.arena, &test.host, &(struct strings){0}, STATS_PLAIN, &sample, &again, &err));
	cr_assert(again.items[0].cpu_permille.value > 20, "%lld", (long long)again.items[0].cpu_permille.value);
	test_host_close(&test);
}

/* Its monitor was killed after its program had begun, and before that was written down: nobody would ever say that it
 * runs, so it does not, and the next start begins anew. */
TEST(status, a_start_that_nobody_makes_any_more_is_none)
{
	struct test_host test;
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");
	test_run(&test, &spec);
	auto_instance instance = INSTANCE_EMPTY;
	struct run run;
	ASSERT_OK(instance_find(&test.host, "web", &instance, &err));
	ASSERT_OK(run_read(&test.arena, instance.live, &run, &err));
	run.started = false;
	ASSERT_OK(run_write(instance.live, &run, &err));
	cr_assert(test_status(&test, "web").state == INSTANCE_STARTING, "its monitor lives");
	test_kill_monitor(&test, "web");
	cr_assert(test_status(&test, "web").state == INSTANCE_STOPPED);
	ASSERT_OK(instance_start(&test.host, "web", &(struct start_options){0}, &err));
	cr_assert(test_status(&test, "web").state == INSTANCE_RUNNING);
	cr_assert(!process_is_alive(&run.init));
	instance_drop(&instance);
	test_host_close(&test);
}
