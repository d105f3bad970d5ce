/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/gaps.h"
#include "tests/test.h"

static struct audit_gaps g;

/* Both generations: what came is followed for one settling time before it counts. */
static uint64_t settle_twice(uint64_t now)
{
	audit_gaps_settle(&g, now + GAPS_SETTLE_NS);
	audit_gaps_settle(&g, now + 2 * GAPS_SETTLE_NS);
	return g.count;
}

static void order_does_not_matter(void)
{
	audit_gaps_init(&g, GAPS_SETTLE_NS);
	for (uint32_t i = 100; i < 200; i += 2) {
		audit_gaps_see(&g, i + 1, 0);
		audit_gaps_see(&g, i, 0);
		audit_gaps_see(&g, i, 0); /* twice: several records of one event */
	}
	CHECK_INT(settle_twice(0), 0);
}

static void counts_what_never_came(void)
{
	audit_gaps_init(&g, GAPS_SETTLE_NS);
	audit_gaps_see(&g, 10, 0);
	audit_gaps_see(&g, 15, 0);
	audit_gaps_settle(&g, GAPS_SETTLE_NS - 1);
	CHECK_INT(g.count, 0);
	audit_gaps_see(&g, 12, 0);
	CHECK_INT(settle_twice(0), 3); /* 11, 13, 14 */
	CHECK_INT(settle_twice(3 * GAPS_SETTLE_NS), 3);
	audit_gaps_see(&g, 11, 0); /* too late: stays counted */
	CHECK_INT(g.count, 3);
}

static void a_jump_counts_without_walking(void)
{
	audit_gaps_init(&g, GAPS_SETTLE_NS);
	audit_gaps_see(&g, 1, 0);
	audit_gaps_see(&g, 1000001, 0);
	CHECK_INT(settle_twice(0), 999999);
}

static void wraps_at_32_bits(void)
{
	audit_gaps_init(&g, GAPS_SETTLE_NS);
	for (uint32_t i = 0; i < 100; i++)
		audit_gaps_see(&g, UINT32_MAX - 49 + i, 0);
	CHECK_INT(settle_twice(0), 0);
}

static void another_boot_starts_anew(void)
{
	audit_gaps_init(&g, GAPS_SETTLE_NS);
	audit_gaps_see(&g, 5000000, 0);
	audit_gaps_see(&g, 7, 0);
	audit_gaps_see(&g, 8, 0);
	CHECK_INT(settle_twice(0), 0);
	audit_gaps_restart(&g);
	audit_gaps_settle(&g, UINT64_MAX);
	CHECK_INT(g.count, 0);
}

TEST_MAIN({ "order_does_not_matter", order_does_not_matter },
	  { "counts_what_never_came", counts_what_never_came },
	  { "a_jump_counts_without_walking", a_jump_counts_without_walking },
	  { "wraps_at_32_bits", wraps_at_32_bits },
	  { "another_boot_starts_anew", another_boot_starts_anew })
