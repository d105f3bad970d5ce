/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 over OpenSSL EVP, and the 64-bit hashes of our tables and identifiers. */
#pragma once

#include "agent/base/str.h"

#define SHA256_SIZE 32u
#define SHA256_HEX_SIZE 65u /* with the NUL */

/* -ENOMEM, -EIO when OpenSSL refuses. */
must_check int sha256(struct str data, uint8_t ret_digest[SHA256_SIZE]);
must_check int sha256_hex(struct str data, char ret_hex[SHA256_HEX_SIZE]);

/* Keyed, attack-resistant (SipHash-2-4); `key` is random per process. */
uint64_t hash_siphash(struct str data, const uint64_t key[2]);

/* FNV-1a, 64 bit: stable identifiers, never for tables that attackers fill. */
uint64_t hash_fnv1a(struct str data, uint64_t seed);
