#include "tests/end_to_end/support_seed.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/test.h"

#define FREE "free."

/* What the image consists of in a store. */
static const char *const parts[] = {"layers", "images"};

static bool move(const char *from_directory, const char *from, const char *to_directory, const char *to)
{
	auto_free char *source = text_format("%s/%s", from_directory, from),
		       *target = text_format("%s/%s", to_directory, to);

	return rename(source, target) == 0;
}

/* Whoever renames it has it. */
void seed_take(const char *root)
{
	const char *seed = getenv("WARREN_TEST_SEED");
	DIR *dir = seed ? opendir(seed) : NULL;
	bool taken = false;

	cr_assert(!seed || dir, "WARREN_TEST_SEED=%s", seed);
	if (!dir)
		return;
	cr_assert(mkdir(root, 0755) == 0, "%s", root);
	for (struct dirent *entry; !taken && (entry = readdir(dir));)
		taken = text_starts_with(entry->d_name, FREE) && move(seed, entry->d_name, root, "lib");
	closedir(dir);
}

void seed_leave(const char *root)
{
	const char *seed = getenv("WARREN_TEST_SEED");
	auto_free char *store = text_format("%s/lib", root),
		       *partly = text_format("%s/partly.XXXXXX", seed ? seed : ""), *whole = NULL;

	if (!seed)
		return;
	cr_assert(mkdtemp(partly), "%s", partly);
	whole = text_format("%s/" FREE "%s", seed, partly + strlen(partly) - strlen("XXXXXX"));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!move(store, parts[i], partly, parts[i]))
			return; /* this one never had the image */
	cr_assert(rename(partly, whole) == 0, "%s", whole);
}
