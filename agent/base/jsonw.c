/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/jsonw.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "agent/base/clock.h"
#include "agent/base/json_text.h"
#include "agent/base/utf8.h"

#define NUMBER_TEXT_MAX 32u

void jsonw_init(struct jsonw *w, struct buf *out)
{
	*w = (struct jsonw){ .out = out };
}

static uint32_t depth_bit(const struct jsonw *w)
{
	return UINT32_C(1) << w->depth;
}

/* The comma before all but the first item of the open object or array. */
static void item_begin(struct jsonw *w)
{
	uint32_t bit = depth_bit(w);

	if (w->depth > 0 && (w->has_items & bit) != 0)
		buf_add_char(w->out, ',');
	w->has_items |= bit;
}

static void value_begin(struct jsonw *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	assert((w->is_object & depth_bit(w)) == 0 || w->depth == 0);
	item_begin(w);
}

static void container_begin(struct jsonw *w, char open, bool is_object)
{
	value_begin(w);
	assert(w->depth < JSONW_DEPTH_MAX);
	w->depth++;

	uint32_t bit = depth_bit(w);

	w->has_items &= ~bit;
	w->is_object = is_object ? w->is_object | bit : w->is_object & ~bit;
	buf_add_char(w->out, open);
}

static void container_end(struct jsonw *w, char close, bool is_object)
{
	assert(w->depth > 0 && !w->after_key);
	assert(((w->is_object & depth_bit(w)) != 0) == is_object);
	w->depth--;
	buf_add_char(w->out, close);
}

void jsonw_object_begin(struct jsonw *w)
{
	container_begin(w, '{', true);
}

void jsonw_object_end(struct jsonw *w)
{
	container_end(w, '}', true);
}

void jsonw_array_begin(struct jsonw *w)
{
	container_begin(w, '[', false);
}

void jsonw_array_end(struct jsonw *w)
{
	container_end(w, ']', false);
}

static void add_u_escape(struct buf *b, uint32_t c)
{
	static const char digits[] = "0123456789abcdef";
	const char text[6] = { '\\', 'u', '0', '0', digits[c >> 4 & 15], digits[c & 15] };

	buf_add(b, text, sizeof(text));
}

/* RFC 8259 section 7. DEL and the C1 controls may stand unescaped by it, but a
 * terminal that is shown the text must not obey them. */
