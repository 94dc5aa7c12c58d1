/* libcrypto's two functions, linked from its archive. Its newer interface (EVP) finds algorithms by name at run time:
 * all of the library would come along, some megabytes, into a program whose every monitor is a process. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "images/files/checksum.h"

#include <openssl/md5.h>
#include <openssl/sha.h>

_Static_assert(SHA256_TEXT_SIZE == 2 * SHA256_DIGEST_LENGTH + 1, "two digits a byte");
_Static_assert(MD5_TEXT_SIZE == 2 * MD5_DIGEST_LENGTH + 1, "two digits a byte");

static void hex(const unsigned char *digest, size_t length, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++) {
		*text++ = digits[digest[i] >> 4];
		*text++ = digits[digest[i] & 15];
	}
	*text = '\0';
}

void sha256_text(const void *bytes, size_t length, char text[SHA256_TEXT_SIZE])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256_CTX context;

	SHA256_Init(&context);
	SHA256_Update(&context, bytes, length);
	SHA256_Final(digest, &context);
	hex(digest, sizeof(digest), text);
}

void md5_text(const void *bytes, size_t length, char text[MD5_TEXT_SIZE])
{
	unsigned char digest[MD5_DIGEST_LENGTH];
	MD5_CTX context;

	MD5_Init(&context);
	MD5_Update(&context, bytes, length);
	MD5_Final(digest, &context);
	hex(digest, sizeof(digest), text);
}
