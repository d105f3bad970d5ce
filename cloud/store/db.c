/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/store/db.h"

#include <stdio.h>

#include "agent/base/clock.h"
#include "agent/base/fs.h"
#include "agent/base/rand.h"
#include "agent/event/views.h"

#define DB_FORMAT 1
#define DB_PATH_MAX 4096u

/* How long a writer waits for another process's transaction. */
#define DB_BUSY_MS 5000

/*
 * Measured with 1 KB rows: 16 KiB pages and a checkpoint each 32 MiB of log write
 * 1.7 times as fast as SQLite's defaults. A group commit (8 MiB) fits in the cache,
 * so it reaches the log once.
 */
static const char settings_sql[] = "PRAGMA page_size=16384;"
				   "PRAGMA journal_mode=WAL;"
				   "PRAGMA synchronous=FULL;"
				   "PRAGMA foreign_keys=ON;"
				   "PRAGMA cache_size=-24576;"
				   "PRAGMA wal_autocheckpoint=2048;"
				   "PRAGMA journal_size_limit=67108864;"
				   "PRAGMA temp_store=MEMORY;"
				   "PRAGMA trusted_schema=OFF;";

/*
 * events keeps a row number of its own: rows append to the end of the table in
 * the order of arrival, and (device, epoch, seq) is a narrow index beside them.
 * WITHOUT ROWID measured a quarter slower, as rows of several devices split pages.
 */
static const char schema_sql[] =
	"CREATE TABLE tenants(id INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL UNIQUE,"
	" org_id TEXT NOT NULL, policy_version INTEGER NOT NULL DEFAULT 0,"
	" created INTEGER NOT NULL);"
	"CREATE TABLE tokens(hash BLOB PRIMARY KEY, tenant INTEGER NOT NULL REFERENCES tenants(id),"
	" plan TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,"
	" max_uses INTEGER NOT NULL, uses INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE devices(id INTEGER PRIMARY KEY,"
	" tenant INTEGER NOT NULL REFERENCES tenants(id), device_id TEXT NOT NULL UNIQUE,"
	" machine_guid TEXT NOT NULL, hostname TEXT NOT NULL, os_id TEXT NOT NULL,"
	" os_version TEXT NOT NULL, kernel TEXT NOT NULL, arch TEXT NOT NULL,"
	" agent_version TEXT NOT NULL, boot_id TEXT NOT NULL, tags TEXT NOT NULL,"
	" plan TEXT NOT NULL, epoch INTEGER NOT NULL, key_sha256 BLOB NOT NULL,"
	" enrolled INTEGER NOT NULL, last_seen INTEGER NOT NULL, health TEXT,"
	" events INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0,"
	" conflicts INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE certificates(serial TEXT PRIMARY KEY,"
	" device INTEGER NOT NULL REFERENCES devices(id), csr_sha256 BLOB NOT NULL,"
	" issued INTEGER NOT NULL, expires INTEGER NOT NULL, revoked INTEGER,"
	" pem TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX certificates_of ON certificates(device, csr_sha256);"
	"CREATE TABLE cursors(device INTEGER NOT NULL REFERENCES devices(id),"
	" epoch INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(device, epoch)) WITHOUT ROWID;"
	"CREATE TABLE ranges(device INTEGER NOT NULL, epoch INTEGER NOT NULL,"
	" first INTEGER NOT NULL, last INTEGER NOT NULL, sha256 BLOB NOT NULL,"
	" rx INTEGER NOT NULL, PRIMARY KEY(device, epoch, first, last)) WITHOUT ROWID;"
	"CREATE TABLE dropped(device INTEGER NOT NULL, epoch INTEGER NOT NULL,"
	" first INTEGER NOT NULL, last INTEGER NOT NULL, kind TEXT NOT NULL, n INTEGER NOT NULL,"
	" rx INTEGER NOT NULL, PRIMARY KEY(device, epoch, first, last, kind)) WITHOUT ROWID;"
	"CREATE TABLE events(id INTEGER PRIMARY KEY, device INTEGER NOT NULL,"
	" epoch INTEGER NOT NULL, seq INTEGER NOT NULL, ts INTEGER NOT NULL,"
	" rx INTEGER NOT NULL, ts_norm INTEGER NOT NULL, kind TEXT NOT NULL, tbl TEXT NOT NULL, "
	"body TEXT NOT NULL,"
	" UNIQUE(device, epoch, seq));";

