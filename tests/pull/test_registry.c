/* images/pull/session.c, token.c, registry.c and registry_layer.c against a registry that says what the test wants. */
#include "images/pull/registry.h"

#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/pull/digest.h"
#include "images/store/store.h"
#include "tests/pull/support_server.h"
#include "tests/test.h"

#define A16 "aaaaaaaaaaaaaaaa"
#define DIGEST_A "sha256:" A16 A16 A16 A16
#define OCI "application/vnd.oci.image."
#define MANIFEST                                                                                                       \
	"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":\"" DIGEST_A              \
	"\",\"size\":1},\"layers\":[]}"

struct world {
	struct server server;
	struct http http;
	struct arena arena;
	struct source *source;
	struct error err;
};

static struct world *world_make(
	const struct server_reply *replies, size_t count, const char *name, struct credentials credentials)
{
	struct world *world = calloc(1, sizeof(*world));
	struct registry_options options = {.credentials = credentials,
		.policy = {.attempts = 3, .base_ms = 1},
		.may_be_plain = true,
		.keep_bytes = 10};
	struct reference reference;

	server_start(&world->server);
	server_script(&world->server, replies, count);
	cr_assert(http_open(&world->http, NULL, true, &world->err) == 0);
	cr_assert(platform_parse(&world->arena, "linux/amd64", &options.platform, &world->err) == 0);
	cr_assert(reference_parse(&world->arena, arena_format(&world->arena, "%s/%s", world->server.host, name), NULL,
			  &reference, &world->err) == 0,
		"%s", world->err.text);
	world->source = source_open_registry(&world->http, &reference, &options);
	return world;
}

static void world_drop(struct world **world)
{
	(*world)->source->kind->drop((*world)->source);
	http_close(&(*world)->http);
	server_stop(&(*world)->server);
	arena_drop(&(*world)->arena);
	free(*world);
}

/* The first connection of a world tries TLS, which the server answers with nonsense: its first reply is that. */
#define NO_TLS                                                                                                         \
	{                                                                                                              \
		.status = 400                                                                                          \
	}
#define WORLD_AS(name, whose, ...)                                                                                     \
	const struct server_reply script[] = {NO_TLS, __VA_ARGS__};                                                    \
	AUTO(world_drop) struct world *world = world_make(script, ARRAY_SIZE(script), name, whose)
#define WORLD(...) WORLD_AS("a/b:1", (struct credentials){0}, __VA_ARGS__)

static int manifest_get(struct world *world, struct source_blob *blob)
{
	const char *bytes;
	size_t length;

	return world->source->kind->manifest(world->source, &world->arena, blob, &bytes, &length, &world->err);
}

#define ASSERT_GOOD(call) cr_assert_eq(call, 0, "%s", world->err.text)
#define ASSERT_BAD(call, expected_kind, says)                                                                          \
	do {                                                                                                           \
		cr_assert_eq(call, -1);                                                                                \
		cr_assert_eq(world->err.kind, expected_kind, "%d: %s", world->err.kind, world->err.text);              \
		cr_assert(strstr(world->err.text, says), "%s", world->err.text);                                       \
	} while (0)

/* --- documents ---------------------------------------------------------------------------------------------------- */

TEST(registry, a_manifest_is_asked_for_with_all_types_that_are_understood)
{
	struct source_blob blob;
	WORLD({.status = 200, .body = MANIFEST, .headers = "Content-Type: " OCI "manifest.v1+json\r\n"});

	ASSERT_GOOD(manifest_get(world, &blob));
	cr_assert(server_saw(&world->server, 1, "GET /v2/a/b/manifests/1 "));
	cr_assert(server_saw(&world->server, 1, OCI "index.v1+json") &&
		  server_saw(&world->server, 1, "application/vnd.docker.distribution.manifest.list.v2+json"));
	cr_assert_str_eq(blob.media_type, OCI "manifest.v1+json");
	cr_assert_null(blob.digest);
}

