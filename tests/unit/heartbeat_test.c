/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/heartbeat.h"
#include "tests/test.h"

static void measures_the_way_round(void)
{
	struct heartbeat h = { 0 };
	uint64_t next;

	CHECK(!heartbeat_is_late(&h, UINT64_MAX));
	CHECK_INT(heartbeat_ask(&h, 100, &next), 1);
	CHECK_INT(next, 100 + HEARTBEAT_NS);
	CHECK(!heartbeat_came(&h, 1, 150));
	CHECK_INT(h.lag_ns, 50);
	CHECK(!heartbeat_came(&h, 1, 900)); /* twice, and one nobody asked for */
	CHECK(!heartbeat_came(&h, 7, 900));
	CHECK_INT(h.lag_ns, 50);
	CHECK(!heartbeat_is_late(&h, UINT64_MAX));
}

static void repeats_until_one_is_back(void)
{
	struct heartbeat h = { 0 };
	uint64_t next;

	(void)heartbeat_ask(&h, 0, &next);
	CHECK(heartbeat_hurry(&h));
	CHECK(!heartbeat_hurry(&h)); /* already */
	for (int i = 0; i < 5; i++) {
		(void)heartbeat_ask(&h, 0, &next);
		CHECK_INT(next, HEARTBEAT_URGENT_NS);
	}
	CHECK(!heartbeat_came(&h, 1, 5)); /* of before the overflow */
	CHECK(heartbeat_came(&h, 2, 9));
	(void)heartbeat_ask(&h, 10, &next);
	CHECK_INT(next, 10 + HEARTBEAT_NS);
}

static void says_when_nothing_comes_back(void)
{
	struct heartbeat h = { 0 };
	uint64_t next;

	(void)heartbeat_ask(&h, 0, &next);
	(void)heartbeat_ask(&h, HEARTBEAT_LATE_NS, &next);
	CHECK(!heartbeat_is_late(&h, HEARTBEAT_LATE_NS));
	CHECK(heartbeat_is_late(&h, HEARTBEAT_LATE_NS + 1)); /* the oldest counts */
}

TEST_MAIN({ "measures_the_way_round", measures_the_way_round },
	  { "repeats_until_one_is_back", repeats_until_one_is_back },
	  { "says_when_nothing_comes_back", says_when_nothing_comes_back })
