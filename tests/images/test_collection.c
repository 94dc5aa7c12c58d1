/* Listing, naming and removing images. */
#include "images/collection.h"

#include "images/root/assigned.h"
#include "images/root/holders.h"
#include "support_store.h"

static const struct image_info *named(const struct image_list *list, const char *familiar)
{
	for (size_t i = 0; i < list->count; i++)
		if (text_equal(list->items[i].familiar, familiar))
			return &list->items[i];
	cr_assert(false, "%s is not listed", familiar);
	return NULL;
}

TEST(collection, says_what_an_image_takes_and_what_of_it_others_have_too)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(depot_drop) struct depot depot;
	struct image_list list;
	struct error err;

	depot_open(&depot);
	depot_image(&depot, "a:1", 1, 3);
	depot_image(&depot, "host:5000/b:2", 3, 1);
	ASSERT_OK(image_tag(depot.store.dir, "a:1", "other", &err));
	ASSERT_OK(images_list(depot.store.dir, &arena, &list, &err));
	cr_assert_eq(list.count, 3);
	cr_assert_eq(named(&list, "a:1")->bytes, 4096 * 6);
	cr_assert_eq(named(&list, "a:1")->shared_bytes, 4096 * 3, "with b, and not with itself under another name");
	cr_assert_eq(named(&list, "a:1")->own_bytes, 4096 * 3);
	cr_assert_eq(named(&list, "host:5000/b:2")->own_bytes, 0);
	cr_assert_eq(named(&list, "other:latest")->bytes, 4096 * 6);
	cr_assert_str_eq(named(&list, "other:latest")->name, "docker.io/library/other:latest");
}

TEST(collection, finds_an_image_by_its_names_and_by_the_beginning_of_its_digest)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(depot_drop) struct depot depot;
	struct image_about about;
	const char *digest, *digits;
	struct error err;

	depot_open(&depot);
	digest = depot_image(&depot, "a:1", 1, 2);
	digits = arena_bytes(&arena, digest_hex(digest), 12);
	ASSERT_OK(image_look(depot.store.dir, "docker.io/library/a:1", &arena, &about, &err));
	cr_assert_str_eq(about.info.manifest_digest, digest);
	cr_assert_str_eq(about.config.command.items[0], "/bin/sh");
	cr_assert_eq(about.layers.count, 2);
	ASSERT_OK(image_look(depot.store.dir, digits, &arena, &about, &err));
	cr_assert_str_eq(about.info.familiar, "a:1");
	ASSERT_OK(image_look(depot.store.dir, digest, &arena, &about, &err));
	ASSERT_FAILS(
		image_look(depot.store.dir, "a:2", &arena, &about, &err), ERROR_MISSING, "image \"a:2\" is not here");
	ASSERT_FAILS(image_look(depot.store.dir, "host", &arena, &about, &err), ERROR_USAGE, "built-in");
}

TEST(collection, a_name_that_is_removed_is_gone_and_the_others_stay)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(depot_drop) struct depot depot;
	struct image_list list;
	struct error err;

	depot_open(&depot);
	depot_image(&depot, "a:1", 1, 1);
	ASSERT_OK(image_tag(depot.store.dir, "a:1", "a:2", &err));
	ASSERT_OK(image_untag(depot.store.dir, "a:1", &err));
	ASSERT_FAILS(image_untag(depot.store.dir, "a:1", &err), ERROR_MISSING, "a:1");
	ASSERT_OK(images_list(depot.store.dir, &arena, &list, &err));
	cr_assert_eq(list.count, 1);
	cr_assert_str_eq(list.items[0].familiar, "a:2");
}

TEST(collection, new_names_are_checked)
{
	NEEDS_ROOT();
	AUTO(depot_drop) struct depot depot;
	struct error err;

	depot_open(&depot);
	depot_image(&depot, "a:1", 1, 1);
	ASSERT_FAILS(image_tag(depot.store.dir, "a:1", "host", &err), ERROR_USAGE, "built-in");
	ASSERT_FAILS(image_tag(depot.store.dir, "a:1", "../x", &err), ERROR_USAGE, "../x");
	ASSERT_FAILS(image_tag(depot.store.dir, "nothing", "b", &err), ERROR_MISSING, "nothing");
}
