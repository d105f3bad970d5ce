/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Length-carrying borrowed byte strings and the whole-string number parsers.
 * A struct str never owns its bytes, is not NUL-terminated and may hold any
 * byte. Nothing here allocates.
 */
#pragma once

#include <string.h>

#include "agent/base/base.h"

struct str {
	const char *p; /* may be NULL when n is 0 */
	size_t n;
};

/* A struct str over a string literal. */
#define STR(lit) ((struct str){ .p = (lit), .n = sizeof(lit) - 1 })

/* Borrows a NUL-terminated string; NULL gives the empty string. */
static inline struct str str_of(const char *s)
{
	return (struct str){ .p = s, .n = s == NULL ? 0 : strlen(s) };
}

bool str_eq(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* Index of the first byte c in s, or -1. */
ssize_t str_find(struct str s, char c);

/* The bytes of s behind its last '/', all of s without one. */
struct str str_basename(struct str s);

/* Splits *rest at the first `sep`: returns the part before it and moves *rest
 * behind it; without `sep` returns all and leaves *rest empty with p NULL. */
struct str str_split(struct str *rest, char sep);

/* Decimal, whole string, no sign, no blanks, value in min..max.
 * -EINVAL not a number, -ERANGE outside min..max. */
must_check int parse_u64(struct str s, uint64_t min, uint64_t max, uint64_t *ret_value);

/* The same with an optional leading '-'. */
must_check int parse_i64(struct str s, int64_t min, int64_t max, int64_t *ret_value);

/* Hexadecimal digits of either case without prefix, whole string, at most 16. -EINVAL. */
must_check int parse_hex_u64(struct str s, uint64_t *ret_value);

/* Decodes 2*k hex digits of either case into k bytes at out (room for out_size).
 * Returns k; -EINVAL on an odd length or a bad digit, -ENOSPC when it does not fit. */
must_check ssize_t hex_decode(struct str s, void *out, size_t out_size);

/* Writes 2*n lower-case hex digits and a NUL; out holds 2*n+1 bytes. */
void hex_encode(const void *data, size_t n, char *out);

/* Copies s into the array out of out_size bytes, NUL-terminated.
 * -ENAMETOOLONG when it does not fit, -EINVAL when s holds a NUL; out is then untouched. */
must_check int str_copy(struct str s, char *out, size_t out_size);
