/* Archives that want something else than to be unpacked. Each is refused with its reason, or what it asks for stays
 * inside the layer: world_drop() asserts after each that nothing beside it was made, changed or read into it. */
#include <fcntl.h>
#include <signal.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "images/pull/content.h"
#include "images/pull/digest.h"
#include "tests/pull/support_layer.h"
#include "tests/test.h"

#define OUTSIDE "../outside/secret"

/* ---- one entry, or two, and what is said about them ---- */

struct refused {
	const char *what;
	struct made entries[3];
	const char *reason;
};

static const struct refused refused[] = {
	{"a name with ..", {{.name = OUTSIDE, .content = "x"}}, "leads out of the image"},
	{"a name that goes up from inside", {{.name = "a/../../outside/x"}}, "leads out of the image"},
	{"a name that goes up and stays inside", {{.name = "a/../b"}}, "leads out of the image"},
	{"only ..", {{.name = "..", .type = '5'}}, "leads out of the image"},
	{"a hard link to the outside", {{.name = "x", .type = '1', .link = OUTSIDE}}, "leads out of the image"},
	{"a hard link to an absolute name", {{.name = "x", .type = '1', .link = "/etc/passwd"}}, "not in the archive"},
	{"a hard link to nothing", {{.name = "x", .type = '1', .link = "later"}, {.name = "later"}},
		"not in the archive"},
	{"a hard link to a directory", {{.name = "d/", .type = '5'}, {.name = "x", .type = '1', .link = "d"}},
		"which is no file"},
	{"a hard link to the root", {{.name = "x", .type = '1', .link = "./"}}, "not in the archive"},
	{"a hard link through a link to the outside",
		{{.name = "l", .type = '2', .link = "../outside"}, {.name = "x", .type = '1', .link = "l/secret"}},
		"not in the archive"},
	{"a hard link to a whiteout", {{.name = ".wh.w"}, {.name = "x", .type = '1', .link = "w"}}, "which is no file"},
	{"a file as the root", {{.name = ".", .content = "x"}}, "can only be a directory"},
	{"a link as the root", {{.name = "/", .type = '2', .link = "/etc"}}, "can only be a directory"},
	{"a file below a file", {{.name = "f", .content = "x"}, {.name = "f/below"}}, "nothing can be below it"},
	{"a whiteout of nothing", {{.name = "a/.wh."}}, "a whiteout of nothing"},
	{"a whiteout of .", {{.name = ".wh.."}}, "a whiteout of nothing"},
	{"a whiteout of ..", {{.name = "d/.wh..."}}, "a whiteout of nothing"},
	{"something below a whiteout", {{.name = ".wh.x/y"}}, "below a whiteout"},
	{"a name of 256 bytes",
		{{.name = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
			  "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
			  "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
			  "nnnnnnnnnn"}},
		"too long"},
	{"the mark of an opaque directory",
		{{.name = "d/", .type = '5', .pax = "SCHILY.xattr.trusted.overlay.opaque=y\n"}}, "a mark of overlay"},
	{"the mark of a redirected directory",
		{{.name = "d/", .type = '5', .pax = "SCHILY.xattr.trusted.overlay.redirect=/x\n"}},
		"a mark of overlay"},
	{"the mark of a metadata copy", {{.name = "f", .pax = "SCHILY.xattr.trusted.overlay.metacopy=\n"}},
		"a mark of overlay"},
	{"an unprivileged mark", {{.name = "f", .pax = "SCHILY.xattr.user.overlay.whiteout=y\n"}}, "a mark of overlay"},
	{"a mark in the other form", {{.name = "f", .pax = "LIBARCHIVE.xattr.trusted.overlay.opaque=eQ\n"}},
		"a mark of overlay"},
	{"uid 2^32-1", {{.name = "f", .uid = 4294967295}}, "no user or group number"},
	{"gid 2^32", {{.name = "f", .gid = 4294967296}}, "no user or group number"},
	{"a symbolic link to nothing", {{.name = "l", .type = '2', .link = ""}}, "needs a target"},
	{"links that lead round",
		{{.name = "a", .type = '2', .link = "b"}, {.name = "b", .type = '2', .link = "a"}, {.name = "a/x"}},
		"symbolic links"},
	{"a size that is not one", {{.name = "f", .size_text = "77777777777"}}, "larger than"},
};

