/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/tail.h"

#include "agent/event/encode.h"
#include "agent/event/views.h"

#define CHUNK_ROWS 256u
#define SQL_MAX 4096u
#define PROGRESS_OPS 4000
/* Rows stand in the order in which they were kept, nearly that of their times. */
#define DISORDER_US (600u * USEC_PER_SEC)
#define SEEK_SAMPLES 1024u
#define SEEK_STEP_MIN 256u

struct walk {
	sqlite3 *db;
	const struct tail *t;
	const struct query_sink *sink;
	struct query_result *result;
	sqlite3_stmt *rows;
	struct buf filter; /* a condition on kind, or empty */
	struct buf lines;
	uint64_t pos;  /* newest row that was looked at */
	uint64_t left; /* rows that may still be given */
	bool is_limited;
};

static int on_progress(void *ctx)
{
	const struct query_sink *sink = ctx;

	return sink->is_over(sink->ctx, 0);
}

static int fail(struct walk *w, int error)
{
	if (error == -ECANCELED)
		query_fail(w->result, error, "the query was cancelled");
	else if (error < 0)
		query_fail(w->result, error, "the journal cannot be read: %s",
			   strerrordesc_np(-error));
	return error;
}

static int newest(struct walk *w, uint64_t *ret_seq)
{
	return sql_get_u64(w->db, "SELECT max(seq) FROM events", ret_seq);
}

/* The first row at or behind seq: 1, or 0 when there is none. */
static int sample(sqlite3_stmt *stmt, uint64_t seq, uint64_t *ret_seq, uint64_t *ret_us)
{
	sql_bind_u64(stmt, 1, seq);

	int e = sql_step(stmt);

	if (e <= 0)
		return e;
	*ret_seq = sql_column_u64(stmt, 0);
	*ret_us = sql_column_u64(stmt, 1);
	(void)sqlite3_reset(stmt);
	return 1;
}

/* Moves w->pos forward over rows that are surely older than the time wanted. An
 * index on the time would cost every event; a thousand samples cost one question
 * some milliseconds. */
static int seek(struct walk *w, uint64_t last)
{
	cleanup_(stmt_cleanup) sqlite3_stmt *stmt = NULL;
	uint64_t us = 0;
	uint64_t at = w->pos;
	int e = sql_prepare(
		w->db, "SELECT seq, ts FROM events WHERE seq >= ?1 ORDER BY seq LIMIT 1", &stmt);

	if (e == 0)
		e = sample(stmt, at, &at, &us);
	if (e <= 0 || at > last)
		return e;

	uint64_t step = (last - at) / SEEK_SAMPLES;

	if (step < SEEK_STEP_MIN)
		step = SEEK_STEP_MIN;
	while (us < w->t->since_real_us && w->t->since_real_us - us > DISORDER_US) {
		uint64_t before_us = us;

		w->pos = at;
		e = sample(stmt, at + step, &at, &us);
		/* Where the clock was set back, newer rows may lie before older ones. */
		if (e <= 0 || us + DISORDER_US < before_us)
			return e < 0 ? e : 0;
	}
	return 0;
}

/* Moves w->pos forward until only the newest `limit` rows of those wanted lie
 * behind it. */
static int seek_newest(struct walk *w, uint64_t limit)
{
	cleanup_(buf_cleanup) struct buf text = { .max = SQL_MAX };
	cleanup_(stmt_cleanup) sqlite3_stmt *stmt = NULL;
	uint64_t seen = 0;

	buf_printf(&text, "SELECT seq FROM events WHERE seq > ?1 AND ts >= ?2%s",
		   w->filter.len > 0 ? " AND " : "");
	buf_add_str(&text, buf_str(&w->filter));
	buf_add_str(&text, STR(" ORDER BY seq DESC LIMIT ?3"));

	int e = buf_error(&text);

	if (e == 0)
		e = sql_prepare(w->db, buf_cstr(&text), &stmt);
	if (e < 0)
		return e;
	sql_bind_u64(stmt, 1, w->pos);
	sql_bind_u64(stmt, 2, w->t->since_real_us);
	sql_bind_u64(stmt, 3, limit + 1);
	while ((e = sql_step(stmt)) == 1) {
		if (++seen <= limit)
			continue;
		w->pos = sql_column_u64(stmt, 0);
		w->result->is_truncated = true;
	}
	return e;
}

static int rows_prepare(struct walk *w)
{
	cleanup_(buf_cleanup) struct buf text = { .max = SQL_MAX };

	buf_printf(&text,
		   "SELECT seq, ts, mono, body FROM events"
		   " WHERE seq > ?1 AND seq <= ?2 AND ts >= ?3%s",
		   w->filter.len > 0 ? " AND " : "");
	buf_add_str(&text, buf_str(&w->filter));
	buf_printf(&text, " ORDER BY seq LIMIT %u", CHUNK_ROWS);

	int e = buf_error(&text);

	return e < 0 ? e : sql_prepare(w->db, buf_cstr(&text), &w->rows);
}

/* The device's names, copied into `text`, which the lines borrow from. */
static int device_read(struct walk *w, struct buf *text, struct event_line_device *ret_device)
{
	cleanup_(stmt_cleanup) sqlite3_stmt *stmt = NULL;
	int e = sql_prepare(w->db,
			    "SELECT (SELECT value FROM meta WHERE name = 'device_id'),"
			    " (SELECT value FROM meta WHERE name = 'device_name')",
			    &stmt);

	if (e == 0)
		e = sql_step(stmt);
	if (e < 0)
		return e;

	struct str id = sql_column_str(stmt, 0);
	struct str name = sql_column_str(stmt, 1);

	buf_add_str(text, id);
	buf_add_str(text, name);
	e = buf_error(text);
	if (e < 0)
		return e;
	ret_device->device_id = (struct str){ .p = text->data, .n = id.n };
	ret_device->device_name = (struct str){ .p = text->data + id.n, .n = name.n };
	return 0;
}