static const char *digest_make(struct arena *arena, const char *text)
{
	char digest[REFERENCE_DIGEST_SIZE];
	struct error err;

	ASSERT_OK(digest_of(text, strlen(text), digest, &err));
	return arena_string(arena, digest);
}

static const char *index_make(struct arena *arena, const char *digest, size_t size)
{
	return arena_format(arena,
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":\"" DIGEST_A
		"\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\"}},{\"mediaType\":\"" OCI
		"manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu,\"platform\":{\"os\":\"linux\","
		"\"architecture\":\"amd64\"}}]}",
		digest, size);
}

TEST(registry, an_index_leads_to_the_manifest_of_the_platform)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *digest = digest_make(&arena, MANIFEST), *index = index_make(&arena, digest, strlen(MANIFEST));
	struct source_blob blob;
	WORLD({.status = 200, .body = index}, {.status = 200, .body = MANIFEST});

	ASSERT_GOOD(manifest_get(world, &blob));
	cr_assert_str_eq(blob.digest, digest);
	cr_assert_str_eq(blob.index_digest, digest_make(&arena, index));
	cr_assert(server_saw(&world->server, 2, arena_format(&arena, "GET /v2/a/b/manifests/%s ", digest)));
}

TEST(registry, content_that_is_not_what_its_digest_says_is_refused)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *digest = digest_make(&arena, MANIFEST);
	const char *lying = index_make(&arena, digest, strlen(MANIFEST) + 1),
		   *forged = index_make(&arena, DIGEST_A, strlen(MANIFEST));
	struct source_blob blob;
	WORLD({.status = 200, .body = forged}, {.status = 200, .body = MANIFEST}, {.status = 200, .body = lying},
		{.status = 200, .body = MANIFEST},
		{.status = 200, .body = MANIFEST, .headers = "Docker-Content-Digest: " DIGEST_A "\r\n"});

	ASSERT_BAD(manifest_get(world, &blob), ERROR_SYSTEM, "damaged or forged");
	ASSERT_BAD(manifest_get(world, &blob), ERROR_SYSTEM, "are said to be in it");
	ASSERT_BAD(manifest_get(world, &blob), ERROR_SYSTEM, "the registry says it is " DIGEST_A);
}

TEST(registry, a_name_with_a_digest_gives_that_content_or_none)
{
	struct source_blob blob;
	WORLD_AS("a:1@" DIGEST_A, (struct credentials){0}, {.status = 200, .body = MANIFEST});

	ASSERT_BAD(manifest_get(world, &blob), ERROR_SYSTEM, "damaged or forged");
	cr_assert(server_saw(&world->server, 1, "/manifests/" DIGEST_A), "the digest decides, not the tag");
}

TEST(registry, indexes_that_lead_to_one_another_end)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *texts[6];
	struct server_reply script[6] = {NO_TLS};
	struct source_blob blob;

	texts[5] = MANIFEST;
	for (int i = 4; i >= 0; i--)
		texts[i] = index_make(&arena, digest_make(&arena, texts[i + 1]), strlen(texts[i + 1]));
	for (int i = 0; i < 5; i++)
		script[i + 1] = (struct server_reply){.status = 200, .body = texts[i]};
	AUTO(world_drop)
	struct world *world = world_make(script, ARRAY_SIZE(script), "a:1", (struct credentials){0});
	ASSERT_BAD(manifest_get(world, &blob), ERROR_USAGE, "nested deeper than 4");
}