static const char *const statements[DB_STATEMENTS] = {
#define STATEMENT(id, sql) [DB_##id] = (sql),
#include "cloud/store/statements.def"
#undef STATEMENT
};

int db_errno(int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	default:
		return -EIO;
	}
}

int db_statement(struct store *s, enum db_stmt id, sqlite3_stmt **ret_stmt)
{
	if (s->stmts[id] == NULL) {
		int r = sqlite3_prepare_v3(s->db, statements[id], -1, SQLITE_PREPARE_PERSISTENT,
					   &s->stmts[id], NULL);

		if (r != SQLITE_OK)
			return db_errno(r);
	}
	(void)sqlite3_reset(s->stmts[id]);
	(void)sqlite3_clear_bindings(s->stmts[id]);
	*ret_stmt = s->stmts[id];
	return 0;
}

void db_bind_u64(sqlite3_stmt *stmt, int i, uint64_t v)
{
	(void)sqlite3_bind_int64(stmt, i, (sqlite3_int64)v);
}

void db_bind_str(sqlite3_stmt *stmt, int i, struct str s)
{
	/* A NULL pointer would bind SQL NULL where an empty string is meant. */
	(void)sqlite3_bind_text64(stmt, i, s.p == NULL ? "" : s.p, s.n, SQLITE_STATIC, SQLITE_UTF8);
}

void db_bind_hash(sqlite3_stmt *stmt, int i, const uint8_t hash[SHA256_SIZE])
{
	(void)sqlite3_bind_blob(stmt, i, hash, (int)SHA256_SIZE, SQLITE_STATIC);
}

int db_run(sqlite3_stmt *stmt)
{
	int r = sqlite3_step(stmt);

	(void)sqlite3_reset(stmt);
	return db_errno(r);
}

int db_row(sqlite3_stmt *stmt)
{
	int r = sqlite3_step(stmt);

	if (r == SQLITE_ROW)
		return 1;
	(void)sqlite3_reset(stmt);
	return db_errno(r);
}

uint64_t db_u64(sqlite3_stmt *stmt, int column)
{
	return (uint64_t)sqlite3_column_int64(stmt, column);
}

struct str db_str(sqlite3_stmt *stmt, int column)
{
	const char *p = (const char *)sqlite3_column_text(stmt, column);

	return (struct str){ .p = p,
			     .n = p == NULL ? 0 : (size_t)sqlite3_column_bytes(stmt, column) };
}

int db_copy(sqlite3_stmt *stmt, int column, char *out, size_t out_size)
{
	return str_copy(db_str(stmt, column), out, out_size) < 0 ? -EUCLEAN : 0;
}

int db_copy_hash(sqlite3_stmt *stmt, int column, uint8_t out[SHA256_SIZE])
{
	const void *p = sqlite3_column_blob(stmt, column);

	if (p == NULL || sqlite3_column_bytes(stmt, column) != (int)SHA256_SIZE)
		return -EUCLEAN;
	memcpy(out, p, SHA256_SIZE);
	return 0;
}

