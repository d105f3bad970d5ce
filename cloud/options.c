/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/options.h"

#include "agent/base/rfc3339.h"

#define OPTIONS_MAX 16u

/* A value in a message is cut to this length. */
#define SHOWN_MAX 80

int options_time_parse(struct str s, uint64_t now_us, uint64_t *ret_us)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	uint64_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (s.n == 0 || s.p[s.n - 1] != units[i].unit)
			continue;
		if (parse_u64((struct str){ .p = s.p, .n = s.n - 1 }, 0,
			      now_us / USEC_PER_SEC / units[i].seconds, &n) < 0)
			return -EINVAL;
		*ret_us = now_us - n * units[i].seconds * USEC_PER_SEC;
		return 0;
	}
	return rfc3339_parse(s, ret_us);
}

int options_output_parse(const char *value, bool *ret_is_json, struct diag *diag)
{
	if (value == NULL || strcmp(value, "table") == 0)
		*ret_is_json = false;
	else if (strcmp(value, "json") == 0)
		*ret_is_json = true;
	else
		return diag_set(diag, -EINVAL, "--output takes table or json, not \"%.*s\"",
				SHOWN_MAX, value);
	return 0;
}

static int value_set(const struct option_row *row, const char *value, uint64_t now_us,
		     struct diag *diag)
{
	switch (row->type) {
	case OPTION_STR:
		if (value[0] == '\0')
			return diag_set(diag, -EINVAL, "%s needs a value", row->name);
		*(const char **)row->value = value;
		return 0;
	case OPTION_U64:
		if (parse_u64(str_of(value), row->min, row->max, row->value) < 0)
			return diag_set(diag, -EINVAL,
					"%s takes a number from %llu to %llu, not \"%.*s\"",
					row->name, (unsigned long long)row->min,
					(unsigned long long)row->max, SHOWN_MAX, value);
		return 0;
	case OPTION_TIME:
		if (options_time_parse(str_of(value), now_us, row->value) < 0)
			return diag_set(diag, -EINVAL,
					"%s takes 2026-05-01T10:00:00Z or 90s, 15m, 2h, 7d ago, "
					"not \"%.*s\"",
					row->name, SHOWN_MAX, value);
		return 0;
	case OPTION_FLAG:
	default:
		*(bool *)row->value = true;
		return 0;
	}
}

static const struct option_row *row_find(const struct option_row *rows, size_t n_rows,
					 struct str name)
{
	for (size_t i = 0; i < n_rows; i++) {
		if (str_eq(str_of(rows[i].name), name))
			return &rows[i];
	}
	return NULL;
}

int options_parse(int argc, char **argv, const struct option_row *rows, size_t n_rows,
		  uint64_t now_us, struct diag *diag)
{
	bool seen[OPTIONS_MAX] = { 0 };

	for (int i = 0; i < argc; i++) {
		struct str rest = str_of(argv[i]);
		struct str name = str_split(&rest, '=');
		const struct option_row *row = row_find(rows, n_rows, name);
		const char *value = rest.p;
		int r;

		if (row == NULL)
			return diag_set(diag, -EINVAL, "unknown argument \"%.*s\"", SHOWN_MAX,
					argv[i]);
		if (seen[row - rows])
			return diag_set(diag, -EINVAL, "%s is given twice", row->name);
		seen[row - rows] = true;
		if (row->type == OPTION_FLAG && value != NULL)
			return diag_set(diag, -EINVAL, "%s takes no value", row->name);
		if (row->type != OPTION_FLAG && value == NULL) {
			if (++i == argc)
				return diag_set(diag, -EINVAL, "%s needs a value", row->name);
			value = argv[i];
		}
		r = value_set(row, value, now_us, diag);
		if (r < 0)
			return r;
	}
	return 0;
}
