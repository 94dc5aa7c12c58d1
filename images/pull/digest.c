/* SHA-256 by libcrypto, which has it for every processor that has instructions for it. */
#include "images/pull/digest.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

int digest_begin(struct digest *digest, struct error *err)
{
	digest->context = EVP_MD_CTX_new();
	if (!digest->context || !EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL)) {
		digest_drop(digest);
		return fail(err, ERROR_SYSTEM, "libcrypto has no SHA-256 here");
	}
	return 0;
}

void digest_add(struct digest *digest, const void *bytes, size_t length)
{
	int done = EVP_DigestUpdate(digest->context, bytes, length);

	assert(done); /* memory was taken by digest_begin() */
	(void)done;
}

void digest_end(struct digest *digest, char out[REFERENCE_DIGEST_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	static const char prefix[] = "sha256:";
	unsigned char raw[EVP_MAX_MD_SIZE] = {0};
	char *next = out + sizeof(prefix) - 1;

	EVP_DigestFinal_ex(digest->context, raw, NULL);
	memcpy(out, prefix, sizeof(prefix));
	for (size_t i = 0; i < 32; i++) {
		*next++ = digits[raw[i] >> 4];
		*next++ = digits[raw[i] & 15];
	}
	*next = '\0';
}

void digest_drop(struct digest *digest)
{
	int saved = errno;

	EVP_MD_CTX_free(digest->context);
	digest->context = NULL;
	errno = saved;
}

int digest_of(const void *bytes, size_t length, char out[REFERENCE_DIGEST_SIZE], struct error *err)
{
	AUTO(digest_drop) struct digest digest = {0};

	if (digest_begin(&digest, err) < 0)
		return -1;
	digest_add(&digest, bytes, length);
	digest_end(&digest, out);
	return 0;
}
