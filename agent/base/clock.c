/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/clock.h"

#include <assert.h>
#include <time.h>

/* clock_gettime(2) fails only for a clock the kernel does not know. */
static struct timespec clock_get(clockid_t id)
{
	struct timespec now = { 0 };
	int r = clock_gettime(id, &now);

	assert(r == 0);
	(void)r;
	return now;
}

static uint64_t to_us(struct timespec t)
{
	return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / NSEC_PER_USEC;
}

uint64_t clock_mono_ns(void)
{
	struct timespec now = clock_get(CLOCK_MONOTONIC);

	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

uint64_t clock_boot_us(void)
{
	return to_us(clock_get(CLOCK_BOOTTIME));
}

uint64_t clock_real_us(void)
{
	return to_us(clock_get(CLOCK_REALTIME));
}

/* The last microsecond of the year 9999, the last that RFC 3339 can say. */
#define CLOCK_TEXT_MAX_US UINT64_C(253402300799999999)
#define DAYS_PER_ERA UINT64_C(146097) /* 400 Gregorian years */

struct civil {
	uint32_t year, month, day;
};

/* Years that begin on 1 March put the leap day last, so that the lengths of the
 * months before it follow one linear rule. 1970-01-01 is day 719468 of year 0. */
static struct civil civil_from_days(uint64_t days_since_1970)
{
	uint64_t days = days_since_1970 + 719468;
	uint64_t in_era = days % DAYS_PER_ERA;
	uint64_t year_of_era =
		(in_era - in_era / 1460 + in_era / 36524 - in_era / (DAYS_PER_ERA - 1)) / 365;
	uint64_t day_of_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t month = (5 * day_of_year + 2) / 153; /* 0 is March */
	uint64_t year = days / DAYS_PER_ERA * 400 + year_of_era;

	return (struct civil){
		.year = (uint32_t)(month < 10 ? year : year + 1),
		.month = (uint32_t)(month < 10 ? month + 3 : month - 9),
		.day = (uint32_t)(day_of_year - (153 * month + 2) / 5 + 1),
	};
}

static char *put_digits(char *to, uint64_t value, size_t width)
{
	for (size_t i = width; i > 0; i--) {
		to[i - 1] = (char)('0' + value % 10);
		value /= 10;
	}
	return to + width;
}

void clock_format_utc(uint64_t real_us, char out[CLOCK_TEXT_SIZE])
{
	uint64_t us = real_us < CLOCK_TEXT_MAX_US ? real_us : CLOCK_TEXT_MAX_US;
	uint64_t seconds = us / USEC_PER_SEC;
	struct civil date = civil_from_days(seconds / 86400);
	char *to = put_digits(out, date.year, 4);

	*to++ = '-';
	to = put_digits(to, date.month, 2);
	*to++ = '-';
	to = put_digits(to, date.day, 2);
	*to++ = 'T';
	to = put_digits(to, seconds / 3600 % 24, 2);
	*to++ = ':';
	to = put_digits(to, seconds / 60 % 60, 2);
	*to++ = ':';
	to = put_digits(to, seconds % 60, 2);
	*to++ = '.';
	to = put_digits(to, us % USEC_PER_SEC, 6);
	*to++ = 'Z';
	*to = '\0';
}
