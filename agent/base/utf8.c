/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/utf8.h"

static bool is_tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

/* RFC 3629 section 4: only the second byte's range depends on the first. */
size_t utf8_sequence_len(struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;

	if (s.n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	if (p[0] < 0xe0)
		return s.n >= 2 && is_tail(p[1]) ? 2 : 0;

	uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
	size_t len = p[0] < 0xf0 ? 3 : 4;

	if (s.n < len || p[1] < low || p[1] > high || !is_tail(p[2]))
		return 0;
	if (len == 4 && !is_tail(p[3]))
		return 0;
	return len;
}

uint32_t utf8_code_point(const char *p, size_t len)
{
	const uint8_t *u = (const uint8_t *)p;

	switch (len) {
	case 1:
		return u[0];
	case 2:
		return (uint32_t)(u[0] & 0x1f) << 6 | (u[1] & 0x3f);
	case 3:
		return (uint32_t)(u[0] & 0x0f) << 12 | (uint32_t)(u[1] & 0x3f) << 6 | (u[2] & 0x3f);
	default:
		return (uint32_t)(u[0] & 0x07) << 18 | (uint32_t)(u[1] & 0x3f) << 12 |
		       (uint32_t)(u[2] & 0x3f) << 6 | (u[3] & 0x3f);
	}
}

bool utf8_is_valid(struct str s)
{
	size_t i = 0;

	while (i < s.n) {
		size_t len = utf8_sequence_len((struct str){ .p = s.p + i, .n = s.n - i });

		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

bool utf8_is_unsafe(uint32_t code_point)
{
	uint32_t cp = code_point;

	/* U+0080..U+009F: some terminals obey CSI as U+009B. */
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
		return true;
	return (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x202a && cp <= 0x202e) ||
	       (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

/* Steps back from the cut to the start of the sequence that may be split; what
 * is no valid sequence there is cut where it is. */
size_t utf8_cut(struct str s, size_t max)
{
	if (s.n <= max)
		return s.n;
	for (size_t back = 1; back <= 3 && back <= max; back++) {
		struct str tail = { .p = s.p + (max - back), .n = s.n - (max - back) };
		size_t len;

		if (is_tail((uint8_t)tail.p[0]))
			continue;
		len = utf8_sequence_len(tail);
		return len > back ? max - back : max;
	}
	return max;
}
