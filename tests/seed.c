#include "tests/seed.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/test.h"

#define FREE "free."
#define FRESH "XXXXXX"

/* What the image consists of in a store. */
static const char *const parts[] = {"layers", "images", "tmp"};

/* NULL: tests keep what they make to themselves. */
static char *seed_path(const char *near)
{
	const char *name = getenv("WARREN_TEST_SEED");

	return name ? text_format("%s/%s", near, name) : NULL;
}

/* Whoever renames it has it. */
void seed_take(const char *near, const char *store)
{
	auto_free char *seed = seed_path(near);
	DIR *dir = seed ? opendir(seed) : NULL;
	bool taken = false;

	cr_assert(!seed || dir, "WARREN_TEST_SEED: %s", seed);
	for (struct dirent *entry; dir && !taken && (entry = readdir(dir));) {
		auto_free char *left = text_format("%s/%s", seed, entry->d_name);

		taken = text_starts_with(entry->d_name, FREE) && rename(left, store) == 0;
	}
	if (dir)
		closedir(dir);
}

static bool part_move(const char *part, const char *from, const char *to)
{
	auto_free char *source = text_format("%s/%s", from, part), *target = text_format("%s/%s", to, part);

	return rename(source, target) == 0;
}

void seed_leave(const char *near, const char *store)
{
	auto_free char *seed = seed_path(near), *partly = NULL, *whole = NULL;

	if (!seed)
		return;
	partly = text_format("%s/partly." FRESH, seed);
	cr_assert(mkdtemp(partly), "%s", partly);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!part_move(parts[i], store, partly))
			return; /* it never had the image */
	whole = text_format("%s/" FREE "%s", seed, partly + strlen(partly) - strlen(FRESH));
	cr_assert(rename(partly, whole) == 0, "%s", whole);
}