TEST(registry, what_the_registry_says_reaches_the_user)
{
	struct source_blob blob;
	WORLD({.status = 404, .body = "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"no\\u001b[31m\"}]}"},
		{.status = 403, .body = "<html>"}, {.status = 429, .headers = "Retry-After: 4000\r\n"});

	ASSERT_BAD(manifest_get(world, &blob), ERROR_MISSING, "there is no such image: MANIFEST_UNKNOWN, no?[31m");
	ASSERT_BAD(manifest_get(world, &blob), ERROR_SYSTEM, "without a login: a/b may not be read");
	ASSERT_BAD(manifest_get(world, &blob), ERROR_SYSTEM, "it asks to come back in 4000 s");
}

TEST(registry, what_passes_is_tried_again_and_what_does_not_is_not)
{
	struct source_blob blob;
	WORLD({.status = 503}, {.status = 200, .body = MANIFEST, .cut = 10}, {.status = 200, .body = MANIFEST},
		{.status = 429, .headers = "Retry-After: 0\r\n"}, {.status = 500}, {.status = 502});

	ASSERT_GOOD(manifest_get(world, &blob));
	ASSERT_BAD(manifest_get(world, &blob), ERROR_SYSTEM, "status 502");
	cr_assert_eq(world->server.served, 7);
}

TEST(registry, a_document_without_end_is_cut_off)
{
	static char endless[SOURCE_DOCUMENT_MAX + 2];
	struct source_blob blob;
	WORLD({.status = 200, .body = endless, .length = sizeof(endless)});

	memset(endless, ' ', sizeof(endless));
	ASSERT_BAD(manifest_get(world, &blob), ERROR_SYSTEM, "more than the 4194304 bytes");
}

/* --- proof of identity -------------------------------------------------------------------------------------------- */

static const struct credentials nobody, somebody = {.user = "me", .password = "pw", .from = "the file"},
					token_holder = {.identity_token = "id/token", .from = "the file"};

/* A challenge that names the server itself as the token server. */
static const char *bearer(const struct world *world, char buffer[256])
{
	snprintf(buffer, 256,
		"WWW-Authenticate: Bearer realm=\"http://%s/token?x=1\",service=\"s "
		"v\",scope=\"repository:a/b:pull\"\r\n",
		world->server.host);
	return buffer;
}

TEST(registry, an_anonymous_token_is_fetched_and_used_again)
{
	char challenge[256];
	struct source_blob blob;
	struct server_reply script[] = {NO_TLS, {.status = 401, .headers = challenge},
		{.status = 200, .body = "{\"token\":\"t1\",\"expires_in\":300}"}, {.status = 200, .body = MANIFEST},
		{.status = 200, .body = MANIFEST}};
	AUTO(world_drop) struct world *world = world_make(script, ARRAY_SIZE(script), "a/b:1", nobody);

	bearer(world, challenge);
	ASSERT_GOOD(manifest_get(world, &blob));
	cr_assert(!server_saw(&world->server, 1, "Authorization"));
	cr_assert(server_saw(&world->server, 2, "GET /token?x=1&service=s%20v&scope=repository%3Aa%2Fb%3Apull "));
	cr_assert(!server_saw(&world->server, 2, "Authorization"));
	cr_assert(server_saw(&world->server, 3, "Authorization: Bearer t1\r\n"));
	ASSERT_GOOD(manifest_get(world, &blob));
	cr_assert(server_saw(&world->server, 4, "Authorization: Bearer t1\r\n"));
}

TEST(registry, name_and_password_go_to_the_token_server_and_not_to_the_registry)
{
	char challenge[256];
	struct source_blob blob;
	struct server_reply script[] = {NO_TLS, {.status = 401, .headers = challenge},
		{.status = 200, .body = "{\"access_token\":\"t1\"}"}, {.status = 200, .body = MANIFEST}};
	AUTO(world_drop) struct world *world = world_make(script, ARRAY_SIZE(script), "a/b:1", somebody);

	bearer(world, challenge);
	ASSERT_GOOD(manifest_get(world, &blob));
	cr_assert(server_saw(&world->server, 2, "account=me") &&
		  server_saw(&world->server, 2, "Authorization: Basic bWU6cHc=\r\n"));
	cr_assert(server_saw(&world->server, 3, "Authorization: Bearer t1\r\n"));
}

TEST(registry, an_identity_token_is_exchanged_by_post)
{
	char challenge[256];
	struct source_blob blob;
	struct server_reply script[] = {NO_TLS, {.status = 401, .headers = challenge},
		{.status = 200, .body = "{\"access_token\":\"t1\"}"}, {.status = 200, .body = MANIFEST}};
	AUTO(world_drop) struct world *world = world_make(script, ARRAY_SIZE(script), "a/b:1", token_holder);

	bearer(world, challenge);
	ASSERT_GOOD(manifest_get(world, &blob));
	cr_assert(server_saw(&world->server, 2, "POST /token?x=1 "));
	cr_assert(server_saw(&world->server, 2,
		"grant_type=refresh_token&service=s%20v&client_id=warren&scope=repository%3Aa%2Fb%3Apull&refresh_token="
		"id%2Ftoken"));
}

TEST(registry, a_token_that_is_not_taken_any_more_is_renewed_once)
{
	char challenge[256];
	struct source_blob blob;
	struct server_reply script[] = {NO_TLS, {.status = 401, .headers = challenge},
		{.status = 200, .body = "{\"token\":\"t1\"}"}, {.status = 200, .body = MANIFEST},
		{.status = 401, .headers = challenge}, {.status = 200, .body = "{\"token\":\"t2\"}"},
		{.status = 200, .body = MANIFEST}, {.status = 401, .headers = challenge},
		{.status = 200, .body = "{\"token\":\"t3\"}"}, {.status = 401, .headers = challenge}};
	AUTO(world_drop) struct world *world = world_make(script, ARRAY_SIZE(script), "a/b:1", nobody);

	bearer(world, challenge);
	ASSERT_GOOD(manifest_get(world, &blob));
	ASSERT_GOOD(manifest_get(world, &blob));
	cr_assert(server_saw(&world->server, 6, "Authorization: Bearer t2\r\n"));
	ASSERT_BAD(manifest_get(world, &blob), ERROR_SYSTEM, "may not be read");
	cr_assert_eq(world->server.served, 10, "not for ever");
}

TEST(registry, basic_wants_credentials)
{
	static const char basic[] = "WWW-Authenticate: Basic realm=\"x\"\r\n";
	struct source_blob blob;
	{
		WORLD_AS("a/b:1", somebody, {.status = 401, .headers = basic}, {.status = 200, .body = MANIFEST});

		ASSERT_GOOD(manifest_get(world, &blob));
		cr_assert(server_saw(&world->server, 2, "Authorization: Basic bWU6cHc=\r\n"));
	}
	{
		WORLD_AS("a/b:1", nobody, {.status = 401, .headers = basic});

		ASSERT_BAD(manifest_get(world, &blob), ERROR_SYSTEM, "it wants a name and a password");
	}
}

TEST(registry, a_token_server_is_not_believed)
{
	char challenge[256];
	struct source_blob blob;
	struct server_reply script[] = {NO_TLS, {.status = 401, .headers = challenge},
		{.status = 200, .body = "{\"token\":\"a\\r\\nX: y\"}"}, {.status = 401, .headers = challenge},
		{.status = 200, .body = "{}"}, {.status = 401, .headers = challenge}, {.status = 200, .body = "[]"},
		{.status = 401, .headers = challenge}, {.status = 401},
		{.status = 401, .headers = "WWW-Authenticate: Bearer realm=\"gopher://x/\"\r\n"},
		{.status = 401, .headers = "WWW-Authenticate: Digest realm=\"x\"\r\n"}};
	static const char *const expected[] = {"its answer holds no token", "its answer holds no token", "its answer:1",
		"it refuses the credentials of the file", "without TLS: \"gopher://x/\"", "of a kind unknown here"};
	AUTO(world_drop) struct world *world = world_make(script, ARRAY_SIZE(script), "a/b:1", somebody);

	bearer(world, challenge);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		cr_assert_eq(manifest_get(world, &blob), -1);
		cr_assert(strstr(world->err.text, expected[i]), "%zu: %s", i, world->err.text);
	}
}

