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

/* Zero when all bytes of the word are plain. */
static inline uint64_t json_odd(uint64_t word)
{
	return (word & JSON_BYTES(0x80)) | json_has_less(word, 0x20) |
	       json_has_less(word ^ JSON_BYTES(0x7f), 1) |
	       json_has_less(word ^ JSON_BYTES('"'), 1) | json_has_less(word ^ JSON_BYTES('\\'), 1);
}

static inline uint64_t json_load(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static inline void json_store(char *p, uint64_t word)
{
	memcpy(p, &word, sizeof(word));
}

/* Copies n bytes that are all plain; false, with `to` half written, when one is
 * not. Looking and copying go together, and the odd end is a word that overlaps
 * the one before: most texts of an event are a few words long, where a call of
 * memcpy costs more than the copy. */
static inline bool json_copy_plain(char *to, const char *from, size_t n)
{
	uint32_t first, last;
	size_t i = 0;

	if (n >= sizeof(uint64_t)) {
		uint64_t end = json_load(from + n - sizeof(end));

		for (; i + sizeof(uint64_t) < n; i += sizeof(uint64_t)) {
			uint64_t word = json_load(from + i);

			if (json_odd(word) != 0)
				return false;
			json_store(to + i, word);
		}
		json_store(to + n - sizeof(end), end);
		return json_odd(end) == 0;
	}
	if (n >= sizeof(first)) {
		memcpy(&first, from, sizeof(first));
		memcpy(&last, from + n - sizeof(last), sizeof(last));
		memcpy(to, &first, sizeof(first));
		memcpy(to + n - sizeof(last), &last, sizeof(last));
		return json_odd((uint64_t)first << 32 | last) == 0;
	}
	for (; i < n && json_is_plain((uint8_t)from[i]); i++)
		to[i] = from[i];
	return i == n;
}

/* How many bytes at the start of p are plain. */
static inline size_t json_plain_run(const char *p, size_t n)
{
	size_t i = 0;

	while (n - i >= sizeof(uint64_t) && json_odd(json_load(p + i)) == 0)
		i += sizeof(uint64_t);
	while (i < n && json_is_plain((uint8_t)p[i]))
		i++;
	return i;
}
