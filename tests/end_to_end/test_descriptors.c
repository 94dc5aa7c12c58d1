/* A caller who may open few files only (a container without CAP_SYS_RESOURCE, a shell with ulimit -n): everything works
 * with what there is, and what an instance gets is what can be given. */
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/text.h"
#include "tests/end_to_end/support_bundle.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_ways.h"
#include "tests/test.h"

#define CAP_SYS_RESOURCE_NUMBER 24
#define REPLICAS 32

/* For this test, which is a process of its own, and all that it starts. */
static void files_limit(rlim_t limit)
{
	const struct rlimit low = {limit, limit};

	cr_assert(prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE_NUMBER, 0, 0, 0) == 0);
	cr_assert(setrlimit(RLIMIT_NOFILE, &low) == 0);
}

/* As `ulimit -S` and `ulimit -H` say it inside. */
static void assert_limits(const struct playground *playground, const char *expected)
{
	auto_run exec = WARREN(playground, "exec", "a", "--", "sh", "-c", "ulimit -Sn; ulimit -Hn");

	cr_expect(exec.status == 0 && !strcmp(exec.out, expected), "%d: %s%s", exec.status, exec.out, exec.err);
}

static void live_with(rlim_t limit, const char *expected)
{
	auto_playground playground = playground_new();

	files_limit(limit);
	WARREN_OK(&playground, "run", "-d", "--name", "a", "-p", "8090:80", "host", "sleep", "1000");
	assert_limits(&playground, expected);
	WARREN_OK(&playground, "restart", "-t", "0s", "a");
	assert_limits(&playground, expected);
	WARREN_OK(&playground, "stop", "-t", "0s", "a");
	WARREN_OK(&playground, "start", "a");
	assert_limits(&playground, expected);
}

TEST(descriptors, fewer_than_an_instance_wants_are_given_all, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	live_with(256, "256\n256\n");
}

TEST(descriptors, hard_limit_below_the_usual_one_leaves_the_soft_one, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	live_with(4096, "1024\n4096\n");
}

TEST(descriptors, many_instances_stop_and_start_with_few, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	auto_free char *file = text_format("%s/many.json", playground.directory.path),
		       *text = text_format("{\"version\": 1, \"name\": \"many\", \"defaults\": {\"image\": \"host\", "
					   "\"network\": \"none\", \"command\": [\"sleep\", \"1000\"], "
					   "\"stop_grace_period\": 0}, \"instances\": {\"n\": {\"replicas\": %d}}}",
			       REPLICAS);

	run_write_file(playground.directory.path, "many.json", 0600, text);
	files_limit(128);
	WARREN_OK(&playground, "apply", "-q", file);
	WARREN_OK(&playground, "restart", "--all");
	WARREN_OK(&playground, "stop", "--all");
	WARREN_OK(&playground, "start", "--all");
	auto_run list = WARREN(&playground, "list", "-q", "-r");
	cr_expect(count_of(list.out, "n-") == REPLICAS, "%s", list.out);
	WARREN_OK(&playground, "down", "-q", "many");
}

/* What a bundle asks for is not bargained with. */
TEST(descriptors, bundle_gets_what_it_asks_for_or_a_reason, .timeout = SLOWLY(60))
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	files_limit(256);
	BUNDLE_WRITE(&bundle, .script = "ulimit -Sn; ulimit -Hn",
		.process = "\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 200, \"hard\": 250}]");
	auto_run fits = OCI(&bundle, "run", "ID");
	cr_expect(fits.status == 0 && !strcmp(fits.out, "200\n250\n"), "%d: %s%s", fits.status, fits.out, fits.err);
	BUNDLE_WRITE(
		&bundle, .process = "\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 1024, \"hard\": 1024}]");
	auto_run more = OCI(&bundle, "run", "ID");
	cr_expect(more.status == 1 && strstr(more.err, "a hard limit is raised only with CAP_SYS_RESOURCE"), "%d: %s",
		more.status, more.err);
	cr_expect(bundle_cgroups(&bundle) == 0);
}
