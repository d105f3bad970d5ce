/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/sql.h"

int sql_error(sqlite3 *db, int code)
{
	int saved = db == NULL ? 0 : sqlite3_system_errno(db);

	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_TOOBIG:
		return -EMSGSIZE;
	case SQLITE_INTERRUPT:
		return -ECANCELED;
	case SQLITE_ERROR:
		return -EINVAL;
	case SQLITE_IOERR:
		/* sqlite.org/rescode.html: the file system lost its structure. */
		if (code == SQLITE_IOERR_CORRUPTFS)
			return -EUCLEAN;
		if (code == SQLITE_IOERR_NOMEM)
			return -ENOMEM;
		fallthrough_;
	case SQLITE_CANTOPEN:
		return saved > 0 ? -saved : -EIO;
	default:
		return -EIO;
	}
}

int sql_exec(sqlite3 *db, const char *text)
{
	return sql_error(db, sqlite3_exec(db, text, NULL, NULL, NULL));
}

int sql_prepare(sqlite3 *db, const char *text, sqlite3_stmt **ret_stmt)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);

	if (code != SQLITE_OK)
		return sql_error(db, code);
	*ret_stmt = stmt;
	return 0;
}

int sql_step(sqlite3_stmt *stmt)
{
	int code = sqlite3_step(stmt);

	if (code == SQLITE_ROW)
		return 1;

	int e = sql_error(sqlite3_db_handle(stmt), code);

	(void)sqlite3_reset(stmt); /* repeats the error of the step */
	return e;
}

int sql_run(sqlite3_stmt *stmt)
{
	int e = sql_step(stmt);

	if (e <= 0)
		return e;
	(void)sqlite3_reset(stmt);
	return -EINVAL;
}

int sql_run_with(sqlite3 *db, const char *text, const uint64_t *values, size_t n)
{
	cleanup_(stmt_cleanup) sqlite3_stmt *stmt = NULL;
	int e = sql_prepare(db, text, &stmt);

	if (e < 0)
		return e;
	for (size_t i = 0; i < n; i++)
		sql_bind_u64(stmt, (int)i + 1, values[i]);
	return sql_run(stmt);
}

int sql_get_u64(sqlite3 *db, const char *text, uint64_t *ret_value)
{
	cleanup_(stmt_cleanup) sqlite3_stmt *stmt = NULL;
	int e = sql_prepare(db, text, &stmt);

	if (e < 0)
		return e;
	e = sql_step(stmt);
	if (e <= 0)
		return e < 0 ? e : -ENOENT;
	*ret_value = sql_column_u64(stmt, 0);
	return 0;
}

void sql_bind_u64(sqlite3_stmt *stmt, int index, uint64_t v)
{
	(void)sqlite3_bind_int64(stmt, index, (sqlite3_int64)v);
}

void sql_bind_str(sqlite3_stmt *stmt, int index, struct str s)
{
	(void)sqlite3_bind_text64(stmt, index, s.n > 0 ? s.p : "", s.n, SQLITE_STATIC, SQLITE_UTF8);
}

uint64_t sql_column_u64(sqlite3_stmt *stmt, int column)
{
	return (uint64_t)sqlite3_column_int64(stmt, column);
}

struct str sql_column_str(sqlite3_stmt *stmt, int column)
{
	const char *p = (const char *)sqlite3_column_text(stmt, column);

	return (struct str){ .p = p,
			     .n = p == NULL ? 0 : (size_t)sqlite3_column_bytes(stmt, column) };
}
