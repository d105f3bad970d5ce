/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When to try again: full jitter between nothing and a ceiling that doubles, and
 * the server's Retry-After. Pure: randomness is a parameter. The caller's struct,
 * zeroed is ready.
 */
#pragma once

#include "agent/base/base.h"

#define BACKOFF_BASE_NS NSEC_PER_SEC
#define BACKOFF_CAP_NS (300 * NSEC_PER_SEC)
#define BACKOFF_LEAST_NS (100 * NSEC_PER_MSEC) /* also the luckiest draw is a pause */
#define RETRY_AFTER_CAP_NS (3600 * NSEC_PER_SEC)

struct backoff {
	uint32_t failures; /* in a row */
};

/* Counts one failure more and draws the pause before the next try: even over
 * 0 .. min(cap, base * 2^(failures - 1)), at least BACKOFF_LEAST_NS. */
uint64_t backoff_next_ns(struct backoff *b, uint64_t random);

/* The next failure is the first one again. */
void backoff_reset(struct backoff *b);

/* value_ns stretched or shrunk by an even draw of up to `percent` to either side. */
uint64_t backoff_jitter_ns(uint64_t value_ns, unsigned int percent, uint64_t random);

/* What an endpoint asks for, capped at RETRY_AFTER_CAP_NS, plus 0..25 % of it. */
uint64_t backoff_retry_after_ns(uint64_t seconds, uint64_t random);