TEST(hostile_archives, are_refused_with_the_reason)
{
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct layer_request small = {.size = -1, .limits.bytes = 1 << 20};
		struct text archive AUTO(text_drop) = {0};

		for (const struct made *entry = refused[i].entries; entry->name; entry++)
			archive_add(&archive, entry);
		archive_end(&archive);
		world_empty(&world);
		err = (struct error){0};
		cr_expect(world_unpack(&world, &archive, &small, &err) < 0, "%s: taken", refused[i].what);
		cr_expect(strstr(err.text, refused[i].reason), "%s: %s", refused[i].what, err.text);
	}
	world_drop(&world);
}

/* ---- taken, and kept inside ---- */

static int unpack_all(struct world *world, struct text *archive, struct error *err)
{
	archive_end(archive);
	return world_unpack(world, archive, NULL, err);
}

TEST(hostile_archives, an_absolute_name_is_one_inside)
{
	struct text archive AUTO(text_drop) = {0};
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "/etc/passwd", .content = "mine");
	ADD(&archive, .name = "///var//./tmp/x", .content = "x");
	ASSERT_OK(unpack_all(&world, &archive, &err));
	cr_assert_str_eq(world_text(&world, "etc/passwd"), "mine");
	cr_assert(world_has(&world, "var/tmp/x"));
	world_drop(&world);
}

TEST(hostile_archives, links_to_the_outside_lead_nowhere)
{
	struct text archive AUTO(text_drop) = {0};
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "up", .type = '2', .link = "../outside");
	ADD(&archive, .name = "up/secret", .content = "overwritten");
	ADD(&archive, .name = "far", .type = '2', .link = "../../../../../../../..");
	ADD(&archive, .name = "far/here", .content = "still inside");
	ADD(&archive, .name = "abs", .type = '2', .link = "/etc");
	ADD(&archive, .name = "abs/warren-was-here", .content = "x");
	ADD(&archive, .name = "magic", .type = '2', .link = "/proc/self/root");
	ADD(&archive, .name = "magic/warren-was-here", .content = "x");
	ADD(&archive, .name = "up/.wh.secret");
	ASSERT_OK(unpack_all(&world, &archive, &err));
	cr_assert(world_has(&world, "here") && world_has(&world, "etc/warren-was-here"));
	cr_assert(world_has(&world, "outside/secret") && world_has(&world, "proc/self/root/warren-was-here"));
	cr_assert(access("/etc/warren-was-here", F_OK) < 0);
	world_drop(&world);
}

TEST(hostile_archives, a_link_is_replaced_and_not_written_through)
{
	struct text archive AUTO(text_drop) = {0};
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "l", .type = '2', .link = "../outside/secret");
	ADD(&archive, .name = "l", .content = "a file now");
	ADD(&archive, .name = "d", .type = '2', .link = "../outside");
	ADD(&archive, .name = "d/", .type = '5', .mode = 0700);
	ADD(&archive, .name = "h", .type = '2', .link = "../outside/secret");
	ADD(&archive, .name = "hard", .type = '1', .link = "h"); /* of the link itself */
	ASSERT_OK(unpack_all(&world, &archive, &err));
	cr_assert(S_ISREG(world_stat(&world, "l").st_mode) && S_ISDIR(world_stat(&world, "d").st_mode));
	cr_assert(S_ISLNK(world_stat(&world, "hard").st_mode) && world_stat(&world, "h").st_nlink == 2);
	world_drop(&world);
}

TEST(hostile_archives, of_two_entries_of_one_name_the_last_counts)
{
	struct text archive AUTO(text_drop) = {0};
	struct layer_content found;
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "twice", .content = "first");
	ADD(&archive, .name = "linked", .type = '1', .link = "twice");
	ADD(&archive, .name = "twice", .content = "second", .mode = 04711);
	ADD(&archive, .name = "tree/a/b/c", .content = "x");
	ADD(&archive, .name = "tree", .content = "a file");
	ADD(&archive, .name = "file", .content = "x");
	ADD(&archive, .name = "file/", .type = '5', .mode = 0711);
	ADD(&archive, .name = "self", .content = "kept");
	ADD(&archive, .name = "self", .type = '1', .link = "self");
	ASSERT_OK(unpack_all(&world, &archive, &err));
	cr_assert_str_eq(world_text(&world, "twice"), "second");
	cr_assert_str_eq(world_text(&world, "linked"), "first", "a link is to what was there then");
	cr_assert(world_stat(&world, "twice").st_mode == (S_IFREG | 04711));
	cr_assert_str_eq(world_text(&world, "tree"), "a file");
	cr_assert_str_eq(world_text(&world, "self"), "kept");
	cr_assert(world_stat(&world, "file").st_mode == (S_IFDIR | 0711));
	ASSERT_OK(content_measure(world.layer, &found, &err));
	cr_assert(!memcmp(&found, &world.result.content, sizeof(found)), "counted anew after a replacement");
	world_drop(&world);
}