static int exec(struct store *s, const char *sql)
{
	return db_errno(sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

static int format_get(struct store *s, int *ret_format)
{
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &stmt, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_step(stmt);
	if (r == SQLITE_ROW)
		*ret_format = sqlite3_column_int(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return db_errno(r);
}

/* The hunting tables of the host's journal over all devices, made anew at each
 * start of the server so that they follow the fields this build knows. */
static int views_make(struct store *s)
{
	static const struct views_source source = {
		.table = "events",
		.device_id = "(SELECT device_id FROM devices WHERE id=events.device)",
		.device_name = "(SELECT hostname FROM devices WHERE id=events.device)",
		.extra = "epoch AS Epoch, rx AS Received, ts_norm AS NormalisedTime",
	};
	cleanup_(buf_cleanup) struct buf sql = { 0 };
	int r;

	buf_init(&sql, VIEWS_TEXT_MAX);
	views_format(&source, &sql);
	r = buf_error(&sql);
	if (r == 0)
		r = store_begin(s);
	if (r < 0)
		return r;
	r = exec(s, buf_cstr(&sql));
	if (r == 0)
		r = store_commit(s);
	if (r < 0)
		store_rollback(s);
	return r;
}

/* Tables and the tenant, in one transaction: a kill leaves nothing or all. */
static int schema_make(struct store *s)
{
	char tenant_id[STORE_GUID_SIZE];
	char org_id[STORE_GUID_SIZE];
	char tail[256];
	int r;

	rand_uuid(tenant_id);
	rand_uuid(org_id);
	/* Both are our own hexadecimal digits and dashes. */
	r = snprintf(tail, sizeof(tail),
		     "INSERT INTO tenants(tenant_id, org_id, created) VALUES('%s','%s',%llu);"
		     "PRAGMA user_version=%d",
		     tenant_id, org_id, (unsigned long long)clock_real_us(), DB_FORMAT);
	if (r < 0 || (size_t)r >= sizeof(tail))
		return -EINVAL;
	r = store_begin(s);
	if (r < 0)
		return r;
	r = exec(s, schema_sql);
	if (r == 0)
		r = exec(s, tail);
	if (r == 0)
		r = store_commit(s);
	if (r < 0)
		store_rollback(s);
	return r;
}

static int prepare(struct store *s, enum store_mode mode, struct diag *diag)
{
	int format = 0;
	int r;

	(void)sqlite3_busy_timeout(s->db, DB_BUSY_MS);
	r = mode == STORE_READ ? exec(s, "PRAGMA query_only=ON; PRAGMA trusted_schema=OFF")
			       : exec(s, settings_sql);
	if (r == 0)
		r = format_get(s, &format);
	if (r == 0 && format == 0 && mode == STORE_CREATE) {
		r = schema_make(s);
		format = DB_FORMAT;
	}
	if (r == 0 && format == DB_FORMAT && mode == STORE_CREATE)
		r = views_make(s);
	if (r < 0)
		return diag_set(diag, r, "cloud.db: %s", sqlite3_errmsg(s->db));
	if (format > DB_FORMAT)
		return diag_set(diag, -EINVAL, "cloud.db was made by a newer version (format %d)",
				format);
	if (format < 1)
		return diag_set(diag, -ENOENT, "cloud.db is empty: `cloudd serve` has not run yet");
	return 0;
}

int store_open(const char *dir, enum store_mode mode, struct store **ret_store, struct diag *diag)
{
	static const int flags[] = {
		[STORE_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
		[STORE_WRITE] = SQLITE_OPEN_READWRITE,
		[STORE_READ] = SQLITE_OPEN_READWRITE,
	};
	cleanup_(store_cleanup) struct store *s = NULL;
	char path[DB_PATH_MAX];
	int r;

	r = fs_path(path, sizeof(path), "%s/cloud.db", dir);
	if (r < 0)
		return diag_set(diag, r, "the data folder's name is too long");
	if (mode != STORE_CREATE && access(path, R_OK) < 0) {
		r = -errno;
		return diag_set(diag, r,
				r == -ENOENT ? "no data of cloudd in %s: run `cloudd serve` first"
					     : "%s/cloud.db cannot be read",
				dir);
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	r = sqlite3_open_v2(path, &s->db, flags[mode] | SQLITE_OPEN_NOMUTEX, NULL);
	if (r != SQLITE_OK)
		return diag_set(diag, db_errno(r), "%s: %s", path,
				s->db == NULL ? "no memory" : sqlite3_errmsg(s->db));
	r = prepare(s, mode, diag);
	if (r < 0)
		return r;
	*ret_store = take_ptr(s);
	return 0;
}

void store_free(struct store *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < DB_STATEMENTS; i++)
		(void)sqlite3_finalize(s->stmts[i]);
	(void)sqlite3_close(s->db);
	free(s);
}

static int run_simple(struct store *s, enum db_stmt id)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, id, &stmt);

	return r < 0 ? r : db_run(stmt);
}

int store_begin(struct store *s)
{
	return run_simple(s, DB_BEGIN);
}

int store_commit(struct store *s)
{
	return run_simple(s, DB_COMMIT);
}

void store_rollback(struct store *s)
{
	if (store_in_transaction(s))
		(void)exec(s, "ROLLBACK");
}

int store_savepoint(struct store *s)
{
	return run_simple(s, DB_SAVEPOINT);
}

int store_release(struct store *s)
{
	return run_simple(s, DB_RELEASE);
}

int store_undo(struct store *s)
{
	int r = run_simple(s, DB_UNDO);

	return r < 0 ? r : run_simple(s, DB_RELEASE);
}

bool store_in_transaction(const struct store *s)
{
	return sqlite3_get_autocommit(s->db) == 0;
}
