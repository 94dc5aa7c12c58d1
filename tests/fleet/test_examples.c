/* Every example that we show works: the files of examples/, and each ```json block of the documentation. */
#include <dirent.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "fleet/spec/spec_fields.h"
#include "tests/test.h"

/* The test program may stand anywhere: the sources are where this file was compiled from. */
static char *source_path(const char *name)
{
	static const char here[] = "/tests/fleet/test_examples.c";

	return text_format("%.*s/%s", (int)(strlen(__FILE__) - strlen(here)), __FILE__, name);
}

static void file_expect_right(const char *directory, const char *name)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *path = text_format("%s/%s", directory, name);
	struct fleet_file file;
	struct error err;

	ASSERT_OK(fleet_file_read(&arena, path, &file, &err));
	cr_assert(file.warnings.count == 0, "%s", file.warnings.items[0]);
	cr_assert(strlen(file.name) + strlen(".json") == strlen(name) && text_starts_with(name, file.name),
		"%s is the fleet %s", name, file.name);
}

TEST(examples, are_right)
{
	auto_free char *directory = source_path("examples");
	DIR *dir = opendir(directory);
	size_t count = 0;

	cr_assert(dir, "%s", directory);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (!text_ends_with(entry->d_name, ".json"))
			continue;
		file_expect_right(directory, entry->d_name);
		count++;
	}
	closedir(dir);
	cr_assert(count >= 4, "%zu examples", count);
}

/* Decodes the blocks of one page; gives their number. */
static size_t blocks_expect_right(const char *page)
{
	static const char begin[] = "\n```json\n", end[] = "\n```";
	AUTO(arena_drop) struct arena arena = {0};
	const char *text, *stop;
	struct fleet_file file;
	struct error err;
	size_t count = 0;

	ASSERT_OK(file_read(&arena, AT_FDCWD, page, 1 << 20, &text, NULL, &err));
	for (; (text = strstr(text, begin)); text = stop) {
		text += strlen(begin);
		stop = strstr(text, end);
		cr_assert(stop, "%s: a block is not closed", page);
		ASSERT_OK(fleet_file_decode(&arena, page, text, (size_t)(stop - text), &file, &err));
		count++;
	}
	return count;
}

TEST(examples, of_the_documentation_are_right)
{
	auto_free char *directory = source_path("docs"), *readme = source_path("README.md");
	DIR *dir = opendir(directory);
	size_t count = 0;

	cr_assert(dir, "%s", directory);
	for (struct dirent *entry; (entry = readdir(dir));) {
		auto_free char *page = text_format("%s/%s", directory, entry->d_name);

		if (text_ends_with(page, ".md"))
			count += blocks_expect_right(page);
	}
	closedir(dir);
	if (access(readme, F_OK) == 0)
		count += blocks_expect_right(readme);
	cr_assert(count >= 3, "%zu blocks", count);
}

/* Keys inside the values of keys, which the table of an instance does not list itself. */
static const char *const inner_keys[] = {"version", "name", "defaults", "networks", "instances", "subnet", "subnets",
	"subnet6", "isolated", "egress", "allow", "links", "services", "metadata", "accounting", "external", "mtu",
	"cpus", "cpu_weight", "cpuset", "memory", "memory_high", "memory_low", "swap", "pids", "io_weight", "io_max",
	"disk", "ingress", "target", "published", "host_ip", "protocol", "type", "source", "idmap", "size", "mode",
	"content", "policy", "delay", "max_delay", "max_retries", "driver", "max_size", "max_files", "seccomp",
	"no_new_privileges", "http", "tcp", "test", "interval", "timeout", "retries", "start_period", "start_interval",
	"on_failure", "disable"};

/* text shows the key in the given quotes. */
static void expect_shown(const char *page, const char *text, const char *format, const char *key)
{
	AUTO(text_drop) struct text quoted = {0};

	for (const char *p = format; *p; p++)
		if (*p == '*')
			text_append(&quoted, key);
		else
			text_append_bytes(&quoted, p, 1);
	cr_assert(strstr(text, text_string(&quoted)), "%s does not show %s", page, text_string(&quoted));
}

static void expect_all_shown(const char *name, const char *format, bool refused_too)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *path = source_path(name);
	const char *text;
	struct error err;

	ASSERT_OK(file_read(&arena, AT_FDCWD, path, 1 << 20, &text, NULL, &err));
	for (const struct field *field = instance_fields; field->kind != FIELD_END; field++)
		if (field->kind != FIELD_REFUSED || refused_too)
			expect_shown(name, text, format, field->key);
	for (size_t i = 0; i < ARRAY_SIZE(inner_keys); i++)
		if (!refused_too)
			expect_shown(name, text, format, inner_keys[i]);
}

TEST(examples, reference_says_every_key_that_is_built)
{
	expect_all_shown("examples/reference.json", "\"*\":", false);
}

TEST(examples, documentation_names_every_key_of_an_instance)
{
	expect_all_shown("docs/fleet-file.md", "*`", true);
}
