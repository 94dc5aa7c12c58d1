/* A fleet in several files, and whose files are believed. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/spec.h"
#include "tests/test.h"

struct scratch {
	char path[32];
};

static struct scratch scratch_make(void)
{
	struct scratch scratch = {.path = "/tmp/warren-test-XXXXXX"};

	cr_assert(mkdtemp(scratch.path));
	return scratch;
}

static void scratch_drop(struct scratch *scratch)
{
	struct error err;

	unsetenv("SUDO_UID");
	ASSERT_OK(tree_remove(AT_FDCWD, scratch->path, &err));
}

static void put(const struct scratch *scratch, const char *name, const char *text)
{
	auto_free char *path = text_format("%s/%s", scratch->path, name);
	struct error err;

	ASSERT_OK(file_replace(AT_FDCWD, path, 0644, FILE_VOLATILE, text, strlen(text), &err));
}

static void put_directory(const struct scratch *scratch, const char *name)
{
	auto_free char *path = text_format("%s/%s", scratch->path, name);

	cr_assert(mkdir(path, 0755) == 0);
}

static int read_main(const struct scratch *scratch, struct arena *arena, struct fleet_file *out, struct error *err)
{
	auto_free char *path = text_format("%s/main.json", scratch->path);

	return fleet_file_read(arena, path, out, err);
}

/* The error, with the scratch directory cut out. */
static const char *failure(const struct scratch *scratch, struct arena *arena)
{
	struct fleet_file file;
	struct error err = {0};
	const char *at, *end;

	cr_assert(read_main(scratch, arena, &file, &err) < 0);
	end = arena_string(arena, err.text);
	while ((at = strstr(end, scratch->path)))
		end = arena_format(arena, "%.*s%s", (int)(at - end), end, at + strlen(scratch->path));
	return end;
}

#define RUNS "\"image\": \"host\", \"command\": [\"x\"]"

TEST(file_include, joins_what_several_files_say)
{
	AUTO(scratch_drop) struct scratch scratch = scratch_make();
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file;
	struct error err;

	put_directory(&scratch, "sites");
	put(&scratch, "main.json",
		"{\"version\": 1, \"name\": \"f\", \"include\": [\"base.json\", \"sites/*.json\", \"none/*.json\"],\n"
		"\"defaults\": {\"resources\": {\"pids\": 7}}, \"instances\": {\"z\": {\"profiles\": [\"web\"]}}}");
	put(&scratch, "base.json",
		"{\"defaults\": {" RUNS
		", \"resources\": {\"pids\": 5, \"memory\": \"1G\"}}, \"networks\": {\"n\": {}},\n"
		"\"profiles\": {\"web\": {\"priority\": 3}}, \"volumes\": {\"v\": {}}}");
	put(&scratch, "sites/a.json",
		"// one of them\n{\"version\": 1, \"instances\": {\"a\": {\"env_file\": [\"a.env\"], \"network\": "
		"\"n\"}}}");
	put(&scratch, "sites/b.json", "{\"instances\": {\"b\": {\"volumes\": [\"v:/v\", \"./here:/h\"]}}}");
	put(&scratch, "sites/a.env", "A=1\n");
	ASSERT_OK(read_main(&scratch, &arena, &file, &err));
	cr_assert(file.instances.count == 3 && file.networks.count == 1 && file.volumes.count == 1);
	/* The profile's priority puts it first; the others stand as they were included. */
	cr_assert_str_eq(file.instances.items[0].name, "z");
	cr_assert_str_eq(file.instances.items[1].name, "a");
	cr_assert_str_eq(file.instances.items[2].name, "b");
	for (size_t i = 0; i < 3; i++) {
		cr_assert(file.instances.items[i].resources.pids.value == 7);
		cr_assert(file.instances.items[i].resources.memory_bytes.value == INT64_C(1) << 30);
	}
	/* Relative to the file in which it is said. */
	auto_free char *env = text_format("%s/sites/a.env", scratch.path);
	auto_free char *bind = text_format("%s/sites/here", scratch.path);
	cr_assert_str_eq(file.instances.items[1].env_file.items[0], env);
	cr_assert_str_eq(file.instances.items[2].volumes.items[1].source, bind);
}

