/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/buf.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent/base/utf8.h"

#define BUF_SIZE_MIN 256u

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_init_fixed(struct buf *b, void *storage, size_t size)
{
	*b = (struct buf){ .data = storage, .size = size, .max = size - 1, .is_fixed = true };
}

void buf_done(struct buf *b)
{
	if (!b->is_fixed)
		free(b->data);
	*b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->error = 0;
}

int buf_error(const struct buf *b)
{
	return b->error;
}

/* Makes room for `need` bytes in all; doubling keeps appends linear. `over` is
 * room beyond max for the NUL of buf_cstr(). */
static bool buf_grow(struct buf *b, size_t need, size_t over)
{
	size_t size = b->size < BUF_SIZE_MIN ? BUF_SIZE_MIN : b->size;
	size_t cap;

	if (b->error != 0)
		return false;
	if (add_overflows(b->max, over, &cap))
		cap = b->max;
	if (need > cap) {
		b->error = -EMSGSIZE;
		return false;
	}
	if (need <= b->size)
		return true;
	while (size < need) {
		if (mul_overflows(size, (size_t)2, &size))
			size = need;
	}
	if (size > cap)
		size = cap;

	char *data = b->is_fixed ? NULL : realloc(b->data, size);

	if (data == NULL) { /* fixed storage always has size == cap: not reached */
		b->error = -ENOMEM;
		return false;
	}
	b->data = data;
	b->size = size;
	return true;
}

char *buf_reserve(struct buf *b, size_t n)
{
	size_t need;

	if (b->error == 0 && n <= b->size - b->len && b->len + n <= b->max)
		return b->data == NULL ? (buf_grow(b, 1, 1) ? b->data : NULL) : b->data + b->len;
	if (add_overflows(b->len, n, &need)) {
		if (b->error == 0)
			b->error = -EMSGSIZE;
		return NULL;
	}
	return buf_grow(b, need, 0) ? b->data + b->len : NULL;
}

void buf_add(struct buf *b, const void *data, size_t n)
{
	char *to;

	if (n == 0)
		return;
	to = buf_reserve(b, n);
	if (to == NULL)
		return;
	memcpy(to, data, n);
	b->len += n;
}

void buf_add_char(struct buf *b, char c)
{
	char *to = buf_reserve(b, 1);

	if (to == NULL)
		return;
	*to = c;
	b->len++;
}

void buf_add_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

void buf_add_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_add_i64(struct buf *b, int64_t v)
{
	uint64_t magnitude = (uint64_t)v;

	if (v < 0) {
		buf_add_char(b, '-');
		magnitude = ~magnitude + 1;
	}
	buf_add_u64(b, magnitude);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	char line[256];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (n < 0) {
		if (b->error == 0)
			b->error = -EMSGSIZE;
		return;
	}
	if ((size_t)n < sizeof(line)) {
		buf_add(b, line, (size_t)n);
		return;
	}
	/* The NUL that vsnprintf writes needs room, also at the cap. */
	if ((size_t)n > b->max - b->len) {
		if (b->error == 0)
			b->error = -EMSGSIZE;
		return;
	}
	if (!buf_grow(b, b->len + (size_t)n + 1, 1))
		return;
	va_start(args, fmt);
	(void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, args);
	va_end(args);
	b->len += (size_t)n;
}

static void escape_byte(struct buf *b, uint8_t c)
{
	switch (c) {
	case '\n':
		buf_add(b, "\\n", 2);
		return;
	case '\t':
		buf_add(b, "\\t", 2);
		return;
	case '\r':
		buf_add(b, "\\r", 2);
		return;
	case '\\':
		buf_add(b, "\\\\", 2);
		return;
	default:
		buf_printf(b, "\\x%02x", c);
	}
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '\\';
}

void buf_add_escaped(struct buf *b, struct str s)
{
	size_t i = 0;

	while (i < s.n) {
		size_t start = i;

		while (i < s.n && is_plain((uint8_t)s.p[i]))
			i++;
		if (i > start) {
			buf_add(b, s.p + start, i - start);
			continue;
		}

		size_t len = utf8_sequence_len((struct str){ .p = s.p + i, .n = s.n - i });
		uint32_t cp = utf8_code_point(s.p + i, len == 0 ? 1 : len);

		if (len < 2) {
			escape_byte(b, (uint8_t)s.p[i]);
			len = 1;
		} else if (utf8_is_unsafe(cp)) {
			buf_printf(b, "\\u{%04" PRIX32 "}", cp);
		} else {
			buf_add(b, s.p + i, len);
		}
		i += len;
	}
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len) {
		b->len = 0;
		return;
	}
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

const char *buf_cstr(struct buf *b)
{
	if (!buf_grow(b, b->len + 1, 1))
		return "";
	b->data[b->len] = '\0';
	return b->data;
}
