/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/retention.h"

#include "tests/unit/store_help.h"

#define DAY_US (86400 * USEC_PER_SEC)

static const struct event_line_device device = { { NULL, 0 }, { NULL, 0 } };

static int trim(struct journal *j, uint64_t max_bytes, uint64_t oldest_us)
{
	const struct retention_limits limits = { .max_bytes = max_bytes,
						 .oldest_real_us = oldest_us };
	int e = 0;

	while ((e = retention_step(j, &limits)) == 1) {
	}
	return e;
}

static void acknowledge(struct journal *j, uint32_t n)
{
	cleanup_(buf_cleanup) struct buf lines = { .max = CURSOR_BYTES_MAX };
	struct cursor_batch batch;

	CHECK_INT(cursor_fetch(j, n, CURSOR_BYTES_MAX, &device, &lines, &batch), 0);
	CHECK_INT(cursor_set(j, batch.epoch, batch.last), 0);
}

static void keeps_the_file_below_its_limit(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	const uint64_t max = 2 << 20;
	struct journal_put put;
	struct stat st;
	char path[128];

	for (uint64_t i = 0; i < 60; i++) {
		CHECK_INT(batch_put(j, 1 + i * 100, 100, 1000, &put), 0);
		CHECK_INT(trim(j, max, 0), 0);
		CHECK_INT(retention_checkpoint(j), 0);
	}
	CHECK_INT(put.last_seq, 6000);
	dir_file(&d, "journal.db", path);
	CHECK_INT(stat(path, &st), 0);
	CHECK(st.st_size <= (off_t)(max + max / 8));
	CHECK(stats_of(j).rows < 2000);
	CHECK(stats_of(j).rows > 1000);
	CHECK_INT(ask(&d, "SELECT count(*) FROM events"), stats_of(j).rows);
	CHECK_INT(ask(&d, "SELECT max(seq) FROM events"), 6000);
	/* A smaller limit gives the pages back. */
	CHECK_INT(trim(j, max / 4, 0), 0);
	CHECK_INT(retention_checkpoint(j), 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK(st.st_size <= (off_t)(max / 4 + max / 32));
	CHECK_INT(ask(&d, "SELECT max(seq) - min(seq) + 1 FROM events"), stats_of(j).rows);
	journal_free(j);
	dir_remove(&d);
}

static void counts_what_the_cloud_never_had(void)
{
	cleanup_(buf_cleanup) struct buf lines = { .max = CURSOR_BYTES_MAX };
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct cursor_batch batch;
	struct journal_put put;

	CHECK_INT(batch_put(j, 1, 100, 1000, &put), 0);
	acknowledge(j, 60); /* what the cloud has may go unsaid */
	CHECK_INT(journal_begin(j), 0);
	for (uint64_t i = 0; i < 10; i++)
		CHECK_INT(record_add(j, EVENT_KIND_FILE_DELETED, 1000 + i, HELP_NOW_US, 1000), 0);
	CHECK_INT(journal_commit(j, &put), 0);
	CHECK_INT(trim(j, 1, 0), 0);
	CHECK_INT(stats_of(j).rows, 0);
	CHECK_INT(stats_of(j).dropped, 50);
	CHECK_INT(stats_of(j).untold, 50);
	CHECK_INT(cursor_depth(j), 0);
	CHECK_INT(batch_put(j, 2000, 5, 1000, &put), 0);
	CHECK_INT(put.last_seq, 115); /* the newest rows went, their numbers stay used */
	CHECK_INT(cursor_fetch(j, 100, 100000, &device, &lines, &batch), 0);
	CHECK_INT(batch.count, 5);
	CHECK_INT(batch.first, 61);
	CHECK_INT(batch.last, 115);
	CHECK_INT(batch.n_dropped, 2);
	CHECK_INT(batch.dropped[0].kind, EVENT_KIND_PROCESS_CREATED);
	CHECK_INT(batch.dropped[0].n, 40);
	CHECK_INT(batch.dropped[0].first, 61);
	CHECK_INT(batch.dropped[0].last, 100);
	CHECK_INT(batch.dropped[1].kind, EVENT_KIND_FILE_DELETED);
	CHECK_INT(batch.dropped[1].n, 10);
	CHECK_INT(batch.dropped[1].first, 101);
	CHECK_INT(batch.dropped[1].last, 110);
	journal_free(j);
	j = journal_fresh(&d);
	CHECK_INT(stats_of(j).untold, 50);
	CHECK_INT(cursor_set(j, 0, 115), 0);
	CHECK_INT(stats_of(j).untold, 0);
	CHECK_INT(stats_of(j).dropped, 50);
	CHECK_INT(ask(&d, "SELECT count(*) FROM dropped"), 0);
	journal_free(j);
	dir_remove(&d);
}

static void spares_what_is_on_its_way(void)
{
	cleanup_(buf_cleanup) struct buf lines = { .max = CURSOR_BYTES_MAX };
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct cursor_batch batch;
	struct journal_put put;

	CHECK_INT(batch_put(j, 1, 100, 1000, &put), 0);
	CHECK_INT(cursor_fetch(j, 10, CURSOR_BYTES_MAX, &device, &lines, &batch), 0);
	CHECK_INT(trim(j, 1, 0), 0);
	CHECK_INT(stats_of(j).rows, 10);
	CHECK_INT(stats_of(j).dropped, 90);
	/* More may be lost before the first loss is told: one range, told once. */
	CHECK_INT(batch_put(j, 200, 100, 1000, &put), 0);
	CHECK_INT(trim(j, 1, 0), 0);
	CHECK_INT(ask(&d, "SELECT count(*) FROM dropped"), 1);
	CHECK_INT(batch_put(j, 400, 1, 1000, &put), 0);
	CHECK_INT(cursor_set(j, 0, batch.last), 0);
	buf_clear(&lines);
	CHECK_INT(cursor_fetch(j, 10, CURSOR_BYTES_MAX, &device, &lines, &batch), 0);
	CHECK_INT(batch.count, 1);
	CHECK_INT(batch.n_dropped, 1);
	CHECK_INT(batch.dropped[0].n, 190);
	/* What is lost behind a told range is a range of its own. */
	CHECK_INT(batch_put(j, 500, 20, 1000, &put), 0);
	CHECK_INT(trim(j, 1, 0), 0);
	CHECK_INT(ask(&d, "SELECT count(*) FROM dropped"), 2);
	CHECK_INT(cursor_set(j, 0, batch.last), 0);
	CHECK_INT(stats_of(j).untold, 20);
	journal_free(j);
	dir_remove(&d);
}

static void takes_rows_by_age(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;

	CHECK_INT(journal_begin(j), 0);
	for (uint64_t i = 0; i < 20; i++)
		CHECK_INT(record_add(j, EVENT_KIND_LOGOFF, 1 + i, i * DAY_US + 1, 200), 0);
	CHECK_INT(journal_commit(j, &put), 0);
	CHECK_INT(trim(j, 1 << 30, 0), 0);
	CHECK_INT(stats_of(j).rows, 20);
	CHECK_INT(trim(j, 1 << 30, 6 * DAY_US), 0);
	CHECK_INT(stats_of(j).rows, 14);
	CHECK_INT(stats_of(j).oldest_us, 6 * DAY_US + 1);
	CHECK_INT(trim(j, 1 << 30, 6 * DAY_US), 0);
	CHECK_INT(stats_of(j).rows, 14);
	journal_free(j);
	dir_remove(&d);
}

static void a_slice_is_small(void)
{
	const struct retention_limits limits = { .max_bytes = 1 };
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;

	CHECK_INT(batch_put(j, 1, 3 * RETENTION_SLICE_ROWS, 300, &put), 0);
	CHECK_INT(retention_step(j, &limits), 1);
	CHECK_INT(stats_of(j).rows, 2 * RETENTION_SLICE_ROWS);
	journal_free(j);
	dir_remove(&d);
}

/* A reader that looks on holds the log, but not the checkpoints behind it. */
/* Rows that are seen but do not go: an error, not work without an end. */
static void rows_that_do_not_go_are_damage(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;
	sqlite3 *db = NULL;
	char path[128];

	CHECK_INT(batch_put(j, 1, 100, 1000, &put), 0);
	dir_file(&d, "journal.db", path);
	CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db,
			       "CREATE TRIGGER t BEFORE DELETE ON events WHEN old.seq > 50"
			       " BEGIN SELECT RAISE(IGNORE); END",
			       NULL, NULL, NULL),
		  SQLITE_OK);
	(void)sqlite3_close(db);
	CHECK_INT(trim(j, 1, 0), -EUCLEAN);
	CHECK_INT(stats_of(j).rows, 100);
	CHECK_INT(stats_of(j).dropped, 0);
	journal_free(j);
	dir_remove(&d);
}