/* --- layers ------------------------------------------------------------------------------------------------------- */

struct kept {
	struct sink sink;
	char bytes[64];
	size_t length;
};
static int kept_write(struct sink *sink, const void *bytes, size_t length, struct error *err)
{
	struct kept *kept = (struct kept *)sink;

	if (kept->length + length > sizeof(kept->bytes))
		return fail(err, ERROR_SYSTEM, "full");
	memcpy(kept->bytes + kept->length, bytes, length);
	kept->length += length;
	return 0;
}

static int layer_get(struct world *world, struct kept *kept, int64_t size, struct partial *partial)
{
	const struct source_blob blob = {.digest = DIGEST_A, .size = size, .partial = partial};

	*kept = (struct kept){.sink = {kept_write}};
	return world->source->kind->layer(world->source, &blob, &kept->sink, &world->err);
}

#define LAYER "0123456789abcdef"

TEST(registry, a_layer_goes_on_where_the_connection_broke)
{
	struct kept kept;
	WORLD({.status = 200, .body = LAYER, .cut = 5}, {.status = 503},
		{.status = 206, .body = &LAYER[5], .headers = "Content-Range: bytes 5-15/16\r\n", .cut = 4},
		{.status = 200, .body = LAYER});

	ASSERT_GOOD(layer_get(world, &kept, 16, NULL));
	cr_assert(kept.length == 16 && memcmp(kept.bytes, LAYER, 16) == 0, "each byte once");
	cr_assert(server_saw(&world->server, 1, "GET /v2/a/b/blobs/" DIGEST_A) &&
		  !server_saw(&world->server, 1, "Range"));
	cr_assert(server_saw(&world->server, 3, "Range: bytes=5-\r\n") &&
		  server_saw(&world->server, 4, "Range: bytes=9-\r\n"));
}

