/* A store of the test's own, and importing into it. */
#ifndef WARREN_TESTS_PULL_SUPPORT_SHOP_H
#define WARREN_TESTS_PULL_SUPPORT_SHOP_H

#include "images/pull/install.h"
#include "tests/pull/support_archive.h"

struct shop {
	char path[64], store_path[80];
	int dir;
	struct store store;
	struct unpackers unpackers;
	struct arena arena;
	struct install_result result;
};

void shop_open(struct shop *shop);
void shop_close(struct shop *shop); /* asserts that no staging directory is left */
/* A file in the test's directory. */
void shop_put(const struct shop *shop, const char *name, const struct text *text);
/* word: "tar:" or none; file: in the test's directory. */
int shop_install(struct shop *shop, const char *word, const char *file, const char *name, struct error *err);
struct image_record shop_find(struct shop *shop, const char *name);

/* What `docker save` writes, of two layers, the second without an entry for the directory it changes: srv/old is
 * removed, srv/new added. Called web:2 and web:latest. */
void saved_archive(struct text *out);

#endif
