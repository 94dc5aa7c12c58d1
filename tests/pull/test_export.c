/* What comes out of the store goes in again as the same. */
#include "images/pull/export.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "images/pull/digest.h"
#include "images/pull/verify.h"
#include "tests/pull/support_shop.h"
#include "tests/test.h"

static int out_open(const struct shop *shop, const char *name)
{
	int fd = openat(shop->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert(fd >= 0);
	return fd;
}

static struct image_record web_install(struct shop *shop)
{
	struct text archive AUTO(text_drop) = {0};
	struct error err;

	saved_archive(&archive);
	shop_put(shop, "web.tar", &archive);
	ASSERT_OK(shop_install(shop, "", "web.tar:web:2", "web:2", &err));
	return shop_find(shop, "web:2");
}

TEST(export, a_root_has_what_its_layers_make_together)
{
	struct image_record web;
	struct shop shop;
	struct stat status;
	struct error err;

	NEEDS_ROOT();
	shop_open(&shop);
	web = web_install(&shop);
	auto_fd out = out_open(&shop, "root.tar");
	ASSERT_OK(export_image_root(&shop.store, &web, out, &err));
	fd_drop(&out);
	ASSERT_OK(shop_install(&shop, "tar:", "root.tar", "flat", &err));
	auto_fd layer = layer_open(&shop.store, shop_find(&shop, "flat").layers.items[0], &err);
	cr_assert(fstatat(layer, "srv/new", &status, 0) == 0 && status.st_size == 3);
	cr_assert(fstatat(layer, "srv/old", &status, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT);
	cr_assert(fstatat(layer, "srv", &status, 0) == 0 && status.st_mode == (S_IFDIR | 0750) && status.st_uid == 5);
	fd_drop(&layer);
	shop_close(&shop);
}

/* Two layers of which the second hides the first, as an archive of images. */
static void hiding_archive(struct text *out)
{
	struct text first AUTO(text_drop) = {0}, second AUTO(text_drop) = {0}, config AUTO(text_drop) = {0};
	char a[REFERENCE_DIGEST_SIZE], b[REFERENCE_DIGEST_SIZE];
	struct error err;

	ADD(&first, .name = "old", .content = "old");
	archive_end(&first);
	ADD(&second, .name = "new", .content = "new");
	ADD(&second, .name = ".wh..wh..opq");
	archive_end(&second);
	ASSERT_OK(digest_of(first.data, first.length, a, &err));
	ASSERT_OK(digest_of(second.data, second.length, b, &err));
	text_appendf(&config,
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}",
		a, b);
	ADD(out, .name = "c.json", .content = config.data);
	ADD(out, .name = "1.tar", .content = first.data, .length = first.length);
	ADD(out, .name = "2.tar", .content = second.data, .length = second.length);
	ADD(out, .name = "manifest.json",
		.content = "[{\"Config\":\"c.json\",\"RepoTags\":[\"web:3\"],\"Layers\":[\"1.tar\",\"2.tar\"]}]");
	archive_end(out);
}

TEST(export, a_layer_that_hides_all_below_it_does_so_again_where_it_comes)
{
	struct text archive AUTO(text_drop) = {0};
	struct image_record web;
	struct shop shop;
	struct error err;

	NEEDS_ROOT();
	shop_open(&shop);
	hiding_archive(&archive);
	shop_put(&shop, "web.tar", &archive);
	ASSERT_OK(shop_install(&shop, "", "web.tar", "web:3", &err));
	web = shop_find(&shop, "web:3");
	cr_assert(web.layers.count == 2 && web.hidden == 1, "%zu", (size_t)web.hidden);

	auto_fd root = out_open(&shop, "root.tar");
	ASSERT_OK(export_image_root(&shop.store, &web, root, &err));
	ASSERT_OK(shop_install(&shop, "tar:", "root.tar", "flat", &err));
	auto_fd layer = layer_open(&shop.store, shop_find(&shop, "flat").layers.items[0], &err);
	cr_assert(faccessat(layer, "new", F_OK, 0) == 0 && faccessat(layer, "old", F_OK, 0) < 0);
	cr_assert(!layer_directory_is_opaque(layer), "a root tarball has nothing to hide");

	auto_fd oci = out_open(&shop, "oci.tar");
	ASSERT_OK(export_oci_archive(&shop.store, &web, "3", oci, &err));
	ASSERT_OK(shop_install(&shop, "", "oci.tar", "again", &err));
	web = shop_find(&shop, "again");
	cr_assert(web.layers.count == 2 && web.hidden == 1);
	fd_drop(&layer);
	fd_drop(&oci);
	fd_drop(&root);
	shop_close(&shop);
}

TEST(export, an_oci_archive_is_an_image_with_the_same_layers)
{
	struct image_record web, again;
	struct shop shop;
	struct error err;

	NEEDS_ROOT();
	shop_open(&shop);
	web = web_install(&shop);
	auto_fd out = out_open(&shop, "web.oci");
	ASSERT_OK(export_oci_archive(&shop.store, &web, "two", out, &err));
	fd_drop(&out);
	ASSERT_OK(shop_install(&shop, "oci-archive:", "web.oci:two", "again", &err));
	again = shop_find(&shop, "again");
	cr_assert(again.layers.count == 2);
	cr_assert_str_eq(again.source, "oci-archive");
	for (size_t i = 0; i < 2; i++) {
		struct layer_meta before, after;

		ASSERT_OK(layer_meta_read(&shop.store, web.layers.items[i], &shop.arena, &before, &err));
		ASSERT_OK(layer_meta_read(&shop.store, again.layers.items[i], &shop.arena, &after, &err));
		cr_assert_str_eq(before.tree_hash, after.tree_hash, "layer %zu", i);
	}
	out = out_open(&shop, "again.oci");
	ASSERT_OK(export_oci_archive(&shop.store, &again, NULL, out, &err));
	fd_drop(&out);
	ASSERT_OK(shop_install(&shop, "", "again.oci", "third", &err));
	cr_assert_str_eq(
		shop_find(&shop, "third").manifest_digest, again.manifest_digest, "the same content, the same bytes");
	ASSERT_FAILS(shop_install(&shop, "oci-archive:", "web.oci:three", "x", &err), ERROR_MISSING, "there are: two");
	shop_close(&shop);
}

TEST(export, verify_finds_what_was_changed_in_a_layer)
{
	struct verify_result result;
	struct image_record web;
	struct shop shop;
	struct error err;

	NEEDS_ROOT();
	shop_open(&shop);
	web = web_install(&shop);
	ASSERT_OK(image_verify(&shop.store, &web, &shop.arena, &result, &err));
	cr_assert(result.count == 2 && result.damaged == 0 && !result.documents_damage);

	auto_fd layer = layer_open(&shop.store, web.layers.items[1], &err);
	auto_fd file = openat(layer, "srv/new", O_WRONLY | O_CLOEXEC);
	cr_assert(pwrite(file, "NEW", 3, 0) == 3);
	ASSERT_OK(image_verify(&shop.store, &web, &shop.arena, &result, &err));
	cr_assert(result.damaged == 1 && !result.layers[0].damage && strstr(result.layers[1].damage, "have changed"));
	cr_assert(ftruncate(file, 0) == 0);
	ASSERT_OK(image_verify(&shop.store, &web, &shop.arena, &result, &err));
	cr_assert(strstr(result.layers[1].damage, "bytes in its files"), "%s", result.layers[1].damage);
	cr_assert(unlinkat(layer, "srv/new", 0) == 0);
	ASSERT_OK(image_verify(&shop.store, &web, &shop.arena, &result, &err));
	cr_assert(strstr(result.layers[1].damage, "it had"), "%s", result.layers[1].damage);
	fd_drop(&file);
	fd_drop(&layer);
	shop_close(&shop);
}
