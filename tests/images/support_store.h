/* A store of the test's own with a staging directory, and images made of nothing. */
#ifndef WARREN_TESTS_IMAGES_STORE_H
#define WARREN_TESTS_IMAGES_STORE_H

#include "base/cleanup.h"
#include "base/file.h"
#include "images/store/store.h"
#include "tests/test.h"

struct depot {
	char *path;
	struct store store;
	struct staging staging;
	struct arena arena;
};
void depot_open(struct depot *depot);
/* The same in a store that somebody else has, who removes it. */
void depot_open_at(struct depot *depot, int store);
void depot_drop(struct depot *depot);
/* Closes the store and opens it again; the staging directory of before is gone. */
void depot_again(struct depot *depot);

/* A digest that nothing has; a constant for each number below 10. */
const char *depot_digest(unsigned number);
/* The directory of a layer to be, below the staging directory, and its commit. */
int depot_layer_begin(struct depot *depot, unsigned number);
void depot_layer_end(struct depot *depot, unsigned number);
/* An image of `count` layers, depot_digest(first) being the lowest, each with a file of its number if it is not there
 * yet; manifest and config are put. The digest of the manifest. */
const char *depot_image(struct depot *depot, const char *name, unsigned first, unsigned count);
/* The same with the config's object "config". */
const char *depot_image_with(
	struct depot *depot, const char *name, unsigned first, unsigned count, const char *process);
/* Entries of a directory of the store. */
size_t depot_count(const struct depot *depot, const char *directory);

#endif
