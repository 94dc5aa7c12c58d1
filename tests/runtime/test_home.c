#include "runtime/process/home.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/test.h"

/* What 1000's home becomes, when it was "/", with a passwd file of these words. */
static const char *home_of(const char *words, size_t length)
{
	static char home[HOME_SIZE];
	auto_fd fd = memfd_create("passwd", MFD_CLOEXEC);

	cr_assert(fd >= 0 && write(fd, words, length) == (ssize_t)length && lseek(fd, 0, SEEK_SET) == 0);
	strcpy(home, "/");
	home_read(fd, 1000, home);
	return home;
}

static const char *home_in(const char *words)
{
	return home_of(words, strlen(words));
}

TEST(home, is_that_of_the_first_line_of_the_uid)
{
	cr_assert_str_eq(
		home_in("root:x:0:0::/root:/bin/sh\nweb:x:1000:7::/srv/web:/bin/sh\nx:x:1000:1::/x:\n"), "/srv/web");
	cr_assert_str_eq(home_in("web:x:1000:7:Web, of course:/srv:"), "/srv");
}

TEST(home, stays_when_no_line_is_the_users)
{
	static const char *const files[] = {
		"",
		"\n\n",
		"root:x:0:0::/root:/bin/sh\n",
		"1000:x:0:0::/root:/bin/sh\n",
		"web:x:01000:0::/a:\n",
		"web:x:1000 :0::/a:\n",
		"web:x:1000:0::/a\n",
		"web:x:10000:0::/a:\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		cr_assert_str_eq(home_in(files[i]), "/", "%s", files[i]);
}

TEST(home, is_not_taken_when_it_is_no_absolute_path_or_too_long)
{
	AUTO(text_drop) struct text text = {0};

	cr_assert_str_eq(home_in("web:x:1000:0::home:\n"), "/");
	cr_assert_str_eq(home_in("web:x:1000:0:::\n"), "/");
	for (size_t length = HOME_SIZE - 2; length <= HOME_SIZE; length++) {
		text.length = 0;
		text_append(&text, "web:x:1000:0::");
		for (size_t i = 0; i < length; i++)
			text_append(&text, "/");
		text_append(&text, ":/bin/sh\n");
		cr_assert_eq(strlen(home_of(text.data, text.length)), length < HOME_SIZE ? length : 1);
	}
}

TEST(home, is_found_behind_many_lines_and_a_very_long_one)
{
	AUTO(text_drop) struct text text = {0};

	for (unsigned i = 0; i < 500; i++)
		text_appendf(&text, "user%u:x:%u:%u::/home/user%u:/bin/sh\n", i, i, i, i);
	for (unsigned i = 0; i < 5000; i++)
		text_append(&text, "long:");
	text_append(&text, "\nweb:x:1000:0::/found:/bin/sh\n");
	cr_assert_str_eq(home_of(text.data, text.length), "/found");
}

TEST(home, is_not_looked_for_in_more_than_a_mebibyte)
{
	AUTO(text_drop) struct text text = {0};

	while (text.length < 1100000)
		text_append(&text, "root:x:0:0::/root:/bin/sh\n");
	text_append(&text, "web:x:1000:0::/far:/bin/sh\n");
	cr_assert_str_eq(home_of(text.data, text.length), "/");
}
