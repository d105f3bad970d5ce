/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SQLite's result codes as errnos, and the few calls that every user of it here makes. */
#pragma once

#include <sqlite3.h>

#include "agent/base/str.h"

static inline void sqlite_cleanup(sqlite3 **db)
{
	(void)sqlite3_close_v2(*db);
}

static inline void stmt_cleanup(sqlite3_stmt **stmt)
{
	(void)sqlite3_finalize(*stmt);
}

/*
 * The errno of a result code of `db` (NULL while it could not be opened): 0 for
 * OK, ROW and DONE; -ENOSPC full disk, -EROFS read-only, -EUCLEAN the file is
 * damaged or no database, -EBUSY, -ENOMEM, -EMSGSIZE, -ECANCELED interrupted,
 * -EINVAL a wrong statement; what the system said for input and output errors,
 * -EIO when it said nothing.
 */
int sql_error(sqlite3 *db, int code);

/* Runs statements that return no rows. */
must_check int sql_exec(sqlite3 *db, const char *text);

/* Prepares one statement of ours; the caller finalizes it. */
must_check int sql_prepare(sqlite3 *db, const char *text, sqlite3_stmt **ret_stmt);

/* The next row: 1, 0 at the end, or an errno. At the end and on an error the
 * statement is reset, so that it holds no lock. */
must_check int sql_step(sqlite3_stmt *stmt);

/* sql_step() of a statement that returns no rows. */
must_check int sql_run(sqlite3_stmt *stmt);

/* Prepares, binds n numbers to ?1.., runs and finalizes: for what happens rarely. */
must_check int sql_run_with(sqlite3 *db, const char *text, const uint64_t *values, size_t n);

/* The first column of the first row of a query; NULL counts as 0. -ENOENT without a row. */
must_check int sql_get_u64(sqlite3 *db, const char *text, uint64_t *ret_value);

/* Binds. SQLite has only signed integers; the bits of a u64 survive the way there
 * and back. Text is borrowed until the statement is reset or bound again. */
void sql_bind_u64(sqlite3_stmt *stmt, int index, uint64_t v);
void sql_bind_str(sqlite3_stmt *stmt, int index, struct str s);

/* Columns of the current row; the bytes are valid until the next step. */
uint64_t sql_column_u64(sqlite3_stmt *stmt, int column);
struct str sql_column_str(sqlite3_stmt *stmt, int column);
