/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The events of the journal in order of seq, as lines of event_line_format(), to a
 * sink: those that are there, and with is_follow those that come. No lock is held
 * while the sink waits, so a slow reader is in nobody's way.
 */
#pragma once

#include "agent/store/query.h"

#define TAIL_POLL_MS 200 /* how often a follower looks for new rows */

/* What is wanted: events of the time since_real_us or later. With after_seq the
 * first `limit` behind it, else the newest `limit`; 0 is all, but for a follower
 * that names no start: only what comes. A follower ends when its sink says so. */
struct tail {
	uint64_t since_real_us;
	uint64_t after_seq;
	uint32_t limit;
	bool is_follow;
	struct str table; /* a hunting table or ActionType; empty for all */
};

/* Runs to the end. Errors: -ENOENT no such table, -ECANCELED, the sink's, those of
 * sql_error(). */
void tail_run(sqlite3 *db, const struct tail *t, const struct query_sink *sink,
	      struct query_result *ret_result);
