/* Every seed of the fuzz targets about base/ is run here as well, so that what was found once stays found without a
 * fuzzer. */
#include <fcntl.h>
#include <limits.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/test.h"

/* Each target under a name of its own. */
#define LLVMFuzzerTestOneInput fuzz_json
#include "tests/fuzz/fuzz_json.c"
#undef LLVMFuzzerTestOneInput
#undef WARREN_TESTS_FUZZ_H
#undef FUZZ_ASSERT
#define LLVMFuzzerTestOneInput fuzz_decode
#include "tests/fuzz/fuzz_decode.c"
#undef LLVMFuzzerTestOneInput

/* Gives how many seeds there were. */
static size_t run_seeds(const char *target, int (*run)(const uint8_t *data, size_t size))
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *path =
		text_format("%.*s/../fuzz/corpus/%s", (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__, target);
	struct strings seeds;
	struct error err;
	auto_fd dir = dir_open(AT_FDCWD, path, &err);
	const char *content;
	size_t length;

	cr_assert_geq(dir, 0, "%s", err.text);
	ASSERT_OK(dir_list(&arena, dir, 10000, &seeds, &err));
	for (size_t i = 0; i < seeds.count; i++) {
		ASSERT_OK(file_read(&arena, dir, seeds.items[i], 1 << 20, &content, &length, &err));
		cr_assert_eq(run((const uint8_t *)content, length), 0);
	}
	return seeds.count;
}

TEST(corpus, every_seed_of_json_keeps_its_promises)
{
	cr_assert_geq(run_seeds("json", fuzz_json), 15);
}

TEST(corpus, every_seed_of_decode_keeps_its_promises)
{
	cr_assert_geq(run_seeds("decode", fuzz_decode), 12);
}
