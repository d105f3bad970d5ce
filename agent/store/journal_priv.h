/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of struct journal, for journal.c, cursor.c and retention.c only. */
#pragma once

#include "agent/store/journal.h"
#include "agent/store/mark.h"
#include "agent/store/schema.h"

#define JOURNAL_DIR_MAX 600u
#define JOURNAL_PATH_MAX 768u

/* Statements of the paths that are walked often, prepared once (journal.c has the text). */
enum journal_stmt {
	JOURNAL_STMT_BEGIN,
	JOURNAL_STMT_COMMIT,
	JOURNAL_STMT_INSERT,
	JOURNAL_STMT_OFFER,
	JOURNAL_STMT_CURSOR,
	JOURNAL_STMT_FETCH,
	JOURNAL_STMT_DROPPED,
	JOURNAL_STMT_HEAD,
	JOURNAL_STMT_DELETE,
	JOURNAL_STMT_META,
	JOURNAL_STMT_PAGES,
	JOURNAL_STMT_FREE_PAGES,
	JOURNAL_STMT_OLDEST,
	JOURNAL_STMTS
};

/* Mirrors of what stands in the tables; changed only after a commit. */
struct journal_state {
	uint64_t base_seq; /* no row of this file has this number or a lower one */
	uint64_t last_seq;
	uint64_t deleted; /* rows retention took, ever */
	uint64_t dropped; /* of those, rows `cloud` had not acknowledged */
	uint64_t epoch;
	uint64_t cursor_seq;   /* acknowledged by the cloud */
	uint64_t offered_seq;  /* newest row that was ever handed to the reporter */
	uint64_t untold;       /* sum of the table dropped */
	uint64_t untold_above; /* of that, ranges above base_seq: rows of this file */
};

struct journal {
	char dir[JOURNAL_DIR_MAX];
	sqlite3 *db; /* NULL while closed */
	sqlite3_stmt *stmts[JOURNAL_STMTS];
	struct journal_state state;
	struct journal_state next; /* of the batch in hand */
	struct journal_put put;	   /* of the batch in hand */
	struct mark mark;	   /* as it is on disk */
	uint64_t log_pages;
	uint64_t body_bytes; /* of body_rows, for an estimate of a row's size */
	uint64_t body_rows;
	uint64_t lost; /* with a file that is gone; no event tells of it yet */
	bool is_in_batch;
	bool is_durable;  /* the transaction in hand is committed with synchronous FULL */
	bool is_trimming; /* retention works down to its low mark */
};

/* The prepared statement, or NULL with the reason in *ret_error. */
sqlite3_stmt *journal_stmt(struct journal *j, enum journal_stmt which, int *ret_error);

/* Runs a statement that needs no parameter. */
must_check int journal_run(struct journal *j, enum journal_stmt which);

/* The single number of a statement without parameter; 0 for NULL. */
must_check int journal_number(struct journal *j, enum journal_stmt which, uint64_t *ret_value);

/* A transaction of the journal's own tables. `durable`: the commit is synced to the
 * disk, and with it every commit before it (sqlite.org/pragma.html, synchronous
 * FULL in WAL mode). end() with an error rolls back and returns that error. */
must_check int journal_tx_begin(struct journal *j, bool durable);
must_check int journal_tx_end(struct journal *j, int error);

/* Reads the tables into j->state. */
must_check int journal_state_load(struct journal *j);
