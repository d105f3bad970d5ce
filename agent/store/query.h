/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One statement of SQL from a user, on a connection of schema_open_reader(). It
 * runs to its end in the calling process, which agent-hunt makes one of its own
 * for each question (hunt_child.h); what it finds leaves through a sink.
 */
#pragma once

#include "agent/store/schema.h"

#define QUERY_SQL_MAX 65536u
#define QUERY_HEAP_MAX 67108864u /* 64 MiB of SQLite, while a query runs */
#define QUERY_ROWS_BYTES 32768u	 /* lines are handed over when they are this many */
#define QUERY_ROW_MAX 131000u	 /* one row as JSON: fits a message */
#define QUERY_VALUE_MAX 262144u	 /* one value: instr() of two halves takes half a second */

struct query_sink {
	void *ctx;
	/* Takes whole lines of at most QUERY_ROW_MAX bytes; may wait. An error ends the
	 * query with it. */
	int (*put)(void *ctx, struct str lines);
	/* Waits up to timeout_ms (0: only looks) for a reason to stop: true when there is one. */
	bool (*is_over)(void *ctx, int timeout_ms);
};

struct query_result {
	uint32_t rows;
	bool is_truncated; /* there were more */
	int error;	   /* 0 or a negative errno */
	char message[512]; /* for a human, when error is not 0 */
};

/* Runs one SELECT: first a JSON array of the columns' names, then one array a row.
 * At most max_rows rows; time waited in the sink does not count for max_ms.
 * Errors: -EINVAL the statement, -EPERM more than reading, -ETIMEDOUT, -ECANCELED,
 * -ENOMEM over QUERY_HEAP_MAX, -EMSGSIZE a row over QUERY_ROW_MAX, the sink's. */
struct query_sql {
	struct str sql; /* no NUL inside */
	uint32_t max_rows;
	uint32_t max_ms;
};
void query_sql_run(sqlite3 *db, const struct query_sql *q, const struct query_sink *sink,
		   struct query_result *ret_result);

/* For the sink's other users: sets error and message unless an error stands there. */
void query_fail(struct query_result *result, int error, const char *fmt, ...) printf_like(3, 4);
