#include "base/suggest.h"

#include "tests/test.h"

static const char *const words[] = {
	"hostname", "memory", "memory_swap", "list", "logs", "start", "stop", "restart", "rm", "ports", NULL};

TEST(suggest, finds_the_nearest_word)
{
	cr_assert_str_eq(suggest_from("hostnam", words), "hostname");
	cr_assert_str_eq(suggest_from("memry", words), "memory");
	cr_assert_str_eq(suggest_from("lsit", words), "list");
	cr_assert_str_eq(suggest_from("rn", words), "rm");
	cr_assert_str_eq(suggest_from("restrat", words), "restart");
	cr_assert_str_eq(suggest_from("memory-swap", words), "memory_swap");
	cr_assert_str_eq(suggest_from("prots", words), "ports");
}

TEST(suggest, says_nothing_when_nothing_is_near)
{
	static const char *const none[] = {NULL};
	char long_word[200];

	cr_assert_null(suggest_from("zebra", words));
	cr_assert_null(suggest_from("x", words));
	cr_assert_null(suggest_from("", words));
	cr_assert_null(suggest_from("memory", none));
	memset(long_word, 'a', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	cr_assert_null(suggest_from(long_word, words));
	cr_assert_null(suggest_from("list", (const char *const[]){long_word, NULL}));
}

TEST(suggest, what_all_words_begin_with_makes_none_near)
{
	static const char *const limits[] = {"RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_NOFILE", NULL};

	cr_assert_null(suggest_from("RLIMIT_ZZ", limits));
	cr_assert_str_eq(suggest_from("RLIMIT_NOFLE", limits), "RLIMIT_NOFILE");
	cr_assert_str_eq(suggest_from("RLMIT_CORE", limits), "RLIMIT_CORE");
	cr_assert_null(suggest_from("RLIMIT_", limits));
}

TEST(suggest, a_swap_of_neighbours_counts_once)
{
	static const char *const one[] = {"abc", NULL};

	cr_assert_str_eq(suggest_from("acb", one), "abc");
	cr_assert_null(suggest_from("cba", one));
}
