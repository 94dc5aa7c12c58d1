/* What tells machines apart that were made from one directory, and their boots. */
#include "fleet/state/identity.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/test.h"

static const char *written(struct arena *arena, int dir, const char *path)
{
	const char *text;
	struct error err;

	ASSERT_OK(file_read(arena, dir, path, 4096, &text, NULL, &err));
	return text;
}

/* The directory of an instance, with its upper layer. */
static const char *machine_id(struct arena *arena, const char *hostname, const char **name)
{
	char path[] = "/tmp/warren-test-XXXXXX";
	struct instance_spec spec = {.name = "box", .hostname = hostname};
	struct error err;

	cr_assert(mkdtemp(path));
	auto_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(dir >= 0 && mkdirat(dir, "u", 0755) == 0);
	ASSERT_OK(identity_write(dir, &spec, &err));
	const char *id = written(arena, dir, "u/etc/machine-id");
	*name = written(arena, dir, "u/etc/hostname");
	ASSERT_OK(tree_remove(AT_FDCWD, path, &err));
	return id;
}

TEST(identity, every_machine_has_an_id_and_its_name)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *name, *other_name;

	NEEDS_ROOT();
	const char *id = machine_id(&arena, NULL, &name), *other = machine_id(&arena, "mail.example", &other_name);
	cr_assert_str_eq(name, "box\n");
	cr_assert_str_eq(other_name, "mail.example\n");
	cr_assert(strlen(id) == 33 && strspn(id, "0123456789abcdef") == 32 && id[32] == '\n', "%s", id);
	cr_assert(strcmp(id, other) != 0);
}

/* 8-4-4-4-12, version 4. */
static void assert_uuid(const char *id)
{
	for (int i = 0; i < 36; i++)
		cr_assert(i == 8 || i == 13 || i == 18 || i == 23 ? id[i] == '-' : isxdigit((unsigned char)id[i]), "%s",
			id);
	cr_assert(id[14] == '4' && strchr("89ab", id[19]) && !strcmp(id + 36, "\n"), "%s", id);
}

TEST(identity, every_boot_has_an_id_beside_the_configs)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct config_file config = {.target = "/etc/x", .content = "x", .length = 1};
	struct config_file_list files = {.items = &config, .count = 1};
	struct error err;

	ASSERT_OK(identity_boot_add(&arena, &files, &err));
	ASSERT_OK(identity_boot_add(&arena, &files, &err));
	cr_assert(files.count == 3);
	cr_assert_str_eq(files.items[0].target, "/etc/x");
	cr_assert_str_eq(files.items[1].target, "/proc/sys/kernel/random/boot_id");
	cr_assert(files.items[1].length == 37 && files.items[1].mode == 0444);
	assert_uuid(files.items[1].content);
	assert_uuid(files.items[2].content);
	cr_assert(strcmp(files.items[1].content, files.items[2].content) != 0);
}
