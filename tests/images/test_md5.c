#include "images/md5.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/test.h"

/* RFC 1321, A.5, and the lengths around a block's end (checked against md5sum). */
TEST(md5, gives_the_sums_of_the_standard)
{
	static const struct {
		const char *text, *sum;
	} rows[] = {
		{"", "d41d8cd98f00b204e9800998ecf8427e"},
		{"a", "0cc175b9c0f1b6a831c399e269772661"},
		{"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
		{"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
			"57edf4a22be3c955ac49da2e2107b67a"},
	};
	char sum[MD5_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		md5_text(rows[i].text, strlen(rows[i].text), sum);
		cr_assert_str_eq(sum, rows[i].sum);
	}
}

TEST(md5, pads_right_at_every_length_around_a_block)
{
	static const struct {
		size_t length;
		const char *sum;
	} rows[] = {
		{55, "04364420e25c512fd958a70738aa8f72"},
		{56, "668a72d5ba17f08e62dabcafad6db14b"},
		{57, "693037871c4a9d3d8685018905cb530a"},
		{63, "7dc2ca208106a2f703567bdff99d8981"},
		{64, "c1bb4f81d892b2d57947682aeb252456"},
		{65, "1bc932052302d074bdec39795fe00cf6"},
		{119, "ab347a5f68c8a443cfcddc633f12c24f"},
		{120, "fb98667f98096de92620b64f46e1c5b5"},
		{128, "d69cb61a6ee87200676eb0d4b90edbcb"},
		{200, "30a83621ce5422fbdfdd539777458c78"},
	};
	char text[200], sum[MD5_TEXT_SIZE];

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		md5_text(text, rows[i].length, sum);
		cr_assert_str_eq(sum, rows[i].sum, "%zu bytes: %s", rows[i].length, sum);
	}
}
