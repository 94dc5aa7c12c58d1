/* images/pull/credentials.c and credentials_helper.c. */
#include "images/pull/credentials.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/test.h"

static char home[64];

static void file_write_at(const char *name, mode_t mode, const char *content)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *path = arena_format(&arena, "%s/%s", home, name);
	char *directory = text_format("%s", path);
	struct error err;
	int made;

	*strrchr(directory, '/') = '\0';
	ASSERT_OK(made = dir_create_all(directory, 0755, &err));
	close(made);
	free(directory);
	ASSERT_OK(file_replace(AT_FDCWD, path, mode, FILE_VOLATILE, content, strlen(content), &err));
}

static void home_make(void)
{
	static const char *const unset[] = {"REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME", "DOCKER_CONFIG"};
	AUTO(arena_drop) struct arena arena = {0};

	strcpy(home, "/tmp/credentials.XXXXXX");
	cr_assert(mkdtemp(home));
	for (size_t i = 0; i < ARRAY_SIZE(unset); i++)
		unsetenv(unset[i]);
	setenv("HOME", home, 1);
	setenv("XDG_RUNTIME_DIR", arena_format(&arena, "%s/run", home), 1);
	setenv("PATH", arena_format(&arena, "%s/bin:/usr/bin:/bin", home), 1);
}

static void home_drop(void)
{
	struct error err;

	ASSERT_OK(tree_remove(AT_FDCWD, home, &err));
}

static struct credentials find(struct arena *arena, const char *name)
{
	struct reference reference;
	struct credentials found;
	struct error err;

	ASSERT_OK(reference_parse(arena, name, NULL, &reference, &err));
	ASSERT_OK(credentials_find(arena, &reference, NULL, &found, &err));
	return found;
}

#define ASSERT_USER(name, expected)                                                                                    \
	do {                                                                                                           \
		struct credentials whose = find(&arena, name);                                                         \
		cr_assert(text_equal(whose.user, expected), "%s: %s", name, whose.user);                               \
	} while (0)

TEST(credentials, the_longest_entry_above_the_repository_wins)
{
	AUTO(arena_drop) struct arena arena = {0};

	home_make();
	ASSERT_USER("host.local/a", NULL);
	file_write_at("run/containers/auth.json", 0600,
		"{\"auths\":{\"host.local\":{\"auth\":\"cm9vdDpwdw==\"},\"host.local/a/b\":{\"auth\":\"YWI6cHc=\"},"
		"\"host.local/a\":{\"auth\":\"YTpwdzp4\"},\"https://index.docker.io/v1/\":{\"auth\":\"aHViOnB3\"},"
		"\"http://old.local/v2/"
		"\":{\"username\":\"plain\",\"password\":\"pw\"},\"empty.local\":{}},\"unknown\":1}");
	ASSERT_USER("host.local/x", "root");
	ASSERT_USER("host.local/ab", "root");
	ASSERT_USER("host.local/a/x", "a");
	ASSERT_USER("host.local/a/b", "ab");
	ASSERT_USER("host.local/a/b/c", "ab");
	ASSERT_USER("host.local:5000/a", NULL);
	ASSERT_USER("debian", "hub");
	ASSERT_USER("old.local/a", "plain");
	ASSERT_USER("empty.local/a", NULL);
	cr_assert_str_eq(find(&arena, "host.local/a").password, "pw:x");
	cr_assert(text_ends_with(find(&arena, "host.local/a").from, "/run/containers/auth.json"));
	home_drop();
}

TEST(credentials, the_first_file_that_knows_the_registry_decides)
{
	AUTO(arena_drop) struct arena arena = {0};

	home_make();
	file_write_at("run/containers/auth.json", 0600, "{\"auths\":{\"one.local\":{\"auth\":\"MTpwdw==\"}}}");
	file_write_at(".config/containers/auth.json", 0600,
		"{\"auths\":{\"one.local\":{\"auth\":\"MjpwdwA9\"},\"two.local\":{\"auth\":\"MjpwdzI=\"}}}");
	file_write_at(".docker/config.json", 0600,
		"{\"auths\":{\"two.local\":{\"auth\":\"MzpwdzI=\"},\"three.local\":{\"identitytoken\":\"t\",\"auth\":"
		"\"PHRva2VuPjo=\"}}}");
	ASSERT_USER("one.local/a", "1");
	ASSERT_USER("two.local/a", "2");
	ASSERT_USER("three.local/a", NULL);
	cr_assert_str_eq(find(&arena, "three.local/a").identity_token, "t");
	file_write_at("named.json", 0600, "{\"auths\":{\"one.local\":{\"auth\":\"NDpwdw==\"}}}");
	setenv("REGISTRY_AUTH_FILE", arena_format(&arena, "%s/named.json", home), 1);
	ASSERT_USER("one.local/a", "4");
	home_drop();
}

