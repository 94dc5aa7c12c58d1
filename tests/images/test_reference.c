/* images/store/reference.c: what a name means, and what is no name. */
#include "images/store/reference.h"

#include <stdint.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/test.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TEN "abcdefghij"
#define FIFTY TEN TEN TEN TEN TEN
#define HUNDRED FIFTY FIFTY

TEST(reference, is_taken_apart_as_docker_does)
{
	static const struct {
		const char *text, *home, *registry, *repository, *tag, *digest, *familiar;
	} cases[] = {
		{"debian", NULL, "docker.io", "library/debian", "latest", NULL, "debian:latest"},
		{"debian:12", NULL, "docker.io", "library/debian", "12", NULL, "debian:12"},
		{"a/b", NULL, "docker.io", "a/b", "latest", NULL, "a/b:latest"},
		{"library/debian", NULL, "docker.io", "library/debian", "latest", NULL, "debian:latest"},
		{"docker.io/debian:12", NULL, "docker.io", "library/debian", "12", NULL, "debian:12"},
		{"index.docker.io/a/b", NULL, "docker.io", "a/b", "latest", NULL, "a/b:latest"},
		{"docker.io/localhost/x", NULL, "docker.io", "localhost/x", "latest", NULL,
			"docker.io/localhost/x:latest"},
		{"docker.io/a.b/c", NULL, "docker.io", "a.b/c", "latest", NULL, "docker.io/a.b/c:latest"},
		{"host:5000/a/b@" DIGEST, NULL, "host:5000", "a/b", NULL, DIGEST, "host:5000/a/b@" DIGEST},
		{"host:5000/a:1@" DIGEST, NULL, "host:5000", "a", "1", DIGEST, "host:5000/a:1@" DIGEST},
		{"localhost/a", NULL, "localhost", "a", "latest", NULL, "localhost/a:latest"},
		{"local/a", NULL, "docker.io", "local/a", "latest", NULL, "local/a:latest"},
		{"HOST/a", NULL, "HOST", "a", "latest", NULL, "HOST/a:latest"},
		{"host:5000", NULL, "docker.io", "library/host", "5000", NULL, "host:5000"},
		{"[::1]:5000/a:1", NULL, "[::1]:5000", "a", "1", NULL, "[::1]:5000/a:1"},
		{"127.0.0.1:5000/x/y/z:v1.2-3_4", NULL, "127.0.0.1:5000", "x/y/z", "v1.2-3_4", NULL,
			"127.0.0.1:5000/x/y/z:v1.2-3_4"},
		{"debian:12", "reg.local:5000", "reg.local:5000", "debian", "12", NULL, "debian:12"},
		{"docker.io/debian:12", "reg.local", "docker.io", "library/debian", "12", NULL,
			"docker.io/library/debian:12"},
		{"x/a__b.c-d---e_f", NULL, "docker.io", "x/a__b.c-d---e_f", "latest", NULL, "x/a__b.c-d---e_f:latest"},
		{"a:_" FIFTY FIFTY "TAGtag-.0123456789abcdefghi", NULL, "docker.io", "library/a",
			"_" FIFTY FIFTY "TAGtag-.0123456789abcdefghi", NULL,
			"a:_" FIFTY FIFTY "TAGtag-.0123456789abcdefghi"},
		{HEX_64 ":1", NULL, "docker.io", "library/" HEX_64, "1", NULL, HEX_64 ":1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct reference reference;
		struct error err;

		ASSERT_OK(reference_parse(&arena, cases[i].text, cases[i].home, &reference, &err));
		cr_assert(
			text_equal(reference.registry, cases[i].registry), "%s: %s", cases[i].text, reference.registry);
		cr_assert(text_equal(reference.repository, cases[i].repository), "%s: %s", cases[i].text,
			reference.repository);
		cr_assert(text_equal(reference.tag, cases[i].tag), "%s: %s", cases[i].text, reference.tag);
		cr_assert(text_equal(reference.digest, cases[i].digest), "%s: %s", cases[i].text, reference.digest);
		cr_assert_str_eq(reference_familiar(&arena, &reference, cases[i].home), cases[i].familiar);
	}
}

TEST(reference, the_whole_name_means_the_same_under_every_default)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct reference first, again;
	struct error err;
	const char *whole;

	ASSERT_OK(reference_parse(&arena, "debian:12", NULL, &first, &err));
	whole = reference_full(&arena, &first);
	cr_assert_str_eq(whole, "docker.io/library/debian:12");
	ASSERT_OK(reference_parse(&arena, whole, "other.local", &again, &err));
	cr_assert_str_eq(reference_full(&arena, &again), whole);
}