TEST(hostile_archives, devices_and_attributes_of_a_host_are_left_out)
{
	struct text archive AUTO(text_drop) = {0};
	struct world world;
	struct error err;
	char value[64];

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "dev/sda", .type = '4');
	ADD(&archive, .name = "dev/null", .type = '3');
	ADD(&archive, .name = "f", .content = "x",
		.pax = "SCHILY.xattr.security.selinux=system_u\nSCHILY.xattr.trusted.x=1\nSCHILY.xattr.user.kept=yes\n"
		       "SCHILY.xattr.system.posix_acl_access=2\n");
	ASSERT_OK(unpack_all(&world, &archive, &err));
	cr_assert(!world_has(&world, "dev/sda") && !world_has(&world, "dev/null"));
	cr_assert(world.result.left_out == 5, "%llu: %s", (unsigned long long)world.result.left_out,
		world.result.left_out_first);
	cr_assert_str_eq(world.result.left_out_first, "dev/sda: a device");
	auto_fd file = openat(world.layer, "f", O_RDONLY | O_CLOEXEC);
	cr_assert(fgetxattr(file, "user.kept", value, sizeof(value)) == 3);
	cr_assert(fgetxattr(file, "trusted.x", value, sizeof(value)) < 0);
	fd_drop(&file);
	world_drop(&world);
}

/* It belongs to the image: whoever runs the program in an instance has no more by it than the instance has. The form of
 * revision 2 with cap_net_bind_service, capability.h; as base64, for there are zeros in it. */
TEST(hostile_archives, a_program_keeps_its_capability_and_nothing_else_may_have_one)
{
	static const char value[] = "LIBARCHIVE.xattr.security.capability=AQAAAgAEAAAAAAAAAAAAAAAAAAA=\n";
	struct text archive AUTO(text_drop) = {0};
	struct world world;
	struct error err;
	char found[64];

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "program", .content = "x", .mode = 0755, .uid = 33, .pax = value);
	ADD(&archive, .name = "directory/", .type = '5', .pax = value);
	ASSERT_OK(unpack_all(&world, &archive, &err));
	auto_fd program = openat(world.layer, "program", O_RDONLY | O_CLOEXEC);
	auto_fd directory = openat(world.layer, "directory", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(fgetxattr(program, "security.capability", found, sizeof(found)), 20);
	cr_assert(found[0] == 1 && found[3] == 2 && found[5] == 4, "after chown(2), which takes it away");
	cr_assert(fgetxattr(directory, "security.capability", found, sizeof(found)) < 0);
	cr_assert_eq(world.result.left_out, 1);
	fd_drop(&directory);
	fd_drop(&program);
	world_drop(&world);
}

TEST(hostile_archives, odd_numbers_and_names_are_kept_as_they_are)
{
	struct text archive AUTO(text_drop) = {0};
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "uid", .uid = 2147483648, .gid = 4294967294, .mode = 06755);
	ADD(&archive, .name = "before-1970", .mtime = -86400);
	ADD(&archive, .name = "not-utf8-\xff\xfe", .content = "x");
	ADD(&archive, .name = "new\nline\x1b[2J", .content = "x");
	ADD(&archive, .name = "fifo", .type = '6', .mode = 0620, .uid = 33);
	ADD(&archive, .name = "umlaut", .pax = "path=\xc3\xbcml\xc3\xa4ut\n");
	ASSERT_OK(unpack_all(&world, &archive, &err));
	cr_assert(world_stat(&world, "uid").st_uid == 2147483648 && world_stat(&world, "uid").st_gid == 4294967294);
	cr_assert(
		world_stat(&world, "uid").st_mode == (S_IFREG | 06755), "chown takes the bits away, so it comes first");
	cr_assert(world_stat(&world, "before-1970").st_mtime == -86400);
	cr_assert(world_has(&world, "not-utf8-\xff\xfe") && world_has(&world, "new\nline\x1b[2J"));
	cr_assert(world_has(&world, "\xc3\xbcml\xc3\xa4ut"));
	cr_assert(world_stat(&world, "fifo").st_mode == (S_IFIFO | 0620) && world_stat(&world, "fifo").st_uid == 33);
	world_drop(&world);
}

