#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/kernel.h"
#include "images/overlay/overlay.h"
#include "support_inside.h"

TEST(session, remembers_what_the_kernel_can)
{
	struct place place;
	struct image_session again;
	struct error err;

	NEEDS_ROOT();
	place_open(&place);
	bool detached = place.session.detached_layers;
	cr_assert(faccessat(place.run, detached ? "overlay-takes-detached-layers" : "overlay-needs-attached-layers",
			  F_OK, 0) == 0);
	auto_free char *store = text_format("%s/store", place.path);
	ASSERT_OK(image_session_open(place.run, store, &again, &err));
	cr_assert(again.detached_layers == detached);
	image_session_drop(&again);
	place_drop(&place);
}

/* The slow way, also where the kernel has the fast one. */
TEST(session, works_over_attached_layers_and_returns_to_the_namespace_it_left)
{
	struct place place;
	struct image_session session;
	struct stat before, inside, after;
	struct error err;

	NEEDS_ROOT();
	place_open(&place);
	image_session_drop(&place.session);
	unlinkat(place.run, "overlay-takes-detached-layers", 0);
	kernel_pretend(KERNEL_OVERLAY_DETACHED, KERNEL_NO);
	auto_free char *store = text_format("%s/store", place.path);
	cr_assert(stat("/proc/self/ns/mnt", &before) == 0);
	ASSERT_OK(image_session_open(place.run, store, &session, &err));
	cr_assert(faccessat(place.run, "overlay-needs-attached-layers", F_OK, 0) == 0);
	cr_assert(stat("/proc/self/ns/mnt", &inside) == 0 && inside.st_ino != before.st_ino);
	place.session = session;
	struct inside child;
	inside_open(&child);
	auto_fd dir = place_instance(&place, "one");
	struct arena arena = {0};
	struct image_config config;
	struct root_parts parts = {0};
	struct root_request request = {
		.image = IMAGE_HOST, .instance = dir, .userns = child.userns, .id_base = ID_BASE};
	ASSERT_OK(image_prepare(session.store, IMAGE_HOST, &arena, &config, &err));
	ASSERT_OK(root_create(&session, &request, &err));
	ASSERT_OK(root_mount(&session, &request, &parts, &err));
	cr_assert_eq(parts.count, 2);
	auto_free char *table = text_format("%s", content_of("/proc/self/mountinfo"));
	cr_assert(
		!strstr(table, "/scratch/a") && !strstr(table, "/scratch/b"), "layers are still attached:\n%s", table);
	root_parts_drop(&parts);
	inside_drop(&child);
	arena_drop(&arena);
	image_session_drop(&place.session);
	cr_assert(stat("/proc/self/ns/mnt", &after) == 0 && after.st_ino == before.st_ino);
	place.session = (struct image_session){.scratch = -1, .store = -1};
	place_drop(&place);
}

/* The other way round: an answer that is wrong leads to the kernel's own words and to nothing half made. */
TEST(session, a_newer_way_that_the_kernel_lacks_fails_in_words)
{
	struct place place;
	struct image_session session;
	struct error err;

	NEEDS_ROOT();
	SKIP_UNLESS(!kernel_has(KERNEL_OVERLAY_DETACHED), "needs a kernel before 6.13");
	place_open(&place);
	image_session_drop(&place.session);
	unlinkat(place.run, "overlay-needs-attached-layers", 0);
	kernel_pretend(KERNEL_OVERLAY_DETACHED, KERNEL_YES);
	auto_free char *store = text_format("%s/store", place.path);
	ASSERT_OK(image_session_open(place.run, store, &session, &err));
	place.session = session;
	auto_free char *file = place_file(&place, "image/file", 0644, "");
	auto_free char *rootfs = text_format("%s/image", place.path);
	auto_fd dir = place_instance(&place, "one");
	struct root_parts parts = {0};
	struct root_request request = {.rootfs = rootfs, .instance = dir, .userns = -1};
	ASSERT_OK(root_create(&session, &request, &err));
	ASSERT_FAILS(root_mount(&session, &request, &parts, &err), ERROR_SYSTEM, "mount overlay: ");
	cr_assert(parts.count == 0 && err.errnum == EOPNOTSUPP, "%zu %s", parts.count, err.text);
	place_drop(&place);
}

/* A question that could not be answered (no memory, no descriptors) is asked again by the next command. */
TEST(session, remembers_no_answer_that_was_none)
{
	struct place place;
	struct image_session session;
	struct error err;

	NEEDS_ROOT();
	place_open(&place);
	image_session_drop(&place.session);
	unlinkat(place.run, "overlay-takes-detached-layers", 0);
	unlinkat(place.run, "overlay-needs-attached-layers", 0);
	kernel_pretend(KERNEL_OVERLAY_DETACHED, KERNEL_UNKNOWN);
	auto_free char *store = text_format("%s/store", place.path);
	ASSERT_OK(image_session_open(place.run, store, &session, &err));
	cr_assert(!session.detached_layers);
	image_session_drop(&session);
	cr_assert(faccessat(place.run, "overlay-takes-detached-layers", F_OK, 0) < 0);
	cr_assert(faccessat(place.run, "overlay-needs-attached-layers", F_OK, 0) < 0);
	place.session = (struct image_session){.scratch = -1, .store = -1};
	place_drop(&place);
}

TEST(session, makes_the_store_unreachable_for_others)
{
	struct place place;
	struct image_session session;
	struct stat about;
	struct error err;

	NEEDS_ROOT();
	place_open(&place);
	auto_free char *store = text_format("%s/store", place.path);
	cr_assert(stat(store, &about) == 0 && (about.st_mode & 07777) == 0700);
	cr_assert(chmod(store, 0755) == 0);
	ASSERT_OK(image_session_open(place.run, store, &session, &err));
	cr_assert(stat(store, &about) == 0 && (about.st_mode & 07777) == 0700);
	image_session_drop(&session);
	cr_assert(chown(store, 33, 33) == 0);
	ASSERT_FAILS(
		image_session_open(place.run, store, &session, &err), ERROR_SYSTEM, "belongs to uid 33, not to us");
	ASSERT_FAILS(image_session_open(place.run, "/proc/nonesuch/store", &session, &err), ERROR_MISSING, "nonesuch");
	place_drop(&place);
}

TEST(overlay, knows_the_file_system_of_a_descriptor)
{
	char name[64];
	auto_fd proc = open("/proc", O_PATH | O_CLOEXEC);

	cr_assert_str_eq(filesystem_name(proc, name), "proc");
	cr_assert_str_eq(filesystem_name(-1, name), "?");
}
