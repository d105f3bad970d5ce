/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/gaps.h"

#include <string.h>

void audit_gaps_init(struct audit_gaps *g, uint64_t settle_ns)
{
	*g = (struct audit_gaps){ .settle_ns = settle_ns };
}

void audit_gaps_restart(struct audit_gaps *g)
{
	*g = (struct audit_gaps){ .settle_ns = g->settle_ns, .count = g->count };
}

/* Moves the base up to `to` and counts what was not seen below it. */
static void gaps_advance(struct audit_gaps *g, uint32_t to)
{
	uint32_t span = to - g->base;

	if (span > GAPS_WINDOW) {
		/* A jump: nothing between the window's end and `to` can have been seen. */
		g->count += span - GAPS_WINDOW;
		span = GAPS_WINDOW;
	}
	for (uint32_t i = 0; i < span; i++) {
		uint32_t bit = (g->base + i) % GAPS_WINDOW;
		uint64_t mask = UINT64_C(1) << (bit % 64);

		if ((g->seen[bit / 64] & mask) == 0)
			g->count++;
		g->seen[bit / 64] &= ~mask;
	}
	g->base = to;
}

void audit_gaps_see(struct audit_gaps *g, uint32_t serial, uint64_t now_ns)
{
	int32_t ahead;

	if (!g->is_started) {
		g->is_started = true;
		g->base = g->last = g->mark = serial;
		g->mark_ns = now_ns;
	}
	ahead = (int32_t)(serial - g->base); /* modulo 2^32: right across the wrap */
	if (ahead < -(int32_t)GAPS_WINDOW) {
		audit_gaps_restart(g);
		audit_gaps_see(g, serial, now_ns);
		return;
	}
	if (ahead < 0)
		return; /* late, or older than the first one: settled */
	if ((uint32_t)ahead >= GAPS_WINDOW)
		gaps_advance(g, serial - GAPS_WINDOW + 1);
	if ((int32_t)(serial - g->last) > 0)
		g->last = serial;
	g->seen[serial % GAPS_WINDOW / 64] |= UINT64_C(1) << (serial % 64);
}

void audit_gaps_settle(struct audit_gaps *g, uint64_t now_ns)
{
	if (!g->is_started || now_ns - g->mark_ns < g->settle_ns)
		return;
	/* All that was ahead of `mark` when it was taken may still be on its way. */
	if ((int32_t)(g->mark - g->base) > 0)
		gaps_advance(g, g->mark);
	g->mark = g->last;
	g->mark_ns = now_ns;
}