static void add_ascii_escape(struct buf *b, uint8_t c)
{
	static const char short_forms[128] = {
		['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
		['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't',
	};

	if (short_forms[c] != 0) {
		const char text[2] = { '\\', short_forms[c] };

		buf_add(b, text, sizeof(text));
	} else {
		add_u_escape(b, c);
	}
}

/* Adds the unusual character at the start of s; returns its bytes. */
static size_t add_unusual(struct buf *b, struct str s)
{
	size_t len = utf8_sequence_len(s);

	if (len == 0) {
		buf_add(b, "\xef\xbf\xbd", 3);
		return 1;
	}
	if (len == 1)
		add_ascii_escape(b, (uint8_t)s.p[0]);
	else if (len == 2 && utf8_code_point(s.p, len) < 0xa0)
		add_u_escape(b, utf8_code_point(s.p, len));
	else
		buf_add(b, s.p, len);
	return len;
}

/* Where n more bytes go, NULL on error: buf_reserve() without a call where they fit. */
static char *room_get(struct buf *b, size_t n)
{
	size_t end = b->size < b->max ? b->size : b->max;

	if (b->error == 0 && b->len < end && n < end - b->len)
		return b->data + b->len;
	return buf_reserve(b, n);
}

static void add_quoted_slowly(struct buf *b, struct str s)
{
	size_t i = 0;

	buf_add_char(b, '"');
	while (i < s.n) {
		size_t run = json_plain_run(s.p + i, s.n - i);

		buf_add(b, s.p + i, run);
		i += run;
		if (i < s.n)
			i += add_unusual(b, (struct str){ .p = s.p + i, .n = s.n - i });
	}
	buf_add_char(b, '"');
}

/* Nearly every string of an event is plain: it is copied while it is looked at,
 * `comma` and `colon` (0 or 1) with it. False, with nothing added, when it is not
 * or when there is no room. */
static bool add_quoted_fast(struct buf *b, struct str s, size_t comma, size_t colon)
{
	size_t n;
	char *to;

	if (add_overflows(s.n, 2 + comma + colon, &n))
		return false;
	to = room_get(b, n);
	if (to == NULL)
		return false;
	to[0] = ',';
	to[comma] = '"';
	if (!json_copy_plain(to + comma + 1, s.p, s.n))
		return false;
	to[n - 1] = ':';
	to[n - 1 - colon] = '"';
	b->len += n;
	return true;
}

void jsonw_key(struct jsonw *w, struct str key)
{
	uint32_t bit = depth_bit(w);

	assert(w->depth > 0 && (w->is_object & bit) != 0 && !w->after_key);
	w->after_key = true;
	if (add_quoted_fast(w->out, key, (w->has_items & bit) != 0, 1)) {
		w->has_items |= bit;
		return;
	}
	item_begin(w);
	add_quoted_slowly(w->out, key);
	buf_add_char(w->out, ':');
}

void jsonw_key_text(struct jsonw *w, struct str text)
{
	assert(w->depth > 0 && (w->is_object & depth_bit(w)) != 0 && !w->after_key);
	item_begin(w);
	buf_add_str(w->out, text);
	w->after_key = true;
}

void jsonw_str(struct jsonw *w, struct str s)
{
	value_begin(w);
	if (!add_quoted_fast(w->out, s, 0, 0))
		add_quoted_slowly(w->out, s);
}

void jsonw_u64(struct jsonw *w, uint64_t v)
{
	value_begin(w);
	buf_add_u64(w->out, v);
}

void jsonw_i64(struct jsonw *w, int64_t v)
{
	value_begin(w);
	buf_add_i64(w->out, v);
}

/* 15 digits where they give the same number back, for 0.1 to be 0.1. */
void jsonw_double(struct jsonw *w, double v)
{
	char text[NUMBER_TEXT_MAX];

	value_begin(w);
	if (!isfinite(v)) {
		buf_add_str(w->out, STR("null"));
		return;
	}
	(void)snprintf(text, sizeof(text), "%.15g", v);
	if (strtod(text, NULL) != v)
		(void)snprintf(text, sizeof(text), "%.17g", v);
	buf_add_str(w->out, str_of(text));
}

void jsonw_bool(struct jsonw *w, bool v)
{
	value_begin(w);
	buf_add_str(w->out, v ? STR("true") : STR("false"));
}

void jsonw_null(struct jsonw *w)
{
	value_begin(w);
	buf_add_str(w->out, STR("null"));
}

void jsonw_raw(struct jsonw *w, struct str json)
{
	value_begin(w);
	buf_add_str(w->out, json);
}

void jsonw_time_us(struct jsonw *w, uint64_t realtime_us)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format_utc(realtime_us, text);
	jsonw_str(w, (struct str){ .p = text, .n = CLOCK_TEXT_SIZE - 1 });
}

void jsonw_kv_str(struct jsonw *w, const char *key, struct str s)
{
	jsonw_key(w, str_of(key));
	jsonw_str(w, s);
}

void jsonw_kv_u64(struct jsonw *w, const char *key, uint64_t v)
{
	jsonw_key(w, str_of(key));
	jsonw_u64(w, v);
}

void jsonw_kv_i64(struct jsonw *w, const char *key, int64_t v)
{
	jsonw_key(w, str_of(key));
	jsonw_i64(w, v);
}

void jsonw_kv_bool(struct jsonw *w, const char *key, bool v)
{
	jsonw_key(w, str_of(key));
	jsonw_bool(w, v);
}
