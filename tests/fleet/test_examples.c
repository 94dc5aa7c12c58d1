/* Every example that we show works: the files of examples/, and each ```json block of the documentation. */
#include <dirent.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
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

/* Calls `each` with the text of every page, which it may change; gives the sum of what it gave. */
static size_t pages_each(size_t (*each)(const char *page, char *text))
{
	auto_free char *directory = source_path("docs"), *readme = source_path("README.md");
	AUTO(arena_drop) struct arena arena = {0};
	struct strings pages = {0};
	DIR *dir = opendir(directory);
	size_t count = 0;

	cr_assert(dir, "%s", directory);
	for (struct dirent *entry; (entry = readdir(dir));)
		if (text_ends_with(entry->d_name, ".md"))
			strings_add(&arena, &pages, arena_format(&arena, "%s/%s", directory, entry->d_name));
	closedir(dir);
	if (access(readme, F_OK) == 0)
		strings_add(&arena, &pages, readme);
	for (size_t i = 0; i < pages.count; i++) {
		const char *text;
		size_t length;
		struct error err;

		ASSERT_OK(file_read(&arena, AT_FDCWD, pages.items[i], 1 << 20, &text, &length, &err));
		auto_free char *copy = text_format("%s", text);
		count += each(pages.items[i], copy);
	}
	return count;
}

/* ```json is for whole fleet files. */
static size_t blocks_expect_right(const char *page, char *text)
{
	static const char begin[] = "\n```json\n", end[] = "\n```";
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file;
	struct error err;
	size_t count = 0;
	char *stop;

	for (; (text = strstr(text, begin)); text = stop) {
		text += strlen(begin);
		stop = strstr(text, end);
		cr_assert(stop, "%s: a block is not closed", page);
		ASSERT_OK(fleet_file_decode(&arena, page, text, (size_t)(stop - text), &file, &err));
		cr_assert(file.warnings.count == 0, "%s: %s: %s", page, file.name, file.warnings.items[0]);
		count++;
	}
	return count;
}

TEST(examples, of_the_documentation_are_right)
{
	size_t count = pages_each(blocks_expect_right);

	cr_assert(count >= 9, "%zu blocks", count);
}

/* --- pieces ------------------------------------------------------------------------------------------------------- */

/* A member or an object; what is left out of it is marked by "…". */
static size_t piece_expect_right(const char *page, const char *piece, size_t length)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *text = arena_format(&arena, *piece == '{' ? "%.*s" : "{%.*s}", (int)length, piece);
	struct json_doc doc;
	struct error err;

	if (strstr(text, "…"))
		return 0;
	cr_assert(json_parse(&arena, page, text, strlen(text), JSON_COMMENTS, &doc, &err) == 0, "%s: in %s", err.text,
		text);
	return 1;
}

/* `"key": …` and `{"key": …}` within a line. */
static size_t line_pieces_expect_right(const char *page, char *line)
{
	size_t count = 0;
	bool inside = false;

	for (char *piece; (piece = strsep(&line, "`")); inside = !inside)
		if (inside && (text_starts_with(piece, "{\"") || (*piece == '"' && strstr(piece, "\": "))))
			count += piece_expect_right(page, piece, strlen(piece));
	return count;
}

static size_t pieces_expect_right(const char *page, char *text)
{
	bool fenced = false;
	size_t count = 0;

	for (char *line; (line = strsep(&text, "\n"));) {
		if (text_starts_with(line, "```"))
			fenced = !fenced;
		else if (!fenced)
			count += line_pieces_expect_right(page, line);
	}
	return count;
}

TEST(examples, pieces_in_the_documentation_parse)
{
	size_t count = pages_each(pieces_expect_right);

	cr_assert(count >= 20, "%zu pieces", count);
}

/* Indented by four: objects of one line, or up to a line with the brace alone. */
static size_t objects_expect_right(const char *page, char *text)
{
	size_t count = 0;

	for (char *next; (text = strstr(text, "\n    {")); text = next) {
		char *line_end = strchr(text + 1, '\n');

		cr_assert(line_end, "%s: ends in the middle of an object", page);
		next = line_end[-1] == '}' ? line_end : strstr(text, "\n    }\n");
		cr_assert(next, "%s: an object is not closed", page);
		next = next == line_end ? next : next + strlen("\n    }");
		count += piece_expect_right(page, text + strlen("\n    "), (size_t)(next - text) - strlen("\n    "));
	}
	return count;
}

TEST(examples, objects_in_the_documentation_parse)
{
	size_t count = pages_each(objects_expect_right);

	cr_assert(count >= 4, "%zu objects", count);
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
