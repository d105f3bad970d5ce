/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/hash.h"

#include <openssl/evp.h>

int sha256(struct str data, uint8_t ret_digest[SHA256_SIZE])
{
	uint8_t digest[SHA256_SIZE];
	unsigned int len = 0;
	const void *bytes = data.n == 0 ? "" : data.p;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok;

	if (ctx == NULL)
		return -ENOMEM;
	ok = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(ctx, bytes, data.n) == 1 &&
	     EVP_DigestFinal_ex(ctx, digest, &len) == 1 && len == SHA256_SIZE;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return -EIO;
	memcpy(ret_digest, digest, sizeof(digest));
	return 0;
}

int sha256_hex(struct str data, char ret_hex[SHA256_HEX_SIZE])
{
	uint8_t digest[SHA256_SIZE];
	int r = sha256(data, digest);

	if (r < 0)
		return r;
	hex_encode(digest, sizeof(digest), ret_hex);
	return 0;
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate_left(uint64_t v, unsigned int bits)
{
	return v << bits | v >> (64 - bits);
}

static void sip_rounds(struct sip *s, int n)
{
	for (int i = 0; i < n; i++) {
		s->v0 += s->v1;
		s->v1 = rotate_left(s->v1, 13) ^ s->v0;
		s->v0 = rotate_left(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = rotate_left(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = rotate_left(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = rotate_left(s->v1, 17) ^ s->v2;
		s->v2 = rotate_left(s->v2, 32);
	}
}

static void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_rounds(s, 2);
	s->v0 ^= word;
}

/* Little-endian, n <= 8 bytes. */
static uint64_t load_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* Aumasson, Bernstein: SipHash: a fast short-input PRF (2012), 2-4 variant. */
uint64_t hash_siphash(struct str data, const uint64_t key[2])
{
	const uint8_t *p = (const uint8_t *)data.p;
	size_t words = data.n / 8;
	size_t tail = data.n % 8;
	struct sip s = {
		.v0 = key[0] ^ UINT64_C(0x736f6d6570736575),
		.v1 = key[1] ^ UINT64_C(0x646f72616e646f6d),
		.v2 = key[0] ^ UINT64_C(0x6c7967656e657261),
		.v3 = key[1] ^ UINT64_C(0x7465646279746573),
	};

	for (size_t i = 0; i < words; i++)
		sip_word(&s, load_le(p + 8 * i, 8));

	uint64_t last = (uint64_t)data.n << 56;

	if (tail > 0)
		last |= load_le(p + 8 * words, tail);
	sip_word(&s, last);
	s.v2 ^= 0xff;
	sip_rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* The seed is mixed into the offset basis; seed 0 is plain FNV-1a. */
uint64_t hash_fnv1a(struct str data, uint64_t seed)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ seed;

	for (size_t i = 0; i < data.n; i++) {
		h ^= (uint8_t)data.p[i];
		h *= UINT64_C(0x100000001b3);
	}
	return h;
}