static const struct {
	const char *include, *text, *failure;
} bad[] = {
	{"[\"x.json\"]", "{", "/x.json:1:2: "},
	{"[\"x.json\"]", "{\"instances\": {\"z\": {" RUNS "}}}",
		"/main.json:2:15: \"z\" of \"instances\" is at /x.json:1 already"},
	{"[\"x.json\"]", "{\n\"instances\": {\"y\": {" RUNS ", \"pids\": 1}}}", "/x.json:2:"},
	{"[\"x.json\"]", "{\"instances\": {\"y\": {" RUNS ", \"user\": \"a b\"}}}", "/x.json:1:"},
	{"[\"x.json\"]", "{\"instances\": {\"y\": {\"profiles\": [\"nonesuch\"]}}}",
		"/x.json:1:35: profile \"nonesuch\" is not one of this file"},
	{"[\"x.json\"]", "{\"name\": \"g\"}", "/x.json:1:2: \"name\": the file that includes this one names the fleet"},
	{"[\"x.json\"]", "{\"instanses\": {}}", "/x.json:1:2: unknown key \"instanses\"; did you mean \"instances\"?"},
	{"[\"x.json\"]", "{\"profiles\": {\"a\": {}, \"a\": {}}}", "/x.json:1:24: repeated key \"a\""},
	{"[\"x.json\"]", "{\"include\": [\"main.json\"]}",
		"/x.json:1:14: \"include\": /main.json: is read already (as /main.json)"},
	{"[\"x.json\", \"x.json\"]", "{}", "/main.json:1:51: \"include\": /x.json: is read already (as /x.json)"},
	{"[\"none.json\"]", "{}", "/main.json:1:41: \"include\": /none.json: no such file"},
	{"\"x.json\"", "{}", "/main.json:1:40: \"include\": expected an array, found a string"},
	{"[1]", "{}", "/main.json:1:41: \"include\": expected the path of a file"},
	{"[\"/dev/null\"]", "{}", "/main.json:1:41: \"include\": /dev/null: not a regular file"},
};

TEST(file_include, refuses_with_the_place_in_the_right_file)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		AUTO(scratch_drop) struct scratch scratch = scratch_make();
		AUTO(arena_drop) struct arena arena = {0};
		auto_free char *text = text_format("{\"version\": 1, \"name\": \"f\", \"include\": %s,\n"
						   "\"instances\": {\"z\": {" RUNS "}}}",
			bad[i].include);

		put(&scratch, "main.json", text);
		put(&scratch, "x.json", bad[i].text);
		const char *said = failure(&scratch, &arena);
		cr_expect(!strncmp(said, bad[i].failure, strlen(bad[i].failure)), "%zu: said %s, expected %s", i, said,
			bad[i].failure);
	}
}

TEST(file_include, bounds_how_deep_it_goes)
{
	AUTO(scratch_drop) struct scratch scratch = scratch_make();
	AUTO(arena_drop) struct arena arena = {0};

	put(&scratch, "main.json",
		"{\"version\": 1, \"name\": \"f\", \"include\": [\"0.json\"], \"instances\": {\"z\": {" RUNS "}}}");
	for (int i = 0; i < 12; i++) {
		auto_free char *name = text_format("%d.json", i),
			       *text = text_format("{\"include\": [\"%d.json\"]}", i + 1);

		put(&scratch, name, text);
	}
	cr_assert(strstr(failure(&scratch, &arena), "\"include\": more than 8 files deep"));
}

TEST(file_include, is_for_files)
{
	AUTO(arena_drop) struct arena arena = {0};
	static const char text[] =
		"{\"version\": 1, \"name\": \"f\", \"include\": [\"x\"], \"instances\": {\"z\": {" RUNS "}}}";
	struct fleet_file file;
	struct error err;

	ASSERT_FAILS(fleet_file_decode(&arena, "f", text, strlen(text), &file, &err), ERROR_USAGE,
		"\"include\": this text is no file");
}
