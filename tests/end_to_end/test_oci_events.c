/* warren-oci events: the layout that collectors of figures parse, and the line when memory runs out. */
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

static const struct json *get(const struct json *node, const char *const path[])
{
	for (; *path; path++) {
		node = json_get(node, *path);
		cr_assert(node, "no %s", *path);
	}
	return node;
}
#define GET(node, ...) get(node, (const char *const[]){__VA_ARGS__, NULL})

static void sleeper_start(struct bundle *bundle)
{
	BUNDLE_WRITE(bundle, .args = "[\"/bin/sleep\", \"1000\"]",
		.system = "\"resources\": {\"memory\": {\"limit\": 104857600}, \"cpu\": {\"quota\": 50000}, "
			  "\"pids\": {\"limit\": 100}}");
	auto_run run = OCI(bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
}

TEST(oci_events, prints_figures_once_in_the_layout_of_runc)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	auto_bundle bundle = bundle_new();

	sleeper_start(&bundle);
	auto_run run = OCI(&bundle, "events", "--stats", "ID");
	ASSERT_STATUS(run, 0);
	cr_assert(strchr(run.out, '\n') == run.out + run.out_length - 1, "not one line: %s", run.out);
	const struct json *root = parse(&arena, run.out);
	cr_assert_str_eq(json_get(root, "type")->text, "stats");
	cr_assert_str_eq(json_get(root, "id")->text, bundle.id);
	cr_assert_str_eq(GET(root, "data", "memory", "usage", "limit")->text, "104857600");
	cr_assert(GET(root, "data", "memory", "usage", "usage")->kind == JSON_NUMBER);
	cr_assert_str_eq(GET(root, "data", "memory", "usage", "failcnt")->text, "0");
	cr_assert(GET(root, "data", "memory", "raw", "pgfault")->kind == JSON_NUMBER);
	cr_assert_str_eq(GET(root, "data", "pids", "current")->text, "1");
	cr_assert_str_eq(GET(root, "data", "pids", "limit")->text, "100");
	cr_assert(GET(root, "data", "cpu", "usage", "total")->kind == JSON_NUMBER);
	cr_assert(GET(root, "data", "cpu", "usage", "kernel")->kind == JSON_NUMBER);
	cr_assert(GET(root, "data", "cpu", "throttling")->kind == JSON_OBJECT);
	cr_assert(GET(root, "data", "blkio")->kind == JSON_OBJECT);
	cr_assert(GET(root, "data", "hugetlb")->kind == JSON_OBJECT);
}

/* What is in /dev, a tmpfs, counts as the container's memory. */
TEST(oci_events, tell_of_memory_that_ran_out_until_the_container_ends)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *go = text_format("%s/rootfs/go", bundle.path);

	BUNDLE_WRITE(&bundle, .script = "while ! test -e /go; do sleep 0.05; done; cat /dev/zero >/dev/hog",
		.mounts = "{\"destination\": \"/dev/zero\", \"type\": \"bind\", \"source\": \"/dev/zero\", "
			  "\"options\": [\"bind\"]}",
		.system = "\"resources\": {\"memory\": {\"limit\": 16777216, \"swap\": 16777216}}");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	ASSERT_STATUS(run, 0);
	/* The hog begins when figures have come twice; it may take the whole container with it. */
	auto_free char *command = text_format("%s --root %s events --interval 100ms %s | while read -r line; do echo "
					      "\"$line\"; n=$n.; test $n != .. || touch %s; done",
		WARREN_OCI_PROGRAM, bundle.state, bundle.id, go);
	auto_run events = RUN("sh", "-c", command);
	ASSERT_STATUS(events, 0);
	auto_free char *oom = text_format("{\"type\":\"oom\",\"id\":\"%s\"}\n", bundle.id);
	cr_assert(strstr(events.out, oom), "%s", events.out);
	cr_assert(text_starts_with(events.out, "{\"type\":\"stats\""), "%s", events.out);
	size_t figures = 0;
	for (const char *at = events.out; (at = strstr(at, "{\"type\":\"stats\"")); at++)
		figures++;
	cr_assert(figures >= 2, "%zu: %s", figures, events.out);
}

TEST(oci_events, refuse_what_does_not_run)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	auto_run absent = OCI(&bundle, "events", "--stats", "ID");
	ASSERT_STATUS(absent, 1);
	cr_assert(strstr(absent.err, "does not exist"), "%s", absent.err);
	BUNDLE_WRITE(&bundle, .args = "[\"/bin/true\"]");
	auto_run kept = OCI(&bundle, "run", "--keep", "ID");
	ASSERT_STATUS(kept, 0);
	auto_run ended = OCI(&bundle, "events", "ID");
	ASSERT_STATUS(ended, 1);
	cr_assert(strstr(ended.err, " is not running\n"), "%s", ended.err);
	auto_run interval = OCI(&bundle, "events", "--interval", "0", "ID");
	ASSERT_STATUS(interval, 1);
	cr_assert(strstr(interval.err, "--interval: must be longer than 0"), "%s", interval.err);
}