TEST(hostile_archives, names_in_errors_do_not_steer_a_terminal)
{
	struct text archive AUTO(text_drop) = {0};
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "\x1b[2J/../x");
	cr_assert(unpack_all(&world, &archive, &err) < 0);
	cr_assert(!strchr(err.text, '\x1b') && strstr(err.text, "?[2J"), "%s", err.text);
	world_drop(&world);
}

/* ---- too much ---- */

static void deep_path(struct text *path, size_t levels)
{
	for (size_t i = 0; i < levels; i++)
		text_append(path, i ? "/d" : "d");
}

TEST(hostile_archives, depth_is_limited_also_through_links)
{
	struct text archive AUTO(text_drop) = {0}, path AUTO(text_drop) = {0}, below AUTO(text_drop) = {0};
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	deep_path(&path, CONTENT_DEPTH_MAX);
	ADD(&archive, .name = path.data, .type = '5');
	ASSERT_OK(unpack_all(&world, &archive, &err));

	text_clear(&archive);
	text_append(&path, "/d");
	ADD(&archive, .name = path.data, .type = '5');
	ASSERT_FAILS(unpack_all(&world, &archive, &err), ERROR_USAGE, "inside one another");

	text_clear(&archive);
	text_clear(&path);
	deep_path(&path, CONTENT_DEPTH_MAX - 1);
	text_append(&below, "l/");
	deep_path(&below, CONTENT_DEPTH_MAX - 2);
	ADD(&archive, .name = path.data, .type = '5');
	ADD(&archive, .name = "l", .type = '2', .link = path.data);
	text_append(&below, "/file");
	ADD(&archive, .name = below.data, .content = "x");
	ASSERT_FAILS(unpack_all(&world, &archive, &err), ERROR_USAGE, "inside one another");
	world_empty(&world);
	world_drop(&world);
}

/* 16 names of 255 bytes with their slashes are a path of 4095, the longest that the kernel takes. */
TEST(hostile_archives, a_path_may_have_4095_bytes_and_no_more)
{
	struct text archive AUTO(text_drop) = {0}, path AUTO(text_drop) = {0};
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	for (unsigned i = 0; i < 16; i++) {
		text_append(&path, i ? "/" : "");
		for (unsigned k = 0; k < 255; k++)
			text_append(&path, "n");
	}
	cr_assert_eq(path.length, 4095);
	ADD(&archive, .name = path.data, .content = "x");
	ASSERT_OK(unpack_all(&world, &archive, &err));
	text_append(&path, "/n");
	text_clear(&archive);
	ADD(&archive, .name = path.data, .content = "x");
	world_empty(&world);
	ASSERT_FAILS(unpack_all(&world, &archive, &err), ERROR_USAGE, "a path 4095");
	world_empty(&world);
	world_drop(&world);
}

TEST(hostile_archives, limits_hold_at_their_number_and_not_before)
{
	struct text archive AUTO(text_drop) = {0};
	struct layer_request limited = {.size = -1, .limits = {.entries = 10, .bytes = 1 << 20}};
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	for (unsigned i = 0; i < 10; i++) {
		auto_free char *name = text_format("f%u", i);

		ADD(&archive, .name = name);
	}
	ASSERT_OK(world_unpack(&world, &archive, &limited, &err));
	ADD(&archive, .name = "eleventh");
	ASSERT_FAILS(world_unpack(&world, &archive, &limited, &err), ERROR_USAGE, "more than 10 entries");
	text_clear(&archive);
	ADD(&archive, .name = "a/b/c/d/e/f/g/h/i/j/k"); /* directories that nobody named count too */
	world_empty(&world);
	ASSERT_FAILS(world_unpack(&world, &archive, &limited, &err), ERROR_USAGE, "more than 10 entries");
	text_clear(&archive);
	ADD(&archive, .name = "sparse", .content = "0\n",
		.pax = "GNU.sparse.size=1099511627776\nGNU.sparse.numblocks=1\nGNU.sparse.map=0,2\n");
	ASSERT_FAILS(world_unpack(&world, &archive, &limited, &err), ERROR_USAGE, "larger than");
	world_drop(&world);
}

