/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The line of a bench: the median of its runs against its limit. */
#pragma once

#include <stdio.h>

#include "agent/base/base.h"

static inline int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts the n values and prints `name: median X unit (n runs), limit Y: reached|MISSED`.
 * A value above the limit misses it; where more is better, below. */
static inline void bench_report(const char *name, double *values, size_t n, const char *unit,
				double limit, bool is_more_better)
{
	double median;
	bool is_reached;

	qsort(values, n, sizeof(values[0]), bench_compare);
	median = values[n / 2];
	is_reached = is_more_better ? median >= limit : median <= limit;
	printf("%s: median %.4g %s (%zu runs), limit %.4g: %s\n", name, median, unit, n, limit,
	       is_reached ? "reached" : "MISSED");
}
