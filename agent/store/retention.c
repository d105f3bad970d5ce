/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/retention.h"

#include <malloc.h>
#include <stdio.h>

#include "agent/event/views.h"
#include "agent/store/cursor.h"
#include "agent/store/journal_priv.h"

/* Retention works from max_bytes down to this part less, so that it does not
 * begin anew with every batch. */
#define LOW_MARK_PART 32u
/* Free pages beyond this part of the file (and a floor) go back to the system. */
#define FREE_PART 4u
#define FREE_FLOOR_PAGES 512u
#define KINDS_MAX (EVENT_KINDS + 1u) /* one more for kinds of another build */

/* The rows of a slice. */
struct slice {
	uint64_t first;
	uint64_t last;
	uint64_t rows;
	struct {
		uint64_t n;
		uint64_t first;
		uint64_t last;
	} kinds[KINDS_MAX];
};

static void slice_add(struct slice *s, uint64_t seq, struct str kind_id)
{
	enum event_kind kind = EVENT_KINDS;

	if (views_kind_parse(kind_id, &kind) < 0)
		kind = EVENT_KINDS;
	s->first = s->rows == 0 ? seq : s->first;
	s->last = seq;
	s->rows++;
	if (s->kinds[kind].n == 0)
		s->kinds[kind].first = seq;
	s->kinds[kind].last = seq;
	s->kinds[kind].n++;
}

/* The oldest rows with above < seq <= upto; with before_us only those older. */
static int slice_read(struct journal *j, uint64_t above, uint64_t upto, uint64_t before_us,
		      struct slice *s)
{
	int e = 0;
	sqlite3_stmt *stmt = journal_stmt(j, JOURNAL_STMT_HEAD, &e);

	if (stmt == NULL)
		return e;
	sql_bind_u64(stmt, 1, above);
	sql_bind_u64(stmt, 2, upto);
	sql_bind_u64(stmt, 3, RETENTION_SLICE_ROWS);
	while ((e = sql_step(stmt)) == 1) {
		if (before_us > 0 && sql_column_u64(stmt, 1) >= before_us)
			break;
		slice_add(s, sql_column_u64(stmt, 0), sql_column_str(stmt, 2));
	}
	(void)sqlite3_reset(stmt);
	return e < 0 ? e : 0;
}

/* Adds a slice's rows of one kind to the newest range of that kind which the cloud
 * was not told of yet; else they are a range of their own, as long as there is room. */
static int dropped_add(struct journal *j, size_t kind, const struct slice *s)
{
	static const char update[] =
		"UPDATE dropped SET n = n + ?1, first = min(first, ?2), last = max(last, ?3)"
		" WHERE id = (SELECT id FROM dropped WHERE kind = '%s' AND (first > ?4 OR"
		" (SELECT count(*) FROM dropped) >= ?5) ORDER BY id DESC LIMIT 1)";
	const uint64_t values[] = { s->kinds[kind].n, s->kinds[kind].first, s->kinds[kind].last,
				    j->state.offered_seq, CURSOR_DROPPED_MAX - KINDS_MAX };
	const char *id =
		event_kinds[kind < EVENT_KINDS ? kind : EVENT_KIND_AGENT_EVENTS_DROPPED].id;
	char text[512];

	(void)snprintf(text, sizeof(text), update, id);

	int e = sql_run_with(j->db, text, values, ARRAY_LEN(values));

	if (e < 0 || sqlite3_changes(j->db) > 0)
		return e;
	(void)snprintf(text, sizeof(text),
		       "INSERT INTO dropped(kind, n, first, last) VALUES('%s', ?1, ?2, ?3)", id);
	return sql_run_with(j->db, text, values, 3);
}

static int meta_put(struct journal *j, const struct journal_state *next)
{
	int e = 0;
	sqlite3_stmt *stmt = journal_stmt(j, JOURNAL_STMT_META, &e);

	if (stmt == NULL)
		return e;
	/* The newest row may be among those that go: its number stays used. */
	sql_bind_u64(stmt, 1, next->last_seq);
	sql_bind_u64(stmt, 2, next->deleted);
	sql_bind_u64(stmt, 3, next->dropped);
	return sql_run(stmt);
}

