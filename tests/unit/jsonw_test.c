/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/jsonw.h"

#include <math.h>

#include "agent/base/jsonr.h"
#include "tests/test.h"

/* What one string becomes between its quotes. */
static void check_string(struct str in, const char *want)
{
	cleanup_(buf_cleanup) struct buf b;
	struct jsonw w;

	buf_init(&b, 1000);
	jsonw_init(&w, &b);
	jsonw_str(&w, in);
	CHECK_INT(buf_error(&b), 0);
	CHECK_STR(buf_cstr(&b), want);
}

static void writes_every_kind(void)
{
	cleanup_(buf_cleanup) struct buf b;
	struct jsonw w;

	buf_init(&b, 1000);
	jsonw_init(&w, &b);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "s", STR("x"));
	jsonw_kv_u64(&w, "u", UINT64_MAX);
	jsonw_kv_i64(&w, "i", -5);
	jsonw_kv_bool(&w, "b", true);
	jsonw_key(&w, STR("a"));
	jsonw_array_begin(&w);
	jsonw_null(&w);
	jsonw_bool(&w, false);
	jsonw_object_begin(&w);
	jsonw_object_end(&w);
	jsonw_array_begin(&w);
	jsonw_array_end(&w);
	jsonw_raw(&w, STR("{\"r\":1}"));
	jsonw_array_end(&w);
	jsonw_key(&w, STR("q\"k"));
	jsonw_time_us(&w, 1777629600123456);
	jsonw_object_end(&w);
	CHECK_STR(buf_cstr(&b), "{\"s\":\"x\",\"u\":18446744073709551615,\"i\":-5,\"b\":true,"
				"\"a\":[null,false,{},[],{\"r\":1}],"
				"\"q\\\"k\":\"2026-05-01T10:00:00.123456Z\"}");
}

static void writes_doubles(void)
{
	static const double in[] = { 0.1, -1.5, 1e300, 1.0 / 3, NAN, INFINITY, 42 };
	cleanup_(buf_cleanup) struct buf b;
	struct jsonw w;

	buf_init(&b, 1000);
	jsonw_init(&w, &b);
	jsonw_array_begin(&w);
	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		jsonw_double(&w, in[i]);
	jsonw_array_end(&w);
	CHECK_STR(buf_cstr(&b), "[0.1,-1.5,1e+300,0.33333333333333331,null,null,42]");
}

static void escapes_strings(void)
{
	check_string((struct str){ 0 }, "\"\"");
	check_string(STR("a\"b\\c"), "\"a\\\"b\\\\c\"");
	check_string(STR("\b\f\n\r\t\x01\x1f\x7f\0"),
		     "\"\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\\u0000\"");
	check_string(STR("\xc2\x9b"), "\"\\u009b\"");
	check_string(STR("\xc3\xa9\xe2\x82\xac"), "\"\xc3\xa9\xe2\x82\xac\"");
	check_string(STR("a\xff\xe2\x82"
			 "b"),
		     "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
		     "b\"");
}

/* Every byte at every place of an eight-byte word: the fast path must see it. */
static void fast_path_sees_every_byte(void)
{
	static const struct jsonr_limits limits = { .max_bytes = 1000, .max_depth = 1 };
	cleanup_(buf_cleanup) struct buf b;
	struct jsonw w;
	char text[17];

	buf_init(&b, 1000);
	for (size_t i = 0; i < 256 * sizeof(text); i++) {
		uint8_t c = (uint8_t)(i / sizeof(text));
		bool is_plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

		memset(text, 'x', sizeof(text));
		text[i % sizeof(text)] = (char)c;
		buf_clear(&b);
		jsonw_init(&w, &b);
		jsonw_str(&w, (struct str){ .p = text, .n = sizeof(text) });
		CHECK_INT(jsonr_scan(buf_str(&b), &limits, NULL, NULL, NULL), 0);
		CHECK((b.len == sizeof(text) + 2) == is_plain);
	}
}

static void a_full_buffer_is_the_writers_error(void)
{
	cleanup_(buf_cleanup) struct buf b;
	struct jsonw w;

	buf_init(&b, 8);
	jsonw_init(&w, &b);
	jsonw_array_begin(&w);
	jsonw_str(&w, STR("12345678"));
	jsonw_array_end(&w);
	CHECK_INT(buf_error(&b), -EMSGSIZE);
}

static void nests_to_its_limit(void)
{
	cleanup_(buf_cleanup) struct buf b;
	struct jsonw w;

	buf_init(&b, 1000);
	jsonw_init(&w, &b);
	for (unsigned int i = 0; i < JSONW_DEPTH_MAX; i++)
		jsonw_array_begin(&w);
	for (unsigned int i = 0; i < JSONW_DEPTH_MAX; i++)
		jsonw_array_end(&w);
	CHECK_STR(buf_cstr(&b), "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]");
}

TEST_MAIN({ "writes_every_kind", writes_every_kind }, { "writes_doubles", writes_doubles },
	  { "escapes_strings", escapes_strings },
	  { "fast_path_sees_every_byte", fast_path_sees_every_byte },
	  { "a_full_buffer_is_the_writers_error", a_full_buffer_is_the_writers_error },
	  { "nests_to_its_limit", nests_to_its_limit })
