#include "images/files/checksum.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/test.h"

/* RFC 1321, A.5, and FIPS 180-4's example; nothing at all; more than a block. */
TEST(checksum, gives_the_sums_of_the_standards_in_digits)
{
	static const struct {
		const char *text, *md5, *sha256;
	} rows[] = {
		{"", "d41d8cd98f00b204e9800998ecf8427e",
			"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "900150983cd24fb0d6963f7d28e17f72",
			"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
			"57edf4a22be3c955ac49da2e2107b67a",
			"f371bc4a311f2b009eef952dd83ca80e2b60026c8e935592d0f9c308453c813e"},
	};
	char md5[MD5_TEXT_SIZE], sha256[SHA256_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		md5_text(rows[i].text, strlen(rows[i].text), md5);
		sha256_text(rows[i].text, strlen(rows[i].text), sha256);
		cr_assert_str_eq(md5, rows[i].md5);
		cr_assert_str_eq(sha256, rows[i].sha256);
	}
}
