/* Health checks as a user drives them. */
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

#define TIMEOUT_MS SLOWLY(20000)

static const char *health_of(struct playground *here, const char *name)
{
	const struct json *health = json_get(instance_inspect(here, name), "health");

	return health ? json_get(health, "state")->text : "none";
}

static void await_health(struct playground *here, const char *name, const char *state)
{
	int64_t deadline = clock_ms() + TIMEOUT_MS;

	while (strcmp(health_of(here, name), state) != 0) {
		cr_assert(clock_ms() < deadline, "%s is %s", name, health_of(here, name));
		usleep(10000);
	}
}

static void expect_error(struct run_result run, int status, const char *text)
{
	cr_assert(run.status == status, "status %d: %s%s", run.status, run.out, run.err);
	cr_assert(strstr(run.err, text), "said %s", run.err);
	run_result_drop(&run);
}

TEST(health, flags_make_a_check_and_its_state_is_shown, .fini = playground_rescue)
{
	auto_playground here = playground_new();

	WARREN_OK(&here, "run", "-d", "--name", "blog", "--health-cmd", "test ! -e /tmp/ill", "--health-interval",
		"100ms", "--health-retries", "1", "--health-start-period", "10m", "host", "--", "sleep", "1000");
	await_health(&here, "blog", "healthy");
	auto_run list = WARREN(&here, "list", "--format", "{{.Name}} {{.Health}}");

	cr_assert_str_eq(list.out, "blog healthy\n", "%s%s", list.out, list.err);
	auto_run well = WARREN(&here, "healthcheck", "run", "blog");

	cr_assert(well.status == 0 && strstr(well.out, "blog: well ("), "%d %s%s", well.status, well.out, well.err);
	WARREN_OK(&here, "exec", "blog", "touch", "/tmp/ill");
	auto_run ill = WARREN(&here, "healthcheck", "run", "-q", "blog");

	cr_assert(ill.status == 1 && !*ill.out, "%d %s%s", ill.status, ill.out, ill.err);
	await_health(&here, "blog", "unhealthy");
	auto_run events = WARREN(&here, "events", "--filter", "event=health");

	const char *first = strstr(events.out, "unhealthy");

	cr_assert(first, "%s%s", events.out, events.err);
	WARREN_OK(&here, "pause", "blog");
	WARREN_OK(&here, "resume", "blog");
	WARREN_OK(&here, "rm", "-f", "blog");
}

TEST(health, why_tells_of_the_ends, .fini = playground_rescue)
{
	auto_playground here = playground_new();
	auto_run refused = WARREN(&here, "why", "nonesuch");

	cr_assert(refused.status == 3, "%s", refused.err);
	auto_run crash = WARREN(&here, "run", "--name", "job", "host", "--", "sh", "-c", "echo no disk >&2; exit 9");

	cr_assert(crash.status == 9, "%s", crash.err);
	auto_run why = WARREN(&here, "why", "job");

	cr_assert(strstr(why.out, "job: stopped\n  20") == why.out, "%s%s", why.out, why.err);
	cr_assert(strstr(why.out, "  exited, exit 9, after ") && strstr(why.out, "Z stderr no disk\n"), "%s", why.out);
	const struct json *ends = json_get(instance_inspect(&here, "job"), "ends");

	cr_assert(ends && ends->count == 1);
	cr_assert_str_eq(json_get(ends->first, "status")->text, "9");
	auto_run json = WARREN(&here, "why", "--json", "job");

	cr_assert(strstr(json.out, "\"job\": [") && strstr(json.out, "\"reason\": \"exited\""), "%s", json.out);
}

TEST(health, wrong_flags_are_refused, .fini = playground_rescue)
{
	auto_playground here = playground_new();

	expect_error(WARREN(&here, "create", "--name", "a", "--no-healthcheck", "--health-cmd", "true", "host", "true"),
		2, "--no-healthcheck and other flags of the health check exclude each other");
	expect_error(WARREN(&here, "create", "--name", "a", "--health-http", "http://x", "--health-tcp", "80", "host",
			     "true"),
		2, "healthcheck: \"http\", \"tcp\" and \"test\" exclude each other");
	expect_error(WARREN(&here, "create", "--name", "a", "--health-http", "x", "host", "true"), 2,
		"healthcheck.http: \"x\": expected http://[name][:port][/path]");
	expect_error(WARREN(&here, "create", "--name", "a", "--health-tcp", "80", "--health-on-failure", "kill", "host",
			     "true"),
		2, "expected restart, stop or none");
	WARREN_OK(&here, "create", "--name", "a", "host", "true");
	expect_error(WARREN(&here, "healthcheck", "run", "a"), 4, "a is not running");
	WARREN_OK(&here, "rm", "a");
	WARREN_OK(&here, "run", "-d", "--name", "a", "host", "sleep", "1000");
	expect_error(WARREN(&here, "healthcheck", "run", "a"), 2, "a has no health check, and neither has its image");
}
