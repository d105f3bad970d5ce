/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/since.h"

#include <time.h>

#include "tests/test.h"

#define NOW_US UINT64_C(1700000000123456)

static uint64_t parse(const char *text)
{
	uint64_t us = 0;

	if (since_parse(str_of(text), NOW_US, &us) < 0)
		TEST_BAIL("%s was refused", text);
	return us;
}

static void ages_count_back_from_now(void)
{
	CHECK_INT(parse("0s"), NOW_US);
	CHECK_INT(parse("90s"), NOW_US - 90 * USEC_PER_SEC);
	CHECK_INT(parse("10m"), NOW_US - 600 * USEC_PER_SEC);
	CHECK_INT(parse("2h"), NOW_US - 7200 * USEC_PER_SEC);
	CHECK_INT(parse("1d"), NOW_US - 86400 * USEC_PER_SEC);
	CHECK_INT(parse("2w"), NOW_US - 1209600 * USEC_PER_SEC);
	CHECK_INT(parse("4000000000w"), 0); /* before 1970 */
	CHECK_INT(parse("30500569w"), 0);   /* 2^64 microseconds and a little */
}

static void dates_are_rfc_3339(void)
{
	CHECK_INT(parse("2023-11-14T22:13:20Z"), 1700000000000000);
	CHECK_INT(parse("2023-11-14t22:13:20.5z"), 1700000000500000);
	CHECK_INT(parse("2023-11-14T22:13:20.123456789Z"), 1700000000123456);
	CHECK_INT(parse("2023-11-15T00:13:20+02:00"), 1700000000000000);
	CHECK_INT(parse("2023-11-14T17:43:20-04:30"), 1700000000000000);
	CHECK_INT(parse("1970-01-01T00:00:00Z"), 0);
	CHECK_INT(parse("2016-12-31T23:59:60Z"), 1483228800000000); /* a leap second */
	CHECK_INT(parse("2024-02-29T00:00:00Z"), 1709164800000000);
}

static void without_a_zone_it_is_local_time(void)
{
	CHECK(setenv("TZ", "EAT-3", 1) == 0); /* three hours east */
	tzset();
	CHECK_INT(parse("2023-11-15 01:13:20"), 1700000000000000);
	CHECK_INT(parse("2023-11-15T01:13"), 1699999980000000);
	CHECK_INT(parse("2023-11-15"), 1699995600000000);
	CHECK(setenv("TZ", "UTC", 1) == 0);
	tzset();
}

static void refuses_the_rest(void)
{
	static const char *const cases[] = {
		"",
		"m",
		"10",
		"10x",
		"-10m",
		"1.5h",
		" 10m",
		"10 m",
		"yesterday",
		"99999999999999999999m",
		"2023",
		"2023-",
		"2023-13-01",
		"2023-00-01",
		"2023-02-30",
		"2023-02-30T10:00:60Z",
		"2255-01-01",
		"2023-02-29T00:00:00Z",
		"2023-11-14T",
		"2023-11-14T24:00:00Z",
		"2023-11-14T10:60:00Z",
		"2023-11-14T10:00:61Z",
		"2023-11-14T10:00:00.Z",
		"2023-11-14T10:00:00+2",
		"2023-11-14T10:00:00+25:00",
		"2023-11-14T10:00:00Zjunk",
		"2023-11-14X10:00:00Z",
		"1969-12-31T23:59:59Z",
		"1970-01-01T00:00:00+01:00",
		"2023-1-1",
		"+023-11-14",
		"2023-11-14T10:00:00Z\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t us = 42;

		if (since_parse(str_of(cases[i]), NOW_US, &us) >= 0)
			TEST_BAIL("\"%s\" was taken", cases[i]);
		CHECK_INT(us, 42);
	}
}

TEST_MAIN({ "ages_count_back_from_now", ages_count_back_from_now },
	  { "dates_are_rfc_3339", dates_are_rfc_3339 },
	  { "without_a_zone_it_is_local_time", without_a_zone_it_is_local_time },
	  { "refuses_the_rest", refuses_the_rest })
