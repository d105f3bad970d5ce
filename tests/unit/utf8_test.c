/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/utf8.h"

#include "tests/test.h"

static void knows_every_length(void)
{
	CHECK_INT(utf8_sequence_len(STR("a")), 1);
	CHECK_INT(utf8_sequence_len(STR("\0")), 1);
	CHECK_INT(utf8_sequence_len(STR("\xc3\xa9")), 2);
	CHECK_INT(utf8_sequence_len(STR("\xe2\x82\xac")), 3);
	CHECK_INT(utf8_sequence_len(STR("\xf0\x9f\x98\x80")), 4);
	CHECK_INT(utf8_sequence_len((struct str){ 0 }), 0);
	CHECK_INT(utf8_code_point("\xc3\xa9", 2), 0xe9);
	CHECK_INT(utf8_code_point("\xe2\x82\xac", 3), 0x20ac);
	CHECK_INT(utf8_code_point("\xf0\x9f\x98\x80", 4), 0x1f600);
}

/* RFC 3629 section 3 and the first and last of each row of its section 4. */
static void refuses_malformed(void)
{
	static const struct {
		const char *bytes;
		bool is_valid;
	} rows[] = {
		{ "\x80", false },
		{ "\xbf", false },
		{ "\xc0\xaf", false },
		{ "\xc1\xbf", false },
		{ "\xc2\x80", true },
		{ "\xc2", false },
		{ "\xc2\xc0", false },
		{ "\xe0\x9f\xbf", false },
		{ "\xe0\xa0\x80", true },
		{ "\xe0\xa0", false },
		{ "\xed\x9f\xbf", true },
		{ "\xed\xa0\x80", false },
		{ "\xef\xbf\xbf", true },
		{ "\xf0\x8f\xbf\xbf", false },
		{ "\xf0\x90\x80\x80", true },
		{ "\xf0\x90\x80", false },
		{ "\xf0\x90\x80\x41", false },
		{ "\xf4\x8f\xbf\xbf", true },
		{ "\xf4\x90\x80\x80", false },
		{ "\xf5\x80\x80\x80", false },
		{ "\xff", false },
		{ "ab\xe2\x82\xac!", true },
		{ "ab\xe2\x82", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (utf8_is_valid(str_of(rows[i].bytes)) != rows[i].is_valid)
			TEST_BAIL("row %zu", i);
}

static void cuts_between_characters(void)
{
	struct str s = STR("a\xe2\x82\xac\xf0\x9f\x98\x80");
	static const size_t want[] = { 0, 1, 1, 1, 4, 4, 4, 4, 8 };

	for (size_t max = 0; max < ARRAY_LEN(want); max++)
		CHECK_INT(utf8_cut(s, max), want[max]);
	CHECK_INT(utf8_cut(s, 100), 8);
	CHECK_INT(utf8_cut(STR("\x80\x80\x80\x80\x80"), 3), 3);
	CHECK_INT(utf8_cut(STR("\xe2\x82z"), 2), 2); /* no sequence to keep whole */
}

static void knows_what_a_terminal_obeys(void)
{
	static const uint32_t unsafe[] = { 0,	   0x1b,   0x1f,   0x7f,   0x80,   0x9b,   0x9f,
					   0x200b, 0x200f, 0x202a, 0x202e, 0x2066, 0x2069, 0xfeff };
	static const uint32_t safe[] = { ' ',	 '~',	 0xa0,	 0xe9,	 0x200a,  0x2010,  0x2029,
					 0x202f, 0x2065, 0x206a, 0xfffd, 0x1f600, 0x10ffff };

	for (size_t i = 0; i < ARRAY_LEN(unsafe); i++)
		CHECK(utf8_is_unsafe(unsafe[i]));
	for (size_t i = 0; i < ARRAY_LEN(safe); i++)
		CHECK(!utf8_is_unsafe(safe[i]));
}

TEST_MAIN({ "knows_every_length", knows_every_length }, { "refuses_malformed", refuses_malformed },
	  { "cuts_between_characters", cuts_between_characters },
	  { "knows_what_a_terminal_obeys", knows_what_a_terminal_obeys })
