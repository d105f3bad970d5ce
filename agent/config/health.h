/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health rows between programs: each program writes the rows it computes with
 * health_put_*(), agent-control reads them and makes the answer. Row identity,
 * type and names are health.def. Issues (section 2.3 of the mdatp text set) are
 * put as HEALTH_ISSUES strings by whoever sees the cause, at each call anew, so
 * that a cleared cause vanishes from the next answer.
 */
#pragma once

#include "agent/base/buf.h"
#include "agent/base/msg.h"

enum health_row {
#define HEALTH(id, human, json, type, section, flags, doc) HEALTH_##id,
#include "agent/config/health.def"
#undef HEALTH
	HEALTH_ROWS
};

enum health_type {
	HEALTH_TYPE_STR,
	HEALTH_TYPE_BOOL,
	HEALTH_TYPE_U64,
	HEALTH_TYPE_TIME,
	HEALTH_TYPE_STRS,
};

enum health_section {
	HEALTH_SECTION_MAIN,
	HEALTH_SECTION_LICENSE,
	HEALTH_SECTION_PROGRAMS,
	HEALTH_SECTION_AUDIT,
	HEALTH_SECTION_JOURNAL,
	HEALTH_SECTION_REPORTER,
	HEALTH_SECTIONS
};

enum health_flags { HEALTH_FLAG_WRAP = 1, HEALTH_FLAG_HIDE = 2 };

struct health_def {
	const char *human;
	const char *json;
	enum health_type type;
	enum health_section section;
	unsigned int flags;
	const char *doc;
};

extern const struct health_def health_defs[HEALTH_ROWS];
extern const char *const health_section_names[HEALTH_SECTIONS]; /* "main", "license", … */

/* Appends one row; STRS rows are put once per element. The type must be the row's. */
void health_put_str(struct buf *out, enum health_row row, struct str v);
void health_put_u64(struct buf *out, enum health_row row, uint64_t v); /* also TIME */
void health_put_bool(struct buf *out, enum health_row row, bool v);

struct health_value {
	enum health_row row;
	enum health_type type;
	struct str str;
	uint64_t u64;
};

/* Takes the next row apart: 1, 0 at the end, -EPROTO. */
must_check int health_next(struct msg_reader *r, struct health_value *ret_value);
