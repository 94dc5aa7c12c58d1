/* images/store/registries.c: the administrator's word on registries. */
#include "images/store/registries.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/test.h"

static char path[64];

static void file_make(const char *content)
{
	struct error err;
	char directory[] = "/tmp/registries.XXXXXX";

	cr_assert(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/registries.json", directory);
	ASSERT_OK(file_replace(AT_FDCWD, path, 0644, FILE_VOLATILE, content, strlen(content), &err));
	setenv("WARREN_REGISTRIES", path, 1);
}

static void file_drop(void)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

TEST(registries, a_short_name_belongs_to_the_default_registry)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct registries registries;
	struct reference reference;
	struct error err;

	file_make("{ \"default\": \"reg.local:5000\", // ours\n \"insecure\": [\"reg.local:5000\"] }");
	ASSERT_OK(registries_read(&arena, &registries, &err));
	cr_assert(strings_contain(&registries.insecure, "reg.local:5000"));
	ASSERT_OK(reference_resolve(&arena, "debian:12", &reference, &err));
	cr_assert_str_eq(reference_full(&arena, &reference), "reg.local:5000/debian:12");
	file_drop();
	ASSERT_FAILS(registries_read(&arena, &registries, &err), ERROR_MISSING, "No such file");
}

TEST(registries, a_file_that_says_something_else_is_refused)
{
	static const char *const cases[][2] = {
		{"{ \"defalt\": \"x\" }", "did you mean \"default\""},
		{"{ \"default\": \"a/b\" }", "default \"a/b\": must be a host name"},
		{"{ \"insecure\": [\"http://x\"] }", "insecure \"http://x\""},
		{"{ \"insecure\": \"x\" }", "expected an array"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct registries registries;
		struct error err;

		file_make(cases[i][0]);
		ASSERT_FAILS(registries_read(&arena, &registries, &err), ERROR_USAGE, cases[i][1]);
		file_drop();
	}
}
