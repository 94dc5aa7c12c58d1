/* Any bytes as a word of the command line: an id, a name, a number, a signal. What is taken is exactly what may be. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"

static const char id_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-";

static void check_error(const struct error *err)
{
	FUZZ_ASSERT(err->kind == ERROR_USAGE && *err->text && !strchr(err->text, '\n'));
}

static void check_id(const char *word)
{
	struct error err;
	size_t length = strlen(word);

	if (id_check(word, &err) < 0) {
		check_error(&err);
		return;
	}
	FUZZ_ASSERT(length >= 1 && length <= 255 && *word != '.' && *word != '-');
	FUZZ_ASSERT(strspn(word, id_characters) == length);
}

static void check_name(const char *word)
{
	struct error err;

	if (name_check("name", word, &err) < 0)
		check_error(&err);
	else
		FUZZ_ASSERT(strlen(word) <= 63 && !strpbrk(word, "./_ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
}

static void check_numbers(const char *word)
{
	struct error err;
	uint64_t natural;
	int64_t number;

	if (number_parse(word, INT64_MIN, INT64_MAX, &number, &err) < 0) {
		check_error(&err);
	} else {
		errno = 0;
		FUZZ_ASSERT(strspn(word, "-0123456789") == strlen(word) && strtoll(word, NULL, 10) == number && !errno);
	}
	if (number_parse(word, -3, 4294967294, &number, &err) == 0)
		FUZZ_ASSERT(number >= -3 && number <= 4294967294);
	if (number_parse_u64(word, UINT64_MAX, &natural, &err) < 0)
		check_error(&err);
	else
		FUZZ_ASSERT(strspn(word, "0123456789") == strlen(word) && strtoull(word, NULL, 10) == natural);
}

static void check_signal(const char *word)
{
	struct error err;
	int number;

	if (signal_parse(word, &number, &err) < 0)
		check_error(&err);
	else
		FUZZ_ASSERT(number >= 1 && number <= 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *word = strndup((const char *)data, size);

	check_id(word);
	check_name(word);
	check_numbers(word);
	check_signal(word);
	return 0;
}
