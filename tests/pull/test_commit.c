/* An instance's upper layer becomes a layer of an image. */
#include "images/pull/commit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/pull/verify.h"
#include "images/root/assigned.h"
#include "tests/pull/support_shop.h"
#include "tests/test.h"

static void file_put(int dir, const char *path, uid_t owner, const char *content)
{
	auto_fd fd = openat(dir, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);

	cr_assert(fd >= 0 && write_all(fd, content, strlen(content)) == 0 && fchown(fd, owner, owner) == 0);
}

/* An instance "one" as `warren create` leaves it, of web:2 or (image NULL) of none, that has written a few things. */
static int instance_make(struct shop *shop, const struct image_record *image)
{
	struct image_config config = {0};
	struct error err;
	auto_fd instances = dir_create(shop->store.dir, "instances", 0700, &err);
	auto_fd one = dir_create(instances, "one", 0700, &err);
	int upper = dir_create(one, "u", 0755, &err);

	cr_assert(upper >= 0, "%s", err.text);
	cr_assert(mkdirat(upper, "srv", 0750) == 0 && mkdirat(upper, "etc", 0755) == 0);
	cr_assert(mknodat(upper, "srv/new", S_IFCHR, makedev(0, 0)) == 0);
	file_put(upper, "srv/added", 33, "added\n");
	file_put(upper, "etc/hosts", 0, "127.0.0.1 localhost\n");
	file_put(upper, "etc/kept", 0, "kept\n");
	if (!image)
		return upper;
	config.name = image->name;
	config.manifest_digest = image->manifest_digest;
	config.config_digest = image->config_digest;
	for (size_t i = image->layers.count; i > 0; i--)
		strings_add(&shop->arena, &config.layers, image->layers.items[i - 1]);
	ASSERT_OK(assigned_write(&shop->store, one, &config, &err));
	return upper;
}

static int commit_as(struct shop *shop, const struct commit_request *request, const char *name, struct error *err)
{
	struct source *source AUTO(source_drop) = commit_open(&shop->store, request, err);
	struct reference reference;
	struct install_request install = {.source = source, .name = &reference};

	if (!source || reference_parse(&shop->arena, name, NULL, &reference, err) < 0)
		return -1;
	return image_install(&shop->store, &shop->unpackers, &install, &shop->arena, &shop->result, err);
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

static struct image_details details_of(struct shop *shop, const struct image_record *image, const char **text)
{
	struct image_details details;
	struct error err;
	size_t length;

	ASSERT_OK(blob_read(&shop->store, image->config_digest, &shop->arena, text, &length, &err));
	ASSERT_OK(image_details_decode(&shop->arena, "config", *text, length, &details, &err));
	return details;
}

TEST(commit, what_an_instance_wrote_is_the_topmost_layer_of_the_image)
{
	struct commit_request request = {.instance = "one", .message = "with added", .author = "somebody"};
	struct verify_result verified;
	struct layer_meta meta;
	struct shop shop;
	struct stat about;
	struct error err;
	const char *text;

	NEEDS_ROOT();
	shop_open(&shop);
	struct image_record web = web_install(&shop);
	auto_fd upper = instance_make(&shop, &web);
	ASSERT_OK(commit_as(&shop, &request, "web:3", &err));
	struct image_record made = shop_find(&shop, "web:3");
	cr_assert_eq(made.layers.count, 3);
	cr_assert_str_eq(made.source, "commit");
	for (size_t i = 0; i < 2; i++)
		cr_assert_str_eq(made.layers.items[i], web.layers.items[i]);

	auto_fd top = layer_open(&shop.store, made.layers.items[2], &err);
	cr_assert(fstatat(top, "srv/added", &about, 0) == 0 && about.st_uid == 33 && about.st_size == 6);
	cr_assert(fstatat(top, "srv/new", &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(about.st_mode));
	cr_assert(fstatat(top, "etc/kept", &about, 0) == 0);
	cr_assert(fstatat(top, "etc/hosts", &about, 0) < 0, "made for each instance, and of no image");

	struct image_details details = details_of(&shop, &made, &text);
	ASSERT_OK(layer_meta_read(&shop.store, made.layers.items[2], &shop.arena, &meta, &err));
	cr_assert_eq(details.diff_ids.count, 3);
	cr_assert_str_eq(details.diff_ids.items[2], meta.diff_id);
	cr_assert_str_eq(details.author, "somebody");
	cr_assert(strstr(text, "with added") && strstr(text, "warren commit one"), "%s", text);
	ASSERT_OK(image_verify(&shop.store, &made, &shop.arena, &verified, &err));
	cr_assert(verified.damaged == 0 && !verified.documents_damage);
	fd_drop(&top);
	fd_drop(&upper);
	shop_close(&shop);
}

TEST(commit, the_same_again_is_the_same_layer_and_more_is_another)
{
	struct commit_request request = {.instance = "one"};
	struct shop shop;
	struct error err;

	NEEDS_ROOT();
	shop_open(&shop);
	struct image_record web = web_install(&shop);
	auto_fd upper = instance_make(&shop, &web);
	ASSERT_OK(commit_as(&shop, &request, "a:1", &err));
	cr_assert_eq(shop.result.layers_fetched, 1);
	ASSERT_OK(commit_as(&shop, &request, "a:2", &err));
	cr_assert_eq(shop.result.layers_fetched, 0);
	cr_assert_str_eq(shop_find(&shop, "a:1").layers.items[2], shop_find(&shop, "a:2").layers.items[2]);
	file_put(upper, "srv/more", 0, "more\n");
	ASSERT_OK(commit_as(&shop, &request, "a:3", &err));
	cr_assert_str_neq(shop_find(&shop, "a:1").layers.items[2], shop_find(&shop, "a:3").layers.items[2]);
	fd_drop(&upper);
	shop_close(&shop);
}

TEST(commit, an_instance_without_an_image_and_one_that_is_not_here_are_named)
{
	struct shop shop;
	struct error err;

	NEEDS_ROOT();
	shop_open(&shop);
	auto_fd upper = instance_make(&shop, NULL);
	ASSERT_FAILS(commit_as(&shop, &(struct commit_request){.instance = "one"}, "a:1", &err), ERROR_USAGE,
		"one has no image of the store below it");
	ASSERT_FAILS(commit_as(&shop, &(struct commit_request){.instance = "two"}, "a:1", &err), ERROR_MISSING,
		"no instance \"two\"");
	ASSERT_FAILS(
		commit_as(&shop, &(struct commit_request){.instance = "../one"}, "a:1", &err), ERROR_USAGE, "../one");
	fd_drop(&upper);
	shop_close(&shop);
}

TEST(commit, a_layer_that_changes_while_it_is_read_is_refused)
{
	struct commit_request request = {.instance = "one"};
	struct shop shop;
	struct error err;

	NEEDS_ROOT();
	shop_open(&shop);
	struct image_record web = web_install(&shop);
	auto_fd upper = instance_make(&shop, &web);
	struct source *source AUTO(source_drop) = commit_open(&shop.store, &request, &err);
	struct reference reference;
	struct install_request install = {.source = source, .name = &reference};

	cr_assert(source, "%s", err.text);
	ASSERT_OK(reference_parse(&shop.arena, "a:1", NULL, &reference, &err));
	file_put(upper, "srv/added", 33, "other\n");
	ASSERT_FAILS(image_install(&shop.store, &shop.unpackers, &install, &shop.arena, &shop.result, &err),
		ERROR_USAGE, "digest");
	source_drop(&source);
	fd_drop(&upper);
	shop_close(&shop);
}