static void checkpoints_beside_a_reader(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;
	sqlite3 *db = NULL;
	char path[128];

	dir_file(&d, "journal.db", path);
	CHECK_INT(batch_put(j, 1, 10, 300, &put), 0);
	CHECK_INT(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM events", NULL, NULL, NULL),
		  SQLITE_OK);
	CHECK_INT(batch_put(j, 100, 1000, 1000, &put), 0);
	CHECK_INT(retention_checkpoint(j), 0);
	CHECK(journal_log_bytes(j) > 0);
	CHECK_INT(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	CHECK_INT(retention_checkpoint(j), 0);
	CHECK_INT(journal_log_bytes(j), 0);
	retention_memory_release(j);
	(void)sqlite3_close(db);
	journal_free(j);
	dir_remove(&d);
}

TEST_MAIN({ "keeps_the_file_below_its_limit", keeps_the_file_below_its_limit },
	  { "counts_what_the_cloud_never_had", counts_what_the_cloud_never_had },
	  { "spares_what_is_on_its_way", spares_what_is_on_its_way },
	  { "takes_rows_by_age", takes_rows_by_age }, { "a_slice_is_small", a_slice_is_small },
	  { "rows_that_do_not_go_are_damage", rows_that_do_not_go_are_damage },
	  { "checkpoints_beside_a_reader", checkpoints_beside_a_reader })
