/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of cloud/store share: the connection, its statements, and the
 * short forms of SQLite's calls. Not for others. */
#pragma once

#include <sqlite3.h>

#include "cloud/store/store.h"

enum db_stmt {
#define STATEMENT(id, sql) DB_##id,
#include "cloud/store/statements.def"
#undef STATEMENT
	DB_STATEMENTS
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *stmts[DB_STATEMENTS]; /* prepared at first use */
};

/* SQLite's result as an errno; 0 for OK, ROW and DONE. */
int db_errno(int result);

/* The prepared statement, reset and unbound. Negative errno when SQLite refuses. */
must_check int db_statement(struct store *s, enum db_stmt id, sqlite3_stmt **ret_stmt);

/* Binding fails only without memory; db_run() and db_row() then fail with it,
 * because a statement with a missing value breaks a NOT NULL rule or finds nothing. */
void db_bind_u64(sqlite3_stmt *stmt, int i, uint64_t v);
void db_bind_str(sqlite3_stmt *stmt, int i, struct str s); /* borrowed until the step */
void db_bind_hash(sqlite3_stmt *stmt, int i, const uint8_t hash[SHA256_SIZE]);

/* Steps a statement that returns no row, then resets it. */
must_check int db_run(sqlite3_stmt *stmt);

/* Steps to the next row: 1 on a row, 0 at the end (reset), else negative (reset). */
must_check int db_row(sqlite3_stmt *stmt);

/* Column values; NULL is 0 or the empty string. Borrowed until the next step. */
uint64_t db_u64(sqlite3_stmt *stmt, int column);
struct str db_str(sqlite3_stmt *stmt, int column);

/* A column into an array: -EUCLEAN when it does not fit. */
must_check int db_copy(sqlite3_stmt *stmt, int column, char *out, size_t out_size);
must_check int db_copy_hash(sqlite3_stmt *stmt, int column, uint8_t out[SHA256_SIZE]);
