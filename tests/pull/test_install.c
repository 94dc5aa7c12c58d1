/* Images from local sources into a store of the test's own. */
#include "images/pull/install.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/pull/content.h"
#include "images/pull/digest.h"
#include "tests/pull/support_shop.h"
#include "tests/test.h"

static void layer_assert_has(struct shop *shop, const char *key, const char *path)
{
	struct error err;
	auto_fd layer = layer_open(&shop->store, key, &err);

	cr_assert(layer >= 0 && faccessat(layer, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0, "%s in %s", path, key);
}

static void small_root(struct text *archive)
{
	ADD(archive, .name = "etc/", .type = '5');
	ADD(archive, .name = "etc/motd", .content = "hello\n");
	ADD(archive, .name = "usr/bin/tool", .content = "#!/bin/sh\n", .mode = 0755);
	archive_end(archive);
}

TEST(install, a_root_tarball_becomes_an_image_of_one_layer)
{
	struct text archive AUTO(text_drop) = {0}, packed AUTO(text_drop) = {0};
	struct shop shop;
	struct error err;
	const char *digest;

	NEEDS_ROOT();
	shop_open(&shop);
	small_root(&archive);
	archive_gzip(&archive, &packed);
	shop_put(&shop, "root.tar", &archive);
	shop_put(&shop, "root.tar.gz", &packed);
	ASSERT_OK(shop_install(&shop, "tar:", "root.tar.gz", "small:1", &err));
	struct image_record record = shop_find(&shop, "small:1");
	cr_assert(record.layers.count == 1 && shop.result.changed && shop.result.layers_fetched == 1);
	cr_assert_str_eq(record.source, "tarball");
	layer_assert_has(&shop, record.layers.items[0], "usr/bin/tool");
	digest = record.manifest_digest;

	ASSERT_OK(shop_install(&shop, "", "root.tar.gz", "small:1", &err));
	cr_assert(!shop.result.changed, "the same tarball makes the same image");
	cr_assert_str_eq(shop_find(&shop, "small:1").manifest_digest, digest);
	ASSERT_OK(shop_install(&shop, "", "root.tar", "small:plain", &err));
	cr_assert_str_eq(shop_find(&shop, "small:plain").layers.items[0], record.layers.items[0]);
	shop_close(&shop);
}

TEST(install, a_directory_becomes_an_image_with_all_that_is_in_it)
{
	struct shop shop;
	struct error err;
	struct stat status;

	NEEDS_ROOT();
	shop_open(&shop);
	cr_assert(mkdirat(shop.dir, "root", 0755) == 0 && mkdirat(shop.dir, "root/deep", 01777) == 0);
	cr_assert(fchmodat(shop.dir, "root/deep", 01777, 0) == 0); /* whatever the umask is */
	cr_assert(symlinkat("deep", shop.dir, "root/link") == 0);
	close(openat(shop.dir, "root/deep/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	cr_assert(linkat(shop.dir, "root/deep/file", shop.dir, "root/again", 0) == 0);
	cr_assert(fchownat(shop.dir, "root/deep/file", 33, 3000000, 0) == 0 &&
		  fchmodat(shop.dir, "root/deep/file", 04755, 0) == 0);
	ASSERT_OK(shop_install(&shop, "dir:", "root", "fromdir", &err));
	struct image_record record = shop_find(&shop, "fromdir");
	auto_fd layer = layer_open(&shop.store, record.layers.items[0], &err);
	cr_assert(fstatat(layer, "again", &status, 0) == 0 && status.st_nlink == 2 && status.st_uid == 33);
	cr_assert(status.st_gid == 3000000 && status.st_mode == (S_IFREG | 04755));
	cr_assert(fstatat(layer, "deep", &status, 0) == 0 && status.st_mode == (S_IFDIR | 01777));
	cr_assert(fstatat(layer, "link", &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode));
	fd_drop(&layer);
	shop_close(&shop);
}

TEST(install, an_archive_of_docker_save_is_put_together_again)
{
	struct text archive AUTO(text_drop) = {0};
	struct shop shop;
	struct stat status;
	struct error err;

	NEEDS_ROOT();
	shop_open(&shop);
	saved_archive(&archive);
	shop_put(&shop, "web.tar", &archive);
	ASSERT_OK(shop_install(&shop, "docker-archive:", "web.tar:web:2", "web:2", &err));
	struct image_record record = shop_find(&shop, "web:2");
	cr_assert(record.layers.count == 2);
	auto_fd top = layer_open(&shop.store, record.layers.items[1], &err);
	cr_assert(fstatat(top, "srv", &status, 0) == 0 && status.st_mode == (S_IFDIR | 0750) && status.st_uid == 5,
		"an implied directory looks like the one below");
	cr_assert(fstatat(top, "srv/old", &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(status.st_mode));
	ASSERT_FAILS(shop_install(&shop, "docker-archive:", "web.tar:web:3", "x", &err), ERROR_MISSING,
		"no image \"web:3\"");
	fd_drop(&top);
	shop_close(&shop);
}

TEST(install, a_packed_archive_of_images_is_recognised_when_it_is_unpacked)
{
	struct text archive AUTO(text_drop) = {0}, packed AUTO(text_drop) = {0};
	struct shop shop;
	struct error err;

	NEEDS_ROOT();
	shop_open(&shop);
	saved_archive(&archive);
	archive_zstd(&archive, &packed);
	shop_put(&shop, "web.tar.zst", &packed);
	ASSERT_OK(shop_install(&shop, "", "web.tar.zst", "web", &err));
	cr_assert(shop_find(&shop, "web").layers.count == 2);
	cr_assert_str_eq(shop_find(&shop, "web").source, "docker-archive");
	ASSERT_OK(shop_install(&shop, "docker-archive:", "web.tar.zst:web:2", "web:two", &err));
	cr_assert(shop.result.layers_fetched == 0, "both layers were there");
	shop_close(&shop);
}

TEST(install, a_layer_that_is_not_what_the_config_says_changes_nothing)
{
	struct text archive AUTO(text_drop) = {0};
	struct strings layers;
	struct shop shop;
	struct error err;
	char *place;

	NEEDS_ROOT();
	shop_open(&shop);
	saved_archive(&archive);
	place = memmem(archive.data, archive.length, "srv/new", 7);
	place[4] = 'm'; /* the header's sum is wrong too, but the digest is looked at first */
	shop_put(&shop, "web.tar", &archive);
	ASSERT_FAILS(shop_install(&shop, "", "web.tar", "web", &err), ERROR_USAGE, "layer 2 of 2");
	ASSERT_OK(dir_list(&shop.arena, shop.store.layers, 10, &layers, &err));
	cr_assert(layers.count == 0);
	ASSERT_FAILS(shop_install(&shop, "", "absent", "web", &err), ERROR_MISSING, "No such file");
	shop_close(&shop);
}
