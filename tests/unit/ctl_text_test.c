/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/text.h"

#include "tests/test.h"

static const char *cut(struct buf *b, struct str s, size_t max)
{
	buf_clear(b);
	size_t width = text_add(b, s, max);
	CHECK(max == 0 || width <= max);
	CHECK_INT(width, text_width(buf_str(b)));
	return buf_cstr(b);
}

static void cuts_at_columns_not_bytes(void)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 4096);
	CHECK_STR(cut(&b, STR("abcdef"), 6), "abcdef");
	CHECK_STR(cut(&b, STR("abcdefg"), 6), "abcde\xe2\x80\xa6");
	CHECK_STR(cut(&b, STR("abc"), 1), "\xe2\x80\xa6");
	CHECK_STR(cut(&b, STR("a"), 1), "a");
	CHECK_STR(cut(&b, STR(""), 1), "");
	CHECK_STR(cut(&b, STR("abc"), 0), "abc");
	/* Two Chinese characters take four columns. */
	CHECK_STR(cut(&b, STR("\xe4\xb8\xad\xe6\x96\x87"), 4), "\xe4\xb8\xad\xe6\x96\x87");
	CHECK_STR(cut(&b, STR("\xe4\xb8\xad\xe6\x96\x87"), 3), "\xe4\xb8\xad\xe2\x80\xa6");
	CHECK_INT(text_width(STR("e\xcc\x81")), 1); /* e and a combining accent */
}

static void nothing_reaches_the_terminal_as_a_command(void)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 4096);
	CHECK_STR(cut(&b, STR("\x1b]0;evil\x07\r\n"), 0), "\\x1b]0;evil\\x07\\r\\n");
	CHECK_STR(cut(&b,
		      STR("\xc2\x9b"
			  "2J"),
		      0),
		  "\\u{009B}2J");
	CHECK_STR(cut(&b,
		      STR("a\xe2\x80\xae"
			  "b"),
		      0),
		  "a\\u{202E}b");
	CHECK_STR(cut(&b, STR("\xff\0x"), 0), "\\xff\\x00x");
	/* An escape that is cut shows less of it, never more. */
	CHECK_STR(cut(&b, STR("ab\x1b[1m"), 4), "ab\\\xe2\x80\xa6");
}

static void a_heap_of_combining_marks_is_cut(void)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };
	cleanup_(buf_cleanup) struct buf marks = { 0 };

	buf_init(&b, 1 << 20);
	buf_init(&marks, 1 << 20);
	for (int i = 0; i < 100000; i++)
		buf_add_str(&marks, STR("\xcc\x81"));
	(void)cut(&b, buf_str(&marks), 10);
	CHECK(b.len < 200);
}

static void cells_are_filled_up(void)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 4096);
	text_add_cell(&b, STR("ab"), 4, true);
	text_add_cell(&b, STR("\xe4\xb8\xad"), 4, true);
	text_add_cell(&b, STR("abcdef"), 4, true);
	text_add_cell(&b, STR("abcdef"), 4, false);
	CHECK_STR(buf_cstr(&b), "ab  \xe4\xb8\xad  abc\xe2\x80\xa6"
				"abcdef");
}

static void json_keeps_its_value(void)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 4096);
	text_add_json(&b, STR("{\"k\":\"\xc3\xa9\xe4\xb8\xad\"}"));
	CHECK_STR(buf_cstr(&b), "{\"k\":\"\xc3\xa9\xe4\xb8\xad\"}");
	buf_clear(&b);
	text_add_json(&b, STR("[\"a\x7f\xc2\x9b\xe2\x80\xae\xff\"]"));
	CHECK_STR(buf_cstr(&b), "[\"a\\u007f\\u009b\\u202e\\ufffd\"]");
	buf_clear(&b);
	text_add_quoted(&b, STR("say \"hi\"\x1b\xe2\x80\xae"));
	CHECK_STR(buf_cstr(&b), "\"say \\\"hi\\\"\\u001b\\u202e\"");
}

TEST_MAIN({ "cuts_at_columns_not_bytes", cuts_at_columns_not_bytes },
	  { "nothing_reaches_the_terminal_as_a_command",
	    nothing_reaches_the_terminal_as_a_command },
	  { "a_heap_of_combining_marks_is_cut", a_heap_of_combining_marks_is_cut },
	  { "cells_are_filled_up", cells_are_filled_up },
	  { "json_keeps_its_value", json_keeps_its_value })