TEST(registry, a_layer_that_keeps_breaking_or_is_too_short_or_long_is_given_up)
{
	struct kept kept;
	WORLD({.status = 200, .body = LAYER, .cut = 5}, {.status = 200, .body = LAYER, .cut = 5},
		{.status = 200, .body = LAYER, .cut = 5}, {.status = 500}, {.status = 500}, {.status = 500},
		{.status = 200, .body = LAYER "!"}, {.status = 200, .body = "short"}, {.status = 416}, {.status = 404});

	ASSERT_BAD(layer_get(world, &kept, 16, NULL), ERROR_SYSTEM, DIGEST_A);
	world->server.served = 7;
	ASSERT_BAD(layer_get(world, &kept, 16, NULL), ERROR_SYSTEM, "more than the 16 bytes");
	ASSERT_BAD(layer_get(world, &kept, 16, NULL), ERROR_SYSTEM, "status 416");
	ASSERT_BAD(layer_get(world, &kept, 16, NULL), ERROR_MISSING, "no such image");
	ASSERT_GOOD(layer_get(world, &kept, 0, NULL));
}

TEST(registry, a_large_layer_goes_on_in_another_process)
{
	struct kept kept;
	char content[32] = "";
	struct partial partial = {.fd = memfd_create("partial", MFD_CLOEXEC)};
	WORLD({.status = 200, .body = LAYER, .cut = 6}, {.status = 404},
		{.status = 206, .body = &LAYER[6], .headers = "Content-Range: bytes 6-15/16\r\n"});

	ASSERT_BAD(layer_get(world, &kept, 16, &partial), ERROR_MISSING, DIGEST_A);
	cr_assert_eq(pread(partial.fd, content, sizeof(content), 0), 6);
	cr_assert_eq(lseek(partial.fd, 3, SEEK_SET), 3);
	ASSERT_GOOD(layer_get(world, &kept, 16, &partial));
	cr_assert(kept.length == 16 && memcmp(kept.bytes, LAYER, 16) == 0);
	cr_assert(server_saw(&world->server, 3, "Range: bytes=6-\r\n"), "only the rest is fetched");
	cr_assert_eq(pread(partial.fd, content, sizeof(content), 0), 16);
	cr_assert_str_eq(content, LAYER);
	ASSERT_GOOD(layer_get(world, &kept, 16, &partial));
	cr_assert_eq(world->server.served, 4, "nothing is fetched when all is here");
	close(partial.fd);
}
