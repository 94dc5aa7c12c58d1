#include "tests/seed.h"

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
#define FRESH "XXXXXX"

/* The image's own layers, of all that a store may have. */
#define LAYER "host-"

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

static bool layers_move(const char *from, const char *to)
{
	auto_free char *source = text_format("%s/layers", from), *target = text_format("%s/layers", to);
	DIR *dir = opendir(source);
	bool moved = dir && mkdir(target, 0755) == 0;

	for (struct dirent *entry; moved && (entry = readdir(dir));)
		moved = !text_starts_with(entry->d_name, LAYER) || part_move(entry->d_name, source, target);
	if (dir)
		closedir(dir);
	return moved;
}

void seed_leave(const char *near, const char *store)
{
	auto_free char *seed = seed_path(near), *partly = NULL, *whole = NULL;

	if (!seed)
		return;
	partly = text_format("%s/partly." FRESH, seed);
	cr_assert(mkdtemp(partly), "%s", partly);
	if (!part_move("images", store, partly) || !layers_move(store, partly))
		return; /* it never had the image */
	whole = text_format("%s/" FREE "%s", seed, partly + strlen(partly) - strlen(FRESH));
	cr_assert(rename(partly, whole) == 0, "%s", whole);
}
