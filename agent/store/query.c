/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/query.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "agent/base/clock.h"
#include "agent/base/jsonw.h"

#define PROGRESS_OPS 4000 /* of SQLite's machine, some 100 µs */

struct run {
	sqlite3 *db;
	const struct query_sql *q;
	const struct query_sink *sink;
	struct query_result *result;
	struct buf lines;     /* not handed over yet */
	struct buf line;      /* the row in hand */
	uint64_t deadline_ns; /* moves on by what the sink waits */
	int stopped;	      /* why the progress handler ended it */
};

void query_fail(struct query_result *result, int error, const char *fmt, ...)
{
	va_list args;

	if (result->error < 0)
		return;
	result->error = error;
	va_start(args, fmt);
	(void)vsnprintf(result->message, sizeof(result->message), fmt, args);
	va_end(args);
}

static bool is_one_of(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; name != NULL && i < n; i++)
		if (strcasecmp(name, list[i]) == 0)
			return true;
	return false;
}

/* sqlite.org/c3ref/set_authorizer.html: asked for everything a statement would do.
 * Reading is allowed, and nothing else: no files, no code, no settings. */
static int authorize(void *ctx, int action, const char *a, const char *b, const char *schema,
		     const char *trigger)
{
	/* Shells and extensions bring some of these; here they do not exist either. */
	static const char *const functions[] = { "load_extension", "fts3_tokenizer", "readfile",
						 "writefile",	   "edit",	     "sqlite_log" };
	static const char *const pragmas[] = { "table_info", "table_xinfo", "table_list" };

	(void)ctx;
	(void)schema;
	(void)trigger;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_FUNCTION:
		return is_one_of(b, functions, ARRAY_LEN(functions)) ? SQLITE_DENY : SQLITE_OK;
	case SQLITE_PRAGMA:
		return is_one_of(a, pragmas, ARRAY_LEN(pragmas)) ? SQLITE_OK : SQLITE_DENY;
	default:
		return SQLITE_DENY;
	}
}

static int on_progress(void *ctx)
{
	struct run *r = ctx;

	if (r->stopped == 0 && r->sink->is_over(r->sink->ctx, 0))
		r->stopped = -ECANCELED;
	if (r->stopped == 0 && clock_mono_ns() >= r->deadline_ns)
		r->stopped = -ETIMEDOUT;
	return r->stopped != 0;
}

/* Makes the table-valued functions that reading may use: their first use writes
 * into SQLite's own schema in memory, which the authorizer would have to allow. */
