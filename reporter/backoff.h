/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When to try again: full jitter between nothing and a ceiling that doubles, and
 * the server's Retry-After. Pure: randomness and clock are parameters. The
 * caller's struct, zeroed is ready.
 */
#pragma once

#include "agent/base/str.h"

#define BACKOFF_BASE_NS NSEC_PER_SEC
#define BACKOFF_CAP_NS (300 * NSEC_PER_SEC)
#define BACKOFF_LEAST_NS (100 * NSEC_PER_MSEC) /* also the luckiest draw is a pause */
#define RETRY_AFTER_CAP_NS (3600 * NSEC_PER_SEC)
#define HTTP_DATE_SIZE 30u /* with the NUL */

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

/* Retry-After (RFC 9110 section 10.2.3): seconds or a date, capped at
 * RETRY_AFTER_CAP_NS, plus 0..25 % of it. A date that is past is 0.
 * -EINVAL when it is neither; the caller then backs off as usual. */
must_check int backoff_retry_after(struct str value, uint64_t now_real_us, uint64_t random,
				   uint64_t *ret_pause_ns);

/* IMF-fixdate (RFC 9110 section 5.6.7), "Sun, 06 Nov 1994 08:49:37 GMT": -EINVAL for
 * anything else, the two obsolete forms included. */
must_check int http_date_parse(struct str s, uint64_t *ret_real_s);
void http_date_format(uint64_t real_s, char out[HTTP_DATE_SIZE]);
