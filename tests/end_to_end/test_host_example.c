/* examples/host.json as its comments say: a hundred sites (every day ten), changed live, in waves, by another image,
 * and by one that does not work. */
#include <stdlib.h>

#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_load.h"
#include "tests/test.h"

static bool is_whole(void)
{
	return getenv("WARREN_TEST_ALL_POINTS");
}

/* A copy that the test may change. Every day a tenth of it, in fewer waves. */
static const char *example_copy(struct playground *playground)
{
	static const char here[] = "/tests/end_to_end/test_host_example.c";
	static const char fewer[] =
		"sed -i 's/\"replicas\": \\([136]\\)0/\"replicas\": \\1/; s/\"20%\"/\"50%\"/; s/\"monitor\": "
		"\"2s\"/\"monitor\": \"100ms\"/' host.json";
	auto_free char *command = text_format("cp -r %.*s/examples/host %.*s/examples/host.json %s; cd %s; %s",
		(int)(strlen(__FILE__) - strlen(here)), __FILE__, (int)(strlen(__FILE__) - strlen(here)), __FILE__,
		playground->directory.path, playground->directory.path, is_whole() ? "" : fewer);
	auto_run run = RUN("sh", "-ec", command);

	cr_assert(run.status == 0, "%s", run.err);
	return arena_format(&playground->arena, "%s/host.json", playground->directory.path);
}

static void example_edit(const char *file, const char *expression)
{
	auto_run run = RUN("sed", "-i", expression, file);

	cr_assert(run.status == 0, "%s", run.err);
}

/* The last line of what apply says. */
static void expect_apply(struct playground *playground, const char *file, int status, const char *summary)
{
	auto_free char *line = text_format("\n%s\n", summary);
	auto_run run = playground_warren(playground, (const char *const[]){"apply", file, NULL},
		&(struct run_options){.timeout_ms = SLOWLY(200000)});
	auto_free char *out = text_format("\n%s", run.out);

	cr_assert(run.status == status, "status %d: %s%s", run.status, run.out, run.err);
	cr_assert(text_ends_with(out, line), "said %s%s", run.out, run.err);
}

static const char *pids(struct playground *playground)
{
	auto_run run = WARREN(playground, "list", "--format", "{{.Name}} {{.Pid}}");

	cr_assert(run.status == 0, "%s", run.err);
	return arena_string(&playground->arena, run.out);
}

static void expect_page(const char *site)
{
	auto_free char *header = text_format("Host: www.%s.example", site);
	auto_free char *page = text_format("This is %s.\n", site);
	auto_run run = RUN("curl", "-s", "-m", "20", "-H", header, "http://127.0.0.1:8080/");

	cr_assert_str_eq(run.out, page, "%s", run.err);
}

/* nginx and what it links to, with the host's users; without it: one in which no site starts. */
static void image_make(struct playground *playground, const char *name, const char *program)
{
	auto_free char *command = text_format("mkdir -p %s/%s/etc; cd %s/%s; cp /etc/passwd /etc/group etc/; "
					      "cp -L --parents $(ldd %s | grep -o '/[^ ]*') %s .",
		playground->directory.path, name, playground->directory.path, name, program, program);
	auto_free char *directory = text_format("%s/%s", playground->directory.path, name);
	auto_free char *tag = text_format("site:%s", name);
	auto_run run = RUN("sh", "-ec", command);

	cr_assert(run.status == 0, "%s", run.err);
	WARREN_OK(playground, "image", "import", directory, tag);
}

TEST(host_example, is_changed_live_in_waves_and_by_images_that_work, .fini = playground_rescue, .timeout = SLOWLY(900))
{
	NEEDS_A_FAST_PROCESSOR();
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = playground_new();
	const char *file = example_copy(&playground);
	int small = is_whole() ? 60 : 6, sites = is_whole() ? 100 : 10;
	const char *arena_text;

	expect_apply(&playground, file, 0, arena_format(&playground.arena, "host: %d started", sites + 2));
	expect_page("small-1");
	expect_page("large-1");

	/* A limit of a profile: the same processes. */
	const char *before = pids(&playground);
	example_edit(file, "s/\"memory\": \"32M\"/\"memory\": \"40M\"/");
	auto_run plan = WARREN(&playground, "plan", file);
	cr_assert(plan.status == 2 && strstr(plan.out, "resources.memory: 32M -> 40M  (live)"), "%s", plan.out);
	arena_text = arena_format(&playground.arena, "host: %d unchanged, %d changed", sites + 2 - small, small);
	expect_apply(&playground, file, 0, arena_text);
	cr_assert_str_eq(pids(&playground), before);
	cr_assert_str_eq(instance_cgroup_file(&playground, "small-1", "memory", "memory.limit_in_bytes", "memory.max"),
		"41943040\n");

	/* A variable: all sites anew, and no visitor of one of them notices. */
	struct load load = load_begin(8080, "small-1.example");
	example_edit(file, "s/\"RELEASE\": \"1\"/\"RELEASE\": \"2\"/");
	expect_apply(&playground, file, 0, arena_format(&playground.arena, "host: 2 unchanged, %d restarted", sites));

	/* Another image for the large ones. */
	image_make(&playground, "2", "/usr/sbin/nginx");
	example_edit(file, "s/\"profiles\": \\[\"site\", \"large\"\\]/\"image\": \"site:2\", &/");
	arena_text =
		arena_format(&playground.arena, "host: %d unchanged, %d recreated", sites + 2 - sites / 10, sites / 10);
	expect_apply(&playground, file, 0, arena_text);
	auto_run image = WARREN(&playground, "list", "--format", "{{.Image}}", "large-1");
	cr_assert_str_eq(image.out, "site:2\n");
	expect_page("large-1");

	/* One that does not work for the small ones: the first is tried, and that is all. */
	before = pids(&playground);
	image_make(&playground, "3", "/bin/true");
	example_edit(file, "s/\"profiles\": \\[\"site\", \"small\"\\]/\"image\": \"site:3\", &/");
	arena_text = arena_format(
		&playground.arena, "host: %d unchanged, %d left as it was, 1 failed", sites + 2 - small, small - 1);
	expect_apply(&playground, file, 1, arena_text);
	cr_assert_str_eq(pids(&playground), before);
	load_end(&load, 50);
	expect_page("small-1");
	WARREN_OK(&playground, "down", "host");
	WARREN_OK(&playground, "volume", "rm", "store");
}