/* Reads up to a chunk of rows into w->lines, and lets go of the file. 1 while
 * there may be more up to `upto`. */
static int chunk_read(struct walk *w, uint64_t upto)
{
	cleanup_(buf_cleanup) struct buf names = { .max = EVENT_LINE_MAX };
	struct event_line_device device = { 0 };
	uint32_t n = 0;
	int e = device_read(w, &names, &device);

	if (e < 0)
		return e;
	buf_clear(&w->lines);
	sql_bind_u64(w->rows, 1, w->pos);
	sql_bind_u64(w->rows, 2, upto);
	sql_bind_u64(w->rows, 3, w->t->since_real_us);
	while ((e = sql_step(w->rows)) == 1) {
		if (w->is_limited && w->left == 0) {
			w->result->is_truncated = true;
			e = 0;
			break;
		}
		uint64_t seq = sql_column_u64(w->rows, 0);
		size_t before = w->lines.len;

		event_line_format(&w->lines, seq, sql_column_u64(w->rows, 1),
				  sql_column_u64(w->rows, 2), &device, sql_column_str(w->rows, 3));
		buf_add_char(&w->lines, '\n');
		e = buf_error(&w->lines);
		if (e < 0)
			break;
		e = 1;
		if (before > 0 && w->lines.len > QUERY_ROWS_BYTES) {
			w->lines.len = before;
			break;
		}
		w->pos = seq;
		w->left--;
		w->result->rows++;
		n++;
	}
	(void)sqlite3_reset(w->rows);
	if (e == 0 && n == CHUNK_ROWS)
		e = 1;
	if (e == 0)
		w->pos = upto;
	return e;
}

/* Gives everything up to `upto`. */
static int give(struct walk *w, uint64_t upto)
{
	int more = 1;

	while (more > 0 && w->pos < upto) {
		more = chunk_read(w, upto);
		if (more < 0)
			return fail(w, more);
		if (w->lines.len > 0) {
			int e = w->sink->put(w->sink->ctx, buf_str(&w->lines));

			if (e < 0) {
				query_fail(w->result, e, "the answer could not be handed over: %s",
					   strerrordesc_np(-e));
				return e;
			}
		}
		if (w->sink->is_over(w->sink->ctx, 0))
			return fail(w, -ECANCELED);
	}
	return 0;
}

/* sqlite.org/pragma.html#pragma_data_version: changes with every commit of others. */
static int follow(struct walk *w)
{
	uint64_t version = 0;
	uint64_t last = 0;

	for (;;) {
		uint64_t seen = version;
		int e = sql_get_u64(w->db, "PRAGMA data_version", &version);

		if (e == 0 && version != seen) {
			e = newest(w, &last);
			if (e == 0)
				e = give(w, last);
		}
		if (e < 0)
			return fail(w, e);
		if (w->sink->is_over(w->sink->ctx, TAIL_POLL_MS))
			return fail(w, -ECANCELED);
	}
}

static int start_find(struct walk *w, uint64_t last)
{
	const struct tail *t = w->t;
	int e = 0;

	w->pos = t->after_seq;
	if (t->since_real_us > 0)
		e = seek(w, last);
	if (e < 0)
		return e;
	if (t->limit > 0 && t->after_seq == 0)
		return seek_newest(w, t->limit);
	if (t->limit > 0 && !t->is_follow) {
		w->is_limited = true;
		w->left = t->limit;
	}
	if (t->is_follow && t->limit == 0 && t->since_real_us == 0 && t->after_seq == 0)
		w->pos = last;
	return 0;
}

static void walk_run(struct walk *w)
{
	uint64_t last = 0;
	int e = 0;

	if (w->t->table.n > 0 && views_filter_format(w->t->table, &w->filter) < 0) {
		query_fail(w->result, -ENOENT, "there is no table or ActionType \"%.*s\"",
			   (int)w->t->table.n, w->t->table.p);
		return;
	}
	e = buf_error(&w->filter);
	if (e == 0)
		e = rows_prepare(w);
	if (e == 0)
		e = newest(w, &last);
	if (e == 0)
		e = start_find(w, last);
	if (fail(w, e) < 0 || give(w, last) < 0)
		return;
	if (w->t->is_follow)
		(void)follow(w);
}

void tail_run(sqlite3 *db, const struct tail *t, const struct query_sink *sink,
	      struct query_result *ret_result)
{
	struct query_result result = { 0 };
	struct walk w = {
		.db = db,
		.t = t,
		.sink = sink,
		.result = &result,
		.filter = { .max = SQL_MAX },
		.lines = { .max = QUERY_ROW_MAX + EVENT_LINE_MAX },
	};
	/* The handler takes no constant context; it reads only. */
	struct query_sink watched = *sink;

	sqlite3_progress_handler(db, PROGRESS_OPS, on_progress, &watched);
	walk_run(&w);
	(void)sqlite3_finalize(w.rows);
	sqlite3_progress_handler(db, 0, NULL, NULL);
	buf_done(&w.filter);
	buf_done(&w.lines);
	*ret_result = result;
}
