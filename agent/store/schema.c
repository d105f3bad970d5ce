/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/schema.h"

#include <stdio.h>
#include <sys/stat.h>

#include "agent/event/views.h"

static const char tables_sql[] =
	"CREATE TABLE events(seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, mono INTEGER NOT NULL,"
	" kind TEXT NOT NULL, origin INTEGER, body TEXT NOT NULL);"
	/* Rows without an origin stay out of the index. */
	"CREATE UNIQUE INDEX events_origin ON events(origin) WHERE origin IS NOT NULL;"
	"CREATE TABLE cursors(name TEXT PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,"
	" offered INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE dropped(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, n INTEGER NOT NULL,"
	" first INTEGER NOT NULL, last INTEGER NOT NULL);"
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"INSERT INTO meta VALUES('high', 0), ('deleted', 0), ('device_id', NULL),"
	" ('device_name', NULL), ('views', NULL);";

static const struct views_source host_views = {
	.table = "events",
	.device_id = "(SELECT value FROM meta WHERE name = 'device_id')",
	.device_name = "(SELECT value FROM meta WHERE name = 'device_name')",
};

static int pragmas_set(sqlite3 *db)
{
	static const char *const texts[] = {
		/* Only an empty file takes the first two. Pages of 8 KiB hold seven usual
		 * rows; freed ones are given back in slices (retention). */
		"PRAGMA page_size = 8192",
		"PRAGMA auto_vacuum = INCREMENTAL",
		/* A commit survives the end of any process, a cursor's also that of the host. */
		"PRAGMA synchronous = NORMAL",
		/* Some builds overwrite deleted rows, which doubles the cost of retention. */
		"PRAGMA secure_delete = OFF",
		"PRAGMA wal_autocheckpoint = 0",
		"PRAGMA journal_size_limit = 16777216",
		"PRAGMA cache_size = -1024",
		"PRAGMA temp_store = MEMORY",
	};
	int e = 0;

	for (size_t i = 0; e == 0 && i < ARRAY_LEN(texts); i++)
		e = sql_exec(db, texts[i]);
	return e;
}

static int wal_enter(sqlite3 *db)
{
	cleanup_(stmt_cleanup) sqlite3_stmt *stmt = NULL;
	int persist = 1;
	int e = sql_prepare(db, "PRAGMA journal_mode = WAL", &stmt);

	if (e == 0)
		e = sql_step(stmt);
	if (e < 0)
		return e;
	if (e != 1 || !str_eq(sql_column_str(stmt, 0), STR("wal")))
		return -EIO;
	/* The readers' cage names the -shm file: it must stay the same one. */
	return sql_error(db, sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist));
}

/* 0: ours; -ENOENT: an empty file. */
static int format_check(sqlite3 *db, const char *path, struct diag *diag)
{
	uint64_t id = 0;
	uint64_t format = 0;
	uint64_t objects = 0;
	int e = sql_get_u64(db, "PRAGMA application_id", &id);

	if (e == 0)
		e = sql_get_u64(db, "PRAGMA user_version", &format);
	if (e == 0)
		e = sql_get_u64(db, "SELECT count(*) FROM sqlite_master", &objects);
	if (e < 0)
		return e;
	if (id == 0 && format == 0 && objects == 0)
		return -ENOENT;
	if (id != SCHEMA_APPLICATION_ID || format == 0)
		return -EUCLEAN;
	if (format > SCHEMA_FORMAT)
		return diag_set(diag, -EPROTONOSUPPORT,
				"%s has format %llu, this program knows %d: install a newer agent",
				path, (unsigned long long)format, SCHEMA_FORMAT);
	return 0;
}

