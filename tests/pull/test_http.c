/* images/pull/http.c and retry.c, against a server that does what servers do. */
#include "images/pull/http.h"

#include "base/cleanup.h"
#include "images/pull/retry.h"
#include "tests/pull/support_server.h"
#include "tests/test.h"

struct world {
	struct server server;
	struct http http;
	struct arena arena;
	struct memory_sink body;
	struct http_reply reply;
	struct error err;
};

static struct world *world_make(const struct server_reply *replies, size_t count)
{
	struct world *world = calloc(1, sizeof(*world));

	server_start(&world->server);
	server_script(&world->server, replies, count);
	cr_assert(http_open(&world->http, NULL, true, &world->err) == 0);
	world->body = memory_sink_new();
	return world;
}

static void world_drop(struct world **world)
{
	http_close(&(*world)->http);
	server_stop(&(*world)->server);
	memory_sink_drop(&(*world)->body);
	arena_drop(&(*world)->arena);
	free(*world);
}

static int get(struct world *world, const char *host, int64_t from, int64_t max)
{
	struct http_request request = {.url = arena_format(&world->arena, "http://%s/start", host),
		.authorization = "Bearer secret",
		.from = from,
		.max = max,
		.sink = &world->body.sink};

	return http_fetch(&world->http, &request, &world->arena, &world->reply, &world->err);
}

#define WORLD(...)                                                                                                     \
	const struct server_reply script[] = {__VA_ARGS__};                                                            \
	AUTO(world_drop) struct world *world = world_make(script, ARRAY_SIZE(script))

TEST(http, a_good_reply_goes_into_the_sink_and_a_bad_one_into_the_error)
{
	WORLD({.status = 200, .body = "hello", .headers = "Content-Type: a/b\r\nDocker-Content-Digest: sha256:x\r\n"},
		{.status = 418,
			.body = "teapot",
			.headers = "Retry-After: 7\r\nWWW-Authenticate: A\r\nWWW-Authenticate: B\r\n"});

	cr_assert_eq(get(world, world->server.host, 0, 100), 0, "%s", world->err.text);
	cr_assert(http_is_good(&world->reply));
	cr_assert_str_eq(text_string(&world->body.text), "hello");
	cr_assert_str_eq(world->reply.content_type, "a/b");
	cr_assert_str_eq(world->reply.digest, "sha256:x");
	cr_assert_eq(world->reply.retry_after_ms, -1);
	cr_assert(server_saw(&world->server, 0, "Authorization: Bearer secret"));
	cr_assert(server_saw(&world->server, 0, "User-Agent: warren/"));
	cr_assert_eq(get(world, world->server.host, 0, 100), 0);
	cr_assert_eq(world->reply.status, 418);
	cr_assert_str_eq(world->reply.text, "teapot");
	cr_assert_eq(world->reply.retry_after_ms, 7000);
	cr_assert_eq(world->reply.challenges.count, 2);
	cr_assert_str_eq(text_string(&world->body.text), "hello", "nothing was added");
}

TEST(http, more_than_there_may_be_ends_the_transfer)
{
	WORLD({.status = 200, .body = "123456"}, {.status = 200, .body = "12345"});

	cr_assert_eq(get(world, world->server.host, 0, 5), -1);
	cr_assert(strstr(world->err.text, "more than the 5 bytes"), "%s", world->err.text);
	cr_assert_eq(world->reply.failure, HTTP_FAILED_FOR_GOOD);
	cr_assert_eq(get(world, world->server.host, 0, 5), 0);
}

