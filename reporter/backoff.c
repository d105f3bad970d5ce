/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/backoff.h"

#include <stdio.h>
#include <time.h>

#define DATE_LEN (HTTP_DATE_SIZE - 1)
#define DATE_MAX_S UINT64_C(253402300799) /* the end of the year 9999 */

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

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

int backoff_retry_after(struct str value, uint64_t now_real_us, uint64_t random,
			uint64_t *ret_pause_ns)
{
	uint64_t now_s = now_real_us / USEC_PER_SEC, at_s, seconds;
	int r = parse_u64(value, 0, UINT64_MAX, &seconds);

	if (r == -ERANGE) { /* more digits than fit: a very long time */
		seconds = UINT64_MAX;
	} else if (r < 0) {
		r = http_date_parse(value, &at_s);
		if (r < 0)
			return r;
		seconds = at_s > now_s ? at_s - now_s : 0;
	}
	if (seconds > RETRY_AFTER_CAP_NS / NSEC_PER_SEC)
		seconds = RETRY_AFTER_CAP_NS / NSEC_PER_SEC;

	uint64_t pause = seconds * NSEC_PER_SEC;

	*ret_pause_ns = pause + draw(pause / 4, random);
	return 0;
}

/* Index of the three letters at s in a row of names, -1 for none. */
static int name_index(const char *names, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(names + 3 * i, s, 3) == 0)
			return (int)i;
	return -1;
}

static int number(struct str s, size_t at, size_t n, uint64_t max, int *ret)
{
	uint64_t v;

	if (parse_u64((struct str){ .p = s.p + at, .n = n }, 0, max, &v) < 0)
		return -EINVAL;
	*ret = (int)v;
	return 0;
}

int http_date_parse(struct str s, uint64_t *ret_real_s)
{
	static const char shape[] = "..., .. ... .... ..:..:.. GMT";
	struct tm tm = { 0 };
	int month, year;

	if (s.n != DATE_LEN)
		return -EINVAL;
	for (size_t i = 0; i < DATE_LEN; i++)
		if (shape[i] != '.' && shape[i] != s.p[i])
			return -EINVAL;
	month = name_index(months, 12, s.p + 8);
	if (name_index(days, 7, s.p) < 0 || month < 0)
		return -EINVAL;
	if (number(s, 5, 2, 31, &tm.tm_mday) < 0 || number(s, 12, 4, 9999, &year) < 0 ||
	    number(s, 17, 2, 23, &tm.tm_hour) < 0 || number(s, 20, 2, 59, &tm.tm_min) < 0 ||
	    number(s, 23, 2, 60, &tm.tm_sec) < 0 || tm.tm_mday == 0 || year < 1970)
		return -EINVAL;
	tm.tm_mon = month;
	tm.tm_year = year - 1900;
	*ret_real_s = (uint64_t)timegm(&tm);
	return 0;
}

void http_date_format(uint64_t real_s, char out[HTTP_DATE_SIZE])
{
	time_t t = (time_t)(real_s > DATE_MAX_S ? DATE_MAX_S : real_s);
	struct tm tm = { 0 };

	(void)gmtime_r(&t, &tm);
	(void)snprintf(out, HTTP_DATE_SIZE, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
		       days + (ptrdiff_t)3 * tm.tm_wday, (unsigned int)tm.tm_mday % 100,
		       months + (ptrdiff_t)3 * tm.tm_mon, (unsigned int)(tm.tm_year + 1900) % 10000,
		       (unsigned int)tm.tm_hour % 100, (unsigned int)tm.tm_min % 100,
		       (unsigned int)tm.tm_sec % 100);
}