static int start_put(sqlite3 *db, const struct schema_start *start)
{
	const uint64_t meta[] = { start->base_seq, start->lost };
	const uint64_t cursor[] = { start->epoch, start->cursor_seq };
	const uint64_t gone[] = { start->lost, start->cursor_seq + 1, start->base_seq };
	int e = sql_run_with(db, "INSERT INTO meta SELECT 'base', ?1 UNION SELECT 'dropped', ?2",
			     meta, ARRAY_LEN(meta));

	if (e == 0)
		e = sql_run_with(db, "INSERT INTO cursors VALUES('cloud', ?1, ?2, ?2)", cursor,
				 ARRAY_LEN(cursor));
	if (e < 0 || start->lost == 0)
		return e;
	/* Of which kinds they were nobody knows any more. */
	return sql_run_with(db,
			    "INSERT INTO dropped(kind, n, first, last)"
			    " VALUES('AGENT_EVENTS_DROPPED', ?1, ?2, ?3)",
			    gone, ARRAY_LEN(gone));
}

static int tables_make(sqlite3 *db)
{
	char text[96];
	int e = sql_exec(db, tables_sql);

	(void)snprintf(text, sizeof(text), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		       SCHEMA_APPLICATION_ID, SCHEMA_FORMAT);
	return e < 0 ? e : sql_exec(db, text);
}

/* Makes the views anew when their text is not that of this build. */
static int views_update(sqlite3 *db)
{
	cleanup_(buf_cleanup) struct buf text = { .max = VIEWS_TEXT_MAX };
	cleanup_(stmt_cleanup) sqlite3_stmt *stmt = NULL;
	int e = sql_prepare(
		db, "UPDATE meta SET value = ?1 WHERE name = 'views' AND value IS NOT ?1", &stmt);

	views_format(&host_views, &text);
	if (e == 0)
		e = buf_error(&text);
	if (e < 0)
		return e;
	sql_bind_str(stmt, 1, buf_str(&text));
	e = sql_run(stmt);
	if (e < 0 || sqlite3_changes(db) == 0)
		return e;
	return sql_exec(db, buf_cstr(&text));
}

/* One transaction: a crash leaves an empty file or a whole journal, never one
 * whose numbers begin at 1 again. */
static int content_prepare(sqlite3 *db, const char *path, const struct schema_start *start,
			   struct diag *diag)
{
	int e = sql_exec(db, "BEGIN IMMEDIATE");

	if (e < 0)
		return e;
	e = format_check(db, path, diag);
	if (e == -ENOENT) {
		e = tables_make(db);
		if (e == 0)
			e = start_put(db, start);
	}
	if (e == 0)
		e = views_update(db);
	if (e == 0)
		return sql_exec(db, "COMMIT");
	if (sqlite3_get_autocommit(db) == 0)
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return e;
}

int schema_open(const char *path, const struct schema_start *start, sqlite3 **ret_db,
		struct diag *diag)
{
	cleanup_(sqlite_cleanup) sqlite3 *db = NULL;
	int e = sqlite3_open_v2(
		path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

	if (e != SQLITE_OK)
		return db == NULL ? -ENOMEM : sql_error(db, e);
	(void)sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_busy_timeout(db, SCHEMA_BUSY_MS);
	e = pragmas_set(db);
	if (e == 0)
		e = wal_enter(db);
	/* Pragmas that every SQLite knows: the file's header is one that none has written. */
	if (e == -EINVAL || (e == -EROFS && access(path, W_OK) == 0))
		e = -EUCLEAN;
	if (e == 0)
		e = content_prepare(db, path, start, diag);
	if (e < 0)
		return e;
	*ret_db = take_ptr(db);
	return 0;
}

int schema_open_reader(const char *path, sqlite3 **ret_db, struct diag *diag)
{
	cleanup_(sqlite_cleanup) sqlite3 *db = NULL;
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode)) /* opening a pipe would wait for a writer */
		return -EUCLEAN;

	int e = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);

	if (e != SQLITE_OK)
		return db == NULL ? -ENOMEM : sql_error(db, e);
	(void)sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_busy_timeout(db, SCHEMA_BUSY_MS);
	e = sql_exec(db, "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;"
			 " PRAGMA cache_size = -2048");
	if (e == 0)
		e = format_check(db, path, diag);
	if (e < 0)
		return e;
	*ret_db = take_ptr(db);
	return 0;
}