TEST(http, a_range_is_taken_as_the_server_gives_it)
{
	WORLD({.status = 206, .body = "lo", .headers = "Content-Range: bytes 3-4/5\r\n"},
		{.status = 200, .body = "hello"},
		{.status = 206, .body = "ello", .headers = "Content-Range: bytes 1-4/5\r\n"});

	cr_assert_eq(get(world, world->server.host, 3, 2), 0, "%s", world->err.text);
	cr_assert(server_saw(&world->server, 0, "Range: bytes=3-"));
	cr_assert_str_eq(text_string(&world->body.text), "lo");
	cr_assert_eq(get(world, world->server.host, 3, 2), 0, "%s", world->err.text);
	cr_assert_str_eq(text_string(&world->body.text), "lolo", "what comes before is thrown away");
	cr_assert_eq(world->reply.received, 2);
	cr_assert_eq(get(world, world->server.host, 3, 2), -1);
	cr_assert(strstr(world->err.text, "asked for bytes from 3, the server sends from 1"), "%s", world->err.text);
}

TEST(http, a_cut_connection_says_how_far_it_came)
{
	WORLD({.status = 200, .body = "hello", .cut = 2});

	cr_assert_eq(get(world, world->server.host, 0, 5), -1);
	cr_assert_eq(world->reply.failure, HTTP_FAILED_ON_THE_WAY);
	cr_assert_eq(world->reply.received, 2);
}

TEST(http, credentials_do_not_follow_to_another_host)
{
	AUTO(arena_drop) struct arena arena = {0};
	char there[96];
	struct server_reply script[] = {{.status = 307, .headers = "Location: /elsewhere\r\n"},
		{.status = 302, .headers = there}, {.status = 200, .body = "x"}};
	AUTO(world_drop) struct world *world = world_make(script, ARRAY_SIZE(script));

	/* another name for the same address is another host */
	snprintf(there, sizeof(there), "Location: http://localhost:%d/other\r\n", world->server.port);
	cr_assert_eq(get(world, world->server.host, 0, 5), 0, "%s", world->err.text);
	cr_assert(server_saw(&world->server, 1, "GET /elsewhere") && server_saw(&world->server, 1, "Authorization:"));
	cr_assert(server_saw(&world->server, 2, "GET /other") && !server_saw(&world->server, 2, "Authorization:"));
	cr_assert(world->reply.redirected);
	cr_assert_str_eq(text_string(&world->body.text), "x");
}

TEST(http, redirections_that_lead_nowhere_end)
{
	static const struct server_reply again = {.status = 302, .headers = "Location: /again\r\n"};
	struct server_reply script[13] = {{.status = 302, .headers = "Location: file:///etc/passwd\r\n"},
		{.status = 302, .headers = "Location: ftp://127.0.0.1/x\r\n"}, again, again, again, again, again, again,
		again, again, again, again, again};
	AUTO(world_drop) struct world *world = world_make(script, ARRAY_SIZE(script));

	for (unsigned i = 0; i < 2; i++) {
		cr_assert_eq(get(world, world->server.host, 0, 5), -1);
		cr_assert(strstr(world->err.text, "is no address of a web server"), "%s", world->err.text);
	}
	cr_assert_eq(get(world, world->server.host, 0, 5), -1);
	cr_assert(strstr(world->err.text, "sent on more than 10 times"), "%s", world->err.text);
	cr_assert_eq(world->reply.failure, HTTP_FAILED_FOR_GOOD);
}

TEST(http, a_proxy_of_the_environment_is_asked_but_for_what_it_is_not_for)
{
	WORLD({.status = 200, .body = "by proxy"}, {.status = 200, .body = " and not"});
	auto_free char *proxy = text_format("http://%s", world->server.host);

	setenv("http_proxy", proxy, 1);
	cr_assert_eq(get(world, "registry.invalid:5000", 0, 100), 0, "%s", world->err.text);
	cr_assert(server_saw(&world->server, 0, "GET http://registry.invalid:5000/start HTTP/1.1"));
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("no_proxy", "127.0.0.1", 1);
	cr_assert_eq(get(world, world->server.host, 0, 100), 0, "%s", world->err.text);
	cr_assert(server_saw(&world->server, 1, "GET /start HTTP/1.1"));
	cr_assert_str_eq(text_string(&world->body.text), "by proxy and not");
}

