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

/* --- tls ---------------------------------------------------------------------------------------------------------- */

/* The commands in the example's first lines, from "mkdir" to before "warren": what a user types, in another place. */
static void certificate_make(struct playground *playground)
{
	auto_run made = run_program((const char *[]){"sh", "-ec",
					    "sed -n 's|^// *\\(mkdir.*\\)|\\1|p; /openssl/,/-keyout/ s|^// *||p' "
					    "examples/tls.json >commands; [ $(wc -l <commands) -ge 4 ]; . ./commands",
					    NULL},
		&(struct run_options){.directory = playground->directory.path});

	cr_assert(made.status == 0, "%s%s", made.out, made.err);
}

static void expect_tls(struct playground *playground, const char *name, const char *page)
{
	auto_free char *resolve = text_format("%s:8443:127.0.0.1", name), *url = text_format("https://%s:8443/", name);
	auto_run run = run_program(
		(const char *[]){"curl", "-sS", "--retry", "20", "--retry-all-errors", "--retry-delay", "1", "-m", "30",
			"--cacert", "examples/tls/certs/site.crt", "--resolve", resolve, url, NULL},
		&(struct run_options){.directory = playground->directory.path});

	cr_assert(run.status == 0 && !strcmp(run.out, page), "%s: %s%s", name, run.out, run.err);
}

TEST(fleet_examples, tls_serves_two_sites_and_takes_a_new_certificate, .fini = playground_rescue,
	.timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "needs nginx");
	SKIP_UNLESS(access("/usr/bin/openssl", X_OK) == 0, "needs openssl");
	auto_playground playground = playground_new();
	auto_free char *examples = example("");
	auto_run copied = RUN("cp", "-r", examples, playground.directory.path);
	const char *file = arena_format(&playground.arena, "%s/examples/tls.json", playground.directory.path);

	ASSERT_STATUS(copied, 0);
	certificate_make(&playground);
	WARREN_OK(&playground, "apply", file);
	expect_tls(&playground, "blog.example", "This is blog.\n");
	expect_tls(&playground, "shop.example", "This is shop.\n");
	auto_run plain = RUN("curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", "-H",
		"Host: blog.example", "http://127.0.0.1:8080/x?y");
	cr_assert_str_eq(plain.out, "301 https://blog.example/x?y");
	const char *pid = instance_fact(&playground, "front", "pid");

	certificate_make(&playground);
	WARREN_OK(&playground, "exec", "front", "nginx", "-s", "reload");
	expect_tls(&playground, "shop.example", "This is shop.\n");
	cr_assert_str_eq(instance_fact(&playground, "front", "pid"), pid);
	WARREN_OK(&playground, "down", "tls");
}
