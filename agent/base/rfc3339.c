/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/rfc3339.h"

#include <time.h>

#define DATE_LEN 19u /* 2026-05-01T10:00:00 */
#define FRACTION_MAX 12u

/* Digits of s at [at, at + n) as a number within min..max. */
static int digits(struct str s, size_t at, size_t n, uint64_t min, uint64_t max, int *ret)
{
	uint64_t v;
	int r = parse_u64((struct str){ .p = s.p + at, .n = n }, min, max, &v);

	if (r < 0)
		return -EINVAL;
	*ret = (int)v;
	return 0;
}

static int date_parse(struct str s, struct tm *ret_tm)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year, month, day, hour, minute, second;

	if (s.p[4] != '-' || s.p[7] != '-' || (s.p[10] | 0x20) != 't' || s.p[13] != ':' ||
	    s.p[16] != ':')
		return -EINVAL;
	if (digits(s, 0, 4, 1970, 9999, &year) < 0 || digits(s, 5, 2, 1, 12, &month) < 0 ||
	    digits(s, 8, 2, 1, 31, &day) < 0 || digits(s, 11, 2, 0, 23, &hour) < 0 ||
	    digits(s, 14, 2, 0, 59, &minute) < 0 || digits(s, 17, 2, 0, 60, &second) < 0)
		return -EINVAL;

	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (day > days[month - 1] || (month == 2 && day == 29 && !is_leap))
		return -EINVAL;
	*ret_tm = (struct tm){ .tm_year = year - 1900,
			       .tm_mon = month - 1,
			       .tm_mday = day,
			       .tm_hour = hour,
			       .tm_min = minute,
			       .tm_sec = second };
	return 0;
}

/* ".123456Z" or "Z" as microseconds. */
static int fraction_parse(struct str s, uint64_t *ret_us)
{
	uint64_t us = 0, unit = 100000;

	if (s.n == 0 || (s.p[s.n - 1] | 0x20) != 'z')
		return -EINVAL;
	if (s.n == 1) {
		*ret_us = 0;
		return 0;
	}
	if (s.p[0] != '.' || s.n < 3 || s.n > FRACTION_MAX + 2)
		return -EINVAL;
	for (size_t i = 1; i < s.n - 1; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
		us += (uint64_t)(s.p[i] - '0') * unit;
		unit /= 10;
	}
	*ret_us = us;
	return 0;
}

int rfc3339_parse(struct str s, uint64_t *ret_real_us)
{
	struct tm tm;
	uint64_t us;

	if (s.n < DATE_LEN + 1 || date_parse(s, &tm) < 0)
		return -EINVAL;
	if (fraction_parse((struct str){ .p = s.p + DATE_LEN, .n = s.n - DATE_LEN }, &us) < 0)
		return -EINVAL;
	*ret_real_us = (uint64_t)timegm(&tm) * USEC_PER_SEC + us;
	return 0;
}
