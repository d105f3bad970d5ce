/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/buf.h"

#include "tests/test.h"

static void grows_to_its_cap_and_sticks(void)
{
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, 600);
	for (int i = 0; i < 600; i++)
		buf_add_char(&b, 'x');
	CHECK_INT(buf_error(&b), 0);
	CHECK_INT(strlen(buf_cstr(&b)), 600); /* the NUL has room beyond the cap */
	buf_add_char(&b, 'y');
	CHECK_INT(buf_error(&b), -EMSGSIZE);
	buf_add(&b, "", 0);
	CHECK_INT(b.len, 600);
	CHECK_STR(buf_cstr(&b), "");
	buf_clear(&b);
	buf_add_str(&b, STR("again"));
	CHECK_STR(buf_cstr(&b), "again");
	CHECK_INT(buf_error(&b), 0);
}

static void formats_numbers(void)
{
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, 1000);
	buf_add_u64(&b, 0);
	buf_add_char(&b, ' ');
	buf_add_u64(&b, UINT64_MAX);
	buf_add_char(&b, ' ');
	buf_add_i64(&b, INT64_MIN);
	buf_add_char(&b, ' ');
	buf_add_i64(&b, -1);
	buf_printf(&b, " %s=%d", "x", 3);
	CHECK_STR(buf_cstr(&b), "0 18446744073709551615 -9223372036854775808 -1 x=3");
}

static void prints_long_text_up_to_the_cap(void)
{
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, 500);
	buf_printf(&b, "%500s", "x");
	CHECK_INT(buf_error(&b), 0);
	CHECK_INT(b.len, 500);
	buf_clear(&b);
	buf_printf(&b, "%501s", "x");
	CHECK_INT(buf_error(&b), -EMSGSIZE);
	CHECK_INT(b.len, 0);
}

static void escapes_for_terminals(void)
{
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, 1000);
	buf_add_escaped(&b, STR("a\n\t\r\\\x1b[2J\x7f\0\xff"));
	CHECK_STR(buf_cstr(&b), "a\\n\\t\\r\\\\\\x1b[2J\\x7f\\x00\\xff");
	buf_clear(&b);
	buf_add_escaped(&b, STR("\xe2\x80\xae"
				"exe\xe2\x82\xac\xef\xbb\xbf\xc2\x9b\xe2\x81\xa6"));
	CHECK_STR(buf_cstr(&b), "\\u{202E}exe\xe2\x82\xac\\u{FEFF}\\u{009B}\\u{2066}");
	buf_clear(&b);
	buf_add_escaped(&b, (struct str){ 0 });
	CHECK_INT(b.len, 0);
}

static void reserves_and_consumes(void)
{
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, 10);
	CHECK(buf_reserve(&b, 0) != NULL);

	char *to = buf_reserve(&b, 10);

	CHECK(to != NULL);
	memcpy(to, "0123456789", 10);
	b.len = 10;
	buf_consume(&b, 4);
	CHECK_STRN(buf_str(&b), "456789");
	buf_consume(&b, 6);
	CHECK_INT(b.len, 0);
	CHECK(buf_reserve(&b, 11) == NULL);
	CHECK_INT(buf_error(&b), -EMSGSIZE);
	buf_clear(&b);
	buf_add_char(&b, 'x');
	CHECK(buf_reserve(&b, SIZE_MAX) == NULL);
	CHECK_INT(buf_error(&b), -EMSGSIZE);
}

static void fixed_storage_never_grows(void)
{
	char storage[5];
	struct buf b;

	buf_init_fixed(&b, storage, sizeof(storage));
	buf_add_str(&b, STR("abcd"));
	CHECK_STR(buf_cstr(&b), "abcd");
	buf_add_char(&b, 'e');
	CHECK_INT(buf_error(&b), -EMSGSIZE);
	CHECK_STRN(buf_str(&b), "abcd");
	buf_done(&b);
	buf_init_fixed(&b, storage, 1);
	CHECK_STR(buf_cstr(&b), "");
	CHECK_INT(buf_error(&b), 0);
}

TEST_MAIN({ "grows_to_its_cap_and_sticks", grows_to_its_cap_and_sticks },
	  { "formats_numbers", formats_numbers },
	  { "prints_long_text_up_to_the_cap", prints_long_text_up_to_the_cap },
	  { "escapes_for_terminals", escapes_for_terminals },
	  { "reserves_and_consumes", reserves_and_consumes },
	  { "fixed_storage_never_grows", fixed_storage_never_grows })