static int slice_delete(struct journal *j, const struct slice *s, struct journal_state *next)
{
	int e = 0;
	sqlite3_stmt *stmt = journal_stmt(j, JOURNAL_STMT_DELETE, &e);

	if (stmt == NULL)
		return e;
	sql_bind_u64(stmt, 1, s->first);
	sql_bind_u64(stmt, 2, s->last);
	e = sql_run(stmt);
	if (e == 0 && (uint64_t)sqlite3_changes(j->db) != s->rows)
		e = -EUCLEAN; /* rows that are found but not by their number: for ever more to do */
	next->deleted += s->rows;
	if (s->last > j->state.cursor_seq) {
		next->dropped += s->rows;
		next->untold += s->rows;
		next->untold_above += s->rows;
		for (size_t k = 0; e == 0 && k < KINDS_MAX; k++)
			if (s->kinds[k].n > 0)
				e = dropped_add(j, k, s);
	}
	return e < 0 ? e : meta_put(j, next);
}

/* Deletes one slice: first what the cloud has, then what lies behind the rows that
 * are on their way to it. Those in between stay: their answer is still open. */
static int rows_step(struct journal *j, uint64_t before_us)
{
	struct journal_state next = j->state;
	struct slice s = { 0 };
	int e = slice_read(j, 0, j->state.cursor_seq, before_us, &s);

	if (e == 0 && s.rows == 0)
		e = slice_read(j, j->state.offered_seq, INT64_MAX, before_us, &s);
	if (e < 0 || s.rows == 0)
		return e;
	e = journal_tx_begin(j, false);
	if (e == 0)
		e = slice_delete(j, &s, &next);
	e = journal_tx_end(j, e);
	if (e < 0)
		return e;
	j->state = next;
	return 1;
}

static int pages_step(struct journal *j, uint64_t pages, uint64_t free_pages,
		      const struct retention_limits *limits)
{
	uint64_t slack = limits->max_bytes + limits->max_bytes / LOW_MARK_PART;
	char text[64];

	/* In the steady state freed pages are taken again by new rows; moving the
	 * file's end into them would only write everything twice. */
	if (free_pages == 0 || (pages * SCHEMA_PAGE_SIZE <= slack &&
				(free_pages < FREE_FLOOR_PAGES || free_pages < pages / FREE_PART)))
		return 0;
	(void)snprintf(text, sizeof(text), "PRAGMA incremental_vacuum(%u)", RETENTION_SLICE_PAGES);

	int e = sql_exec(j->db, text);

	return e < 0 ? e : 1;
}

int retention_step(struct journal *j, const struct retention_limits *limits)
{
	uint64_t pages = 0;
	uint64_t free_pages = 0;
	int e = journal_number(j, JOURNAL_STMT_PAGES, &pages);

	if (e == 0)
		e = journal_number(j, JOURNAL_STMT_FREE_PAGES, &free_pages);
	if (e < 0)
		return e;

	uint64_t used = (pages - free_pages) * SCHEMA_PAGE_SIZE;
	uint64_t low = limits->max_bytes - limits->max_bytes / LOW_MARK_PART;

	j->is_trimming = used > (j->is_trimming ? low : limits->max_bytes);
	if (j->is_trimming) {
		e = rows_step(j, 0);
		if (e != 0)
			return e;
		j->is_trimming = false; /* nothing is left that may go */
	}
	if (limits->oldest_real_us > 0) {
		e = rows_step(j, limits->oldest_real_us);
		if (e != 0)
			return e;
	}
	return pages_step(j, pages, free_pages, limits);
}

int retention_checkpoint(struct journal *j)
{
	int log = 0;
	int done = 0;
	int mode = SQLITE_CHECKPOINT_PASSIVE;

	if (j->db == NULL)
		return -EBADFD;
	/* A passive checkpoint lets the log begin anew only when no reader looks at it
	 * just then; without a bound, readers in turn could make it grow for ever. */
	if (journal_log_bytes(j) > 4ull * SCHEMA_WAL_KEEP_BYTES) {
		mode = SQLITE_CHECKPOINT_RESTART;
		(void)sqlite3_busy_timeout(j->db, RETENTION_WAIT_MS);
	}

	int code = sqlite3_wal_checkpoint_v2(j->db, NULL, mode, &log, &done);

	if (mode != SQLITE_CHECKPOINT_PASSIVE)
		(void)sqlite3_busy_timeout(j->db, SCHEMA_BUSY_MS);
	if (code == SQLITE_OK && log == done)
		j->log_pages = 0;
	return code == SQLITE_BUSY ? 0 : sql_error(j->db, code);
}

void retention_memory_release(struct journal *j)
{
	if (j->db != NULL)
		(void)sqlite3_db_release_memory(j->db);
	(void)malloc_trim(0);
}
