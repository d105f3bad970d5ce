/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/text.h"

#include "agent/base/jsonw.h"
#include "agent/base/utf8.h"

#define ELLIPSIS "\xe2\x80\xa6" /* U+2026, one column */
#define QUOTED_MAX ((size_t)256 * 1024)

struct range {
	uint32_t first;
	uint32_t last;
};

static const struct range combining[] = {
	{ 0x0300, 0x036f }, { 0x0483, 0x0489 },	  { 0x0591, 0x05bd }, { 0x0610, 0x061a },
	{ 0x064b, 0x065f }, { 0x0900, 0x0902 },	  { 0x0e31, 0x0e31 }, { 0x0e34, 0x0e3a },
	{ 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff },	  { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f },
	{ 0xfe20, 0xfe2f }, { 0xe0100, 0xe01ef },
};

static const struct range wide[] = {
	{ 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0xa4cf },	  { 0xa960, 0xa97f },
	{ 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },	  { 0xff00, 0xff60 },
	{ 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff },
	{ 0x20000, 0x3fffd },
};

static bool in_ranges(uint32_t cp, const struct range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cp >= ranges[i].first && cp <= ranges[i].last)
			return true;
	return false;
}

static size_t cp_width(uint32_t cp)
{
	if (cp < 0x300)
		return 1;
	if (in_ranges(cp, combining, ARRAY_LEN(combining)))
		return 0;
	return in_ranges(cp, wide, ARRAY_LEN(wide)) ? 2 : 1;
}

/* The character at the start of s (not empty): its bytes and columns. */
static size_t next_char(struct str s, size_t *ret_width)
{
	size_t len = utf8_sequence_len(s);

	if (len == 0)
		len = 1;
	*ret_width = len == 1 ? 1 : cp_width(utf8_code_point(s.p, len));
	return len;
}

size_t text_width(struct str s)
{
	size_t width = 0;

	for (size_t i = 0; i < s.n;) {
		size_t w;

		i += next_char((struct str){ .p = s.p + i, .n = s.n - i }, &w);
		width += w;
	}
	return width;
}

size_t text_add(struct buf *out, struct str s, size_t max)
{
	size_t start = out->len;
	size_t width = 0;
	size_t cut = start; /* where an ellipsis still fits */
	/* No sane text takes more bytes than this for `max` columns. */
	bool is_long = max > 0 && s.n > max * 8;

	if (is_long)
		s.n = utf8_cut(s, max * 8);
	buf_add_escaped(out, s);
	for (size_t i = start; i < out->len;) {
		size_t w;

		i += next_char((struct str){ .p = out->data + i, .n = out->len - i }, &w);
		width += w;
		if (max > 0 && width > max) {
			is_long = true;
			break;
		}
		if (width < max)
			cut = i;
	}
	if (!is_long)
		return width;
	out->len = cut;
	buf_add(out, ELLIPSIS, sizeof(ELLIPSIS) - 1);
	return text_width((struct str){ .p = out->data + start, .n = out->len - start });
}

void text_add_cell(struct buf *out, struct str s, size_t width, bool is_cut)
{
	for (size_t n = text_add(out, s, is_cut ? width : 0); n < width; n++)
		buf_add_char(out, ' ');
}

void text_add_json(struct buf *out, struct str json)
{
	size_t done = 0;

	for (size_t i = 0; i < json.n;) {
		uint8_t c = (uint8_t)json.p[i];

		if (c < 0x7f) {
			i++;
			continue;
		}
		size_t len = utf8_sequence_len((struct str){ .p = json.p + i, .n = json.n - i });
		uint32_t cp = len == 0 ? 0xfffd : utf8_code_point(json.p + i, len);

		if (len == 0)
			len = 1;
		if (utf8_is_unsafe(cp) || cp == 0xfffd) {
			buf_add(out, json.p + done, i - done);
			buf_printf(out, "\\u%04x", cp);
			done = i + len;
		}
		i += len;
	}
	buf_add(out, json.p + done, json.n - done);
}

void text_add_quoted(struct buf *out, struct str s)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };
	struct jsonw w;

	buf_init(&b, QUOTED_MAX);
	jsonw_init(&w, &b);
	jsonw_str(&w, s);
	if (buf_error(&b) != 0) {
		out->error = out->error == 0 ? buf_error(&b) : out->error;
		return;
	}
	text_add_json(out, buf_str(&b));
}
