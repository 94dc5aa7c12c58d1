/* The examples, brought up and fetched from as their comments say. */
#include <stdlib.h>

#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

static char *example(const char *name)
{
	static const char here[] = "/tests/end_to_end/test_fleet_examples.c";

	return text_format("%.*s/examples/%s", (int)(strlen(__FILE__) - strlen(here)), __FILE__, name);
}

static void expect_page(const char *port, const char *text)
{
	auto_free char *address = text_format("http://127.0.0.1:%s/", port);
	auto_run page =
		RUN("curl", "-s", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "-m", "20", address);

	cr_assert(strstr(page.out, text), "%s: %s%s", address, page.out, page.err);
}

/* The kernel takes links away some time after the network namespace that they led to has ended. */
static void expect_no_links(void)
{
	int64_t deadline_ms = clock_ms() + 10000;

	for (;;) {
		auto_run links = RUN("ip", "-br", "link");

		if (!strchr(strchr(links.out, '\n') + 1, '\n'))
			return;
		cr_assert(clock_ms() < deadline_ms, "links are left: %s", links.out);
		usleep(20000);
	}
}

TEST(fleet_examples, web_shows_three_pages_from_three_instances, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	auto_playground playground = playground_new();
	auto_free char *file = example("web.json");

	WARREN_OK(&playground, "apply", file);
	expect_page("8081", "This is site 1");
	expect_page("8082", "This is site 2");
	expect_page("8083", "This is site 3");
	auto_run again = WARREN(&playground, "apply", file);
	cr_assert_str_eq(again.out, "web: 3 unchanged\n", "%s", again.out);
	/* The server's own users, the limits and the read-only root. */
	WARREN_OK(&playground, "exec", "site-1", "sh", "-c", "grep -q '^Uid:.33' /proc/[0-9]*/status");
	cr_assert_str_eq(instance_cgroup_file(&playground, "site-2", "pids", "pids.max", "pids.max"), "32\n");
	auto_run touch = WARREN(&playground, "exec", "site-1", "touch", "/etc/x");
	cr_assert(touch.status == 1 && strstr(touch.err, "Read-only file system"), "%d %s", touch.status, touch.err);
	WARREN_OK(&playground, "down", "web");
	expect_no_links();
}

TEST(fleet_examples, minimal_runs, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_free char *file = example("minimal.json");

	WARREN_OK(&playground, "apply", file);
	cr_assert_str_eq(instance_fact(&playground, "sleeper", "state"), "running");
	WARREN_OK(&playground, "down", "minimal");
}
