/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/rfc3339.h"

#include "tests/test.h"

static uint64_t parsed(const char *s)
{
	uint64_t us = 1;

	CHECK_INT(rfc3339_parse(str_of(s), &us), 0);
	return us;
}

static void reads_times(void)
{
	CHECK_INT(parsed("1970-01-01T00:00:00Z"), 0);
	CHECK_INT(parsed("2026-05-01T10:00:00Z"), 1777629600000000);
	CHECK_INT(parsed("2026-05-01t10:00:00.123z"), 1777629600123000);
	CHECK_INT(parsed("2026-05-01T10:00:00.123456789Z"), 1777629600123456);
	CHECK_INT(parsed("2028-02-29T23:59:60Z"), 1835481600000000); /* a leap second */
	CHECK_INT(parsed("9999-12-31T23:59:59Z"), 253402300799000000);
}

static void refuses_everything_else(void)
{
	static const char *const bad[] = {
		"",
		"Z",
		"2026-05-01",
		"2026-05-01T10:00:00",
		"2026-05-01T10:00:00+00:00",
		"2026-05-01 10:00:00Z",
		"2026-05-01T10:00:00.Z",
		"2026-05-01T10:00:00.12x4Z",
		"2026-05-01T10:00:00.1234567890123Z",
		"2026-05-01T10:00:00ZZ",
		"2026-13-01T10:00:00Z",
		"2026-00-01T10:00:00Z",
		"2026-04-31T10:00:00Z",
		"2026-02-29T10:00:00Z",
		"2100-02-29T10:00:00Z",
		"2026-05-01T24:00:00Z",
		"1969-12-31T23:59:59Z",
		"+026-05-01T10:00:00Z",
	};
	uint64_t us = 7;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(rfc3339_parse(str_of(bad[i]), &us), -EINVAL);
	CHECK_INT(rfc3339_parse((struct str){ .p = "2026-05-01T10:00:00\0", .n = 20 }, &us),
		  -EINVAL);
	CHECK_INT(us, 7);
}

TEST_MAIN({ "reads_times", reads_times }, { "refuses_everything_else", refuses_everything_else })
