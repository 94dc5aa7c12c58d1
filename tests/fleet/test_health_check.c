/* From what the file says to a check that can be carried out. */
#include "base/cleanup.h"
#include "fleet/health/health.h"
#include "fleet/state/image.h"
#include "tests/test.h"

TEST(health_check, takes_an_address_apart)
{
	static const struct {
		const char *text, *host, *path;
		uint16_t port;
	} rows[] = {
		{"http://:8080/live", "localhost", "/live", 8080},
		{"http://", "localhost", "/", 80},
		{"http://shop.example", "shop.example", "/", 80},
		{"http://shop.example:81", "shop.example", "/", 81},
		{"http://shop.example/a?b=%20#c", "shop.example", "/a?b=%20#c", 80},
	};
	struct health_url url;
	struct error err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ASSERT_OK(health_url_parse(rows[i].text, &url, &err));
		cr_assert(
			url.port == rows[i].port && !strcmp(url.host, rows[i].host) && !strcmp(url.path, rows[i].path),
			"%s: %s %u %s", rows[i].text, url.host, url.port, url.path);
	}
}

TEST(health_check, refuses_what_could_end_the_requests_first_line)
{
	static const char *const wrong[] = {"", "http:/x", "ftp://x/", "http://x:/", "http://x:65536/", "http://x:080/",
		"http://x/a b", "http://x/a\r\nHost: y", "http://x/\x80", "http://a b/", "http://x?y"};
	struct health_url url;
	struct error err;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ASSERT_FAILS(health_url_parse(wrong[i], &url, &err), ERROR_USAGE, "");
}

static struct health_check make(struct instance_spec *spec, const struct image_check *image)
{
	struct image_config config = {.check = (struct image_check *)image};
	struct health_check check;

	instance_image_health(&config, spec);
	health_check_make(spec, &(struct record){0}, &check);
	return check;
}

TEST(health_check, takes_the_images_where_nothing_is_said)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct image_check image = {.interval_ms = 7000, .retries = 9};
	struct instance_spec spec;

	strings_add(&arena, &image.test, "CMD");
	strings_add(&arena, &image.test, "true");
	instance_spec_init(&arena, &spec, false);
	cr_assert(make(&spec, NULL).kind == HEALTH_KIND_NONE);
	spec.health.interval_ms = (struct optional){true, 500};
	struct health_check check = make(&spec, &image);

	cr_assert(check.kind == HEALTH_KIND_TEST && check.interval_ms == 500 && check.retries == 9);
	cr_assert(check.timeout_ms == 5000 && check.start_period_ms == 10000 && check.start_interval_ms == 1000);
	instance_spec_init(&arena, &spec, false);
	spec.health.tcp = 80;
	check = make(&spec, &image);
	cr_assert(check.kind == HEALTH_KIND_TCP && check.port == 80 && check.retries == 3);
	instance_spec_init(&arena, &spec, false);
	spec.health.disable = true;
	cr_assert(make(&spec, &image).kind == HEALTH_KIND_NONE);
	instance_spec_init(&arena, &spec, false);
	strings_add(&arena, &spec.health.test, "NONE");
	cr_assert(make(&spec, &image).kind == HEALTH_KIND_NONE);
}

TEST(health_check, restarts_by_itself_in_a_fleet_alone)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec spec;

	instance_spec_init(&arena, &spec, false);
	spec.health.http = "http://shop:81/x";
	struct health_check check = make(&spec, NULL);

	cr_assert(check.on_failure == HEALTH_LEAVE);
	cr_assert(strstr(check.request, "GET /x HTTP/1.1\r\nHost: shop\r\n") == check.request, "%s", check.request);
	cr_assert(strstr(check.request, "\r\n\r\n"));
	spec.fleet = "f";
	cr_assert(make(&spec, NULL).on_failure == HEALTH_RESTART);
	spec.health.on_failure = HEALTH_STOP;
	cr_assert(make(&spec, NULL).on_failure == HEALTH_STOP);
}

/* What is asked on port 80 of a program whose port 80 is a socket of the host's. */
TEST(health_check, asks_a_port_in_socket_mode_where_the_host_listens)
{
	struct arena arena = {0};
	struct instance_spec spec;
	struct record record = {0};
	struct port port;
	struct health_check check;
	struct error err;

	instance_spec_init(&arena, &spec, true);
	spec.name = "site";
	spec.image = "host";
	spec.network = "none";
	strings_add(&arena, &spec.command, "server");
	spec.health.http = "http://:80/";
	ASSERT_OK(port_parse("0.0.0.0:18080:80/tcp+socket", &port, &err));
	spec.ports.items = &port;
	spec.ports.count = 1;
	health_check_make(&spec, &record, &check);
	cr_assert(!check.inside && check.port == 18080 && check.address.v4.s_addr == htonl(INADDR_LOOPBACK));
	spec.health.http = "http://:81/";
	health_check_make(&spec, &record, &check);
	cr_assert(check.inside && check.port == 81);
	spec.health.http = NULL;
	spec.health.tcp = 80;
	ASSERT_FAILS(instance_spec_check(&spec, &err), ERROR_USAGE, "where connections come about without the program");
	spec.health.tcp = 0;
	spec.health.http = "http://:80/";
	port.published = 0;
	ASSERT_FAILS(instance_spec_check(&spec, &err), ERROR_USAGE, "say at which number that is");
	arena_drop(&arena);
}
