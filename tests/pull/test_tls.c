/* images/pull/tls.c: directories of certificates. */
#include "images/pull/tls.h"

#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/test.h"

static char directory[64];

static void directory_make(void)
{
	strcpy(directory, "/tmp/certificates.XXXXXX");
	cr_assert(mkdtemp(directory));
}

static void file_put(const char *name, const char *content)
{
	auto_free char *path = text_format("%s/%s", directory, name);
	struct error err;

	ASSERT_OK(file_replace(AT_FDCWD, path, 0600, FILE_VOLATILE, content, strlen(content), &err));
}

static void directory_drop(void)
{
	struct error err;

	ASSERT_OK(tree_remove(AT_FDCWD, directory, &err));
}

TEST(tls, all_authorities_are_believed_and_the_first_pair_is_shown)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct tls_files files;
	struct error err;

	directory_make();
	file_put("b.crt", "second");
	file_put("a.crt", "first");
	file_put("z.cert", "unused");
	file_put("z.key", "unused");
	file_put("me.cert", "mine");
	file_put("me.key", "secret");
	file_put("README", "nothing");
	ASSERT_OK(tls_files_find(&arena, "registry.local", directory, &files, &err));
	cr_assert_str_eq(files.authorities, "first\nsecond\n");
	cr_assert(text_ends_with(files.certificate, "/me.cert") && text_ends_with(files.key, "/me.key"));
	directory_drop();
}

TEST(tls, a_certificate_without_its_key_is_named)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct tls_files files;
	struct error err;

	directory_make();
	file_put("me.cert", "mine");
	ASSERT_FAILS(tls_files_find(&arena, "registry.local", directory, &files, &err), ERROR_USAGE,
		"me.cert is there, but not its key me.key");
	directory_drop();
	ASSERT_FAILS(tls_files_find(&arena, "registry.local", directory, &files, &err), ERROR_SYSTEM, directory);
}

TEST(tls, a_registry_without_a_directory_has_none)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct tls_files files;
	struct error err;

	ASSERT_OK(tls_files_find(&arena, "registry-that-nobody-has.invalid:5000", NULL, &files, &err));
	cr_assert(!files.authorities && !files.certificate && !files.key);
}
