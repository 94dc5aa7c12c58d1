/* images/pull/challenge.c and base64.c. */
#include "images/pull/challenge.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "images/pull/base64.h"
#include "tests/test.h"

TEST(challenge, what_registries_send_is_understood)
{
	static const struct {
		const char *header;
		struct challenge expected;
	} cases[] = {
		{"Bearer "
		 "realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull\"",
			{CHALLENGE_BEARER, "https://auth.docker.io/token", "registry.docker.io", "repository:a/b:pull",
				NULL}},
		{"bearer Realm = https , error=\"invalid_token\"",
			{CHALLENGE_BEARER, "https", NULL, NULL, "invalid_token"}},
		{"Basic realm=\"a \\\"quoted\\\" one\"", {CHALLENGE_BASIC, "a \"quoted\" one", NULL, NULL, NULL}},
		{"Basic", {CHALLENGE_BASIC, NULL, NULL, NULL, NULL}},
		{"Negotiate, Basic realm=\"x\"", {CHALLENGE_BASIC, "x", NULL, NULL, NULL}},
		{"NTLM TlRMTVNTUAAB==, Basic realm=\"x\"", {CHALLENGE_BASIC, "x", NULL, NULL, NULL}},
		{"Basic realm=\"b\", Bearer realm=\"c\",scope=\"a,b c\"", {CHALLENGE_BEARER, "c", NULL, "a,b c", NULL}},
		{"Bearer realm=\"c\", Basic realm=\"b\"", {CHALLENGE_BEARER, "c", NULL, NULL, NULL}},
		{"Bearer realm=\"first\",realm=\"second\"", {CHALLENGE_BEARER, "first", NULL, NULL, NULL}},
		{"Bearer unknown=1,realm=\"\",service=x", {CHALLENGE_BEARER, "", "x", NULL, NULL}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct challenge got = challenge_parse(&arena, cases[i].header);

		cr_assert_eq(got.scheme, cases[i].expected.scheme, "%s", cases[i].header);
		cr_assert(text_equal(got.realm, cases[i].expected.realm), "%s: %s", cases[i].header, got.realm);
		cr_assert(text_equal(got.service, cases[i].expected.service), "%s", cases[i].header);
		cr_assert(text_equal(got.scope, cases[i].expected.scope), "%s: %s", cases[i].header, got.scope);
		cr_assert(text_equal(got.error, cases[i].expected.error), "%s", cases[i].header);
	}
}

TEST(challenge, nonsense_is_no_challenge)
{
	static const char *const cases[] = {"", ",", ",,, ,", "\"", "=", "Bearer", "Bearer service=\"x\"",
		"Bearer realm=\"never closed", "Bearer realm=\"a\nb\"", "Bearer realm=", "Digest realm=\"x\"", "@@@",
		"Unknown abc=, def"};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};

		cr_assert_eq(challenge_parse(&arena, cases[i]).scheme, CHALLENGE_NONE, "%s", cases[i]);
	}
}

TEST(challenge, base64_is_read_as_strictly_as_it_is_written)
{
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"user:pass", "dXNlcjpwYXNz"}, {"\xff\xfe\xfd", "//79"}};
	static const char *const bad[] = {
		"Zg", "Zg=", "Zh==", "Z===", "====", "Zm9v ", "Zm\n9v", "Zm9vAA==", "Zg==Zg=="};
	AUTO(arena_drop) struct arena arena = {0};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		cr_assert_str_eq(base64_encode(&arena, pairs[i][0]), pairs[i][1]);
		cr_assert_str_eq(base64_decode(&arena, pairs[i][1]), pairs[i][0]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_null(base64_decode(&arena, bad[i]), "%s", bad[i]);
}
