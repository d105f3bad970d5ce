/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Long options of cloudd's commands: `--name VALUE`, `--name=VALUE` or a bare
 * `--flag`, each at most once, nothing else. The tables are the commands' own.
 */
#pragma once

#include "agent/base/diag.h"
#include "agent/base/str.h"

enum option_type {
	OPTION_STR,  /* const char *; not empty */
	OPTION_U64,  /* uint64_t in min..max */
	OPTION_FLAG, /* bool, takes no value */
	OPTION_TIME, /* uint64_t, microseconds of realtime: RFC 3339 UTC or "90s", "15m", "2h", "7d"
			ago */
};

struct option_row {
	const char *name; /* with its dashes */
	enum option_type type;
	uint64_t min; /* OPTION_U64 only */
	uint64_t max;
	void *value; /* keeps its content when the option is absent */
};

/* Reads argv[0..argc-1] into the rows' values. now_us is what "ago" counts from.
 * -EINVAL with words for the user. Strings are borrowed from argv. */
must_check int options_parse(int argc, char **argv, const struct option_row *rows, size_t n_rows,
			     uint64_t now_us, struct diag *diag);

/* "2026-05-01T10:00:00Z" with an optional fraction, or a span before now. -EINVAL. */
must_check int options_time_parse(struct str s, uint64_t now_us, uint64_t *ret_us);

/* --output table|json: false is the table. -EINVAL with words. NULL is the table. */
must_check int options_output_parse(const char *value, bool *ret_is_json, struct diag *diag);
