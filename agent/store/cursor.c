/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/cursor.h"

#include "agent/event/views.h"
#include "agent/store/journal_priv.h"

#define LINE_HEAD_BYTES 200u /* what event_line_format() puts in front, about */

/* The text of a row behind number `above`. SQLite does not see all damage: -EUCLEAN for what
 * journal_add() never took, which the reporter would refuse for ever. */
static int body_get(sqlite3_stmt *stmt, uint64_t above, struct str *ret_body)
{
	uint64_t seq = sql_column_u64(stmt, 0);
	bool is_text = sqlite3_column_type(stmt, 3) == SQLITE_TEXT;
	struct str body = sql_column_str(stmt, 3);

	if (seq <= above || seq > INT64_MAX || !is_text)
		return -EUCLEAN;
	if (body.p == NULL)
		return -ENOMEM;
	if (body.n > EVENT_BODY_MAX || str_find(body, '\n') >= 0)
		return -EUCLEAN;
	*ret_body = body;
	return 0;
}

/* Appends rows behind `above` until a limit is reached. */
static int rows_read(sqlite3_stmt *stmt, uint64_t above, uint32_t max_bytes,
		     const struct event_line_device *device, struct buf *lines,
		     struct cursor_batch *batch)
{
	struct str body;
	int e = 0;

	while ((e = sql_step(stmt)) == 1) {
		size_t before = lines->len;
		uint64_t seq = sql_column_u64(stmt, 0);

		e = body_get(stmt, batch->count == 0 ? above : batch->last, &body);
		if (e < 0)
			break;
		event_line_format(lines, seq, sql_column_u64(stmt, 1), sql_column_u64(stmt, 2),
				  device, body);
		buf_add_char(lines, '\n');
		if (buf_error(lines) < 0) {
			e = buf_error(lines);
			break;
		}
		if (batch->count > 0 && lines->len > max_bytes) {
			lines->len = before;
			batch->has_more = true;
			break;
		}
		batch->first = batch->count == 0 ? seq : batch->first;
		batch->last = seq;
		batch->count++;
	}
	(void)sqlite3_reset(stmt);
	return e < 0 ? e : 0;
}

/* The ranges that lie before the end of the batch. */
static int dropped_read(struct journal *j, struct cursor_batch *batch)
{
	int e = 0;
	sqlite3_stmt *stmt = journal_stmt(j, JOURNAL_STMT_DROPPED, &e);

	if (stmt == NULL)
		return e;
	sql_bind_u64(stmt, 1, batch->last);
	sql_bind_u64(stmt, 2, CURSOR_DROPPED_MAX);
	while ((e = sql_step(stmt)) == 1) {
		struct cursor_dropped *d = &batch->dropped[batch->n_dropped++];
		/* A kind of another build: that rows are gone still counts. */
		enum event_kind kind;

		if (views_kind_parse(sql_column_str(stmt, 0), &kind) < 0)
			kind = EVENT_KIND_AGENT_EVENTS_DROPPED;
		*d = (struct cursor_dropped){
			.kind = (uint16_t)kind,
			.n = sql_column_u64(stmt, 1),
			.first = sql_column_u64(stmt, 2),
			.last = sql_column_u64(stmt, 3),
		};
		if (d->n == 0 || d->last < d->first || d->n - 1 > d->last - d->first) {
			(void)sqlite3_reset(stmt);
			return -EUCLEAN;
		}
		if (d->first < batch->first)
			batch->first = d->first;
	}
	return e;
}

/*
 * Records durably that rows up to seq leave. Event batches are committed without a
 * sync, so a crash of the host could lose rows whose numbers would then be given to
 * other events; the cloud, which has the first ones, would take the second for
 * doubles. This commit syncs the log up to here, all earlier commits included,
 * before a byte leaves.
 */
static int offer(struct journal *j, uint64_t seq)
{
	int e = 0;

	if (seq <= j->state.offered_seq)
		return 0;
	e = journal_tx_begin(j, true);
	if (e == 0) {
		sqlite3_stmt *stmt = journal_stmt(j, JOURNAL_STMT_OFFER, &e);

		if (stmt != NULL) {
			sql_bind_u64(stmt, 1, seq);
			e = sql_run(stmt);
		}
	}
	e = journal_tx_end(j, e);
	if (e == 0)
		j->state.offered_seq = seq;
	return e;
}

