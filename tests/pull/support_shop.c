#include "tests/pull/support_shop.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/pull/digest.h"
#include "tests/test.h"

void shop_open(struct shop *shop)
{
	struct error err;

	*shop = (struct shop){.path = "/var/tmp/warren-test-shop-XXXXXX", .store = NO_STORE};
	cr_assert(mkdtemp(shop->path));
	shop->dir = open(shop->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(shop->store_path, sizeof(shop->store_path), "%s/store", shop->path);
	ASSERT_OK(store_open(shop->store_path, &shop->store, &err));
	ASSERT_OK(unpackers_start(&shop->unpackers, &err));
}

void shop_close(struct shop *shop)
{
	struct strings left;
	struct error err;

	ASSERT_OK(dir_list(&shop->arena, shop->store.staging, 10, &left, &err));
	cr_assert(left.count == 0, "left in tmp/: %s", left.items[0]);
	unpackers_drop(&shop->unpackers);
	store_drop(&shop->store);
	fd_drop(&shop->dir);
	arena_drop(&shop->arena);
	ASSERT_OK(tree_remove(AT_FDCWD, shop->path, &err));
}

void shop_put(const struct shop *shop, const char *name, const struct text *text)
{
	auto_fd fd = openat(shop->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert(fd >= 0 && write_all(fd, text->data, text->length) == 0);
}

int shop_install(struct shop *shop, const char *word, const char *file, const char *name, struct error *err)
{
	auto_free char *text = text_format("%s%s/%s", word, shop->path, file);
	struct source *source AUTO(source_drop) = source_open_local(text, NULL, err);
	struct reference reference;

	if (!source || reference_parse(&shop->arena, name, NULL, &reference, err) < 0)
		return -1;
	struct install_request request = {.source = source, .name = &reference};
	return image_install(&shop->store, &shop->unpackers, &request, &shop->arena, &shop->result, err);
}

struct image_record shop_find(struct shop *shop, const char *name)
{
	struct reference reference;
	struct image_record record = {0};
	struct error err;

	ASSERT_OK(reference_parse(&shop->arena, name, NULL, &reference, &err));
	ASSERT_OK(image_find(&shop->store, &reference, &shop->arena, &record, &err));
	return record;
}

void saved_archive(struct text *out)
{
	struct text first AUTO(text_drop) = {0}, second AUTO(text_drop) = {0}, config AUTO(text_drop) = {0};
	struct text manifest AUTO(text_drop) = {0};
	char a[REFERENCE_DIGEST_SIZE], b[REFERENCE_DIGEST_SIZE];
	struct error err;

	ADD(&first, .name = "srv/", .type = '5', .mode = 0750, .uid = 5);
	ADD(&first, .name = "srv/old", .content = "old");
	archive_end(&first);
	ADD(&second, .name = "srv/.wh.old");
	ADD(&second, .name = "srv/new", .content = "new");
	archive_end(&second);
	ASSERT_OK(digest_of(first.data, first.length, a, &err));
	ASSERT_OK(digest_of(second.data, second.length, b, &err));
	text_appendf(&config,
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"/x\"]},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}",
		a, b);
	text_append(&manifest, "[{\"Config\":\"c.json\",\"RepoTags\":[\"web:2\",\"web:latest\"],"
			       "\"Layers\":[\"one/layer.tar\",\"two/layer.tar\"]}]");
	ADD(out, .name = "c.json", .content = config.data);
	ADD(out, .name = "one/layer.tar", .content = first.data, .length = first.length);
	ADD(out, .name = "real.tar", .content = second.data, .length = second.length);
	ADD(out, .name = "two/layer.tar", .type = '2', .link = "../real.tar");
	ADD(out, .name = "manifest.json", .content = manifest.data);
	archive_end(out);
}