static void functions_make(sqlite3 *db)
{
	static const char *const texts[] = {
		"SELECT 1 FROM json_each('[]')",
		"SELECT 1 FROM json_tree('[]')",
		"SELECT 1 FROM pragma_table_info('events')",
		"SELECT 1 FROM pragma_table_xinfo('')",
		"SELECT 1 FROM pragma_table_list",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		(void)sqlite3_exec(db, texts[i], NULL, NULL, NULL);
}

static void lock_down(struct run *r)
{
	static const struct {
		int id;
		int value;
	} limits[] = {
		{ SQLITE_LIMIT_LENGTH, QUERY_VALUE_MAX },
		{ SQLITE_LIMIT_SQL_LENGTH, QUERY_SQL_MAX },
		{ SQLITE_LIMIT_COLUMN, 500 },
		{ SQLITE_LIMIT_EXPR_DEPTH, 200 },
		{ SQLITE_LIMIT_COMPOUND_SELECT, 50 },
		{ SQLITE_LIMIT_VDBE_OP, 250000 },
		{ SQLITE_LIMIT_ATTACHED, 0 },
		{ SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1024 },
		{ SQLITE_LIMIT_TRIGGER_DEPTH, 1 },
		{ SQLITE_LIMIT_WORKER_THREADS, 0 },
		{ SQLITE_LIMIT_VARIABLE_NUMBER, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		(void)sqlite3_limit(r->db, limits[i].id, limits[i].value);
	(void)sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_hard_heap_limit64(QUERY_HEAP_MAX);
	(void)sqlite3_set_authorizer(r->db, authorize, NULL);
	sqlite3_progress_handler(r->db, PROGRESS_OPS, on_progress, r);
}

/* Words for a result code, before anything else happens on the connection. */
static void fail_with(struct run *r, int code)
{
	switch (code & 0xff) {
	case SQLITE_INTERRUPT:
		if (r->stopped == -ETIMEDOUT)
			query_fail(r->result, -ETIMEDOUT, "the query took longer than %u ms",
				   r->q->max_ms);
		else
			query_fail(r->result, -ECANCELED, "the query was cancelled");
		break;
	case SQLITE_NOMEM:
		query_fail(r->result, -ENOMEM, "the query needs more than %u MiB of memory",
			   QUERY_HEAP_MAX >> 20);
		break;
	case SQLITE_AUTH:
		query_fail(r->result, -EPERM, "%s: hunting only reads, with SELECT",
			   sqlite3_errmsg(r->db));
		break;
	default:
		query_fail(r->result, sql_error(r->db, code) < 0 ? sql_error(r->db, code) : -EIO,
			   "%s", sqlite3_errmsg(r->db));
	}
}

/* Hands over what is there. */
static int lines_put(struct run *r)
{
	uint64_t before_ns = clock_mono_ns();
	int e;

	if (r->lines.len == 0)
		return 0;
	e = r->sink->put(r->sink->ctx, buf_str(&r->lines));
	r->deadline_ns += clock_mono_ns() - before_ns;
	buf_clear(&r->lines);
	if (e < 0)
		query_fail(r->result, e, "the answer could not be handed over: %s",
			   strerrordesc_np(-e));
	return e;
}

/* Takes the row in r->line. */
static int line_take(struct run *r)
{
	buf_add_char(&r->line, '\n');
	if (buf_error(&r->line) < 0) {
		query_fail(r->result, buf_error(&r->line), "a row is longer than %u bytes",
			   QUERY_ROW_MAX);
		return buf_error(&r->line);
	}
	if (r->lines.len + r->line.len > QUERY_ROWS_BYTES) {
		int e = lines_put(r);

		if (e < 0)
			return e;
	}
	buf_add_str(&r->lines, buf_str(&r->line));
	buf_clear(&r->line);
	return buf_error(&r->lines);
}

static int columns_put(struct run *r, sqlite3_stmt *stmt)
{
	struct jsonw w;

	jsonw_init(&w, &r->line);
	jsonw_array_begin(&w);
	for (int i = 0; i < sqlite3_column_count(stmt); i++)
		jsonw_str(&w, str_of(sqlite3_column_name(stmt, i)));
	jsonw_array_end(&w);
	return line_take(r);
}

/* Bytes that are no text: lower-case hex. */
static void blob_put(struct jsonw *w, const void *data, size_t n)
{
	cleanup_(free_cleanup) char *hex = n > QUERY_ROW_MAX / 2 ? NULL : malloc(2 * n + 1);

	if (hex == NULL) { /* longer than any row may be, or no memory */
		w->out->error = n > QUERY_ROW_MAX / 2 ? -EMSGSIZE : -ENOMEM;
		return;
	}
	hex_encode(data, n, hex);
	jsonw_str(w, (struct str){ .p = hex, .n = 2 * n });
}

static void value_put(struct jsonw *w, sqlite3_stmt *stmt, int i)
{
	switch (sqlite3_column_type(stmt, i)) {
	case SQLITE_INTEGER:
		jsonw_i64(w, sqlite3_column_int64(stmt, i));
		break;
	case SQLITE_FLOAT:
		jsonw_double(w, sqlite3_column_double(stmt, i));
		break;
	case SQLITE_TEXT:
		jsonw_str(w, sql_column_str(stmt, i));
		break;
	case SQLITE_BLOB:
		blob_put(w, sqlite3_column_blob(stmt, i), (size_t)sqlite3_column_bytes(stmt, i));
		break;
	default:
		jsonw_null(w);
	}
}

static int row_put(struct run *r, sqlite3_stmt *stmt)
{
	struct jsonw w;

	jsonw_init(&w, &r->line);
	jsonw_array_begin(&w);
	for (int i = 0; i < sqlite3_column_count(stmt); i++)
		value_put(&w, stmt, i);
	jsonw_array_end(&w);
	return line_take(r);
}

static void rows_put(struct run *r, sqlite3_stmt *stmt)
{
	for (;;) {
		int code = sqlite3_step(stmt);

		if (code == SQLITE_DONE)
			break;
		if (code != SQLITE_ROW) {
			fail_with(r, code);
			return;
		}
		if (r->result->rows == r->q->max_rows) {
			r->result->is_truncated = true;
			break;
		}
		if (row_put(r, stmt) < 0)
			return;
		r->result->rows++;
	}
	(void)lines_put(r);
}

/* Nothing but blanks, semicolons and comments may follow the first statement. */
static bool is_rest_empty(struct run *r, const char *rest)
{
	cleanup_(stmt_cleanup) sqlite3_stmt *stmt = NULL;

	while (*rest == ';' || isspace((unsigned char)*rest) != 0)
		rest++;
	if (*rest == '\0')
		return true;
	return sqlite3_prepare_v2(r->db, rest, -1, &stmt, NULL) == SQLITE_OK && stmt == NULL;
}

static sqlite3_stmt *prepare(struct run *r, const char *text)
{
	cleanup_(stmt_cleanup) sqlite3_stmt *stmt = NULL;
	const char *rest = NULL;
	int code = sqlite3_prepare_v2(r->db, text, -1, &stmt, &rest);

	if (code != SQLITE_OK) {
		fail_with(r, code);
		return NULL;
	}
	if (stmt == NULL)
		query_fail(r->result, -EINVAL, "there is no statement");
	else if (!is_rest_empty(r, rest))
		query_fail(r->result, -EINVAL, "only one statement at a time");
	else if (sqlite3_stmt_readonly(stmt) == 0 || sqlite3_column_count(stmt) == 0)
		query_fail(r->result, -EPERM, "not authorized: hunting only reads, with SELECT");
	return r->result->error < 0 ? NULL : take_ptr(stmt);
}

void query_sql_run(sqlite3 *db, const struct query_sql *q, const struct query_sink *sink,
		   struct query_result *ret_result)
{
	struct query_result result = { 0 };
	struct run r = {
		.db = db,
		.q = q,
		.sink = sink,
		.result = &result,
		.lines = { .max = QUERY_ROW_MAX + QUERY_ROWS_BYTES },
		.line = { .max = QUERY_ROW_MAX },
		.deadline_ns = clock_mono_ns() + q->max_ms * NSEC_PER_MSEC,
	};
	cleanup_(buf_cleanup) struct buf text = { .max = QUERY_SQL_MAX + 1 };

	buf_add_str(&text, q->sql);
	if (q->sql.n > QUERY_SQL_MAX)
		query_fail(&result, -EMSGSIZE, "the statement is longer than %u bytes",
			   QUERY_SQL_MAX);
	else if (buf_error(&text) < 0)
		query_fail(&result, buf_error(&text), "no memory for the statement");
	if (result.error == 0) {
		functions_make(db);
		lock_down(&r);

		cleanup_(stmt_cleanup) sqlite3_stmt *stmt = prepare(&r, buf_cstr(&text));

		if (stmt != NULL && columns_put(&r, stmt) == 0)
			rows_put(&r, stmt);
	}
	sqlite3_progress_handler(db, 0, NULL, NULL); /* its context ends here */
	buf_done(&r.lines);
	buf_done(&r.line);
	*ret_result = result;
}
