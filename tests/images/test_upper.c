#include "images/overlay/upper.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "images/host/host_image.h"
#include "support_inside.h"

struct layer {
	struct place place;
	int instance;
};

static void layer_open(struct layer *layer)
{
	struct root_request request = {.image = IMAGE_HOST, .userns = -1};
	struct error err;

	place_open_with_host(&layer->place);
	layer->instance = request.instance = place_instance(&layer->place, "one");
	ASSERT_OK(root_create(&layer->place.session, &request, &err));
}

static void layer_drop(struct layer *layer)
{
	fd_drop(&layer->instance);
	place_drop(&layer->place);
}

TEST(upper, a_file_has_parents_mode_owner_and_replaces_what_was_there)
{
	struct layer layer;
	struct stat about;
	struct error err;

	NEEDS_ROOT();
	layer_open(&layer);
	umask(077);
	ASSERT_OK(root_file_write(layer.instance, "/etc/app/conf", 0640, 33, 34, "one", 3, &err));
	ASSERT_OK(root_file_write(layer.instance, "/etc/app/conf", 0644, 0, 0, "second", 6, &err));
	cr_assert(fstatat(layer.instance, "u/etc/app", &about, 0) == 0 && (about.st_mode & 07777) == 0755);
	cr_assert(fstatat(layer.instance, "u/etc/app/conf", &about, 0) == 0);
	cr_assert(about.st_size == 6 && about.st_uid == 0 && (about.st_mode & 07777) == 0644);
	ASSERT_OK(root_file_write(layer.instance, "/top", 0600, 33, 34, "", 0, &err));
	cr_assert(fstatat(layer.instance, "u/top", &about, 0) == 0 && about.st_uid == 33 && about.st_gid == 34);
	layer_drop(&layer);
}

TEST(upper, a_link_left_by_the_instance_is_never_followed)
{
	struct layer layer;
	struct stat about;
	struct error err;

	NEEDS_ROOT();
	layer_open(&layer);
	auto_free char *victim = place_file(&layer.place, "victim/file", 0644, "host");
	auto_free char *directory = text_format("%s/victim", layer.place.path);
	cr_assert(symlinkat(directory, layer.instance, "u/etc") == 0);
	ASSERT_FAILS(root_file_write(layer.instance, "/etc/file", 0644, 0, 0, "x", 1, &err), ERROR_SYSTEM,
		"write /etc/file for the instance: /etc/file: open the directory etc");
	ASSERT_FAILS(root_link_write(layer.instance, "/etc/file", "x", &err), ERROR_SYSTEM, "link /etc/file to x");
	cr_assert(symlinkat(victim, layer.instance, "u/hosts") == 0);
	ASSERT_OK(root_file_write(layer.instance, "/hosts", 0644, 0, 0, "x", 1, &err));
	cr_assert(fstatat(layer.instance, "u/hosts", &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(about.st_mode));
	cr_assert_str_eq(content_of(victim), "host");
	layer_drop(&layer);
}

TEST(upper, a_link_is_written_over_a_file_and_a_file_over_a_link)
{
	struct layer layer;
	struct error err;
	char target[PATH_MAX] = "";

	NEEDS_ROOT();
	layer_open(&layer);
	ASSERT_OK(root_file_write(layer.instance, "/etc/x", 0644, 0, 0, "x", 1, &err));
	ASSERT_OK(root_link_write(layer.instance, "/etc/x", "../y", &err));
	ASSERT_OK(root_link_write(layer.instance, "/etc/x", "z", &err));
	cr_assert(readlinkat(layer.instance, "u/etc/x", target, sizeof(target) - 1) == 1 && target[0] == 'z');
	ASSERT_OK(root_file_write(layer.instance, "/etc/x", 0644, 0, 0, "x", 1, &err));
	cr_assert(readlinkat(layer.instance, "u/etc/x", target, sizeof(target) - 1) < 0);
	layer_drop(&layer);
}

TEST(upper, refuses_paths_that_are_not_clean)
{
	static const char *const paths[] = {"etc/x", "/etc/../x", "/", "/etc//x", "/etc/x/", "", "/a\nb"};
	struct layer layer;
	struct error err;

	NEEDS_ROOT();
	layer_open(&layer);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		err = (struct error){0};
		cr_assert(root_file_write(layer.instance, paths[i], 0644, 0, 0, "x", 1, &err) < 0, "\"%s\"", paths[i]);
	}
	layer_drop(&layer);
}

/* --- etc_from_host ------------------------------------------------------------------------------------------------ */

static int etc_take(struct layer *layer, const char *path, struct error *err)
{
	const char *items[] = {path, NULL};
	const struct strings paths = {.items = items, .count = 1};
	auto_fd upper = upper_open(layer->instance, err);

	return upper < 0 ? -1 : etc_copy(upper, &paths, err);
}

TEST(etc_copy, copies_a_directory_with_links_and_modes)
{
	struct layer layer;
	struct stat about, original;
	struct error err;

	NEEDS_ROOT();
	SKIP_UNLESS(access("/etc/alternatives/README", F_OK) == 0, "needs Debian's /etc/alternatives");
	layer_open(&layer);
	ASSERT_OK(etc_take(&layer, "/etc/alternatives", &err));
	cr_assert(fstatat(layer.instance, "u/etc/alternatives/README", &about, 0) == 0);
	cr_assert(stat("/etc/alternatives/README", &original) == 0);
	cr_assert(about.st_size == original.st_size && about.st_mode == original.st_mode);
	cr_assert(fstatat(layer.instance, "u/etc/alternatives/awk", &about, AT_SYMLINK_NOFOLLOW) == 0);
	cr_assert(S_ISLNK(about.st_mode));
	ASSERT_OK(etc_take(&layer, "/etc/alternatives", &err));
	layer_drop(&layer);
}

TEST(etc_copy, refuses_accounts_keys_and_what_is_not_below_etc)
{
	static const struct {
		const char *path, *message;
	} rows[] = {
		{"/etc", "etc_from_host: \"/etc\" is not a path below /etc"},
		{"/root/.ssh", "is not a path below /etc"},
		{"/etc/../root", "etc_from_host"},
		{"etc/nginx", "etc_from_host"},
		{"/etc/shadow", "\"/etc/shadow\" is refused: accounts, keys and identity of the host stay there"},
		{"/etc/ssh/ssh_host_ed25519_key", "is refused"},
		{"/etc/ssl/private", "is refused"},
		{"/etc/machine-id", "is refused"},
		{"/etc/passwd", "is refused"},
	};
	struct layer layer;
	struct error err;

	NEEDS_ROOT();
	layer_open(&layer);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ASSERT_FAILS(etc_take(&layer, rows[i].path, &err), ERROR_USAGE, rows[i].message);
	ASSERT_FAILS(etc_take(&layer, "/etc/no-such-thing", &err), ERROR_MISSING, "open no-such-thing");
	cr_assert(faccessat(layer.instance, "u/etc", F_OK, 0) < 0);
	layer_drop(&layer);
}
