/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/backoff.h"

#include "tests/test.h"

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

static void honours_retry_after(void)
{
	CHECK_INT(backoff_retry_after_ns(8, 0), 8 * NSEC_PER_SEC);
	CHECK_INT(backoff_retry_after_ns(8, 2 * NSEC_PER_SEC), 10 * NSEC_PER_SEC);
	CHECK_INT(backoff_retry_after_ns(8, 2 * NSEC_PER_SEC + 1), 8 * NSEC_PER_SEC);
	CHECK_INT(backoff_retry_after_ns(3601, 0), RETRY_AFTER_CAP_NS);
	CHECK_INT(backoff_retry_after_ns(UINT64_MAX, 0), RETRY_AFTER_CAP_NS);
	CHECK(backoff_retry_after_ns(99999, UINT64_MAX) <= RETRY_AFTER_CAP_NS / 4 * 5);
}

TEST_MAIN({ "doubles_up_to_the_cap", doubles_up_to_the_cap },
	  { "draws_spread_over_the_whole_range", draws_spread_over_the_whole_range },
	  { "jitters_to_both_sides", jitters_to_both_sides },
	  { "honours_retry_after", honours_retry_after })
