/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Batches of events with their cursors. */
#include "agent/event/views.h"
#include "cloud/store/db.h"

/* The device's current epoch and the cursor in it. */
static int epoch_get(struct store *s, int64_t device, uint64_t *ret_epoch, uint64_t *ret_seq)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_EPOCH_GET, &stmt);

	if (r < 0)
		return r;
	db_bind_u64(stmt, 1, (uint64_t)device);
	r = db_row(stmt);
	if (r <= 0)
		return r < 0 ? r : -EUCLEAN;
	*ret_epoch = db_u64(stmt, 0);
	*ret_seq = db_u64(stmt, 1);
	(void)sqlite3_reset(stmt);
	return 0;
}

/* -ENOENT before the first batch of an epoch. */
static int cursor_get(struct store *s, int64_t device, uint64_t epoch, uint64_t *ret_seq)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_CURSOR_GET, &stmt);

	if (r < 0)
		return r;
	db_bind_u64(stmt, 1, (uint64_t)device);
	db_bind_u64(stmt, 2, epoch);
	r = db_row(stmt);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_seq = db_u64(stmt, 0);
	(void)sqlite3_reset(stmt);
	return 0;
}

static int cursor_set(struct store *s, int64_t device, uint64_t epoch, uint64_t seq)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_CURSOR_SET, &stmt);

	if (r < 0)
		return r;
	db_bind_u64(stmt, 1, (uint64_t)device);
	db_bind_u64(stmt, 2, epoch);
	db_bind_u64(stmt, 3, seq);
	return db_run(stmt);
}

/* 1: this range came before with the same SHA-256, -EILSEQ: with another, 0: never. */
static int range_known(struct store *s, int64_t device, const struct batch_range *range)
{
	uint8_t sha256[SHA256_SIZE];
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_RANGE_GET, &stmt);

	if (r < 0)
		return r;
	db_bind_u64(stmt, 1, (uint64_t)device);
	db_bind_u64(stmt, 2, range->epoch);
	db_bind_u64(stmt, 3, range->first);
	db_bind_u64(stmt, 4, range->last);
	r = db_row(stmt);
	if (r <= 0)
		return r;
	r = db_copy_hash(stmt, 0, sha256);
	(void)sqlite3_reset(stmt);
	if (r < 0)
		return r;
	return memcmp(sha256, range->sha256, sizeof(sha256)) == 0 ? 1 : -EILSEQ;
}

static int range_add(struct store *s, int64_t device, const struct batch_range *range,
		     uint64_t rx_us)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_RANGE_ADD, &stmt);

	if (r < 0)
		return r;
	db_bind_u64(stmt, 1, (uint64_t)device);
	db_bind_u64(stmt, 2, range->epoch);
	db_bind_u64(stmt, 3, range->first);
	db_bind_u64(stmt, 4, range->last);
	db_bind_hash(stmt, 5, range->sha256);
	db_bind_u64(stmt, 6, rx_us);
	return db_run(stmt);
}

/* The rows above the cursor; returns how many. */
static int rows_add(struct store *s, int64_t device, const struct batch *b, uint64_t cursor,
		    uint64_t rx_us)
{
	sqlite3_stmt *stmt = NULL;
	int n = 0;
	int r = db_statement(s, DB_EVENT_ADD, &stmt);

	if (r < 0)
		return r;
	db_bind_u64(stmt, 1, (uint64_t)device);
	db_bind_u64(stmt, 2, b->range.epoch);
	db_bind_u64(stmt, 5, rx_us);
	for (size_t i = 0; i < b->n_events; i++) {
		const struct batch_event *e = &b->events[i];
		enum event_kind kind;

		if (e->seq <= cursor)
			continue;
		db_bind_u64(stmt, 3, e->seq);
		db_bind_u64(stmt, 4, e->ts);
		/* Both are bounded by the batch parser, so this stays in 63 bits. */
		(void)sqlite3_bind_int64(stmt, 6, (int64_t)e->ts + b->clock_offset_ms * 1000);
		/* An event of a newer agent has no kind here: kept, seen by no view. */
		if (views_kind_find(e->table, e->action, &kind) < 0)
			db_bind_str(stmt, 7, (struct str){ 0 });
		else
			db_bind_str(stmt, 7, str_of(event_kinds[kind].id));
		db_bind_str(stmt, 8, e->table);
		db_bind_str(stmt, 9, e->body);
		r = db_run(stmt);
		if (r < 0)
			return r;
		n++;
	}
	return n;
}

/* How many losses of a range that ends above the cursor are new: it may come again
 * grown, after an answer that was lost, and what stands below is counted already. */
