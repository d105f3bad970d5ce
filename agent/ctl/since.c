/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/since.h"

#include <time.h>

/* 2^53 microseconds, the most that a request carries, end in 2255. */
#define YEAR_MAX 2254

static int parse_age(struct str text, uint64_t now_us, uint64_t *ret_us)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	uint64_t n;

	if (text.n < 2)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (text.p[text.n - 1] != units[i].unit)
			continue;
		int r = parse_u64((struct str){ .p = text.p, .n = text.n - 1 }, 0,
				  UINT64_C(4000000000), &n);
		if (r < 0)
			return r;
		uint64_t age_s = n * units[i].seconds;
		/* Older than the epoch is as old as can be. */
		*ret_us = age_s < now_us / USEC_PER_SEC ? now_us - age_s * USEC_PER_SEC : 0;
		return 0;
	}
	return -EINVAL;
}

/* Takes `digits` digits off the start of *s. */
static int take_number(struct str *s, size_t digits, unsigned int min, unsigned int max,
		       int *ret_value)
{
	uint64_t v;

	if (s->n < digits || parse_u64((struct str){ .p = s->p, .n = digits }, 0, 9999, &v) < 0)
		return -EINVAL;
	if (v < min || v > max)
		return -ERANGE;
	s->p += digits;
	s->n -= digits;
	*ret_value = (int)v;
	return 0;
}

static bool take_char(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	s->p++;
	s->n--;
	return true;
}

static int take_date(struct str *s, struct tm *tm)
{
	int year;
	int month;
	int r = take_number(s, 4, 1970, YEAR_MAX, &year);

	if (r == 0 && !take_char(s, '-'))
		return -EINVAL;
	if (r == 0)
		r = take_number(s, 2, 1, 12, &month);
	if (r == 0 && !take_char(s, '-'))
		return -EINVAL;
	if (r == 0)
		r = take_number(s, 2, 1, 31, &tm->tm_mday);
	if (r < 0)
		return r;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	return 0;
}

/* HH:MM or HH:MM:SS. */
static int take_clock(struct str *s, struct tm *tm)
{
	int r = take_number(s, 2, 0, 23, &tm->tm_hour);

	if (r == 0 && !take_char(s, ':'))
		return -EINVAL;
	if (r == 0)
		r = take_number(s, 2, 0, 59, &tm->tm_min);
	if (r == 0 && take_char(s, ':'))
		r = take_number(s, 2, 0, 60, &tm->tm_sec);
	return r;
}

/* ".123456": digits behind the sixth are dropped. */
static int take_fraction(struct str *s, uint64_t *ret_us)
{
	uint64_t unit = USEC_PER_SEC / 10;
	uint64_t us = 0;
	size_t n = 0;

	for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
		us += (uint64_t)(s->p[n] - '0') * unit;
		unit /= 10;
	}
	if (n == 0)
		return -EINVAL;
	s->p += n;
	s->n -= n;
	*ret_us = us;
	return 0;
}

/* "Z" or "+02:00": seconds east of Greenwich. */
static int take_zone(struct str *s, int64_t *ret_east_s)
{
	int sign = take_char(s, '-') ? -1 : 1;
	int hours;
	int minutes;

	if (sign == 1 && (take_char(s, 'Z') || take_char(s, 'z'))) {
		*ret_east_s = 0;
		return 0;
	}
	if (sign == 1 && !take_char(s, '+'))
		return -EINVAL;
	int r = take_number(s, 2, 0, 23, &hours);
	if (r == 0 && !take_char(s, ':'))
		return -EINVAL;
	if (r == 0)
		r = take_number(s, 2, 0, 59, &minutes);
	if (r == 0)
		*ret_east_s = (int64_t)sign * (hours * 3600 + minutes * 60);
	return r;
}

/* RFC 3339 section 5.6; a blank may stand for the T. */
static int parse_stamp(struct str text, uint64_t *ret_us)
{
	struct tm tm = { .tm_isdst = -1 };
	uint64_t fraction_us = 0;
	int64_t east_s = 0;
	bool has_zone = false;
	int r = take_date(&text, &tm);
	int day = tm.tm_mday;

	if (r == 0 && text.n > 0) {
		if (!take_char(&text, 'T') && !take_char(&text, 't') && !take_char(&text, ' '))
			return -EINVAL;
		r = take_clock(&text, &tm);
		if (r == 0 && take_char(&text, '.'))
			r = take_fraction(&text, &fraction_us);
		has_zone = r == 0 && text.n > 0;
		if (has_zone)
			r = take_zone(&text, &east_s);
	}
	if (r < 0)
		return r;
	if (text.n > 0)
		return -EINVAL;
	bool is_leap_second = tm.tm_sec == 60;
	if (is_leap_second)
		tm.tm_sec = 59;
	time_t at = has_zone ? timegm(&tm) : mktime(&tm);
	/* February the 30th has become another day. */
	if (tm.tm_mday != day)
		return -ERANGE;
	at += is_leap_second - east_s;
	if (at < 0)
		return -ERANGE;
	*ret_us = (uint64_t)at * USEC_PER_SEC + fraction_us;
	return 0;
}

int since_parse(struct str text, uint64_t now_us, uint64_t *ret_us)
{
	if (text.n > 4 && text.p[4] == '-')
		return parse_stamp(text, ret_us);
	return parse_age(text, now_us, ret_us);
}
