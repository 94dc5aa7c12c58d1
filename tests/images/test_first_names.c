/* The first names of files with several. */
#include "images/files/first_names.h"

#include "base/text.h"
#include "tests/test.h"

#define FILES 200000

TEST(first_names, the_first_path_is_given_again_and_another_file_has_its_own)
{
	struct first_names names = {0};

	cr_assert_null(first_name_see(&names, 1, 7, "a/one"));
	cr_assert_str_eq(first_name_see(&names, 1, 7, "b/two"), "a/one");
	cr_assert_str_eq(first_name_see(&names, 1, 7, "a/one"), "a/one");
	cr_assert_null(first_name_see(&names, 2, 7, "c/other disk"));
	cr_assert_str_eq(first_name_see(&names, 2, 7, "x"), "c/other disk");
	cr_assert_null(first_name_see(&names, 1, 8, "d"));
	first_names_drop(&names);
	cr_assert_null(first_name_see(&names, 1, 7, "anew"));
	first_names_drop(&names);
}

/* With a list that is searched from its beginning this takes minutes. */
TEST(first_names, of_very_many_files_each_is_found, .timeout = SLOWLY(20))
{
	struct first_names names = {0};
	char path[32];

	for (unsigned i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "file-%u", i);
		cr_assert_null(first_name_see(&names, 1, (ino_t)i * 64 + 12, path));
	}
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "file-%u", i);
		cr_assert_str_eq(first_name_see(&names, 1, (ino_t)i * 64 + 12, "again"), path);
	}
	first_names_drop(&names);
}