int cursor_fetch(struct journal *j, uint32_t max_events, uint32_t max_bytes,
		 const struct event_line_device *device, struct buf *lines,
		 struct cursor_batch *ret_batch)
{
	struct cursor_batch batch = { .epoch = j->state.epoch };
	size_t before = lines->len;
	int e = 0;
	sqlite3_stmt *stmt = journal_stmt(j, JOURNAL_STMT_FETCH, &e);

	if (stmt == NULL)
		return e;
	sql_bind_u64(stmt, 1, j->state.cursor_seq);
	sql_bind_u64(stmt, 2, max_events);
	e = rows_read(stmt, j->state.cursor_seq, max_bytes, device, lines, &batch);
	if (e == 0 && batch.count == 0)
		return -ENODATA;
	if (e == 0)
		e = dropped_read(j, &batch);
	if (e == 0)
		e = offer(j, batch.last);
	if (e < 0) {
		lines->len = before;
		return e;
	}
	batch.has_more = batch.has_more || batch.count == max_events;
	*ret_batch = batch;
	return 0;
}

/* The sums of the table dropped, after its rows changed. */
static int untold_load(struct journal *j, struct journal_state *state)
{
	int e = sql_get_u64(j->db, "SELECT sum(n) FROM dropped", &state->untold);

	if (e < 0)
		return e;
	return sql_get_u64(j->db,
			   "SELECT sum(n) FROM dropped WHERE first > (SELECT value FROM meta"
			   " WHERE name = 'base')",
			   &state->untold_above);
}

/* Takes out the ranges that the cursor has passed: they were told with the batch
 * that spans them. Of what went with a file that is gone the cloud may have had a
 * part on its way; the rest is still to be told. */
static int dropped_pass(struct journal *j, uint64_t seq, struct journal_state *state)
{
	static const char shorten[] = "UPDATE dropped SET n = max(n - (?1 + 1 - first), 0),"
				      " first = ?1 + 1 WHERE first <= ?1 AND last > ?1";
	int e = seq < j->state.base_seq ? sql_run_with(j->db, shorten, &seq, 1) : 0;

	if (e == 0) /* all of a range may have been on its way */
		e = sql_run_with(j->db, "DELETE FROM dropped WHERE last <= ?1 OR n = 0", &seq, 1);
	return e < 0 ? e : untold_load(j, state);
}

int cursor_set(struct journal *j, uint64_t epoch, uint64_t seq)
{
	struct journal_state next = j->state;
	int e;

	if (j->db == NULL)
		return -EBADFD;
	if (epoch != j->state.epoch || seq <= j->state.cursor_seq)
		return 0;
	if (seq > j->state.offered_seq && seq > j->state.base_seq)
		return -ERANGE;
	e = journal_tx_begin(j, true);
	if (e == 0) {
		sqlite3_stmt *stmt = journal_stmt(j, JOURNAL_STMT_CURSOR, &e);

		if (stmt != NULL) {
			sql_bind_u64(stmt, 1, seq);
			e = sql_run(stmt);
		}
	}
	if (e == 0 && j->state.untold > 0)
		e = dropped_pass(j, seq, &next);
	e = journal_tx_end(j, e);
	if (e < 0)
		return e;
	next.cursor_seq = seq;
	if (next.offered_seq < seq)
		next.offered_seq = seq;
	j->state = next;
	return 0;
}

int cursor_epoch_set(struct journal *j, uint64_t epoch, struct str device_id)
{
	cleanup_(stmt_cleanup) sqlite3_stmt *stmt = NULL;
	int e;

	if (j->db == NULL)
		return -EBADFD;
	e = journal_tx_begin(j, true);
	if (e == 0)
		e = sql_run_with(j->db, "UPDATE cursors SET epoch = ?1 WHERE name = 'cloud'",
				 &epoch, 1);
	if (e == 0 && device_id.n > 0)
		e = sql_prepare(j->db, "UPDATE meta SET value = ?1 WHERE name = 'device_id'",
				&stmt);
	if (e == 0 && stmt != NULL) {
		sql_bind_str(stmt, 1, device_id);
		e = sql_run(stmt);
	}
	e = journal_tx_end(j, e);
	if (e == 0)
		j->state.epoch = epoch;
	return e;
}

