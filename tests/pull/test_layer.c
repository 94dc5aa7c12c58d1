/* Bytes to a directory through the processes that do it, as a pull does. */
#include "images/pull/layer.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "images/pull/content.h"
#include "images/pull/digest.h"
#include "images/store/store.h"
#include "tests/pull/support_layer.h"
#include "tests/test.h"

static void sample(struct text *archive)
{
	ADD(archive, .name = "./", .type = '5', .mode = 0755);
	ADD(archive, .name = "etc/", .type = '5', .mode = 0750, .uid = 3, .gid = 4, .mtime = 1600000000);
	ADD(archive, .name = "etc/motd", .content = "hello\n", .uid = 33, .gid = 34);
	ADD(archive, .name = "etc/link", .type = '2', .link = "../motd");
	ADD(archive, .name = "etc/hard", .type = '1', .link = "etc/motd");
	ADD(archive, .name = "bin/", .type = '5', .mode = 01777);
	ADD(archive, .name = "bin/su", .content = "#!", .mode = 04755, .uid = 0, .gid = 8);
	ADD(archive, .name = "bin/pipe", .type = '6', .mode = 0600);
	ADD(archive, .name = "empty", .mode = 0400);
	archive_end(archive);
}

TEST(layer, has_what_the_archive_says)
{
	struct text archive AUTO(text_drop) = {0};
	struct world world;
	struct stat status;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	sample(&archive);
	ASSERT_OK(world_unpack(&world, &archive, NULL, &err));
	cr_assert_str_eq(world_text(&world, "etc/motd"), "hello\n");
	status = world_stat(&world, "etc");
	cr_assert(status.st_mode == (S_IFDIR | 0750) && status.st_uid == 3 && status.st_gid == 4);
	cr_assert(status.st_mtime == 1600000000, "the time of a directory is set when all is in it");
	status = world_stat(&world, "etc/hard");
	cr_assert(status.st_nlink == 2 && status.st_uid == 33 && status.st_gid == 34 && status.st_mtime == 1700000000);
	cr_assert(world_stat(&world, "etc/link").st_mode == (S_IFLNK | 0777));
	status = world_stat(&world, "bin/su");
	cr_assert(status.st_mode == (S_IFREG | 04755) && status.st_gid == 8, "mode %o", status.st_mode);
	cr_assert(world_stat(&world, "bin").st_mode == (S_IFDIR | 01777));
	cr_assert(world_stat(&world, "bin/pipe").st_mode == (S_IFIFO | 0600));
	cr_assert(world_stat(&world, "empty").st_mode == (S_IFREG | 0400));
	cr_assert(world.result.implied.count == 0 && world.result.left_out == 0 && !world.result.overlay_marks);
	cr_assert(world.result.packed_bytes == archive.length && world.result.tar_bytes == archive.length);
	cr_assert_str_eq(world.result.compression, "none");
	world_drop(&world);
}

TEST(layer, is_the_same_however_it_is_packed)
{
	struct text archive AUTO(text_drop) = {0}, gzip AUTO(text_drop) = {0}, zstd AUTO(text_drop) = {0};
	char diff_id[REFERENCE_DIGEST_SIZE], gzip_digest[REFERENCE_DIGEST_SIZE];
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	sample(&archive);
	archive_gzip(&archive, &gzip);
	archive_zstd(&archive, &zstd);
	ASSERT_OK(digest_of(archive.data, archive.length, diff_id, &err));
	ASSERT_OK(digest_of(gzip.data, gzip.length, gzip_digest, &err));

	struct layer_request promised = {.digest = gzip_digest, .size = (int64_t)gzip.length, .diff_id = diff_id};
	ASSERT_OK(world_unpack(&world, &gzip, &promised, &err));
	cr_assert_str_eq(world.result.digest, gzip_digest);
	cr_assert_str_eq(world.result.diff_id, diff_id);
	cr_assert_str_eq(world.result.compression, "gzip");
	struct layer_content content = world.result.content;
	world_empty(&world);
	ASSERT_OK(world_unpack(&world, &zstd, NULL, &err));
	cr_assert_str_eq(world.result.diff_id, diff_id);
	cr_assert_str_eq(world.result.compression, "zstd");
	cr_assert(content.sum == world.result.content.sum);
	world_drop(&world);
}

TEST(layer, content_is_recorded_as_a_look_at_it_finds_it)
{
	struct text archive AUTO(text_drop) = {0};
	struct layer_content found;
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = ".wh.gone");
	sample(&archive);
	ASSERT_OK(world_unpack(&world, &archive, NULL, &err));
	ASSERT_OK(content_measure(world.layer, &found, &err));
	cr_assert(found.files == 7 && found.directories == 2, "%llu files, %llu directories",
		(unsigned long long)found.files, (unsigned long long)found.directories);
	cr_assert(!memcmp(&found, &world.result.content, sizeof(found)), "%llx and %llx", (unsigned long long)found.sum,
		(unsigned long long)world.result.content.sum);

	auto_fd changed = openat(world.layer, "etc/motd", O_WRONLY | O_CLOEXEC);
	cr_assert(pwrite(changed, "H", 1, 0) == 1);
	ASSERT_OK(content_measure(world.layer, &found, &err));
	cr_assert(found.sum != world.result.content.sum && found.bytes == world.result.content.bytes);
	world_drop(&world);
	fd_drop(&changed);
}

