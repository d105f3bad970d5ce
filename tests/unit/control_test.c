/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/control.h"
#include "tests/test.h"

static void frames_come_back_as_they_went(void)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };
	struct str json;

	buf_init(&b, 64);
	for (int i = 0; i < 2; i++) {
		size_t at = control_frame_begin(&b);

		buf_add_str(&b, i == 0 ? STR("{}") : STR("{\"a\":1}"));
		control_frame_end(&b, at, 16);
	}
	CHECK_INT(buf_error(&b), 0);
	CHECK_INT(control_frame_get(buf_str(&b), 16, &json), 1);
	CHECK_STRN(json, "{}");
	buf_consume(&b, CONTROL_HEADER_SIZE + json.n);
	CHECK_INT(control_frame_get(buf_str(&b), 16, &json), 1);
	CHECK_STRN(json, "{\"a\":1}");
}

static void an_unfinished_frame_waits(void)
{
	const char bytes[] = "\0\0\0\3{}";
	struct str json = STR("untouched");

	for (size_t n = 0; n < 6; n++)
		CHECK_INT(control_frame_get((struct str){ .p = bytes, .n = n }, 16, &json), 0);
	CHECK_STRN(json, "untouched");
}

static void bad_lengths_are_refused_at_once(void)
{
	struct str json;

	CHECK_INT(control_frame_get(STR("\0\0\0\0"), 16, &json), -EPROTO);
	CHECK_INT(control_frame_get(STR("\0\0\0\x11"), 16, &json), -EPROTO);
	CHECK_INT(control_frame_get(STR("\xff\xff\xff\xff"), 16, &json), -EPROTO);
	CHECK_INT(control_frame_get(STR("GET / HTTP/1.1\r\n"), CONTROL_REQUEST_MAX, &json),
		  -EPROTO);
}

static void writers_keep_to_the_limit(void)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };
	size_t at;

	buf_init(&b, 64);
	at = control_frame_begin(&b);
	control_frame_end(&b, at, 16);
	CHECK_INT(buf_error(&b), -EMSGSIZE); /* a frame without JSON */
	buf_clear(&b);
	at = control_frame_begin(&b);
	buf_add_str(&b, STR("12345678901234567"));
	control_frame_end(&b, at, 16);
	CHECK_INT(buf_error(&b), -EMSGSIZE);
}

TEST_MAIN({ "frames_come_back_as_they_went", frames_come_back_as_they_went },
	  { "an_unfinished_frame_waits", an_unfinished_frame_waits },
	  { "bad_lengths_are_refused_at_once", bad_lengths_are_refused_at_once },
	  { "writers_keep_to_the_limit", writers_keep_to_the_limit })
