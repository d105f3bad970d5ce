/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/backoff.h"

/* An even draw from 0 .. n; the bias of the remainder is below 2^-20 for pauses. */
static uint64_t draw(uint64_t n, uint64_t random)
{
	return n == UINT64_MAX ? random : random % (n + 1);
}

uint64_t backoff_next_ns(struct backoff *b, uint64_t random)
{
	uint64_t ceiling = BACKOFF_CAP_NS;

	if (b->failures < 16 && (BACKOFF_BASE_NS << b->failures) < ceiling)
		ceiling = BACKOFF_BASE_NS << b->failures;
	if (b->failures < UINT32_MAX)
		b->failures++;

	uint64_t pause = draw(ceiling, random);

	return pause < BACKOFF_LEAST_NS ? BACKOFF_LEAST_NS : pause;
}

void backoff_reset(struct backoff *b)
{
	b->failures = 0;
}

uint64_t backoff_jitter_ns(uint64_t value_ns, unsigned int percent, uint64_t random)
{
	uint64_t span = value_ns / 100 * percent;

	return value_ns - span + draw(2 * span, random);
}

uint64_t backoff_retry_after_ns(uint64_t seconds, uint64_t random)
{
	uint64_t pause = RETRY_AFTER_CAP_NS;

	if (seconds < RETRY_AFTER_CAP_NS / NSEC_PER_SEC)
		pause = seconds * NSEC_PER_SEC;
	return pause + draw(pause / 4, random);
}
