/* SHA-256 of a whole buffer, FIPS 180-4. Manifests and configurations are a few kilobytes: plain code serves. */
#include "images/sha256.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 64
#define ROUNDS 64
#define WORDS 8

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes (section 4.2.2), and of the square
 * roots of the first 8 (section 5.3.3). */
static const uint32_t constants[ROUNDS] = {
	0x428a2f98,
	0x71374491,
	0xb5c0fbcf,
	0xe9b5dba5,
	0x3956c25b,
	0x59f111f1,
	0x923f82a4,
	0xab1c5ed5,
	0xd807aa98,
	0x12835b01,
	0x243185be,
	0x550c7dc3,
	0x72be5d74,
	0x80deb1fe,
	0x9bdc06a7,
	0xc19bf174,
	0xe49b69c1,
	0xefbe4786,
	0x0fc19dc6,
	0x240ca1cc,
	0x2de92c6f,
	0x4a7484aa,
	0x5cb0a9dc,
	0x76f988da,
	0x983e5152,
	0xa831c66d,
	0xb00327c8,
	0xbf597fc7,
	0xc6e00bf3,
	0xd5a79147,
	0x06ca6351,
	0x14292967,
	0x27b70a85,
	0x2e1b2138,
	0x4d2c6dfc,
	0x53380d13,
	0x650a7354,
	0x766a0abb,
	0x81c2c92e,
	0x92722c85,
	0xa2bfe8a1,
	0xa81a664b,
	0xc24b8b70,
	0xc76c51a3,
	0xd192e819,
	0xd6990624,
	0xf40e3585,
	0x106aa070,
	0x19a4c116,
	0x1e376c08,
	0x2748774c,
	0x34b0bcb5,
	0x391c0cb3,
	0x4ed8aa4a,
	0x5b9cca4f,
	0x682e6ff3,
	0x748f82ee,
	0x78a5636f,
	0x84c87814,
	0x8cc70208,
	0x90befffa,
	0xa4506ceb,
	0xbef9a3f7,
	0xc67178f2,
};

static const uint32_t initial[WORDS] = {
	0x6a09e667,
	0xbb67ae85,
	0x3c6ef372,
	0xa54ff53a,
	0x510e527f,
	0x9b05688c,
	0x1f83d9ab,
	0x5be0cd19,
};

static uint32_t rotate(uint32_t value, unsigned bits)
{
	return value >> bits | value << (32 - bits);
}

/* Section 6.2.2, step 1. */
static void schedule_fill(const unsigned char block[BLOCK], uint32_t schedule[ROUNDS])
{
	for (size_t i = 0; i < 16; i++)
		schedule[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
			      (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (size_t i = 16; i < ROUNDS; i++) {
		uint32_t a = schedule[i - 15], b = schedule[i - 2];

		schedule[i] = schedule[i - 16] + schedule[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
			      (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
	}
}

/* Steps 2 to 4; v[0] to v[7] are a to h. */
static void block_add(uint32_t state[WORDS], const unsigned char block[BLOCK])
{
	uint32_t schedule[ROUNDS], v[WORDS];

	schedule_fill(block, schedule);
	memcpy(v, state, sizeof(v));
	for (size_t i = 0; i < ROUNDS; i++) {
		uint32_t first = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) +
				 ((v[4] & v[5]) ^ (~v[4] & v[6])) + constants[i] + schedule[i];
		uint32_t second = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) +
				  ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(*v));
		v[4] += first;
		v[0] = first + second;
	}
	for (size_t i = 0; i < WORDS; i++)
		state[i] += v[i];
}

/* The rest, a one bit, zeros, and the length in bits (section 5.1.1): one block, or two. */
static void rest_add(uint32_t state[WORDS], const unsigned char *rest, size_t length)
{
	unsigned char last[2 * BLOCK] = {0};
	size_t left = length % BLOCK, padded = left < BLOCK - 8 ? BLOCK : sizeof(last);
	uint64_t bits = (uint64_t)length * 8;

	memcpy(last, rest, left);
	last[left] = 0x80;
	for (size_t i = 0; i < 8; i++)
		last[padded - 1 - i] = (unsigned char)(bits >> 8 * i);
	for (size_t done = 0; done < padded; done += BLOCK)
		block_add(state, last + done);
}

void sha256_text(const void *bytes, size_t length, char text[SHA256_TEXT_SIZE])
{
	const unsigned char *next = bytes;
	uint32_t state[WORDS];

	memcpy(state, initial, sizeof(state));
	for (size_t left = length; left >= BLOCK; left -= BLOCK, next += BLOCK)
		block_add(state, next);
	rest_add(state, next, length);
	for (size_t i = 0; i < WORDS; i++)
		snprintf(text + 8 * i, 9, "%08x", state[i]);
}
