/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/str.h"

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_starts(struct str s, struct str prefix)
{
	if (prefix.n == 0)
		return true;
	return s.n >= prefix.n && memcmp(s.p, prefix.p, prefix.n) == 0;
}

bool str_ends(struct str s, struct str suffix)
{
	if (suffix.n == 0)
		return true;
	return s.n >= suffix.n && memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0;
}

ssize_t str_find(struct str s, char c)
{
	if (s.n == 0)
		return -1;

	const char *hit = memchr(s.p, c, s.n);

	return hit == NULL ? -1 : hit - s.p;
}

struct str str_basename(struct str s)
{
	if (s.n == 0)
		return s;

	const char *slash = memrchr(s.p, '/', s.n);

	if (slash == NULL)
		return s;

	size_t skip = (size_t)(slash - s.p) + 1;

	return (struct str){ .p = s.p + skip, .n = s.n - skip };
}

struct str str_split(struct str *rest, char sep)
{
	struct str all = *rest;
	ssize_t at = str_find(all, sep);

	if (at < 0) {
		*rest = (struct str){ 0 };
		return all;
	}

	size_t n = (size_t)at;

	*rest = (struct str){ .p = all.p + n + 1, .n = all.n - n - 1 };
	return (struct str){ .p = all.p, .n = n };
}

/* Decimal digits only; -ERANGE when 64 bits do not hold them. A bad byte behind
 * an overflow still makes it "not a number", so all digits are looked at. */
static int digits_parse(struct str s, uint64_t *ret_value)
{
	uint64_t value = 0;
	bool is_too_big = false;

	if (s.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
		if (mul_overflows(value, UINT64_C(10), &value) ||
		    add_overflows(value, (uint64_t)(s.p[i] - '0'), &value))
			is_too_big = true;
	}
	if (is_too_big)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int parse_u64(struct str s, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	int r = digits_parse(s, &value);

	if (r < 0)
		return r;
	if (value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int parse_i64(struct str s, int64_t min, int64_t max, int64_t *ret_value)
{
	bool is_negative = s.n > 0 && s.p[0] == '-';
	struct str digits = s;
	uint64_t magnitude = 0;
	int64_t value;

	if (is_negative)
		digits = (struct str){ .p = s.p + 1, .n = s.n - 1 };

	int r = digits_parse(digits, &magnitude);

	if (r < 0)
		return r;
	if (magnitude > (uint64_t)INT64_MAX + (is_negative ? 1 : 0))
		return -ERANGE;
	if (!is_negative)
		value = (int64_t)magnitude;
	else if (magnitude == 0)
		value = 0;
	else /* never negates INT64_MIN's magnitude as a signed number */
		value = -(int64_t)(magnitude - 1) - 1;
	if (value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

/* 0..15, or -1. */
static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int parse_hex_u64(struct str s, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (s.n == 0 || s.n > 16)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		int digit = hex_digit(s.p[i]);

		if (digit < 0)
			return -EINVAL;
		value = value << 4 | (uint64_t)digit;
	}
	*ret_value = value;
	return 0;
}

ssize_t hex_decode(struct str s, void *out, size_t out_size)
{
	uint8_t *bytes = out;

	if (s.n % 2 != 0)
		return -EINVAL;
	if (s.n / 2 > out_size)
		return -ENOSPC;
	for (size_t i = 0; i < s.n / 2; i++) {
		int high = hex_digit(s.p[2 * i]);
		int low = hex_digit(s.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return (ssize_t)(s.n / 2);
}

void hex_encode(const void *data, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * n] = '\0';
}

int str_copy(struct str s, char *out, size_t out_size)
{
	if (str_find(s, '\0') >= 0)
		return -EINVAL;
	if (s.n >= out_size)
		return -ENAMETOOLONG;
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return 0;
}