TEST(reference, what_is_no_name_is_refused_with_what_would_be_one)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"", "is empty"},
		{"/a", "is empty"},
		{"a/", "is empty"},
		{"a//b", "is empty"},
		{"../../etc", "must be a host name"},
		{"a/../b", "must be lower-case"},
		{"a/./b", "must be lower-case"},
		{"host.local/..", "must be lower-case"},
		{"host.local/.", "must be lower-case"},
		{"Debian", "must be lower-case"},
		{"a b", "must be lower-case"},
		{"a\nb", "control characters"},
		{"a%2fb", "must be lower-case"},
		{"a?b=c", "must be lower-case"},
		{"a_-b", "must be lower-case"},
		{"a___b", "must be lower-case"},
		{"a..b", "must be lower-case"},
		{"-a", "must be lower-case"},
		{"a-", "must be lower-case"},
		{"\xc3\xa4", "must be lower-case"},
		{"a:", "the tag is empty"},
		{"a:.x", "begin with none"},
		{"a:-x", "begin with none"},
		{"a:x y", "letters, digits"},
		{"a:../../x", "not a port"},
		{"a/b:../../x", "must be lower-case"},
		{"a:1:2", "letters, digits"},
		{"a:" HUNDRED TEN TEN "123456789", "longer than 128"},
		{"a@", "must be \"sha256:\""},
		{"a@sha256:../../x", "must be \"sha256:\""},
		{"a@" DIGEST "0", "must be \"sha256:\""},
		{"a@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "must be \"sha256:\""},
		{"a@sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "must be \"sha256:\""},
		{"a@" DIGEST "@" DIGEST, "must be \"sha256:\""},
		{HEX_64, "are an id, not a name"},
		{"host:0/a", "not a port"},
		{"host:65536/a", "not a port"},
		{"host:/a", "not a port"},
		{"host:5000:1/a", "not a port"},
		{"-host.local/a", "must be a host name"},
		{"host..local/a", "must be a host name"},
		{"host./a", "must be a host name"},
		{"user@host.local/a", "must be \"sha256:\""},
		{"https://host.local/a", "not a port"},
		{"[::1/a", "must be a host name"},
		{"[]:5000/a", "must be a host name"},
		{"[::1]x:5000/a", "must be a host name"},
		{HUNDRED HUNDRED FIFTY, "longer than 255"},
		{HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED, "longer than"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct reference reference;
		struct error err;

		ASSERT_FAILS(
			reference_parse(&arena, cases[i].text, NULL, &reference, &err), ERROR_USAGE, cases[i].says);
	}
}

TEST(reference, the_longest_name_is_255_characters)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct reference reference;
	struct error err;

	/* "docker.io/library/" are 18 of them */
	ASSERT_OK(reference_parse(&arena, HUNDRED HUNDRED TEN TEN TEN "1234567", NULL, &reference, &err));
	ASSERT_FAILS(reference_parse(&arena, HUNDRED HUNDRED TEN TEN TEN "12345678", NULL, &reference, &err),
		ERROR_USAGE, "longer than 255");
}

TEST(reference, a_bad_default_registry_is_named)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct reference reference;
	struct error err;

	ASSERT_FAILS(reference_parse(&arena, "debian", "reg/x", &reference, &err), ERROR_USAGE,
		"default registry \"reg/x\"");
}