TEST(layer, a_whiteout_and_an_opaque_directory_become_the_marks_of_overlayfs)
{
	struct text archive AUTO(text_drop) = {0};
	struct world world;
	struct stat status;
	struct error err;
	char value[4] = "";

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "dir/", .type = '5');
	ADD(&archive, .name = "dir/.wh.old");
	ADD(&archive, .name = "late/", .type = '5');
	ADD(&archive, .name = "late/file", .content = "new");
	ADD(&archive, .name = "late/.wh..wh..opq");
	ADD(&archive, .name = "late/.wh.file"); /* of a lower layer: ours stays */
	ADD(&archive, .name = ".wh.again");
	ADD(&archive, .name = "again/", .type = '5'); /* removed and made anew: opaque */
	ADD(&archive, .name = ".wh..wh.plnk/1.2", .content = "aufs");
	archive_end(&archive);
	ASSERT_OK(world_unpack(&world, &archive, NULL, &err));
	status = world_stat(&world, "dir/old");
	cr_assert(S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0));
	cr_assert_str_eq(world_text(&world, "late/file"), "new");
	for (const char *const *dir = (const char *const[]){"late", "again", NULL}; *dir; dir++) {
		auto_fd fd = openat(world.layer, *dir, O_RDONLY | O_CLOEXEC);
		cr_assert(fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)) == 1 && *value == 'y', "%s",
			*dir);
	}
	auto_fd plain = openat(world.layer, "dir", O_RDONLY | O_CLOEXEC);
	cr_assert(fgetxattr(plain, "trusted.overlay.opaque", value, sizeof(value)) < 0);
	cr_assert(world.result.overlay_marks && !world_has(&world, ".wh..wh.plnk"));
	fd_drop(&plain);
	world_drop(&world);
}

TEST(layer, one_that_is_opaque_at_its_top_has_the_mark_there)
{
	struct text archive AUTO(text_drop) = {0};
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "./.wh..wh..opq");
	ADD(&archive, .name = "new", .content = "only");
	archive_end(&archive);
	ASSERT_OK(world_unpack(&world, &archive, NULL, &err));
	cr_assert(layer_directory_is_opaque(world.layer) && world.result.overlay_marks);
	cr_assert_str_eq(world_text(&world, "new"), "only");
	world_drop(&world);
}

TEST(layer, directories_that_no_entry_names_take_their_look_from_below)
{
	struct text archive AUTO(text_drop) = {0};
	struct world world;
	struct stat status;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "srv/data/x", .content = "x");
	ADD(&archive, .name = "srv/named/deep/", .type = '5');
	ADD(&archive, .name = "srv/named/", .type = '5', .mode = 0700);
	archive_end(&archive);
	ASSERT_OK(world_unpack(&world, &archive, NULL, &err));
	cr_assert(world.result.implied.count == 2, "%zu", world.result.implied.count);
	cr_assert_str_eq(world.result.implied.items[0], "srv");
	cr_assert_str_eq(world.result.implied.items[1], "srv/data");

	cr_assert(mkdirat(world.scratch, "lower", 0755) == 0 && mkdirat(world.scratch, "lower/srv", 0750) == 0);
	cr_assert(fchownat(world.scratch, "lower/srv", 7, 8, 0) == 0);
	auto_fd lower = openat(world.scratch, "lower", O_RDONLY | O_CLOEXEC);
	ASSERT_OK(layer_adopt(world.layer, &world.result.implied, &lower, 1, &err));
	status = world_stat(&world, "srv");
	cr_assert(status.st_mode == (S_IFDIR | 0750) && status.st_uid == 7 && status.st_gid == 8);
	status = world_stat(&world, "srv/data");
	cr_assert(status.st_mode == (S_IFDIR | 0755) && status.st_uid == 0);

	/* Not from a layer that another one hides altogether, nor from any if this one hides them all. */
	auto_fd srv = openat(world.layer, "srv", O_RDONLY | O_CLOEXEC);
	int above = world.scratch, both[] = {lower, above};
	for (int *opaque = (int[]){above, world.layer, -1}; *opaque >= 0; opaque++) {
		cr_assert(fchmod(srv, 0755) == 0);
		cr_assert(fsetxattr(*opaque, "trusted.overlay.opaque", "y", 1, 0) == 0);
		ASSERT_OK(layer_adopt(world.layer, &world.result.implied, both, 2, &err));
		cr_assert(world_stat(&world, "srv").st_mode == (S_IFDIR | 0755));
		cr_assert(fremovexattr(*opaque, "trusted.overlay.opaque") == 0);
	}
	ASSERT_OK(layer_adopt(world.layer, &world.result.implied, both, 2, &err));
	cr_assert(world_stat(&world, "srv").st_mode == (S_IFDIR | 0750));
	fd_drop(&srv);
	cr_assert(unlinkat(world.scratch, "lower/srv", AT_REMOVEDIR) == 0);
	cr_assert(unlinkat(world.scratch, "lower", AT_REMOVEDIR) == 0);
	fd_drop(&lower);

	world_empty(&world);
	struct layer_request base = {.size = -1, .base = true};
	ASSERT_OK(world_unpack(&world, &archive, &base, &err));
	cr_assert(world.result.implied.count == 0, "nothing lies below a root");
	world_drop(&world);
}