/* cursor_skip() inside a transaction; *next is the state behind it. */
static int skip(struct journal *j, struct journal_state *next)
{
	int e = 0;
	sqlite3_stmt *stmt = journal_stmt(j, JOURNAL_STMT_CURSOR, &e);

	next->dropped += cursor_depth(j);
	next->cursor_seq = next->offered_seq = next->last_seq;
	next->untold = next->untold_above = 0;
	if (stmt == NULL)
		return e;
	sql_bind_u64(stmt, 1, next->cursor_seq);
	e = sql_run(stmt);
	if (e == 0)
		e = sql_exec(j->db, "DELETE FROM dropped");
	if (e == 0)
		e = sql_run_with(j->db, "UPDATE meta SET value = ?1 WHERE name = 'dropped'",
				 &next->dropped, 1);
	return e;
}

static struct cursor_skipped skipped_of(const struct journal_state *old,
					const struct journal_state *next)
{
	return (struct cursor_skipped){ .n = next->dropped - old->dropped,
					.first = old->cursor_seq + 1,
					.last = next->last_seq };
}

int cursor_skip(struct journal *j, struct cursor_skipped *ret_skipped)
{
	struct journal_state next = j->state;
	int e = journal_tx_begin(j, true);

	if (e == 0)
		e = skip(j, &next);
	e = journal_tx_end(j, e);
	if (e < 0)
		return e;
	*ret_skipped = skipped_of(&j->state, &next);
	j->state = next;
	return 0;
}

/* Whose rows these are: 0 orgs[0]'s, 1 another's, -ENOENT nobody's or one's it was moved from. */
static int org_compare(struct journal *j, const char *const *orgs, size_t n)
{
	cleanup_(stmt_cleanup) sqlite3_stmt *stmt = NULL;
	int e = sql_prepare(j->db, "SELECT value FROM meta WHERE name = 'org_id'", &stmt);

	if (e == 0)
		e = sql_step(stmt);
	if (e <= 0)
		return e < 0 ? e : -ENOENT;

	struct str kept = sql_column_str(stmt, 0);

	for (size_t i = 0; i < n; i++)
		if (str_eq(kept, str_of(orgs[i])))
			return i == 0 ? 0 : -ENOENT;
	return 1;
}

static int org_put(struct journal *j, const char *org)
{
	cleanup_(stmt_cleanup) sqlite3_stmt *stmt = NULL;
	int e = sql_prepare(j->db, "INSERT OR REPLACE INTO meta VALUES('org_id', ?1)", &stmt);

	if (e < 0)
		return e;
	sql_bind_str(stmt, 1, str_of(org));
	return sql_run(stmt);
}

int cursor_org_set(struct journal *j, const char *const *orgs, size_t n,
		   struct cursor_skipped *ret_skipped)
{
	struct journal_state next = j->state;
	int other = j->db == NULL ? -EBADFD : org_compare(j, orgs, n);
	int e = other < 0 && other != -ENOENT ? other : 0;

	if (other == 0 || e < 0)
		return e;
	e = journal_tx_begin(j, true);
	if (e == 0)
		e = org_put(j, orgs[0]);
	if (e == 0 && other == 1)
		e = skip(j, &next);
	e = journal_tx_end(j, e);
	if (e < 0)
		return e;
	if (other != 1)
		return 0;
	*ret_skipped = skipped_of(&j->state, &next);
	j->state = next;
	return 1;
}

struct cursor cursor_get(const struct journal *j)
{
	return (struct cursor){ .epoch = j->state.epoch, .seq = j->state.cursor_seq };
}

uint64_t cursor_depth(const struct journal *j)
{
	const struct journal_state *s = &j->state;
	uint64_t above = s->cursor_seq > s->base_seq ? s->cursor_seq : s->base_seq;
	uint64_t depth = s->last_seq - above;

	return depth < s->untold_above ? 0 : depth - s->untold_above;
}

uint64_t cursor_depth_bytes(const struct journal *j)
{
	uint64_t row = LINE_HEAD_BYTES;

	row += j->body_rows == 0 ? 0 : j->body_bytes / j->body_rows;
	return cursor_depth(j) * row;
}
