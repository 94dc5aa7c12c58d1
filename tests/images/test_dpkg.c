#include "images/host/dpkg.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "support_inside.h"

#define MD5 "d41d8cd98f00b204e9800998ecf8427e"

static size_t conffiles_of(struct arena *arena, const char *text, struct conffiles *out)
{
	dpkg_conffiles_parse(arena, text, out);
	return out->count;
}

TEST(dpkg, finds_the_conffiles_of_installed_packages)
{
	struct arena arena = {0};
	struct conffiles found;

	cr_assert_eq(conffiles_of(&arena,
			     "Package: a\nStatus: install ok installed\nConffiles:\n /etc/a " MD5 "\n /etc/b " MD5
			     "\nDescription: x\n /etc/not " MD5 "\n\n"
			     "Package: b\nStatus: hold ok installed\nConffiles:\n /etc/c " MD5 "\n",
			     &found),
		3);
	cr_assert_str_eq(found.items[0].path, "/etc/a");
	cr_assert_str_eq(found.items[0].md5, MD5);
	cr_assert_str_eq(found.items[2].path, "/etc/c");
	arena_drop(&arena);
}

TEST(dpkg, passes_over_what_is_not_installed_obsolete_or_malformed)
{
	static const char *const texts[] = {
		"Package: a\nStatus: deinstall ok config-files\nConffiles:\n /etc/a " MD5 "\n",
		"Package: a\nStatus: install ok half-installed\nConffiles:\n /etc/a " MD5 "\n",
		"Package: a\nConffiles:\n /etc/a " MD5 "\n",
		"Status: install ok installed\nConffiles:\n /etc/a " MD5 " obsolete\n",
		"Status: install ok installed\nConffiles:\n /etc/a newconffile\n",
		"Status: install ok installed\nConffiles:\n /etc/a D41D8CD98F00B204E9800998ECF8427E\n",
		"Status: install ok installed\nConffiles:\n /etc/../etc/shadow " MD5 "\n",
		"Status: install ok installed\nConffiles:\n etc/a " MD5 "\n",
		"Status: install ok installed\nConffiles:\n \n  \n /etc/a\n",
		"Status: installed\nConffiles:\n /etc/a d41d8cd98f00b204e9800998ecf8427",
		"",
		"\n\n\n",
		" ",
		"Conffiles:",
	};
	struct arena arena = {0};
	struct conffiles found;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_assert_eq(conffiles_of(&arena, texts[i], &found), 0, "text %zu: %s", i,
			found.count ? found.items[0].path : "");
	arena_drop(&arena);
}

TEST(dpkg, knows_the_paths_of_packages_once_each_and_sorted)
{
	struct place place;
	struct arena arena = {0};
	struct strings paths;
	struct error err;

	place_open(&place);
	place_put(&place, "var/lib/dpkg/info/a.list", 0644, "/.\n/etc\n/var/lib/z\n/etc/a\n/usr/x\n");
	place_put(&place, "var/lib/dpkg/info/b:amd64.list", 0644, "/etc/a\n/etc/../b\n/var/log/y/\n/var/log/x");
	place_put(&place, "var/lib/dpkg/info/b.md5sums", 0644, "/etc/never\n");
	ASSERT_OK(dpkg_paths(&arena, place.dir, &paths, &err));
	cr_assert_eq(paths.count, 3);
	cr_assert_str_eq(paths.items[0], "/etc/a");
	cr_assert_str_eq(paths.items[1], "/var/lib/z");
	cr_assert_str_eq(paths.items[2], "/var/log/x");
	arena_drop(&arena);
	place_drop(&place);
}

TEST(dpkg, a_host_without_dpkg_has_no_paths_and_no_conffiles)
{
	struct place place;
	struct arena arena = {0};
	struct conffiles conffiles;
	struct strings paths;
	struct error err;

	place_open(&place);
	ASSERT_OK(dpkg_paths(&arena, place.dir, &paths, &err));
	ASSERT_OK(dpkg_conffiles(&arena, place.dir, &conffiles, &err));
	cr_assert(paths.count == 0 && conffiles.count == 0);
	arena_drop(&arena);
	place_drop(&place);
}

TEST(dpkg, a_status_file_that_is_a_fifo_does_not_hang)
{
	struct place place;
	struct arena arena = {0};
	struct conffiles conffiles;
	struct error err;

	place_open(&place);
	auto_free char *file = place_file(&place, "var/lib/dpkg/status", 0644, "");
	cr_assert(unlink(file) == 0 && mkfifo(file, 0644) == 0);
	ASSERT_OK(dpkg_conffiles(&arena, place.dir, &conffiles, &err));
	cr_assert_eq(conffiles.count, 0);
	arena_drop(&arena);
	place_drop(&place);
}