TEST(hostile_archives, bombs_go_off_early)
{
	struct text zeros AUTO(text_drop) = {0}, packed AUTO(text_drop) = {0};
	auto_free char *content = calloc(1, 8 << 20);
	struct layer_request floor = {.size = -1, .limits = {.ratio_floor = 1 << 20, .ratio = 100}};
	struct layer_request small = {.size = -1, .limits = {.bytes = 4 << 20}};
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&zeros, .name = "zeros", .content = content, .length = 8 << 20);
	archive_end(&zeros);
	archive_gzip(&zeros, &packed);
	ASSERT_FAILS(world_unpack(&world, &packed, &floor, &err), ERROR_USAGE, "bomb");
	world_empty(&world);
	ASSERT_FAILS(world_unpack(&world, &packed, &small, &err), ERROR_USAGE, "bytes");
	world_empty(&world);
	floor.limits.ratio = 2000;
	ASSERT_OK(world_unpack(&world, &packed, &floor, &err));
	world_drop(&world);
}

/* The same at their real size: gzip members that come again and again are one stream. */
static void members_add(struct text *packed, const struct text *member, size_t times)
{
	struct text one AUTO(text_drop) = {0};

	archive_gzip(member, &one);
	for (size_t i = 0; i < times; i++)
		text_append_bytes(packed, one.data, one.length);
}

#define BOMB_MEMBER (64 << 20)

TEST(hostile_archives, bombs_of_8_gb_and_of_a_million_files_go_off_at_the_usual_limits, .timeout = SLOWLY(1200))
{
	SKIP_UNLESS(getenv("WARREN_TEST_ALL_POINTS"), "writes 1 GiB and a million files: runs with --full");
	struct text archive AUTO(text_drop) = {0}, packed AUTO(text_drop) = {0}, files AUTO(text_drop) = {0};
	auto_free char *content = calloc(1, BOMB_MEMBER);
	struct text zeros = {.data = content, .length = BOMB_MEMBER};
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	signal(SIGPIPE, SIG_IGN); /* as the program does: nobody reads on once it is a bomb */
	ADD(&archive, .name = "zeros", .size_text = "77777777777");
	members_add(&packed, &archive, 1);
	members_add(&packed, &zeros, (8ULL << 30) / BOMB_MEMBER);
	cr_assert_leq(packed.length, 10 << 20, "%zu bytes", packed.length);
	ASSERT_FAILS(world_unpack(&world, &packed, NULL, &err), ERROR_USAGE, "bomb");
	cr_assert_leq(world_stat(&world, "zeros").st_size, 3LL << 30);

	/* A thousand names, each a thousand times and once more. */
	for (unsigned i = 0; i < 1000; i++) {
		auto_free char *name = text_format("file-%u", i);

		ADD(&files, .name = name);
	}
	text_clear(&packed);
	members_add(&packed, &files, 1001);
	world_empty(&world);
	ASSERT_FAILS(world_unpack(&world, &packed, NULL, &err), ERROR_USAGE, "more than 1000000 entries");
	world_empty(&world);
	world_drop(&world);
}

/* ---- streams ---- */

static int unpack_bytes(struct world *world, const void *bytes, size_t length, struct error *err)
{
	struct text text AUTO(text_drop) = {0};

	text_append_bytes(&text, bytes, length);
	world_empty(world);
	return world_unpack(world, &text, NULL, err);
}

