/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/hash.h"

#include "tests/test.h"

/* FIPS 180-4 examples. */
static void sha256_vectors(void)
{
	char hex[SHA256_HEX_SIZE];

	CHECK_INT(sha256_hex((struct str){ 0 }, hex), 0);
	CHECK_STR(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	CHECK_INT(sha256_hex(STR("abc"), hex), 0);
	CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* The vectors of the SipHash paper, appendix A: key 00..0f, data 00, 0001, ... */
static void siphash_vectors(void)
{
	const uint64_t key[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
	char data[15];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)i;
	CHECK(hash_siphash((struct str){ .p = data, .n = 0 }, key) == UINT64_C(0x726fdb47dd0e0e31));
	CHECK(hash_siphash((struct str){ .p = data, .n = 8 }, key) == UINT64_C(0x93f5f5799a932462));
	CHECK(hash_siphash((struct str){ .p = data, .n = 15 }, key) ==
	      UINT64_C(0xa129ca6149be45e5));
}

static void fnv1a_vectors(void)
{
	CHECK(hash_fnv1a((struct str){ 0 }, 0) == UINT64_C(0xcbf29ce484222325));
	CHECK(hash_fnv1a(STR("a"), 0) == UINT64_C(0xaf63dc4c8601ec8c));
	CHECK(hash_fnv1a(STR("foobar"), 0) == UINT64_C(0x85944171f73967e8));
	CHECK(hash_fnv1a(STR("a"), 1) != hash_fnv1a(STR("a"), 0));
}

TEST_MAIN({ "sha256_vectors", sha256_vectors }, { "siphash_vectors", siphash_vectors },
	  { "fnv1a_vectors", fnv1a_vectors })
