/* The order of names. Selection by pattern and label is tested with real instances in test_status.c. */
#include "fleet/state/select.h"
#include "tests/test.h"

TEST(select, sorts_digits_by_value)
{
	static const char *const ordered[] = {"a", "a-01", "a-1", "a-2", "a-10", "a-10b", "a2", "ab", "b", "site-2",
		"site-10", "site-10-9", "site-10-10", "site-18446744073709551616", "site-18446744073709551617"};
	size_t count = sizeof(ordered) / sizeof(ordered[0]);

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++) {
			int difference = instance_name_compare(ordered[i], ordered[j]);

			cr_assert((i < j) == (difference < 0) && (i == j) == (difference == 0), "%s against %s: %d",
				ordered[i], ordered[j], difference);
		}
}