static uint64_t dropped_new(const struct batch_dropped *d, uint64_t cursor)
{
	uint64_t above = d->last - cursor;

	return above < d->n ? above : d->n;
}

/* The losses above the cursor; *ret_n is how many events they stand for. */
static int dropped_add(struct store *s, int64_t device, const struct batch *b, uint64_t cursor,
		       uint64_t rx_us, uint64_t *ret_n)
{
	uint64_t n = 0;

	for (size_t i = 0; i < b->n_dropped; i++) {
		const struct batch_dropped *d = &b->dropped[i];
		sqlite3_stmt *stmt = NULL;
		int r;

		if (d->last <= cursor)
			continue;
		r = db_statement(s, DB_DROPPED_ADD, &stmt);
		if (r < 0)
			return r;
		db_bind_u64(stmt, 1, (uint64_t)device);
		db_bind_u64(stmt, 2, b->range.epoch);
		db_bind_u64(stmt, 3, d->first);
		db_bind_u64(stmt, 4, d->last);
		db_bind_str(stmt, 5, str_of(d->kind));
		db_bind_u64(stmt, 6, d->n);
		db_bind_u64(stmt, 7, rx_us);
		r = db_run(stmt);
		if (r < 0)
			return r;
		n += dropped_new(d, cursor);
	}
	*ret_n = n;
	return 0;
}

static int device_advance(struct store *s, int64_t device, const struct batch *b, uint64_t rx_us,
			  uint64_t stored, uint64_t dropped)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_DEVICE_ADVANCE, &stmt);

	if (r < 0)
		return r;
	db_bind_u64(stmt, 1, (uint64_t)device);
	db_bind_u64(stmt, 2, b->range.epoch);
	db_bind_u64(stmt, 3, rx_us);
	db_bind_u64(stmt, 4, stored);
	db_bind_u64(stmt, 5, dropped);
	db_bind_str(stmt, 6, str_of(b->boot_id));
	return db_run(stmt);
}

static int conflict_count(struct store *s, int64_t device)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_DEVICE_CONFLICT, &stmt);

	if (r < 0)
		return r;
	db_bind_u64(stmt, 1, (uint64_t)device);
	return db_run(stmt);
}

/* A batch that brings something new. */
static int batch_write(struct store *s, int64_t device, const struct batch *b, uint64_t cursor,
		       uint64_t rx_us, struct store_append *ret_append)
{
	uint64_t dropped = 0;
	int stored;
	int r;

	stored = rows_add(s, device, b, cursor, rx_us);
	if (stored < 0)
		return stored;
	if ((r = dropped_add(s, device, b, cursor, rx_us, &dropped)) < 0 ||
	    (r = range_add(s, device, &b->range, rx_us)) < 0 ||
	    (r = cursor_set(s, device, b->range.epoch, b->range.last)) < 0 ||
	    (r = device_advance(s, device, b, rx_us, (uint64_t)stored, dropped)) < 0)
		return r;
	*ret_append = (struct store_append){ .outcome = STORE_STORED,
					     .epoch = b->range.epoch,
					     .seq = b->range.last,
					     .stored = (size_t)stored };
	return 0;
}

int store_append(struct store *s, int64_t device, const struct batch *b, uint64_t rx_us,
		 struct store_append *ret_append)
{
	struct store_append answer = { 0 };
	uint64_t cursor = 0;
	bool has_cursor;
	int r;

	r = epoch_get(s, device, &answer.epoch, &answer.seq);
	if (r < 0)
		return r;
	if (b->range.epoch < answer.epoch) {
		answer.outcome = STORE_STALE_EPOCH;
		*ret_append = answer;
		return 0;
	}
	r = cursor_get(s, device, b->range.epoch, &cursor);
	if (r < 0 && r != -ENOENT)
		return r;
	has_cursor = r == 0;
	if (!has_cursor)
		return batch_write(s, device, b, b->range.first - 1, rx_us, ret_append);

	answer.epoch = b->range.epoch;
	answer.seq = cursor;
	r = range_known(s, device, &b->range);
	if (r < 0 && r != -EILSEQ)
		return r;
	if (r == -EILSEQ) {
		answer.outcome = STORE_CONFLICT;
		r = conflict_count(s, device);
	} else if (r == 1 || b->range.last <= cursor) {
		answer.outcome = STORE_DUPLICATE;
		r = 0;
	} else if (b->range.first > cursor + 1) {
		answer.outcome = STORE_GAP;
	} else {
		return batch_write(s, device, b, cursor, rx_us, ret_append);
	}
	if (r == 0)
		*ret_append = answer;
	return r;
}