TEST(http, nobody_there_is_told_from_a_broken_connection)
{
	WORLD({.status = 200});
	struct server gone;

	server_start(&gone);
	server_stop(&gone);
	cr_assert_eq(get(world, gone.host, 0, 5), -1);
	cr_assert_eq(world->reply.failure, HTTP_NOT_REACHED);
}

/* --- trying again ------------------------------------------------------------------------------------------------- */

TEST(http, delays_double_and_are_never_quite_the_same)
{
	const struct retry_policy policy = {.attempts = 100, .base_ms = 1000};
	const struct http_reply plain = {.retry_after_ms = -1}, asked = {.retry_after_ms = 3000};
	struct retry retry = {.policy = &policy};

	for (retry.made = 1; retry.made < 40; retry.made++) {
		int64_t full = retry.made < 6 ? 1000 << (retry.made - 1) : 30000;

		cr_assert_eq(retry_delay_ms(&retry, &plain, 0), full / 2);
		for (uint32_t random = 1; random < 4000000000U; random += 399999999U) {
			int64_t delay = retry_delay_ms(&retry, &plain, random);

			cr_assert(delay >= full / 2 && delay <= full, "%u: %lld", retry.made, (long long)delay);
			delay = retry_delay_ms(&retry, &asked, random);
			cr_assert(delay >= 3000 && delay <= 4000);
		}
	}
}

static int count_writes(struct sink *sink, const void *bytes, size_t length, struct error *err)
{
	(void)sink, (void)bytes;
	return length ? 0 : fail(err, ERROR_SYSTEM, "nobody wants it");
}

TEST(http, what_is_worth_another_try_gets_one_and_nothing_else)
{
	static const struct {
		int result;
		struct http_reply reply;
		unsigned made;
		int expected;
	} cases[] = {
		{0, {.status = 200, .retry_after_ms = -1}, 0, 0},
		{0, {.status = 404, .retry_after_ms = -1}, 0, 0},
		{0, {.status = 401, .retry_after_ms = -1}, 0, 0},
		{0, {.status = 503, .retry_after_ms = -1}, 0, 1},
		{0, {.status = 429, .retry_after_ms = 0}, 0, 1},
		{0, {.status = 429, .retry_after_ms = 3600000}, 0, 0},
		{0, {.status = 503, .retry_after_ms = -1}, 4, 0},
		{-1, {.failure = HTTP_FAILED_ON_THE_WAY, .retry_after_ms = -1}, 3, 1},
		{-1, {.failure = HTTP_FAILED_ON_THE_WAY, .retry_after_ms = -1}, 4, 0},
		{-1, {.failure = HTTP_NOT_REACHED, .retry_after_ms = -1}, 0, 1},
		{-1, {.failure = HTTP_NOT_REACHED, .retry_after_ms = -1}, 1, 0},
		{-1, {.failure = HTTP_FAILED_FOR_GOOD, .retry_after_ms = -1}, 0, 0},
	};
	const struct retry_policy policy = {.attempts = 5, .base_ms = 1};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct retry retry = {&policy, cases[i].made};
		struct error err = {0};

		cr_assert_eq(
			retry_wait(&retry, cases[i].result, &cases[i].reply, NULL, &err), cases[i].expected, "%zu", i);
	}
}

TEST(http, a_wait_ends_when_nobody_wants_the_bytes_any_more)
{
	const struct retry_policy policy = {.attempts = 5, .base_ms = 60000};
	const struct http_reply reply = {.status = 503, .retry_after_ms = -1};
	struct retry retry = {.policy = &policy};
	struct sink sink = {count_writes};
	struct error err;

	ASSERT_FAILS(retry_wait(&retry, 0, &reply, &sink, &err), ERROR_SYSTEM, "nobody wants it");
}
