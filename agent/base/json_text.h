/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the JSON writer and the JSON scanner share: finding the bytes that need thought. */
#pragma once

#include <string.h>

#include "agent/base/base.h"

#define JSON_BYTES(c) (UINT64_C(0x0101010101010101) * (c))

/* True when a byte of `word` is below `n` (<= 0x80) and itself below 0x80; may
 * also be true through a borrow from such a byte, never without one. */
static inline uint64_t json_has_less(uint64_t word, uint64_t n)
{
	return (word - JSON_BYTES(n)) & ~word & JSON_BYTES(0x80);
}

/* Printable ASCII that stands in a JSON string as itself. */
static inline bool json_is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* How many bytes at the start of p are plain: eight at a time, then one by one. */
static inline size_t json_plain_run(const char *p, size_t n)
{
	size_t i = 0;

	for (; n - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, p + i, sizeof(word));

		uint64_t odd = (word & JSON_BYTES(0x80)) | json_has_less(word, 0x20) |
			       json_has_less(word ^ JSON_BYTES(0x7f), 1) |
			       json_has_less(word ^ JSON_BYTES('"'), 1) |
			       json_has_less(word ^ JSON_BYTES('\\'), 1);

		if (odd != 0)
			break;
	}
	while (i < n && json_is_plain((uint8_t)p[i]))
		i++;
	return i;
}