TEST(hostile_archives, damaged_streams_are_named)
{
	static const char window[] = "\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"; /* a window of 2 GiB */
	struct text archive AUTO(text_drop) = {0}, gzip AUTO(text_drop) = {0}, zstd AUTO(text_drop) = {0};
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "f", .content = "content");
	archive_end(&archive);
	archive_gzip(&archive, &gzip);
	archive_zstd(&archive, &zstd);
	ASSERT_FAILS(
		unpack_bytes(&world, gzip.data, gzip.length - 5, &err), ERROR_USAGE, "gzip: the stream is cut off");
	ASSERT_FAILS(
		unpack_bytes(&world, zstd.data, zstd.length - 5, &err), ERROR_USAGE, "zstd: the stream is cut off");
	ASSERT_FAILS(unpack_bytes(&world, window, sizeof(window), &err), ERROR_USAGE, "window of more than 128 MiB");
	ASSERT_FAILS(unpack_bytes(&world, "BZh91AY&SY", 10, &err), ERROR_USAGE, "bzip2");
	ASSERT_FAILS(unpack_bytes(&world, "{\"not\": \"a tar\"}", 16, &err), ERROR_USAGE, "tar archive");
	gzip.data[gzip.length - 6] ^= 1; /* its checksum */
	ASSERT_FAILS(unpack_bytes(&world, gzip.data, gzip.length, &err), ERROR_USAGE, "gzip: damaged");
	gzip.data[gzip.length - 6] ^= 1;
	text_append(&gzip, "something else");
	ASSERT_FAILS(unpack_bytes(&world, gzip.data, gzip.length, &err), ERROR_USAGE, "other bytes follow");
	ASSERT_FAILS(unpack_bytes(&world, archive.data, 515, &err), ERROR_USAGE, "cut off");
	archive.data[10] ^= 1;
	ASSERT_FAILS(unpack_bytes(&world, archive.data, archive.length, &err), ERROR_USAGE, "tar archive");
	world_drop(&world);
}

TEST(hostile_archives, members_one_after_another_are_one_stream)
{
	struct text archive AUTO(text_drop) = {0}, packed AUTO(text_drop) = {0};
	struct text half AUTO(text_drop) = {0}, rest AUTO(text_drop) = {0};
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "f", .content = "in two members");
	archive_end(&archive);
	text_append_bytes(&half, archive.data, 700);
	text_append_bytes(&rest, archive.data + 700, archive.length - 700);
	archive_gzip(&half, &packed);
	archive_gzip(&rest, &packed);
	text_append_bytes(&packed, "\0\0\0\0\0\0\0\0", 8); /* padding of a tape */
	ASSERT_OK(world_unpack(&world, &packed, NULL, &err));
	cr_assert_str_eq(world_text(&world, "f"), "in two members");
	text_clear(&packed);
	archive_zstd(&half, &packed);
	text_append_bytes(&packed, "\x50\x2a\x4d\x18\x04\0\0\0skip", 12);
	archive_zstd(&rest, &packed);
	world_empty(&world);
	ASSERT_OK(world_unpack(&world, &packed, NULL, &err));
	world_drop(&world);
}

TEST(hostile_archives, an_archive_that_ends_with_its_last_byte_is_whole_and_one_byte_less_is_not)
{
	struct text archive AUTO(text_drop) = {0};
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "f", .content = "the end");
	ASSERT_OK(unpack_bytes(&world, archive.data, 512 + 7, &err));
	cr_assert_str_eq(world_text(&world, "f"), "the end");
	ASSERT_FAILS(unpack_bytes(&world, archive.data, 512 + 6, &err), ERROR_USAGE, "cut off");
	world_drop(&world);
}

TEST(hostile_archives, what_was_promised_is_what_must_come)
{
	static const char other[] = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
	struct text archive AUTO(text_drop) = {0};
	struct layer_request promised = {.size = -1};
	char digest[REFERENCE_DIGEST_SIZE];
	struct world world;
	struct error err;

	NEEDS_ROOT();
	world_make(&world);
	ADD(&archive, .name = "f", .content = "x");
	archive_end(&archive);
	ASSERT_OK(digest_of(archive.data, archive.length, digest, &err));
	promised.size = (int64_t)archive.length - 1;
	ASSERT_FAILS(world_unpack(&world, &archive, &promised, &err), ERROR_USAGE, "more than the promised");
	world_empty(&world);
	promised.size = (int64_t)archive.length + 1;
	ASSERT_FAILS(world_unpack(&world, &archive, &promised, &err), ERROR_USAGE, "were promised");
	world_empty(&world);
	promised.size = (int64_t)archive.length;
	promised.digest = other;
	ASSERT_FAILS(world_unpack(&world, &archive, &promised, &err), ERROR_USAGE, "the digest of what came");
	world_empty(&world);
	promised.digest = digest;
	promised.diff_id = other;
	ASSERT_FAILS(world_unpack(&world, &archive, &promised, &err), ERROR_USAGE, "the image's config says");
	world_empty(&world);
	promised.diff_id = digest;
	ASSERT_OK(world_unpack(&world, &archive, &promised, &err));
	world_drop(&world);
}
