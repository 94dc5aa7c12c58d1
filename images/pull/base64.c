/* Base64 by RFC 4648, section 4; see base64.h. */
#include "images/pull/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const char *base64_encode(struct arena *arena, const char *text)
{
	size_t length = strlen(text), at = 0;
	char *out = arena_alloc(arena, (length + 2) / 3 * 4 + 1);

	for (size_t i = 0; i < length; i += 3) {
		uint32_t bits = (uint32_t)(unsigned char)text[i] << 16;

		bits |= i + 1 < length ? (uint32_t)(unsigned char)text[i + 1] << 8 : 0;
		bits |= i + 2 < length ? (uint32_t)(unsigned char)text[i + 2] : 0;
		out[at++] = alphabet[bits >> 18];
		out[at++] = alphabet[bits >> 12 & 63];
		out[at++] = i + 1 < length ? alphabet[bits >> 6 & 63] : '=';
		out[at++] = i + 2 < length ? alphabet[bits & 63] : '=';
	}
	return out;
}

const char *base64_decode(struct arena *arena, const char *text)
{
	size_t length = strlen(text), padding, at = 0;
	char *out = arena_alloc(arena, length / 4 * 3 + 1);
	uint32_t bits = 0;

	padding = length && text[length - 1] == '=' ? 1 + (length > 1 && text[length - 2] == '=') : 0;
	if (length % 4 || strspn(text, alphabet) != length - padding)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		const char *digit = text[i] == '=' ? alphabet : strchr(alphabet, text[i]);

		bits = bits << 6 | (uint32_t)(digit - alphabet);
		if (i % 4 != 3)
			continue;
		out[at++] = (char)(bits >> 16);
		out[at++] = (char)(bits >> 8);
		out[at++] = (char)bits;
		bits = 0;
	}
	for (size_t i = at - padding; i < at; i++)
		if (out[i])
			return NULL; /* bits that no encoder leaves there */
	return strlen(out) == at - padding ? out : NULL;
}
