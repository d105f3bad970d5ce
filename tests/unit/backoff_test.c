/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/backoff.h"

#include "tests/test.h"

#define NOW_US (UINT64_C(784111777) * USEC_PER_SEC) /* Sun, 06 Nov 1994 08:49:37 GMT */

static void doubles_up_to_the_cap(void)
{
	struct backoff b = { 0 };
	uint64_t ceiling = BACKOFF_BASE_NS;

	for (int i = 0; i < 40; i++) {
		struct backoff same = b;

		/* The draw is a remainder: these are the highest and the lowest of it. */
		CHECK_INT(backoff_next_ns(&same, ceiling), ceiling);
		CHECK_INT(backoff_next_ns(&b, 0), BACKOFF_LEAST_NS);
		CHECK(backoff_next_ns(&same, UINT64_MAX) <= BACKOFF_CAP_NS);
		ceiling = 2 * ceiling < BACKOFF_CAP_NS ? 2 * ceiling : BACKOFF_CAP_NS;
	}
	b.failures = UINT32_MAX;
	CHECK_INT(backoff_next_ns(&b, BACKOFF_CAP_NS), BACKOFF_CAP_NS);
	CHECK_INT(b.failures, UINT32_MAX);
	backoff_reset(&b);
	CHECK_INT(backoff_next_ns(&b, BACKOFF_BASE_NS), BACKOFF_BASE_NS);
}

static void draws_spread_over_the_whole_range(void)
{
	uint64_t low = 0, high = 0, x = 88172645463325252ULL;

	for (int i = 0; i < 10000; i++) {
		struct backoff b = { .failures = 8 };

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (backoff_next_ns(&b, x) < 128 * NSEC_PER_SEC)
			low++;
		else
			high++;
	}
	CHECK(low > 4500 && high > 4500);
}

static void jitters_to_both_sides(void)
{
	CHECK_INT(backoff_jitter_ns(1000, 20, 0), 800);
	CHECK_INT(backoff_jitter_ns(1000, 20, 400), 1200);
	CHECK_INT(backoff_jitter_ns(1000, 20, 401), 800);
	CHECK_INT(backoff_jitter_ns(0, 20, 7), 0);
}

static uint64_t retry_after(const char *value, uint64_t random)
{
	uint64_t ns = 1;

	CHECK_INT(backoff_retry_after(str_of(value), NOW_US, random, &ns), 0);
	return ns;
}

static void honours_retry_after(void)
{
	CHECK_INT(retry_after("0", 5), 0);
	CHECK_INT(retry_after("8", 0), 8 * NSEC_PER_SEC);
	CHECK_INT(retry_after("8", 2 * NSEC_PER_SEC), 10 * NSEC_PER_SEC);
	CHECK_INT(retry_after("8", 2 * NSEC_PER_SEC + 1), 8 * NSEC_PER_SEC);
	CHECK_INT(retry_after("Sun, 06 Nov 1994 08:49:47 GMT", 0), 10 * NSEC_PER_SEC);
	CHECK_INT(retry_after("Sun, 06 Nov 1994 08:49:27 GMT", 0), 0);
	CHECK_INT(retry_after("3601", 0), RETRY_AFTER_CAP_NS);
	CHECK_INT(retry_after("Sun, 06 Nov 2094 08:49:37 GMT", 0), RETRY_AFTER_CAP_NS);
	CHECK_INT(retry_after("99999999999999999999999999", 0), RETRY_AFTER_CAP_NS);
	CHECK(retry_after("99999", UINT64_MAX) <= RETRY_AFTER_CAP_NS / 4 * 5);
}

static void refuses_nonsense(void)
{
	static const char *const bad[] = {
		"",
		"-1",
		"soon",
		"1.5",
		" 5",
		"5 ",
		"0x10",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
		"Sun, 06 Nov 1994 08:49:37 UTC",
		"Xxx, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Xxx 1994 08:49:37 GMT",
		"Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, +6 Nov 1994 08:49:37 GMT",
	};
	uint64_t ns = 7;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(backoff_retry_after(str_of(bad[i]), NOW_US, 0, &ns), -EINVAL);
	CHECK_INT(ns, 7);
}

static void writes_what_it_reads(void)
{
	char text[HTTP_DATE_SIZE];
	uint64_t s = 0;

	http_date_format(784111777, text);
	CHECK_STR(text, "Sun, 06 Nov 1994 08:49:37 GMT");
	CHECK_INT(http_date_parse(str_of(text), &s), 0);
	CHECK_INT(s, 784111777);
	http_date_format(UINT64_MAX, text);
	CHECK_STR(text, "Fri, 31 Dec 9999 23:59:59 GMT");
}

TEST_MAIN({ "doubles_up_to_the_cap", doubles_up_to_the_cap },
	  { "draws_spread_over_the_whole_range", draws_spread_over_the_whole_range },
	  { "jitters_to_both_sides", jitters_to_both_sides },
	  { "honours_retry_after", honours_retry_after }, { "refuses_nonsense", refuses_nonsense },
	  { "writes_what_it_reads", writes_what_it_reads })