TEST(credentials, a_file_that_cannot_be_understood_is_named)
{
	static const char *const cases[][2] = {{"{", "auth.json:1"}, {"{\"auths\":[]}", "expected an object"},
		{"{\"auths\":{\"host.local\":{\"auth\":\"!!\"}}}", "\"auth\" of \"host.local\" is not USER:PASSWORD"},
		{"{\"auths\":{\"host.local\":{\"auth\":\"bm9jb2xvbg==\"}}}", "is not USER:PASSWORD"}};
	AUTO(arena_drop) struct arena arena = {0};
	struct reference reference;
	struct credentials found;
	struct error err;

	home_make();
	ASSERT_OK(reference_parse(&arena, "host.local/a", NULL, &reference, &err));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		file_write_at("run/containers/auth.json", 0600, cases[i][0]);
		ASSERT_FAILS(credentials_find(&arena, &reference, NULL, &found, &err), ERROR_USAGE, cases[i][1]);
		cr_assert(!strstr(err.text, "bm9"), "no secret in an error: %s", err.text);
	}
	ASSERT_FAILS(credentials_find(&arena, &reference, "/nowhere/x", &found, &err), ERROR_MISSING, "/nowhere/x");
	home_drop();
}

TEST(credentials, helpers_are_asked_by_their_protocol)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct reference reference;
	struct credentials found;
	struct error err;

	home_make();
	file_write_at("bin/docker-credential-good", 0755,
		"#!/bin/sh\n[ \"$1\" = get ] || exit 9\nread -r server\necho 'a warning' >&2\n"
		"printf '{\"ServerURL\":\"x\",\"Username\":\"for %s\",\"Secret\":\"s\"}' \"$server\"\n");
	file_write_at("bin/docker-credential-token", 0755,
		"#!/bin/sh\nprintf '{\"Username\":\"<token>\",\"Secret\":\"idt\"}'\n");
	file_write_at("bin/docker-credential-none", 0755,
		"#!/bin/sh\necho 'credentials not found in native keychain'\nexit 1\n");
	file_write_at("bin/docker-credential-broken", 0755, "#!/bin/sh\necho 'no such bus'\nexit 1\n");
	file_write_at("run/containers/auth.json", 0600,
		"{\"credHelpers\":{\"good.local\":\"good\",\"token.local\":\"token\",\"broken.local\":\"broken\","
		"\"absent.local\":\"absent\",\"evil.local\":\"../../"
		"x\",\"docker.io\":\"good\"},\"credsStore\":\"none\"}");
	ASSERT_USER("good.local/a", "for good.local");
	ASSERT_USER("debian", "for https://index.docker.io/v1/");
	cr_assert_str_eq(find(&arena, "token.local/a").identity_token, "idt");
	ASSERT_USER("other.local/a", NULL);
	ASSERT_OK(reference_parse(&arena, "broken.local/a", NULL, &reference, &err));
	ASSERT_FAILS(credentials_find(&arena, &reference, NULL, &found, &err), ERROR_SYSTEM, "no such bus");
	ASSERT_OK(reference_parse(&arena, "absent.local/a", NULL, &reference, &err));
	ASSERT_FAILS(credentials_find(&arena, &reference, NULL, &found, &err), ERROR_SYSTEM,
		"docker-credential-absent is not in PATH");
	ASSERT_OK(reference_parse(&arena, "evil.local/a", NULL, &reference, &err));
	ASSERT_FAILS(credentials_find(&arena, &reference, NULL, &found, &err), ERROR_USAGE, "only letters");
	home_drop();
}