TEST(layer, can_be_given_up_at_any_time)
{
	struct text archive AUTO(text_drop) = {0};
	struct layer_unpack *unpack;
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	sample(&archive);
	unpack = layer_unpack_start(
		&world.unpackers, &(struct layer_request){.size = -1, .directory = world.layer}, &err);
	cr_assert(unpack, "%s", err.text);
	ASSERT_OK(layer_feed(unpack, archive.data, 700, &err));
	layer_unpack_drop(&unpack);
	cr_assert(!unpack);
	world_drop(&world);
}

/* "etc/motd" and some links, by xz(1). */
static const char packed_by_xz[] =
	"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3"
	"\xe0\x0f\xff\x00\x99\x5d\x00\x32\x9d\x08\x86\x10\xe4\x94\xb3\x4a\xc8\xbc\xd1\xfe\x42\x4b\x63\x33"
	"\xd4\x1d\x8b\xdf\x5d\x38\x8f\xf2\x50\x0b\x81\x74\x5b\x1e\xdc\x90\x24\xda\x6a\xf1\xb1\x88\x39\x9c"
	"\x54\xeb\x9f\x14\x9b\xc1\x6e\x6d\x94\x82\x6e\x64\xf8\xbe\x37\xa0\xa9\x3b\x5e\x0c\xcf\x4b\xc8\x5c"
	"\xc4\x75\x4a\x0f\x00\xc4\xc5\xc4\x02\xed\xca\xee\xcb\x0b\xf1\x22\x11\xf7\x97\x16\x8d\x00\xda\x2a"
	"\x72\x81\x27\x04\x5b\x5d\xbe\xec\x95\x43\x73\x8d\x1b\xf9\x79\xef\xf2\x13\x5c\xfb\xb8\x8f\xcf\x28"
	"\x8a\x17\xda\x10\x0e\xad\xfb\x8f\x1c\x9d\xf6\xd8\x5a\xcf\x79\x7d\x91\x04\x94\xd4\x5a\x43\x70\xdd"
	"\xed\xff\x6a\xe7\x44\xc5\x4f\xae\xb7\xb6\x2e\x19\x3c\xe4\x1d\x00\x00\x00\x00\x00\x60\xf2\x42\xd9"
	"\xac\x79\xc8\xf1\x00\x01\xb5\x01\x80\x20\x00\x00\x70\x8f\x26\x61\xb1\xc4\x67\xfb\x02\x00\x00\x00"
	"\x00\x04\x59\x5a";

TEST(layer, may_be_packed_by_xz_as_root_tarballs_are)
{
	struct text packed AUTO(text_drop) = {0};
	struct world world;
	struct error err = {0};
	int unpacked;

	NEEDS_ROOT();
	world_make(&world);
	text_append_bytes(&packed, packed_by_xz, sizeof(packed_by_xz) - 1);
	unpacked = world_unpack(&world, &packed, NULL, &err);
	if (unpacked < 0 && strstr(err.text, "built without liblzma")) {
		world_drop(&world);
		cr_skip_test("needs liblzma");
	}
	cr_assert(unpacked == 0, "%s", err.text);
	cr_assert_str_eq(world_text(&world, "etc/motd"), "hello\n");
	cr_assert_str_eq(world.result.compression, "xz");
	world_drop(&world);
}

TEST(layer, a_sparse_file_has_its_holes_and_its_content)
{
	struct text archive AUTO(text_drop) = {0};
	struct layer_content found;
	struct world world;
	struct stat status;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "sparse", .content = "data",
		.pax = "GNU.sparse.size=4194304\nGNU.sparse.numblocks=1\nGNU.sparse.map=1048576,4\n");
	ADD(&archive, .name = "after", .content = "next");
	archive_end(&archive);
	ASSERT_OK(world_unpack(&world, &archive, NULL, &err));
	status = world_stat(&world, "sparse");
	cr_assert(status.st_size == 4194304 && status.st_blocks * 512 < 1048576, "%lld blocks",
		(long long)status.st_blocks);
	auto_fd file = openat(world.layer, "sparse", O_RDONLY | O_CLOEXEC);
	char text[8] = "";
	cr_assert(pread(file, text, 4, 1048576) == 4 && !strcmp(text, "data"));
	cr_assert_str_eq(world_text(&world, "after"), "next");
	ASSERT_OK(content_measure(world.layer, &found, &err));
	cr_assert(!memcmp(&found, &world.result.content, sizeof(found)));
	fd_drop(&file);
	world_drop(&world);
}
